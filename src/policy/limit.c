/* limit.c - a limit from its numbers: every range, and what is worked out beforehand.
 *
 * A limit that exists is one that every algorithm can run without looking at a range again; so all
 * of them are checked here, for the text and for the numbers alike. Read struct weir_limit in
 * algo/algo.h first. */

#include "policy/limit.h"

#include "algo/rate.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "policy/zone_load.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define ZONE_DIRECTORY "/usr/share/zoneinfo"

static const char *const algorithm_names[WEIR_ALGORITHM_COUNT] = {
    [WEIR_TOKEN_BUCKET] = "token-bucket",     [WEIR_LEAKY_BUCKET] = "leaky-bucket",
    [WEIR_FIXED_WINDOW] = "fixed-window",     [WEIR_CALENDAR_WINDOW] = "calendar-window",
    [WEIR_SLIDING_WINDOW] = "sliding-window", [WEIR_SLIDING_LOG] = "sliding-log",
};

const char *weir_algorithm_name(enum weir_algorithm algorithm)
{
    const size_t number = (size_t)algorithm;
    return number < WEIR_ALGORITHM_COUNT ? algorithm_names[number] : NULL;
}

static enum weir_status check_count(const struct weir_limit_spec *spec, struct weir_place place,
                                    struct weir_error *ret_error)
{
    if (spec->count == 0) {
        return weir_refuse(ret_error, place, "a count of 0 admits nothing: write 1 or more");
    }
    if (spec->count > WEIR_COUNT_MAX) {
        return weir_refuse(ret_error, place, "the count is too large: write at most %" PRIu64,
                           (uint64_t)WEIR_COUNT_MAX);
    }
    if (spec->algorithm == WEIR_SLIDING_LOG && spec->count > WEIR_LOG_COUNT_MAX) {
        return weir_refuse(ret_error, place,
                           "sliding-log keeps a time for each request and counts to %d at most: "
                           "use token-bucket or sliding-window",
                           WEIR_LOG_COUNT_MAX);
    }
    if (spec->algorithm == WEIR_SLIDING_WINDOW && spec->count > WEIR_SLIDING_COUNT_MAX) {
        return weir_refuse(ret_error, place,
                           "sliding-window counts to %d at most: use token-bucket or fixed-window",
                           WEIR_SLIDING_COUNT_MAX);
    }
    return WEIR_OK;
}

static enum weir_status check_calendar(const struct weir_limit_spec *spec, struct weir_place place,
                                       struct weir_error *ret_error)
{
    const int calendar = (int)spec->calendar;
    if (calendar < WEIR_CALENDAR_MINUTE || calendar > WEIR_CALENDAR_EPOCH) {
        return weir_refuse(ret_error, place,
                           "calendar-window needs a minute, hour, day, week, month, year or the "
                           "epoch: set calendar to one, or use fixed-window");
    }
    if (spec->period_us != 0 && spec->calendar != WEIR_CALENDAR_EPOCH) {
        return weir_refuse(ret_error, place,
                           "calendar-window has a calendar and no period: leave period_us at 0, "
                           "or use the epoch or fixed-window");
    }
    return WEIR_OK;
}

static enum weir_status check_period(const struct weir_limit_spec *spec, struct weir_place place,
                                     struct weir_error *ret_error)
{
    if (spec->algorithm == WEIR_CALENDAR_WINDOW) {
        const enum weir_status status = check_calendar(spec, place, ret_error);
        if (status != WEIR_OK || spec->calendar != WEIR_CALENDAR_EPOCH) {
            return status;
        }
    } else if (spec->calendar != WEIR_CALENDAR_NONE) {
        return weir_refuse(ret_error, place,
                           "%s has a period and no calendar: set period_us, or use calendar-window",
                           weir_algorithm_name(spec->algorithm));
    }
    if (spec->period_us < 1) {
        return weir_refuse(ret_error, place, "the period is 0 or less: write 1us or more");
    }
    if (spec->period_us > WEIR_PERIOD_MAX) {
        return weir_refuse(ret_error, place,
                           "the period is too long: write at most 366d, or year with "
                           "calendar-window");
    }
    if (spec->algorithm == WEIR_SLIDING_WINDOW && spec->period_us < WEIR_SLIDING_PERIOD_MIN) {
        return weir_refuse(ret_error, place,
                           "sliding-window needs a period of 2ms or more: use token-bucket or "
                           "fixed-window");
    }
    return WEIR_OK;
}

