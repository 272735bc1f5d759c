/* redis_way_test.c - what a proxy between a store and its server does to their bytes: late, byte by
 * byte, never, cut at each place, refused; under sixteen threads that wait for each call, and under
 * ten thousand calls at once on a loop. Every call ends once, at its deadline, an answer is never
 * taken for another's, Redis is charged for each request once at most, and all memory comes back.
 *
 * redis_network_test.c does the like to packets. */

#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/fault_proxy.h"
#include "support/fixture.h"
#include "support/journal.h"
#include "support/rig.h"
#include "support/rig_process.h"
#include "support/swarm.h"

#include <stdio.h>
#include <stdlib.h>

#define DEADLINE_US INT64_C(50000)
/* Longer than anything that is only slow. */
#define PATIENT_US INT64_C(20000000)

struct scene {
    struct rig_redis *redis;
    struct fault_proxy *proxy;
    struct weir *weir;
    struct journal *journal;
};

static void behave(struct fault_proxy *proxy, struct fault_proxy_behaviour behaviour)
{
    fault_proxy_set(proxy, &behaviour);
}

static const char *url_of(struct fault_proxy *proxy, int64_t deadline_us)
{
    static char url[128];
    rig_format(url, sizeof(url), "redis://127.0.0.1:%u?deadline=%lldms&deny_cache=0",
               (unsigned)fault_proxy_port(proxy), (long long)(deadline_us / 1000));
    return url;
}

static struct weir *open_store(struct fault_proxy *proxy, int64_t deadline_us)
{
    struct weir *weir = NULL;
    assert_int_equal(weir_redis_open(url_of(proxy, deadline_us), NULL, &weir, NULL), WEIR_OK);
    return weir;
}

static struct scene scene_open(int64_t deadline_us)
{
    struct scene scene = {.redis = rig_redis_start(NULL)};
    scene.proxy = fault_proxy_start(rig_redis_port(scene.redis));
    scene.weir = open_store(scene.proxy, deadline_us);
    scene.journal = journal_start(scene.weir, false);
    return scene;
}

static struct journal_proof scene_close(struct scene *scene)
{
    const struct journal_proof proof = journal_end(scene->journal, rig_redis_url(scene->redis));
    weir_close(scene->weir);
    fault_proxy_stop(scene->proxy);
    rig_redis_stop(scene->redis);
    return proof;
}

/* ---- Sixteen threads ---- */

static void a_delay_below_the_deadline_changes_nothing_else(void **state)
{
    (void)state;
    struct scene scene = scene_open(PATIENT_US);
    behave(scene.proxy,
           (struct fault_proxy_behaviour){.delay_to_server_ms = 10, .delay_to_client_ms = 10});
    journal_await_redis(scene.journal, 320);
    const struct journal_account account = journal_chapter(scene.journal, "20 ms late", PATIENT_US);
    assert_int_equal(account.from[WEIR_SOURCE_REDIS], account.calls);
    const struct journal_proof proof = scene_close(&scene);
    assert_int_equal(proof.unknown + proof.not_asked, 0);
}

static void a_delay_above_the_deadline_opens_the_circuit(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US);
    behave(scene.proxy, (struct fault_proxy_behaviour){.delay_to_client_ms = 200});
    journal_await_failure(scene.journal, WEIR_FAILURE_TIMEOUT, 1);
    journal_await_failure(scene.journal, WEIR_FAILURE_CIRCUIT, 200);
    (void)journal_chapter(scene.journal, "200 ms late", DEADLINE_US);
    fault_proxy_set(scene.proxy, NULL);
    journal_recover(scene.journal, "no longer late", DEADLINE_US);
    const struct journal_proof proof = scene_close(&scene);
    assert_true(proof.carried > 0);
}

static void byte_by_byte_is_slow_and_no_more(void **state)
{
    (void)state;
    struct scene scene = scene_open(PATIENT_US);
    behave(scene.proxy, (struct fault_proxy_behaviour){.trickle_ms = 1});
    journal_await_redis(scene.journal, 32);
    const struct journal_account account =
        journal_chapter(scene.journal, "byte by byte, with patience", PATIENT_US);
    assert_int_equal(account.from[WEIR_SOURCE_REDIS], account.calls);
    fault_proxy_set(scene.proxy, NULL);
    (void)scene_close(&scene);
}

