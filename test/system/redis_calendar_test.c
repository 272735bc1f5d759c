/* redis_calendar_test.c - calendar-window by a server's own clock, wherever that stands.
 *
 * The windows of a calendar are worked out here, for about the time that the server should have;
 * where it has quite another, nothing is decided, and the call is sent again with the right
 * windows. Those from the epoch on are worked out there. */

#include "support/fixture.h"
#include "support/rig.h"
#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 640 /* of a batch */
#define YEAR_US (INT64_C(366) * 86400 * 1000000)

static struct weir *open_at(const struct rig_redis *redis)
{
    char url[128];
    struct weir *weir = NULL;
    snprintf(url, sizeof(url), "redis://127.0.0.1:%u?deadline=20s", rig_redis_port(redis));
    assert_int_equal(weir_redis_open(url, NULL, &weir, NULL), WEIR_OK);
    return weir;
}

static void expect_budget(struct weir *weir, const struct weir_limit *limit, const char *key)
{
    for (unsigned i = 0; i < 4; i++) {
        const struct weir_decision decision = fixture_check(weir, limit, key, 1, WEIR_CLOCK);
        assert_int_equal(decision.failure, WEIR_FAILURE_NONE);
        assert_int_equal(decision.allowed, i < 3);
        assert_int_equal(decision.remaining, i < 3 ? 2 - i : 0);
    }
}

static void by_the_servers_clock(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct weir *weir = open_at(redis);
    struct weir_limit *year = fixture_limit("3/year calendar-window");
    struct weir_limit *rome = fixture_limit("3/month calendar-window Europe/Rome");
    expect_budget(weir, year, "a");
    expect_budget(weir, rome, "a");
    struct weir_decision decisions[2];
    const struct weir_request both[2] = {{year, weir_text("b"), 1}, {rome, weir_text("b"), 1}};
    assert_int_equal(weir_check_all(weir, both, 2, WEIR_CLOCK, decisions, NULL), WEIR_OK);
    assert_int_equal(decisions[1].failure, WEIR_FAILURE_NONE);
    assert_int_equal(decisions[1].remaining, 2);
    weir_limit_free(year);
    weir_limit_free(rome);
    weir_close(weir);
    rig_redis_stop(redis);
}

/* Years ahead, years behind, and back: asked again, answered all the same. */
static void of_a_clock_that_is_years_away(void **state)
{
    (void)state;
    const struct rig_redis_options options = {.clock = true};
    struct rig_redis *redis = rig_redis_start(&options);
    struct weir *weir = open_at(redis);
    struct weir_limit *limit = fixture_limit("3/day calendar-window Europe/Rome");
    struct weir_limit *epoch = fixture_limit("3/3d calendar-window epoch");
    static const int64_t offsets[] = {9 * YEAR_US, -9 * YEAR_US, 0};
    static const char *const keys[] = {"ahead", "behind", "back"};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        rig_redis_shift_clock(redis, offsets[i]);
        expect_budget(weir, limit, keys[i]);
        expect_budget(weir, epoch, keys[i]);
    }
    weir_limit_free(limit);
    weir_limit_free(epoch);
    weir_close(weir);
    rig_redis_stop(redis);
}

static uint64_t scripts_run(const struct rig_redis *redis)
{
    static const char counter[] = "cmdstat_evalsha:calls=";
    const char *found = strstr(rig_redis_command(redis, "INFO", "commandstats", NULL), counter);
    return found != NULL ? strtoull(found + strlen(counter), NULL, 10) : 0;
}

/* How many scripts Redis runs for as many keys as need several at once. */
static uint64_t scripts_of_a_batch(const struct rig_redis *redis, struct weir *weir,
                                   const struct weir_limit *limit)
{
    static struct weir_request requests[KEYS];
    static struct weir_decision decisions[KEYS];
    static char keys[KEYS][8];
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%zu", i);
        requests[i] = (struct weir_request){limit, weir_text(keys[i]), 1};
    }
    const uint64_t before = scripts_run(redis);
    assert_int_equal(weir_check_batch(weir, requests, KEYS, WEIR_CLOCK, decisions, NULL), WEIR_OK);
    return scripts_run(redis) - before;
}

/* The difference is found out once, however many calls are under way that guessed alike. */
static void many_at_once_learn_of_one_difference(void **state)
{
    (void)state;
    const struct rig_redis_options options = {.clock = true};
    struct rig_redis *redis = rig_redis_start(&options);
    struct weir *weir = open_at(redis);
    struct weir_limit *limit = fixture_limit("1000000/minute calendar-window Europe/Rome");
    (void)scripts_of_a_batch(redis, weir, limit); /* loads the script */
    const uint64_t usual = scripts_of_a_batch(redis, weir, limit);
    assert_true(usual > 2);
    rig_redis_shift_clock(redis, INT64_C(3600) * 1000000);
    (void)scripts_of_a_batch(redis, weir, limit);
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(scripts_of_a_batch(redis, weir, limit), 1, usual);
    }
    weir_limit_free(limit);
    weir_close(weir);
    rig_redis_stop(redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_the_servers_clock),
        cmocka_unit_test(of_a_clock_that_is_years_away),
        cmocka_unit_test(many_at_once_learn_of_one_difference),
    };
    return cmocka_run_group_tests_name("redis_calendar", tests, NULL, NULL);
}
