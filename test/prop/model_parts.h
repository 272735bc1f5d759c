/* model_parts.h - the parts of a model: one state for each algorithm.
 *
 * The rules that all share, in the words of DESIGN.md and algo.h:
 *
 *   A request is admitted whole or not at all. Denied, it changes nothing, with one exception.
 *   The clock. Every state has a time of its own, the latest at which it can have been made: when
 * it is as if never used, less the span that the limit can last. A `now` behind that by at most the
 *   slack (one span, at most a second) counts as the state's time. One further behind means a
 *   clock set back or a limit made smaller: the state is pulled to the most that the limit can
 *   produce at `now`. That repair is the exception: a check that is denied writes it, but a peek,
 * or a cost that can never fit, writes nothing. */

#ifndef WEIR_TEST_PROP_MODEL_PARTS_H
#define WEIR_TEST_PROP_MODEL_PARTS_H

#include "weir/weir.h"

#include <gmp.h>

/* 128 bits hold every sum of times, counts and costs. */
__extension__ typedef __int128 wide;

/* A question to an algorithm. */
struct model_ask {
    const struct weir_limit_spec *spec;
    int64_t now_us;
    uint64_t cost; /* 1 or more, any for a refund */
    bool take;     /* take the cost, if it is admitted: a check */
    bool mend;     /* write a repair: a check, also one that the block denies */
};

/* token-bucket, leaky-bucket. */
struct model_bucket {
    mpq_t full_at;                            /* when the level reaches burst again */
    mpz_t denominator;                        /* of the interval under which full_at was written */
    mpq_t interval, depth, owed, level, time; /* room for one step */
    mpz_t whole;
};
void model_bucket_init(struct model_bucket *bucket);
void model_bucket_deinit(struct model_bucket *bucket);
void model_bucket_clear(struct model_bucket *bucket);
void model_bucket_decide(struct model_bucket *bucket, const struct model_ask *ask,
                         struct weir_decision *decision);
void model_bucket_refund(struct model_bucket *bucket, const struct model_ask *ask);

/* fixed-window, calendar-window. */
struct model_window {
    int64_t end_us;
    wide taken; /* 0: there is no window */
};
void model_window_clear(struct model_window *window);
void model_window_decide(struct model_window *window, const struct model_ask *ask,
                         struct weir_decision *decision);
void model_window_refund(struct model_window *window, const struct model_ask *ask);

/* The calendar window that holds `now_us`. model_calendar.c. */
void model_calendar_window(const struct weir_limit_spec *spec, int64_t now_us,
                           int64_t *ret_start_us, int64_t *ret_end_us);

/* sliding-window. */
struct model_sliding {
    int64_t forgotten_us; /* the end of the window after the current one, as it is kept */
    wide previous;
    wide current;
    mpq_t weight, estimate; /* room for one step */
};
void model_sliding_init(struct model_sliding *sliding);
void model_sliding_deinit(struct model_sliding *sliding);
void model_sliding_clear(struct model_sliding *sliding);
void model_sliding_decide(struct model_sliding *sliding, const struct model_ask *ask,
                          struct weir_decision *decision);
void model_sliding_refund(struct model_sliding *sliding, const struct model_ask *ask);

/* sliding-log: every admission of the last period, oldest first. */
struct model_log_entry {
    int64_t at_us;
    uint64_t cost;
};
struct model_log {
    struct model_log_entry *entries;
    size_t count;
    size_t room;
};
void model_log_init(struct model_log *log);
void model_log_deinit(struct model_log *log);
void model_log_clear(struct model_log *log);
void model_log_decide(struct model_log *log, const struct model_ask *ask,
                      struct weir_decision *decision);
void model_log_refund(struct model_log *log, const struct model_ask *ask);

/* The slack of a span: one span, at most WEIR_CLOCK_SLACK_US. */
static inline int64_t model_slack(int64_t span_us)
{
    return span_us < 1000000 ? span_us : 1000000;
}

#endif
