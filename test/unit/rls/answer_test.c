/* answer_test.c - statuses, the overall code, headers, metadata and counts of what was decided. */

#include "rls/policy_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "support/random.h"
#include "support/rls_kit.h"

/* Ten seconds into a minute. */
#define NOW (FIXTURE_NOW + INT64_C(10400000))

/* A response as a line: "OVER [OK 5/2 3 49 name] [OK] [OK max] | limit=5 remaining=0 reset=50". */
static const char *line_of(const struct weir_rls_response *response)
{
    static char text[1024];
    struct weir_buffer out = {.bytes = text, .room = sizeof(text)};
    static const char *const codes[] = {"UNKNOWN", "OK", "OVER"};
    weir_buffer_print(&out, "%s", codes[response->overall]);
    for (size_t i = 0; i < response->status_count; i++) {
        const struct weir_rls_status *status = &response->statuses[i];
        weir_buffer_print(&out, " [%s", codes[status->code]);
        if (status->has_limit) {
            weir_buffer_print(&out, " %u/%u %u", status->requests_per_unit, (unsigned)status->unit,
                              status->remaining);
        } else if (status->remaining == UINT32_MAX) {
            weir_buffer_put_text(&out, " max");
        }
        if (status->has_reset) {
            weir_buffer_print(&out, " %lld", (long long)(status->reset_us / 1000000));
            assert_int_equal(status->reset_us % 1000000, 0);
        }
        if (status->name.len > 0) {
            weir_buffer_print(&out, " %.*s", (int)status->name.len, status->name.ptr);
        }
        weir_buffer_put_text(&out, "]");
    }
    for (size_t i = 0; i < response->header_count; i++) {
        const struct weir_rls_header *header = &response->headers[i];
        weir_buffer_print(&out, "%s%.*s=%.*s", i == 0 ? " | " : " ", (int)header->key.len,
                          header->key.ptr, (int)header->value.len, header->value.ptr);
    }
    weir_buffer_put(&out, weir_bytes("", 1));
    return text;
}

static void assert_answer(struct rls_kit *kit, const char *asked, int64_t now_us,
                          const char *expected)
{
    const struct weir_rls_response response = rls_kit_ask(kit, "d", asked, now_us);
    assert_string_equal(line_of(&response), expected);
    rls_kit_clear(kit);
}

/* ---- Statuses ----------------------------------------------------------------------------- */

static void a_window_is_counted_down(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 2/minute name=n\n");
    assert_answer(kit, "a=1", NOW, "OK [OK 2/2 1 50 n]");
    assert_answer(kit, "a=1", NOW + 600000, "OK [OK 2/2 0 49 n]");
    assert_answer(kit, "a=1", NOW + 600000, "OVER [OVER 2/2 0 49 n]");
    assert_answer(kit, "a=2", NOW + 600000, "OK [OK 2/2 1 49 n]");
    /* To the end of the window, and the next. */
    assert_answer(kit, "a=1", FIXTURE_NOW + INT64_C(59999999), "OVER [OVER 2/2 0 1 n]");
    assert_answer(kit, "a=1", FIXTURE_NOW + INT64_C(60000000), "OK [OK 2/2 1 60 n]");
    rls_kit_free(kit);
}

static void every_unit_ends_when_its_window_does(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n"
                                      " s 9/second\n m 9/minute\n h 9/hour\n d 9/day\n"
                                      " w 9/week\n o 9/month\n y 9/year\n");
    /* 2026-01-01 00:00:10.4 is a Thursday, as 1970-01-01 was; 20454 days, 681 months, 56 years. */
    assert_answer(kit, "s=1|m=1|h=1|d=1|w=1|o=1|y=1", NOW,
                  "OK [OK 9/1 8 1] [OK 9/2 8 50] [OK 9/3 8 3590] [OK 9/4 8 86390] "
                  "[OK 9/7 8 604790] [OK 9/5 8 518390] [OK 9/6 8 30326390]");
    rls_kit_free(kit);
}

