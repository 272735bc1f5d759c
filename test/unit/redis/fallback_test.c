/* fallback_test.c - what decides where Redis does not: deny, allow and local, each by itself and
 * mixed, and local without memory. */

#include "redis/fallback.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "weir/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW FIXTURE_NOW
#define SECOND INT64_C(1000000)
#define RETRY INT64_C(1500000)

/* An allocator that has `left` allocations to give, and counts what is held. */
struct purse {
    uint64_t held;
    unsigned left;
    unsigned made;
};

static void *purse_allocate(void *context, size_t size, size_t alignment)
{
    struct purse *purse = context;
    if (purse->left == 0) {
        return NULL;
    }
    purse->left--;
    purse->made++;
    purse->held += size;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void purse_release(void *context, void *memory, size_t size)
{
    struct purse *purse = context;
    purse->held -= size;
    free(memory);
}

static struct weir_redis_config *config_of(enum weir_on_error on_error)
{
    struct weir_redis_config *config = calloc(1, sizeof(*config));
    assert_non_null(config);
    config->on_error = on_error;
    config->local_size = 65536;
    return config;
}

/* A limit with an on_error of its own. */
static struct weir_limit *limit_with(const char *text, const char *name,
                                     enum weir_on_error on_error)
{
    const struct weir_limit_options options = {
        .size = sizeof(options), .name = weir_text(name), .on_error = on_error};
    struct weir_limit *limit = NULL;
    assert_int_equal(weir_limit_parse(weir_text(text), &options, &limit, NULL), WEIR_OK);
    return limit;
}

struct scene {
    struct weir_redis_config *config;
    struct weir_fallback *fallback;
    struct weir_limit *limit;
};

static struct scene scene_open(enum weir_on_error on_error, const char *limit)
{
    struct scene scene = {.config = config_of(on_error)};
    scene.fallback = weir_fallback_new(scene.config, NULL);
    scene.limit = fixture_limit(limit);
    assert_non_null(scene.fallback);
    return scene;
}

static void scene_close(struct scene *scene)
{
    weir_fallback_free(scene->fallback);
    weir_limit_free(scene->limit);
    free(scene->config);
}

static struct weir_decision ask(struct scene *scene, enum weir_verb verb, uint64_t cost)
{
    const struct weir_request request = {scene->limit, weir_text("k"), cost};
    struct weir_decision decision;
    memset(&decision, 0xff, sizeof(decision));
    assert_int_equal(weir_fallback_decide(scene->fallback, verb, &request,
                                          &(struct weir_outage){WEIR_FAILURE_TIMEOUT, RETRY, NOW},
                                          &decision),
                     WEIR_OK);
    return decision;
}

static void assert_denied_by_rule(const struct weir_decision *decision, uint64_t limit,
                                  int64_t retry_after_us)
{
    assert_false(decision->allowed);
    assert_false(decision->blocked);
    assert_int_equal(decision->failure, WEIR_FAILURE_TIMEOUT);
    assert_int_equal(decision->source, WEIR_SOURCE_ON_ERROR);
    assert_int_equal(decision->limit, limit);
    assert_int_equal(decision->remaining, 0);
    assert_true(decision->retry_after_us == retry_after_us);
    assert_int_equal(decision->reset_after_us, RETRY);
    assert_int_equal(decision->delay_us, 0);
}

static const char *const every_algorithm[] = {
    "10/s",
    "10/s leaky-bucket",
    "10/s fixed-window",
    "10/minute calendar-window",
    "10/s sliding-window",
    "10/s sliding-log",
    "10/s block 1m",
};
#define ALGORITHMS (sizeof(every_algorithm) / sizeof(every_algorithm[0]))

static void deny_denies_until_redis_is_tried_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        struct scene scene = scene_open(WEIR_ON_ERROR_DENY, every_algorithm[i]);
        for (enum weir_verb verb = WEIR_VERB_CHECK; verb <= WEIR_VERB_REFUND; verb++) {
            const struct weir_decision decision = ask(&scene, verb, 1);
            assert_denied_by_rule(&decision, 10, RETRY);
        }
        struct weir_decision decision = ask(&scene, WEIR_VERB_CHECK, 10);
        assert_denied_by_rule(&decision, 10, RETRY);
        decision = ask(&scene, WEIR_VERB_CHECK, 11);
        assert_denied_by_rule(&decision, 10, WEIR_NEVER);
        decision = ask(&scene, WEIR_VERB_REFUND, 11);
        assert_denied_by_rule(&decision, 10, RETRY);
        scene_close(&scene);
    }
}

