/* explain_test.c - the worst case that `weir limit` names (src/cli/explain.c) is what the engine
 * can be driven to, and never past. */

#include "cli/explain.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

/* 2025-01-01 00:00 UTC: a window of every length here begins. */
#define START_US (INT64_C(1735689600) * SECOND_US)

#define TIMES_MAX 100000

/* The times at which requests of one key were admitted. */
struct history {
    struct weir *weir;
    struct weir_limit *limit;
    struct weir_limit_spec spec;
    struct cli_explanation explanation;
    int64_t *times;
    size_t count;
};

static void open_history(const char *text, struct history *history)
{
    *history = (struct history){.count = 0};
    assert_int_equal(weir_limit_parse(weir_text(text), NULL, &history->limit, NULL), WEIR_OK);
    assert_int_equal(weir_open("memory:?size=64KiB", NULL, &history->weir, NULL), WEIR_OK);
    weir_limit_describe(history->limit, &history->spec);
    cli_explain(&history->spec, &history->explanation);
    history->times = malloc(TIMES_MAX * sizeof(*history->times));
    assert_non_null(history->times);
}

static void close_history(struct history *history)
{
    weir_close(history->weir);
    weir_limit_free(history->limit);
    free(history->times);
}

static void ask(struct history *history, int64_t offset_us, unsigned requests)
{
    for (unsigned i = 0; i < requests; i++) {
        struct weir_decision decision;
        assert_int_equal(weir_check(history->weir, history->limit, weir_text("key"), 1,
                                    START_US + offset_us, &decision),
                         WEIR_OK);
        if (decision.allowed) {
            assert_true(history->count < TIMES_MAX);
            history->times[history->count++] = offset_us;
        }
    }
}

/* The most admissions in any stretch of one period: its end counts for buckets alone. */
static uint64_t worst_of(const struct history *history)
{
    const bool bucket = history->spec.burst > 0;
    const int64_t period_us = cli_nominal_period_us(&history->spec) + (bucket ? 1 : 0);
    uint64_t worst = 0;
    size_t first = 0;
    for (size_t i = 0; i < history->count; i++) {
        while (history->times[i] - history->times[first] >= period_us) {
            first++;
        }
        worst = i - first + 1 > worst ? i - first + 1 : worst;
    }
    return worst;
}

/* Requests in numbers, at the times at which each limit lets most through. */
static void test_worst_case_is_reached(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t worst;
        int64_t at_us[12];
        unsigned requests[12];
    } cases[] = {
        {"5/10s burst 3",
         8,
         {0, 2 * SECOND_US, 4 * SECOND_US, 6 * SECOND_US, 8 * SECOND_US, 10 * SECOND_US},
         {9, 9, 9, 9, 9, 9}},
        {"5/10s leaky-bucket burst 3",
         8,
         {0, 2 * SECOND_US, 4 * SECOND_US, 6 * SECOND_US, 8 * SECOND_US, 10 * SECOND_US},
         {9, 9, 9, 9, 9, 9}},
        {"5/10s fixed-window", 9, {0, 10 * SECOND_US - 1, 10 * SECOND_US}, {1, 9, 9}},
        {"1/10s fixed-window", 1, {0, 10 * SECOND_US - 1, 10 * SECOND_US}, {1, 9, 9}},
        {"5/m calendar-window", 10, {60 * SECOND_US - 1, 60 * SECOND_US}, {9, 9}},
        {"5/10s calendar-window epoch", 10, {10 * SECOND_US - 1, 10 * SECOND_US}, {9, 9}},
        /* What came at the last moment of a window weighs least at the next one's last moment. */
        {"5/10s sliding-window",
         9,
         {10 * SECOND_US - 1, 13 * SECOND_US, 15 * SECOND_US, 17 * SECOND_US, 19 * SECOND_US},
         {9, 9, 9, 9, 9}},
        {"5/10s sliding-log", 5, {0, SECOND_US, 10 * SECOND_US, 11 * SECOND_US}, {3, 9, 9, 9}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct history history;
        open_history(cases[i].text, &history);
        for (size_t j = 0; j < 12 && cases[i].requests[j] > 0; j++) {
            ask(&history, cases[i].at_us[j], cases[i].requests[j]);
        }
        assert_int_equal(history.explanation.worst, cases[i].worst);
        assert_int_equal(worst_of(&history), cases[i].worst);
        close_history(&history);
    }
}

/* Bursts and pauses at random, and around the turns of windows. */
static void test_worst_case_is_never_passed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "5/10s",
        "5/10s burst 12",
        "7/10s burst 1",
        "5/10s leaky-bucket",
        "5/10s fixed-window",
        "1/10s fixed-window",
        "5/10s fixed-window block 3s",
        "5/m calendar-window",
        "7/11s calendar-window epoch",
        "5/10s sliding-window",
        "1/10s sliding-window",
        "50/10s sliding-window",
        "5/10s sliding-log",
    };
    struct random random = random_from(random_seed(1));
    const size_t steps = random_rounds(4000);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct history history;
        open_history(texts[i], &history);
        const int64_t period_us = cli_nominal_period_us(&history.spec);
        int64_t at_us = 0;
        for (size_t step = 0; step < steps; step++) {
            const uint64_t kind = random_below(&random, 4);
            if (kind == 0) {
                at_us += (int64_t)random_below(&random, (uint64_t)period_us * 2);
            } else if (kind == 1) {
                at_us += period_us - at_us % period_us - (int64_t)random_below(&random, 2);
            } else {
                at_us += (int64_t)random_below(&random, (uint64_t)period_us / 8);
            }
            ask(&history, at_us, (unsigned)random_below(&random, 12));
        }
        assert_true(history.count > 10);
        assert_true(worst_of(&history) <= history.explanation.worst);
        close_history(&history);
    }
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *allows;
    } cases[] = {
        {"1/s", "1 every second, up to 1 at once"},
        {"1/d", "1 every day, up to 1 at once"},
        {"3/10s", "3 every 10 s, evenly, up to 3 at once"},
        {"7/m", "7 a minute, evenly, up to 7 at once"},
        {"16/s", "1 every 62.5 ms, up to 16 at once"},
        {"32/s", "32 a second, evenly, up to 32 at once"},
        {"999983/s", "999,983 a second, evenly, up to 999,983 at once"},
        {"4294967295/us", "4,294,967,295 every 1 us, evenly, up to 4,294,967,295 at once"},
        {"1/366d", "1 every 366 d, up to 1 at once"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct history history;
        open_history(cases[i].text, &history);
        assert_string_equal(history.explanation.allows, cases[i].allows);
        close_history(&history);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worst_case_is_reached),
        cmocka_unit_test(test_worst_case_is_never_passed),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
