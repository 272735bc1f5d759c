/* limit_test.c - limits that can be had: their texts, their numbers, and what is prepared for
 * deciding. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "algo/algo.h"
#include "base/checked.h"
#include "policy/limit.h"
#include "support/random.h"
#include "unit/policy/limit_support.h"

#include <inttypes.h>
#include <stdio.h>

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)

static struct weir_limit *parse(const char *text)
{
    const struct weir_limit_options options = {.size = sizeof(options),
                                               .zone_directory = ZONE_DIRECTORY};
    struct weir_limit *limit = NULL;
    struct weir_error error = {0};
    if (weir_limit_parse(weir_text(text), &options, &limit, &error) != WEIR_OK) {
        fail_msg("'%s': %s", text, error.message);
    }
    return limit;
}

static struct weir_limit *make(const struct weir_limit_spec *spec)
{
    const struct weir_limit_options options = {.size = sizeof(options),
                                               .zone_directory = ZONE_DIRECTORY};
    struct weir_limit *limit = NULL;
    struct weir_error error = {0};
    if (weir_limit_new(spec, &options, &limit, &error) != WEIR_OK) {
        fail_msg("%s", error.message);
    }
    return limit;
}

static void format(const struct weir_limit *limit, char buffer[WEIR_TEXT_MAX])
{
    size_t len = 0;
    assert_int_equal(weir_limit_format(limit, buffer, WEIR_TEXT_MAX, &len), WEIR_OK);
    assert_int_equal(len, strlen(buffer));
}

static const char *const canonical[][2] = {
    /* The examples of the design. */
    {"100/m", "100/m"},
    {"5/10s fixed-window", "5/10s fixed-window"},
    {"20/s burst 50", "20/s burst 50"},
    {"5/15m sliding-log block 15m", "5/15m sliding-log block 15m"},
    {"10000/month calendar-window Europe/Rome", "10000/month calendar-window Europe/Rome"},
    /* Each unit, by each name. */
    {"1/us", "1/us"},
    {"1/ms", "1/ms"},
    {"1/s", "1/s"},
    {"1/sec", "1/s"},
    {"1/second", "1/s"},
    {"1/10seconds", "1/10s"},
    {"1/m", "1/m"},
    {"1/min", "1/m"},
    {"1/minute", "1/m"},
    {"1/2minutes", "1/2m"},
    {"1/h", "1/h"},
    {"1/hour", "1/h"},
    {"1/3hours", "1/3h"},
    {"1/d", "1/d"},
    {"1/day", "1/d"},
    {"1/5days", "1/5d"},
    {"1/w", "1/w"},
    {"1/week", "1/w"},
    {"1/2weeks", "1/2w"},
    /* The largest unit that divides, one left out. */
    {"3/1h30m", "3/90m"},
    {"3/90m", "3/90m"},
    {"3/1w2d3h4m5s6ms7us", "3/788645006007us"},
    {"3/60s", "3/m"},
    {"3/24h", "3/d"},
    {"3/7d", "3/w"},
    {"3/30d", "3/30d"},
    {"3/1000000us", "3/s"},
    {"3/1500ms", "3/1500ms"},
    {"3/1h0m", "3/h"},
    {"3/366d", "3/366d"},
    /* What is left out, and clauses in any order. */
    {"7/s token-bucket", "7/s"},
    {"7/s burst 7", "7/s"},
    {"7/s burst 1", "7/s burst 1"},
    {"7/s leaky-bucket burst 7", "7/s leaky-bucket"},
    {"7/s leaky-bucket burst 9", "7/s leaky-bucket burst 9"},
    {"7/s block 60s burst 9 leaky-bucket", "7/s leaky-bucket burst 9 block 1m"},
    {"7/s burst 9 token-bucket block 1h30m", "7/s burst 9 block 90m"},
    {"7/s block h", "7/s block 1h"},
    {"7/s sliding-window", "7/s sliding-window"},
    {"7/s block 1d sliding-log", "7/s sliding-log block 1d"},
    {" \t 7/s \t  burst   9\t", "7/s burst 9"},
    {"007/010s", "7/10s"},
    /* Calendars. */
    {"7/m calendar-window", "7/m calendar-window"},
    {"7/minute calendar-window UTC", "7/m calendar-window"},
    {"7/h calendar-window", "7/h calendar-window"},
    {"7/1hour calendar-window", "7/h calendar-window"},
    {"7/day calendar-window Asia/Kolkata", "7/d calendar-window Asia/Kolkata"},
    {"7/week calendar-window", "7/w calendar-window"},
    {"7/1month calendar-window", "7/month calendar-window"},
    {"7/year calendar-window America/St_Johns block 2w",
     "7/year calendar-window America/St_Johns block 2w"},
    {"7/d block 1s calendar-window Europe/Rome", "7/d calendar-window Europe/Rome block 1s"},
    {"7/d calendar-window block 1s", "7/d calendar-window block 1s"},
    /* Windows from the epoch on: any period. */
    {"100/m calendar-window epoch", "100/m calendar-window epoch"},
    {"100/1week calendar-window epoch", "100/w calendar-window epoch"},
    {"100/10d calendar-window epoch", "100/10d calendar-window epoch"},
    {"7/1h30m block 1s calendar-window\tepoch", "7/90m calendar-window epoch block 1s"},
    {"7/us calendar-window epoch block 2m", "7/us calendar-window epoch block 2m"},
    {"7/366d calendar-window epoch", "7/366d calendar-window epoch"},
    /* The ends of the ranges. */
    {"4294967295/s", "4294967295/s"},
    {"4294967295/us", "4294967295/us"},
    {"1/s burst 31622400", "1/s burst 31622400"},
    {"4294967295/366d burst 4294967295", "4294967295/366d"},
    {"10000/s sliding-log", "10000/s sliding-log"},
    {"2097151/s sliding-window", "2097151/s sliding-window"},
    {"1/2ms sliding-window", "1/2ms sliding-window"},
    {"1/s block 366d", "1/s block 366d"},
};

