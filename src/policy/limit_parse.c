/* limit_parse.c - a limit from its text.
 *
 *     COUNT/PERIOD [ALGORITHM [ZONE | epoch]] [burst COUNT] [block DURATION]
 *
 * Words are parted by blanks; the rate comes first, and the clauses after it in any order, each at
 * most once. This file knows the words; what numbers a limit may have is limit.c's to say, which is
 * told where each was written. The grammar for people is weir-limit(7). */

#include "base/checked.h"
#include "policy/duration.h"
#include "policy/limit.h"

#include <assert.h>
#include <string.h>

struct word {
    struct weir_bytes bytes;
    struct weir_place place;
};

/* The text, how far it is read, and what was found. */
struct reader {
    struct weir_bytes text;
    size_t at;
    struct weir_limit_spec spec;
    struct weir_limit_places places;
    struct weir_duration period;
    bool algorithm_seen;
    bool burst_seen;
    bool block_seen;
    struct weir_error *error;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word, or an empty one at the text's end. */
static struct word next_word(struct reader *reader)
{
    const struct weir_bytes text = reader->text;
    while (reader->at < text.len && is_blank(text.ptr[reader->at])) {
        reader->at++;
    }
    const size_t start = reader->at;
    while (reader->at < text.len && !is_blank(text.ptr[reader->at])) {
        reader->at++;
    }
    const size_t length = reader->at - start;
    const char *ptr = length > 0 ? text.ptr + start : NULL;
    return (struct word){weir_bytes(ptr, length), {start, length}};
}

/* Digits alone; a number that is too large becomes UINT64_MAX, which limit.c refuses. */
static bool read_number(struct weir_bytes digits, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < digits.len; i++) {
        const char c = digits.ptr[i];
        if (c < '0' || c > '9') {
            return false;
        }
        if (ckd_mul(&number, number, UINT64_C(10)) ||
            ckd_add(&number, number, (uint64_t)(c - '0'))) {
            number = UINT64_MAX;
        }
    }
    *ret_number = number;
    return digits.len > 0;
}

static enum weir_status refuse_count(const struct reader *reader, struct word word)
{
    const struct weir_quote quote = weir_word_quote(word.bytes);
    if (word.bytes.ptr[0] == '-') {
        return weir_refuse(reader->error, word.place,
                           "'%s': a count can't be negative: write 1 or more", quote.text);
    }
    return weir_refuse(reader->error, word.place,
                       "'%s' is no count: write decimal digits alone, as 1000", quote.text);
}

/* A first word that has no slash. */
static enum weir_status refuse_rate(const struct reader *reader, struct word word)
{
    uint64_t number;
    if (word.bytes.len == 0) {
        return weir_refuse(reader->error, word.place,
                           "the limit is empty: write COUNT/PERIOD, as 100/m");
    }
    const struct weir_quote quote = weir_word_quote(word.bytes);
    if (read_number(word.bytes, &number)) {
        return weir_refuse(reader->error, word.place,
                           "'%s' lacks its period: write %s/s, %s/m or %s/h, without blanks",
                           quote.text, quote.text, quote.text, quote.text);
    }
    return weir_refuse(reader->error, word.place,
                       "a limit starts with COUNT/PERIOD, as 100/m, not with '%s'", quote.text);
}

static enum weir_status read_rate(struct reader *reader)
{
    const struct word rate = next_word(reader);
    const char *slash = rate.bytes.len > 0 ? memchr(rate.bytes.ptr, '/', rate.bytes.len) : NULL;
    if (slash == NULL) {
        return refuse_rate(reader, rate);
    }
    const size_t before = (size_t)(slash - rate.bytes.ptr);
    const struct word count = {weir_bytes(rate.bytes.ptr, before), {rate.place.offset, before}};
    const size_t after = rate.bytes.len - before - 1;
    const struct word period = {weir_bytes(slash + 1, after),
                                {rate.place.offset + before + 1, after}};
    if (before == 0) {
        return weir_refuse(reader->error, rate.place,
                           "the count before '/' is missing: write COUNT/PERIOD, as 100/m");
    }
    if (!read_number(count.bytes, &reader->spec.count)) {
        return refuse_count(reader, count);
    }
    if (after == 0) {
        return weir_refuse(reader->error, rate.place,
                           "the period after '/' is missing: write one as s, m, 10s or 1h30m, "
                           "without blanks");
    }
    reader->places.count = count.place;
    reader->places.period = period.place;
    return weir_duration_parse(period.bytes, period.place.offset, &reader->period, reader->error);
}

