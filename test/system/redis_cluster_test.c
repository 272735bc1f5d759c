/* redis_cluster_test.c - one budget over a cluster, right through what becomes of its servers. By
 * the public interface, with threads that ask all the while. */

#include "support/askers.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/rig_cluster.h"
#include "weir/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIMARIES 3
#define THREADS 4

static struct weir *open_at(const struct rig_cluster *cluster, const char *options)
{
    char url[1024];
    struct weir *weir = NULL;
    struct weir_error error = {.message = ""};
    (void)snprintf(url, sizeof url, "%s?%s", rig_cluster_url(cluster), options);
    if (weir_redis_open(url, NULL, &weir, &error) != WEIR_OK) {
        fail_msg("%s: %s", url, error.message);
    }
    return weir;
}

static struct weir_limit *limit_of(const char *text)
{
    struct weir_limit *limit = NULL;
    assert_int_equal(weir_limit_parse(weir_text(text), NULL, &limit, NULL), WEIR_OK);
    return limit;
}

/* The slot of a key under a limit. */
static unsigned slot_of(const struct rig_cluster *cluster, struct weir *weir,
                        const struct weir_limit *limit, const char *key)
{
    char name[256];
    size_t len = 0;
    assert_int_equal(weir_redis_key(weir, limit, weir_text(key), name, sizeof name - 1, &len),
                     WEIR_OK);
    name[len] = '\0';
    return rig_cluster_slot(cluster, name);
}

#define KEY_SIZE 32

/* Writes a key that `node` has, and that no call before this gave. */
static void find_key(const struct rig_cluster *cluster, struct weir *weir,
                     const struct weir_limit *limit, size_t node, char *key)
{
    static unsigned number;
    do {
        (void)snprintf(key, KEY_SIZE, "key%u", number++);
    } while (rig_cluster_owner(cluster, slot_of(cluster, weir, limit, key)) != node);
}

/* The same, in memory that lasts for a few more calls. */
static const char *key_of(const struct rig_cluster *cluster, struct weir *weir,
                          const struct weir_limit *limit, size_t node)
{
    static char keys[8][KEY_SIZE];
    static unsigned next;
    char *key = keys[next++ % 8];
    find_key(cluster, weir, limit, node, key);
    return key;
}

static struct askers_question alone(const struct weir_limit *limit, const char *key)
{
    return (struct askers_question){.requests = {{limit, weir_text(key), 1}}, .count = 1};
}

/* How much of its budget a key has used. */
static uint64_t used(struct weir *weir, const struct weir_limit *limit, const char *key)
{
    struct weir_decision decision;
    assert_int_equal(weir_peek(weir, limit, weir_text(key), 1, WEIR_CLOCK, &decision), WEIR_OK);
    assert_int_equal(decision.failure, WEIR_FAILURE_NONE);
    return decision.limit - decision.remaining;
}

/* ---- While all is well ---- */

static void budgets_are_exact_over_all_slots(void **state)
{
    const struct rig_cluster *cluster = *state;
    struct weir *weir = open_at(cluster, "on_error=deny&deadline=10s&prefix=exact");
    struct weir_limit *limit = limit_of("20/h fixed-window");
    static char keys[ASKERS_QUESTIONS_MAX][16];
    struct askers_question questions[ASKERS_QUESTIONS_MAX];
    for (unsigned i = 0; i < ASKERS_QUESTIONS_MAX; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%u", i);
        questions[i] = alone(limit, keys[i]);
    }
    struct askers *askers = askers_start(weir, questions, ASKERS_QUESTIONS_MAX, THREADS);
    for (size_t i = 0; i < ASKERS_QUESTIONS_MAX; i++) {
        askers_wait_denied(askers, i);
    }
    for (size_t i = 0; i < ASKERS_QUESTIONS_MAX; i++) {
        assert_int_equal(askers_counted(askers, i).admitted, 20);
        assert_int_equal(askers_counted(askers, i).failed, 0);
    }
    askers_stop(askers);
    weir_limit_free(limit);
    weir_close(weir);
}

/* Many at once, of all slots, in one call. */
static void a_batch_goes_to_all_servers(void **state)
{
    const struct rig_cluster *cluster = *state;
    struct weir *weir = open_at(cluster, "on_error=deny&deadline=10s&prefix=batch");
    struct weir_limit *limit = limit_of("3/h fixed-window");
    static char keys[200][16];
    struct weir_request requests[200];
    struct weir_decision decisions[200];
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%u", i);
        requests[i] = (struct weir_request){limit, weir_text(keys[i]), 1};
    }
    for (unsigned round = 0; round < 5; round++) {
        assert_int_equal(weir_check_batch(weir, requests, 200, WEIR_CLOCK, decisions, NULL),
                         WEIR_OK);
        for (unsigned i = 0; i < 200; i++) {
            assert_int_equal(decisions[i].failure, WEIR_FAILURE_NONE);
            assert_int_equal(decisions[i].allowed, round < 3);
        }
    }
    struct weir_redis_server servers[8];
    size_t count = 0;
    assert_int_equal(weir_redis_inspect(weir, 5000000, servers, 8, &count), WEIR_OK);
    assert_int_equal(count, PRIMARIES);
    uint32_t slots = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(servers[i].connected);
        assert_string_equal(servers[i].role, "primary");
        slots += servers[i].slots;
    }
    assert_int_equal(slots, 16384);
    weir_limit_free(limit);
    weir_close(weir);
}

