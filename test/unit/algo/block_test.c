/* block_test.c - the state of a block at its edges. */

#include "unit/algo/step_parts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_block_ahead_of_the_slack_is_pulled_in(void **state)
{
    static const struct {
        const char *limit;
        int64_t block_us;
        int64_t slack_us;
    } cases[] = {{"5/s block 1m", 60 * SECOND, SECOND},
                 {"5/s block 1s", SECOND, SECOND},
                 {"5/s block 999999us", 999999, 999999},
                 {"5/s block 1us", 1, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_limit *limit = limit_of(cases[i].limit);
        struct weir_state block = {T0 + cases[i].block_us + cases[i].slack_us, 1};
        struct weir_step step = weir_block_step(limit, block, T0);
        assert_false(step.write);
        assert_int_equal(step.next.until_us, block.until_us);
        block.until_us += 1;
        step = weir_block_step(limit, block, T0);
        assert_true(step.write);
        assert_int_equal(step.next.until_us, T0 + cases[i].block_us);
        assert_int_equal(step.next.payload, 1);
        weir_limit_free(limit);
    }
}

static void a_block_that_is_over_is_left_alone(void **state)
{
    (void)state;
    struct weir_limit *limit = limit_of("5/s block 1m");
    assert_false(weir_block_step(limit, (struct weir_state){0, 0}, T0).write);
    assert_false(weir_block_step(limit, (struct weir_state){T0, 1}, T0).write);
    assert_false(weir_block_step(limit, (struct weir_state){T0, 1}, WEIR_TIME_MAX).write);
    weir_limit_free(limit);
}

/* The longer of the block and of what the key's own state says; never stays never. */
static void a_block_denies_for_the_longer_of_the_two(void **state)
{
    (void)state;
    struct weir_decision decision = {
        .allowed = true, .limit = 5, .remaining = 3, .reset_after_us = 40, .delay_us = 7};
    weir_block_decide(T0 + 50, T0, &decision);
    assert_false(decision.allowed);
    assert_true(decision.blocked);
    assert_int_equal(decision.limit, 5);
    assert_int_equal(decision.remaining, 0);
    assert_int_equal(decision.retry_after_us, 50);
    assert_int_equal(decision.reset_after_us, 50);
    assert_int_equal(decision.delay_us, 0);
    decision = (struct weir_decision){.retry_after_us = 60, .reset_after_us = 70};
    weir_block_decide(T0 + 50, T0, &decision);
    assert_int_equal(decision.retry_after_us, 60);
    assert_int_equal(decision.reset_after_us, 70);
    decision = (struct weir_decision){.retry_after_us = WEIR_NEVER};
    weir_block_decide(T0 + 50, T0, &decision);
    assert_true(decision.retry_after_us == WEIR_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_ahead_of_the_slack_is_pulled_in),
        cmocka_unit_test(a_block_that_is_over_is_left_alone),
        cmocka_unit_test(a_block_denies_for_the_longer_of_the_two),
    };
    return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
