/* log.h - the bounded side arena in which sliding-log keeps its timestamps.
 *
 * A slot of the table is 16 bytes; an exact log needs a timestamp for each admission in the last
 * period. They live here, in memory fixed at open, for memory: stores only. */

#ifndef WEIR_STORE_LOG_H
#define WEIR_STORE_LOG_H

#include "store/store.h"

struct weir_logs;

/* The least and most bytes an arena may have. One of WEIR_LOGS_ROOMY or more has room for any one
 * log in any of its parts, and so never answers WEIR_ERR_FULL; a smaller one can, to limits in the
 * thousands. */
#define WEIR_LOGS_MIN ((uint64_t)64 << 10)
#define WEIR_LOGS_ROOMY ((uint64_t)128 << 10)
#define WEIR_LOGS_MAX ((uint64_t)64 << 30)

/* An arena of `bytes`, all bookkeeping included. allocator NULL: the system's pages, untouched
 * until used. Errors: WEIR_ERR_ARGUMENT (outside WEIR_LOGS_MIN..WEIR_LOGS_MAX), WEIR_ERR_NO_MEMORY.
 */
enum weir_status weir_logs_open(uint64_t bytes, const struct weir_allocator *allocator,
                                struct weir_logs **ret_logs);

/* NULL is fine. No call may be under way. */
void weir_logs_close(struct weir_logs *logs);

/* Decides `verb` for the key whose 64-bit hash is `hash`, as weir_store_ops.decide does; `ask->key`
 * is not read. The block of the limit, if any, is the caller's business. `source` and `blocked` of
 * the decision are left alone, and for a reset all of it is (NULL is fine). WEIR_ERR_FULL, from a
 * check only, where there is no room and nothing to give up; nothing is then taken. Any number of
 * threads. */
enum weir_status weir_logs_decide(struct weir_logs *logs, uint64_t hash, const struct weir_ask *ask,
                                  struct weir_decision *ret_decision);

/* Sets log_bytes, log_used and log_evicted of `stats`. */
void weir_logs_stats(struct weir_logs *logs, struct weir_stats *stats);

#endif
