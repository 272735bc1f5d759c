/* worker_parts.h - a worker as its own thread's files see it: worker.c, accept.c, peer.c, hold.c.
 */

#ifndef WEIR_SERVER_WORKER_PARTS_H
#define WEIR_SERVER_WORKER_PARTS_H

#include "server/worker.h"

#include <pthread.h>
#include <stdatomic.h>

/* A listener's socket on this worker's loop. */
struct weir_gate {
    uv_poll_t poll;
    struct weir_worker *worker;
    const struct weir_listener *listener; /* of the configuration that last changed who may ask */
    struct weir_view *view;               /* which that is; NULL: the start's */
    struct weir_tls_context *tls;
    int fd;
    bool open;
    bool paused; /* no descriptors were left: the next tick tries again */
};

struct weir_worker {
    struct weir_worker_options options;
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t bell;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_timer_t tick;
    struct weir_desk *desk;
    struct weir *store;
    struct weir_gate *gates;
    size_t gate_count;
    struct weir_peer *peers; /* a ring; the next to be looked at */
    uint32_t peer_count;
    struct weir_hold *holds; /* answers held back */
    uint64_t closing;        /* handles of peers that libuv has not closed yet */
    bool draining;
    bool stopping;
    bool ending;
    bool turned; /* the desk knows this turn's time */
    unsigned ticks;
    char *input;              /* what a read fills */
    struct weir_buffer plain; /* TLS: what it said in clear */

    /* Shared with the control thread. What is asked of the worker: a bit each, set with release so
     * that the worker, which takes them with acquire, sees what was written before. */
    _Atomic uint32_t wants;
    _Atomic(struct weir_view *) next_view; /* taken by exchange, by whoever comes first */
    _Atomic uint32_t open_peers;           /* a copy of peer_count, for telling: relaxed */
    _Atomic bool ended;                    /* released when the thread touches nothing any more */
    pthread_mutex_t stats_lock;            /* for the copy below, held for the copying alone */
    struct weir_stats stats;
};

/* Reads the clocks, once a turn. */
void weir_worker_turn(struct weir_worker *worker);

/* Makes sure that a flush comes soon though no peer may say anything. */
void weir_worker_stir(struct weir_worker *worker);

/* ---- accept.c ------------------------------------------------------------------------------ */

/* Puts the worker's sockets on its loop. */
bool weir_gates_open(struct weir_worker *worker, struct weir_error *ret_error);
/* Takes what has connected, and closes the sockets. */
void weir_gates_close(struct weir_worker *worker);
/* Takes on who may ask where, as `view` has it. Connections to where that has changed end, once
 * what they have asked is answered: they are to show anew who they are. */
void weir_gates_follow(struct weir_worker *worker, struct weir_view *view);
/* Frees them, after the thread's end. */
void weir_gates_free(struct weir_worker *worker);
/* Those that were paused try again. */
void weir_gates_resume(struct weir_worker *worker);

/* ---- peer.c -------------------------------------------------------------------------------- */

/* A peer that has connected by `gate`: takes over `fd`. */
void weir_peer_open(struct weir_gate *gate, int fd, struct weir_bytes address);

/* The desk's `wake`: writes what there is, reads on where it had stopped, closes where it is over.
 */
void weir_peer_wake(void *context, struct weir_session *session);

/* A share of the peers: closes those that took too long. */
void weir_peers_tick(struct weir_worker *worker);

/* What is to be answered still is; all else goes. */
void weir_peers_drain(struct weir_worker *worker);
void weir_peers_stop(struct weir_worker *worker);

/* The same for those of one listener, which is no more after this: `next` is in its place. */
void weir_peers_leave(struct weir_worker *worker, const struct weir_listener *listener,
                      const struct weir_listener *next);

/* ---- hold.c -------------------------------------------------------------------------------- */

/* The desk's `later` and `forget`. */
void weir_hold_later(void *context, struct weir_exchange *exchange, int64_t us);
void weir_hold_forget(void *context, struct weir_exchange *exchange);

#endif
