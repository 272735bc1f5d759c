/* cluster_map.h - which server of a cluster has which slot, as a server tells it (cluster_map.c,
 * and cluster_shards.c for the second of two commands).
 *
 * CLUSTER SLOTS is asked first: every server has it, it names one owner for each range, and names
 * it as clients are to know it (address or name, plain port or TLS, by the connection that asks).
 * CLUSTER SHARDS stands in where the first is refused. It isn't the first choice, as Redis 7.2 and
 * 7.4 give a shard no slots once its first server has failed (redis/redis#13414).
 *
 * Pure. A map is read whole or refused whole: ranges in order that overlap nowhere, hosts and ports
 * that can be used. A slot that nobody has, or whose owner can't be named, is left out. */

#ifndef WEIR_REDIS_CLUSTER_MAP_H
#define WEIR_REDIS_CLUSTER_MAP_H

#include "redis/config.h"
#include "resp/resp.h"

#define WEIR_SLOTS 16384
#define WEIR_NO_SLOT_OWNER UINT16_MAX
/* The most servers with slots. Redis advises against more than about a thousand of any kind. */
#define WEIR_CLUSTER_NODES_MAX 1024

struct weir_cluster_map {
    const struct weir_allocator *allocator;
    struct weir_address *addresses; /* `count` of them, no two the same */
    size_t count;
    size_t room;
    size_t covered;             /* how many slots have an owner */
    uint16_t owner[WEIR_SLOTS]; /* an index of `addresses`, or WEIR_NO_SLOT_OWNER */
    /* Where an address is in `addresses`, plus one, by its hash; 0: nowhere. */
    uint16_t places[2 * WEIR_CLUSTER_NODES_MAX];
};

/* What a reply to CLUSTER SLOTS says. `asked` is the server that said it, which stands for a host
 * that is left open. Errors: WEIR_ERR_FORMAT, WEIR_ERR_NO_MEMORY. The caller frees it. */
enum weir_status weir_cluster_slots_read(const struct weir_resp_value *values, size_t count,
                                         const struct weir_address *asked,
                                         const struct weir_allocator *allocator,
                                         struct weir_cluster_map **ret_map);

/* The same of CLUSTER SHARDS; `tls` says which of a server's ports is meant. */
enum weir_status weir_cluster_shards_read(const struct weir_resp_value *values, size_t count,
                                          const struct weir_address *asked, bool tls,
                                          const struct weir_allocator *allocator,
                                          struct weir_cluster_map **ret_map);

void weir_cluster_map_free(struct weir_cluster_map *map);

/* ---- For those who read one ----------------------------------------------------------------- */

/* An empty map. NULL where there is no memory. */
struct weir_cluster_map *weir_cluster_map_new(const struct weir_allocator *allocator);

/* Gives the slots `first`..`last` to `address`; NULL: to nobody. WEIR_ERR_FORMAT where they are no
 * range, or one of them has an owner, or there are too many servers. */
enum weir_status weir_cluster_map_give(struct weir_cluster_map *map,
                                       const struct weir_resp_value *first,
                                       const struct weir_resp_value *last,
                                       const struct weir_address *address);

#endif