static void texts_have_one_canonical_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(canonical) / sizeof(canonical[0]); i++) {
        char text[WEIR_TEXT_MAX];
        char again[WEIR_TEXT_MAX];
        struct weir_limit *limit = parse(canonical[i][0]);
        format(limit, text);
        assert_string_equal(text, canonical[i][1]);
        struct weir_limit *read_back = parse(text);
        format(read_back, again);
        assert_string_equal(again, text);
        struct weir_limit_spec spec;
        struct weir_limit_spec spec_again;
        weir_limit_describe(limit, &spec);
        weir_limit_describe(read_back, &spec_again);
        assert_true(same_spec(&spec, &spec_again));
        weir_limit_free(limit);
        weir_limit_free(read_back);
    }
}

/* The manual page's examples are limits, and canonical ones. */
static void the_examples_of_the_manual_are_canonical(void **state)
{
    (void)state;
    static const char item[] = ".It Li ";
    FILE *file = fopen("man/weir-limit.7", "r");
    assert_non_null(file);
    char line[256];
    bool inside = false;
    size_t examples = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, ".Sh ", 4) == 0) {
            inside = strcmp(line, ".Sh EXAMPLES") == 0;
        }
        if (!inside || strncmp(line, item, strlen(item)) != 0) {
            continue;
        }
        char text[WEIR_TEXT_MAX];
        struct weir_limit *limit = parse(line + strlen(item));
        format(limit, text);
        assert_string_equal(text, line + strlen(item));
        weir_limit_free(limit);
        examples++;
    }
    (void)fclose(file);
    assert_true(examples >= 6);
}

