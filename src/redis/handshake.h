/* handshake.h - what is said to a server before anything else, and what it answers (handshake.c).
 *
 * All of it leaves in one write:
 *
 *     HELLO 3 AUTH user password SETNAME weir      logs in, and asks who is there
 *     SELECT n                                     where the database is not 0
 *
 * A server that has no HELLO, or does not let us have it, is asked once more in RESP2's way: AUTH,
 * CLIENT SETNAME, and the rest again.
 *
 * No sockets here: replies in, commands out. Invariant: no message holds the password, though there
 * are servers that answer with a part of what they were sent. */

#ifndef WEIR_REDIS_HANDSHAKE_H
#define WEIR_REDIS_HANDSHAKE_H

#include "redis/connection.h"

#define WEIR_HANDSHAKE_STEPS_MAX 4

enum weir_handshake_step {
    WEIR_STEP_HELLO,
    WEIR_STEP_AUTH,
    WEIR_STEP_SETNAME,
    WEIR_STEP_SELECT
};

enum weir_handshake_state {
    WEIR_HANDSHAKE_ON, /* replies are awaited; what was written meanwhile is to be sent */
    WEIR_HANDSHAKE_DONE,
    WEIR_HANDSHAKE_FAILED /* see `failure` and `message` */
};

struct weir_handshake {
    const struct weir_connection_options *options;
    enum weir_handshake_step steps[WEIR_HANDSHAKE_STEPS_MAX]; /* that replies are owed to */
    size_t step_count;
    size_t step_next;
    bool refused; /* HELLO was: go on without it */
    /* The first error of a server that may be about to end the connection, or the last word. */
    enum weir_failure failure;
    char message[160];
};

/* Writes its first commands to `out`. `options` are borrowed. */
void weir_handshake_start(struct weir_handshake *handshake,
                          const struct weir_connection_options *options, struct weir_buffer *out);

/* Takes a reply in; writes to `info` what it says, and to `out` what is to be said next. */
enum weir_handshake_state weir_handshake_reply(struct weir_handshake *handshake,
                                               const struct weir_resp_value *values,
                                               struct weir_server_info *info,
                                               struct weir_buffer *out);

#endif
