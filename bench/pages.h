/* pages.h - memory as weir's table has it, for the floors and the opponents: mapped, zeroed, at the
 * boundary of a huge page, and in huge pages where the system gives them. */

#ifndef WEIR_BENCH_PAGES_H
#define WEIR_BENCH_PAGES_H

#include "bench.h"

#include <sys/mman.h>

static inline void *bench_pages(size_t bytes)
{
    const size_t huge = (size_t)2 << 20;
    const size_t wanted = (bytes + huge - 1) & ~(huge - 1);
    char *start = mmap(NULL, wanted + huge, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        bench_die("no memory for %zu bytes", bytes);
    }
    start += (huge - (uintptr_t)start % huge) % huge;
    (void)madvise(start, wanted, MADV_HUGEPAGE);
    return start;
}

#endif
