/* script_write.c - the command for a call: which script, which keys, and all the numbers that it
 * needs, worked out.
 *
 * The words of ARGV are described at the heads of redis/each.lua and redis/together.lua, those of a
 * limit in each algorithm's file. */

#include "redis/script_parts.h"

#include "algo/rate.h"
#include "algo/zone.h"

#include <assert.h>
#include <string.h>

/* What calendar-window (but of WEIR_CALENDAR_EPOCH) is given: the windows from two before that of
 * the time supposed to three after it. */
#define BOUNDS 7
#define BOUNDS_BEFORE 2

#define LIMIT_WORDS_MAX (6 + BOUNDS)
#define NUMBER_TEXT 21 /* the longest number, its sign, and a space after it */

struct cost {
    int64_t whole; /* -1: can never be admitted */
    int64_t part;
};

/* ---- Limits and costs as numbers ---------------------------------------------------------------
 */

static int64_t at_most(uint64_t value, int64_t bound)
{
    return value < (uint64_t)bound ? (int64_t)value : bound;
}

/* How long a bucket takes for `cost` to come back. A refund needs no more than what any debt is
 * below. */
static struct cost bucket_cost(const struct weir_limit *limit, uint64_t cost)
{
    const struct weir_rate *rate = &limit->rate;
    const weir_u128 product = (weir_u128)rate->numerator * cost;
    const int64_t most = rate->depth_us + limit->slack_us + 2;
    if (product >= (weir_u128)(uint64_t)most * rate->denominator) {
        return (struct cost){most, 0};
    }
    return (struct cost){(int64_t)(product / rate->denominator),
                         (int64_t)(product % rate->denominator)};
}

static struct cost cost_of(const struct weir_script_call *call, size_t question)
{
    const struct weir_limit *limit = call->questions[question].limit;
    const uint64_t cost = call->questions[question].cost;
    if (cost > limit->ceiling && call->verb != WEIR_VERB_REFUND) {
        return (struct cost){-1, 0};
    }
    if (limit->algorithm <= WEIR_LEAKY_BUCKET) {
        return bucket_cost(limit, cost);
    }
    return (struct cost){at_most(cost, UINT32_MAX), 0};
}

/* Where the windows around `time` begin and end, in order. At the ends of time the last is
 * repeated. */
static void calendar_bounds(const struct weir_limit *limit, int64_t time_us, int64_t *bounds)
{
    int64_t start_us;
    int64_t end_us;
    weir_zone_window(limit->zone, limit->calendar, time_us, &start_us, &end_us);
    bounds[BOUNDS_BEFORE] = start_us;
    bounds[BOUNDS_BEFORE + 1] = end_us;
    for (size_t i = BOUNDS_BEFORE; i > 0; i--) {
        bounds[i - 1] = bounds[i];
        if (bounds[i] > 0) {
            weir_zone_window(limit->zone, limit->calendar, bounds[i] - 1, &bounds[i - 1], &end_us);
        }
    }
    for (size_t i = BOUNDS_BEFORE + 2; i < BOUNDS; i++) {
        bounds[i] = bounds[i - 1];
        if (bounds[i] <= WEIR_TIME_MAX) {
            weir_zone_window(limit->zone, limit->calendar, bounds[i - 1], &start_us, &bounds[i]);
        }
    }
}

static size_t bucket_words(const struct weir_limit *limit, int64_t *words)
{
    words[0] = limit->rate.depth_us;
    words[1] = (int64_t)limit->rate.depth_part;
    words[2] = limit->rate.depth_us + limit->slack_us;
    words[3] = (int64_t)limit->rate.denominator;
    return 4;
}

static size_t algorithm_words(const struct weir_script_call *call, const struct weir_limit *limit,
                              int64_t *words)
{
    if (limit->algorithm <= WEIR_LEAKY_BUCKET) {
        return bucket_words(limit, words);
    }
    words[0] = (int64_t)limit->ceiling;
    words[1] = limit->slack_us;
    words[2] = limit->period_us;
    if (limit->calendar == WEIR_CALENDAR_EPOCH) {
        words[2] = -limit->period_us; /* as window.lua tells the two apart */
    }
    if (limit->algorithm != WEIR_CALENDAR_WINDOW || limit->calendar == WEIR_CALENDAR_EPOCH) {
        return 3;
    }
    words[3] = BOUNDS;
    const int64_t time_us = call->now_us != WEIR_CLOCK ? call->now_us : call->guess_us;
    assert(time_us >= 0 && time_us <= WEIR_TIME_MAX);
    calendar_bounds(limit, time_us, words + 4);
    return 4 + BOUNDS;
}

