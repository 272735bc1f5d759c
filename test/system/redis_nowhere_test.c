/* redis_nowhere_test.c - a store whose servers can't be found: calls wait for them at first, and
 * then no longer, as nobody is helped by that; and the table that decides may be shared. */

#include "support/fixture.h"
#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

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

/* What on_error=local admits by `count` handles, asked in turns; with one table for all where
 * `shared`. */
static unsigned admitted_by(unsigned count, bool shared)
{
    struct weir *handles[4];
    struct weir *table = fixture_open("memory:?size=64KiB");
    struct weir_limit *limit = fixture_limit("7/h");
    const struct weir_redis_options options = {.size = sizeof(options),
                                               .local = shared ? table : NULL};
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(
            weir_redis_open("redis://127.0.0.1:1?deadline=5ms", &options, &handles[i], NULL),
            WEIR_OK);
    }
    unsigned admitted = 0;
    for (unsigned i = 0; i < count * 10; i++) {
        const struct weir_decision decision =
            fixture_check(handles[i % count], limit, "a", 1, WEIR_CLOCK);
        assert_int_equal(decision.source, WEIR_SOURCE_LOCAL);
        admitted += decision.allowed;
    }
    for (unsigned i = 0; i < count; i++) {
        struct weir_stats stats = {.size = sizeof(stats)};
        assert_int_equal(weir_stats(handles[i], WEIR_CLOCK, &stats), WEIR_OK);
        assert_int_equal(stats.slots > 0, !shared); /* who brings a table counts it */
        weir_close(handles[i]);
    }
    weir_limit_free(limit);
    weir_close(table);
    return admitted;
}

static void handles_with_one_table_have_one_budget(void **state)
{
    (void)state;
    assert_int_equal(admitted_by(3, true), 7);
    assert_int_equal(admitted_by(3, false), 3 * 7);
}

static void expect_no_table(struct weir *table)
{
    const struct weir_redis_options options = {.size = sizeof(options), .local = table};
    struct weir_error error;
    struct weir *weir = NULL;
    assert_int_equal(weir_redis_open("redis://127.0.0.1:1", &options, &weir, &error),
                     WEIR_ERR_ARGUMENT);
    assert_string_equal(error.message, "expected options.local to be a memory: store");
    assert_null(weir);
}

static void a_table_has_to_be_in_memory(void **state)
{
    char path[64];
    char url[96];
    struct weir *table = NULL;
    (void)state;
    assert_int_equal(weir_redis_open("redis://127.0.0.1:1", NULL, &table, NULL), WEIR_OK);
    expect_no_table(table);
    weir_close(table);
    (void)snprintf(path, sizeof(path), "/tmp/weir-nowhere-%d", (int)getpid());
    (void)snprintf(url, sizeof(url), "shm:%s?size=64KiB", path);
    table = fixture_open(url);
    expect_no_table(table);
    weir_close(table);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_sentinels),
        cmocka_unit_test(for_a_cluster),
        cmocka_unit_test(handles_with_one_table_have_one_budget),
        cmocka_unit_test(a_table_has_to_be_in_memory),
    };
    return cmocka_run_group_tests_name("redis_nowhere", tests, NULL, NULL);
}
