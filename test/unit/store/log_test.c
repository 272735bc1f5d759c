/* log_test.c - the arena of sliding-log: right, bounded, and without a leak.
 *
 * The reference is the plainest that there is: for each key an array with the stamp of every single
 * unit. `audit` walks every chunk of an arena and accounts for it; the tests call it wherever logs
 * have grown, shrunk or been given up. */

#include "store/log.h"

#include "store/log_arena.h"
#include "support/random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define T0 (1700000000 * SECOND)
#define MIB (UINT64_C(1) << 20)

static struct weir_limit limit_of(uint64_t count, int64_t period_us)
{
    return (struct weir_limit){
        .algorithm = WEIR_SLIDING_LOG,
        .ceiling = count,
        .count = count,
        .period_us = period_us,
        .slack_us = period_us < WEIR_CLOCK_SLACK_US ? period_us : WEIR_CLOCK_SLACK_US,
    };
}

static struct weir_logs *open_logs(uint64_t bytes)
{
    struct weir_logs *logs = NULL;
    assert_int_equal(weir_logs_open(bytes, NULL, &logs), WEIR_OK);
    return logs;
}

static enum weir_status ask(struct weir_logs *logs, uint64_t hash, struct weir_ask question,
                            struct weir_decision *ret_decision)
{
    return weir_logs_decide(logs, hash, &question, ret_decision);
}

static struct weir_decision check(struct weir_logs *logs, const struct weir_limit *limit,
                                  uint64_t hash, int64_t now_us)
{
    struct weir_decision decision;
    struct weir_ask question = {
        .limit = limit, .cost = 1, .now_us = now_us, .verb = WEIR_VERB_CHECK};
    assert_int_equal(ask(logs, hash, question, &decision), WEIR_OK);
    return decision;
}

static struct weir_decision peek(struct weir_logs *logs, const struct weir_limit *limit,
                                 uint64_t hash, int64_t now_us)
{
    struct weir_decision decision;
    struct weir_ask question = {
        .limit = limit, .cost = 1, .now_us = now_us, .verb = WEIR_VERB_PEEK};
    assert_int_equal(ask(logs, hash, question, &decision), WEIR_OK);
    return decision;
}

static struct weir_stats stats_of(struct weir_logs *logs)
{
    struct weir_stats stats = {.size = sizeof(stats)};
    weir_logs_stats(logs, &stats);
    return stats;
}

/* ---- The audit ---------------------------------------------------------------------------- */

struct audit {
    const struct weir_log_stripe *stripe;
    unsigned char *seen; /* by chunk: how often it was come across */
    uint32_t logs;
    uint32_t used;
};

static void see(struct audit *audit, uint32_t id)
{
    assert_in_range(id, 1, audit->stripe->total);
    assert_int_equal(audit->seen[id], 0);
    audit->seen[id] = 1;
}

static void audit_entries(struct audit *audit, const struct weir_log *log)
{
    const struct weir_log_stripe *stripe = audit->stripe;
    uint32_t chunks = 0;
    uint64_t units = 0;
    uint64_t last_age_us = UINT64_C(1) << 48;
    uint32_t before = 0;
    for (uint32_t id = log->first; id != 0; id = stripe->chunks[id].entries.next) {
        see(audit, id);
        chunks++;
        const struct weir_log_entries *chunk = &stripe->chunks[id].entries;
        assert_int_equal(chunk->prev, before);
        before = id;
        unsigned end = id == log->last ? log->last_end : WEIR_LOG_CHUNK_ENTRIES;
        for (unsigned i = id == log->first ? log->first_at : 0; i < end; i++) {
            uint64_t age_us =
                ((uint64_t)log->newest_us - (chunk->entries[i] >> 16)) & ((UINT64_C(1) << 48) - 1);
            assert_true(age_us < last_age_us);
            assert_true(age_us < (uint64_t)log->period_us);
            last_age_us = age_us;
            assert_true((chunk->entries[i] & 0xffff) > 0);
            units += chunk->entries[i] & 0xffff;
        }
    }
    assert_int_equal(last_age_us, 0);
    assert_int_equal(before, log->last);
    assert_int_equal(chunks, log->chunks);
    assert_int_equal(units, log->units);
    assert_in_range(units, 1, WEIR_LOG_COUNT_MAX);
    audit->used += chunks + 1;
}

