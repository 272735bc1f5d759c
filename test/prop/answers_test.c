/* answers_test.c - what a client is told is true, and what must change nothing changes nothing.
 *
 * Each test is one property, held against random limits of every algorithm it is true of. */

#include "prop/session.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

/* A random limit, and a key of it in some state or other. */
static struct weir_limit_spec begin(struct session *session, struct random *random, bool with_block)
{
    struct weir_limit_spec spec = random_limit(random, session->spec.algorithm);
    if (!with_block) {
        spec.block_us = 0;
    }
    session_start(session, &spec, random);
    session_use(session, random);
    (void)session_pass(session, random_pause(random, &spec));
    return spec;
}

static uint64_t possible_cost(struct random *random, const struct weir_limit_spec *spec)
{
    const uint64_t ceiling = spec_ceiling(spec);
    return random_once_in(random, 3) ? ceiling : 1 + random_below(random, ceiling);
}

/* ---- Waiting ---- */

/* Not a microsecond before retry_after, and then. */
static void wait(struct session *session, uint64_t seed, uint64_t cost)
{
    const struct weir_decision denied = session_check(session, cost);
    if (denied.allowed) {
        return;
    }
    SESSION_ASSERT(session, seed, denied.retry_after_us >= 1);
    if (!session_pass(session, denied.retry_after_us - 1)) {
        return;
    }
    const struct weir_decision early = session_peek(session, cost);
    SESSION_ASSERT(session, seed, !early.allowed && early.retry_after_us == 1);
    session->now_us += 1;
    SESSION_ASSERT(session, seed, session_check(session, cost).allowed);
}

static void wait_exactly(struct session *session, struct random *random, uint64_t seed)
{
    const struct weir_limit_spec spec = begin(session, random, true);
    wait(session, seed, possible_cost(random, &spec));
}

static void who_waits_exactly_retry_after_is_admitted_and_not_before(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 10000, wait_exactly);
}

/* Short periods are gone through microsecond by microsecond: denied at each, admitted at the last.
 */
static void wait_step_by_step(struct session *session, struct random *random, uint64_t seed)
{
    struct weir_limit_spec spec = random_small_limit(random, session->spec.algorithm, 9);
    spec.period_us = random_between(random, WEIR_SLIDING_PERIOD_MIN, WEIR_SLIDING_PERIOD_MIN + 50);
    session_start(session, &spec, random);
    session_use(session, random);
    const uint64_t cost = possible_cost(random, &spec);
    struct weir_decision seen = session_peek(session, cost);
    while (!seen.allowed) {
        const int64_t left_us = seen.retry_after_us;
        session->now_us += 1;
        seen = session_peek(session, cost);
        SESSION_ASSERT(session, seed, seen.allowed == (left_us == 1));
        SESSION_ASSERT(session, seed, seen.retry_after_us == left_us - 1);
    }
}

static void retry_after_counts_down_by_the_microsecond(void **state)
{
    (void)state;
    session_for_all(BUCKETS | (1U << WEIR_FIXED_WINDOW) | SLIDING | LOG, 100, wait_step_by_step);
}

/* After reset_after the key is as one that was never used, and a microsecond before it is not. */
static void reset_is_exact(struct session *session, struct random *random, uint64_t seed)
{
    const struct weir_limit_spec spec = begin(session, random, true);
    const struct weir_decision used = session_peek(session, 1);
    if (used.reset_after_us == 0 || !session_pass(session, used.reset_after_us - 1)) {
        return;
    }
    SESSION_ASSERT(session, seed, session_peek(session, 1).reset_after_us == 1);
    if (!session_pass(session, 1)) {
        return;
    }
    struct session other = session_open(spec.algorithm);
    session_start(&other, &spec, random);
    other.now_us = session->now_us;
    for (int i = 0; i < 4; i++) {
        const uint64_t cost = possible_cost(random, &spec);
        const struct weir_decision old = session_check(session, cost);
        const struct weir_decision fresh = session_check(&other, cost);
        SESSION_ASSERT(session, seed, decision_same(&old, &fresh));
    }
    session_close(&other);
}

static void after_reset_after_a_key_is_as_if_never_used(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 3000, reset_is_exact);
}

