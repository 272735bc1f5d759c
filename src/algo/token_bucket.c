/* token_bucket.c - token-bucket and leaky-bucket, as one exact step.
 *
 * A limit of `count` per `period` with a `burst` is a bucket of `burst` tokens that gains one every
 * interval T = period/count. Instead of a level and the time of its last refill, the state is one
 * number: the time at which the bucket will be full again, TAT. The level at any time is then
 *
 *     tokens(now) = burst - max(0, TAT - now) / T
 *
 * and taking c tokens moves TAT by c*T. So a request is admitted if and only if
 *
 *     max(TAT, now) + c*T - now <= burst*T
 *
 * T is a rational number and is kept as one: TAT is whole microseconds and a fraction over the
 * denominator of T in lowest terms. Nothing is rounded, nothing drifts; only the answers are, and
 * those upwards: retry_after and reset_after to the next microsecond, remaining downwards.
 *
 * leaky-bucket is the same state and the same admission, read as a queue: a request that is
 * admitted leaves when those before it have left, at max(TAT, now), and `delay` is how long that is
 * from now.
 *
 * Source: the generic cell rate algorithm in its virtual-scheduling form (ITU-T I.371, ATM Forum
 * Traffic Management 4.0), with T rational, its tolerance being (burst - 1)*T.
 *
 * Invariant: after an admission at `now`, TAT - now <= burst*T. A fraction that is not below the
 * denominator was written by a limit that has since changed; it counts as one whole microsecond. */

#include "algo/rate.h"

#include <assert.h>

/* The debt of a key at `now`: max(0, TAT - now), by the clock rule of algo.h. */
static inline struct weir_span debt_at(const struct weir_limit *limit, struct weir_state state,
                                       int64_t now_us, bool *ret_clamped)
{
    const struct weir_rate *rate = &limit->rate;
    int64_t whole = state.until_us - now_us;
    uint64_t part = state.payload;
    if (__builtin_expect(part >= rate->denominator, 0)) {
        part = 0;
        whole += 1;
    }
    *ret_clamped = false;
    if (whole < 0) {
        return (struct weir_span){0, 0};
    }
    if (__builtin_expect(whole > rate->depth_us + limit->slack_us, 0)) {
        *ret_clamped = true;
        return (struct weir_span){rate->depth_us, rate->depth_part};
    }
    return (struct weir_span){whole, part};
}

static inline uint64_t tokens_left(const struct weir_rate *rate, struct weir_span debt)
{
    struct weir_span depth = {rate->depth_us, rate->depth_part};
    if (weir_span_exceeds(debt, depth)) {
        return 0;
    }
    return weir_rate_intervals(rate, weir_span_sub(rate, depth, debt));
}

/* The state whose debt at `now` is `debt`. */
static inline struct weir_state state_of(struct weir_span debt, int64_t now_us)
{
    return (struct weir_state){now_us + debt.whole, debt.part};
}

struct weir_step weir_bucket_step(const struct weir_limit *limit, struct weir_state state,
                                  int64_t now_us, uint64_t cost, bool take,
                                  struct weir_decision *ret_decision)
{
    assert(cost >= 1);
    assert(now_us >= 0 && now_us <= WEIR_TIME_MAX);
    const struct weir_rate *rate = &limit->rate;
    const struct weir_span depth = {rate->depth_us, rate->depth_part};
    bool clamped;
    struct weir_span debt = debt_at(limit, state, now_us, &clamped);
    const bool fits = cost <= limit->ceiling;
    const struct weir_span with_cost =
        fits ? weir_span_add(rate, debt, weir_rate_times(rate, cost)) : depth;
    const bool allowed = fits && !weir_span_exceeds(with_cost, depth);

    ret_decision->allowed = allowed;
    ret_decision->limit = limit->ceiling;
    ret_decision->retry_after_us = 0;
    ret_decision->delay_us = 0;
    if (__builtin_expect(!allowed, 0)) {
        ret_decision->retry_after_us =
            fits ? weir_span_ceil(weir_span_sub(rate, with_cost, depth)) : WEIR_NEVER;
    } else if (limit->algorithm == WEIR_LEAKY_BUCKET) {
        ret_decision->delay_us = weir_span_ceil(debt);
    }
    if (allowed && take) {
        debt = with_cost;
    }
    ret_decision->remaining = tokens_left(rate, debt);
    ret_decision->reset_after_us = weir_span_ceil(debt);
    return (struct weir_step){state_of(debt, now_us), take && (allowed || (clamped && fits))};
}

struct weir_step weir_bucket_refund(const struct weir_limit *limit, struct weir_state state,
                                    int64_t now_us, uint64_t cost)
{
    const struct weir_rate *rate = &limit->rate;
    bool clamped;
    struct weir_span debt = debt_at(limit, state, now_us, &clamped);
    if (debt.whole == 0 && debt.part == 0) {
        return (struct weir_step){state, false};
    }
    /* More than burst is more than any debt, and keeps the product within its range. */
    uint64_t bounded = cost < limit->ceiling ? cost : limit->ceiling;
    struct weir_span back = weir_rate_times(rate, bounded);
    debt =
        weir_span_exceeds(debt, back) ? weir_span_sub(rate, debt, back) : (struct weir_span){0, 0};
    return (struct weir_step){state_of(debt, now_us), true};
}
