/* log_test.c - the arena of sliding-log: bounded, without a leak, and exact under threads.
 *
 * That it decides rightly is the subject of log_trace_test.c. */

#include "store/log_arena.h"
#include "support/random.h"
#include "unit/store/log_parts.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

/* A log of a few entries: a head and a chunk of entries. */
#define SMALL_LOG_SIZE (UINT64_C(2) * WEIR_LOG_CHUNK_SIZE)

/* ---- Opening ------------------------------------------------------------------------------ */

struct meter {
    unsigned allocations;
    unsigned releases;
    size_t size;
    bool fail;
};

static void *meter_allocate(void *context, size_t size, size_t alignment)
{
    struct meter *meter = context;
    meter->allocations++;
    if (meter->fail) {
        return NULL;
    }
    meter->size = size;
    void *memory;
    return posix_memalign(&memory, alignment, size) == 0 ? memory : NULL;
}

static void meter_release(void *context, void *memory, size_t size)
{
    struct meter *meter = context;
    meter->releases++;
    assert_int_equal(size, meter->size);
    free(memory);
}

static void a_size_outside_the_range_is_refused(void **state)
{
    (void)state;
    struct weir_logs *const untouched = (struct weir_logs *)state;
    struct weir_logs *logs = untouched;
    assert_int_equal(weir_logs_open(WEIR_LOGS_MIN - 1, NULL, &logs), WEIR_ERR_ARGUMENT);
    assert_int_equal(weir_logs_open(WEIR_LOGS_MAX + 1, NULL, &logs), WEIR_ERR_ARGUMENT);
    assert_int_equal(weir_logs_open(0, NULL, &logs), WEIR_ERR_ARGUMENT);
    assert_ptr_equal(logs, untouched);
    logs = log_open(WEIR_LOGS_MIN);
    log_audit(logs);
    assert_int_equal(log_stats(logs).log_bytes, WEIR_LOGS_MIN);
    assert_int_equal(log_stats(logs).log_used, 0);
    weir_logs_close(logs);
    weir_logs_close(NULL);
}

static void without_memory_it_does_not_open(void **state)
{
    (void)state;
    struct meter meter = {.fail = true};
    const struct weir_allocator allocator = {meter_allocate, meter_release, &meter};
    struct weir_logs *const untouched = (struct weir_logs *)state;
    struct weir_logs *logs = untouched;
    assert_int_equal(weir_logs_open(MIB, &allocator, &logs), WEIR_ERR_NO_MEMORY);
    assert_ptr_equal(logs, untouched);
    assert_int_equal(meter.allocations, 1);
    assert_int_equal(meter.releases, 0);
}

/* qemu-user does not hold what it runs to RLIMIT_AS. */
#ifndef WEIR_EMULATED
static void without_pages_it_does_not_open(void **state)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    struct weir_logs *const untouched = (struct weir_logs *)state;
    struct weir_logs *logs = untouched;
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    const enum weir_status status = weir_logs_open(MIB, NULL, &logs);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(status, WEIR_ERR_NO_MEMORY);
    assert_ptr_equal(logs, untouched);
}
#endif

static void all_memory_is_taken_at_open(void **state)
{
    (void)state;
    struct meter meter = {.fail = false};
    struct weir_allocator allocator = {meter_allocate, meter_release, &meter};
    struct weir_logs *logs;
    /* A size that is no multiple of anything. */
    assert_int_equal(weir_logs_open(3 * MIB + 17, &allocator, &logs), WEIR_OK);
    allocator = (struct weir_allocator){NULL, NULL, NULL};
    const struct weir_limit limit = log_limit(20, SECOND);
    for (uint64_t i = 0; i < 20000; i++) {
        (void)log_check(logs, &limit, i % 500 << 32 | i % 500, T0 + (int64_t)i);
    }
    log_audit(logs);
    weir_logs_close(logs);
    assert_int_equal(meter.size, 3 * MIB + 17);
    assert_int_equal(meter.allocations, 1);
    assert_int_equal(meter.releases, 1);
}

