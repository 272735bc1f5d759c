/* make_vectors.c - the verdicts of test/vectors, by the model and never by the engine.
 *
 *     make_vectors verdicts < FILE     the same file, each verdict line replaced by what the model says
 *     make_vectors random ALGORITHM    random cases of one algorithm, e.g. sliding-window
 *
 * The first is for cases that a person has written: put any word where the verdicts go, and then
 * check what comes out by hand. test/vectors/README.md describes the form. */

#include "prop/model.h"
#include "prop/trace.h"
#include "prop/vector.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 16384
#define DAY INT64_C(86400000000)

/* ---- Verdicts for given cases ---- */

/* Reads limit and arrivals as one case, with a verdict for every arrival that is then not looked
 * at. */
static bool read_steps(const char *limit, const char *arrivals, struct trace *trace)
{
    static char text[3 * LINE_MAX_BYTES];
    size_t length = (size_t)snprintf(text, sizeof(text), "%s%s", limit, arrivals);
    for (const char *at = arrivals; *at != '\0'; at++) {
        if (*at != ' ' && *at != '\n' && (at == arrivals || at[-1] == ' ')) {
            length += (size_t)snprintf(text + length, sizeof(text) - length, ". ");
        }
    }
    struct vector_reader reader = {.text = text};
    struct vector_answers answers = {NULL, 0, 0};
    const bool done = vector_read(&reader, trace, &answers);
    if (!done) {
        fprintf(stderr, "make_vectors: %s\n%s%s", reader.problem, limit, arrivals);
    }
    vector_answers_deinit(&answers);
    return done;
}

static int write_verdicts(void)
{
    static char limit[LINE_MAX_BYTES];
    static char arrivals[LINE_MAX_BYTES];
    static char verdicts[LINE_MAX_BYTES];
    struct model *model = NULL;
    struct trace trace;
    int failed = 0;
    trace_init(&trace);
    while (failed == 0 && fgets(limit, sizeof(limit), stdin) != NULL) {
        fputs(limit, stdout);
        if (limit[0] == '\n') {
            model_free(model);
            model = NULL;
        }
        if (limit[0] == '\n' || limit[0] == '#') {
            continue;
        }
        if (fgets(arrivals, sizeof(arrivals), stdin) == NULL ||
            fgets(verdicts, sizeof(verdicts), stdin) == NULL ||
            !read_steps(limit, arrivals, &trace)) {
            failed = 1;
            break;
        }
        fputs(arrivals, stdout);
        model = model == NULL ? model_new() : model;
        model_limit(model, &trace.steps[0].spec);
        vector_write_verdicts(stdout, model, &trace.steps[1], trace.count - 1);
    }
    model_free(model);
    trace_deinit(&trace);
    return failed;
}

/* ---- Random cases ---- */

/* Whether something happens in a case: it is told apart from one that always says yes, or no. */
static bool telling(const struct trace *trace)
{
    struct model *model = model_new();
    size_t admitted = 0;
    size_t denied = 0;
    for (size_t i = 0; i < trace->count; i++) {
        struct weir_decision decision = {0};
        subject_step(&subject_model, model, &trace->steps[i], &decision);
        if (trace->steps[i].verb == TRACE_CHECK) {
            admitted += decision.allowed ? 1 : 0;
            denied += !decision.allowed && decision.retry_after_us != WEIR_NEVER ? 1 : 0;
        }
    }
    model_free(model);
    return admitted >= 4 && denied >= 3;
}

static int write_random(enum weir_algorithm algorithm)
{
    static const char *const titles[] = {"No step of the clock, one limit",
                                         "The clock is set back, too", "The limit changes",
                                         "The clock is set back and the limit changes"};
    struct trace trace;
    uint64_t seed = 0;
    trace_init(&trace);
    printf("# Made by tools/make_vectors: random cases, the verdicts by the model of test/prop.\n");
    for (unsigned kind = 0; kind < 4; kind++) {
        for (unsigned i = 0; i < 12; i++) {
            const struct trace_wish wish = {
                .algorithm = algorithm,
                .steps = 15,
                .back_us = 80 * DAY,
                .forward_us = 4 * 365 * DAY,
                .clock_steps = kind % 2 == 1,
                .limit_changes = kind >= 2,
                .zone = "",
                .most = i % 2 == 0 ? 12 : 0,
                .start_us = VECTOR_EPOCH_US,
            };
            do {
                struct random random = random_from(seed++);
                trace_generate(&trace, &wish, &random);
            } while (!telling(&trace));
            printf("\n# %s: %u.\n", titles[kind], i + 1);
            vector_write(stdout, &trace);
        }
    }
    trace_deinit(&trace);
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "verdicts") == 0) {
        return write_verdicts();
    }
    for (unsigned algorithm = 0; algorithm <= WEIR_SLIDING_LOG; algorithm++) {
        if (count == 3 && strcmp(arguments[1], "random") == 0 &&
            strcmp(arguments[2], weir_algorithm_name((enum weir_algorithm)algorithm)) == 0) {
            return write_random((enum weir_algorithm)algorithm);
        }
    }
    fprintf(stderr, "usage: make_vectors verdicts < FILE\n"
                    "       make_vectors random ALGORITHM\n");
    return 2;
}
