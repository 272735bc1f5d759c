/* config_time.c - points in time, as RFC 3339 writes them; see parts.h. */

#include "config/parts.h"

#include <string.h>

#define SECOND_US INT64_C(1000000)

/* `count` digits at *at. */
static bool take_digits(const char **at, const char *end, unsigned count, int64_t *ret_number)
{
    int64_t number = 0;
    if ((size_t)(end - *at) < count) {
        return false;
    }
    for (unsigned i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        number = number * 10 + (**at - '0');
    }
    *ret_number = number;
    return true;
}

static bool take(const char **at, const char *end, char a, char b)
{
    if (*at == end || (**at != a && **at != b)) {
        return false;
    }
    (*at)++;
    return true;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* From 1970-01-01, of a year from 1970 on. */
static int64_t days_before(int64_t year, int64_t month, int64_t day)
{
    const int64_t past = year - 1;
    int64_t days = (year - 1970) * 365 + (past / 4 - 1969 / 4) - (past / 100 - 1969 / 100) +
                   (past / 400 - 1969 / 400);
    for (int64_t m = 1; m < month; m++) {
        days += days_of_month(year, m);
    }
    return days + day - 1;
}

static bool take_date(const char **at, const char *end, int64_t *ret_days)
{
    int64_t year;
    int64_t month;
    int64_t day;
    if (!take_digits(at, end, 4, &year) || !take(at, end, '-', '-') ||
        !take_digits(at, end, 2, &month) || !take(at, end, '-', '-') ||
        !take_digits(at, end, 2, &day)) {
        return false;
    }
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month)) {
        return false;
    }
    *ret_days = days_before(year, month, day);
    return true;
}

/* Digits behind a '.'; those past the sixth are dropped. */
static bool take_fraction(const char **at, const char *end, int64_t *ret_us)
{
    int64_t unit = SECOND_US / 10;
    int64_t us = 0;
    int64_t digit;
    if (!take(at, end, '.', '.')) {
        *ret_us = 0;
        return true;
    }
    if (!take_digits(at, end, 1, &digit)) {
        return false;
    }
    do {
        us += digit * unit;
        unit /= 10;
    } while (take_digits(at, end, 1, &digit));
    *ret_us = us;
    return true;
}

/* "Z", "+01:00". */
static bool take_offset(const char **at, const char *end, int64_t *ret_seconds)
{
    int64_t hours;
    int64_t minutes;
    if (take(at, end, 'Z', 'z')) {
        *ret_seconds = 0;
        return true;
    }
    const bool west = *at < end && **at == '-';
    if (!take(at, end, '+', '-') || !take_digits(at, end, 2, &hours) || !take(at, end, ':', ':') ||
        !take_digits(at, end, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *ret_seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

bool weir_time_parse(struct weir_bytes text, int64_t *ret_us)
{
    const char *at = text.ptr;
    const char *end = text.ptr + text.len;
    int64_t days;
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    int64_t fraction = 0;
    int64_t offset = 0;
    if (text.len == 0 || !take_date(&at, end, &days)) {
        return false;
    }
    if (at < end && (!(take(&at, end, 'T', 't') || take(&at, end, ' ', ' ')) ||
                     !take_digits(&at, end, 2, &hour) || !take(&at, end, ':', ':') ||
                     !take_digits(&at, end, 2, &minute) || !take(&at, end, ':', ':') ||
                     !take_digits(&at, end, 2, &second) || !take_fraction(&at, end, &fraction) ||
                     !take_offset(&at, end, &offset))) {
        return false;
    }
    const int64_t us =
        ((days * 86400 + hour * 3600 + minute * 60 + second - offset) * SECOND_US) + fraction;
    /* A second may be the 60th where one was put in. */
    if (at != end || hour > 23 || minute > 59 || second > 60 || us < 0 || us > WEIR_TIME_MAX) {
        return false;
    }
    *ret_us = us;
    return true;
}
