/* sentinels.h - the sentinels: who they are, and who is the primary in their eyes (sentinels.c).
 *
 * All of them are asked at once, so that one which is slow or gone holds nobody up. Each says who
 * it is that the others watch with, and those are asked from then on, too. Each has a second
 * connection on which it tells of a failover as soon as there is one, as a connection of RESP2 that
 * is subscribed can't be asked anything.
 *
 * What they say is a vote. It counts until the next round, and is taken by route_sentinel.c as no
 * more than a hint: the server that is named has to say of itself that it is a primary. So it does
 * no harm that a sentinel which is known under two names (a seed's, and what others call it) has
 * two votes.
 *
 * On the loop's thread. */

#ifndef WEIR_REDIS_SENTINELS_H
#define WEIR_REDIS_SENTINELS_H

#include "redis/node.h"

/* The most that are known at once: seeds, and those that they tell of. */
#define WEIR_SENTINELS_MAX 64

/* How long one may take to connect and answer. */
#define WEIR_SENTINEL_QUESTION_US INT64_C(2500000)
/* How often one is asked for the others, and how long one that is not a seed is remembered after it
 * was last heard of. */
#define WEIR_SENTINEL_LEARN_US INT64_C(10000000)
#define WEIR_SENTINEL_FORGET_US INT64_C(60000000)

struct weir_sentinels;

struct weir_sentinels_options {
    uv_loop_t *loop;
    const struct weir_allocator *allocator; /* not NULL */
    const struct weir_redis_config *config; /* borrowed for as long as it lives */
    struct weir_tls_context *tls;           /* NULL: none */
    /* One of them has voted, or can't; or has told of a failover (`told`). Never called from within
     * a call of these functions but weir_sentinels_ask. */
    void (*heard)(void *owner, bool told);
    void *owner;
};

/* NULL where there is no memory. */
struct weir_sentinels *weir_sentinels_new(const struct weir_sentinels_options *options);
void weir_sentinels_free(struct weir_sentinels *all);

/* Begins a round: all votes are void, and all that are not being asked are. */
void weir_sentinels_ask(struct weir_sentinels *all);

/* How the round stands. */
struct weir_sentinels_poll {
    size_t known;   /* sentinels there are */
    size_t pending; /* that may vote yet, and soon: lost ones are not waited for */
    size_t voted;   /* for a primary */
    size_t blank;   /* that know of no such service */
};
struct weir_sentinels_poll weir_sentinels_poll(const struct weir_sentinels *all);

/* How many votes `address` has. */
size_t weir_sentinels_votes(const struct weir_sentinels *all, const struct weir_address *address);

/* The address with the most votes, of those that are not among the `count` of `but`; NULL: none has
 * any. Good until the next call of the loop. */
const struct weir_address *weir_sentinels_choice(const struct weir_sentinels *all,
                                                 const struct weir_address *but, size_t count);

/* Why a sentinel that can't be asked can't, into `message`, which is left alone where there is
 * none. */
void weir_sentinels_trouble(const struct weir_sentinels *all, char *message, size_t size);

#endif