static void a_denial_is_never_for_no_time_at_all(void **state)
{
    (void)state;
    struct scene scene = scene_open(WEIR_ON_ERROR_DENY, "10/s");
    static const int64_t retries_us[] = {INT64_MIN, -1, 0, 1};
    for (size_t i = 0; i < 4; i++) {
        const struct weir_request request = {scene.limit, weir_text("k"), 1};
        struct weir_decision decision;
        assert_int_equal(
            weir_fallback_decide(scene.fallback, WEIR_VERB_CHECK, &request,
                                 &(struct weir_outage){WEIR_FAILURE_CIRCUIT, retries_us[i], NOW},
                                 &decision),
            WEIR_OK);
        assert_int_equal(decision.retry_after_us, 1);
        assert_int_equal(decision.failure, WEIR_FAILURE_CIRCUIT);
    }
    scene_close(&scene);
}

static void allow_admits_what_the_limit_could_ever_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        struct scene scene = scene_open(WEIR_ON_ERROR_ALLOW, every_algorithm[i]);
        for (enum weir_verb verb = WEIR_VERB_CHECK; verb <= WEIR_VERB_REFUND; verb++) {
            for (int times = 0; times < 3; times++) {
                const struct weir_decision decision = ask(&scene, verb, 10);
                assert_true(decision.allowed);
                assert_false(decision.blocked);
                assert_int_equal(decision.failure, WEIR_FAILURE_TIMEOUT);
                assert_int_equal(decision.source, WEIR_SOURCE_ON_ERROR);
                assert_int_equal(decision.limit, 10);
                assert_int_equal(decision.remaining, 10);
                assert_int_equal(decision.retry_after_us, 0);
                assert_int_equal(decision.reset_after_us, 0);
                assert_int_equal(decision.delay_us, 0);
            }
        }
        const struct weir_decision decision = ask(&scene, WEIR_VERB_CHECK, 11);
        assert_false(decision.allowed);
        assert_true(decision.retry_after_us == WEIR_NEVER);
        scene_close(&scene);
    }
}

/* The same trace on a memory: store, but for who answered and why. */
static void local_decides_as_memory_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        struct scene scene = scene_open(WEIR_ON_ERROR_LOCAL, every_algorithm[i]);
        struct weir *memory = fixture_open("memory:?size=64KiB");
        for (unsigned step = 0; step < 60; step++) {
            const enum weir_verb verb = (enum weir_verb)(step * 7 % 4);
            const struct weir_request request = {scene.limit, weir_text("k"), step % 5};
            const int64_t now_us = NOW + step * SECOND / 30;
            struct weir_decision expected;
            struct weir_decision found;
            struct weir_store *store = weir_store_of(memory);
            const struct weir_ask question = {
                .limit = scene.limit,
                .key = request.key,
                .cost = request.cost > 0 ? request.cost : 1,
                .now_us = now_us,
                .verb = request.cost > 0 ? verb : WEIR_VERB_PEEK,
            };
            assert_int_equal(store->ops->decide(store, &question, &expected), WEIR_OK);
            assert_int_equal(weir_fallback_decide(
                                 scene.fallback, verb, &request,
                                 &(struct weir_outage){WEIR_FAILURE_LOST, RETRY, now_us}, &found),
                             WEIR_OK);
            assert_int_equal(found.source, WEIR_SOURCE_LOCAL);
            assert_int_equal(found.failure, WEIR_FAILURE_LOST);
            assert_int_equal(found.allowed, expected.allowed);
            assert_int_equal(found.blocked, expected.blocked);
            assert_int_equal(found.limit, expected.limit);
            assert_int_equal(found.remaining, expected.remaining);
            assert_true(found.retry_after_us == expected.retry_after_us);
            assert_int_equal(found.reset_after_us, expected.reset_after_us);
            assert_int_equal(found.delay_us, expected.delay_us);
        }
        weir_close(memory);
        scene_close(&scene);
    }
}

