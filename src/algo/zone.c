/* zone.c - see zone.h.
 *
 * A zone cuts time into segments of one offset each. Minutes and hours are found within the segment
 * of now. Dates are found by one question, first_instant(date): when does the local calendar first
 * show `date` or a later one? It never decreases with the date, so the dates cut time into windows
 * without gap or overlap, whatever the clocks do: where they are set back across midnight the date
 * that has begun goes on, and a date that is skipped has an empty window that holds no instant. */

#include "algo/zone.h"

#include "algo/civil.h"

#include <assert.h>

#define SECOND_US INT64_C(1000000)

static const int64_t utc_starts[] = {INT64_MIN};
static const int32_t utc_offsets[] = {0};
static const struct weir_zone utc = {1, utc_starts, utc_offsets, 0};

/* The segment that holds `second`: the last that starts at or before it. */
static size_t segment_at(const struct weir_zone *zone, int64_t second)
{
    size_t low = 0;
    size_t high = zone->count;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (zone->starts[middle] <= second) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The first second at which the local date is `date` or later. No clock is further than
 * WEIR_ZONE_OFFSET_MAX from UTC, so it is not in a segment that ends before then. */
static int64_t first_instant(const struct weir_zone *zone, int64_t date)
{
    const int64_t local = date * WEIR_DAY_S;
    size_t i = segment_at(zone, local - WEIR_ZONE_OFFSET_MAX);
    for (;; i++) {
        const int64_t shown = local - zone->offsets[i];
        const int64_t second = shown > zone->starts[i] ? shown : zone->starts[i];
        if (i + 1 == zone->count || second < zone->starts[i + 1]) {
            return second;
        }
    }
}

/* The first date of the week, month or year that holds `date`, or `date` itself for days. */
static int64_t first_date(enum weir_calendar calendar, int64_t date)
{
    if (calendar == WEIR_CALENDAR_DAY) {
        return date;
    }
    if (calendar == WEIR_CALENDAR_WEEK) {
        return date - weir_civil_weekday(date);
    }
    const int64_t year = weir_civil_year_of(date);
    const int64_t new_year = weir_civil_year_start(year);
    if (calendar == WEIR_CALENDAR_YEAR) {
        return new_year;
    }
    return new_year + weir_civil_month_start(year, weir_civil_month_of(year, date));
}

/* And that of the next; `first` is what first_date gave. */
static int64_t next_date(enum weir_calendar calendar, int64_t first)
{
    if (calendar == WEIR_CALENDAR_DAY) {
        return first + 1;
    }
    if (calendar == WEIR_CALENDAR_WEEK) {
        return first + 7;
    }
    /* No month has more than 31 days and no year more than 366, nor two of them fewer. */
    return first_date(calendar, first + (calendar == WEIR_CALENDAR_MONTH ? 31 : 366));
}

static void clock_window(const struct weir_zone *zone, int64_t width, int64_t now,
                         int64_t *ret_start, int64_t *ret_end)
{
    const size_t i = segment_at(zone, now);
    int64_t start = now - weir_floor_mod(now + zone->offsets[i], width);
    int64_t end = start + width;
    if (start < zone->starts[i]) {
        start = zone->starts[i];
    }
    if (i + 1 < zone->count && end > zone->starts[i + 1]) {
        end = zone->starts[i + 1];
    }
    *ret_start = start;
    *ret_end = end;
}

static void date_window(const struct weir_zone *zone, enum weir_calendar calendar, int64_t now,
                        int64_t *ret_start, int64_t *ret_end)
{
    const int64_t local = now + zone->offsets[segment_at(zone, now)];
    int64_t first = first_date(calendar, weir_floor_div(local, WEIR_DAY_S));
    int64_t next = next_date(calendar, first);
    int64_t end = first_instant(zone, next);
    /* Where the clock was set back across midnight, the next date has begun already and goes on. */
    while (end <= now) {
        first = next;
        next = next_date(calendar, first);
        end = first_instant(zone, next);
    }
    *ret_start = first_instant(zone, first);
    *ret_end = end;
}

void weir_zone_window(const struct weir_zone *zone, enum weir_calendar calendar, int64_t now_us,
                      int64_t *ret_start_us, int64_t *ret_end_us)
{
    assert(now_us >= 0 && now_us <= WEIR_TIME_MAX);
    assert(calendar >= WEIR_CALENDAR_MINUTE && calendar <= WEIR_CALENDAR_YEAR);
    if (zone == NULL) {
        zone = &utc;
    }
    const int64_t now = now_us / SECOND_US;
    int64_t start;
    int64_t end;
    if (calendar == WEIR_CALENDAR_MINUTE) {
        clock_window(zone, 60, now, &start, &end);
    } else if (calendar == WEIR_CALENDAR_HOUR) {
        clock_window(zone, 3600, now, &start, &end);
    } else {
        date_window(zone, calendar, now, &start, &end);
    }
    assert(start <= now && now < end);
    *ret_start_us = start * SECOND_US;
    *ret_end_us = end * SECOND_US;
}