static void audit_ring(const struct audit *audit)
{
    const struct weir_log_stripe *stripe = audit->stripe;
    uint32_t logs = 0;
    uint32_t id = stripe->hand;
    while (id != 0) {
        logs++;
        assert_true(logs <= audit->logs);
        const struct weir_log *log = &stripe->chunks[id].log;
        assert_int_equal(stripe->chunks[log->ring_next].log.ring_prev, id);
        id = log->ring_next == stripe->hand ? 0 : log->ring_next;
    }
    assert_int_equal(logs, audit->logs);
}

static void audit_stripe(const struct weir_log_stripe *stripe)
{
    struct audit audit = {.stripe = stripe, .seen = calloc(stripe->total + 1, 1)};
    assert_non_null(audit.seen);
    for (uint64_t bucket = 0; bucket <= stripe->bucket_mask; bucket++) {
        for (uint32_t id = stripe->buckets[bucket]; id != 0;
             id = stripe->chunks[id].log.same_bucket) {
            see(&audit, id);
            audit.logs++;
            assert_int_equal(stripe->chunks[id].log.hash & stripe->bucket_mask, bucket);
            audit_entries(&audit, &stripe->chunks[id].log);
        }
    }
    audit_ring(&audit);
    assert_int_equal(audit.used, stripe->used);
    uint32_t free_chunks = 0;
    for (uint32_t id = stripe->first_free; id != 0; id = stripe->chunks[id].next_free) {
        see(&audit, id);
        free_chunks++;
    }
    free_chunks += stripe->total + 1 - stripe->fresh;
    assert_int_equal(free_chunks + audit.used, stripe->total);
    free(audit.seen);
}

/* Free and used chunks are all chunks, every link leads where it should, and the numbers are true.
 */
static void audit(const struct weir_logs *logs)
{
    for (uint32_t i = 0; i <= logs->stripe_mask; i++) {
        audit_stripe(&logs->stripes[i]);
    }
}

/* ---- The reference ------------------------------------------------------------------------ */

struct reference {
    int64_t units[WEIR_LOG_COUNT_MAX]; /* the stamp of each, in order of time */
    size_t count;
};

/* The units that count at `now`, oldest first; true where the clock was set back. */
static bool reference_look(const struct reference *kept, const struct weir_ask *question,
                           struct reference *view, int64_t *at_us)
{
    const struct weir_limit *limit = question->limit;
    int64_t ahead_us = kept->count > 0 ? kept->units[kept->count - 1] - question->now_us : 0;
    *at_us = question->now_us;
    if (ahead_us > 0 && ahead_us <= limit->slack_us) {
        *at_us += ahead_us;
    }
    view->count = 0;
    for (size_t i = 0; i < kept->count; i++) {
        int64_t stamp_us = kept->units[i] < *at_us ? kept->units[i] : *at_us;
        if (stamp_us > *at_us - limit->period_us) {
            view->units[view->count++] = stamp_us;
        }
    }
    if (view->count > limit->count) {
        memmove(view->units, &view->units[view->count - limit->count],
                limit->count * sizeof(view->units[0]));
        view->count = limit->count;
    }
    return ahead_us > limit->slack_us;
}

static struct weir_decision reference_decide(struct reference *kept,
                                             const struct weir_ask *question)
{
    static struct reference view;
    const struct weir_limit *limit = question->limit;
    int64_t at_us;
    bool set_back = reference_look(kept, question, &view, &at_us);
    struct weir_decision decision = {.limit = limit->count};
    bool fits = question->cost <= limit->count;
    decision.allowed = fits && view.count + question->cost <= limit->count;
    bool take = question->verb == WEIR_VERB_CHECK && decision.allowed;
    if (!fits) {
        decision.retry_after_us = WEIR_NEVER;
    } else if (!decision.allowed) {
        int64_t last_us = view.units[view.count + question->cost - limit->count - 1];
        decision.retry_after_us = last_us + limit->period_us - question->now_us;
    }
    for (uint64_t i = 0; take && i < question->cost; i++) {
        view.units[view.count++] = at_us;
    }
    decision.remaining = limit->count - view.count;
    if (view.count > 0) {
        decision.reset_after_us = view.units[view.count - 1] + limit->period_us - question->now_us;
    }
    if (take || (question->verb == WEIR_VERB_CHECK && set_back && fits)) {
        memcpy(kept->units, view.units, view.count * sizeof(view.units[0]));
        kept->count = view.count;
    }
    return decision;
}

