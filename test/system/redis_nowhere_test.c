/* redis_nowhere_test.c - a store whose servers can't be found: calls wait for them at first, and
 * then no longer, as nobody is helped by that. */

#include "support/fixture.h"
#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#define DEADLINE_MS 50
/* For so long calls may wait in vain, and then as many deadlines again are given to those that
 * don't. */
#define PATIENCE_MS 500
#define ROUNDS 40

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Nobody listens on port 1. */
static void calls_stop_waiting(const char *url)
{
    struct weir *weir = NULL;
    struct weir_limit *limit = fixture_limit("1000000/h");
    assert_int_equal(weir_redis_open(url, NULL, &weir, NULL), WEIR_OK);
    const int64_t start_ms = now_ms();
    const int64_t end_ms = start_ms + PATIENCE_MS + (int64_t)ROUNDS * DEADLINE_MS;
    unsigned calls = 0;
    while (now_ms() < end_ms) {
        const struct weir_decision decision = fixture_check(weir, limit, "a", 1, WEIR_CLOCK);
        assert_int_equal(decision.source, WEIR_SOURCE_LOCAL);
        assert_int_not_equal(decision.failure, WEIR_FAILURE_NONE);
        calls++;
    }
    /* Were each to wait for its deadline, there would not be time for more than these. */
    assert_true(calls > PATIENCE_MS / DEADLINE_MS + 2 * ROUNDS);
    weir_limit_free(limit);
    weir_close(weir);
}

static void for_sentinels(void **state)
{
    (void)state;
    calls_stop_waiting("redis+sentinel://127.0.0.1:1/main?deadline=50ms");
}

static void for_a_cluster(void **state)
{
    (void)state;
    calls_stop_waiting("redis+cluster://127.0.0.1:1?deadline=50ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_sentinels),
        cmocka_unit_test(for_a_cluster),
    };
    return cmocka_run_group_tests_name("redis_nowhere", tests, NULL, NULL);
}
