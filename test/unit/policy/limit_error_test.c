/* limit_error_test.c - limits that can't be had: each is refused at its place, with what to write
 * instead. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random.h"
#include "unit/policy/limit_support.h"

#include <stdio.h>

static const struct weir_limit_options options = {.size = sizeof(options),
                                                  .zone_directory = ZONE_DIRECTORY};

/* `at` is marked below the text with '^', as a program would show it; spaces before it are the
 * offset. */
static const struct {
    const char *text;
    const char *at;
    const char *piece;
} refusals[] = {
    /* The rate. */
    {"", "", "empty: write COUNT/PERIOD"},
    {" \t", "  ", "empty: write COUNT/PERIOD"},
    {"100", "^^^", "'100' lacks its period: write 100/s"},
    {"100 / m", "^^^", "without blanks"},
    {"100/ m", "^^^^", "the period after '/' is missing"},
    {"100/", "^^^^", "the period after '/' is missing"},
    {"/m", "^^", "the count before '/' is missing"},
    {" /", " ^", "the count before '/' is missing"},
    {"many", "^^^^", "starts with COUNT/PERIOD, as 100/m, not with 'many'"},
    {"burst 50 20/s", "^^^^^", "starts with COUNT/PERIOD, as 100/m, not with 'burst'"},
    {"0/s", "^", "a count of 0 admits nothing: write 1 or more"},
    {"-5/s", "^^", "can't be negative: write 1 or more"},
    {"+5/s", "^^", "write decimal digits alone"},
    {"1k/s", "^^", "'1k' is no count: write decimal digits alone"},
    {"1_000/s", "^^^^^", "write decimal digits alone"},
    {"1e3/s", "^^^", "write decimal digits alone"},
    {"1.5/s", "^^^", "write decimal digits alone"},
    {"0x10/s", "^^^^", "write decimal digits alone"},
    {"4294967296/s", "^^^^^^^^^^", "too large: write at most 4294967295"},
    {"18446744073709551616/s", "^^^^^^^^^^^^^^^^^^^^", "too large: write at most 4294967295"},
    {"99999999999999999999999999/s", "^^^^^^^^^^^^^^^^^^^^^^^^^^", "write at most 4294967295"},
    /* The period. */
    {"5/10", "  ^^", "'10' lacks its unit: write 10s, 10m or 10h"},
    {"5/1h30", "    ^^", "'30' lacks its unit"},
    {"5/0s", "  ^^", "a duration of 0 is none: write 1us or more"},
    {"5/0h0m", "  ^^^^", "a duration of 0 is none"},
    {"5/-1s", "  ^^^", "a duration has no sign"},
    {"5/+1s", "  ^^^", "a duration has no sign"},
    {"5/1.5h", "   ^", "whole numbers alone: write 1h30m"},
    {"5/1,5h", "   ^", "whole numbers alone: write 1h30m"},
    {"5/18446744073709551616us", "  ^^^^^^^^^^^^^^^^^^^^^^", "too long: write at most 366d"},
    {"5/h30m", "  ^", "need a number each: write 1h30m"},
    {"5/30m1h", "     ^^", "largest unit first and each once"},
    {"5/1h1h", "    ^^", "largest unit first and each once"},
    {"5/1h1hour", "    ^^^^^", "largest unit first and each once"},
    {"5/1year1month", "       ^^^^^^", "largest unit first and each once"},
    {"5/fortnight", "  ^^^^^^^^^", "write us, ms, s, m (minute), h, d or w"},
    {"5/minuet", "  ^^^^^^", "did you mean 'minute'?"},
    {"5/mins", "  ^^^^", "did you mean 'min'?"},
    {"5/10secnods", "    ^^^^^^^", "did you mean 'seconds'?"},
    {"5/2hrs", "   ^^^", "write us, ms, s"},
    {"5/mon", "  ^^^", "did you mean 'month'?"},
    {"5/M", "  ^", "units are written in lower case: 'm'"},
    {"5/10Seconds", "    ^^^^^^^", "units are written in lower case: 'seconds'"},
    {"5/\xc2\xb5s", "  ^^^", "'??s' is no unit of time"},
    {"5/m/h", "  ^^^", "'m/h' is no unit of time"},
    {"5/367d", "  ^^^^", "too long: write at most 366d"},
    {"5/366d1us", "  ^^^^^^^", "too long: write at most 366d"},
    {"5/9223372036854775807us", "  ^^^^^^^^^^^^^^^^^^^^^", "too long: write at most 366d"},
    {"5/99999999999999999999w", "  ^^^^^^^^^^^^^^^^^^^^^", "too long: write at most 366d"},
    {"5/9223372036854w9223372036854d", "  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^", "too long"},
    {"5/month", "  ^^^^^", "a month has no fixed length: write 30d, or add calendar-window"},
    {"5/2month fixed-window", "  ^^^^^^", "a month has no fixed length: write 30d"},
    {"5/1month3d", "  ^^^^^^^^", "a month has no fixed length"},
    {"5/year", "  ^^^^", "a year has no fixed length: write 365d, or add calendar-window"},
    /* The words behind it. */
    {"5/s Fixed-Window", "    ^^^^^^^^^^^^", "in lower case and with hyphens: 'fixed-window'"},
    {"5/s sliding_log", "    ^^^^^^^^^^^", "in lower case and with hyphens: 'sliding-log'"},
    {"5/s BURST 3", "    ^^^^^", "in lower case and with hyphens: 'burst'"},
    {"5/s slidng-log", "    ^^^^^^^^^^", "did you mean 'sliding-log'?"},
    {"5/s fixed", "    ^^^^^", "did you mean 'fixed-window'?"},
    {"5/s tokenbucket", "    ^^^^^^^^^^^", "did you mean 'token-bucket'?"},
    {"5/s burts 3", "    ^^^^^", "did you mean 'burst'?"},
    {"5/s quickly", "    ^^^^^^^", "write token-bucket, leaky-bucket, fixed-window"},
    {"5/s 10/m", "    ^^^^", "a limit has one rate"},
    {"5/s fixed-window Europe/Rome", "                 ^^^^^^^^^^^",
     "right behind calendar-window"},
    {"5/s sliding-log fixed-window", "                ^^^^^^^^^^^^",
     "one algorithm: leave one out"},
    {"5/s sliding-log sliding-log", "                ^^^^^^^^^^^", "one algorithm: leave one out"},
    {"5/s\n", "  ^^", "'s?' is no unit of time"},
    /* burst. */
    {"5/s burst", "    ^^^^^", "burst lacks its count"},
    {"5/s burst 3 burst 3", "            ^^^^^", "burst is there twice"},
    {"5/s burst 0", "          ^", "a burst of 0 admits nothing"},
    {"5/s burst -1", "          ^^", "can't be negative"},
    {"5/s burst block 3s", "          ^^^^^", "'block' is no count"},
    {"5/s burst 4294967296", "          ^^^^^^^^^^", "too large: write at most 4294967295"},
    {"5/s burst 99999999999999999999", "          ^^^^^^^^^^^^^^^^^^^^",
     "write at most 4294967295"},
    {"1/d burst 367", "          ^^^", "would take over 366 days to come back: write at most 366"},
    {"3/d burst 1099", "          ^^^^", "write at most 1098"},
    {"5/s fixed-window burst 5", "                       ^",
     "only token-bucket and leaky-bucket have"},
    {"5/s burst 9 sliding-window", "          ^", "sliding-window has no burst"},
    {"5/s sliding-log burst 9", "                      ^", "sliding-log has no burst"},
    {"5/d calendar-window burst 9", "                          ^", "calendar-window has no burst"},
    /* block. */
    {"5/s block", "    ^^^^^", "block lacks its duration"},
    {"5/s block 3s block 3s", "             ^^^^^", "block is there twice"},
    {"5/s block 0s", "          ^^", "a duration of 0 is none"},
    {"5/s block 15", "          ^^", "'15' lacks its unit"},
    {"5/s block -3s", "          ^^^", "a duration has no sign"},
    {"5/s block 367d", "          ^^^^", "the block is too long: write at most 366d"},
    {"5/s block 1month", "          ^^^^^^", "a month has no fixed length: write 30d"},
    {"5/s block 1x", "           ^", "'x' is no unit of time"},
    /* What an algorithm can't hold. */
    {"10001/s sliding-log", "^^^^^", "counts to 10000 at most: use token-bucket or sliding-window"},
    {"2097152/s sliding-window", "^^^^^^^", "at most: use token-bucket or fixed-window"},
    {"5/1999us sliding-window", "  ^^^^^^", "2ms or more: use token-bucket or fixed-window"},
    /* Calendars and zones. */
    {"5/10m calendar-window", "  ^^^", "exactly one m, h, d, w, month or year, not '10m'"},
    {"5/60s calendar-window", "  ^^^",
     "write one of those, fixed-window, or calendar-window epoch"},
    {"5/s calendar-window", "  ^", "fixed-window, or calendar-window epoch"},
    {"5/24h calendar-window", "  ^^^", "not '24h'"},
    {"5/1d0h calendar-window", "  ^^^^", "not '1d0h'"},
    {"5/2month calendar-window", "  ^^^^^^", "not '2month'"},
    {"5/d calendar-window Europe/Roma", "                    ^^^^^^^^^^^",
     "no time zone 'Europe/Roma' in test/vectors/zoneinfo: write a name as Europe/Rome, or install "
     "tzdata"},
    {"5/d calendar-window Europe", "                    ^^^^^^", "no time zone 'Europe'"},
    {"5/d calendar-window Europe/Rome/X", "                    ^^^^^^^^^^^^^", "no time zone"},
    {"5/d calendar-window utc", "                    ^^^", "no time zone 'utc'"},
    {"5/d calendar-window ../UTC", "                    ^^^^^^", "'../UTC' is no name"},
    {"5/d calendar-window /UTC", "                    ^^^^", "'/UTC' is no name"},
    {"5/d calendar-window Europe//Rome", "                    ^^^^^^^^^^^^", "is no name"},
    {"5/d calendar-window Europe/", "                    ^^^^^^^", "is no name"},
    {"5/d calendar-window ./UTC", "                    ^^^^^", "is no name"},
    {"5/d calendar-window Etc/UT\xc7", "                    ^^^^^^^", "'Etc/UT?' is no name"},
    {"5/d calendar-window a234567890123456789012345678901234567890123456789012345678901234",
     "                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
     "at most 63 bytes"},
    {"5/d calendar-window a23456789012345678901234567890123456789012345678901234567890123",
     "                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
     "no time zone 'a23456789012345678901234567890123456789012345678901234567890123' in"},
    {"5/d calendar-window UTC Europe/Rome", "                        ^^^^^^^^^^^", "one rate"},
    {"5/d calendar-window Block 3s", "                    ^^^^^", "in lower case"},
    /* Windows from the epoch on. */
    {"5/month calendar-window epoch", "  ^^^^^",
     "a month has no fixed length: write 30d, or leave out epoch"},
    {"5/year epoch calendar-window", "       ^^^^^",
     "epoch is not expected here: it comes right behind calendar-window"},
    {"5/s epoch", "    ^^^^^", "right behind calendar-window"},
    {"5/s fixed-window epoch", "                 ^^^^^", "right behind calendar-window"},
    {"5/d calendar-window block 3s epoch", "                             ^^^^^",
     "right behind calendar-window"},
    {"5/d calendar-window UTC epoch", "                        ^^^^^",
     "right behind calendar-window"},
    {"5/d calendar-window epoch epoch", "                          ^^^^^",
     "right behind calendar-window"},
    {"5/d calendar-window epoch Europe/Rome", "                          ^^^^^^^^^^^",
     "'Europe/Rome' is not expected here"},
    {"5/d calendar-window Epoch", "                    ^^^^^",
     "in lower case and with hyphens: 'epoch'"},
    {"5/s fixed-window epcoh", "                 ^^^^^", "did you mean 'epoch'?"},
    {"5/367d calendar-window epoch", "  ^^^^", "too long: write at most 366d"},
    {"5/0s calendar-window epoch", "  ^^", "a duration of 0 is none"},
    {"5/m calendar-window epoch burst 9", "                                ^",
     "calendar-window has no burst"},
};

