/* load.c - see load.h. */

#include "support/load.h"

#include "support/rig.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Between two calls of a thread: enough callers to see what happens, and a processor for the rest.
 */
#define PAUSE_NS 300000

struct member {
    struct load *load;
    pthread_t thread;
    unsigned index;
};

struct load {
    struct weir *weir;
    const struct weir_limit *limit;
    const char *key;
    unsigned keys;
    unsigned threads;
    atomic_bool stop;
    pthread_mutex_t lock;
    struct load_account account;
    struct member members[LOAD_THREADS_MAX];
};

static int64_t steady_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void enter(struct load *load, enum weir_status status, const struct weir_decision *decision,
                  int64_t took_us)
{
    (void)pthread_mutex_lock(&load->lock);
    struct load_account *account = &load->account;
    account->asked++;
    account->longest_us = took_us > account->longest_us ? took_us : account->longest_us;
    if (status != WEIR_OK) {
        account->errors++;
    } else {
        assert((unsigned)decision->source < LOAD_SOURCES);
        assert(decision->failure < WEIR_FAILURE_COUNT);
        (decision->allowed ? account->admitted : account->denied)[decision->source]++;
        account->failed[decision->failure]++;
    }
    (void)pthread_mutex_unlock(&load->lock);
}

static void *ask_on(void *context)
{
    const struct member *self = context;
    struct load *load = self->load;
    for (unsigned turn = self->index; !atomic_load(&load->stop); turn++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "%s%u", load->key, turn % load->keys);
        struct weir_decision decision = {.allowed = false};
        const int64_t before_us = steady_us();
        const enum weir_status status =
            weir_check(load->weir, load->limit, weir_text(key), 1, WEIR_CLOCK, &decision);
        enter(load, status, &decision, steady_us() - before_us);
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return NULL;
}

struct load *load_start(struct weir *weir, const struct weir_limit *limit, const char *key,
                        unsigned keys, unsigned threads)
{
    assert(threads >= 1 && threads <= LOAD_THREADS_MAX && keys >= 1);
    struct load *load = calloc(1, sizeof(*load));
    assert(load != NULL);
    load->weir = weir;
    load->limit = limit;
    load->key = key;
    load->keys = keys;
    load->threads = threads;
    (void)pthread_mutex_init(&load->lock, NULL);
    for (unsigned i = 0; i < threads; i++) {
        load->members[i].load = load;
        load->members[i].index = i;
        const int failed =
            pthread_create(&load->members[i].thread, NULL, ask_on, &load->members[i]);
        assert(failed == 0);
        (void)failed;
    }
    return load;
}

struct load_account load_tell(struct load *load)
{
    (void)pthread_mutex_lock(&load->lock);
    const struct load_account account = load->account;
    (void)pthread_mutex_unlock(&load->lock);
    return account;
}

void load_forget_longest(struct load *load)
{
    (void)pthread_mutex_lock(&load->lock);
    load->account.longest_us = 0;
    (void)pthread_mutex_unlock(&load->lock);
}

struct load_account load_stop(struct load *load)
{
    atomic_store(&load->stop, true);
    for (unsigned i = 0; i < load->threads; i++) {
        (void)pthread_join(load->members[i].thread, NULL);
    }
    const struct load_account account = load->account;
    (void)pthread_mutex_destroy(&load->lock);
    free(load);
    return account;
}

/* ---- Waiting ---- */

uint64_t load_from(const struct load_account *account, enum weir_source source)
{
    return account->admitted[source] + account->denied[source];
}

struct goal {
    struct load *load;
    enum weir_source source;
    enum weir_failure failure; /* NONE: the source is meant */
    uint64_t reach;
};

static uint64_t so_far(const struct goal *goal)
{
    const struct load_account account = load_tell(goal->load);
    return goal->failure != WEIR_FAILURE_NONE ? account.failed[goal->failure]
                                              : load_from(&account, goal->source);
}

static bool reached(void *context)
{
    const struct goal *goal = context;
    return so_far(goal) >= goal->reach;
}

void load_wait_for(struct load *load, enum weir_source source, uint64_t count)
{
    struct goal goal = {.load = load, .source = source};
    goal.reach = so_far(&goal) + count;
    char what[64];
    (void)snprintf(what, sizeof(what), "decisions of source %d", (int)source);
    rig_wait(reached, &goal, what);
}

void load_wait_failure(struct load *load, enum weir_failure failure, uint64_t count)
{
    struct goal goal = {.load = load, .failure = failure};
    goal.reach = so_far(&goal) + count;
    rig_wait(reached, &goal, weir_failure_name(failure));
}
