/* map.c - see map.h. Open addressing; at least a third of the buckets is empty. */

#include "rules/map.h"

#include <assert.h>

static struct weir_bucket *bucket_of(struct weir_map *map, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & map->mask;
    while (map->buckets[at].count > 0 && map->buckets[at].hash != hash) {
        at = (at + 1) & map->mask;
    }
    return &map->buckets[at];
}

bool weir_map_make(struct weir_map *map, const struct weir_pair *pairs, size_t count,
                   struct weir_arena *arena)
{
    assert(count <= UINT32_MAX / 2);
    size_t room = 2;
    while (room - room / 3 < count + 1) {
        room *= 2;
    }
    map->mask = (uint32_t)(room - 1);
    map->buckets = weir_arena_get(arena, room, sizeof(*map->buckets));
    map->numbers = weir_arena_get(arena, count, sizeof(*map->numbers));
    if (map->buckets == NULL || map->numbers == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct weir_bucket *bucket = bucket_of(map, pairs[i].hash);
        bucket->hash = pairs[i].hash;
        bucket->count++;
    }
    uint32_t next = 0;
    for (size_t i = 0; i < room; i++) {
        /* Where its numbers end, until they are put there from behind. */
        next += map->buckets[i].count;
        map->buckets[i].first = next;
    }
    for (size_t i = count; i-- > 0;) {
        map->numbers[--bucket_of(map, pairs[i].hash)->first] = pairs[i].number;
    }
    return true;
}
