/* redis_deny_cache_test.c - the deny cache of a store, in front of a real server: decisions are the
 * server's, a flood of denied keys costs it nothing, and what is given back is felt.
 *
 * prop/deny_cache_test.c holds the cache itself to the algorithms; this holds the store to using it
 * as it is meant. */

#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/fault_proxy.h"
#include "support/fixture.h"
#include "support/random.h"
#include "support/rig.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000)

static struct weir *open_at(unsigned port, const char *query)
{
    char url[128];
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u?deadline=10s&on_error=deny%s", port,
                   query);
    struct weir *weir = NULL;
    assert_int_equal(weir_redis_open(url, NULL, &weir, NULL), WEIR_OK);
    return weir;
}

static struct weir_decision check(struct weir *weir, const struct weir_limit *limit)
{
    return fixture_check(weir, limit, "k", 1, WEIR_CLOCK);
}

/* Checks until it is denied by the server. */
static struct weir_decision use_up(struct weir *weir, const struct weir_limit *limit)
{
    struct weir_decision decision = check(weir, limit);
    while (decision.allowed) {
        decision = check(weir, limit);
    }
    assert_int_equal(decision.source, WEIR_SOURCE_REDIS);
    return decision;
}

static struct weir_stats stats_of(struct weir *weir)
{
    struct weir_stats stats = {.size = sizeof(stats)};
    assert_int_equal(weir_stats(weir, WEIR_CLOCK, &stats), WEIR_OK);
    return stats;
}

static void sleep_us(int64_t duration_us)
{
    const struct timespec duration = {.tv_sec = duration_us / SECOND,
                                      .tv_nsec = duration_us % SECOND * 1000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, NULL);
}

/* ---- Floods ---- */

static void a_flood_of_a_denied_key_costs_the_server_nothing(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct weir *weir = open_at(rig_redis_port(redis), "");
    struct weir_limit *limit = fixture_limit("5/h");
    (void)use_up(weir, limit);
    const struct weir_stats before = stats_of(weir);
    uint64_t cached = 0;
    for (unsigned i = 0; i < 20000; i++) {
        const struct weir_decision decision = check(weir, limit);
        assert_false(decision.allowed);
        assert_int_equal(decision.failure, WEIR_FAILURE_NONE);
        cached += decision.source == WEIR_SOURCE_DENY_CACHE ? 1 : 0;
    }
    const struct weir_stats after = stats_of(weir);
    assert_int_equal(after.deny_cached - before.deny_cached, cached);
    assert_int_equal(after.redis_decided - before.redis_decided, 20000 - cached);
    /* Once a second at most, however long this takes. */
    assert_true(cached > 20000 - 200);
    weir_close(weir);
    weir_limit_free(limit);
    rig_redis_stop(redis);
}

static void without_a_cache_the_server_is_asked(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct weir *weir = open_at(rig_redis_port(redis), "&deny_cache=0");
    struct weir_limit *limit = fixture_limit("5/h");
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(check(weir, limit).source, WEIR_SOURCE_REDIS);
    }
    weir_close(weir);
    weir_limit_free(limit);
    rig_redis_stop(redis);
}

/* ---- What it says ---- */

/* The way there and back takes 80 ms, and the server decided half way: a number that is reckoned
 * from when the question was sent would be too small by up to that. */
static void waiting_out_a_denial_of_the_cache_is_enough(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct fault_proxy *proxy = fault_proxy_start(rig_redis_port(redis));
    struct weir *weir = open_at(fault_proxy_port(proxy), "");
    struct weir_limit *limit = fixture_limit("1/2s");
    assert_true(check(weir, limit).allowed);
    const struct fault_proxy_behaviour slow = {.delay_to_server_ms = 40, .delay_to_client_ms = 40};
    fault_proxy_set(proxy, &slow);
    (void)use_up(weir, limit);
    fault_proxy_set(proxy, NULL);
    const struct weir_decision denial = check(weir, limit);
    assert_int_equal(denial.source, WEIR_SOURCE_DENY_CACHE);
    sleep_us(denial.retry_after_us);
    const struct weir_decision decision = check(weir, limit);
    assert_true(decision.allowed);
    weir_close(weir);
    weir_limit_free(limit);
    fault_proxy_stop(proxy);
    rig_redis_stop(redis);
}

/* ---- What is given back ---- */

static void a_refund_and_a_reset_are_felt_at_once(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct weir *weir = open_at(rig_redis_port(redis), "");
    struct weir_limit *limit = fixture_limit("5/h");
    for (unsigned i = 0; i < 20; i++) {
        (void)use_up(weir, limit);
        assert_int_equal(weir_refund(weir, limit, weir_text("k"), 1, WEIR_CLOCK, NULL), WEIR_OK);
        assert_true(check(weir, limit).allowed);
        (void)use_up(weir, limit);
        assert_int_equal(weir_reset(weir, limit, weir_text("k")), WEIR_OK);
        assert_true(check(weir, limit).allowed);
    }
    weir_close(weir);
    weir_limit_free(limit);
    rig_redis_stop(redis);
}

static bool is_admitted(void *context)
{
    void **scene = context;
    return check(scene[0], scene[1]).allowed;
}

