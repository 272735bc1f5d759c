/* shrink.c - a failing trace made small: spans of steps removed, numbers halved, as long as it
 * still fails. */

#include "prop/trace.h"

#include <assert.h>
#include <string.h>

struct shrinking {
    const struct subject *subject;
    void *self;
    struct trace best;
    struct trace attempt;
    size_t tries;
};

#define TRIES_MAX 20000

/* Whether this is a trace at all: of limits that can be had, at times that the subject can tell
 * apart. */
static bool valid(const struct trace *trace, const struct subject *subject)
{
    int64_t latest_us = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_step *step = &trace->steps[i];
        latest_us = step->now_us > latest_us ? step->now_us : latest_us;
        if (step->now_us < 0 || step->now_us > WEIR_TIME_MAX ||
            latest_us - step->now_us > subject->back_us ||
            latest_us - trace->steps[0].now_us > subject->forward_us) {
            return false;
        }
        struct weir_limit *limit;
        if (step->verb == TRACE_LIMIT) {
            if (weir_limit_new(&step->spec, NULL, &limit, NULL) != WEIR_OK) {
                return false;
            }
            weir_limit_free(limit);
        }
    }
    return trace->count > 0 && trace->steps[0].verb == TRACE_LIMIT;
}

/* Takes the attempt for the best so far if it still fails, cut after the step that does. */
static bool keep_if_failing(struct shrinking *s)
{
    struct weir_decision expected;
    struct weir_decision found;
    if (s->tries++ >= TRIES_MAX || !valid(&s->attempt, s->subject)) {
        return false;
    }
    const size_t at = trace_run(&s->attempt, s->subject, s->self, &expected, &found);
    if (at == s->attempt.count) {
        return false;
    }
    s->attempt.count = at + 1;
    trace_copy(&s->best, &s->attempt);
    return true;
}

/* Removes steps from..from+count-1; with `close_gap` what follows moves up in time. */
static bool without(struct shrinking *s, size_t from, size_t count, bool close_gap)
{
    trace_copy(&s->attempt, &s->best);
    struct trace_step *steps = s->attempt.steps;
    const size_t end = from + count;
    const int64_t gap_us = close_gap && end < s->best.count && from > 0
                               ? steps[end - 1].now_us - steps[from - 1].now_us
                               : 0;
    memmove(&steps[from], &steps[end], (s->best.count - end) * sizeof(steps[0]));
    s->attempt.count = s->best.count - count;
    for (size_t i = from; i < s->attempt.count; i++) {
        steps[i].now_us -= gap_us;
    }
    return keep_if_failing(s);
}

static bool remove_spans(struct shrinking *s)
{
    bool smaller = false;
    for (size_t count = s->best.count / 2; count >= 1; count /= 2) {
        for (size_t from = 0; from + count <= s->best.count;) {
            if (without(s, from, count, false) || without(s, from, count, true)) {
                smaller = true;
            } else {
                from++;
            }
        }
    }
    return smaller;
}

/* The numbers of a step that can be made smaller, one after another. */
static uint64_t *number_of(struct trace_step *step, unsigned which)
{
    switch (which) {
    case 0:
        return &step->cost;
    case 1:
        return &step->spec.count;
    case 2:
        return &step->spec.burst;
    case 3:
        return (uint64_t *)&step->spec.period_us;
    case 4:
        return (uint64_t *)&step->spec.block_us;
    default:
        return NULL;
    }
}

/* Tries smaller values of one number: 0, half of it, a round one below it, one less. */
static bool smaller_number(struct shrinking *s, size_t at, unsigned which)
{
    const uint64_t old = *number_of(&s->best.steps[at], which);
    const uint64_t candidates[] = {0, 1, old / 2, old / 1000000 * 1000000, old / 10 * 10, old - 1};
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (candidates[i] >= old) {
            continue;
        }
        trace_copy(&s->attempt, &s->best);
        *number_of(&s->attempt.steps[at], which) = candidates[i];
        if (keep_if_failing(s)) {
            return true;
        }
    }
    return false;
}

/* Tries a smaller distance in time to the step before; all that follows moves along. */
static bool smaller_gap(struct shrinking *s, size_t at)
{
    const int64_t before_us = at == 0 ? 0 : s->best.steps[at - 1].now_us;
    const int64_t gap_us = s->best.steps[at].now_us - before_us;
    const int64_t candidates[] = {0, gap_us / 2, gap_us / 1000000 * 1000000, gap_us / 10 * 10,
                                  gap_us > 0 ? gap_us - 1 : gap_us + 1};
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]) && gap_us != 0; i++) {
        if (candidates[i] == gap_us) {
            continue;
        }
        trace_copy(&s->attempt, &s->best);
        for (size_t j = at; j < s->attempt.count; j++) {
            s->attempt.steps[j].now_us -= gap_us - candidates[i];
        }
        if (keep_if_failing(s)) {
            return true;
        }
    }
    return false;
}

static bool halve_numbers(struct shrinking *s)
{
    bool smaller = false;
    for (size_t at = 0; at < s->best.count; at++) {
        while (at < s->best.count && smaller_gap(s, at)) {
            smaller = true;
        }
        for (unsigned which = 0; which < 5; which++) {
            while (at < s->best.count && smaller_number(s, at, which)) {
                smaller = true;
            }
        }
    }
    return smaller;
}

void trace_shrink(struct trace *trace, const struct subject *subject, void *self)
{
    struct shrinking s = {.subject = subject, .self = self};
    trace_init(&s.best);
    trace_init(&s.attempt);
    trace_copy(&s.attempt, trace);
    const bool fails = keep_if_failing(&s);
    assert(fails);
    (void)fails;
    bool smaller = true;
    while (smaller && s.tries < TRIES_MAX) {
        smaller = remove_spans(&s);
        smaller = halve_numbers(&s) || smaller;
    }
    trace_copy(trace, &s.best);
    trace_deinit(&s.best);
    trace_deinit(&s.attempt);
}
