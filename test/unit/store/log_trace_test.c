/* log_trace_test.c - the arena of sliding-log against a reference, over random traces.
 *
 * The reference is the plainest that there is: for each key an array with the stamp of every single
 * unit. After every few steps every chunk is accounted for. */

#include "unit/store/log_parts.h"

#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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
    assert_int_equal(log_ask(trace->logs, hash, later, &decision), WEIR_OK);
    assert_true(decision.allowed);
    later.now_us -= 1;
    assert_int_equal(log_ask(trace->logs, hash, later, &decision), WEIR_OK);
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
    assert_int_equal(log_ask(trace->logs, hash, question, &got), WEIR_OK);
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
    trace->logs = log_open(WEIR_LOGS_ROOMY * 4);
    for (size_t i = 0; i < steps; i++) {
        step(trace);
        if (i % 64 == 0) {
            log_audit(trace->logs);
        }
    }
    log_audit(trace->logs);
    assert_int_equal(log_stats(trace->logs).log_evicted, 0);
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
        trace.limits[0] = log_limit(random_wide(&trace.random, 40), period_us);
        for (int i = 1; i < 4; i++) {
            int64_t other_us = random_once_in(&trace.random, 2)
                                   ? period_us
                                   : random_between(&trace.random, 1, period_us * 2);
            other_us = other_us < WEIR_PERIOD_MAX ? other_us : WEIR_PERIOD_MAX;
            trace.limits[i] = log_limit(random_wide(&trace.random, 60), other_us);
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
        trace.limits[0] = log_limit(count, period_us);
        trace.limits[1] = log_limit(count, period_us / 2);
        trace.limits[2] = log_limit(1 + count / 2, period_us);
        trace.limits[3] = log_limit(WEIR_LOG_COUNT_MAX, WEIR_PERIOD_MAX);
        trace.cost_max = random_wide(&trace.random, 32);
        trace.step_max_us = period_us / (int64_t)random_wide(&trace.random, 10000);
        trace.now_us = T0;
        run_trace(&trace, 8000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_limits_agree_with_the_reference),
        cmocka_unit_test(large_limits_agree_with_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