static struct weir_decision reference_refund(struct reference *kept,
                                             const struct weir_ask *question)
{
    static struct reference view;
    int64_t at_us;
    (void)reference_look(kept, question, &view, &at_us);
    if (view.count > 0 && question->cost > 0) {
        view.count -= question->cost < view.count ? question->cost : view.count;
        memcpy(kept->units, view.units, view.count * sizeof(view.units[0]));
        kept->count = view.count;
    }
    struct weir_ask after = *question;
    after.verb = WEIR_VERB_PEEK;
    after.cost = 1;
    return reference_decide(kept, &after);
}

/* ---- Random traces ------------------------------------------------------------------------ */

#define KEYS 3

struct trace {
    struct random random;
    struct weir_logs *logs;
    struct weir_limit limits[4];
    uint64_t cost_max;
    int64_t step_max_us;
    int64_t now_us;
    struct reference kept[KEYS];
};

static void assert_same(const struct weir_decision *got, const struct weir_decision *due)
{
    assert_int_equal(got->allowed, due->allowed);
    assert_int_equal(got->limit, due->limit);
    assert_int_equal(got->remaining, due->remaining);
    assert_int_equal(got->retry_after_us, due->retry_after_us);
    assert_int_equal(got->reset_after_us, due->reset_after_us);
    assert_int_equal(got->delay_us, 0);
}

static int64_t within_time(int64_t time_us)
{
    return time_us < 0 ? 0 : time_us > WEIR_TIME_MAX ? WEIR_TIME_MAX : time_us;
}

/* Mostly a little forward; now and then a little or far back, or far on. */
static void step_clock(struct trace *trace, const struct weir_limit *limit)
{
    struct random *random = &trace->random;
    switch (random_below(random, 64)) {
    case 0:
        trace->now_us += random_between(random, -limit->period_us * 2, limit->period_us * 2);
        break;
    case 1:
        trace->now_us -= random_between(random, 0, limit->slack_us * 2);
        break;
    case 2:
        trace->now_us += limit->period_us;
        break;
    case 3:
    case 4:
    case 5:
        trace->now_us -= random_between(random, 0, limit->slack_us / 4 + 1);
        break;
    default:
        trace->now_us += random_between(random, 0, trace->step_max_us);
    }
    trace->now_us = within_time(trace->now_us);
}

static struct weir_ask random_ask(struct trace *trace, const struct weir_limit *limit)
{
    struct random *random = &trace->random;
    struct weir_ask question = {.limit = limit, .now_us = trace->now_us};
    const uint64_t die = random_below(random, 100);
    question.verb = die < 75   ? WEIR_VERB_CHECK
                    : die < 90 ? WEIR_VERB_PEEK
                    : die < 99 ? WEIR_VERB_REFUND
                               : WEIR_VERB_RESET;
    question.cost = random_wide(random, trace->cost_max);
    if (random_once_in(random, 50)) {
        question.cost = limit->count + 1 - random_below(random, 2);
    }
    if (question.verb == WEIR_VERB_REFUND && random_once_in(random, 10)) {
        question.cost = random_once_in(random, 2) ? 0 : UINT64_MAX;
    }
    return question;
}

/* A client that waits exactly as long as it was told is admitted, one that waits less is not. */
static void assert_retry_is_exact(struct trace *trace, uint64_t hash,
                                  const struct weir_ask *question,
                                  const struct weir_decision *denial)
{
    if (denial->retry_after_us == WEIR_NEVER ||
        question->now_us + denial->retry_after_us > WEIR_TIME_MAX) {
        return;
    }
    assert_true(denial->retry_after_us > 0);
    struct weir_ask later = *question;
    struct weir_decision decision;
    later.verb = WEIR_VERB_PEEK;
    later.now_us += denial->retry_after_us;
    assert_int_equal(ask(trace->logs, hash, later, &decision), WEIR_OK);
    assert_true(decision.allowed);
    later.now_us -= 1;
    assert_int_equal(ask(trace->logs, hash, later, &decision), WEIR_OK);
    assert_false(decision.allowed);
}