/* Count and period have been checked; the rate is worked out on the way. */
static enum weir_status check_burst(const struct weir_limit_spec *spec, struct weir_place place,
                                    struct weir_rate *ret_rate, struct weir_error *ret_error)
{
    if (!weir_algorithm_is_bucket(spec->algorithm)) {
        if (spec->burst != 0) {
            return weir_refuse(ret_error, place,
                               "%s has no burst, only token-bucket and leaky-bucket have: leave it "
                               "out, or use one of those",
                               weir_algorithm_name(spec->algorithm));
        }
        return WEIR_OK;
    }
    if (spec->burst > WEIR_COUNT_MAX) {
        return weir_refuse(ret_error, place, "the burst is too large: write at most %" PRIu64,
                           (uint64_t)WEIR_COUNT_MAX);
    }
    const uint64_t burst = spec->burst != 0 ? spec->burst : spec->count;
    if (!weir_rate_prepare(spec->count, spec->period_us, burst, ret_rate)) {
        const weir_u128 most = (weir_u128)WEIR_PERIOD_MAX * spec->count;
        return weir_refuse(ret_error, place,
                           "a burst of %" PRIu64 " would take over 366 days to come back: write at "
                           "most %" PRIu64,
                           burst, (uint64_t)(most / (uint64_t)spec->period_us));
    }
    return WEIR_OK;
}

static enum weir_status check_block(const struct weir_limit_spec *spec, struct weir_place place,
                                    struct weir_error *ret_error)
{
    if (spec->block_us < 0) {
        return weir_refuse(ret_error, place, "the block is negative: write 1us or more, or none");
    }
    if (spec->block_us > WEIR_PERIOD_MAX) {
        return weir_refuse(ret_error, place, "the block is too long: write at most 366d");
    }
    return WEIR_OK;
}

static enum weir_status check_zone(const struct weir_limit_spec *spec, struct weir_place place,
                                   struct weir_error *ret_error)
{
    if (memchr(spec->zone, '\0', sizeof(spec->zone)) == NULL) {
        return weir_refuse(ret_error, place, "the time zone's name lacks its NUL");
    }
    if (spec->zone[0] != '\0' && spec->algorithm != WEIR_CALENDAR_WINDOW) {
        return weir_refuse(ret_error, place,
                           "%s has no time zone, only calendar-window has: leave it out",
                           weir_algorithm_name(spec->algorithm));
    }
    if (spec->zone[0] != '\0' && spec->calendar == WEIR_CALENDAR_EPOCH) {
        return weir_refuse(ret_error, place,
                           "windows from the epoch on have no time zone: leave it out, or write a "
                           "calendar's period without epoch");
    }
    return WEIR_OK;
}

static enum weir_status check_spec(const struct weir_limit_spec *spec,
                                   const struct weir_limit_places *places,
                                   struct weir_rate *ret_rate, struct weir_error *ret_error)
{
    if (weir_algorithm_name(spec->algorithm) == NULL) {
        return weir_refuse(ret_error, places->algorithm, "%d is the number of no algorithm",
                           (int)spec->algorithm);
    }
    enum weir_status status = check_count(spec, places->count, ret_error);
    if (status == WEIR_OK) {
        status = check_period(spec, places->period, ret_error);
    }
    if (status == WEIR_OK) {
        status = check_burst(spec, places->burst, ret_rate, ret_error);
    }
    if (status == WEIR_OK) {
        status = check_block(spec, places->block, ret_error);
    }
    if (status == WEIR_OK) {
        status = check_zone(spec, places->zone, ret_error);
    }
    return status;
}