static void what_has_no_limit_has_no_current_limit(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n"
                                      " u unlimited name=u\n"
                                      " a 5/minute name=a\n"
                                      " b 5/minute replaces=a\n"
                                      " o 0/minute\n");
    assert_answer(kit, "u=1|x=1|a=1|b=1", NOW, "OK [OK max] [OK] [OK] [OK 5/2 4 50]");
    const struct weir_rls_response response = rls_kit_ask(kit, "e", "u=1|a=1", NOW);
    assert_string_equal(line_of(&response), "OK [OK] [OK]");
    assert_answer(kit, "o=1", NOW, "OVER [OVER 0/2 0 50]");
    assert_answer(kit, "o=1 hits=0", NOW, "OVER [OVER 0/2 0 50]");
    assert_answer(kit, "o=1 negative", NOW, "OK [OK 0/2 0 50]");
    rls_kit_free(kit);
}

static void hits_are_taken_looked_at_and_given_back(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 10/minute\n");
    assert_answer(kit, "a=1 hits=7", NOW, "OK [OK 10/2 3 50]");
    assert_answer(kit, "a=1 hits=0", NOW, "OK [OK 10/2 3 50]");
    /* What is overrun is used up. */
    assert_answer(kit, "a=1 hits=4", NOW, "OVER [OVER 10/2 0 50]");
    assert_answer(kit, "a=1 hits=0", NOW, "OVER [OVER 10/2 0 50]");
    assert_answer(kit, "a=1 hits=3 negative", NOW, "OK [OK 10/2 3 50]");
    assert_answer(kit, "a=1 hits=2", NOW, "OK [OK 10/2 1 50]");
    assert_answer(kit, "a=1 hits=100 negative", NOW, "OK [OK 10/2 10 50]");
    assert_answer(kit, "a=1 hits=18446744073709551615", NOW, "OVER [OVER 10/2 0 50]");
    rls_kit_free(kit);
}

static void an_override_decides(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 10/minute shadow name=n\n");
    assert_answer(kit, "a=1 limit=1/hour", NOW, "OK [OK 1/3 0 3590]");
    assert_answer(kit, "a=1 limit=1/hour", NOW, "OVER [OVER 1/3 0 3590]");
    assert_answer(kit, "a=1 limit=0/hour", NOW, "OVER [OVER 0/3 0 3590]");
    assert_answer(kit, "a=1", NOW, "OK [OK 10/2 9 50 n]");
    rls_kit_free(kit);
}

static void other_algorithms_say_when_all_is_back(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 60/minute limit=60/m_burst_3\n");
    assert_answer(kit, "a=1", NOW, "OK [OK 60/2 2 1]");
    assert_answer(kit, "a=1", NOW + 1, "OK [OK 60/2 1 2]");
    assert_answer(kit, "a=1", NOW + 1, "OK [OK 60/2 0 3]");
    assert_answer(kit, "a=1", NOW + 1, "OVER [OVER 60/2 0 3]");
    rls_kit_free(kit);
}

/* ---- All of them -------------------------------------------------------------------------- */

static void shadows_count_and_let_pass(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n s 1/minute shadow\n a 1/minute\n");
    assert_answer(kit, "s=1", NOW, "OK [OK 1/2 0 50]");
    assert_answer(kit, "s=1|a=1", NOW, "OK [OK 1/2 0 50] [OK 1/2 0 50]");
    assert_answer(kit, "s=1|a=1", NOW, "OVER [OK 1/2 0 50] [OVER 1/2 0 50]");
    rls_kit_free(kit);
    kit = rls_kit_new("domain d\n a 0/minute\n");
    rls_kit_settings(kit)->shadow_mode = true;
    assert_answer(kit, "a=1", NOW, "OK [OVER 0/2 0 50]");
    rls_kit_free(kit);
}

