/* model_calendar.c - the window of a calendar that holds a time, by going and looking.
 *
 * In UTC months and years are walked from 1970 on. In another zone the C library is asked what its
 * clocks show, a quarter of an hour at a time (no zone here has changed its offset by, or at,
 * anything finer since 1970). This sets TZ for the process, so it is for tests that do nothing
 * else. */

#include "prop/model_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000)
#define QUARTER INT64_C(900)
#define DAY INT64_C(86400)

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t days_in(int64_t year, int month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 1 && is_leap(year) ? 29 : days[month];
}

/* Windows of one length, one of which started at `origin`. */
static void even_window(int64_t length, int64_t origin, int64_t now, int64_t *ret_start,
                        int64_t *ret_end)
{
    int64_t since = (now - origin) % length;
    since = since < 0 ? since + length : since;
    *ret_start = now - since;
    *ret_end = *ret_start + length;
}

static void utc_window(enum weir_calendar calendar, int64_t now, int64_t *ret_start,
                       int64_t *ret_end)
{
    switch (calendar) {
    case WEIR_CALENDAR_MINUTE:
        even_window(60, 0, now, ret_start, ret_end);
        return;
    case WEIR_CALENDAR_HOUR:
        even_window(3600, 0, now, ret_start, ret_end);
        return;
    case WEIR_CALENDAR_DAY:
        even_window(DAY, 0, now, ret_start, ret_end);
        return;
    case WEIR_CALENDAR_WEEK:
        /* 1970-01-05 was a Monday. */
        even_window(7 * DAY, 4 * DAY, now, ret_start, ret_end);
        return;
    case WEIR_CALENDAR_NONE:
    case WEIR_CALENDAR_MONTH:
    case WEIR_CALENDAR_YEAR:
    case WEIR_CALENDAR_EPOCH:
        break;
    }
    assert(now >= 0 && calendar != WEIR_CALENDAR_NONE);
    *ret_end = 0;
    for (int64_t year = 1970;; year++) {
        if (calendar == WEIR_CALENDAR_YEAR) {
            *ret_start = *ret_end;
            *ret_end += is_leap(year) ? 366 * DAY : 365 * DAY;
            if (now < *ret_end) {
                return;
            }
            continue;
        }
        for (int month = 0; month < 12; month++) {
            *ret_start = *ret_end;
            *ret_end += days_in(year, month) * DAY;
            if (now < *ret_end) {
                return;
            }
        }
    }
}

static struct tm clocks_at(int64_t seconds)
{
    const time_t time = (time_t)seconds;
    struct tm shown;
    struct tm *done = localtime_r(&time, &shown);
    assert(done != NULL);
    (void)done;
    return shown;
}

/* The day, week, month or year that the clocks show, as a number that grows. */
static int64_t shown_at(enum weir_calendar calendar, int64_t seconds)
{
    const struct tm shown = clocks_at(seconds);
    const int64_t day = (seconds + shown.tm_gmtoff) / DAY - (seconds + shown.tm_gmtoff < 0 ? 1 : 0);
    switch (calendar) {
    case WEIR_CALENDAR_WEEK:
        return (day + 3) / 7;
    case WEIR_CALENDAR_MONTH:
        return shown.tm_year * 12 + shown.tm_mon;
    case WEIR_CALENDAR_YEAR:
        return shown.tm_year;
    case WEIR_CALENDAR_NONE:
    case WEIR_CALENDAR_MINUTE:
    case WEIR_CALENDAR_HOUR:
    case WEIR_CALENDAR_DAY:
    case WEIR_CALENDAR_EPOCH:
        break;
    }
    return day;
}

/* Whether a window starts at this quarter of an hour. */
static bool starts_at(enum weir_calendar calendar, int64_t seconds)
{
    if (calendar == WEIR_CALENDAR_HOUR) {
        const struct tm shown = clocks_at(seconds);
        return shown.tm_min == 0 || shown.tm_gmtoff != clocks_at(seconds - 1).tm_gmtoff;
    }
    /* A clock that is set back across midnight shows a date twice; only the first time counts. */
    const int64_t shown = shown_at(calendar, seconds);
    for (int64_t before = QUARTER; before <= 3 * 3600; before += QUARTER) {
        if (shown_at(calendar, seconds - before) >= shown) {
            return false;
        }
    }
    return true;
}

static void zone_window(const struct weir_limit_spec *spec, int64_t now, int64_t *ret_start,
                        int64_t *ret_end)
{
    if (getenv("TZ") == NULL || strcmp(getenv("TZ"), spec->zone) != 0) {
        setenv("TZ", spec->zone, 1);
        tzset();
    }
    if (spec->calendar == WEIR_CALENDAR_MINUTE) {
        even_window(60, 0, now, ret_start, ret_end);
        return;
    }
    int64_t start = now / QUARTER * QUARTER;
    while (!starts_at(spec->calendar, start)) {
        start -= QUARTER;
    }
    int64_t end = now / QUARTER * QUARTER + QUARTER;
    while (!starts_at(spec->calendar, end)) {
        end += QUARTER;
    }
    *ret_start = start;
    *ret_end = end;
}

void model_calendar_window(const struct weir_limit_spec *spec, int64_t now_us,
                           int64_t *ret_start_us, int64_t *ret_end_us)
{
    /* The last answer; a walk through a year takes its time, and most questions are about the same.
     */
    static struct weir_limit_spec last_spec;
    static int64_t last_start;
    static int64_t last_end;
    const int64_t now = now_us / SECOND;
    assert(now_us >= 0);
    if (spec->calendar == WEIR_CALENDAR_EPOCH) {
        even_window(spec->period_us, 0, now_us, ret_start_us, ret_end_us);
        return;
    }
    if (last_spec.calendar != spec->calendar || strcmp(last_spec.zone, spec->zone) != 0 ||
        now < last_start || now >= last_end) {
        if (spec->zone[0] == '\0' || strcmp(spec->zone, "UTC") == 0) {
            utc_window(spec->calendar, now, &last_start, &last_end);
        } else {
            zone_window(spec, now, &last_start, &last_end);
        }
        last_spec = *spec;
    }
    *ret_start_us = last_start * SECOND;
    *ret_end_us = last_end * SECOND;
}
