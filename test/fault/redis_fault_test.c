/* redis_fault_test.c - what befalls one server, while threads go on asking: every call is answered
 * at its deadline, by who can, and no more is admitted than docs/failure-modes.md promises.
 *
 * The budgets do not refill within a test, so that what is admitted can be counted. "No later than
 * its deadline" is held with a generous bound, as other things run on the machine; what was found
 * is printed. */

#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/fault_proxy.h"
#include "support/fixture.h"
#include "support/load.h"
#include "support/rig.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEADLINE_US INT64_C(200000)
#define LATE_US INT64_C(2000000) /* later than the deadline by so much is a failure */
#define THREADS 3
#define BUDGET 150
#define SMALL_LIMIT "150/300d"
#define LARGE_LIMIT "1000000/360d"

struct scene {
    struct rig_redis *redis;
    struct fault_proxy *proxy; /* NULL: none in between */
    struct weir *weir;
    struct weir_limit *limit;
    struct load *load;
};

static struct scene scene_open(const struct rig_redis_options *options, const char *limit,
                               const char *on_error, bool proxy)
{
    struct scene scene = {.redis = rig_redis_start(options), .limit = fixture_limit(limit)};
    unsigned port = rig_redis_port(scene.redis);
    if (proxy) {
        scene.proxy = fault_proxy_start((uint16_t)port);
        port = fault_proxy_port(scene.proxy);
    }
    char url[256];
    (void)snprintf(url, sizeof(url),
                   "redis://127.0.0.1:%u?deadline=200ms&on_error=%s&deny_cache=0&local=64KiB", port,
                   on_error);
    struct weir_error error = {0, 0, ""};
    if (weir_redis_open(url, NULL, &scene.weir, &error) != WEIR_OK) {
        fail_msg("%s: %s", url, error.message);
    }
    scene.load = load_start(scene.weir, scene.limit, "k", 1, THREADS);
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 10);
    load_forget_longest(scene.load);
    return scene;
}

/* Ends all but the load, which has ended; holds what is true of every fault. */
static void scene_end(struct scene *scene, const char *fault, const struct load_account *account)
{
    print_message("# %s: the longest of %llu calls took %.1f ms\n", fault,
                  (unsigned long long)account->asked, (double)account->longest_us / 1000);
    assert_int_equal(account->errors, 0);
    assert_true(account->longest_us < DEADLINE_US + LATE_US);
    weir_close(scene->weir);
    fault_proxy_stop(scene->proxy);
    rig_redis_stop(scene->redis);
    weir_limit_free(scene->limit);
}

static struct load_account scene_close(struct scene *scene, const char *fault)
{
    const struct load_account account = load_stop(scene->load);
    scene_end(scene, fault, &account);
    return account;
}

static uint64_t failures_in(const struct load_account *account)
{
    uint64_t count = 0;
    for (size_t i = 1; i < WEIR_FAILURE_COUNT; i++) {
        count += account->failed[i];
    }
    return count;
}

/* Holds that Redis has charged the one key with all that it admitted, and at most with what it may
 * have been asked besides without an answer. */
static void assert_charged(const struct scene *scene, const struct load_account *account)
{
    struct weir_decision decision;
    assert_int_equal(
        weir_peek(scene->weir, scene->limit, weir_text("k0"), 1, WEIR_CLOCK, &decision), WEIR_OK);
    assert_int_equal(decision.source, WEIR_SOURCE_REDIS);
    const uint64_t taken = decision.limit - decision.remaining;
    const uint64_t unknown =
        account->failed[WEIR_FAILURE_TIMEOUT] + account->failed[WEIR_FAILURE_LOST];
    assert_true(taken >= account->admitted[WEIR_SOURCE_REDIS]);
    assert_true(taken <= account->admitted[WEIR_SOURCE_REDIS] + unknown);
}

/* ---- The server ---- */

