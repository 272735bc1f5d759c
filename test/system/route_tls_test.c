/* route_tls_test.c - routes to servers that speak TLS: a cluster's, and those that sentinels watch,
 * sentinels included. Apart from the other tests of routes, as not every server was built with
 * TLS. */

#include "support/routed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/rig_cluster.h"
#include "support/rig_sentinel.h"

#include <stdio.h>
#include <string.h>

#define PRIMARIES 3
#define KEY "key"

/* With the TLS port of `redis` for a seed. */
static struct weir_redis_config config_of(enum weir_topology topology,
                                          const struct rig_redis *redis)
{
    const unsigned port = rig_redis_tls_port(redis);
    struct weir_redis_config config = routed_config(topology, &port, 1);
    config.tls.on = true;
    config.tls.verify = true;
    (void)snprintf(config.service, sizeof config.service, "%s", RIG_SERVICE);
    return config;
}

static void trust(struct weir_redis_config *config, const struct rig_redis *redis)
{
    (void)snprintf(config->tls.ca, sizeof config->tls.ca, "%s",
                   rig_redis_certificates(redis)->authority);
}

static void assert_answer(struct routed_answer answer, const char *text, unsigned port)
{
    assert_string_equal(answer.text, text);
    assert_int_equal(answer.failure, WEIR_FAILURE_NONE);
    assert_int_equal(answer.port, port);
}

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

static void a_cluster_is_found_by_its_tls_ports(void **state)
{
    (void)state;
    const struct rig_cluster_options options = {.primaries = PRIMARIES, .node = {.tls = true}};
    struct rig_cluster *cluster = rig_cluster_start(&options);
    struct weir_redis_config config =
        config_of(WEIR_TOPOLOGY_CLUSTER, rig_cluster_node(cluster, 2));
    trust(&config, rig_cluster_node(cluster, 2));
    struct routed *routed = routed_open(&config);
    for (size_t node = 0; node < PRIMARIES; node++) {
        const char *key = key_of(cluster, node);
        assert_answer(routed_ask(routed, key, "EXISTS", key, NULL), "0",
                      rig_redis_tls_port(rig_cluster_node(cluster, node)));
    }
    routed_close(routed);
    rig_cluster_stop(cluster);
}

/* The servers and the sentinels have passwords of their own, and talk TLS. */
static void passwords_and_tls_are_for_sentinels_too(void **state)
{
    (void)state;
    const struct rig_sentinel_options options = {
        .replicas = 1, .sentinel_password = "watch", .node = {.tls = true, .password = "secret"}};
    struct rig_sentinel *sentinel = rig_sentinel_start(&options);
    struct weir_redis_config config =
        config_of(WEIR_TOPOLOGY_SENTINEL, rig_sentinel_watcher(sentinel, 0));
    trust(&config, rig_sentinel_node(sentinel, 0));
    (void)snprintf(config.login.password, sizeof config.login.password, "secret");
    struct routed *routed = routed_open(&config);
    struct routed_answer answer = routed_ask_once(routed, 700, KEY, "GET", "a", NULL);
    assert_int_equal(answer.failure, WEIR_FAILURE_NO_PRIMARY);
    assert_non_null(strstr(routed->route->ops->explain(routed->route), "NOAUTH"));
    routed_close(routed);

    (void)snprintf(config.sentinel_login.password, sizeof config.sentinel_login.password, "watch");
    routed = routed_open(&config);
    answer = routed_ask(routed, KEY, "SET", "a", "1", NULL);
    assert_answer(answer, "OK", rig_redis_tls_port(rig_sentinel_node(sentinel, 0)));
    const size_t moved = rig_sentinel_failover(sentinel);
    do {
        answer = routed_ask(routed, KEY, "SET", "a", "1", NULL);
        assert_int_equal(answer.failure, WEIR_FAILURE_NONE);
    } while (answer.port != rig_redis_tls_port(rig_sentinel_node(sentinel, moved)));
    routed_close(routed);

    (void)snprintf(config.login.password, sizeof config.login.password, "wrong-one");
    routed = routed_open(&config);
    answer = routed_ask_once(routed, 700, KEY, "GET", "a", NULL);
    assert_int_equal(answer.failure, WEIR_FAILURE_AUTH);
    assert_null(strstr(routed->route->ops->explain(routed->route), "wrong-one"));
    routed_close(routed);
    rig_sentinel_stop(sentinel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_is_found_by_its_tls_ports),
        cmocka_unit_test(passwords_and_tls_are_for_sentinels_too),
    };
    return cmocka_run_group_tests_name("route_tls", tests, NULL, NULL);
}
