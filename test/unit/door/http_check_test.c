/* http_check_test.c - POST /v1/check, peek, refund and reset: what is answered, and what is
 * refused, where, with which words. */

#include "support/http_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char policy[] =
    "caps: {batch: 3}\n"
    "rules:\n"
    "  - {name: login, match: {path: /login}, key: ip, limit: 3/day fixed-window}\n"
    "  - {name: all, match: {path: {present: true}}, key: ip, limit: 100/day,\n"
    "     deny: [{match: {ip: 10.0.0.66}}, {match: {ip: 10.0.0.67}, until: "
    "2100-01-01T00:00:00Z}],\n"
    "     allow: [{match: {ip: 10.0.0.1}}]}\n"
    "  - {name: watched, match: {path: /login}, key: ip, limit: 1/day fixed-window, shadow: true}\n"
    "  - {name: costly, match: {costly: 'yes'}, key: ip, limit: 10/day, cost: {from: weight}}\n"
    "  - {name: queue, match: {queue: 'yes'}, key: ip, limit: 1/day burst 10 leaky-bucket}\n";

static int set_up(void **state)
{
    *state = http_desk_new(policy, NULL);
    return 0;
}

static int tear_down(void **state)
{
    http_desk_free(*state);
    return 0;
}

/* Whether `text` has `part`; says both where not. */
static void expect_in(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL) {
        fail_msg("%s\n  is not in\n%s", part, text != NULL ? text : "nothing");
    }
}

static void expect_not_in(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("%s\n  is in\n%s", part, text);
    }
}

/* ---- What is answered ---------------------------------------------------------------------- */

static void a_check_by_rules_is_decided_together(void **state)
{
    struct http_desk *desk = *state;
    static const char body[] = "{\"attributes\":{\"ip\":\"192.0.2.1\",\"path\":\"/login\"}}";
    const char *answer = http_desk_post(desk, "/v1/check", body, 200);
    expect_in(answer,
              "{\"allowed\":true,\"rule\":\"login\",\"limit\":3,\"remaining\":2,"
              "\"retry_after\":0,\"reset_after\":86400,\"delay\":0,\"source\":\"memory\","
              "\"rules\":[{\"rule\":\"login\",\"shadow\":false,\"allowed\":true,\"limit\":3");
    expect_in(answer, "{\"rule\":\"all\",\"shadow\":false,\"allowed\":true,\"limit\":100,"
                      "\"remaining\":99");
    expect_in(answer, "{\"rule\":\"watched\",\"shadow\":true,\"allowed\":true");
    answer = http_desk_post(desk, "/v1/check", body, 200);
    expect_in(answer, "{\"allowed\":true,\"rule\":\"login\",\"limit\":3,\"remaining\":1,");
    expect_in(answer, "{\"rule\":\"watched\",\"shadow\":true,\"allowed\":false");
    (void)http_desk_post(desk, "/v1/check", body, 200);
    answer = http_desk_post(desk, "/v1/check", body, 200);
    expect_in(answer, "{\"allowed\":false,\"rule\":\"login\",\"limit\":3,\"remaining\":0,"
                      "\"retry_after\":8");
    /* All or none: the other rule keeps what it had. */
    expect_in(answer, "{\"rule\":\"all\",\"shadow\":false,\"allowed\":true,\"limit\":100,"
                      "\"remaining\":97");
}

static void nothing_matching_is_allowed(void **state)
{
    const char *answer =
        http_desk_post(*state, "/v1/check", "{\"attributes\":{\"ip\":\"192.0.2.1\"}}", 200);
    assert_string_equal(answer, "{\"allowed\":true,\"rule\":null,\"limit\":null,\"remaining\":null,"
                                "\"retry_after\":0,\"reset_after\":0,\"delay\":0,\"source\":null,"
                                "\"rules\":[]}\n");
}

static void one_rule_can_be_asked_alone(void **state)
{
    const char *answer = http_desk_post(
        *state, "/v1/check",
        "{\"rule\":\"all\",\"attributes\":{\"ip\":\"192.0.2.1\",\"path\":\"/login\"}}", 200);
    expect_in(answer, "\"rule\":\"all\",\"limit\":100,\"remaining\":99");
    expect_not_in(answer, "login");
}

