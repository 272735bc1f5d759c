/* vector_write.c - a trace as a case of a vector file. */

#include "prop/vector.h"

#include "prop/model.h"

#include <inttypes.h>
#include <stdlib.h>

/* In the largest unit of which it is a whole number. */
static void write_duration(FILE *file, int64_t duration_us)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"h", INT64_C(3600000000)}, {"m", 60000000}, {"s", 1000000}, {"ms", 1000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (duration_us != 0 && duration_us % units[i].us == 0) {
            fprintf(file, "%" PRId64 "%s", duration_us / units[i].us, units[i].name);
            return;
        }
    }
    fprintf(file, duration_us == 0 ? "0" : "%" PRId64 "us", duration_us);
}

static void write_limit(FILE *file, const struct weir_limit_spec *spec)
{
    static const char *const algorithms[] = {"token-bucket",    "leaky-bucket",   "fixed-window",
                                             "calendar-window", "sliding-window", "sliding-log"};
    static const char *const units[] = {"", "minute", "hour", "day", "week", "month", "year"};
    fprintf(file, "%" PRIu64 "/", spec->count);
    if (spec->period_us == 0) {
        fprintf(file, "%s", units[spec->calendar]);
    } else {
        write_duration(file, spec->period_us);
    }
    fprintf(file, " %s", algorithms[spec->algorithm]);
    if (spec->calendar == WEIR_CALENDAR_EPOCH) {
        fprintf(file, " epoch");
    } else if (spec->zone[0] != '\0') {
        fprintf(file, " %s", spec->zone);
    }
    if (spec->burst != 0) {
        fprintf(file, " burst %" PRIu64, spec->burst);
    }
    if (spec->block_us != 0) {
        fprintf(file, " block ");
        write_duration(file, spec->block_us);
    }
    fprintf(file, "\n");
}

static void write_arrival(FILE *file, const struct trace_step *step)
{
    write_duration(file, step->now_us - VECTOR_EPOCH_US);
    switch (step->verb) {
    case TRACE_CHECK:
        if (step->cost != 1) {
            fprintf(file, "*%" PRIu64, step->cost);
        }
        return;
    case TRACE_PEEK:
        fprintf(file, "?");
        break;
    case TRACE_REFUND:
        fprintf(file, "<");
        break;
    case TRACE_RESET:
    case TRACE_LIMIT:
        fprintf(file, "!");
        return;
    }
    if (step->cost != 1) {
        fprintf(file, "%" PRIu64, step->cost);
    }
}

void vector_write_verdict(FILE *file, const struct weir_decision *decision)
{
    fprintf(file, "%c%" PRIu64 "/",
            decision->allowed   ? '+'
            : decision->blocked ? 'x'
                                : '-',
            decision->remaining);
    write_duration(file, decision->reset_after_us);
    if (decision->retry_after_us == WEIR_NEVER) {
        fprintf(file, ">never");
    } else if (decision->retry_after_us != 0 || !decision->allowed) {
        fprintf(file, ">");
        write_duration(file, decision->retry_after_us);
    }
    if (decision->delay_us != 0) {
        fprintf(file, "~");
        write_duration(file, decision->delay_us);
    }
}

void vector_write_verdicts(FILE *file, struct model *model, const struct trace_step *steps,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct weir_decision decision = {0};
        subject_step(&subject_model, model, &steps[i], &decision);
        if (steps[i].verb == TRACE_RESET) {
            fprintf(file, ".");
        } else {
            vector_write_verdict(file, &decision);
        }
        fprintf(file, i + 1 < count ? " " : "\n");
    }
}

void vector_write(FILE *file, const struct trace *trace)
{
    struct model *model = model_new();
    for (size_t from = 0; from < trace->count;) {
        /* A limit, and the arrivals until the next one. A limit that nobody met is left out. */
        size_t end = from + 1;
        while (end < trace->count && trace->steps[end].verb != TRACE_LIMIT) {
            end++;
        }
        model_limit(model, &trace->steps[from].spec);
        if (end > from + 1) {
            write_limit(file, &trace->steps[from].spec);
        }
        for (size_t i = from + 1; i < end; i++) {
            write_arrival(file, &trace->steps[i]);
            fprintf(file, i + 1 < end ? " " : "\n");
        }
        if (end > from + 1) {
            vector_write_verdicts(file, model, &trace->steps[from + 1], end - from - 1);
        }
        from = end;
    }
    model_free(model);
}