static void every_stripe_is_laid_out_within_the_arena(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        uint32_t stripes;
    } cases[] = {
        {WEIR_LOGS_MIN, 1}, {WEIR_LOGS_ROOMY, 1}, {2 * MIB - 1, 1}, {2 * MIB, 2},
        {16 * MIB, 16},     {63 * MIB, 32},       {64 * MIB, 64},   {256 * MIB, 64},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_logs *logs = log_open(cases[i].bytes);
        assert_int_equal(logs->stripe_mask + 1, cases[i].stripes);
        const char *end = (const char *)logs + cases[i].bytes;
        const char *before = (const char *)&logs->stripes[cases[i].stripes];
        uint64_t usable = 0;
        for (uint32_t j = 0; j < cases[i].stripes; j++) {
            const struct weir_log_stripe *stripe = &logs->stripes[j];
            assert_true((const char *)stripe->buckets >= before);
            assert_true((const void *)&stripe->buckets[stripe->bucket_mask + 1] <=
                        (const void *)stripe->chunks);
            before = (const char *)&stripe->chunks[stripe->total + 1];
            usable += (uint64_t)stripe->total * WEIR_LOG_CHUNK_SIZE;
        }
        assert_true(before <= end);
        assert_true(usable > cases[i].bytes / 100 * 95);
        weir_logs_close(logs);
    }
}

/* ---- Bounded ------------------------------------------------------------------------------ */

/* Hashes as the keys of a flood have them. */
static uint64_t scatter(uint64_t n)
{
    struct random random = random_from(n);
    return random_next(&random);
}

static void a_flood_of_keys_stays_within_the_arena(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(4 * MIB);
    const struct weir_limit limit = log_limit(5, 900 * SECOND);
    const size_t keys = random_rounds(300000);
    for (uint64_t i = 0; i < keys; i++) {
        struct weir_decision decision = log_check(logs, &limit, scatter(i), T0 + (int64_t)i);
        assert_true(decision.allowed);
        assert_int_equal(decision.remaining, 4);
    }
    struct weir_stats stats = log_stats(logs);
    assert_true(stats.log_used <= stats.log_bytes);
    assert_int_equal(stats.log_evicted, keys - stats.log_used / SMALL_LOG_SIZE);
    log_audit(logs);
    weir_logs_close(logs);
}

static void a_flood_does_not_wash_out_those_who_used_up_their_limit(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(MIB);
    const struct weir_limit limit = log_limit(5, 900 * SECOND);
    for (uint64_t offender = 0; offender < 10; offender++) {
        for (int i = 0; i < 5; i++) {
            assert_true(log_check(logs, &limit, scatter(offender), T0).allowed);
        }
    }
    /* Ten times as many as there is room for, in two thirds of the period. */
    const uint64_t flood = 80000;
    for (uint64_t i = 0; i < flood; i++) {
        const int64_t now_us = T0 + (int64_t)(i * 600 * SECOND / flood);
        (void)log_check(logs, &limit, scatter(1000 + i), now_us);
    }
    assert_true(log_stats(logs).log_evicted > flood / 2);
    for (uint64_t offender = 0; offender < 10; offender++) {
        assert_false(log_check(logs, &limit, scatter(offender), T0 + 600 * SECOND).allowed);
    }
    weir_logs_close(logs);
}

/* A sweep that looked at the same few logs each time would give up these, one after another. */
static void the_sweep_goes_on_where_it_stopped(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(MIB);
    const struct weir_limit limit = log_limit(2, 900 * SECOND);
    const uint64_t offenders = UINT64_C(3) * WEIR_LOG_SAMPLE;
    for (uint64_t i = 0; i < 2 * offenders; i++) {
        assert_true(log_check(logs, &limit, scatter(i / 2), T0).allowed);
    }
    for (uint64_t i = 0; log_stats(logs).log_evicted < 100; i++) {
        (void)log_check(logs, &limit, scatter(1000 + i), T0);
    }
    uint64_t given_up = 0;
    for (uint64_t i = 0; i < offenders; i++) {
        given_up += log_peek(logs, &limit, scatter(i), T0).allowed ? 1 : 0;
    }
    /* They stood together: three sweeps saw none but them. */
    assert_int_equal(given_up, 3);
    log_audit(logs);
    weir_logs_close(logs);
}

static void what_is_as_if_never_used_goes_first(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(MIB);
    const struct weir_limit limit = log_limit(5, 10 * SECOND);
    /* Filled to the brim and forgotten, three times. */
    for (int64_t round = 0; round < 3; round++) {
        const int64_t now_us = T0 + round * 10 * SECOND;
        uint64_t i = 0;
        for (; logs->stripes[0].total - logs->stripes[0].used >= 2; i++) {
            (void)log_check(logs, &limit, scatter(i), now_us);
        }
        for (uint64_t j = 0; round > 0 && j < 8000; j++) {
            (void)log_check(logs, &limit, scatter((uint64_t)round * 100000 + j), now_us);
        }
    }
    assert_true(log_stats(logs).log_used > MIB / 100 * 95);
    assert_int_equal(log_stats(logs).log_evicted, 0);
    log_audit(logs);
    weir_logs_close(logs);
}

