/* route_single.c - the route to one server, see route.h: there is one node, and it is always known.
 *
 * What it can do about a complaint is to connect anew: behind a name there may be another server by
 * then. */

#include "redis/route.h"

#include "base/alloc.h"

#include <assert.h>

struct single {
    struct weir_route route; /* first, so that a route is one of these */
    struct weir_route_options options;
    struct weir_node *node;
    bool was_up;
};

static void on_up(void *owner, struct weir_node *node)
{
    struct single *single = owner;
    (void)node;
    if (single->was_up) {
        single->options.events->moved(single->options.owner);
    }
    single->was_up = true;
    single->options.events->changed(single->options.owner);
}

static void on_down(void *owner, struct weir_node *node, enum weir_failure failure)
{
    /* The node tries again by itself. */
    (void)owner;
    (void)node;
    (void)failure;
}

static const struct weir_node_events node_events = {.up = on_up, .down = on_down};

static void start(struct weir_route *route)
{
    weir_node_connect(((struct single *)route)->node);
}

static struct weir_node *node_for(struct weir_route *route, uint16_t slot,
                                  enum weir_failure *ret_failure)
{
    (void)slot;
    (void)ret_failure;
    return ((struct single *)route)->node;
}

static struct weir_node *complained(struct weir_route *route, struct weir_node *node,
                                    const struct weir_complaint *complaint)
{
    (void)route;
    if (complaint->remedy == WEIR_REMEDY_PRIMARY || complaint->remedy == WEIR_REMEDY_LOGIN) {
        weir_node_drop(node, complaint->failure);
    }
    return NULL;
}

static void each(struct weir_route *route, void (*see)(void *context, struct weir_node *node),
                 void *context)
{
    see(context, ((struct single *)route)->node);
}

static void single_free(struct weir_route *route, enum weir_failure failure)
{
    struct single *single = (struct single *)route;
    weir_node_free(single->node, failure);
    weir_release(single->options.allocator, single, sizeof(*single));
}

static const struct weir_route_ops single_ops = {
    .start = start,
    .node_for = node_for,
    .complained = complained,
    .each = each,
    .free = single_free,
};

struct weir_route *weir_route_single_new(const struct weir_route_options *options)
{
    assert(options->config->seed_count == 1);
    struct single *single = weir_alloc(options->allocator, sizeof(*single), _Alignof(max_align_t));
    if (single == NULL) {
        return NULL;
    }
    single->route.ops = &single_ops;
    single->options = *options;
    const struct weir_node_options node = {
        .loop = options->loop,
        .allocator = options->allocator,
        .config = options->config,
        .tls = options->tls,
        .events = &node_events,
        .owner = single,
    };
    single->node = weir_node_new(&node, &options->config->seeds[0]);
    if (single->node == NULL) {
        weir_release(options->allocator, single, sizeof(*single));
        return NULL;
    }
    return &single->route;
}
