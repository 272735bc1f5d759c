/* redis_network_test.c - what a network does to the packets between a store and its server, while
 * sixteen threads go on asking: dropped both ways or one way, refused, lost at random, forgotten by
 * something in between, and a cable that is pulled. Every call ends at its deadline, by who can;
 * Redis is charged for each request once at most; and when the fault is over Redis answers again,
 * by itself.
 *
 * The faults are real (support/private_network.h): rules of nftables in a network of the test's
 * own, with the server and the client in it. What was found is printed, and is what
 * docs/failure-modes.md has under "measured". */

#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/journal.h"
#include "support/private_network.h"
#include "support/rig.h"
#include "support/rig_process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_US INT64_C(50000)
/* Longer than a few retransmissions of TCP take. */
#define PATIENT_US INT64_C(3000000)

struct scene {
    struct rig_redis *redis;
    struct weir *weir;
    struct journal *journal;
    unsigned port;
};

static struct weir *open_store(const struct rig_redis *redis, int64_t deadline_us,
                               const char *on_error)
{
    char url[256];
    struct weir *weir = NULL;
    struct weir_error error = {0, 0, ""};
    rig_format(url, sizeof(url), "%s?deadline=%lldms&on_error=%s&deny_cache=0",
               rig_redis_url(redis), (long long)(deadline_us / 1000), on_error);
    if (weir_redis_open(url, NULL, &weir, &error) != WEIR_OK) {
        fail_msg("%s: %s", url, error.message);
    }
    return weir;
}

static struct scene scene_open(int64_t deadline_us, const char *on_error)
{
    struct scene scene = {.redis = rig_redis_start(NULL)};
    scene.port = rig_redis_port(scene.redis);
    scene.weir = open_store(scene.redis, deadline_us, on_error);
    scene.journal = journal_start(scene.weir, false);
    return scene;
}

static struct journal_proof scene_close(struct scene *scene)
{
    const struct journal_proof proof = journal_end(scene->journal, rig_redis_url(scene->redis));
    weir_close(scene->weir);
    rig_redis_stop(scene->redis);
    return proof;
}

static uint64_t connections_up(struct weir *weir)
{
    struct weir_stats stats = {.size = sizeof(stats)};
    assert_int_equal(weir_stats(weir, WEIR_CLOCK, &stats), WEIR_OK);
    return stats.redis_open;
}

static bool is_given_up(void *context)
{
    return connections_up(context) == 0;
}

/* What is said of a server that does not answer, until its circuit opens; then at once. */
static void await_silence(const struct scene *scene)
{
    journal_await_failure(scene->journal, WEIR_FAILURE_TIMEOUT, 1);
    journal_await_failure(scene->journal, WEIR_FAILURE_CIRCUIT, 200);
}

/* ---- Connections, as others see them ---- */

/* The port at the store's end of its connection. */
static unsigned port_of_store(const struct rig_redis *redis)
{
    const char *clients = rig_redis_command(redis, "CLIENT", "LIST", NULL);
    const char *line = clients;
    while (line != NULL && (strstr(line, "cmd=evalsha") == NULL ||
                            strcspn(line, "\n") < (size_t)(strstr(line, "cmd=evalsha") - line))) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    const char *address = line != NULL ? strstr(line, "addr=127.0.0.1:") : NULL;
    if (address == NULL) {
        fail_msg("no connection of the store among %s", clients);
        abort();
    }
    return (unsigned)strtoul(address + strlen("addr=127.0.0.1:"), NULL, 10);
}

/* Whether the system has a socket of this port still, be it one that nobody holds any more. */
static bool has_socket(unsigned port)
{
    char line[256];
    bool found = false;
    FILE *sockets = fopen("/proc/self/net/tcp", "r");
    assert_non_null(sockets);
    while (fgets(line, sizeof(line), sockets) != NULL) {
        const char *local = strchr(line, ':');
        local = local != NULL ? strchr(local + 1, ':') : NULL;
        found = found || (local != NULL && strtoul(local + 1, NULL, 16) == port);
    }
    (void)fclose(sockets);
    return found;
}

/* ---- Dropped ---- */

static void drop_all(const struct scene *scene)
{
    private_network_rule("tcp dport %u drop", scene->port);
    private_network_rule("tcp sport %u drop", scene->port);
}

