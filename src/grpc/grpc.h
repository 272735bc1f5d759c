/* grpc.h - the server's side of a gRPC connection: HTTP/2 by nghttp2, and gRPC's framing in it. No
 * sockets: bytes in, bytes out (grpc.c).
 *
 * What comes of a peer is handed to weir_grpc_receive; calls and their messages are told to the
 * owner by the functions of weir_grpc_ops, from within it. Answers are put to a call at any time,
 * in any order of calls, and weir_grpc_send appends to a buffer what is to go to the peer.
 *
 * What is no gRPC is answered here: no POST or no application/grpc is an HTTP error (405, 415); a
 * path, an encoding, a message that is too long, a timeout that can't be read, gRPC errors. A peer
 * that breaks HTTP/2, or takes more than it may (resets in a row, CONTINUATION, SETTINGS or PING
 * floods, headers without end), is sent GOAWAY and is over.
 *
 * All of a connection belongs to one thread. Invariant: each call ends once, by weir_grpc_finish or
 * by `gone`; after either the owner does not touch it again. */

#ifndef WEIR_GRPC_GRPC_H
#define WEIR_GRPC_GRPC_H

#include "base/buffer.h"
#include "weir/weir.h"

struct weir_grpc;
struct weir_grpc_call;

/* gRPC's status codes, by their numbers on the wire. */
enum weir_grpc_status {
    WEIR_GRPC_OK = 0,
    WEIR_GRPC_CANCELLED = 1,
    WEIR_GRPC_UNKNOWN = 2,
    WEIR_GRPC_INVALID_ARGUMENT = 3,
    WEIR_GRPC_DEADLINE_EXCEEDED = 4,
    WEIR_GRPC_NOT_FOUND = 5,
    WEIR_GRPC_PERMISSION_DENIED = 7,
    WEIR_GRPC_RESOURCE_EXHAUSTED = 8,
    WEIR_GRPC_UNIMPLEMENTED = 12,
    WEIR_GRPC_INTERNAL = 13,
    WEIR_GRPC_UNAVAILABLE = 14,
    WEIR_GRPC_UNAUTHENTICATED = 16
};

/* What the owner is told, always from within weir_grpc_receive or weir_grpc_free. */
struct weir_grpc_ops {
    /* A call's headers are whole. False: the owner has finished it already. */
    bool (*begin)(void *context, struct weir_grpc_call *call);
    /* One whole message of it, borrowed for the call. Not told once the call is finished. */
    void (*message)(void *context, struct weir_grpc_call *call, struct weir_bytes message);
    /* The peer sends no more of it. */
    void (*half_closed)(void *context, struct weir_grpc_call *call);
    /* The peer has reset it, or the connection is over: it is freed when this returns. */
    void (*gone)(void *context, struct weir_grpc_call *call);
};

struct weir_grpc_options {
    const struct weir_grpc_ops *ops;
    void *context;
    const struct weir_allocator *allocator; /* NULL: malloc */
    uint32_t streams;                       /* at once; more are refused (REFUSED_STREAM): 1.. */
    uint32_t header_bytes;                  /* of one call's names and values together: 1.. */
    uint32_t message_bytes;                 /* of one message: RESOURCE_EXHAUSTED past it */
};

/* NULL: no memory. The server's SETTINGS are the first thing weir_grpc_send gives. */
struct weir_grpc *weir_grpc_new(const struct weir_grpc_options *options);

/* Its calls are `gone`. NULL is fine. */
void weir_grpc_free(struct weir_grpc *grpc);

/* Takes in all of `bytes`. False: the connection is over; what weir_grpc_send then gives is a last
 * word, and weir_grpc_broken says why. */
bool weir_grpc_receive(struct weir_grpc *grpc, struct weir_bytes bytes);

/* Appends what is to be sent now, at most about `most` bytes; the peer's windows are kept to. */
void weir_grpc_send(struct weir_grpc *grpc, struct weir_buffer *out, size_t most);

/* Why the connection is over, since weir_grpc_receive or weir_grpc_send; NULL: it is not, or ended
 * well, by weir_grpc_drain or the peer's GOAWAY. Static. */
const char *weir_grpc_broken(const struct weir_grpc *grpc);

/* Whether weir_grpc_send has something to give now. */
bool weir_grpc_has_to_send(const struct weir_grpc *grpc);

/* No new calls (GOAWAY); those under way go on. */
void weir_grpc_drain(struct weir_grpc *grpc);

/* Whether nothing will ever come of it: broken, or drained or left by its peer with no call under
 * way; and nothing to send. */
bool weir_grpc_is_over(const struct weir_grpc *grpc);

/* Calls under way. */
uint32_t weir_grpc_calls(const struct weir_grpc *grpc);

/* Bytes of messages that calls were answered with and the peer has not taken yet: as many steps as
 * there are calls. */
size_t weir_grpc_backlog(const struct weir_grpc *grpc);

/* Whether a frame, or what a call asks, has begun to come and is not whole. */
bool weir_grpc_is_partial(const struct weir_grpc *grpc);

/* ---- Calls -------------------------------------------------------------------------------- */

/* "/package.Service/Method". Borrowed, as long as the call. */
struct weir_bytes weir_grpc_path(const struct weir_grpc_call *call);

/* The value of the header `authorization`; empty where there is none. */
struct weir_bytes weir_grpc_authorization(const struct weir_grpc_call *call);

/* What grpc-timeout said, in microseconds from when the headers came; 0 where it said nothing. One
 * of 0 ("0n") is told as 1. */
int64_t weir_grpc_timeout_us(const struct weir_grpc_call *call);

/* The owner's. */
void weir_grpc_set_data(struct weir_grpc_call *call, void *data);
void *weir_grpc_data(const struct weir_grpc_call *call);

/* Puts a message to the peer; several, one after another, where the method streams. */
void weir_grpc_reply(struct weir_grpc_call *call, struct weir_bytes message);

/* Ends the call; nothing is to be done with it from here on. `message` may be NULL, and is
 * percent-encoded. */
void weir_grpc_finish(struct weir_grpc_call *call, enum weir_grpc_status status,
                      const char *message);

#endif
