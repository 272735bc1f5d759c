/* submit_test.c - calls that don't wait, over stores that answer at once and over one that a test
 * brings. */

#include "algo/algo.h"
#include "support/fixture.h"
#include "weir/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 3

static void count_done(struct weir_call *call)
{
    unsigned *done = call->context;
    (*done)++;
}

/* Submits one call and sees that it came back, once, before weir_submit returned. */
static void submit(struct weir *weir, struct weir_call *call)
{
    unsigned done = 0;
    call->done = count_done;
    call->context = &done;
    weir_submit(weir, call);
    assert_int_equal(done, 1);
}

struct set_up {
    struct weir *weir;
    struct weir_limit *limit;
    struct weir_request requests[MANY];
    struct weir_decision decisions[MANY];
};

static struct set_up set_up(const char *limit)
{
    struct set_up all = {.weir = fixture_open("memory:?size=8KiB"), .limit = fixture_limit(limit)};
    static const char *const keys[MANY] = {"a", "b", "a"};
    for (size_t i = 0; i < MANY; i++) {
        all.requests[i] = (struct weir_request){all.limit, weir_text(keys[i]), 1};
    }
    return all;
}

static void tear_down(struct set_up *all)
{
    weir_limit_free(all->limit);
    weir_close(all->weir);
}

static struct weir_call call_of(struct set_up *all, enum weir_verb verb)
{
    return (struct weir_call){.verb = verb,
                              .requests = all->requests,
                              .count = MANY,
                              .now_us = FIXTURE_NOW,
                              .decisions = all->decisions};
}

static void checks_are_decided_in_order(void **state)
{
    (void)state;
    struct set_up all = set_up("1/h");
    struct weir_call call = call_of(&all, WEIR_VERB_CHECK);
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_OK);
    assert_int_equal(call.answered, MANY);
    assert_true(all.decisions[0].allowed);
    assert_true(all.decisions[1].allowed);
    assert_false(all.decisions[2].allowed);
    assert_int_equal(all.decisions[0].source, WEIR_SOURCE_MEMORY);
    assert_int_equal(all.decisions[0].failure, WEIR_FAILURE_NONE);
    tear_down(&all);
}

static void together_is_all_or_none(void **state)
{
    (void)state;
    struct set_up all = set_up("1/h");
    struct weir_call call = call_of(&all, WEIR_VERB_CHECK);
    call.together = true;
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_OK);
    assert_int_equal(call.answered, MANY - 1); /* the second "a" is one too many */
    assert_true(fixture_peek(all.weir, all.limit, "b", 1, FIXTURE_NOW).allowed);
    tear_down(&all);
}

static void peeks_refunds_and_resets(void **state)
{
    (void)state;
    struct set_up all = set_up("5/h");
    assert_true(fixture_check(all.weir, all.limit, "a", 5, FIXTURE_NOW).allowed);
    struct weir_call call = call_of(&all, WEIR_VERB_PEEK);
    submit(all.weir, &call);
    assert_false(all.decisions[0].allowed);
    assert_int_equal(all.decisions[1].remaining, 5);
    call = call_of(&all, WEIR_VERB_REFUND);
    submit(all.weir, &call);
    assert_int_equal(all.decisions[0].remaining, 1);
    assert_int_equal(all.decisions[2].remaining, 2);
    call = call_of(&all, WEIR_VERB_MEND);
    submit(all.weir, &call);
    assert_int_equal(all.decisions[0].remaining, 2);
    call = call_of(&all, WEIR_VERB_RESET);
    call.decisions = NULL;
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_OK);
    assert_int_equal(call.answered, MANY);
    assert_int_equal(fixture_peek(all.weir, all.limit, "a", 1, FIXTURE_NOW).remaining, 5);
    tear_down(&all);
}

/* What a call that waits would refuse comes back as a status, with nothing decided. */
static void what_is_wrong_comes_back(void **state)
{
    (void)state;
    struct set_up all = set_up("5/h");
    struct weir_call call = call_of(&all, WEIR_VERB_CHECK);
    call.timeout_us = WEIR_PERIOD_MAX + 1;
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_ERR_ARGUMENT);
    call.timeout_us = -1;
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_ERR_ARGUMENT);
    call.timeout_us = WEIR_PERIOD_MAX;
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_OK);

    call = call_of(&all, WEIR_VERB_PEEK);
    call.together = true;
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_ERR_ARGUMENT);
    call = call_of(&all, (enum weir_verb)(WEIR_VERB_RESET + 1));
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_ERR_ARGUMENT);
    call = call_of(&all, WEIR_VERB_CHECK);
    call.now_us = -1;
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_ERR_TIME);
    static const char long_key[WEIR_KEY_MAX + 1];
    all.requests[1].key = weir_bytes(long_key, sizeof(long_key));
    call = call_of(&all, WEIR_VERB_CHECK);
    submit(all.weir, &call);
    assert_int_equal(call.status, WEIR_ERR_KEY_LENGTH);
    assert_int_equal(call.answered, 0);
    tear_down(&all);
}

/* A store of the caller's: it has a clock of its own, answers calls itself, and counts. */
struct own_store {
    struct weir_store store;
    unsigned asked;
    unsigned submitted;
    unsigned all;
    unsigned *closed;
    int64_t now_us;
};

static struct own_store *own(struct weir_store *store)
{
    return (struct own_store *)(void *)store;
}

