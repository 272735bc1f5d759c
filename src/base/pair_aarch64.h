/* pair_aarch64.h - see pair.h. */

#ifndef WEIR_BASE_PAIR_AARCH64_H
#define WEIR_BASE_PAIR_AARCH64_H

static inline struct weir_pair weir_pair_load(const struct weir_pair *at)
{
    struct weir_pair pair;
    uint32_t lost;
    do {
        __asm__ volatile("ldaxp %0, %1, %3\n\tstlxp %w2, %0, %1, %3"
                         : "=&r"(pair.low), "=&r"(pair.high), "=&r"(lost),
                           "+Q"(*(struct weir_pair *)(uintptr_t)at)
                         :
                         : "memory");
    } while (lost != 0);
    return pair;
}

/* Puts `desired` at `at` if it holds `expected`. Where it does not, what was read is stored back:
 * only then were its two halves of one moment. */
static inline bool weir_pair_swap(struct weir_pair *at, struct weir_pair expected,
                                  struct weir_pair desired)
{
    uint64_t low;
    uint64_t high;
    uint64_t equal;
    uint32_t lost;
    do {
        __asm__ volatile("ldaxp %0, %1, %4\n\t"
                         "cmp %0, %5\n\t"
                         "ccmp %1, %6, #0, eq\n\t"
                         "cset %2, eq\n\t"
                         "csel %0, %7, %0, eq\n\t"
                         "csel %1, %8, %1, eq\n\t"
                         "stlxp %w3, %0, %1, %4"
                         : "=&r"(low), "=&r"(high), "=&r"(equal), "=&r"(lost), "+Q"(*at)
                         : "r"(expected.low), "r"(expected.high), "r"(desired.low),
                           "r"(desired.high)
                         : "cc", "memory");
    } while (lost != 0);
    return equal != 0;
}

#endif