static void byte_by_byte_takes_longer_than_there_is(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US);
    behave(scene.proxy, (struct fault_proxy_behaviour){.trickle_ms = 5});
    journal_await_failure(scene.journal, WEIR_FAILURE_TIMEOUT, 1);
    journal_await_failure(scene.journal, WEIR_FAILURE_CIRCUIT, 200);
    (void)journal_chapter(scene.journal, "byte by byte", DEADLINE_US);
    fault_proxy_set(scene.proxy, NULL);
    journal_recover(scene.journal, "no longer byte by byte", DEADLINE_US);
    (void)scene_close(&scene);
}

/* The kernel takes the connection, and nobody ever reads from it. */
static void a_server_that_accepts_and_is_silent(void **state)
{
    (void)state;
    struct scene scene = {.redis = rig_redis_start(NULL)};
    scene.proxy = fault_proxy_start(rig_redis_port(scene.redis));
    behave(scene.proxy,
           (struct fault_proxy_behaviour){.stall_to_server = true, .stall_to_client = true});
    scene.weir = open_store(scene.proxy, DEADLINE_US);
    scene.journal = journal_start(scene.weir, true);
    journal_await_failure(scene.journal, WEIR_FAILURE_TIMEOUT, 1);
    journal_await_failure(scene.journal, WEIR_FAILURE_CIRCUIT, 200);
    const struct journal_account account =
        journal_chapter(scene.journal, "silent from the start", DEADLINE_US);
    assert_int_equal(account.from[WEIR_SOURCE_REDIS], 0);
    fault_proxy_set(scene.proxy, NULL);
    journal_recover(scene.journal, "no longer silent", DEADLINE_US);
    (void)scene_close(&scene);
}

static void a_server_that_refuses(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US);
    behave(scene.proxy, (struct fault_proxy_behaviour){.refuse = true});
    fault_proxy_reset(scene.proxy);
    journal_await_failure(scene.journal, WEIR_FAILURE_UNREACHABLE, 1);
    journal_await_failure(scene.journal, WEIR_FAILURE_CIRCUIT, 200);
    (void)journal_chapter(scene.journal, "reset, then refused", DEADLINE_US);
    fault_proxy_set(scene.proxy, NULL);
    journal_recover(scene.journal, "no longer refused", DEADLINE_US);
    (void)scene_close(&scene);
}

static void connections_that_are_cut_over_and_over(void **state)
{
    (void)state;
    struct scene scene = scene_open(DEADLINE_US);
    for (unsigned i = 0; i < 10; i++) {
        (i % 2 == 0 ? fault_proxy_cut : fault_proxy_reset)(scene.proxy);
        journal_await_redis(scene.journal, 40);
    }
    const struct journal_account account =
        journal_chapter(scene.journal, "cut over and over", DEADLINE_US);
    assert_true(account.from[WEIR_SOURCE_REDIS] >= 400);
    (void)scene_close(&scene);
}

/* ---- The local table ---- */

static long resident_pages(void)
{
    long total = 0;
    long resident = 0;
    FILE *pages = fopen("/proc/self/statm", "r");
    assert_non_null(pages);
    assert_int_equal(fscanf(pages, "%ld %ld", &total, &resident), 2);
    (void)fclose(pages);
    return resident;
}

/* The call that opens it is not held up by memory that it does not need: least of all by the 16 MiB
 * that a table keeps for sliding-log. */
static void the_first_that_needs_the_local_table_waits_for_no_more(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct fault_proxy *proxy = fault_proxy_start(rig_redis_port(redis));
    struct weir_limit *limit = fixture_limit("3/360d fixed-window");
    behave(proxy, (struct fault_proxy_behaviour){.stall_to_server = true});
    char url[160];
    struct weir *weir = NULL;
    rig_format(url, sizeof(url), "%s&local=64KiB", url_of(proxy, DEADLINE_US));
    assert_int_equal(weir_redis_open(url, NULL, &weir, NULL), WEIR_OK);
    const long before = resident_pages();
    assert_int_equal(fixture_check(weir, limit, "k", 1, WEIR_CLOCK).source, WEIR_SOURCE_LOCAL);
    assert_true(resident_pages() - before < 8L * 1024 * 1024 / 4096);
    weir_close(weir);
    weir_limit_free(limit);
    fault_proxy_stop(proxy);
    rig_redis_stop(redis);
}

/* ---- One call at a time, cut at each place ---- */

struct single {
    struct rig_redis *redis;
    struct fault_proxy *proxy;
    struct weir *weir;
    struct weir_limit *limit;
};

static bool redis_answers(void *context)
{
    const struct single *single = context;
    return fixture_check(single->weir, single->limit, "probe", 0, WEIR_CLOCK).source ==
           WEIR_SOURCE_REDIS;
}

