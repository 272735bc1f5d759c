/* counter.h - a number that one thread counts up and any thread reads.
 *
 * A load and a store, no exchange: nobody else writes, so nothing is lost, and the cache line stays
 * with the one who counts. Relaxed: what is read says nothing of any other memory, and may be a
 * moment behind. */

#ifndef WEIR_METRICS_COUNTER_H
#define WEIR_METRICS_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

/* Two cache lines: processors fetch lines by twos, and what two threads write is kept that far
 * apart. */
#define WEIR_APART 128

typedef _Atomic uint64_t weir_counter;

static inline uint64_t weir_counter_read(const weir_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* On the one thread that counts. */
static inline void weir_counter_add(weir_counter *counter, uint64_t more)
{
    atomic_store_explicit(counter, weir_counter_read(counter) + more, memory_order_relaxed);
}

#endif
