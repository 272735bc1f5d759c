/* resp_throttle_test.c - CL.THROTTLE answers as redis-cell does and THROTTLE as throttlecrab does,
 * but for what docs/manual/resp.md says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/resp_desk.h"

#include <stdlib.h>
#include <string.h>

/* What is said, and what is answered. */
static void expect(struct resp_desk *desk, struct weir_session *session, const char *say,
                   const char *answer)
{
    char *transcript = resp_desk_talk(desk, session, say);
    assert_string_equal(transcript, answer);
    free(transcript);
}

/* The same of one peer of a desk of its own. */
static void expect_fresh(const char *say, const char *answer)
{
    struct resp_desk *desk = resp_desk_new(NULL);
    expect(desk, resp_desk_peer(desk), say, answer);
    resp_desk_free(desk);
}

/* Limited or not, limit, remaining, retry_after, reset_after; max_burst is what passes beyond the
 * first. */
static void cl_throttle_answers_as_redis_cell(void **state)
{
    (void)state;
    expect_fresh("CL.THROTTLE k 2 1 86400\n"
                 "CL.THROTTLE k 2 1 86400 1\n"
                 "cl.throttle k 2 1 86400\n"
                 "CL.THROTTLE k 2 1 86400\n"
                 "CL.THROTTLE other 2 1 86400 3\n",
                 "[:0 :3 :2 :-1 :86400]\n"
                 "[:0 :3 :1 :-1 :172800]\n"
                 "[:0 :3 :0 :-1 :259200]\n"
                 "[:1 :3 :0 :86400 :259200]\n"
                 "[:0 :3 :0 :-1 :259200]\n");
}

/* What is over the whole limit is denied for good, and -1 says never. */
static void cl_throttle_never_admits_more_than_the_limit(void **state)
{
    (void)state;
    expect_fresh("CL.THROTTLE k 2 1 86400 4\n"
                 "CL.THROTTLE k 2 1 86400 9223372036854775807\n"
                 "CL.THROTTLE k 0 1 86400 2\n",
                 "[:1 :3 :3 :-1 :0]\n"
                 "[:1 :3 :3 :-1 :0]\n"
                 "[:1 :1 :1 :-1 :0]\n");
}

/* Quantity 0 is as admitted, whatever is left, and takes nothing. */
static void cl_throttle_of_0_looks(void **state)
{
    (void)state;
    expect_fresh("CL.THROTTLE k 0 1 86400 0\n"
                 "CL.THROTTLE k 0 1 86400\n"
                 "CL.THROTTLE k 0 1 86400 0\n"
                 "CL.THROTTLE k 0 1 86400\n",
                 "[:0 :1 :1 :-1 :0]\n"
                 "[:0 :1 :0 :-1 :86400]\n"
                 "[:0 :1 :0 :-1 :86400]\n"
                 "[:1 :1 :0 :86400 :86400]\n");
}

/* A quantity below 0 gives back, and never more than was taken. */
static void cl_throttle_below_0_gives_back(void **state)
{
    (void)state;
    expect_fresh("CL.THROTTLE k 2 1 86400 3\n"
                 "CL.THROTTLE k 2 1 86400 -1\n"
                 "CL.THROTTLE k 2 1 86400 -9223372036854775808\n"
                 "CL.THROTTLE k 2 1 86400 -5\n"
                 "CL.THROTTLE k 2 1 86400 3\n"
                 "CL.THROTTLE k 2 1 86400\n",
                 "[:0 :3 :0 :-1 :259200]\n"
                 "[:0 :3 :1 :-1 :172800]\n"
                 "[:0 :3 :3 :-1 :0]\n"
                 "[:0 :3 :3 :-1 :0]\n"
                 "[:0 :3 :0 :-1 :259200]\n"
                 "[:1 :3 :0 :86400 :259200]\n");
}

