/* fallback.h - what decides where Redis does not: on_error (fallback.c).
 *
 *     deny    nothing passes; retry_after is when Redis will be tried again
 *     allow   everything passes
 *     local   a table in this process, opened when it is first needed, under the same limits;
 *             what it admits is not told to Redis when that is back, and each process has its
 *             own: over n processes at most n budgets pass. Handles that were given one
 *             table (redis.h, `local`) share it
 *
 * A cost that can never fit is denied with WEIR_NEVER by all three. Where there is no memory for
 * the table, local denies (source ON_ERROR, failure NO_MEMORY), as whoever chose it wanted limits
 * to hold; it is tried again at the next request.
 *
 * The decisions say `source` and `failure`. May be used by any number of threads. */

#ifndef WEIR_REDIS_FALLBACK_H
#define WEIR_REDIS_FALLBACK_H

#include "algo/algo.h"
#include "redis/config.h"

struct weir_fallback;

/* NULL where there is no memory. `config` is borrowed for as long as it lives. */
struct weir_fallback *weir_fallback_new(const struct weir_redis_config *config,
                                        const struct weir_allocator *allocator);
void weir_fallback_free(struct weir_fallback *fallback);

/* Why Redis does not decide, how long until it is tried again (for deny; less than 1 counts as 1),
 * and the time to decide at: as in weir_check. */
struct weir_outage {
    enum weir_failure failure;
    int64_t retry_us;
    int64_t now_us;
};

/* Decides what `verb` asks of one request. REFUND: gives back to the local table, or, with deny and
 * allow, to nobody; answers as a peek of 1. RESET: forgets the key in the local table, and answers
 * WEIR_ERR_STORE, as Redis did not. Other errors are those of weir_check on the table. */
enum weir_status weir_fallback_decide(struct weir_fallback *fallback, enum weir_verb verb,
                                      const struct weir_request *request,
                                      const struct weir_outage *outage,
                                      struct weir_decision *ret_decision);

/* The same for a check_all: all or none. Each limit's own on_error counts: one that denies denies
 * all, and then the local table is only looked at; those that allow take nothing; the rest go
 * through the local table together. */
enum weir_status weir_fallback_decide_all(struct weir_fallback *fallback,
                                          const struct weir_request *requests, size_t count,
                                          const struct weir_outage *outage,
                                          struct weir_decision *ret_decisions, size_t *ret_denied);

/* Forgets `key` in the local table, where there is one: after Redis did. */
void weir_fallback_forget(struct weir_fallback *fallback, const struct weir_request *request);

/* Fills in the lines of its own local table, once there is one; leaves the others alone. */
void weir_fallback_stats(struct weir_fallback *fallback, int64_t now_us,
                         struct weir_stats *ret_stats);

#endif
