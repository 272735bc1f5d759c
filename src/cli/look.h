/* look.h - what a server says of the worst offenders: one answer of GET /v1/top, read. */

#ifndef WEIR_CLI_LOOK_H
#define WEIR_CLI_LOOK_H

#include "cli/http_client.h"

/* The most offenders that are asked for. */
#define CLI_LOOK_MAX 1000

struct cli_look_row {
    struct weir_bytes rule;
    struct weir_bytes key;
    uint64_t denied; /* never less than it was, */
    uint64_t error;  /* and at most so much more */
};

/* One answer: its rows are in the answer's bytes, or in `texts`. */
struct cli_look {
    struct cli_http_answer answer;
    struct weir_buffer texts;
    struct weir_bytes at; /* the server's time */
    int64_t came_us;      /* by the monotonic clock; 0: there is none */
    size_t count;
    struct cli_look_row rows[CLI_LOOK_MAX];
};

/* Asks, and reads the answer. What fails is in look->answer.message, and the rows are those of
 * before no more. */
enum cli_http_result cli_look(const struct cli_http_question *question, struct cli_look *look);

/* How many of this key were denied in a second, in tenths, since the look before; false where it
 * was not in that. */
bool cli_look_rate(const struct cli_look *look, const struct cli_look *before, size_t row,
                   uint64_t *ret_tenths);

void cli_look_deinit(struct cli_look *look);

#endif