/* Keys of three servers, which no one script can see together. Of threads that ask for the last of
 * the smallest budget at one moment, all but one get from the others what they have to give back.
 */
static void all_or_none_over_slots_gives_back(void **state)
{
    enum {
        TOGETHER = 40,
        BUDGET = 5
    };
    const struct rig_cluster *cluster = *state;
    struct weir *weir = open_at(cluster, "on_error=deny&deadline=10s&prefix=all&deny_cache=0");
    struct weir_limit *limits[PRIMARIES] = {limit_of("5/h fixed-window"),
                                            limit_of("8/h fixed-window"),
                                            limit_of("1000/h fixed-window")};
    static char keys[TOGETHER][PRIMARIES][KEY_SIZE];
    struct askers_question questions[TOGETHER];
    for (size_t i = 0; i < TOGETHER; i++) {
        questions[i].count = PRIMARIES;
        for (size_t node = 0; node < PRIMARIES; node++) {
            const struct weir_limit *limit = limits[(node + i) % PRIMARIES];
            find_key(cluster, weir, limit, node, keys[i][node]);
            questions[i].requests[node] = (struct weir_request){limit, weir_text(keys[i][node]), 1};
        }
    }
    struct askers *askers = askers_start(weir, questions, TOGETHER, ASKERS_THREADS_MAX);
    for (size_t i = 0; i < TOGETHER; i++) {
        askers_wait_admitted(askers, i, BUDGET);
        askers_wait_denied(askers, i);
    }
    for (size_t i = 0; i < TOGETHER; i++) {
        assert_int_equal(askers_counted(askers, i).admitted, BUDGET);
        assert_int_equal(askers_counted(askers, i).failed, 0);
    }
    askers_stop(askers);
    for (size_t i = 0; i < TOGETHER; i++) {
        for (size_t node = 0; node < PRIMARIES; node++) {
            const struct weir_limit *limit = limits[(node + i) % PRIMARIES];
            assert_int_equal(used(weir, limit, keys[i][node]), BUDGET);
        }
    }
    for (size_t i = 0; i < PRIMARIES; i++) {
        weir_limit_free(limits[i]);
    }
    weir_close(weir);
}

/* ---- While slots move ---- */

/* How often servers have answered with an error, which is counted by its first word. */
static unsigned long errors_in(struct rig_cluster *cluster, const char *word)
{
    char line[64];
    unsigned long count = 0;
    (void)snprintf(line, sizeof line, "errorstat_%s:count=", word);
    for (size_t node = 0; node < rig_cluster_size(cluster); node++) {
        const char *info =
            rig_redis_command(rig_cluster_node(cluster, node), "INFO", "errorstats", NULL);
        const char *found = strstr(info, line);
        count += found == NULL ? 0 : strtoul(found + strlen(line), NULL, 10);
    }
    return count;
}

struct error_awaited {
    struct rig_cluster *cluster;
    const char *word;
    unsigned long before;
};

static bool has_answered_so(void *context)
{
    const struct error_awaited *awaited = context;
    return errors_in(awaited->cluster, awaited->word) > awaited->before;
}

/* Moves one of the slot's keys to `to`, and waits until those who ask have felt it. */
static void move_and_feel(struct rig_cluster *cluster, unsigned slot, size_t to, const char *word)
{
    struct error_awaited awaited = {cluster, word, errors_in(cluster, word)};
    assert_int_equal(rig_cluster_move_keys(cluster, slot, to, 1), 1);
    rig_wait(has_answered_so, &awaited, word);
}

/* Two limits of one key share a slot; it goes round the servers, a key at a time, so that for
 * moments one of its two keys is here and the other there. */
