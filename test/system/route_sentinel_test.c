/* route_sentinel_test.c - the route through sentinels leads to the primary, to its successor after
 * it, and never to a replica. Real servers, and commands that go where it says. */

#include "support/routed.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/rig_sentinel.h"

#include <stdio.h>
#include <string.h>

#define WATCHERS 3
#define KEY "key"

static unsigned port_of(const struct rig_sentinel *sentinel, size_t node)
{
    return rig_redis_port(rig_sentinel_node(sentinel, node));
}

static unsigned watcher_port(const struct rig_sentinel *sentinel, size_t watcher)
{
    return rig_redis_port(rig_sentinel_watcher(sentinel, watcher));
}

static struct rig_sentinel *start(void)
{
    const struct rig_sentinel_options options = {.replicas = 1};
    return rig_sentinel_start(&options);
}

/* With sentinels at `ports` for seeds. */
static struct weir_redis_config config_of(const unsigned *ports, size_t count)
{
    struct weir_redis_config config = routed_config(WEIR_TOPOLOGY_SENTINEL, ports, count);
    (void)snprintf(config.service, sizeof config.service, "%s", RIG_SERVICE);
    return config;
}

/* With one of the sentinels for a seed. */
static struct routed *open_at(const struct rig_sentinel *sentinel, size_t watcher)
{
    const unsigned port = watcher_port(sentinel, watcher);
    const struct weir_redis_config config = config_of(&port, 1);
    return routed_open(&config);
}

static void assert_answer(struct routed_answer answer, const char *text, unsigned port)
{
    assert_string_equal(answer.text, text);
    assert_int_equal(answer.failure, WEIR_FAILURE_NONE);
    assert_int_equal(answer.port, port);
}

static const char *explain(struct routed *routed)
{
    return routed->route->ops->explain(routed->route);
}

/* ---- Finding it ---- */

static void any_sentinel_leads_to_the_primary(void **state)
{
    const struct rig_sentinel *sentinel = *state;
    for (size_t watcher = 0; watcher < WATCHERS; watcher++) {
        struct routed *routed = open_at(sentinel, watcher);
        assert_answer(routed_ask(routed, KEY, "SET", "a", "1", NULL), "OK", port_of(sentinel, 0));
        size_t up = 0;
        assert_int_equal(routed_nodes(routed, &up), 1);
        assert_int_equal(up, 1);
        assert_int_equal(routed->moved, 0);
        assert_true(routed->changed > 0);
        assert_string_equal(explain(routed), "");
        routed_close(routed);
    }
}

static void sentinels_that_are_gone_or_mute_are_passed_over(void **state)
{
    const struct rig_sentinel *sentinel = *state;
    struct rig_redis *plain = rig_redis_start(NULL);
    struct rig_redis *gone = rig_redis_start(NULL);
    struct rig_redis *mute = rig_redis_start(NULL);
    rig_redis_kill(gone, SIGKILL);
    rig_redis_pause(mute);
    const unsigned ports[] = {rig_redis_port(gone), rig_redis_port(mute), rig_redis_port(plain),
                              watcher_port(sentinel, 1)};
    const struct weir_redis_config config = config_of(ports, 4);
    struct routed *routed = routed_open(&config);
    const struct routed_answer answer = routed_ask_once(routed, 2000, KEY, "GET", "b", NULL);
    assert_answer(answer, "", port_of(sentinel, 0));
    routed_close(routed);
    rig_redis_stop(mute);
    rig_redis_stop(gone);
    rig_redis_stop(plain);
}

static void a_service_that_nobody_knows_is_named(void **state)
{
    const struct rig_sentinel *sentinel = *state;
    const unsigned port = watcher_port(sentinel, 0);
    struct weir_redis_config config = config_of(&port, 1);
    (void)snprintf(config.service, sizeof config.service, "nosuch");
    struct routed *routed = routed_open(&config);
    const struct routed_answer answer = routed_ask_once(routed, 500, KEY, "GET", "a", NULL);
    assert_int_equal(answer.failure, WEIR_FAILURE_NO_PRIMARY);
    assert_int_equal(answer.sent, 0);
    assert_non_null(strstr(explain(routed), "'nosuch'"));
    routed_close(routed);
}

