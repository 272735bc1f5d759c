/* token_bucket.h - token-bucket and leaky-bucket, as one exact step.
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

#ifndef WEIR_ALGO_TOKEN_BUCKET_H
#define WEIR_ALGO_TOKEN_BUCKET_H

#include "algo/rate.h"

#include <assert.h>

/* Whether `state` may be taken as it stands: not one of another limit's, nor ahead of the clock
 * rule. */
static inline bool weir_bucket_sound(const struct weir_limit *limit, struct weir_state state,
                                     int64_t now_us)
{
    const struct weir_rate *rate = &limit->rate;
    return state.payload < rate->denominator &&
           state.until_us - now_us <= rate->depth_us + limit->slack_us;
}

/* The debt of a key at `now`: max(0, TAT - now), by the clock rule of algo.h. */
static inline struct weir_span weir_bucket_debt(const struct weir_limit *limit,
                                                struct weir_state state, int64_t now_us,
                                                bool *ret_clamped)
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

/* How many tokens are left with `debt`; none where it is over the depth, as it may be within the
 * slack. */
static inline uint64_t weir_bucket_left(const struct weir_rate *rate, struct weir_span debt)
{
    const struct weir_span depth = {rate->depth_us, rate->depth_part};
    if (weir_span_exceeds(debt, depth)) {
        return 0;
    }
    return weir_rate_intervals(rate, weir_span_sub(rate, depth, debt));
}

/* The state whose debt at `now` is `debt`. */
static inline struct weir_state weir_bucket_state(struct weir_span debt, int64_t now_us)
{
    return (struct weir_state){now_us + debt.whole, debt.part};
}

/* What a request comes to: all that the next state depends on. */
struct weir_bucket_turn {
    struct weir_span before; /* the debt it met, */
    struct weir_span after;  /* and with its cost: at most the depth if it is allowed */
    bool fits;               /* whether its cost can ever be admitted */
    bool allowed;
    bool clamped;
};

static inline struct weir_bucket_turn weir_bucket_turn(const struct weir_limit *limit,
                                                       struct weir_state state, int64_t now_us,
                                                       uint64_t cost)
{
    assert(cost >= 1);
    assert(now_us >= 0 && now_us <= WEIR_TIME_MAX);
    const struct weir_rate *rate = &limit->rate;
    const struct weir_span depth = {rate->depth_us, rate->depth_part};
    struct weir_bucket_turn turn;
    turn.before = weir_bucket_debt(limit, state, now_us, &turn.clamped);
    turn.fits = cost <= limit->ceiling;
    turn.after = turn.fits ? weir_span_add(rate, turn.before, weir_rate_times(rate, cost)) : depth;
    turn.allowed = turn.fits && !weir_span_exceeds(turn.after, depth);
    return turn;
}

/* The state to write, where there is one. */
static inline struct weir_step weir_bucket_next(const struct weir_bucket_turn *turn, int64_t now_us,
                                                bool take)
{
    return (struct weir_step){
        .next = weir_bucket_state(turn->allowed && take ? turn->after : turn->before, now_us),
        .write = take && (turn->allowed || (turn->clamped && turn->fits)),
        .clamped = turn->clamped && turn->fits,
    };
}

/* The answer, of which the next state needs nothing. */
static inline void weir_bucket_answer(const struct weir_limit *limit,
                                      const struct weir_bucket_turn *turn, bool take,
                                      struct weir_decision *ret_decision)
{
    const struct weir_rate *rate = &limit->rate;
    const struct weir_span depth = {rate->depth_us, rate->depth_part};
    const struct weir_span debt = turn->allowed && take ? turn->after : turn->before;
    ret_decision->allowed = turn->allowed;
    ret_decision->limit = limit->ceiling;
    ret_decision->remaining = weir_bucket_left(rate, debt);
    ret_decision->retry_after_us = 0;
    ret_decision->reset_after_us = weir_span_ceil(debt);
    ret_decision->delay_us = 0;
    if (!turn->allowed) {
        ret_decision->retry_after_us =
            turn->fits ? weir_span_ceil(weir_span_sub(rate, turn->after, depth)) : WEIR_NEVER;
    } else if (limit->algorithm == WEIR_LEAKY_BUCKET) {
        ret_decision->delay_us = weir_span_ceil(turn->before);
    }
}

#endif
