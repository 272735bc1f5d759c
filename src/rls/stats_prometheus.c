/* stats_prometheus.c - all counts in Prometheus's text format 0.0.4. Read stats_sum.h first.
 *
 * Families, labels and buckets are those that envoyproxy/ratelimit's own mapping makes of its
 * counters: of a name the domain and the first two descriptors; deeper ones are added to these. */

#include "rls/stats_sum.h"
#include "json/utf8.h"

#include <assert.h>
#include <inttypes.h>

/* Labels of a name. */
#define PARTS 3

static void tell_family(struct weir_buffer *out, const char *name, const char *type,
                        const char *help)
{
    weir_buffer_print(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* What ends the value or its line is escaped; what is no UTF-8 becomes U+FFFD, as one bad byte
 * would have the whole answer refused. */
static void put_label_value(struct weir_buffer *out, struct weir_bytes value)
{
    const char *end = value.len > 0 ? value.ptr + value.len : value.ptr;
    for (const char *at = value.ptr; at < end;) {
        const bool plain = (unsigned char)*at < 0x80;
        const size_t len = plain ? 1 : weir_json_character(at, end);
        if (len == 0) {
            weir_buffer_put_text(out, "\xEF\xBF\xBD");
        } else if (*at == '\n') {
            weir_buffer_put_text(out, "\\n");
        } else {
            weir_buffer_put_text(out, *at == '"' || *at == '\\' ? "\\" : "");
            weir_buffer_put(out, weir_bytes(at, len));
        }
        at += len > 0 ? len : 1;
    }
}

/* `{domain="...",key1="...",key2="..."}`, as many as the name has parts. */
static void put_labels(struct weir_buffer *out, struct weir_bytes name)
{
    static const char *const labels[PARTS] = {"{domain=\"", "\",key1=\"", "\",key2=\""};
    for (size_t i = 0; i < PARTS; i++) {
        const char *dot = name.len > 0 ? memchr(name.ptr, '.', name.len) : NULL;
        const size_t len = dot != NULL ? (size_t)(dot - name.ptr) : name.len;
        weir_buffer_put_text(out, labels[i]);
        put_label_value(out, weir_bytes(name.ptr, len));
        if (dot == NULL) {
            break;
        }
        name = weir_bytes(dot + 1, name.len - len - 1);
    }
    weir_buffer_put_text(out, "\"} ");
}

static void tell_counts(struct weir_buffer *out, const struct weir_rls_sums *sums)
{
    static const char *const families[WEIR_RLS_COUNT_COUNT][2] = {
        [WEIR_RLS_TOTAL_HITS] = {"ratelimit_service_rate_limit_total_hits",
                                 "Hits on a rule of the rate limit service."},
        [WEIR_RLS_OVER_LIMIT_HITS] = {"ratelimit_service_rate_limit_over_limit",
                                      "Hits that were over the rule's limit."},
        [WEIR_RLS_NEAR_LIMIT_HITS] = {"ratelimit_service_rate_limit_near_limit",
                                      "Hits in the last part of what the limit allows."},
        [WEIR_RLS_OVER_LIMIT_WITH_LOCAL_CACHE_HITS] =
            {"ratelimit_service_rate_limit_over_limit_with_local_cache",
             "Hits that were over the limit without the store being asked."},
        [WEIR_RLS_WITHIN_LIMIT_HITS] = {"ratelimit_service_rate_limit_within_limit",
                                        "Hits that were within the rule's limit."},
        [WEIR_RLS_SHADOW_MODE_HITS] = {"ratelimit_service_rate_limit_shadow_mode",
                                       "Hits over the limit that shadow_mode let pass."},
    };
    for (size_t i = 0; i < WEIR_RLS_COUNT_COUNT; i++) {
        tell_family(out, families[i][0], "counter", families[i][1]);
        for (size_t j = 0; j < sums->count && !sums->sums[j].is_domain; j++) {
            weir_buffer_put_text(out, families[i][0]);
            put_labels(out, sums->sums[j].name);
            weir_buffer_put_number(out, sums->sums[j].counts[i]);
            weir_buffer_put_text(out, "\n");
        }
    }
}

static void tell_domains(struct weir_buffer *out, const struct weir_rls_sums *sums)
{
    static const char name[] = "ratelimit_service_rate_limit_domain_not_found";
    tell_family(out, name, "counter", "Descriptors of a domain that no file has.");
    for (size_t i = 0; i < sums->count; i++) {
        if (sums->sums[i].is_domain) {
            weir_buffer_print(out, "%s{domain=\"", name);
            put_label_value(out, sums->sums[i].name);
            weir_buffer_print(out, "\"} %" PRIu64 "\n", sums->sums[i].counts[0]);
        }
    }
}

static void tell_one(struct weir_buffer *out, const char *name, const char *help, uint64_t number)
{
    tell_family(out, name, "counter", help);
    weir_buffer_print(out, "%s %" PRIu64 "\n", name, number);
}

static void tell_service(struct weir_buffer *out, const struct weir_rls_stats *stats)
{
    static const char errors[] = "ratelimit_service_should_rate_limit_error";
    tell_family(out, errors, "counter", "Calls that a store's or the caller's error decided.");
    weir_buffer_print(out, "%s{err_type=\"redis_error\"} %" PRIu64 "\n", errors,
                      weir_rls_sum_events(stats, WEIR_RLS_STORE_ERROR));
    weir_buffer_print(out, "%s{err_type=\"service_error\"} %" PRIu64 "\n", errors,
                      weir_rls_sum_events(stats, WEIR_RLS_SERVICE_ERROR));
    tell_one(out, "ratelimit_service_config_load_success", "Configurations that were taken on.",
             weir_rls_number_read(&stats->loaded));
    tell_one(out, "ratelimit_service_config_load_error", "Configurations that were refused.",
             weir_rls_number_read(&stats->refused));
    tell_one(out, "ratelimit_service_global_shadow_mode",
             "Requests over a limit that SHADOW_MODE let pass.",
             weir_rls_sum_events(stats, WEIR_RLS_GLOBAL_SHADOW_MODE));
}

static void tell_times(struct weir_buffer *out, const struct weir_rls_stats *stats)
{
    static const char *const ends[WEIR_RLS_TIMES + 1] = {
        "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"};
    static const char name[] = "ratelimit_service_response_time_seconds";
    static const char requests[] = "ratelimit_service_total_requests";
    static const char method[] = "grpc_method=\"ShouldRateLimit\"";
    uint64_t count = 0;
    uint64_t ns = 0;
    for (uint32_t i = 0; i < stats->workers; i++) {
        ns += weir_rls_number_read(&stats->tallies[i]->time_ns);
    }
    tell_family(out, name, "histogram", "How long calls took.");
    for (size_t i = 0; i <= WEIR_RLS_TIMES; i++) {
        count += weir_rls_sum_times(stats, i);
        weir_buffer_print(out, "%s_bucket{%s,le=\"%s\"} %" PRIu64 "\n", name, method, ends[i],
                          count);
    }
    weir_buffer_print(out, "%s_sum{%s} %" PRIu64 ".%09" PRIu64 "\n", name, method, ns / 1000000000,
                      ns % 1000000000);
    weir_buffer_print(out, "%s_count{%s} %" PRIu64 "\n", name, method, count);
    tell_family(out, requests, "counter", "Calls.");
    weir_buffer_print(out, "%s{%s} %" PRIu64 "\n", requests, method, count);
}

void weir_rls_stats_tell_prometheus(struct weir_rls_stats *stats, struct weir_buffer *out)
{
    assert(stats != NULL && out != NULL);
    struct weir_arena arena = {0};
    struct weir_rls_sums sums;
    if (weir_rls_sums_make(stats, PARTS, &arena, &sums)) {
        tell_counts(out, &sums);
        tell_domains(out, &sums);
        tell_service(out, stats);
        tell_times(out, stats);
    } else {
        out->failed = true;
    }
    weir_arena_deinit(&arena);
}
