/* breaker_test.c - the circuit: each way from one state to another, its pauses, and all that can
 * happen to it, up to a length, against a second opinion. */

#include "redis/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/random.h"

#include <string.h>

#define START INT64_C(1000000)

/* One that has failed `times` in a row at `now`, with pauses as long as can be. */
static struct weir_breaker failed(unsigned times, int64_t now_us)
{
    struct weir_breaker breaker = {.opened = 0};
    for (unsigned i = 0; i < times; i++) {
        assert_true(weir_breaker_admit(&breaker, now_us));
        weir_breaker_failure(&breaker, now_us, 0);
    }
    return breaker;
}

static void it_opens_at_the_last_of_the_failures_in_a_row(void **state)
{
    (void)state;
    struct weir_breaker breaker = failed(WEIR_BREAKER_FAILURES - 1, START);
    assert_int_equal(breaker.state, WEIR_BREAKER_CLOSED);
    assert_int_equal(breaker.opened, 0);
    weir_breaker_failure(&breaker, START, 0);
    assert_int_equal(breaker.state, WEIR_BREAKER_OPEN);
    assert_int_equal(breaker.opened, 1);
    assert_false(weir_breaker_admit(&breaker, START));
}

static void a_success_between_makes_it_no_row(void **state)
{
    (void)state;
    struct weir_breaker breaker = failed(WEIR_BREAKER_FAILURES - 1, START);
    weir_breaker_success(&breaker);
    for (unsigned i = 0; i < WEIR_BREAKER_FAILURES - 1; i++) {
        weir_breaker_failure(&breaker, START, 0);
    }
    assert_int_equal(breaker.state, WEIR_BREAKER_CLOSED);
}

static void after_the_pause_one_goes_and_its_answer_decides(void **state)
{
    (void)state;
    struct weir_breaker breaker = failed(WEIR_BREAKER_FAILURES, START);
    const int64_t until_us = START + WEIR_BREAKER_PAUSE_MIN_US / 2;
    assert_int_equal(weir_breaker_wait(&breaker, START), until_us - START);
    assert_false(weir_breaker_admit(&breaker, until_us - 1));
    assert_int_equal(weir_breaker_wait(&breaker, until_us - 1), 1);
    assert_int_equal(breaker.state, WEIR_BREAKER_OPEN);
    assert_int_equal(weir_breaker_wait(&breaker, until_us), 0);
    assert_true(weir_breaker_admit(&breaker, until_us));
    assert_int_equal(breaker.state, WEIR_BREAKER_HALF_OPEN);
    assert_false(weir_breaker_admit(&breaker, until_us));
    assert_false(weir_breaker_admit(&breaker, until_us + WEIR_BREAKER_PAUSE_MAX_US));
    weir_breaker_success(&breaker);
    assert_int_equal(breaker.state, WEIR_BREAKER_CLOSED);
    assert_true(weir_breaker_admit(&breaker, until_us));
    assert_true(weir_breaker_admit(&breaker, until_us));
    assert_int_equal(breaker.opened, 1);
}

static void a_trial_that_came_to_nothing_lets_another_try(void **state)
{
    (void)state;
    struct weir_breaker breaker = failed(WEIR_BREAKER_FAILURES, START);
    const int64_t later_us = START + WEIR_BREAKER_PAUSE_MIN_US;
    assert_true(weir_breaker_admit(&breaker, later_us));
    weir_breaker_cancel(&breaker);
    assert_int_equal(breaker.state, WEIR_BREAKER_HALF_OPEN);
    assert_true(weir_breaker_admit(&breaker, later_us));
    assert_false(weir_breaker_admit(&breaker, later_us));
}

/* Those that were under way when it opened. */
static void what_comes_late_changes_an_open_circuit_only_for_the_better(void **state)
{
    (void)state;
    struct weir_breaker breaker = failed(WEIR_BREAKER_FAILURES, START);
    const struct weir_breaker before = breaker;
    weir_breaker_failure(&breaker, START + 10, 7);
    assert_memory_equal(&breaker, &before, sizeof(before));
    weir_breaker_cancel(&breaker);
    assert_memory_equal(&breaker, &before, sizeof(before));
    weir_breaker_success(&breaker);
    assert_int_equal(breaker.state, WEIR_BREAKER_CLOSED);
}

