/* thread.c - see thread.h.
 *
 * The inbox is a list that any thread may put something in front of and that the loop's thread
 * takes as a whole. Who finds it empty rings (uv_async_send, a write to an eventfd); who doesn't
 * knows that somebody has rung, or is about to, and the loop's thread will take this errand with
 * that one's.
 *
 * Where calls come one at a time, the way to another thread and back is most of what they take. So
 * when a turn has answered one caller and nothing is left to do, the loop's own thread dozes off,
 * and the next caller runs the loop itself (a guest), for its own call and no other: as soon as
 * anybody else leaves an errand, it gives the loop back. `loop_mutex` says whose the loop is.
 *
 * A waiter is a word on the waiting thread's stack, which the loop's thread changes as the last
 * thing that it does with the errand. All who sleep do so on one futex, each under a mask, so that
 * those who were answered by one turn of the loop are woken by one call of the system, after the
 * turn: woken one by one, each would take the processor from the loop's thread.
 *
 * docs/CONCURRENCY.md lists the atomics. */

#include "redis/thread.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long the loop's own thread leaves the loop to callers that run it for themselves. */
#define NAP_NS 1000000
/* From so many sleepers on they are woken in two halves. */
#define CROWD 4

struct errand {
    struct errand *next;
    void (*run)(struct weir_thread *thread, struct errand *errand);
};
_Static_assert(sizeof(struct errand) <= sizeof(((struct weir_call *)0)->internal),
               "a call has room for its errand");

struct weir_thread {
    _Atomic(struct errand *) inbox;
    /* The futex that all sleep on: counted up before they are woken. */
    atomic_uint waking;
    /* A futex: the loop's own thread dozes, and a caller may run the loop instead. */
    atomic_uint dozing;
    atomic_uint visits; /* how often one did */

    uint32_t to_wake; /* whoever has loop_mutex: the masks of those who sleep and may go */
    unsigned served;  /* who were answered in this turn */
    bool guest;       /* a caller runs the loop, for its own call */
    bool evicted;     /* and has to leave it, as somebody else wants something */
    bool closing;     /* the client may be gone */
    bool over;        /* the loop has nothing left */

    struct weir_client_options options;
    struct weir_client *client;
    pthread_t thread;
    pthread_mutex_t loop_mutex; /* whoever runs the loop has it */
    uv_loop_t loop;
    uv_async_t bell;
    uv_check_t check;
    uv_prepare_t prepare;
};

/* ---- Waiting ---- */

enum {
    WAITER_AWAKE = 0, /* and looking */
    WAITER_ASLEEP = 1,
    WAITER_DONE = 2
};

struct waiter {
    atomic_uint state;
    uint32_t mask; /* which of the sleepers this is; another may have the same */
};

/* Threads have stacks of their own, so where a waiter lies tells most of them apart. */
static void waiter_init(struct waiter *waiter)
{
    atomic_init(&waiter->state, WAITER_AWAKE);
    waiter->mask = UINT32_C(1) << ((uintptr_t)waiter >> 12) % 32;
}

static void wait_for(struct weir_thread *thread, struct waiter *waiter)
{
    unsigned seen = WAITER_AWAKE;
    /* Acquire, here and below, against the release in note_done: what was answered is then seen. */
    if (!atomic_compare_exchange_strong_explicit(&waiter->state, &seen, WAITER_ASLEEP,
                                                 memory_order_acquire, memory_order_acquire)) {
        return;
    }
    for (;;) {
        /* Acquire, and before the state: whoever is done after that has yet to count up. */
        const unsigned waking = atomic_load_explicit(&thread->waking, memory_order_acquire);
        if (atomic_load_explicit(&waiter->state, memory_order_acquire) == WAITER_DONE) {
            return;
        }
        (void)syscall(SYS_futex, &thread->waking, FUTEX_WAIT_BITSET_PRIVATE, waking, NULL, NULL,
                      waiter->mask);
    }
}

/* On the loop's thread: a waiter may go. From here on it may be gone. */
static void note_done(struct weir_thread *thread, struct waiter *waiter)
{
    const uint32_t mask = waiter->mask;
    thread->served++;
    if (atomic_exchange_explicit(&waiter->state, WAITER_DONE, memory_order_acq_rel) ==
        WAITER_ASLEEP) {
        thread->to_wake |= mask;
    }
}