static void every_refusal_has_its_place_and_a_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct weir_limit *limit = NULL;
        struct weir_error error = {.offset = 4711, .length = 4711};
        const enum weir_status status =
            weir_limit_parse(weir_text(refusals[i].text), &options, &limit, &error);
        const size_t offset = strspn(refusals[i].at, " ");
        const size_t length = strlen(refusals[i].at) - offset;
        if (status != WEIR_ERR_LIMIT || error.offset != offset || error.length != length ||
            strstr(error.message, refusals[i].piece) == NULL) {
            fail_msg("'%s': status %d at %zu+%zu: %s", refusals[i].text, (int)status, error.offset,
                     error.length, status == WEIR_OK ? "accepted" : error.message);
        }
        assert_null(limit);
        assert_int_equal(weir_limit_parse(weir_text(refusals[i].text), &options, &limit, NULL),
                         WEIR_ERR_LIMIT);
        assert_null(limit);
    }
}

static const struct {
    struct weir_limit_spec spec;
    const char *piece;
} spec_refusals[] = {
    {{.count = 0, .period_us = 1}, "a count of 0"},
    {{.count = UINT64_MAX, .period_us = 1}, "write at most 4294967295"},
    {{.count = 1, .period_us = 0}, "the period is 0 or less"},
    {{.count = 1, .period_us = INT64_MIN}, "the period is 0 or less"},
    {{.count = 1, .period_us = WEIR_PERIOD_MAX + 1}, "the period is too long"},
    {{.count = 1, .period_us = 1, .block_us = -1}, "the block is negative"},
    {{.count = 1, .period_us = 1, .block_us = WEIR_PERIOD_MAX + 1}, "the block is too long"},
    {{.count = 1, .period_us = 1, .burst = UINT64_MAX}, "the burst is too large"},
    {{.count = 1, .period_us = WEIR_PERIOD_MAX, .burst = 2}, "write at most 1"},
    {{.count = 1, .period_us = 1, .calendar = WEIR_CALENDAR_DAY}, "has a period and no calendar"},
    {{.count = 1, .period_us = 1, .zone = "UTC"}, "token-bucket has no time zone"},
    {{.algorithm = (enum weir_algorithm)6, .count = 1, .period_us = 1}, "6 is the number of no"},
    {{.algorithm = (enum weir_algorithm) - 1, .count = 1, .period_us = 1},
     "-1 is the number of no"},
    {{.algorithm = WEIR_FIXED_WINDOW, .count = 1, .period_us = 1, .burst = 1}, "has no burst"},
    {{.algorithm = WEIR_SLIDING_LOG, .count = 10001, .period_us = 1}, "10000 at most"},
    {{.algorithm = WEIR_SLIDING_WINDOW, .count = 2097152, .period_us = 5000}, "2097151 at most"},
    {{.algorithm = WEIR_SLIDING_WINDOW, .count = 1, .period_us = 1999}, "2ms or more"},
    {{.algorithm = WEIR_CALENDAR_WINDOW, .count = 1}, "needs a minute, hour, day"},
    {{.algorithm = WEIR_CALENDAR_WINDOW, .count = 1, .calendar = (enum weir_calendar)8},
     "needs a minute, hour, day"},
    {{.algorithm = WEIR_CALENDAR_WINDOW, .count = 1, .calendar = (enum weir_calendar) - 1},
     "needs a minute, hour, day"},
    {{.algorithm = WEIR_CALENDAR_WINDOW, .count = 1, .calendar = WEIR_CALENDAR_EPOCH},
     "the period is 0 or less: write 1us or more"},
    {{.algorithm = WEIR_CALENDAR_WINDOW,
      .count = 1,
      .calendar = WEIR_CALENDAR_EPOCH,
      .period_us = WEIR_PERIOD_MAX + 1},
     "too long: write at most 366d"},
    {{.algorithm = WEIR_CALENDAR_WINDOW,
      .count = 1,
      .calendar = WEIR_CALENDAR_EPOCH,
      .period_us = 1,
      .zone = "UTC"},
     "windows from the epoch on have no time zone"},
    {{.algorithm = WEIR_FIXED_WINDOW, .count = 1, .calendar = WEIR_CALENDAR_EPOCH, .period_us = 1},
     "has a period and no calendar"},
    {{.algorithm = WEIR_CALENDAR_WINDOW, .count = 1, .calendar = WEIR_CALENDAR_DAY, .period_us = 1},
     "leave period_us at 0"},
    {{.algorithm = WEIR_CALENDAR_WINDOW,
      .count = 1,
      .calendar = WEIR_CALENDAR_DAY,
      .zone = "Nowhere"},
     "no time zone 'Nowhere'"},
};

