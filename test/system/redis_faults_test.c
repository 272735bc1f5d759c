/* redis_faults_test.c - a store whose server is slow, gone, stopped or of another mind: every call
 * ends, once, and says why. */

#include "support/fixture.h"
#include "support/rig.h"
#include "weir/redis.h"

#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    struct rig_redis *server;
    struct weir_limit *limit;
    struct weir *weir;
};

static struct weir *open_at(const struct rig_redis *server, const char *query)
{
    char url[256];
    struct weir *weir = NULL;
    struct weir_error error = {0};
    snprintf(url, sizeof(url), "%s?%s", rig_redis_url(server), query);
    if (weir_redis_open(url, NULL, &weir, &error) != WEIR_OK) {
        fail_msg("%s: %s", url, error.message);
    }
    return weir;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    place->server = rig_redis_start(NULL);
    place->limit = fixture_limit("100000/d");
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    weir_close(place->weir);
    weir_limit_free(place->limit);
    rig_redis_stop(place->server);
    free(place);
    return 0;
}

static struct weir_decision ask(struct place *place)
{
    return fixture_check(place->weir, place->limit, "a", 1, WEIR_CLOCK);
}

static bool redis_answers(void *context)
{
    return ask(context).source == WEIR_SOURCE_REDIS;
}

static bool circuit_is_open(void *context)
{
    return ask(context).failure == WEIR_FAILURE_CIRCUIT;
}

/* ---- A server that stops ---- */

static void a_stopped_server_costs_a_deadline_then_a_circuit(void **state)
{
    struct place *place = *state;
    struct weir_stats stats = {.size = sizeof(stats)};
    place->weir = open_at(place->server, "deadline=20ms");
    rig_wait(redis_answers, place, "Redis to answer");
    rig_redis_pause(place->server);
    const struct weir_decision late = ask(place);
    assert_true(late.allowed);
    assert_int_equal(late.failure, WEIR_FAILURE_TIMEOUT);
    assert_int_equal(late.source, WEIR_SOURCE_LOCAL);
    rig_wait(circuit_is_open, place, "the circuit to open");
    assert_int_equal(weir_stats(place->weir, WEIR_CLOCK, &stats), WEIR_OK);
    assert_true(stats.circuit_opened >= 1);
    assert_true(stats.failed[WEIR_FAILURE_TIMEOUT] >= 1);
    assert_true(stats.failed[WEIR_FAILURE_CIRCUIT] >= 1);
    rig_redis_resume(place->server);
    rig_wait(redis_answers, place, "Redis to answer again");
}

static void a_killed_server_comes_back(void **state)
{
    struct place *place = *state;
    place->weir = open_at(place->server, "deadline=20ms&on_error=deny");
    rig_wait(redis_answers, place, "Redis to answer");
    rig_redis_kill(place->server, SIGKILL);
    const struct weir_decision gone = ask(place);
    assert_false(gone.allowed);
    assert_int_equal(gone.source, WEIR_SOURCE_ON_ERROR);
    assert_true(gone.failure != WEIR_FAILURE_NONE);
    assert_true(gone.retry_after_us > 0);
    rig_wait(circuit_is_open, place, "the circuit to open");
    rig_redis_restart(place->server);
    rig_wait(redis_answers, place, "Redis to answer again");
}

/* ---- on_error ---- */

static struct weir_limit *limit_on_error(enum weir_on_error on_error)
{
    struct weir_limit *limit = NULL;
    /* A name each, so that they share no state. */
    static const char *const names[] = {"default", "deny", "allow", "local"};
    const struct weir_limit_options options = {
        .size = sizeof(options), .name = weir_text(names[on_error]), .on_error = on_error};
    assert_int_equal(weir_limit_parse(weir_text("2/d"), &options, &limit, NULL), WEIR_OK);
    return limit;
}

static void each_limit_has_its_own_on_error(void **state)
{
    struct place *place = *state;
    place->weir = open_at(place->server, "deadline=20ms&on_error=deny");
    rig_redis_kill(place->server, SIGKILL);
    struct weir_limit *denies = limit_on_error(WEIR_ON_ERROR_DEFAULT);
    struct weir_limit *allows = limit_on_error(WEIR_ON_ERROR_ALLOW);
    struct weir_limit *local = limit_on_error(WEIR_ON_ERROR_LOCAL);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(fixture_check(place->weir, denies, "a", 1, WEIR_CLOCK).allowed);
        const struct weir_decision allowed = fixture_check(place->weir, allows, "a", 1, WEIR_CLOCK);
        assert_true(allowed.allowed);
        assert_int_equal(allowed.source, WEIR_SOURCE_ON_ERROR);
        const struct weir_decision here = fixture_check(place->weir, local, "a", 1, WEIR_CLOCK);
        assert_int_equal(here.allowed, i < 2);
        assert_int_equal(here.source, WEIR_SOURCE_LOCAL);
    }
    assert_int_equal(weir_reset(place->weir, local, weir_text("a")), WEIR_ERR_STORE);
    assert_true(fixture_check(place->weir, local, "a", 1, WEIR_CLOCK).allowed);
    const struct weir_request both[] = {{local, weir_text("b"), 1}, {denies, weir_text("b"), 1}};
    struct weir_decision decisions[2];
    size_t denied = 9;
    assert_int_equal(weir_check_all(place->weir, both, 2, WEIR_CLOCK, decisions, &denied), WEIR_OK);
    assert_int_equal(denied, 1);
    assert_int_equal(fixture_peek(place->weir, local, "b", 1, WEIR_CLOCK).remaining, 2);
    weir_limit_free(denies);
    weir_limit_free(allows);
    weir_limit_free(local);
}