static void quotas_deny_where_all_of_them_are_over(void **state)
{
    (void)state;
    static const char policy[] = "domain d\n"
                                 " q 0/minute quota\n p 9/minute quota\n"
                                 " a 0/minute\n u unlimited\n";
    struct rls_kit *kit = rls_kit_new(policy);
    assert_answer(kit, "q=1", NOW, "OVER [OVER 0/2 0 50]");
    assert_answer(kit, "q=1|p=1", NOW, "OK [OVER 0/2 0 50] [OK 9/2 8 50]");
    assert_answer(kit, "q=1|x=1", NOW, "OVER [OVER 0/2 0 50] [OK]");
    assert_answer(kit, "q=1|p=1|a=1", NOW, "OVER [OVER 0/2 0 50] [OK 9/2 7 50] [OVER 0/2 0 50]");
    rls_kit_free(kit);
    /* All are: what has no rule is one that passed, what is unlimited is none. */
    kit = rls_kit_new(policy);
    rls_kit_settings(kit)->quota_mode = true;
    assert_answer(kit, "a=1", NOW, "OVER [OVER 0/2 0 50]");
    assert_answer(kit, "a=1|x=1", NOW, "OK [OVER 0/2 0 50] [OK]");
    assert_answer(kit, "a=1|u=1", NOW, "OVER [OVER 0/2 0 50] [OK max]");
    rls_kit_free(kit);
}

static void headers_tell_of_the_tightest(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n"
                                      " a 5/minute\n b 3/hour\n c 3/day\n o 0/minute\n"
                                      " p 0/hour\n q 0/day quota\n u unlimited\n"
                                      " s 0/day shadow\n");
    rls_kit_settings(kit)->headers = true;
    assert_answer(kit, "a=1|b=1|c=1", NOW,
                  "OK [OK 5/2 4 50] [OK 3/3 2 3590] [OK 3/4 2 86390] "
                  "| limit=3 remaining=2 reset=3590");
    assert_answer(kit, "o=1|a=1|p=1|b=1", NOW,
                  "OVER [OVER 0/2 0 50] [OK 5/2 3 50] [OVER 0/3 0 3590] [OK 3/3 1 3590] "
                  "| limit=0 remaining=0 reset=3590");
    assert_answer(kit, "q=1|a=1", NOW,
                  "OVER [OVER 0/4 0 86390] [OK 5/2 2 50] | limit=0 remaining=0 reset=86390");
    assert_answer(kit, "a=1|s=1", NOW,
                  "OK [OK 5/2 1 50] [OK 0/4 0 86390] | limit=0 remaining=0 reset=86390");
    assert_answer(kit, "u=1|x=1", NOW, "OK [OK max] [OK]");
    rls_kit_free(kit);
}

static void all_or_none_is_taken(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d atomic\n"
                                      " a 5/minute\n b 1/minute\n o 0/minute\n"
                                      " s 1/minute shadow\n");
    assert_answer(kit, "a=1|b=1|s=1", NOW, "OK [OK 5/2 4 50] [OK 1/2 0 50] [OK 1/2 0 50]");
    /* Nothing is taken of a; s, which denies nobody, is counted by itself. */
    assert_answer(kit, "a=1|b=1|s=1", NOW, "OVER [OK 5/2 4 50] [OVER 1/2 0 50] [OK 1/2 0 50]");
    assert_answer(kit, "a=1|o=1", NOW, "OVER [OK 5/2 4 50] [OVER 0/2 0 50]");
    assert_answer(kit, "a=1 hits=6", NOW, "OVER [OVER 5/2 4 50]");
    assert_answer(kit, "a=1 hits=6|b=2", NOW, "OVER [OVER 5/2 4 50] [OK 1/2 1 50]");
    assert_answer(kit, "a=1 hits=4", NOW, "OK [OK 5/2 0 50]");
    rls_kit_free(kit);
}

/* ---- Decisions that no store made --------------------------------------------------------- */