static void local_reads_the_clock_where_nobody_tells_the_time(void **state)
{
    (void)state;
    struct scene scene = scene_open(WEIR_ON_ERROR_LOCAL, "10/h");
    const struct weir_request request = {scene.limit, weir_text("k"), 1};
    for (enum weir_verb verb = WEIR_VERB_CHECK; verb <= WEIR_VERB_REFUND; verb++) {
        struct weir_decision decision;
        assert_int_equal(
            weir_fallback_decide(scene.fallback, verb, &request,
                                 &(struct weir_outage){WEIR_FAILURE_LOST, RETRY, WEIR_CLOCK},
                                 &decision),
            WEIR_OK);
        assert_true(decision.allowed);
    }
    scene_close(&scene);
}

static void a_reset_is_redis_alone_to_answer(void **state)
{
    (void)state;
    for (enum weir_on_error on_error = WEIR_ON_ERROR_DENY; on_error <= WEIR_ON_ERROR_LOCAL;
         on_error++) {
        struct scene scene = scene_open(on_error, "10/h");
        const struct weir_request request = {scene.limit, weir_text("k"), 1};
        assert_int_equal(weir_fallback_decide(scene.fallback, WEIR_VERB_RESET, &request,
                                              &(struct weir_outage){WEIR_FAILURE_LOST, RETRY, NOW},
                                              NULL),
                         WEIR_ERR_STORE);
        (void)ask(&scene, WEIR_VERB_CHECK, 10);
        assert_int_equal(weir_fallback_decide(scene.fallback, WEIR_VERB_RESET, &request,
                                              &(struct weir_outage){WEIR_FAILURE_LOST, RETRY, NOW},
                                              NULL),
                         WEIR_ERR_STORE);
        if (on_error == WEIR_ON_ERROR_LOCAL) {
            assert_int_equal(ask(&scene, WEIR_VERB_PEEK, 1).remaining, 10);
            (void)ask(&scene, WEIR_VERB_CHECK, 4);
            weir_fallback_forget(scene.fallback, &request);
            assert_int_equal(ask(&scene, WEIR_VERB_PEEK, 1).remaining, 10);
        }
        scene_close(&scene);
    }
}

static void a_limits_own_on_error_comes_first(void **state)
{
    (void)state;
    struct scene scene = scene_open(WEIR_ON_ERROR_ALLOW, "10/h");
    struct weir_limit *stores = scene.limit;
    assert_true(ask(&scene, WEIR_VERB_CHECK, 1).allowed);
    scene.limit = limit_with("10/h", "", WEIR_ON_ERROR_DENY);
    assert_false(ask(&scene, WEIR_VERB_CHECK, 1).allowed);
    weir_limit_free(scene.limit);
    scene.limit = limit_with("10/h", "", WEIR_ON_ERROR_LOCAL);
    assert_int_equal(ask(&scene, WEIR_VERB_CHECK, 1).source, WEIR_SOURCE_LOCAL);
    weir_limit_free(scene.limit);
    scene.limit = stores;
    scene_close(&scene);
}

/* ---- All or none ---- */

struct trio {
    struct scene scene;
    struct weir_limit *limits[4]; /* one that denies, one that allows, two local ones */
};

static struct trio trio_open(void)
{
    return (struct trio){
        .scene = scene_open(WEIR_ON_ERROR_LOCAL, "1/h"),
        .limits = {limit_with("10/h", "d", WEIR_ON_ERROR_DENY),
                   limit_with("10/h", "a", WEIR_ON_ERROR_ALLOW),
                   limit_with("10/h", "l", WEIR_ON_ERROR_LOCAL),
                   limit_with("5/h", "m", WEIR_ON_ERROR_DEFAULT)},
    };
}

