/* redis_cluster_store_test.c - a store over a real cluster, by the public calls: keys of all slots,
 * and requests that must pass together though no one server has all of their keys. */

#include "support/fixture.h"
#include "support/rig_cluster.h"
#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct place {
    struct rig_cluster *cluster;
    struct weir *weir;
};

static struct place place;

static bool cluster_answers(void *context)
{
    (void)context;
    struct weir_limit *limit = fixture_limit("1000/d");
    bool all = true;
    for (unsigned i = 0; i < 30; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", i);
        all =
            all && fixture_peek(place.weir, limit, key, 1, WEIR_CLOCK).source == WEIR_SOURCE_REDIS;
    }
    weir_limit_free(limit);
    return all;
}

static int set_up(void **state)
{
    const struct rig_cluster_options options = {.primaries = 3};
    char url[512];
    struct weir_error error = {0};
    (void)state;
    place.cluster = rig_cluster_start(&options);
    snprintf(url, sizeof(url), "%s?deadline=20s&on_error=deny", rig_cluster_url(place.cluster));
    if (weir_redis_open(url, NULL, &place.weir, &error) != WEIR_OK) {
        fail_msg("%s: %s", url, error.message);
    }
    rig_wait(cluster_answers, NULL, "the cluster to answer");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weir_close(place.weir);
    rig_cluster_stop(place.cluster);
    return 0;
}

static struct weir_decision peek(const struct weir_limit *limit, const char *key)
{
    return fixture_peek(place.weir, limit, key, 1, WEIR_CLOCK);
}

static void a_batch_goes_to_all_servers(void **state)
{
    enum {
        COUNT = 900,
        KEYS = 300
    };
    struct weir_limit *limit = fixture_limit("2/d");
    struct weir_request *requests = calloc(COUNT, sizeof(*requests));
    struct weir_decision *decisions = calloc(COUNT, sizeof(*decisions));
    static char keys[KEYS][16];
    size_t done = 0;
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(keys[i % KEYS], sizeof(keys[0]), "batch%zu", i % KEYS);
        requests[i] = (struct weir_request){limit, weir_text(keys[i % KEYS]), 1};
    }
    assert_int_equal(weir_check_batch(place.weir, requests, COUNT, WEIR_CLOCK, decisions, &done),
                     WEIR_OK);
    assert_int_equal(done, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(decisions[i].failure, WEIR_FAILURE_NONE);
        assert_int_equal(decisions[i].allowed, i / KEYS < 2);
    }
    free(requests);
    free(decisions);
    weir_limit_free(limit);
}

/* The keys a, b and c are of three slots. */
static void together_takes_from_all_slots_or_from_none(void **state)
{
    struct weir_limit *three = fixture_limit("3/d");
    struct weir_limit *two = fixture_limit("2/h");
    const struct weir_request requests[] = {
        {three, weir_text("a"), 1}, {two, weir_text("b"), 1}, {three, weir_text("c"), 0}};
    struct weir_decision decisions[3];
    size_t denied = 9;
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(weir_check_all(place.weir, requests, 3, WEIR_CLOCK, decisions, &denied),
                         WEIR_OK);
        assert_int_equal(denied, 3);
        assert_int_equal(decisions[0].remaining, 2 - i);
        assert_int_equal(decisions[1].remaining, 1 - i);
        assert_int_equal(decisions[2].remaining, 3);
    }
    assert_int_equal(weir_check_all(place.weir, requests, 3, WEIR_CLOCK, decisions, &denied),
                     WEIR_OK);
    assert_int_equal(denied, 1);
    assert_true(decisions[0].allowed && decisions[2].allowed && !decisions[1].allowed);
    assert_int_equal(decisions[0].remaining, 1);
    assert_true(decisions[1].retry_after_us > 0);
    assert_int_equal(peek(three, "a").remaining, 1);
    assert_int_equal(peek(three, "c").remaining, 3);
    weir_limit_free(three);
    weir_limit_free(two);
}

/* A denial starts the block, as one of weir_check would, and nothing else is touched. */
static void a_denial_together_starts_a_block(void **state)
{
    struct weir_limit *blocks = fixture_limit("1/s block 1h");
    struct weir_limit *plain = fixture_limit("3/d");
    const struct weir_request requests[] = {{plain, weir_text("d"), 1},
                                            {blocks, weir_text("e"), 1}};
    struct weir_decision decisions[2];
    size_t denied = 9;
    (void)state;
    assert_int_equal(weir_check_all(place.weir, requests, 2, WEIR_CLOCK, decisions, &denied),
                     WEIR_OK);
    assert_int_equal(denied, 2);
    /* Within the second, or at the latest with the try after it. */
    for (unsigned i = 0; i < 2 && denied == 2; i++) {
        assert_int_equal(weir_check_all(place.weir, requests, 2, WEIR_CLOCK, decisions, &denied),
                         WEIR_OK);
    }
    assert_int_equal(denied, 1);
    assert_true(decisions[1].blocked);
    assert_true(peek(blocks, "e").blocked);
    assert_true(peek(plain, "d").remaining >= 1);
    weir_limit_free(blocks);
    weir_limit_free(plain);
}