static void a_server_that_is_killed_and_comes_back_empty(void **state)
{
    (void)state;
    struct scene scene = scene_open(NULL, SMALL_LIMIT, "local", false);
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 2 * BUDGET);
    rig_redis_kill(scene.redis, SIGKILL);
    load_wait_for(scene.load, WEIR_SOURCE_LOCAL, 2 * BUDGET);
    rig_redis_restart(scene.redis);
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 2 * BUDGET);
    const struct load_account account = scene_close(&scene, "killed");
    /* A budget for each life of the data, and one for this process. */
    assert_int_equal(account.admitted[WEIR_SOURCE_REDIS], 2 * BUDGET);
    assert_int_equal(account.admitted[WEIR_SOURCE_LOCAL], BUDGET);
}

/* It goes on where it was: what was written in vain is carried out, and charged. */
static void a_server_that_is_stopped_and_goes_on(void **state)
{
    (void)state;
    struct scene scene = scene_open(NULL, LARGE_LIMIT, "local", false);
    rig_redis_pause(scene.redis);
    load_wait_failure(scene.load, WEIR_FAILURE_TIMEOUT, 1);
    load_wait_failure(scene.load, WEIR_FAILURE_CIRCUIT, 100);
    rig_redis_resume(scene.redis);
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 100);
    const struct load_account account = load_stop(scene.load);
    assert_charged(&scene, &account);
    assert_true(account.failed[WEIR_FAILURE_TIMEOUT] < account.failed[WEIR_FAILURE_CIRCUIT]);
    scene_end(&scene, "stopped", &account);
}

static void a_server_whose_data_is_flushed(void **state)
{
    (void)state;
    struct scene scene = scene_open(NULL, SMALL_LIMIT, "local", false);
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 2 * BUDGET);
    assert_string_equal(rig_redis_command(scene.redis, "FLUSHALL", NULL), "OK");
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 2 * BUDGET);
    const struct load_account account = scene_close(&scene, "FLUSHALL");
    assert_int_equal(account.admitted[WEIR_SOURCE_REDIS], 2 * BUDGET);
    assert_int_equal(failures_in(&account), 0);
}

static void a_server_whose_scripts_are_flushed(void **state)
{
    (void)state;
    struct scene scene = scene_open(NULL, SMALL_LIMIT, "local", false);
    for (unsigned i = 0; i < 20; i++) {
        assert_string_equal(rig_redis_command(scene.redis, "SCRIPT", "FLUSH", NULL), "OK");
        load_wait_for(scene.load, WEIR_SOURCE_REDIS, 20);
    }
    const struct load_account account = scene_close(&scene, "SCRIPT FLUSH");
    assert_int_equal(account.admitted[WEIR_SOURCE_REDIS], BUDGET);
    assert_int_equal(failures_in(&account), 0);
}

static void a_server_without_memory(void **state)
{
    (void)state;
    struct scene scene = scene_open(NULL, LARGE_LIMIT, "deny", false);
    assert_string_equal(rig_redis_command(scene.redis, "CONFIG", "SET", "maxmemory", "1", NULL),
                        "OK");
    load_wait_failure(scene.load, WEIR_FAILURE_OOM, 100);
    assert_string_equal(rig_redis_command(scene.redis, "CONFIG", "SET", "maxmemory", "0", NULL),
                        "OK");
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 100);
    const struct load_account account = scene_close(&scene, "maxmemory");
    assert_int_equal(failures_in(&account), account.failed[WEIR_FAILURE_OOM]);
    assert_int_equal(account.denied[WEIR_SOURCE_ON_ERROR], account.failed[WEIR_FAILURE_OOM]);
    assert_int_equal(account.admitted[WEIR_SOURCE_ON_ERROR], 0);
}

static void a_server_that_lacks_replicas_or_is_one(void **state)
{
    (void)state;
    struct scene scene = scene_open(NULL, LARGE_LIMIT, "allow", false);
    const struct rig_redis *redis = scene.redis;
    assert_string_equal(
        rig_redis_command(redis, "CONFIG", "SET", "min-replicas-to-write", "1", NULL), "OK");
    load_wait_failure(scene.load, WEIR_FAILURE_REPLICAS, 50);
    assert_string_equal(
        rig_redis_command(redis, "CONFIG", "SET", "min-replicas-to-write", "0", NULL), "OK");
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 50);
    assert_string_equal(rig_redis_command(redis, "REPLICAOF", "127.0.0.1", "1", NULL), "OK");
    load_wait_failure(scene.load, WEIR_FAILURE_READONLY, 50);
    assert_string_equal(rig_redis_command(redis, "REPLICAOF", "NO", "ONE", NULL), "OK");
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 50);
    const struct load_account account = scene_close(&scene, "NOREPLICAS and READONLY");
    assert_int_equal(account.admitted[WEIR_SOURCE_ON_ERROR], failures_in(&account));
    assert_int_equal(account.denied[WEIR_SOURCE_ON_ERROR], 0);
}

