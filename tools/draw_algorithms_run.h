/* draw_algorithms_run.h - asks the engine, and keeps what it answered.
 *
 * Times of arrivals are counted from DRAW_START, 2026-01-05 00:00 UTC, which is the start of a
 * minute, a day and a week. The clock is supplied: a run takes no time and is the same every time.
 */

#ifndef WEIR_DRAW_ALGORITHMS_RUN_H
#define WEIR_DRAW_ALGORITHMS_RUN_H

#include "weir/weir.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define DRAW_START (INT64_C(1767571200) * SECOND)

#define ARRIVALS_MAX 512
#define LEVELS_MAX 400

/* Instead of a limit's text: the counter that much code on the web has, for comparison. Five in two
 * seconds, where every request sets the expiry anew. It is not weir's. */
#define REARMED "INCR, then EXPIRE 2"

/* `count` requests, the first at `from_us`, then one every `step_us`. */
struct burst {
    int64_t from_us;
    int64_t step_us;
    int count;
};

struct arrivals {
    size_t count;
    int64_t at_us[ARRIVALS_MAX];
};

struct run {
    struct weir_limit_spec spec;
    size_t count;
    int64_t at_us[ARRIVALS_MAX];
    struct weir_decision decisions[ARRIVALS_MAX];
    size_t level_count; /* `remaining`, looked at every level_step_us from level_from_us on */
    int64_t level_from_us;
    int64_t level_step_us;
    uint64_t levels[LEVELS_MAX];
};

/* Where status is no success, ends the program, saying what was tried. */
void must(enum weir_status status, const char *what);

/* Opens a store that is large enough for all that is run here. */
struct weir *open_store(void);

/* A limit under the name "draw", so that limits of one algorithm take over from one another. */
struct weir_limit *parse_limit(const char *text);

/* Appends, in order of time. */
void add_arrivals(struct arrivals *arrivals, struct burst burst);

/* Sends the arrivals under the limit `text`, looking at the level in between. The caller frees. */
struct run *run_limit(const char *text, const struct arrivals *arrivals, int64_t from_us,
                      int64_t until_us);

/* How many were admitted in [from, until). */
int admitted_within(const struct run *run, int64_t from_us, int64_t until_us);

/* The most that were admitted within any stretch of this length, its end not included. */
int most_within(const struct run *run, int64_t span_us);

#endif
