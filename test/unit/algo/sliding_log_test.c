/* sliding_log_test.c - the arithmetic of sliding-log, on plain arrays.
 *
 * A list here is an array of entries; `change` does to it, one unit at a time, what the algorithm
 * says. The storage that does the same in chunks, and random traces, are in unit/store/log_test.c.
 */

#include "algo/sliding_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define T0 (1000 * SECOND)

struct list {
    struct weir_log_entry entries[64];
    size_t count;
    size_t shown; /* how many entries the last scan asked for */
};

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

static uint64_t units_of(const struct list *list)
{
    uint64_t units = 0;
    for (size_t i = 0; i < list->count; i++) {
        units += list->entries[i].units;
    }
    return units;
}

static struct weir_log_scan look(struct list *list, const struct weir_limit *limit, int64_t now_us,
                                 uint64_t cost)
{
    struct weir_log_extent extent = {INT64_MIN, units_of(list)};
    if (list->count > 0) {
        extent.newest_us = list->entries[list->count - 1].stamp_us;
    }
    struct weir_log_scan scan;
    bool more = weir_log_scan_start(&scan, limit, extent, now_us, cost);
    for (list->shown = 0; more; list->shown++) {
        assert_true(list->shown < list->count);
        more = weir_log_scan_entry(&scan, list->entries[list->shown]);
    }
    return scan;
}

static void remove_entry(struct list *list, size_t index)
{
    list->count--;
    memmove(&list->entries[index], &list->entries[index + 1],
            (list->count - index) * sizeof(list->entries[0]));
}

static void change(struct list *list, struct weir_log_change change)
{
    for (; change.drop > 0; change.drop--) {
        if (--list->entries[0].units == 0) {
            remove_entry(list, 0);
        }
    }
    for (size_t i = 0; change.clamp && i < list->count; i++) {
        if (list->entries[i].stamp_us > change.at_us) {
            list->entries[i].stamp_us = change.at_us;
        }
    }
    for (; change.back > 0; change.back--) {
        if (--list->entries[list->count - 1].units == 0) {
            list->count--;
        }
    }
    if (change.add > 0) {
        list->entries[list->count++] = (struct weir_log_entry){change.at_us, change.add};
    }
}

static struct weir_decision check(struct list *list, const struct weir_limit *limit, int64_t now_us,
                                  uint64_t cost)
{
    struct weir_decision decision;
    struct weir_log_scan scan = look(list, limit, now_us, cost);
    struct weir_log_change todo = weir_log_check_change(&scan);
    weir_log_decide(&scan, todo.add > 0, &decision);
    if (todo.write) {
        change(list, todo);
    }
    return decision;
}

static struct weir_decision peek(struct list *list, const struct weir_limit *limit, int64_t now_us,
                                 uint64_t cost)
{
    struct weir_decision decision;
    struct weir_log_scan scan = look(list, limit, now_us, cost);
    weir_log_decide(&scan, false, &decision);
    return decision;
}

static struct weir_log_change refund(struct list *list, const struct weir_limit *limit,
                                     int64_t now_us, uint64_t cost)
{
    struct weir_log_scan scan = look(list, limit, now_us, 0);
    struct weir_log_change todo = weir_log_refund_change(&scan, cost);
    if (todo.write) {
        change(list, todo);
    }
    return todo;
}

static void expect(struct weir_decision decision, bool allowed, uint64_t remaining,
                   int64_t retry_after_us, int64_t reset_after_us)
{
    assert_int_equal(decision.allowed, allowed);
    assert_int_equal(decision.remaining, remaining);
    assert_int_equal(decision.retry_after_us, retry_after_us);
    assert_int_equal(decision.reset_after_us, reset_after_us);
    assert_int_equal(decision.delay_us, 0);
}

static void a_unit_counts_until_exactly_one_period_later(void **state)
{
    (void)state;
    const struct weir_limit limit = limit_of(2, 10 * SECOND);
    struct list list = {0};
    expect(peek(&list, &limit, T0, 1), true, 2, 0, 0);
    expect(check(&list, &limit, T0, 1), true, 1, 0, 10 * SECOND);
    expect(check(&list, &limit, T0 + 3, 1), true, 0, 0, 10 * SECOND);
    expect(check(&list, &limit, T0 + 5, 1), false, 0, 10 * SECOND - 5, 10 * SECOND - 2);
    expect(check(&list, &limit, T0 + 10 * SECOND - 1, 1), false, 0, 1, 4);
    expect(peek(&list, &limit, T0 + 10 * SECOND, 1), true, 1, 0, 3);
    expect(check(&list, &limit, T0 + 10 * SECOND, 1), true, 0, 0, 10 * SECOND);
    assert_int_equal(list.count, 2);
}

