/* generate.c - random limits and traces, leaning to where the edges are. */

#include "prop/trace.h"

#include "prop/model.h"

#include <assert.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define YEAR (INT64_C(365) * 86400 * SECOND)

__extension__ typedef unsigned __int128 u128;

static uint64_t most_count(enum weir_algorithm algorithm)
{
    switch (algorithm) {
    case WEIR_SLIDING_WINDOW:
        return WEIR_SLIDING_COUNT_MAX;
    case WEIR_SLIDING_LOG:
        return WEIR_LOG_COUNT_MAX;
    case WEIR_TOKEN_BUCKET:
    case WEIR_LEAKY_BUCKET:
    case WEIR_FIXED_WINDOW:
    case WEIR_CALENDAR_WINDOW:
        break;
    }
    return WEIR_COUNT_MAX;
}

static uint64_t random_count(struct random *random, uint64_t most)
{
    /* Primes, powers of two and their neighbours, and the ends. */
    static const uint64_t ugly[] = {1,      2,       3,       7,          60,         97,
                                    4096,   65537,   999983,  1048575,    1048576,    2097151,
                                    999999, 1000003, 4999999, 2147483647, 4294967291, 4294967295};
    uint64_t count;
    switch (random_below(random, 4)) {
    case 0:
        count = 1 + random_below(random, 12);
        break;
    case 1:
        count = ugly[random_below(random, sizeof(ugly) / sizeof(ugly[0]))];
        break;
    case 2:
        count = random_once_in(random, 8) ? most : 1 + random_below(random, 200);
        break;
    default:
        count = random_wide(random, most);
        break;
    }
    return count < most ? count : most;
}

static int64_t random_duration(struct random *random, int64_t least)
{
    static const int64_t units[] = {1, 1000, SECOND, 60 * SECOND, 3600 * SECOND, 86400 * SECOND};
    int64_t duration;
    switch (random_below(random, 4)) {
    case 0:
        duration = units[random_below(random, sizeof(units) / sizeof(units[0]))] *
                   random_between(random, 1, 12);
        break;
    case 1:
        duration = random_once_in(random, 8) ? WEIR_PERIOD_MAX : random_between(random, 1, 5000);
        break;
    default:
        duration = (int64_t)random_wide(random, (uint64_t)WEIR_PERIOD_MAX);
        break;
    }
    return duration < least ? least : duration;
}

/* Whether the bucket's depth in time is within its bound. */
static bool burst_fits(const struct weir_limit_spec *spec)
{
    return (u128)spec->burst * (u128)spec->period_us <= (u128)WEIR_PERIOD_MAX * spec->count;
}

static uint64_t random_burst(struct random *random, uint64_t count)
{
    switch (random_below(random, 5)) {
    case 0:
        return count;
    case 1:
        return 1 + random_below(random, 3);
    case 2:
        return 1 + random_below(random, count);
    case 3:
        return random_wide(random, WEIR_COUNT_MAX);
    default:
        return random_once_in(random, 8) ? WEIR_COUNT_MAX : 1 + random_below(random, 100);
    }
}

static bool is_bucket(enum weir_algorithm algorithm)
{
    return algorithm == WEIR_TOKEN_BUCKET || algorithm == WEIR_LEAKY_BUCKET;
}

/* Windows from the epoch on have no zone; the others have `zone`, or UTC. */
static void set_zone(struct weir_limit_spec *spec, const char *zone)
{
    const bool none =
        spec->algorithm != WEIR_CALENDAR_WINDOW || spec->calendar == WEIR_CALENDAR_EPOCH;
    memset(spec->zone, 0, sizeof(spec->zone));
    if (!none) {
        strcpy(spec->zone, zone[0] != '\0' ? zone : "UTC");
    }
}

