/* redis_traces_test.c - random traces on the scripts of a real server, against the model.
 *
 * As traces_test.c, with fewer of them, as each step is a round trip. */

#include "prop/subject_redis.h"
#include "prop/trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void search(const struct subject *subject, enum weir_algorithm algorithm, const char *zone,
                   size_t rounds)
{
    const struct trace_wish wish = {
        .algorithm = algorithm,
        .steps = 100,
        .clock_steps = true,
        .limit_changes = true,
        .zone = zone,
    };
    assert_int_equal(trace_search(subject, &wish, random_rounds(rounds)), 0);
}

#define TRACES(name, algorithm)                              \
    static void name(void **state)                           \
    {                                                        \
        (void)state;                                         \
        search(&subject_redis, algorithm, "", 300);          \
    }                                                        \
    static void name##_together(void **state)                \
    {                                                        \
        (void)state;                                         \
        search(&subject_redis_together, algorithm, "", 100); \
    }

TRACES(token_bucket, WEIR_TOKEN_BUCKET)
TRACES(leaky_bucket, WEIR_LEAKY_BUCKET)
TRACES(fixed_window, WEIR_FIXED_WINDOW)
TRACES(calendar_window, WEIR_CALENDAR_WINDOW)
TRACES(sliding_window, WEIR_SLIDING_WINDOW)
TRACES(sliding_log, WEIR_SLIDING_LOG)

static void calendar_in_zones(void **state)
{
    static const char *const zones[] = {"Europe/Rome", "America/Sao_Paulo", "Australia/Lord_Howe",
                                        "Pacific/Apia"};
    (void)state;
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        search(&subject_redis, WEIR_CALENDAR_WINDOW, zones[i], 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_bucket),      cmocka_unit_test(token_bucket_together),
        cmocka_unit_test(leaky_bucket),      cmocka_unit_test(leaky_bucket_together),
        cmocka_unit_test(fixed_window),      cmocka_unit_test(fixed_window_together),
        cmocka_unit_test(calendar_window),   cmocka_unit_test(calendar_window_together),
        cmocka_unit_test(sliding_window),    cmocka_unit_test(sliding_window_together),
        cmocka_unit_test(sliding_log),       cmocka_unit_test(sliding_log_together),
        cmocka_unit_test(calendar_in_zones),
    };
    return cmocka_run_group_tests_name("redis_traces", tests, NULL, NULL);
}
