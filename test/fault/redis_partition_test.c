/* redis_partition_test.c - processes that are cut off from Redis, and what all of them together
 * admit meanwhile: over n of them at most n budgets pass beside Redis's own. Two handles stand for
 * two processes; the cut is one of support/private_network.h, of which neither side is told. */

#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "support/load.h"
#include "support/private_network.h"
#include "support/rig.h"

#include <stdio.h>

#define HANDLES 2
#define THREADS 2
#define BUDGET 100

struct scene {
    struct rig_redis *redis;
    struct weir_limit *limit;
    struct weir *handles[HANDLES];
    struct load *loads[HANDLES];
};

static struct scene scene_open(const char *on_error)
{
    struct scene scene = {.redis = rig_redis_start(NULL), .limit = fixture_limit("100/300d")};
    for (size_t i = 0; i < HANDLES; i++) {
        char url[128];
        (void)snprintf(url, sizeof(url), "%s?deadline=200ms&deny_cache=0&local=64KiB&on_error=%s",
                       rig_redis_url(scene.redis), on_error);
        assert_int_equal(weir_redis_open(url, NULL, &scene.handles[i], NULL), WEIR_OK);
        scene.loads[i] = load_start(scene.handles[i], scene.limit, "k", 1, THREADS);
    }
    return scene;
}

static void wait_for_all(const struct scene *scene, enum weir_source source)
{
    for (size_t i = 0; i < HANDLES; i++) {
        load_wait_for(scene->loads[i], source, 2 * BUDGET);
    }
}

/* Ends it all, and tells how much was admitted by whom. */
static void scene_close(struct scene *scene, uint64_t *ret_admitted)
{
    for (size_t i = 0; i < HANDLES; i++) {
        const struct load_account account = load_stop(scene->loads[i]);
        assert_int_equal(account.errors, 0);
        for (size_t j = 0; j < LOAD_SOURCES; j++) {
            ret_admitted[j] += account.admitted[j];
        }
        weir_close(scene->handles[i]);
    }
    weir_limit_free(scene->limit);
    rig_redis_stop(scene->redis);
}

/* Spends all before the cut, during it, and after it. */
static void cut_off(const struct scene *scene, enum weir_source meanwhile)
{
    wait_for_all(scene, WEIR_SOURCE_REDIS);
    private_network_rule("tcp dport %u drop", (unsigned)rig_redis_port(scene->redis));
    private_network_rule("tcp sport %u drop", (unsigned)rig_redis_port(scene->redis));
    wait_for_all(scene, meanwhile);
    private_network_heal();
    wait_for_all(scene, WEIR_SOURCE_REDIS);
}

static void each_process_has_a_budget_of_its_own_meanwhile(void **state)
{
    (void)state;
    struct scene scene = scene_open("local");
    uint64_t admitted[LOAD_SOURCES] = {0};
    cut_off(&scene, WEIR_SOURCE_LOCAL);
    scene_close(&scene, admitted);
    assert_int_equal(admitted[WEIR_SOURCE_REDIS], BUDGET);
    assert_int_equal(admitted[WEIR_SOURCE_LOCAL], HANDLES * BUDGET);
    assert_int_equal(admitted[WEIR_SOURCE_ON_ERROR], 0);
}

static void whoever_denies_admits_nothing_meanwhile(void **state)
{
    (void)state;
    struct scene scene = scene_open("deny");
    uint64_t admitted[LOAD_SOURCES] = {0};
    cut_off(&scene, WEIR_SOURCE_ON_ERROR);
    scene_close(&scene, admitted);
    assert_int_equal(admitted[WEIR_SOURCE_REDIS], BUDGET);
    assert_int_equal(admitted[WEIR_SOURCE_LOCAL], 0);
    assert_int_equal(admitted[WEIR_SOURCE_ON_ERROR], 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    private_network_enter(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_process_has_a_budget_of_its_own_meanwhile),
        cmocka_unit_test(whoever_denies_admits_nothing_meanwhile),
    };
    return cmocka_run_group_tests_name("redis_partition", tests, NULL, NULL);
}
