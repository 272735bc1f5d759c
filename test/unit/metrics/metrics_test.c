/* metrics_test.c - what workers count is what is told, whoever counts and tells at the same time.
 */

#include "metrics/metrics.h"

#include "metrics/tally.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 4

static struct weir_metrics *metrics_of(uint32_t workers, uint32_t top)
{
    struct weir_metrics *metrics = weir_metrics_new(workers, top);
    assert_non_null(metrics);
    return metrics;
}

static uint32_t rule_of(struct weir_metrics *metrics, const char *name)
{
    const uint32_t rule = weir_metrics_rule(metrics, weir_text(name));
    assert_int_not_equal(rule, UINT32_MAX);
    return rule;
}

/* Everything, as text with a NUL. */
static char *tell(struct weir_metrics *metrics)
{
    const struct weir_metrics_facts facts = {
        .version = "1.2.3",
        .compiler = "a \"compiler\"",
        .store = "memory",
        .policy_version = 3,
        .policy_fingerprint = UINT64_C(0xfedcba9876543210),
        .policy_loaded_us = INT64_C(1767225600000001),
        .reload_is_bad = true,
        .started_us = INT64_C(1767225500500000),
        .workers = 7,
        .connections = 11,
        .stats = {.slots = 100, .used = 12, .live = 9, .evicted_live = 2, .circuits_open = 1},
    };
    struct weir_buffer told = {0};
    weir_metrics_tell(metrics, &facts, &told);
    weir_buffer_put(&told, weir_bytes("", 1));
    assert_false(told.failed);
    return told.bytes;
}

/* Whether `line`, without its newline, is one of the lines. */
static bool has(const char *told, const char *line)
{
    const size_t len = strlen(line);
    for (const char *at = told; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, line, len) == 0 && (at[len] == '\n' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

/* ---- Rules -------------------------------------------------------------------------------- */

static void a_rule_keeps_its_number(void **state)
{
    (void)state;
    struct weir_metrics *metrics = metrics_of(2, 0);
    const uint32_t login = rule_of(metrics, "login");
    for (int i = 0; i < 1000; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "rule%d", i);
        (void)rule_of(metrics, name);
    }
    assert_int_equal(rule_of(metrics, "login"), login);
    const struct weir_bytes name = weir_metrics_rule_name(metrics, login);
    assert_int_equal(name.len, strlen("login"));
    assert_memory_equal(name.ptr, "login", name.len);
    assert_int_equal(weir_metrics_rule_name(metrics, 5000).len, 0);
    weir_metrics_free(metrics);
    weir_metrics_free(NULL);
}

static void rules_past_the_most_share_other(void **state)
{
    (void)state;
    struct weir_metrics *metrics = metrics_of(1, 0);
    struct weir_tally *tally = weir_metrics_tally(metrics, 0);
    char name[16];
    for (int i = 0; i < WEIR_METRIC_RULES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "rule%d", i);
        assert_int_not_equal(rule_of(metrics, name), rule_of(metrics, WEIR_RULE_OTHER));
    }
    const uint32_t past = rule_of(metrics, "one too many");
    assert_int_equal(past, rule_of(metrics, WEIR_RULE_OTHER));
    assert_int_equal(past, rule_of(metrics, "two too many"));
    /* The last that has its own, and what is shared. */
    weir_tally_rule(tally, rule_of(metrics, name), WEIR_RESULT_DENIED, WEIR_SOURCE_MEMORY, 0);
    weir_tally_rule(tally, past, WEIR_RESULT_ALLOWED, WEIR_SOURCE_MEMORY, 0);
    char *told = tell(metrics);
    assert_true(has(told, "weir_decisions_total{rule=\"rule19999\",outcome=\"denied\"} 1"));
    assert_true(has(told, "weir_decisions_total{rule=\"other\",outcome=\"allowed\"} 1"));
    free(told);
    weir_metrics_free(metrics);
}

/* ---- Telling ------------------------------------------------------------------------------ */