/* ---- A server of another mind ---- */

static void a_foreign_value_is_named(void **state)
{
    struct place *place = *state;
    char name[128];
    size_t len = 0;
    place->weir = open_at(place->server, "deadline=30s&on_error=deny");
    assert_int_equal(
        weir_redis_key(place->weir, place->limit, weir_text("a"), name, sizeof(name) - 1, &len),
        WEIR_OK);
    name[len] = '\0';
    (void)rig_redis_command(place->server, "SET", name, "rubbish", NULL);
    const struct weir_decision decision = ask(place);
    assert_false(decision.allowed);
    assert_int_equal(decision.failure, WEIR_FAILURE_VALUE);
    /* The others in the same script call are none the worse for it. */
    const struct weir_request requests[] = {{place->limit, weir_text("b"), 1},
                                            {place->limit, weir_text("a"), 1},
                                            {place->limit, weir_text("c"), 1}};
    struct weir_decision decisions[3];
    size_t done = 0;
    assert_int_equal(weir_check_batch(place->weir, requests, 3, WEIR_CLOCK, decisions, &done),
                     WEIR_OK);
    assert_int_equal(decisions[0].failure, WEIR_FAILURE_NONE);
    assert_int_equal(decisions[1].failure, WEIR_FAILURE_VALUE);
    assert_int_equal(decisions[2].failure, WEIR_FAILURE_NONE);
    assert_int_equal(weir_check_all(place->weir, requests, 3, WEIR_CLOCK, decisions, &done),
                     WEIR_OK);
    assert_int_equal(decisions[0].failure, WEIR_FAILURE_VALUE);
    assert_int_equal(fixture_peek(place->weir, place->limit, "b", 1, WEIR_CLOCK).remaining, 99999);
    (void)rig_redis_command(place->server, "DEL", name, NULL);
    assert_int_equal(ask(place).source, WEIR_SOURCE_REDIS);
}

static void a_server_that_refuses_is_quoted(void **state)
{
    struct place *place = *state;
    struct weir_redis_server server;
    size_t count = 0;
    const struct rig_redis_options options = {.password = "secret"};
    char url[128];
    rig_redis_stop(place->server);
    place->server = rig_redis_start(&options);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%u?deadline=1s&on_error=deny",
             (unsigned)rig_redis_port(place->server));
    assert_int_equal(weir_redis_open(url, NULL, &place->weir, NULL), WEIR_OK);
    assert_int_equal(ask(place).failure, WEIR_FAILURE_AUTH);
    assert_int_equal(weir_redis_inspect(place->weir, 100000, &server, 1, &count), WEIR_OK);
    assert_int_equal(count, 1);
    assert_false(server.connected);
    assert_int_equal(server.failure, WEIR_FAILURE_AUTH);
    assert_non_null(strstr(server.message, "NOAUTH"));
}

static void a_replica_is_no_primary(void **state)
{
    struct place *place = *state;
    place->weir = open_at(place->server, "deadline=1s&on_error=deny");
    assert_int_equal(ask(place).source, WEIR_SOURCE_REDIS);
    (void)rig_redis_command(place->server, "REPLICAOF", "127.0.0.1", "1", NULL);
    assert_int_equal(ask(place).failure, WEIR_FAILURE_READONLY);
    (void)rig_redis_command(place->server, "REPLICAOF", "NO", "ONE", NULL);
    rig_wait(redis_answers, place, "Redis to answer again");
}

/* ---- Many calls under way ---- */

#define CALLS 10000

struct flying {
    struct weir_call call;
    struct weir_request request;
    struct weir_decision decision;
    unsigned done;
    sem_t *all;
};

static void on_done(struct weir_call *call)
{
    struct flying *flying = call->context;
    flying->done++;
    sem_post(flying->all);
}

