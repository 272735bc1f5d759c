/* stats_test.c - what is counted is what is told, under the names that dashboards know. */

#include "rls/policy_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rls/stats.h"
#include "support/fixture.h"

#define WORKERS 4

static struct weir_rls_stats *stats_of(uint32_t workers)
{
    struct weir_rls_stats *stats = weir_rls_stats_new(workers);
    assert_non_null(stats);
    return stats;
}

static char *tell(struct weir_rls_stats *stats, bool prometheus)
{
    struct weir_buffer told = {0};
    if (prometheus) {
        weir_rls_stats_tell_prometheus(stats, &told);
    } else {
        weir_rls_stats_tell(stats, &told);
    }
    weir_buffer_put(&told, weir_bytes("", 1));
    assert_false(told.failed);
    return told.bytes;
}

/* Whether `line`, without its newline, is one of the lines. */
static void assert_line(const char *told, const char *line)
{
    /* One search, as a sanitizer looks at all that is left of the text with each. */
    char *wanted = NULL;
    assert_true(asprintf(&wanted, "\n%s\n", line) > 0);
    const bool found =
        strncmp(told, wanted + 1, strlen(wanted) - 1) == 0 || strstr(told, wanted) != NULL;
    free(wanted);
    if (found) {
        return;
    }
    fail_msg("%s is not in\n%s", line, told);
}

/* One hit, and one within the limit, of a rule or of a name that came with a request. */
static void hit(struct weir_rls_tally *tally, const struct weir_rls_rule *rule,
                struct weir_bytes stat)
{
    static const uint64_t hits[WEIR_RLS_COUNT_COUNT] = {
        [WEIR_RLS_TOTAL_HITS] = 1, [WEIR_RLS_WITHIN_LIMIT_HITS] = 1};
    const struct weir_rls_item item = {.rule = rule, .stat = stat};
    weir_rls_tally_add(tally, &item, hits);
}

static void hit_rule(struct weir_rls_tally *tally, const char *name, size_t index)
{
    const struct weir_rls_rule rule = {.full_key = weir_text(name), .index = index};
    hit(tally, &rule, weir_bytes(NULL, 0));
}

/* ---- Lines -------------------------------------------------------------------------------- */

static void a_new_server_tells_of_itself(void **state)
{
    (void)state;
    struct weir_rls_stats *stats = stats_of(2);
    char *told = tell(stats, false);
    assert_string_equal(told, "ratelimit.service.call.should_rate_limit.redis_error: 0\n"
                              "ratelimit.service.call.should_rate_limit.service_error: 0\n"
                              "ratelimit.service.config_load_error: 0\n"
                              "ratelimit.service.config_load_success: 0\n"
                              "ratelimit.service.global_shadow_mode: 0\n"
                              "ratelimit_server.ShouldRateLimit.total_requests: 0\n");
    free(told);
    weir_rls_stats_free(stats);
    weir_rls_stats_free(NULL);
}

static void workers_are_added_up_and_sorted(void **state)
{
    (void)state;
    struct weir_rls_stats *stats = stats_of(WORKERS);
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct weir_rls_tally *tally = weir_rls_stats_tally(stats, i);
        static const uint64_t hits[] = {1, 2, 3, 4, 5, 6};
        const struct weir_rls_rule rule = {.full_key = weir_text("d.b"), .index = 1};
        const struct weir_rls_item item = {.rule = &rule};
        weir_rls_tally_add(tally, &item, hits);
        hit_rule(tally, "d.b.a", 0);
        weir_rls_tally_event(tally, WEIR_RLS_STORE_ERROR);
        weir_rls_tally_event(tally, WEIR_RLS_GLOBAL_SHADOW_MODE);
        weir_rls_tally_unknown_domain(tally, weir_text("d"), 10);
        weir_rls_tally_request(tally, 5000000);
    }
    weir_rls_tally_event(weir_rls_stats_tally(stats, 1), WEIR_RLS_SERVICE_ERROR);
    weir_rls_stats_config(stats, true);
    weir_rls_stats_config(stats, false);
    weir_rls_stats_config(stats, false);
    char *told = tell(stats, false);
    assert_string_equal(told, "ratelimit.service.call.should_rate_limit.redis_error: 4\n"
                              "ratelimit.service.call.should_rate_limit.service_error: 1\n"
                              "ratelimit.service.config_load_error: 2\n"
                              "ratelimit.service.config_load_success: 1\n"
                              "ratelimit.service.global_shadow_mode: 4\n"
                              "ratelimit.service.rate_limit.d.b.a.near_limit: 0\n"
                              "ratelimit.service.rate_limit.d.b.a.over_limit: 0\n"
                              "ratelimit.service.rate_limit.d.b.a.over_limit_with_local_cache: 0\n"
                              "ratelimit.service.rate_limit.d.b.a.shadow_mode: 0\n"
                              "ratelimit.service.rate_limit.d.b.a.total_hits: 4\n"
                              "ratelimit.service.rate_limit.d.b.a.within_limit: 4\n"
                              "ratelimit.service.rate_limit.d.b.near_limit: 12\n"
                              "ratelimit.service.rate_limit.d.b.over_limit: 8\n"
                              "ratelimit.service.rate_limit.d.b.over_limit_with_local_cache: 16\n"
                              "ratelimit.service.rate_limit.d.b.shadow_mode: 24\n"
                              "ratelimit.service.rate_limit.d.b.total_hits: 4\n"
                              "ratelimit.service.rate_limit.d.b.within_limit: 20\n"
                              "ratelimit.service.rate_limit.d.domain_not_found: 40\n"
                              "ratelimit_server.ShouldRateLimit.total_requests: 4\n");
    free(told);
    weir_rls_stats_free(stats);
}