static struct single single_open(int64_t deadline_us)
{
    struct single single = {.redis = rig_redis_start(NULL)};
    single.limit = fixture_limit("3/360d fixed-window");
    single.proxy = fault_proxy_start(rig_redis_port(single.redis));
    single.weir = open_store(single.proxy, deadline_us);
    return single;
}

static void single_close(struct single *single)
{
    weir_close(single->weir);
    fault_proxy_stop(single->proxy);
    rig_redis_stop(single->redis);
    weir_limit_free(single->limit);
}

static uint64_t used(const struct single *single, const char *key)
{
    const struct weir_decision decision =
        fixture_peek(single->weir, single->limit, key, 1, WEIR_CLOCK);
    assert_int_equal(decision.source, WEIR_SOURCE_REDIS);
    return decision.limit - decision.remaining;
}

/* How much the proxy has passed on to the client, when it has counted all that the client has. */
static uint64_t passed(struct single *single)
{
    fault_proxy_set(single->proxy, NULL);
    return fault_proxy_tell(single->proxy).to_client;
}

/* The answer to a check of a new key, in bytes. */
static uint64_t answer_len(struct single *single, const char *key)
{
    const uint64_t before = passed(single);
    assert_int_equal(fixture_check(single->weir, single->limit, key, 1, WEIR_CLOCK).source,
                     WEIR_SOURCE_REDIS);
    return passed(single) - before;
}

/* The request is carried out, and its answer breaks off after so many bytes. */
static void an_answer_that_is_cut_at_each_place(void **state)
{
    (void)state;
    struct single single = single_open(PATIENT_US);
    rig_wait(redis_answers, &single, "Redis to answer");
    (void)answer_len(&single, "first"); /* the script's text, and its number */
    const uint64_t len = answer_len(&single, "second");
    /* The numbers in it may have a digit less or more. */
    assert_true(len > 12);
    for (uint64_t place = 1; place + 4 < len; place++) {
        char key[32];
        rig_format(key, sizeof(key), "cut-%llu", (unsigned long long)place);
        behave(single.proxy, (struct fault_proxy_behaviour){.truncate_after = place});
        const struct weir_decision decision =
            fixture_check(single.weir, single.limit, key, 1, WEIR_CLOCK);
        fault_proxy_set(single.proxy, NULL);
        assert_int_equal(decision.failure, WEIR_FAILURE_LOST);
        assert_int_equal(decision.source, WEIR_SOURCE_LOCAL);
        rig_wait(redis_answers, &single, "Redis to answer");
        assert_int_equal(used(&single, key), 1);
    }
    print_message("# cut after each of %llu bytes\n", (unsigned long long)len - 5);
    single_close(&single);
}

struct arrival {
    struct fault_proxy *proxy;
    uint64_t accepted; /* before */
};

static bool has_arrived(void *context)
{
    const struct arrival *arrival = context;
    return fault_proxy_tell(arrival->proxy).accepted > arrival->accepted;
}

/* The server's welcome is cut, wherever: then there is no connection, and soon there is one. */
static void a_handshake_that_is_cut_at_each_place(void **state)
{
    (void)state;
    static const uint64_t places[] = {1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 120, 140};
    struct single single = single_open(PATIENT_US);
    rig_wait(redis_answers, &single, "Redis to answer");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char key[32];
        rig_format(key, sizeof(key), "welcome-%u", (unsigned)places[i]);
        behave(single.proxy, (struct fault_proxy_behaviour){.truncate_after = places[i]});
        fault_proxy_reset(single.proxy);
        struct arrival arrival = {single.proxy, fault_proxy_tell(single.proxy).accepted};
        struct weir *weir = open_store(single.proxy, DEADLINE_US);
        const struct weir_decision decision = fixture_check(weir, single.limit, key, 1, WEIR_CLOCK);
        assert_int_equal(decision.source, WEIR_SOURCE_LOCAL);
        rig_wait(has_arrived, &arrival, "a connection");
        fault_proxy_set(single.proxy, NULL);
        rig_wait(redis_answers, &single, "Redis to answer");
        assert_int_equal(used(&single, key), 0);
        weir_close(weir);
    }
    single_close(&single);
}

/* ---- Late answers ---- */

#define PAIRS 100

/* A call that runs out of time before its answer is there, and one after it on the same connection
 * that does not. Each has a limit of its own, by whose number its answer is known. */
struct pair {
    char name[2][16];
    struct weir_limit *limit[2];
    struct weir_request request[2];
    struct weir_decision decision[2];
    struct weir_call call[2];
    unsigned done[2];
};

static unsigned count_of(size_t i, unsigned which)
{
    return 1000 + 2 * (unsigned)i + which;
}

static void pair_done(struct weir_call *call)
{
    (*(unsigned *)call->context)++;
}

