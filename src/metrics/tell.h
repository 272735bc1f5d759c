/* tell.h - Prometheus's text format 0.0.4, as far as weir writes it (tell.c, process.c).
 *
 * Sources: prometheus.io, "Exposition formats" and "Metric and label naming". */

#ifndef WEIR_METRICS_TELL_H
#define WEIR_METRICS_TELL_H

#include "base/buffer.h"

/* The lines that come before a family's samples. */
void weir_tell_family(struct weir_buffer *out, const char *name, const char *type,
                      const char *help);

/* A label's value with what ends it or its line escaped, and what is no UTF-8 as U+FFFD: one bad
 * byte would have the whole answer refused. */
void weir_tell_label_value(struct weir_buffer *out, struct weir_bytes value);

/* One sample; `labels` as `door="http"`, or "". */
void weir_tell_number(struct weir_buffer *out, const char *name, const char *labels,
                      uint64_t number);
void weir_tell_seconds(struct weir_buffer *out, const char *name, const char *labels, int64_t us);

/* What every program tells of its process: CPU, memory, open files, when it started. */
void weir_tell_process(struct weir_buffer *out, int64_t started_us);

#endif
