/* route_cluster_test.c - the route to a cluster finds who has a slot, and finds it again whatever
 * becomes of the servers. Real servers, and commands that go where it says. */

#include "support/routed.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "redis/script.h"
#include "support/rig_cluster.h"

#include <stdio.h>
#include <string.h>

/* Of every cluster here. */
#define PRIMARIES 3

/* A key in the slots that `node` has. */
static const char *key_of(const struct rig_cluster *cluster, size_t node)
{
    static char key[32];
    for (unsigned i = 0;; i++) {
        (void)snprintf(key, sizeof key, "key%u", i);
        if (rig_cluster_owner(cluster, rig_cluster_slot(cluster, key)) == node) {
            return key;
        }
    }
}

static unsigned port_of(const struct rig_cluster *cluster, size_t node)
{
    return rig_redis_port(rig_cluster_node(cluster, node));
}

static struct rig_cluster *start(unsigned replicas)
{
    const struct rig_cluster_options options = {.primaries = PRIMARIES, .replicas_each = replicas};
    return rig_cluster_start(&options);
}

/* A route with one node of the cluster for a seed. */
static struct routed *open_at(const struct rig_cluster *cluster, size_t node)
{
    const unsigned port = port_of(cluster, node);
    const struct weir_redis_config config = routed_config(WEIR_TOPOLOGY_CLUSTER, &port, 1);
    return routed_open(&config);
}

static void assert_answer(struct routed_answer answer, const char *text, unsigned port)
{
    assert_string_equal(answer.text, text);
    assert_int_equal(answer.failure, WEIR_FAILURE_NONE);
    assert_int_equal(answer.port, port);
}

/* That a key of each primary is answered by that one. */
static void assert_all_answer(struct routed *routed, const struct rig_cluster *cluster)
{
    for (size_t node = 0; node < PRIMARIES; node++) {
        const char *key = key_of(cluster, node);
        const struct routed_answer answer = routed_ask(routed, key, "EXISTS", key, NULL);
        assert_answer(answer, "0", port_of(cluster, node));
        assert_int_equal(answer.sent, 1);
    }
}

/* ---- Finding the map ---- */

static void any_node_tells_of_all(void **state)
{
    const struct rig_cluster *cluster = *state;
    for (size_t seed = 0; seed < rig_cluster_size(cluster); seed++) {
        struct routed *routed = open_at(cluster, seed);
        assert_all_answer(routed, cluster);
        size_t up = 0;
        assert_int_equal(routed_nodes(routed, &up), PRIMARIES);
        assert_int_equal(up, PRIMARIES);
        assert_int_equal(routed->moved, 0);
        assert_true(routed->changed > 0);
        routed_close(routed);
    }
}

static void nodes_are_connected_when_they_are_needed(void **state)
{
    const struct rig_cluster *cluster = *state;
    struct routed *routed = open_at(cluster, 0);
    const char *key = key_of(cluster, 0);
    assert_answer(routed_ask(routed, key, "EXISTS", key, NULL), "0", port_of(cluster, 0));
    size_t up = 0;
    assert_int_equal(routed_nodes(routed, &up), PRIMARIES);
    assert_int_equal(up, 1);
    routed_close(routed);
}

static bool knows_a_map(struct routed *routed, void *context)
{
    return routed_port(routed, context) != 0;
}

static void seeds_that_are_of_no_use_are_passed_over(void **state)
{
    const struct rig_cluster *cluster = *state;
    struct rig_redis *plain = rig_redis_start(NULL);
    struct rig_redis *gone = rig_redis_start(NULL);
    struct rig_redis *mute = rig_redis_start(NULL);
    rig_redis_kill(gone, SIGKILL);
    rig_redis_pause(mute);
    const unsigned ports[] = {rig_redis_port(gone), rig_redis_port(mute), rig_redis_port(plain),
                              port_of(cluster, 1)};
    const struct weir_redis_config config = routed_config(WEIR_TOPOLOGY_CLUSTER, ports, 4);
    for (unsigned i = 0; i < 5; i++) {
        struct routed *routed = routed_open(&config);
        assert_all_answer(routed, cluster);
        routed_close(routed);
    }
    rig_redis_stop(mute);
    rig_redis_stop(gone);
    rig_redis_stop(plain);
}