static void on_error_decides(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 5/minute\n");
    const struct weir_rls_plan plan = rls_kit_plan(kit, "d", "a=1 hits=3");
    struct weir_rls_stats *stats = weir_rls_stats_new(1);
    struct weir_rls_response response;
    struct weir_decision decision = {.failure = WEIR_FAILURE_TIMEOUT,
                                     .source = WEIR_SOURCE_ON_ERROR,
                                     .limit = 5,
                                     .reset_after_us = 1};
    for (int allowed = 0; allowed < 2; allowed++) {
        decision.allowed = allowed == 1;
        decision.remaining = decision.allowed ? 5 : 0;
        assert_int_equal(weir_rls_rest(&plan, 0, &decision), 0);
        assert_int_equal(weir_rls_answer(rls_kit_policy(kit), &plan, &decision, NOW,
                                         rls_kit_arena(kit), weir_rls_stats_tally(stats, 0),
                                         &response),
                         WEIR_OK);
        assert_string_equal(line_of(&response),
                            allowed == 1 ? "OK [OK 5/2 5 50]" : "OVER [OVER 5/2 0 50]");
    }
    struct weir_buffer told = {0};
    weir_rls_stats_tell(stats, &told);
    weir_buffer_put(&told, weir_bytes("", 1));
    assert_non_null(strstr(told.bytes, "should_rate_limit.redis_error: 2\n"));
    assert_non_null(strstr(told.bytes, "d.a.within_limit: 3\n"));
    assert_non_null(strstr(told.bytes, "d.a.over_limit: 3\n"));
    weir_buffer_deinit(&told);
    weir_rls_stats_free(stats);
    rls_kit_free(kit);
}

static void what_remained_of_an_overrun_is_taken(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 5/minute\n");
    const struct weir_rls_plan plan =
        rls_kit_plan(kit, "d", "a=1 hits=4|a=1|x=1|a=1 hits=0|a=1 hits=9 negative");
    const struct weir_decision denied = {.source = WEIR_SOURCE_MEMORY, .limit = 5, .remaining = 3};
    struct weir_decision allowed = denied;
    allowed.allowed = true;
    assert_int_equal(weir_rls_rest(&plan, 0, &denied), 3);
    assert_int_equal(weir_rls_rest(&plan, 0, &allowed), 0);
    for (size_t i = 1; i < plan.count; i++) {
        assert_int_equal(weir_rls_rest(&plan, i, &denied), 0);
    }
    rls_kit_free(kit);
}

/* ---- Metadata ----------------------------------------------------------------------------- */

/* NOLINTNEXTLINE(misc-no-recursion): a test's few levels */
static void put_value(struct weir_buffer *out, const struct weir_rls_value *value)
{
    switch (value->kind) {
    case WEIR_RLS_NUMBER:
        weir_buffer_print(out, "%.0f", value->number);
        return;
    case WEIR_RLS_TEXT:
        weir_buffer_print(out, "'%.*s'", (int)value->text.len, value->text.ptr);
        return;
    case WEIR_RLS_STRUCT:
    case WEIR_RLS_LIST:
        break;
    case WEIR_RLS_NULL:
    case WEIR_RLS_BOOLEAN:
        fail();
    }
    weir_buffer_put_text(out, value->kind == WEIR_RLS_STRUCT ? "{" : "[");
    for (size_t i = 0; i < value->count; i++) {
        weir_buffer_put_text(out, i > 0 ? " " : "");
        if (value->kind == WEIR_RLS_STRUCT) {
            weir_buffer_print(out, "%.*s:", (int)value->names[i].len, value->names[i].ptr);
        }
        put_value(out, &value->values[i]);
    }
    weir_buffer_put_text(out, value->kind == WEIR_RLS_STRUCT ? "}" : "]");
}

static void assert_metadata(struct rls_kit *kit, const char *asked, uint32_t hits,
                            const char *expected)
{
    struct weir_buffer found = {0};
    struct weir_rls_plan plan = rls_kit_plan(kit, "d", asked);
    struct weir_rls_request request = *plan.request;
    request.hits = hits;
    plan.request = &request;
    const struct weir_rls_response response = rls_kit_decide(kit, &plan, NOW, NULL);
    assert_non_null(response.metadata);
    put_value(&found, response.metadata);
    weir_buffer_put(&found, weir_bytes("", 1));
    assert_string_equal(found.bytes, expected);
    weir_buffer_deinit(&found);
    rls_kit_clear(kit);
}

