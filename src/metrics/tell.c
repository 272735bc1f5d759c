/* tell.c - all metrics as Prometheus reads them. Read tally.h first.
 *
 * docs/manual/metrics.md has the same names in a table; a test holds one to the other. Counters are
 * told from the start, at 0, so that a rate is right from the first increase on; but of a rule's
 * outcomes only "allowed" and "denied" are, and the others once there is one, as ten thousand rules
 * would otherwise be told in eighty thousand lines. */

#include "metrics/tell.h"

#include "metrics/tally.h"
#include "metrics/utf8.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- The format --------------------------------------------------------------------------- */

void weir_tell_family(struct weir_buffer *out, const char *name, const char *type, const char *help)
{
    weir_buffer_print(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void weir_tell_label_value(struct weir_buffer *out, struct weir_bytes value)
{
    for (size_t i = 0; i < value.len;) {
        const size_t len = weir_utf8_len(value, i);
        const char c = value.ptr[i];
        if (len == 0) {
            weir_buffer_put_text(out, "\xEF\xBF\xBD");
        } else if (c == '\n') {
            weir_buffer_put_text(out, "\\n");
        } else if (c == '"' || c == '\\') {
            weir_buffer_put(out, weir_bytes((const char[]){'\\', c}, 2));
        } else {
            weir_buffer_put(out, weir_bytes(value.ptr + i, len));
        }
        i += len > 0 ? len : 1;
    }
}

static void put_name(struct weir_buffer *out, const char *name, const char *labels)
{
    weir_buffer_put_text(out, name);
    if (labels[0] != '\0') {
        weir_buffer_put_text(out, "{");
        weir_buffer_put_text(out, labels);
        weir_buffer_put_text(out, "}");
    }
    weir_buffer_put_text(out, " ");
}

void weir_tell_number(struct weir_buffer *out, const char *name, const char *labels,
                      uint64_t number)
{
    put_name(out, name, labels);
    weir_buffer_put_number(out, number);
    weir_buffer_put_text(out, "\n");
}

void weir_tell_seconds(struct weir_buffer *out, const char *name, const char *labels, int64_t us)
{
    put_name(out, name, labels);
    weir_buffer_print(out, "%" PRId64 ".%06" PRId64 "\n", us / 1000000, us % 1000000);
}

/* A gauge or counter that has no label. */
static void tell_one(struct weir_buffer *out, const char *name, const char *type, const char *help,
                     uint64_t number)
{
    weir_tell_family(out, name, type, help);
    weir_tell_number(out, name, "", number);
}

/* A family that says something in its labels, and is 1. */
static void tell_info(struct weir_buffer *out, const char *name, const char *help,
                      const char *const (*labels)[2], size_t count)
{
    weir_tell_family(out, name, "gauge", help);
    weir_buffer_print(out, "%s{", name);
    for (size_t i = 0; i < count; i++) {
        weir_buffer_print(out, "%s%s=\"", i > 0 ? "," : "", labels[i][0]);
        weir_tell_label_value(out, weir_text(labels[i][1] != NULL ? labels[i][1] : ""));
        weir_buffer_put_text(out, "\"");
    }
    weir_buffer_put_text(out, "} 1\n");
}

/* ---- The server as a whole ---------------------------------------------------------------- */

static void tell_build(struct weir_buffer *out, const struct weir_metrics_facts *facts)
{
    const char *const build[][2] = {{"version", facts->version}, {"compiler", facts->compiler}};
    const char *const store[][2] = {{"store", facts->store}};
    tell_info(out, "weir_build_info", "Which build of weir this is.", build, 2);
    tell_info(out, "weir_store_info", "Which kind of store decides.", store, 1);
    tell_one(out, "weir_workers", "gauge", "Workers, each with a loop of its own.", facts->workers);
}

static void tell_policy(struct weir_buffer *out, const struct weir_metrics_facts *facts)
{
    char fingerprint[17];
    (void)snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, facts->policy_fingerprint);
    const char *const info[][2] = {{"fingerprint", fingerprint}};
    tell_one(out, "weir_policy_version", "gauge",
             "How often a policy was taken on since the start.", facts->policy_version);
    tell_info(out, "weir_policy_info", "The policy in force, by its bytes.", info, 1);
    tell_one(out, "weir_policy_rules", "gauge", "Rules of the policy in force.",
             facts->policy_rules);
    weir_tell_family(out, "weir_policy_last_loaded_timestamp_seconds", "gauge",
                     "When the policy in force was taken on, in seconds since 1970.");
    weir_tell_seconds(out, "weir_policy_last_loaded_timestamp_seconds", "",
                      facts->policy_loaded_us);
    tell_one(out, "weir_policy_reloads_failed_total", "counter",
             "Attempts to take on a policy in which something was wrong.", facts->reloads_failed);
    tell_one(out, "weir_policy_last_reload_successful", "gauge",
             "0 if the last attempt to take on a policy failed, else 1.",
             facts->reload_is_bad ? 0 : 1);
}

/* ---- What workers count ------------------------------------------------------------------- */

static uint64_t sum_counts(const struct weir_metrics *metrics, enum weir_count what)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < metrics->workers; i++) {
        sum += weir_counter_read(&metrics->tallies[i]->counts[what]);
    }
    return sum;
}