static void a_short_cut(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "local");
    drop_all(&scene);
    await_silence(&scene);
    const struct journal_account account =
        journal_chapter(scene.journal, "all packets dropped", DEADLINE_US);
    assert_true(account.from[WEIR_SOURCE_LOCAL] >= 200);
    private_network_heal();
    journal_recover(scene.journal, "after a short cut", DEADLINE_US);
    (void)scene_close(&scene);
}

/* Long enough for the connection to be given up, and with it what the system has not got rid of:
 * it would arrive, and be charged, when nobody waits for it any more. */
static void a_long_cut(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "deny");
    const unsigned store_port = port_of_store(scene.redis);
    assert_true(has_socket(store_port));
    drop_all(&scene);
    rig_wait(is_given_up, scene.weir, "the connection to be given up");
    assert_false(has_socket(store_port));
    journal_await_failure(scene.journal, WEIR_FAILURE_CIRCUIT, 200);
    const struct journal_account account =
        journal_chapter(scene.journal, "all dropped, for long", DEADLINE_US);
    assert_int_equal(account.admitted[WEIR_SOURCE_ON_ERROR], 0);
    private_network_heal();
    journal_recover(scene.journal, "after a long cut", DEADLINE_US);
    (void)scene_close(&scene);
}

static void a_store_that_is_opened_in_a_cut(void **state)
{
    (void)state;
    struct scene scene = {.redis = rig_redis_start(NULL)};
    scene.port = rig_redis_port(scene.redis);
    drop_all(&scene);
    scene.weir = open_store(scene.redis, DEADLINE_US, "local");
    scene.journal = journal_start(scene.weir, true);
    await_silence(&scene);
    const struct journal_account account =
        journal_chapter(scene.journal, "opened in a cut", DEADLINE_US);
    assert_int_equal(account.from[WEIR_SOURCE_REDIS], 0);
    private_network_heal();
    journal_recover(scene.journal, "opened in a cut, which is over", DEADLINE_US);
    (void)scene_close(&scene);
}

/* The server hears and carries out, and nobody hears of it: charged, and not asked again. */
static void answers_that_are_dropped(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "local");
    private_network_rule("tcp sport %u drop", scene.port);
    await_silence(&scene);
    (void)journal_chapter(scene.journal, "answers dropped", DEADLINE_US);
    private_network_heal();
    journal_recover(scene.journal, "after answers were dropped", DEADLINE_US);
    private_network_rule("tcp sport %u drop", scene.port);
    rig_wait(is_given_up, scene.weir, "the connection to be given up");
    private_network_heal();
    journal_recover(scene.journal, "after answers were dropped for long", DEADLINE_US);
    const struct journal_proof proof = scene_close(&scene);
    assert_true(proof.carried > 0);
}

static void requests_that_are_dropped(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "local");
    private_network_rule("tcp dport %u drop", scene.port);
    await_silence(&scene);
    (void)journal_chapter(scene.journal, "requests dropped", DEADLINE_US);
    private_network_heal();
    journal_recover(scene.journal, "after requests were dropped", DEADLINE_US);
    (void)scene_close(&scene);
}

/* ---- Refused ---- */

static void packets_that_are_answered_by_a_reset(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "local");
    private_network_rule("tcp dport %u reject with tcp reset", scene.port);
    journal_await_failure(scene.journal, WEIR_FAILURE_LOST, 1);
    journal_await_failure(scene.journal, WEIR_FAILURE_UNREACHABLE, 1);
    journal_await_failure(scene.journal, WEIR_FAILURE_CIRCUIT, 200);
    (void)journal_chapter(scene.journal, "reset", DEADLINE_US);
    private_network_heal();
    journal_recover(scene.journal, "after resets", DEADLINE_US);
    (void)scene_close(&scene);
}

static void a_host_that_can_not_be_reached(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "allow");
    private_network_rule("tcp dport %u reject with icmp type host-unreachable", scene.port);
    journal_await_failure(scene.journal, WEIR_FAILURE_UNREACHABLE, 1);
    journal_await_failure(scene.journal, WEIR_FAILURE_CIRCUIT, 200);
    (void)journal_chapter(scene.journal, "host unreachable", DEADLINE_US);
    private_network_heal();
    journal_recover(scene.journal, "after an unreachable host", DEADLINE_US);
    (void)scene_close(&scene);
}

