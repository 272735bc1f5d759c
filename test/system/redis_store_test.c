/* redis_store_test.c - a store over a real server, by the public calls alone: its own clock, exact
 * budgets among threads and processes, order, what is told of it. */

#include "support/fixture.h"
#include "support/rig.h"
#include "weir/redis.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A deadline that no busy machine misses: here Redis decides, or the test fails. */
#define PATIENT "deadline=30s&on_error=deny"

struct place {
    struct rig_redis *server;
    struct weir *weir;
};

static struct weir *open_url(const char *url)
{
    struct weir *weir = NULL;
    struct weir_error error = {0};
    if (weir_redis_open(url, NULL, &weir, &error) != WEIR_OK) {
        fail_msg("%s: %s", url, error.message);
    }
    return weir;
}

static struct weir *open_at(const struct rig_redis *server, const char *query)
{
    char url[256];
    snprintf(url, sizeof(url), "%s?%s", rig_redis_url(server), query);
    return open_url(url);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    place->server = rig_redis_start(NULL);
    place->weir = open_at(place->server, PATIENT);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    weir_close(place->weir);
    rig_redis_stop(place->server);
    free(place);
    return 0;
}

static struct weir_decision check(struct weir *weir, const struct weir_limit *limit,
                                  const char *key)
{
    return fixture_check(weir, limit, key, 1, WEIR_CLOCK);
}

/* ---- Decisions ---- */

static void the_server_decides_by_its_own_clock(void **state)
{
    struct place *place = *state;
    struct weir_limit *limit = fixture_limit("3/h");
    for (unsigned i = 0; i < 3; i++) {
        const struct weir_decision decision = check(place->weir, limit, "a");
        assert_true(decision.allowed);
        assert_int_equal(decision.source, WEIR_SOURCE_REDIS);
        assert_int_equal(decision.failure, WEIR_FAILURE_NONE);
        assert_int_equal(decision.limit, 3);
        assert_int_equal(decision.remaining, 2 - i);
    }
    const struct weir_decision denied = check(place->weir, limit, "a");
    assert_false(denied.allowed);
    assert_in_range(denied.retry_after_us, 1, INT64_C(1200000000));
    assert_true(check(place->weir, limit, "b").allowed);
    weir_limit_free(limit);
}

static void what_was_given_back_passes_at_once(void **state)
{
    struct place *place = *state;
    struct weir_limit *limit = fixture_limit("2/h");
    struct weir_decision decision;
    (void)check(place->weir, limit, "a");
    (void)check(place->weir, limit, "a");
    assert_false(check(place->weir, limit, "a").allowed);
    decision = check(place->weir, limit, "a");
    assert_false(decision.allowed);
    assert_int_equal(decision.source, WEIR_SOURCE_DENY_CACHE);
    assert_int_equal(weir_refund(place->weir, limit, weir_text("a"), 1, WEIR_CLOCK, &decision),
                     WEIR_OK);
    assert_true(decision.allowed);
    assert_int_equal(decision.remaining, 1);
    assert_true(check(place->weir, limit, "a").allowed);
    assert_false(check(place->weir, limit, "a").allowed);
    assert_int_equal(weir_reset(place->weir, limit, weir_text("a")), WEIR_OK);
    assert_int_equal(check(place->weir, limit, "a").remaining, 1);
    weir_limit_free(limit);
}

static void a_wait_ends_when_redis_admits(void **state)
{
    struct place *place = *state;
    struct weir_limit *limit = fixture_limit("20/s burst 1");
    struct weir_decision decision;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(
            weir_acquire(place->weir, limit, weir_text("a"), 1, INT64_C(20000000), &decision),
            WEIR_OK);
        assert_true(decision.allowed);
        assert_int_equal(decision.source, WEIR_SOURCE_REDIS);
    }
    weir_limit_free(limit);
}