/* The key alone names the state: it keeps its debt under other numbers, and under THROTTLE. */
static void a_key_keeps_its_debt_under_other_numbers(void **state)
{
    (void)state;
    expect_fresh("CL.THROTTLE k 2 1 86400 2\n"
                 "CL.THROTTLE k 3 1 86400 0\n"
                 "THROTTLE k 3 1 86400 0\n"
                 "CL.THROTTLE k 0 1 86400 1\n",
                 "[:0 :3 :1 :-1 :172800]\n"
                 "[:0 :4 :2 :-1 :172800]\n"
                 "[:1 :3 :1 :172800 :0]\n"
                 "[:1 :1 :0 :86400 :86400]\n");
}

/* Rates that redis-cell rounds are exact: 6000 a second is not 166 us each. */
static void remaining_is_never_more_than_the_limit(void **state)
{
    (void)state;
    expect_fresh("CL.THROTTLE k 5999 6000 1 0\nCL.THROTTLE k 0 4294967295 1 0\n",
                 "[:0 :6000 :6000 :-1 :0]\n[:0 :1 :1 :-1 :0]\n");
}

static void cl_throttle_refuses_in_the_words_of_redis_cell(void **state)
{
    (void)state;
    static const char usage[] = "-Cell error: Store error: Usage: cl.throttle <key> <max_burst> "
                                "<count per period> <period> [<quantity>]\n";
    expect_fresh("CL.THROTTLE\n", usage);
    expect_fresh("CL.THROTTLE k 1 2\n", usage);
    expect_fresh("CL.THROTTLE k 1 2 3 4 5\n", usage);
    expect_fresh("CL.THROTTLE k x 2 3\nCL.THROTTLE k 1 '' 3\nCL.THROTTLE k 1 2 3.5\n"
                 "CL.THROTTLE k 1 2 3 9223372036854775808\nCL.THROTTLE k 1 2 3 -\n",
                 "-Cell error: Store error: Couldn't parse as integer: x\n"
                 "-Cell error: Store error: Couldn't parse as integer: \n"
                 "-Cell error: Store error: Couldn't parse as integer: 3.5\n"
                 "-Cell error: Store error: Couldn't parse as integer: 9223372036854775808\n"
                 "-Cell error: Store error: Couldn't parse as integer: -\n");
    expect_fresh("CL.THROTTLE k 1 0 3\nCL.THROTTLE k 1 2 0\n",
                 "-Cell error: Store error: Zero rates are not supported\n"
                 "-Cell error: Store error: Zero rates are not supported\n");
}

/* A sign and zeros before a number are read, as redis-cell reads them. */
static void numbers_are_read_as_redis_cell_reads_them(void **state)
{
    (void)state;
    expect_fresh("CL.THROTTLE k +02 01 +86400 -0\n"
                 "CL.THROTTLE k 0000000000000000000000002 1 86400\n",
                 "[:0 :3 :3 :-1 :0]\n[:0 :3 :2 :-1 :86400]\n");
}

/* What redis-cell would take and no limit of weir's can be. */
static void what_is_out_of_range_is_refused(void **state)
{
    (void)state;
    static const char burst[] = "-ERR max_burst is out of range: a limit lets 1 to 4294967295 "
                                "requests pass at once\n";
    static const char count[] = "-ERR count is out of range: it is 1 to 4294967295\n";
    static const char period[] = "-ERR period is out of range: it is 1 to 31622400 seconds\n";
    expect_fresh("CL.THROTTLE k -1 1 1\n", burst);
    expect_fresh("CL.THROTTLE k 4294967295 1 1\n", burst);
    expect_fresh("CL.THROTTLE k 9223372036854775807 1 1\n", burst);
    expect_fresh("THROTTLE k 4294967296 1 1\n", burst);
    expect_fresh("CL.THROTTLE k 4294967294 4294967295 1 0\n",
                 "[:0 :4294967295 :4294967295 :-1 :0]\n");
    expect_fresh("CL.THROTTLE k 1 -1 1\n", count);
    expect_fresh("CL.THROTTLE k 1 4294967296 1\n", count);
    expect_fresh("CL.THROTTLE k 1 1 -1\n", period);
    expect_fresh("CL.THROTTLE k 1 1 31622401\n", period);
    expect_fresh("CL.THROTTLE k 1 1 9223372036854775807\n", period);
    expect_fresh("CL.THROTTLE k 0 1 31622400\n", "[:0 :1 :0 :-1 :31622400]\n");
}