static void trio_close(struct trio *trio)
{
    for (size_t i = 0; i < 4; i++) {
        weir_limit_free(trio->limits[i]);
    }
    scene_close(&trio->scene);
}

static uint64_t left_of(struct trio *trio, size_t limit)
{
    const struct weir_request request = {trio->limits[limit], weir_text("k"), 1};
    struct weir_decision decision;
    assert_int_equal(weir_fallback_decide(trio->scene.fallback, WEIR_VERB_PEEK, &request,
                                          &(struct weir_outage){WEIR_FAILURE_OOM, RETRY, NOW},
                                          &decision),
                     WEIR_OK);
    return decision.remaining;
}

/* Asks limits `which`, digits, at costs `costs`; the answer is the first that denied. */
static size_t ask_all(struct trio *trio, const char *which, const uint64_t *costs,
                      struct weir_decision *decisions)
{
    struct weir_request requests[8] = {{NULL, {NULL, 0}, 0}};
    size_t count = 0;
    for (; which[count] != '\0'; count++) {
        requests[count] =
            (struct weir_request){trio->limits[which[count] - '0'], weir_text("k"), costs[count]};
    }
    size_t denied = 99;
    assert_int_equal(weir_fallback_decide_all(trio->scene.fallback, requests, count,
                                              &(struct weir_outage){WEIR_FAILURE_OOM, RETRY, NOW},
                                              decisions, &denied),
                     WEIR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(decisions[i].failure, WEIR_FAILURE_OOM);
    }
    return denied;
}

static void all_pass_where_each_does(void **state)
{
    (void)state;
    struct trio trio = trio_open();
    struct weir_decision decisions[8];
    assert_int_equal(ask_all(&trio, "123", (const uint64_t[]){3, 4, 5}, decisions), 3);
    assert_int_equal(decisions[0].source, WEIR_SOURCE_ON_ERROR);
    assert_int_equal(decisions[0].remaining, 10);
    assert_int_equal(decisions[1].source, WEIR_SOURCE_LOCAL);
    assert_int_equal(decisions[1].remaining, 6);
    assert_int_equal(decisions[2].remaining, 0);
    assert_int_equal(left_of(&trio, 2), 6);
    assert_int_equal(left_of(&trio, 3), 0);
    trio_close(&trio);
}

static void one_local_denial_takes_from_none(void **state)
{
    (void)state;
    struct trio trio = trio_open();
    struct weir_decision decisions[8];
    assert_int_equal(ask_all(&trio, "213", (const uint64_t[]){4, 1, 6}, decisions), 2);
    assert_true(decisions[0].allowed && decisions[1].allowed && !decisions[2].allowed);
    assert_true(decisions[2].retry_after_us == WEIR_NEVER);
    assert_int_equal(left_of(&trio, 2), 10);
    trio_close(&trio);
}

static void one_that_denies_denies_all_and_takes_nothing(void **state)
{
    (void)state;
    struct trio trio = trio_open();
    struct weir_decision decisions[8];
    assert_int_equal(ask_all(&trio, "2103", (const uint64_t[]){4, 1, 1, 5}, decisions), 2);
    assert_true(decisions[0].allowed && decisions[1].allowed && decisions[3].allowed);
    assert_int_equal(decisions[0].remaining, 10);
    assert_int_equal(decisions[2].source, WEIR_SOURCE_ON_ERROR);
    assert_int_equal(decisions[2].retry_after_us, RETRY);
    assert_int_equal(left_of(&trio, 2), 10);
    assert_int_equal(left_of(&trio, 3), 5);
    /* So does what an allowing one can never hold; the first in their order is named. */
    assert_int_equal(ask_all(&trio, "321", (const uint64_t[]){5, 11, 11}, decisions), 1);
    assert_int_equal(left_of(&trio, 3), 5);
    trio_close(&trio);
}