static void texts_mean_their_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct weir_limit_spec spec;
    } rows[] = {
        {"100/m", {.count = 100, .period_us = 60 * SECOND_US, .burst = 100}},
        {"20/s burst 50", {.count = 20, .period_us = SECOND_US, .burst = 50}},
        {"5/10s fixed-window",
         {.algorithm = WEIR_FIXED_WINDOW, .count = 5, .period_us = 10 * SECOND_US}},
        {"5/15m sliding-log block 1h30m",
         {.algorithm = WEIR_SLIDING_LOG,
          .count = 5,
          .period_us = 900 * SECOND_US,
          .block_us = 5400 * SECOND_US}},
        {"5/1ms500us leaky-bucket",
         {.algorithm = WEIR_LEAKY_BUCKET, .count = 5, .period_us = 1500, .burst = 5}},
        {"5/w sliding-window",
         {.algorithm = WEIR_SLIDING_WINDOW, .count = 5, .period_us = 7 * DAY_US}},
        {"5/w calendar-window",
         {.algorithm = WEIR_CALENDAR_WINDOW,
          .calendar = WEIR_CALENDAR_WEEK,
          .count = 5,
          .zone = "UTC"}},
        {"5/month calendar-window Europe/Rome block 1s",
         {.algorithm = WEIR_CALENDAR_WINDOW,
          .calendar = WEIR_CALENDAR_MONTH,
          .count = 5,
          .block_us = SECOND_US,
          .zone = "Europe/Rome"}},
        {"5/90s calendar-window epoch",
         {.algorithm = WEIR_CALENDAR_WINDOW,
          .calendar = WEIR_CALENDAR_EPOCH,
          .count = 5,
          .period_us = 90 * SECOND_US}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_limit *limit = parse(rows[i].text);
        struct weir_limit_spec spec;
        weir_limit_describe(limit, &spec);
        assert_true(same_spec(&spec, &rows[i].spec));
        weir_limit_free(limit);
        limit = make(&rows[i].spec);
        weir_limit_describe(limit, &spec);
        assert_true(same_spec(&spec, &rows[i].spec));
        weir_limit_free(limit);
    }
}

static void algorithms_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"token-bucket",    "leaky-bucket",   "fixed-window",
                                        "calendar-window", "sliding-window", "sliding-log"};
    for (int i = 0; i < WEIR_ALGORITHM_COUNT; i++) {
        assert_string_equal(weir_algorithm_name((enum weir_algorithm)i), names[i]);
    }
    assert_null(weir_algorithm_name((enum weir_algorithm)WEIR_ALGORITHM_COUNT));
    assert_null(weir_algorithm_name((enum weir_algorithm) - 1));
}

static void format_needs_its_room_and_no_more(void **state)
{
    (void)state;
    struct weir_limit *limit = parse("5/15m sliding-log block 15m");
    const size_t length = strlen("5/15m sliding-log block 15m");
    for (size_t size = 0; size <= length; size++) {
        char buffer[64] = "untouched";
        size_t len = 4711;
        assert_int_equal(weir_limit_format(limit, buffer, size, &len), WEIR_ERR_BUFFER);
        assert_string_equal(buffer, "untouched");
        assert_int_equal(len, 4711);
    }
    assert_int_equal(weir_limit_format(limit, NULL, 0, NULL), WEIR_ERR_BUFFER);
    char buffer[64];
    assert_int_equal(weir_limit_format(limit, buffer, length + 1, NULL), WEIR_OK);
    assert_string_equal(buffer, "5/15m sliding-log block 15m");
    weir_limit_free(limit);
}

/* The longest canonical texts, so long as no zone has a longer name. */
static void the_longest_texts_fit(void **state)
{
    (void)state;
    static const char longest[] = "4294967295/31622399999999us leaky-bucket burst 4294967294 "
                                  "block 31622399999999us";
    struct weir_limit *limit = parse(longest);
    char text[WEIR_TEXT_MAX];
    format(limit, text);
    assert_string_equal(text, longest);
    weir_limit_free(limit);
    /* And the calendar's, by sum: count, slash, unit, algorithm, zone, block. */
    assert_true(10 + 1 + strlen("month") + strlen(" calendar-window ") + WEIR_ZONE_MAX +
                    strlen(" block 31622399999999us") + 1 <=
                WEIR_TEXT_MAX);
}

