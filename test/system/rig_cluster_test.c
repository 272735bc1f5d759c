/* rig_cluster_test.c - the cluster of test/support/rig_cluster.h is one: it answers MOVED and ASK,
 * fails over, grows, and moves slots. */

#include "support/rig_cluster.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The slot of the key "foo". */
#define FOO 12182U

static void a_cluster_redirects(void **state)
{
    (void)state;
    const struct rig_cluster_options options = {.primaries = 3};
    struct rig_cluster *cluster = rig_cluster_start(&options);
    assert_int_equal(rig_cluster_size(cluster), 3);
    assert_int_equal(rig_cluster_slot(cluster, "foo"), FOO);
    assert_int_equal(rig_cluster_owner(cluster, 0), 0);
    assert_int_equal(rig_cluster_owner(cluster, FOO), 2);
    struct rig_redis *owner = rig_cluster_node(cluster, 2);
    char moved[64];
    (void)snprintf(moved, sizeof(moved), "(error) MOVED 12182 127.0.0.1:%u", rig_redis_port(owner));
    assert_string_equal(rig_redis_command(rig_cluster_node(cluster, 0), "GET", "foo", NULL), moved);
    assert_string_equal(rig_redis_command(owner, "SET", "foo", "1", NULL), "OK");
    char url[128];
    (void)snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u",
                   rig_redis_port(rig_cluster_node(cluster, 0)),
                   rig_redis_port(rig_cluster_node(cluster, 1)), rig_redis_port(owner));
    assert_string_equal(rig_cluster_url(cluster), url);
    rig_cluster_stop(cluster);
}

static void a_slot_moves_in_three_steps(void **state)
{
    (void)state;
    const struct rig_cluster_options options = {.primaries = 2, .node = {.password = "secret"}};
    struct rig_cluster *cluster = rig_cluster_start(&options);
    const struct rig_redis *from = rig_cluster_node(cluster, 1);
    const struct rig_redis *to = rig_cluster_node(cluster, 0);
    assert_string_equal(
        rig_redis_command(from, "MSET", "{foo}1", "a", "{foo}2", "b", "{foo}3", "c", NULL), "OK");
    rig_cluster_move_begin(cluster, FOO, 0);
    assert_int_equal(rig_cluster_owner(cluster, FOO), 1);
    char ask[64];
    (void)snprintf(ask, sizeof(ask), "(error) ASK 12182 127.0.0.1:%u", rig_redis_port(to));
    assert_string_equal(rig_redis_command(from, "GET", "foo", NULL), ask);
    assert_int_equal(rig_cluster_move_keys(cluster, FOO, 0, 1), 1);
    const char *partly = rig_redis_version(from) < RIG_VERSION(7, 0, 0) ? ask : "(error) TRYAGAIN";
    const char *reply = rig_redis_command(from, "MGET", "{foo}1", "{foo}2", "{foo}3", NULL);
    assert_memory_equal(reply, partly, strlen(partly));
    assert_int_equal(rig_cluster_move_keys(cluster, FOO, 0, 9), 2);
    rig_cluster_move_end(cluster, FOO, 0);
    assert_int_equal(rig_cluster_owner(cluster, FOO), 0);
    assert_string_equal(rig_redis_command(to, "GET", "{foo}2", NULL), "b");
    rig_cluster_move(cluster, FOO, 1);
    assert_string_equal(rig_redis_command(from, "GET", "{foo}3", NULL), "c");
    rig_cluster_stop(cluster);
}

static void a_replica_succeeds_a_killed_primary(void **state)
{
    (void)state;
    const struct rig_cluster_options options = {.primaries = 3, .replicas_each = 1};
    struct rig_cluster *cluster = rig_cluster_start(&options);
    assert_int_equal(rig_cluster_size(cluster), 6);
    struct rig_redis *primary = rig_cluster_node(cluster, 2);
    assert_string_equal(rig_redis_command(primary, "SET", "foo", "kept", NULL), "OK");
    assert_string_equal(rig_redis_command(primary, "WAIT", "1", "10000", NULL), "1");
    rig_redis_kill(primary, SIGKILL);
    assert_int_equal(rig_cluster_wait_owner(cluster, FOO, 2), 5);
    assert_string_equal(rig_redis_command(rig_cluster_node(cluster, 5), "GET", "foo", NULL),
                        "kept");
    rig_redis_restart(primary);
    rig_cluster_wait(cluster);
    assert_int_equal(rig_cluster_owner(cluster, FOO), 5);
    rig_cluster_stop(cluster);
}

static void a_node_is_added(void **state)
{
    (void)state;
    const struct rig_cluster_options options = {.primaries = 2};
    struct rig_cluster *cluster = rig_cluster_start(&options);
    assert_int_equal(rig_cluster_add(cluster), 2);
    const struct rig_redis *from = rig_cluster_node(cluster, 1);
    assert_string_equal(rig_redis_command(from, "SET", "foo", "kept", NULL), "OK");
    rig_cluster_move(cluster, FOO, 2);
    assert_int_equal(rig_cluster_owner(cluster, FOO), 2);
    assert_string_equal(rig_redis_command(rig_cluster_node(cluster, 2), "GET", "foo", NULL),
                        "kept");
    rig_cluster_stop(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_redirects),
        cmocka_unit_test(a_slot_moves_in_three_steps),
        cmocka_unit_test(a_replica_succeeds_a_killed_primary),
        cmocka_unit_test(a_node_is_added),
    };
    return cmocka_run_group_tests_name("rig_cluster", tests, NULL, NULL);
}