static void pauses_double_up_to_their_bound_and_begin_anew(void **state)
{
    (void)state;
    static const int64_t pauses_us[] = {100000, 200000, 400000, 800000, 1600000, 2000000, 2000000};
    struct weir_breaker breaker = failed(WEIR_BREAKER_FAILURES, START);
    int64_t now_us = START;
    for (size_t i = 0; i < sizeof(pauses_us) / sizeof(pauses_us[0]); i++) {
        assert_int_equal(breaker.pause_us, pauses_us[i]);
        assert_int_equal(breaker.until_us - now_us, pauses_us[i] / 2);
        assert_int_equal(breaker.opened, i + 1);
        now_us = breaker.until_us;
        assert_true(weir_breaker_admit(&breaker, now_us));
        weir_breaker_failure(&breaker, now_us, 0);
    }
    weir_breaker_success(&breaker);
    for (unsigned i = 0; i < WEIR_BREAKER_FAILURES; i++) {
        weir_breaker_failure(&breaker, now_us, 0);
    }
    assert_int_equal(breaker.pause_us, WEIR_BREAKER_PAUSE_MIN_US);
}

static void a_pause_lies_between_half_and_the_whole(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(1));
    int64_t least_us = INT64_MAX;
    int64_t most_us = 0;
    for (size_t i = 0; i < 20000; i++) {
        struct weir_breaker breaker = failed(WEIR_BREAKER_FAILURES - 1, START);
        weir_breaker_failure(&breaker, START,
                             i == 0 ? UINT64_MAX : random_next(&random) >> (i % 64));
        const int64_t pause_us = breaker.until_us - START;
        least_us = pause_us < least_us ? pause_us : least_us;
        most_us = pause_us > most_us ? pause_us : most_us;
    }
    assert_true(least_us >= WEIR_BREAKER_PAUSE_MIN_US / 2);
    assert_true(least_us < WEIR_BREAKER_PAUSE_MIN_US / 2 + WEIR_BREAKER_PAUSE_MIN_US / 50);
    assert_true(most_us <= WEIR_BREAKER_PAUSE_MIN_US);
    assert_true(most_us > WEIR_BREAKER_PAUSE_MIN_US - WEIR_BREAKER_PAUSE_MIN_US / 50);
}

static void connecting_backs_off_from_the_least_to_the_most(void **state)
{
    (void)state;
    static const int64_t wholes_us[] = {50, 100, 200, 400, 800, 1000, 1000};
    struct random random = random_from(random_seed(2));
    for (unsigned attempt = 0; attempt < 7; attempt++) {
        bool half = false;
        bool whole = false;
        for (size_t i = 0; i < 20000; i++) {
            const int64_t pause_us = weir_backoff(attempt, 50, 1000, random_next(&random));
            assert_true(pause_us >= wholes_us[attempt] / 2 && pause_us <= wholes_us[attempt]);
            half = half || pause_us == wholes_us[attempt] / 2;
            whole = whole || pause_us == wholes_us[attempt];
        }
        assert_true(half && whole);
    }
    const int64_t most_us = weir_backoff(4294967295U, 1, INT64_MAX / 2, UINT64_MAX);
    assert_true(most_us >= INT64_MAX / 4 && most_us <= INT64_MAX / 2);
    assert_int_equal(weir_backoff(9, 1, 1, 5), 1);
}

/* ---- All that can happen ---- */

/* The same in other words: what a reader of breaker.h would expect. Times are what the circuit
 * chose, as it may choose them. */
struct opinion {
    unsigned in_a_row; /* failures, while calls go freely */
    unsigned openings; /* since the last success */
    bool free;         /* calls go freely */
    bool trial;        /* one has been let through to see */
    int64_t no_sooner_us;
};

enum event {
    EVENT_ADMIT,
    EVENT_SUCCESS,
    EVENT_FAILURE,
    EVENT_CANCEL,
    EVENT_WAIT,      /* until a call may go */
    EVENT_WAIT_LESS, /* and to just before */
    EVENTS
};

struct situation {
    struct weir_breaker breaker;
    struct opinion opinion;
    int64_t now_us;
};

static void hold_together(const struct situation *at)
{
    const struct weir_breaker *breaker = &at->breaker;
    const struct opinion *opinion = &at->opinion;
    const int64_t wait_us = weir_breaker_wait(breaker, at->now_us);
    assert_true((breaker->state == WEIR_BREAKER_CLOSED) == opinion->free);
    assert_true(wait_us >= 0 && wait_us <= WEIR_BREAKER_PAUSE_MAX_US);
    assert_true((wait_us > 0) == (!opinion->free && at->now_us < opinion->no_sooner_us));
    assert_true(!breaker->trying || breaker->state == WEIR_BREAKER_HALF_OPEN);
    assert_true(breaker->failures < WEIR_BREAKER_FAILURES || !opinion->free);
}

static void admit(struct situation *at)
{
    struct opinion *opinion = &at->opinion;
    const bool ripe = at->now_us >= opinion->no_sooner_us;
    const bool expected = opinion->free || (ripe && !opinion->trial);
    assert_int_equal(weir_breaker_admit(&at->breaker, at->now_us), expected);
    opinion->trial = !opinion->free && (opinion->trial || expected);
}