static void limits_are_prepared_for_deciding(void **state)
{
    (void)state;
    struct weir_limit *limit = parse("20/s burst 50 block 3s");
    assert_int_equal(limit->ceiling, 50);
    assert_int_equal(limit->count, 20);
    assert_int_equal(limit->period_us, SECOND_US);
    assert_int_equal(limit->block_us, 3 * SECOND_US);
    assert_int_equal(limit->rate.interval_us, 50000);
    assert_int_equal(limit->rate.depth_us, 2500000);
    assert_null(limit->zone);
    assert_int_equal(limit->name_length, 0);
    weir_limit_free(limit);

    limit = parse("10/d calendar-window");
    assert_int_equal(limit->ceiling, 10);
    assert_int_equal(limit->period_us, 0);
    assert_null(limit->zone);
    assert_string_equal(limit->zone_name, "UTC");
    weir_limit_free(limit);

    limit = parse("10/d calendar-window Europe/Rome");
    assert_non_null(limit->zone);
    assert_string_equal(limit->zone_name, "Europe/Rome");
    weir_limit_free(limit);

    limit = parse("10/90s calendar-window epoch");
    assert_int_equal(limit->period_us, 90 * SECOND_US);
    assert_null(limit->zone);
    assert_string_equal(limit->zone_name, "");
    weir_limit_free(limit);
    weir_limit_free(NULL);
}

static void the_slack_is_a_span_or_a_second(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t slack_us;
    } rows[] = {
        {"100/ms", 1000},
        {"100/ms burst 200", 2000},
        {"100/m", WEIR_CLOCK_SLACK_US},
        {"10/s leaky-bucket burst 5", 500000},
        {"10/5ms fixed-window", 5000},
        {"10/999999us sliding-window", 999999},
        {"10/s sliding-log", WEIR_CLOCK_SLACK_US},
        {"10/2s sliding-log", WEIR_CLOCK_SLACK_US},
        {"10/m calendar-window", WEIR_CLOCK_SLACK_US},
        {"10/m calendar-window epoch", WEIR_CLOCK_SLACK_US},
        {"10/5ms calendar-window epoch", 5000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_limit *limit = parse(rows[i].text);
        assert_int_equal(limit->slack_us, rows[i].slack_us);
        weir_limit_free(limit);
    }
}

static uint64_t salt_of(const char *text, struct weir_bytes name)
{
    const struct weir_limit_options options = {
        .size = sizeof(options), .name = name, .zone_directory = ZONE_DIRECTORY};
    struct weir_limit *limit = NULL;
    assert_int_equal(weir_limit_parse(weir_text(text), &options, &limit, NULL), WEIR_OK);
    const uint64_t salt = limit->salt;
    weir_limit_free(limit);
    return salt;
}

/* What weir.h says of `name`: which limits share a key's state, and which never do. */
static void a_name_or_the_period_says_whose_state_it_is(void **state)
{
    (void)state;
    const struct weir_bytes none = {NULL, 0};
    const struct weir_bytes login = weir_text("login");
    /* Changed, but the same rule. */
    assert_int_equal(salt_of("10/s", none), salt_of("20/s burst 50 block 1m", none));
    assert_int_equal(salt_of("10/s", login), salt_of("100/m burst 3", login));
    assert_int_equal(salt_of("1/d calendar-window", none),
                     salt_of("2/d calendar-window UTC", none));
    assert_int_equal(salt_of("1/24h calendar-window epoch", none),
                     salt_of("2/d calendar-window epoch block 1s", none));
    /* One of each kind that must stay apart. */
    const uint64_t salts[] = {
        salt_of("10/s", none),
        salt_of("10/m", none),
        salt_of("10/s leaky-bucket", none),
        salt_of("10/s fixed-window", none),
        salt_of("10/d fixed-window", none),
        salt_of("10/d calendar-window", none),
        salt_of("10/w calendar-window", none),
        salt_of("10/d calendar-window Europe/Rome", none),
        salt_of("10/d calendar-window epoch", none),
        salt_of("10/s calendar-window epoch", none),
        salt_of("10/s", login),
        salt_of("10/s fixed-window", login),
        salt_of("10/s", weir_text("logout")),
        salt_of("10/s", weir_bytes("login\0", 6)),
        /* The bytes of a period as a name are still a name. */
        salt_of("10/s", weir_bytes("\x40\x42\x0f\0\0\0\0\0", 8)),
        salt_of("10/d calendar-window", weir_bytes("\x03UTC", 4)),
    };
    const size_t count = sizeof(salts) / sizeof(salts[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(salts[i], salts[j]);
        }
    }
}