/* Somebody's script holds it up, until somebody ends that. */
static void *run_forever(void *context)
{
    (void)rig_redis_command(context, "EVAL", "while true do end", "0", NULL);
    return NULL;
}

static bool was_killed(void *context)
{
    return strcmp(rig_redis_command(context, "SCRIPT", "KILL", NULL), "OK") == 0;
}

static void a_server_that_is_busy(void **state)
{
    (void)state;
    static const char *const lines[] = {"lua-time-limit 10", NULL};
    struct scene scene =
        scene_open(&(struct rig_redis_options){.lines = lines}, LARGE_LIMIT, "local", false);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_forever, scene.redis), 0);
    load_wait_failure(scene.load, WEIR_FAILURE_BUSY, 1);
    load_wait_for(scene.load, WEIR_SOURCE_LOCAL, 100);
    rig_wait(was_killed, scene.redis, "a script that can be killed");
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 100);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)scene_close(&scene, "BUSY");
}

/* What the server is not to be had for at all: said at every decision. */
static void a_server_that_lets_nobody_in(void **state)
{
    (void)state;
    static const struct {
        const char *login;
        const char *database;
        enum weir_failure failure;
    } doors[] = {
        {"", "", WEIR_FAILURE_AUTH},
        {":wrong@", "", WEIR_FAILURE_AUTH},
        {":secret@", "/99", WEIR_FAILURE_DATABASE},
    };
    struct rig_redis *redis = rig_redis_start(&(struct rig_redis_options){.password = "secret"});
    struct weir_limit *limit = fixture_limit(LARGE_LIMIT);
    for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
        char url[128];
        (void)snprintf(url, sizeof(url), "redis://%s127.0.0.1:%u%s?deadline=200ms", doors[i].login,
                       (unsigned)rig_redis_port(redis), doors[i].database);
        struct weir *weir = NULL;
        assert_int_equal(weir_redis_open(url, NULL, &weir, NULL), WEIR_OK);
        struct load *load = load_start(weir, limit, "k", 1, THREADS);
        load_wait_failure(load, doors[i].failure, 20);
        const struct load_account account = load_stop(load);
        assert_int_equal(load_from(&account, WEIR_SOURCE_REDIS), 0);
        assert_true(account.longest_us < DEADLINE_US + LATE_US);
        weir_close(weir);
    }
    weir_limit_free(limit);
    rig_redis_stop(redis);
}

/* ---- Its clock ---- */

static void a_clock_that_is_set(void **state)
{
    (void)state;
    struct scene scene =
        scene_open(&(struct rig_redis_options){.clock = true}, "150/h", "local", false);
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 2 * BUDGET);
    struct load_account account = load_tell(scene.load);
    assert_true(account.admitted[WEIR_SOURCE_REDIS] < BUDGET + 5);
    /* An hour ahead is an hour's worth. */
    rig_redis_shift_clock(scene.redis, INT64_C(3600000000));
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 2 * BUDGET);
    account = load_tell(scene.load);
    assert_true(account.admitted[WEIR_SOURCE_REDIS] >= 2 * BUDGET);
    assert_true(account.admitted[WEIR_SOURCE_REDIS] < 2 * BUDGET + 5);
    /* And back again gives nothing, and denies no longer than the limit does. */
    rig_redis_shift_clock(scene.redis, 0);
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, BUDGET);
    struct weir_decision decision;
    assert_int_equal(
        weir_peek(scene.weir, scene.limit, weir_text("k0"), BUDGET, WEIR_CLOCK, &decision),
        WEIR_OK);
    assert_true(decision.retry_after_us <= INT64_C(3600000000) + WEIR_CLOCK_SLACK_US);
    account = scene_close(&scene, "a clock set ahead and back");
    assert_true(account.admitted[WEIR_SOURCE_REDIS] < 2 * BUDGET + 5);
    assert_int_equal(failures_in(&account), 0);
}