static void workers_are_added_up(void **state)
{
    (void)state;
    struct weir_metrics *metrics = metrics_of(WORKERS, 10);
    const uint32_t login = rule_of(metrics, "login");
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct weir_tally *tally = weir_metrics_tally(metrics, i);
        weir_tally_rule(tally, login, WEIR_RESULT_ALLOWED, WEIR_SOURCE_LOCAL, WEIR_FAILURE_TIMEOUT);
        weir_tally_rule(tally, login, WEIR_RESULT_SHADOW_DENIED, WEIR_SOURCE_REDIS, 0);
        weir_tally_count(tally, WEIR_COUNT_REQUESTS_RESP, i + 1);
        weir_tally_door(tally, WEIR_DOOR_HTTP, 20000);
        weir_tally_store(tally, INT64_C(2000000000));
    }
    char *told = tell(metrics);
    assert_true(has(told, "weir_decisions_total{rule=\"login\",outcome=\"allowed\"} 4"));
    assert_true(has(told, "weir_decisions_total{rule=\"login\",outcome=\"denied\"} 0"));
    assert_true(has(told, "weir_decisions_total{rule=\"login\",outcome=\"shadow-denied\"} 4"));
    assert_null(strstr(told, "outcome=\"spared\""));
    assert_null(strstr(told, "rule=\"other\""));
    assert_true(has(told, "weir_requests_total{door=\"resp\"} 10"));
    assert_true(has(told, "weir_store_answers_total{source=\"local\"} 4"));
    assert_true(has(told, "weir_store_answers_total{source=\"redis\"} 4"));
    assert_true(has(told, "weir_store_errors_total{reason=\"timeout\"} 4"));
    assert_true(has(told, "weir_request_duration_seconds_bucket{door=\"http\",le=\"1e-05\"} 0"));
    assert_true(has(told, "weir_request_duration_seconds_bucket{door=\"http\",le=\"2.5e-05\"} 4"));
    assert_true(has(told, "weir_request_duration_seconds_count{door=\"resp\"} 0"));
    assert_true(has(told, "weir_store_duration_seconds_sum 8.000000000"));
    free(told);
    weir_metrics_free(metrics);
}

static void facts_are_told(void **state)
{
    (void)state;
    struct weir_metrics *metrics = metrics_of(1, 10);
    char *told = tell(metrics);
    assert_true(has(told, "weir_build_info{version=\"1.2.3\",compiler=\"a \\\"compiler\\\"\"} 1"));
    assert_true(has(told, "weir_policy_info{fingerprint=\"fedcba9876543210\"} 1"));
    assert_true(has(told, "weir_policy_version 3"));
    assert_true(has(told, "weir_policy_last_reload_successful 0"));
    assert_true(has(told, "weir_policy_last_loaded_timestamp_seconds 1767225600.000001"));
    assert_true(has(told, "process_start_time_seconds 1767225500.500000"));
    assert_true(has(told, "weir_connections 11"));
    assert_true(has(told, "weir_workers 7"));
    assert_true(has(told, "weir_store_circuits_open 1"));
    assert_true(has(told, "weir_table_slots 100"));
    assert_true(has(told, "weir_table_used 12"));
    assert_true(has(told, "weir_table_live 9"));
    assert_true(has(told, "weir_table_evictions_total{kind=\"live\"} 2"));
    free(told);
    weir_metrics_free(metrics);
}

/* The number of the one line that begins with `series`. */
static unsigned long long number_of(const char *told, const char *series)
{
    char line[128];
    (void)snprintf(line, sizeof(line), "\n%s ", series);
    const char *found = strstr(told, line);
    assert_non_null(found);
    return strtoull(found + strlen(line), NULL, 10);
}

static void the_process_is_told(void **state)
{
    (void)state;
    struct weir_metrics *metrics = metrics_of(1, 0);
    char *told = tell(metrics);
    const unsigned long long fds = number_of(told, "process_open_fds");
    assert_true(fds >= 3 && fds <= number_of(told, "process_max_fds"));
    assert_true(number_of(told, "process_resident_memory_bytes") > 100000);
    assert_true(number_of(told, "process_virtual_memory_bytes") >=
                number_of(told, "process_resident_memory_bytes"));
    free(told);
    FILE *one_more = tmpfile();
    assert_non_null(one_more);
    told = tell(metrics);
    assert_int_equal(number_of(told, "process_open_fds"), fds + 1);
    free(told);
    (void)fclose(one_more);
    weir_metrics_free(metrics);
}

static void a_name_can_not_break_its_line(void **state)
{
    (void)state;
    struct weir_metrics *metrics = metrics_of(1, 0);
    (void)rule_of(metrics, "a\"b\\c\nd");
    (void)rule_of(metrics, "\xff\xc3\xa9\xed\xa0\x80");
    char *told = tell(metrics);
    assert_true(has(told, "weir_decisions_total{rule=\"a\\\"b\\\\c\\nd\",outcome=\"denied\"} 0"));
    assert_true(has(told, "weir_decisions_total{rule=\"\xEF\xBF\xBD\xc3\xa9\xEF\xBF\xBD\xEF\xBF\xBD"
                          "\xEF\xBF\xBD\",outcome=\"denied\"} 0"));
    free(told);
    weir_metrics_free(metrics);
}

