/* window_test.c - the steps of fixed-window and calendar-window at their edges; what they answer
 * otherwise is held to the model, test/prop. */

#include "unit/algo/step_parts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_window_opens_at_the_first_request_and_its_end_stays(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("3/10s fixed-window");
    struct weir_state key = {0, 0};
    assert_true(take_from(limit, &key, T0 + 7, 1).allowed);
    assert_int_equal(key.until_us, T0 + 7 + 10 * SECOND);
    assert_int_equal(key.payload, 1);
    assert_true(take_from(limit, &key, T0 + 9 * SECOND, 2).allowed);
    assert_int_equal(key.until_us, T0 + 7 + 10 * SECOND);
    assert_int_equal(key.payload, 3);
    assert_false(take_from(limit, &key, T0 + 10 * SECOND, 1).allowed);
    assert_int_equal(key.until_us, T0 + 7 + 10 * SECOND);
    weir_limit_free(limit);
}

/* A count of zero is no window, wherever its end lies. */
static void an_empty_window_is_none(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("3/10s fixed-window");
    struct weir_state key = {T0 + 5 * SECOND, 0};
    const struct weir_decision decision = take_from(limit, &key, T0, 1);
    assert_int_equal(decision.reset_after_us, 10 * SECOND);
    assert_int_equal(key.until_us, T0 + 10 * SECOND);
    weir_limit_free(limit);
}

static void an_end_beyond_the_slack_is_pulled_in(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("3/10s fixed-window");
    struct weir_decision decision;
    struct weir_state key = {T0 + 11 * SECOND, 3};
    struct weir_step step = weir_algo_step(limit, key, T0, 1, true, &decision);
    assert_false(step.write || step.clamped);
    assert_int_equal(decision.retry_after_us, 11 * SECOND);
    key.until_us += 1;
    step = weir_algo_step(limit, key, T0, 1, true, &decision);
    assert_true(step.write && step.clamped);
    assert_int_equal(step.next.until_us, T0 + 10 * SECOND);
    assert_int_equal(step.next.payload, 3);
    assert_int_equal(decision.retry_after_us, 10 * SECOND);
    step = weir_algo_step(limit, key, T0, 4, true, &decision);
    assert_false(step.write || step.clamped);
    weir_limit_free(limit);
}

/* The same for a calendar's window: its start may be a second ahead of a clock, not more. */
static void a_calendar_window_ahead_of_the_slack_is_pulled_in(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("3/day calendar-window");
    const int64_t midnight_us = T0 + 86400 * SECOND;
    const struct weir_state key = {midnight_us + 86400 * SECOND, 2};
    struct weir_decision decision = look_at(limit, key, midnight_us - SECOND, 1);
    assert_int_equal(decision.reset_after_us, 86401 * SECOND);
    decision = look_at(limit, key, midnight_us - SECOND - 1, 1);
    assert_int_equal(decision.reset_after_us, SECOND + 1);
    assert_int_equal(decision.remaining, 1);
    weir_limit_free(limit);
}

/* The last window that there is ends after the end of time, and is a window like any other. */
static void a_window_may_end_after_the_end_of_time(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("3/day calendar-window");
    struct weir_state key = {0, 0};
    assert_true(take_from(limit, &key, WEIR_TIME_MAX, 3).allowed);
    assert_true(key.until_us > WEIR_TIME_MAX);
    const int64_t start_us = key.until_us - 86400 * SECOND;
    assert_false(look_at(limit, key, WEIR_TIME_MAX, 1).allowed);
    assert_int_equal(look_at(limit, key, start_us - SECOND, 1).reset_after_us, 86401 * SECOND);
    assert_int_equal(look_at(limit, key, start_us - SECOND - 1, 1).reset_after_us, SECOND + 1);
    weir_limit_free(limit);
}

/* Windows from the epoch on, of a length that divides no day. */
static void a_window_from_the_epoch_on_ends_where_its_period_does(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("3/7301us calendar-window epoch");
    assert_int_equal(T0 % 7301, 6153);
    const int64_t end_us = T0 + 7301 - 6153;
    struct weir_state key = {0, 0};
    assert_true(take_from(limit, &key, T0, 2).allowed);
    assert_int_equal(key.until_us, end_us);
    assert_true(take_from(limit, &key, end_us - 1, 1).allowed);
    const struct weir_decision denial = take_from(limit, &key, end_us - 1, 1);
    assert_false(denial.allowed);
    assert_int_equal(denial.retry_after_us, 1);
    assert_true(take_from(limit, &key, end_us, 1).allowed);
    assert_int_equal(key.until_us, end_us + 7301);
    assert_int_equal(key.payload, 1);
    weir_limit_free(limit);
}

/* At the first and last moment of time, and around the edges of windows, for periods of all sizes:
 * as the remainder says. */