static void step(struct trace *trace)
{
    const uint64_t key = random_below(&trace->random, KEYS);
    const struct weir_limit *limit =
        &trace->limits[random_once_in(&trace->random, 40) ? random_below(&trace->random, 4) : 0];
    step_clock(trace, limit);
    const struct weir_ask question = random_ask(trace, limit);
    struct reference *kept = &trace->kept[key];
    const uint64_t hash = key + 1;
    struct weir_decision got = {.delay_us = -1};
    assert_int_equal(ask(trace->logs, hash, question, &got), WEIR_OK);
    if (question.verb == WEIR_VERB_RESET) {
        kept->count = 0;
        assert_int_equal(got.delay_us, -1);
        return;
    }
    const struct weir_decision due = question.verb == WEIR_VERB_REFUND
                                         ? reference_refund(kept, &question)
                                         : reference_decide(kept, &question);
    assert_same(&got, &due);
    if (question.verb == WEIR_VERB_CHECK && !got.allowed) {
        assert_retry_is_exact(trace, hash, &question, &got);
    }
}

static void run_trace(struct trace *trace, size_t steps)
{
    trace->logs = open_logs(WEIR_LOGS_ROOMY * 4);
    for (size_t i = 0; i < steps; i++) {
        step(trace);
        if (i % 64 == 0) {
            audit(trace->logs);
        }
    }
    audit(trace->logs);
    assert_int_equal(stats_of(trace->logs).log_evicted, 0);
    weir_logs_close(trace->logs);
}

static void small_limits_agree_with_the_reference(void **state)
{
    (void)state;
    static const int64_t periods_us[] = {
        1, 2, 50, 1000, 3 * SECOND, 3600 * SECOND, WEIR_PERIOD_MAX};
    static struct trace trace;
    const uint64_t seed = random_seed(1);
    for (size_t round = 0; round < random_rounds(1500); round++) {
        memset(&trace, 0, sizeof(trace));
        trace.random = random_from(seed + round);
        int64_t period_us = periods_us[random_below(&trace.random, 7)];
        trace.limits[0] = limit_of(random_wide(&trace.random, 40), period_us);
        for (int i = 1; i < 4; i++) {
            int64_t other_us = random_once_in(&trace.random, 2)
                                   ? period_us
                                   : random_between(&trace.random, 1, period_us * 2);
            other_us = other_us < WEIR_PERIOD_MAX ? other_us : WEIR_PERIOD_MAX;
            trace.limits[i] = limit_of(random_wide(&trace.random, 60), other_us);
        }
        trace.cost_max = random_wide(&trace.random, 6);
        trace.step_max_us = (int64_t)random_wide(&trace.random, (uint64_t)period_us);
        trace.now_us = random_between(&trace.random, 0, WEIR_TIME_MAX);
        run_trace(&trace, 1000);
    }
}

/* Long lists, of many chunks, in every state of being filled and emptied. */
static void large_limits_agree_with_the_reference(void **state)
{
    (void)state;
    static struct trace trace;
    const uint64_t seed = random_seed(1000000);
    const int64_t period_us = 3600 * SECOND;
    for (size_t round = 0; round < random_rounds(40); round++) {
        memset(&trace, 0, sizeof(trace));
        trace.random = random_from(seed + round);
        const uint64_t count = (uint64_t)random_between(&trace.random, 500, WEIR_LOG_COUNT_MAX);
        trace.limits[0] = limit_of(count, period_us);
        trace.limits[1] = limit_of(count, period_us / 2);
        trace.limits[2] = limit_of(1 + count / 2, period_us);
        trace.limits[3] = limit_of(WEIR_LOG_COUNT_MAX, WEIR_PERIOD_MAX);
        trace.cost_max = random_wide(&trace.random, 32);
        trace.step_max_us = period_us / (int64_t)random_wide(&trace.random, 10000);
        trace.now_us = T0;
        run_trace(&trace, 8000);
    }
}

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
    logs = open_logs(WEIR_LOGS_MIN);
    audit(logs);
    assert_int_equal(stats_of(logs).log_bytes, WEIR_LOGS_MIN);
    assert_int_equal(stats_of(logs).log_used, 0);
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