/* ---- Offenders ---------------------------------------------------------------------------- */

static void offenders_of_all_workers(void **state)
{
    (void)state;
    struct weir_metrics *metrics = metrics_of(WORKERS, 5);
    const uint32_t login = rule_of(metrics, "login");
    const uint32_t search = rule_of(metrics, "search");
    struct weir_offender found[8];
    assert_int_equal(weir_metrics_top(metrics, login, found, 8), 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        weir_tally_offender(weir_metrics_tally(metrics, i), login, weir_text("192.0.2.1"), 10);
        weir_tally_offender(weir_metrics_tally(metrics, i), search, weir_text("192.0.2.1"), i);
    }
    weir_tally_offender(weir_metrics_tally(metrics, 2), login, weir_text("192.0.2.2"), 41);
    assert_int_equal(weir_metrics_top(metrics, login, found, 8), 2);
    assert_string_equal(found[0].key, "192.0.2.2");
    assert_int_equal(found[0].denied, 41);
    assert_string_equal(found[1].key, "192.0.2.1");
    assert_int_equal(found[1].key_len, strlen("192.0.2.1"));
    assert_int_equal(found[1].denied, 40);
    assert_int_equal(found[1].error, 0);
    assert_int_equal(found[1].rule, login);
    assert_int_equal(weir_metrics_top(metrics, login, found, 1), 1);
    assert_string_equal(found[0].key, "192.0.2.2");
    assert_int_equal(weir_metrics_top(metrics, UINT32_MAX, found, 8), 3);
    assert_int_equal(found[2].rule, search);
    assert_int_equal(found[2].denied, 6);
    assert_int_equal(weir_metrics_top(metrics, UINT32_MAX, found, 2), 2);
    assert_int_equal(found[1].denied, 40);
    assert_int_equal(weir_metrics_top(metrics, 4711, found, 8), 0);
    assert_int_equal(weir_metrics_top(metrics, login, found, 0), 0);
    weir_metrics_free(metrics);
}

static void none_are_watched_if_none_are_wanted(void **state)
{
    (void)state;
    struct weir_metrics *metrics = metrics_of(1, 0);
    struct weir_offender found[1];
    weir_tally_offender(weir_metrics_tally(metrics, 0), rule_of(metrics, "login"), weir_text("a"),
                        1);
    assert_int_equal(weir_metrics_top(metrics, UINT32_MAX, found, 1), 0);
    weir_metrics_free(metrics);
}

/* With lists as long as can be, some hundred rules get one. */
static void memory_for_lists_is_bounded(void **state)
{
    (void)state;
    enum {
        RULES = 10000,
        PAST = 5000
    };
    struct weir_metrics *metrics = metrics_of(2, WEIR_METRIC_TOP_MAX + 1);
    struct weir_tally *tally = weir_metrics_tally(metrics, 0);
    struct weir_offender found[4];
    uint32_t own = 0;
    assert_int_equal(metrics->top, WEIR_METRIC_TOP_MAX);
    for (uint32_t i = 0; i < RULES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "rule%u", i);
        const uint32_t rule = rule_of(metrics, name);
        weir_tally_offender(tally, rule, weir_text("192.0.2.1"), i == PAST ? 100000 : 1);
        own += weir_tally_chunk_of(tally, rule)->tops[rule % WEIR_CHUNK_RULES] != tally->shared;
    }
    const uint64_t bytes =
        own * weir_top_bytes(metrics->top) + metrics->workers * weir_top_bytes(metrics->shared_top);
    assert_true(bytes <= WEIR_METRIC_TOP_BYTES_MAX);
    assert_true(bytes > WEIR_METRIC_TOP_BYTES_MAX * 9 / 10);
    assert_true(own > 100 && own < PAST);
    /* One that shares is found all the same, by its rule. */
    const uint32_t rule = rule_of(metrics, "rule5000");
    assert_int_equal(weir_metrics_top(metrics, rule, found, 4), 1);
    assert_true(found[0].denied >= 100000 && found[0].denied - found[0].error <= 100000);
    assert_int_equal(weir_metrics_top(metrics, UINT32_MAX, found, 1), 1);
    assert_int_equal(found[0].rule, rule);
    weir_metrics_free(metrics);
}

static void many_workers_leave_room_for_rules(void **state)
{
    (void)state;
    struct weir_metrics *metrics = metrics_of(256, WEIR_METRIC_TOP_MAX);
    assert_true(metrics->shared_top >= 1);
    assert_true(256 * weir_top_bytes(metrics->shared_top) <= WEIR_METRIC_TOP_BYTES_MAX / 2);
    assert_true(atomic_load(&metrics->top_bytes_left) >= (int64_t)WEIR_METRIC_TOP_BYTES_MAX / 2);
    weir_metrics_free(metrics);
}

