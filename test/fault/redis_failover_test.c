/* redis_failover_test.c - primaries that go, while threads go on asking: sentinels choose another,
 * a cluster does, slots move. Every call is answered by its deadline, Redis decides again as soon
 * as there is a primary, and no more is admitted than docs/failure-modes.md promises.
 *
 * Replication is asynchronous: what a primary had not passed on when it went is admitted once more,
 * at most a budget a key. How much that was is printed. */

#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "support/load.h"
#include "support/rig_cluster.h"
#include "support/rig_sentinel.h"

#include <signal.h>
#include <stdio.h>

#define DEADLINE_US INT64_C(200000)
#define LATE_US INT64_C(2000000)
#define THREADS 3
#define BUDGET 20
#define KEYS 12
#define ALL (BUDGET * KEYS)
#define SMALL_LIMIT "20/360d"
#define LARGE_LIMIT "1000000/360d"

struct scene {
    struct rig_sentinel *sentinel;
    struct rig_cluster *cluster;
    struct weir *weir;
    struct weir_limit *limit;
    struct load *load;
    unsigned keys;
};

static void scene_begin(struct scene *scene, const char *servers, const char *limit, unsigned keys)
{
    char url[1024];
    (void)snprintf(url, sizeof(url), "%s?deadline=200ms&on_error=local&deny_cache=0&local=64KiB",
                   servers);
    struct weir_error error = {0, 0, ""};
    if (weir_redis_open(url, NULL, &scene->weir, &error) != WEIR_OK) {
        fail_msg("%s: %s", url, error.message);
    }
    scene->limit = fixture_limit(limit);
    scene->keys = keys;
    scene->load = load_start(scene->weir, scene->limit, "k", keys, THREADS);
    load_wait_for(scene->load, WEIR_SOURCE_REDIS, 10);
    load_forget_longest(scene->load);
}

static struct scene sentinel_scene(const char *limit, unsigned keys)
{
    struct scene scene = {.sentinel =
                              rig_sentinel_start(&(struct rig_sentinel_options){.replicas = 2})};
    scene_begin(&scene, rig_sentinel_url(scene.sentinel), limit, keys);
    return scene;
}

static struct scene cluster_scene(unsigned replicas_each, const char *limit, unsigned keys)
{
    struct scene scene = {
        .cluster = rig_cluster_start(&(struct rig_cluster_options){
            .primaries = 3, .replicas_each = replicas_each, .node_timeout_ms = 1000})};
    scene_begin(&scene, rig_cluster_url(scene.cluster), limit, keys);
    return scene;
}

static uint64_t failures_in(const struct load_account *account)
{
    uint64_t count = 0;
    for (size_t i = 1; i < WEIR_FAILURE_COUNT; i++) {
        count += account->failed[i];
    }
    return count;
}

/* How much of all keys' budgets Redis says is taken. */
static uint64_t taken_in_redis(const struct scene *scene)
{
    uint64_t taken = 0;
    for (unsigned i = 0; i < scene->keys; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%u", i);
        struct weir_decision decision;
        assert_int_equal(
            weir_peek(scene->weir, scene->limit, weir_text(key), 1, WEIR_CLOCK, &decision),
            WEIR_OK);
        assert_int_equal(decision.source, WEIR_SOURCE_REDIS);
        taken += decision.limit - decision.remaining;
    }
    return taken;
}

static uint64_t unknown_in(const struct load_account *account)
{
    return account->failed[WEIR_FAILURE_TIMEOUT] + account->failed[WEIR_FAILURE_LOST];
}

static void scene_end(struct scene *scene, const char *fault, const struct load_account *account)
{
    print_message("# %s: the longest of %llu calls took %.1f ms; %llu by Redis, %llu not\n", fault,
                  (unsigned long long)account->asked, (double)account->longest_us / 1000,
                  (unsigned long long)load_from(account, WEIR_SOURCE_REDIS),
                  (unsigned long long)failures_in(account));
    assert_int_equal(account->errors, 0);
    assert_true(account->longest_us < DEADLINE_US + LATE_US);
    weir_close(scene->weir);
    rig_sentinel_stop(scene->sentinel);
    rig_cluster_stop(scene->cluster);
    weir_limit_free(scene->limit);
}

/* Spends all budgets, has `befall` happen, and spends what there is afterwards. */
static void spend_and_fail(struct scene *scene, void (*befall)(struct scene *scene),
                           const char *fault)
{
    load_wait_for(scene->load, WEIR_SOURCE_REDIS, 4 * ALL);
    befall(scene);
    load_wait_for(scene->load, WEIR_SOURCE_REDIS, 4 * ALL);
    const struct load_account account = load_stop(scene->load);
    const uint64_t admitted = account.admitted[WEIR_SOURCE_REDIS];
    print_message("# %s: Redis admitted %llu of budgets of %d\n", fault,
                  (unsigned long long)admitted, ALL);
    assert_true(admitted + unknown_in(&account) >= ALL);
    assert_true(admitted <= 2 * ALL);
    assert_true(account.admitted[WEIR_SOURCE_LOCAL] <= ALL);
    scene_end(scene, fault, &account);
}

