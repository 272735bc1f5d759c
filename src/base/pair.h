/* pair.h - sixteen bytes that are read and swapped whole.
 *
 * C11's _Atomic does not serve: for 16 bytes gcc calls libatomic, whose load is a write on some
 * processors and which may fall back to a lock that belongs to one process. So:
 *
 *   x86-64   load: one aligned 16-byte SSE move. Intel and AMD state that it is atomic on every
 *            processor that has AVX. swap: lock cmpxchg16b (cx16).
 *   aarch64  load: ldaxp, and stlxp of the same value, which is what makes the pair of loads one
 *            (until ARMv8.4 nothing else does). swap: ldaxp, compare, stlxp. Every ARMv8 has both.
 *
 * weir_pair_supported() says whether the processor has what is used here; a store is not opened
 * where it has not. Under TSan, which does not see into assembly, the compiler's builtins are used
 * instead.
 *
 * Every operation here is sequentially consistent: a locked instruction on x86-64 is so anyway, an
 * SSE load is as long as all stores are locked instructions, which they are, and ldaxp/stlxp are
 * on ARM. Only weir_pair_low is weaker: relaxed, a hint, to be confirmed by a load. */

#ifndef WEIR_BASE_PAIR_H
#define WEIR_BASE_PAIR_H

#include <stdbool.h>
#include <stdint.h>

struct weir_pair {
    uint64_t low;
    uint64_t high;
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct weir_pair) == 16, "a pair is sixteen bytes");

/* Whether this processor has a 16-byte load and swap. */
bool weir_pair_supported(void);

/* The low half alone, relaxed: it may be of another moment than the high half read after it. */
static inline uint64_t weir_pair_low(const struct weir_pair *at)
{
    return __atomic_load_n(&at->low, __ATOMIC_RELAXED);
}

/* The high half, in the same way. */
static inline uint64_t weir_pair_high(const struct weir_pair *at)
{
    return __atomic_load_n(&at->high, __ATOMIC_RELAXED);
}

#if defined(__SANITIZE_THREAD__)
#define WEIR_PAIR_BUILTIN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_PAIR_BUILTIN 1
#endif
#endif

#if defined(WEIR_PAIR_BUILTIN)
#include "base/pair_builtin.h"
#elif defined(__x86_64__)
#include "base/pair_x86_64.h"
#elif defined(__aarch64__)
#include "base/pair_aarch64.h"
#else
#error "weir needs a 16-byte compare-and-swap: it has been written for x86-64 and aarch64"
#endif

#endif