static void keys_of_any_bytes_and_length(void **state)
{
    struct place *place = *state;
    struct weir_limit *limit = fixture_limit("1/h");
    char key[WEIR_KEY_MAX + 1];
    struct weir_decision decision;
    memset(key, 0, sizeof(key));
    for (size_t len = 0; len <= WEIR_KEY_MAX; len = len < 8 ? len + 1 : len * 8) {
        const struct weir_bytes bytes = weir_bytes(key, len);
        assert_int_equal(weir_check(place->weir, limit, bytes, 1, WEIR_CLOCK, &decision), WEIR_OK);
        assert_true(decision.allowed);
        assert_int_equal(weir_check(place->weir, limit, bytes, 1, WEIR_CLOCK, &decision), WEIR_OK);
        assert_false(decision.allowed);
    }
    assert_int_equal(
        weir_check(place->weir, limit, weir_bytes(key, WEIR_KEY_MAX), 1, WEIR_CLOCK, &decision),
        WEIR_OK);
    assert_int_equal(
        weir_check(place->weir, limit, weir_bytes(key, WEIR_KEY_MAX + 1), 1, WEIR_CLOCK, &decision),
        WEIR_ERR_KEY_LENGTH);
    weir_limit_free(limit);
}

/* More than a flight, than all open flights, and than one part of a batch. */
static void a_batch_larger_than_all_bounds(void **state)
{
    enum {
        COUNT = 5000,
        KEYS = 700
    };
    struct place *place = *state;
    struct weir_limit *limit = fixture_limit("5/h");
    struct weir_request *requests = calloc(COUNT, sizeof(*requests));
    struct weir_decision *decisions = calloc(COUNT, sizeof(*decisions));
    static uint16_t keys[COUNT];
    size_t done = 0;
    for (size_t i = 0; i < COUNT; i++) {
        keys[i] = (uint16_t)(i % KEYS);
        requests[i] = (struct weir_request){limit, weir_bytes(&keys[i], sizeof(keys[i])), 1};
    }
    assert_int_equal(weir_check_batch(place->weir, requests, COUNT, WEIR_CLOCK, decisions, &done),
                     WEIR_OK);
    assert_int_equal(done, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(decisions[i].allowed, i / KEYS < 5);
    }
    free(requests);
    free(decisions);
    weir_limit_free(limit);
}

/* More limits in one batch than there are flights open at once. */
static void a_batch_of_many_limits(void **state)
{
    enum {
        LIMITS = 40,
        COUNT = 3 * LIMITS
    };
    struct place *place = *state;
    struct weir_limit *limits[LIMITS];
    struct weir_request requests[COUNT];
    struct weir_decision decisions[COUNT];
    size_t done = 0;
    for (unsigned i = 0; i < LIMITS; i++) {
        char text[32];
        snprintf(text, sizeof(text), "2/%us", 1000 + i);
        limits[i] = fixture_limit(text);
    }
    for (size_t i = 0; i < COUNT; i++) {
        requests[i] = (struct weir_request){limits[i % LIMITS], weir_text("a"), 1};
    }
    assert_int_equal(weir_check_batch(place->weir, requests, COUNT, WEIR_CLOCK, decisions, &done),
                     WEIR_OK);
    assert_int_equal(done, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(decisions[i].failure, WEIR_FAILURE_NONE);
        assert_int_equal(decisions[i].allowed, i / LIMITS < 2);
    }
    for (unsigned i = 0; i < LIMITS; i++) {
        weir_limit_free(limits[i]);
    }
}

/* ---- Many at once ---- */

#define BUDGET 1000
#define MEMBERS 8

struct crowd {
    struct weir *weir;
    const struct rig_redis *server;
    struct weir_limit *limit;
    atomic_uint passed;
};

static void ask_often(struct weir *weir, struct crowd *crowd)
{
    for (unsigned i = 0; i < 2 * BUDGET / MEMBERS; i++) {
        struct weir_decision decision = check(weir, crowd->limit, "all");
        if (decision.failure != WEIR_FAILURE_NONE) {
            abort();
        }
        if (decision.allowed) {
            atomic_fetch_add(&crowd->passed, 1);
        }
    }
}

static void ask_in_thread(void *shared, unsigned index)
{
    struct crowd *crowd = shared;
    (void)index;
    ask_often(crowd->weir, crowd);
}

