/* redis_sentinel_test.c - one budget over a primary that sentinels watch, right through its
 * failovers. By the public interface, with threads that ask all the while. */

#include "support/askers.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/rig_sentinel.h"
#include "weir/redis.h"

#include <stdio.h>
#include <string.h>

#define THREADS 4
#define WATCHERS 3
#define KEY "key"

struct scene {
    struct rig_sentinel *sentinel;
    struct weir *weir;
    struct weir_limit *limit;
    struct askers *askers; /* with one question: of KEY under `limit` */
};

static struct scene start(const char *options, const char *limit)
{
    const struct rig_sentinel_options rig = {.replicas = 1};
    struct scene scene = {.sentinel = rig_sentinel_start(&rig)};
    char url[512];
    struct weir_error error = {.message = ""};
    (void)snprintf(url, sizeof url, "%s?%s", rig_sentinel_url(scene.sentinel), options);
    if (weir_redis_open(url, NULL, &scene.weir, &error) != WEIR_OK) {
        fail_msg("%s: %s", url, error.message);
    }
    assert_int_equal(weir_limit_parse(weir_text(limit), NULL, &scene.limit, NULL), WEIR_OK);
    const struct askers_question question = {.requests = {{scene.limit, weir_text(KEY), 1}},
                                             .count = 1};
    scene.askers = askers_start(scene.weir, &question, 1, THREADS);
    return scene;
}

static void stop(struct scene *scene)
{
    askers_stop(scene->askers);
    weir_limit_free(scene->limit);
    weir_close(scene->weir);
    rig_sentinel_stop(scene->sentinel);
}

/* What came of it all, when Redis denies for good; at most `most` were admitted of the 300. */
static void assert_bounds(struct scene *scene, const char *what, uint64_t most)
{
    askers_wait_denied(scene->askers, 0);
    const struct askers_count count = askers_counted(scene->askers, 0);
    print_message("# %s: admitted %llu of 300, %llu failed\n", what,
                  (unsigned long long)count.admitted, (unsigned long long)count.failed);
    assert_true(count.admitted <= most);
    assert_true(count.admitted + count.failed >= 300);
}

/* What the replica has not heard of when its primary dies is forgotten: at worst all of a key's
 * window, so that twice its budget may pass, once for each failover. */
static void a_killed_primary_costs_no_more_than_a_budget(void **state)
{
    (void)state;
    struct scene scene = start("on_error=deny&deadline=100ms&deny_cache=0", "300/h fixed-window");
    askers_wait_admitted(scene.askers, 0, 100);
    rig_redis_kill(rig_sentinel_node(scene.sentinel, 0), SIGKILL);
    askers_wait_failed(scene.askers, 0);
    (void)rig_sentinel_wait_primary(scene.sentinel, 0);
    const int64_t gone_us = askers_wait_answered(scene.askers, 0);
    print_message("# primary killed: followed %lld ms after the sentinels\n",
                  (long long)gone_us / 1000);
    assert_bounds(&scene, "primary killed", 600);
    stop(&scene);
}

static bool is_at_the_heir(void *context)
{
    const struct scene *scene = context;
    struct weir_redis_server server;
    size_t count = 0;
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u",
                   rig_redis_port(rig_sentinel_node(scene->sentinel, 1)));
    return weir_redis_inspect(scene->weir, 5000000, &server, 1, &count) == WEIR_OK && count == 1 &&
           strcmp(server.address, address) == 0 && strcmp(server.role, "primary") == 0;
}

/* The one that is left behind takes writes until it is told, and they are lost. */
static void a_failover_by_command_costs_no_more_than_a_budget(void **state)
{
    (void)state;
    struct scene scene = start("on_error=deny&deadline=1s&deny_cache=0", "300/h fixed-window");
    askers_wait_admitted(scene.askers, 0, 100);
    assert_int_equal(rig_sentinel_failover(scene.sentinel), 1);
    (void)askers_wait_answered(scene.askers, 0);
    assert_bounds(&scene, "failover by command", 600);
    rig_wait(is_at_the_heir, &scene, "the new primary is the one that is asked");
    stop(&scene);
}

/* It hangs, is succeeded, and wakes up as the primary that it was. */
static void a_mute_primary_costs_no_more_than_a_budget(void **state)
{
    (void)state;
    struct scene scene = start("on_error=deny&deadline=50ms&deny_cache=0", "300/h fixed-window");
    askers_wait_admitted(scene.askers, 0, 100);
    rig_redis_pause(rig_sentinel_node(scene.sentinel, 0));
    askers_wait_failed(scene.askers, 0);
    (void)rig_sentinel_wait_primary(scene.sentinel, 0);
    const int64_t gone_us = askers_wait_answered(scene.askers, 0);
    rig_redis_resume(rig_sentinel_node(scene.sentinel, 0));
    print_message("# primary mute: followed %lld ms after the sentinels\n",
                  (long long)gone_us / 1000);
    assert_bounds(&scene, "primary mute", 600);
    stop(&scene);
}

/* One sentinel less is nothing; without any, the primary still counts. */
static void lost_sentinels_cost_nothing_while_the_primary_lives(void **state)
{
    (void)state;
    struct scene scene = start("on_error=deny&deadline=10s&deny_cache=0", "300/h fixed-window");
    for (size_t watcher = 0; watcher < WATCHERS; watcher++) {
        askers_wait_admitted(scene.askers, 0, 60 * (watcher + 1));
        rig_redis_kill(rig_sentinel_watcher(scene.sentinel, watcher), SIGKILL);
    }
    assert_bounds(&scene, "sentinels lost", 300);
    assert_int_equal(askers_counted(scene.askers, 0).admitted, 300);
    assert_int_equal(askers_counted(scene.askers, 0).failed, 0);
    stop(&scene);
}

/* Nobody can say who is the primary: the table in this process decides until one can. */
static void decisions_come_while_nobody_knows_the_primary(void **state)
{
    (void)state;
    struct scene scene = start("on_error=local", "1000000/h fixed-window");
    askers_wait_admitted(scene.askers, 0, 10);
    for (size_t watcher = 0; watcher < WATCHERS; watcher++) {
        rig_redis_kill(rig_sentinel_watcher(scene.sentinel, watcher), SIGKILL);
    }
    rig_redis_restart(rig_sentinel_node(scene.sentinel, 0));
    for (unsigned i = 0; i < 50; i++) {
        askers_wait_failed(scene.askers, 0);
    }
    struct weir_decision decision;
    assert_int_equal(weir_check(scene.weir, scene.limit, weir_text(KEY), 1, WEIR_CLOCK, &decision),
                     WEIR_OK);
    assert_int_equal(decision.source, WEIR_SOURCE_LOCAL);
    assert_int_equal(decision.failure, WEIR_FAILURE_NO_PRIMARY);
    rig_redis_restart(rig_sentinel_watcher(scene.sentinel, 0));
    (void)askers_wait_answered(scene.askers, 0);
    stop(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_primary_costs_no_more_than_a_budget),
        cmocka_unit_test(a_failover_by_command_costs_no_more_than_a_budget),
        cmocka_unit_test(a_mute_primary_costs_no_more_than_a_budget),
        cmocka_unit_test(lost_sentinels_cost_nothing_while_the_primary_lives),
        cmocka_unit_test(decisions_come_while_nobody_knows_the_primary),
    };
    return cmocka_run_group_tests_name("redis_sentinel", tests, NULL, NULL);
}