static void numbers_are_refused_as_texts_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(spec_refusals) / sizeof(spec_refusals[0]); i++) {
        struct weir_limit *limit = NULL;
        struct weir_error error = {.offset = 4711, .length = 4711};
        const enum weir_status status =
            weir_limit_new(&spec_refusals[i].spec, &options, &limit, &error);
        if (status != WEIR_ERR_LIMIT || strstr(error.message, spec_refusals[i].piece) == NULL) {
            fail_msg("row %zu: status %d: %s", i, (int)status, error.message);
        }
        assert_int_equal(error.offset, 0);
        assert_int_equal(error.length, 0);
        assert_null(limit);
    }
    struct weir_limit_spec endless = {
        .algorithm = WEIR_CALENDAR_WINDOW, .calendar = WEIR_CALENDAR_DAY, .count = 1};
    memset(endless.zone, 'a', sizeof(endless.zone));
    struct weir_limit *limit = NULL;
    assert_int_equal(weir_limit_new(&endless, &options, &limit, NULL), WEIR_ERR_LIMIT);
    assert_null(limit);
}

/* A NUL ends nothing: it is a byte like others, that no word has. */
static void a_nul_is_a_byte(void **state)
{
    (void)state;
    static const struct {
        struct weir_bytes text;
        size_t offset;
    } rows[] = {
        {{"5/s\0", 4}, 2},
        {{"5\0/s", 4}, 0},
        {{"5/s \0", 5}, 4},
        {{"5/d calendar-window UTC\0", 24}, 20},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_limit *limit = NULL;
        struct weir_error error = {0};
        assert_int_equal(weir_limit_parse(rows[i].text, &options, &limit, &error), WEIR_ERR_LIMIT);
        assert_int_equal(error.offset, rows[i].offset);
        assert_null(limit);
    }
}

