/* cluster_shards.c - CLUSTER SHARDS. See cluster_map.h.
 *
 * The reply; the maps are arrays of names and values in RESP2:
 *
 *     [ {slots: [first, last, first, last, ...], nodes: [server...]} ... ]
 *     server: {id, port, tls-port, ip, endpoint, hostname, role, health, ...}
 *
 * `endpoint` is the host as clients are to know it: empty for the one that was asked, "?" where it
 * has no name, and `ip` is then taken. Names that are none of these are skipped. */

#include "redis/cluster_map.h"
#include "redis/peer.h"

#include <assert.h>

/* Where the parts of a server are; 0 where it has none: nothing of it is at index 0. */
struct server_parts {
    uint32_t port;
    uint32_t tls_port;
    uint32_t ip;
    uint32_t endpoint;
    uint32_t role;
    uint32_t health;
};

static bool is_map(const struct weir_resp_value *value)
{
    return (value->type == WEIR_RESP_ARRAY || value->type == WEIR_RESP_MAP) &&
           value->count % 2 == 0;
}

static void note_part(const struct weir_resp_value *values, uint32_t name, uint32_t value,
                      struct server_parts *parts)
{
    const struct {
        const char *name;
        uint32_t *part;
    } known[] = {
        {"port", &parts->port},         {"tls-port", &parts->tls_port}, {"ip", &parts->ip},
        {"endpoint", &parts->endpoint}, {"role", &parts->role},         {"health", &parts->health},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (weir_peer_is(&values[name], known[i].name)) {
            *known[i].part = value;
        }
    }
}

static bool read_parts(const struct weir_resp_value *values, uint32_t server,
                       struct server_parts *ret_parts)
{
    if (!is_map(&values[server])) {
        return false;
    }
    *ret_parts = (struct server_parts){0};
    for (uint32_t at = server + 1; at < values[server].next;) {
        const uint32_t value = values[at].next;
        note_part(values, at, value, ret_parts);
        at = values[value].next;
    }
    return ret_parts->role != 0;
}

/* As read_server in cluster_map.c. */
static enum weir_peer_host read_address(const struct weir_resp_value *values,
                                        const struct server_parts *parts, bool tls,
                                        struct weir_address *ret_address)
{
    const uint32_t port = tls ? parts->tls_port : parts->port;
    if (port == 0) {
        return WEIR_PEER_UNKNOWN;
    }
    if (!weir_peer_port(&values[port], &ret_address->port)) {
        return WEIR_PEER_BAD;
    }
    enum weir_peer_host host = WEIR_PEER_UNKNOWN;
    if (parts->endpoint != 0) {
        host = weir_peer_host(&values[parts->endpoint], ret_address->host);
    }
    if (host == WEIR_PEER_UNKNOWN && parts->ip != 0) {
        host = weir_peer_host(&values[parts->ip], ret_address->host);
    }
    return host != WEIR_PEER_BAD && ret_address->port == 0 ? WEIR_PEER_UNKNOWN : host;
}

/* The shard's primary, of `nodes`: one that has not failed, where there is one. */
static enum weir_peer_host find_primary(const struct weir_resp_value *values, uint32_t nodes,
                                        bool tls, struct weir_address *ret_address)
{
    enum weir_peer_host best = WEIR_PEER_UNKNOWN;
    bool failed = true;
    for (uint32_t at = nodes + 1; at < values[nodes].next; at = values[at].next) {
        struct server_parts parts;
        if (!read_parts(values, at, &parts)) {
            return WEIR_PEER_BAD;
        }
        struct weir_address address = *ret_address;
        const enum weir_peer_host host = read_address(values, &parts, tls, &address);
        if (host == WEIR_PEER_BAD) {
            return WEIR_PEER_BAD;
        }
        if (host == WEIR_PEER_UNKNOWN || !failed || !weir_peer_is(&values[parts.role], "master")) {
            continue;
        }
        failed = parts.health != 0 && weir_peer_is(&values[parts.health], "fail");
        best = host;
        *ret_address = address;
    }
    return best;
}

static enum weir_status read_shard(struct weir_cluster_map *map,
                                   const struct weir_resp_value *values, uint32_t shard,
                                   const struct weir_address *asked, bool tls)
{
    if (!is_map(&values[shard])) {
        return WEIR_ERR_FORMAT;
    }
    uint32_t slots = 0;
    uint32_t nodes = 0;
    for (uint32_t at = shard + 1; at < values[shard].next;) {
        const uint32_t value = values[at].next;
        slots = weir_peer_is(&values[at], "slots") ? value : slots;
        nodes = weir_peer_is(&values[at], "nodes") ? value : nodes;
        at = values[value].next;
    }
    if (slots == 0 || values[slots].type != WEIR_RESP_ARRAY || values[slots].count % 2 != 0 ||
        nodes == 0 || values[nodes].type != WEIR_RESP_ARRAY) {
        return WEIR_ERR_FORMAT;
    }
    struct weir_address address = *asked;
    const enum weir_peer_host host = find_primary(values, nodes, tls, &address);
    enum weir_status status = host == WEIR_PEER_BAD ? WEIR_ERR_FORMAT : WEIR_OK;
    for (uint32_t at = slots + 1; status == WEIR_OK && at < values[slots].next;) {
        const uint32_t last = values[at].next;
        status = weir_cluster_map_give(map, &values[at], &values[last],
                                       host == WEIR_PEER_UNKNOWN ? NULL : &address);
        at = values[last].next;
    }
    return status;
}

enum weir_status weir_cluster_shards_read(const struct weir_resp_value *values, size_t count,
                                          const struct weir_address *asked, bool tls,
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
        status = read_shard(map, values, at, asked, tls);
    }
    if (status != WEIR_OK) {
        weir_cluster_map_free(map);
        return status;
    }
    *ret_map = map;
    return WEIR_OK;
}
