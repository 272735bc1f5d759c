/* rls_door.h - Envoy's rate limit service as the doors use it: gRPC's, and HTTP's POST /json.
 *
 * Read desk.h and rls.h first. What was asked, and the plan made of it, live in an arena of their
 * own (struct weir_rls_asked) that goes with the exchange. Where the configuration has rules of the
 * service (config->rls), each descriptor is asked by these (rls_ask.c); else by the policy's, with
 * the domain and the descriptor's entries as attributes (rls_rules.c).
 *
 * Invariant: a configuration that was planned by is held until the exchange is answered. */

#ifndef WEIR_DOOR_RLS_DOOR_H
#define WEIR_DOOR_RLS_DOOR_H

#include "door/desk.h"
#include "rls/rls.h"

/* The attribute that a request's domain is to the policy's rules. */
#define WEIR_RLS_DOMAIN_ATTRIBUTE "domain"

struct weir_grpc_visit;

/* Where the decision of a descriptor is found. */
struct weir_rls_place {
    struct weir_inquiry *inquiry; /* NULL: nothing was asked */
    size_t index;                 /* of its decisions; SIZE_MAX: all of it, by rules */
};

struct weir_rls_asked {
    struct weir_arena arena;
    struct weir_rls_asked *next_spare;
    struct weir_grpc_visit *visit; /* the call that is to be answered; NULL: gone, or none */
    struct weir_rls_request request;
    struct weir_rls_plan plan;
    struct weir_rls_place *places; /* one a descriptor */
};

/* An empty one, which `exchange` then owns. NULL: no memory. */
struct weir_rls_asked *weir_rls_asked_new(struct weir_exchange *exchange);

/* A copy of `bytes` in its arena. False: no memory. */
bool weir_rls_asked_copy(struct weir_rls_asked *asked, struct weir_bytes *bytes);

/* Plans exchange->rls->request, and adds what is to be asked; the caller submits. Errors as
 * weir_rls_plan and weir_exchange_ask, with a message for who asked. */
WEIR_MUST_CHECK enum weir_status weir_rls_ask(struct weir_exchange *exchange,
                                              struct weir_error *ret_error);

/* The response of a decided exchange, in the arena. Errors: those of the store that could not be
 * asked, WEIR_ERR_NO_MEMORY. Uses up what a denied request has overrun. */
WEIR_MUST_CHECK enum weir_status weir_rls_respond(struct weir_exchange *exchange,
                                                  struct weir_rls_response *ret_response);

/* ---- rls_rules.c --------------------------------------------------------------------------- */

/* Asks the policy's rules for descriptor `index`. */
WEIR_MUST_CHECK enum weir_status weir_rls_ask_rules(struct weir_exchange *exchange, size_t index,
                                                    struct weir_error *ret_error);

/* The status of a descriptor that was asked by the policy's rules. */
void weir_rls_tell_rules(const struct weir_inquiry *inquiry, struct weir_rls_status *ret_status);

/* ---- The desk's ---------------------------------------------------------------------------- */

void weir_rls_asked_free(struct weir_desk *desk, struct weir_rls_asked *asked);
void weir_rls_asked_free_spares(struct weir_desk *desk);

#endif