static void a_cable_that_is_pulled(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "local");
    private_network_plug(false);
    await_silence(&scene);
    rig_wait(is_given_up, scene.weir, "the connection to be given up");
    journal_await_failure(scene.journal, WEIR_FAILURE_UNREACHABLE, 1);
    (void)journal_chapter(scene.journal, "no network", DEADLINE_US);
    private_network_plug(true);
    journal_recover(scene.journal, "with a network again", DEADLINE_US);
    (void)scene_close(&scene);
}

/* ---- Lost ---- */

static void packets_that_are_lost_at_random(void **state)
{
    (void)state;
    static const unsigned percents[] = {10, 20, 30};
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        char name[64];
        struct scene scene = scene_open(PATIENT_US, "deny");
        rig_format(name, sizeof(name), "%u %% lost, both ways", percents[i]);
        private_network_rule("tcp dport %u numgen random mod 100 < %u drop", scene.port,
                             percents[i]);
        private_network_rule("tcp sport %u numgen random mod 100 < %u drop", scene.port,
                             percents[i]);
        journal_await_redis(scene.journal, 384);
        const struct journal_account account = journal_chapter(scene.journal, name, PATIENT_US);
        assert_int_equal(account.admitted[WEIR_SOURCE_ON_ERROR], 0);
        private_network_heal();
        journal_recover(scene.journal, "after losses", PATIENT_US);
        (void)scene_close(&scene);
    }
}

/* With a deadline that no retransmission can keep. */
static void losses_that_cost_the_deadline(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "local");
    private_network_rule("tcp dport %u numgen random mod 100 < 20 drop", scene.port);
    private_network_rule("tcp sport %u numgen random mod 100 < 20 drop", scene.port);
    journal_await_failure(scene.journal, WEIR_FAILURE_TIMEOUT, 50);
    journal_await_redis(scene.journal, 50);
    (void)journal_chapter(scene.journal, "20 % lost, a short deadline", DEADLINE_US);
    private_network_heal();
    journal_recover(scene.journal, "after losses, a short deadline", DEADLINE_US);
    (void)scene_close(&scene);
}

/* ---- Half open ---- */

static void drop_connection(unsigned store_port)
{
    private_network_rule("tcp dport %u drop", store_port);
    private_network_rule("tcp sport %u drop", store_port);
}

/* As something in between does that keeps a list of connections and has lost it: the old one is
 * silent for good, a new one would do. */
static void a_connection_that_was_forgotten(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "local");
    drop_connection(port_of_store(scene.redis));
    journal_await_failure(scene.journal, WEIR_FAILURE_TIMEOUT, 1);
    journal_recover(scene.journal, "a forgotten connection", DEADLINE_US);
    private_network_heal();
    (void)scene_close(&scene);
}

/* Its end is never heard of: no FIN, no reset. */
static void a_server_that_is_gone_without_a_word(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US, "local");
    const unsigned store_port = port_of_store(scene.redis);
    drop_all(&scene);
    rig_redis_kill(scene.redis, SIGKILL);
    await_silence(&scene);
    (void)journal_chapter(scene.journal, "gone without a word", DEADLINE_US);
    private_network_heal();
    drop_connection(store_port);
    journal_forget(scene.journal);
    rig_redis_restart(scene.redis);
    journal_recover(scene.journal, "another server in its place", DEADLINE_US);
    private_network_heal();
    (void)scene_close(&scene);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_cut),
        cmocka_unit_test(a_long_cut),
        cmocka_unit_test(a_store_that_is_opened_in_a_cut),
        cmocka_unit_test(answers_that_are_dropped),
        cmocka_unit_test(requests_that_are_dropped),
        cmocka_unit_test(packets_that_are_answered_by_a_reset),
        cmocka_unit_test(a_host_that_can_not_be_reached),
        cmocka_unit_test(a_cable_that_is_pulled),
        cmocka_unit_test(packets_that_are_lost_at_random),
        cmocka_unit_test(losses_that_cost_the_deadline),
        cmocka_unit_test(a_connection_that_was_forgotten),
        cmocka_unit_test(a_server_that_is_gone_without_a_word),
    };
    (void)count;
    private_network_enter(words);
    return cmocka_run_group_tests_name("redis_network", tests, NULL, NULL);
}
