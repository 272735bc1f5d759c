/* algo.c - which step belongs to which algorithm. */

#include "algo/algo.h"

#include <assert.h>

_Static_assert(WEIR_TOKEN_BUCKET < WEIR_LEAKY_BUCKET && WEIR_LEAKY_BUCKET < WEIR_FIXED_WINDOW &&
                   WEIR_FIXED_WINDOW < WEIR_CALENDAR_WINDOW &&
                   WEIR_CALENDAR_WINDOW < WEIR_SLIDING_WINDOW &&
                   WEIR_SLIDING_WINDOW < WEIR_SLIDING_LOG,
               "the steps are told apart by ranges: buckets, windows, sliding-window");

struct weir_step weir_algo_step(const struct weir_limit *limit, struct weir_state state,
                                int64_t now_us, uint64_t cost, bool take,
                                struct weir_decision *ret_decision)
{
    assert(limit->algorithm < WEIR_SLIDING_LOG && "sliding-log has no step on a weir_state");
    if (limit->algorithm <= WEIR_LEAKY_BUCKET) {
        return weir_bucket_step(limit, state, now_us, cost, take, ret_decision);
    }
    if (limit->algorithm <= WEIR_CALENDAR_WINDOW) {
        return weir_window_step(limit, state, now_us, cost, take, ret_decision);
    }
    return weir_sliding_step(limit, state, now_us, cost, take, ret_decision);
}

struct weir_step weir_algo_refund(const struct weir_limit *limit, struct weir_state state,
                                  int64_t now_us, uint64_t cost)
{
    assert(limit->algorithm < WEIR_SLIDING_LOG && "sliding-log has no refund on a weir_state");
    if (limit->algorithm <= WEIR_LEAKY_BUCKET) {
        return weir_bucket_refund(limit, state, now_us, cost);
    }
    if (limit->algorithm <= WEIR_CALENDAR_WINDOW) {
        return weir_window_refund(limit, state, now_us, cost);
    }
    return weir_sliding_refund(limit, state, now_us, cost);
}
