/* stream.h - a socket to one address on a libuv loop: bytes out, bytes in (stream.c).
 *
 * Opening looks a name up without holding the loop, and tries its addresses one after another, each
 * for its share of the time there is. All on the loop's thread.
 *
 * The sockets are watched by libuv (uv_poll_t) but written to by this file: libuv's own streams
 * write without MSG_NOSIGNAL, so that a server that goes away at the wrong moment would end the
 * process of a caller who has not told the system to ignore SIGPIPE.
 *
 * Invariant: no event comes from within a call of these functions, and none after
 * weir_stream_close. */

#ifndef WEIR_REDIS_STREAM_H
#define WEIR_REDIS_STREAM_H

#include "redis/config.h"
#include "resp/resp.h"

#include <uv.h>

/* The most addresses of one name that are tried. */
#define WEIR_STREAM_ADDRESSES_MAX 8

struct weir_stream;

struct weir_stream_events {
    void (*opened)(void *owner);
    void (*input)(void *owner, struct weir_bytes bytes); /* good for the call */
    /* It ended, or could not be opened. What is left to do is to close it. */
    void (*ended)(void *owner, enum weir_failure failure, const char *message);
};

struct weir_stream_options {
    uv_loop_t *loop;
    const struct weir_allocator *allocator; /* not NULL */
    int64_t timeout_us;                     /* for opening, all addresses together */
    const struct weir_stream_events *events;
    void *owner;
};

/* Starts opening; NULL where there is no memory. */
struct weir_stream *weir_stream_open(const struct weir_stream_options *options,
                                     const struct weir_address *address);

/* Closes the socket at once; libuv's handles, and the memory with them, go in the loop's next
 * turns, or when a name that is being looked up is known. NULL is fine. */
void weir_stream_close(struct weir_stream *stream);

/* The system forgets what it has not delivered when the stream is closed, instead of trying for
 * minutes. */
void weir_stream_abandon(struct weir_stream *stream);

/* Sends what is in `bytes`, and leaves that empty: what the system does not take at once waits
 * here. It has the allocator that the stream has. */
void weir_stream_send(struct weir_stream *stream, struct weir_buffer *bytes);

/* Reports `ended` in the loop's next turn. */
void weir_stream_fail(struct weir_stream *stream, enum weir_failure failure, const char *message);

/* How many bytes wait to be taken by the system, and how many writes were made. */
size_t weir_stream_backlog(const struct weir_stream *stream);
uint64_t weir_stream_writes(const struct weir_stream *stream);

#endif
