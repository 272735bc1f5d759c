/* model_window.c - fixed-window and calendar-window: a count that is forgotten at an end.
 *
 * A window opens at the first admitted request and nothing moves its end. A limit that was changed
 * finds the window as it is: its end stays, unless it is further than the clock rule lets it be,
 * and what was taken counts at most as much as the new limit can hold. */

#include "prop/model_parts.h"

static bool is_calendar(const struct weir_limit_spec *spec)
{
    return spec->algorithm == WEIR_CALENDAR_WINDOW;
}

/* The end of a window that opens now: the latest that there can be. */
static int64_t latest_end(const struct model_ask *ask)
{
    if (!is_calendar(ask->spec)) {
        return ask->now_us + ask->spec->period_us;
    }
    int64_t start_us;
    int64_t end_us;
    model_calendar_window(ask->spec, ask->now_us, &start_us, &end_us);
    return end_us;
}

/* The time of a window with this end: for a fixed window one period before, for a calendar's
 * the start of the window that it ends. At the end of time that is the one that holds the last
 * moment, and no window ends later. */
static int64_t own_time(const struct model_ask *ask, int64_t end_us)
{
    if (!is_calendar(ask->spec)) {
        return end_us - ask->spec->period_us;
    }
    int64_t start_us;
    int64_t latest_end_us;
    const int64_t last_us = end_us - 1 < WEIR_TIME_MAX ? end_us - 1 : WEIR_TIME_MAX;
    model_calendar_window(ask->spec, last_us, &start_us, &latest_end_us);
    return end_us <= latest_end_us ? start_us : INT64_MAX / 2;
}

/* The window as it counts now; true where the clock rule repaired it. */
static bool look(const struct model_window *kept, const struct model_ask *ask,
                 struct model_window *ret_window)
{
    if (kept->taken == 0 || kept->end_us <= ask->now_us) {
        *ret_window = (struct model_window){latest_end(ask), 0};
        return false;
    }
    *ret_window = *kept;
    if (ret_window->taken > (wide)ask->spec->count) {
        ret_window->taken = (wide)ask->spec->count;
    }
    /* No unit of the calendar is shorter than a second. */
    const int64_t span_us = ask->spec->period_us > 0 ? ask->spec->period_us : 1000000;
    const int64_t slack_us = model_slack(span_us);
    if (kept->end_us <= latest_end(ask) || own_time(ask, kept->end_us) - ask->now_us <= slack_us) {
        return false;
    }
    ret_window->end_us = latest_end(ask);
    return true;
}

void model_window_clear(struct model_window *window)
{
    *window = (struct model_window){0, 0};
}

void model_window_decide(struct model_window *kept, const struct model_ask *ask,
                         struct weir_decision *decision)
{
    struct model_window window;
    const bool repaired = look(kept, ask, &window);
    const wide count = (wide)ask->spec->count;
    const bool possible = (wide)ask->cost <= count;
    const bool allowed = window.taken + (wide)ask->cost <= count;
    if (allowed && ask->take) {
        window.taken += (wide)ask->cost;
    }
    const int64_t left_us = window.end_us - ask->now_us;
    *decision = (struct weir_decision){
        .allowed = allowed,
        .limit = ask->spec->count,
        .remaining = (uint64_t)(count - window.taken),
        .retry_after_us = allowed    ? 0
                          : possible ? left_us
                                     : WEIR_NEVER,
        .reset_after_us = window.taken > 0 ? left_us : 0,
    };
    if ((allowed && ask->take) || (repaired && possible && ask->mend)) {
        *kept = window;
    }
}

void model_window_refund(struct model_window *kept, const struct model_ask *ask)
{
    struct model_window window;
    look(kept, ask, &window);
    if (ask->cost == 0 || window.taken == 0) {
        return;
    }
    window.taken -= (wide)ask->cost;
    if (window.taken < 0) {
        window.taken = 0;
    }
    *kept = window;
}