static void all_memory_is_taken_at_open(void **state)
{
    (void)state;
    struct meter meter = {.fail = false};
    struct weir_allocator allocator = {meter_allocate, meter_release, &meter};
    struct weir_logs *logs;
    /* A size that is no multiple of anything. */
    assert_int_equal(weir_logs_open(3 * MIB + 17, &allocator, &logs), WEIR_OK);
    allocator = (struct weir_allocator){NULL, NULL, NULL};
    const struct weir_limit limit = limit_of(20, SECOND);
    for (uint64_t i = 0; i < 20000; i++) {
        (void)check(logs, &limit, i % 500 << 32 | i % 500, T0 + (int64_t)i);
    }
    audit(logs);
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
        struct weir_logs *logs = open_logs(cases[i].bytes);
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
    struct weir_logs *logs = open_logs(4 * MIB);
    const struct weir_limit limit = limit_of(5, 900 * SECOND);
    const size_t keys = random_rounds(300000);
    for (uint64_t i = 0; i < keys; i++) {
        struct weir_decision decision = check(logs, &limit, scatter(i), T0 + (int64_t)i);
        assert_true(decision.allowed);
        assert_int_equal(decision.remaining, 4);
    }
    struct weir_stats stats = stats_of(logs);
    assert_true(stats.log_used <= stats.log_bytes);
    /* Each log here takes a head and a chunk of entries. */
    assert_int_equal(stats.log_evicted, keys - stats.log_used / (2 * WEIR_LOG_CHUNK_SIZE));
    audit(logs);
    weir_logs_close(logs);
}

static void a_flood_does_not_wash_out_those_who_used_up_their_limit(void **state)
{
    (void)state;
    struct weir_logs *logs = open_logs(MIB);
    const struct weir_limit limit = limit_of(5, 900 * SECOND);
    for (uint64_t offender = 0; offender < 10; offender++) {
        for (int i = 0; i < 5; i++) {
            assert_true(check(logs, &limit, scatter(offender), T0).allowed);
        }
    }
    /* Ten times as many as there is room for, in two thirds of the period. */
    const uint64_t flood = 80000;
    for (uint64_t i = 0; i < flood; i++) {
        const int64_t now_us = T0 + (int64_t)(i * 600 * SECOND / flood);
        (void)check(logs, &limit, scatter(1000 + i), now_us);
    }
    assert_true(stats_of(logs).log_evicted > flood / 2);
    for (uint64_t offender = 0; offender < 10; offender++) {
        assert_false(check(logs, &limit, scatter(offender), T0 + 600 * SECOND).allowed);
    }
    weir_logs_close(logs);
}

static void what_is_as_if_never_used_goes_first(void **state)
{
    (void)state;
    struct weir_logs *logs = open_logs(MIB);
    const struct weir_limit limit = limit_of(5, 10 * SECOND);
    /* Filled to the brim and forgotten, three times. */
    for (int64_t round = 0; round < 3; round++) {
        const int64_t now_us = T0 + round * 10 * SECOND;
        uint64_t i = 0;
        for (; logs->stripes[0].total - logs->stripes[0].used >= 2; i++) {
            (void)check(logs, &limit, scatter(i), now_us);
        }
        for (uint64_t j = 0; round > 0 && j < 8000; j++) {
            (void)check(logs, &limit, scatter((uint64_t)round * 100000 + j), now_us);
        }
    }
    assert_true(stats_of(logs).log_used > MIB / 100 * 95);
    assert_int_equal(stats_of(logs).log_evicted, 0);
    audit(logs);
    weir_logs_close(logs);
}

/* A clock that was an hour ahead for a while must not leave logs that nothing can push out. */
static void logs_of_a_clock_since_set_back_go_in_their_turn(void **state)
{
    (void)state;
    struct weir_logs *logs = open_logs(MIB);
    const struct weir_limit limit = limit_of(5, 10 * SECOND);
    for (uint64_t i = 0; i < 9000; i++) {
        (void)check(logs, &limit, scatter(i), T0 + 3600 * SECOND);
    }
    const uint64_t evicted = stats_of(logs).log_evicted;
    const uint64_t held = stats_of(logs).log_used / (2 * WEIR_LOG_CHUNK_SIZE);
    /* Now the sweep sees each of them; none has asked again. */
    for (uint64_t i = 0; i < held * 3; i++) {
        (void)check(logs, &limit, scatter(20000 + i), T0);
    }
    assert_int_equal(stats_of(logs).log_evicted, evicted + held * 3);
    for (uint64_t i = 0; i < held; i++) {
        (void)check(logs, &limit, scatter(90000 + i), T0 + 10 * SECOND);
    }
    assert_int_equal(stats_of(logs).log_evicted, evicted + held * 3);
    audit(logs);
    weir_logs_close(logs);
}