static void sentinels_that_cannot_be_reached_are_named(void **state)
{
    (void)state;
    struct rig_redis *gone = rig_redis_start(NULL);
    rig_redis_kill(gone, SIGKILL);
    const unsigned port = rig_redis_port(gone);
    const struct weir_redis_config config = config_of(&port, 1);
    struct routed *routed = routed_open(&config);
    const struct routed_answer answer = routed_ask_once(routed, 500, KEY, "GET", "a", NULL);
    assert_int_equal(answer.failure, WEIR_FAILURE_NO_PRIMARY);
    char address[64];
    (void)snprintf(address, sizeof address, "sentinel 127.0.0.1:%u: ", port);
    assert_non_null(strstr(explain(routed), "no sentinel can be asked"));
    assert_non_null(strstr(explain(routed), address));
    routed_close(routed);
    rig_redis_stop(gone);
}

/* ---- A replica is none ---- */

/* The sentinel is right about the server, and the server is a replica: it was demoted behind the
 * sentinels' back, and is promoted again. */
static void a_primary_that_is_a_replica_is_refused(void **state)
{
    (void)state;
    const struct rig_sentinel_options options = {.replicas = 1, .down_after_ms = 60000};
    struct rig_sentinel *sentinel = rig_sentinel_start(&options);
    struct routed *routed = open_at(sentinel, 0);
    assert_answer(routed_ask(routed, KEY, "SET", "a", "1", NULL), "OK", port_of(sentinel, 0));
    struct rig_redis *primary = rig_sentinel_node(sentinel, 0);
    char port[8];
    (void)snprintf(port, sizeof port, "%u", port_of(sentinel, 1));
    assert_string_equal(rig_redis_command(primary, "REPLICAOF", "127.0.0.1", port, NULL), "OK");
    struct routed_answer answer = routed_ask_once(routed, 500, KEY, "SET", "a", "2", NULL);
    assert_int_equal(answer.failure, WEIR_FAILURE_NO_PRIMARY);
    assert_non_null(strstr(explain(routed), "replica"));
    assert_int_equal(routed_port(routed, KEY), 0);
    /* The same for one that comes to it anew. */
    struct routed *other = open_at(sentinel, 1);
    answer = routed_ask_once(other, 500, KEY, "SET", "a", "3", NULL);
    assert_int_equal(answer.failure, WEIR_FAILURE_NO_PRIMARY);
    assert_int_equal(answer.sent, 0);
    routed_close(other);
    assert_string_equal(rig_redis_command(primary, "REPLICAOF", "NO", "ONE", NULL), "OK");
    assert_answer(routed_ask(routed, KEY, "SET", "a", "4", NULL), "OK", port_of(sentinel, 0));
    assert_int_equal(routed->moved, 0);
    routed_close(routed);
    rig_sentinel_stop(sentinel);
}

/* As where an ACL hides HELLO: the role is asked for. */
static void a_server_without_hello_tells_its_role(void **state)
{
    (void)state;
    const char *const lines[] = {"user bob on >secret ~* +@all -hello", NULL};
    const struct rig_sentinel_options options = {
        .replicas = 1, .down_after_ms = 60000, .node = {.lines = lines}};
    struct rig_sentinel *sentinel = rig_sentinel_start(&options);
    const unsigned port = watcher_port(sentinel, 0);
    struct weir_redis_config config = config_of(&port, 1);
    (void)snprintf(config.login.user, sizeof config.login.user, "bob");
    (void)snprintf(config.login.password, sizeof config.login.password, "secret");
    struct routed *routed = routed_open(&config);
    assert_answer(routed_ask(routed, KEY, "SET", "a", "1", NULL), "OK", port_of(sentinel, 0));
    routed_close(routed);
    char other[8];
    (void)snprintf(other, sizeof other, "%u", port_of(sentinel, 1));
    assert_string_equal(
        rig_redis_command(rig_sentinel_node(sentinel, 0), "REPLICAOF", "127.0.0.1", other, NULL),
        "OK");
    routed = routed_open(&config);
    const struct routed_answer answer = routed_ask_once(routed, 500, KEY, "GET", "a", NULL);
    assert_int_equal(answer.failure, WEIR_FAILURE_NO_PRIMARY);
    assert_int_equal(answer.sent, 0);
    assert_non_null(strstr(explain(routed), "replica"));
    routed_close(routed);
    rig_sentinel_stop(sentinel);
}

