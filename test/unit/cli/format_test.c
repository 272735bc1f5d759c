/* format_test.c - numbers, lengths of time and decisions as people read them (src/cli/format.c). */

#include "cli/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

/* Each step to a larger unit, at it and a microsecond to either side; and that all is rounded up.
 */
static void test_durations(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *words;
    } cases[] = {
        {0, "0 s"},
        {1, "1 us"},
        {999, "999 us"},
        {1000, "1 ms"},
        {1001, "1.1 ms"},
        {250000, "250 ms"},
        {250001, "250.1 ms"},
        {998901, "999 ms"},
        {999000, "999 ms"},
        {999001, "1 s"},
        {999999, "1 s"},
        {SECOND_US, "1 s"},
        {SECOND_US + 1, "1.1 s"},
        {4200000, "4.2 s"},
        {4200001, "4.3 s"},
        {59 * SECOND_US, "59 s"},
        {59 * SECOND_US + 1, "1 min"},
        {MINUTE_US - 1, "1 min"},
        {MINUTE_US, "1 min"},
        {MINUTE_US + 1, "1 min 1 s"},
        {200 * SECOND_US, "3 min 20 s"},
        {HOUR_US - SECOND_US, "59 min 59 s"},
        {HOUR_US - 1, "1 h"},
        {HOUR_US, "1 h"},
        {HOUR_US + 1, "1 h 1 min"},
        {DAY_US - MINUTE_US, "23 h 59 min"},
        {DAY_US - 1, "1 d"},
        {DAY_US, "1 d"},
        {DAY_US + 1, "1 d 1 h"},
        {366 * DAY_US, "366 d"},
        {INT64_MAX - 1, "106751991 d 5 h"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(cli_duration_words(cases[i].us).text, cases[i].words);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    assert_string_equal(cli_number_words(0).text, "0");
    assert_string_equal(cli_number_words(999).text, "999");
    assert_string_equal(cli_number_words(1000).text, "1,000");
    assert_string_equal(cli_number_words(1234567).text, "1,234,567");
    assert_string_equal(cli_number_words(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void test_sizes(void **state)
{
    (void)state;
    assert_string_equal(cli_size_words(0).text, "0 bytes");
    assert_string_equal(cli_size_words(1023).text, "1023 bytes");
    assert_string_equal(cli_size_words(1024).text, "1 KiB");
    assert_string_equal(cli_size_words(1536).text, "1.5 KiB");
    assert_string_equal(cli_size_words(UINT64_C(64) << 20).text, "64 MiB");
    assert_string_equal(cli_size_words(UINT64_C(4096) << 40).text, "4096 TiB");
}

static void test_decisions(void **state)
{
    (void)state;
    struct weir_decision decision = {.allowed = true, .limit = 5, .remaining = 4};
    assert_string_equal(cli_decision_words(&decision, 1).text, "4 of 5 left");
    decision.delay_us = SECOND_US;
    assert_string_equal(cli_decision_words(&decision, 1).text, "after 1 s, 4 of 5 left");
    decision = (struct weir_decision){.limit = 5, .retry_after_us = 1};
    assert_string_equal(cli_decision_words(&decision, 1).text, "retry in 1 us");
    decision.blocked = true;
    assert_string_equal(cli_decision_words(&decision, 1).text, "blocked, retry in 1 us");
    decision = (struct weir_decision){.limit = UINT32_MAX, .retry_after_us = WEIR_NEVER};
    assert_string_equal(cli_decision_words(&decision, UINT64_MAX).text,
                        "never: it costs 18446744073709551615, the limit holds 4294967295");
}

/* Every number of digits, and output longer than the buffer, through a pipe. */
static void test_output_is_whole(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const struct cli_settings settings = {.color = CLI_NEVER};
    struct cli_output output;
    assert_true(cli_output_open(&cli_command_check, &settings, &output));
    output.fd = ends[1];
    uint64_t number = 0;
    for (int i = 0; i <= 20; i++) {
        cli_put_number(&output, number);
        cli_put_text(&output, " ");
        number = i == 19 ? UINT64_MAX : number * 10 + 9;
    }
    assert_true(cli_flush(&output));
    char text[512] = "";
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text,
                        "0 9 99 999 9999 99999 999999 9999999 99999999 999999999 9999999999 "
                        "99999999999 999999999999 9999999999999 99999999999999 999999999999999 "
                        "9999999999999999 99999999999999999 999999999999999999 "
                        "9999999999999999999 18446744073709551615 ");
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(cli_output_close(&cli_command_check, &output, CLI_DENIED), CLI_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),       cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sizes),           cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_output_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