/* Wakes all who may go and sleep, at once. */
static void wake_sleepers(struct weir_thread *thread)
{
    if (thread->to_wake != 0) {
        /* Release: their states were changed before. */
        atomic_fetch_add_explicit(&thread->waking, 1, memory_order_release);
        (void)syscall(SYS_futex, &thread->waking, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL,
                      thread->to_wake);
        thread->to_wake = 0;
    }
}

static void run_errands(struct weir_thread *thread);

/* After the loop has looked at what came in. Where many may go, half of them go first, and get the
 * time to come back with their next calls: while Redis decides on those, the other half is awake.
 * In one crowd, they would wait for Redis together and Redis for them. */
static void on_check(uv_check_t *check)
{
    struct weir_thread *thread = check->data;
    const int count = __builtin_popcount(thread->to_wake);
    if (count < CROWD || thread->guest || thread->closing) {
        wake_sleepers(thread);
        return;
    }
    uint32_t later = thread->to_wake;
    for (int i = 0; i < count / 2; i++) {
        later &= later - 1;
    }
    thread->to_wake &= ~later;
    wake_sleepers(thread);
    thread->to_wake = later;
    (void)sched_yield();
    run_errands(thread);
}

/* Before it waits again. */
static void on_prepare(uv_prepare_t *prepare)
{
    wake_sleepers(prepare->data);
}

/* ---- Errands ---- */