static void a_name_has_at_most_its_bound(void **state)
{
    (void)state;
    char name[WEIR_NAME_MAX + 1];
    memset(name, 'n', sizeof(name));
    struct weir_limit_options options = {.size = sizeof(options),
                                         .name = weir_bytes(name, WEIR_NAME_MAX)};
    struct weir_limit *limit = NULL;
    assert_int_equal(weir_limit_parse(weir_text("1/s"), &options, &limit, NULL), WEIR_OK);
    assert_int_equal(limit->name_length, WEIR_NAME_MAX);
    assert_memory_equal(limit->name, name, WEIR_NAME_MAX);
    weir_limit_free(limit);

    limit = NULL;
    options.name.len++;
    struct weir_error error = {0};
    const struct weir_limit_spec spec = {.count = 1, .period_us = 1};
    assert_int_equal(weir_limit_parse(weir_text("1/s"), &options, &limit, &error),
                     WEIR_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "129"));
    assert_int_equal(weir_limit_new(&spec, &options, &limit, NULL), WEIR_ERR_ARGUMENT);
    assert_null(limit);
}

static void options_may_be_all_zero_but_not_cut(void **state)
{
    (void)state;
    struct weir_limit_options options = {0};
    struct weir_limit *limit = NULL;
    assert_int_equal(weir_limit_parse(weir_text("1/s"), &options, &limit, NULL), WEIR_OK);
    weir_limit_free(limit);
    /* None at all is the same; and an empty zone is UTC. */
    const struct weir_limit_spec spec = {
        .algorithm = WEIR_CALENDAR_WINDOW, .calendar = WEIR_CALENDAR_DAY, .count = 1};
    struct weir_limit_spec described;
    assert_int_equal(weir_limit_parse(weir_text("1/s"), NULL, &limit, NULL), WEIR_OK);
    weir_limit_free(limit);
    assert_int_equal(weir_limit_new(&spec, NULL, &limit, NULL), WEIR_OK);
    weir_limit_describe(limit, &described);
    assert_string_equal(described.zone, "UTC");
    weir_limit_free(limit);
    limit = NULL;
    options.size = sizeof(options) - 1;
    assert_int_equal(weir_limit_parse(weir_text("1/s"), &options, &limit, NULL), WEIR_ERR_ARGUMENT);
    assert_null(limit);
}

/* Every allocation in turn fails: the error says so, nothing stays behind, the output is untouched.
 * And the allocator itself may be gone when the limit is freed. */
static void memory_that_runs_out_is_an_error_and_no_leak(void **state)
{
    (void)state;
    static const char *const texts[] = {"100/m", "10/d calendar-window Europe/Rome"};
    static const size_t allocations[] = {1, 3};
    for (size_t i = 0; i < 2; i++) {
        for (size_t fail_at = 0; fail_at <= allocations[i]; fail_at++) {
            struct meter meter = {.fail_at = fail_at};
            struct weir_allocator allocator = {meter_allocate, meter_release, &meter};
            const struct weir_limit_options options = {
                .size = sizeof(options), .allocator = &allocator, .zone_directory = ZONE_DIRECTORY};
            struct weir_limit *limit = NULL;
            struct weir_error error = {0};
            const enum weir_status status =
                weir_limit_parse(weir_text(texts[i]), &options, &limit, &error);
            allocator = (struct weir_allocator){0};
            if (fail_at < allocations[i]) {
                assert_int_equal(status, WEIR_ERR_NO_MEMORY);
                assert_string_equal(error.message, "out of memory");
                assert_null(limit);
            } else {
                assert_int_equal(status, WEIR_OK);
                weir_limit_free(limit);
            }
            assert_int_equal(meter.blocks, 0);
            assert_int_equal(meter.bytes, 0);
        }
    }
}

static int64_t random_duration(struct random *random)
{
    static const int64_t units[] = {1,      1000,      SECOND_US, 60 * SECOND_US, 3600 * SECOND_US,
                                    DAY_US, 7 * DAY_US};
    const int64_t unit = units[random_below(random, 7)];
    return (int64_t)random_wide(random, (uint64_t)(WEIR_PERIOD_MAX / unit)) * unit;
}

