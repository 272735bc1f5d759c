/* script_plan.c - which questions of a call are about the same key, or under the same limit. */

#include "redis/script_parts.h"

#include "algo/zone.h"
#include "base/hash.h"

#include <assert.h>
#include <string.h>

/* A power of two, and twice the questions, so that a free place is always near. */
#define PLACES 128
_Static_assert(PLACES >= 2 * WEIR_SCRIPT_QUESTIONS_MAX, "there is always a free place");

static bool same_bytes(struct weir_bytes a, struct weir_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool same_zone(const struct weir_zone *a, const struct weir_zone *b)
{
    if (a == b || a == NULL || b == NULL) {
        return a == b;
    }
    return a->count == b->count &&
           memcmp(a->starts, b->starts, a->count * sizeof(a->starts[0])) == 0 &&
           memcmp(a->offsets, b->offsets, a->count * sizeof(a->offsets[0])) == 0;
}

bool weir_script_same_limit(const struct weir_limit *a, const struct weir_limit *b)
{
    return a == b ||
           (a->algorithm == b->algorithm && a->calendar == b->calendar && a->count == b->count &&
            a->ceiling == b->ceiling && a->period_us == b->period_us &&
            a->block_us == b->block_us && same_zone(a->zone, b->zone));
}

unsigned weir_script_weight(const struct weir_limit *limit)
{
    /* docs/decisions/0007 has the figures. */
    return limit->algorithm == WEIR_SLIDING_LOG ? 5 : 1;
}

/* The number of the question's name: that of an earlier question's, or a new one. */
static uint8_t name_at(const struct weir_script_call *call, struct weir_script_plan *plan,
                       uint8_t *places, size_t question)
{
    const struct weir_secret none = {0, 0};
    const struct weir_bytes name = call->questions[question].name;
    size_t place = weir_hash(&none, 0, name) % PLACES;
    while (places[place] != WEIR_SCRIPT_NONE) {
        const uint8_t number = places[place];
        if (same_bytes(call->questions[plan->first[number]].name, name)) {
            return number;
        }
        place = (place + 1) % PLACES;
    }
    places[place] = plan->names;
    plan->first[plan->names] = (uint8_t)question;
    return plan->names++;
}

static uint8_t limit_at(const struct weir_script_call *call, struct weir_script_plan *plan,
                        size_t question)
{
    for (uint8_t i = 0; i < plan->limits; i++) {
        if (weir_script_same_limit(call->questions[plan->example[i]].limit,
                                   call->questions[question].limit)) {
            return i;
        }
    }
    plan->example[plan->limits] = (uint8_t)question;
    return plan->limits++;
}

/* Gives a place to the names of blocks, after the names. */
static void place_blocks(const struct weir_script_call *call, struct weir_script_plan *plan)
{
    plan->keys = plan->names;
    for (uint8_t name = 0; name < plan->names; name++) {
        bool blocks = call->verb == WEIR_VERB_RESET;
        for (uint8_t i = plan->first[name]; i != WEIR_SCRIPT_NONE; i = plan->next[i]) {
            blocks = blocks || call->questions[i].limit->block_us > 0;
        }
        plan->block[name] = blocks ? plan->keys++ : WEIR_SCRIPT_NONE;
    }
}

void weir_script_plan(const struct weir_script_call *call, struct weir_script_plan *ret_plan)
{
    assert(call->count >= 1 && call->count <= WEIR_SCRIPT_QUESTIONS_MAX);
    uint8_t places[PLACES];
    uint8_t last[WEIR_SCRIPT_QUESTIONS_MAX];
    memset(places, WEIR_SCRIPT_NONE, sizeof(places));
    ret_plan->names = 0;
    ret_plan->limits = 0;
    ret_plan->repeated = false;
    for (size_t i = 0; i < call->count; i++) {
        const uint8_t name = name_at(call, ret_plan, places, i);
        ret_plan->name_of[i] = name;
        ret_plan->next[i] = WEIR_SCRIPT_NONE;
        if (ret_plan->first[name] != i) {
            ret_plan->next[last[name]] = (uint8_t)i;
            ret_plan->repeated = true;
        }
        last[name] = (uint8_t)i;
        ret_plan->limit_of[i] = call->together ? limit_at(call, ret_plan, i) : 0;
    }
    place_blocks(call, ret_plan);
}
