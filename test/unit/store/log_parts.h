/* log_parts.h - what the tests of the log arena share: a limit, a question, and an audit of every
 * chunk. */

#ifndef WEIR_TEST_UNIT_STORE_LOG_PARTS_H
#define WEIR_TEST_UNIT_STORE_LOG_PARTS_H

#include "algo/algo.h"
#include "store/log.h"

#define SECOND INT64_C(1000000)
#define T0 (1700000000 * SECOND)
#define MIB (UINT64_C(1) << 20)

/* A sliding-log limit, as weir_limit_new would make it. */
struct weir_limit log_limit(uint64_t count, int64_t period_us);

/* An arena on the system's pages; fails the test where there is none. */
struct weir_logs *log_open(uint64_t bytes);

enum weir_status log_ask(struct weir_logs *logs, uint64_t hash, struct weir_ask question,
                         struct weir_decision *ret_decision);

/* A check and a peek of cost 1 that must not fail. */
struct weir_decision log_check(struct weir_logs *logs, const struct weir_limit *limit,
                               uint64_t hash, int64_t now_us);
struct weir_decision log_peek(struct weir_logs *logs, const struct weir_limit *limit, uint64_t hash,
                              int64_t now_us);

struct weir_stats log_stats(struct weir_logs *logs);

/* Walks every chunk of the arena and accounts for it: free and used chunks are all chunks, every
 * link leads where it should, and the numbers in the heads are true. Fails the test otherwise. */
void log_audit(const struct weir_logs *logs);

#endif
