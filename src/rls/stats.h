/* stats.h - what is counted of the rate limit service, by the names of envoyproxy/ratelimit.
 *
 * Beside metrics.h, for dashboards that know these names. Each worker has a tally and alone writes
 * to it (relaxed atomics, as in metrics.h); whoever tells adds them up. Names that come with
 * requests (detailed_metric, value_to_metric, overrides, unknown domains) are bounded: past
 * WEIR_RLS_NAMES_MAX they are counted under their rule's own name, or, without a rule, "other".
 *
 * Invariant: nothing here grows with the number of keys or peers. */

#ifndef WEIR_RLS_STATS_H
#define WEIR_RLS_STATS_H

#include "rls/rls.h"

#define WEIR_RLS_NAMES_MAX 20000 /* of one worker */
#define WEIR_RLS_NAME_MAX 1024   /* bytes of such a name; a longer one is as one too many */

/* Of one name. */
enum weir_rls_count {
    WEIR_RLS_TOTAL_HITS = 0,
    WEIR_RLS_OVER_LIMIT_HITS,
    WEIR_RLS_NEAR_LIMIT_HITS,
    WEIR_RLS_OVER_LIMIT_WITH_LOCAL_CACHE_HITS, /* decided by the deny cache */
    WEIR_RLS_WITHIN_LIMIT_HITS,
    WEIR_RLS_SHADOW_MODE_HITS,
    WEIR_RLS_COUNT_COUNT
};

/* Of the service. */
enum weir_rls_event {
    WEIR_RLS_STORE_ERROR = 0, /* call.should_rate_limit.redis_error */
    WEIR_RLS_SERVICE_ERROR,
    WEIR_RLS_GLOBAL_SHADOW_MODE,
    WEIR_RLS_EVENT_COUNT
};

struct weir_rls_stats;
struct weir_rls_tally;

/* `workers` is 1 or more. NULL: no memory. */
struct weir_rls_stats *weir_rls_stats_new(uint32_t workers);
void weir_rls_stats_free(struct weir_rls_stats *stats);
struct weir_rls_tally *weir_rls_stats_tally(struct weir_rls_stats *stats, uint32_t worker);

/* On a worker's own thread. Adds `hits`, WEIR_RLS_COUNT_COUNT numbers, under the item's name; how
 * often a domain that is unknown was asked for. Of a plan, weir_rls_answer does both. */
void weir_rls_tally_add(struct weir_rls_tally *tally, const struct weir_rls_item *item,
                        const uint64_t *hits);
void weir_rls_tally_unknown_domain(struct weir_rls_tally *tally, struct weir_bytes domain,
                                   uint64_t times);
void weir_rls_tally_event(struct weir_rls_tally *tally, enum weir_rls_event what);
void weir_rls_tally_request(struct weir_rls_tally *tally, int64_t ns); /* a call, and its time */

/* On any thread: configurations that were read, or refused. */
void weir_rls_stats_config(struct weir_rls_stats *stats, bool loaded);

/* Appends "name: value" lines as the debug port's /stats gives them, sorted; and the same in
 * Prometheus's format, with the names and labels of envoyproxy/ratelimit (domain, key1, key2). Any
 * thread. */
void weir_rls_stats_tell(struct weir_rls_stats *stats, struct weir_buffer *out);
void weir_rls_stats_tell_prometheus(struct weir_rls_stats *stats, struct weir_buffer *out);

#endif
