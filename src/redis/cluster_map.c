/* cluster_map.c - the map, and CLUSTER SLOTS. See cluster_map.h.
 *
 * The reply, the same in RESP2 and RESP3 but for the last part of a server, which is a map there:
 *
 *     [ [first, last, primary, replica...] ... ]
 *     primary, replica: [host, port, id, [name, value, ...]]      from Redis 7.0; before: no 4th
 *
 * A host that is "?" may stand beside its address: the value after "ip" in the last part. */

#include "redis/cluster_map.h"

#include "base/alloc.h"
#include "redis/peer.h"

#include <assert.h>
#include <string.h>

#define ADDRESSES_FIRST 8

/* ---- The map ------------------------------------------------------------------------------ */

struct weir_cluster_map *weir_cluster_map_new(const struct weir_allocator *allocator)
{
    assert(allocator != NULL);
    struct weir_cluster_map *map =
        weir_alloc(allocator, sizeof *map, _Alignof(struct weir_cluster_map));
    if (map == NULL) {
        return NULL;
    }
    map->allocator = allocator;
    for (size_t slot = 0; slot < WEIR_SLOTS; slot++) {
        map->owner[slot] = WEIR_NO_SLOT_OWNER;
    }
    return map;
}

void weir_cluster_map_free(struct weir_cluster_map *map)
{
    if (map == NULL) {
        return;
    }
    weir_release(map->allocator, map->addresses, map->room * sizeof *map->addresses);
    weir_release(map->allocator, map, sizeof *map);
}

/* FNV-1a. Those who could aim addresses at one place of the table could as well send no map. */
static size_t hash_of(const struct weir_address *address)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ address->port;
    for (size_t i = 0; address->host[i] != '\0'; i++) {
        hash = (hash ^ (unsigned char)address->host[i]) * UINT64_C(1099511628211);
    }
    return (size_t)(hash ^ hash >> 32);
}

static bool make_room(struct weir_cluster_map *map)
{
    if (map->count < map->room) {
        return true;
    }
    const size_t room = map->room == 0 ? ADDRESSES_FIRST : map->room * 2;
    struct weir_address *addresses =
        weir_alloc(map->allocator, room * sizeof *addresses, _Alignof(struct weir_address));
    if (addresses == NULL) {
        return false;
    }
    if (map->count > 0) {
        memcpy(addresses, map->addresses, map->count * sizeof *addresses);
    }
    weir_release(map->allocator, map->addresses, map->room * sizeof *addresses);
    map->addresses = addresses;
    map->room = room;
    return true;
}

/* The index of `address`, which is added where it is new. The table is never more than half full,
 * so the walk ends. */
static enum weir_status index_of(struct weir_cluster_map *map, const struct weir_address *address,
                                 uint16_t *ret_index)
{
    const size_t places = sizeof map->places / sizeof map->places[0];
    size_t place = hash_of(address) % places;
    while (map->places[place] != 0) {
        const uint16_t index = (uint16_t)(map->places[place] - 1);
        if (weir_address_same(&map->addresses[index], address)) {
            *ret_index = index;
            return WEIR_OK;
        }
        place = (place + 1) % places;
    }
    if (map->count == WEIR_CLUSTER_NODES_MAX) {
        return WEIR_ERR_FORMAT;
    }
    if (!make_room(map)) {
        return WEIR_ERR_NO_MEMORY;
    }
    *ret_index = (uint16_t)map->count;
    map->addresses[map->count++] = *address;
    map->places[place] = (uint16_t)map->count;
    return WEIR_OK;
}

enum weir_status weir_cluster_map_give(struct weir_cluster_map *map,
                                       const struct weir_resp_value *first,
                                       const struct weir_resp_value *last,
                                       const struct weir_address *address)
{
    assert(map != NULL && first != NULL && last != NULL);
    if (first->type != WEIR_RESP_INTEGER || last->type != WEIR_RESP_INTEGER || first->integer < 0 ||
        first->integer > last->integer || last->integer >= WEIR_SLOTS) {
        return WEIR_ERR_FORMAT;
    }
    if (address == NULL) {
        return WEIR_OK;
    }
    uint16_t owner = 0;
    const enum weir_status status = index_of(map, address, &owner);
    if (status != WEIR_OK) {
        return status;
    }
    for (int64_t slot = first->integer; slot <= last->integer; slot++) {
        if (map->owner[slot] != WEIR_NO_SLOT_OWNER) {
            return WEIR_ERR_FORMAT;
        }
        map->owner[slot] = owner;
        map->covered++;
    }
    return WEIR_OK;
}

