/* metrics.h - what is counted of a server's work, and told in Prometheus's format.
 *
 * Each worker has a tally of its own and is the only one to write to it; whoever tells adds all
 * tallies up. Counters are relaxed atomics that one thread stores and any loads (no exchange, no
 * shared cache line). Rules have a number each, given by name when a policy is taken on and kept as
 * long as the server runs, so that a reload loses no count. What is labelled is bounded: rules past
 * WEIR_METRIC_RULES_MAX share one line, "other".
 *
 * Invariant: nothing here grows with the number of keys or peers. */

#ifndef WEIR_METRICS_METRICS_H
#define WEIR_METRICS_METRICS_H

#include "base/buffer.h"
#include "metrics/histogram.h"
#include "weir/weir.h"

#define WEIR_METRIC_RULES_MAX 20000

/* Offenders that are watched of one rule, at most; and what all their lists may take together. A
 * rule that first denies when this is used up shares one list of its worker with all such rules. */
#define WEIR_METRIC_TOP_MAX 1000
#define WEIR_METRIC_TOP_BYTES_MAX (UINT64_C(64) << 20)

enum weir_door {
    WEIR_DOOR_HTTP = 0,
    WEIR_DOOR_RESP,
    WEIR_DOOR_GRPC,
    WEIR_DOOR_COUNT
};

/* What came of one rule's part of a request. */
enum weir_result {
    WEIR_RESULT_ALLOWED = 0,
    WEIR_RESULT_DENIED,
    WEIR_RESULT_SHADOW_ALLOWED,
    WEIR_RESULT_SHADOW_DENIED, /* would have been denied */
    WEIR_RESULT_LISTED_ALLOWED,
    WEIR_RESULT_LISTED_DENIED,
    WEIR_RESULT_SPARED, /* would have been allowed, but another rule denied: nothing was taken */
    WEIR_RESULT_ERROR,  /* could not be decided at all */
    WEIR_RESULT_COUNT
};

/* What one worker counts that is of no rule. */
enum weir_count {
    WEIR_COUNT_ACCEPTED = 0, /* connections taken */
    WEIR_COUNT_REFUSED,      /* closed at once: too many */
    WEIR_COUNT_CLOSED,
    WEIR_COUNT_REQUESTS_HTTP, /* requests read, of each door */
    WEIR_COUNT_REQUESTS_RESP,
    WEIR_COUNT_REQUESTS_GRPC,
    WEIR_COUNT_BAD_HTTP, /* what was no request */
    WEIR_COUNT_BAD_RESP,
    WEIR_COUNT_BAD_GRPC,
    WEIR_COUNT_UNAUTHORIZED, /* no token, a wrong one, or one without the right */
    WEIR_COUNT_TIMED_OUT_IDLE,
    WEIR_COUNT_TIMED_OUT_REQUEST,
    WEIR_COUNT_TIMED_OUT_WRITE,
    WEIR_COUNT_OVERFLOWED, /* closed: took none of too many answers */
    WEIR_COUNT_TLS_FAILED,
    WEIR_COUNT_HELD, /* answers held back for leaky-bucket's delay */
    WEIR_COUNT_REGEX_GAVE_UP,
    WEIR_COUNT_UNMATCHED, /* requests that no rule matched */
    WEIR_COUNT_COUNT
};

struct weir_metrics;
struct weir_tally; /* one worker's */

/* `top` offenders of each rule are watched (0: none; more than WEIR_METRIC_TOP_MAX: that many).
 * NULL: no memory. */
struct weir_metrics *weir_metrics_new(uint32_t workers, uint32_t top);
void weir_metrics_free(struct weir_metrics *metrics);
struct weir_tally *weir_metrics_tally(struct weir_metrics *metrics, uint32_t worker);

/* The number of the rule of this name, made if it is new. Threads: any, takes a lock; not for the
 * way of a request. Makes room in every tally before it returns. UINT32_MAX: no memory. */
uint32_t weir_metrics_rule(struct weir_metrics *metrics, struct weir_bytes name);

/* ---- On a worker's own thread ------------------------------------------------------------- */

void weir_tally_count(struct weir_tally *tally, enum weir_count what, uint64_t more);
/* `source` and `failure` as in the decision; 0 and 0 where there is none. */
void weir_tally_rule(struct weir_tally *tally, uint32_t rule, enum weir_result result,
                     enum weir_source source, enum weir_failure failure);
/* From a request's last byte to its answer; from the store's being asked to its answering. */
void weir_tally_door(struct weir_tally *tally, enum weir_door door, int64_t ns);
void weir_tally_store(struct weir_tally *tally, int64_t ns);
/* A denial of `key` under `rule`, counted by Space-Saving (top.h). */
void weir_tally_offender(struct weir_tally *tally, uint32_t rule, struct weir_bytes key,
                         uint64_t cost);

/* ---- Telling, on any thread --------------------------------------------------------------- */

/* What is known elsewhere and told with the rest. */
struct weir_metrics_facts {
    const char *version; /* of the program */
    const char *compiler;
    const char *store;       /* "memory", "shm", "redis" */
    uint64_t policy_version; /* how often a policy was taken on */
    uint64_t policy_fingerprint;
    uint64_t policy_rules;
    int64_t policy_loaded_us; /* when it was taken on */
    uint64_t reloads_failed;
    bool reload_is_bad; /* the last attempt failed */
    int64_t started_us;
    int64_t now_us;
    uint32_t workers;
    uint64_t connections;    /* open now */
    struct weir_stats stats; /* of the store: over all workers */
};

/* Appends all metrics in the text format 0.0.4. */
void weir_metrics_tell(struct weir_metrics *metrics, const struct weir_metrics_facts *facts,
                       struct weir_buffer *out);

/* One offender of a rule. */
struct weir_offender {
    char key[256];   /* cut, with "..." at its end, where it is longer; a NUL after it */
    size_t key_len;  /* it may have NULs in it too */
    uint32_t rule;   /* as weir_metrics_rule gave it */
    uint64_t denied; /* cost denied: never less than it was, */
    uint64_t error;  /* and at most so much more */
};

/* The `room` worst offenders of `rule` (UINT32_MAX: of all rules), worst first; those of all
 * workers together. Returns how many. */
size_t weir_metrics_top(struct weir_metrics *metrics, uint32_t rule,
                        struct weir_offender *offenders, size_t room);

/* The name of a rule's number. Good as long as the metrics. */
struct weir_bytes weir_metrics_rule_name(const struct weir_metrics *metrics, uint32_t rule);

#endif