/* A word of any length is refused in a message of its own length, without what does not print. */
static void a_message_is_bounded_and_prints(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof(text));
    memcpy(text, "5/s ", 4);
    text[5] = '\x1b';
    struct weir_limit *limit = NULL;
    struct weir_error error;
    assert_int_equal(weir_limit_parse(weir_bytes(text, sizeof(text)), &options, &limit, &error),
                     WEIR_ERR_LIMIT);
    assert_int_equal(error.offset, 4);
    assert_int_equal(error.length, sizeof(text) - 4);
    assert_non_null(strstr(error.message, "'x?xxx"));
    assert_non_null(strstr(error.message, "xxx...'"));
    assert_non_null(memchr(error.message, '\0', sizeof(error.message)));
}

/* A valid text that is damaged in one place is a limit or is refused, never half of either; and a
 * refusal's place lies within the text. */
static void damaged_texts_are_read_or_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "100/m",
        "20/1h30m leaky-bucket burst 50 block 15m",
        "10000/month calendar-window Europe/Rome block 1d",
    };
    static const char bytes[] = " \t/0159-smhdwxX\n\0calendar";
    struct random random = random_from(random_seed(21));
    const size_t rounds = random_rounds(200000);
    size_t read = 0;
    for (size_t round = 0; round < rounds; round++) {
        char text[64];
        const char *source = texts[random_below(&random, 3)];
        size_t length = strlen(source);
        memcpy(text, source, length);
        const size_t at = random_below(&random, length);
        if (random_once_in(&random, 3)) {
            memmove(text + at, text + at + 1, length - at - 1);
            length--;
        } else {
            text[at] = bytes[random_below(&random, sizeof(bytes) - 1)];
        }
        struct weir_limit *limit = NULL;
        struct weir_error error = {0};
        const enum weir_status status =
            weir_limit_parse(weir_bytes(text, length), &options, &limit, &error);
        if (status == WEIR_OK) {
            weir_limit_free(limit);
            read++;
            continue;
        }
        assert_int_equal(status, WEIR_ERR_LIMIT);
        assert_null(limit);
        assert_true(error.offset <= length && error.length <= length - error.offset);
        assert_true(strlen(error.message) > 10);
    }
    assert_true(read > 0 && read < rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_has_its_place_and_a_remedy),
        cmocka_unit_test(numbers_are_refused_as_texts_are),
        cmocka_unit_test(a_nul_is_a_byte),
        cmocka_unit_test(a_message_is_bounded_and_prints),
        cmocka_unit_test(damaged_texts_are_read_or_refused),
    };
    return cmocka_run_group_tests_name("limit errors", tests, NULL, NULL);
}