/* A second later at the latest; here that it is, the second itself is deny_cache_test's. */
static void what_another_gives_back_is_felt_later(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct weir *weir = open_at(rig_redis_port(redis), "");
    struct weir *other = open_at(rig_redis_port(redis), "");
    struct weir_limit *limit = fixture_limit("5/h");
    void *scene[] = {weir, limit};
    (void)use_up(weir, limit);
    assert_int_equal(weir_reset(other, limit, weir_text("k")), WEIR_OK);
    rig_wait(is_admitted, scene, "an admission after another's reset");
    weir_close(other);
    weir_close(weir);
    weir_limit_free(limit);
    rig_redis_stop(redis);
}

/* ---- Everything, beside a store in memory ---- */

static const char *const limits_of_all_sorts[] = {
    "4/s",
    "20/s burst 3",
    "5/2s leaky-bucket",
    "4/500ms fixed-window",
    "30/minute calendar-window",
    "4/500ms calendar-window epoch",
    "6/s sliding-window",
    "4/s sliding-log",
    "5/s block 700ms",
    "3/s fixed-window block 1200ms",
};
#define LIMITS (sizeof(limits_of_all_sorts) / sizeof(limits_of_all_sorts[0]))

struct pair {
    struct weir *redis;
    struct weir *memory;
    struct weir_limit *limits[LIMITS];
    struct random random;
    uint64_t seed;
    uint64_t denied;
    uint64_t cached;
};

static void compare(const struct pair *pair, const struct weir_decision *expected,
                    const struct weir_decision *found, const char *limit)
{
    struct weir_decision alike = *found;
    alike.source = expected->source;
    if (memcmp(&alike, expected, sizeof(alike)) != 0) {
        fail_msg("%s, WEIR_SEED=%llu: %d, %llu, %lld, %lld; source %d says %d, %llu, %lld, %lld",
                 limit, (unsigned long long)pair->seed, (int)expected->allowed,
                 (unsigned long long)expected->remaining, (long long)expected->retry_after_us,
                 (long long)expected->reset_after_us, (int)found->source, (int)found->allowed,
                 (unsigned long long)found->remaining, (long long)found->retry_after_us,
                 (long long)found->reset_after_us);
    }
}

/* One question to both, at a time of the caller's. */
static void ask_both(struct pair *pair, int64_t now_us)
{
    struct random *random = &pair->random;
    const size_t which = random_below(random, LIMITS);
    const struct weir_limit *limit = pair->limits[which];
    const struct weir_bytes key = weir_text(random_once_in(random, 2) ? "a" : "b");
    const uint64_t cost = random_once_in(random, 6) ? random_below(random, 8) : 1;
    struct weir *const stores[] = {pair->memory, pair->redis};
    struct weir_decision decisions[2];
    memset(decisions, 0, sizeof(decisions));
    const uint64_t verb = random_below(random, 30);
    for (size_t i = 0; i < 2; i++) {
        enum weir_status status;
        if (verb == 0) {
            status = weir_reset(stores[i], limit, key);
        } else if (verb == 1) {
            status = weir_refund(stores[i], limit, key, cost, now_us, &decisions[i]);
        } else if (verb < 4) {
            status = weir_peek(stores[i], limit, key, cost, now_us, &decisions[i]);
        } else {
            status = weir_check(stores[i], limit, key, cost, now_us, &decisions[i]);
        }
        assert_int_equal(status, WEIR_OK);
    }
    compare(pair, &decisions[0], &decisions[1], limits_of_all_sorts[which]);
    pair->denied += verb != 0 && !decisions[1].allowed ? 1 : 0;
    pair->cached += decisions[1].source == WEIR_SOURCE_DENY_CACHE ? 1 : 0;
}

static void decisions_are_those_of_a_store_without_a_cache(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct pair pair = {.redis = open_at(rig_redis_port(redis), ""),
                        .memory = fixture_open("memory:?size=64KiB"),
                        .seed = random_seed(1)};
    pair.random = random_from(pair.seed);
    for (size_t i = 0; i < LIMITS; i++) {
        pair.limits[i] = fixture_limit(limits_of_all_sorts[i]);
    }
    int64_t now_us = FIXTURE_NOW;
    for (size_t i = random_rounds(20000); i > 0; i--) {
        now_us +=
            (int64_t)random_below(&pair.random, random_once_in(&pair.random, 20) ? 500000 : 8000);
        ask_both(&pair, now_us);
    }
    assert_true(pair.cached > 0);
    for (size_t i = 0; i < LIMITS; i++) {
        weir_limit_free(pair.limits[i]);
    }
    weir_close(pair.memory);
    weir_close(pair.redis);
    rig_redis_stop(redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_a_denied_key_costs_the_server_nothing),
        cmocka_unit_test(without_a_cache_the_server_is_asked),
        cmocka_unit_test(waiting_out_a_denial_of_the_cache_is_enough),
        cmocka_unit_test(a_refund_and_a_reset_are_felt_at_once),
        cmocka_unit_test(what_another_gives_back_is_felt_later),
        cmocka_unit_test(decisions_are_those_of_a_store_without_a_cache),
    };
    return cmocka_run_group_tests_name("redis_deny_cache", tests, NULL, NULL);
}