static void metadata_tells_of_request_and_rules(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n"
                                      " a 5/minute meta=x:1,y/z:2\n"
                                      " b 5/minute meta=x:3,y/w:4,v:5,t/u:6 detailed\n"
                                      " c 5/minute meta=y:7,t:8\n"
                                      " o 0/minute meta=o:1\n"
                                      " u unlimited meta=u:1\n");
    rls_kit_settings(kit)->dynamic_metadata = true;
    assert_metadata(kit, "a=1,x=|n=1 hits=3 limit=5/hour", 0,
                    "{descriptors:[{entries:['a=1' 'x=']} {entries:['n=1'] hitsAddend:3 "
                    "limit:'requests_per_unit:5 unit:HOUR'}] domain:'d'}");
    assert_metadata(kit, "n=1 limit=0/week", 7,
                    "{descriptors:[{entries:['n=1'] limit:'unit:WEEK'}] domain:'d' hitsAddend:7}");
    assert_metadata(kit, "a=1|a=2|b=1|c=1|o=1|u=1", 0,
                    "{descriptors:[{entries:['a=1']} {entries:['a=2']} {entries:['b=1']} "
                    "{entries:['c=1']} {entries:['o=1']} {entries:['u=1']}] domain:'d' "
                    "metadata:{x:'1' y:{z:'2' w:'4'} v:'5' t:{u:'6'}}}");
    /* What is written at a rule is as it was. */
    assert_metadata(kit, "a=3", 0,
                    "{descriptors:[{entries:['a=3']}] domain:'d' metadata:{x:'1' y:{z:'2'}}}");
    rls_kit_free(kit);
}

static void metadata_of_no_domain_has_its_request(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain e\n");
    rls_kit_settings(kit)->dynamic_metadata = true;
    assert_metadata(kit, "a=1 limit=4/9", 0,
                    "{descriptors:[{entries:['a=1'] limit:'requests_per_unit:4 unit:9'}] "
                    "domain:'d'}");
    rls_kit_free(kit);
}

/* ---- Counts, against the arithmetic of envoyproxy/ratelimit ------------------------------- */

/* One counter that goes on beyond its limit, and what is counted of it. */
struct model {
    uint64_t counter;
    uint64_t limit;
    uint64_t counts[WEIR_RLS_COUNT_COUNT];
};

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Whether the hits pass; a look is over where nothing remains. */
static bool model_hit(struct model *model, uint64_t hits, double ratio, bool shadow)
{
    const uint64_t rounded = (uint64_t)((float)model->limit * (float)ratio);
    /* Rounded up past the limit, the original's number would be far below 0. */
    const uint64_t near = rounded < model->limit ? rounded : model->limit;
    const uint64_t before = model->counter;
    const uint64_t after = before + hits;
    model->counter = after;
    model->counts[WEIR_RLS_TOTAL_HITS] += hits;
    if (after > model->limit) {
        const uint64_t over = before >= model->limit ? hits : after - model->limit;
        model->counts[WEIR_RLS_OVER_LIMIT_HITS] += over;
        model->counts[WEIR_RLS_SHADOW_MODE_HITS] += shadow ? over : 0;
        if (before < model->limit) {
            model->counts[WEIR_RLS_NEAR_LIMIT_HITS] += model->limit - most(near, before);
        }
        return false;
    }
    if (after > near) {
        model->counts[WEIR_RLS_NEAR_LIMIT_HITS] += before >= near ? hits : after - near;
    }
    model->counts[WEIR_RLS_WITHIN_LIMIT_HITS] += hits;
    return hits > 0 || after < model->limit;
}