/* A sample of enum weir_count; those of one family follow each other. */
struct counted {
    enum weir_count what;
    const char *name;
    const char *labels;
    const char *help; /* NULL: of the family before */
};

static const struct counted counted[] = {
    {WEIR_COUNT_ACCEPTED, "weir_connections_accepted_total", "", "Connections that were taken."},
    {WEIR_COUNT_CLOSED, "weir_connections_closed_total", "", "Connections that have ended."},
    {WEIR_COUNT_REFUSED, "weir_connections_dropped_total", "reason=\"too-many\"",
     "Connections that weir ended: too many at once, idle, a request or an answer that took too "
     "long, answers not taken, TLS not agreed on."},
    {WEIR_COUNT_TIMED_OUT_IDLE, "weir_connections_dropped_total", "reason=\"idle\"", NULL},
    {WEIR_COUNT_TIMED_OUT_REQUEST, "weir_connections_dropped_total", "reason=\"slow-request\"",
     NULL},
    {WEIR_COUNT_TIMED_OUT_WRITE, "weir_connections_dropped_total", "reason=\"slow-reader\"", NULL},
    {WEIR_COUNT_OVERFLOWED, "weir_connections_dropped_total", "reason=\"overflow\"", NULL},
    {WEIR_COUNT_TLS_FAILED, "weir_connections_dropped_total", "reason=\"tls\"", NULL},
    {WEIR_COUNT_REQUESTS_HTTP, "weir_requests_total", "door=\"http\"",
     "Requests that were read, by door."},
    {WEIR_COUNT_REQUESTS_RESP, "weir_requests_total", "door=\"resp\"", NULL},
    {WEIR_COUNT_REQUESTS_GRPC, "weir_requests_total", "door=\"grpc\"", NULL},
    {WEIR_COUNT_BAD_HTTP, "weir_requests_bad_total", "door=\"http\"",
     "What was read and is no request, by door."},
    {WEIR_COUNT_BAD_RESP, "weir_requests_bad_total", "door=\"resp\"", NULL},
    {WEIR_COUNT_BAD_GRPC, "weir_requests_bad_total", "door=\"grpc\"", NULL},
    {WEIR_COUNT_UNAUTHORIZED, "weir_requests_unauthorized_total", "",
     "Requests without a token, with a wrong one, or with one that lacks the right."},
    {WEIR_COUNT_UNMATCHED, "weir_requests_unmatched_total", "", "Requests that no rule matched."},
    {WEIR_COUNT_HELD, "weir_answers_held_total", "",
     "Answers held back for the delay of leaky-bucket."},
    {WEIR_COUNT_REGEX_GAVE_UP, "weir_regex_gave_up_total", "",
     "Regular expressions that took too long and counted as having matched."},
};

_Static_assert(sizeof(counted) / sizeof(counted[0]) == WEIR_COUNT_COUNT, "each is told once");

static void tell_counts(struct weir_buffer *out, const struct weir_metrics *metrics)
{
    for (size_t i = 0; i < WEIR_COUNT_COUNT; i++) {
        if (counted[i].help != NULL) {
            weir_tell_family(out, counted[i].name, "counter", counted[i].help);
        }
        weir_tell_number(out, counted[i].name, counted[i].labels,
                         sum_counts(metrics, counted[i].what));
    }
}

/* ---- Decisions ---------------------------------------------------------------------------- */

