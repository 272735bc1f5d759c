/* calls_test.c - the library's calls, one at a time, over memory: and shm: alike. */

#include "support/fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

/* Runs `body` on a store of each kind. */
static void on_both(void (*body)(struct weir *weir, enum weir_source source))
{
    struct fixture_folder folder = fixture_folder_make();
    struct weir *memory = fixture_open("memory:?size=64KiB");
    struct weir *shm = fixture_open(fixture_url(&folder, "table", "size=64KiB"));
    body(memory, WEIR_SOURCE_MEMORY);
    body(shm, WEIR_SOURCE_SHM);
    weir_close(memory);
    weir_close(shm);
    fixture_folder_remove(&folder);
}

static void must_be_untouched(const struct weir_decision *decision)
{
    struct weir_decision pattern;
    memset(&pattern, 0xa5, sizeof(pattern));
    assert_memory_equal(decision, &pattern, sizeof(pattern));
}

/* ---- Check, peek, refund, reset ---- */

static void check_counts_down(struct weir *weir, enum weir_source source)
{
    struct weir_limit *limit = fixture_limit("3/m fixed-window");
    for (unsigned i = 0; i < 3; i++) {
        const struct weir_decision decision = fixture_check(weir, limit, "key", 1, FIXTURE_NOW);
        assert_true(decision.allowed);
        assert_int_equal(decision.remaining, 2 - i);
        assert_int_equal(decision.limit, 3);
        assert_int_equal(decision.source, source);
        assert_false(decision.blocked);
        assert_int_equal(decision.retry_after_us, 0);
    }
    const struct weir_decision denied =
        fixture_check(weir, limit, "key", 1, FIXTURE_NOW + 20 * SECOND_US);
    assert_false(denied.allowed);
    assert_int_equal(denied.retry_after_us, 40 * SECOND_US);
    assert_int_equal(denied.reset_after_us, 40 * SECOND_US);
    assert_int_equal(denied.source, source);
    assert_false(fixture_check(weir, limit, "key", 1, FIXTURE_NOW + 60 * SECOND_US - 1).allowed);
    assert_true(fixture_check(weir, limit, "key", 1, FIXTURE_NOW + 60 * SECOND_US).allowed);
    assert_true(fixture_check(weir, limit, "other", 3, FIXTURE_NOW).allowed);
    weir_limit_free(limit);
}

static void a_check_counts_down_and_then_denies(void **state)
{
    (void)state;
    on_both(check_counts_down);
}

static void peek_writes_nothing(struct weir *weir, enum weir_source source)
{
    struct weir_limit *limit = fixture_limit("3/m block 1h");
    struct weir_stats stats = {.size = sizeof(stats)};
    for (unsigned i = 0; i < 10; i++) {
        const struct weir_decision decision = fixture_peek(weir, limit, "key", 3, FIXTURE_NOW);
        assert_true(decision.allowed);
        assert_int_equal(decision.remaining, 3);
        assert_int_equal(decision.source, source);
        assert_int_equal(fixture_check(weir, limit, "key", 0, FIXTURE_NOW).remaining, 3);
    }
    assert_int_equal(weir_stats(weir, FIXTURE_NOW, &stats), WEIR_OK);
    assert_int_equal(stats.used, 0);
    assert_true(fixture_check(weir, limit, "key", 3, FIXTURE_NOW).allowed);
    for (unsigned i = 0; i < 10; i++) {
        const struct weir_decision decision = fixture_peek(weir, limit, "key", 1, FIXTURE_NOW);
        assert_false(decision.allowed);
        assert_false(decision.blocked);
        assert_int_equal(decision.retry_after_us, 20 * SECOND_US);
    }
    weir_limit_free(limit);
}

static void a_peek_writes_nothing_and_starts_no_block(void **state)
{
    (void)state;
    on_both(peek_writes_nothing);
}