static void a_resharding_under_load_loses_nothing(void **state)
{
    struct rig_cluster *cluster = *state;
    struct weir *weir = open_at(cluster, "on_error=deny&deadline=10s&prefix=move&deny_cache=0");
    struct weir_limit *few = limit_of("600/h fixed-window");
    struct weir_limit *many = limit_of("900/2h fixed-window");
    const char *key = key_of(cluster, weir, few, 0);
    const unsigned slot = slot_of(cluster, weir, few, key);
    assert_int_equal(slot_of(cluster, weir, many, key), slot);
    const struct askers_question question = {
        .requests = {{few, weir_text(key), 1}, {many, weir_text(key), 1}}, .count = 2};
    struct askers *askers = askers_start(weir, &question, 1, THREADS);
    for (size_t i = 1; i <= 6; i++) {
        askers_wait_admitted(askers, 0, i * 60);
        const size_t to = i % PRIMARIES;
        rig_cluster_move_begin(cluster, slot, to);
        move_and_feel(cluster, slot, to, "TRYAGAIN");
        move_and_feel(cluster, slot, to, "ASK");
        rig_cluster_move_end(cluster, slot, to);
    }
    askers_wait_denied(askers, 0);
    const struct askers_count count = askers_counted(askers, 0);
    askers_stop(askers);
    print_message("# resharding: admitted %llu of 600, %llu failed\n",
                  (unsigned long long)count.admitted, (unsigned long long)count.failed);
    assert_true(count.admitted <= 600);
    assert_true(count.admitted + count.failed >= 600);
    assert_int_equal(used(weir, few, key), 600);
    assert_int_equal(used(weir, many, key), 600);
    weir_limit_free(few);
    weir_limit_free(many);
    weir_close(weir);
}

/* ---- While servers fail ---- */

static struct rig_cluster *start(unsigned replicas, unsigned node_timeout_ms)
{
    const struct rig_cluster_options options = {
        .primaries = PRIMARIES,
        .replicas_each = replicas,
        .node_timeout_ms = node_timeout_ms,
    };
    return rig_cluster_start(&options);
}

/* What a replica has not heard of when its primary dies is forgotten: at worst all of a key's
 * window, so that twice its budget may pass, once for each failover. Keys of others lose nothing.
 */
static void a_killed_primary_costs_no_more_than_a_budget(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(1, 0);
    struct weir *weir = open_at(cluster, "on_error=deny&deadline=100ms&deny_cache=0");
    struct weir_limit *limit = limit_of("300/h fixed-window");
    const char *hit_key = key_of(cluster, weir, limit, 0);
    const struct askers_question questions[] = {alone(limit, hit_key),
                                                alone(limit, key_of(cluster, weir, limit, 1))};
    struct askers *askers = askers_start(weir, questions, 2, THREADS);
    askers_wait_admitted(askers, 0, 100);
    rig_redis_kill(rig_cluster_node(cluster, 0), SIGKILL);
    askers_wait_failed(askers, 0);
    (void)rig_cluster_wait_owner(cluster, slot_of(cluster, weir, limit, hit_key), 0);
    const int64_t gone_us = askers_wait_answered(askers, 0);
    askers_wait_denied(askers, 0);
    askers_wait_denied(askers, 1);
    const struct askers_count hit = askers_counted(askers, 0);
    const struct askers_count other = askers_counted(askers, 1);
    askers_stop(askers);
    print_message(
        "# primary killed: followed %lld ms after all servers were; admitted %llu of 300, "
        "%llu failed\n",
        (long long)gone_us / 1000, (unsigned long long)hit.admitted,
        (unsigned long long)hit.failed);
    assert_true(hit.admitted <= 600);
    assert_true(hit.admitted + hit.failed >= 300);
    assert_true(other.admitted <= 300);
    assert_true(other.admitted + other.failed >= 300);
    weir_limit_free(limit);
    weir_close(weir);
    rig_cluster_stop(cluster);
}

/* A primary that hands over in good order, while the load goes on. */
static void a_failover_in_order_is_followed(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(1, 0);
    struct weir *weir = open_at(cluster, "on_error=deny&deadline=5s&deny_cache=0");
    struct weir_limit *limit = limit_of("300/h fixed-window");
    const char *key = key_of(cluster, weir, limit, 0);
    const unsigned slot = slot_of(cluster, weir, limit, key);
    const struct askers_question question = alone(limit, key);
    struct askers *askers = askers_start(weir, &question, 1, THREADS);
    askers_wait_admitted(askers, 0, 100);
    assert_string_equal(
        rig_redis_command(rig_cluster_node(cluster, PRIMARIES), "CLUSTER", "FAILOVER", NULL), "OK");
    (void)rig_cluster_wait_owner(cluster, slot, 0);
    askers_wait_denied(askers, 0);
    const struct askers_count count = askers_counted(askers, 0);
    askers_stop(askers);
    print_message("# failover in order: admitted %llu of 300, %llu failed\n",
                  (unsigned long long)count.admitted, (unsigned long long)count.failed);
    assert_true(count.admitted <= 300);
    assert_true(count.admitted + count.failed >= 300);
    assert_int_equal(used(weir, limit, key), 300);
    weir_limit_free(limit);
    weir_close(weir);
    rig_cluster_stop(cluster);
}

