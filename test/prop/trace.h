/* trace.h - what happens to a key, step by step; made at random, run against the model, and made
 * smaller where it shows a difference.
 *
 * Read model.h and subject.h first. vector.h is the text form of a trace. */

#ifndef WEIR_TEST_PROP_TRACE_H
#define WEIR_TEST_PROP_TRACE_H

#include "prop/subject.h"
#include "support/random.h"

enum trace_verb {
    TRACE_CHECK,
    TRACE_PEEK,
    TRACE_REFUND,
    TRACE_RESET,
    TRACE_LIMIT
};

struct trace_step {
    enum trace_verb verb;
    int64_t now_us;
    uint64_t cost;
    struct weir_limit_spec spec; /* TRACE_LIMIT: the limit from here on */
};

/* The first step is always a TRACE_LIMIT. */
struct trace {
    struct trace_step *steps;
    size_t count;
    size_t room;
};

void trace_init(struct trace *trace);
void trace_deinit(struct trace *trace);
void trace_append(struct trace *trace, const struct trace_step *step);
void trace_copy(struct trace *to, const struct trace *from);

/* ---- Making: generate.c ---- */

struct trace_wish {
    enum weir_algorithm algorithm;
    size_t steps;
    int64_t back_us; /* as for a subject */
    int64_t forward_us;
    bool clock_steps; /* the clock is set back, too */
    bool limit_changes;
    const char *zone; /* calendar-window; "" for UTC */
    uint64_t most;    /* the largest count and burst to begin with; 0: any */
    int64_t start_us; /* the time of the first step; 0: any */
};

/* A limit that weir_limit_new takes, tiny to extreme, mostly ugly. */
struct weir_limit_spec random_limit(struct random *random, enum weir_algorithm algorithm);

/* A trace, chosen with the model's answers in view: waits of exactly retry_after, costs of exactly
 * what remains, clocks set back to the edge of the slack. */
void trace_generate(struct trace *trace, const struct trace_wish *wish, struct random *random);

/* ---- Running: run.c ---- */

/* Runs the trace on a fresh key of the subject and of the model. trace->count where all answers are
 * the same, else the first step where they are not, with both answers. */
size_t trace_run(const struct trace *trace, const struct subject *subject, void *self,
                 struct weir_decision *ret_expected, struct weir_decision *ret_found);

/* Whether two decisions say the same, `source` apart. */
bool decision_same(const struct weir_decision *a, const struct weir_decision *b);

/* Puts one step to a subject. A TRACE_LIMIT or TRACE_RESET leaves the decision alone. */
void subject_step(const struct subject *subject, void *self, const struct trace_step *step,
                  struct weir_decision *ret_decision);

/* Makes a trace that fails on this subject as small as it gets. shrink.c. */
void trace_shrink(struct trace *trace, const struct subject *subject, void *self);

/* Makes `rounds` traces and runs them on the subject. 0 where all agree; else, with the shrunk
 * trace on stderr as a vector and the seed that makes it, 1. */
int trace_search(const struct subject *subject, const struct trace_wish *wish, size_t rounds);

#endif
