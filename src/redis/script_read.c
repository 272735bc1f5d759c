/* script_read.c - the reply of a script: the values as it found them, strictly read.
 *
 * The reply is a flat array: for each key its value (a string), nil, 0 for a list, or -1 where the
 * script will have none of it; then what sliding-log told of its steps; then the time. Or the time
 * alone, where calendar-window was not given the windows that this is in. */

#include "redis/script_parts.h"

#include <assert.h>
#include <string.h>

/* ---- Values -----------------------------------------------------------------------------------
 */

#define FIELDS_MAX 3

/* The numbers in `text`, each 0..WEIR_SCRIPT_NUMBER_MAX and apart by one space; 0 where that is not
 * what it is. */
static size_t read_fields(struct weir_bytes text, int64_t *fields)
{
    size_t count = 0;
    size_t start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != ' ') {
            continue;
        }
        if (count == FIELDS_MAX ||
            !weir_resp_integer(weir_bytes(text.ptr + start, i - start), &fields[count]) ||
            fields[count] < 0 || fields[count] > WEIR_SCRIPT_NUMBER_MAX) {
            return 0;
        }
        count++;
        start = i + 1;
    }
    return count;
}

static bool within(int64_t value, int64_t low, int64_t high)
{
    return value >= low && value <= high;
}

static bool read_own(enum weir_algorithm algorithm, struct weir_bytes text,
                     struct weir_state *ret_state)
{
    int64_t fields[FIELDS_MAX] = {0};
    const size_t count = read_fields(text, fields);
    uint64_t payload = (uint64_t)fields[1];
    bool good = false;
    if (algorithm <= WEIR_LEAKY_BUCKET) {
        good = count == 1 || (count == 2 && fields[1] <= UINT32_MAX);
        payload = count == 1 ? 0 : payload;
    } else if (algorithm <= WEIR_CALENDAR_WINDOW) {
        good = count == 2 && within(fields[1], 1, UINT32_MAX);
    } else if (algorithm == WEIR_SLIDING_WINDOW) {
        good = count == 3 && fields[1] <= WEIR_SLIDING_COUNT_MAX &&
               fields[2] <= WEIR_SLIDING_COUNT_MAX && fields[1] + fields[2] > 0;
        payload = payload << WEIR_SLIDING_BITS | (uint64_t)fields[2];
    }
    if (good) {
        *ret_state = (struct weir_state){fields[0], payload};
    }
    return good;
}

static void read_key(const struct weir_script_call *call, const struct weir_script_plan *plan,
                     const struct weir_resp_value *items, size_t name, struct weir_script_key *key)
{
    const enum weir_algorithm algorithm = call->questions[plan->first[name]].limit->algorithm;
    const struct weir_resp_value *own = &items[name];
    *key = (struct weir_script_key){.foreign = false};
    if (own->type == WEIR_RESP_BULK) {
        key->foreign = !read_own(algorithm, own->text, &key->own);
    } else if (own->type != WEIR_RESP_NIL) {
        key->foreign = algorithm != WEIR_SLIDING_LOG || own->integer != 0;
    }
    if (plan->block[name] == WEIR_SCRIPT_NONE) {
        return;
    }
    const struct weir_resp_value *block = &items[plan->block[name]];
    int64_t fields[FIELDS_MAX] = {0};
    if (block->type == WEIR_RESP_BULK && read_fields(block->text, fields) == 1) {
        key->block_until_us = fields[0];
    } else if (block->type != WEIR_RESP_NIL) {
        key->foreign = true;
    }
}

/* ---- The reply ---------------------------------------------------------------------------------
 */

static void fail_all(const struct weir_script_call *call, bool again, int64_t now_us,
                     struct weir_script_answer *answers)
{
    for (size_t i = 0; i < call->count; i++) {
        answers[i] = (struct weir_script_answer){
            .failure = WEIR_FAILURE_REPLY, .again = again, .now_us = now_us};
    }
}

/* Whether these are values of keys, and after them integers, the last of which is the time. */
static bool well_formed(const struct weir_script_call *call, size_t keys,
                        const struct weir_resp_value *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const enum weir_resp_type type = items[i].type;
        if (type != WEIR_RESP_INTEGER &&
            (i >= keys || (type != WEIR_RESP_BULK && type != WEIR_RESP_NIL))) {
            return false;
        }
    }
    const int64_t now_us = items[count - 1].integer;
    return call->now_us == WEIR_CLOCK ? within(now_us, 0, WEIR_TIME_MAX) : now_us == call->now_us;
}

void weir_script_read(const struct weir_scripts *scripts, const struct weir_script_call *call,
                      const struct weir_resp_value *values, size_t count,
                      struct weir_script_answer *ret_answers)
{
    (void)scripts;
    struct weir_script_plan plan;
    weir_script_plan(call, &plan);
    if (count < 2 || values[0].type != WEIR_RESP_ARRAY || values[0].count != count - 1 ||
        (count - 1 != 1 && count - 1 < (size_t)plan.keys + 1) ||
        !well_formed(call, count - 1 == 1 ? 0 : plan.keys, values + 1, count - 1)) {
        fail_all(call, false, 0, ret_answers);
        return;
    }
    const int64_t now_us = values[count - 1].integer;
    if (count - 1 == 1) {
        fail_all(call, call->now_us == WEIR_CLOCK, now_us, ret_answers);
        return;
    }
    struct weir_script_replay replay = {
        .call = call,
        .plan = &plan,
        .now_us = now_us,
        .tape = values + 1 + plan.keys,
        .tape_count = count - 2 - plan.keys,
    };
    for (size_t i = 0; i < plan.names; i++) {
        read_key(call, &plan, values + 1, i, &replay.keys[i]);
    }
    weir_script_replay(&replay, ret_answers);
    if (replay.broken || replay.tape_at != replay.tape_count) {
        fail_all(call, false, 0, ret_answers);
    }
}
