/* sliding_window_test.c - the steps of sliding-window at their edges; what they answer otherwise is
 * held to the model, test/prop. */

#include "unit/algo/step_parts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* An end as the state keeps it: in units of 1024 us, rounded up. */
static int64_t coarse(int64_t time_us)
{
    return (time_us + 1023) / 1024 * 1024;
}

static struct weir_state counts_until(int64_t until_us, uint64_t previous, uint64_t current)
{
    return (struct weir_state){coarse(until_us), previous << WEIR_SLIDING_BITS | current};
}

static void the_state_is_two_counts_and_a_rounded_end(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("9/10s sliding-window");
    struct weir_state key = {0, 0};
    assert_true(take_from(limit, &key, T0 + SECOND, 4).allowed);
    assert_int_equal(key.until_us, coarse(T0 + 20 * SECOND));
    assert_int_equal(key.payload, 4);
    assert_true(take_from(limit, &key, T0 + 10 * SECOND, 5).allowed);
    assert_int_equal(key.until_us, coarse(T0 + 30 * SECOND));
    assert_int_equal(key.payload, UINT64_C(4) << WEIR_SLIDING_BITS | 5);
    give_back_to(limit, &key, T0 + 10 * SECOND, 6);
    assert_int_equal(key.payload, UINT64_C(3) << WEIR_SLIDING_BITS);
    give_back_to(limit, &key, T0 + 10 * SECOND, 3);
    assert_int_equal(key.payload, 0);
    weir_limit_free(limit);
}

/* The window's number survives the rounding for every period, the shortest included. */
static void the_rounded_end_names_its_window(void **state)
{
    (void)state;
    for (int64_t period_us = WEIR_SLIDING_PERIOD_MIN; period_us < WEIR_SLIDING_PERIOD_MIN + 3000;
         period_us++) {
        struct weir_limit *limit;
        struct weir_decision decision;
        const struct weir_limit_spec spec = {
            .algorithm = WEIR_SLIDING_WINDOW, .count = 5, .period_us = period_us};
        assert_int_equal(weir_limit_new(&spec, NULL, &limit, NULL), WEIR_OK);
        for (int64_t number = 0; number < 4; number++) {
            struct weir_state key = {0, 0};
            const int64_t start_us = (T0 / period_us + number * 12345) * period_us;
            assert_true(take_from(limit, &key, start_us, 5).allowed);
            assert_true(key.until_us % 1024 == 0);
            decision = look_at(limit, key, start_us + period_us - 1, 1);
            assert_false(decision.allowed);
            assert_int_equal(decision.reset_after_us, period_us + 1);
            decision = look_at(limit, key, start_us + period_us, 1);
            assert_int_equal(decision.reset_after_us, period_us);
            assert_true(look_at(limit, key, start_us + 2 * period_us - 1, 4).allowed);
            assert_false(look_at(limit, key, start_us + 2 * period_us - 1, 5).allowed);
            assert_true(look_at(limit, key, start_us + 2 * period_us, 5).allowed);
            assert_int_equal(look_at(limit, key, start_us + 2 * period_us, 1).reset_after_us, 0);
        }
        weir_limit_free(limit);
    }
}

/* An end that no window of this period has was written under another: both counts are of now. */
static void counts_of_another_period_are_of_now(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("9/7s sliding-window");
    struct weir_decision decision;
    const struct weir_state key = counts_until(T0 + 10 * SECOND, 2, 3);
    struct weir_step step = weir_algo_step(limit, key, T0, 5, true, &decision);
    assert_false(decision.allowed);
    assert_int_equal(decision.remaining, 4);
    assert_true(step.write && step.clamped);
    assert_int_equal(step.next.payload, 5);
    assert_int_equal(step.next.until_us, coarse(T0 / (7 * SECOND) * 7 * SECOND + 14 * SECOND));
    /* Never more than the count. */
    assert_int_equal(look_at(limit, counts_until(T0 + 10 * SECOND, 9, 9), T0, 1).remaining, 0);
    assert_int_equal(look_at(limit, counts_until(T0 + 10 * SECOND, 99, 0), T0, 1).remaining, 0);
    weir_limit_free(limit);
}

/* Ahead of now: within the slack as the start of its window, beyond it as the window of now. */
static void a_window_ahead_is_entered_early_or_pulled_in(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("9/10s sliding-window");
    struct weir_decision decision;
    const struct weir_state next = counts_until(T0 + 30 * SECOND, 8, 1);
    struct weir_step step = weir_algo_step(limit, next, T0 + 9 * SECOND, 1, true, &decision);
    assert_false(step.clamped);
    assert_int_equal(decision.remaining, 0);
    assert_int_equal(decision.reset_after_us, 21 * SECOND);
    step = weir_algo_step(limit, next, T0 + 9 * SECOND - 1, 9, true, &decision);
    assert_true(step.write && step.clamped);
    assert_int_equal(step.next.until_us, coarse(T0 + 20 * SECOND));
    assert_int_equal(step.next.payload, next.payload);
    /* Two windows ahead is a set-back clock, however long the slack is beside the period. */
    step = weir_algo_step(limit, counts_until(T0 + 40 * SECOND, 8, 1), T0 + 9999999, 9, true,
                          &decision);
    assert_true(step.write && step.clamped);
    weir_limit_free(limit);
    limit = limit_of("9/2ms sliding-window");
    const int64_t start_us = T0 / 2000 * 2000;
    step = weir_algo_step(limit, counts_until(start_us + 6000, 8, 1), start_us, 9, true, &decision);
    assert_false(step.clamped);
    step = weir_algo_step(limit, counts_until(start_us + 8000, 8, 1), start_us + 1999, 9, true,
                          &decision);
    assert_true(step.clamped);
    weir_limit_free(limit);
}

/* Between the true end and the rounded one the counts are forgotten already. */
static void nothing_is_left_between_an_end_and_its_rounding(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("9/10s sliding-window");
    const int64_t end_us = T0 + 20 * SECOND;
    const struct weir_state key = counts_until(end_us, 0, 9);
    assert_true(key.until_us > end_us);
    assert_int_equal(look_at(limit, key, key.until_us - 1, 1).remaining, 9);
    assert_int_equal(look_at(limit, key, end_us - 1, 1).reset_after_us, 1);
    weir_limit_free(limit);
}

static void a_refund_of_nothing_writes_nothing(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("9/10s sliding-window");
    assert_false(weir_algo_refund(limit, counts_until(T0 + 20 * SECOND, 1, 1), T0, 0).write);
    assert_false(weir_algo_refund(limit, (struct weir_state){0, 0}, T0, 5).write);
    assert_true(weir_algo_refund(limit, counts_until(T0 + 20 * SECOND, 1, 0), T0, 5).write);
    weir_limit_free(limit);
}

static void any_state_is_survived_here_too(void **state)
{
    (void)state;
    any_state_is_survived(WEIR_SLIDING_WINDOW, 2 * WEIR_SLIDING_BITS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_is_two_counts_and_a_rounded_end),
        cmocka_unit_test(the_rounded_end_names_its_window),
        cmocka_unit_test(counts_of_another_period_are_of_now),
        cmocka_unit_test(a_window_ahead_is_entered_early_or_pulled_in),
        cmocka_unit_test(nothing_is_left_between_an_end_and_its_rounding),
        cmocka_unit_test(a_refund_of_nothing_writes_nothing),
        cmocka_unit_test(any_state_is_survived_here_too),
    };
    return cmocka_run_group_tests_name("sliding_window", tests, NULL, NULL);
}