static void all_at_the_bound_of_their_number(void **state)
{
    (void)state;
    struct trio trio = trio_open();
    static struct weir_request requests[WEIR_CHECK_ALL_MAX];
    static struct weir_decision decisions[WEIR_CHECK_ALL_MAX];
    static char keys[WEIR_CHECK_ALL_MAX][8];
    for (size_t i = 0; i < WEIR_CHECK_ALL_MAX; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "%zu", i);
        requests[i] = (struct weir_request){trio.limits[2], weir_text(keys[i]), 1};
    }
    size_t denied = 0;
    assert_int_equal(weir_fallback_decide_all(trio.scene.fallback, requests, WEIR_CHECK_ALL_MAX,
                                              &(struct weir_outage){WEIR_FAILURE_OOM, RETRY, NOW},
                                              decisions, &denied),
                     WEIR_OK);
    assert_int_equal(denied, WEIR_CHECK_ALL_MAX);
    assert_int_equal(decisions[WEIR_CHECK_ALL_MAX - 1].remaining, 9);
    trio_close(&trio);
}

/* ---- Memory, threads, numbers ---- */

static void the_table_is_opened_when_it_is_needed_and_once(void **state)
{
    (void)state;
    struct purse purse = {.left = 100};
    const struct weir_allocator allocator = {purse_allocate, purse_release, &purse};
    struct weir_redis_config *config = config_of(WEIR_ON_ERROR_LOCAL);
    struct scene scene = {config, weir_fallback_new(config, &allocator), fixture_limit("10/h")};
    struct weir_stats stats = {.size = sizeof(stats), .redis_decided = 7};
    weir_fallback_stats(scene.fallback, NOW, &stats);
    assert_int_equal(stats.bytes, 0);
    assert_int_equal(purse.made, 1);
    (void)ask(&scene, WEIR_VERB_CHECK, 1);
    const unsigned made = purse.made;
    assert_true(made > 1);
    (void)ask(&scene, WEIR_VERB_CHECK, 1);
    assert_int_equal(purse.made, made);
    weir_fallback_stats(scene.fallback, NOW, &stats);
    assert_true(stats.bytes >= 65536 && stats.bytes <= 65536 + 4096);
    assert_int_equal(stats.used, 1);
    assert_int_equal(stats.live, 1);
    assert_int_equal(stats.redis_decided, 7);
    assert_int_equal(stats.size, sizeof(stats));
    scene_close(&scene);
    assert_int_equal(purse.held, 0);
}

/* Every allocation on the way fails once. */
static void without_memory_local_denies_until_there_is_some(void **state)
{
    (void)state;
    struct purse purse = {.left = 0};
    const struct weir_allocator allocator = {purse_allocate, purse_release, &purse};
    struct weir_redis_config *config = config_of(WEIR_ON_ERROR_LOCAL);
    assert_null(weir_fallback_new(config, &allocator));
    unsigned failures = 0;
    purse.left = 1;
    struct scene scene = {config, weir_fallback_new(config, &allocator), fixture_limit("10/h")};
    for (unsigned left = 0;; left++) {
        purse.left = left;
        struct weir_decision decision = ask(&scene, WEIR_VERB_CHECK, 1);
        if (decision.source == WEIR_SOURCE_LOCAL) {
            assert_true(decision.allowed);
            break;
        }
        failures++;
        assert_false(decision.allowed);
        assert_int_equal(decision.source, WEIR_SOURCE_ON_ERROR);
        assert_int_equal(decision.failure, WEIR_FAILURE_NO_MEMORY);
        assert_int_equal(decision.retry_after_us, RETRY);
        purse.left = left;
        const struct weir_request requests[] = {{scene.limit, weir_text("k"), 1},
                                                {scene.limit, weir_text("j"), 1}};
        struct weir_decision decisions[2];
        size_t denied = 9;
        assert_int_equal(
            weir_fallback_decide_all(scene.fallback, requests, 2,
                                     &(struct weir_outage){WEIR_FAILURE_LOST, RETRY, NOW},
                                     decisions, &denied),
            WEIR_OK);
        assert_int_equal(denied, 0);
        assert_int_equal(decisions[1].failure, WEIR_FAILURE_NO_MEMORY);
        assert_false(decisions[1].allowed);
    }
    assert_true(failures >= 2);
    scene_close(&scene);
    assert_int_equal(purse.held, 0);
}