static void a_cost_is_taken_and_from_an_attribute_too(void **state)
{
    struct http_desk *desk = *state;
    const char *answer =
        http_desk_post(desk, "/v1/check",
                       "{\"cost\":5,\"attributes\":{\"ip\":\"192.0.2.1\",\"path\":\"/\"}}", 200);
    expect_in(answer, "\"remaining\":95");
    answer = http_desk_post(
        desk, "/v1/check",
        "{\"attributes\":{\"ip\":\"192.0.2.1\",\"costly\":\"yes\",\"weight\":\"4\"}}", 200);
    expect_in(answer, "\"rule\":\"costly\",\"limit\":10,\"remaining\":6");
    answer = http_desk_post(
        desk, "/v1/check",
        "{\"attributes\":{\"ip\":\"192.0.2.1\",\"costly\":\"yes\",\"weight\":\"11\"}}", 200);
    expect_in(answer, "{\"allowed\":false,\"rule\":\"costly\",\"limit\":10,\"remaining\":6,"
                      "\"retry_after\":null");
    answer = http_desk_post(
        desk, "/v1/check",
        "{\"attributes\":{\"ip\":\"192.0.2.1\",\"costly\":\"yes\",\"weight\":\"much\"}}", 400);
    expect_in(answer, "costly");
}

static void lists_decide_whatever_the_limit(void **state)
{
    struct http_desk *desk = *state;
    const char *answer = http_desk_post(
        desk, "/v1/check", "{\"attributes\":{\"ip\":\"10.0.0.66\",\"path\":\"/\"}}", 200);
    assert_string_equal(answer, "{\"allowed\":false,\"rule\":\"all\",\"limit\":null,"
                                "\"remaining\":null,\"retry_after\":null,\"reset_after\":0,"
                                "\"delay\":0,\"source\":null,\"rules\":[{\"rule\":\"all\","
                                "\"shadow\":false,\"allowed\":false,\"listed\":\"deny\","
                                "\"until\":null}]}\n");
    answer = http_desk_post(desk, "/v1/check",
                            "{\"attributes\":{\"ip\":\"10.0.0.67\",\"path\":\"/\"}}", 200);
    expect_in(answer, "\"until\":\"2100-01-01T00:00:00Z\"");
    expect_not_in(answer, "\"retry_after\":null");
    answer = http_desk_post(desk, "/v1/check",
                            "{\"attributes\":{\"ip\":\"10.0.0.1\",\"path\":\"/\"}}", 200);
    expect_in(answer, "{\"allowed\":true,\"rule\":\"all\",\"limit\":null,");
    expect_in(answer, "\"listed\":\"allow\"");
}

static void a_delay_is_told_and_not_held(void **state)
{
    struct http_desk *desk = *state;
    static const char body[] = "{\"attributes\":{\"ip\":\"192.0.2.1\",\"queue\":\"yes\"}}";
    expect_in(http_desk_post(desk, "/v1/check", body, 200), "\"delay\":0,");
    expect_in(http_desk_post(desk, "/v1/check", body, 200), "\"delay\":86");
    assert_int_equal(http_desk_held(desk), 0);
}

static void a_limit_can_be_brought_along(void **state)
{
    struct http_desk *desk = *state;
    static const char body[] = "{\"limit\":\"2/day\",\"key\":\"al\\u00edce\",\"name\":\"x\"}";
    const char *answer = http_desk_post(desk, "/v1/check", body, 200);
    assert_string_equal(answer,
                        "{\"allowed\":true,\"rule\":\"x\",\"limit\":2,\"remaining\":1,"
                        "\"retry_after\":0,\"reset_after\":43200,\"delay\":0,\"source\":\"memory\","
                        "\"rules\":[]}\n");
    answer =
        http_desk_post(desk, "/v1/check", "{\"limit\":\"2/day\",\"key\":\"al\\u00edce\"}", 200);
    expect_in(answer, "{\"allowed\":true,\"rule\":null,\"limit\":2,\"remaining\":1");
    answer = http_desk_post(
        desk, "/v1/check",
        "{\"cost\":2,\"name\":\"x\",\"key\":\"al\\u00edce\",\"limit\":\"2/day\"}", 200);
    expect_in(answer, "{\"allowed\":false,\"rule\":\"x\",\"limit\":2,\"remaining\":1");
    expect_in(http_desk_post(desk, "/v1/check", "{\"limit\":\"2/day\",\"key\":\"\"}", 200),
              "\"remaining\":1");
}