struct weir_limit_spec random_limit(struct random *random, enum weir_algorithm algorithm)
{
    const int64_t least = algorithm == WEIR_SLIDING_WINDOW ? WEIR_SLIDING_PERIOD_MIN : 1;
    struct weir_limit_spec spec = {.algorithm = algorithm};
    spec.count = random_count(random, most_count(algorithm));
    if (algorithm == WEIR_CALENDAR_WINDOW) {
        spec.calendar = random_once_in(random, 3)
                            ? WEIR_CALENDAR_EPOCH
                            : (enum weir_calendar)random_between(random, WEIR_CALENDAR_MINUTE,
                                                                 WEIR_CALENDAR_YEAR);
        set_zone(&spec, "UTC");
    }
    if (algorithm != WEIR_CALENDAR_WINDOW || spec.calendar == WEIR_CALENDAR_EPOCH) {
        spec.period_us = random_duration(random, least);
    }
    if (is_bucket(algorithm)) {
        do {
            spec.burst = random_burst(random, spec.count);
        } while (!burst_fits(&spec));
    }
    if (random_once_in(random, 4)) {
        spec.block_us = random_duration(random, 1);
    }
    return spec;
}

/* The limit after somebody edited it: mostly one number, often by little or by a factor. `zone` is
 * that of all calendars of its trace. */
static struct weir_limit_spec edited(struct random *random, const struct weir_limit_spec *old,
                                     const char *zone)
{
    struct weir_limit_spec other = random_limit(random, old->algorithm);
    struct weir_limit_spec spec = *old;
    switch (random_below(random, 7)) {
    case 0:
        spec.count = other.count;
        break;
    case 1:
        spec.count = spec.count > 1 ? spec.count - 1 : 2;
        break;
    case 2:
        spec.count = spec.count * 2 <= most_count(spec.algorithm) ? spec.count * 2 : 1;
        break;
    case 3:
        spec.period_us = other.period_us;
        spec.calendar = other.calendar;
        break;
    case 4:
        spec.burst = other.burst;
        break;
    case 5:
        spec.block_us = random_once_in(random, 2) ? other.block_us : 0;
        break;
    default:
        spec = other;
        break;
    }
    set_zone(&spec, zone);
    if (is_bucket(spec.algorithm) && !burst_fits(&spec)) {
        return *old;
    }
    return spec;
}

/* Where a trace stands. */
struct walk {
    struct random *random;
    const struct trace_wish *wish;
    struct model *model;
    struct weir_limit_spec spec;
    struct weir_decision last;
    int64_t now_us;
    int64_t latest_us;
    int64_t end_us; /* no step is later */
};

static uint64_t ceiling_of(const struct weir_limit_spec *spec)
{
    return is_bucket(spec->algorithm) ? spec->burst : spec->count;
}

static uint64_t random_cost(struct walk *walk)
{
    const uint64_t ceiling = ceiling_of(&walk->spec);
    switch (random_below(walk->random, 12)) {
    case 0:
        return 0;
    case 1:
        return ceiling;
    case 2:
        return random_once_in(walk->random, 4) ? UINT64_MAX : ceiling + 1;
    case 3:
    case 4:
        return walk->last.remaining;
    case 5:
        return walk->last.remaining + 1;
    case 6:
        return random_wide(walk->random, ceiling);
    case 7:
        return 1 + random_below(walk->random, ceiling);
    default:
        return 1;
    }
}

/* About how long the limit can deny: a time to aim at. */
static int64_t span_of(const struct weir_limit_spec *spec)
{
    if (is_bucket(spec->algorithm)) {
        return (int64_t)((u128)spec->burst * (u128)spec->period_us / spec->count);
    }
    return spec->period_us > 0 ? spec->period_us : 86400 * SECOND;
}

static int64_t random_ahead(struct walk *walk)
{
    const int64_t span_us = span_of(&walk->spec);
    const int64_t nudge = random_between(walk->random, -1, 1);
    switch (random_below(walk->random, 12)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return 1;
    case 3:
    case 4:
        return walk->last.retry_after_us == WEIR_NEVER ? 0 : walk->last.retry_after_us + nudge;
    case 5:
        return walk->last.reset_after_us + nudge;
    case 6:
        return walk->spec.period_us / (int64_t)walk->spec.count + nudge;
    case 7:
        return random_between(walk->random, 0, span_us);
    case 8:
        return span_us + nudge;
    case 9:
        return (int64_t)random_wide(walk->random, (uint64_t)span_us + 1);
    case 10:
        return walk->spec.block_us + nudge;
    default:
        return random_once_in(walk->random, 4) ? (int64_t)random_wide(walk->random, 3 * YEAR)
                                               : random_between(walk->random, 0, 3 * span_us);
    }
}

