/* http_forward_test.c - /v1/forward-auth: what is believed of a proxy, what the rules then see of
 * the request, and how a decision is told in a status and headers. */

#include "support/http_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char policy[] =
    "listen:\n"
    "  - {http: '127.0.0.1:0', trusted_proxies: [10.0.0.0/8], x_ratelimit: true}\n"
    "caps: {hold: 1h}\n"
    "rules:\n"
    "  - {name: login, match: {path: /login, method: POST}, key: ip, limit: 2/day fixed-window}\n"
    "  - {name: 'odd\"name\\\xc3\xa9', match: {host: odd.example}, key: ip, limit: 20/day burst "
    "5}\n"
    "  - {name: api, key: header.X-Api-Key, limit: 5/day fixed-window}\n"
    "  - {name: session, key: cookie.sid, limit: 5/day fixed-window}\n"
    "  - {name: user, key: query.user, limit: 5/day fixed-window}\n"
    "  - {name: plain, match: {scheme: http, path: {prefix: /plain}}, key: ip,\n"
    "     limit: 5/500ms}\n"
    "  - {name: monthly, match: {path: /month}, key: ip, limit: 5/month calendar-window}\n"
    "  - {name: epoch, match: {path: /epoch}, key: ip, limit: 5/366d calendar-window epoch}\n"
    "  - {name: queue, match: {path: /queue}, key: ip, limit: 2/h burst 10 leaky-bucket}\n"
    "  - {name: seen, match: {path: /seen}, key: ip, limit: 1/day fixed-window, shadow: true}\n"
    "  - {name: gate, match: {path: /gate}, key: ip, limit: 1/day fixed-window}\n"
    "  - {name: gate-seen, match: {path: /gate}, key: ip, limit: 1/day fixed-window, shadow: "
    "true}\n"
    "  - {name: barred, match: {path: /barred}, key: ip, limit: 9/day,\n"
    "     deny: [{match: {ip: {present: true}}}]}\n";

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

/* What /v1/forward-auth says to a new peer of that address with these header lines. */
static const char *ask(struct http_desk *desk, const char *address, const char *headers)
{
    static char answer[4096];
    struct weir_session *session = http_desk_peer(desk, address);
    (void)snprintf(answer, sizeof(answer), "%s",
                   http_desk_ask(desk, session, "GET /v1/forward-auth", headers, NULL));
    http_desk_leave(desk, session);
    return answer;
}

#define TRAEFIK(method, uri, from)                                    \
    "X-Forwarded-Method: " method                                     \
    "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n" \
    "X-Forwarded-Uri: " uri "\r\nX-Forwarded-For: " from "\r\n"

/* How often such a request passes until it is denied; at most 9. */
static unsigned passes(struct http_desk *desk, const char *address, const char *headers)
{
    unsigned count = 0;
    while (count < 9 && http_answer_status(ask(desk, address, headers)) == 200) {
        count++;
    }
    return count;
}

static void expect_policies(const char *answer, const char *policies, const char *limits)
{
    const char *found = http_answer_header(answer, "RateLimit-Policy");
    assert_non_null(found);
    assert_string_equal(found, policies);
    found = http_answer_header(answer, "RateLimit");
    assert_non_null(found);
    assert_string_equal(found, limits);
}

/* ---- The answer ---------------------------------------------------------------------------- */

static void it_is_allowed_and_then_denied(void **state)
{
    struct http_desk *desk = *state;
    const char *answer = ask(desk, "10.0.0.1", TRAEFIK("POST", "/login?a=b", "192.0.2.7"));
    assert_int_equal(http_answer_status(answer), 200);
    expect_policies(answer, "\"login\";q=2;w=86400", "\"login\";r=1;t=86400");
    assert_string_equal(http_answer_header(answer, "X-RateLimit-Limit"), "2");
    assert_string_equal(http_answer_header(answer, "X-RateLimit-Remaining"), "1");
    assert_string_equal(http_answer_header(answer, "X-RateLimit-Reset"), "86400");
    assert_string_equal(http_answer_header(answer, "Content-Length"), "0");
    assert_null(http_answer_header(answer, "Retry-After"));
    (void)ask(desk, "10.0.0.1", TRAEFIK("POST", "/login", "192.0.2.7"));
    answer = ask(desk, "10.0.0.1", TRAEFIK("POST", "/login", "192.0.2.7"));
    assert_int_equal(http_answer_status(answer), 429);
    assert_string_equal(http_answer_header(answer, "Retry-After"), "86400");
    assert_string_equal(http_answer_header(answer, "RateLimit"), "\"login\";r=0;t=86400");
    assert_string_equal(http_answer_header(answer, "Content-Type"), "application/problem+json");
    assert_non_null(strstr(http_answer_body(answer), "#quota-exceeded\""));
    assert_non_null(strstr(http_answer_body(answer), "\"violated-policies\":[\"login\"]"));
    /* Another client's budget is its own. */
    answer = ask(desk, "10.0.0.1", TRAEFIK("POST", "/login", "192.0.2.8"));
    assert_int_equal(http_answer_status(answer), 200);
}