static void peek_takes_nothing(void **state)
{
    struct http_desk *desk = *state;
    static const char body[] = "{\"limit\":\"2/day\",\"key\":\"a\"}";
    static const char rules[] = "{\"attributes\":{\"ip\":\"192.0.2.1\",\"path\":\"/login\"}}";
    for (unsigned i = 0; i < 3; i++) {
        expect_in(http_desk_post(desk, "/v1/peek", body, 200), "\"remaining\":2");
        expect_in(http_desk_post(desk, "/v1/peek", rules, 200), "\"limit\":3,\"remaining\":3");
    }
    expect_in(http_desk_post(
                  desk, "/v1/peek",
                  "{\"cost\":4,\"attributes\":{\"ip\":\"192.0.2.1\",\"path\":\"/login\"}}", 200),
              "{\"allowed\":false");
}

static void refund_gives_back_and_reset_forgets(void **state)
{
    struct http_desk *desk = *state;
    static const char body[] = "{\"attributes\":{\"ip\":\"192.0.2.1\",\"path\":\"/login\"}}";
    (void)http_desk_post(desk, "/v1/check", body, 200);
    (void)http_desk_post(desk, "/v1/check", body, 200);
    expect_in(http_desk_post(desk, "/v1/refund", body, 200), "\"limit\":3,\"remaining\":2");
    assert_string_equal(http_desk_post(desk, "/v1/reset", body, 200),
                        "{\"reset\":true,\"rules\":[{\"rule\":\"login\",\"shadow\":false},"
                        "{\"rule\":\"all\",\"shadow\":false},"
                        "{\"rule\":\"watched\",\"shadow\":true}]}\n");
    expect_in(http_desk_post(desk, "/v1/peek", body, 200), "\"limit\":3,\"remaining\":3");
    assert_string_equal(http_desk_post(desk, "/v1/reset", "{\"attributes\":{}}", 200),
                        "{\"reset\":false,\"rules\":[]}\n");
    assert_string_equal(
        http_desk_post(desk, "/v1/reset", "{\"limit\":\"2/day\",\"key\":\"a\"}", 200),
        "{\"reset\":true,\"rules\":[]}\n");
}

static void many_are_answered_in_order(void **state)
{
    struct http_desk *desk = *state;
    const char *answer =
        http_desk_post(desk, "/v1/check",
                       "{\"checks\":[{\"limit\":\"5/day\",\"key\":\"a\",\"cost\":2},"
                       "{\"attributes\":{\"ip\":\"192.0.2.1\",\"path\":\"/\"}},"
                       "{\"limit\":\"5/day\",\"key\":\"a\"}]}",
                       200);
    expect_in(answer, "{\"results\":[{\"allowed\":true,\"rule\":null,\"limit\":5,\"remaining\":3,");
    expect_in(answer, ",{\"allowed\":true,\"rule\":\"all\",\"limit\":100,\"remaining\":99,");
    expect_in(answer, ",{\"allowed\":true,\"rule\":null,\"limit\":5,\"remaining\":2,");
    assert_string_equal(http_desk_post(desk, "/v1/check", "{\"checks\":[]}", 200),
                        "{\"results\":[]}\n");
}