/* ---- What changes nothing ---- */

/* Two keys live the same life, but one is also looked at, asked for more than it has, and asked for
 * what can never fit. Both are told the same. */
static void nothing_changes(struct session *session, struct random *random, uint64_t seed)
{
    struct weir_limit_spec spec = random_limit(random, session->spec.algorithm);
    struct session other = session_open(spec.algorithm);
    spec.block_us = 0;
    session_start(session, &spec, random);
    session_start(&other, &spec, random);
    for (int i = 0; i < 12; i++) {
        (void)session_pass(session, random_pause(random, &spec));
        other.now_us = session->now_us;
        const uint64_t ceiling = spec_ceiling(&spec);
        const uint64_t left = session_peek(session, possible_cost(random, &spec)).remaining;
        if (left < ceiling) {
            const uint64_t more = left + 1 + random_below(random, ceiling - left);
            SESSION_ASSERT(session, seed, !session_check(session, more).allowed);
        }
        const uint64_t never = ceiling + random_wide(random, UINT64_MAX - ceiling);
        SESSION_ASSERT(session, seed, !session_check(session, never).allowed);
        SESSION_ASSERT(session, seed, session_check(session, 0).remaining == left);
        const uint64_t cost = possible_cost(random, &spec);
        const struct weir_decision a = session_check(session, cost);
        const struct weir_decision b = session_check(&other, cost);
        SESSION_ASSERT(session, seed, decision_same(&a, &b));
    }
    session_close(&other);
}

static void a_denied_request_and_a_peek_change_nothing(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 2000, nothing_changes);
}

/* A cost over what the limit can hold: never, which is told of no other cost, and no block is
 * started. */
static void never_fits(struct session *session, struct random *random, uint64_t seed)
{
    const struct weir_limit_spec spec = begin(session, random, true);
    const uint64_t ceiling = spec_ceiling(&spec);
    const uint64_t costs[] = {ceiling + 1, ceiling + random_wide(random, UINT64_MAX - ceiling),
                              UINT64_MAX};
    const struct weir_decision before = session_peek(session, 1);
    SESSION_ASSERT(session, seed, before.retry_after_us < WEIR_NEVER);
    for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
        const struct weir_decision decision = session_check(session, costs[i]);
        SESSION_ASSERT(session, seed, !decision.allowed);
        SESSION_ASSERT(session, seed, decision.retry_after_us == WEIR_NEVER);
        SESSION_ASSERT(session, seed, decision.remaining == before.remaining);
        const struct weir_decision after = session_peek(session, 1);
        SESSION_ASSERT(session, seed, decision_same(&before, &after));
    }
    for (int i = 0; i < 4; i++) {
        const struct weir_decision decision = session_peek(session, possible_cost(random, &spec));
        SESSION_ASSERT(session, seed, decision.retry_after_us <= WEIR_TIME_MAX);
    }
}

static void a_cost_that_can_never_fit_answers_never_and_takes_nothing(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 3000, never_fits);
}

/* ---- Giving back ---- */

static void refund_is_bounded(struct session *session, struct random *random, uint64_t seed)
{
    const struct weir_limit_spec spec = begin(session, random, false);
    const uint64_t ceiling = spec_ceiling(&spec);
    for (int i = 0; i < 4; i++) {
        const uint64_t before = session_peek(session, 1).remaining;
        const uint64_t back = random_wide(random, UINT64_MAX);
        const struct weir_decision after = session_refund(session, back);
        SESSION_ASSERT(session, seed, after.remaining <= ceiling);
        SESSION_ASSERT(session, seed, after.remaining >= before);
        if (back >= ceiling && spec.algorithm != WEIR_SLIDING_WINDOW) {
            SESSION_ASSERT(session, seed, after.remaining == ceiling && after.reset_after_us == 0);
        }
        /* Full means that the ceiling passes, and not one more. */
        if (after.remaining == ceiling) {
            SESSION_ASSERT(session, seed, session_check(session, ceiling).allowed);
            SESSION_ASSERT(session, seed, !session_check(session, 1).allowed);
        }
    }
}

static void a_refund_never_lifts_a_key_above_full(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 3000, refund_is_bounded);
}

