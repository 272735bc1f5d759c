/* pair_x86_64.h - see pair.h. */

#ifndef WEIR_BASE_PAIR_X86_64_H
#define WEIR_BASE_PAIR_X86_64_H

#include <emmintrin.h>

static inline struct weir_pair weir_pair_load(const struct weir_pair *at)
{
    __m128i value;
    __asm__ volatile("movdqa %1, %0" : "=x"(value) : "m"(*at) : "memory");
    struct weir_pair pair;
    pair.low = (uint64_t)_mm_cvtsi128_si64(value);
    pair.high = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(value, value));
    return pair;
}

/* Puts `desired` at `at` if it holds `expected`. */
static inline bool weir_pair_swap(struct weir_pair *at, struct weir_pair expected,
                                  struct weir_pair desired)
{
    bool swapped;
    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(swapped), "+m"(*at), "+a"(expected.low), "+d"(expected.high)
                     : "b"(desired.low), "c"(desired.high)
                     : "memory");
    return swapped;
}

#endif
