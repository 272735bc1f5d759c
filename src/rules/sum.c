/* sum.c - what the parts of a plan come to, together; see rules.h. */

#include "base/checked.h"
#include "rules/rules.h"

#include <assert.h>

static bool is_denied(const struct weir_part *part, const struct weir_decision *decisions)
{
    if (part->listing == WEIR_LISTED_NOT) {
        return !decisions[part->request].allowed;
    }
    return part->listing == WEIR_LISTED_DENY;
}

/* How long a part that denies goes on doing so. */
static int64_t held_for(const struct weir_part *part, const struct weir_decision *decisions,
                        int64_t now_us)
{
    if (part->listing == WEIR_LISTED_NOT) {
        return decisions[part->request].retry_after_us;
    }
    if (part->until_us == INT64_MAX) {
        return WEIR_NEVER;
    }
    int64_t left;
    return ckd_sub(&left, part->until_us, now_us) || left > 0 ? left : 0;
}

/* Of a denial: whether `part` says more than `best` does. */
static bool denies_more(const struct weir_part *part, const struct weir_part *best,
                        const struct weir_decision *decisions, int64_t now_us)
{
    if (part->listing != best->listing) {
        return part->listing == WEIR_LISTED_DENY;
    }
    return held_for(part, decisions, now_us) > held_for(best, decisions, now_us);
}

/* Of what was allowed: whether `part` has less left of its limit than `best`, which is as good as
 * any where a list let it pass. */
static bool has_less(const struct weir_part *part, const struct weir_part *best,
                     const struct weir_decision *decisions)
{
    if (part->listing != WEIR_LISTED_NOT || best->listing != WEIR_LISTED_NOT) {
        return part->listing == WEIR_LISTED_NOT && best->listing != WEIR_LISTED_NOT;
    }
    const struct weir_decision *a = &decisions[part->request];
    const struct weir_decision *b = &decisions[best->request];
    return (weir_u128)a->remaining * b->limit < (weir_u128)b->remaining * a->limit;
}

static void add_denial(struct weir_outcome *outcome, const struct weir_part *parts, uint32_t index,
                       const struct weir_decision *decisions, int64_t now_us)
{
    const int64_t held_us = held_for(&parts[index], decisions, now_us);
    if (outcome->allowed || denies_more(&parts[index], &parts[outcome->part], decisions, now_us)) {
        outcome->part = index;
    }
    outcome->allowed = false;
    if (held_us > outcome->retry_after_us) {
        outcome->retry_after_us = held_us;
    }
}

struct weir_outcome weir_plan_sum(const struct weir_part *parts, size_t part_count,
                                  const struct weir_decision *decisions, int64_t now_us)
{
    struct weir_outcome outcome = {.allowed = true, .part = UINT32_MAX};
    assert(parts != NULL || part_count == 0);
    for (uint32_t i = 0; i < part_count; i++) {
        const struct weir_part *part = &parts[i];
        if (part->shadow) {
            continue;
        }
        if (part->listing == WEIR_LISTED_NOT) {
            const struct weir_decision *decision = &decisions[part->request];
            outcome.failure = outcome.failure != 0 ? outcome.failure : decision->failure;
            outcome.delay_us =
                decision->delay_us > outcome.delay_us ? decision->delay_us : outcome.delay_us;
        }
        if (is_denied(part, decisions)) {
            add_denial(&outcome, parts, i, decisions, now_us);
        } else if (outcome.allowed && (outcome.part == UINT32_MAX ||
                                       has_less(part, &parts[outcome.part], decisions))) {
            outcome.part = i;
        }
    }
    if (!outcome.allowed) {
        outcome.delay_us = 0;
    }
    return outcome;
}