/* The longest list there can be, sliding on through all places of its chunks, beside other keys. */
static void a_roomy_arena_holds_the_largest_log(void **state)
{
    (void)state;
    struct weir_logs *logs = open_logs(WEIR_LOGS_ROOMY);
    const struct weir_limit limit = limit_of(WEIR_LOG_COUNT_MAX, WEIR_LOG_COUNT_MAX);
    for (int64_t i = 0; i < 3 * WEIR_LOG_COUNT_MAX; i++) {
        assert_true(check(logs, &limit, 1, T0 + i).allowed);
        if (i % 100 == 0) {
            /* Another takes what room there is, and is given up for the first again. */
            assert_true(check(logs, &limit, scatter((uint64_t)i), T0 + i).allowed);
        }
    }
    assert_int_equal(peek(logs, &limit, 1, T0 + 3 * WEIR_LOG_COUNT_MAX - 1).remaining, 0);
    audit(logs);
    weir_logs_close(logs);
}

static void a_small_arena_says_when_it_is_full(void **state)
{
    (void)state;
    struct weir_logs *logs = open_logs(WEIR_LOGS_MIN);
    const struct weir_limit limit = limit_of(WEIR_LOG_COUNT_MAX, 100 * SECOND);
    struct weir_ask question = {.limit = &limit, .cost = 1, .now_us = T0, .verb = WEIR_VERB_CHECK};
    struct weir_decision decision;
    (void)check(logs, &limit, 2, T0);
    uint64_t admitted = 0;
    while (ask(logs, 1, question, &decision) == WEIR_OK) {
        assert_true(decision.allowed);
        admitted++;
        assert_int_equal(decision.remaining, WEIR_LOG_COUNT_MAX - admitted);
        question.now_us++;
    }
    /* The other log went first; all chunks but the head are in use, and full. */
    assert_int_equal(stats_of(logs).log_evicted, 1);
    assert_int_equal(admitted, (logs->stripes[0].total - 1) * WEIR_LOG_CHUNK_ENTRIES);
    memset(&decision, 0x55, sizeof(decision));
    const struct weir_decision untouched = decision;
    assert_int_equal(ask(logs, 1, question, &decision), WEIR_ERR_FULL);
    assert_memory_equal(&decision, &untouched, sizeof(decision));
    assert_int_equal(peek(logs, &limit, 1, question.now_us).remaining,
                     WEIR_LOG_COUNT_MAX - admitted);
    audit(logs);
    /* It needs no room where the stamp is the newest's, nor to give back, nor once an entry has
     * left. */
    assert_true(check(logs, &limit, 1, question.now_us - 1).allowed);
    question.verb = WEIR_VERB_REFUND;
    assert_int_equal(ask(logs, 1, question, &decision), WEIR_OK);
    assert_true(check(logs, &limit, 1, T0 + 100 * SECOND + 6).allowed);
    /* Another key can have the room: the log in its way is given up. */
    assert_true(check(logs, &limit, 2, question.now_us).allowed);
    assert_int_equal(stats_of(logs).log_evicted, 2);
    audit(logs);
    weir_logs_close(logs);
}