/* Where these are threads (see fixture.h): libuv closes files behind the thread sanitizer's back,
 * which then sees one store's close and another's open of the same number as a race. */
static pthread_mutex_t files = PTHREAD_MUTEX_INITIALIZER;

static void ask_in_process(void *shared, unsigned index)
{
    struct crowd *crowd = shared;
    (void)index;
    pthread_mutex_lock(&files);
    struct weir *weir = open_at(crowd->server, PATIENT);
    pthread_mutex_unlock(&files);
    ask_often(weir, crowd);
    pthread_mutex_lock(&files);
    weir_close(weir);
    pthread_mutex_unlock(&files);
}

static void threads_on_one_handle_share_one_budget(void **state)
{
    struct place *place = *state;
    struct crowd crowd = {.weir = place->weir, .limit = fixture_limit("1000/d")};
    fixture_threads(MEMBERS, ask_in_thread, &crowd);
    assert_int_equal(crowd.passed, BUDGET);
    weir_limit_free(crowd.limit);
}

static void processes_share_one_budget(void **state)
{
    struct place *place = *state;
    struct crowd *crowd = fixture_shared(sizeof(*crowd));
    crowd->server = place->server;
    crowd->limit = fixture_limit("1000/d");
    fixture_processes(MEMBERS, ask_in_process, crowd);
    assert_int_equal(crowd->passed, BUDGET);
    weir_limit_free(crowd->limit);
    fixture_shared_free(crowd, sizeof(*crowd));
}

struct flush {
    struct place *place;
    struct crowd crowd;
    atomic_bool over;
};

static void ask_or_flush(void *shared, unsigned index)
{
    struct flush *flush = shared;
    if (index == 0) {
        while (!atomic_load(&flush->over)) {
            (void)rig_redis_command(flush->place->server, "SCRIPT", "FLUSH", NULL);
        }
        return;
    }
    ask_often(flush->place->weir, &flush->crowd);
    if (atomic_fetch_add(&flush->crowd.passed, 0) >= BUDGET) {
        atomic_store(&flush->over, true);
    }
}

/* Each question is asked once, however often its script is not there. */
static void scripts_that_are_flushed_meanwhile_cost_nothing(void **state)
{
    struct flush flush = {.place = *state};
    flush.crowd = (struct crowd){.weir = flush.place->weir, .limit = fixture_limit("1000/d")};
    fixture_threads(MEMBERS + 1, ask_or_flush, &flush);
    assert_int_equal(flush.crowd.passed, BUDGET);
    weir_limit_free(flush.crowd.limit);
}

/* ---- Without waiting ---- */

struct submitted {
    struct weir_call call;
    struct weir_request request;
    struct weir_decision decision;
    unsigned done;
    sem_t *all;
    struct weir *weir;
    enum weir_status nested;
};

static void on_done(struct weir_call *call)
{
    struct submitted *submitted = call->context;
    submitted->done++;
    if (submitted->weir != NULL) {
        struct weir_decision decision;
        submitted->nested = weir_check(submitted->weir, submitted->request.limit,
                                       submitted->request.key, 1, WEIR_CLOCK, &decision);
    }
    sem_post(submitted->all);
}

static void prepare(struct submitted *submitted, const struct weir_limit *limit, const char *key,
                    sem_t *all)
{
    *submitted = (struct submitted){.request = {limit, weir_text(key), 1}, .all = all};
    submitted->call = (struct weir_call){
        .requests = &submitted->request,
        .count = 1,
        .now_us = WEIR_CLOCK,
        .decisions = &submitted->decision,
        .done = on_done,
        .context = submitted,
    };
}

static void wait_for(sem_t *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (sem_wait(all) != 0) {
        }
    }
}

