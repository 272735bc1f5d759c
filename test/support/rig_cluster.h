/* rig_cluster.h - a cluster of real servers for a test. rig.h says what holds for each of them.
 *
 * Nodes are counted from 0: first the primaries as they were at the start, with the slots shared
 * out evenly and in order, then the replicas of node 0, of node 1 and so on, then those added. */

#ifndef WEIR_TEST_SUPPORT_RIG_CLUSTER_H
#define WEIR_TEST_SUPPORT_RIG_CLUSTER_H

#include "support/rig.h"

#include <stddef.h>

#define RIG_SLOTS 16384U
#define RIG_NODES_MAX 16U

struct rig_cluster;

struct rig_cluster_options {
    unsigned primaries;     /* 1 or more */
    unsigned replicas_each; /* of each primary */

    /* After how long a silent node is taken for dead; 0: 1500. A failover takes about a second
     * more. */
    unsigned node_timeout_ms;

    /* Of every node. With `tls`, the nodes talk TLS among themselves too, and share certificates.
     */
    struct rig_redis_options node;
};

/* Starts it and waits until every node knows all others, says that the cluster is well, and every
 * replica is in step. */
struct rig_cluster *rig_cluster_start(const struct rig_cluster_options *options);

/* Stops it. NULL is fine. */
void rig_cluster_stop(struct rig_cluster *cluster);

/* Its nodes. One that was killed stays among them and can be restarted. */
size_t rig_cluster_size(const struct rig_cluster *cluster);
struct rig_redis *rig_cluster_node(const struct rig_cluster *cluster, size_t node);

/* "redis+cluster://[:PASSWORD@]127.0.0.1:PORT,..." of all nodes of the start, and the same for TLS.
 */
const char *rig_cluster_url(const struct rig_cluster *cluster);
const char *rig_cluster_tls_url(const struct rig_cluster *cluster);

/* Adds a primary without slots that all others know; returns its number. */
size_t rig_cluster_add(struct rig_cluster *cluster);

/* The slot of a key, and the node that has a slot, as the first node says that runs. */
unsigned rig_cluster_slot(const struct rig_cluster *cluster, const char *key);
size_t rig_cluster_owner(const struct rig_cluster *cluster, unsigned slot);

/* Waits until every node that runs says that the cluster is well, that all that run are its
 * members, and none of them is taken for dead. */
void rig_cluster_wait(struct rig_cluster *cluster);

/* Waits until a slot belongs to another node than `former`, all that run agree on that and are
 * well; returns the node. */
size_t rig_cluster_wait_owner(struct rig_cluster *cluster, unsigned slot, size_t former);

/* ---- Moving a slot, in the three steps of a resharding ---- */

/* From here on the slot's owner answers ASK for keys that it does not have, and TRYAGAIN where it
 * has but some of those of a call. */
void rig_cluster_move_begin(struct rig_cluster *cluster, unsigned slot, size_t to);

/* Moves up to `count` keys; returns how many it moved. */
size_t rig_cluster_move_keys(struct rig_cluster *cluster, unsigned slot, size_t to, size_t count);

/* Gives the slot to `to`, which has all of its keys by now; all nodes are told. */
void rig_cluster_move_end(struct rig_cluster *cluster, unsigned slot, size_t to);

/* All three. */
void rig_cluster_move(struct rig_cluster *cluster, unsigned slot, size_t to);

#endif