static void refund_gives_back(struct weir *weir, enum weir_source source)
{
    struct weir_limit *limit = fixture_limit("5/m fixed-window");
    struct weir_decision after;
    (void)source;
    assert_true(fixture_check(weir, limit, "key", 5, FIXTURE_NOW).allowed);
    assert_int_equal(weir_refund(weir, limit, weir_text("key"), 2, FIXTURE_NOW, &after), WEIR_OK);
    assert_true(after.allowed);
    assert_int_equal(after.remaining, 2);
    assert_int_equal(weir_refund(weir, limit, weir_text("key"), 0, FIXTURE_NOW, &after), WEIR_OK);
    assert_int_equal(after.remaining, 2);
    assert_int_equal(weir_refund(weir, limit, weir_text("key"), UINT64_MAX, FIXTURE_NOW, NULL),
                     WEIR_OK);
    assert_int_equal(fixture_peek(weir, limit, "key", 1, FIXTURE_NOW).remaining, 5);
    assert_int_equal(weir_refund(weir, limit, weir_text("unknown"), 3, FIXTURE_NOW, &after),
                     WEIR_OK);
    assert_int_equal(after.remaining, 5);
    weir_limit_free(limit);
}

static void a_refund_gives_back_and_never_more_than_full(void **state)
{
    (void)state;
    on_both(refund_gives_back);
}

static void reset_forgets(struct weir *weir, enum weir_source source)
{
    struct weir_limit *limit = fixture_limit("2/m block 1h");
    (void)source;
    assert_true(fixture_check(weir, limit, "key", 2, FIXTURE_NOW).allowed);
    const struct weir_decision denied = fixture_check(weir, limit, "key", 1, FIXTURE_NOW);
    assert_true(denied.blocked);
    assert_int_equal(denied.retry_after_us, 3600 * SECOND_US);
    assert_int_equal(weir_reset(weir, limit, weir_text("key")), WEIR_OK);
    assert_int_equal(weir_reset(weir, limit, weir_text("never seen")), WEIR_OK);
    const struct weir_decision fresh = fixture_peek(weir, limit, "key", 1, FIXTURE_NOW);
    assert_true(fresh.allowed);
    assert_false(fresh.blocked);
    assert_int_equal(fresh.remaining, 2);
    assert_int_equal(fresh.reset_after_us, 0);
    weir_limit_free(limit);
}

static void a_reset_forgets_the_key_and_its_block(void **state)
{
    (void)state;
    on_both(reset_forgets);
}

static void block_runs_its_course(struct weir *weir, enum weir_source source)
{
    struct weir_limit *limit = fixture_limit("2/m block 10m");
    struct weir_decision decision;
    (void)source;
    assert_true(fixture_check(weir, limit, "key", 2, FIXTURE_NOW).allowed);
    assert_true(fixture_check(weir, limit, "key", 1, FIXTURE_NOW).blocked);
    for (int64_t minute = 1; minute < 10; minute++) {
        decision = fixture_check(weir, limit, "key", 1, FIXTURE_NOW + minute * 60 * SECOND_US);
        assert_false(decision.allowed);
        assert_true(decision.blocked);
        assert_int_equal(decision.remaining, 0);
        assert_int_equal(decision.retry_after_us, (10 - minute) * 60 * SECOND_US);
    }
    /* A refund does not end it. */
    assert_int_equal(weir_refund(weir, limit, weir_text("key"), 2, FIXTURE_NOW, &decision),
                     WEIR_OK);
    assert_false(decision.allowed);
    assert_true(fixture_check(weir, limit, "key", 2, FIXTURE_NOW + 600 * SECOND_US).allowed);
    weir_limit_free(limit);
}

static void a_block_runs_its_course_and_is_not_prolonged(void **state)
{
    (void)state;
    on_both(block_runs_its_course);
}

static void too_much_is_never(struct weir *weir, enum weir_source source)
{
    struct weir_limit *limit = fixture_limit("2/m block 10m");
    (void)source;
    const struct weir_decision never = fixture_check(weir, limit, "key", 3, FIXTURE_NOW);
    assert_false(never.allowed);
    assert_false(never.blocked);
    assert_int_equal(never.retry_after_us, WEIR_NEVER);
    assert_int_equal(fixture_check(weir, limit, "key", UINT64_MAX, FIXTURE_NOW).retry_after_us,
                     WEIR_NEVER);
    assert_int_equal(fixture_peek(weir, limit, "key", 1, FIXTURE_NOW).remaining, 2);
    weir_limit_free(limit);
}

