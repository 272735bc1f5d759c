/* puppet.h - a server that says what a test tells it to, on a loop of the test's own: what no real
 * server says on demand. One connection at a time. */

#ifndef WEIR_TEST_SUPPORT_PUPPET_H
#define WEIR_TEST_SUPPORT_PUPPET_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* As an answer: ends the connection. */
#define PUPPET_HANG_UP "hang up"

struct puppet {
    uv_tcp_t listener;
    uv_tcp_t peer;
    bool connected;
    const char *const *answers;
    char heard[8192]; /* all that the client said, NUL-terminated */
    size_t heard_len;
};

/* Listens on a free port of 127.0.0.1. Each time that something comes in, the next of `answers`, up
 * to a NULL, is sent in one piece; "" says nothing. */
void puppet_begin(struct puppet *puppet, uv_loop_t *loop, const char *const *answers);

/* Ends the connection there may be, and listens no more; the loop does the rest. */
void puppet_end(struct puppet *puppet);

unsigned puppet_port(const struct puppet *puppet);

#endif