static enum weir_status own_decide(struct weir_store *store, const struct weir_ask *ask,
                                   struct weir_decision *ret_decision)
{
    own(store)->asked++;
    own(store)->now_us = ask->now_us;
    *ret_decision = (struct weir_decision){.allowed = true, .remaining = ask->cost};
    return WEIR_OK;
}

static enum weir_status own_check_one(struct weir_store *store, const struct weir_limit *limit,
                                      struct weir_bytes key, int64_t now_us,
                                      struct weir_decision *ret_decision)
{
    const struct weir_ask ask = {limit, key, 1, now_us, WEIR_VERB_CHECK};
    return own_decide(store, &ask, ret_decision);
}

static enum weir_status own_batch(struct weir_store *store, const struct weir_request *requests,
                                  size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                                  size_t *ret_done)
{
    for (size_t i = 0; i < count; i++) {
        (void)own_check_one(store, requests[i].limit, requests[i].key, now_us, &ret_decisions[i]);
    }
    *ret_done = count;
    return WEIR_OK;
}

static enum weir_status own_all(struct weir_store *store, const struct weir_request *requests,
                                size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                                size_t *ret_denied)
{
    own(store)->all++;
    own(store)->now_us = now_us;
    memset(ret_decisions, 0, count * sizeof(*ret_decisions));
    (void)requests;
    if (ret_denied != NULL) {
        *ret_denied = 0;
    }
    return WEIR_OK;
}

static void own_submit(struct weir_store *store, struct weir_call *call)
{
    own(store)->submitted++;
    own(store)->now_us = call->now_us;
    call->status = WEIR_OK;
    call->done(call);
}

static void own_stats(struct weir_store *store, int64_t now_us, struct weir_stats *ret_stats)
{
    own(store)->now_us = now_us;
    ret_stats->used = 7;
}

static void own_close(struct weir_store *store)
{
    (*own(store)->closed)++;
    free(store);
}

static const struct weir_store_ops own_ops = {
    .check_one = own_check_one,
    .decide = own_decide,
    .batch = own_batch,
    .all = own_all,
    .submit = own_submit,
    .stats = own_stats,
    .close = own_close,
};

static void a_store_of_ones_own(void **state)
{
    (void)state;
    unsigned closed = 0;
    struct own_store *store = calloc(1, sizeof(*store));
    assert_non_null(store);
    store->store =
        (struct weir_store){.ops = &own_ops, .algorithms = WEIR_ALGORITHMS_FLAT, .own_clock = true};
    store->closed = &closed;
    struct weir *weir;
    assert_int_equal(weir_open_store(&store->store, NULL, &weir), WEIR_OK);
    assert_ptr_equal(weir_store_of(weir), &store->store);
    struct weir_limit *limit = fixture_limit("5/h");
    struct weir_limit *log = fixture_limit("5/h sliding-log");
    struct weir_decision decision;

    assert_int_equal(weir_check(weir, limit, weir_text("a"), 1, WEIR_CLOCK, &decision), WEIR_OK);
    assert_int_equal(store->now_us, WEIR_CLOCK); /* handed on as it is */
    assert_int_equal(weir_peek(weir, limit, weir_text("a"), 3, FIXTURE_NOW, &decision), WEIR_OK);
    assert_int_equal(store->now_us, FIXTURE_NOW);
    assert_int_equal(decision.remaining, 3);
    assert_int_equal(store->asked, 2);
    /* What it can't hold never reaches it. */
    assert_int_equal(weir_peek(weir, log, weir_text("a"), 1, WEIR_CLOCK, &decision),
                     WEIR_ERR_UNSUPPORTED);
    const struct weir_request request = {limit, weir_text("a"), 1};
    assert_int_equal(weir_check_all(weir, &request, 1, WEIR_CLOCK, &decision, NULL), WEIR_OK);
    assert_int_equal(store->all, 1);
    assert_int_equal(store->now_us, WEIR_CLOCK);
    struct weir_call call = {
        .requests = &request, .count = 1, .now_us = WEIR_CLOCK, .decisions = &decision};
    submit(weir, &call);
    assert_int_equal(store->submitted, 1);
    assert_int_equal(store->asked, 2);
    struct weir_stats stats = {.size = sizeof(stats)};
    assert_int_equal(weir_stats(weir, WEIR_CLOCK, &stats), WEIR_OK);
    assert_int_equal(stats.used, 7);
    weir_close(weir);
    assert_int_equal(closed, 1);
    weir_limit_free(limit);
    weir_limit_free(log);
}

static void every_failure_has_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WEIR_FAILURE_COUNT; i++) {
        assert_string_not_equal(weir_failure_name((enum weir_failure)i), "unknown");
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(weir_failure_name((enum weir_failure)i),
                                    weir_failure_name((enum weir_failure)j));
        }
    }
    assert_string_equal(weir_failure_name((enum weir_failure)WEIR_FAILURE_COUNT), "unknown");
    assert_string_equal(weir_failure_text((enum weir_failure)WEIR_FAILURE_COUNT),
                        "unknown failure");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_are_decided_in_order), cmocka_unit_test(together_is_all_or_none),
        cmocka_unit_test(peeks_refunds_and_resets),    cmocka_unit_test(what_is_wrong_comes_back),
        cmocka_unit_test(a_store_of_ones_own),         cmocka_unit_test(every_failure_has_words),
    };
    return cmocka_run_group_tests_name("submit", tests, NULL, NULL);
}