static const char *const zones[] = {"UTC", "Europe/Rome", "America/St_Johns", "Pacific/Apia"};

/* A limit that can be had, by the header's words. */
static struct weir_limit_spec random_spec(struct random *random)
{
    struct weir_limit_spec spec = {
        .algorithm = (enum weir_algorithm)random_below(random, WEIR_ALGORITHM_COUNT),
        .count = random_wide(random, WEIR_COUNT_MAX),
    };
    if (random_once_in(random, 2)) {
        spec.block_us = random_duration(random);
    }
    if (spec.algorithm == WEIR_CALENDAR_WINDOW) {
        spec.calendar = (enum weir_calendar)(1 + random_below(random, WEIR_CALENDAR_EPOCH));
        if (spec.calendar == WEIR_CALENDAR_EPOCH) {
            spec.period_us = random_duration(random);
            return spec;
        }
        strcpy(spec.zone, zones[random_once_in(random, 20) ? random_below(random, 4) : 0]);
        return spec;
    }
    spec.period_us = random_duration(random);
    if (spec.algorithm == WEIR_SLIDING_LOG) {
        spec.count = random_wide(random, WEIR_LOG_COUNT_MAX);
    }
    if (spec.algorithm == WEIR_SLIDING_WINDOW) {
        spec.count = random_wide(random, WEIR_SLIDING_COUNT_MAX);
        spec.period_us += WEIR_SLIDING_PERIOD_MIN;
        spec.period_us = spec.period_us > WEIR_PERIOD_MAX ? WEIR_PERIOD_MAX : spec.period_us;
    }
    if (weir_algorithm_is_bucket(spec.algorithm)) {
        /* burst * period / count is to be WEIR_PERIOD_MAX at most. */
        const weir_u128 most = (weir_u128)WEIR_PERIOD_MAX * spec.count;
        const weir_u128 bound = most / (uint64_t)spec.period_us;
        const uint64_t high = bound < WEIR_COUNT_MAX ? (uint64_t)bound : WEIR_COUNT_MAX;
        spec.burst = random_once_in(random, 2) ? spec.count : random_wide(random, high);
    }
    return spec;
}

static void every_limit_is_read_back_from_its_text(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(11));
    const size_t rounds = random_rounds(400000);
    for (size_t round = 0; round < rounds; round++) {
        const struct weir_limit_spec spec = random_spec(&random);
        struct weir_limit *made = make(&spec);
        char text[WEIR_TEXT_MAX];
        format(made, text);
        struct weir_limit *parsed = parse(text);
        struct weir_limit_spec described;
        weir_limit_describe(parsed, &described);
        if (!same_spec(&described, &spec)) {
            fail_msg("another limit was read back from '%s'", text);
        }
        char again[WEIR_TEXT_MAX];
        format(parsed, again);
        assert_string_equal(again, text);
        assert_int_equal(parsed->salt, made->salt);
        assert_int_equal(parsed->slack_us, made->slack_us);
        assert_memory_equal(&parsed->rate, &made->rate, sizeof(made->rate));
        weir_limit_free(made);
        weir_limit_free(parsed);
    }
}

static void append_blanks(struct random *random, char *text, size_t least)
{
    const size_t count = least + random_below(random, 3);
    for (size_t i = 0; i < count; i++) {
        strcat(text, random_once_in(random, 3) ? "\t" : " ");
    }
}

/* A duration in one of its many spellings: any of its larger units may be left to smaller ones. */
static void append_duration(struct random *random, char *text, int64_t us)
{
    static const struct {
        int64_t us;
        const char *names[4];
        uint64_t name_count;
    } units[] = {
        {7 * DAY_US, {"w", "week", "weeks"}, 3},
        {DAY_US, {"d", "day", "days"}, 3},
        {3600 * SECOND_US, {"h", "hour", "hours"}, 3},
        {60 * SECOND_US, {"m", "min", "minute", "minutes"}, 4},
        {SECOND_US, {"s", "sec", "second", "seconds"}, 4},
        {1000, {"ms"}, 1},
        {1, {"us"}, 1},
    };
    for (size_t i = 0; i < 7 && us > 0; i++) {
        const int64_t count = us / units[i].us;
        if ((count == 0 && !random_once_in(random, 8)) ||
            (units[i].us != 1 && random_once_in(random, 3))) {
            continue;
        }
        const char *name = units[i].names[random_below(random, units[i].name_count)];
        us -= count * units[i].us;
        sprintf(text + strlen(text), "%" PRId64 "%s", count, name);
    }
}