static void without_a_rule_it_is_allowed_without_headers(void **state)
{
    const char *answer = ask(*state, "10.0.0.1", TRAEFIK("GET", "/", "192.0.2.7"));
    assert_int_equal(http_answer_status(answer), 200);
    assert_null(http_answer_header(answer, "RateLimit-Policy"));
    assert_null(http_answer_header(answer, "RateLimit"));
    assert_null(http_answer_header(answer, "X-RateLimit-Limit"));
}

static void shadow_rules_are_not_told(void **state)
{
    for (unsigned i = 0; i < 3; i++) {
        const char *answer = ask(*state, "10.0.0.1", TRAEFIK("GET", "/seen", "192.0.2.7"));
        assert_int_equal(http_answer_status(answer), 200);
        assert_null(http_answer_header(answer, "RateLimit"));
    }
}

static void a_shadow_rule_is_no_policy_that_was_violated(void **state)
{
    static const char headers[] = TRAEFIK("GET", "/gate", "192.0.2.7");
    (void)ask(*state, "10.0.0.1", headers);
    const char *answer = ask(*state, "10.0.0.1", headers);
    assert_int_equal(http_answer_status(answer), 429);
    assert_non_null(strstr(http_answer_body(answer), "\"violated-policies\":[\"gate\"]"));
}

static void names_are_strings_of_rfc_9651(void **state)
{
    const char *answer = ask(
        *state, "10.0.0.1", "X-Forwarded-Host: Odd.Example:8443\r\nX-Forwarded-For: 192.0.2.7\r\n");
    expect_policies(answer, "\"odd\\\"name\\\\%C3%A9\";q=20;w=86400;weir-burst=5",
                    "\"odd\\\"name\\\\%C3%A9\";r=4;t=4320");
}

static void a_window_without_one_length_has_no_w(void **state)
{
    const char *answer = ask(*state, "10.0.0.1", TRAEFIK("GET", "/month", "192.0.2.7"));
    assert_string_equal(http_answer_header(answer, "RateLimit-Policy"), "\"monthly\";q=5");
    answer = ask(*state, "10.0.0.1", "X-Forwarded-Uri: /plain/x\r\nX-Forwarded-For: 192.0.2.7\r\n");
    assert_string_equal(http_answer_header(answer, "RateLimit-Policy"), "\"plain\";q=5");
    answer = ask(*state, "10.0.0.1", TRAEFIK("GET", "/epoch", "192.0.2.7"));
    assert_string_equal(http_answer_header(answer, "RateLimit-Policy"), "\"epoch\";q=5;w=31622400");
}

static void several_policies_stand_with_the_tightest_first(void **state)
{
    const char *answer =
        ask(*state, "10.0.0.1", TRAEFIK("POST", "/login?user=7", "192.0.2.7") "Cookie: sid=1\r\n");
    const char *policies = http_answer_header(answer, "RateLimit-Policy");
    assert_int_equal(strncmp(policies, "\"login\";q=2;w=86400, ", 21), 0);
    assert_non_null(strstr(policies, ", \"session\";q=5;w=86400"));
    assert_non_null(strstr(policies, ", \"user\";q=5;w=86400"));
}

static void a_deny_list_denies_without_a_time(void **state)
{
    const char *answer = ask(*state, "10.0.0.1", TRAEFIK("GET", "/barred", "192.0.2.7"));
    assert_int_equal(http_answer_status(answer), 429);
    assert_null(http_answer_header(answer, "Retry-After"));
    assert_non_null(strstr(http_answer_body(answer), "\"retry_after\":null"));
    assert_non_null(strstr(http_answer_body(answer), "[\"barred\"]"));
}

static void a_denial_can_be_a_403(void **state)
{
    struct http_desk *desk = *state;
    struct weir_session *session = http_desk_peer(desk, "10.0.0.1");
    static const char headers[] = TRAEFIK("GET", "/barred", "192.0.2.7");
    const char *answer =
        http_desk_ask(desk, session, "GET /v1/forward-auth?denied=403", headers, NULL);
    assert_int_equal(http_answer_status(answer), 403);
    answer = http_desk_ask(desk, session, "GET /v1/forward-auth?denied=429", headers, NULL);
    assert_int_equal(http_answer_status(answer), 429);
    answer = http_desk_ask(desk, session, "GET /v1/forward-auth?denied=500", headers, NULL);
    assert_int_equal(http_answer_status(answer), 400);
    assert_non_null(strstr(http_answer_body(answer), "?denied=403"));
}

