/* pair_x86_64.h - see pair.h. */

#ifndef WEIR_BASE_PAIR_X86_64_H
#define WEIR_BASE_PAIR_X86_64_H

static inline struct weir_pair weir_pair_load(const struct weir_pair *at)
{
    /* pextrq came with SSE4.1, which every processor with AVX has. */
    struct weir_pair pair;
    __asm__ volatile("movdqa %2, %%xmm0\n\tmovq %%xmm0, %0\n\tpextrq $1, %%xmm0, %1"
                     : "=r"(pair.low), "=r"(pair.high)
                     : "m"(*at)
                     : "xmm0", "memory");
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