/* ---- CLUSTER SLOTS ------------------------------------------------------------------------ */

/* The address in the last part of a server whose host is "?", where there is one. */
static enum weir_peer_host read_metadata(const struct weir_resp_value *values, uint32_t metadata,
                                         char *ret_host)
{
    const struct weir_resp_value *list = &values[metadata];
    if ((list->type != WEIR_RESP_ARRAY && list->type != WEIR_RESP_MAP) || list->count % 2 != 0) {
        return WEIR_PEER_BAD;
    }
    for (uint32_t at = metadata + 1; at < list->next;) {
        const uint32_t value = values[at].next;
        if (weir_peer_is(&values[at], "ip")) {
            return weir_peer_host(&values[value], ret_host);
        }
        at = values[value].next;
    }
    return WEIR_PEER_UNKNOWN;
}

/* One server, at index `at`. A port of 0 is one that it does not listen on for the likes of us:
 * WEIR_PEER_UNKNOWN, as for one without a name. */
static enum weir_peer_host read_server(const struct weir_resp_value *values, uint32_t at,
                                       struct weir_address *ret_address)
{
    const struct weir_resp_value *server = &values[at];
    if (server->type != WEIR_RESP_ARRAY || server->count < 2) {
        return WEIR_PEER_BAD;
    }
    const uint32_t port = values[at + 1].next;
    if (!weir_peer_port(&values[port], &ret_address->port)) {
        return WEIR_PEER_BAD;
    }
    enum weir_peer_host host = weir_peer_host(&values[at + 1], ret_address->host);
    if (host == WEIR_PEER_UNKNOWN && server->count >= 4) {
        const uint32_t id = values[port].next;
        host = read_metadata(values, values[id].next, ret_address->host);
    }
    return host != WEIR_PEER_BAD && ret_address->port == 0 ? WEIR_PEER_UNKNOWN : host;
}

static enum weir_status read_range(struct weir_cluster_map *map,
                                   const struct weir_resp_value *values, uint32_t at,
                                   const struct weir_address *asked)
{
    const struct weir_resp_value *range = &values[at];
    if (range->type != WEIR_RESP_ARRAY || range->count < 3) {
        return WEIR_ERR_FORMAT;
    }
    const uint32_t first = at + 1;
    const uint32_t last = values[first].next;
    struct weir_address address = *asked;
    const enum weir_peer_host host = read_server(values, values[last].next, &address);
    if (host == WEIR_PEER_BAD) {
        return WEIR_ERR_FORMAT;
    }
    return weir_cluster_map_give(map, &values[first], &values[last],
                                 host == WEIR_PEER_UNKNOWN ? NULL : &address);
}

enum weir_status weir_cluster_slots_read(const struct weir_resp_value *values, size_t count,
                                         const struct weir_address *asked,
                                         const struct weir_allocator *allocator,
                                         struct weir_cluster_map **ret_map)
{
    assert(values != NULL && asked != NULL && ret_map != NULL);
    if (count == 0 || values[0].type != WEIR_RESP_ARRAY) {
        return WEIR_ERR_FORMAT;
    }
    struct weir_cluster_map *map = weir_cluster_map_new(allocator);
    enum weir_status status = map == NULL ? WEIR_ERR_NO_MEMORY : WEIR_OK;
    for (uint32_t at = 1; status == WEIR_OK && at < values[0].next; at = values[at].next) {
        status = read_range(map, values, at, asked);
    }
    if (status != WEIR_OK) {
        weir_cluster_map_free(map);
        return status;
    }
    *ret_map = map;
    return WEIR_OK;
}
