/* window.c - fixed-window and calendar-window: a count, and the time at which it is forgotten.
 *
 * State: until_us is the end of the window, payload how much of it is taken. A count of zero is no
 * window at all.
 *
 * fixed-window opens its window at the key's first admitted request, for one period, and nothing
 * extends it: the end is written once, and every later admission only raises the count. (A counter
 * whose expiry is set again at every request is never forgotten while a client goes on asking.)
 * calendar-window is the same count with the end of the calendar's window instead, see zone.h, or
 * with the end of the period that `now` is in, where periods are counted from 1970 on.
 *
 *     admitted if and only if taken + cost <= count; denied: retry_after = end - now
 *
 * Either lets up to 2*count through in a short stretch around the edge between two windows.
 *
 * Invariant: until_us <= now + span, except within the slack of algo.h; payload <= count. A window
 * that a limit since changed had opened keeps its end, unless that is further than the new limit
 * could set. */

#include "algo/algo.h"
#include "algo/rate.h"
#include "algo/zone.h"

#include <assert.h>

struct window {
    int64_t end_us;
    uint64_t taken;
    bool clamped;
};

/* The window of the limit's calendar that holds `time_us`. */
static inline void calendar_window(const struct weir_limit *limit, int64_t time_us,
                                   int64_t *ret_start_us, int64_t *ret_end_us)
{
    if (limit->calendar != WEIR_CALENDAR_EPOCH) {
        weir_zone_window(limit->zone, limit->calendar, time_us, ret_start_us, ret_end_us);
        return;
    }
    /* How many whole periods have passed since 1970, without dividing. */
    const struct weir_span since = {time_us, 0};
    const int64_t number = (int64_t)weir_rate_intervals_whole(&limit->rate, since);
    *ret_start_us = number * limit->period_us;
    *ret_end_us = *ret_start_us + limit->period_us;
}

/* The end of a window opened at `now`. */
static int64_t window_end(const struct weir_limit *limit, int64_t now_us)
{
    if (limit->algorithm == WEIR_FIXED_WINDOW) {
        return now_us + limit->period_us;
    }
    int64_t start_us;
    int64_t end_us;
    calendar_window(limit, now_us, &start_us, &end_us);
    return end_us;
}

/* Whether a window that ends later than one opened at `now` would is just a little ahead of a clock
 * that was read late. */
static bool within_slack(const struct weir_limit *limit, int64_t end_us, int64_t now_us)
{
    if (limit->algorithm == WEIR_FIXED_WINDOW) {
        return end_us - limit->period_us - now_us <= limit->slack_us;
    }
    /* The window at the end of time ends after it; what ends later still is none of this limit's.
     */
    const int64_t last_us = end_us - 1 < WEIR_TIME_MAX ? end_us - 1 : WEIR_TIME_MAX;
    int64_t start_us;
    int64_t latest_end_us;
    calendar_window(limit, last_us, &start_us, &latest_end_us);
    return end_us <= latest_end_us && start_us - now_us <= limit->slack_us;
}

/* The window that `state` is in at `now`, by the clock rule of algo.h; taken 0 where there is
 * none. */
static struct window window_at(const struct weir_limit *limit, struct weir_state state,
                               int64_t now_us)
{
    if (state.payload == 0 || state.until_us <= now_us) {
        return (struct window){window_end(limit, now_us), 0, false};
    }
    struct window window = {state.until_us, state.payload, false};
    if (window.taken > limit->ceiling) {
        window.taken = limit->ceiling;
    }
    /* A fixed window that ends within a period of now needs no further look, and that is nearly
     * all. */
    if (limit->algorithm == WEIR_FIXED_WINDOW && state.until_us - now_us <= limit->period_us) {
        return window;
    }
    int64_t latest_us = window_end(limit, now_us);
    if (window.end_us > latest_us && !within_slack(limit, window.end_us, now_us)) {
        window.end_us = latest_us;
        window.clamped = true;
    }
    return window;
}

struct weir_step weir_window_step(const struct weir_limit *limit, struct weir_state state,
                                  int64_t now_us, uint64_t cost, bool take,
                                  struct weir_decision *ret_decision)
{
    assert(cost >= 1);
    assert(now_us >= 0 && now_us <= WEIR_TIME_MAX);
    struct window window = window_at(limit, state, now_us);
    const bool fits = cost <= limit->ceiling;
    const bool allowed = fits && cost <= limit->ceiling - window.taken;
    if (allowed && take) {
        window.taken += cost;
    }
    const int64_t left_us = window.end_us - now_us;
    ret_decision->allowed = allowed;
    ret_decision->limit = limit->ceiling;
    ret_decision->remaining = limit->ceiling - window.taken;
    ret_decision->retry_after_us = allowed ? 0 : fits ? left_us : WEIR_NEVER;
    ret_decision->reset_after_us = window.taken > 0 ? left_us : 0;
    ret_decision->delay_us = 0;
    return (struct weir_step){
        .next = {window.end_us, window.taken},
        .write = take && (allowed || (window.clamped && fits)),
        .clamped = window.clamped && fits,
    };
}

struct weir_step weir_window_refund(const struct weir_limit *limit, struct weir_state state,
                                    int64_t now_us, uint64_t cost)
{
    struct window window = window_at(limit, state, now_us);
    if (window.taken == 0 || cost == 0) {
        return (struct weir_step){.next = state};
    }
    if (cost >= window.taken) {
        return (struct weir_step){.next = {0, 0}, .write = true};
    }
    return (struct weir_step){.next = {window.end_us, window.taken - cost}, .write = true};
}
