/* civil.h - dates of the Gregorian calendar as days since 1970-01-01, which is day 0.
 *
 * Right for the years 1 to 9999, far more than a time in weir can reach. No leap seconds: a day has
 * 86400. */

#ifndef WEIR_ALGO_CIVIL_H
#define WEIR_ALGO_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

#define WEIR_DAY_S INT64_C(86400)

static inline int64_t weir_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

static inline int64_t weir_floor_mod(int64_t a, int64_t b)
{
    return a - weir_floor_div(a, b) * b;
}

static inline bool weir_civil_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days before the first of January. 719162 are those before 1970, by the same sum. */
static inline int64_t weir_civil_year_start(int64_t year)
{
    const int64_t before = year - 1;
    return before * 365 + before / 4 - before / 100 + before / 400 - 719162;
}

/* Days from the first of January to the first of `month` (1 to 13). */
static inline int64_t weir_civil_month_start(int64_t year, int month)
{
    static const int16_t starts[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    return starts[month - 1] + (month > 2 && weir_civil_is_leap(year) ? 1 : 0);
}

/* The year that holds `day`. 146097 days are 400 years, so the estimate is off by one at most. */
static inline int64_t weir_civil_year_of(int64_t day)
{
    int64_t year = 1970 + weir_floor_div(day * 400, 146097);
    while (weir_civil_year_start(year) > day) {
        year--;
    }
    while (weir_civil_year_start(year + 1) <= day) {
        year++;
    }
    return year;
}

/* The month, 1 to 12, that holds `day` of `year`. */
static inline int weir_civil_month_of(int64_t year, int64_t day)
{
    const int64_t within = day - weir_civil_year_start(year);
    int month = 1 + (int)(within / 32);
    return weir_civil_month_start(year, month + 1) <= within ? month + 1 : month;
}

/* 0 for Monday to 6 for Sunday. Day 0 was a Thursday. */
static inline int weir_civil_weekday(int64_t day)
{
    return (int)weir_floor_mod(day + 3, 7);
}

#endif