static void assert_counts(struct weir_rls_stats *stats, const struct model *model)
{
    static const char *const names[] = {"total_hits",   "over_limit",
                                        "near_limit",   "over_limit_with_local_cache",
                                        "within_limit", "shadow_mode"};
    struct weir_buffer told = {0};
    weir_rls_stats_tell(stats, &told);
    weir_buffer_put(&told, weir_bytes("", 1));
    for (size_t i = 0; i < WEIR_RLS_COUNT_COUNT; i++) {
        char line[100];
        (void)snprintf(line, sizeof(line), "ratelimit.service.rate_limit.d.a.%s: %llu\n", names[i],
                       (unsigned long long)model->counts[i]);
        if (strstr(told.bytes, line) == NULL) {
            fail_msg("%s is not in\n%s", line, told.bytes);
        }
    }
    weir_buffer_deinit(&told);
}

static void check_sequence(struct random *random, uint64_t limit, double ratio, bool shadow)
{
    char text[100];
    struct model model = {.limit = limit};
    (void)snprintf(text, sizeof(text), "domain d\n a %llu/year%s\n", (unsigned long long)limit,
                   shadow ? " shadow" : "");
    struct rls_kit *kit = rls_kit_new(text);
    struct weir_rls_stats *stats = weir_rls_stats_new(1);
    assert_non_null(stats);
    rls_kit_settings(kit)->near_limit_ratio = ratio;
    for (int i = 0; i < 30; i++) {
        const uint64_t hits =
            random_once_in(random, 5) ? 0 : random_below(random, limit / (i < 15 ? 8 : 2) + 2);
        (void)snprintf(text, sizeof(text), "a=1 hits=%llu", (unsigned long long)hits);
        const struct weir_rls_plan plan = rls_kit_plan(kit, "d", text);
        const struct weir_rls_response response =
            rls_kit_decide(kit, &plan, FIXTURE_NOW, weir_rls_stats_tally(stats, 0));
        const bool passes = model_hit(&model, hits, ratio, shadow) || shadow;
        const uint64_t left = model.limit - (model.counter < limit ? model.counter : limit);
        assert_int_equal(response.overall, passes ? WEIR_RLS_OK : WEIR_RLS_OVER_LIMIT);
        assert_int_equal(response.statuses[0].code, response.overall);
        assert_int_equal(response.statuses[0].remaining, left);
        rls_kit_clear(kit);
    }
    /* Without a hit there is no name to tell of. */
    if (model.counts[WEIR_RLS_TOTAL_HITS] > 0) {
        assert_counts(stats, &model);
    }
    weir_rls_stats_free(stats);
    rls_kit_free(kit);
}

static void counts_are_those_of_the_original(void **state)
{
    (void)state;
    static const double ratios[] = {0.8, 0.5, 0, 1, 0.999};
    const uint64_t seed = random_seed(20260202);
    struct random random = random_from(seed);
    print_message("# seed %llu\n", (unsigned long long)seed);
    for (size_t i = random_rounds(200); i > 0; i--) {
        const uint64_t limit = random_once_in(&random, 8) ? random_below(&random, 3)
                                                          : random_wide(&random, UINT32_MAX);
        check_sequence(&random, limit, ratios[random_below(&random, 5)],
                       random_once_in(&random, 3));
    }
    check_sequence(&random, 16777219, 1, false); /* which single precision rounds up */
}

static void what_the_deny_cache_said_is_counted_as_such(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 5/minute shadow\n");
    struct weir_rls_stats *stats = weir_rls_stats_new(1);
    const struct weir_rls_plan plan = rls_kit_plan(kit, "d", "a=1 hits=4");
    const struct weir_decision denied = {.source = WEIR_SOURCE_DENY_CACHE, .limit = 5};
    struct weir_rls_response response;
    assert_int_equal(weir_rls_answer(rls_kit_policy(kit), &plan, &denied, NOW, rls_kit_arena(kit),
                                     weir_rls_stats_tally(stats, 0), &response),
                     WEIR_OK);
    assert_string_equal(line_of(&response), "OK [OK 5/2 0 50]");
    const struct model expected = {.counts = {4, 4, 0, 4, 0, 4}};
    assert_counts(stats, &expected);
    weir_rls_stats_free(stats);
    rls_kit_free(kit);
}

