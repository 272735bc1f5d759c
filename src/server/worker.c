/* worker.c - see worker.h.
 *
 * The end of a worker: it drains (no more connections; peers go as they are answered), and when the
 * last has gone, or it is told to stop, lets go of its store and of everything on its loop, which
 * then ends by itself. */

#include "base/error.h"
#include "rls/stats.h"
#include "server/worker_parts.h"

#include "weir/redis.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Bits of `wants`. */
#define WANT_VIEW 1U
#define WANT_DRAIN 2U
#define WANT_STOP 4U

/* ---- Turns --------------------------------------------------------------------------------- */

void weir_worker_turn(struct weir_worker *worker)
{
    if (!worker->turned) {
        worker->turned = true;
        weir_desk_turn(worker->desk);
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* that it is there keeps the loop from waiting */
}

void weir_worker_stir(struct weir_worker *worker)
{
    if (!worker->ending) {
        (void)uv_idle_start(&worker->idle, on_idle);
    }
}

static void stir(void *context)
{
    weir_worker_stir(context);
}

static void on_check(uv_check_t *check)
{
    struct weir_worker *worker = check->data;
    (void)uv_idle_stop(&worker->idle);
    weir_desk_flush(worker->desk);
    worker->turned = false;
}

/* What came by timers, before the loop waits for sockets. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct weir_worker *worker = prepare->data;
    weir_desk_flush(worker->desk);
}

/* ---- The end ------------------------------------------------------------------------------- */

static void close_handle(void *handle)
{
    uv_close((uv_handle_t *)handle, NULL);
}

/* Once no peer is left, and the store has nothing of ours: all that is on the loop goes. */
static void end(struct weir_worker *worker)
{
    if (worker->ending || worker->peer_count > 0 || !worker->draining) {
        return;
    }
    worker->ending = true;
    if (worker->options.store == NULL) {
        weir_close(worker->store); /* ends what it has of ours, which nobody waits for */
    }
    close_handle(&worker->bell);
    close_handle(&worker->check);
    close_handle(&worker->prepare);
    close_handle(&worker->idle);
    close_handle(&worker->tick);
}

static void start_draining(struct weir_worker *worker)
{
    if (!worker->draining) {
        worker->draining = true;
        weir_gates_close(worker);
        weir_peers_drain(worker);
        weir_worker_stir(worker);
    }
}

/* ---- What the control thread asks ---------------------------------------------------------- */

static void take_view(struct weir_worker *worker)
{
    /* Acquire: the view was filled in by the control thread before it was put there. */
    struct weir_view *view =
        atomic_exchange_explicit(&worker->next_view, NULL, memory_order_acquire);
    if (view != NULL) {
        weir_desk_take(worker->desk, view);
        weir_gates_follow(worker, view);
    }
}

static void on_bell(uv_async_t *bell)
{
    struct weir_worker *worker = bell->data;
    /* Acquire: what was written before a bit was set is seen after it was found. */
    const uint32_t wants = atomic_exchange_explicit(&worker->wants, 0, memory_order_acquire);
    weir_worker_turn(worker);
    if ((wants & WANT_VIEW) != 0) {
        take_view(worker);
    }
    if ((wants & (WANT_DRAIN | WANT_STOP)) != 0) {
        start_draining(worker);
    }
    if ((wants & WANT_STOP) != 0) {
        worker->stopping = true;
        weir_peers_stop(worker);
    }
    end(worker);
}

static void ask(struct weir_worker *worker, uint32_t what)
{
    /* Release: see on_bell. */
    atomic_fetch_or_explicit(&worker->wants, what, memory_order_release);
    (void)uv_async_send(&worker->bell);
}

void weir_worker_take(struct weir_worker *worker, struct weir_view *view)
{
    /* Release: see take_view; acquire: one that was not taken is let go here. */
    struct weir_view *former =
        atomic_exchange_explicit(&worker->next_view, view, memory_order_acq_rel);
    if (former != NULL) {
        former->release(former);
    }
    ask(worker, WANT_VIEW);
}

void weir_worker_drain(struct weir_worker *worker)
{
    ask(worker, WANT_DRAIN);
}

void weir_worker_stop(struct weir_worker *worker)
{
    ask(worker, WANT_STOP);
}

/* ---- Ticks --------------------------------------------------------------------------------- */

static void copy_stats(struct weir_worker *worker)
{
    struct weir_stats stats = {.size = sizeof(stats)};
    if (weir_stats(worker->store, WEIR_CLOCK, &stats) == WEIR_OK) {
        pthread_mutex_lock(&worker->stats_lock);
        worker->stats = stats;
        pthread_mutex_unlock(&worker->stats_lock);
    }
}

static void on_tick(uv_timer_t *tick)
{
    struct weir_worker *worker = tick->data;
    weir_worker_turn(worker);
    weir_peers_tick(worker);
    weir_gates_resume(worker);
    if (++worker->ticks % WEIR_WORKER_TICKS == 0 && worker->options.store == NULL) {
        copy_stats(worker);
    }
    end(worker);
}

bool weir_worker_stats(struct weir_worker *worker, struct weir_stats *ret_stats)
{
    if (worker->options.store != NULL) {
        return false;
    }
    pthread_mutex_lock(&worker->stats_lock);
    *ret_stats = worker->stats;
    pthread_mutex_unlock(&worker->stats_lock);
    return true;
}

/* ---- Starting ------------------------------------------------------------------------------ */

static void start_handles(struct weir_worker *worker)
{
    (void)uv_check_init(&worker->loop, &worker->check);
    (void)uv_prepare_init(&worker->loop, &worker->prepare);
    (void)uv_idle_init(&worker->loop, &worker->idle);
    (void)uv_timer_init(&worker->loop, &worker->tick);
    worker->bell.data = worker;
    worker->check.data = worker;
    worker->prepare.data = worker;
    worker->tick.data = worker;
    (void)uv_check_start(&worker->check, on_check);
    (void)uv_prepare_start(&worker->prepare, on_prepare);
    (void)uv_timer_start(&worker->tick, on_tick, 1000 / WEIR_WORKER_TICKS,
                         1000 / WEIR_WORKER_TICKS);
}

static bool open_store(struct weir_worker *worker, struct weir_error *ret_error)
{
    worker->store = worker->options.store;
    if (worker->store != NULL) {
        return true;
    }
    const struct weir_redis_options options = {
        .size = sizeof(options), .loop = &worker->loop, .local = worker->options.local};
    return weir_redis_open(worker->options.config->store, &options, &worker->store, ret_error) ==
           WEIR_OK;
}

static bool open_desk(struct weir_worker *worker, struct weir_error *ret_error)
{
    const struct weir_desk_options options = {
        .store = worker->store,
        .view = worker->options.view,
        .tally = weir_metrics_tally(worker->options.metrics, worker->options.index),
        .rls_tally = weir_rls_stats_tally(worker->options.rls_stats, worker->options.index),
        .log = worker->options.log,
        .service = worker->options.service,
        .later = weir_hold_later,
        .forget = weir_hold_forget,
        .wake = weir_peer_wake,
        .stir = stir,
        .context = worker,
    };
    if (weir_desk_open(&options, &worker->desk) == WEIR_OK) {
        return true;
    }
    weir_error_set(ret_error, 0, 0, "no memory for a worker");
    return false;
}

static void serve(void *context)
{
    struct weir_worker *worker = context;
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    /* Release: whoever sees it finds all that this thread did. */
    atomic_store_explicit(&worker->ended, true, memory_order_release);
}

/* What can be done before there is a thread, so that it can fail. */
static bool prepare(struct weir_worker *worker, struct weir_error *ret_error)
{
    worker->input = malloc(WEIR_WORKER_INPUT);
    if (worker->input == NULL || pthread_mutex_init(&worker->stats_lock, NULL) != 0) {
        weir_error_set(ret_error, 0, 0, "no memory for a worker");
        return false;
    }
    const int failed = uv_loop_init(&worker->loop);
    if (failed != 0) {
        weir_error_set(ret_error, 0, 0, "no loop for a worker: %s", uv_strerror(failed));
        return false;
    }
    if (uv_async_init(&worker->loop, &worker->bell, on_bell) != 0) {
        weir_error_set(ret_error, 0, 0, "no bell for a worker");
        return false;
    }
    start_handles(worker);
    return open_store(worker, ret_error) && open_desk(worker, ret_error) &&
           weir_gates_open(worker, ret_error);
}

struct weir_worker *weir_worker_start(const struct weir_worker_options *options,
                                      struct weir_error *ret_error)
{
    struct weir_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        weir_error_set(ret_error, 0, 0, "no memory for a worker");
        return NULL;
    }
    worker->options = *options;
    atomic_init(&worker->wants, 0);
    atomic_init(&worker->next_view, NULL);
    atomic_init(&worker->open_peers, 0);
    atomic_init(&worker->ended, false);
    if (!prepare(worker, ret_error)) {
        /* The process ends: the caller says why, and goes. */
        return NULL;
    }
    const int failed = uv_thread_create(&worker->thread, serve, worker);
    if (failed != 0) {
        weir_error_set(ret_error, 0, 0, "no thread for a worker: %s", uv_strerror(failed));
        return NULL;
    }
    return worker;
}

void weir_worker_join(struct weir_worker *worker)
{
    (void)uv_thread_join(&worker->thread);
    assert(worker->peer_count == 0 && worker->closing == 0);
    weir_desk_close(worker->desk);
    (void)uv_loop_close(&worker->loop);
    struct weir_view *view = atomic_load_explicit(&worker->next_view, memory_order_relaxed);
    if (view != NULL) {
        view->release(view); /* relaxed: the thread is over, and nobody else hands one over */
    }
    (void)pthread_mutex_destroy(&worker->stats_lock);
    weir_buffer_deinit(&worker->plain);
    weir_gates_free(worker);
    free(worker->input);
    free(worker);
}

uint32_t weir_worker_peers(const struct weir_worker *worker)
{
    /* Relaxed: a number to be told. */
    return atomic_load_explicit(&worker->open_peers, memory_order_relaxed);
}

bool weir_worker_has_ended(const struct weir_worker *worker)
{
    /* Acquire: see serve. */
    return atomic_load_explicit(&worker->ended, memory_order_acquire);
}
