/* grpc_door.h - what the files of the gRPC door share. See desk.h, grpc.h and rls_door.h.
 *
 * grpc_session.c hands each call to its method: grpc_methods.c has the table of them, and health,
 * which is answered at once; grpc_reflection.c says what these are; grpc_limit.c is the rate limit
 * service. */

#ifndef WEIR_DOOR_GRPC_DOOR_H
#define WEIR_DOOR_GRPC_DOOR_H

#include "door/rls_door.h"
#include "grpc/grpc.h"

struct weir_grpc_session;
struct weir_grpc_visit;

struct weir_grpc_method {
    const char *path;
    unsigned right; /* enum weir_rights; 0: none is needed */
    bool streams;   /* takes any number of messages, until the peer ends it */
    void (*message)(struct weir_grpc_visit *visit, struct weir_bytes message);
};

/* One call under way. It is over with weir_grpc_end, or when the peer resets it. */
struct weir_grpc_visit {
    struct weir_grpc_session *session;
    struct weir_grpc_call *call;
    const struct weir_grpc_method *method;
    struct weir_exchange *exchange; /* what answers it; NULL */
    bool asked;                     /* a message has come */
    struct weir_grpc_visit *next;   /* of those that watch */
    struct weir_grpc_visit *previous;
};

struct weir_grpc_session {
    struct weir_session base;
    struct weir_grpc *grpc;
    struct weir_grpc_visit watchers; /* a ring: those that are told when the server ends */
};

/* The method at `path`; NULL: none. */
const struct weir_grpc_method *weir_grpc_find(struct weir_bytes path);

/* Ends a call, and frees the visit. */
void weir_grpc_end(struct weir_grpc_visit *visit, enum weir_grpc_status status,
                   const char *message);

/* Health's Watch: told by weir_grpc_tell_ending when the server is about to end. */
void weir_grpc_watch(struct weir_grpc_visit *visit);
void weir_grpc_tell_ending(struct weir_grpc_visit *visit);

/* Reflection: a question, of any number. */
void weir_grpc_reflect(struct weir_grpc_visit *visit, struct weir_bytes message);

/* envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit, and its answer. */
void weir_grpc_should_rate_limit(struct weir_grpc_visit *visit, struct weir_bytes message);
void weir_grpc_answer(struct weir_session *session, struct weir_exchange *exchange);

#endif
