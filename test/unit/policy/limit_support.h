/* limit_support.h - comparing limits, and memory that runs out, for the tests of policy/. */

#ifndef WEIR_TEST_UNIT_POLICY_LIMIT_SUPPORT_H
#define WEIR_TEST_UNIT_POLICY_LIMIT_SUPPORT_H

#include "weir/weir.h"

#include <stdlib.h>
#include <string.h>

#define ZONE_DIRECTORY "test/vectors/zoneinfo"

/* Counts what is out, and fails the allocation number `fail_at` (from 0). */
struct meter {
    size_t calls;
    size_t fail_at;
    size_t blocks;
    size_t bytes;
};

static inline void *meter_allocate(void *context, size_t size, size_t alignment)
{
    struct meter *meter = context;
    if (meter->calls++ == meter->fail_at) {
        return NULL;
    }
    void *memory = NULL;
    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) !=
        0) {
        return NULL;
    }
    memset(memory, 0xa5, size);
    meter->blocks++;
    meter->bytes += size;
    return memory;
}

static inline void meter_release(void *context, void *memory, size_t size)
{
    struct meter *meter = context;
    meter->blocks--;
    meter->bytes -= size;
    free(memory);
}

static inline bool same_spec(const struct weir_limit_spec *a, const struct weir_limit_spec *b)
{
    return a->algorithm == b->algorithm && a->calendar == b->calendar && a->count == b->count &&
           a->period_us == b->period_us && a->burst == b->burst && a->block_us == b->block_us &&
           strcmp(a->zone, b->zone) == 0;
}

#endif