static void what_steers_statsd_is_replaced(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"d.a_x:y|z", "d.a_x_y_z"},
        {"d.ip_10.0.0.1", "d.ip_10_0_0_1"},
        {"d.ip_10.0.0.1.user", "d.ip_10_0_0_1.user"},
        {"1.2.3.4.5.6.7.8", "1_2_3_4.5_6_7_8"},
        {"1.2.3.", "1.2.3."},
        {"1.2.3", "1.2.3"},
        {"1.2..3.4", "1.2..3.4"},
        {"1234.5.6.7", "1234_5_6_7"},
        {"1.2.3.4567", "1_2_3_4567"},
        {"1.2345.6.7", "1.2345.6.7"},
        {"x1.2.3.4.k", "x1_2_3_4.k"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[100];
        struct weir_rls_stats *stats = stats_of(1);
        hit_rule(weir_rls_stats_tally(stats, 0), cases[i][0], 0);
        weir_rls_tally_unknown_domain(weir_rls_stats_tally(stats, 0), weir_text(cases[i][0]), 2);
        char *told = tell(stats, false);
        (void)snprintf(line, sizeof(line), "ratelimit.service.rate_limit.%s.total_hits: 1",
                       cases[i][1]);
        assert_line(told, line);
        (void)snprintf(line, sizeof(line), "ratelimit.service.rate_limit.%s.domain_not_found: 2",
                       cases[i][1]);
        assert_line(told, line);
        free(told);
        weir_rls_stats_free(stats);
    }
    /* Two that come to one are one. */
    struct weir_rls_stats *stats = stats_of(1);
    hit_rule(weir_rls_stats_tally(stats, 0), "d.a:b", 0);
    hit_rule(weir_rls_stats_tally(stats, 0), "d.a|b", 1);
    char *told = tell(stats, false);
    assert_line(told, "ratelimit.service.rate_limit.d.a_b.total_hits: 2");
    free(told);
    weir_rls_stats_free(stats);
}

/* ---- Prometheus --------------------------------------------------------------------------- */