static void a_cost_that_can_never_fit_takes_nothing_and_starts_no_block(void **state)
{
    (void)state;
    on_both(too_much_is_never);
}

static void limits_keep_apart(struct weir *weir, enum weir_source source)
{
    static const char *const texts[] = {"1/m",
                                        "1/h",
                                        "1/m leaky-bucket",
                                        "1/m fixed-window",
                                        "1/m sliding-window",
                                        "1/minute calendar-window",
                                        "1/hour calendar-window"};
    (void)source;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct weir_limit *limit = fixture_limit(texts[i]);
        assert_true(fixture_check(weir, limit, "key", 1, FIXTURE_NOW).allowed);
        assert_false(fixture_check(weir, limit, "key", 1, FIXTURE_NOW).allowed);
        weir_limit_free(limit);
    }
    struct weir_limit_options named = {.size = sizeof(named), .name = weir_text("a rule")};
    struct weir_limit *limit = NULL;
    assert_int_equal(weir_limit_parse(weir_text("1/m"), &named, &limit, NULL), WEIR_OK);
    assert_true(fixture_check(weir, limit, "key", 1, FIXTURE_NOW).allowed);
    weir_limit_free(limit);
}

static void limits_of_other_names_algorithms_and_periods_are_other_budgets(void **state)
{
    (void)state;
    on_both(limits_keep_apart);
}

/* ---- Keys and times at and past their bounds ---- */

static void keys_of_any_bytes(struct weir *weir, enum weir_source source)
{
    static const char longest[WEIR_KEY_MAX + 1] = {1};
    struct weir_limit *limit = fixture_limit("1/m");
    const struct weir_bytes keys[] = {
        weir_bytes(NULL, 0),
        weir_bytes("", 1),
        weir_bytes("\0", 2),
        weir_text("a"),
        weir_bytes("a", 2),
        weir_bytes(longest, WEIR_KEY_MAX - 1),
        weir_bytes(longest, WEIR_KEY_MAX),
    };
    struct weir_decision decision;
    (void)source;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(weir_check(weir, limit, keys[i], 1, FIXTURE_NOW, &decision), WEIR_OK);
        assert_true(decision.allowed);
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(weir_check(weir, limit, keys[i], 1, FIXTURE_NOW, &decision), WEIR_OK);
        assert_false(decision.allowed);
    }
    const struct weir_bytes over = weir_bytes(longest, WEIR_KEY_MAX + 1);
    const struct weir_request request = {limit, over, 1};
    size_t done = 7;
    size_t denied = 7;
    memset(&decision, 0xa5, sizeof(decision));
    const enum weir_status refused[] = {
        weir_check(weir, limit, over, 1, FIXTURE_NOW, &decision),
        weir_check(weir, limit, over, 2, FIXTURE_NOW, &decision),
        weir_peek(weir, limit, over, 1, FIXTURE_NOW, &decision),
        weir_refund(weir, limit, over, 1, FIXTURE_NOW, &decision),
        weir_reset(weir, limit, over),
        weir_acquire(weir, limit, over, 1, 0, &decision),
        weir_check_all(weir, &request, 1, FIXTURE_NOW, &decision, &denied),
        weir_check_batch(weir, &request, 1, FIXTURE_NOW, &decision, &done),
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(refused[i], WEIR_ERR_KEY_LENGTH);
    }
    must_be_untouched(&decision);
    assert_int_equal(denied, 7);
    assert_int_equal(done, 0);
    weir_limit_free(limit);
}

static void a_key_is_any_bytes_up_to_the_longest(void **state)
{
    (void)state;
    on_both(keys_of_any_bytes);
}

