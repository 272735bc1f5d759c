/* vector.h - traces and what comes of them as text: the files of test/vectors, whose README.md
 * describes the form. */

#ifndef WEIR_TEST_PROP_VECTOR_H
#define WEIR_TEST_PROP_VECTOR_H

#include "prop/trace.h"

#include <stdio.h>

/* Time 0 of every case: 2026-01-01 00:00 UTC, a Thursday. */
#define VECTOR_EPOCH_US INT64_C(1767225600000000)

/* Writes the trace with the answers of the model, as one case. */
void vector_write(FILE *file, const struct trace *trace);
void vector_write_verdict(FILE *file, const struct weir_decision *decision);

/* Writes the line of answers that the model gives to steps under one limit. */
struct model;
void vector_write_verdicts(FILE *file, struct model *model, const struct trace_step *steps,
                           size_t count);

/* A file of cases, read case by case. */
struct vector_reader {
    const char *text;  /* what is left to read; borrowed */
    size_t line;       /* of `text` in the file, from 1 */
    size_t case_line;  /* where the case that was read last starts */
    char problem[160]; /* why the last case could not be read; empty where it could */
};

/* The expected answers of a case, one for each step; those of a TRACE_LIMIT or TRACE_RESET are
 * zero. */
struct vector_answers {
    struct weir_decision *decisions;
    size_t count;
    size_t room;
};

void vector_answers_deinit(struct vector_answers *answers);

/* Reads the next case. False at the end of the file, or with `problem` set. */
bool vector_read(struct vector_reader *reader, struct trace *ret_trace,
                 struct vector_answers *ret_answers);

/* ---- Running: vector_run.c ---- */

#define VECTOR_FILES_MAX 64

struct vector_file {
    char name[256];
    char *text;
};

/* The files of a folder, whole. */
struct vectors {
    struct vector_file files[VECTOR_FILES_MAX];
    size_t count;
};

/* Reads all vectors in `folder`; the process ends where there are none. */
void vectors_load(struct vectors *vectors, const char *folder);
void vectors_unload(struct vectors *vectors);

/* Runs every case that the subject can hold, and fails the test where an answer is another. */
void vectors_run(const struct vectors *vectors, const struct subject *subject);

#endif