static void prometheus_has_the_names_it_had(void **state)
{
    (void)state;
    struct weir_rls_stats *stats = stats_of(2);
    struct weir_rls_tally *tally = weir_rls_stats_tally(stats, 1);
    hit_rule(tally, "mongo.database_users", 0);
    hit_rule(tally, "mongo.a.b", 1);
    hit_rule(weir_rls_stats_tally(stats, 0), "mongo.a.b.c", 2);
    hit_rule(tally, "mongo.a.b.d.e", 3);
    hit_rule(tally, "x\\.\"\n\xC3\xA9\xFF", 4);
    weir_rls_tally_unknown_domain(tally, weir_text("no.where"), 3);
    weir_rls_tally_request(tally, 5000000);
    weir_rls_tally_request(tally, 5000001);
    weir_rls_tally_request(tally, INT64_C(20000000000));
    weir_rls_tally_request(tally, -1);
    weir_rls_stats_config(stats, true);
    char *told = tell(stats, true);
    static const char *const lines[] = {
        "# TYPE ratelimit_service_rate_limit_total_hits counter",
        "ratelimit_service_rate_limit_total_hits{domain=\"mongo\",key1=\"database_users\"} 1",
        "ratelimit_service_rate_limit_total_hits{domain=\"mongo\",key1=\"a\",key2=\"b\"} 3",
        "ratelimit_service_rate_limit_within_limit{domain=\"mongo\",key1=\"a\",key2=\"b\"} 3",
        "ratelimit_service_rate_limit_over_limit{domain=\"mongo\",key1=\"a\",key2=\"b\"} 0",
        "ratelimit_service_rate_limit_near_limit{domain=\"mongo\",key1=\"a\",key2=\"b\"} 0",
        "ratelimit_service_rate_limit_shadow_mode{domain=\"mongo\",key1=\"a\",key2=\"b\"} 0",
        "ratelimit_service_rate_limit_over_limit_with_local_cache{domain=\"mongo\",key1=\"a\","
        "key2=\"b\"} 0",
        "ratelimit_service_rate_limit_total_hits{domain=\"x\\\\\",key1=\"\\\"\\n\xC3\xA9"
        "\xEF\xBF\xBD\"} 1",
        "ratelimit_service_rate_limit_domain_not_found{domain=\"no.where\"} 3",
        "ratelimit_service_should_rate_limit_error{err_type=\"redis_error\"} 0",
        "ratelimit_service_config_load_success 1",
        "ratelimit_service_config_load_error 0",
        "ratelimit_service_global_shadow_mode 0",
        "# TYPE ratelimit_service_response_time_seconds histogram",
        "ratelimit_service_response_time_seconds_bucket{grpc_method=\"ShouldRateLimit\",le=\"0."
        "005\"} 2",
        "ratelimit_service_response_time_seconds_bucket{grpc_method=\"ShouldRateLimit\",le=\"0."
        "01\"} 3",
        "ratelimit_service_response_time_seconds_bucket{grpc_method=\"ShouldRateLimit\",le=\"10"
        "\"} 3",
        "ratelimit_service_response_time_seconds_bucket{grpc_method=\"ShouldRateLimit\",le=\"+"
        "Inf\"} 4",
        "ratelimit_service_response_time_seconds_sum{grpc_method=\"ShouldRateLimit\"} "
        "20.010000001",
        "ratelimit_service_response_time_seconds_count{grpc_method=\"ShouldRateLimit\"} 4",
        "ratelimit_service_total_requests{grpc_method=\"ShouldRateLimit\"} 4",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_line(told, lines[i]);
    }
    free(told);
    weir_rls_stats_free(stats);
}

/* ---- Bounds ------------------------------------------------------------------------------- */

static void names_that_requests_bring_are_bounded(void **state)
{
    (void)state;
    struct weir_rls_stats *stats = stats_of(1);
    struct weir_rls_tally *tally = weir_rls_stats_tally(stats, 0);
    const struct weir_rls_rule rule = {.full_key = weir_text("d.rule"), .index = 7};
    char name[40];
    for (int i = 0; i < WEIR_RLS_NAMES_MAX + 2; i++) {
        (void)snprintf(name, sizeof(name), "d.rule_%d", i);
        hit(tally, &rule, weir_text(name));
    }
    hit(tally, NULL, weir_text("d.override"));
    weir_rls_tally_unknown_domain(tally, weir_text("nowhere"), 1);
    /* Those that are known still are. */
    hit(tally, &rule, weir_text("d.rule_0"));
    hit(tally, &rule, weir_text("d.rule_19999"));
    hit_rule(tally, "d.new", 8);
    char *told = tell(stats, false);
    assert_line(told, "ratelimit.service.rate_limit.d.rule_0.total_hits: 2");
    assert_line(told, "ratelimit.service.rate_limit.d.rule_19999.total_hits: 2");
    assert_null(strstr(told, "d.rule_20000."));
    assert_line(told, "ratelimit.service.rate_limit.d.rule.total_hits: 2");
    assert_line(told, "ratelimit.service.rate_limit.d.new.total_hits: 1");
    assert_line(told, "ratelimit.service.rate_limit.other.total_hits: 1");
    assert_line(told, "ratelimit.service.rate_limit.other.domain_not_found: 1");
    assert_null(strstr(told, "nowhere"));
    free(told);
    weir_rls_stats_free(stats);
}