/* Ends the doze of the loop's own thread, if it dozes. */
static void rouse(struct weir_thread *thread)
{
    /* Sequentially consistent, as is what was put into the inbox before: either this sees the doze,
     * or the thread, which looks into the inbox after it has said that it dozes, sees that. */
    if (atomic_load(&thread->dozing) != 0 && atomic_exchange(&thread->dozing, 0) != 0) {
        (void)syscall(SYS_futex, &thread->dozing, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

static void leave(struct weir_thread *thread, struct errand *errand)
{
    struct errand *first = atomic_load_explicit(&thread->inbox, memory_order_relaxed);
    do {
        errand->next = first;
        /* Release, so that whoever takes it sees what is in it; and see rouse. */
    } while (!atomic_compare_exchange_weak(&thread->inbox, &first, errand));
    if (first == NULL) {
        (void)uv_async_send(&thread->bell);
        rouse(thread);
    }
}

/* Runs all errands that there are, in order. */
static void run_errands(struct weir_thread *thread)
{
    struct errand *taken = atomic_exchange_explicit(&thread->inbox, NULL, memory_order_acquire);
    struct errand *in_order = NULL;
    while (taken != NULL) {
        struct errand *next = taken->next;
        taken->next = in_order;
        in_order = taken;
        taken = next;
    }
    while (in_order != NULL) {
        struct errand *errand = in_order;
        in_order = errand->next;
        errand->run(thread, errand);
    }
}

static void on_bell(uv_async_t *bell)
{
    struct weir_thread *thread = bell->data;
    if (thread->guest) {
        /* Others' errands, and what they call when they are done, are for the loop's own thread. */
        thread->evicted = true;
    } else {
        run_errands(thread);
    }
}

/* ---- Calls ---- */

static void run_call(struct weir_thread *thread, struct errand *errand)
{
    struct weir_call *call =
        (struct weir_call *)(void *)((char *)errand - offsetof(struct weir_call, internal));
    weir_client_submit(thread->client, call);
}

void weir_thread_submit(struct weir_thread *thread, struct weir_call *call)
{
    struct errand *errand = (struct errand *)(void *)call->internal;
    errand->run = run_call;
    if (weir_thread_is_here(thread)) {
        run_call(thread, errand);
    } else {
        leave(thread, errand);
    }
}

/* A call that somebody waits for. */
struct visit {
    struct weir_thread *thread;
    struct waiter waiter;
};

static void on_answered(struct weir_call *call)
{
    struct visit *visit = call->context;
    note_done(visit->thread, &visit->waiter);
}

/* Whether the loop is free for a caller to run it: its own thread dozes, and nobody has left
 * anything. */
static bool enter(struct weir_thread *thread)
{
    if (atomic_load_explicit(&thread->dozing, memory_order_relaxed) == 0 ||
        pthread_mutex_trylock(&thread->loop_mutex) != 0) {
        return false;
    }
    if (!thread->over && atomic_load_explicit(&thread->inbox, memory_order_relaxed) == NULL) {
        thread->guest = true;
        thread->evicted = false;
        return true;
    }
    pthread_mutex_unlock(&thread->loop_mutex);
    return false;
}

/* A lone call: the caller itself runs the loop until it is answered, and so spares the way to
 * another thread and back. */
static void visit_loop(struct weir_thread *thread, struct weir_call *call, struct visit *visit)
{
    weir_client_submit(thread->client, call);
    while (!thread->evicted &&
           atomic_load_explicit(&visit->waiter.state, memory_order_relaxed) != WAITER_DONE) {
        (void)uv_run(&thread->loop, UV_RUN_ONCE);
    }
    const bool evicted = thread->evicted;
    thread->guest = false;
    atomic_fetch_add_explicit(&thread->visits, 1, memory_order_relaxed);
    pthread_mutex_unlock(&thread->loop_mutex);
    if (evicted) {
        rouse(thread);
    }
}

void weir_thread_ask(struct weir_thread *thread, struct weir_call *call)
{
    struct visit visit = {.thread = thread};
    assert(!weir_thread_is_here(thread));
    waiter_init(&visit.waiter);
    call->done = on_answered;
    /* cppcheck-suppress autoVariables ; the call ends before this does */
    call->context = &visit;
    if (enter(thread)) {
        visit_loop(thread, call, &visit);
    } else {
        weir_thread_submit(thread, call);
    }
    wait_for(thread, &visit.waiter);
}

/* ---- What else is asked of the client ---- */

struct question {
    struct errand errand; /* first, so that an errand is one of these */
    struct visit visit;
    int64_t now_us;
    struct weir_stats *stats;
    struct weir_inspection *inspection;
};

static void ask_question(struct weir_thread *thread, struct question *question,
                         void (*run)(struct weir_thread *thread, struct errand *errand))
{
    question->errand.run = run;
    question->visit.thread = thread;
    waiter_init(&question->visit.waiter);
    leave(thread, &question->errand);
    wait_for(thread, &question->visit.waiter);
}

static void run_stats(struct weir_thread *thread, struct errand *errand)
{
    struct question *question = (struct question *)(void *)errand;
    weir_client_stats(thread->client, question->now_us, question->stats);
    note_done(thread, &question->visit.waiter);
}

void weir_thread_stats(struct weir_thread *thread, int64_t now_us, struct weir_stats *ret_stats)
{
    struct question question = {.now_us = now_us, .stats = ret_stats};
    ask_question(thread, &question, run_stats);
}

static void on_inspected(struct weir_inspection *inspection)
{
    struct visit *visit = inspection->context;
    note_done(visit->thread, &visit->waiter);
}

static void run_inspect(struct weir_thread *thread, struct errand *errand)
{
    struct question *question = (struct question *)(void *)errand;
    question->inspection->done = on_inspected;
    question->inspection->context = &question->visit;
    weir_client_inspect(thread->client, question->inspection);
}

void weir_thread_inspect(struct weir_thread *thread, struct weir_inspection *inspection)
{
    struct question question = {.inspection = inspection};
    ask_question(thread, &question, run_inspect);
}

/* ---- Its life ---- */

bool weir_thread_is_here(const struct weir_thread *thread)
{
    return pthread_equal(pthread_self(), thread->thread) != 0;
}

struct weir_denials *weir_thread_denials(const struct weir_thread *thread)
{
    return weir_client_denials(thread->client);
}

struct weir_client *weir_thread_client(const struct weir_thread *thread)
{
    return thread->client;
}

static void close_handles(struct weir_thread *thread)
{
    uv_close((uv_handle_t *)&thread->bell, NULL);
    uv_close((uv_handle_t *)&thread->check, NULL);
    uv_close((uv_handle_t *)&thread->prepare, NULL);
}

/* The loop then has no more handles, and its run ends. */
static void on_client_closed(void *context)
{
    struct weir_thread *thread = context;
    close_handles(thread);
}

static void run_close(struct weir_thread *thread, struct errand *errand)
{
    (void)errand;
    thread->closing = true;
    weir_client_close(thread->client, on_client_closed, thread);
}

/* Runs the loop until it is over, or one turn has answered just one caller and left nothing to do:
 * where calls come one at a time, the next caller had better run the loop itself. */
static void run_until_idle(struct weir_thread *thread)
{
    run_errands(thread);
    for (;;) {
        thread->served = 0;
        if (uv_run(&thread->loop, UV_RUN_ONCE) == 0) {
            thread->over = true;
            return;
        }
        if (thread->served == 1 && !thread->closing && weir_client_is_idle(thread->client)) {
            return;
        }
    }
}

/* Dozes as long as callers come by and run the loop. What the loop has to do of its own, as
 * connecting again, waits for so long. */
static void doze(struct weir_thread *thread)
{
    static const struct timespec nap = {.tv_nsec = NAP_NS};
    atomic_store(&thread->dozing, 1);
    pthread_mutex_unlock(&thread->loop_mutex);
    unsigned visits;
    do {
        visits = atomic_load_explicit(&thread->visits, memory_order_relaxed);
        if (atomic_load(&thread->inbox) != NULL) {
            break;
        }
        (void)syscall(SYS_futex, &thread->dozing, FUTEX_WAIT_PRIVATE, 1, &nap, NULL, 0);
    } while (atomic_load(&thread->dozing) != 0 &&
             atomic_load_explicit(&thread->visits, memory_order_relaxed) != visits);
    atomic_store(&thread->dozing, 0);
    pthread_mutex_lock(&thread->loop_mutex);
}

static void *run_loop(void *context)
{
    struct weir_thread *thread = context;
    pthread_mutex_lock(&thread->loop_mutex);
    run_until_idle(thread);
    while (!thread->over) {
        doze(thread);
        run_until_idle(thread);
    }
    pthread_mutex_unlock(&thread->loop_mutex);
    return NULL;
}

/* A thread that no signal of the program's is delivered to; libuv's own, for looking up names, are
 * started by it and inherit that. */
static enum weir_status start_thread(struct weir_thread *thread)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error == 0) {
        error = pthread_create(&thread->thread, NULL, run_loop, thread);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return error == 0 ? WEIR_OK : WEIR_ERR_SYSTEM;
}

/* Once all handles are closed, or will be in the next turns. */
static void release(struct weir_thread *thread)
{
    uv_run(&thread->loop, UV_RUN_DEFAULT);
    const int error = uv_loop_close(&thread->loop);
    assert(error == 0);
    (void)error;
    pthread_mutex_destroy(&thread->loop_mutex);
    weir_release(thread->options.allocator, thread, sizeof(*thread));
}

enum weir_status weir_thread_start(const struct weir_client_options *options,
                                   struct weir_thread **ret_thread, struct weir_error *ret_error)
{
    struct weir_thread *thread =
        weir_alloc(options->allocator, sizeof(*thread), _Alignof(max_align_t));
    if (thread == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    thread->options = *options;
    thread->options.loop = &thread->loop;
    int error = pthread_mutex_init(&thread->loop_mutex, NULL);
    if (error != 0) {
        weir_release(options->allocator, thread, sizeof(*thread));
        return WEIR_ERR_SYSTEM;
    }
    error = uv_loop_init(&thread->loop);
    if (error != 0) {
        pthread_mutex_destroy(&thread->loop_mutex);
        weir_release(options->allocator, thread, sizeof(*thread));
        weir_error_set(ret_error, 0, 0, "there is no loop: %s", uv_strerror(error));
        return WEIR_ERR_SYSTEM;
    }
    error = uv_async_init(&thread->loop, &thread->bell, on_bell);
    if (error != 0) {
        release(thread);
        weir_error_set(ret_error, 0, 0, "there is no loop: %s", uv_strerror(error));
        return WEIR_ERR_SYSTEM;
    }
    thread->bell.data = thread;
    thread->check.data = thread;
    thread->prepare.data = thread;
    (void)uv_check_init(&thread->loop, &thread->check);
    (void)uv_prepare_init(&thread->loop, &thread->prepare);
    (void)uv_check_start(&thread->check, on_check);
    (void)uv_prepare_start(&thread->prepare, on_prepare);
    enum weir_status status = weir_client_open(&thread->options, &thread->client, ret_error);
    if (status != WEIR_OK) {
        close_handles(thread);
        release(thread);
        return status;
    }
    status = start_thread(thread);
    if (status != WEIR_OK) {
        run_close(thread, NULL);
        release(thread);
        weir_error_set(ret_error, 0, 0, "no thread could be started");
        return status;
    }
    *ret_thread = thread;
    return WEIR_OK;
}

void weir_thread_stop(struct weir_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    assert(!weir_thread_is_here(thread));
    struct errand errand = {.run = run_close};
    leave(thread, &errand);
    (void)pthread_join(thread->thread, NULL);
    release(thread);
}
