/* routed.h - a route on a loop of the test's own, and commands that go its way as the client's do:
 * to the node that it names, and on to where error replies point. */

#ifndef WEIR_TEST_SUPPORT_ROUTED_H
#define WEIR_TEST_SUPPORT_ROUTED_H

#include "redis/route.h"
#include "support/rig.h"

struct routed {
    uv_loop_t loop;
    struct weir_redis_config config;
    struct weir_tls_context *tls;
    struct weir_route *route;
    struct weir_allocator allocator; /* over malloc */
    size_t allocations;              /* how many there were */
    size_t starved;                  /* the one that finds no memory, counted from 1; 0: none */
    unsigned changed;                /* how often each was called */
    unsigned moved;
    unsigned leaving;
};

/* A configuration with `count` seeds at ports of 127.0.0.1, and all else as it is by default. */
struct weir_redis_config routed_config(enum weir_topology topology, const unsigned *ports,
                                       size_t count);

/* Opens a route, and starts it. */
struct routed *routed_open(const struct weir_redis_config *config);

/* The same, where the `nth` allocation finds no memory; NULL where there is no route then. */
struct routed *routed_open_starved(const struct weir_redis_config *config, size_t nth);

/* How many allocations it takes to open one and have a command answered. */
size_t routed_allocations(const struct weir_redis_config *config);

/* Closes it, in whatever state it is, and fails where it leaves a handle on the loop. */
void routed_close(struct routed *routed);

/* What came of a command. */
struct routed_answer {
    enum weir_failure failure; /* 0: there was a reply */
    char text[200];            /* of a string, number or error */
    unsigned port;             /* whose it was */
    unsigned sent;             /* to how many servers it went */
};

/* Sends the words, up to a NULL, to whoever has the slot of `key`, and waits for what comes of it,
 * for RIG_PATIENCE_MS at most: what fails meanwhile is tried again. */
struct routed_answer routed_ask(struct routed *routed, const char *key, ...)
    __attribute__((sentinel));

/* The same, once, and for no longer than `wait_ms`. */
struct routed_answer routed_ask_once(struct routed *routed, unsigned wait_ms, const char *key, ...)
    __attribute__((sentinel));

/* Runs the loop until `condition` holds. It fails after RIG_PATIENCE_MS, with `what`. */
void routed_wait(struct routed *routed, bool (*condition)(struct routed *routed, void *context),
                 void *context, const char *what);

/* Runs the loop for a while. */
void routed_run(struct routed *routed, unsigned ms);

/* The port of the node for the slot of `key`; 0: none is known. */
unsigned routed_port(struct routed *routed, const char *key);

/* How many nodes the route has, as `each` shows them, and how many of these are connected. */
size_t routed_nodes(struct routed *routed, size_t *ret_up);

#endif
