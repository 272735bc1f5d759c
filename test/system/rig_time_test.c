/* rig_time_test.c - a server of test/support/rig.h can have a time of day of its own. */

#include "support/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static int64_t server_seconds(const struct rig_redis *redis)
{
    return strtoll(rig_redis_command(redis, "TIME", NULL), NULL, 10);
}

static void the_server_has_a_clock_of_its_own(void **state)
{
    (void)state;
    const struct rig_redis_options options = {.clock = true};
    struct rig_redis *redis = rig_redis_start(&options);
    const int64_t start = server_seconds(redis);
    rig_redis_shift_clock(redis, INT64_C(5000) * 1000000);
    assert_in_range(server_seconds(redis) - start, 5000, 5000 + RIG_PATIENCE_MS / 1000);
    rig_redis_shift_clock(redis, INT64_C(-5000) * 1000000);
    assert_in_range(start - server_seconds(redis), 5000 - RIG_PATIENCE_MS / 1000, 5000);
    rig_redis_stop(redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_has_a_clock_of_its_own),
    };
    return cmocka_run_group_tests_name("rig_time", tests, NULL, NULL);
}