static void append_rate(struct random *random, char *text, const struct weir_limit_spec *spec)
{
    static const char *const calendars[][3] = {
        {"m", "minute", "1min"}, {"h", "hour", "1h"},          {"d", "day", "1day"},
        {"w", "week", "1w"},     {"month", "1month", "month"}, {"year", "year", "1year"},
    };
    sprintf(text + strlen(text), "%" PRIu64 "/", spec->count);
    if (spec->period_us == 0) {
        strcat(text, calendars[spec->calendar - 1][random_below(random, 3)]);
    } else {
        append_duration(random, text, spec->period_us);
    }
}

static void append_clause(struct random *random, char *text, const struct weir_limit_spec *spec,
                          size_t which)
{
    if (which == 0 && (spec->algorithm != WEIR_TOKEN_BUCKET || random_once_in(random, 2))) {
        append_blanks(random, text, 1);
        strcat(text, weir_algorithm_name(spec->algorithm));
        if (spec->calendar == WEIR_CALENDAR_EPOCH) {
            append_blanks(random, text, 1);
            strcat(text, "epoch");
        } else if (spec->algorithm == WEIR_CALENDAR_WINDOW &&
                   (strcmp(spec->zone, "UTC") != 0 || random_once_in(random, 2))) {
            append_blanks(random, text, 1);
            strcat(text, spec->zone);
        }
    }
    if (which == 1 && spec->burst != 0 &&
        (spec->burst != spec->count || random_once_in(random, 2))) {
        append_blanks(random, text, 1);
        strcat(text, "burst");
        append_blanks(random, text, 1);
        sprintf(text + strlen(text), "%" PRIu64, spec->burst);
    }
    if (which == 2 && spec->block_us != 0) {
        append_blanks(random, text, 1);
        strcat(text, "block");
        append_blanks(random, text, 1);
        append_duration(random, text, spec->block_us);
    }
}

/* However it is written: clauses in any order, blanks, compound durations, long names of units. */
static void every_spelling_of_a_limit_is_that_limit(void **state)
{
    (void)state;
    static const size_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                       {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct random random = random_from(random_seed(12));
    const size_t rounds = random_rounds(200000);
    for (size_t round = 0; round < rounds; round++) {
        const struct weir_limit_spec spec = random_spec(&random);
        const size_t *order = orders[random_below(&random, 6)];
        char text[512] = "";
        append_blanks(&random, text, 0);
        append_rate(&random, text, &spec);
        for (size_t i = 0; i < 3; i++) {
            append_clause(&random, text, &spec, order[i]);
        }
        append_blanks(&random, text, 0);
        struct weir_limit *limit = parse(text);
        struct weir_limit_spec described;
        weir_limit_describe(limit, &described);
        if (!same_spec(&described, &spec)) {
            fail_msg("another limit was read from '%s'", text);
        }
        weir_limit_free(limit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_one_canonical_form),
        cmocka_unit_test(the_examples_of_the_manual_are_canonical),
        cmocka_unit_test(texts_mean_their_numbers),
        cmocka_unit_test(algorithms_have_names),
        cmocka_unit_test(format_needs_its_room_and_no_more),
        cmocka_unit_test(the_longest_texts_fit),
        cmocka_unit_test(limits_are_prepared_for_deciding),
        cmocka_unit_test(the_slack_is_a_span_or_a_second),
        cmocka_unit_test(a_name_or_the_period_says_whose_state_it_is),
        cmocka_unit_test(a_name_has_at_most_its_bound),
        cmocka_unit_test(options_may_be_all_zero_but_not_cut),
        cmocka_unit_test(memory_that_runs_out_is_an_error_and_no_leak),
        cmocka_unit_test(every_limit_is_read_back_from_its_text),
        cmocka_unit_test(every_spelling_of_a_limit_is_that_limit),
    };
    return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
