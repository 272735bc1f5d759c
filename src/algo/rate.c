/* rate.c - see rate.h. */

#include "algo/rate.h"

#include <assert.h>

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

bool weir_rate_prepare(uint64_t count, int64_t period_us, uint64_t burst,
                       struct weir_rate *ret_rate)
{
    assert(count >= 1 && count <= WEIR_COUNT_MAX);
    assert(burst >= 1 && burst <= WEIR_COUNT_MAX);
    assert(period_us >= 1 && period_us <= WEIR_PERIOD_MAX);
    uint64_t divisor = greatest_common_divisor((uint64_t)period_us, count);
    uint64_t numerator = (uint64_t)period_us / divisor;
    uint64_t denominator = count / divisor;
    weir_u128 depth = (weir_u128)numerator * burst;
    if (depth > (weir_u128)WEIR_PERIOD_MAX * denominator) {
        return false;
    }
    *ret_rate = (struct weir_rate){
        .numerator = numerator,
        .denominator = denominator,
        .reciprocal = UINT64_MAX / numerator,
        .narrow = depth <= UINT64_MAX,
        .interval_us = (int64_t)(numerator / denominator),
        .interval_part = numerator % denominator,
        .depth_us = (int64_t)(depth / denominator),
        .depth_part = (uint64_t)(depth % denominator),
    };
    return true;
}