/* Each with a key of its own, so that none is answered by another's denial. */
static void submit_all(struct place *place, struct flying *calls, size_t count, int64_t timeout_us,
                       sem_t *all)
{
    sem_init(all, 0, 0);
    for (size_t i = 0; i < count; i++) {
        struct flying *flying = &calls[i];
        memset(flying, 0, sizeof(*flying));
        flying->all = all;
        flying->request = (struct weir_request){place->limit, weir_text("flying"), 1};
        flying->call = (struct weir_call){
            .requests = &flying->request,
            .count = 1,
            .now_us = WEIR_CLOCK,
            .timeout_us = timeout_us,
            .decisions = &flying->decision,
            .done = on_done,
            .context = flying,
        };
        weir_submit(place->weir, &flying->call);
    }
}

static void wait_for(sem_t *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (sem_wait(all) != 0) {
        }
    }
}

/* Each was called once, was decided, and, where `failure` says so, for this reason. */
static void assert_each_ended(const struct flying *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(calls[i].done, 1);
        assert_int_equal(calls[i].call.status, WEIR_OK);
        assert_int_equal(calls[i].call.answered, 1);
        assert_true((calls[i].decision.failure == WEIR_FAILURE_NONE) ==
                    (calls[i].decision.source == WEIR_SOURCE_REDIS));
    }
}

static void all_that_was_under_way_ends_when_the_server_stops(void **state)
{
    struct place *place = *state;
    struct flying *calls = calloc(CALLS, sizeof(*calls));
    sem_t all;
    place->weir = open_at(place->server, "deadline=50ms");
    rig_wait(redis_answers, place, "Redis to answer");
    rig_redis_pause(place->server);
    submit_all(place, calls, CALLS, 0, &all);
    wait_for(&all, CALLS);
    assert_each_ended(calls, CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        assert_true(calls[i].decision.failure != WEIR_FAILURE_NONE);
    }
    rig_redis_resume(place->server);
    rig_wait(redis_answers, place, "Redis to answer again");
    sem_destroy(&all);
    free(calls);
}

static void all_that_was_under_way_ends_when_the_server_dies(void **state)
{
    struct place *place = *state;
    struct flying *calls = calloc(CALLS, sizeof(*calls));
    sem_t all;
    place->weir = open_at(place->server, "deadline=30s");
    rig_wait(redis_answers, place, "Redis to answer");
    submit_all(place, calls, CALLS, 100000, &all);
    rig_redis_kill(place->server, SIGKILL);
    wait_for(&all, CALLS);
    assert_each_ended(calls, CALLS);
    sem_destroy(&all);
    free(calls);
}

static void all_that_was_under_way_ends_when_the_store_is_closed(void **state)
{
    struct place *place = *state;
    struct flying *calls = calloc(CALLS, sizeof(*calls));
    sem_t all;
    size_t closed = 0;
    place->weir = open_at(place->server, "deadline=30s&on_error=deny");
    rig_wait(redis_answers, place, "Redis to answer");
    rig_redis_pause(place->server);
    submit_all(place, calls, CALLS, 0, &all);
    weir_close(place->weir);
    place->weir = NULL;
    assert_each_ended(calls, CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        closed += calls[i].decision.failure == WEIR_FAILURE_CLOSED ? 1 : 0;
    }
    assert_int_equal(closed, CALLS);
    rig_redis_resume(place->server);
    sem_destroy(&all);
    free(calls);
}

static void each_call_has_its_own_time(void **state)
{
    struct place *place = *state;
    struct flying *calls = calloc(2, sizeof(*calls));
    sem_t first;
    sem_t second;
    place->weir = open_at(place->server, "deadline=30s&on_error=deny");
    rig_wait(redis_answers, place, "Redis to answer");
    rig_redis_pause(place->server);
    submit_all(place, &calls[0], 1, 0, &first);
    submit_all(place, &calls[1], 1, 10000, &second);
    wait_for(&second, 1);
    assert_int_equal(calls[1].decision.failure, WEIR_FAILURE_TIMEOUT);
    assert_int_equal(sem_trywait(&first), -1);
    rig_redis_resume(place->server);
    wait_for(&first, 1);
    /* Unless so much time went by that the connection was given up. */
    assert_true(calls[0].decision.failure == WEIR_FAILURE_NONE ||
                calls[0].decision.failure == WEIR_FAILURE_TIMEOUT);
    sem_destroy(&first);
    sem_destroy(&second);
    free(calls);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stopped_server_costs_a_deadline_then_a_circuit),
        TEST(a_killed_server_comes_back),
        TEST(each_call_has_its_own_time),
        TEST(each_limit_has_its_own_on_error),
        TEST(a_foreign_value_is_named),
        TEST(a_server_that_refuses_is_quoted),
        TEST(a_replica_is_no_primary),
        TEST(all_that_was_under_way_ends_when_the_server_stops),
        TEST(all_that_was_under_way_ends_when_the_server_dies),
        TEST(all_that_was_under_way_ends_when_the_store_is_closed),
    };
    return cmocka_run_group_tests_name("redis_faults", tests, NULL, NULL);
}
