/* traces_test.c - random traces on every subject, against the model: the same answers to the last
 * microsecond.
 *
 * WEIR_TRACES=20 looks twenty times as long, WEIR_SEED=N starts from another place; a failure
 * prints the seed and the trace, shrunk, as a vector. */

#include "prop/trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void search(const struct subject *subject, enum weir_algorithm algorithm, size_t rounds)
{
    const struct trace_wish wish = {
        .algorithm = algorithm,
        .steps = 100,
        .clock_steps = true,
        .limit_changes = true,
        .zone = "",
    };
    assert_int_equal(trace_search(subject, &wish, random_rounds(rounds)), 0);
}

#define TRACES(subject, name, algorithm, rounds)       \
    static void subject##_##name(void **state)         \
    {                                                  \
        (void)state;                                   \
        search(&subject_##subject, algorithm, rounds); \
    }

TRACES(algo, token_bucket, WEIR_TOKEN_BUCKET, 6000)
TRACES(algo, leaky_bucket, WEIR_LEAKY_BUCKET, 3000)
TRACES(algo, fixed_window, WEIR_FIXED_WINDOW, 6000)
TRACES(algo, calendar_window, WEIR_CALENDAR_WINDOW, 3000)
TRACES(algo, sliding_window, WEIR_SLIDING_WINDOW, 3000)
TRACES(memory, token_bucket, WEIR_TOKEN_BUCKET, 2000)
TRACES(memory, leaky_bucket, WEIR_LEAKY_BUCKET, 1000)
TRACES(memory, fixed_window, WEIR_FIXED_WINDOW, 2000)
TRACES(memory, calendar_window, WEIR_CALENDAR_WINDOW, 1000)
TRACES(memory, sliding_window, WEIR_SLIDING_WINDOW, 1000)
TRACES(memory, sliding_log, WEIR_SLIDING_LOG, 4000)
TRACES(shm, token_bucket, WEIR_TOKEN_BUCKET, 1000)
TRACES(shm, leaky_bucket, WEIR_LEAKY_BUCKET, 1000)
TRACES(shm, fixed_window, WEIR_FIXED_WINDOW, 1000)
TRACES(shm, calendar_window, WEIR_CALENDAR_WINDOW, 500)
TRACES(shm, sliding_window, WEIR_SLIDING_WINDOW, 500)

/* One request asked by weir_check_all, or in a batch, is answered as one asked by weir_check. */
static void on_every_algorithm(const struct subject *subject)
{
    for (unsigned algorithm = 0; algorithm <= WEIR_SLIDING_LOG; algorithm++) {
        search(subject, (enum weir_algorithm)algorithm, 500);
    }
}

static void all_of_one(void **state)
{
    (void)state;
    on_every_algorithm(&subject_all);
}

static void batches_of_one(void **state)
{
    (void)state;
    on_every_algorithm(&subject_batch);
}

/* Zones with clocks that change at midnight, by half an hour, with a day left out, and south of the
 * equator. */
static void calendar_in_zones(void **state)
{
    static const char *const zones[] = {"Europe/Rome", "America/Sao_Paulo", "Australia/Lord_Howe",
                                        "Pacific/Apia"};
    (void)state;
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        const struct trace_wish wish = {
            .algorithm = WEIR_CALENDAR_WINDOW,
            .steps = 20,
            .clock_steps = true,
            .limit_changes = true,
            .zone = zones[i],
        };
        assert_int_equal(trace_search(&subject_algo, &wish, random_rounds(15)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algo_token_bucket),
        cmocka_unit_test(algo_leaky_bucket),
        cmocka_unit_test(algo_fixed_window),
        cmocka_unit_test(algo_calendar_window),
        cmocka_unit_test(algo_sliding_window),
        cmocka_unit_test(memory_token_bucket),
        cmocka_unit_test(memory_leaky_bucket),
        cmocka_unit_test(memory_fixed_window),
        cmocka_unit_test(memory_calendar_window),
        cmocka_unit_test(memory_sliding_window),
        cmocka_unit_test(memory_sliding_log),
        cmocka_unit_test(shm_token_bucket),
        cmocka_unit_test(shm_leaky_bucket),
        cmocka_unit_test(shm_fixed_window),
        cmocka_unit_test(shm_calendar_window),
        cmocka_unit_test(shm_sliding_window),
        cmocka_unit_test(all_of_one),
        cmocka_unit_test(batches_of_one),
        cmocka_unit_test(calendar_in_zones),
    };
    return cmocka_run_group_tests_name("traces", tests, NULL, NULL);
}
