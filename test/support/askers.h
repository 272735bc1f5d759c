/* askers.h - threads that ask a store the same questions in turn, and count for each question what
 * came of it: budgets that are exact can be checked against that. */

#ifndef WEIR_TEST_SUPPORT_ASKERS_H
#define WEIR_TEST_SUPPORT_ASKERS_H

#include "weir/weir.h"

#define ASKERS_QUESTIONS_MAX 64
#define ASKERS_THREADS_MAX 8

/* One question: requests that pass together, or one alone. */
struct askers_question {
    struct weir_request requests[4];
    size_t count;
};

/* What came of one question. */
struct askers_count {
    uint64_t admitted; /* by Redis */
    uint64_t denied;   /* by Redis, or by the deny cache */
    uint64_t failed;   /* Redis did not answer, and on_error did */
};

struct askers;

/* Starts `threads` threads that ask all questions in turn until they are stopped. `questions` are
 * copied, but not what they point to. */
struct askers *askers_start(struct weir *weir, const struct askers_question *questions,
                            size_t count, unsigned threads);

/* What has been counted so far of one question. */
struct askers_count askers_counted(struct askers *askers, size_t question);

/* Waits until so many have been admitted in all; until it is denied, or fails, from now on. What
 * Redis had answered by a denial is then counted: a thread may have its answer for a while before
 * it says so, and another may have had, and counted, a later one meanwhile. */
void askers_wait_admitted(struct askers *askers, size_t question, uint64_t at_least);
void askers_wait_denied(struct askers *askers, size_t question);
void askers_wait_failed(struct askers *askers, size_t question);

/* Waits until Redis answers it, from now on; returns how long that took, in microseconds. */
int64_t askers_wait_answered(struct askers *askers, size_t question);

void askers_stop(struct askers *askers);

#endif