/* The seeds that the map names by another name, or not at all, have no connection after a while. */
static void a_seed_that_is_no_node_is_let_go(void **state)
{
    const struct rig_cluster *cluster = *state;
    const unsigned port = port_of(cluster, 0);
    struct weir_redis_config config = routed_config(WEIR_TOPOLOGY_CLUSTER, &port, 1);
    (void)snprintf(config.seeds[0].host, sizeof config.seeds[0].host, "localhost");
    struct routed *routed = routed_open(&config);
    assert_all_answer(routed, cluster);
    routed_run(routed, 1200);
    assert_int_equal(routed->leaving, 1);
    assert_int_equal(routed_nodes(routed, NULL), PRIMARIES);
    assert_all_answer(routed, cluster);
    routed_close(routed);
}

static void a_server_that_is_in_no_cluster_is_named(void **state)
{
    (void)state;
    struct rig_redis *plain = rig_redis_start(NULL);
    const unsigned port = rig_redis_port(plain);
    const struct weir_redis_config config = routed_config(WEIR_TOPOLOGY_CLUSTER, &port, 1);
    struct routed *routed = routed_open(&config);
    const struct routed_answer answer = routed_ask_once(routed, 300, "a", "GET", "a", NULL);
    assert_int_equal(answer.sent, 0);
    assert_int_equal(answer.failure, WEIR_FAILURE_REFUSED);
    assert_non_null(strstr(routed->route->ops->explain(routed->route), "cluster support disabled"));
    routed_close(routed);
    rig_redis_stop(plain);
}

static void a_wrong_password_is_named(void **state)
{
    (void)state;
    const struct rig_redis_options options = {.password = "right"};
    struct rig_redis *plain = rig_redis_start(&options);
    const unsigned port = rig_redis_port(plain);
    struct weir_redis_config config = routed_config(WEIR_TOPOLOGY_CLUSTER, &port, 1);
    (void)snprintf(config.login.password, sizeof config.login.password, "wrong-one");
    struct routed *routed = routed_open(&config);
    const struct routed_answer answer = routed_ask_once(routed, 300, "a", "GET", "a", NULL);
    assert_int_equal(answer.failure, WEIR_FAILURE_AUTH);
    const char *why = routed->route->ops->explain(routed->route);
    assert_non_null(strstr(why, "127.0.0.1"));
    assert_null(strstr(why, "wrong-one"));
    routed_close(routed);
    rig_redis_stop(plain);
}

static void shards_stand_in_where_slots_are_refused(void **state)
{
    (void)state;
    const char *const lines[] = {"user bob on >secret ~* +@all -cluster|slots", NULL};
    const struct rig_cluster_options options = {.primaries = PRIMARIES, .node = {.lines = lines}};
    struct rig_cluster *cluster = rig_cluster_start(&options);
    const unsigned port = port_of(cluster, 0);
    struct weir_redis_config config = routed_config(WEIR_TOPOLOGY_CLUSTER, &port, 1);
    (void)snprintf(config.login.user, sizeof config.login.user, "bob");
    (void)snprintf(config.login.password, sizeof config.login.password, "secret");
    struct routed *routed = routed_open(&config);
    assert_all_answer(routed, cluster);
    routed_close(routed);
    rig_cluster_stop(cluster);
}

/* What clients are told: names, some of which are not known, and nothing at all. */
static void nodes_may_go_by_names(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(0);
    static const char *const kinds[] = {"hostname", "unknown-endpoint"};
    (void)rig_redis_command(rig_cluster_node(cluster, 1), "CONFIG", "SET",
                            "cluster-announce-hostname", "localhost", NULL);
    for (size_t kind = 0; kind < 2; kind++) {
        for (size_t node = 0; node < PRIMARIES; node++) {
            assert_string_equal(rig_redis_command(rig_cluster_node(cluster, node), "CONFIG", "SET",
                                                  "cluster-preferred-endpoint-type", kinds[kind],
                                                  NULL),
                                "OK");
        }
        struct routed *routed = open_at(cluster, 0);
        for (size_t node = 0; node < PRIMARIES; node++) {
            const char *key = key_of(cluster, node);
            assert_answer(routed_ask(routed, key, "EXISTS", key, NULL), "0",
                          port_of(cluster, node));
        }
        routed_close(routed);
    }
    rig_cluster_stop(cluster);
}

/* ---- Slots that move ---- */

