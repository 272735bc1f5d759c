/* duration.c - see duration.h.
 *
 *     DURATION = [NUMBER] UNIT | NUMBER UNIT (NUMBER UNIT)...
 *
 * A compound goes from the largest unit to the smallest, each at most once, so that "1m1m" and
 * "30m1h", which are slips more often than not, are asked about. */

#include "policy/duration.h"

#include "base/checked.h"

#include <assert.h>

#define SECOND_US INT64_C(1000000)

struct unit {
    const char *name;
    int64_t us;                  /* 0: no fixed length */
    enum weir_calendar calendar; /* WEIR_CALENDAR_NONE: the calendar has no such unit */
};

/* The longest first; of each, the name that is written first. */
static const struct unit units[] = {
    {"year", 0, WEIR_CALENDAR_YEAR},
    {"month", 0, WEIR_CALENDAR_MONTH},
    {"w", 7 * 86400 * SECOND_US, WEIR_CALENDAR_WEEK},
    {"week", 7 * 86400 * SECOND_US, WEIR_CALENDAR_WEEK},
    {"weeks", 7 * 86400 * SECOND_US, WEIR_CALENDAR_WEEK},
    {"d", 86400 * SECOND_US, WEIR_CALENDAR_DAY},
    {"day", 86400 * SECOND_US, WEIR_CALENDAR_DAY},
    {"days", 86400 * SECOND_US, WEIR_CALENDAR_DAY},
    {"h", 3600 * SECOND_US, WEIR_CALENDAR_HOUR},
    {"hour", 3600 * SECOND_US, WEIR_CALENDAR_HOUR},
    {"hours", 3600 * SECOND_US, WEIR_CALENDAR_HOUR},
    {"m", 60 * SECOND_US, WEIR_CALENDAR_MINUTE},
    {"min", 60 * SECOND_US, WEIR_CALENDAR_MINUTE},
    {"minute", 60 * SECOND_US, WEIR_CALENDAR_MINUTE},
    {"minutes", 60 * SECOND_US, WEIR_CALENDAR_MINUTE},
    {"s", SECOND_US, WEIR_CALENDAR_NONE},
    {"sec", SECOND_US, WEIR_CALENDAR_NONE},
    {"second", SECOND_US, WEIR_CALENDAR_NONE},
    {"seconds", SECOND_US, WEIR_CALENDAR_NONE},
    {"ms", 1000, WEIR_CALENDAR_NONE},
    {"us", 1, WEIR_CALENDAR_NONE},
};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

/* One NUMBER UNIT of a duration, and where it stands. */
struct term {
    uint64_t number; /* UINT64_MAX where it is too large */
    bool numbered;
    const struct unit *unit;
    struct weir_place place;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum weir_status refuse_unit(struct weir_bytes word, struct weir_place place,
                                    struct weir_error *ret_error)
{
    const char *names[UNIT_COUNT];
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        names[i] = units[i].name;
        if (weir_word_resembles(word, names[i])) {
            return weir_refuse(ret_error, place, "units are written in lower case: '%s'", names[i]);
        }
    }
    const struct weir_quote quote = weir_word_quote(word);
    if (word.ptr[0] == '.' || word.ptr[0] == ',') {
        return weir_refuse(ret_error, place,
                           "'%s': a duration has whole numbers alone: write 1h30m for 1.5 hours",
                           quote.text);
    }
    const char *meant = weir_word_suggest(word, names, UNIT_COUNT);
    if (meant != NULL) {
        return weir_refuse(ret_error, place, "'%s' is no unit of time: did you mean '%s'?",
                           quote.text, meant);
    }
    return weir_refuse(ret_error, place,
                       "'%s' is no unit of time: write us, ms, s, m (minute), h, d or w",
                       quote.text);
}

