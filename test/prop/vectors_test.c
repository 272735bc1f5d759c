/* vectors_test.c - every file of test/vectors, on the model, on the steps, and on every store.
 *
 * The folder is that of the first argument, or test/vectors of the current one. */

#include "prop/vector.h"

#include <assert.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILES_MAX 64

struct vector_file {
    char name[256];
    char *text;
};

struct vectors {
    struct vector_file files[FILES_MAX];
    size_t count;
};

static char *read_file(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert(file != NULL);
    assert(fseek(file, 0, SEEK_END) == 0);
    const long size = ftell(file);
    assert(size > 0 && fseek(file, 0, SEEK_SET) == 0);
    char *text = malloc((size_t)size + 1);
    assert(text != NULL);
    const size_t got = fread(text, 1, (size_t)size, file);
    assert(got == (size_t)size);
    text[got] = '\0';
    fclose(file);
    return text;
}

static int is_vectors(const struct dirent *entry)
{
    const char *ending = strrchr(entry->d_name, '.');
    return ending != NULL && strcmp(ending, ".txt") == 0 && strcmp(entry->d_name, "zones.txt") != 0;
}

static void load(struct vectors *vectors, const char *folder)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_vectors, alphasort);
    if (count <= 0 || count > FILES_MAX) {
        fprintf(stderr, "no vectors, or too many, in %s\n", folder);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        struct vector_file *file = &vectors->files[vectors->count];
        snprintf(file->name, sizeof(file->name), "%s", entries[i]->d_name);
        file->text = read_file(folder, entries[i]->d_name);
        vectors->count++;
        free(entries[i]);
    }
    free(entries);
}

static void unload(struct vectors *vectors)
{
    for (size_t i = 0; i < vectors->count; i++) {
        free(vectors->files[i].text);
    }
}

static void check_step(const char *where, size_t line, const struct trace_step *step,
                       const struct weir_decision *expected, const struct weir_decision *found)
{
    if (step->verb == TRACE_LIMIT || step->verb == TRACE_RESET || decision_same(expected, found)) {
        return;
    }
    fprintf(stderr, "# %s, the case of line %zu, at %lld us: expected ", where, line,
            (long long)(step->now_us - VECTOR_EPOCH_US));
    vector_write_verdict(stderr, expected);
    fprintf(stderr, ", is ");
    vector_write_verdict(stderr, found);
    fprintf(stderr, "\n");
    fail();
}

/* Runs one file; how many cases the subject could hold. */
static size_t run_file(const struct vector_file *file, const struct subject *subject, void *self)
{
    struct vector_reader reader = {.text = file->text};
    struct vector_answers answers = {NULL, 0, 0};
    struct trace trace;
    size_t cases = 0;
    trace_init(&trace);
    while (vector_read(&reader, &trace, &answers)) {
        if (!subject->holds(trace.steps[0].spec.algorithm)) {
            continue;
        }
        subject->fresh(self);
        for (size_t i = 0; i < trace.count; i++) {
            struct weir_decision found = {0};
            subject_step(subject, self, &trace.steps[i], &found);
            check_step(file->name, reader.case_line, &trace.steps[i], &answers.decisions[i],
                       &found);
        }
        cases++;
    }
    trace_deinit(&trace);
    vector_answers_deinit(&answers);
    assert_string_equal(reader.problem, "");
    return cases;
}

static void run_all(void **state, const struct subject *subject)
{
    const struct vectors *vectors = *state;
    size_t cases = 0;
    for (size_t i = 0; i < vectors->count; i++) {
        void *self = subject->open();
        cases += run_file(&vectors->files[i], subject, self);
        subject->close(self);
    }
    assert_true(cases > 0);
}

static void on_the_model(void **state)
{
    run_all(state, &subject_model);
}

static void on_the_steps(void **state)
{
    run_all(state, &subject_algo);
}

static void on_memory(void **state)
{
    run_all(state, &subject_memory);
}

static void on_shm(void **state)
{
    run_all(state, &subject_shm);
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
    load(&vectors, count > 1 ? arguments[1] : "test/vectors");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(on_the_model, &vectors),
        cmocka_unit_test_prestate(on_the_steps, &vectors),
        cmocka_unit_test_prestate(on_memory, &vectors),
        cmocka_unit_test_prestate(on_shm, &vectors),
        cmocka_unit_test(an_unreadable_file_is_found),
    };
    const int failed = cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
    unload(&vectors);
    return failed;
}