static void a_cost_waits_for_as_many_units_as_it_needs(void **state)
{
    (void)state;
    const struct weir_limit limit = limit_of(10, 100);
    struct list list = {.entries = {{T0, 3}, {T0 + 10, 4}, {T0 + 20, 2}}, .count = 3};
    const int64_t now_us = T0 + 30;
    expect(peek(&list, &limit, now_us, 1), true, 1, 0, 90);
    assert_int_equal(list.shown, 1);
    expect(peek(&list, &limit, now_us, 2), false, 1, 70, 90);
    expect(peek(&list, &limit, now_us, 4), false, 1, 70, 90);
    expect(peek(&list, &limit, now_us, 5), false, 1, 80, 90);
    expect(peek(&list, &limit, now_us, 8), false, 1, 80, 90);
    expect(peek(&list, &limit, now_us, 9), false, 1, 90, 90);
    expect(peek(&list, &limit, now_us, 10), false, 1, 90, 90);
    expect(peek(&list, &limit, now_us, 11), false, 1, WEIR_NEVER, 90);
    expect(peek(&list, &limit, now_us, UINT64_MAX), false, 1, WEIR_NEVER, 90);
}

static void expired_entries_carry_nothing(void **state)
{
    (void)state;
    const struct weir_limit limit = limit_of(10, 100);
    struct list list = {.entries = {{T0, 3}, {T0 + 10, 4}, {T0 + 20, 2}}, .count = 3};
    expect(peek(&list, &limit, T0 + 110, 8), true, 8, 0, 10);
    assert_int_equal(list.shown, 3);
    expect(peek(&list, &limit, T0 + 110, 9), false, 8, 10, 10);
    expect(peek(&list, &limit, T0 + 120, 10), true, 10, 0, 0);
    assert_int_equal(list.shown, 0);
    expect(check(&list, &limit, T0 + 110, 1), true, 7, 0, 100);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.entries[0].stamp_us, T0 + 20);
}

static void a_denied_check_changes_nothing(void **state)
{
    (void)state;
    const struct weir_limit limit = limit_of(5, 100);
    struct list list = {.entries = {{T0, 1}, {T0 + 50, 4}}, .count = 2};
    struct weir_log_scan scan = look(&list, &limit, T0 + 120, 2);
    assert_false(weir_log_admits(&scan));
    assert_false(weir_log_check_change(&scan).write);
}

static void a_smaller_limit_keeps_the_newest_units(void **state)
{
    (void)state;
    struct list list = {.entries = {{T0, 3}, {T0 + 10, 4}, {T0 + 20, 2}}, .count = 3};
    const struct weir_limit smaller = limit_of(5, 100);
    const int64_t now_us = T0 + 30;
    /* Of 3 + 4 + 2 count the last 3 of the 4, and the 2. */
    expect(peek(&list, &smaller, now_us, 1), false, 0, 80, 90);
    expect(peek(&list, &smaller, now_us, 3), false, 0, 80, 90);
    expect(peek(&list, &smaller, now_us, 4), false, 0, 90, 90);
    /* A denial leaves the rest alone: the old limit finds it again. */
    expect(check(&list, &smaller, now_us, 1), false, 0, 80, 90);
    const struct weir_limit larger = limit_of(12, 100);
    expect(peek(&list, &larger, now_us, 3), true, 3, 0, 90);
    struct weir_log_change todo = refund(&list, &smaller, now_us, 1);
    assert_int_equal(todo.drop, 4);
    assert_int_equal(todo.back, 1);
    expect(peek(&list, &larger, now_us, 3), true, 8, 0, 90);
}

static void another_period_judges_the_same_stamps(void **state)
{
    (void)state;
    struct list list = {.entries = {{T0, 3}, {T0 + 10, 2}}, .count = 2};
    const struct weir_limit shorter = limit_of(5, 25);
    const struct weir_limit longer = limit_of(5, 1000);
    expect(peek(&list, &shorter, T0 + 30, 3), true, 3, 0, 5);
    expect(peek(&list, &longer, T0 + 30, 3), false, 0, 970, 980);
}

static void a_clock_read_late_counts_as_the_newest_stamp(void **state)
{
    (void)state;
    const struct weir_limit limit = limit_of(3, 10 * SECOND);
    struct list list = {.entries = {{T0, 1}}, .count = 1};
    /* At the slack, and inside it. */
    expect(check(&list, &limit, T0 - SECOND, 1), true, 1, 0, 11 * SECOND);
    assert_int_equal(list.entries[list.count - 1].stamp_us, T0);
    expect(check(&list, &limit, T0 - 1, 1), true, 0, 0, 10 * SECOND + 1);
    expect(check(&list, &limit, T0 - 1, 1), false, 0, 10 * SECOND + 1, 10 * SECOND + 1);
    /* The slack is never more than a period. */
    const struct weir_limit brief = limit_of(1, 7);
    struct list one = {.entries = {{T0, 1}}, .count = 1};
    expect(peek(&one, &brief, T0 - 7, 1), false, 0, 14, 14);
    expect(peek(&one, &brief, T0 - 8, 1), false, 0, 7, 7);
}