static bool pairs_are_done(void *context)
{
    const struct pair *pairs = context;
    for (size_t i = 0; i < PAIRS; i++) {
        if (pairs[i].done[0] == 0 || pairs[i].done[1] == 0) {
            return false;
        }
    }
    return true;
}

static void pair_submit(struct swarm *swarm, struct pair *pair, size_t i)
{
    for (unsigned which = 0; which < 2; which++) {
        char text[64];
        rig_format(pair->name[which], sizeof(pair->name[which]), "l%u", count_of(i, which));
        rig_format(text, sizeof(text), "%u/360d fixed-window", count_of(i, which));
        const struct weir_limit_options options = {.size = sizeof(options),
                                                   .name = weir_text(pair->name[which])};
        assert_int_equal(weir_limit_parse(weir_text(text), &options, &pair->limit[which], NULL),
                         WEIR_OK);
        pair->request[which] = (struct weir_request){pair->limit[which], weir_text("k"), 1 + i % 7};
        pair->call[which] = (struct weir_call){
            .requests = &pair->request[which],
            .count = 1,
            .now_us = WEIR_CLOCK,
            .timeout_us = which == 0 ? INT64_C(10000) : PATIENT_US,
            .decisions = &pair->decision[which],
            .done = pair_done,
            .context = &pair->done[which],
        };
        weir_submit(swarm_store(swarm), &pair->call[which]);
    }
}

static void a_late_answer_is_nobody_elses(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct fault_proxy *proxy = fault_proxy_start(rig_redis_port(redis));
    struct swarm *swarm = swarm_open(url_of(proxy, PATIENT_US));
    static struct pair pairs[PAIRS];
    (void)swarm_await_redis(swarm);
    behave(proxy, (struct fault_proxy_behaviour){.delay_to_client_ms = 100});
    for (size_t i = 0; i < PAIRS; i++) {
        pair_submit(swarm, &pairs[i], i);
    }
    swarm_run_until(swarm, pairs_are_done, pairs, "answers that are late");
    struct weir *checker = NULL;
    assert_int_equal(weir_redis_open(rig_redis_url(redis), NULL, &checker, NULL), WEIR_OK);
    for (size_t i = 0; i < PAIRS; i++) {
        const struct weir_decision *late = &pairs[i].decision[0];
        const struct weir_decision *patient = &pairs[i].decision[1];
        assert_int_equal(late->failure, WEIR_FAILURE_TIMEOUT);
        assert_int_equal(late->source, WEIR_SOURCE_LOCAL);
        assert_int_equal(late->limit, count_of(i, 0));
        assert_int_equal(patient->failure, WEIR_FAILURE_NONE);
        assert_int_equal(patient->source, WEIR_SOURCE_REDIS);
        assert_int_equal(patient->limit, count_of(i, 1));
        assert_int_equal(patient->remaining, count_of(i, 1) - (1 + i % 7));
        assert_int_equal(pairs[i].done[0], 1);
        assert_int_equal(pairs[i].done[1], 1);
        for (unsigned which = 0; which < 2; which++) {
            const struct weir_decision kept =
                fixture_peek(checker, pairs[i].limit[which], "k", 1, WEIR_CLOCK);
            assert_int_equal(kept.limit - kept.remaining, 1 + i % 7);
            weir_limit_free(pairs[i].limit[which]);
        }
    }
    weir_close(checker);
    swarm_close(swarm);
    fault_proxy_stop(proxy);
    rig_redis_stop(redis);
}

/* ---- Ten thousand under way ---- */

struct stop {
    struct rig_redis *redis;
    struct fault_proxy *proxy;
    struct swarm *swarm;
    uint64_t to_server; /* that the proxy had passed on before */
};

static struct stop stop_open(void)
{
    struct stop stop = {.redis = rig_redis_start(NULL)};
    stop.proxy = fault_proxy_start(rig_redis_port(stop.redis));
    stop.swarm = swarm_open(url_of(stop.proxy, DEADLINE_US));
    (void)swarm_await_redis(stop.swarm);
    stop.to_server = fault_proxy_tell(stop.proxy).to_server;
    return stop;
}

static void stop_close(struct stop *stop)
{
    swarm_close(stop->swarm);
    fault_proxy_stop(stop->proxy);
    rig_redis_stop(stop->redis);
}

static struct swarm_account finish(struct stop *stop, const char *name)
{
    struct swarm_account account =
        swarm_finish(stop->swarm, name, DEADLINE_US, rig_redis_url(stop->redis));
    fault_proxy_set(stop->proxy, NULL);
    print_message("# %s: Redis answers again after %.0f ms\n", name,
                  (double)swarm_await_redis(stop->swarm) / 1000);
    return account;
}

