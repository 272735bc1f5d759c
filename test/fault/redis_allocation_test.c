/* redis_allocation_test.c - a Redis store whose allocations fail in turn: it does not open, or it
 * opens and every call ends, decided by Redis or by on_error; and all memory comes back. */

#include "support/fixture.h"
#include "support/rig.h"
#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 200

/* Fails from its `fail_at`-th call on, counted from 0, `failures` times; any thread's. */
struct failing {
    atomic_uint calls;
    unsigned fail_at;
    unsigned failures;
    atomic_int given;
};

static void *failing_allocate(void *context, size_t size, size_t alignment)
{
    struct failing *failing = context;
    void *memory = NULL;
    const unsigned call = atomic_fetch_add(&failing->calls, 1);
    if (call >= failing->fail_at && call - failing->fail_at < failing->failures) {
        return NULL;
    }
    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) !=
        0) {
        return NULL;
    }
    memset(memory, 0xa5, size); /* whoever wants zeros has to make them */
    atomic_fetch_add(&failing->given, 1);
    return memory;
}

static void failing_release(void *context, void *memory, size_t size)
{
    struct failing *failing = context;
    (void)size;
    atomic_fetch_sub(&failing->given, 1);
    free(memory);
}

static void ask_everything(struct weir *weir, const struct weir_limit *limit)
{
    const struct weir_request requests[] = {{limit, weir_text("a"), 1}, {limit, weir_text("b"), 0}};
    struct weir_decision decisions[2];
    struct weir_redis_server server;
    size_t count = 0;
    assert_int_equal(weir_check(weir, limit, weir_text("a"), 1, WEIR_CLOCK, decisions), WEIR_OK);
    assert_true(decisions[0].source == WEIR_SOURCE_REDIS ||
                decisions[0].failure != WEIR_FAILURE_NONE);
    assert_int_equal(weir_check_batch(weir, requests, 2, WEIR_CLOCK, decisions, &count), WEIR_OK);
    assert_int_equal(weir_check_all(weir, requests, 2, WEIR_CLOCK, decisions, &count), WEIR_OK);
    assert_int_equal(weir_redis_inspect(weir, INT64_C(100000), &server, 1, &count), WEIR_OK);
}

/* Returns whether nothing failed: no further allocation is left to fail. */
static bool attempt(const struct rig_redis *server, const struct weir_limit *limit,
                    unsigned fail_at, unsigned failures)
{
    struct failing failing = {.fail_at = fail_at, .failures = failures};
    const struct weir_allocator allocator = {failing_allocate, failing_release, &failing};
    const struct weir_redis_options options = {.size = sizeof(options), .allocator = &allocator};
    char url[256];
    struct weir *weir = NULL;
    snprintf(url, sizeof(url), "%s?deadline=100ms&on_error=deny", rig_redis_url(server));
    const enum weir_status status = weir_redis_open(url, &options, &weir, NULL);
    if (status == WEIR_OK) {
        ask_everything(weir, limit);
        weir_close(weir);
    } else {
        assert_int_equal(status, WEIR_ERR_NO_MEMORY);
        assert_null(weir);
    }
    assert_int_equal(failing.given, 0);
    return failing.calls <= fail_at;
}

static void fail_in_turn(unsigned failures)
{
    struct rig_redis *server = rig_redis_start(NULL);
    struct weir_limit *limit = fixture_limit("1000/d");
    unsigned fail_at = 0;
    while (!attempt(server, limit, fail_at, failures)) {
        fail_at++;
        assert_true(fail_at < ALLOCATIONS_MAX);
    }
    weir_limit_free(limit);
    rig_redis_stop(server);
}

static void one_allocation_fails(void **state)
{
    (void)state;
    fail_in_turn(1);
}

static void all_allocations_fail_from_some_time_on(void **state)
{
    (void)state;
    fail_in_turn(UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_allocation_fails),
        cmocka_unit_test(all_allocations_fail_from_some_time_on),
    };
    return cmocka_run_group_tests_name("redis_allocation", tests, NULL, NULL);
}
