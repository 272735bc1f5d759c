/* redis_loop_test.c - a store on a libuv loop of the caller's: all happens on its thread, and all
 * is gone once it is closed and the loop has run. */

#include "support/fixture.h"
#include "support/rig.h"
#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

struct place {
    struct rig_redis *server;
    struct weir_limit *limit;
    struct weir *weir;
    uv_loop_t loop;
    size_t pieces; /* of memory that the store has of us */
};

static void *take(void *context, size_t size, size_t alignment)
{
    struct place *place = context;
    void *memory = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    place->pieces += memory != NULL ? 1 : 0;
    return memory;
}

static void give(void *context, void *memory, size_t size)
{
    struct place *place = context;
    (void)size;
    place->pieces--;
    free(memory);
}

static void open_on_loop(struct place *place, const char *query)
{
    const struct weir_allocator allocator = {take, give, place};
    const struct weir_redis_options options = {
        .size = sizeof(options), .allocator = &allocator, .loop = &place->loop};
    char url[256];
    snprintf(url, sizeof(url), "%s?%s", rig_redis_url(place->server), query);
    assert_int_equal(weir_redis_open(url, &options, &place->weir, NULL), WEIR_OK);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    place->server = rig_redis_start(NULL);
    place->limit = fixture_limit("5/d");
    assert_int_equal(uv_loop_init(&place->loop), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    weir_limit_free(place->limit);
    rig_redis_stop(place->server);
    free(place);
    return 0;
}

/* After the store was closed: the loop ends by itself, and nothing of the store is left. */
static void run_out(struct place *place)
{
    assert_int_equal(uv_run(&place->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    assert_int_equal(place->pieces, 0);
}

struct flying {
    struct weir_call call;
    struct weir_request request;
    struct weir_decision decision;
    struct place *place;
    size_t *left;
    size_t number;
    unsigned done;
    unsigned again; /* how often it is to be submitted once more */
};

static void on_done(struct weir_call *call)
{
    struct flying *flying = call->context;
    assert_int_equal(call->status, WEIR_OK);
    flying->done++;
    if (flying->again > 0) {
        flying->again--;
        weir_submit(flying->place->weir, call);
    } else {
        (*flying->left)--;
    }
}

static void submit(struct place *place, struct flying *flying, enum weir_verb verb,
                   struct weir_bytes key, size_t *left)
{
    flying->place = place;
    flying->left = left;
    flying->request = (struct weir_request){place->limit, key, 1};
    flying->call = (struct weir_call){
        .verb = verb,
        .requests = &flying->request,
        .count = 1,
        .now_us = WEIR_CLOCK,
        .decisions = &flying->decision,
        .done = on_done,
        .context = flying,
    };
    weir_submit(place->weir, &flying->call);
}

static void run_until_none(struct place *place, const size_t *left)
{
    while (*left > 0) {
        (void)uv_run(&place->loop, UV_RUN_ONCE);
    }
}

static void calls_are_answered_on_the_loop(void **state)
{
    struct place *place = *state;
    struct flying calls[8] = {{.again = 0}};
    size_t left = 8;
    size_t passed = 0;
    open_on_loop(place, "deadline=30s&on_error=deny");
    for (size_t i = 0; i < 8; i++) {
        submit(place, &calls[i], WEIR_VERB_CHECK, weir_text("a"), &left);
        /* Never from within weir_submit. */
        assert_int_equal(calls[i].done, 0);
    }
    run_until_none(place, &left);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(calls[i].done, 1);
        assert_int_equal(calls[i].decision.failure, WEIR_FAILURE_NONE);
        passed += calls[i].decision.allowed ? 1 : 0;
    }
    assert_int_equal(passed, 5);
    weir_close(place->weir);
    run_out(place);
}

static void a_call_may_be_submitted_again_when_it_is_done(void **state)
{
    struct place *place = *state;
    struct flying call = {.again = 100};
    size_t left = 1;
    open_on_loop(place, "deadline=30s&on_error=deny");
    submit(place, &call, WEIR_VERB_CHECK, weir_text("a"), &left);
    run_until_none(place, &left);
    assert_int_equal(call.done, 101);
    assert_false(call.decision.allowed);
    weir_close(place->weir);
    run_out(place);
}

static void every_verb_is_answered(void **state)
{
    static const enum weir_verb verbs[] = {WEIR_VERB_CHECK, WEIR_VERB_CHECK, WEIR_VERB_REFUND,
                                           WEIR_VERB_PEEK,  WEIR_VERB_MEND,  WEIR_VERB_RESET,
                                           WEIR_VERB_PEEK};
    static const uint64_t remaining[] = {4, 3, 4, 4, 4, 9, 5};
    struct place *place = *state;
    open_on_loop(place, "deadline=30s&on_error=deny");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        struct flying call = {.decision = {.remaining = 9}};
        size_t left = 1;
        submit(place, &call, verbs[i], weir_text("a"), &left);
        run_until_none(place, &left);
        assert_int_equal(call.decision.remaining, remaining[i]);
    }
    weir_close(place->weir);
    run_out(place);
}

static void waiting_is_refused_and_the_rest_works(void **state)
{
    struct place *place = *state;
    struct weir_decision decision;
    struct weir_stats stats = {.size = sizeof(stats)};
    struct weir_redis_server server;
    const struct weir_request request = {place->limit, weir_text("a"), 1};
    size_t count = 0;
    open_on_loop(place, "deadline=30s");
    assert_int_equal(
        weir_check(place->weir, place->limit, weir_text("a"), 1, WEIR_CLOCK, &decision),
        WEIR_ERR_BUSY);
    assert_int_equal(weir_check_all(place->weir, &request, 1, WEIR_CLOCK, &decision, &count),
                     WEIR_ERR_BUSY);
    assert_int_equal(weir_check_batch(place->weir, &request, 1, WEIR_CLOCK, &decision, &count),
                     WEIR_ERR_BUSY);
    assert_int_equal(weir_reset(place->weir, place->limit, weir_text("a")), WEIR_ERR_BUSY);
    assert_int_equal(weir_acquire(place->weir, place->limit, weir_text("a"), 1, 0, &decision),
                     WEIR_ERR_BUSY);
    assert_int_equal(weir_redis_inspect(place->weir, 1000, &server, 1, &count), WEIR_ERR_BUSY);
    assert_int_equal(weir_stats(place->weir, WEIR_CLOCK, &stats), WEIR_OK);
    assert_int_equal(stats.redis_decided, 0);
    weir_close(place->weir);
    run_out(place);
}

static void closing_ends_what_is_under_way(void **state)
{
    enum {
        COUNT = 300
    };
    struct place *place = *state;
    struct flying *calls = calloc(COUNT, sizeof(*calls));
    size_t left = COUNT;
    size_t other = 1;
    struct flying before = {.again = 0};
    open_on_loop(place, "deadline=30s&on_error=deny");
    submit(place, &before, WEIR_VERB_CHECK, weir_text("b"), &other);
    run_until_none(place, &other);
    rig_redis_pause(place->server);
    for (size_t i = 0; i < COUNT; i++) {
        calls[i].number = i;
        submit(place, &calls[i], WEIR_VERB_CHECK,
               weir_bytes(&calls[i].number, sizeof(calls[i].number)), &left);
        if (i == COUNT / 2) {
            /* The first half is on its way, the second is not. */
            (void)uv_run(&place->loop, UV_RUN_NOWAIT);
        }
    }
    assert_int_equal(left, COUNT);
    weir_close(place->weir);
    assert_int_equal(left, 0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(calls[i].done, 1);
        assert_int_equal(calls[i].decision.failure, WEIR_FAILURE_CLOSED);
    }
    rig_redis_resume(place->server);
    run_out(place);
    free(calls);
}

static void closing_before_it_is_connected_leaves_nothing(void **state)
{
    struct place *place = *state;
    open_on_loop(place, "deadline=30s");
    weir_close(place->weir);
    run_out(place);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_are_answered_on_the_loop), TEST(a_call_may_be_submitted_again_when_it_is_done),
        TEST(every_verb_is_answered),         TEST(waiting_is_refused_and_the_rest_works),
        TEST(closing_ends_what_is_under_way), TEST(closing_before_it_is_connected_leaves_nothing),
    };
    return cmocka_run_group_tests_name("redis_loop", tests, NULL, NULL);
}
