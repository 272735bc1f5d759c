/* worker.h - one thread that serves: a loop, a desk, listeners, peers (worker.c).
 *
 * The control thread starts it, hands it views, and tells it to drain and to stop; the worker looks
 * at that when it is rung (an uv_async_t). All else is the worker's own.
 *
 * Order of a turn: the loop waits; peers that have sent something are read (peer.c), and what they
 * ask is pending on the desk; the turn's end (uv_check_t) flushes the desk, which answers, and each
 * peer that has answers is written to once. */

#ifndef WEIR_SERVER_WORKER_H
#define WEIR_SERVER_WORKER_H

#include "door/desk.h"
#include "server/listener.h"

#include <uv.h>

/* What one worker reads at once from a peer. */
#define WEIR_WORKER_INPUT (64 * 1024)

/* How many ticks a second has, in each of which a share of the peers is looked at. */
#define WEIR_WORKER_TICKS 10

struct weir_peer;
struct weir_hold;

struct weir_worker_options {
    uint32_t index;
    const struct weir_config
        *config;            /* of the start: listeners and the store; outlives the worker */
    struct weir *store;     /* shared by all workers; NULL: opens its own, over Redis */
    struct weir *local;     /* for that one's on_error=local */
    struct weir_view *view; /* taken over */
    struct weir_metrics *metrics;
    struct weir_rls_stats *rls_stats;
    struct weir_log *log;
    struct weir_service *service;
    struct weir_listening *listening; /* its sockets, one for each listener; taken over */
    struct weir_tls_context **tls;    /* of each listener, or NULL there; outlive the worker */
};

struct weir_worker;

/* Starts the thread. NULL: it could not, and `ret_error` says why. */
struct weir_worker *weir_worker_start(const struct weir_worker_options *options,
                                      struct weir_error *ret_error);

/* Hands it a view, which it takes on soon. Threads: the control thread. */
void weir_worker_take(struct weir_worker *worker, struct weir_view *view);

/* No more connections; peers go when what they asked is answered. */
void weir_worker_drain(struct weir_worker *worker);

/* All peers go now. */
void weir_worker_stop(struct weir_worker *worker);

/* Waits for its end, and frees it. */
void weir_worker_join(struct weir_worker *worker);

/* How many peers it has; whether it has ended. Threads: any. */
uint32_t weir_worker_peers(const struct weir_worker *worker);
bool weir_worker_has_ended(const struct weir_worker *worker);

/* The counts of its own store, as they were a moment ago; false where it has none of its own. */
bool weir_worker_stats(struct weir_worker *worker, struct weir_stats *ret_stats);

#endif
