/* rig_sentinel_test.c - the sentinels of test/support/rig_sentinel.h watch, and move the primary.
 */

#include "support/rig_sentinel.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_replica_succeeds_a_killed_primary(void **state)
{
    (void)state;
    const struct rig_sentinel_options options = {.replicas = 1};
    struct rig_sentinel *sentinel = rig_sentinel_start(&options);
    assert_int_equal(rig_sentinel_primary(sentinel), 0);
    char url[128];
    (void)snprintf(url, sizeof(url),
                   "redis+sentinel://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u/budget",
                   rig_redis_port(rig_sentinel_watcher(sentinel, 0)),
                   rig_redis_port(rig_sentinel_watcher(sentinel, 1)),
                   rig_redis_port(rig_sentinel_watcher(sentinel, 2)));
    assert_string_equal(rig_sentinel_url(sentinel), url);
    struct rig_redis *primary = rig_sentinel_node(sentinel, 0);
    struct rig_redis *replica = rig_sentinel_node(sentinel, 1);
    assert_string_equal(rig_redis_command(primary, "SET", "a", "kept", NULL), "OK");
    assert_string_equal(rig_redis_command(primary, "WAIT", "1", "10000", NULL), "1");
    assert_memory_equal(rig_redis_command(replica, "SET", "a", "b", NULL), "(error) READONLY", 16);
    rig_redis_kill(primary, SIGKILL);
    rig_redis_kill(rig_sentinel_watcher(sentinel, 2), SIGKILL);
    assert_int_equal(rig_sentinel_wait_primary(sentinel, 0), 1);
    assert_string_equal(rig_redis_command(replica, "GET", "a", NULL), "kept");
    assert_string_equal(rig_redis_command(replica, "SET", "a", "b", NULL), "OK");
    rig_sentinel_stop(sentinel);
}

static void a_primary_moves_on_request(void **state)
{
    (void)state;
    const struct rig_sentinel_options options = {
        .replicas = 2, .sentinel_password = "watch", .node = {.password = "secret"}};
    struct rig_sentinel *sentinel = rig_sentinel_start(&options);
    assert_memory_equal(
        rig_command(rig_redis_port(rig_sentinel_watcher(sentinel, 0)), "ROLE", NULL),
        "(error) NOAUTH", 14);
    const size_t moved = rig_sentinel_failover(sentinel);
    assert_int_not_equal(moved, 0);
    assert_int_equal(rig_sentinel_primary(sentinel), moved);
    rig_sentinel_stop(sentinel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_succeeds_a_killed_primary),
        cmocka_unit_test(a_primary_moves_on_request),
    };
    return cmocka_run_group_tests_name("rig_sentinel", tests, NULL, NULL);
}
