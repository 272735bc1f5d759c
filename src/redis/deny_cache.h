/* deny_cache.h - denials that still hold: an attack costs Redis nothing.
 *
 * What is kept of a key that Redis has just denied is not the denial but the state that it came
 * from. A request is then answered by the algorithm's own step on that state: if it would be
 * denied, and the denial would write nothing, Redis could only say the same, or worse, as a key's
 * state only gives way with time, by a refund or a reset. So it holds for every cost and for a
 * limit that has since been changed, and it answers with the numbers Redis would have given had
 * nobody else come.
 *
 * Time: a state is good for WEIR_DENY_CACHE_MAX_US after it was seen, on a clock that is never set.
 * The server's time is reckoned from its answer and from when the question was *sent*, with a
 * margin for clocks that run unevenly, so it is never behind the server's own while neither clock
 * is set: a key is never denied for longer than there. What goes through this store's own handle
 * (an admission, a refund, a reset) drops the entry. What others give back or mend, what others
 * decide at times of their own, and what is done to the keys by hand, is felt a second later at
 * most: that, and only that, is promised.
 *
 * A cost that can never fit needs no state to be denied, but its answer does: it is asked of Redis
 * like any other, and answered here while something is known of its key.
 *
 * Fixed memory, made at open; an entry that must go makes room (sets of WEIR_DENY_CACHE_WAYS, the
 * one that ends soonest goes). One thread's own. */

#ifndef WEIR_REDIS_DENY_CACHE_H
#define WEIR_REDIS_DENY_CACHE_H

#include "algo/algo.h"

#define WEIR_DENY_CACHE_MAX_US INT64_C(1000000)
#define WEIR_DENY_CACHE_WAYS 4

struct weir_deny_cache;

/* `bytes` of memory, all of it taken now; what is too little for one set gives a cache that never
 * holds anything. NULL where there is no memory, or the system has no random numbers. */
struct weir_deny_cache *weir_deny_cache_new(uint64_t bytes, const struct weir_allocator *allocator);
void weir_deny_cache_free(struct weir_deny_cache *cache);

/* What is known of a key after a denial: its state and block (0: none runs, or none was looked
 * for), `server_now_us` by the clock that it was decided on, and, monotonic, `sent_us`, when the
 * question was sent, and `answered_us`, when the answer came (0: not known; the numbers of answers
 * from here may then be too small by as long as it took). `own_clock` says that the server's time
 * decided, not one that the caller supplied. */
struct weir_denial {
    struct weir_state state;
    int64_t block_until_us;
    int64_t server_now_us;
    int64_t sent_us;
    int64_t answered_us;
    bool own_clock;
};

/* `name` is the Redis key. Replaces what was known of it. Nothing is kept of what is out of any
 * range, or over already. */
void weir_deny_cache_put(struct weir_deny_cache *cache, struct weir_bytes name,
                         const struct weir_denial *denial);

/* Whether a check of the request's cost (1 or more) must be denied: then the decision is there
 * (source DENY_CACHE). `name` stands for its key. It is a peek's, too. `steady_us` is the monotonic
 * time, `now_us` a supplied time or WEIR_CLOCK. */
bool weir_deny_cache_get(struct weir_deny_cache *cache, struct weir_bytes name,
                         const struct weir_request *request, int64_t now_us, int64_t steady_us,
                         struct weir_decision *ret_decision);

/* Forgets one key, or all (after a failover: another server, another clock). */
void weir_deny_cache_drop(struct weir_deny_cache *cache, struct weir_bytes name);
void weir_deny_cache_clear(struct weir_deny_cache *cache);

#endif
