/* token_bucket.c - the buckets' step and refund, for those who need not have them inline. The prose
 * is in token_bucket.h. */

#include "algo/token_bucket.h"

struct weir_step weir_bucket_step(const struct weir_limit *limit, struct weir_state state,
                                  int64_t now_us, uint64_t cost, bool take,
                                  struct weir_decision *ret_decision)
{
    const struct weir_bucket_turn turn = weir_bucket_turn(limit, state, now_us, cost);
    weir_bucket_answer(limit, &turn, take, ret_decision);
    return weir_bucket_next(&turn, now_us, take);
}

struct weir_step weir_bucket_refund(const struct weir_limit *limit, struct weir_state state,
                                    int64_t now_us, uint64_t cost)
{
    const struct weir_rate *rate = &limit->rate;
    bool clamped;
    struct weir_span debt = weir_bucket_debt(limit, state, now_us, &clamped);
    if (cost == 0 || (debt.whole == 0 && debt.part == 0)) {
        return (struct weir_step){.next = state};
    }
    /* Compared as one number, as a cost may be anything, and a debt, within the slack, more than
     * burst. */
    const weir_u128 owed = (weir_u128)(uint64_t)debt.whole * rate->denominator + debt.part;
    debt = (weir_u128)rate->numerator * cost < owed
               ? weir_span_sub(rate, debt, weir_rate_times(rate, cost))
               : (struct weir_span){0, 0};
    return (struct weir_step){.next = weir_bucket_state(debt, now_us), .write = true};
}
