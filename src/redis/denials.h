/* denials.h - the deny cache for all threads of a store: several caches, each with a lock, among
 * which a key's name chooses (denials.c). A thread that asks looks here first, and a flood of
 * denied keys never gets as far as the loop. */

#ifndef WEIR_REDIS_DENIALS_H
#define WEIR_REDIS_DENIALS_H

#include "redis/deny_cache.h"

struct weir_denials;

/* `bytes` in all; 0: nothing is ever held. NULL where there is no memory. */
struct weir_denials *weir_denials_new(uint64_t bytes, const struct weir_allocator *allocator);
void weir_denials_free(struct weir_denials *denials);

/* As the functions of deny_cache.h, from any thread. An answer is counted. */
void weir_denials_put(struct weir_denials *denials, struct weir_bytes name,
                      const struct weir_denial *denial);
bool weir_denials_get(struct weir_denials *denials, struct weir_bytes name,
                      const struct weir_request *request, int64_t now_us, int64_t steady_us,
                      struct weir_decision *ret_decision);
void weir_denials_drop(struct weir_denials *denials, struct weir_bytes name);
void weir_denials_clear(struct weir_denials *denials);

/* How many questions it has answered. */
uint64_t weir_denials_answered(struct weir_denials *denials);

#endif
