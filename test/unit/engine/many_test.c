/* many_test.c - several requests in one call: all or none, and each by itself. */

#include "support/fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct weir *open_small(void)
{
    return fixture_open("memory:?size=1MiB");
}

static void must_be_equal(const struct weir_decision *a, const struct weir_decision *b)
{
    assert_int_equal(a->allowed, b->allowed);
    assert_int_equal(a->blocked, b->blocked);
    assert_int_equal(a->source, b->source);
    assert_int_equal(a->limit, b->limit);
    assert_int_equal(a->remaining, b->remaining);
    assert_int_equal(a->retry_after_us, b->retry_after_us);
    assert_int_equal(a->reset_after_us, b->reset_after_us);
    assert_int_equal(a->delay_us, b->delay_us);
}

/* ---- All or none ---- */

static void all_are_taken_where_all_are_admitted(void **state)
{
    (void)state;
    struct weir *weir = open_small();
    struct weir_limit *minute = fixture_limit("5/m");
    struct weir_limit *hour = fixture_limit("10/h fixed-window");
    const struct weir_request requests[] = {
        {minute, weir_text("a"), 2}, {hour, weir_text("a"), 3}, {minute, weir_text("b"), 1}};
    struct weir_decision decisions[3];
    size_t denied;
    assert_int_equal(weir_check_all(weir, requests, 3, FIXTURE_NOW, decisions, &denied), WEIR_OK);
    assert_int_equal(denied, 3);
    assert_true(decisions[0].allowed && decisions[1].allowed && decisions[2].allowed);
    assert_int_equal(decisions[0].remaining, 3);
    assert_int_equal(decisions[1].remaining, 7);
    assert_int_equal(decisions[2].remaining, 4);
    assert_int_equal(fixture_peek(weir, minute, "a", 1, FIXTURE_NOW).remaining, 3);
    assert_int_equal(fixture_peek(weir, hour, "a", 1, FIXTURE_NOW).remaining, 7);
    weir_limit_free(minute);
    weir_limit_free(hour);
    weir_close(weir);
}

/* Whichever denies is named, the first of several; the others are as a peek finds them. */
static void none_is_taken_where_one_denies(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("5/m fixed-window");
    static const char *const keys[] = {"a", "b", "c", "d"};
    for (unsigned full = 1; full < 16; full++) {
        struct weir *weir = open_small();
        struct weir_request requests[4];
        struct weir_decision decisions[4];
        size_t denied = 99;
        for (unsigned i = 0; i < 4; i++) {
            requests[i] = (struct weir_request){limit, weir_text(keys[i]), 2};
            assert_true(
                fixture_check(weir, limit, keys[i], (full >> i & 1) != 0 ? 4 : 1, FIXTURE_NOW)
                    .allowed);
        }
        assert_int_equal(weir_check_all(weir, requests, 4, FIXTURE_NOW, decisions, &denied),
                         WEIR_OK);
        assert_int_equal(denied, __builtin_ctz(full));
        assert_int_equal(weir_check_all(weir, requests, 4, FIXTURE_NOW, decisions, NULL), WEIR_OK);
        for (unsigned i = 0; i < 4; i++) {
            const struct weir_decision left = fixture_peek(weir, limit, keys[i], 2, FIXTURE_NOW);
            assert_int_equal(left.remaining, (full >> i & 1) != 0 ? 1 : 4);
            must_be_equal(&decisions[i], &left);
        }
        weir_close(weir);
    }
    weir_limit_free(limit);
}

/* Only those that denied are blocked: the others were not asked for real. */
static void a_denial_starts_the_block_of_the_denier_alone(void **state)
{
    (void)state;
    struct weir *weir = open_small();
    struct weir_limit *limit = fixture_limit("2/m block 1h");
    const struct weir_request requests[] = {
        {limit, weir_text("free"), 1}, {limit, weir_text("full"), 1}, {limit, weir_text("too"), 9}};
    struct weir_decision decisions[3];
    size_t denied;
    assert_true(fixture_check(weir, limit, "full", 2, FIXTURE_NOW).allowed);
    assert_int_equal(weir_check_all(weir, requests, 3, FIXTURE_NOW, decisions, &denied), WEIR_OK);
    assert_int_equal(denied, 1);
    assert_true(decisions[0].allowed);
    assert_true(decisions[1].blocked);
    assert_int_equal(decisions[2].retry_after_us, WEIR_NEVER);
    assert_false(fixture_peek(weir, limit, "free", 1, FIXTURE_NOW).blocked);
    assert_int_equal(fixture_peek(weir, limit, "free", 1, FIXTURE_NOW).remaining, 2);
    assert_true(fixture_peek(weir, limit, "full", 1, FIXTURE_NOW).blocked);
    assert_false(fixture_peek(weir, limit, "too", 1, FIXTURE_NOW).blocked);
    weir_limit_free(limit);
    weir_close(weir);
}