static void fail_once(struct situation *at, uint64_t random)
{
    struct opinion *opinion = &at->opinion;
    const bool seen = at->breaker.state == WEIR_BREAKER_HALF_OPEN;
    weir_breaker_failure(&at->breaker, at->now_us, random);
    opinion->in_a_row += opinion->free ? 1 : 0;
    if (!seen && (!opinion->free || opinion->in_a_row < WEIR_BREAKER_FAILURES)) {
        return;
    }
    int64_t pause_us = WEIR_BREAKER_PAUSE_MIN_US;
    for (unsigned i = 0; i < opinion->openings; i++) {
        pause_us =
            2 * pause_us < WEIR_BREAKER_PAUSE_MAX_US ? 2 * pause_us : WEIR_BREAKER_PAUSE_MAX_US;
    }
    assert_int_equal(at->breaker.state, WEIR_BREAKER_OPEN);
    assert_true(at->breaker.until_us >= at->now_us + pause_us / 2);
    assert_true(at->breaker.until_us <= at->now_us + pause_us);
    *opinion =
        (struct opinion){.openings = opinion->openings + 1, .no_sooner_us = at->breaker.until_us};
}

static void happen(struct situation *at, enum event event)
{
    const uint64_t opened = at->breaker.opened;
    const bool was_open = at->breaker.state == WEIR_BREAKER_OPEN;
    switch (event) {
    case EVENT_ADMIT:
        admit(at);
        break;
    case EVENT_SUCCESS:
        weir_breaker_success(&at->breaker);
        at->opinion = (struct opinion){.free = true};
        break;
    case EVENT_FAILURE:
        fail_once(at, (uint64_t)at->now_us * 0x9e3779b97f4a7c15U);
        break;
    case EVENT_CANCEL:
        weir_breaker_cancel(&at->breaker);
        at->opinion.trial = false;
        break;
    case EVENT_WAIT:
        at->now_us += weir_breaker_wait(&at->breaker, at->now_us);
        break;
    case EVENT_WAIT_LESS:
        if (weir_breaker_wait(&at->breaker, at->now_us) > 1) {
            at->now_us += weir_breaker_wait(&at->breaker, at->now_us) - 1;
        }
        break;
    case EVENTS:
        break;
    }
    const bool opens = at->breaker.state == WEIR_BREAKER_OPEN && !was_open;
    assert_int_equal(at->breaker.opened, opened + (opens ? 1 : 0));
    hold_together(at);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as `length` */
static uint64_t explore(const struct situation *from, unsigned length)
{
    uint64_t seen = 1;
    for (enum event event = EVENT_ADMIT; length > 0 && event < EVENTS; event++) {
        struct situation next = *from;
        happen(&next, event);
        seen += explore(&next, length - 1);
    }
    return seen;
}

/* From each number of failures, so that few events lead to any state. */
static void whatever_happens_it_does_as_its_header_says(void **state)
{
    (void)state;
    const unsigned length = random_rounds(100) < 100 ? 6 : 9;
    for (unsigned failures = 0; failures < WEIR_BREAKER_FAILURES; failures++) {
        struct situation start = {.opinion = {.free = true}, .now_us = START};
        for (unsigned i = 0; i < failures; i++) {
            happen(&start, EVENT_FAILURE);
        }
        assert_true(explore(&start, length) > 50000);
    }
}

/* And far longer ones, at random. */
static void nor_in_the_long_run(void **state)
{
    (void)state;
    const uint64_t seed = random_seed(1);
    struct random random = random_from(seed);
    struct situation at = {.opinion = {.free = true}, .now_us = START};
    for (size_t i = random_rounds(300000); i > 0; i--) {
        /* Successes are rare, or it would hardly ever be open for long. */
        enum event event = (enum event)random_below(&random, EVENTS);
        if (event == EVENT_SUCCESS && !random_once_in(&random, 4)) {
            event = EVENT_FAILURE;
        }
        happen(&at, event);
    }
    assert_true(at.breaker.opened > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_at_the_last_of_the_failures_in_a_row),
        cmocka_unit_test(a_success_between_makes_it_no_row),
        cmocka_unit_test(after_the_pause_one_goes_and_its_answer_decides),
        cmocka_unit_test(a_trial_that_came_to_nothing_lets_another_try),
        cmocka_unit_test(what_comes_late_changes_an_open_circuit_only_for_the_better),
        cmocka_unit_test(pauses_double_up_to_their_bound_and_begin_anew),
        cmocka_unit_test(a_pause_lies_between_half_and_the_whole),
        cmocka_unit_test(connecting_backs_off_from_the_least_to_the_most),
        cmocka_unit_test(whatever_happens_it_does_as_its_header_says),
        cmocka_unit_test(nor_in_the_long_run),
    };
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