static enum weir_status read_burst(struct reader *reader, struct word keyword)
{
    if (reader->burst_seen) {
        return weir_refuse(reader->error, keyword.place, "burst is there twice: leave one out");
    }
    const struct word count = next_word(reader);
    if (count.bytes.len == 0) {
        return weir_refuse(reader->error, keyword.place,
                           "burst lacks its count: write one behind it, as burst 50");
    }
    if (!read_number(count.bytes, &reader->spec.burst)) {
        return refuse_count(reader, count);
    }
    if (reader->spec.burst == 0) {
        return weir_refuse(reader->error, count.place,
                           "a burst of 0 admits nothing: write 1 or more");
    }
    reader->burst_seen = true;
    reader->places.burst = count.place;
    return WEIR_OK;
}

/* "a month has no fixed length", for a period or a block that needs one. */
static enum weir_status refuse_vague(const struct reader *reader, const char *unit,
                                     struct weir_place place, const char *or_else)
{
    return weir_refuse(reader->error, place, "a %s has no fixed length: write %s%s", unit,
                       strcmp(unit, "month") == 0 ? "30d" : "365d", or_else);
}

static enum weir_status read_block(struct reader *reader, struct word keyword)
{
    if (reader->block_seen) {
        return weir_refuse(reader->error, keyword.place, "block is there twice: leave one out");
    }
    const struct word word = next_word(reader);
    if (word.bytes.len == 0) {
        return weir_refuse(reader->error, keyword.place,
                           "block lacks its duration: write one behind it, as block 15m");
    }
    struct weir_duration block;
    const enum weir_status status =
        weir_duration_parse(word.bytes, word.place.offset, &block, reader->error);
    if (status != WEIR_OK) {
        return status;
    }
    if (block.vague != NULL) {
        return refuse_vague(reader, block.vague, word.place, "");
    }
    reader->block_seen = true;
    reader->spec.block_us = block.us;
    reader->places.block = word.place;
    return WEIR_OK;
}

#define EPOCH "epoch"

static const char *const keywords[WEIR_ALGORITHM_COUNT + 3] = {
    "token-bucket",    "leaky-bucket",   "fixed-window",
    "calendar-window", "sliding-window", "sliding-log",
    "burst",           "block",          EPOCH,
};

#define KEYWORD_COUNT (sizeof(keywords) / sizeof(keywords[0]))

/* A word that is a keyword, if only it were written properly, is taken for one that is misspelt,
 * and not for a time zone. */
static const char *keyword_resembled(struct weir_bytes word)
{
    for (size_t i = 0; i < KEYWORD_COUNT; i++) {
        if (weir_word_resembles(word, keywords[i])) {
            return keywords[i];
        }
    }
    return NULL;
}

/* The word behind calendar-window, if it is a zone, or says that windows are counted from 1970 on.
 */
static enum weir_status read_zone(struct reader *reader)
{
    const size_t before = reader->at;
    const struct word zone = next_word(reader);
    if (weir_word_is(zone.bytes, EPOCH)) {
        reader->spec.calendar = WEIR_CALENDAR_EPOCH;
        return WEIR_OK;
    }
    if (zone.bytes.len == 0 || keyword_resembled(zone.bytes) != NULL) {
        reader->at = before;
        return WEIR_OK;
    }
    if (zone.bytes.len > WEIR_ZONE_MAX) {
        return weir_refuse(reader->error, zone.place,
                           "a time zone's name has at most %d bytes: write one as Europe/Rome",
                           WEIR_ZONE_MAX);
    }
    if (memchr(zone.bytes.ptr, '\0', zone.bytes.len) != NULL) {
        return weir_refuse(reader->error, zone.place,
                           "a time zone's name has no NUL: write one as Europe/Rome");
    }
    memcpy(reader->spec.zone, zone.bytes.ptr, zone.bytes.len);
    reader->places.zone = zone.place;
    return WEIR_OK;
}

