/* map.h - from 64 bits of a hash to numbers; made once, then only read (map.c).
 *
 * Whoever looks something up then compares what the numbers stand for: two things of one hash are
 * found together. */

#ifndef WEIR_RULES_MAP_H
#define WEIR_RULES_MAP_H

#include "base/arena.h"
#include "weir/weir.h"

struct weir_pair {
    uint64_t hash;
    uint32_t number;
};

struct weir_bucket {
    uint64_t hash;
    uint32_t first;
    uint32_t count; /* 0: empty */
};

struct weir_map {
    struct weir_bucket *buckets;
    uint32_t mask;
    uint32_t *numbers; /* of each bucket together, in the order of the pairs */
};

/* Makes a map of `count` pairs, at most UINT32_MAX / 2. False: no memory. */
bool weir_map_make(struct weir_map *map, const struct weir_pair *pairs, size_t count,
                   struct weir_arena *arena);

/* The numbers of a hash; `ret_count` is 0 where it has none. */
static inline const uint32_t *weir_map_find(const struct weir_map *map, uint64_t hash,
                                            uint32_t *ret_count)
{
    for (uint32_t at = (uint32_t)hash & map->mask;; at = (at + 1) & map->mask) {
        const struct weir_bucket *bucket = &map->buckets[at];
        if (bucket->count == 0 || bucket->hash == hash) {
            *ret_count = bucket->count;
            return map->numbers + bucket->first;
        }
    }
}

#endif