/* ---- The way there ---- */

static void behave(const struct scene *scene, struct fault_proxy_behaviour behaviour)
{
    fault_proxy_set(scene->proxy, &behaviour);
}

static void a_way_that_goes_silent(void **state)
{
    (void)state;
    struct scene scene = scene_open(NULL, LARGE_LIMIT, "local", true);
    behave(&scene,
           (struct fault_proxy_behaviour){.stall_to_server = true, .stall_to_client = true});
    load_wait_failure(scene.load, WEIR_FAILURE_TIMEOUT, 1);
    load_wait_failure(scene.load, WEIR_FAILURE_CIRCUIT, 100);
    behave(&scene, (struct fault_proxy_behaviour){.refuse = false});
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 100);
    /* Only the answers get lost: what was asked is charged, and asked once. */
    behave(&scene, (struct fault_proxy_behaviour){.stall_to_client = true});
    load_wait_failure(scene.load, WEIR_FAILURE_TIMEOUT, 3);
    behave(&scene, (struct fault_proxy_behaviour){.refuse = false});
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 100);
    const struct load_account account = load_stop(scene.load);
    assert_charged(&scene, &account);
    scene_end(&scene, "silence", &account);
}

static void a_way_that_breaks(void **state)
{
    (void)state;
    struct scene scene = scene_open(NULL, LARGE_LIMIT, "local", true);
    for (unsigned i = 0; i < 10; i++) {
        (i % 2 == 0 ? fault_proxy_cut : fault_proxy_reset)(scene.proxy);
        load_wait_for(scene.load, WEIR_SOURCE_REDIS, 20);
    }
    behave(&scene, (struct fault_proxy_behaviour){.refuse = true});
    fault_proxy_cut(scene.proxy);
    load_wait_failure(scene.load, WEIR_FAILURE_UNREACHABLE, 1);
    load_wait_for(scene.load, WEIR_SOURCE_LOCAL, 100);
    behave(&scene, (struct fault_proxy_behaviour){.refuse = false});
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 100);
    /* In the middle of an answer. */
    behave(&scene, (struct fault_proxy_behaviour){.truncate_after = 7});
    load_wait_for(scene.load, WEIR_SOURCE_LOCAL, 3);
    behave(&scene, (struct fault_proxy_behaviour){.refuse = false});
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 100);
    const struct load_account account = load_stop(scene.load);
    assert_charged(&scene, &account);
    scene_end(&scene, "a broken way", &account);
}

static void a_way_that_is_slow(void **state)
{
    (void)state;
    struct scene scene = scene_open(NULL, LARGE_LIMIT, "deny", true);
    /* Within the deadline nothing changes but the time. */
    behave(&scene,
           (struct fault_proxy_behaviour){.delay_to_server_ms = 10, .delay_to_client_ms = 10});
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 60);
    /* Beyond it, all is in vain. */
    behave(&scene, (struct fault_proxy_behaviour){.delay_to_client_ms = 1000});
    load_wait_failure(scene.load, WEIR_FAILURE_TIMEOUT, 3);
    behave(&scene, (struct fault_proxy_behaviour){.refuse = false});
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 100);
    /* Byte by byte an answer takes too long, too. */
    behave(&scene, (struct fault_proxy_behaviour){.trickle_ms = 20});
    load_wait_failure(scene.load, WEIR_FAILURE_TIMEOUT, 3);
    behave(&scene, (struct fault_proxy_behaviour){.refuse = false});
    load_wait_for(scene.load, WEIR_SOURCE_REDIS, 100);
    (void)scene_close(&scene, "delay and trickle");
}

/* ---- What the deny cache makes of it ---- */

static void note_done(struct weir_call *call)
{
    atomic_store((atomic_bool *)call->context, true);
}

