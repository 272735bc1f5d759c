/* http_date.c - a point in time as HTTP and as RFC 3339 write it. See http_door.h.
 *
 * By hand, as every answer has one, and strftime() would ask for the process's locale. */

#include "door/http_door.h"

#include <assert.h>

/* A day of the calendar, and a second of it. */
struct instant {
    int64_t year;
    unsigned month;   /* 1..12 */
    unsigned day;     /* 1..31 */
    unsigned weekday; /* 0: Thursday, the first of 1970 */
    unsigned second;  /* of the day */
};

/* Years that begin in March have their odd day last: 400 of them are one cycle. */
static struct instant split(int64_t now_us)
{
    assert(now_us >= 0);
    const int64_t seconds = now_us / 1000000;
    const int64_t days = seconds / 86400;
    const int64_t shifted = days + 719468; /* since the first of March of year 0 */
    const int64_t cycle = shifted / 146097;
    const unsigned of_cycle = (unsigned)(shifted % 146097);
    const unsigned year = (of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / 146096) / 365;
    const unsigned of_year = of_cycle - (365 * year + year / 4 - year / 100);
    const unsigned from_march = (5 * of_year + 2) / 153;
    const unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;
    return (struct instant){
        .year = cycle * 400 + year + (month <= 2),
        .month = month,
        .day = of_year - (153 * from_march + 2) / 5 + 1,
        .weekday = (unsigned)(days % 7),
        .second = (unsigned)(seconds % 86400),
    };
}

/* `number` in `width` digits at `at`. */
static void put_digits(char *at, unsigned number, unsigned width)
{
    for (unsigned i = width; i > 0; i--) {
        at[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
}

static void put_time(char *at, unsigned second)
{
    put_digits(at, second / 3600, 2);
    at[2] = ':';
    put_digits(at + 3, second / 60 % 60, 2);
    at[5] = ':';
    put_digits(at + 6, second % 60, 2);
}

void weir_http_put_date(struct weir_buffer *out, int64_t now_us)
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const struct instant instant = split(now_us);
    char text[WEIR_HTTP_DATE_LEN + 1] = "Thu, 01 Jan 1970 00:00:00 GMT";
    memcpy(text, weekdays + (size_t)3 * instant.weekday, 3);
    put_digits(text + 5, instant.day, 2);
    memcpy(text + 8, months + (size_t)3 * (instant.month - 1), 3);
    put_digits(text + 12, (unsigned)instant.year, 4);
    put_time(text + 17, instant.second);
    weir_buffer_put(out, weir_bytes(text, WEIR_HTTP_DATE_LEN));
}

void weir_http_put_instant(struct weir_buffer *out, int64_t now_us)
{
    const struct instant instant = split(now_us);
    char text[WEIR_HTTP_INSTANT_LEN + 1] = "1970-01-01T00:00:00Z";
    put_digits(text, (unsigned)instant.year, 4);
    put_digits(text + 5, instant.month, 2);
    put_digits(text + 8, instant.day, 2);
    put_time(text + 11, instant.second);
    weir_buffer_put(out, weir_bytes(text, WEIR_HTTP_INSTANT_LEN));
}
