/* sliding_window.c - the two-counter estimate of a moving window.
 *
 * Time is cut into windows of one period, aligned to the epoch. A key keeps what it was admitted in
 * the current window and in the one before. The estimate of the last full period weighs the
 * previous count by how much of its window still overlaps that period:
 *
 *     estimate(now) = previous * weight + current,     weight = (period - elapsed) / period
 *
 * The weight is rounded up to a whole number of 1/2^20, so the rounding never admits more than the
 * estimate allows, and everything stays an integer below 2^42:
 *
 *     admitted if and only if previous * w + (current + cost) * 2^20 <= count * 2^20
 *
 * The estimate is right if the previous window's requests came evenly. If they all came at its end,
 * up to 2*count pass within one period, as with a token bucket; sliding-log is the algorithm that
 * never does that.
 *
 * State: until_us is the end of the window after the current one, when neither count matters any
 * more; payload is previous << 21 | current. until_us is stored rounded up to 2^10 us (the counts
 * need the bits), which loses nothing: the window is the one whose number the rounding leaves
 * intact, as periods are longer than that. A state whose until_us is no such end was written under
 * another period: its counts, together, are taken into the window of now.
 *
 * Source: the counter described by Cloudflare in "How we built rate limiting capable of scaling to
 * millions of domains" (2017), here in integers.
 *
 * Invariant: previous, current <= count; the current window is never later than now's, save within
 * the slack of algo.h, where the one that now is about to enter counts as entered. */

#include "algo/algo.h"
#include "base/checked.h"

#include <assert.h>

#define WEIGHT_BITS 20
#define WEIGHT_ONE (UINT64_C(1) << WEIGHT_BITS)

struct sliding {
    int64_t window; /* the number of the current window: it starts at window * period */
    uint64_t previous;
    uint64_t current;
    int64_t at_us; /* the time to decide at: now, or the start of `window` if that is later */
    bool clamped;
};

static uint64_t at_most(uint64_t value, uint64_t bound)
{
    return value < bound ? value : bound;
}

static int64_t coarse(int64_t time_us)
{
    return (time_us + (1 << WEIR_COARSE_BITS) - 1) >> WEIR_COARSE_BITS;
}

/* The number of the window that `state` calls current; false where it was written under another
 * period. */
static bool window_of(const struct weir_limit *limit, struct weir_state state, int64_t *ret_window)
{
    /* A state from the table is rounded up already, one that never left is not: both give the
     * same. */
    int64_t stored = coarse(state.until_us);
    int64_t ends = (stored << WEIR_COARSE_BITS) / limit->period_us;
    if (coarse(ends * limit->period_us) != stored) {
        return false;
    }
    *ret_window = ends - 2;
    return true;
}

/* What `state` amounts to at `now`, by the clock rule of algo.h. */
static struct sliding sliding_at(const struct weir_limit *limit, struct weir_state state,
                                 int64_t now_us)
{
    const int64_t period_us = limit->period_us;
    const int64_t window = now_us / period_us;
    struct sliding fresh = {window, 0, 0, now_us, false};
    if (state.payload == 0 || state.until_us <= now_us) {
        return fresh;
    }
    uint64_t previous = at_most(state.payload >> WEIR_SLIDING_BITS, limit->ceiling);
    uint64_t current = at_most(state.payload & WEIR_SLIDING_MASK, limit->ceiling);
    int64_t stored;
    if (!window_of(limit, state, &stored)) {
        return (struct sliding){window, 0, at_most(previous + current, limit->ceiling), now_us,
                                true};
    }
    if (stored == window) {
        return (struct sliding){window, previous, current, now_us, false};
    }
    if (stored == window - 1) {
        return (struct sliding){window, current, 0, now_us, false};
    }
    if (stored < window) {
        return fresh;
    }
    if (stored == window + 1 && stored * period_us - now_us <= limit->slack_us) {
        return (struct sliding){stored, previous, current, stored * period_us, false};
    }
    return (struct sliding){window, previous, current, now_us, true};
}

/* ceil((period - elapsed) / period * 2^20), for elapsed in 0..period-1. */
static uint64_t weight_at(const struct weir_limit *limit, const struct sliding *s)
{
    uint64_t period = (uint64_t)limit->period_us;
    uint64_t left = period - (uint64_t)(s->at_us - s->window * limit->period_us);
    weir_u128 scaled = (weir_u128)left << WEIGHT_BITS;
    if (scaled <= UINT64_MAX - period) {
        return ((uint64_t)scaled + period - 1) / period;
    }
    return (uint64_t)((scaled + period - 1) / period);
}