struct crowd {
    struct scene scene;
    unsigned admitted;
};

static void crowd_member(void *shared, unsigned index)
{
    struct crowd *crowd = shared;
    for (unsigned i = 0; i < 500; i++) {
        const struct weir_request request = {crowd->scene.limit, weir_text("k"), 1};
        struct weir_decision decision;
        const enum weir_status status =
            weir_fallback_decide(crowd->scene.fallback, WEIR_VERB_CHECK, &request,
                                 &(struct weir_outage){WEIR_FAILURE_LOST, RETRY, NOW}, &decision);
        if (status == WEIR_OK && decision.allowed) {
            __atomic_add_fetch(&crowd->admitted, 1, __ATOMIC_RELAXED);
        }
        if (index == 0 && i % 100 == 0) {
            struct weir_stats stats = {.size = sizeof(stats)};
            weir_fallback_stats(crowd->scene.fallback, NOW, &stats);
        }
    }
}

/* Had two threads opened a table each, more would have passed. */
static void threads_share_one_table(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        struct crowd crowd = {.scene = scene_open(WEIR_ON_ERROR_LOCAL, "1000/h")};
        fixture_threads(8, crowd_member, &crowd);
        assert_int_equal(crowd.admitted, 1000);
        scene_close(&crowd.scene);
    }
}

/* Two handles that were given one table have one budget, and it is not theirs to close or count. */
static void a_table_may_be_shared(void **state)
{
    (void)state;
    struct weir *shared = fixture_open("memory:?size=64KiB");
    struct scene scenes[2];
    unsigned admitted = 0;
    for (size_t i = 0; i < 2; i++) {
        scenes[i] = scene_open(WEIR_ON_ERROR_LOCAL, "10/h");
        scenes[i].config->local = shared;
    }
    for (unsigned i = 0; i < 24; i++) {
        const struct weir_decision decision = ask(&scenes[i % 2], WEIR_VERB_CHECK, 1);
        assert_int_equal(decision.source, WEIR_SOURCE_LOCAL);
        assert_int_equal(decision.failure, WEIR_FAILURE_TIMEOUT);
        admitted += decision.allowed;
    }
    assert_int_equal(admitted, 10);
    struct weir_stats stats = {.size = sizeof(stats)};
    weir_fallback_stats(scenes[0].fallback, NOW, &stats);
    assert_int_equal(stats.bytes, 0);
    const struct weir_request request = {scenes[0].limit, weir_text("k"), 1};
    weir_fallback_forget(scenes[0].fallback, &request);
    scene_close(&scenes[0]);
    assert_true(ask(&scenes[1], WEIR_VERB_CHECK, 1).allowed);
    scene_close(&scenes[1]);
    weir_close(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deny_denies_until_redis_is_tried_again),
        cmocka_unit_test(a_denial_is_never_for_no_time_at_all),
        cmocka_unit_test(allow_admits_what_the_limit_could_ever_hold),
        cmocka_unit_test(local_decides_as_memory_does),
        cmocka_unit_test(local_reads_the_clock_where_nobody_tells_the_time),
        cmocka_unit_test(a_reset_is_redis_alone_to_answer),
        cmocka_unit_test(a_limits_own_on_error_comes_first),
        cmocka_unit_test(all_pass_where_each_does),
        cmocka_unit_test(one_local_denial_takes_from_none),
        cmocka_unit_test(one_that_denies_denies_all_and_takes_nothing),
        cmocka_unit_test(all_at_the_bound_of_their_number),
        cmocka_unit_test(the_table_is_opened_when_it_is_needed_and_once),
        cmocka_unit_test(without_memory_local_denies_until_there_is_some),
        cmocka_unit_test(threads_share_one_table),
        cmocka_unit_test(a_table_may_be_shared),
    };
    return cmocka_run_group_tests_name("fallback", tests, NULL, NULL);
}