static const char *const results[] = {
    [WEIR_RESULT_ALLOWED] = "allowed",
    [WEIR_RESULT_DENIED] = "denied",
    [WEIR_RESULT_SHADOW_ALLOWED] = "shadow-allowed",
    [WEIR_RESULT_SHADOW_DENIED] = "shadow-denied",
    [WEIR_RESULT_LISTED_ALLOWED] = "listed-allowed",
    [WEIR_RESULT_LISTED_DENIED] = "listed-denied",
    [WEIR_RESULT_SPARED] = "spared",
    [WEIR_RESULT_ERROR] = "error",
};

static void tell_rule(struct weir_buffer *out, const struct weir_metrics *metrics, uint32_t rule)
{
    uint64_t sums[WEIR_RESULT_COUNT] = {0};
    uint64_t all = 0;
    for (uint32_t i = 0; i < metrics->workers; i++) {
        const struct weir_tally_chunk *chunk = weir_tally_chunk_of(metrics->tallies[i], rule);
        for (size_t j = 0; j < WEIR_RESULT_COUNT; j++) {
            sums[j] += weir_counter_read(&chunk->results[rule % WEIR_CHUNK_RULES][j]);
            all += sums[j];
        }
    }
    for (size_t j = 0; j < WEIR_RESULT_COUNT; j++) {
        /* "other" is there only if something was counted under it. */
        const bool usual = j == WEIR_RESULT_ALLOWED || j == WEIR_RESULT_DENIED;
        if (sums[j] == 0 && (!usual || (rule == 0 && all == 0))) {
            continue;
        }
        weir_buffer_put_text(out, "weir_decisions_total{rule=\"");
        weir_tell_label_value(out, weir_metrics_rule_name(metrics, rule));
        weir_buffer_print(out, "\",outcome=\"%s\"} ", results[j]);
        weir_buffer_put_number(out, sums[j]);
        weir_buffer_put_text(out, "\n");
    }
}

static void tell_decisions(struct weir_buffer *out, const struct weir_metrics *metrics)
{
    weir_tell_family(out, "weir_decisions_total", "counter", "Decisions, by rule and outcome.");
    const uint32_t rules = atomic_load_explicit(&metrics->rules, memory_order_acquire);
    for (uint32_t i = 0; i < rules; i++) {
        tell_rule(out, metrics, i);
    }
}

/* ---- Times -------------------------------------------------------------------------------- */

static void tell_histogram(struct weir_buffer *out, struct weir_histogram *sum, const char *name,
                           const char *labels)
{
    if (sum == NULL) {
        out->failed = true;
        return;
    }
    weir_histogram_tell(sum, name, labels, out);
    weir_histogram_free(sum);
}

static struct weir_histogram *sum_doors(const struct weir_metrics *metrics, enum weir_door door)
{
    struct weir_histogram *sum = weir_histogram_new();
    for (uint32_t i = 0; sum != NULL && i < metrics->workers; i++) {
        weir_histogram_add(sum, metrics->tallies[i]->doors[door]);
    }
    return sum;
}

static struct weir_histogram *sum_stores(const struct weir_metrics *metrics)
{
    struct weir_histogram *sum = weir_histogram_new();
    for (uint32_t i = 0; sum != NULL && i < metrics->workers; i++) {
        weir_histogram_add(sum, metrics->tallies[i]->store);
    }
    return sum;
}

static void tell_times(struct weir_buffer *out, const struct weir_metrics *metrics)
{
    const char *name = "weir_request_duration_seconds";
    weir_tell_family(out, name, "histogram",
                     "From a request's last byte to its answer being written, by door.");
    tell_histogram(out, sum_doors(metrics, WEIR_DOOR_HTTP), name, "door=\"http\"");
    tell_histogram(out, sum_doors(metrics, WEIR_DOOR_RESP), name, "door=\"resp\"");
    tell_histogram(out, sum_doors(metrics, WEIR_DOOR_GRPC), name, "door=\"grpc\"");
    name = "weir_store_duration_seconds";
    weir_tell_family(out, name, "histogram", "From the store being asked to its answer.");
    tell_histogram(out, sum_stores(metrics), name, "");
}

/* ---- The store ---------------------------------------------------------------------------- */

static const char *const sources[] = {
    [WEIR_SOURCE_MEMORY] = "source=\"memory\"", [WEIR_SOURCE_SHM] = "source=\"shm\"",
    [WEIR_SOURCE_REDIS] = "source=\"redis\"",   [WEIR_SOURCE_DENY_CACHE] = "source=\"deny-cache\"",
    [WEIR_SOURCE_LOCAL] = "source=\"local\"",   [WEIR_SOURCE_ON_ERROR] = "source=\"on-error\"",
};