/* A clock that was an hour ahead for a while must not leave logs that nothing can push out. */
static void logs_of_a_clock_since_set_back_go_in_their_turn(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(MIB);
    const struct weir_limit limit = log_limit(5, 10 * SECOND);
    for (uint64_t i = 0; i < 9000; i++) {
        (void)log_check(logs, &limit, scatter(i), T0 + 3600 * SECOND);
    }
    const uint64_t evicted = log_stats(logs).log_evicted;
    const uint64_t held = log_stats(logs).log_used / SMALL_LOG_SIZE;
    /* Now the sweep sees each of them; none has asked again. */
    for (uint64_t i = 0; i < held * 3; i++) {
        (void)log_check(logs, &limit, scatter(20000 + i), T0);
    }
    assert_int_equal(log_stats(logs).log_evicted, evicted + held * 3);
    for (uint64_t i = 0; i < held; i++) {
        (void)log_check(logs, &limit, scatter(90000 + i), T0 + 10 * SECOND);
    }
    assert_int_equal(log_stats(logs).log_evicted, evicted + held * 3);
    log_audit(logs);
    weir_logs_close(logs);
}

/* The longest list there can be, sliding on through all places of its chunks, beside other keys. */
static void a_roomy_arena_holds_the_largest_log(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(WEIR_LOGS_ROOMY);
    const struct weir_limit limit = log_limit(WEIR_LOG_COUNT_MAX, WEIR_LOG_COUNT_MAX);
    for (int64_t i = 0; i < INT64_C(3) * WEIR_LOG_COUNT_MAX; i++) {
        assert_true(log_check(logs, &limit, 1, T0 + i).allowed);
        if (i % 100 == 0) {
            /* Another takes what room there is, and is given up for the first again. */
            assert_true(log_check(logs, &limit, scatter((uint64_t)i), T0 + i).allowed);
        }
    }
    assert_int_equal(log_peek(logs, &limit, 1, T0 + INT64_C(3) * WEIR_LOG_COUNT_MAX - 1).remaining,
                     0);
    log_audit(logs);
    weir_logs_close(logs);
}

static void a_small_arena_says_when_it_is_full(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(WEIR_LOGS_MIN);
    const struct weir_limit limit = log_limit(WEIR_LOG_COUNT_MAX, 100 * SECOND);
    struct weir_ask question = {.limit = &limit, .cost = 1, .now_us = T0, .verb = WEIR_VERB_CHECK};
    struct weir_decision decision;
    (void)log_check(logs, &limit, 2, T0);
    uint64_t admitted = 0;
    while (log_ask(logs, 1, question, &decision) == WEIR_OK) {
        assert_true(decision.allowed);
        admitted++;
        assert_int_equal(decision.remaining, WEIR_LOG_COUNT_MAX - admitted);
        question.now_us++;
    }
    /* The other log went first; all chunks but the head are in use, and full. */
    assert_int_equal(log_stats(logs).log_evicted, 1);
    assert_int_equal(admitted, (logs->stripes[0].total - 1) * WEIR_LOG_CHUNK_ENTRIES);
    memset(&decision, 0x55, sizeof(decision));
    const struct weir_decision untouched = decision;
    assert_int_equal(log_ask(logs, 1, question, &decision), WEIR_ERR_FULL);
    assert_memory_equal(&decision, &untouched, sizeof(decision));
    assert_int_equal(log_peek(logs, &limit, 1, question.now_us).remaining,
                     WEIR_LOG_COUNT_MAX - admitted);
    log_audit(logs);
    /* It needs no room where the stamp is the newest's, nor to give back, nor once an entry has
     * left. */
    assert_true(log_check(logs, &limit, 1, question.now_us - 1).allowed);
    question.verb = WEIR_VERB_REFUND;
    assert_int_equal(log_ask(logs, 1, question, &decision), WEIR_OK);
    assert_true(log_check(logs, &limit, 1, T0 + 100 * SECOND + 6).allowed);
    /* Another key can have the room: the log in its way is given up. */
    assert_true(log_check(logs, &limit, 2, question.now_us).allowed);
    assert_int_equal(log_stats(logs).log_evicted, 2);
    log_audit(logs);
    weir_logs_close(logs);
}

