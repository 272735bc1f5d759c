/* sliding_log.h - the arithmetic of sliding-log, over a list of entries that somebody else keeps.
 *
 * The state of a key is a list, so it can't be passed by value as a weir_state is. Whoever keeps it
 * (store/log.c) starts a scan with what it knows without reading the list, shows the scan the
 * entries, oldest first, until it has seen enough, and is told the answer and what to change. The
 * derivation is in sliding_log.c. */

#ifndef WEIR_ALGO_SLIDING_LOG_H
#define WEIR_ALGO_SLIDING_LOG_H

#include "algo/algo.h"

/* `units` admitted at `stamp_us`. A list of them is in order of time, each stamp once. */
struct weir_log_entry {
    int64_t stamp_us;
    uint64_t units; /* 1 or more */
};

/* What is known of a list without reading it. `newest_us` means nothing where `units` is 0. */
struct weir_log_extent {
    int64_t newest_us;
    uint64_t units;
};

/* One look at a list. The members are the scan's own; only read at_us, expired and clamped. */
struct weir_log_scan {
    const struct weir_limit *limit;
    int64_t now_us;
    int64_t at_us; /* the time to decide at: now, or the newest stamp if that is a little later */
    int64_t newest_us; /* the newest stamp as it counts */
    int64_t leaves_us; /* denied: when the unit that is in the way of `cost` leaves the window */
    uint64_t cost;
    uint64_t units;   /* in the whole list */
    uint64_t passed;  /* in the entries shown so far */
    uint64_t expired; /* of these, out of the window */
    bool clamped;     /* the clock was set back: stamps later than now count as now */
};

/* What to do to a list, in this order. */
struct weir_log_change {
    bool write;    /* false: nothing at all */
    uint64_t drop; /* take this many units away, the oldest first */
    bool clamp;    /* give every entry later than at_us that stamp */
    int64_t at_us;
    uint64_t back; /* take this many units away, the newest first */
    uint64_t add;  /* append so many units, stamped at_us */
};

/* Starts a scan for a request of `cost`; 0: only for what is in the window, for a refund. True
 * where it has to see entries. */
bool weir_log_scan_start(struct weir_log_scan *scan, const struct weir_limit *limit,
                         struct weir_log_extent extent, int64_t now_us, uint64_t cost);

/* Shows it the next entry, from the oldest on. False where it has seen enough: at the latest with
 * the last one; if the cost fits, with the first that is still in the window. */
bool weir_log_scan_entry(struct weir_log_scan *scan, struct weir_log_entry entry);

/* Whether the scan's cost is admitted. */
bool weir_log_admits(const struct weir_log_scan *scan);

/* What a check changes, what a check does that a block denies (only what the clock rule clamps),
 * and what giving back `cost` changes. A peek changes nothing. */
struct weir_log_change weir_log_check_change(const struct weir_log_scan *scan);
struct weir_log_change weir_log_mend_change(const struct weir_log_scan *scan);
struct weir_log_change weir_log_refund_change(const struct weir_log_scan *scan, uint64_t cost);

/* Fills in the decision, `source` and `blocked` excepted. `took`: the cost was admitted and
 * taken. */
void weir_log_decide(const struct weir_log_scan *scan, bool took,
                     struct weir_decision *ret_decision);

#endif