/* ---- Failover ---- */

static void a_killed_primary_is_succeeded_and_stays_so(void **state)
{
    (void)state;
    struct rig_sentinel *sentinel = start();
    struct routed *routed = open_at(sentinel, 0);
    assert_answer(routed_ask(routed, KEY, "SET", "a", "1", NULL), "OK", port_of(sentinel, 0));
    rig_redis_kill(rig_sentinel_node(sentinel, 0), SIGKILL);
    assert_answer(routed_ask(routed, KEY, "SET", "a", "2", NULL), "OK", port_of(sentinel, 1));
    assert_true(routed->moved > 0);
    assert_int_equal(rig_sentinel_wait_primary(sentinel, 0), 1);
    /* It comes back as the primary that it was, for a moment, and nobody is to write to it. */
    rig_redis_restart(rig_sentinel_node(sentinel, 0));
    for (unsigned i = 0; i < 30; i++) {
        assert_answer(routed_ask(routed, KEY, "SET", "a", "3", NULL), "OK", port_of(sentinel, 1));
        routed_run(routed, 20);
    }
    routed_close(routed);
    rig_sentinel_stop(sentinel);
}

/* The former primary takes a write until it is told; the route may come first or last. */
static void a_failover_is_followed(void **state)
{
    (void)state;
    struct rig_sentinel *sentinel = start();
    struct routed *routed = open_at(sentinel, 0);
    assert_answer(routed_ask(routed, KEY, "SET", "a", "1", NULL), "OK", port_of(sentinel, 0));
    const size_t moved = rig_sentinel_failover(sentinel);
    assert_int_equal(moved, 1);
    struct routed_answer answer;
    do {
        answer = routed_ask(routed, KEY, "SET", "a", "2", NULL);
        assert_int_equal(answer.failure, WEIR_FAILURE_NONE);
    } while (answer.port != port_of(sentinel, 1));
    assert_string_equal(rig_redis_command(rig_sentinel_node(sentinel, 1), "GET", "a", NULL), "2");
    routed_close(routed);
    rig_sentinel_stop(sentinel);
}

/* A primary that hangs is left behind, also when it wakes up and believes that it still is one. */
static void a_mute_primary_is_left_behind(void **state)
{
    (void)state;
    struct rig_sentinel *sentinel = start();
    struct routed *routed = open_at(sentinel, 0);
    assert_answer(routed_ask(routed, KEY, "SET", "a", "1", NULL), "OK", port_of(sentinel, 0));
    rig_redis_pause(rig_sentinel_node(sentinel, 0));
    assert_answer(routed_ask(routed, KEY, "SET", "a", "2", NULL), "OK", port_of(sentinel, 1));
    rig_redis_resume(rig_sentinel_node(sentinel, 0));
    for (unsigned i = 0; i < 30; i++) {
        assert_answer(routed_ask(routed, KEY, "SET", "a", "3", NULL), "OK", port_of(sentinel, 1));
        routed_run(routed, 20);
    }
    routed_close(routed);
    rig_sentinel_stop(sentinel);
}

/* ---- Sentinels that fail ---- */

/* The only seed dies first, so that the failover can be heard of only from those it told of. */
static void sentinels_learn_of_each_other(void **state)
{
    (void)state;
    struct rig_sentinel *sentinel = start();
    struct routed *routed = open_at(sentinel, 0);
    assert_answer(routed_ask(routed, KEY, "SET", "a", "1", NULL), "OK", port_of(sentinel, 0));
    routed_run(routed, 200);
    rig_redis_kill(rig_sentinel_watcher(sentinel, 0), SIGKILL);
    rig_redis_kill(rig_sentinel_node(sentinel, 0), SIGKILL);
    assert_answer(routed_ask(routed, KEY, "SET", "a", "2", NULL), "OK", port_of(sentinel, 1));
    routed_close(routed);
    rig_sentinel_stop(sentinel);
}