static void times_out_of_range(struct weir *weir, enum weir_source source)
{
    static const int64_t wrong[] = {-1, INT64_MIN + 1, WEIR_TIME_MAX + 1, INT64_MAX};
    struct weir_limit *limit = fixture_limit("1/m");
    const struct weir_request request = {limit, weir_text("key"), 1};
    struct weir_stats stats = {.size = sizeof(stats), .used = 99};
    struct weir_decision decision;
    size_t number = 7;
    (void)source;
    memset(&decision, 0xa5, sizeof(decision));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const enum weir_status refused[] = {
            weir_check(weir, limit, request.key, 1, wrong[i], &decision),
            weir_check(weir, limit, request.key, 5, wrong[i], &decision),
            weir_check(weir, limit, request.key, 0, wrong[i], &decision),
            weir_peek(weir, limit, request.key, 1, wrong[i], &decision),
            weir_refund(weir, limit, request.key, 1, wrong[i], &decision),
            weir_check_all(weir, &request, 1, wrong[i], &decision, &number),
            weir_check_batch(weir, &request, 1, wrong[i], &decision, NULL),
            weir_stats(weir, wrong[i], &stats),
        };
        for (size_t k = 0; k < sizeof(refused) / sizeof(refused[0]); k++) {
            assert_int_equal(refused[k], WEIR_ERR_TIME);
        }
    }
    must_be_untouched(&decision);
    assert_int_equal(number, 7);
    assert_int_equal(stats.used, 99);
    assert_true(fixture_check(weir, limit, "first", 1, 0).allowed);
    assert_false(fixture_check(weir, limit, "first", 1, 0).allowed);
    assert_true(fixture_check(weir, limit, "last", 1, WEIR_TIME_MAX).allowed);
    assert_false(fixture_check(weir, limit, "last", 1, WEIR_TIME_MAX).allowed);
    weir_limit_free(limit);
}

static void a_time_out_of_range_is_refused_by_every_call(void **state)
{
    (void)state;
    on_both(times_out_of_range);
}

static void the_clock_is_read_where_no_time_is_given(void **state)
{
    (void)state;
    struct weir *weir = fixture_open("memory:?size=8KiB");
    struct weir_limit *limit = fixture_limit("1/d");
    const int64_t before_us = (int64_t)time(NULL) * SECOND_US;
    assert_true(fixture_check(weir, limit, "key", 1, WEIR_CLOCK).allowed);
    /* As of the clock before it was asked, the key is used up for more than a day, within a minute.
     */
    const struct weir_decision seen = fixture_peek(weir, limit, "key", 1, before_us);
    assert_false(seen.allowed);
    assert_in_range(seen.reset_after_us, 86400 * SECOND_US - 60 * SECOND_US,
                    86400 * SECOND_US + 60 * SECOND_US);
    weir_limit_free(limit);
    weir_close(weir);
}

static void a_file_can_hold_no_sliding_log(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    struct weir *weir = fixture_open(fixture_url(&folder, "table", "size=8KiB"));
    struct weir_limit *limit = fixture_limit("5/m sliding-log");
    struct weir_limit *blocking = fixture_limit("5/m sliding-log block 1h");
    struct weir_decision decision;
    memset(&decision, 0xa5, sizeof(decision));
    const struct weir_request requests[] = {{limit, weir_text("key"), 1}};
    const enum weir_status refused[] = {
        weir_check(weir, limit, weir_text("key"), 1, FIXTURE_NOW, &decision),
        weir_check(weir, blocking, weir_text("key"), 1, FIXTURE_NOW, &decision),
        weir_check(weir, limit, weir_text("key"), 2, FIXTURE_NOW, &decision),
        weir_peek(weir, limit, weir_text("key"), 1, FIXTURE_NOW, &decision),
        weir_refund(weir, limit, weir_text("key"), 1, FIXTURE_NOW, &decision),
        weir_reset(weir, limit, weir_text("key")),
        weir_acquire(weir, limit, weir_text("key"), 1, 0, &decision),
        weir_check_all(weir, requests, 1, FIXTURE_NOW, &decision, NULL),
        weir_check_batch(weir, requests, 1, FIXTURE_NOW, &decision, NULL),
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(refused[i], WEIR_ERR_UNSUPPORTED);
    }
    must_be_untouched(&decision);
    weir_limit_free(limit);
    weir_limit_free(blocking);
    weir_close(weir);
    fixture_folder_remove(&folder);
}