static void the_headers_say_the_same(void **state)
{
    struct http_desk *desk = *state;
    struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
    const char *answer =
        http_desk_ask(desk, session, "POST /v1/check", "Content-Type: application/json\r\n",
                      "{\"attributes\":{\"ip\":\"192.0.2.1\",\"path\":\"/login\"}}");
    assert_int_equal(http_answer_status(answer), 200);
    assert_string_equal(http_answer_header(answer, "RateLimit-Policy"),
                        "\"login\";q=3;w=86400, \"all\";q=100;w=86400");
    assert_string_equal(http_answer_header(answer, "RateLimit"),
                        "\"login\";r=2;t=86400, \"all\";r=99;t=864");
    assert_string_equal(http_answer_header(answer, "Content-Type"), "application/json");
    assert_string_equal(http_answer_header(answer, "Cache-Control"), "no-store");
    assert_non_null(http_answer_header(answer, "Date"));
    assert_null(http_answer_header(answer, "Retry-After"));
}

/* ---- What is refused ----------------------------------------------------------------------- */

struct refusal {
    const char *body;
    const char *place; /* as the answer has it */
    const char *words; /* in its detail */
};

static const struct refusal refusals[] = {
    {"", "\"line\":1,\"column\":1", "no JSON"},
    {"[]", "\"line\":1,\"column\":1", "must be an object"},
    {"{}", "\"pointer\":\"\",\"line\":1,\"column\":1", "`attributes` is missing"},
    {"{\"attributes\":{}", "\"line\":1,\"column\":17", "no JSON"},
    {"{\"attributes\":{}} x", "\"line\":1,\"column\":19", "no JSON"},
    {"{\"attributes\":{},}", "\"column\":18", "no JSON"},
    {"{\"attributes\":{},\"attributes\":{}}", "\"column\":18", "no JSON"},
    {"{\n  \"attribute\": {}\n}", "\"line\":2,\"column\":3", "`attributes` is"},
    {"{\"attributes\":{},\"weight\":1}", "\"column\":18", "no member of a check"},
    {"{\"attributes\":[]}", "\"pointer\":\"/attributes\",\"line\":1,\"column\":15",
     "must be an object"},
    {"{\"attributes\":{\"a\":1}}", "\"pointer\":\"/attributes\",\"line\":1,\"column\":20",
     "`a` must be a string"},
    {"{\"attributes\":{\"a\":{}}}", "\"column\":20", "must be a string"},
    {"{\"attributes\":{},\"cost\":-1}", "\"pointer\":\"/cost\",\"line\":1,\"column\":25",
     "0 to 4294967295"},
    {"{\"attributes\":{},\"cost\":1.5}", "/cost", "whole number"},
    {"{\"attributes\":{},\"cost\":\"1\"}", "/cost", "whole number"},
    {"{\"attributes\":{},\"cost\":4294967296}", "/cost", "0 to 4294967295"},
    {"{\"attributes\":{},\"cost\":null}", "/cost", "whole number"},
    {"{\"attributes\":{},\"rule\":\"logout\"}", "\"pointer\":\"/rule\",\"line\":1,\"column\":18",
     "GET /v1/rules"},
    {"{\"attributes\":{},\"rule\":7}", "/rule", "must be a string"},
    {"{\"limit\":\"5/d\"}", "\"pointer\":\"/limit\",\"line\":1,\"column\":2", "needs a `key`"},
    {"{\"key\":\"a\"}", "\"pointer\":\"/key\"", "goes with a `limit`"},
    {"{\"attributes\":{},\"name\":\"a\"}", "\"pointer\":\"/name\"", "goes with a `limit`"},
    {"{\"limit\":\"5/d\",\"key\":\"a\",\"attributes\":{}}", "/limit", "leave out `attributes`"},
    {"{\"limit\":\"5/d\",\"key\":\"a\",\"rule\":\"login\"}", "/limit", "leave out `attributes`"},
    {"{\"limit\":\"5/fortnight\",\"key\":\"a\"}", "\"pointer\":\"/limit\"", "fortnight"},
    {"{\"limit\":5,\"key\":\"a\"}", "/limit", "must be a string"},
    {"{\"checks\":{}}", "\"pointer\":\"/checks\"", "an array of checks"},
    {"{\"checks\":[1]}", "\"pointer\":\"/checks/0\",\"line\":1,\"column\":12", "must be an object"},
    {"{\"checks\":[{\"limit\":\"5/d\",\"key\":\"a\"},{\"cost\":1}]}", "\"pointer\":\"/checks/1\"",
     "`attributes` is missing"},
    {"{\"checks\":[{\"limit\":\"5/d\",\"key\":\"a\",\"cost\":{}}]}",
     "\"pointer\":\"/checks/0/cost\"", "whole number"},
    {"{\"checks\":[{\"checks\":[]}]}", "\"pointer\":\"/checks/0\"", "no member of a check"},
    {"{\"checks\":[],\"cost\":1}", "\"column\":14", "stands alone"},
    {"{\"cost\":1,\"checks\":[]}", "\"column\":11", "stands alone"},
    {"{\"checks\":[{\"limit\":\"1/d\",\"key\":\"a\"},{\"limit\":\"1/d\",\"key\":\"a\"},"
     "{\"limit\":\"1/d\",\"key\":\"a\"},{\"limit\":\"1/d\",\"key\":\"a\"}]}",
     "\"pointer\":\"/checks/3\"", "more than 3 checks"},
};

