/* explain.c - see explain.h.
 *
 * The worst cases, for a stretch of time as long as the period (its end not counted for the
 * windows):
 *   buckets          a full burst at its start, and count that come back before it ends
 *   fixed-window     the window opened by one request, the rest of it just before it ends, and then
 * a
 *                    whole new one: count - 1 + count
 *   calendar-window  a whole window before its end and a whole one after: the window need not be
 * opened
 *   sliding-window   as fixed-window: what was taken late in the previous window weighs next to
 * nothing
 *                    late in this one, but never nothing
 *   sliding-log      count, by definition
 * A test drives the engine to each of them, and never past. */

#include "cli/explain.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

static bool is_bucket(const struct weir_limit_spec *spec)
{
    return spec->algorithm == WEIR_TOKEN_BUCKET || spec->algorithm == WEIR_LEAKY_BUCKET;
}

static const char *calendar_word(enum weir_calendar calendar)
{
    static const char *const words[] = {
        [WEIR_CALENDAR_NONE] = "period", [WEIR_CALENDAR_MINUTE] = "minute",
        [WEIR_CALENDAR_HOUR] = "hour",   [WEIR_CALENDAR_DAY] = "day",
        [WEIR_CALENDAR_WEEK] = "week",   [WEIR_CALENDAR_MONTH] = "month",
        [WEIR_CALENDAR_YEAR] = "year",   [WEIR_CALENDAR_EPOCH] = "window",
    };
    return words[calendar];
}

int64_t cli_nominal_period_us(const struct weir_limit_spec *spec)
{
    static const int64_t lengths[] = {
        [WEIR_CALENDAR_NONE] = 0,
        [WEIR_CALENDAR_MINUTE] = MINUTE_US,
        [WEIR_CALENDAR_HOUR] = HOUR_US,
        [WEIR_CALENDAR_DAY] = DAY_US,
        [WEIR_CALENDAR_WEEK] = 7 * DAY_US,
        [WEIR_CALENDAR_MONTH] = 30 * DAY_US,
        [WEIR_CALENDAR_YEAR] = 365 * DAY_US,
    };
    return spec->period_us > 0 ? spec->period_us : lengths[spec->calendar];
}

uint64_t cli_capacity(const struct weir_limit_spec *spec)
{
    return is_bucket(spec) ? spec->burst : spec->count;
}

struct cli_words cli_period_words(int64_t period_us)
{
    static const struct {
        int64_t us;
        const char *word;
    } units[] = {{SECOND_US, "second"},
                 {MINUTE_US, "minute"},
                 {HOUR_US, "hour"},
                 {DAY_US, "day"},
                 {7 * DAY_US, "week"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].us == period_us) {
            struct cli_words words;
            (void)snprintf(words.text, sizeof(words.text), "%s", units[i].word);
            return words;
        }
    }
    return cli_duration_words(period_us);
}

/* Whether cli_duration_words says all of `duration_us`. */
static bool is_shown_whole(int64_t duration_us)
{
    const int64_t grain_us = duration_us < 1000        ? 1
                             : duration_us < SECOND_US ? 100
                             : duration_us < MINUTE_US ? 100000
                             : duration_us < HOUR_US   ? SECOND_US
                             : duration_us < DAY_US    ? MINUTE_US
                                                       : HOUR_US;
    return duration_us % grain_us == 0;
}

/* "1 every 2 s", or "7 a minute (1 every 8.6 s or so)" where that is no round number. */
static struct cli_words rate_words(const struct weir_limit_spec *spec)
{
    struct cli_words words;
    const uint64_t period = (uint64_t)spec->period_us;
    const int64_t interval_us = (int64_t)(period / spec->count);
    const struct cli_words interval = cli_period_words(interval_us);
    if (period % spec->count == 0 && is_shown_whole(interval_us)) {
        (void)snprintf(words.text, sizeof(words.text), "1 every %.40s", interval.text);
    } else {
        const struct cli_words per = cli_period_words(spec->period_us);
        const bool number = per.text[0] >= '0' && per.text[0] <= '9';
        (void)snprintf(words.text, sizeof(words.text), "%.30s %s %.30s, evenly",
                       cli_number_words(spec->count).text, number ? "every" : "a", per.text);
    }
    return words;
}