/* What is hashed: a byte that tells the three forms apart, the algorithm, and then the name, the
 * period, or the calendar and its zone or period. The first byte keeps a name from ever standing
 * for a period. */
static uint64_t salt_of(const struct weir_limit *limit)
{
    char text[2 + 8 + WEIR_NAME_MAX + WEIR_ZONE_MAX];
    size_t length = 2;
    text[1] = (char)limit->algorithm;
    if (limit->name_length > 0) {
        text[0] = 'n';
        memcpy(text + length, limit->name, limit->name_length);
        length += limit->name_length;
    } else if (limit->algorithm == WEIR_CALENDAR_WINDOW) {
        text[0] = 'c';
        text[length++] = (char)limit->calendar;
        memcpy(text + length, limit->zone_name, strlen(limit->zone_name));
        length += strlen(limit->zone_name);
    } else {
        text[0] = 'p';
    }
    if (limit->name_length == 0 && limit->period_us != 0) {
        /* Byte by byte, so that a shared table means the same on every processor. */
        for (unsigned shift = 0; shift < 64; shift += 8) {
            text[length++] = (char)((uint64_t)limit->period_us >> shift & 0xff);
        }
    }
    assert(length <= sizeof(text));
    const struct weir_secret none = {0, 0};
    return weir_hash(&none, 0, weir_bytes(text, length));
}

static int64_t slack_of(const struct weir_limit *limit)
{
    int64_t span_us = limit->period_us;
    if (weir_algorithm_is_bucket(limit->algorithm)) {
        span_us = limit->rate.depth_us;
    } else if (limit->algorithm == WEIR_CALENDAR_WINDOW && limit->period_us == 0) {
        span_us =
            WEIR_CLOCK_SLACK_US; /* no window of a calendar is shorter, but for a few cut ones */
    }
    return span_us < WEIR_CLOCK_SLACK_US ? span_us : WEIR_CLOCK_SLACK_US;
}

static void fill_in(struct weir_limit *limit, const struct weir_limit_spec *spec,
                    const struct weir_limit_options *options, const struct weir_rate *rate)
{
    limit->algorithm = spec->algorithm;
    limit->calendar = spec->calendar;
    limit->count = spec->count;
    limit->ceiling = spec->burst != 0 ? spec->burst : spec->count;
    limit->period_us = spec->period_us;
    limit->block_us = spec->block_us;
    limit->rate = *rate;
    if (spec->calendar == WEIR_CALENDAR_EPOCH) {
        limit->rate.numerator = (uint64_t)spec->period_us;
        limit->rate.reciprocal = UINT64_MAX / (uint64_t)spec->period_us;
    } else if (spec->algorithm == WEIR_CALENDAR_WINDOW) {
        const char *zone = spec->zone[0] != '\0' ? spec->zone : "UTC";
        memcpy(limit->zone_name, zone, strlen(zone));
    }
    if (options != NULL && options->name.len > 0) {
        memcpy(limit->name, options->name.ptr, options->name.len);
        limit->name_length = options->name.len;
    }
    limit->on_error = options != NULL ? options->on_error : WEIR_ON_ERROR_DEFAULT;
    limit->plain = limit->algorithm <= WEIR_LEAKY_BUCKET && limit->block_us == 0;
    limit->whole = limit->plain && limit->algorithm == WEIR_TOKEN_BUCKET && rate->denominator == 1;
    limit->interval_high = (uint64_t)rate->interval_us << 16;
    limit->depth_high = (uint64_t)rate->depth_us << 16;
    limit->slack_us = slack_of(limit);
    limit->horizon_high = (uint64_t)(rate->depth_us + limit->slack_us) << 16;
    limit->salt = salt_of(limit);
}