static void what_is_wrong_is_said_with_its_place(void **state)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const char *answer = http_desk_post(*state, "/v1/check", refusals[i].body, 400);
        expect_in(answer, "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,");
        expect_in(answer, refusals[i].place);
        expect_in(answer, refusals[i].words);
    }
}

static void what_is_refused_takes_nothing(void **state)
{
    struct http_desk *desk = *state;
    (void)http_desk_post(desk, "/v1/check",
                         "{\"checks\":[{\"limit\":\"2/day\",\"key\":\"a\"},{\"limit\":\"2/day\"}]}",
                         400);
    expect_in(http_desk_post(desk, "/v1/peek", "{\"limit\":\"2/day\",\"key\":\"a\"}", 200),
              "\"remaining\":2");
}

/* `count` attributes, the first with a name of `name` and a value of `value` bytes. */
static char *with_attributes(size_t count, size_t name, size_t value)
{
    struct weir_buffer body = {0};
    weir_buffer_put_text(&body, "{\"attributes\":{");
    for (size_t i = 0; i < count; i++) {
        weir_buffer_print(&body, "%s\"", i > 0 ? "," : "");
        for (size_t j = 0; j < (i == 0 ? name : 0); j++) {
            weir_buffer_put_text(&body, "n");
        }
        weir_buffer_print(&body, "%s\":\"", i == 0 ? "" : (char[]){'a', (char)('0' + i % 70), 0});
        for (size_t j = 0; j < (i == 0 ? value : 1); j++) {
            weir_buffer_put_text(&body, "v");
        }
        weir_buffer_put_text(&body, "\"");
    }
    weir_buffer_put(&body, weir_bytes("}}", 3));
    return body.bytes;
}

static void attributes_have_bounds(void **state)
{
    static const struct {
        size_t count, name, value;
        unsigned status;
    } cases[] = {
        {1, 64, 8192, 200},
        {1, 65, 1, 400},
        {1, 1, 8193, 400},
        {44, 1, 1, 200},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *body = with_attributes(cases[i].count, cases[i].name, cases[i].value);
        (void)http_desk_post(*state, "/v1/check", body, cases[i].status);
        free(body);
    }
    for (size_t count = WEIR_ATTRIBUTES_MAX; count <= WEIR_ATTRIBUTES_MAX + 1; count++) {
        struct weir_buffer body = {0};
        weir_buffer_put_text(&body, "{\"attributes\":{\"a\":\"\"");
        for (size_t i = 1; i < count; i++) {
            weir_buffer_print(&body, ",\"a%zu\":\"\"", i);
        }
        weir_buffer_put(&body, weir_bytes("}}", 3));
        (void)http_desk_post(*state, "/v1/check", body.bytes,
                             count <= WEIR_ATTRIBUTES_MAX ? 200 : 400);
        weir_buffer_deinit(&body);
    }
}