static void nothing_is_kept_of_a_key_that_gave_all_back(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(MIB);
    const struct weir_limit limit = log_limit(100, 10 * SECOND);
    for (int64_t i = 0; i < 50; i++) {
        (void)log_check(logs, &limit, 7, T0 + i);
        (void)log_check(logs, &limit, 8, T0 + i);
    }
    struct weir_decision decision;
    struct weir_ask question = {
        .limit = &limit, .cost = 50, .now_us = T0 + 60, .verb = WEIR_VERB_REFUND};
    assert_int_equal(log_ask(logs, 7, question, &decision), WEIR_OK);
    assert_int_equal(decision.remaining, 100);
    assert_true(log_stats(logs).log_used > 0);
    question.verb = WEIR_VERB_RESET;
    assert_int_equal(log_ask(logs, 8, question, NULL), WEIR_OK);
    assert_int_equal(log_ask(logs, 9, question, NULL), WEIR_OK);
    assert_int_equal(log_stats(logs).log_used, 0);
    /* Nor of one that only looked, or was denied. */
    assert_int_equal(log_peek(logs, &limit, 9, T0).remaining, 100);
    question =
        (struct weir_ask){.limit = &limit, .cost = 101, .now_us = T0, .verb = WEIR_VERB_CHECK};
    assert_int_equal(log_ask(logs, 9, question, &decision), WEIR_OK);
    assert_int_equal(decision.retry_after_us, WEIR_NEVER);
    assert_int_equal(log_stats(logs).log_used, 0);
    log_audit(logs);
    weir_logs_close(logs);
}

static void the_first_and_the_last_moment_are_times_like_any(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(WEIR_LOGS_MIN);
    const struct weir_limit limit = log_limit(2, WEIR_PERIOD_MAX);
    static const int64_t times_us[] = {0, WEIR_TIME_MAX};
    for (uint64_t i = 0; i < 2; i++) {
        assert_int_equal(log_check(logs, &limit, i, times_us[i]).remaining, 1);
        assert_int_equal(log_check(logs, &limit, i, times_us[i]).remaining, 0);
        assert_int_equal(log_check(logs, &limit, i, times_us[i]).retry_after_us, WEIR_PERIOD_MAX);
        log_audit(logs);
    }
    /* From the one end of time to the other: a clock set right, and one set back. */
    assert_true(log_check(logs, &limit, 0, WEIR_TIME_MAX).allowed);
    assert_false(log_check(logs, &limit, 1, 0).allowed);
    assert_true(log_check(logs, &limit, 1, WEIR_PERIOD_MAX).allowed);
    log_audit(logs);
    weir_logs_close(logs);
}

static void hashes_that_share_a_list_of_the_index_are_told_apart(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(MIB);
    const struct weir_limit limit = log_limit(100, 10 * SECOND);
    for (uint64_t i = 0; i < 20; i++) {
        for (uint64_t j = 0; j <= i; j++) {
            (void)log_check(logs, &limit, i << 40, T0);
        }
    }
    const struct weir_ask reset = {.limit = &limit, .now_us = T0, .verb = WEIR_VERB_RESET};
    for (uint64_t i = 0; i < 20; i += 3) {
        assert_int_equal(log_ask(logs, i << 40, reset, NULL), WEIR_OK);
    }
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(log_peek(logs, &limit, i << 40, T0).remaining, i % 3 == 0 ? 100 : 99 - i);
    }
    log_audit(logs);
    weir_logs_close(logs);
}

/* ---- Threads ------------------------------------------------------------------------------ */

#define THREADS 8

struct worker {
    pthread_t thread;
    struct weir_logs *logs;
    const struct weir_limit *limit;
    uint64_t keys;
    size_t rounds;
    uint64_t seed;
    uint64_t admitted;
    bool failed;
    pthread_barrier_t *start;
};

/* Asks for every key in turn, at one and the same time. */
static void *ask_all(void *argument)
{
    struct worker *worker = argument;
    struct weir_ask question = {
        .limit = worker->limit, .cost = 1, .now_us = T0, .verb = WEIR_VERB_CHECK};
    struct random random = random_from(worker->seed);
    (void)pthread_barrier_wait(worker->start);
    for (size_t i = 0; i < worker->rounds; i++) {
        struct weir_decision decision;
        const uint64_t key = (i + random_below(&random, 2)) % worker->keys;
        if (log_ask(worker->logs, scatter(key), question, &decision) != WEIR_OK) {
            worker->failed = true;
        } else if (decision.allowed) {
            worker->admitted++;
        }
    }
    return NULL;
}