/* What was taken a moment ago and is given back is as if never taken. */
static void undo(struct session *session, struct random *random, uint64_t seed)
{
    (void)begin(session, random, false);
    const struct weir_decision before = session_peek(session, 1);
    if (before.remaining == 0) {
        return;
    }
    const uint64_t cost = 1 + random_below(random, before.remaining);
    SESSION_ASSERT(session, seed, session_check(session, cost).allowed);
    const struct weir_decision after = session_refund(session, cost);
    SESSION_ASSERT(session, seed, decision_same(&before, &after));
}

static void a_refund_undoes_what_was_just_taken(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 3000, undo);
}

/* ---- Limits that change ---- */

/* The longest that the new limit itself may make a full key wait for one unit, with the slack that
 * a late clock is given. A sliding window forgets a request after two periods, the others after
 * one. */
static int64_t felt_within(const struct weir_limit_spec *spec)
{
    int64_t wait_us = spec_span(spec);
    if (spec->algorithm == WEIR_TOKEN_BUCKET || spec->algorithm == WEIR_LEAKY_BUCKET) {
        wait_us = spec->period_us;
    }
    return wait_us + spec_slack(spec);
}

/* A full key whose limit is raised, in count, in burst, or by a shorter period, gets through within
 * one period of the new limit, however long the old one would have made it wait. */
static void raise_limit(struct session *session, struct random *random, uint64_t seed)
{
    struct weir_limit_spec spec = random_small_limit(random, session->spec.algorithm, 1000);
    session_start(session, &spec, random);
    session_use(session, random);
    (void)session_pass(session, random_pause(random, &spec));
    const uint64_t left = session_peek(session, 1).remaining;
    if (left > 0) {
        SESSION_ASSERT(session, seed, session_check(session, left).allowed);
    }
    struct weir_limit_spec raised = spec;
    const uint64_t more = 1 + random_below(random, 1000);
    const bool count_alone = random_once_in(random, 2);
    raised.count += more;
    raised.burst += spec.burst > 0 ? more : 0;
    if (!count_alone && spec.period_us == 0) {
        raised.calendar = WEIR_CALENDAR_MINUTE;
    } else if (!count_alone) {
        raised.period_us = random_between(random, 1, spec.period_us);
        if (spec.algorithm == WEIR_SLIDING_WINDOW && raised.period_us < WEIR_SLIDING_PERIOD_MIN) {
            raised.period_us = WEIR_SLIDING_PERIOD_MIN;
        }
    }
    if (spec_span(&raised) > WEIR_PERIOD_MAX && spec.algorithm <= WEIR_LEAKY_BUCKET) {
        return;
    }
    session_limit(session, &raised);
    const struct weir_decision decision = session_check(session, 1);
    const bool window = spec.algorithm > WEIR_LEAKY_BUCKET;
    if (count_alone && window) {
        SESSION_ASSERT(session, seed, decision.allowed);
    }
    SESSION_ASSERT(session, seed, decision.retry_after_us <= felt_within(&raised));
    if (!decision.allowed && session_pass(session, decision.retry_after_us)) {
        SESSION_ASSERT(session, seed, session_check(session, 1).allowed);
    }
}

static void raising_a_limit_is_felt_within_one_new_period(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 5000, raise_limit);
}

/* However a limit is changed, a key owes at most what the new one can hold. */
static void change_limit(struct session *session, struct random *random, uint64_t seed)
{
    (void)begin(session, random, true);
    struct weir_limit_spec spec = random_limit(random, session->spec.algorithm);
    session_limit(session, &spec);
    const uint64_t cost = possible_cost(random, &spec);
    const struct weir_decision decision = session_peek(session, cost);
    int64_t most_us = spec_span(&spec) + spec_slack(&spec);
    if (spec.block_us > most_us - SECOND) {
        most_us = spec.block_us + SECOND;
    }
    SESSION_ASSERT(session, seed, decision.retry_after_us <= most_us);
    SESSION_ASSERT(session, seed, decision.reset_after_us <= most_us);
    wait(session, seed, cost);
}

static void a_changed_limit_holds_nobody_for_longer_than_it_can(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 10000, change_limit);
}

/* ---- Clocks ---- */