/* A bucket that takes more than a leap year to fill is none of weir's: it says why. */
static void a_limit_that_can_not_be_had_is_refused(void **state)
{
    (void)state;
    struct resp_desk *desk = resp_desk_new(NULL);
    char *transcript =
        resp_desk_talk(desk, resp_desk_peer(desk), "CL.THROTTLE k 400 1 86400\nPING\n");
    assert_memory_equal(transcript, "-ERR ", 5);
    assert_non_null(strstr(transcript, "\n+PONG\n"));
    free(transcript);
    resp_desk_free(desk);
}

/* Allowed or not, limit, remaining, reset_after, retry_after; max_burst is all that passes. */
static void throttle_answers_as_throttlecrab(void **state)
{
    (void)state;
    expect_fresh("THROTTLE k 2 1 86400\n"
                 "throttle k 2 1 86400 1\n"
                 "THROTTLE k 2 1 86400\n"
                 "THROTTLE k 2 1 86400 0\n"
                 "THROTTLE k 2 1 86400 3\n",
                 "[:1 :2 :1 :86400 :0]\n"
                 "[:1 :2 :0 :172800 :0]\n"
                 "[:0 :2 :0 :172800 :86400]\n"
                 "[:1 :2 :0 :172800 :0]\n"
                 "[:0 :2 :0 :172800 :-1]\n");
}

static void throttle_refuses_in_the_words_of_throttlecrab(void **state)
{
    (void)state;
    static const char number[] = "-ERR wrong number of arguments for 'throttle' command\n";
    static const char rate[] = "-ERR invalid rate limit parameters\n";
    expect_fresh("THROTTLE k 1 2\n", number);
    expect_fresh("THROTTLE k 1 2 3 4 5\n", number);
    expect_fresh("THROTTLE k x 2 3\nTHROTTLE k 1 x 3\nTHROTTLE k 1 2 x\nTHROTTLE k 1 2 3 x\n",
                 "-ERR invalid max_burst\n-ERR invalid count_per_period\n-ERR invalid period\n"
                 "-ERR invalid quantity\n");
    expect_fresh("THROTTLE k 1 2 3 -1\n", "-ERR negative quantity: -1\n");
    expect_fresh("THROTTLE k 0 2 3\n", rate);
    expect_fresh("THROTTLE k 1 0 3\n", rate);
    expect_fresh("THROTTLE k 1 2 -3\n", rate);
}

/* Seconds are rounded up, so that who waits so long is admitted: a denial of a limit of a thousand
 * a second says 1, not 0. */
static void seconds_are_rounded_up(void **state)
{
    (void)state;
    expect_fresh("CL.THROTTLE k 0 2 1\nCL.THROTTLE k 0 2 1\nTHROTTLE t 1 2 3\nTHROTTLE t 1 2 3\n",
                 "[:0 :1 :0 :-1 :1]\n[:1 :1 :0 :1 :1]\n[:1 :1 :0 :2 :0]\n[:0 :1 :0 :2 :2]\n");
}

