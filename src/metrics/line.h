/* line.h - one line of a log, put together in fixed memory (line.c).
 *
 * As text, a line is
 *
 *     2026-11-23T22:00:00.123Z info listening door=http address=127.0.0.1:8080
 *
 * and as JSON one object with the members time, level, event, and the fields. In both, what would
 * steer a terminal or end the line is escaped, and a value longer than WEIR_LINE_VALUE_MAX is cut
 * and ends in "...". A field that doesn't fit is left out, and so are those after it: the line then
 * ends with the field cut=true. */

#ifndef WEIR_METRICS_LINE_H
#define WEIR_METRICS_LINE_H

#include "metrics/log.h"

/* Bytes of a line, its newline included: what a pipe takes whole or not at all (PIPE_BUF). */
#define WEIR_LINE_MAX 4096

/* Bytes of a value, before they are escaped. */
#define WEIR_LINE_VALUE_MAX 512

struct weir_line {
    size_t len;
    size_t room; /* what may be used now: the end is kept for what closes the line */
    bool json;
    bool cut;
    char bytes[WEIR_LINE_MAX];
};

/* Starts a line. In the journal it has a priority and no time; else `now_us`, since 1970. */
void weir_line_begin(struct weir_line *line, bool json, bool journal, enum weir_log_line level,
                     int64_t now_us, const char *event);

void weir_line_field(struct weir_line *line, const char *name, struct weir_bytes value);

/* A number, or a length of time in seconds: no quotes around it in JSON. */
void weir_line_number(struct weir_line *line, const char *name, uint64_t number);
void weir_line_seconds(struct weir_line *line, const char *name, int64_t us);

/* Ends it, with its newline. */
void weir_line_end(struct weir_line *line);

#endif