/* After any step of the clock, a client that waits as told is admitted, and is not told to wait for
 * longer than the limit, or its block, could make it. */
static void step_clock(struct session *session, struct random *random, uint64_t seed)
{
    const struct weir_limit_spec spec = begin(session, random, true);
    const int64_t far_us = (int64_t)random_wide(random, (uint64_t)session->now_us + 1);
    const int64_t back_us =
        random_once_in(random, 2) ? far_us : random_between(random, 0, 2 * SECOND);
    session->now_us -= back_us < session->now_us ? back_us : session->now_us;
    const uint64_t cost = possible_cost(random, &spec);
    const struct weir_decision decision = session_peek(session, cost);
    int64_t most_us = spec_span(&spec) + spec_slack(&spec);
    if (spec.block_us > most_us - SECOND) {
        most_us = spec.block_us + SECOND;
    }
    SESSION_ASSERT(session, seed, decision.retry_after_us <= most_us);
    wait(session, seed, cost);
}

static void no_step_of_a_clock_blocks_for_longer_than_the_limit_could(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 10000, step_clock);
}

/* A clock that is read a little late, within the slack, lets nothing through that the later one did
 * not: they are all requests of one moment. */
static void late_clock(struct session *session, struct random *random, uint64_t seed)
{
    struct weir_limit_spec spec = random_small_limit(random, session->spec.algorithm, 1000);
    session_start(session, &spec, random);
    if (!session_pass(session, 2 * SECOND)) {
        return;
    }
    const int64_t latest_us = session->now_us;
    uint64_t admitted = 0;
    for (int i = 0; i < 40; i++) {
        session->now_us = latest_us - (i == 0 ? 0 : random_between(random, 0, spec_slack(&spec)));
        const uint64_t left = session_peek(session, 1).remaining;
        const uint64_t cost = left > 0 ? 1 + random_below(random, left) : 1;
        admitted += session_check(session, cost).allowed ? cost : 0;
    }
    /* All of it counts as of one moment, the state's own time. */
    SESSION_ASSERT(session, seed, admitted <= spec_ceiling(&spec));
}

static void a_clock_read_late_lets_nothing_more_through(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 3000, late_clock);
}

/* Asking for several at once mends a state that a set-back clock left ahead, as asking for one
 * does: else who asks in this way alone would be denied until the clock came round again. */
static void asking_for_all_mends_what_a_clock_left_ahead(void **state)
{
    static const char *const texts[] = {"5/10s",
                                        "5/10s leaky-bucket",
                                        "5/10s fixed-window",
                                        "5/minute calendar-window",
                                        "5/10s sliding-window",
                                        "5/10s sliding-log",
                                        "5/10s fixed-window block 20s",
                                        "5/10s sliding-log block 20s"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct weir *weir;
        struct weir_limit *limit;
        struct weir_decision decision;
        size_t denied;
        assert_int_equal(weir_open("memory:?size=8KiB", NULL, &weir, NULL), WEIR_OK);
        assert_int_equal(weir_limit_parse(weir_text(texts[i]), NULL, &limit, NULL), WEIR_OK);
        const struct weir_request request = {limit, weir_text("key"), 5};
        int64_t now_us = 20000 * 86400 * SECOND;
        assert_int_equal(weir_check_all(weir, &request, 1, now_us, &decision, &denied), WEIR_OK);
        assert_int_equal(denied, 1);
        now_us -= 86400 * SECOND;
        for (int asked = 0; asked < 3; asked++) {
            assert_int_equal(weir_check_all(weir, &request, 1, now_us, &decision, &denied),
                             WEIR_OK);
            assert_int_equal(denied, 0);
            now_us += decision.retry_after_us / 3;
        }
        now_us += decision.retry_after_us;
        assert_int_equal(weir_check_all(weir, &request, 1, now_us, &decision, &denied), WEIR_OK);
        assert_int_equal(denied, 1);
        weir_limit_free(limit);
        weir_close(weir);
    }
}