static void long_names_are_counted_under_their_rule(void **state)
{
    (void)state;
    static char name[WEIR_RLS_NAME_MAX + 1];
    struct weir_rls_stats *stats = stats_of(1);
    struct weir_rls_tally *tally = weir_rls_stats_tally(stats, 0);
    const struct weir_rls_rule rule = {.full_key = weir_text("d.rule"), .index = 0};
    memset(name, 'x', sizeof(name));
    hit(tally, &rule, weir_bytes(name, WEIR_RLS_NAME_MAX));
    char *told = tell(stats, false);
    assert_null(strstr(told, "d.rule"));
    free(told);
    hit(tally, &rule, weir_bytes(name, WEIR_RLS_NAME_MAX + 1));
    weir_rls_tally_unknown_domain(tally, weir_bytes(name, WEIR_RLS_NAME_MAX + 1), 1);
    told = tell(stats, false);
    assert_line(told, "ratelimit.service.rate_limit.d.rule.total_hits: 1");
    assert_line(told, "ratelimit.service.rate_limit.other.domain_not_found: 1");
    free(told);
    weir_rls_stats_free(stats);
}

/* The number of a rule is another one's after a reload. */
static void a_number_may_come_to_mean_another_rule(void **state)
{
    (void)state;
    struct weir_rls_stats *stats = stats_of(1);
    struct weir_rls_tally *tally = weir_rls_stats_tally(stats, 0);
    for (int i = 0; i < 3; i++) {
        hit_rule(tally, "d.old", 5);
        hit_rule(tally, "d.new", 5);
        hit_rule(tally, "d.far", 5 + 512);
    }
    char *told = tell(stats, false);
    assert_line(told, "ratelimit.service.rate_limit.d.old.total_hits: 3");
    assert_line(told, "ratelimit.service.rate_limit.d.new.total_hits: 3");
    assert_line(told, "ratelimit.service.rate_limit.d.far.total_hits: 3");
    free(told);
    weir_rls_stats_free(stats);
}

/* ---- Threads ------------------------------------------------------------------------------ */

#define ROUNDS 3000
#define NAMES 300

struct crowd {
    struct weir_rls_stats *stats;
    _Atomic unsigned counting;
};

/* The first one tells while the others count. */
static void count_or_tell(void *shared, unsigned index)
{
    struct crowd *crowd = shared;
    if (index == 0) {
        while (atomic_load(&crowd->counting) > 0) {
            free(tell(crowd->stats, false));
            free(tell(crowd->stats, true));
        }
        return;
    }
    struct weir_rls_tally *tally = weir_rls_stats_tally(crowd->stats, index - 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "d.k_%u", i % NAMES);
        hit_rule(tally, name, i % NAMES);
        hit(tally, NULL, weir_text("d.override"));
        weir_rls_tally_event(tally, WEIR_RLS_STORE_ERROR);
        weir_rls_tally_request(tally, 1);
        weir_rls_stats_config(crowd->stats, true);
    }
    (void)atomic_fetch_sub(&crowd->counting, 1);
}

static void workers_count_while_somebody_tells(void **state)
{
    (void)state;
    struct crowd crowd = {.stats = stats_of(WORKERS), .counting = WORKERS};
    char line[100];
    fixture_threads(WORKERS + 1, count_or_tell, &crowd);
    char *told = tell(crowd.stats, false);
    for (unsigned i = 0; i < NAMES; i++) {
        (void)snprintf(line, sizeof(line), "ratelimit.service.rate_limit.d.k_%u.total_hits: %u", i,
                       WORKERS * (ROUNDS / NAMES));
        assert_line(told, line);
    }
    (void)snprintf(line, sizeof(line), "ratelimit.service.rate_limit.d.override.total_hits: %u",
                   WORKERS * ROUNDS);
    assert_line(told, line);
    (void)snprintf(line, sizeof(line), "ratelimit.service.config_load_success: %u",
                   WORKERS * ROUNDS);
    assert_line(told, line);
    free(told);
    weir_rls_stats_free(crowd.stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_server_tells_of_itself),
        cmocka_unit_test(workers_are_added_up_and_sorted),
        cmocka_unit_test(what_steers_statsd_is_replaced),
        cmocka_unit_test(prometheus_has_the_names_it_had),
        cmocka_unit_test(names_that_requests_bring_are_bounded),
        cmocka_unit_test(long_names_are_counted_under_their_rule),
        cmocka_unit_test(a_number_may_come_to_mean_another_rule),
        cmocka_unit_test(workers_count_while_somebody_tells),
    };
    return cmocka_run_group_tests_name("rls_stats", tests, NULL, NULL);
}