static void moved_is_followed_at_once_and_remembered(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(0);
    struct routed *routed = open_at(cluster, 0);
    assert_all_answer(routed, cluster);
    const char *key = key_of(cluster, 0);
    rig_cluster_move(cluster, rig_cluster_slot(cluster, key), 2);
    struct routed_answer answer = routed_ask(routed, key, "SET", key, "1", NULL);
    assert_answer(answer, "OK", port_of(cluster, 2));
    assert_int_equal(answer.sent, 2);
    answer = routed_ask(routed, key, "GET", key, NULL);
    assert_answer(answer, "1", port_of(cluster, 2));
    assert_int_equal(answer.sent, 1);
    assert_true(routed->moved > 0);
    routed_run(routed, 300);
    assert_int_equal(routed_port(routed, key), port_of(cluster, 2));
    routed_close(routed);
    rig_cluster_stop(cluster);
}

static void ask_is_followed_and_not_remembered(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(0);
    struct routed *routed = open_at(cluster, 0);
    assert_all_answer(routed, cluster);
    const char *key = key_of(cluster, 0);
    const unsigned slot = rig_cluster_slot(cluster, key);
    rig_cluster_move_begin(cluster, slot, 1);
    for (unsigned i = 0; i < 2; i++) {
        const struct routed_answer answer = routed_ask(routed, key, "SET", key, "1", NULL);
        assert_answer(answer, "OK", port_of(cluster, 1));
        assert_int_equal(answer.sent, 2);
        assert_int_equal(routed_port(routed, key), port_of(cluster, 0));
    }
    assert_int_equal(routed->moved, 0);
    rig_cluster_move_end(cluster, slot, 1);
    assert_answer(routed_ask(routed, key, "GET", key, NULL), "1", port_of(cluster, 1));
    routed_close(routed);
    rig_cluster_stop(cluster);
}

/* Moves a slot to node 0 from one that has no other, and becomes a replica by that: so it must not
 * be told, as rig_cluster_move would. */
static void take_back(struct rig_cluster *cluster, unsigned slot, size_t from)
{
    char number[16];
    char id[64];
    (void)snprintf(number, sizeof number, "%u", slot);
    rig_cluster_move_begin(cluster, slot, 0);
    while (rig_cluster_move_keys(cluster, slot, 0, 100) > 0) {
    }
    const struct rig_redis *node = rig_cluster_node(cluster, 0);
    (void)snprintf(id, sizeof id, "%s", rig_redis_command(node, "CLUSTER", "MYID", NULL));
    assert_string_equal(rig_redis_command(node, "CLUSTER", "SETSLOT", number, "NODE", id, NULL),
                        "OK");
    (void)rig_cluster_wait_owner(cluster, slot, from);
}

static bool has_let_one_go(struct routed *routed, void *context)
{
    (void)context;
    return routed->leaving == 1;
}

/* ASK may point to a server that no map has named yet; one that loses its last slot is let go. */
static void nodes_come_and_go_with_their_slots(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(0);
    struct routed *routed = open_at(cluster, 0);
    assert_all_answer(routed, cluster);
    const size_t added = rig_cluster_add(cluster);
    const char *key = key_of(cluster, 0);
    const unsigned slot = rig_cluster_slot(cluster, key);
    rig_cluster_move_begin(cluster, slot, added);
    assert_answer(routed_ask(routed, key, "SET", key, "1", NULL), "OK", port_of(cluster, added));
    assert_int_equal(routed_nodes(routed, NULL), PRIMARIES);
    rig_cluster_move_end(cluster, slot, added);
    assert_answer(routed_ask(routed, key, "GET", key, NULL), "1", port_of(cluster, added));
    assert_int_equal(routed_nodes(routed, NULL), PRIMARIES + 1);
    take_back(cluster, slot, added);
    assert_answer(routed_ask(routed, key, "GET", key, NULL), "1", port_of(cluster, 0));
    routed_wait(routed, has_let_one_go, NULL, "the node without slots is let go");
    assert_int_equal(routed_nodes(routed, NULL), PRIMARIES);
    routed_close(routed);
    rig_cluster_stop(cluster);
}

/* ---- Servers that fail ---- */

static bool is_at(struct routed *routed, void *context)
{
    const struct routed_answer *expected = context;
    return routed_port(routed, expected->text) == expected->port;
}