/* And so does waiting: it wakes after one period, not when the clock has come round. */
static void waiting_mends_what_a_clock_left_ahead(void **state)
{
    static const char *const texts[] = {"1/50ms", "1/50ms fixed-window", "1/20ms sliding-window",
                                        "1/50ms sliding-log", "1/50ms fixed-window block 60ms"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct weir *weir;
        struct weir_limit *limit;
        struct weir_decision decision;
        struct timespec now;
        assert_int_equal(weir_open("memory:?size=8KiB", NULL, &weir, NULL), WEIR_OK);
        assert_int_equal(weir_limit_parse(weir_text(texts[i]), NULL, &limit, NULL), WEIR_OK);
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
        const int64_t ahead_us = ((int64_t)now.tv_sec + 3600) * SECOND;
        for (int asked = 0; asked < 2; asked++) {
            assert_int_equal(weir_check(weir, limit, weir_text("key"), 1, ahead_us, &decision),
                             WEIR_OK);
        }
        assert_int_equal(weir_acquire(weir, limit, weir_text("key"), 1, 600 * SECOND, &decision),
                         WEIR_OK);
        assert_true(decision.allowed);
        weir_limit_free(limit);
        weir_close(weir);
    }
}

/* ---- Blocks ---- */

/* From a denial on a key is denied for the block's time, however often it asks, and not for longer.
 */
static void block_stands(struct session *session, struct random *random, uint64_t seed)
{
    struct weir_limit_spec spec = begin(session, random, false);
    session->subject->fresh(session->self);
    spec.block_us = spec_span(&spec) + random_between(random, 0, spec_span(&spec));
    spec.block_us = spec.block_us < WEIR_PERIOD_MAX ? spec.block_us : WEIR_PERIOD_MAX;
    session_limit(session, &spec);
    SESSION_ASSERT(session, seed, session_check(session, spec_ceiling(&spec)).allowed);
    const struct weir_decision first = session_check(session, possible_cost(random, &spec));
    SESSION_ASSERT(session, seed, !first.allowed && first.blocked && first.remaining == 0);
    SESSION_ASSERT(session, seed, first.retry_after_us >= spec.block_us);
    const int64_t end_us = session->now_us + spec.block_us;
    for (int i = 0; i < 20 && end_us - session->now_us > 1 && end_us < session->end_us; i++) {
        session->now_us += random_between(random, 0, end_us - session->now_us - 1);
        const struct weir_decision denied = session_check(session, possible_cost(random, &spec));
        SESSION_ASSERT(session, seed, !denied.allowed && denied.blocked);
        SESSION_ASSERT(session, seed, session_refund(session, 1).blocked);
    }
    session->now_us = end_us - 1;
    if (end_us > session->end_us) {
        return;
    }
    SESSION_ASSERT(session, seed, session_check(session, 1).blocked);
    session->now_us = end_us;
    const struct weir_decision after = session_check(session, 1);
    SESSION_ASSERT(session, seed, after.allowed || spec.block_us < spec_span(&spec));
    SESSION_ASSERT(session, seed, after.allowed != after.blocked);
}

static void asking_does_not_prolong_a_block(void **state)
{
    (void)state;
    session_for_all(ALL_ALGORITHMS, 3000, block_stands);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_exactly_retry_after_is_admitted_and_not_before),
        cmocka_unit_test(retry_after_counts_down_by_the_microsecond),
        cmocka_unit_test(after_reset_after_a_key_is_as_if_never_used),
        cmocka_unit_test(a_denied_request_and_a_peek_change_nothing),
        cmocka_unit_test(a_cost_that_can_never_fit_answers_never_and_takes_nothing),
        cmocka_unit_test(a_refund_never_lifts_a_key_above_full),
        cmocka_unit_test(a_refund_undoes_what_was_just_taken),
        cmocka_unit_test(raising_a_limit_is_felt_within_one_new_period),
        cmocka_unit_test(a_changed_limit_holds_nobody_for_longer_than_it_can),
        cmocka_unit_test(no_step_of_a_clock_blocks_for_longer_than_the_limit_could),
        cmocka_unit_test(a_clock_read_late_lets_nothing_more_through),
        cmocka_unit_test(asking_for_all_mends_what_a_clock_left_ahead),
        cmocka_unit_test(waiting_mends_what_a_clock_left_ahead),
        cmocka_unit_test(asking_does_not_prolong_a_block),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
