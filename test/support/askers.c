/* askers.c - see askers.h. */

#include "support/askers.h"

#include "support/rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Between two questions of one thread, so that the servers have a share of the machine. */
#define PAUSE_NS 200000

struct counter {
    atomic_ullong admitted;
    atomic_ullong denied;
    atomic_ullong failed;
};

struct askers {
    struct weir *weir;
    struct askers_question questions[ASKERS_QUESTIONS_MAX];
    struct counter counters[ASKERS_QUESTIONS_MAX];
    size_t count;
    struct asker {
        struct askers *askers;
        pthread_t thread;
        atomic_ullong counted; /* questions that are answered and counted */
    } threads[ASKERS_THREADS_MAX];
    unsigned thread_count;
    atomic_bool stop;
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "askers: %s\n", what);
        abort();
    }
}

static void ask(struct askers *askers, size_t i)
{
    const struct askers_question *question = &askers->questions[i];
    struct counter *counter = &askers->counters[i];
    struct weir_decision decisions[4];
    size_t denied = 0;
    const enum weir_status status = weir_check_all(askers->weir, question->requests,
                                                   question->count, WEIR_CLOCK, decisions, &denied);
    must(status == WEIR_OK, weir_strerror(status));
    bool failed = false;
    for (size_t j = 0; j < question->count; j++) {
        failed = failed || decisions[j].failure != WEIR_FAILURE_NONE;
    }
    atomic_fetch_add(failed                      ? &counter->failed
                     : denied == question->count ? &counter->admitted
                                                 : &counter->denied,
                     1);
}

static void *run(void *context)
{
    struct asker *asker = context;
    struct askers *askers = asker->askers;
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    for (size_t i = 0; !atomic_load(&askers->stop); i = (i + 1) % askers->count) {
        ask(askers, i);
        atomic_fetch_add(&asker->counted, 1);
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

struct askers *askers_start(struct weir *weir, const struct askers_question *questions,
                            size_t count, unsigned threads)
{
    struct askers *askers = calloc(1, sizeof *askers);
    must(askers != NULL && count > 0 && count <= ASKERS_QUESTIONS_MAX &&
             threads <= ASKERS_THREADS_MAX,
         "it fits");
    askers->weir = weir;
    askers->count = count;
    askers->thread_count = threads;
    for (size_t i = 0; i < count; i++) {
        askers->questions[i] = questions[i];
    }
    for (unsigned i = 0; i < threads; i++) {
        askers->threads[i].askers = askers;
        must(pthread_create(&askers->threads[i].thread, NULL, run, &askers->threads[i]) == 0,
             "a thread starts");
    }
    return askers;
}

struct askers_count askers_counted(struct askers *askers, size_t question)
{
    struct counter *counter = &askers->counters[question];
    return (struct askers_count){
        .admitted = atomic_load(&counter->admitted),
        .denied = atomic_load(&counter->denied),
        .failed = atomic_load(&counter->failed),
    };
}

void askers_stop(struct askers *askers)
{
    atomic_store(&askers->stop, true);
    for (unsigned i = 0; i < askers->thread_count; i++) {
        (void)pthread_join(askers->threads[i].thread, NULL);
    }
    free(askers);
}

/* ---- Waiting ---- */

struct awaited {
    struct askers *askers;
    size_t question;
    struct askers_count at_least;
};

static bool is_reached(void *context)
{
    const struct awaited *awaited = context;
    const struct askers_count now = askers_counted(awaited->askers, awaited->question);
    return now.admitted >= awaited->at_least.admitted && now.denied >= awaited->at_least.denied &&
           now.failed >= awaited->at_least.failed;
}

static bool is_answered(void *context)
{
    const struct awaited *awaited = context;
    const struct askers_count now = askers_counted(awaited->askers, awaited->question);
    return now.admitted + now.denied > awaited->at_least.admitted + awaited->at_least.denied;
}

void askers_wait_admitted(struct askers *askers, size_t question, uint64_t at_least)
{
    struct awaited awaited = {askers, question, {.admitted = at_least}};
    rig_wait(is_reached, &awaited, "what is asked is admitted");
}

struct settled {
    struct askers *askers;
    unsigned long long at_least[ASKERS_THREADS_MAX];
};

static bool is_settled(void *context)
{
    const struct settled *settled = context;
    for (unsigned i = 0; i < settled->askers->thread_count; i++) {
        if (atomic_load(&settled->askers->threads[i].counted) < settled->at_least[i]) {
            return false;
        }
    }
    return true;
}

static void settle(struct askers *askers)
{
    struct settled settled = {.askers = askers};
    for (unsigned i = 0; i < askers->thread_count; i++) {
        settled.at_least[i] = atomic_load(&askers->threads[i].counted) + 1;
    }
    rig_wait(is_settled, &settled, "what has been answered is counted");
}

void askers_wait_denied(struct askers *askers, size_t question)
{
    struct awaited awaited = {askers, question, askers_counted(askers, question)};
    awaited.at_least.denied++;
    rig_wait(is_reached, &awaited, "what is asked is denied");
    settle(askers);
}

void askers_wait_failed(struct askers *askers, size_t question)
{
    struct awaited awaited = {askers, question, askers_counted(askers, question)};
    awaited.at_least.failed++;
    rig_wait(is_reached, &awaited, "what is asked fails");
}

int64_t askers_wait_answered(struct askers *askers, size_t question)
{
    struct timespec from;
    struct timespec to;
    struct awaited awaited = {askers, question, askers_counted(askers, question)};
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    rig_wait(is_answered, &awaited, "Redis answers what is asked");
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    return (int64_t)(to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
}
