/* vector_run.c - every file of a folder of vectors, on a subject. See vector.h. */

#include "prop/vector.h"

#include <assert.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

void vectors_load(struct vectors *vectors, const char *folder)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_vectors, alphasort);
    if (count <= 0 || count > VECTOR_FILES_MAX) {
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

void vectors_unload(struct vectors *vectors)
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

void vectors_run(const struct vectors *vectors, const struct subject *subject)
{
    size_t cases = 0;
    for (size_t i = 0; i < vectors->count; i++) {
        void *self = subject->open();
        cases += run_file(&vectors->files[i], subject, self);
        subject->close(self);
    }
    assert_true(cases > 0);
}