static enum weir_status refuse_word(const struct reader *reader, struct word word)
{
    if (weir_word_is(word.bytes, EPOCH)) {
        return weir_refuse(reader->error, word.place,
                           "epoch is not expected here: it comes right behind calendar-window");
    }
    const struct weir_quote quote = weir_word_quote(word.bytes);
    const char *meant = keyword_resembled(word.bytes);
    if (meant != NULL) {
        return weir_refuse(reader->error, word.place,
                           "'%s': keywords are written in lower case and with hyphens: '%s'",
                           quote.text, meant);
    }
    if (memchr(word.bytes.ptr, '/', word.bytes.len) != NULL) {
        return weir_refuse(reader->error, word.place,
                           "'%s' is not expected here: a limit has one rate, and a time zone comes "
                           "right behind calendar-window",
                           quote.text);
    }
    meant = weir_word_suggest(word.bytes, keywords, KEYWORD_COUNT);
    if (meant != NULL) {
        return weir_refuse(reader->error, word.place,
                           "'%s' is neither an algorithm nor burst nor block: did you mean '%s'?",
                           quote.text, meant);
    }
    return weir_refuse(reader->error, word.place,
                       "'%s' is neither an algorithm nor burst nor block: write token-bucket, "
                       "leaky-bucket, fixed-window, calendar-window, sliding-window or sliding-log",
                       quote.text);
}

static enum weir_status read_algorithm(struct reader *reader, struct word word)
{
    int number = 0;
    while (number < WEIR_ALGORITHM_COUNT &&
           !weir_word_is(word.bytes, weir_algorithm_name((enum weir_algorithm)number))) {
        number++;
    }
    if (number == WEIR_ALGORITHM_COUNT) {
        return refuse_word(reader, word);
    }
    if (reader->algorithm_seen) {
        return weir_refuse(reader->error, word.place, "a limit has one algorithm: leave one out");
    }
    reader->algorithm_seen = true;
    reader->spec.algorithm = (enum weir_algorithm)number;
    reader->places.algorithm = word.place;
    return reader->spec.algorithm == WEIR_CALENDAR_WINDOW ? read_zone(reader) : WEIR_OK;
}

static enum weir_status read_clauses(struct reader *reader)
{
    enum weir_status status = WEIR_OK;
    while (status == WEIR_OK) {
        const struct word word = next_word(reader);
        if (word.bytes.len == 0) {
            break;
        }
        if (weir_word_is(word.bytes, "burst")) {
            status = read_burst(reader, word);
        } else if (weir_word_is(word.bytes, "block")) {
            status = read_block(reader, word);
        } else {
            status = read_algorithm(reader, word);
        }
    }
    return status;
}

/* The period means one thing to a calendar and another to the rest, and the algorithm is known only
 * now. */
static enum weir_status settle_period(struct reader *reader)
{
    const struct weir_place place = reader->places.period;
    const bool epoch = reader->spec.calendar == WEIR_CALENDAR_EPOCH;
    if (epoch || reader->spec.algorithm != WEIR_CALENDAR_WINDOW) {
        reader->spec.period_us = reader->period.us;
        return reader->period.vague == NULL
                   ? WEIR_OK
                   : refuse_vague(reader, reader->period.vague, place,
                                  epoch ? ", or leave out epoch" : ", or add calendar-window");
    }
    reader->spec.calendar = reader->period.calendar;
    if (reader->spec.calendar == WEIR_CALENDAR_NONE) {
        const struct weir_quote quote =
            weir_word_quote(weir_bytes(reader->text.ptr + place.offset, place.length));
        return weir_refuse(reader->error, place,
                           "calendar-window takes exactly one m, h, d, w, month or year, not '%s': "
                           "write one of those, fixed-window, or calendar-window epoch",
                           quote.text);
    }
    return WEIR_OK;
}

enum weir_status weir_limit_parse(struct weir_bytes text, const struct weir_limit_options *options,
                                  struct weir_limit **ret_limit, struct weir_error *ret_error)
{
    assert(ret_limit != NULL);
    assert(text.ptr != NULL || text.len == 0);
    enum weir_status status = weir_limit_options_check(options, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    struct reader reader = {.text = text, .error = ret_error};
    status = read_rate(&reader);
    if (status == WEIR_OK) {
        status = read_clauses(&reader);
    }
    if (status == WEIR_OK) {
        status = settle_period(&reader);
    }
    if (status != WEIR_OK) {
        return status;
    }
    return weir_limit_make(&reader.spec, options, &reader.places, ret_limit, ret_error);
}