/* The same key and limit twice has to fit twice. */
static void one_key_asked_for_twice_has_to_fit_twice(void **state)
{
    (void)state;
    struct weir *weir = open_small();
    struct weir_limit *limit = fixture_limit("5/m");
    const struct weir_request requests[] = {{limit, weir_text("key"), 3},
                                            {limit, weir_text("key"), 3}};
    struct weir_decision decisions[2];
    size_t denied;
    assert_int_equal(weir_check_all(weir, requests, 2, FIXTURE_NOW, decisions, &denied), WEIR_OK);
    assert_int_equal(denied, 1);
    assert_false(decisions[1].allowed);
    assert_int_equal(fixture_peek(weir, limit, "key", 1, FIXTURE_NOW).remaining, 5);
    weir_limit_free(limit);
    weir_close(weir);
}

static void requests_that_only_look_take_nothing(void **state)
{
    (void)state;
    struct weir *weir = open_small();
    struct weir_limit *limit = fixture_limit("5/m");
    const struct weir_request requests[] = {{limit, weir_text("look"), 0},
                                            {limit, weir_text("take"), 2}};
    struct weir_decision decisions[2];
    size_t denied;
    assert_int_equal(weir_check_all(weir, requests, 2, FIXTURE_NOW, decisions, &denied), WEIR_OK);
    assert_int_equal(denied, 2);
    assert_int_equal(fixture_peek(weir, limit, "look", 1, FIXTURE_NOW).remaining, 5);
    assert_int_equal(fixture_peek(weir, limit, "take", 1, FIXTURE_NOW).remaining, 3);
    weir_limit_free(limit);
    weir_close(weir);
}

/* Two limits without a name, of one algorithm and period, take over from each other: asked
 * together, they would charge one state twice. */
static void two_limits_over_one_state_are_refused(void **state)
{
    (void)state;
    struct weir *weir = open_small();
    struct weir_limit *first = fixture_limit("5/m");
    struct weir_limit *second = fixture_limit("9/m");
    struct weir_limit *apart = fixture_limit("9/h");
    struct weir_decision decisions[3];
    size_t denied = 99;
    memset(decisions, 0xa5, sizeof(decisions));
    const struct weir_decision untouched = decisions[0];
    struct weir_request requests[] = {
        {first, weir_text("key"), 1}, {apart, weir_text("key"), 1}, {second, weir_text("key"), 1}};
    assert_int_equal(weir_check_all(weir, requests, 3, FIXTURE_NOW, decisions, &denied),
                     WEIR_ERR_SAME_STATE);
    assert_int_equal(denied, 99);
    assert_memory_equal(&decisions[0], &untouched, sizeof(untouched));
    assert_int_equal(fixture_peek(weir, first, "key", 1, FIXTURE_NOW).remaining, 5);
    requests[2].key = weir_text("other");
    assert_int_equal(weir_check_all(weir, requests, 3, FIXTURE_NOW, decisions, &denied), WEIR_OK);
    requests[2] = requests[0];
    assert_int_equal(weir_check_all(weir, requests, 3, FIXTURE_NOW, decisions, &denied), WEIR_OK);
    weir_limit_free(first);
    weir_limit_free(second);
    weir_limit_free(apart);
    weir_close(weir);
}

static void one_to_sixty_four_requests_go_together(void **state)
{
    (void)state;
    struct weir *weir = open_small();
    struct weir_limit *limit = fixture_limit("3/m");
    static char names[WEIR_CHECK_ALL_MAX + 1][16];
    struct weir_request requests[WEIR_CHECK_ALL_MAX + 1];
    struct weir_decision decisions[WEIR_CHECK_ALL_MAX + 1];
    size_t denied = 99;
    for (unsigned i = 0; i <= WEIR_CHECK_ALL_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "key-%u", i);
        requests[i] = (struct weir_request){limit, weir_text(names[i]), 1};
    }
    assert_int_equal(weir_check_all(weir, requests, 0, FIXTURE_NOW, decisions, &denied),
                     WEIR_ERR_ARGUMENT);
    assert_int_equal(
        weir_check_all(weir, requests, WEIR_CHECK_ALL_MAX + 1, FIXTURE_NOW, decisions, &denied),
        WEIR_ERR_ARGUMENT);
    assert_int_equal(denied, 99);
    assert_int_equal(
        weir_check_all(weir, requests, WEIR_CHECK_ALL_MAX, FIXTURE_NOW, decisions, &denied),
        WEIR_OK);
    assert_int_equal(denied, WEIR_CHECK_ALL_MAX);
    for (unsigned i = 0; i < WEIR_CHECK_ALL_MAX; i++) {
        assert_int_equal(decisions[i].remaining, 2);
    }
    assert_int_equal(weir_check_all(weir, requests, 1, FIXTURE_NOW, decisions, &denied), WEIR_OK);
    assert_int_equal(denied, 1);
    weir_limit_free(limit);
    weir_close(weir);
}