static void any_method_asks(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND"};
    struct http_desk *desk = *state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        char what[64];
        struct weir_session *session = http_desk_peer(desk, "10.0.0.1");
        (void)snprintf(what, sizeof(what), "%s /v1/forward-auth", methods[i]);
        const char *answer =
            http_desk_ask(desk, session, what, TRAEFIK("GET", "/barred", "192.0.2.7"), NULL);
        assert_int_equal(http_answer_status(answer), 429);
        assert_int_equal(http_answer_body(answer)[0] == '\0', strcmp(methods[i], "HEAD") == 0);
        http_desk_leave(desk, session);
    }
}

/* ---- leaky-bucket -------------------------------------------------------------------------- */

static void an_answer_is_held_for_its_delay(void **state)
{
    struct http_desk *desk = *state;
    static const char headers[] = TRAEFIK("GET", "/queue", "192.0.2.7");
    assert_int_equal(http_answer_status(ask(desk, "10.0.0.1", headers)), 200);
    assert_int_equal(http_desk_held(desk), 0);
    struct weir_session *session = http_desk_peer(desk, "10.0.0.1");
    const char *answer = http_desk_ask(desk, session, "GET /v1/forward-auth", headers, NULL);
    assert_string_equal(answer, "");
    assert_in_range(http_desk_held(desk), INT64_C(1790000000), INT64_C(1800000000));
    answer = http_desk_release(desk, session);
    assert_int_equal(http_answer_status(answer), 200);
    http_desk_leave(desk, session);
    /* The third would be held for 3600 s, about the cap, the fourth for longer. */
    session = http_desk_peer(desk, "10.0.0.1");
    (void)http_desk_ask(desk, session, "GET /v1/forward-auth", headers, NULL);
    assert_true(http_desk_held(desk) > 0);
    http_desk_leave(desk, session);
    assert_int_equal(http_desk_held(desk), 0);
    answer = ask(desk, "10.0.0.1", headers);
    assert_int_equal(http_answer_status(answer), 429);
    assert_string_equal(http_answer_header(answer, "Retry-After"), "5400");
}

/* ---- What is believed ---------------------------------------------------------------------- */

static void only_a_trusted_proxy_is_believed(void **state)
{
    struct http_desk *desk = *state;
    /* Nothing of it, from a stranger: it is a GET of nothing known by 192.0.2.1. */
    assert_int_equal(passes(desk, "192.0.2.1", TRAEFIK("POST", "/login", "192.0.2.7")), 9);
    assert_int_equal(passes(desk, "192.0.2.1", TRAEFIK("GET", "/barred", "192.0.2.7")), 9);
    assert_int_equal(passes(desk, "10.1.2.3", TRAEFIK("POST", "/login", "192.0.2.7")), 2);
    assert_int_equal(passes(desk, "::ffff:10.1.2.3", TRAEFIK("POST", "/login", "192.0.2.6")), 2);
    assert_int_equal(passes(desk, "", TRAEFIK("POST", "/login", "192.0.2.5")), 2);
}

static void what_the_client_wrote_itself_is_not_believed(void **state)
{
    struct http_desk *desk = *state;
    assert_int_equal(passes(desk, "10.0.0.1", TRAEFIK("POST", "/login", "192.0.2.7")), 2);
    assert_int_equal(
        passes(desk, "10.0.0.1", TRAEFIK("POST", "/login", "203.0.113.1, 192.0.2.7, 10.0.0.9")), 0);
    const char *answer = ask(
        desk, "10.0.0.1", TRAEFIK("POST", "/login", "192.0.2.7") "X-Original-URI: /elsewhere\r\n");
    assert_int_equal(http_answer_status(answer), 400);
    assert_non_null(strstr(http_answer_body(answer), "different things of the URI"));
    answer = ask(desk, "10.0.0.1",
                 TRAEFIK("POST", "/login", "192.0.2.7") "Forwarded: for=203.0.113.1\r\n");
    assert_int_equal(http_answer_status(answer), 400);
    answer = ask(desk, "10.0.0.1", TRAEFIK("POST", "/login", "nobody"));
    assert_int_equal(http_answer_status(answer), 400);
    assert_non_null(strstr(http_answer_body(answer), "X-Forwarded-For has no address"));
}