/* ---- All at once -------------------------------------------------------------------------- */

#define ROUNDS 20000
#define RULES 200

struct shared {
    struct weir_metrics *metrics;
    size_t rounds;
    _Atomic uint32_t rules; /* made so far */
    _Atomic uint32_t done;  /* workers */
};

static uint32_t numbered_rule(struct weir_metrics *metrics, uint32_t i)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "rule%u", i);
    return rule_of(metrics, name);
}

/* Counts under rules that are made meanwhile. */
static void work(struct shared *shared, uint32_t worker)
{
    struct weir_tally *tally = weir_metrics_tally(shared->metrics, worker);
    struct random random = random_from(worker + 1);
    for (size_t i = 0; i < shared->rounds; i++) {
        char key[16];
        const uint32_t rules = atomic_load(&shared->rules);
        const uint32_t rule = 1 + (uint32_t)random_below(&random, rules);
        const uint64_t number = i % 2 == 0 ? 0 : 1 + random_below(&random, 500);
        (void)snprintf(key, sizeof(key), "key%llu", (unsigned long long)number);
        weir_tally_rule(tally, rule, WEIR_RESULT_DENIED, WEIR_SOURCE_MEMORY, 0);
        weir_tally_offender(tally, 1, weir_text(key), 1);
        weir_tally_count(tally, WEIR_COUNT_REQUESTS_HTTP, 1);
        weir_tally_door(tally, WEIR_DOOR_HTTP, (int64_t)i);
        weir_tally_store(tally, (int64_t)i);
    }
    (void)atomic_fetch_add(&shared->done, 1);
}

/* Looks at all of it, until the workers are done. */
static void look(struct shared *shared)
{
    struct weir_offender found[8];
    uint64_t before = 0;
    while (atomic_load(&shared->done) < WORKERS) {
        free(tell(shared->metrics));
        const size_t count = weir_metrics_top(shared->metrics, 1, found, 8);
        for (size_t i = 0; i < count; i++) {
            assert_true(found[i].error <= found[i].denied);
        }
        if (count > 0) {
            assert_true(found[0].denied >= before);
            before = found[0].denied;
        }
    }
}

static void member(void *context, unsigned index)
{
    struct shared *shared = context;
    if (index < WORKERS) {
        work(shared, index);
    } else if (index == WORKERS) {
        look(shared);
    } else {
        for (uint32_t i = 1; i < RULES; i++) {
            atomic_store(&shared->rules, numbered_rule(shared->metrics, i));
        }
    }
}

static void nothing_is_lost_among_threads(void **state)
{
    (void)state;
    struct shared shared = {.metrics = metrics_of(WORKERS, 20), .rounds = random_rounds(ROUNDS)};
    atomic_store(&shared.rules, numbered_rule(shared.metrics, 0));
    fixture_threads(WORKERS + 2, member, &shared);
    char *told = tell(shared.metrics);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < RULES; i++) {
        char series[96];
        (void)snprintf(series, sizeof(series),
                       "weir_decisions_total{rule=\"rule%u\",outcome=\"denied\"}", i);
        sum += number_of(told, series);
    }
    const uint64_t all = WORKERS * shared.rounds;
    assert_int_equal(sum, all);
    assert_int_equal(number_of(told, "weir_requests_total{door=\"http\"}"), all);
    assert_int_equal(number_of(told, "weir_request_duration_seconds_count{door=\"http\"}"), all);
    assert_int_equal(number_of(told, "weir_store_duration_seconds_count"), all);
    struct weir_offender worst;
    assert_int_equal(weir_metrics_top(shared.metrics, 1, &worst, 1), 1);
    assert_string_equal(worst.key, "key0");
    const uint64_t truth = WORKERS * ((shared.rounds + 1) / 2);
    assert_true(worst.denied >= truth && worst.denied - worst.error <= truth);
    free(told);
    weir_metrics_free(shared.metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_keeps_its_number),
        cmocka_unit_test(rules_past_the_most_share_other),
        cmocka_unit_test(workers_are_added_up),
        cmocka_unit_test(facts_are_told),
        cmocka_unit_test(the_process_is_told),
        cmocka_unit_test(a_name_can_not_break_its_line),
        cmocka_unit_test(offenders_of_all_workers),
        cmocka_unit_test(none_are_watched_if_none_are_wanted),
        cmocka_unit_test(memory_for_lists_is_bounded),
        cmocka_unit_test(many_workers_leave_room_for_rules),
        cmocka_unit_test(nothing_is_lost_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
