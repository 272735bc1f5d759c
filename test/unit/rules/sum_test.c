/* sum_test.c - what the parts of a plan come to, together. */

#include "rules/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Parts: a limit's (its decision has the same index), allowed with so much left of ten, or denied
 * for so long; and lists'. */
#define LIMIT(i)                    \
    {                               \
        .rule = (i), .request = (i) \
    }
#define SHADOW(i)                                   \
    {                                               \
        .rule = (i), .request = (i), .shadow = true \
    }
#define DENY(until)                                      \
    {                                                    \
        .listing = WEIR_LISTED_DENY, .until_us = (until) \
    }
#define ALLOW                                               \
    {                                                       \
        .listing = WEIR_LISTED_ALLOW, .until_us = INT64_MAX \
    }
#define PASSES(left)                                      \
    {                                                     \
        .allowed = true, .limit = 10, .remaining = (left) \
    }
#define HELD(us)                            \
    {                                       \
        .limit = 10, .retry_after_us = (us) \
    }

#define SUM(parts, decisions) \
    weir_plan_sum((parts), sizeof(parts) / sizeof((parts)[0]), (decisions), 1000)

static void nothing_enforced_allows(void **state)
{
    (void)state;
    struct weir_outcome outcome = weir_plan_sum(NULL, 0, NULL, 0);
    assert_true(outcome.allowed);
    assert_int_equal(outcome.part, UINT32_MAX);
    const struct weir_part parts[] = {SHADOW(0), {.listing = WEIR_LISTED_DENY, .shadow = true}};
    const struct weir_decision decisions[] = {
        {.limit = 10, .retry_after_us = 5, .delay_us = 3, .failure = 1}};
    outcome = SUM(parts, decisions);
    assert_true(outcome.allowed);
    assert_int_equal(outcome.part, UINT32_MAX);
    assert_int_equal(outcome.retry_after_us, 0);
    assert_int_equal(outcome.delay_us, 0);
    assert_int_equal(outcome.failure, 0);
}

static void the_least_share_says_most(void **state)
{
    (void)state;
    const struct weir_part parts[] = {ALLOW, LIMIT(0), LIMIT(1), SHADOW(2), LIMIT(3)};
    const struct weir_decision decisions[] = {
        PASSES(5),
        {.allowed = true, .limit = UINT64_MAX, .remaining = UINT64_MAX / 4, .delay_us = 7},
        PASSES(0),
        {.allowed = true, .limit = 4, .remaining = 1, .failure = 3, .delay_us = 9}};
    const struct weir_outcome outcome = SUM(parts, decisions);
    assert_true(outcome.allowed);
    assert_int_equal(outcome.part, 2);
    assert_int_equal(outcome.delay_us, 9);
    assert_int_equal(outcome.failure, 3);
}

static void one_that_a_list_lets_pass(void **state)
{
    (void)state;
    const struct weir_part parts[] = {ALLOW};
    const struct weir_outcome outcome = SUM(parts, NULL);
    assert_true(outcome.allowed);
    assert_int_equal(outcome.part, 0);
}

static void the_longest_denial_says_most(void **state)
{
    (void)state;
    const struct weir_part parts[] = {LIMIT(0), LIMIT(1), LIMIT(2), SHADOW(3)};
    const struct weir_decision decisions[] = {PASSES(0), HELD(5), HELD(9), HELD(WEIR_NEVER)};
    const struct weir_outcome outcome = SUM(parts, decisions);
    assert_false(outcome.allowed);
    assert_int_equal(outcome.part, 2);
    assert_int_equal(outcome.retry_after_us, 9);
}

static void a_list_comes_before_all(void **state)
{
    (void)state;
    const struct weir_part parts[] = {LIMIT(0), DENY(1500), DENY(1700), LIMIT(1)};
    const struct weir_decision decisions[] = {HELD(WEIR_NEVER),
                                              {.allowed = true, .limit = 1, .delay_us = 5}};
    struct weir_outcome outcome = SUM(parts, decisions);
    assert_false(outcome.allowed);
    assert_int_equal(outcome.part, 2);
    assert_int_equal(outcome.retry_after_us, WEIR_NEVER);
    assert_int_equal(outcome.delay_us, 0);
    outcome = weir_plan_sum(parts + 1, 2, decisions, 1000);
    assert_int_equal(outcome.retry_after_us, 700);
    outcome = weir_plan_sum(parts + 1, 2, decisions, 1800);
    assert_int_equal(outcome.retry_after_us, 0);
    const struct weir_part never[] = {DENY(INT64_MAX)};
    assert_int_equal(SUM(never, NULL).retry_after_us, WEIR_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_enforced_allows),   cmocka_unit_test(the_least_share_says_most),
        cmocka_unit_test(one_that_a_list_lets_pass), cmocka_unit_test(the_longest_denial_says_most),
        cmocka_unit_test(a_list_comes_before_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
