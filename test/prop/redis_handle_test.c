/* redis_handle_test.c - random traces on the public calls over a real server, against the model,
 * and batches and calls together against a store in memory. */

#include "prop/subject_redis_handle.h"
#include "prop/trace.h"
#include "support/fixture.h"
#include "support/rig.h"
#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TRACES(name, which)                                                                 \
    static void name(void **state)                                                          \
    {                                                                                       \
        const struct trace_wish wish = {                                                    \
            .algorithm = (which),                                                           \
            .steps = 100,                                                                   \
            .clock_steps = true,                                                            \
            .limit_changes = true,                                                          \
            .zone = "",                                                                     \
        };                                                                                  \
        (void)state;                                                                        \
        assert_int_equal(trace_search(&subject_redis_handle, &wish, random_rounds(60)), 0); \
    }

TRACES(token_bucket, WEIR_TOKEN_BUCKET)
TRACES(leaky_bucket, WEIR_LEAKY_BUCKET)
TRACES(fixed_window, WEIR_FIXED_WINDOW)
TRACES(calendar_window, WEIR_CALENDAR_WINDOW)
TRACES(sliding_window, WEIR_SLIDING_WINDOW)
TRACES(sliding_log, WEIR_SLIDING_LOG)

/* ---- Several requests in one call ---- */

#define LIMITS 7
#define KEYS 4
#define BATCH 150

struct twins {
    struct rig_redis *server;
    struct weir *redis;
    struct weir *memory;
    struct weir_limit *limits[LIMITS];
    struct random random;
    int64_t now_us;
};

/* The buckets and windows, one with a block, and two of one name that share their keys' states. */
static void open_twins(struct twins *twins)
{
    static const char *const texts[LIMITS] = {"3/s",
                                              "5/s burst 2 block 2s",
                                              "4/s leaky-bucket",
                                              "3/s fixed-window",
                                              "4/2s sliding-window",
                                              "3/2s sliding-log",
                                              "6/s"};
    char url[256];
    twins->server = rig_redis_start(NULL);
    snprintf(url, sizeof(url), "%s?deadline=30s&on_error=deny", rig_redis_url(twins->server));
    assert_int_equal(weir_redis_open(url, NULL, &twins->redis, NULL), WEIR_OK);
    twins->memory = fixture_open("memory:?size=1MiB");
    for (size_t i = 0; i < LIMITS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "rule%zu", i % (LIMITS - 1));
        const struct weir_limit_options options = {.size = sizeof(options),
                                                   .name = weir_text(name)};
        assert_int_equal(weir_limit_parse(weir_text(texts[i]), &options, &twins->limits[i], NULL),
                         WEIR_OK);
    }
    twins->random = random_from(random_seed(1));
    twins->now_us = FIXTURE_NOW;
}

static void close_twins(struct twins *twins)
{
    weir_close(twins->redis);
    weir_close(twins->memory);
    for (size_t i = 0; i < LIMITS; i++) {
        weir_limit_free(twins->limits[i]);
    }
    rig_redis_stop(twins->server);
}

static struct weir_request any_request(struct twins *twins, size_t limits)
{
    static const char *const keys[KEYS] = {"a", "b", "", "{x}:y"};
    return (struct weir_request){
        .limit = twins->limits[random_below(&twins->random, limits)],
        .key = weir_text(keys[random_below(&twins->random, KEYS)]),
        .cost = random_below(&twins->random, 4),
    };
}

static void pass_time(struct twins *twins)
{
    twins->now_us += (int64_t)random_below(&twins->random, 600000);
}

static void assert_same(const struct weir_decision *expected, const struct weir_decision *found,
                        size_t round, size_t i)
{
    if (!decision_same(expected, found)) {
        print_error("round %zu, request %zu: allowed %d/%d remaining %llu/%llu retry %lld/%lld\n",
                    round, i, expected->allowed, found->allowed,
                    (unsigned long long)expected->remaining, (unsigned long long)found->remaining,
                    (long long)expected->retry_after_us, (long long)found->retry_after_us);
        fail();
    }
}

/* Any mixture of limits, keys and costs, each key's requests in the order that they were given. */
static void batches_decide_as_in_memory(void **state)
{
    struct twins twins;
    (void)state;
    open_twins(&twins);
    const size_t rounds = random_rounds(200);
    for (size_t round = 0; round < rounds; round++) {
        struct weir_request requests[BATCH];
        struct weir_decision expected[BATCH];
        struct weir_decision found[BATCH];
        const size_t count = 1 + random_below(&twins.random, BATCH);
        size_t done = 0;
        for (size_t i = 0; i < count; i++) {
            requests[i] = any_request(&twins, LIMITS);
        }
        assert_int_equal(
            weir_check_batch(twins.memory, requests, count, twins.now_us, expected, &done),
            WEIR_OK);
        assert_int_equal(weir_check_batch(twins.redis, requests, count, twins.now_us, found, &done),
                         WEIR_OK);
        assert_int_equal(done, count);
        for (size_t i = 0; i < count; i++) {
            assert_same(&expected[i], &found[i], round, i);
        }
        pass_time(&twins);
    }
    close_twins(&twins);
}

static void calls_together_decide_as_in_memory(void **state)
{
    struct twins twins;
    size_t passed = 0;
    (void)state;
    open_twins(&twins);
    const size_t rounds = random_rounds(1000);
    for (size_t round = 0; round < rounds; round++) {
        struct weir_request requests[4];
        struct weir_decision expected[4];
        struct weir_decision found[4];
        const size_t count = 1 + random_below(&twins.random, 4);
        size_t denied = 0;
        size_t denied_here = 0;
        for (size_t i = 0; i < count; i++) {
            requests[i] = any_request(&twins, LIMITS - 1);
        }
        assert_int_equal(
            weir_check_all(twins.memory, requests, count, twins.now_us, expected, &denied),
            WEIR_OK);
        assert_int_equal(
            weir_check_all(twins.redis, requests, count, twins.now_us, found, &denied_here),
            WEIR_OK);
        assert_int_equal(denied_here, denied);
        passed += denied == count ? 1 : 0;
        for (size_t i = 0; i < count; i++) {
            assert_same(&expected[i], &found[i], round, i);
        }
        pass_time(&twins);
    }
    /* Both happen often enough to show something. */
    assert_in_range(passed, rounds / 20, rounds - rounds / 20);
    close_twins(&twins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_bucket),
        cmocka_unit_test(leaky_bucket),
        cmocka_unit_test(fixed_window),
        cmocka_unit_test(calendar_window),
        cmocka_unit_test(sliding_window),
        cmocka_unit_test(sliding_log),
        cmocka_unit_test(batches_decide_as_in_memory),
        cmocka_unit_test(calls_together_decide_as_in_memory),
    };
    return cmocka_run_group_tests_name("redis_handle", tests, NULL, NULL);
}
