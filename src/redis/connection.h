/* connection.h - one connection to one server on a libuv loop: TCP or a unix socket, TLS in between
 * where it is wanted, and the handshake, after which commands go out and replies come in.
 *
 * All of it on the loop's thread. It knows nothing of limits: it carries commands, in order, and
 * hands over replies, in order. It is used over and over: connect, ready, closed, connect again;
 * when to try again is its owner's business (node.h).
 *
 * Invariant: between connect and closed, exactly one reply is handed over for each command written
 * after ready, in order, pushes apart; after closed none comes, however many were owed. */

#ifndef WEIR_REDIS_CONNECTION_H
#define WEIR_REDIS_CONNECTION_H

#include "redis/config.h"
#include "resp/resp.h"

#include <uv.h>

struct weir_connection;
struct weir_tls_context; /* tls.h */

/* What the server said of itself in the handshake. */
struct weir_server_info {
    char kind[16];    /* "redis", "valkey", ... */
    char version[24]; /* "7.0.15" */
    char role[16];    /* "primary" or "replica", as HELLO has it; empty where it doesn't say */
    uint8_t protocol; /* 2 or 3 */
};

struct weir_connection_events {
    void (*ready)(void *owner); /* the handshake is done: commands may be written */
    /* The reply to the oldest command not yet replied to. Good for the call. */
    void (*reply)(void *owner, const struct weir_resp_value *values, size_t count);
    /* A push of RESP3, or of a RESP2 subscription; may be NULL where none is asked for. */
    void (*push)(void *owner, const struct weir_resp_value *values, size_t count);
    /* It is over, or never came to be: why, and what the server or the system said, which holds no
     * secret. Called once for each connect, unless weir_connection_close was called. May connect
     * again. */
    void (*closed)(void *owner, enum weir_failure failure, const char *message);
};

struct weir_connection_options {
    uv_loop_t *loop;
    const struct weir_allocator *allocator; /* not NULL */
    const struct weir_login *login;         /* these are borrowed for as long as it lives */
    struct weir_tls_context *tls;           /* NULL: none */
    uint32_t database;
    bool sentinel;      /* the handshake of a sentinel: no SELECT */
    bool resp2;         /* for subscriptions as sentinels have them: don't ask for RESP3 */
    int64_t timeout_us; /* for connecting and the handshake together */
    const struct weir_connection_events *events;
    void *owner;
};

/* NULL where there is no memory. */
struct weir_connection *weir_connection_new(const struct weir_connection_options *options);

/* Closes and frees; libuv's handles go in the loop's next turns, and its memory with the last of
 * them. No event comes any more. NULL is fine. */
void weir_connection_free(struct weir_connection *connection);

/* Starts connecting; `address` is copied. A name is looked up first, and each of its addresses
 * tried. Only while closed. What can't even be started is reported by `closed`, in the loop's next
 * turn. */
void weir_connection_connect(struct weir_connection *connection,
                             const struct weir_address *address);

/* Ends it at once: nothing more is sent, no event comes. It may be connected again. */
void weir_connection_close(struct weir_connection *connection);

/* The same, and what the server has not been handed yet never will be: for one that does not
 * answer, whose commands have all failed. */
void weir_connection_abandon(struct weir_connection *connection);

bool weir_connection_is_ready(const struct weir_connection *connection);
const struct weir_server_info *weir_connection_info(const struct weir_connection *connection);

/* Where to write whole commands to, while ready; weir_connection_flush sends all of them in one
 * write. `commands` is how many were written since the last flush. */
struct weir_buffer *weir_connection_writer(struct weir_connection *connection);
void weir_connection_flush(struct weir_connection *connection, size_t commands);

/* Bytes handed to the system that it has not taken yet: a server that does not read makes them
 * grow. */
size_t weir_connection_backlog(const struct weir_connection *connection);

/* How many writes were made; for the stats. */
uint64_t weir_connection_writes(const struct weir_connection *connection);

#endif