static bool is_done(void *context)
{
    return atomic_load((atomic_bool *)context);
}

struct lone_call {
    struct weir_call call;
    struct weir_request request;
    struct weir_decision decision;
    atomic_bool done;
};

/* Submits it, and waits until it has come to the proxy. */
static void submit_through(struct fault_proxy *proxy, struct weir *weir, struct lone_call *lone,
                           enum weir_verb verb)
{
    const uint64_t before = fault_proxy_tell(proxy).to_server;
    lone->call = (struct weir_call){
        .requests = &lone->request,
        .count = 1,
        .verb = verb,
        .now_us = WEIR_CLOCK,
        .decisions = &lone->decision,
        .done = note_done,
        .context = &lone->done,
    };
    weir_submit(weir, &lone->call);
    while (fault_proxy_tell(proxy).to_server == before) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* How many bytes Redis takes to deny; loads the scripts too. */
static uint64_t size_of_a_denial(struct fault_proxy *proxy, struct weir *weir,
                                 const struct weir_limit *limit)
{
    assert_true(fixture_check(weir, limit, "j", 1, WEIR_CLOCK).allowed);
    assert_int_equal(weir_refund(weir, limit, weir_text("j"), 1, WEIR_CLOCK, NULL), WEIR_OK);
    assert_true(fixture_check(weir, limit, "j", 1, WEIR_CLOCK).allowed);
    const uint64_t before = fault_proxy_tell(proxy).to_client;
    assert_false(fixture_check(weir, limit, "j", 1, WEIR_CLOCK).allowed);
    return fault_proxy_tell(proxy).to_client - before;
}

/* A denial comes while something is given back, of which nobody learns that it was: what was denied
 * is not kept as denied. */
static void a_refund_whose_answer_is_lost(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct fault_proxy *proxy = fault_proxy_start((uint16_t)rig_redis_port(redis));
    struct weir_limit *limit = fixture_limit("1/300d");
    struct weir *weir = NULL;
    char url[128];
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u?deadline=20s&on_error=deny",
                   fault_proxy_port(proxy));
    assert_int_equal(weir_redis_open(url, NULL, &weir, NULL), WEIR_OK);
    const uint64_t size = size_of_a_denial(proxy, weir, limit);
    assert_true(fixture_check(weir, limit, "k", 1, WEIR_CLOCK).allowed);

    const struct weir_request request = {limit, weir_text("k"), 1};
    struct lone_call check = {.request = request};
    struct lone_call refund = {.request = request};
    fault_proxy_set(proxy, &(struct fault_proxy_behaviour){.stall_to_client = true});
    submit_through(proxy, weir, &check, WEIR_VERB_CHECK);
    submit_through(proxy, weir, &refund, WEIR_VERB_REFUND);
    fault_proxy_set(proxy, &(struct fault_proxy_behaviour){.truncate_after = size + 3});
    rig_wait(is_done, &check.done, "the check's answer");
    rig_wait(is_done, &refund.done, "the refund's end");
    assert_int_equal(check.decision.source, WEIR_SOURCE_REDIS);
    assert_false(check.decision.allowed);
    assert_int_equal(refund.decision.failure, WEIR_FAILURE_LOST);

    fault_proxy_set(proxy, NULL);
    const struct weir_decision decision = fixture_check(weir, limit, "k", 1, WEIR_CLOCK);
    assert_int_equal(decision.source, WEIR_SOURCE_REDIS);
    assert_true(decision.allowed);
    weir_close(weir);
    weir_limit_free(limit);
    fault_proxy_stop(proxy);
    rig_redis_stop(redis);
}

/* ---- Ten thousand under way ---- */

#define SUBMITS 10000

struct swarm {
    struct weir_call calls[SUBMITS];
    struct weir_request requests[SUBMITS];
    struct weir_decision decisions[SUBMITS];
    char keys[SUBMITS][8];
    unsigned char ended[SUBMITS];
    uint64_t failed[WEIR_FAILURE_COUNT];
    atomic_uint done;
};

