/* algo.h - the pure step every algorithm is: a limit, a key's state, a time and a cost go in; a
 * decision and the next state come out.
 *
 * Read this first, then token_bucket.h. Nothing in this folder allocates, reads a clock, or knows
 * where a state is kept. All of them share one form of state, `struct weir_state`, whose first half
 * means the same for each: the time at which the key is as if never used. That is what lets a table
 * of mixed algorithms tell which of its entries matter least, without knowing their limits.
 *
 * Clocks, for all of them. A state made at time s never has `until_us` more than the limit's span
 * ahead of s; so until_us - span is the latest time that the state can vouch for, its own time. A
 * `now` behind it by up to `slack_us` was read a little late, and counts as the state's own time.
 * A `now` further behind means that the clock was set back, or that the limit was made smaller:
 * the state is then clamped to the most that the limit can produce at `now`, and this repair is
 * written even by a check that is denied, else the key would stay denied until the clock came round
 * again. */

#ifndef WEIR_ALGO_ALGO_H
#define WEIR_ALGO_ALGO_H

#include "weir/weir.h"

struct weir_zone;

/* What a key has used. All zero is a key that was never seen. */
struct weir_state {
    int64_t until_us; /* when the key is as if never used; in the past: it is already */
    uint64_t payload; /* buckets: fraction of a microsecond, over the reduced count; windows: count;
                         sliding-window: previous and current count, 21 bits each */
};

/* A rate as exact integers: one token every interval = period/count microseconds, in lowest terms
 * numerator/denominator. Amounts of time are whole microseconds and a fraction over denominator. */
struct weir_rate {
    uint64_t numerator;     /* period_us / gcd */
    uint64_t denominator;   /* count / gcd, at most 2^32 - 1 */
    uint64_t reciprocal;    /* floor((2^64 - 1) / numerator), to divide by multiplying */
    bool narrow;            /* burst * numerator < 2^64: 64-bit arithmetic is enough */
    int64_t interval_us;    /* the interval, whole */
    uint64_t interval_part; /* and its fraction */
    int64_t depth_us;       /* burst * interval, whole */
    uint64_t depth_part;    /* and its fraction */
};

/* A limit as weir_limit_new prepares it; immutable afterwards. policy/limit.c fills it in. */
struct weir_limit {
    enum weir_algorithm algorithm;
    enum weir_calendar calendar;
    bool plain; /* a bucket without a block: the commonest limit, and the table's hot path */
    bool whole; /* and its interval is a whole number of microseconds, and it does not leak */
    uint64_t interval_high; /* of such a limit: interval and depth as a slot's high half has them */
    uint64_t depth_high;
    uint64_t horizon_high; /* depth and slack */
    uint64_t salt;         /* of name and algorithm: keeps the limit's keys apart from others' */
    uint64_t ceiling;      /* burst for the buckets, else count: what no cost may exceed */
    uint64_t count;
    int64_t period_us;     /* 0 for calendar-window, but for WEIR_CALENDAR_EPOCH */
    int64_t block_us;      /* 0: no block */
    int64_t slack_us;      /* see above: min(span of one period, WEIR_CLOCK_SLACK_US) */
    struct weir_rate rate; /* the buckets; of WEIR_CALENDAR_EPOCH numerator and reciprocal alone,
                              as if every period were a token */
    enum weir_on_error on_error;
    const struct weir_zone *zone; /* calendar-window; NULL: UTC, or WEIR_CALENDAR_EPOCH */
    const struct weir_allocator *allocator;
    struct weir_allocator own_allocator; /* a copy, as the caller's may go */
    char zone_name[WEIR_ZONE_MAX + 1];
    size_t name_length;
    char name[WEIR_NAME_MAX];
};

/* The outcome of one step, for whoever keeps the state. */
struct weir_step {
    struct weir_state next; /* what to write, where `write` says so */
    bool write;
    bool clamped; /* next is mended by the clock rule: whoever may write is to write it */
};

/* Decides a request of `cost` (1 or more) on `state` at `now_us`. With `take` it is a check,
 * without it a peek: the answer is the same, `remaining` is then before taking, and write is false.
 * `source`, `blocked` and
 * `failure` of the decision are left to the caller. */
struct weir_step weir_algo_step(const struct weir_limit *limit, struct weir_state state,
                                int64_t now_us, uint64_t cost, bool take,
                                struct weir_decision *ret_decision);

/* The state after giving back `cost`, never above full; write is false where nothing changes. */
struct weir_step weir_algo_refund(const struct weir_limit *limit, struct weir_state state,
                                  int64_t now_us, uint64_t cost);

/* The same, by algorithm; the two above choose among them. sliding-log is not here: its state is a
 * list, see sliding_log.h. */
struct weir_step weir_bucket_step(const struct weir_limit *limit, struct weir_state state,
                                  int64_t now_us, uint64_t cost, bool take,
                                  struct weir_decision *ret_decision);
struct weir_step weir_bucket_refund(const struct weir_limit *limit, struct weir_state state,
                                    int64_t now_us, uint64_t cost);
struct weir_step weir_window_step(const struct weir_limit *limit, struct weir_state state,
                                  int64_t now_us, uint64_t cost, bool take,
                                  struct weir_decision *ret_decision);
struct weir_step weir_window_refund(const struct weir_limit *limit, struct weir_state state,
                                    int64_t now_us, uint64_t cost);
struct weir_step weir_sliding_step(const struct weir_limit *limit, struct weir_state state,
                                   int64_t now_us, uint64_t cost, bool take,
                                   struct weir_decision *ret_decision);
struct weir_step weir_sliding_refund(const struct weir_limit *limit, struct weir_state state,
                                     int64_t now_us, uint64_t cost);

/* block.c: the block that a denial starts is an entry of its own beside the key's, until_us being
 * its end. This brings it to `now_us` (the clock rule above); until_us <= now_us means that none
 * runs. write says that the entry was clamped. */
struct weir_step weir_block_step(const struct weir_limit *limit, struct weir_state block,
                                 int64_t now_us);

/* Fills in the decision of a key whose block runs until `until_us`. `decision` holds what a peek of
 * the key's own state answered, and is changed to the denial. */
void weir_block_decide(int64_t until_us, int64_t now_us, struct weir_decision *decision);

/* The two counts of sliding-window, side by side in the payload. */
#define WEIR_SLIDING_BITS 21
#define WEIR_SLIDING_MASK ((UINT64_C(1) << WEIR_SLIDING_BITS) - 1)
/* sliding-window's until_us is kept in units of 2^10 us, rounded up, as its two counts need the
 * room. */
#define WEIR_COARSE_BITS 10

#endif