/* Reads the term at *at and moves *at behind it. */
static enum weir_status read_term(struct weir_bytes word, size_t offset, size_t *at,
                                  struct term *ret_term, struct weir_error *ret_error)
{
    struct term term = {.number = 0};
    const size_t start = *at;
    size_t i = start;
    for (; i < word.len && is_digit(word.ptr[i]); i++) {
        if (ckd_mul(&term.number, term.number, UINT64_C(10)) ||
            ckd_add(&term.number, term.number, (uint64_t)(word.ptr[i] - '0'))) {
            term.number = UINT64_MAX;
        }
    }
    term.numbered = i > start;
    term.number = term.numbered ? term.number : 1;
    const size_t unit_start = i;
    while (i < word.len && !is_digit(word.ptr[i])) {
        i++;
    }
    const struct weir_bytes name = weir_bytes(word.ptr + unit_start, i - unit_start);
    if (name.len == 0) {
        const struct weir_bytes number = weir_bytes(word.ptr + start, i - start);
        const struct weir_quote quote = weir_word_quote(number);
        return weir_refuse(ret_error, ((struct weir_place){offset + start, i - start}),
                           "'%s' lacks its unit: write %ss, %sm or %sh", quote.text, quote.text,
                           quote.text, quote.text);
    }
    for (size_t u = 0; u < UNIT_COUNT; u++) {
        if (weir_word_is(name, units[u].name)) {
            term.unit = &units[u];
        }
    }
    if (term.unit == NULL) {
        return refuse_unit(name, (struct weir_place){offset + unit_start, name.len}, ret_error);
    }
    term.place = (struct weir_place){offset + start, i - start};
    *at = i;
    *ret_term = term;
    return WEIR_OK;
}

/* Adds a term; what does not fit stays at INT64_MAX, and is refused by whoever knows the bound. */
static void add_term(int64_t *sum_us, const struct term *term)
{
    int64_t term_us;
    if (ckd_mul(&term_us, term->number, term->unit->us) || ckd_add(sum_us, *sum_us, term_us)) {
        *sum_us = INT64_MAX;
    }
}

static bool follows(const struct term *last, const struct term *term)
{
    return last->unit < term->unit && last->unit->us != term->unit->us;
}

enum weir_status weir_duration_parse(struct weir_bytes word, size_t offset,
                                     struct weir_duration *ret_duration,
                                     struct weir_error *ret_error)
{
    assert(word.len > 0);
    const struct weir_place whole = {offset, word.len};
    if (word.ptr[0] == '-' || word.ptr[0] == '+') {
        const struct weir_quote quote = weir_word_quote(word);
        return weir_refuse(ret_error, whole,
                           "'%s': a duration has no sign: write one as 10s or 1h30m", quote.text);
    }
    struct weir_duration duration = {0};
    struct term last = {0};
    size_t at = 0;
    while (at < word.len) {
        struct term term;
        const enum weir_status status = read_term(word, offset, &at, &term, ret_error);
        if (status != WEIR_OK) {
            return status;
        }
        if (!term.numbered && at < word.len) {
            return weir_refuse(ret_error, term.place,
                               "several units need a number each: write 1h30m, not h30m");
        }
        if (last.unit != NULL && !follows(&last, &term)) {
            return weir_refuse(ret_error, term.place,
                               "write the largest unit first and each once, as 1h30m");
        }
        if (term.unit->us == 0) {
            duration.vague = term.unit->name;
        }
        const bool single = last.unit == NULL && at == word.len && term.number == 1;
        duration.calendar = single ? term.unit->calendar : WEIR_CALENDAR_NONE;
        add_term(&duration.us, &term);
        last = term;
    }
    if (duration.us == 0 && duration.vague == NULL) {
        return weir_refuse(ret_error, whole, "a duration of 0 is none: write 1us or more");
    }
    duration.us = duration.vague == NULL ? duration.us : 0;
    *ret_duration = duration;
    return WEIR_OK;
}

const char *weir_duration_unit(int64_t us, int64_t *ret_count)
{
    assert(us >= 1);
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (units[i].us != 0 && us % units[i].us == 0) {
            *ret_count = us / units[i].us;
            return units[i].name;
        }
    }
    assert(false && "every duration is a whole number of microseconds");
    return NULL;
}

const char *weir_calendar_unit(enum weir_calendar calendar)
{
    assert(calendar != WEIR_CALENDAR_NONE && calendar != WEIR_CALENDAR_EPOCH);
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (units[i].calendar == calendar) {
            return units[i].name;
        }
    }
    assert(false && "the calendar has no other unit");
    return NULL;
}
