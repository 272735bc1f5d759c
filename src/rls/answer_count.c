/* answer_count.c - what is counted of one item, as envoyproxy/ratelimit counts. Read stats.h first.
 *
 * Its counter goes on beyond the limit and weir's does not, so what was counted before a request is
 * worked out of what remains: a request that asked for more than remained used it up, and what it
 * asked for beyond that was over. */

#include "rls/policy_parts.h"
#include "rls/stats.h"

/* From how many hits on a limit is near; never past it. In single precision, so that both come to
 * one number. */
static uint64_t near_limit(uint64_t limit, double ratio)
{
    const float product = (float)limit * (float)ratio;
    /* No number at all, or one past 1: nothing is near. */
    if (!(product <= (float)limit)) {
        return limit;
    }
    const uint64_t near = product > 0 ? (uint64_t)product : 0;
    return near < limit ? near : limit;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void count_over(const struct weir_rls_verdict *verdict, uint64_t asked, uint64_t near,
                       uint64_t *hits)
{
    const uint64_t left = verdict->remaining < verdict->limit ? verdict->remaining : verdict->limit;
    const uint64_t before = verdict->limit - left;
    uint64_t over = asked;
    if (left > 0 && asked > left) {
        over = asked - left;
        hits[WEIR_RLS_NEAR_LIMIT_HITS] = verdict->limit - larger(near, before);
    }
    hits[WEIR_RLS_OVER_LIMIT_HITS] = over;
    hits[WEIR_RLS_SHADOW_MODE_HITS] = verdict->shadow ? over : 0;
}

static void count_within(const struct weir_rls_verdict *verdict, uint64_t asked, uint64_t near,
                         uint64_t *hits)
{
    hits[WEIR_RLS_WITHIN_LIMIT_HITS] = asked;
    if (!verdict->taken || verdict->remaining > verdict->limit) {
        return;
    }
    const uint64_t after = verdict->limit - verdict->remaining;
    const uint64_t before = after > asked ? after - asked : 0;
    if (after > near) {
        hits[WEIR_RLS_NEAR_LIMIT_HITS] = before >= near ? asked : after - near;
    }
}

void weir_rls_count(const struct weir_rls_verdict *verdict, const struct weir_rls_item *item,
                    double near_limit_ratio, uint64_t *hits)
{
    const uint64_t asked = item->hits;
    const uint64_t near = near_limit(verdict->limit, near_limit_ratio);
    memset(hits, 0, WEIR_RLS_COUNT_COUNT * sizeof(hits[0]));
    if (item->verb == WEIR_VERB_REFUND) {
        return;
    }
    hits[WEIR_RLS_TOTAL_HITS] = asked;
    if (verdict->deny_cached) {
        hits[WEIR_RLS_OVER_LIMIT_HITS] = asked;
        hits[WEIR_RLS_OVER_LIMIT_WITH_LOCAL_CACHE_HITS] = asked;
        hits[WEIR_RLS_SHADOW_MODE_HITS] = verdict->shadow ? asked : 0;
    } else if (verdict->over) {
        count_over(verdict, asked, near, hits);
    } else {
        count_within(verdict, asked, near, hits);
    }
}
