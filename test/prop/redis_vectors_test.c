/* redis_vectors_test.c - every file of test/vectors on the scripts of a real server.
 *
 * The folder is that of the first argument, or test/vectors of the current one. */

#include "prop/subject_redis.h"
#include "prop/vector.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void each_by_itself(void **state)
{
    vectors_run(*state, &subject_redis);
}

static void together(void **state)
{
    vectors_run(*state, &subject_redis_together);
}

int main(int count, char **arguments)
{
    static struct vectors vectors;
    vectors_load(&vectors, count > 1 ? arguments[1] : "test/vectors");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(each_by_itself, &vectors),
        cmocka_unit_test_prestate(together, &vectors),
    };
    const int failed = cmocka_run_group_tests_name("redis_vectors", tests, NULL, NULL);
    vectors_unload(&vectors);
    return failed;
}