static void explain_bucket(const struct weir_limit_spec *spec, struct cli_explanation *explanation)
{
    const struct cli_words burst = cli_number_words(spec->burst);
    const struct cli_words count = cli_number_words(spec->count);
    const struct cli_words per = cli_period_words(spec->period_us);
    const struct cli_words rate = rate_words(spec);
    explanation->worst = spec->burst + spec->count;
    const struct cli_words worst = cli_number_words(explanation->worst);
    if (spec->algorithm == WEIR_TOKEN_BUCKET) {
        (void)snprintf(explanation->allows, sizeof(explanation->allows), "%s, up to %s at once",
                       rate.text, burst.text);
        (void)snprintf(explanation->at_most, sizeof(explanation->at_most),
                       "%s in any %s: %s at once, and %s that come%s back meanwhile", worst.text,
                       per.text, burst.text, count.text, spec->count == 1 ? "s" : "");
        return;
    }
    (void)snprintf(explanation->allows, sizeof(explanation->allows),
                   "%s, with a queue of %s that wait for their turn", rate.text, burst.text);
    (void)snprintf(explanation->at_most, sizeof(explanation->at_most),
                   "%s admitted in any %s; they leave evenly, %s", worst.text, per.text, rate.text);
}

static void explain_window(const struct weir_limit_spec *spec, struct cli_explanation *explanation)
{
    const bool calendar = spec->algorithm == WEIR_CALENDAR_WINDOW;
    const struct cli_words count = cli_number_words(spec->count);
    const struct cli_words per = cli_period_words(spec->period_us);
    const char *unit = calendar_word(spec->calendar);
    explanation->worst = calendar ? 2 * spec->count : 2 * spec->count - 1;
    const struct cli_words worst = cli_number_words(explanation->worst);
    const struct cli_words before = cli_number_words(explanation->worst - spec->count);
    if (spec->calendar == WEIR_CALENDAR_EPOCH) {
        (void)snprintf(explanation->allows, sizeof(explanation->allows),
                       "%s in each window of %s, one after another from 1970 (UTC) on", count.text,
                       cli_duration_words(spec->period_us).text);
    } else if (calendar) {
        (void)snprintf(explanation->allows, sizeof(explanation->allows),
                       "%s in each %s of the calendar (%s)", count.text, unit,
                       *spec->zone != '\0' ? spec->zone : "UTC");
    }
    if (calendar) {
        (void)snprintf(explanation->at_most, sizeof(explanation->at_most),
                       "%s in a stretch as long: %s as a %s ends, %s as the next begins",
                       worst.text, before.text, unit, count.text);
    } else {
        (void)snprintf(explanation->allows, sizeof(explanation->allows),
                       "%s in a window of %s, which opens at a key's first request", count.text,
                       cli_duration_words(spec->period_us).text);
        (void)snprintf(explanation->at_most, sizeof(explanation->at_most),
                       "%s in any %s: %s as a window ends, %s as the next begins", worst.text,
                       per.text, before.text, count.text);
    }
}

static void explain_sliding(const struct weir_limit_spec *spec, struct cli_explanation *explanation)
{
    const struct cli_words count = cli_number_words(spec->count);
    const struct cli_words per = cli_period_words(spec->period_us);
    if (spec->algorithm == WEIR_SLIDING_LOG) {
        explanation->worst = spec->count;
        (void)snprintf(explanation->allows, sizeof(explanation->allows), "exactly %s in any %s",
                       count.text, per.text);
        (void)snprintf(explanation->at_most, sizeof(explanation->at_most), "%s in any %s",
                       count.text, per.text);
        return;
    }
    explanation->worst = 2 * spec->count - 1;
    (void)snprintf(explanation->allows, sizeof(explanation->allows),
                   "%s in any %s, by an estimate from the counts of two windows", count.text,
                   per.text);
    (void)snprintf(explanation->at_most, sizeof(explanation->at_most),
                   "%s in any %s, if they come late in one window and late in the next",
                   cli_number_words(explanation->worst).text, per.text);
}

void cli_explain(const struct weir_limit_spec *spec, struct cli_explanation *ret_explanation)
{
    assert(spec->count > 0);
    struct cli_explanation explanation = {.worst = 0};
    switch (spec->algorithm) {
    case WEIR_TOKEN_BUCKET:
    case WEIR_LEAKY_BUCKET:
        explain_bucket(spec, &explanation);
        break;
    case WEIR_FIXED_WINDOW:
    case WEIR_CALENDAR_WINDOW:
        explain_window(spec, &explanation);
        break;
    case WEIR_SLIDING_WINDOW:
    case WEIR_SLIDING_LOG:
        explain_sliding(spec, &explanation);
        break;
    }
    if (spec->block_us > 0) {
        (void)snprintf(explanation.denied, sizeof(explanation.denied),
                       "the key is blocked for %s, whatever comes",
                       cli_duration_words(spec->block_us).text);
    } else {
        (void)snprintf(explanation.denied, sizeof(explanation.denied),
                       "takes nothing, and is told when to come back");
    }
    *ret_explanation = explanation;
}