/* Nor is anything lost of an all-or-none whose keys are on it and on others; what was asked of the
 * mute one has an unknown fate, and costs its callers at most. */
static void a_mute_server_harms_no_key_of_others(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(0, 30000);
    struct weir *weir = open_at(cluster, "on_error=deny&deadline=50ms&deny_cache=0");
    struct weir *patient = open_at(cluster, "on_error=deny&deadline=10s&deny_cache=0");
    struct weir_limit *limit = limit_of("300/h fixed-window");
    struct weir_limit *large = limit_of("100000/h fixed-window");
    const char *mute = key_of(cluster, weir, limit, 0);
    const char *other = key_of(cluster, weir, large, 1);
    const char *both = key_of(cluster, weir, limit, 2);
    const struct askers_question questions[] = {
        alone(large, mute),
        {.requests = {{large, weir_text(mute), 1}, {limit, weir_text(both), 1}}, .count = 2}};
    const struct askers_question sound = alone(large, other);
    struct askers *askers = askers_start(weir, questions, 2, 2);
    struct askers *apart = askers_start(patient, &sound, 1, 2);
    askers_wait_admitted(askers, 1, 50);
    rig_redis_pause(rig_cluster_node(cluster, 0));
    askers_wait_failed(askers, 0);
    askers_wait_failed(askers, 1);
    askers_wait_admitted(apart, 0, askers_counted(apart, 0).admitted + 200);
    rig_redis_resume(rig_cluster_node(cluster, 0));
    (void)askers_wait_answered(askers, 0);
    askers_wait_denied(askers, 1);
    const struct askers_count together = askers_counted(askers, 1);
    assert_int_equal(askers_counted(apart, 0).failed, 0);
    askers_stop(askers);
    askers_stop(apart);
    print_message("# mute server: together admitted %llu of 300, %llu failed\n",
                  (unsigned long long)together.admitted, (unsigned long long)together.failed);
    assert_true(together.admitted <= 300);
    assert_true(used(patient, limit, both) == 300);
    weir_limit_free(limit);
    weir_limit_free(large);
    weir_close(weir);
    weir_close(patient);
    rig_cluster_stop(cluster);
}

/* Most servers are gone, so that the rest serve nobody: the table in this process decides until
 * they are back. */
static void a_cluster_that_is_down_is_stood_in_for(void **state)
{
    (void)state;
    struct rig_cluster *cluster = start(0, 0);
    struct weir *weir = open_at(cluster, "on_error=local");
    struct weir_limit *limit = limit_of("1000000/h fixed-window");
    const struct askers_question questions[] = {alone(limit, key_of(cluster, weir, limit, 0)),
                                                alone(limit, key_of(cluster, weir, limit, 1))};
    struct askers *askers = askers_start(weir, questions, 2, 2);
    askers_wait_admitted(askers, 0, 10);
    askers_wait_admitted(askers, 1, 10);
    rig_redis_kill(rig_cluster_node(cluster, 1), SIGKILL);
    rig_redis_kill(rig_cluster_node(cluster, 2), SIGKILL);
    for (unsigned i = 0; i < 50; i++) {
        askers_wait_failed(askers, 0);
        askers_wait_failed(askers, 1);
    }
    struct weir_decision decision;
    assert_int_equal(weir_check(weir, limit, weir_text("x"), 1, WEIR_CLOCK, &decision), WEIR_OK);
    assert_int_equal(decision.source, WEIR_SOURCE_LOCAL);
    rig_redis_restart(rig_cluster_node(cluster, 1));
    rig_redis_restart(rig_cluster_node(cluster, 2));
    (void)askers_wait_answered(askers, 0);
    (void)askers_wait_answered(askers, 1);
    askers_stop(askers);
    weir_limit_free(limit);
    weir_close(weir);
    rig_cluster_stop(cluster);
}

static int setup(void **state)
{
    *state = start(0, 0);
    return 0;
}

static int teardown(void **state)
{
    rig_cluster_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_are_exact_over_all_slots),
        cmocka_unit_test(a_batch_goes_to_all_servers),
        cmocka_unit_test(all_or_none_over_slots_gives_back),
        cmocka_unit_test(a_resharding_under_load_loses_nothing),
        cmocka_unit_test(a_killed_primary_costs_no_more_than_a_budget),
        cmocka_unit_test(a_failover_in_order_is_followed),
        cmocka_unit_test(a_mute_server_harms_no_key_of_others),
        cmocka_unit_test(a_cluster_that_is_down_is_stood_in_for),
    };
    return cmocka_run_group_tests_name("redis_cluster", tests, setup, teardown);
}
