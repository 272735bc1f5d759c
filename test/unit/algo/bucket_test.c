/* bucket_test.c - the steps of token-bucket and leaky-bucket at their edges; what they answer
 * otherwise is held to the model, test/prop. */

#include "unit/algo/step_parts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_new_key_is_full(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("5/s burst 9");
    const struct weir_decision decision = look_at(limit, (struct weir_state){0, 0}, T0, 9);
    assert_true(decision.allowed);
    assert_int_equal(decision.limit, 9);
    assert_int_equal(decision.remaining, 9);
    assert_int_equal(decision.retry_after_us, 0);
    assert_int_equal(decision.reset_after_us, 0);
    weir_limit_free(limit);
}

/* The state of a key is the time at which it is full, to the fraction: 1/7 of a minute is 8571428
 * 4/7 us. */
static void the_state_is_when_the_bucket_is_full(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("7/m");
    struct weir_state key = {0, 0};
    assert_true(take_from(limit, &key, T0, 1).allowed);
    assert_int_equal(key.until_us, T0 + 8571428);
    assert_int_equal(key.payload, 4);
    assert_true(take_from(limit, &key, T0, 1).allowed);
    assert_int_equal(key.until_us, T0 + 17142857);
    assert_int_equal(key.payload, 1);
    give_back_to(limit, &key, T0, 1);
    assert_int_equal(key.until_us, T0 + 8571428);
    assert_int_equal(key.payload, 4);
    weir_limit_free(limit);
}

/* A fraction that the denominator does not have, of a limit since changed, is one microsecond. */
static void a_foreign_fraction_counts_as_one_microsecond(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("7/m");
    assert_int_equal(look_at(limit, (struct weir_state){T0, 6}, T0, 1).reset_after_us, 1);
    assert_int_equal(look_at(limit, (struct weir_state){T0, 7}, T0, 1).reset_after_us, 1);
    assert_int_equal(look_at(limit, (struct weir_state){T0 + 5, 6}, T0, 1).reset_after_us, 6);
    assert_int_equal(look_at(limit, (struct weir_state){T0 + 5, 7}, T0, 1).reset_after_us, 6);
    assert_int_equal(look_at(limit, (struct weir_state){T0 - 1, 7}, T0, 1).reset_after_us, 0);
    assert_int_equal(look_at(limit, (struct weir_state){T0 - 2, 7}, T0, 1).reset_after_us, 0);
    assert_int_equal(look_at(limit, (struct weir_state){T0 - 1, 6}, T0, 1).reset_after_us, 0);
    weir_limit_free(limit);
}

/* The slack: a debt of the depth and a second is a clock read late, one of a microsecond more is
 * not. */
static void a_debt_beyond_the_slack_is_pulled_in(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("5/5s");
    struct weir_decision decision;
    struct weir_state key = {T0 + 6 * SECOND, 0};
    struct weir_step step = weir_algo_step(limit, key, T0, 1, true, &decision);
    assert_false(step.write);
    assert_false(step.clamped);
    assert_int_equal(decision.remaining, 0);
    assert_int_equal(decision.retry_after_us, 2 * SECOND);
    key.until_us += 1;
    step = weir_algo_step(limit, key, T0, 1, true, &decision);
    assert_true(step.write);
    assert_true(step.clamped);
    assert_int_equal(step.next.until_us, T0 + 5 * SECOND);
    assert_int_equal(decision.retry_after_us, SECOND);
    /* Not by a look, and not by what can never fit. */
    step = weir_algo_step(limit, key, T0, 1, false, &decision);
    assert_false(step.write);
    assert_true(step.clamped);
    step = weir_algo_step(limit, key, T0, 6, true, &decision);
    assert_false(step.write);
    assert_false(step.clamped);
    assert_true(decision.retry_after_us == WEIR_NEVER);
    weir_limit_free(limit);
}

static void a_refund_is_bounded_and_writes_only_what_changes(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("5/5s");
    const struct weir_state full = {T0 - 1, 0};
    assert_false(weir_algo_refund(limit, full, T0, 1).write);
    const struct weir_state empty = {T0 + 5 * SECOND, 0};
    assert_false(weir_algo_refund(limit, empty, T0, 0).write);
    assert_int_equal(weir_algo_refund(limit, empty, T0, 5).next.until_us, T0);
    assert_int_equal(weir_algo_refund(limit, empty, T0, UINT64_MAX).next.until_us, T0);
    /* A debt within the slack is more than burst. */
    const struct weir_state late = {T0 + 6 * SECOND, 0};
    assert_int_equal(weir_algo_refund(limit, late, T0, 5).next.until_us, T0 + SECOND);
    assert_int_equal(weir_algo_refund(limit, late, T0, 6).next.until_us, T0);
    weir_limit_free(limit);
    /* Less than a microsecond is a debt as well. */
    limit = limit_of("7/1us");
    assert_true(weir_algo_refund(limit, (struct weir_state){T0, 3}, T0, 1).write);
    weir_limit_free(limit);
}

static void only_a_queue_delays(void **state)
{
    (void)state;
    struct weir_limit *tokens = limit_of("1/s burst 3");
    struct weir_limit *queue = limit_of("1/s leaky-bucket burst 3");
    const struct weir_state key = {T0 + SECOND, 0};
    assert_int_equal(look_at(tokens, key, T0, 1).delay_us, 0);
    assert_int_equal(look_at(queue, key, T0, 1).delay_us, SECOND);
    assert_int_equal(look_at(queue, key, T0, 3).delay_us, 0);
    weir_limit_free(tokens);
    weir_limit_free(queue);
}

static void any_state_of_a_token_bucket_is_survived(void **state)
{
    (void)state;
    any_state_is_survived(WEIR_TOKEN_BUCKET, 32);
}

static void any_state_of_a_leaky_bucket_is_survived(void **state)
{
    (void)state;
    any_state_is_survived(WEIR_LEAKY_BUCKET, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_key_is_full),
        cmocka_unit_test(the_state_is_when_the_bucket_is_full),
        cmocka_unit_test(a_foreign_fraction_counts_as_one_microsecond),
        cmocka_unit_test(a_debt_beyond_the_slack_is_pulled_in),
        cmocka_unit_test(a_refund_is_bounded_and_writes_only_what_changes),
        cmocka_unit_test(only_a_queue_delays),
        cmocka_unit_test(any_state_of_a_token_bucket_is_survived),
        cmocka_unit_test(any_state_of_a_leaky_bucket_is_survived),
    };
    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
