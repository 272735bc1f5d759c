/* sliding_log.c - exactly `count` in any stretch of `period`.
 *
 * Read sliding_log.h first. The state is every admission of the last period: entries of a stamp and
 * the units admitted at it, in order of time. A unit stamped s is in the window at t as long as
 *
 *     s > t - period
 *
 * so at exactly s + period it has left. With L units in the window, a cost c is
 *
 *     admitted if and only if L + c <= count
 *
 * and then becomes an entry of its own, or part of the newest if that has the same stamp.
 *
 * When would a denied cost fit? Once L + c - count units have left the window, and units leave in
 * order of their stamps. Let S be the units of the whole list, E of them expired: L = S - E.
 * Counted from the front of the whole list, the unit that has to leave is number E + (L + c -
 * count) = S + c - count. So E need not be known to find it, and neither need it be known how many
 * units a limit that was made smaller no longer holds: of L > count units only the newest `count`
 * still count, the L - count before them are skipped, count + c - count = c of the rest have to
 * leave, and the number is the same.
 *
 * Clocks (algo.h): the newest stamp is the state's own time. A now behind it by up to slack_us
 * counts as that time, and what is admitted gets that stamp; durations are still counted from now.
 * A now further behind means that the clock was set back: every stamp later than now becomes now,
 * which no admission at now could exceed, and that repair is written also by a check that is
 * denied.
 *
 * What a change writes is the list as it was decided on: the expired entries are gone, and so is
 * what a smaller limit does not hold. A denied check and a peek leave even those alone, so that the
 * answers to come never depend on who asked in between.
 *
 * Source: the definition; there is nothing to estimate.
 *
 * Invariants, after every change: the units are at most `count`; the stamps are within one period
 * up to the newest. */

#include "algo/sliding_log.h"

#include <assert.h>

static uint64_t at_most(uint64_t value, uint64_t bound)
{
    return value < bound ? value : bound;
}

/* The units that count against the limit: those in the window, and never more than it can hold. */
static uint64_t held(const struct weir_log_scan *scan)
{
    return at_most(scan->units - scan->expired, scan->limit->ceiling);
}

static uint64_t room(const struct weir_log_scan *scan)
{
    return scan->limit->ceiling - held(scan);
}

bool weir_log_scan_start(struct weir_log_scan *scan, const struct weir_limit *limit,
                         struct weir_log_extent extent, int64_t now_us, uint64_t cost)
{
    assert(limit->algorithm == WEIR_SLIDING_LOG);
    assert(now_us >= 0 && now_us <= WEIR_TIME_MAX);
    *scan = (struct weir_log_scan){
        .limit = limit,
        .now_us = now_us,
        .at_us = now_us,
        .newest_us = extent.newest_us,
        .cost = cost,
        .units = extent.units,
    };
    if (extent.units == 0) {
        return false;
    }
    const int64_t ahead_us = extent.newest_us - now_us;
    if (ahead_us > limit->slack_us) {
        scan->newest_us = now_us;
        scan->clamped = true;
    } else if (ahead_us > 0) {
        scan->at_us = extent.newest_us;
    }
    if (scan->newest_us <= scan->at_us - limit->period_us) {
        scan->expired = extent.units;
        return false;
    }
    return true;
}

bool weir_log_scan_entry(struct weir_log_scan *scan, struct weir_log_entry entry)
{
    assert(entry.units > 0 && entry.units <= scan->units - scan->passed);
    const struct weir_limit *limit = scan->limit;
    const int64_t stamp_us = entry.stamp_us < scan->at_us ? entry.stamp_us : scan->at_us;
    scan->passed += entry.units;
    if (stamp_us <= scan->at_us - limit->period_us) {
        scan->expired = scan->passed;
        return true;
    }
    if (scan->cost > limit->ceiling || scan->cost <= room(scan)) {
        return false;
    }
    if (scan->passed < scan->units + scan->cost - limit->ceiling) {
        return true;
    }
    scan->leaves_us = stamp_us + limit->period_us;
    return false;
}

bool weir_log_admits(const struct weir_log_scan *scan)
{
    return scan->cost <= room(scan);
}

/* The list as it was decided on. */
static struct weir_log_change settle(const struct weir_log_scan *scan)
{
    return (struct weir_log_change){
        .write = true,
        .drop = scan->units - held(scan),
        .clamp = scan->clamped,
        .at_us = scan->at_us,
    };
}

struct weir_log_change weir_log_check_change(const struct weir_log_scan *scan)
{
    assert(scan->cost >= 1);
    if (weir_log_admits(scan)) {
        struct weir_log_change change = settle(scan);
        change.add = scan->cost;
        return change;
    }
    return weir_log_mend_change(scan);
}

struct weir_log_change weir_log_mend_change(const struct weir_log_scan *scan)
{
    if (scan->clamped && scan->cost <= scan->limit->ceiling) {
        return settle(scan);
    }
    return (struct weir_log_change){.write = false};
}

struct weir_log_change weir_log_refund_change(const struct weir_log_scan *scan, uint64_t cost)
{
    const uint64_t back = at_most(cost, held(scan));
    if (back == 0) {
        return (struct weir_log_change){.write = false};
    }
    struct weir_log_change change = settle(scan);
    change.back = back;
    return change;
}

void weir_log_decide(const struct weir_log_scan *scan, bool took,
                     struct weir_decision *ret_decision)
{
    assert(scan->cost >= 1);
    const struct weir_limit *limit = scan->limit;
    const bool allowed = weir_log_admits(scan);
    assert(allowed || !took);
    ret_decision->allowed = allowed;
    ret_decision->limit = limit->ceiling;
    ret_decision->remaining = room(scan) - (took ? scan->cost : 0);
    ret_decision->retry_after_us = 0;
    if (!allowed) {
        ret_decision->retry_after_us =
            scan->cost > limit->ceiling ? WEIR_NEVER : scan->leaves_us - scan->now_us;
    }
    ret_decision->reset_after_us = 0;
    if (took || held(scan) > 0) {
        const int64_t newest_us = took ? scan->at_us : scan->newest_us;
        ret_decision->reset_after_us = newest_us + limit->period_us - scan->now_us;
    }
    ret_decision->delay_us = 0;
}
