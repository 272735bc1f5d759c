/* draw_algorithms_run.c - see draw_algorithms_run.h. */

#include "draw_algorithms_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REARMED_COUNT 5
#define REARMED_PERIOD (2 * SECOND)

void must(enum weir_status status, const char *what)
{
    if (status != WEIR_OK) {
        fprintf(stderr, "draw_algorithms: %s: %s\n", what, weir_strerror(status));
        exit(EXIT_FAILURE);
    }
}

struct weir *open_store(void)
{
    struct weir *weir;
    must(weir_open("memory:?size=1MiB&log=1MiB", NULL, &weir, NULL), "open");
    return weir;
}

struct weir_limit *parse_limit(const char *text)
{
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text("draw")};
    struct weir_limit *limit;
    must(weir_limit_parse(weir_text(text), &options, &limit, NULL), text);
    return limit;
}

void add_arrivals(struct arrivals *arrivals, struct burst burst)
{
    for (int i = 0; i < burst.count; i++) {
        if (arrivals->count == ARRIVALS_MAX) {
            must(WEIR_ERR_ARGUMENT, "too many arrivals");
        }
        arrivals->at_us[arrivals->count++] = burst.from_us + i * burst.step_us;
    }
}

/* INCR; EXPIRE, at every request; admitted where the counter is then at most the count. */
static void run_rearmed(struct run *run)
{
    uint64_t counter = 0;
    int64_t expires_us = 0;
    for (size_t i = 0; i < run->count; i++) {
        counter = run->at_us[i] < expires_us ? counter + 1 : 1;
        expires_us = run->at_us[i] + REARMED_PERIOD;
        run->decisions[i].allowed = counter <= REARMED_COUNT;
    }
}

static void run_engine(struct run *run, const char *text)
{
    struct weir *weir = open_store();
    struct weir_limit *limit = parse_limit(text);
    weir_limit_describe(limit, &run->spec);
    size_t next = 0;
    for (size_t i = 0; i < run->level_count; i++) {
        const int64_t look_us = run->level_from_us + (int64_t)i * run->level_step_us;
        for (; next < run->count && run->at_us[next] <= look_us; next++) {
            must(weir_check(weir, limit, weir_text("key"), 1, DRAW_START + run->at_us[next],
                            &run->decisions[next]),
                 "check");
        }
        struct weir_decision level;
        must(weir_peek(weir, limit, weir_text("key"), 1, DRAW_START + look_us, &level), "peek");
        run->levels[i] = level.remaining;
    }
    weir_limit_free(limit);
    weir_close(weir);
}

struct run *run_limit(const char *text, const struct arrivals *arrivals, int64_t from_us,
                      int64_t until_us)
{
    struct run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        must(WEIR_ERR_NO_MEMORY, text);
        abort();
    }
    run->count = arrivals->count;
    memcpy(run->at_us, arrivals->at_us, arrivals->count * sizeof(arrivals->at_us[0]));
    if (strcmp(text, REARMED) == 0) {
        run_rearmed(run);
        return run;
    }
    run->level_from_us = from_us;
    run->level_step_us = (until_us - from_us) / (LEVELS_MAX - 1);
    run->level_count = LEVELS_MAX;
    run_engine(run, text);
    return run;
}

int admitted_within(const struct run *run, int64_t from_us, int64_t until_us)
{
    int admitted = 0;
    for (size_t i = 0; i < run->count; i++) {
        const bool within = run->at_us[i] >= from_us && run->at_us[i] < until_us;
        admitted += within && run->decisions[i].allowed;
    }
    return admitted;
}

int most_within(const struct run *run, int64_t span_us)
{
    int most = 0;
    for (size_t i = 0; i < run->count; i++) {
        const int here = admitted_within(run, run->at_us[i], run->at_us[i] + span_us);
        most = here > most ? here : most;
    }
    return most;
}