/* Spends on while `befall` happens; afterwards Redis has charged all that it admitted, but for what
 * was lost with the primary. */
static uint64_t lost_while_failing(struct scene *scene, void (*befall)(struct scene *scene),
                                   const char *fault)
{
    befall(scene);
    load_wait_for(scene->load, WEIR_SOURCE_REDIS, 200);
    const struct load_account account = load_stop(scene->load);
    const uint64_t taken = taken_in_redis(scene);
    const uint64_t admitted = account.admitted[WEIR_SOURCE_REDIS];
    const uint64_t lost = admitted > taken ? admitted - taken : 0;
    print_message("# %s: Redis admitted %llu and remembers %llu\n", fault,
                  (unsigned long long)admitted, (unsigned long long)taken);
    assert_true(taken <= admitted + unknown_in(&account));
    scene_end(scene, fault, &account);
    return lost;
}

/* ---- Sentinels ---- */

static void kill_primary(struct scene *scene)
{
    const size_t former = rig_sentinel_primary(scene->sentinel);
    rig_redis_kill(rig_sentinel_node(scene->sentinel, former), SIGKILL);
    (void)rig_sentinel_wait_primary(scene->sentinel, former);
}

/* It wakes up when another has its place, and does not know yet. */
static void stop_primary_for_a_while(struct scene *scene)
{
    const size_t former = rig_sentinel_primary(scene->sentinel);
    rig_redis_pause(rig_sentinel_node(scene->sentinel, former));
    (void)rig_sentinel_wait_primary(scene->sentinel, former);
    rig_redis_resume(rig_sentinel_node(scene->sentinel, former));
}

static void move_primary(struct scene *scene)
{
    (void)rig_sentinel_failover(scene->sentinel);
}

static void lose_a_sentinel_then_the_primary(struct scene *scene)
{
    rig_redis_kill(rig_sentinel_watcher(scene->sentinel, 0), SIGKILL);
    load_wait_for(scene->load, WEIR_SOURCE_REDIS, 50);
    kill_primary(scene);
}

static void a_primary_that_is_killed_under_sentinels(void **state)
{
    (void)state;
    struct scene scene = sentinel_scene(SMALL_LIMIT, KEYS);
    spend_and_fail(&scene, kill_primary, "sentinel, primary killed");
    scene = sentinel_scene(LARGE_LIMIT, 1);
    (void)lost_while_failing(&scene, lose_a_sentinel_then_the_primary,
                             "sentinel, a sentinel and the primary killed");
}

static void a_primary_that_stops_and_comes_back(void **state)
{
    (void)state;
    struct scene scene = sentinel_scene(SMALL_LIMIT, KEYS);
    spend_and_fail(&scene, stop_primary_for_a_while, "sentinel, primary stopped for a while");
}

static void a_primary_that_hands_over(void **state)
{
    (void)state;
    struct scene scene = sentinel_scene(LARGE_LIMIT, 1);
    (void)lost_while_failing(&scene, move_primary, "sentinel, failover asked for");
}

/* ---- Clusters ---- */

static void kill_owner(struct scene *scene)
{
    const unsigned slot = rig_cluster_slot(scene->cluster, "k0");
    const size_t former = rig_cluster_owner(scene->cluster, slot);
    rig_redis_kill(rig_cluster_node(scene->cluster, former), SIGKILL);
    (void)rig_cluster_wait_owner(scene->cluster, slot, former);
}

static void move_slot_about(struct scene *scene)
{
    const unsigned slot = rig_cluster_slot(scene->cluster, "k0");
    for (unsigned i = 0; i < 4; i++) {
        const size_t owner = rig_cluster_owner(scene->cluster, slot);
        rig_cluster_move(scene->cluster, slot, (owner + 1) % 3);
        load_wait_for(scene->load, WEIR_SOURCE_REDIS, 50);
    }
}

static void move_slot_to_a_new_node(struct scene *scene)
{
    const size_t added = rig_cluster_add(scene->cluster);
    rig_cluster_move(scene->cluster, rig_cluster_slot(scene->cluster, "k0"), added);
}

static void a_primary_that_is_killed_in_a_cluster(void **state)
{
    (void)state;
    struct scene scene = cluster_scene(1, SMALL_LIMIT, KEYS);
    spend_and_fail(&scene, kill_owner, "cluster, a primary killed");
}

/* Nothing is lost, and nobody else is asked. */
static void slots_that_move(void **state)
{
    (void)state;
    struct scene scene = cluster_scene(0, LARGE_LIMIT, 1);
    assert_int_equal(lost_while_failing(&scene, move_slot_about, "cluster, slots moved"), 0);
    scene = cluster_scene(0, LARGE_LIMIT, 1);
    assert_int_equal(lost_while_failing(&scene, move_slot_to_a_new_node, "cluster, a node added"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_primary_that_is_killed_under_sentinels),
        cmocka_unit_test(a_primary_that_stops_and_comes_back),
        cmocka_unit_test(a_primary_that_hands_over),
        cmocka_unit_test(a_primary_that_is_killed_in_a_cluster),
        cmocka_unit_test(slots_that_move),
    };
    return cmocka_run_group_tests_name("redis_failover", tests, NULL, NULL);
}
