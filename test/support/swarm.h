/* swarm.h - ten thousand calls at once on a loop of the test's own, each about a key that is used
 * once: each must end once, by its deadline, and all memory be given back. */

#ifndef WEIR_TEST_SUPPORT_SWARM_H
#define WEIR_TEST_SUPPORT_SWARM_H

#include "weir/redis.h"

#include <uv.h>

#define SWARM_CALLS 10000

struct swarm;

/* A loop, and a store on it; the process ends where it can't be opened. */
struct swarm *swarm_open(const char *url);
struct weir *swarm_store(struct swarm *swarm);

/* Runs the loop until the condition holds, looking every few milliseconds. After RIG_PATIENCE_MS
 * the process ends, with `what` in its last words. */
void swarm_run_until(struct swarm *swarm, bool (*condition)(void *context), void *context,
                     const char *what);

/* Runs the loop until Redis answers; returns how long that took, in microseconds. */
int64_t swarm_await_redis(struct swarm *swarm);

/* Submits all calls, with keys that have not been used; those of before have ended. */
void swarm_submit(struct swarm *swarm);

/* How many of them have ended so far. */
size_t swarm_ended(const struct swarm *swarm);

/* Closes the store, with whatever is under way. */
void swarm_close_store(struct swarm *swarm);

struct swarm_account {
    uint64_t by_redis;
    uint64_t failed[WEIR_FAILURE_COUNT];
    uint64_t carried; /* of those that Redis never answered, how many it has charged */
    int64_t median_us;
    int64_t longest_us;
};

/* Runs the loop until all have ended; each did so once, and none later than `deadline_us` and a
 * margin that has nothing to do with it. Holds each against what the server at `url` has kept
 * (NULL: it has forgotten). */
struct swarm_account swarm_finish(struct swarm *swarm, const char *name, int64_t deadline_us,
                                  const char *url);

/* Closes all that is left: no handle may be, and no memory. */
void swarm_close(struct swarm *swarm);

#endif