static void nginx_is_understood(void **state)
{
    struct http_desk *desk = *state;
    static const char headers[] =
        "X-Original-Method: POST\r\nX-Original-URI: /login?next=%2F\r\nX-Real-IP: 192.0.2.7\r\n";
    static const char ingress[] = "X-Original-Method: POST\r\nX-Original-URL: "
                                  "https://a.example/login\r\nX-Real-IP: 192.0.2.8\r\n";
    assert_int_equal(passes(desk, "10.0.0.1", headers), 2);
    assert_int_equal(passes(desk, "10.0.0.1", ingress), 2);
}

static void a_path_is_the_same_however_it_is_written(void **state)
{
    struct http_desk *desk = *state;
    (void)ask(desk, "10.0.0.1", TRAEFIK("POST", "/login", "192.0.2.7"));
    (void)ask(desk, "10.0.0.1", TRAEFIK("POST", "/x/../%6Cogin", "192.0.2.7"));
    const char *answer = ask(desk, "10.0.0.1", TRAEFIK("POST", "//login?x", "192.0.2.7"));
    assert_int_equal(http_answer_status(answer), 429);
    answer = ask(desk, "10.0.0.1", TRAEFIK("POST", "/login%00", "192.0.2.7"));
    assert_int_equal(http_answer_status(answer), 400);
}

static void headers_cookies_and_queries_are_attributes(void **state)
{
    struct http_desk *desk = *state;
    assert_int_equal(passes(desk, "10.0.0.1", "x-api-key: k1\r\n"), 5);
    assert_int_equal(passes(desk, "10.0.0.1", "X-API-KEY: k2\r\n"), 5);
    /* A header that comes twice is both, so that neither can be hidden behind the other. */
    assert_int_equal(passes(desk, "10.0.0.1", "X-Api-Key: a\r\nx-api-key: b\r\n"), 5);
    assert_int_equal(passes(desk, "10.0.0.1", "X-Api-Key: a, b\r\n"), 0);
    /* However often it comes, it is one attribute. */
    char often[2048] = "";
    for (unsigned i = 0; i < WEIR_ATTRIBUTES_MAX + 6; i++) {
        strcat(often, "X-Api-Key: a\r\n");
    }
    assert_int_equal(passes(desk, "10.0.0.1", often), 5);
    assert_int_equal(passes(desk, "10.0.0.1", "Cookie: a=1; sid=s1; b=2\r\n"), 5);
    assert_int_equal(passes(desk, "10.0.0.1", "Cookie: c=3\r\nCookie: sid=s1\r\n"), 0);
    assert_int_equal(passes(desk, "10.0.0.1", "X-Forwarded-Uri: /?a=b&user=al%69ce+x\r\n"), 5);
    assert_int_equal(passes(desk, "10.0.0.1", "X-Forwarded-Uri: /?user=alice%20x&a\r\n"), 0);
    assert_int_equal(passes(desk, "10.0.0.1", "X-Forwarded-Uri: /?user=b&user=c&user=d\r\n"), 5);
    assert_int_equal(passes(desk, "10.0.0.1", "X-Forwarded-Uri: /?user=b\r\n"), 0);
    assert_int_equal(http_answer_status(ask(desk, "10.0.0.1", "X-Forwarded-Uri: /?user=%zz\r\n")),
                     400);
}

static void a_reload_changes_what_is_looked_at(void **state)
{
    struct http_desk *desk = *state;
    assert_int_equal(passes(desk, "10.0.0.1", "X-Tenant: t\r\n"), 9);
    http_desk_reload(desk, "rules: [{name: t, key: header.x-tenant, limit: 3/day fixed-window}]\n");
    assert_int_equal(passes(desk, "10.0.0.1", "X-Tenant: t\r\n"), 3);
    assert_int_equal(passes(desk, "10.0.0.1", "X-Api-Key: k1\r\n"), 9);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_is_allowed_and_then_denied),
        CASE(without_a_rule_it_is_allowed_without_headers),
        CASE(shadow_rules_are_not_told),
        CASE(a_shadow_rule_is_no_policy_that_was_violated),
        CASE(names_are_strings_of_rfc_9651),
        CASE(a_window_without_one_length_has_no_w),
        CASE(several_policies_stand_with_the_tightest_first),
        CASE(a_deny_list_denies_without_a_time),
        CASE(a_denial_can_be_a_403),
        CASE(any_method_asks),
        CASE(an_answer_is_held_for_its_delay),
        CASE(only_a_trusted_proxy_is_believed),
        CASE(what_the_client_wrote_itself_is_not_believed),
        CASE(nginx_is_understood),
        CASE(a_path_is_the_same_however_it_is_written),
        CASE(headers_cookies_and_queries_are_attributes),
        CASE(a_reload_changes_what_is_looked_at),
    };
    return cmocka_run_group_tests_name("http_forward", tests, NULL, NULL);
}
