/* node.h - one server as the client sees it: its connection, made again when it is lost, its
 * circuit, and the commands that are on their way to it.
 *
 * All of it on the loop's thread. A command has a deadline, on uv_hrtime's clock; it ends in
 * exactly one of: its reply, a failure. Nothing is sent twice: a command that was written when its
 * connection was lost has failed, whatever the server did with it; one that was not yet written
 * waits for the next connection as long as its deadline lasts.
 *
 * Invariant: replies are matched to commands by order alone, so a command that has run out of time
 * keeps its place in the order until its reply comes or the connection ends. A connection that has
 * owed a reply for WEIR_NODE_STALL_US past a deadline is given up. */

#ifndef WEIR_REDIS_NODE_H
#define WEIR_REDIS_NODE_H

#include "redis/breaker.h"
#include "redis/connection.h"

#define WEIR_NODE_STALL_US INT64_C(500000)
#define WEIR_NODE_RETRY_MIN_US INT64_C(50000)
#define WEIR_NODE_RETRY_MAX_US INT64_C(2000000)
/* Commands that wait for, or in, one server at most; what comes on top fails with
 * WEIR_FAILURE_FULL. */
#define WEIR_NODE_COMMANDS_MAX 65536

struct weir_node;
struct weir_command;

/* How a command ended: with a reply (`failure` 0; an error reply is a reply), or without. `values`
 * are good for the call. */
struct weir_outcome {
    enum weir_failure failure;
    bool written; /* without a reply: it may have been carried out */
    const struct weir_resp_value *values;
    size_t count;
    int64_t sent_us; /* when it was written, on uv_hrtime's clock */
};

/* A command. The memory is the caller's, until `done`. */
struct weir_command {
    /* Writes the whole command; called once, when a connection is ready. How many RESP commands
     * that were (an ASKING before it makes two): the reply of the last is the one handed over. */
    size_t (*write)(struct weir_command *command, struct weir_node *node,
                    struct weir_buffer *writer);
    void (*done)(struct weir_command *command, struct weir_node *node,
                 const struct weir_outcome *outcome);
    int64_t deadline_us;
    void *context;
    /* The node's. */
    struct weir_command *next;
    struct weir_command *previous;
    int64_t sent_us;
    uint32_t skip;
    uint8_t state;
};

struct weir_node_events {
    /* Connected and ready, each time; before anything that waits is written. The owner may close
     * the node instead (a replica where a primary was expected). */
    void (*up)(void *owner, struct weir_node *node);
    /* The connection ended, or could not be made. The node tries again by itself, with pauses. */
    void (*down)(void *owner, struct weir_node *node, enum weir_failure failure);
    /* A push; may be NULL. */
    void (*push)(void *owner, struct weir_node *node, const struct weir_resp_value *values,
                 size_t count);
};

struct weir_node_options {
    uv_loop_t *loop;
    const struct weir_allocator *allocator; /* not NULL */
    const struct weir_redis_config *config; /* borrowed for as long as it lives */
    struct weir_tls_context *tls;           /* NULL: none */
    bool sentinel;                          /* logs in as to a sentinel, and without RESP3 */
    const struct weir_node_events *events;
    void *owner;
};

/* A node that is not connected yet; it connects when first asked, or by weir_node_connect. NULL
 * where there is no memory. */
struct weir_node *weir_node_new(const struct weir_node_options *options,
                                const struct weir_address *address);
void weir_node_connect(struct weir_node *node);

/* Ends all its commands with `failure`, from within this call, and frees it. NULL is fine. May be
 * called from any of its own callbacks. */
void weir_node_free(struct weir_node *node, enum weir_failure failure);

/* Hands over a command. It is written at the end of the loop's turn, together with all others, in
 * one write; `done` is never called from within this call, unless the node can't take it (it has
 * too many; `needs_circuit` and the circuit is open; it is not connected, and won't try before the
 * deadline): then it is, and false is returned. */
bool weir_node_send(struct weir_node *node, struct weir_command *command, bool needs_circuit);

/* Takes a command back that is waiting or under way; `done` is not called any more. One that was
 * written keeps its place in the order (the memory is the caller's again at once). */
void weir_node_cancel(struct weir_node *node, struct weir_command *command);

/* Gives the connection up, as after an error reply that makes it useless (READONLY, NOAUTH):
 * commands that were written fail with `failure`, and what of them has not reached the server never
 * will. */
void weir_node_drop(struct weir_node *node, enum weir_failure failure);

/* What is to be reported of a call that had `needs_circuit` and was replied to: whether the server
 * is down, as it says itself (LOADING, CLUSTERDOWN). A call without a reply is counted by the node.
 */
void weir_node_judge(struct weir_node *node, bool down);

const struct weir_address *weir_node_address(const struct weir_node *node);
bool weir_node_is_up(const struct weir_node *node);
const struct weir_server_info *weir_node_info(const struct weir_node *node);
const struct weir_breaker *weir_node_breaker(const struct weir_node *node);
/* How long from `now_us` until it is tried again; 0: it can be now. */
int64_t weir_node_wait(const struct weir_node *node, int64_t now_us);
/* Why it is not connected, and what was said. */
enum weir_failure weir_node_failure(const struct weir_node *node, const char **ret_message);

/* Whatever the owner wants to remember with it (a cluster's map). */
void weir_node_set_mark(struct weir_node *node, uint64_t mark);
uint64_t weir_node_mark(const struct weir_node *node);

/* Adds what it has counted to the stats. */
void weir_node_stats(const struct weir_node *node, struct weir_stats *stats);

#endif