static void windows_from_the_epoch_on_have_no_gap(void **state)
{
    static const struct {
        const char *text;
        int64_t period_us;
    } rows[] = {{"1/us calendar-window epoch", 1},
                {"1/3us calendar-window epoch", 3},
                {"1/999983us calendar-window epoch", 999983},
                {"1/s calendar-window epoch", SECOND},
                {"1/w calendar-window epoch", 7 * 86400 * SECOND},
                {"1/366d calendar-window epoch", WEIR_PERIOD_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_limit *limit = limit_of(rows[i].text);
        const int64_t period_us = rows[i].period_us;
        const int64_t last_us = WEIR_TIME_MAX - WEIR_TIME_MAX % period_us;
        const int64_t times[] = {0,         period_us - 1, period_us,   T0 - T0 % period_us,
                                 last_us,   last_us - 1,   last_us + 1, WEIR_TIME_MAX,
                                 T0 - 1234, T0 + 5678};
        for (size_t j = 0; j < sizeof(times) / sizeof(times[0]); j++) {
            const int64_t now_us = times[j] < WEIR_TIME_MAX ? times[j] : WEIR_TIME_MAX;
            struct weir_state key = {0, 0};
            assert_true(take_from(limit, &key, now_us, 1).allowed);
            assert_int_equal(key.until_us, now_us - now_us % period_us + period_us);
        }
        weir_limit_free(limit);
    }
}

/* A window's end that is none of the limit's, as its period was another: kept as far as a window
 * that is within the slack of now could reach. */
static void an_end_of_another_period_is_kept_within_the_slack(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("3/10s calendar-window epoch");
    const int64_t edge_us = T0 + 10 * SECOND;
    const struct weir_state key = {edge_us + SECOND / 2, 2};
    assert_int_equal(look_at(limit, key, edge_us - SECOND, 1).reset_after_us, 3 * SECOND / 2);
    const struct weir_decision decision = look_at(limit, key, edge_us - SECOND - 1, 1);
    assert_int_equal(decision.reset_after_us, SECOND + 1);
    assert_int_equal(decision.remaining, 1);
    weir_limit_free(limit);
}

/* What was taken under a larger count is as much as this one holds. */
static void more_than_the_count_is_the_count(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("3/10s fixed-window");
    struct weir_state key = {T0 + SECOND, 50};
    const struct weir_decision decision = look_at(limit, key, T0, 1);
    assert_false(decision.allowed);
    assert_int_equal(decision.remaining, 0);
    assert_int_equal(decision.retry_after_us, SECOND);
    give_back_to(limit, &key, T0, 1);
    assert_int_equal(key.payload, 2);
    weir_limit_free(limit);
}

static void a_refund_leaves_the_end_or_closes_the_window(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("3/10s fixed-window");
    const struct weir_state key = {T0 + SECOND, 2};
    assert_false(weir_algo_refund(limit, key, T0, 0).write);
    assert_false(weir_algo_refund(limit, key, T0 + SECOND, 1).write);
    const struct weir_step less = weir_algo_refund(limit, key, T0, 1);
    assert_true(less.write);
    assert_int_equal(less.next.until_us, T0 + SECOND);
    assert_int_equal(less.next.payload, 1);
    assert_int_equal(weir_algo_refund(limit, key, T0, 2).next.payload, 0);
    assert_int_equal(weir_algo_refund(limit, key, T0, UINT64_MAX).next.payload, 0);
    weir_limit_free(limit);
}

static void any_state_of_a_fixed_window_is_survived(void **state)
{
    (void)state;
    any_state_is_survived(WEIR_FIXED_WINDOW, 32);
}

static void any_state_of_a_calendar_window_is_survived(void **state)
{
    (void)state;
    any_state_is_survived(WEIR_CALENDAR_WINDOW, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_opens_at_the_first_request_and_its_end_stays),
        cmocka_unit_test(an_empty_window_is_none),
        cmocka_unit_test(an_end_beyond_the_slack_is_pulled_in),
        cmocka_unit_test(a_calendar_window_ahead_of_the_slack_is_pulled_in),
        cmocka_unit_test(a_window_may_end_after_the_end_of_time),
        cmocka_unit_test(a_window_from_the_epoch_on_ends_where_its_period_does),
        cmocka_unit_test(windows_from_the_epoch_on_have_no_gap),
        cmocka_unit_test(an_end_of_another_period_is_kept_within_the_slack),
        cmocka_unit_test(more_than_the_count_is_the_count),
        cmocka_unit_test(a_refund_leaves_the_end_or_closes_the_window),
        cmocka_unit_test(any_state_of_a_fixed_window_is_survived),
        cmocka_unit_test(any_state_of_a_calendar_window_is_survived),
    };
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
