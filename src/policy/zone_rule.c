/* zone_rule.c - see zone_rule.h.
 *
 *     RULE = NAME OFFSET [NAME [OFFSET] ',' DATE ['/' TIME] ',' DATE ['/' TIME]]
 *     NAME = three letters or more, or '<' letters, digits and signs '>'
 *     DATE = 'J' DAY | DAY | 'M' MONTH '.' WEEK '.' WEEKDAY
 *     OFFSET, TIME = ['+' | '-'] HOURS [':' MINUTES [':' SECONDS]]
 *
 * An offset is west of UTC here and nowhere else. Source: POSIX.1-2017 section 8.3, and RFC 8536
 * section 3.3.1 for times past a day. */

#include "policy/zone_rule.h"

#include "algo/civil.h"

#include <assert.h>

#define HOUR_S 3600

struct cursor {
    struct weir_bytes text;
    size_t at;
};

static char peek(const struct cursor *cursor)
{
    return cursor->at < cursor->text.len ? cursor->text.ptr[cursor->at] : '\0';
}

static bool take(struct cursor *cursor, char c)
{
    if (cursor->at == cursor->text.len || cursor->text.ptr[cursor->at] != c) {
        return false;
    }
    cursor->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool read_name(struct cursor *cursor)
{
    const bool quoted = take(cursor, '<');
    size_t length = 0;
    for (;; cursor->at++, length++) {
        const char c = peek(cursor);
        if (!is_letter(c) && !(quoted && (is_digit(c) || c == '+' || c == '-'))) {
            break;
        }
    }
    return length >= 3 && (!quoted || take(cursor, '>'));
}

/* One to three digits, from `low` to `high`. */
static bool read_number(struct cursor *cursor, int low, int high, int *ret_number)
{
    int number = 0;
    int digits = 0;
    for (; digits < 3 && is_digit(peek(cursor)); digits++, cursor->at++) {
        number = number * 10 + (peek(cursor) - '0');
    }
    if (digits == 0 || number < low || number > high) {
        return false;
    }
    *ret_number = number;
    return true;
}

/* HOURS [':' MINUTES [':' SECONDS]] without a sign, in seconds. */
static bool read_clock(struct cursor *cursor, int hours_max, int32_t *ret_s)
{
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    if (!read_number(cursor, 0, hours_max, &hours)) {
        return false;
    }
    if (take(cursor, ':')) {
        if (!read_number(cursor, 0, 59, &minutes)) {
            return false;
        }
        if (take(cursor, ':') && !read_number(cursor, 0, 59, &seconds)) {
            return false;
        }
    }
    *ret_s = hours * HOUR_S + minutes * 60 + seconds;
    return true;
}

static bool read_offset(struct cursor *cursor, int32_t *ret_east_s)
{
    const bool east = take(cursor, '-');
    if (!east) {
        (void)take(cursor, '+');
    }
    int32_t west_s;
    if (!read_clock(cursor, 24, &west_s)) {
        return false;
    }
    *ret_east_s = east ? west_s : -west_s;
    return true;
}

static bool read_time(struct cursor *cursor, bool extended, int32_t *ret_time_s)
{
    if (!take(cursor, '/')) {
        *ret_time_s = 2 * HOUR_S;
        return true;
    }
    const bool negative = extended && take(cursor, '-');
    if (extended && !negative) {
        (void)take(cursor, '+');
    }
    int32_t time_s;
    if (!read_clock(cursor, extended ? 167 : 24, &time_s)) {
        return false;
    }
    *ret_time_s = negative ? -time_s : time_s;
    return true;
}

static bool read_date(struct cursor *cursor, bool extended, struct weir_zone_date *ret_date)
{
    struct weir_zone_date date = {.form = WEIR_DATE_OF_YEAR};
    bool read;
    if (take(cursor, 'M')) {
        date.form = WEIR_DATE_OF_MONTH;
        read = read_number(cursor, 1, 12, &date.month) && take(cursor, '.') &&
               read_number(cursor, 1, 5, &date.week) && take(cursor, '.') &&
               read_number(cursor, 0, 6, &date.weekday);
    } else if (take(cursor, 'J')) {
        date.form = WEIR_DATE_NO_LEAP;
        read = read_number(cursor, 1, 365, &date.day);
    } else {
        read = read_number(cursor, 0, 365, &date.day);
    }
    if (!read || !read_time(cursor, extended, &date.time_s)) {
        return false;
    }
    *ret_date = date;
    return true;
}

bool weir_zone_rule_parse(struct weir_bytes text, bool extended, struct weir_zone_rule *ret_rule)
{
    struct weir_zone_rule rule = {0};
    struct cursor cursor = {text, 0};
    if (!read_name(&cursor) || !read_offset(&cursor, &rule.standard_s)) {
        return false;
    }
    if (cursor.at < text.len) {
        rule.has_summer = true;
        if (!read_name(&cursor)) {
            return false;
        }
        rule.summer_s = rule.standard_s + HOUR_S;
        if (peek(&cursor) != ',' && !read_offset(&cursor, &rule.summer_s)) {
            return false;
        }
        if (!take(&cursor, ',') || !read_date(&cursor, extended, &rule.summer_start) ||
            !take(&cursor, ',') || !read_date(&cursor, extended, &rule.summer_end)) {
            return false;
        }
    }
    if (cursor.at < text.len) {
        return false;
    }
    *ret_rule = rule;
    return true;
}

static int64_t day_of(const struct weir_zone_date *date, int64_t year)
{
    const int64_t new_year = weir_civil_year_start(year);
    switch (date->form) {
    case WEIR_DATE_OF_YEAR:
        return new_year + date->day;
    case WEIR_DATE_NO_LEAP:
        return new_year + date->day - 1 + (date->day >= 60 && weir_civil_is_leap(year) ? 1 : 0);
    case WEIR_DATE_OF_MONTH:
        break;
    }
    const int64_t first = new_year + weir_civil_month_start(year, date->month);
    const int64_t end = new_year + weir_civil_month_start(year, date->month + 1);
    /* The rule counts weekdays from Sunday, civil.h from Monday. */
    const int wanted = (date->weekday + 6) % 7;
    int64_t day = first + (wanted - weir_civil_weekday(first) + 7) % 7 + (date->week - 1) * 7;
    if (day >= end) {
        day -= 7; /* the fifth where there are four is the last */
    }
    return day;
}

int64_t weir_zone_date_second(const struct weir_zone_date *date, int64_t year, int32_t offset_s)
{
    assert(year >= 1 && year <= 9999);
    return day_of(date, year) * WEIR_DAY_S + date->time_s - offset_s;
}
