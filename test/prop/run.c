/* run.c - a trace on a subject, step by step beside the model. */

#include "prop/trace.h"

#include "prop/model.h"
#include "prop/vector.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void trace_init(struct trace *trace)
{
    *trace = (struct trace){NULL, 0, 0};
}

void trace_deinit(struct trace *trace)
{
    free(trace->steps);
    trace_init(trace);
}

void trace_append(struct trace *trace, const struct trace_step *step)
{
    if (trace->count == trace->room) {
        trace->room = trace->room == 0 ? 64 : trace->room * 2;
        trace->steps = realloc(trace->steps, trace->room * sizeof(trace->steps[0]));
        assert(trace->steps != NULL);
    }
    trace->steps[trace->count] = *step;
    trace->count++;
}

void trace_copy(struct trace *to, const struct trace *from)
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        trace_append(to, &from->steps[i]);
    }
}

bool decision_same(const struct weir_decision *a, const struct weir_decision *b)
{
    return a->allowed == b->allowed && a->blocked == b->blocked && a->limit == b->limit &&
           a->remaining == b->remaining && a->retry_after_us == b->retry_after_us &&
           a->reset_after_us == b->reset_after_us && a->delay_us == b->delay_us;
}

void subject_step(const struct subject *subject, void *self, const struct trace_step *step,
                  struct weir_decision *ret_decision)
{
    switch (step->verb) {
    case TRACE_CHECK:
        subject->check(self, step->cost, step->now_us, ret_decision);
        return;
    case TRACE_PEEK:
        subject->peek(self, step->cost, step->now_us, ret_decision);
        return;
    case TRACE_REFUND:
        subject->refund(self, step->cost, step->now_us, ret_decision);
        return;
    case TRACE_RESET:
        subject->reset(self);
        return;
    case TRACE_LIMIT:
        subject->limit(self, &step->spec);
        return;
    }
    assert(!"no such verb");
}

size_t trace_run(const struct trace *trace, const struct subject *subject, void *self,
                 struct weir_decision *ret_expected, struct weir_decision *ret_found)
{
    struct model *model = model_new();
    subject->fresh(self);
    size_t i = 0;
    for (; i < trace->count; i++) {
        struct weir_decision expected = {0};
        struct weir_decision found = {0};
        subject_step(&subject_model, model, &trace->steps[i], &expected);
        subject_step(subject, self, &trace->steps[i], &found);
        if (!decision_same(&expected, &found)) {
            *ret_expected = expected;
            *ret_found = found;
            break;
        }
    }
    model_free(model);
    return i;
}

static void report(struct trace *trace, const struct subject *subject, void *self, uint64_t seed)
{
    struct weir_decision expected;
    struct weir_decision found;
    trace_shrink(trace, subject, self);
    const size_t at = trace_run(trace, subject, self, &expected, &found);
    assert(at < trace->count);
    trace->count = at + 1;
    fprintf(stderr, "# %s differs from the model; WEIR_SEED=%llu makes this trace.\n# answer: ",
            subject->name, (unsigned long long)seed);
    vector_write_verdict(stderr, &found);
    fprintf(stderr, ", the model's is the last below:\n");
    vector_write(stderr, trace);
}

int trace_search(const struct subject *subject, const struct trace_wish *wish, size_t rounds)
{
    const uint64_t seed = random_seed(1);
    struct trace trace;
    trace_init(&trace);
    void *self = subject->open();
    int failed = 0;
    for (uint64_t round = 0; round < rounds && failed == 0; round++) {
        struct weir_decision expected;
        struct weir_decision found;
        struct random random = random_from(seed + round);
        struct trace_wish own = *wish;
        own.clock_steps = wish->clock_steps && random_once_in(&random, 2);
        own.limit_changes = wish->limit_changes && random_once_in(&random, 2);
        own.back_us = subject->back_us;
        own.forward_us = subject->forward_us;
        trace_generate(&trace, &own, &random);
        if (trace_run(&trace, subject, self, &expected, &found) < trace.count) {
            report(&trace, subject, self, seed + round);
            failed = 1;
        }
    }
    subject->close(self);
    trace_deinit(&trace);
    return failed;
}