/* How far the clock is set back: within the slack, to its edges, or far. */
static int64_t random_back(struct walk *walk)
{
    const int64_t span_us = span_of(&walk->spec);
    const int64_t slack_us = span_us < SECOND ? span_us : SECOND;
    const int64_t nudge = random_between(walk->random, -1, 1);
    switch (random_below(walk->random, 6)) {
    case 0:
        return 1 + random_below(walk->random, 3) > 2 ? 2 : 1;
    case 1:
        return random_between(walk->random, 0, slack_us);
    case 2:
        return slack_us + nudge;
    case 3:
        /* To where what is kept lies just at the edge of the clock rule. */
        return span_us + slack_us - walk->last.reset_after_us + nudge;
    case 4:
        return random_between(walk->random, 0, 2 * span_us);
    default:
        return (int64_t)random_wide(walk->random, (uint64_t)YEAR);
    }
}

static int64_t clamped(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void move_clock(struct walk *walk)
{
    const bool back = walk->wish->clock_steps && random_once_in(walk->random, 4);
    const int64_t step_us = back ? -random_back(walk) : random_ahead(walk);
    int64_t least_us = 0;
    if (!walk->wish->clock_steps) {
        least_us = walk->now_us;
    } else if (walk->wish->back_us < walk->latest_us) {
        least_us = walk->latest_us - walk->wish->back_us;
    }
    walk->now_us = clamped(walk->now_us + step_us, least_us, walk->end_us);
    walk->latest_us = walk->now_us > walk->latest_us ? walk->now_us : walk->latest_us;
}

static int64_t random_start(struct random *random)
{
    switch (random_below(random, 8)) {
    case 0:
        return random_between(random, 0, 3 * SECOND);
    case 1:
        return WEIR_TIME_MAX - (int64_t)random_wide(random, (uint64_t)YEAR);
    case 2:
        return random_between(random, 0, WEIR_TIME_MAX);
    default:
        return random_between(random, 50 * YEAR, 60 * YEAR);
    }
}

static struct trace_step random_step(struct walk *walk)
{
    struct trace_step step = {.verb = TRACE_CHECK};
    if (walk->wish->limit_changes && random_once_in(walk->random, 12)) {
        walk->spec = edited(walk->random, &walk->spec, walk->wish->zone);
        step.verb = TRACE_LIMIT;
        step.now_us = walk->now_us;
        step.spec = walk->spec;
        return step;
    }
    move_clock(walk);
    const uint64_t verb = random_below(walk->random, 40);
    if (verb < 4) {
        step.verb = TRACE_PEEK;
    } else if (verb < 7) {
        step.verb = TRACE_REFUND;
    } else if (verb == 7) {
        step.verb = TRACE_RESET;
    }
    step.now_us = walk->now_us;
    step.cost = step.verb == TRACE_RESET ? 0 : random_cost(walk);
    return step;
}

void trace_generate(struct trace *trace, const struct trace_wish *wish, struct random *random)
{
    struct walk walk = {.random = random, .wish = wish, .model = model_new()};
    do {
        walk.spec = random_limit(random, wish->algorithm);
    } while (wish->most > 0 && (walk.spec.count > wish->most || walk.spec.burst > wish->most));
    set_zone(&walk.spec, wish->zone);
    walk.now_us = wish->start_us > 0 ? wish->start_us : random_start(random);
    walk.latest_us = walk.now_us;
    walk.end_us = wish->forward_us < WEIR_TIME_MAX - walk.now_us ? walk.now_us + wish->forward_us
                                                                 : WEIR_TIME_MAX;
    trace->count = 0;
    trace_append(trace, &(struct trace_step){TRACE_LIMIT, walk.now_us, 0, walk.spec});
    subject_step(&subject_model, walk.model, &trace->steps[0], &walk.last);
    while (trace->count < wish->steps) {
        struct trace_step step = random_step(&walk);
        trace_append(trace, &step);
        subject_step(&subject_model, walk.model, &step, &walk.last);
    }
    model_free(walk.model);
}
