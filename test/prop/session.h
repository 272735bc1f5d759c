/* session.h - one key of one subject under one limit, for the property tests: short names, and what
 * each algorithm can hold and for how long it can deny. */

#ifndef WEIR_TEST_PROP_SESSION_H
#define WEIR_TEST_PROP_SESSION_H

#include "prop/subject.h"
#include "prop/trace.h"
#include "support/random.h"

struct session {
    const struct subject *subject;
    void *self;
    struct weir_limit_spec spec;
    int64_t now_us;
    int64_t end_us; /* no time is later */
};

/* A fresh key on the subject that holds the algorithm with the least around it. */
struct session session_open(enum weir_algorithm algorithm);
void session_close(struct session *session);

/* A fresh key under this limit, at a time chosen by `random`. */
void session_start(struct session *session, const struct weir_limit_spec *spec,
                   struct random *random);
void session_limit(struct session *session, const struct weir_limit_spec *spec);

/* Moves the clock ahead; false, and it stays, where that is past the end of time, or further than
 * the subject can tell times apart. */
bool session_pass(struct session *session, int64_t duration_us);

struct weir_decision session_check(struct session *session, uint64_t cost);
struct weir_decision session_peek(struct session *session, uint64_t cost);
struct weir_decision session_refund(struct session *session, uint64_t cost);

/* What no cost may exceed. */
uint64_t spec_ceiling(const struct weir_limit_spec *spec);

/* The longest that the limit, its block apart, can deny a cost that it can hold. */
int64_t spec_span(const struct weir_limit_spec *spec);

/* How far a clock may be behind a key's own state before it counts as set back. */
int64_t spec_slack(const struct weir_limit_spec *spec);

/* A random limit whose numbers suit a test that goes through many requests: a count and a burst
 * of at most `most`, no block. */
struct weir_limit_spec random_small_limit(struct random *random, enum weir_algorithm algorithm,
                                          uint64_t most);

/* A step ahead of the clock that suits the limit: often 0, sometimes past everything. */
int64_t random_pause(struct random *random, const struct weir_limit_spec *spec);

/* A few requests of random costs with pauses between, so that the key is in some state or other. */
void session_use(struct session *session, struct random *random);

/* Prints the limit, the seed and the time for a property that does not hold, and fails. */
#define SESSION_ASSERT(session, seed, condition)                               \
    do {                                                                       \
        if (!(condition)) {                                                    \
            session_report((session), (seed), __FILE__, __LINE__, #condition); \
        }                                                                      \
    } while (0)
void session_report(const struct session *session, uint64_t seed, const char *file, int line,
                    const char *condition);

/* Runs `property` on `rounds` random seeds for each algorithm of the mask, 1 << algorithm. */
typedef void session_property(struct session *session, struct random *random, uint64_t seed);
void session_for_all(unsigned algorithms, size_t rounds, session_property *property);

#define BUCKETS ((1U << WEIR_TOKEN_BUCKET) | (1U << WEIR_LEAKY_BUCKET))
#define WINDOWS ((1U << WEIR_FIXED_WINDOW) | (1U << WEIR_CALENDAR_WINDOW))
#define SLIDING (1U << WEIR_SLIDING_WINDOW)
#define LOG (1U << WEIR_SLIDING_LOG)
#define ALL_ALGORITHMS (BUCKETS | WINDOWS | SLIDING | LOG)

#endif