static void calls_that_do_not_wait_share_script_calls(void **state)
{
    enum {
        COUNT = 1000
    };
    struct place *place = *state;
    struct weir_limit *limit = fixture_limit("300/d");
    struct submitted *calls = calloc(COUNT, sizeof(*calls));
    struct weir_stats stats = {.size = sizeof(stats)};
    sem_t all;
    size_t passed = 0;
    sem_init(&all, 0, 0);
    for (size_t i = 0; i < COUNT; i++) {
        prepare(&calls[i], limit, "a", &all);
        weir_submit(place->weir, &calls[i].call);
    }
    wait_for(&all, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(calls[i].done, 1);
        assert_int_equal(calls[i].call.status, WEIR_OK);
        assert_int_equal(calls[i].call.answered, 1);
        passed += calls[i].decision.allowed ? 1 : 0;
    }
    assert_int_equal(passed, 300);
    assert_int_equal(weir_stats(place->weir, WEIR_CLOCK, &stats), WEIR_OK);
    assert_int_equal(stats.redis_decided + stats.deny_cached, COUNT);
    assert_true(stats.redis_calls < COUNT);
    sem_destroy(&all);
    free(calls);
    weir_limit_free(limit);
}

static void waiting_where_the_answer_would_come_is_refused(void **state)
{
    struct place *place = *state;
    struct weir_limit *limit = fixture_limit("5/d");
    struct submitted call;
    sem_t all;
    sem_init(&all, 0, 0);
    prepare(&call, limit, "a", &all);
    call.weir = place->weir;
    weir_submit(place->weir, &call.call);
    wait_for(&all, 1);
    assert_int_equal(call.nested, WEIR_ERR_BUSY);
    assert_true(call.decision.allowed);
    sem_destroy(&all);
    weir_limit_free(limit);
}

struct beside {
    struct place *place;
    struct weir_limit *limit;
    atomic_bool over;
    pthread_t on; /* where the calls that don't wait are done; written by each of them */
    bool elsewhere;
    bool any;
};

static void on_done_beside(struct weir_call *call)
{
    struct submitted *submitted = call->context;
    struct beside *beside = (struct beside *)(void *)submitted->weir;
    if (beside->any && !pthread_equal(beside->on, pthread_self())) {
        beside->elsewhere = true;
    }
    beside->on = pthread_self();
    beside->any = true;
    submitted->done++;
    sem_post(submitted->all);
}

/* Member 0 submits, one call after another; member 1 waits for each of its own. */
static void submit_or_wait(void *shared, unsigned index)
{
    struct beside *beside = shared;
    if (index == 1) {
        while (!atomic_load(&beside->over)) {
            if (check(beside->place->weir, beside->limit, "b").source != WEIR_SOURCE_REDIS) {
                abort();
            }
        }
        if (beside->any && pthread_equal(beside->on, pthread_self())) {
            beside->elsewhere = true;
        }
        return;
    }
    sem_t all;
    sem_init(&all, 0, 0);
    for (unsigned i = 0; i < 300; i++) {
        struct submitted call;
        prepare(&call, beside->limit, "a", &all);
        call.weir = (struct weir *)(void *)beside;
        call.call.done = on_done_beside;
        weir_submit(beside->place->weir, &call.call);
        wait_for(&all, 1);
    }
    atomic_store(&beside->over, true);
    sem_destroy(&all);
}

/* However lone callers help themselves, `done` is called by the store's own thread. */
static void calls_are_done_on_one_thread_beside_those_that_wait(void **state)
{
    struct beside beside = {.place = *state, .limit = fixture_limit("1000000/s")};
    fixture_threads(2, submit_or_wait, &beside);
    assert_true(beside.any);
    assert_false(beside.elsewhere);
    weir_limit_free(beside.limit);
}

/* A lone caller runs the loop itself; when it has stopped, the store's own thread takes over. */
static void a_store_goes_on_after_a_lone_caller(void **state)
{
    struct place *place = *state;
    struct weir_limit *limit = fixture_limit("1000000/s");
    struct submitted call;
    sem_t all;
    sem_init(&all, 0, 0);
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(check(place->weir, limit, "a").source, WEIR_SOURCE_REDIS);
        }
        prepare(&call, limit, "a", &all);
        weir_submit(place->weir, &call.call);
        wait_for(&all, 1);
        assert_int_equal(call.decision.source, WEIR_SOURCE_REDIS);
    }
    sem_destroy(&all);
    weir_limit_free(limit);
}

