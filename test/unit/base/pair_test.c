/* pair_test.c - sixteen bytes are read and swapped whole, or not at all. */

#include "base/pair.h"
#include "support/fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CROWD 4

static void this_processor_has_what_is_used(void **state)
{
    (void)state;
    assert_true(weir_pair_supported());
}

static void a_load_gives_both_halves_each_in_its_place(void **state)
{
    (void)state;
    struct weir_pair at = {UINT64_C(0x1122334455667788), UINT64_C(0x99aabbccddeeff00)};
    const struct weir_pair value = weir_pair_load(&at);
    assert_int_equal(value.low, UINT64_C(0x1122334455667788));
    assert_int_equal(value.high, UINT64_C(0x99aabbccddeeff00));
    assert_int_equal(weir_pair_low(&at), UINT64_C(0x1122334455667788));
    assert_int_equal(at.low, UINT64_C(0x1122334455667788));
    assert_int_equal(at.high, UINT64_C(0x99aabbccddeeff00));
}

static void a_swap_of_what_is_there_succeeds(void **state)
{
    (void)state;
    struct weir_pair around[3] = {{1, 2}, {3, 4}, {5, 6}};
    assert_true(weir_pair_swap(&around[1], (struct weir_pair){3, 4}, (struct weir_pair){7, 8}));
    assert_int_equal(around[1].low, 7);
    assert_int_equal(around[1].high, 8);
    assert_int_equal(around[0].low + around[0].high, 3);
    assert_int_equal(around[2].low + around[2].high, 11);
}

/* Any one bit that is not as expected is enough, in either half. */
static void a_swap_of_anything_else_changes_nothing(void **state)
{
    (void)state;
    const struct weir_pair there = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};
    struct weir_pair at = there;
    for (unsigned bit = 0; bit < 128; bit++) {
        struct weir_pair expected = there;
        *(bit < 64 ? &expected.low : &expected.high) ^= UINT64_C(1) << bit % 64;
        assert_false(weir_pair_swap(&at, expected, (struct weir_pair){1, 1}));
        assert_int_equal(at.low, there.low);
        assert_int_equal(at.high, there.high);
    }
}

struct counted {
    struct weir_pair pair;
    unsigned torn;
    unsigned rounds;
};

/* high is always the complement of low: a load that saw half of a swap would see something else. */
static void count_up(void *shared, unsigned index)
{
    struct counted *counted = shared;
    (void)index;
    for (unsigned i = 0; i < counted->rounds; i++) {
        struct weir_pair value;
        do {
            value = weir_pair_load(&counted->pair);
            if (value.high != ~value.low) {
                (void)__atomic_add_fetch(&counted->torn, 1, __ATOMIC_RELAXED);
                return;
            }
        } while (!weir_pair_swap(&counted->pair, value,
                                 (struct weir_pair){value.low + 1, ~(value.low + 1)}));
    }
}

static void threads_see_no_half_and_lose_no_swap(void **state)
{
    (void)state;
    struct counted counted = {{0, UINT64_MAX}, 0, (unsigned)random_rounds(200000)};
    fixture_threads(CROWD, count_up, &counted);
    assert_int_equal(counted.torn, 0);
    assert_int_equal(counted.pair.low, (uint64_t)CROWD * counted.rounds);
}

static void processes_see_no_half_and_lose_no_swap(void **state)
{
    (void)state;
    struct counted *counted = fixture_shared(sizeof(*counted));
    *counted = (struct counted){{0, UINT64_MAX}, 0, (unsigned)random_rounds(200000)};
    fixture_processes(CROWD, count_up, counted);
    assert_int_equal(counted->torn, 0);
    assert_int_equal(counted->pair.low, (uint64_t)CROWD * counted->rounds);
    fixture_shared_free(counted, sizeof(*counted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_processor_has_what_is_used),
        cmocka_unit_test(a_load_gives_both_halves_each_in_its_place),
        cmocka_unit_test(a_swap_of_what_is_there_succeeds),
        cmocka_unit_test(a_swap_of_anything_else_changes_nothing),
        cmocka_unit_test(threads_see_no_half_and_lose_no_swap),
        cmocka_unit_test(processes_see_no_half_and_lose_no_swap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
