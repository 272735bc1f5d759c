/* acquire_test.c - waiting: never too short, never in vain, and without starting a block.
 *
 * Nothing here is asserted to be quick: only never earlier than it may be. */

#include "support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MS INT64_C(1000)
#define SECOND_US INT64_C(1000000)

static int64_t clock_us(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

struct waiting {
    struct weir *weir;
    struct weir_limit *limit;
    unsigned admitted;
};

static struct waiting waiting_for(const char *text)
{
    return (struct waiting){fixture_open("memory:?size=8KiB"), fixture_limit(text), 0};
}

static void waiting_end(struct waiting *waiting)
{
    weir_limit_free(waiting->limit);
    weir_close(waiting->weir);
}

static struct weir_decision acquire(struct waiting *waiting, uint64_t cost, int64_t timeout_us)
{
    struct weir_decision decision;
    if (weir_acquire(waiting->weir, waiting->limit, weir_text("key"), cost, timeout_us,
                     &decision) != WEIR_OK) {
        abort();
    }
    return decision;
}

static void it_waits_until_the_request_is_admitted(void **state)
{
    (void)state;
    struct waiting waiting = waiting_for("1/50ms");
    const int64_t start_us = clock_us();
    for (unsigned i = 0; i < 4; i++) {
        assert_true(acquire(&waiting, 1, 60 * SECOND_US).allowed);
        assert_true(clock_us() - start_us >= i * 50 * MS);
    }
    waiting_end(&waiting);
}

static void acquire_five(void *shared, unsigned index)
{
    struct waiting *waiting = shared;
    (void)index;
    for (unsigned i = 0; i < 5; i++) {
        (void)__atomic_add_fetch(&waiting->admitted,
                                 acquire(waiting, 1, 600 * SECOND_US).allowed ? 1 : 0,
                                 __ATOMIC_RELAXED);
    }
}

static void threads_that_wait_are_admitted_at_the_limits_pace(void **state)
{
    (void)state;
    struct waiting waiting = waiting_for("1/10ms");
    const int64_t start_us = clock_us();
    fixture_threads(4, acquire_five, &waiting);
    assert_int_equal(waiting.admitted, 20);
    assert_true(clock_us() - start_us >= 19 * 10 * MS);
    waiting_end(&waiting);
}

/* It returns as soon as waiting is plainly in vain; were it to wait, this test would time out. */
static void it_gives_up_where_the_wait_would_be_too_long(void **state)
{
    (void)state;
    struct waiting waiting = waiting_for("1/d block 10d");
    assert_true(acquire(&waiting, 1, 0).allowed);
    for (unsigned i = 0; i < 3; i++) {
        const struct weir_decision denied = acquire(&waiting, 1, 3600 * SECOND_US);
        assert_false(denied.allowed);
        assert_true(denied.retry_after_us > 86000 * SECOND_US);
        assert_true(denied.retry_after_us <= 86400 * SECOND_US);
    }
    const struct weir_decision never = acquire(&waiting, 2, WEIR_PERIOD_MAX);
    assert_false(never.allowed);
    assert_int_equal(never.retry_after_us, WEIR_NEVER);
    /* Waiting is looking: no block was started. */
    assert_false(fixture_peek(waiting.weir, waiting.limit, "key", 1, WEIR_CLOCK).blocked);
    waiting_end(&waiting);
}

static void it_returns_when_the_queue_has_come_to_it(void **state)
{
    (void)state;
    struct waiting waiting = waiting_for("20/s leaky-bucket burst 5");
    const int64_t start_us = clock_us();
    for (unsigned i = 0; i < 4; i++) {
        assert_true(acquire(&waiting, 1, 60 * SECOND_US).allowed);
        assert_true(clock_us() - start_us >= i * 50 * MS);
    }
    waiting_end(&waiting);
}

/* Admitted, but its turn would come after the deadline: it leaves the queue again. */
static void a_turn_that_comes_too_late_is_given_back(void **state)
{
    (void)state;
    struct waiting waiting = waiting_for("1/h leaky-bucket burst 5");
    assert_true(acquire(&waiting, 1, SECOND_US).allowed);
    for (unsigned i = 0; i < 10; i++) {
        const struct weir_decision late = acquire(&waiting, 1, SECOND_US);
        assert_false(late.allowed);
        assert_true(late.retry_after_us > SECOND_US);
        assert_int_equal(late.delay_us, 0);
    }
    assert_int_equal(fixture_peek(waiting.weir, waiting.limit, "key", 1, WEIR_CLOCK).remaining, 4);
    waiting_end(&waiting);
}

/* The story: a cost of 0, which takes nothing, slept for the whole delay, past its deadline. */
static void looking_does_not_wait_past_the_deadline_either(void **state)
{
    (void)state;
    struct waiting waiting = waiting_for("1/h leaky-bucket burst 5");
    assert_true(acquire(&waiting, 0, SECOND_US).allowed);
    assert_true(acquire(&waiting, 1, SECOND_US).allowed);
    const struct weir_decision late = acquire(&waiting, 0, 0);
    assert_false(late.allowed);
    assert_true(late.retry_after_us > SECOND_US);
    assert_int_equal(fixture_peek(waiting.weir, waiting.limit, "key", 1, WEIR_CLOCK).remaining, 4);
    waiting_end(&waiting);
}

static void a_timeout_outside_its_range_is_refused(void **state)
{
    (void)state;
    struct waiting waiting = waiting_for("1/d");
    struct weir_decision decision;
    struct weir_decision pattern;
    memset(&decision, 0xa5, sizeof(decision));
    memset(&pattern, 0xa5, sizeof(pattern));
    static const int64_t wrong[] = {-1, INT64_MIN, WEIR_PERIOD_MAX + 1, INT64_MAX};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(
            weir_acquire(waiting.weir, waiting.limit, weir_text("key"), 1, wrong[i], &decision),
            WEIR_ERR_ARGUMENT);
    }
    assert_memory_equal(&decision, &pattern, sizeof(pattern));
    assert_true(acquire(&waiting, 1, WEIR_PERIOD_MAX).allowed);
    waiting_end(&waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_waits_until_the_request_is_admitted),
        cmocka_unit_test(threads_that_wait_are_admitted_at_the_limits_pace),
        cmocka_unit_test(it_gives_up_where_the_wait_would_be_too_long),
        cmocka_unit_test(it_returns_when_the_queue_has_come_to_it),
        cmocka_unit_test(a_turn_that_comes_too_late_is_given_back),
        cmocka_unit_test(looking_does_not_wait_past_the_deadline_either),
        cmocka_unit_test(a_timeout_outside_its_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