_Static_assert(sizeof(sources) / sizeof(sources[0]) == WEIR_SOURCE_END, "each source has a word");

static void tell_answers(struct weir_buffer *out, const struct weir_metrics *metrics)
{
    weir_tell_family(out, "weir_store_answers_total", "counter",
                     "Decisions, by what made them: the store, or what stands in for it.");
    for (size_t i = 1; i < WEIR_SOURCE_END; i++) {
        uint64_t sum = 0;
        for (uint32_t j = 0; j < metrics->workers; j++) {
            sum += weir_counter_read(&metrics->tallies[j]->sources[i]);
        }
        weir_tell_number(out, "weir_store_answers_total", sources[i], sum);
    }
    weir_tell_family(out, "weir_store_errors_total", "counter",
                     "Decisions that the store did not make, by why.");
    for (size_t i = 1; i < WEIR_FAILURE_COUNT; i++) {
        uint64_t sum = 0;
        for (uint32_t j = 0; j < metrics->workers; j++) {
            sum += weir_counter_read(&metrics->tallies[j]->failures[i]);
        }
        char reason[64];
        (void)snprintf(reason, sizeof(reason), "reason=\"%s\"",
                       weir_failure_name((enum weir_failure)i));
        weir_tell_number(out, "weir_store_errors_total", reason, sum);
    }
}

static void tell_table(struct weir_buffer *out, const struct weir_stats *stats)
{
    tell_one(out, "weir_table_bytes", "gauge",
             "Memory of the table of keys (over Redis: of the one for on_error).", stats->bytes);
    tell_one(out, "weir_table_slots", "gauge", "Keys that the table has room for.", stats->slots);
    tell_one(out, "weir_table_used", "gauge", "Slots of the table that hold a key.", stats->used);
    tell_one(out, "weir_table_live", "gauge",
             "Keys in the table that are not yet as if never used.", stats->live);
    weir_tell_family(out, "weir_table_evictions_total", "counter",
                     "Keys that gave way to others: idle ones lose nothing, live ones their debt.");
    weir_tell_number(out, "weir_table_evictions_total", "kind=\"idle\"", stats->evicted_idle);
    weir_tell_number(out, "weir_table_evictions_total", "kind=\"live\"", stats->evicted_live);
    tell_one(out, "weir_log_bytes", "gauge", "Memory that sliding-log may take.", stats->log_bytes);
    tell_one(out, "weir_log_used_bytes", "gauge", "Memory that sliding-log uses.", stats->log_used);
    tell_one(out, "weir_log_evictions_total", "counter",
             "Logs of sliding-log given up while they mattered.", stats->log_evicted);
}

static void tell_redis(struct weir_buffer *out, const struct weir_stats *stats)
{
    tell_one(out, "weir_store_circuits_open", "gauge",
             "Servers of the store that are left alone for a moment, as they failed so often.",
             stats->circuits_open);
    tell_one(out, "weir_store_circuit_openings_total", "counter", "How often a circuit opened.",
             stats->circuit_opened);
    tell_one(out, "weir_redis_connections", "gauge", "Connections to Redis that are up.",
             stats->redis_open);
    tell_one(out, "weir_redis_connections_made_total", "counter", "Connections made to Redis.",
             stats->redis_connected);
    tell_one(out, "weir_redis_requests_total", "counter", "Requests that Redis answered.",
             stats->redis_decided);
    tell_one(out, "weir_redis_calls_total", "counter", "Script calls that they went in.",
             stats->redis_calls);
    tell_one(out, "weir_redis_writes_total", "counter", "Writes that the calls went in.",
             stats->redis_writes);
}

/* ---- All of it ---------------------------------------------------------------------------- */

void weir_metrics_tell(struct weir_metrics *metrics, const struct weir_metrics_facts *facts,
                       struct weir_buffer *out)
{
    tell_build(out, facts);
    tell_policy(out, facts);
    tell_one(out, "weir_connections", "gauge", "Connections that are open.", facts->connections);
    tell_counts(out, metrics);
    tell_decisions(out, metrics);
    tell_times(out, metrics);
    tell_answers(out, metrics);
    tell_redis(out, &facts->stats);
    tell_table(out, &facts->stats);
    weir_tell_process(out, facts->started_us);
}