static void a_primary_outlives_its_sentinels(void **state)
{
    (void)state;
    struct rig_sentinel *sentinel = start();
    struct routed *routed = open_at(sentinel, 0);
    assert_answer(routed_ask(routed, KEY, "SET", "a", "1", NULL), "OK", port_of(sentinel, 0));
    for (size_t watcher = 0; watcher < WATCHERS; watcher++) {
        rig_redis_kill(rig_sentinel_watcher(sentinel, watcher), SIGKILL);
    }
    for (unsigned i = 0; i < 30; i++) {
        const struct routed_answer answer = routed_ask(routed, KEY, "SET", "a", "2", NULL);
        assert_answer(answer, "OK", port_of(sentinel, 0));
        assert_int_equal(answer.sent, 1);
        routed_run(routed, 50);
    }
    /* Once it is lost too, nobody can tell who is the primary; until a sentinel is back. */
    rig_redis_restart(rig_sentinel_node(sentinel, 0));
    struct routed_answer answer;
    do {
        answer = routed_ask_once(routed, 100, KEY, "SET", "a", "3", NULL);
    } while (answer.failure == WEIR_FAILURE_LOST || answer.failure == WEIR_FAILURE_NONE);
    answer = routed_ask_once(routed, 100, KEY, "SET", "a", "3", NULL);
    assert_int_equal(answer.failure, WEIR_FAILURE_NO_PRIMARY);
    assert_int_equal(answer.sent, 0);
    rig_redis_restart(rig_sentinel_watcher(sentinel, 1));
    assert_answer(routed_ask(routed, KEY, "SET", "a", "4", NULL), "OK", port_of(sentinel, 0));
    routed_close(routed);
    rig_sentinel_stop(sentinel);
}

/* ---- Its end ---- */

static void it_ends_cleanly_at_any_moment(void **state)
{
    const struct rig_sentinel *sentinel = *state;
    struct rig_redis *gone = rig_redis_start(NULL);
    struct rig_redis *mute = rig_redis_start(NULL);
    rig_redis_kill(gone, SIGKILL);
    rig_redis_pause(mute);
    const unsigned ports[] = {watcher_port(sentinel, 0), rig_redis_port(mute),
                              rig_redis_port(gone)};
    for (unsigned turns = 0; turns < 60; turns++) {
        const struct weir_redis_config config =
            config_of(ports + turns % 3, 1 + (turns / 3) % (3 - turns % 3));
        struct routed *routed = routed_open(&config);
        routed_run(routed, turns / 3);
        if (turns % 5 == 0) {
            (void)routed_ask_once(routed, 20, KEY, "GET", "a", NULL);
        }
        routed_close(routed);
    }
    rig_redis_stop(mute);
    rig_redis_stop(gone);
}

/* Whichever allocation finds no memory: the next attempt has some. */
static void a_lack_of_memory_is_survived(void **state)
{
    const struct rig_sentinel *sentinel = *state;
    const unsigned port = watcher_port(sentinel, 0);
    const struct weir_redis_config config = config_of(&port, 1);
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
    *state = start();
    return 0;
}

static int teardown(void **state)
{
    rig_sentinel_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_sentinel_leads_to_the_primary),
        cmocka_unit_test(sentinels_that_are_gone_or_mute_are_passed_over),
        cmocka_unit_test(a_service_that_nobody_knows_is_named),
        cmocka_unit_test(sentinels_that_cannot_be_reached_are_named),
        cmocka_unit_test(a_primary_that_is_a_replica_is_refused),
        cmocka_unit_test(a_server_without_hello_tells_its_role),
        cmocka_unit_test(a_killed_primary_is_succeeded_and_stays_so),
        cmocka_unit_test(a_failover_is_followed),
        cmocka_unit_test(a_mute_primary_is_left_behind),
        cmocka_unit_test(sentinels_learn_of_each_other),
        cmocka_unit_test(a_primary_outlives_its_sentinels),
        cmocka_unit_test(it_ends_cleanly_at_any_moment),
        cmocka_unit_test(a_lack_of_memory_is_survived),
    };
    return cmocka_run_group_tests_name("route_sentinel", tests, setup, teardown);
}