/* ---- What is told of it ---- */

static void keys_are_where_they_are_said_to_be(void **state)
{
    struct place *place = *state;
    struct weir_limit *limit = fixture_limit("5/d");
    char name[128];
    size_t len = 0;
    assert_int_equal(
        weir_redis_key(place->weir, limit, weir_text("a b"), name, sizeof(name) - 1, &len),
        WEIR_OK);
    name[len] = '\0';
    assert_string_equal(name, "weir:{a%20b}:token-bucket/1d");
    (void)check(place->weir, limit, "a b");
    assert_string_equal(rig_redis_command(place->server, "EXISTS", name, NULL), "1");
    assert_int_equal(weir_redis_key(place->weir, limit, weir_text("a b"), name, len - 1, &len),
                     WEIR_ERR_BUFFER);
    const struct weir_bytes long_key = {name, WEIR_KEY_MAX + 1};
    assert_int_equal(weir_redis_key(place->weir, limit, long_key, name, sizeof(name), &len),
                     WEIR_ERR_KEY_LENGTH);
    weir_limit_free(limit);
}

static void an_inspection_tells_the_server(void **state)
{
    struct place *place = *state;
    struct weir_redis_server servers[2];
    size_t count = 0;
    assert_int_equal(
        weir_redis_inspect(place->weir, RIG_PATIENCE_MS * INT64_C(1000), servers, 2, &count),
        WEIR_OK);
    assert_int_equal(count, 1);
    assert_true(servers[0].connected);
    assert_int_equal(servers[0].failure, WEIR_FAILURE_NONE);
    assert_true(strlen(servers[0].kind) >= 5); /* redis, valkey, redict */
    assert_int_equal(strcmp(servers[0].kind, "valkey") == 0, rig_redis_is_valkey(place->server));
    assert_true(servers[0].scripts_loaded && servers[0].clock_known);
    assert_in_range(servers[0].latency_us, 0, RIG_PATIENCE_MS * INT64_C(1000));
    assert_int_equal(weir_redis_inspect(place->weir, 0, servers, 2, &count), WEIR_ERR_ARGUMENT);
    assert_int_equal(
        weir_redis_inspect(place->weir, RIG_PATIENCE_MS * INT64_C(1000), NULL, 0, &count), WEIR_OK);
    assert_int_equal(count, 1);
}

static void other_stores_open_too_and_are_no_redis(void **state)
{
    struct weir *weir = open_url("memory:?size=8KiB");
    struct weir_limit *limit = fixture_limit("5/d");
    struct weir_redis_server server;
    char name[64];
    size_t count = 0;
    (void)state;
    assert_int_equal(check(weir, limit, "a").source, WEIR_SOURCE_MEMORY);
    assert_int_equal(weir_redis_inspect(weir, 1000, &server, 1, &count), WEIR_ERR_UNSUPPORTED);
    assert_int_equal(weir_redis_key(weir, limit, weir_text("a"), name, sizeof(name), &count),
                     WEIR_ERR_UNSUPPORTED);
    weir_limit_free(limit);
    weir_close(weir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_server_decides_by_its_own_clock),
        TEST(what_was_given_back_passes_at_once),
        TEST(a_wait_ends_when_redis_admits),
        TEST(keys_of_any_bytes_and_length),
        TEST(a_batch_larger_than_all_bounds),
        TEST(a_batch_of_many_limits),
        TEST(threads_on_one_handle_share_one_budget),
        TEST(processes_share_one_budget),
        TEST(scripts_that_are_flushed_meanwhile_cost_nothing),
        TEST(calls_that_do_not_wait_share_script_calls),
        TEST(waiting_where_the_answer_would_come_is_refused),
        TEST(calls_are_done_on_one_thread_beside_those_that_wait),
        TEST(a_store_goes_on_after_a_lone_caller),
        TEST(keys_are_where_they_are_said_to_be),
        TEST(an_inspection_tells_the_server),
        cmocka_unit_test(other_stores_open_too_and_are_no_redis),
    };
    return cmocka_run_group_tests_name("redis_store", tests, NULL, NULL);
}
