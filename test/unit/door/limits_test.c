/* limits_test.c - limits that peers bring: read once while they are in use or kept, never mixed up,
 * and never more of them than there are places, whatever peers bring. */

#include "door/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct weir_ad_hoc *by_text(struct weir_ad_hoc_limits *limits, const char *text,
                                   const char *name)
{
    struct weir_ad_hoc *limit = NULL;
    struct weir_error error = {0};
    assert_int_equal(weir_ad_hoc_text(limits, weir_text(text), weir_text(name), &limit, &error),
                     WEIR_OK);
    return limit;
}

static struct weir_ad_hoc *by_spec(struct weir_ad_hoc_limits *limits, uint64_t count,
                                   int64_t period_us, uint64_t burst)
{
    const struct weir_limit_spec spec = {.count = count, .period_us = period_us, .burst = burst};
    struct weir_ad_hoc *limit = NULL;
    assert_int_equal(weir_ad_hoc_spec(limits, &spec, weir_text(WEIR_THROTTLE_NAME), &limit, NULL),
                     WEIR_OK);
    return limit;
}

static void the_same_is_read_once(void **state)
{
    (void)state;
    struct weir_ad_hoc_limits *limits = weir_ad_hoc_limits_new(NULL);
    struct weir_ad_hoc *first = by_text(limits, "5/m", "");
    assert_ptr_equal(by_text(limits, "5/m", ""), first);
    assert_int_equal(first->uses, 2);
    weir_ad_hoc_release(first);
    weir_ad_hoc_release(first);
    assert_ptr_equal(by_text(limits, "5/m", ""), first);
    weir_ad_hoc_release(first);
    struct weir_ad_hoc *numbers = by_spec(limits, 5, 60000000, 3);
    assert_ptr_equal(by_spec(limits, 5, 60000000, 3), numbers);
    weir_ad_hoc_release(numbers);
    weir_ad_hoc_release(numbers);
    weir_ad_hoc_limits_free(limits);
}

static void what_differs_is_not_mixed_up(void **state)
{
    (void)state;
    struct weir_ad_hoc_limits *limits = weir_ad_hoc_limits_new(NULL);
    struct weir_ad_hoc *all[] = {
        by_text(limits, "5/m", ""),         by_text(limits, "5/m", "a"),
        by_text(limits, "5/m", "b"),        by_text(limits, "6/m", ""),
        by_text(limits, "5/m burst 5", ""), by_spec(limits, 5, 60000000, 5),
        by_spec(limits, 6, 60000000, 5),    by_spec(limits, 5, 60000001, 5),
        by_spec(limits, 5, 60000000, 6),
    };
    const size_t count = sizeof(all) / sizeof(all[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_ptr_not_equal(all[i], all[j]);
        }
    }
    /* What is the same but for what the hash leaves out. */
    struct weir_limit_spec spec = {.count = 5, .period_us = 60000000, .burst = 5};
    struct weir_ad_hoc *blocking = NULL;
    spec.block_us = 1;
    assert_int_equal(
        weir_ad_hoc_spec(limits, &spec, weir_text(WEIR_THROTTLE_NAME), &blocking, NULL), WEIR_OK);
    assert_ptr_not_equal(blocking, all[5]);
    weir_ad_hoc_release(blocking);
    for (size_t i = 0; i < count; i++) {
        weir_ad_hoc_release(all[i]);
    }
    weir_ad_hoc_limits_free(limits);
}

/* How many pieces of memory are out. */
static void *count_up(void *context, size_t size, size_t alignment)
{
    ++*(size_t *)context;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void count_down(void *context, void *memory, size_t size)
{
    (void)size;
    --*(size_t *)context;
    free(memory);
}

static void a_flood_of_limits_takes_bounded_memory(void **state)
{
    (void)state;
    size_t live = 0;
    const struct weir_allocator allocator = {count_up, count_down, &live};
    struct weir_ad_hoc_limits *limits = weir_ad_hoc_limits_new(&allocator);
    struct weir_ad_hoc *used = by_text(limits, "7/m", "");
    for (unsigned i = 1; i <= 8 * WEIR_AD_HOC_MAX; i++) {
        weir_ad_hoc_release(by_spec(limits, i, 60000000, i));
        /* The limits themselves, what is kept of each, the table, and the one in use. */
        assert_true(live <= 2 * WEIR_AD_HOC_MAX + 4);
    }
    /* It went from the table long ago, and is there as long as it is used. */
    char text[WEIR_TEXT_MAX];
    assert_int_equal(weir_limit_format(used->limit, text, sizeof(text), NULL), WEIR_OK);
    assert_string_equal(text, "7/m");
    weir_ad_hoc_release(used);
    weir_ad_hoc_limits_free(limits);
    assert_int_equal(live, 0);
}

static void what_is_no_limit_is_refused(void **state)
{
    (void)state;
    struct weir_ad_hoc_limits *limits = weir_ad_hoc_limits_new(NULL);
    struct weir_ad_hoc *limit = NULL;
    struct weir_error error = {0};
    char name[WEIR_NAME_MAX + 1];
    char text[WEIR_TEXT_MAX];
    memset(name, 'n', sizeof(name));
    assert_int_equal(weir_ad_hoc_text(limits, weir_text("5/parsec"), weir_text(""), &limit, &error),
                     WEIR_ERR_LIMIT);
    assert_true(error.message[0] != '\0');
    assert_int_equal(weir_ad_hoc_text(limits, weir_text(""), weir_text(""), &limit, &error),
                     WEIR_ERR_LIMIT);
    assert_int_equal(
        weir_ad_hoc_text(limits, weir_bytes("5/m\0x", 5), weir_text(""), &limit, &error),
        WEIR_ERR_LIMIT);
    assert_int_equal(
        weir_ad_hoc_text(limits, weir_text("5/m"), weir_bytes(name, sizeof(name)), &limit, &error),
        WEIR_ERR_ARGUMENT);
    assert_int_equal(
        weir_ad_hoc_text(limits, weir_text("5/m"), weir_bytes(name, WEIR_NAME_MAX), &limit, &error),
        WEIR_OK);
    weir_ad_hoc_release(limit);
    /* Blanks to fill a text up to the bound, and one past it. */
    memset(text, ' ', sizeof(text));
    memcpy(text, "5/m", 3);
    assert_int_equal(weir_ad_hoc_text(limits, weir_bytes(text, WEIR_TEXT_MAX - 1), weir_text(""),
                                      &limit, &error),
                     WEIR_OK);
    weir_ad_hoc_release(limit);
    assert_int_equal(
        weir_ad_hoc_text(limits, weir_bytes(text, WEIR_TEXT_MAX), weir_text(""), &limit, &error),
        WEIR_ERR_LIMIT);
    weir_ad_hoc_limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_read_once),
        cmocka_unit_test(what_differs_is_not_mixed_up),
        cmocka_unit_test(a_flood_of_limits_takes_bounded_memory),
        cmocka_unit_test(what_is_no_limit_is_refused),
    };
    return cmocka_run_group_tests_name("ad_hoc_limits", tests, NULL, NULL);
}