/* ---- Stats ---- */

static void stats_count_what_is_there(void **state)
{
    (void)state;
    struct weir *weir = fixture_open("memory:?size=8KiB&log=64KiB");
    struct weir_limit *limit = fixture_limit("1/m");
    struct weir_stats stats = {.size = sizeof(stats)};
    assert_int_equal(weir_stats(weir, FIXTURE_NOW, &stats), WEIR_OK);
    assert_int_equal(stats.slots, 512);
    assert_int_equal(stats.bytes, 512 * 16 + 2048);
    assert_int_equal(stats.used, 0);
    assert_true(stats.log_bytes > 0 && stats.log_bytes <= 65536);
    (void)fixture_check(weir, limit, "a", 1, FIXTURE_NOW);
    (void)fixture_check(weir, limit, "b", 1, FIXTURE_NOW + 30 * SECOND_US);
    assert_int_equal(weir_stats(weir, FIXTURE_NOW + 60 * SECOND_US, &stats), WEIR_OK);
    assert_int_equal(stats.used, 2);
    assert_int_equal(stats.live, 1);
    assert_int_equal(weir_reset(weir, limit, weir_text("a")), WEIR_OK);
    assert_int_equal(weir_stats(weir, WEIR_CLOCK, &stats), WEIR_OK);
    assert_int_equal(stats.used, 1);
    assert_int_equal(stats.size, sizeof(stats));
    weir_limit_free(limit);
    weir_close(weir);
}

/* A program built with an older or a newer header gives another size. */
static void stats_fill_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    struct weir *weir = fixture_open("memory:?size=8KiB");
    struct weir_stats stats;
    memset(&stats, 0xa5, sizeof(stats));
    const uint64_t pattern = stats.used;
    stats.size = offsetof(struct weir_stats, used);
    assert_int_equal(weir_stats(weir, FIXTURE_NOW, &stats), WEIR_OK);
    assert_int_equal(stats.slots, 512);
    assert_int_equal(stats.used, pattern);
    assert_int_equal(stats.size, offsetof(struct weir_stats, used));
    struct {
        struct weir_stats stats;
        uint64_t more;
    } newer = {{.size = sizeof(newer)}, 77};
    assert_int_equal(weir_stats(weir, FIXTURE_NOW, &newer.stats), WEIR_OK);
    assert_int_equal(newer.more, 77);
    assert_int_equal(newer.stats.size, sizeof(stats));
    for (stats.size = 0; stats.size < sizeof(stats.size); stats.size++) {
        const size_t size = stats.size;
        assert_int_equal(weir_stats(weir, FIXTURE_NOW, &stats), WEIR_ERR_ARGUMENT);
        assert_int_equal(stats.size, size);
    }
    weir_close(weir);
}

static void closing_nothing_is_fine(void **state)
{
    (void)state;
    weir_close(NULL);
    weir_limit_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_counts_down_and_then_denies),
        cmocka_unit_test(a_peek_writes_nothing_and_starts_no_block),
        cmocka_unit_test(a_refund_gives_back_and_never_more_than_full),
        cmocka_unit_test(a_reset_forgets_the_key_and_its_block),
        cmocka_unit_test(a_block_runs_its_course_and_is_not_prolonged),
        cmocka_unit_test(a_cost_that_can_never_fit_takes_nothing_and_starts_no_block),
        cmocka_unit_test(limits_of_other_names_algorithms_and_periods_are_other_budgets),
        cmocka_unit_test(a_key_is_any_bytes_up_to_the_longest),
        cmocka_unit_test(a_time_out_of_range_is_refused_by_every_call),
        cmocka_unit_test(the_clock_is_read_where_no_time_is_given),
        cmocka_unit_test(a_file_can_hold_no_sliding_log),
        cmocka_unit_test(stats_count_what_is_there),
        cmocka_unit_test(stats_fill_no_more_than_there_is_room_for),
        cmocka_unit_test(closing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
