/* pair_builtin.h - see pair.h: for TSan, whose runtime replaces these builtins by its own. */

#ifndef WEIR_BASE_PAIR_BUILTIN_H
#define WEIR_BASE_PAIR_BUILTIN_H

#include "base/checked.h"

static inline struct weir_pair weir_pair_load(const struct weir_pair *at)
{
    weir_u128 value = __atomic_load_n((const weir_u128 *)(const void *)at, __ATOMIC_SEQ_CST);
    struct weir_pair pair = {(uint64_t)value, (uint64_t)(value >> 64)};
    return pair;
}

static inline bool weir_pair_swap(struct weir_pair *at, struct weir_pair expected,
                                  struct weir_pair desired)
{
    weir_u128 old = (weir_u128)expected.high << 64 | expected.low;
    weir_u128 new = (weir_u128)desired.high << 64 | desired.low;
    return __atomic_compare_exchange_n((weir_u128 *)(void *)at, &old, new, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

#endif