static size_t limit_words(const struct weir_script_call *call, size_t question, int64_t *words)
{
    const struct weir_limit *limit = call->questions[question].limit;
    const int64_t slack_us =
        limit->block_us < WEIR_CLOCK_SLACK_US ? limit->block_us : WEIR_CLOCK_SLACK_US;
    words[0] = limit->block_us;
    words[1] = limit->block_us + slack_us;
    return 2 + algorithm_words(call, limit, words + 2);
}

/* ---- Words ---------------------------------------------------------------------------------- */

static void put_numbers(struct weir_buffer *out, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        weir_resp_put_bulk_integer(out, numbers[i]);
    }
}

static void put_time(struct weir_buffer *out, const struct weir_script_call *call)
{
    if (call->now_us == WEIR_CLOCK) {
        weir_resp_put_bulk_text(out, "");
    } else {
        weir_resp_put_bulk_integer(out, call->now_us);
    }
}

static void put_block_name(struct weir_buffer *out, struct weir_bytes name)
{
    static const char ending[] = ":block";
    char text[WEIR_REDIS_NAME_MAX + sizeof(ending)];
    assert(name.len <= WEIR_REDIS_NAME_MAX);
    memcpy(text, name.ptr, name.len);
    memcpy(text + name.len, ending, sizeof(ending) - 1);
    weir_resp_put_bulk(out, weir_bytes(text, name.len + sizeof(ending) - 1));
}

/* Everything before ARGV, of which there will be `arguments`. */
static void put_head(const struct weir_scripts *scripts, const struct weir_script_call *call,
                     const struct weir_script_plan *plan, bool with_text, size_t arguments,
                     struct weir_buffer *out)
{
    const enum weir_script_index index = weir_script_index(call);
    weir_resp_put_array(out, 3 + plan->keys + arguments);
    if (with_text) {
        weir_resp_put_bulk_text(out, "EVAL");
        weir_resp_put_bulk(out, weir_script_texts[index].text);
    } else {
        weir_resp_put_bulk_text(out, "EVALSHA");
        weir_resp_put_bulk(out, weir_bytes(scripts->sha1[index], WEIR_SHA1_TEXT));
    }
    weir_resp_put_bulk_integer(out, plan->keys);
    for (size_t i = 0; i < plan->names; i++) {
        weir_resp_put_bulk(out, call->questions[plan->first[i]].name);
    }
    for (size_t i = 0; i < plan->names; i++) {
        if (plan->block[i] != WEIR_SCRIPT_NONE) {
            put_block_name(out, call->questions[plan->first[i]].name);
        }
    }
}

/* ---- Each by itself ------------------------------------------------------------------------- */

static char *put_digits(char *at, int64_t number, char after)
{
    char digits[NUMBER_TEXT];
    size_t count = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *at++ = '-';
    }
    while (count > 0) {
        *at++ = digits[--count];
    }
    *at++ = after;
    return at;
}

/* What is asked of one key, in order: TIMES WHOLE PART, for each run of one cost. */
static void put_runs(const struct weir_script_call *call, const struct weir_script_plan *plan,
                     size_t name, struct weir_buffer *out)
{
    char text[WEIR_SCRIPT_QUESTIONS_MAX * 3 * NUMBER_TEXT];
    char *at = text;
    for (uint8_t i = plan->first[name]; i != WEIR_SCRIPT_NONE;) {
        const uint64_t cost = call->questions[i].cost;
        const struct cost words = cost_of(call, i);
        int64_t times = 0;
        for (; i != WEIR_SCRIPT_NONE && call->questions[i].cost == cost; i = plan->next[i]) {
            times++;
        }
        at = put_digits(at, times, ' ');
        at = put_digits(at, words.whole, ' ');
        at = put_digits(at, words.part, ' ');
    }
    weir_resp_put_bulk(out, weir_bytes(text, (size_t)(at - text) - 1));
}

