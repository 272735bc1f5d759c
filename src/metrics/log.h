/* log.h - what a server says of itself: one line an event, as text or as JSON, to stderr (log.c).
 *
 * A line is one write(2), so that lines of several threads don't mix. A full pipe loses lines
 * (counted, and told when there is room again) and never holds anybody up. Nothing secret is ever
 * passed in: keys are, as fields, passwords and tokens are not.
 *
 *     weir_log(log, WEIR_LOG_LINE_INFO, "listening", "door", "http", "address", address,
 *              WEIR_LOG_END); */

#ifndef WEIR_METRICS_LOG_H
#define WEIR_METRICS_LOG_H

#include "base/buffer.h"
#include "weir/weir.h"

enum weir_log_line {
    WEIR_LOG_LINE_ERROR = 0, /* as enum weir_log_level of config.h */
    WEIR_LOG_LINE_WARNING,
    WEIR_LOG_LINE_INFO,
    WEIR_LOG_LINE_DEBUG
};

struct weir_log;

/* `fd` is borrowed. Journal: where systemd reads it (JOURNAL_STREAM), lines have no time of their
 * own and begin with <3> to <7>. NULL: no memory. */
struct weir_log *weir_log_open(int fd, enum weir_log_line level, bool json, uint32_t denials);
void weir_log_close(struct weir_log *log);
void weir_log_set(struct weir_log *log, enum weir_log_line level, bool json, uint32_t denials);
bool weir_log_wants(const struct weir_log *log, enum weir_log_line line);

/* The last of what weir_log is given: a NULL that is a pointer wherever it is passed. */
#define WEIR_LOG_END ((const char *)NULL)

/* `event` is a few words; then names and values in turn, and WEIR_LOG_END. Threads: any. */
void weir_log(struct weir_log *log, enum weir_log_line level, const char *event, ...)
    __attribute__((sentinel));

/* A denial, at most `denials` a second; how many were left out is told with the next that is not.
 */
void weir_log_denial(struct weir_log *log, struct weir_bytes rule, struct weir_bytes key,
                     int64_t retry_after_us, int64_t now_us);

#endif