#define BUDGET 100
#define MEMBERS 6

struct crowd {
    struct weir_limit *scarce;
    struct weir_limit *ample;
    atomic_uint passed;
};

static void ask_together(void *shared, unsigned index)
{
    struct crowd *crowd = shared;
    char own[16];
    snprintf(own, sizeof(own), "own%u", index);
    for (unsigned i = 0; i < 3 * BUDGET / MEMBERS; i++) {
        const struct weir_request requests[] = {{crowd->ample, weir_text(own), 1},
                                                {crowd->scarce, weir_text("scarce1"), 1},
                                                {crowd->scarce, weir_text("scarce2"), 1}};
        struct weir_decision decisions[3];
        size_t denied = 9;
        if (weir_check_all(place.weir, requests, 3, WEIR_CLOCK, decisions, &denied) != WEIR_OK) {
            abort();
        }
        if (denied == 3) {
            atomic_fetch_add(&crowd->passed, 1);
        }
    }
}

/* One that is given back may deny another for a moment; too many never pass, and what was given
 * back is there: all that is left can be taken one after another. */
static void together_never_passes_too_many(void **state)
{
    struct crowd crowd = {.scarce = fixture_limit("100/d"), .ample = fixture_limit("100000/d")};
    uint64_t used = 0;
    (void)state;
    fixture_threads(MEMBERS, ask_together, &crowd);
    assert_in_range(crowd.passed, 1, BUDGET);
    for (unsigned i = 0; i < MEMBERS; i++) {
        char own[16];
        snprintf(own, sizeof(own), "own%u", i);
        used += 100000 - peek(crowd.ample, own).remaining;
    }
    assert_int_equal(used, crowd.passed);
    assert_int_equal(BUDGET - peek(crowd.scarce, "scarce1").remaining, crowd.passed);
    assert_int_equal(BUDGET - peek(crowd.scarce, "scarce2").remaining, crowd.passed);
    weir_limit_free(crowd.scarce);
    weir_limit_free(crowd.ample);
}

static void an_inspection_tells_every_server(void **state)
{
    struct weir_redis_server servers[8];
    size_t count = 0;
    uint32_t slots = 0;
    (void)state;
    assert_int_equal(
        weir_redis_inspect(place.weir, RIG_PATIENCE_MS * INT64_C(1000), servers, 8, &count),
        WEIR_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_true(servers[i].connected);
        slots += servers[i].slots;
    }
    assert_int_equal(slots, RIG_SLOTS);
}

/* As one that is alone: of what others have nothing is asked again and again. */
static void a_node_that_is_taken_for_a_server(void **state)
{
    (void)state;
    char url[128];
    struct weir *weir = NULL;
    struct weir_stats stats = {.size = sizeof(stats)};
    struct weir_limit *limit = fixture_limit("1000/d");
    unsigned answered = 0;
    snprintf(url, sizeof(url), "redis://127.0.0.1:%u?deadline=1s&on_error=deny",
             rig_redis_port(rig_cluster_node(place.cluster, 0)));
    assert_int_equal(weir_redis_open(url, NULL, &weir, NULL), WEIR_OK);
    for (unsigned i = 0; i < 30; i++) {
        char key[16];
        snprintf(key, sizeof(key), "alone%u", i);
        const struct weir_decision decision = fixture_check(weir, limit, key, 1, WEIR_CLOCK);
        answered += decision.source == WEIR_SOURCE_REDIS;
        assert_int_equal(decision.failure, decision.source == WEIR_SOURCE_REDIS
                                               ? WEIR_FAILURE_NONE
                                               : WEIR_FAILURE_CLUSTER);
    }
    assert_in_range(answered, 1, 29);
    assert_int_equal(weir_stats(weir, WEIR_CLOCK, &stats), WEIR_OK);
    assert_in_range(stats.redis_calls, 1, 2 * 30);
    weir_limit_free(limit);
    weir_close(weir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_goes_to_all_servers),
        cmocka_unit_test(together_takes_from_all_slots_or_from_none),
        cmocka_unit_test(a_denial_together_starts_a_block),
        cmocka_unit_test(together_never_passes_too_many),
        cmocka_unit_test(a_node_that_is_taken_for_a_server),
        cmocka_unit_test(an_inspection_tells_every_server),
    };
    return cmocka_run_group_tests_name("redis_cluster_store", tests, set_up, tear_down);
}
