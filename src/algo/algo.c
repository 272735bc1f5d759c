/* algo.c - which step belongs to which algorithm. */

#include "algo/algo.h"

#include <assert.h>

struct weir_step weir_algo_step(const struct weir_limit *limit, struct weir_state state,
                                int64_t now_us, uint64_t cost, bool take,
                                struct weir_decision *ret_decision)
{
    switch (limit->algorithm) {
    case WEIR_TOKEN_BUCKET:
    case WEIR_LEAKY_BUCKET:
        return weir_bucket_step(limit, state, now_us, cost, take, ret_decision);
    case WEIR_FIXED_WINDOW:
    case WEIR_CALENDAR_WINDOW:
        return weir_window_step(limit, state, now_us, cost, take, ret_decision);
    case WEIR_SLIDING_WINDOW:
        return weir_sliding_step(limit, state, now_us, cost, take, ret_decision);
    case WEIR_SLIDING_LOG:
        break;
    }
    assert(false && "sliding-log has no step on a weir_state");
    return (struct weir_step){.next = state};
}

struct weir_step weir_algo_refund(const struct weir_limit *limit, struct weir_state state,
                                  int64_t now_us, uint64_t cost)
{
    switch (limit->algorithm) {
    case WEIR_TOKEN_BUCKET:
    case WEIR_LEAKY_BUCKET:
        return weir_bucket_refund(limit, state, now_us, cost);
    case WEIR_FIXED_WINDOW:
    case WEIR_CALENDAR_WINDOW:
        return weir_window_refund(limit, state, now_us, cost);
    case WEIR_SLIDING_WINDOW:
        return weir_sliding_refund(limit, state, now_us, cost);
    case WEIR_SLIDING_LOG:
        break;
    }
    assert(false && "sliding-log has no refund on a weir_state");
    return (struct weir_step){.next = state};
}
