/* map_reply_fuzz.c - any reply where a cluster's map, or a sentinel's word, is expected.
 *
 * A map that is read is whole: as many slots have an owner as it says, every owner is one of its
 * addresses, every address can be connected to, and no two are the same. */

#include "redis/cluster_map.h"
#include "redis/sentinel_reply.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_address asked = {.host = "::1", .port = 7000};

static void check_address(const struct weir_address *address)
{
    const size_t len = strnlen(address->host, sizeof(address->host));
    assert(address->port > 0 && len > 0 && len <= WEIR_HOST_MAX);
    for (size_t i = 0; i < len; i++) {
        assert(address->host[i] > ' ' && address->host[i] <= '~');
    }
}

static void check_map(struct weir_cluster_map *map)
{
    size_t covered = 0;
    assert(map->count <= WEIR_CLUSTER_NODES_MAX);
    for (size_t slot = 0; slot < WEIR_SLOTS; slot++) {
        assert(map->owner[slot] < map->count || map->owner[slot] == WEIR_NO_SLOT_OWNER);
        covered += map->owner[slot] != WEIR_NO_SLOT_OWNER ? 1 : 0;
    }
    assert(covered == map->covered && (covered > 0) == (map->count > 0));
    for (size_t i = 0; i < map->count; i++) {
        check_address(&map->addresses[i]);
        for (size_t j = 0; j < i; j++) {
            assert(!weir_address_same(&map->addresses[i], &map->addresses[j]));
        }
    }
    weir_cluster_map_free(map);
}

static void see(void *context, const struct weir_address *address)
{
    (void)context;
    check_address(address);
}

static void check_reply(const struct weir_resp_value *values, size_t count)
{
    const struct weir_allocator *allocator = weir_allocator_or_default(NULL);
    struct weir_cluster_map *map = NULL;
    if (weir_cluster_slots_read(values, count, &asked, allocator, &map) == WEIR_OK) {
        check_map(map);
    }
    for (int tls = 0; tls < 2; tls++) {
        if (weir_cluster_shards_read(values, count, &asked, tls == 1, allocator, &map) == WEIR_OK) {
            check_map(map);
        }
    }
    struct weir_address address;
    if (weir_sentinel_primary_read(values, count, &address) == WEIR_SENTINEL_PRIMARY) {
        check_address(&address);
    }
    if (weir_sentinel_switch_read(values, count, "mymaster", &address)) {
        check_address(&address);
    }
    weir_sentinel_others_read(values, count, see, NULL);
    (void)weir_role_is_primary(values, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_resp_reader *reader = weir_resp_reader_new(NULL, NULL);
    if (reader == NULL) {
        abort();
    }
    size_t used = 0;
    size_t count = 0;
    if (weir_resp_read(reader, weir_bytes(data, size), &used) == WEIR_RESP_VALUE) {
        const struct weir_resp_value *values = weir_resp_values(reader, &count);
        check_reply(values, count);
    }
    weir_resp_reader_free(reader);
    return 0;
}
