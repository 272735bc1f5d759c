/* rate.h - amounts of time as whole microseconds and a fraction over a rate's denominator.
 *
 * Everything a bucket adds, carries and compares. Two 64-bit words instead of one 128-bit product
 * keep the common path free of division, and are the form in which a state is stored. */

#ifndef WEIR_ALGO_RATE_H
#define WEIR_ALGO_RATE_H

#include "algo/algo.h"
#include "base/checked.h"

/* whole + part/denominator microseconds; 0 <= part < denominator. */
struct weir_span {
    int64_t whole;
    uint64_t part;
};

/* Works out every product of a rate. count, burst: 1..WEIR_COUNT_MAX; period_us:
 * 1..WEIR_PERIOD_MAX. False where burst * period / count is over WEIR_PERIOD_MAX. */
bool weir_rate_prepare(uint64_t count, int64_t period_us, uint64_t burst,
                       struct weir_rate *ret_rate);

/* cost intervals; cost is at most WEIR_COUNT_MAX, so the product fits in 128 bits, and in 63
 * whole. */
static inline struct weir_span weir_rate_times(const struct weir_rate *rate, uint64_t cost)
{
    if (__builtin_expect(cost == 1, 1)) {
        return (struct weir_span){rate->interval_us, rate->interval_part};
    }
    weir_u128 product = (weir_u128)rate->numerator * cost;
    if (product <= UINT64_MAX) {
        uint64_t narrow = (uint64_t)product;
        return (struct weir_span){(int64_t)(narrow / rate->denominator),
                                  narrow % rate->denominator};
    }
    return (struct weir_span){(int64_t)(product / rate->denominator),
                              (uint64_t)(product % rate->denominator)};
}

static inline struct weir_span weir_span_add(const struct weir_rate *rate, struct weir_span a,
                                             struct weir_span b)
{
    struct weir_span sum = {a.whole + b.whole, a.part + b.part};
    if (sum.part >= rate->denominator) {
        sum.part -= rate->denominator;
        sum.whole += 1;
    }
    return sum;
}

static inline struct weir_span weir_span_sub(const struct weir_rate *rate, struct weir_span a,
                                             struct weir_span b)
{
    struct weir_span difference = {a.whole - b.whole, a.part - b.part};
    if (a.part < b.part) {
        difference.part += rate->denominator;
        difference.whole -= 1;
    }
    return difference;
}

static inline bool weir_span_exceeds(struct weir_span a, struct weir_span b)
{
    /* As one comparison of two words: neither is negative here. */
    return ((weir_u128)(uint64_t)a.whole << 64 | a.part) >
           ((weir_u128)(uint64_t)b.whole << 64 | b.part);
}

/* Whole microseconds, rounded up. */
static inline int64_t weir_span_ceil(struct weir_span a)
{
    return a.whole + (a.part > 0 ? 1 : 0);
}

/* weir_rate_intervals where the denominator is 1: `room` is then all there is. */
static inline uint64_t weir_rate_intervals_whole(const struct weir_rate *rate,
                                                 struct weir_span room)
{
    const uint64_t n = (uint64_t)room.whole;
    const uint64_t estimate = (uint64_t)(((weir_u128)n * rate->reciprocal) >> 64);
    return estimate + (n - estimate * rate->numerator >= rate->numerator ? 1 : 0);
}

/* How many whole intervals fit in `room` (0 or more, at most the rate's depth): rounded down.
 * With q = n / numerator, the estimate n * reciprocal / 2^64 is q or q - 1: the reciprocal is less
 * than one short of 2^64 / numerator, so the product falls short of n / numerator by less than n /
 * 2^64 < 1. One comparison mends it. */
static inline uint64_t weir_rate_intervals(const struct weir_rate *rate, struct weir_span room)
{
    if (__builtin_expect(!rate->narrow, 0)) {
        weir_u128 n = (weir_u128)(uint64_t)room.whole * rate->denominator + room.part;
        return (uint64_t)(n / rate->numerator);
    }
    uint64_t n = (uint64_t)room.whole * rate->denominator + room.part;
    uint64_t estimate = (uint64_t)(((weir_u128)n * rate->reciprocal) >> 64);
    return estimate + (n - estimate * rate->numerator >= rate->numerator ? 1 : 0);
}

#endif