/* How much cost fits: (count*2^20 - previous*w) / 2^20 - current, 0 if that is negative. */
static uint64_t room_at(const struct weir_limit *limit, const struct sliding *s)
{
    uint64_t weighed = s->previous * weight_at(limit, s);
    uint64_t room = ((limit->ceiling << WEIGHT_BITS) - weighed) >> WEIGHT_BITS;
    return room > s->current ? room - s->current : 0;
}

/* The first moment within a window at which `previous` weighs little enough that `room` more than
 * it fits under the count: how long after the window's start, up to a whole period. */
static int64_t elapsed_until(const struct weir_limit *limit, uint64_t previous, uint64_t room)
{
    uint64_t weight = previous == 0 ? WEIGHT_ONE : (room << WEIGHT_BITS) / previous;
    if (weight >= WEIGHT_ONE) {
        return 0;
    }
    /* w <= weight holds from where (period - elapsed) * 2^20 <= weight * period. */
    uint64_t left = (uint64_t)(((weir_u128)weight * (uint64_t)limit->period_us) >> WEIGHT_BITS);
    return limit->period_us - (int64_t)left;
}

/* When a cost that does not fit now will: in this window, or in the next, where current has become
 * previous and weighs less and less. A cost of at most count fits at the latest at the end of
 * that. */
static int64_t retry_at(const struct weir_limit *limit, const struct sliding *s, uint64_t cost)
{
    int64_t start_us = s->window * limit->period_us;
    if (s->current + cost <= limit->ceiling) {
        int64_t elapsed_us = elapsed_until(limit, s->previous, limit->ceiling - s->current - cost);
        if (elapsed_us < limit->period_us) {
            return start_us + elapsed_us;
        }
    }
    return start_us + limit->period_us + elapsed_until(limit, s->current, limit->ceiling - cost);
}

static struct weir_state state_of(const struct weir_limit *limit, const struct sliding *s)
{
    if (s->previous == 0 && s->current == 0) {
        return (struct weir_state){0, 0};
    }
    return (struct weir_state){
        .until_us = coarse((s->window + 2) * limit->period_us) << WEIR_COARSE_BITS,
        .payload = s->previous << WEIR_SLIDING_BITS | s->current,
    };
}

static int64_t reset_after(const struct weir_limit *limit, const struct sliding *s, int64_t now_us)
{
    if (s->current > 0) {
        return (s->window + 2) * limit->period_us - now_us;
    }
    return s->previous > 0 ? (s->window + 1) * limit->period_us - now_us : 0;
}

struct weir_step weir_sliding_step(const struct weir_limit *limit, struct weir_state state,
                                   int64_t now_us, uint64_t cost, bool take,
                                   struct weir_decision *ret_decision)
{
    assert(cost >= 1);
    assert(now_us >= 0 && now_us <= WEIR_TIME_MAX);
    struct sliding s = sliding_at(limit, state, now_us);
    const bool fits = cost <= limit->ceiling;
    const uint64_t room = room_at(limit, &s);
    const bool allowed = fits && cost <= room;
    ret_decision->allowed = allowed;
    ret_decision->limit = limit->ceiling;
    ret_decision->remaining = allowed && take ? room - cost : room;
    ret_decision->retry_after_us = allowed ? 0
                                   : fits  ? retry_at(limit, &s, cost) - now_us
                                           : WEIR_NEVER;
    ret_decision->delay_us = 0;
    if (allowed && take) {
        s.current += cost;
    }
    ret_decision->reset_after_us = reset_after(limit, &s, now_us);
    return (struct weir_step){
        .next = state_of(limit, &s),
        .write = take && (allowed || (s.clamped && fits)),
        .clamped = s.clamped && fits,
    };
}

/* The latest requests are the likeliest to be given back: current first, then previous. */
struct weir_step weir_sliding_refund(const struct weir_limit *limit, struct weir_state state,
                                     int64_t now_us, uint64_t cost)
{
    struct sliding s = sliding_at(limit, state, now_us);
    if (cost == 0 || (s.previous == 0 && s.current == 0)) {
        return (struct weir_step){.next = state};
    }
    uint64_t from_current = at_most(cost, s.current);
    s.current -= from_current;
    s.previous -= at_most(cost - from_current, s.previous);
    return (struct weir_step){.next = state_of(limit, &s), .write = true};
}
