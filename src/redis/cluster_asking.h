/* cluster_asking.h - asking servers of a cluster what its map is, until one knows
 * (cluster_asking.c).
 *
 * Whom to ask is its owner's to say, one after another. A server that is slow holds nothing up:
 * when the owner thinks it takes long, the next is asked besides, and the first map that comes
 * counts.
 *
 * Invariant: a round that began ends in exactly one of: a map, the news that nobody knows, a stop.
 */

#ifndef WEIR_REDIS_CLUSTER_ASKING_H
#define WEIR_REDIS_CLUSTER_ASKING_H

#include "redis/cluster_map.h"
#include "redis/node.h"

/* How many are asked at once, at most. */
#define WEIR_CLUSTER_QUESTIONS 3
/* How long one may take to connect and answer. */
#define WEIR_CLUSTER_QUESTION_US INT64_C(2500000)

struct weir_cluster_asking_events {
    /* Who is to be asked next in this round; NULL: all have been. */
    struct weir_node *(*next)(void *owner);
    /* The round's end: with a map that has slots in it, good for the call; NULL: without. The last
     * failure is in `failure` and `message`. */
    void (*over)(void *owner, const struct weir_cluster_map *map);
};

struct weir_cluster_asking;

struct weir_cluster_question {
    struct weir_command command;
    struct weir_cluster_asking *asking;
    struct weir_node *node; /* NULL: not in use */
    bool shards;            /* by CLUSTER SHARDS, as it refused CLUSTER SLOTS */
};

struct weir_cluster_asking {
    const struct weir_cluster_asking_events *events;
    void *owner;
    const struct weir_allocator *allocator;
    bool tls;
    bool running;
    bool sending; /* a question is being handed to a node, which may refuse it */
    enum weir_failure failure;
    char message[320];
    struct weir_cluster_question questions[WEIR_CLUSTER_QUESTIONS];
};

void weir_cluster_asking_init(struct weir_cluster_asking *asking,
                              const struct weir_cluster_asking_events *events, void *owner,
                              const struct weir_allocator *allocator, bool tls);

/* Begins a round, which may end before this returns; none is under way. */
void weir_cluster_asking_begin(struct weir_cluster_asking *asking);

/* Asks one more besides, where there is one. */
void weir_cluster_asking_hasten(struct weir_cluster_asking *asking);

/* `node` lost its connection, or is about to be freed: asks another instead. */
void weir_cluster_asking_lost(struct weir_cluster_asking *asking, struct weir_node *node);

bool weir_cluster_asking_asks(const struct weir_cluster_asking *asking,
                              const struct weir_node *node);

/* Takes all questions back; the round is over without a word. */
void weir_cluster_asking_stop(struct weir_cluster_asking *asking);

#endif