static void nothing_is_kept_of_a_key_that_gave_all_back(void **state)
{
    (void)state;
    struct weir_logs *logs = open_logs(MIB);
    const struct weir_limit limit = limit_of(100, 10 * SECOND);
    for (int64_t i = 0; i < 50; i++) {
        (void)check(logs, &limit, 7, T0 + i);
        (void)check(logs, &limit, 8, T0 + i);
    }
    struct weir_decision decision;
    struct weir_ask question = {
        .limit = &limit, .cost = 50, .now_us = T0 + 60, .verb = WEIR_VERB_REFUND};
    assert_int_equal(ask(logs, 7, question, &decision), WEIR_OK);
    assert_int_equal(decision.remaining, 100);
    assert_true(stats_of(logs).log_used > 0);
    question.verb = WEIR_VERB_RESET;
    assert_int_equal(ask(logs, 8, question, NULL), WEIR_OK);
    assert_int_equal(ask(logs, 9, question, NULL), WEIR_OK);
    assert_int_equal(stats_of(logs).log_used, 0);
    /* Nor of one that only looked, or was denied. */
    assert_int_equal(peek(logs, &limit, 9, T0).remaining, 100);
    question =
        (struct weir_ask){.limit = &limit, .cost = 101, .now_us = T0, .verb = WEIR_VERB_CHECK};
    assert_int_equal(ask(logs, 9, question, &decision), WEIR_OK);
    assert_int_equal(decision.retry_after_us, WEIR_NEVER);
    assert_int_equal(stats_of(logs).log_used, 0);
    audit(logs);
    weir_logs_close(logs);
}

static void hashes_that_share_a_list_of_the_index_are_told_apart(void **state)
{
    (void)state;
    struct weir_logs *logs = open_logs(MIB);
    const struct weir_limit limit = limit_of(100, 10 * SECOND);
    for (uint64_t i = 0; i < 20; i++) {
        for (uint64_t j = 0; j <= i; j++) {
            (void)check(logs, &limit, i << 40, T0);
        }
    }
    const struct weir_ask reset = {.limit = &limit, .now_us = T0, .verb = WEIR_VERB_RESET};
    for (uint64_t i = 0; i < 20; i += 3) {
        assert_int_equal(ask(logs, i << 40, reset, NULL), WEIR_OK);
    }
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(peek(logs, &limit, i << 40, T0).remaining, i % 3 == 0 ? 100 : 99 - i);
    }
    audit(logs);
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
        if (ask(worker->logs, scatter(key), question, &decision) != WEIR_OK) {
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
        if (ask(worker->logs, key, question, &decision) != WEIR_OK) {
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
    struct weir_logs *logs = open_logs(4 * MIB);
    const struct weir_limit limit = limit_of(count, 10 * SECOND);
    const struct worker model = {.logs = logs, .limit = &limit, .keys = keys, .rounds = rounds};
    assert_int_equal(run_workers(model, ask_all), keys * count);
    for (uint64_t key = 0; key < keys; key++) {
        assert_int_equal(peek(logs, &limit, scatter(key), T0).remaining, 0);
    }
    assert_int_equal(stats_of(logs).log_evicted, 0);
    audit(logs);
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
    struct weir_logs *logs = open_logs(2 * MIB);
    const struct weir_limit limit = limit_of(50, 10 * SECOND);
    const struct worker model = {
        .logs = logs, .limit = &limit, .keys = 30000, .rounds = random_rounds(60000)};
    (void)run_workers(model, do_anything);
    audit(logs);
    weir_logs_close(logs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_limits_agree_with_the_reference),
        cmocka_unit_test(large_limits_agree_with_the_reference),
        cmocka_unit_test(a_size_outside_the_range_is_refused),
        cmocka_unit_test(without_memory_it_does_not_open),
        cmocka_unit_test(without_pages_it_does_not_open),
        cmocka_unit_test(all_memory_is_taken_at_open),
        cmocka_unit_test(every_stripe_is_laid_out_within_the_arena),
        cmocka_unit_test(a_flood_of_keys_stays_within_the_arena),
        cmocka_unit_test(a_flood_does_not_wash_out_those_who_used_up_their_limit),
        cmocka_unit_test(what_is_as_if_never_used_goes_first),
        cmocka_unit_test(logs_of_a_clock_since_set_back_go_in_their_turn),
        cmocka_unit_test(a_roomy_arena_holds_the_largest_log),
        cmocka_unit_test(a_small_arena_says_when_it_is_full),
        cmocka_unit_test(nothing_is_kept_of_a_key_that_gave_all_back),
        cmocka_unit_test(hashes_that_share_a_list_of_the_index_are_told_apart),
        cmocka_unit_test(threads_on_one_key_admit_exactly_count),
        cmocka_unit_test(threads_on_few_keys_admit_exactly_count),
        cmocka_unit_test(threads_on_many_keys_admit_exactly_count),
        cmocka_unit_test(threads_that_do_anything_leave_every_chunk_accounted_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
