/* talk.h - one connection of src/redis/connection.h on a loop of its own, with what befell it
 * written down. */

#ifndef WEIR_TEST_SUPPORT_TALK_H
#define WEIR_TEST_SUPPORT_TALK_H

#include "redis/connection.h"
#include "tls/tls.h"

#include <stdio.h>

struct talk;

enum talk_event {
    TALK_READY,
    TALK_REPLY,
    TALK_PUSH,
    TALK_CLOSED
};

/* All zero: as anybody connects. */
struct talk_options {
    const char *user;
    const char *password;
    uint32_t database;
    bool sentinel;
    bool resp2;
    int64_t timeout_us;                /* 0: far longer than a test takes */
    const struct weir_tls_config *tls; /* NULL: none */
    /* Called within each event of the connection's; NULL: nothing. */
    void (*hook)(struct talk *talk, enum talk_event event);
};

struct talk {
    uv_loop_t loop;
    uv_timer_t patience;
    struct weir_connection *connection;
    struct weir_tls_context *tls;
    struct weir_login login;
    struct talk_options options;
    struct weir_allocator allocator; /* malloc, counted */
    size_t allocated;                /* bytes that are not given back yet */
    size_t allocations_left;         /* it fails once these are used up */

    unsigned counts[TALK_CLOSED + 1]; /* of each event */
    enum weir_failure failure;        /* of the last TALK_CLOSED */
    char message[256];
    char *reply; /* the last reply and push, as resp_text.h writes them; "" before the first */
    char *push;
    int stage; /* the hook's own */
};

/* Ends the test where anything of this can't be had. `options` may be NULL. */
void talk_begin(struct talk *talk, const struct talk_options *options);

/* Frees the connection (where the test has not), lets the loop come to its end, and sees to it that
 * nothing is left: no handle, no memory. */
void talk_end(struct talk *talk);

void talk_connect(struct talk *talk, const char *host, unsigned port);

/* Runs the loop until `event` has come `count` times in all; the test fails where a closed
 * connection can't bring it any more, or it takes longer than RIG_PATIENCE_MS. */
void talk_await(struct talk *talk, enum talk_event event, unsigned count);

/* Connects and awaits TALK_READY; or TALK_CLOSED, whose failure it returns. */
void talk_reach(struct talk *talk, const char *host, unsigned port);
enum weir_failure talk_fail(struct talk *talk, const char *host, unsigned port);

/* Writes a command, its words up to a NULL, and flushes. */
void talk_say(struct talk *talk, ...) __attribute__((sentinel));

/* The same, and awaits the next reply. */
const char *talk_ask(struct talk *talk, ...) __attribute__((sentinel));

#endif
