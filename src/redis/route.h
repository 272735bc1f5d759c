/* route.h - which server has a key: the one, the sentinels' primary, or a cluster's
 * (route_single.c, route_sentinel.c, route_cluster.c).
 *
 * A route owns the nodes. The client asks it for the node of a slot, hands the node its command,
 * and tells the route what error replies say about where things are. All on the loop's thread.
 *
 * A route that does not know (yet, or any more) says so; the client then keeps the call, and asks
 * again when the route calls `changed`, as long as the call's deadline lasts. */

#ifndef WEIR_REDIS_ROUTE_H
#define WEIR_REDIS_ROUTE_H

#include "redis/failure.h"
#include "redis/node.h"

struct weir_route;

struct weir_route_events {
    /* It may know more now: nodes came up, a map was read, a primary was found. Never called from
     * within a call of the route's own functions below. */
    void (*changed)(void *owner);
    /* Another server answers for keys from now on, with a clock of its own. */
    void (*moved)(void *owner);
    /* A node is about to be freed, as it has no keys any more: the last moment to read what it has
     * counted. Not called when the route itself is freed. May be NULL. */
    void (*leaving)(void *owner, struct weir_node *node);
};

struct weir_route_options {
    uv_loop_t *loop;
    const struct weir_allocator *allocator; /* not NULL */
    const struct weir_redis_config *config; /* borrowed for as long as it lives */
    struct weir_tls_context *tls;           /* NULL: none */
    const struct weir_route_events *events;
    void *owner;
};

struct weir_route_ops {
    /* Starts looking; returns at once. */
    void (*start)(struct weir_route *route);
    /* The node for `slot` (any, where there is no cluster); NULL where it isn't known now, and
     * ret_failure is what to say of it if that does not change in time. */
    struct weir_node *(*node_for)(struct weir_route *route, uint16_t slot,
                                  enum weir_failure *ret_failure);
    /* What an error reply of `node` said (remedy MOVED, ASK, AGAIN, PRIMARY, LOGIN): looks again,
     * keeps what it learnt. For ASK, and for MOVED, the answer is the node to go to, or NULL. It
     * must not free `node`, which is in the middle of a reply. */
    struct weir_node *(*complained)(struct weir_route *route, struct weir_node *node,
                                    const struct weir_complaint *complaint);
    /* Calls `see` for every node that it talks to, sentinels apart. In a cluster weir_node_mark is
     * how many slots a node has. */
    void (*each)(struct weir_route *route, void (*see)(void *context, struct weir_node *node),
                 void *context);
    /* Frees it and its nodes, whose commands end with `failure`. */
    void (*free)(struct weir_route *route, enum weir_failure failure);
    /* Why node_for knew nothing when it last did, for people; never a secret. NULL: there is only
     * what the nodes have to say (weir_node_failure). Good until the route's next event. */
    const char *(*explain)(struct weir_route *route);
};

/* What every route begins with. */
struct weir_route {
    const struct weir_route_ops *ops;
};

struct weir_route *weir_route_single_new(const struct weir_route_options *options);
struct weir_route *weir_route_sentinel_new(const struct weir_route_options *options);
struct weir_route *weir_route_cluster_new(const struct weir_route_options *options);

#endif
