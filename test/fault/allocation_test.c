/* allocation_test.c - every allocation fails in turn: nothing leaks, nothing is half done, and what
 * was to be written is untouched. */

#include "support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 64

/* An allocator that fails once, at its `fail_at`-th call counted from 0, and knows what it gave. */
struct failing {
    unsigned calls;
    unsigned fail_at;
    unsigned given;
    size_t bytes;
};

static void *failing_allocate(void *context, size_t size, size_t alignment)
{
    struct failing *failing = context;
    void *memory = NULL;
    assert_true(size > 0);
    assert_true(alignment > 0 && alignment <= 4096 && (alignment & (alignment - 1)) == 0);
    if (failing->calls++ == failing->fail_at) {
        return NULL;
    }
    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) !=
        0) {
        return NULL;
    }
    memset(memory, 0xa5, size); /* whoever wants zeros has to make them */
    failing->given++;
    failing->bytes += size;
    return memory;
}

static void failing_release(void *context, void *memory, size_t size)
{
    struct failing *failing = context;
    assert_non_null(memory);
    assert_true(failing->given > 0);
    assert_true(failing->bytes >= size);
    failing->given--;
    failing->bytes -= size;
    free(memory);
}

/* Runs `attempt` with the first allocation failing, then with the second, until none is left to
 * fail. It returns whether it succeeded. */
static void fail_each_in_turn(bool (*attempt)(const struct weir_allocator *allocator,
                                              const void *subject),
                              const void *subject)
{
    for (unsigned fail_at = 0; fail_at < ALLOCATIONS_MAX; fail_at++) {
        struct failing failing = {.fail_at = fail_at};
        const struct weir_allocator allocator = {failing_allocate, failing_release, &failing};
        const bool succeeded = attempt(&allocator, subject);
        assert_int_equal(failing.given, 0);
        assert_int_equal(failing.bytes, 0);
        assert_int_equal(succeeded, failing.calls <= fail_at);
        if (succeeded) {
            assert_true(fail_at > 0);
            return;
        }
    }
    fail();
}

static bool open_and_use(const struct weir_allocator *allocator, const void *subject)
{
    const char *url = subject;
    struct weir *const untouched = (struct weir *)(void *)&url;
    struct weir *weir = untouched;
    const struct weir_options options = {.size = sizeof(options), .allocator = allocator};
    struct weir_error error = {0, 0, ""};
    const enum weir_status status = weir_open(url, &options, &weir, &error);
    if (status != WEIR_OK) {
        assert_int_equal(status, WEIR_ERR_NO_MEMORY);
        assert_ptr_equal(weir, untouched);
        assert_non_null(strstr(error.message, "out of memory"));
        return false;
    }
    /* No decision allocates. */
    struct failing *failing = allocator->context;
    const unsigned calls = failing->calls;
    struct weir_limit *limit = fixture_limit("5/m block 1h");
    for (unsigned i = 0; i < 10; i++) {
        (void)fixture_check(weir, limit, "key", 1, FIXTURE_NOW);
    }
    assert_int_equal(failing->calls, calls);
    weir_limit_free(limit);
    weir_close(weir);
    return true;
}

static void opening_memory_survives_each_failure(void **state)
{
    (void)state;
    fail_each_in_turn(open_and_use, "memory:?size=64KiB&log=256KiB");
}

static void opening_a_file_survives_each_failure(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    fail_each_in_turn(open_and_use, fixture_url(&folder, "table", "size=8KiB"));
    fail_each_in_turn(open_and_use, fixture_url(&folder, "table", ""));
    fixture_folder_remove(&folder);
}

static void a_url_that_is_wrong_leaks_nothing(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "memory:?size=1", "memory:/x", "shm:", "nothing:", "shm:/no/such/folder/table",
        "shm:/dev/null"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct failing failing = {.fail_at = ALLOCATIONS_MAX};
        const struct weir_allocator allocator = {failing_allocate, failing_release, &failing};
        const struct weir_options options = {.size = sizeof(options), .allocator = &allocator};
        struct weir *weir = NULL;
        assert_int_not_equal(weir_open(urls[i], &options, &weir, NULL), WEIR_OK);
        assert_null(weir);
        assert_int_equal(failing.given, 0);
    }
}

static bool parse_and_free(const struct weir_allocator *allocator, const void *subject)
{
    const char *text = subject;
    struct weir_limit *const untouched = (struct weir_limit *)(void *)&text;
    struct weir_limit *limit = untouched;
    const struct weir_limit_options options = {
        .size = sizeof(options), .allocator = allocator, .name = weir_text("a rule")};
    const enum weir_status status = weir_limit_parse(weir_text(text), &options, &limit, NULL);
    if (status != WEIR_OK) {
        assert_int_equal(status, WEIR_ERR_NO_MEMORY);
        assert_ptr_equal(limit, untouched);
        return false;
    }
    weir_limit_free(limit);
    return true;
}

static void reading_a_limit_survives_each_failure(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "100/m",
        "5/10s fixed-window",
        "20/s burst 50 block 15m",
        "5/15m sliding-log block 15m",
        "10000/month calendar-window Europe/Rome",
        "10/s leaky-bucket burst 3",
        "9/h sliding-window",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fail_each_in_turn(parse_and_free, texts[i]);
    }
}

static bool make_and_free(const struct weir_allocator *allocator, const void *subject)
{
    const struct weir_limit_spec *spec = subject;
    struct weir_limit *const untouched = (struct weir_limit *)(void *)&spec;
    struct weir_limit *limit = untouched;
    const struct weir_limit_options options = {.size = sizeof(options), .allocator = allocator};
    const enum weir_status status = weir_limit_new(spec, &options, &limit, NULL);
    if (status != WEIR_OK) {
        assert_int_equal(status, WEIR_ERR_NO_MEMORY);
        assert_ptr_equal(limit, untouched);
        return false;
    }
    weir_limit_free(limit);
    return true;
}

static void making_a_limit_survives_each_failure(void **state)
{
    (void)state;
    const struct weir_limit_spec bucket = {.count = 5, .period_us = 1000000};
    const struct weir_limit_spec calendar = {.algorithm = WEIR_CALENDAR_WINDOW,
                                             .calendar = WEIR_CALENDAR_DAY,
                                             .count = 5,
                                             .zone = "America/New_York"};
    fail_each_in_turn(make_and_free, &bucket);
    fail_each_in_turn(make_and_free, &calendar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_memory_survives_each_failure),
        cmocka_unit_test(opening_a_file_survives_each_failure),
        cmocka_unit_test(a_url_that_is_wrong_leaks_nothing),
        cmocka_unit_test(reading_a_limit_survives_each_failure),
        cmocka_unit_test(making_a_limit_survives_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
