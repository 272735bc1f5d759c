/* breaker.h - a circuit: a server that fails over and over is left alone for a moment, so that
 * nobody waits for it in vain; then one call is let through to see.
 *
 *     closed     all calls go; WEIR_BREAKER_FAILURES failures in a row open it
 *     open       none go, for a pause that doubles each time, with jitter, up to a bound
 *     half-open  one goes; if it succeeds the circuit closes, else it opens again
 *
 * Pure: the time and randomness are handed in. Invariant: at most one call is under way in
 * half-open; a success closes it from any state. */

#ifndef WEIR_REDIS_BREAKER_H
#define WEIR_REDIS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define WEIR_BREAKER_FAILURES 5
#define WEIR_BREAKER_PAUSE_MIN_US INT64_C(100000)
#define WEIR_BREAKER_PAUSE_MAX_US INT64_C(2000000)

enum weir_breaker_state {
    WEIR_BREAKER_CLOSED = 0,
    WEIR_BREAKER_OPEN,
    WEIR_BREAKER_HALF_OPEN
};

/* All zero is a closed one. */
struct weir_breaker {
    enum weir_breaker_state state;
    unsigned failures; /* in a row, while closed */
    int64_t pause_us;  /* the last one, before jitter */
    int64_t until_us;  /* open: when to try, on a clock that is never set */
    bool trying;       /* half-open: a call is under way */
    uint64_t opened;   /* how often it opened */
};

/* Whether a call may go at `now_us`. In half-open it may only for the one that tries: whoever got
 * true has to report success, failure, or, where it never came to that, nothing (cancel). */
bool weir_breaker_admit(struct weir_breaker *breaker, int64_t now_us);
void weir_breaker_success(struct weir_breaker *breaker);
/* `random` is any number: the pause is between half and the whole of what it would be. */
void weir_breaker_failure(struct weir_breaker *breaker, int64_t now_us, uint64_t random);
void weir_breaker_cancel(struct weir_breaker *breaker);

/* How long from `now_us` until a call may go; 0: it may now, or as soon as the one that tries is
 * done. */
int64_t weir_breaker_wait(const struct weir_breaker *breaker, int64_t now_us);

/* The pause before the `attempt`-th try (from 0) to connect again: doubles from `min_us` to
 * `max_us`, between half and the whole of it by `random`. */
int64_t weir_backoff(unsigned attempt, int64_t min_us, int64_t max_us, uint64_t random);

#endif