/* Does anything, to more keys than there is room for. */
static void *do_anything(void *argument)
{
    struct worker *worker = argument;
    struct random random = random_from(worker->seed);
    (void)pthread_barrier_wait(worker->start);
    for (size_t i = 0; i < worker->rounds; i++) {
        struct weir_decision decision;
        struct weir_ask question = {
            .limit = worker->limit,
            .cost = 1 + random_below(&random, 3),
            .now_us = T0 + random_between(&random, 0, 20 * SECOND),
            .verb = random_once_in(&random, 5) ? (enum weir_verb)random_below(&random, 4)
                                               : WEIR_VERB_CHECK,
        };
        uint64_t key = scatter(random_below(&random, worker->keys));
        if (log_ask(worker->logs, key, question, &decision) != WEIR_OK) {
            worker->failed = true;
        }
    }
    return NULL;
}

/* What all of them were admitted. */
static uint64_t run_workers(struct worker model, void *(*work)(void *))
{
    struct worker workers[THREADS];
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (uint64_t i = 0; i < THREADS; i++) {
        workers[i] = model;
        workers[i].seed = i;
        workers[i].start = &start;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    uint64_t admitted = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_false(workers[i].failed);
        admitted += workers[i].admitted;
    }
    assert_int_equal(pthread_barrier_destroy(&start), 0);
    return admitted;
}

static void threads_admit_exactly_count(uint64_t keys, uint64_t count, size_t rounds)
{
    struct weir_logs *logs = log_open(4 * MIB);
    const struct weir_limit limit = log_limit(count, 10 * SECOND);
    const struct worker model = {.logs = logs, .limit = &limit, .keys = keys, .rounds = rounds};
    assert_int_equal(run_workers(model, ask_all), keys * count);
    for (uint64_t key = 0; key < keys; key++) {
        assert_int_equal(log_peek(logs, &limit, scatter(key), T0).remaining, 0);
    }
    assert_int_equal(log_stats(logs).log_evicted, 0);
    log_audit(logs);
    weir_logs_close(logs);
}

static void threads_on_one_key_admit_exactly_count(void **state)
{
    (void)state;
    threads_admit_exactly_count(1, 5000, 5000);
}

static void threads_on_few_keys_admit_exactly_count(void **state)
{
    (void)state;
    threads_admit_exactly_count(3, 1000, 9000);
}

static void threads_on_many_keys_admit_exactly_count(void **state)
{
    (void)state;
    threads_admit_exactly_count(5000, 2, 20000);
}

static void threads_that_do_anything_leave_every_chunk_accounted_for(void **state)
{
    (void)state;
    struct weir_logs *logs = log_open(2 * MIB);
    const struct weir_limit limit = log_limit(50, 10 * SECOND);
    const struct worker model = {
        .logs = logs, .limit = &limit, .keys = 30000, .rounds = random_rounds(60000)};
    (void)run_workers(model, do_anything);
    log_audit(logs);
    weir_logs_close(logs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_outside_the_range_is_refused),
        cmocka_unit_test(without_memory_it_does_not_open),
#ifndef WEIR_EMULATED
        cmocka_unit_test(without_pages_it_does_not_open),
#endif
        cmocka_unit_test(all_memory_is_taken_at_open),
        cmocka_unit_test(every_stripe_is_laid_out_within_the_arena),
        cmocka_unit_test(a_flood_of_keys_stays_within_the_arena),
        cmocka_unit_test(a_flood_does_not_wash_out_those_who_used_up_their_limit),
        cmocka_unit_test(the_sweep_goes_on_where_it_stopped),
        cmocka_unit_test(what_is_as_if_never_used_goes_first),
        cmocka_unit_test(logs_of_a_clock_since_set_back_go_in_their_turn),
        cmocka_unit_test(a_roomy_arena_holds_the_largest_log),
        cmocka_unit_test(a_small_arena_says_when_it_is_full),
        cmocka_unit_test(nothing_is_kept_of_a_key_that_gave_all_back),
        cmocka_unit_test(the_first_and_the_last_moment_are_times_like_any),
        cmocka_unit_test(hashes_that_share_a_list_of_the_index_are_told_apart),
        cmocka_unit_test(threads_on_one_key_admit_exactly_count),
        cmocka_unit_test(threads_on_few_keys_admit_exactly_count),
        cmocka_unit_test(threads_on_many_keys_admit_exactly_count),
        cmocka_unit_test(threads_that_do_anything_leave_every_chunk_accounted_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