/* ---- Each by itself ---- */

#define BATCH_MAX 1000

static const char *const batch_texts[] = {
    "5/m",
    "7/10s leaky-bucket",
    "5/m fixed-window",
    "9/m sliding-window block 5s",
    "4/hour calendar-window",
    "3/m block 10s",
    "6/m sliding-log",
};
#define BATCH_LIMITS (sizeof(batch_texts) / sizeof(batch_texts[0]))

static void a_batch_answers_as_single_checks_do(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 31, 32, 33, 64, 65, 999, BATCH_MAX};
    static struct weir_request requests[BATCH_MAX];
    static struct weir_decision decisions[BATCH_MAX];
    static char names[40][8];
    struct weir *together = open_small();
    struct weir *single = open_small();
    struct weir_limit *limits[BATCH_LIMITS];
    struct random random = random_from(random_seed(5));
    for (size_t i = 0; i < BATCH_LIMITS; i++) {
        limits[i] = fixture_limit(batch_texts[i]);
    }
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "k%u", i);
    }
    int64_t now_us = FIXTURE_NOW;
    for (size_t round = 0; round < 10 * sizeof(sizes) / sizeof(sizes[0]); round++) {
        const size_t count = sizes[round % (sizeof(sizes) / sizeof(sizes[0]))];
        size_t done = 99999;
        for (size_t i = 0; i < count; i++) {
            requests[i] = (struct weir_request){limits[random_below(&random, BATCH_LIMITS)],
                                                weir_text(names[random_below(&random, 40)]),
                                                random_below(&random, 4)};
        }
        assert_int_equal(weir_check_batch(together, requests, count, now_us, decisions, &done),
                         WEIR_OK);
        assert_int_equal(done, count);
        for (size_t i = 0; i < count; i++) {
            struct weir_decision decision;
            assert_int_equal(weir_check(single, requests[i].limit, requests[i].key,
                                        requests[i].cost, now_us, &decision),
                             WEIR_OK);
            must_be_equal(&decisions[i], &decision);
        }
        now_us += (int64_t)random_below(&random, 20000000);
    }
    for (size_t i = 0; i < BATCH_LIMITS; i++) {
        weir_limit_free(limits[i]);
    }
    weir_close(together);
    weir_close(single);
}

static void a_batch_with_a_wrong_request_decides_nothing(void **state)
{
    (void)state;
    static const char longer[WEIR_KEY_MAX + 1];
    struct weir *weir = open_small();
    struct weir_limit *limit = fixture_limit("5/m");
    struct weir_request requests[100];
    struct weir_decision decisions[100];
    size_t done = 99;
    for (size_t i = 0; i < 100; i++) {
        requests[i] = (struct weir_request){limit, weir_text("key"), 1};
    }
    requests[70].key = weir_bytes(longer, sizeof(longer));
    assert_int_equal(weir_check_batch(weir, requests, 100, FIXTURE_NOW, decisions, &done),
                     WEIR_ERR_KEY_LENGTH);
    assert_int_equal(done, 0);
    assert_int_equal(fixture_peek(weir, limit, "key", 1, FIXTURE_NOW).remaining, 5);
    assert_int_equal(weir_check_batch(weir, NULL, 0, FIXTURE_NOW, NULL, NULL), WEIR_OK);
    weir_limit_free(limit);
    weir_close(weir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_taken_where_all_are_admitted),
        cmocka_unit_test(none_is_taken_where_one_denies),
        cmocka_unit_test(a_denial_starts_the_block_of_the_denier_alone),
        cmocka_unit_test(one_key_asked_for_twice_has_to_fit_twice),
        cmocka_unit_test(requests_that_only_look_take_nothing),
        cmocka_unit_test(two_limits_over_one_state_are_refused),
        cmocka_unit_test(one_to_sixty_four_requests_go_together),
        cmocka_unit_test(a_batch_answers_as_single_checks_do),
        cmocka_unit_test(a_batch_with_a_wrong_request_decides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
