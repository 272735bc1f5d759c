/* stats_sum.h - the counts of all workers, added up under the names that are told (stats_sum.c). */

#ifndef WEIR_RLS_STATS_SUM_H
#define WEIR_RLS_STATS_SUM_H

#include "rls/stats_parts.h"

struct weir_rls_sum {
    struct weir_bytes name;
    bool is_domain;
    uint64_t counts[WEIR_RLS_COUNT_COUNT];
};

struct weir_rls_sums {
    struct weir_rls_sum *sums; /* domains last; each kind by name, none of them twice */
    size_t count;
};

/* Adds up what was counted at all. As statsd's lines have a meaning for them, ':' and '|' become
 * '_', and so do the dots of an IPv4 address. Of a name the first `parts` between dots are kept; 0:
 * all of them. False: no memory. */
bool weir_rls_sums_make(const struct weir_rls_stats *stats, size_t parts, struct weir_arena *arena,
                        struct weir_rls_sums *ret_sums);

/* Of an event, or of a count of times. */
uint64_t weir_rls_sum_events(const struct weir_rls_stats *stats, enum weir_rls_event what);
uint64_t weir_rls_sum_times(const struct weir_rls_stats *stats, size_t at);

/* By bytes, as memcmp tells them apart. */
int weir_rls_compare(struct weir_bytes a, struct weir_bytes b);

#endif