/* Keys are bytes, and there is a longest. */
static void keys_have_any_bytes_and_a_longest(void **state)
{
    (void)state;
    expect_fresh(
        "*5\r\n$11\r\nCL.THROTTLE\r\n$3\r\n\\x00\r\n\r\n$1\r\n0\r\n$1\r\n1\r\n$5\r\n86400\r\n"
        "CL.THROTTLE '' 0 1 86400\n",
        "[:0 :1 :0 :-1 :86400]\n[:0 :1 :0 :-1 :86400]\n");
    static char say[2 * WEIR_KEY_MAX + 200];
    (void)snprintf(say, sizeof(say),
                   "CL.THROTTLE %0*d 0 1 86400\nCL.THROTTLE %0*d 0 1 86400\nPING\n", WEIR_KEY_MAX,
                   0, WEIR_KEY_MAX + 1, 0);
    struct resp_desk *desk = resp_desk_new(NULL);
    char *transcript = resp_desk_talk(desk, resp_desk_peer(desk), say);
    assert_memory_equal(transcript, "[:0 :1 :0 :-1 :86400]\n-ERR ", 27);
    assert_non_null(strstr(transcript, "\n+PONG\n"));
    free(transcript);
    resp_desk_free(desk);
}

static void both_are_refused_where_peers_may_bring_no_limits(void **state)
{
    (void)state;
    static const struct resp_desk_options options = {.no_ad_hoc = true};
    static const char refused[] =
        "-NOPERM this server takes no limits of its peers' own (ad_hoc: false); ask by its rules, "
        "with WEIR.CHECK ATTRS\n";
    struct resp_desk *desk = resp_desk_new(&options);
    struct weir_session *session = resp_desk_peer(desk);
    expect(desk, session, "CL.THROTTLE k 1 1 1\n", refused);
    expect(desk, session, "THROTTLE k 1 1 1\n", refused);
    resp_desk_free(desk);
}

/* Many numbers in turn on one connection, and two connections on one key. */
static void limits_may_change_with_every_command(void **state)
{
    (void)state;
    struct resp_desk *desk = resp_desk_new(NULL);
    struct weir_session *one = resp_desk_peer(desk);
    struct weir_session *two = resp_desk_peer(desk);
    for (int i = 1; i < 3000; i++) {
        char say[64];
        char answer[64];
        (void)snprintf(say, sizeof(say), "CL.THROTTLE k%d %d 1 1 0\n", i, i);
        (void)snprintf(answer, sizeof(answer), "[:0 :%d :%d :-1 :0]\n", i + 1, i + 1);
        expect(desk, one, say, answer);
    }
    expect(desk, one, "CL.THROTTLE k 1 1 86400\n", "[:0 :2 :1 :-1 :86400]\n");
    expect(desk, two, "CL.THROTTLE k 1 1 86400\n", "[:0 :2 :0 :-1 :172800]\n");
    expect(desk, one, "CL.THROTTLE k 1 1 86400\n", "[:1 :2 :0 :86400 :172800]\n");
    resp_desk_leave(desk, one);
    expect(desk, two, "CL.THROTTLE k 1 1 86400\n", "[:1 :2 :0 :86400 :172800]\n");
    resp_desk_free(desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cl_throttle_answers_as_redis_cell),
        cmocka_unit_test(cl_throttle_never_admits_more_than_the_limit),
        cmocka_unit_test(cl_throttle_of_0_looks),
        cmocka_unit_test(cl_throttle_below_0_gives_back),
        cmocka_unit_test(a_key_keeps_its_debt_under_other_numbers),
        cmocka_unit_test(remaining_is_never_more_than_the_limit),
        cmocka_unit_test(cl_throttle_refuses_in_the_words_of_redis_cell),
        cmocka_unit_test(numbers_are_read_as_redis_cell_reads_them),
        cmocka_unit_test(what_is_out_of_range_is_refused),
        cmocka_unit_test(a_limit_that_can_not_be_had_is_refused),
        cmocka_unit_test(throttle_answers_as_throttlecrab),
        cmocka_unit_test(throttle_refuses_in_the_words_of_throttlecrab),
        cmocka_unit_test(seconds_are_rounded_up),
        cmocka_unit_test(keys_have_any_bytes_and_a_longest),
        cmocka_unit_test(both_are_refused_where_peers_may_bring_no_limits),
        cmocka_unit_test(limits_may_change_with_every_command),
    };
    return cmocka_run_group_tests_name("resp_throttle", tests, NULL, NULL);
}