static bool some_has_left(void *context)
{
    struct stop *stop = context;
    return fault_proxy_tell(stop->proxy).to_server - stop->to_server > 65536;
}

static void when_nothing_goes_any_more(void **state)
{
    (void)state;
    struct stop stop = stop_open();
    behave(stop.proxy,
           (struct fault_proxy_behaviour){.stall_to_server = true, .stall_to_client = true});
    swarm_submit(stop.swarm);
    const struct swarm_account account = finish(&stop, "10000 in flight, stalled");
    assert_int_equal(account.by_redis, 0);
    stop_close(&stop);
}

static void when_the_answers_do_not_come(void **state)
{
    (void)state;
    struct stop stop = stop_open();
    behave(stop.proxy, (struct fault_proxy_behaviour){.stall_to_client = true});
    swarm_submit(stop.swarm);
    swarm_run_until(stop.swarm, some_has_left, &stop, "requests to leave");
    const struct swarm_account account = finish(&stop, "10000 in flight, unanswered");
    assert_int_equal(account.by_redis, 0);
    assert_true(account.carried > 0);
    stop_close(&stop);
}

static void when_the_connection_is_cut_or_reset(void **state)
{
    (void)state;
    for (unsigned reset = 0; reset < 2; reset++) {
        struct stop stop = stop_open();
        behave(stop.proxy, (struct fault_proxy_behaviour){.stall_to_client = true});
        swarm_submit(stop.swarm);
        swarm_run_until(stop.swarm, some_has_left, &stop, "requests to leave");
        (reset == 0 ? fault_proxy_cut : fault_proxy_reset)(stop.proxy);
        const struct swarm_account account =
            finish(&stop, reset == 0 ? "10000 in flight, cut" : "10000 in flight, reset");
        assert_true(account.by_redis < SWARM_CALLS);
        stop_close(&stop);
    }
}

/* Some answers come, one of them in part, and then the end. */
static void when_it_ends_in_the_middle_of_an_answer(void **state)
{
    (void)state;
    struct stop stop = stop_open();
    behave(stop.proxy, (struct fault_proxy_behaviour){.truncate_after = 30000});
    swarm_submit(stop.swarm);
    const struct swarm_account account = finish(&stop, "10000 in flight, cut in an answer");
    assert_true(account.by_redis < SWARM_CALLS);
    stop_close(&stop);
}

static void when_the_store_is_closed(void **state)
{
    (void)state;
    struct stop stop = stop_open();
    behave(stop.proxy, (struct fault_proxy_behaviour){.stall_to_client = true});
    swarm_submit(stop.swarm);
    swarm_run_until(stop.swarm, some_has_left, &stop, "requests to leave");
    const size_t before = swarm_ended(stop.swarm);
    swarm_close_store(stop.swarm);
    assert_int_equal(swarm_ended(stop.swarm), SWARM_CALLS);
    const struct swarm_account account =
        swarm_finish(stop.swarm, "10000 in flight, closed", DEADLINE_US, rig_redis_url(stop.redis));
    assert_int_equal(account.failed[WEIR_FAILURE_CLOSED], SWARM_CALLS - before);
    stop_close(&stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* The first, as what others gave back would serve it. */
        cmocka_unit_test(the_first_that_needs_the_local_table_waits_for_no_more),
        cmocka_unit_test(a_delay_below_the_deadline_changes_nothing_else),
        cmocka_unit_test(a_delay_above_the_deadline_opens_the_circuit),
        cmocka_unit_test(byte_by_byte_is_slow_and_no_more),
        cmocka_unit_test(byte_by_byte_takes_longer_than_there_is),
        cmocka_unit_test(a_server_that_accepts_and_is_silent),
        cmocka_unit_test(a_server_that_refuses),
        cmocka_unit_test(connections_that_are_cut_over_and_over),
        cmocka_unit_test(an_answer_that_is_cut_at_each_place),
        cmocka_unit_test(a_handshake_that_is_cut_at_each_place),
        cmocka_unit_test(a_late_answer_is_nobody_elses),
        cmocka_unit_test(when_nothing_goes_any_more),
        cmocka_unit_test(when_the_answers_do_not_come),
        cmocka_unit_test(when_the_connection_is_cut_or_reset),
        cmocka_unit_test(when_it_ends_in_the_middle_of_an_answer),
        cmocka_unit_test(when_the_store_is_closed),
    };
    return cmocka_run_group_tests_name("redis_way", tests, NULL, NULL);
}