static void what_was_not_taken_is_near_nothing(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d atomic\n a 5/minute\n o 0/minute\n");
    struct weir_rls_stats *stats = weir_rls_stats_new(1);
    const struct weir_rls_plan plan = rls_kit_plan(kit, "d", "a=1 hits=5|o=1");
    (void)rls_kit_decide(kit, &plan, NOW, weir_rls_stats_tally(stats, 0));
    const struct model expected = {.counts = {5, 0, 0, 0, 5, 0}};
    assert_counts(stats, &expected);
    weir_rls_stats_free(stats);
    rls_kit_free(kit);
}

/* ---- Memory ------------------------------------------------------------------------------- */

static void memory_runs_out_at_each_place(void **state)
{
    (void)state;
    static struct weir_decision decisions[200];
    static char text[2000];
    struct weir_buffer asked = {.bytes = text, .room = sizeof(text)};
    struct rls_kit *kit = rls_kit_new("domain d\n a 5/minute meta=x/y:1\n b 5/minute meta=x/z:1\n");
    rls_kit_settings(kit)->dynamic_metadata = true;
    rls_kit_settings(kit)->headers = true;
    for (int i = 0; i < 200; i++) {
        weir_buffer_put_text(&asked, i == 0 ? "a=1" : "|b=1");
        decisions[i] = (struct weir_decision){.allowed = true, .limit = 5, .remaining = 2};
    }
    weir_buffer_put(&asked, weir_bytes("", 1));
    const struct weir_rls_plan plan = rls_kit_plan(kit, "d", text);
    struct weir_rls_stats *stats = weir_rls_stats_new(1);
    enum weir_status status = WEIR_ERR_NO_MEMORY;
    size_t allocations = 0;
    while (status == WEIR_ERR_NO_MEMORY) {
        struct rls_kit_scarce scarce;
        struct weir_rls_response response = {.status_count = 77};
        rls_kit_scarce_init(&scarce, allocations++);
        struct weir_arena arena = {.allocator = &scarce.allocator};
        status = weir_rls_answer(rls_kit_policy(kit), &plan, decisions, NOW, &arena,
                                 weir_rls_stats_tally(stats, 0), &response);
        assert_int_equal(response.status_count, status == WEIR_OK ? 200 : 77);
        weir_arena_deinit(&arena);
        assert_int_equal(scarce.held, 0);
    }
    assert_int_equal(status, WEIR_OK);
    assert_true(allocations >= 3);
    /* What failed is not counted. */
    struct weir_buffer told = {0};
    weir_rls_stats_tell(stats, &told);
    weir_buffer_put(&told, weir_bytes("", 1));
    assert_non_null(strstr(told.bytes, "d.b.total_hits: 199\n"));
    weir_buffer_deinit(&told);
    weir_rls_stats_free(stats);
    rls_kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_counted_down),
        cmocka_unit_test(every_unit_ends_when_its_window_does),
        cmocka_unit_test(what_has_no_limit_has_no_current_limit),
        cmocka_unit_test(hits_are_taken_looked_at_and_given_back),
        cmocka_unit_test(an_override_decides),
        cmocka_unit_test(other_algorithms_say_when_all_is_back),
        cmocka_unit_test(shadows_count_and_let_pass),
        cmocka_unit_test(quotas_deny_where_all_of_them_are_over),
        cmocka_unit_test(headers_tell_of_the_tightest),
        cmocka_unit_test(all_or_none_is_taken),
        cmocka_unit_test(on_error_decides),
        cmocka_unit_test(what_remained_of_an_overrun_is_taken),
        cmocka_unit_test(metadata_tells_of_request_and_rules),
        cmocka_unit_test(metadata_of_no_domain_has_its_request),
        cmocka_unit_test(counts_are_those_of_the_original),
        cmocka_unit_test(what_the_deny_cache_said_is_counted_as_such),
        cmocka_unit_test(what_was_not_taken_is_near_nothing),
        cmocka_unit_test(memory_runs_out_at_each_place),
    };
    return cmocka_run_group_tests_name("rls_answer", tests, NULL, NULL);
}
