/* zone_test.c - calendar windows: against Python's zoneinfo, and as a partition of all time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "algo/civil.h"
#include "algo/zone.h"
#include "base/alloc.h"
#include "policy/zone_load.h"
#include "support/random.h"

#include <stdio.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define VECTORS "test/vectors/zones.txt"
#define ZONE_DIRECTORY "test/vectors/zoneinfo"

static const struct weir_zone *load(const char *name)
{
    const struct weir_zone *zone = NULL;
    struct weir_error error;
    if (weir_zone_load(ZONE_DIRECTORY, name, weir_allocator_or_default(NULL), &zone, &error) !=
        WEIR_OK) {
        fail_msg("%s", error.message);
    }
    return zone;
}

static void release(const struct weir_zone *zone)
{
    weir_zone_free(zone, weir_allocator_or_default(NULL));
}

struct window {
    int64_t start_us;
    int64_t end_us;
};

static struct window window_of(const struct weir_zone *zone, enum weir_calendar calendar,
                               int64_t now_us)
{
    struct window window;
    weir_zone_window(zone, calendar, now_us, &window.start_us, &window.end_us);
    return window;
}

static void expect_window(const struct weir_zone *zone, enum weir_calendar calendar, int64_t now_us,
                          struct window expected, const char *line)
{
    if (now_us > WEIR_TIME_MAX) {
        return;
    }
    const struct window got = window_of(zone, calendar, now_us);
    if (got.start_us != expected.start_us || got.end_us != expected.end_us) {
        fail_msg("calendar %d: got %lld to %lld for: %s", (int)calendar, (long long)got.start_us,
                 (long long)got.end_us, line);
    }
}

/* One line of the vectors. The window of a second is that of its first and its last microsecond. */
static void check_line(const struct weir_zone *zone, const char *line, int64_t now,
                       const char *numbers)
{
    for (int i = WEIR_CALENDAR_MINUTE; i <= WEIR_CALENDAR_YEAR; i++) {
        long long since;
        long long until;
        int used = 0;
        if (sscanf(numbers, " %lld %lld%n", &since, &until, &used) != 2) {
            fail_msg("not a vector: %s", line);
        }
        numbers += used;
        const enum weir_calendar calendar = (enum weir_calendar)i;
        const struct window window = {(now - since) * SECOND_US, (now + until) * SECOND_US};
        expect_window(zone, calendar, now * SECOND_US, window, line);
        expect_window(zone, calendar, now * SECOND_US + SECOND_US - 1, window, line);
    }
}

/* Every window that Python's zoneinfo finds by asking second after second is ours. The zones have
 * summer times of an hour, half an hour and two hours, clocks set at midnight and at a minute past,
 * a skipped day, offsets with seconds, and rules that go on past their files. */
static void windows_are_those_of_zoneinfo(void **state)
{
    (void)state;
    FILE *file = fopen(VECTORS, "r");
    assert_non_null(file);
    char line[512];
    char loaded[64] = "";
    const struct weir_zone *zone = NULL;
    size_t lines = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        char name[64];
        long long now;
        int used = 0;
        if (line[0] == '#') {
            continue;
        }
        if (sscanf(line, "%63s %lld%n", name, &now, &used) != 2) {
            fail_msg("not a vector: %s", line);
        }
        if (strcmp(name, loaded) != 0) {
            release(zone);
            zone = load(name);
            memcpy(loaded, name, sizeof(loaded));
        }
        check_line(zone, line, now, line + used);
        if (strcmp(name, "UTC") == 0) {
            check_line(NULL, line, now, line + used);
        }
        lines++;
    }
    release(zone);
    (void)fclose(file);
    assert_true(lines > 1000);
}

/* The window of `now` holds it, is that of each of its times, and the next one starts where it
 * ends. */