/* On the store's thread. */
static void one_is_done(struct weir_call *call)
{
    struct swarm *swarm = call->context;
    const size_t i = (size_t)(call - swarm->calls);
    swarm->ended[i]++;
    if (call->status == WEIR_OK) {
        swarm->failed[swarm->decisions[i].failure]++;
    }
    (void)atomic_fetch_add(&swarm->done, 1);
}

static bool all_are_done(void *context)
{
    struct swarm *swarm = context;
    return atomic_load(&swarm->done) >= SUBMITS;
}

static struct swarm *swarm_submit(struct weir *weir, const struct weir_limit *limit)
{
    struct swarm *swarm = calloc(1, sizeof(*swarm));
    assert_non_null(swarm);
    for (size_t i = 0; i < SUBMITS; i++) {
        (void)snprintf(swarm->keys[i], sizeof(swarm->keys[i]), "%zu", i);
        swarm->requests[i] = (struct weir_request){limit, weir_text(swarm->keys[i]), 1};
        swarm->calls[i] = (struct weir_call){
            .requests = &swarm->requests[i],
            .count = 1,
            .now_us = WEIR_CLOCK,
            .decisions = &swarm->decisions[i],
            .done = one_is_done,
            .context = swarm,
        };
        weir_submit(weir, &swarm->calls[i]);
    }
    return swarm;
}

static void assert_each_ended_once(const struct swarm *swarm)
{
    for (size_t i = 0; i < SUBMITS; i++) {
        assert_int_equal(swarm->ended[i], 1);
        assert_int_equal(swarm->calls[i].status, WEIR_OK);
    }
}

static int64_t steady_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

enum ending {
    ENDING_PAUSE,
    ENDING_KILL,
    ENDING_CLOSE
};

static void ten_thousand_when_it_all_stops(void **state)
{
    (void)state;
    for (enum ending ending = ENDING_PAUSE; ending <= ENDING_CLOSE; ending++) {
        struct scene scene = scene_open(NULL, LARGE_LIMIT, "local", false);
        (void)load_stop(scene.load);
        rig_redis_pause(scene.redis);
        const int64_t before_us = steady_us();
        struct swarm *swarm = swarm_submit(scene.weir, scene.limit);
        if (ending == ENDING_KILL) {
            rig_redis_kill(scene.redis, SIGKILL);
        }
        if (ending == ENDING_CLOSE) {
            weir_close(scene.weir);
            scene.weir = NULL;
            assert_true(all_are_done(swarm));
        }
        rig_wait(all_are_done, swarm, "ten thousand answers");
        const int64_t took_us = steady_us() - before_us;
        assert_true(took_us < DEADLINE_US + LATE_US);
        assert_each_ended_once(swarm);
        assert_int_equal(swarm->failed[WEIR_FAILURE_NONE], 0);
        if (ending == ENDING_CLOSE) {
            assert_int_equal(swarm->failed[WEIR_FAILURE_CLOSED], SUBMITS);
        }
        print_message("# 10000 submits: answered %.1f ms after the first\n",
                      (double)took_us / 1000);
        weir_close(scene.weir);
        rig_redis_stop(scene.redis);
        weir_limit_free(scene.limit);
        free(swarm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_is_killed_and_comes_back_empty),
        cmocka_unit_test(a_server_that_is_stopped_and_goes_on),
        cmocka_unit_test(a_server_whose_data_is_flushed),
        cmocka_unit_test(a_server_whose_scripts_are_flushed),
        cmocka_unit_test(a_server_without_memory),
        cmocka_unit_test(a_server_that_lacks_replicas_or_is_one),
        cmocka_unit_test(a_server_that_is_busy),
        cmocka_unit_test(a_server_that_lets_nobody_in),
        cmocka_unit_test(a_clock_that_is_set),
        cmocka_unit_test(a_way_that_goes_silent),
        cmocka_unit_test(a_way_that_breaks),
        cmocka_unit_test(a_way_that_is_slow),
        cmocka_unit_test(a_refund_whose_answer_is_lost),
        cmocka_unit_test(ten_thousand_when_it_all_stops),
    };
    return cmocka_run_group_tests_name("redis_fault", tests, NULL, NULL);
}