static bool same_costs(const struct weir_script_call *call)
{
    for (size_t i = 1; i < call->count; i++) {
        if (call->questions[i].cost != call->questions[0].cost) {
            return false;
        }
    }
    return true;
}

static void write_each(const struct weir_scripts *scripts, const struct weir_script_call *call,
                       const struct weir_script_plan *plan, bool with_text, struct weir_buffer *out)
{
    int64_t words[LIMIT_WORDS_MAX];
    const size_t count = limit_words(call, 0, words);
    const bool runs = plan->repeated || !same_costs(call);
    const struct cost cost = cost_of(call, 0);
    put_head(scripts, call, plan, with_text, 2 + count + 2 + (runs ? plan->names : 0), out);
    put_time(out, call);
    weir_resp_put_bulk_integer(out, call->verb);
    put_numbers(out, words, count);
    weir_resp_put_bulk_integer(out, cost.whole);
    weir_resp_put_bulk_integer(out, cost.part);
    for (size_t i = 0; runs && i < plan->names; i++) {
        put_runs(call, plan, i, out);
    }
}

/* ---- Together ------------------------------------------------------------------------------- */

static size_t group_end(const struct weir_script_call *call, size_t from)
{
    size_t end = from + 1;
    while (end < call->count && call->questions[end].group == call->questions[from].group) {
        end++;
    }
    return end;
}

static size_t together_words(const struct weir_script_call *call,
                             const struct weir_script_plan *plan)
{
    int64_t words[LIMIT_WORDS_MAX];
    size_t count = 3 + 2 * (size_t)plan->names + 5 * call->count;
    for (size_t i = 0; i < plan->limits; i++) {
        count += 1 + limit_words(call, plan->example[i], words);
    }
    for (size_t i = 0; i < call->count; i = group_end(call, i)) {
        count++;
    }
    return count;
}

static void put_together_tables(const struct weir_script_call *call,
                                const struct weir_script_plan *plan, struct weir_buffer *out)
{
    weir_resp_put_bulk_integer(out, plan->names);
    for (size_t i = 0; i < plan->names; i++) {
        const uint8_t block = plan->block[i];
        weir_resp_put_bulk_integer(out, call->questions[plan->first[i]].limit->algorithm);
        weir_resp_put_bulk_integer(out, block == WEIR_SCRIPT_NONE ? 0 : block + 1);
    }
    weir_resp_put_bulk_integer(out, plan->limits);
    for (size_t i = 0; i < plan->limits; i++) {
        int64_t words[LIMIT_WORDS_MAX];
        weir_resp_put_bulk_integer(out, call->questions[plan->example[i]].limit->algorithm);
        put_numbers(out, words, limit_words(call, plan->example[i], words));
    }
}

static void write_together(const struct weir_scripts *scripts, const struct weir_script_call *call,
                           const struct weir_script_plan *plan, bool with_text,
                           struct weir_buffer *out)
{
    put_head(scripts, call, plan, with_text, together_words(call, plan), out);
    put_time(out, call);
    put_together_tables(call, plan, out);
    size_t end = 0;
    for (size_t i = 0; i < call->count; i++) {
        if (i == end) {
            end = group_end(call, i);
            weir_resp_put_bulk_integer(out, (int64_t)(end - i));
        }
        const struct cost cost = cost_of(call, i);
        weir_resp_put_bulk_integer(out, plan->name_of[i] + 1);
        weir_resp_put_bulk_integer(out, plan->limit_of[i] + 1);
        weir_resp_put_bulk_integer(out, call->questions[i].look ? 1 : 0);
        weir_resp_put_bulk_integer(out, cost.whole);
        weir_resp_put_bulk_integer(out, cost.part);
    }
}

void weir_script_write(const struct weir_scripts *scripts, const struct weir_script_call *call,
                       bool with_text, struct weir_buffer *out)
{
    assert(!call->together || call->verb == WEIR_VERB_CHECK);
    struct weir_script_plan plan;
    weir_script_plan(call, &plan);
    if (call->together) {
        write_together(scripts, call, &plan, with_text, out);
    } else {
        write_each(scripts, call, &plan, with_text, out);
    }
}