static void check_partition(const struct weir_zone *zone, struct random *random, int64_t now_us)
{
    for (int i = WEIR_CALENDAR_MINUTE; i <= WEIR_CALENDAR_YEAR; i++) {
        const enum weir_calendar calendar = (enum weir_calendar)i;
        const struct window window = window_of(zone, calendar, now_us);
        assert_true(window.start_us <= now_us);
        assert_true(now_us < window.end_us);
        const int64_t first_us = window.start_us > 0 ? window.start_us : 0;
        int64_t last_us = window.end_us - 1;
        if (last_us > WEIR_TIME_MAX) {
            last_us = WEIR_TIME_MAX;
        }
        const int64_t others[] = {first_us, last_us, random_between(random, first_us, last_us)};
        for (size_t k = 0; k < 3; k++) {
            const struct window same = window_of(zone, calendar, others[k]);
            assert_int_equal(same.start_us, window.start_us);
            assert_int_equal(same.end_us, window.end_us);
        }
        if (window.end_us <= WEIR_TIME_MAX) {
            const struct window next = window_of(zone, calendar, window.end_us);
            assert_int_equal(next.start_us, window.end_us);
        }
    }
}

/* Whatever a zone's clocks do, also clocks that no country has, the windows of each calendar leave
 * no gap, never overlap and are never empty. */
static void windows_cut_time_without_gap_or_overlap(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(1));
    const size_t rounds = random_rounds(20000);
    for (size_t round = 0; round < rounds; round++) {
        int64_t starts[24] = {INT64_MIN};
        int32_t offsets[24];
        const size_t count = 1 + random_below(&random, 24);
        const int64_t around = random_between(&random, 0, WEIR_TIME_MAX / SECOND_US);
        int64_t last = around - 200000;
        for (size_t i = 0; i < count; i++) {
            if (i > 0) {
                last += (int64_t)random_wide(&random, 100000);
                starts[i] = last;
            }
            offsets[i] =
                (int32_t)random_between(&random, -WEIR_ZONE_OFFSET_MAX, WEIR_ZONE_OFFSET_MAX);
            if (!random_once_in(&random, 3)) {
                offsets[i] = offsets[i] / 1800 * 1800;
            }
        }
        const struct weir_zone zone = {count, starts, offsets, 0};
        int64_t now_us = around * SECOND_US + random_between(&random, -SECOND_US, SECOND_US);
        now_us = now_us < 0 ? 0 : now_us > WEIR_TIME_MAX ? WEIR_TIME_MAX : now_us;
        check_partition(&zone, &random, now_us);
    }
}

/* A date is a date again: each day from 1960 to 2120 is one more than the last, by counting. */
static void dates_are_those_of_counting(void **state)
{
    (void)state;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = -3653; /* 1960-01-01, a Friday: ten years with three leap days before 1970 */
    int weekday = 4;
    for (int64_t year = 1960; year < 2120; year++) {
        const bool leap = year % 4 == 0 && year != 2100;
        assert_int_equal(weir_civil_year_start(year), day);
        for (int month = 1; month <= 12; month++) {
            assert_int_equal(weir_civil_year_start(year) + weir_civil_month_start(year, month),
                             day);
            const int length = lengths[month - 1] + (month == 2 && leap ? 1 : 0);
            for (int i = 0; i < length; i++, day++) {
                assert_int_equal(weir_civil_year_of(day), year);
                assert_int_equal(weir_civil_month_of(year, day), month);
                assert_int_equal(weir_civil_weekday(day), weekday);
                weekday = (weekday + 1) % 7;
            }
        }
    }
}

/* The first and the last time there are have windows, in the zones furthest from UTC too. */
static void the_ends_of_time_have_windows(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(2));
    const int64_t starts[] = {INT64_MIN};
    for (int32_t side = -1; side <= 1; side++) {
        const int32_t offsets[] = {side * WEIR_ZONE_OFFSET_MAX};
        const struct weir_zone zone = {1, starts, offsets, 0};
        check_partition(&zone, &random, 0);
        check_partition(&zone, &random, WEIR_TIME_MAX);
    }
    const struct window year = window_of(NULL, WEIR_CALENDAR_YEAR, WEIR_TIME_MAX);
    assert_int_equal(year.end_us, INT64_C(4512672000) * SECOND_US); /* 2113-01-01 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_those_of_zoneinfo),
        cmocka_unit_test(windows_cut_time_without_gap_or_overlap),
        cmocka_unit_test(dates_are_those_of_counting),
        cmocka_unit_test(the_ends_of_time_have_windows),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