static void a_killed_primary_is_succeeded(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(1);
    struct routed *routed = open_at(cluster, 0);
    assert_all_answer(routed, cluster);
    char key[32];
    (void)snprintf(key, sizeof key, "%s", key_of(cluster, 0));
    rig_redis_kill(rig_cluster_node(cluster, 0), SIGKILL);
    const size_t heir = rig_cluster_wait_owner(cluster, rig_cluster_slot(cluster, key), 0);
    struct routed_answer expected = {.port = port_of(cluster, heir)};
    (void)snprintf(expected.text, sizeof expected.text, "%s", key);
    routed_wait(routed, is_at, &expected, "the map names the heir");
    assert_answer(routed_ask(routed, key, "SET", key, "1", NULL), "OK", expected.port);
    assert_true(routed->moved > 0);
    /* It comes back as a replica, and is none of ours. */
    rig_redis_restart(rig_cluster_node(cluster, 0));
    rig_cluster_wait(cluster);
    routed_run(routed, 1200);
    assert_int_equal(routed_port(routed, key), expected.port);
    assert_int_equal(routed_nodes(routed, NULL), PRIMARIES);
    routed_close(routed);
    rig_cluster_stop(cluster);
}

static void a_mute_node_harms_no_slot_of_others(void **state)
{
    (void)state;
    const struct rig_cluster_options options = {.primaries = PRIMARIES, .node_timeout_ms = 20000};
    struct rig_cluster *cluster = rig_cluster_start(&options);
    struct routed *routed = open_at(cluster, 0);
    assert_all_answer(routed, cluster);
    char key[32];
    char other[32];
    (void)snprintf(key, sizeof key, "%s", key_of(cluster, 1));
    (void)snprintf(other, sizeof other, "%s", key_of(cluster, 2));
    rig_redis_pause(rig_cluster_node(cluster, 1));
    for (unsigned i = 0; i < 40; i++) {
        const struct routed_answer lost = routed_ask_once(routed, 20, key, "GET", key, NULL);
        assert_int_not_equal(lost.failure, WEIR_FAILURE_NONE);
        const struct routed_answer answer = routed_ask(routed, other, "EXISTS", other, NULL);
        assert_answer(answer, "0", port_of(cluster, 2));
        assert_int_equal(answer.sent, 1);
    }
    rig_redis_resume(rig_cluster_node(cluster, 1));
    assert_answer(routed_ask(routed, key, "EXISTS", key, NULL), "0", port_of(cluster, 1));
    routed_close(routed);
    rig_cluster_stop(cluster);
}

static void a_cluster_that_is_down_is_found_again(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(0);
    struct routed *routed = open_at(cluster, 0);
    assert_all_answer(routed, cluster);
    char key[32];
    (void)snprintf(key, sizeof key, "%s", key_of(cluster, 0));
    rig_redis_kill(rig_cluster_node(cluster, 1), SIGKILL);
    rig_redis_kill(rig_cluster_node(cluster, 2), SIGKILL);
    struct routed_answer answer;
    do {
        answer = routed_ask_once(routed, 100, key, "SET", key, "1", NULL);
    } while (answer.failure == WEIR_FAILURE_NONE);
    assert_memory_equal(answer.text, "CLUSTERDOWN", 11);
    rig_redis_restart(rig_cluster_node(cluster, 1));
    rig_redis_restart(rig_cluster_node(cluster, 2));
    assert_answer(routed_ask(routed, key, "SET", key, "1", NULL), "OK", port_of(cluster, 0));
    assert_answer(routed_ask(routed, key_of(cluster, 1), "DBSIZE", NULL), "0", port_of(cluster, 1));
    routed_close(routed);
    rig_cluster_stop(cluster);
}

/* Whoever was known is gone, but a seed is there: all addresses have changed meanwhile. */
static void seeds_are_asked_again_when_all_else_is_gone(void **state)
{
    (void)state;
    struct rig_cluster *first = start(0);
    struct rig_cluster *second = start(0);
    const unsigned ports[] = {port_of(first, 0), port_of(second, 0)};
    struct weir_redis_config config = routed_config(WEIR_TOPOLOGY_CLUSTER, ports, 2);
    config.seed_count = 1;
    struct routed *routed = routed_open(&config);
    assert_all_answer(routed, first);
    routed->config.seed_count = 2;
    rig_cluster_stop(first);
    const char *key = key_of(second, 0);
    assert_answer(routed_ask(routed, key, "EXISTS", key, NULL), "0", port_of(second, 0));
    routed_close(routed);
    rig_cluster_stop(second);
}

