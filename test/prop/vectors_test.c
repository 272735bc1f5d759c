/* vectors_test.c - every file of test/vectors, on the model, on the steps, and on every store.
 *
 * The folder is that of the first argument, or test/vectors of the current one. */

#include "prop/vector.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void on_the_model(void **state)
{
    vectors_run(*state, &subject_model);
}

static void on_the_steps(void **state)
{
    vectors_run(*state, &subject_algo);
}

static void on_memory(void **state)
{
    vectors_run(*state, &subject_memory);
}

static void on_shm(void **state)
{
    vectors_run(*state, &subject_shm);
}

/* A file that breaks off, or has other words than README.md knows, is not taken for a shorter one.
 */
static void an_unreadable_file_is_found(void **state)
{
    static const char *const unreadable[] = {
        "5/10s fixed-window\n0 1s\n+4/10s\n",
        "5/10s fixed-window\n0\n+4/10s +3/9s\n",
        "5/10s fixed-window\n0 1q\n+4/10s +3/9s\n",
        "5/10s fixed-window\n0\n4/10s\n",
        "5/10s fixed-window\n0\n",
        "5 in 10s\n0\n+4/10s\n",
        "5/10s fixed-window\n0*x\n+4/10s\n",
        "5/10s fixed-window\n0\n+4/10s>x\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
        struct vector_reader reader = {.text = unreadable[i]};
        struct vector_answers answers = {NULL, 0, 0};
        struct trace trace;
        trace_init(&trace);
        assert_false(vector_read(&reader, &trace, &answers));
        assert_string_not_equal(reader.problem, "");
        trace_deinit(&trace);
        vector_answers_deinit(&answers);
    }
}

int main(int count, char **arguments)
{
    static struct vectors vectors;
    vectors_load(&vectors, count > 1 ? arguments[1] : "test/vectors");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(on_the_model, &vectors),
        cmocka_unit_test_prestate(on_the_steps, &vectors),
        cmocka_unit_test_prestate(on_memory, &vectors),
        cmocka_unit_test_prestate(on_shm, &vectors),
        cmocka_unit_test(an_unreadable_file_is_found),
    };
    const int failed = cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
    vectors_unload(&vectors);
    return failed;
}
