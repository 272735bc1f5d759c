/* session.c - see session.h. */

#include "prop/session.h"

#include "prop/vector.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)

__extension__ typedef unsigned __int128 u128;

static bool is_bucket(const struct weir_limit_spec *spec)
{
    return spec->algorithm == WEIR_TOKEN_BUCKET || spec->algorithm == WEIR_LEAKY_BUCKET;
}

struct session session_open(enum weir_algorithm algorithm)
{
    struct session session = {0};
    session.subject = subject_algo.holds(algorithm) ? &subject_algo : &subject_memory;
    session.self = session.subject->open();
    return session;
}

void session_close(struct session *session)
{
    session->subject->close(session->self);
}

void session_start(struct session *session, const struct weir_limit_spec *spec,
                   struct random *random)
{
    session->subject->fresh(session->self);
    session_limit(session, spec);
    session->now_us = random_between(random, 0, WEIR_TIME_MAX / 2);
    session->end_us = session->subject->forward_us < WEIR_TIME_MAX / 2
                          ? session->now_us + session->subject->forward_us
                          : WEIR_TIME_MAX;
}

void session_limit(struct session *session, const struct weir_limit_spec *spec)
{
    session->spec = *spec;
    session->subject->limit(session->self, spec);
}

bool session_pass(struct session *session, int64_t duration_us)
{
    assert(duration_us >= 0);
    if (duration_us > session->end_us - session->now_us) {
        return false;
    }
    session->now_us += duration_us;
    return true;
}

struct weir_decision session_check(struct session *session, uint64_t cost)
{
    struct weir_decision decision = {0};
    session->subject->check(session->self, cost, session->now_us, &decision);
    return decision;
}

struct weir_decision session_peek(struct session *session, uint64_t cost)
{
    struct weir_decision decision = {0};
    session->subject->peek(session->self, cost, session->now_us, &decision);
    return decision;
}

struct weir_decision session_refund(struct session *session, uint64_t cost)
{
    struct weir_decision decision = {0};
    session->subject->refund(session->self, cost, session->now_us, &decision);
    return decision;
}

uint64_t spec_ceiling(const struct weir_limit_spec *spec)
{
    return is_bucket(spec) ? spec->burst : spec->count;
}

int64_t spec_span(const struct weir_limit_spec *spec)
{
    static const int64_t calendar_days[] = {0, 1, 1, 1, 7, 31, 366};
    switch (spec->algorithm) {
    case WEIR_TOKEN_BUCKET:
    case WEIR_LEAKY_BUCKET:
        return (int64_t)(((u128)spec->burst * (u128)spec->period_us + spec->count - 1) /
                         spec->count);
    case WEIR_CALENDAR_WINDOW:
        if (spec->calendar == WEIR_CALENDAR_EPOCH) {
            break;
        }
        return spec->calendar == WEIR_CALENDAR_MINUTE ? 60 * SECOND
               : spec->calendar == WEIR_CALENDAR_HOUR ? 3600 * SECOND
                                                      : calendar_days[spec->calendar] * DAY;
    case WEIR_SLIDING_WINDOW:
        return 2 * spec->period_us;
    case WEIR_FIXED_WINDOW:
    case WEIR_SLIDING_LOG:
        break;
    }
    return spec->period_us;
}

int64_t spec_slack(const struct weir_limit_spec *spec)
{
    int64_t span_us = spec_span(spec);
    if (is_bucket(spec)) {
        span_us = (int64_t)((u128)spec->burst * (u128)spec->period_us / spec->count);
    } else if (spec->algorithm == WEIR_SLIDING_WINDOW) {
        span_us = spec->period_us;
    }
    return span_us < SECOND ? span_us : SECOND;
}

struct weir_limit_spec random_small_limit(struct random *random, enum weir_algorithm algorithm,
                                          uint64_t most)
{
    struct weir_limit_spec spec;
    do {
        spec = random_limit(random, algorithm);
        spec.count = 1 + spec.count % most;
        spec.block_us = 0;
        if (is_bucket(&spec)) {
            spec.burst = 1 + spec.burst % most;
        }
    } while (is_bucket(&spec) && spec_span(&spec) > WEIR_PERIOD_MAX);
    return spec;
}

int64_t random_pause(struct random *random, const struct weir_limit_spec *spec)
{
    const int64_t span_us = spec_span(spec);
    switch (random_below(random, 6)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return random_between(random, 0, span_us / (int64_t)spec_ceiling(spec) + 1);
    case 3:
        return (int64_t)random_wide(random, (uint64_t)span_us + 1);
    case 4:
        return random_between(random, 0, span_us);
    default:
        return random_once_in(random, 6) ? 3 * span_us : span_us / 2;
    }
}

void session_use(struct session *session, struct random *random)
{
    const uint64_t ceiling = spec_ceiling(&session->spec);
    for (uint64_t i = random_below(random, 12); i > 0; i--) {
        (void)session_pass(session, random_pause(random, &session->spec));
        const uint64_t left = session_peek(session, 1).remaining;
        const uint64_t cost = random_once_in(random, 2) && left > 0
                                  ? left - random_below(random, left)
                                  : 1 + random_below(random, ceiling);
        (void)session_check(session, cost);
    }
}

void session_report(const struct session *session, uint64_t seed, const char *file, int line,
                    const char *condition)
{
    struct trace trace;
    trace_init(&trace);
    trace_append(&trace, &(struct trace_step){.verb = TRACE_LIMIT, .spec = session->spec});
    trace_append(&trace,
                 &(struct trace_step){.verb = TRACE_PEEK, .now_us = session->now_us, .cost = 1});
    fprintf(stderr, "# WEIR_SEED=%" PRIu64 ", this limit and time (and the model's view):\n", seed);
    vector_write(stderr, &trace);
    trace_deinit(&trace);
    print_error("%s\n", condition);
    _fail(file, line);
}

void session_for_all(unsigned algorithms, size_t rounds, session_property *property)
{
    const uint64_t first = random_seed(1);
    for (unsigned algorithm = 0; algorithm <= WEIR_SLIDING_LOG; algorithm++) {
        if ((algorithms >> algorithm & 1) == 0) {
            continue;
        }
        struct session session = session_open((enum weir_algorithm)algorithm);
        session.spec.algorithm = (enum weir_algorithm)algorithm;
        const size_t all = random_rounds(rounds);
        for (uint64_t seed = first; seed < first + all; seed++) {
            struct random random = random_from(seed);
            property(&session, &random, seed);
        }
        session_close(&session);
    }
}