static void a_clock_set_back_pulls_the_stamps_to_now(void **state)
{
    (void)state;
    const struct weir_limit limit = limit_of(3, 10 * SECOND);
    const struct list before = {.entries = {{T0 - 9 * SECOND, 1}, {T0 - SECOND, 1}, {T0, 1}},
                                .count = 3};
    const int64_t now_us = T0 - SECOND - 1;
    struct list list = before;
    /* A peek, and a cost that can never fit, write nothing. */
    expect(peek(&list, &limit, now_us, 1), false, 0, 2 * SECOND + 1, 10 * SECOND);
    struct weir_log_scan scan = look(&list, &limit, now_us, 4);
    assert_true(scan.clamped);
    assert_false(weir_log_check_change(&scan).write);
    /* A denied check does. */
    expect(check(&list, &limit, now_us, 2), false, 0, 10 * SECOND, 10 * SECOND);
    assert_int_equal(list.entries[0].stamp_us, T0 - 9 * SECOND);
    assert_int_equal(list.entries[1].stamp_us, now_us);
    assert_int_equal(list.entries[2].stamp_us, now_us);
    /* So nobody waits longer than a period. */
    expect(peek(&list, &limit, now_us + 10 * SECOND, 3), true, 3, 0, 0);
    /* And an admitted one, too. */
    const struct weir_limit larger = limit_of(4, 10 * SECOND);
    list = before;
    expect(check(&list, &larger, now_us, 1), true, 0, 0, 10 * SECOND);
    assert_int_equal(list.entries[3].stamp_us, now_us);
    assert_int_equal(list.entries[2].stamp_us, now_us);
}

static void a_refund_takes_the_newest_and_stops_at_nothing(void **state)
{
    (void)state;
    const struct weir_limit limit = limit_of(10, 100);
    struct list list = {.entries = {{T0, 3}, {T0 + 10, 4}, {T0 + 20, 2}}, .count = 3};
    assert_false(refund(&list, &limit, T0 + 30, 0).write);
    assert_true(refund(&list, &limit, T0 + 30, 3).write);
    expect(peek(&list, &limit, T0 + 30, 1), true, 4, 0, 80);
    /* Only what is in the window can come back. */
    assert_int_equal(refund(&list, &limit, T0 + 105, 4).back, 3);
    assert_int_equal(list.count, 0);
    assert_false(refund(&list, &limit, T0 + 105, UINT64_MAX).write);
    expect(peek(&list, &limit, T0 + 105, 1), true, 10, 0, 0);
}

static void the_ends_of_every_range(void **state)
{
    (void)state;
    const struct weir_limit limit = limit_of(WEIR_LOG_COUNT_MAX, WEIR_PERIOD_MAX);
    struct list list = {0};
    expect(check(&list, &limit, WEIR_TIME_MAX, WEIR_LOG_COUNT_MAX + 1), false, WEIR_LOG_COUNT_MAX,
           WEIR_NEVER, 0);
    expect(check(&list, &limit, WEIR_TIME_MAX, WEIR_LOG_COUNT_MAX), true, 0, 0, WEIR_PERIOD_MAX);
    expect(check(&list, &limit, WEIR_TIME_MAX, 1), false, 0, WEIR_PERIOD_MAX, WEIR_PERIOD_MAX);
    expect(check(&list, &limit, 0, 1), false, 0, WEIR_PERIOD_MAX, WEIR_PERIOD_MAX);
    assert_int_equal(list.entries[0].stamp_us, 0);
    const struct weir_limit least = limit_of(1, 1);
    struct list one = {0};
    expect(check(&one, &least, 0, 1), true, 0, 0, 1);
    expect(check(&one, &least, 0, 1), false, 0, 1, 1);
    expect(check(&one, &least, 1, 1), true, 0, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_counts_until_exactly_one_period_later),
        cmocka_unit_test(a_cost_waits_for_as_many_units_as_it_needs),
        cmocka_unit_test(expired_entries_carry_nothing),
        cmocka_unit_test(a_denied_check_changes_nothing),
        cmocka_unit_test(a_smaller_limit_keeps_the_newest_units),
        cmocka_unit_test(another_period_judges_the_same_stamps),
        cmocka_unit_test(a_clock_read_late_counts_as_the_newest_stamp),
        cmocka_unit_test(a_clock_set_back_pulls_the_stamps_to_now),
        cmocka_unit_test(a_refund_takes_the_newest_and_stops_at_nothing),
        cmocka_unit_test(the_ends_of_every_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