/* ---- Its end ---- */

static void it_ends_cleanly_at_any_moment(void **state)
{
    const struct rig_cluster *cluster = *state;
    struct rig_redis *gone = rig_redis_start(NULL);
    struct rig_redis *mute = rig_redis_start(NULL);
    rig_redis_kill(gone, SIGKILL);
    rig_redis_pause(mute);
    const unsigned ports[] = {rig_redis_port(gone), rig_redis_port(mute), port_of(cluster, 0)};
    for (unsigned turns = 0; turns < 60; turns++) {
        const struct weir_redis_config config = routed_config(
            WEIR_TOPOLOGY_CLUSTER, ports + turns % 3, 1 + (turns / 3) % (3 - turns % 3));
        struct routed *routed = routed_open(&config);
        routed_run(routed, turns / 3);
        if (turns % 5 == 0) {
            (void)routed_ask_once(routed, 20, "a", "EXISTS", "a", NULL);
        }
        routed_close(routed);
    }
    struct routed *routed = open_at(cluster, 0);
    routed_wait(routed, knows_a_map, "a", "the map is known");
    routed_close(routed);
    rig_redis_stop(mute);
    rig_redis_stop(gone);
}

/* Whichever allocation finds no memory: the next attempt has some. */
static void a_lack_of_memory_is_survived(void **state)
{
    const struct rig_cluster *cluster = *state;
    const unsigned port = port_of(cluster, 0);
    const struct weir_redis_config config = routed_config(WEIR_TOPOLOGY_CLUSTER, &port, 1);
    const size_t count = routed_allocations(&config);
    for (size_t nth = 1; nth <= count; nth++) {
        struct routed *routed = routed_open_starved(&config, nth);
        if (routed != NULL) {
            assert_int_equal(routed_ask(routed, "a", "EXISTS", "nothing", NULL).failure,
                             WEIR_FAILURE_NONE);
            routed_close(routed);
        }
    }
}

static int setup(void **state)
{
    *state = start(1);
    return 0;
}

static int teardown(void **state)
{
    rig_cluster_stop(*state);
    return 0;
}

/* Before 7.0 and Valkey there is no CLUSTER SHARDS, no rule of the ACL for a subcommand, and no
 * name of a node. */
static bool server_has_shards(void)
{
    struct rig_redis *redis = rig_redis_start(NULL);
    const bool has = rig_redis_is_valkey(redis) || rig_redis_version(redis) >= RIG_VERSION(7, 0, 0);
    rig_redis_stop(redis);
    return has;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_node_tells_of_all),
        cmocka_unit_test(nodes_are_connected_when_they_are_needed),
        cmocka_unit_test(seeds_that_are_of_no_use_are_passed_over),
        cmocka_unit_test(a_seed_that_is_no_node_is_let_go),
        cmocka_unit_test(a_server_that_is_in_no_cluster_is_named),
        cmocka_unit_test(a_wrong_password_is_named),
        cmocka_unit_test(moved_is_followed_at_once_and_remembered),
        cmocka_unit_test(ask_is_followed_and_not_remembered),
        cmocka_unit_test(nodes_come_and_go_with_their_slots),
        cmocka_unit_test(a_killed_primary_is_succeeded),
        cmocka_unit_test(a_mute_node_harms_no_slot_of_others),
        cmocka_unit_test(a_cluster_that_is_down_is_found_again),
        cmocka_unit_test(seeds_are_asked_again_when_all_else_is_gone),
        cmocka_unit_test(it_ends_cleanly_at_any_moment),
        cmocka_unit_test(a_lack_of_memory_is_survived),
    };
    const struct CMUnitTest tests_from_7[] = {
        cmocka_unit_test(shards_stand_in_where_slots_are_refused),
        cmocka_unit_test(nodes_may_go_by_names),
    };
    if (!server_has_shards()) {
        return cmocka_run_group_tests_name("route_cluster", tests, setup, teardown);
    }
    struct CMUnitTest all[sizeof tests / sizeof tests[0] + sizeof tests_from_7 / sizeof tests[0]];
    memcpy(all, tests, sizeof tests);
    memcpy(all + sizeof tests / sizeof tests[0], tests_from_7, sizeof tests_from_7);
    return cmocka_run_group_tests_name("route_cluster", all, setup, teardown);
}