static void a_key_has_a_bound(void **state)
{
    for (size_t len = WEIR_KEY_MAX; len <= WEIR_KEY_MAX + 1; len++) {
        char body[WEIR_KEY_MAX + 64];
        (void)snprintf(body, sizeof(body), "{\"limit\":\"1/d\",\"key\":\"%0*d\"}", (int)len, 0);
        const char *answer =
            http_desk_post(*state, "/v1/check", body, len <= WEIR_KEY_MAX ? 200 : 400);
        if (len > WEIR_KEY_MAX) {
            expect_in(answer, "\"pointer\":\"/key\"");
        }
    }
}

static void a_body_must_say_that_it_is_json(void **state)
{
    static const struct {
        const char *type;
        unsigned status;
    } cases[] = {
        {"application/json", 200},
        {"Application/JSON; charset=utf-8", 200},
        {"application/json ;charset=utf-8", 200},
        {"application/x-www-form-urlencoded", 415},
        {"text/plain", 415},
        {"application/jsonx", 415},
        {"", 415},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[96] = "";
        struct weir_session *session = http_desk_peer(*state, "192.0.2.1");
        if (cases[i].type[0] != '\0') {
            (void)snprintf(line, sizeof(line), "Content-Type: %s\r\n", cases[i].type);
        }
        const char *answer =
            http_desk_ask(*state, session, "POST /v1/peek", line, "{\"attributes\":{}}");
        assert_int_equal(http_answer_status(answer), cases[i].status);
        if (cases[i].status == 415) {
            assert_string_equal(http_answer_header(answer, "Accept"), "application/json");
        }
        http_desk_leave(*state, session);
    }
}

static void limits_of_ones_own_can_be_turned_off(void **state)
{
    (void)state;
    struct http_desk *desk = http_desk_new("ad_hoc: false\nrules: []\n", NULL);
    expect_in(http_desk_post(desk, "/v1/check", "{\"limit\":\"5/d\",\"key\":\"a\"}", 403),
              "ad_hoc: true");
    http_desk_free(desk);
}

/* A log that outgrows the store's memory: nobody knows, and it says so. */
static void what_could_not_be_decided_is_a_503(void **state)
{
    (void)state;
    struct http_desk *desk = http_desk_new("rules: []\n", "memory:?size=8KiB&log=64KiB");
    static const char one[] = "{\"limit\":\"10000/day sliding-log\",\"key\":\"a\"}";
    static const char many[] = "{\"checks\":[{\"limit\":\"10000/day sliding-log\",\"key\":\"a\"},"
                               "{\"limit\":\"5/day\",\"key\":\"a\"}]}";
    struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
    const char *answer = NULL;
    unsigned status = 200;
    for (unsigned i = 0; i < 10000 && status == 200; i++) {
        answer = http_desk_ask(desk, session, "POST /v1/check",
                               "Content-Type: application/json\r\n", one);
        status = http_answer_status(answer);
    }
    assert_int_equal(status, 503);
    expect_in(answer, "\"status\":503");
    answer = http_desk_post(desk, "/v1/check", many, 200);
    expect_in(answer, "{\"results\":[{\"error\":{\"type\":\"about:blank\","
                      "\"title\":\"Service Unavailable\",\"status\":503,");
    expect_in(answer, "}},{\"allowed\":true,");
    http_desk_free(desk);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_check_by_rules_is_decided_together),
        CASE(nothing_matching_is_allowed),
        CASE(one_rule_can_be_asked_alone),
        CASE(a_cost_is_taken_and_from_an_attribute_too),
        CASE(lists_decide_whatever_the_limit),
        CASE(a_delay_is_told_and_not_held),
        CASE(a_limit_can_be_brought_along),
        CASE(peek_takes_nothing),
        CASE(refund_gives_back_and_reset_forgets),
        CASE(many_are_answered_in_order),
        CASE(the_headers_say_the_same),
        CASE(what_is_wrong_is_said_with_its_place),
        CASE(what_is_refused_takes_nothing),
        CASE(attributes_have_bounds),
        CASE(a_key_has_a_bound),
        CASE(a_body_must_say_that_it_is_json),
        cmocka_unit_test(limits_of_ones_own_can_be_turned_off),
        cmocka_unit_test(what_could_not_be_decided_is_a_503),
    };
    return cmocka_run_group_tests_name("http_check", tests, NULL, NULL);
}
