/* histogram.h - how long things took, in cells that grow with what they hold (histogram.c).
 *
 * Log-linear: 8 cells an octave, from 1 us to 64 s, so that a quantile is right to 1/8. One thread
 * records, any reads: cells are relaxed atomics. */

#ifndef WEIR_METRICS_HISTOGRAM_H
#define WEIR_METRICS_HISTOGRAM_H

#include "base/buffer.h"

#include <stdint.h>

struct weir_histogram;

struct weir_histogram *weir_histogram_new(void);
void weir_histogram_free(struct weir_histogram *histogram);
void weir_histogram_record(struct weir_histogram *histogram, int64_t ns);

/* Adds what `from` holds to `to`: for telling several as one. */
void weir_histogram_add(struct weir_histogram *to, const struct weir_histogram *from);

uint64_t weir_histogram_count(const struct weir_histogram *histogram);
/* The least bound below which `share` (per 10,000) of what was recorded lies, in ns. */
int64_t weir_histogram_quantile(const struct weir_histogram *histogram, unsigned share);

/* Prometheus's lines of it: `name`_bucket{labels,le="..."}, _sum, _count; in seconds. `labels` as
 * `door="http"`, or empty. */
void weir_histogram_tell(const struct weir_histogram *histogram, const char *name,
                         const char *labels, struct weir_buffer *out);

#endif