enum weir_status weir_limit_options_check(const struct weir_limit_options *options,
                                          struct weir_error *ret_error)
{
    if (options == NULL) {
        return WEIR_OK;
    }
    /* 0 stands for the first version, all of whose fields every version has. */
    if (options->size != 0 && options->size < sizeof(*options)) {
        weir_error_set(ret_error, 0, 0, "options.size is not sizeof(struct weir_limit_options)");
        return WEIR_ERR_ARGUMENT;
    }
    if ((unsigned)options->on_error > WEIR_ON_ERROR_LOCAL) {
        weir_error_set(ret_error, 0, 0, "options.on_error is none of enum weir_on_error");
        return WEIR_ERR_ARGUMENT;
    }
    if (options->name.len > WEIR_NAME_MAX) {
        weir_error_set(ret_error, 0, 0, "the limit's name has %zu bytes: write at most %d",
                       options->name.len, WEIR_NAME_MAX);
        return WEIR_ERR_ARGUMENT;
    }
    return WEIR_OK;
}

static enum weir_status load_zone(struct weir_limit *limit,
                                  const struct weir_limit_options *options, struct weir_place place,
                                  struct weir_error *ret_error)
{
    if (limit->zone_name[0] == '\0' || strcmp(limit->zone_name, "UTC") == 0) {
        return WEIR_OK;
    }
    const char *directory = ZONE_DIRECTORY;
    if (options != NULL && options->zone_directory != NULL) {
        directory = options->zone_directory;
    }
    const enum weir_status status =
        weir_zone_load(directory, limit->zone_name, limit->allocator, &limit->zone, ret_error);
    if (status != WEIR_OK && ret_error != NULL) {
        ret_error->offset = place.offset;
        ret_error->length = place.length;
    }
    return status;
}

enum weir_status weir_limit_make(const struct weir_limit_spec *spec,
                                 const struct weir_limit_options *options,
                                 const struct weir_limit_places *places,
                                 struct weir_limit **ret_limit, struct weir_error *ret_error)
{
    struct weir_rate rate = {0};
    enum weir_status status = check_spec(spec, places, &rate, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    const struct weir_allocator *given = options != NULL ? options->allocator : NULL;
    struct weir_limit *limit =
        weir_alloc(weir_allocator_or_default(given), sizeof(*limit), _Alignof(struct weir_limit));
    if (limit == NULL) {
        weir_error_set(ret_error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    limit->allocator = weir_allocator_or_default(NULL);
    if (given != NULL) {
        limit->own_allocator = *given;
        limit->allocator = &limit->own_allocator;
    }
    fill_in(limit, spec, options, &rate);
    status = load_zone(limit, options, places->zone, ret_error);
    if (status != WEIR_OK) {
        weir_limit_free(limit);
        return status;
    }
    *ret_limit = limit;
    return WEIR_OK;
}

enum weir_status weir_limit_new(const struct weir_limit_spec *spec,
                                const struct weir_limit_options *options,
                                struct weir_limit **ret_limit, struct weir_error *ret_error)
{
    assert(spec != NULL && ret_limit != NULL);
    const enum weir_status status = weir_limit_options_check(options, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    const struct weir_limit_places nowhere = {0};
    return weir_limit_make(spec, options, &nowhere, ret_limit, ret_error);
}

void weir_limit_describe(const struct weir_limit *limit, struct weir_limit_spec *ret_spec)
{
    assert(limit != NULL && ret_spec != NULL);
    *ret_spec = (struct weir_limit_spec){
        .algorithm = limit->algorithm,
        .calendar = limit->calendar,
        .count = limit->count,
        .period_us = limit->period_us,
        .burst = weir_algorithm_is_bucket(limit->algorithm) ? limit->ceiling : 0,
        .block_us = limit->block_us,
    };
    memcpy(ret_spec->zone, limit->zone_name, sizeof(ret_spec->zone));
}

void weir_limit_free(struct weir_limit *limit)
{
    if (limit == NULL) {
        return;
    }
    /* The allocator may live in the memory that it is about to take back. */
    const struct weir_allocator allocator = *limit->allocator;
    weir_zone_free(limit->zone, &allocator);
    weir_release(&allocator, limit, sizeof(*limit));
}
