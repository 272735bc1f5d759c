/* http_session_test.c - a connection: requests in any pieces, answers in order, every status,
 * rights, and what the server says of itself. */

#include "support/http_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECRET_ALL "secret-of-the-administrator"
#define SECRET_READ "secret-of-the-reader"

static const char policy[] = "caps: {pipeline: 4}\n"
                             "rules: [{name: a, key: ip, limit: 5/day fixed-window}]\n";

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

/* The answer's bytes with each Date's value left out, as it may change between two runs. */
static void without_dates(char *text)
{
    for (char *at = strstr(text, "Date: "); at != NULL; at = strstr(at + 6, "Date: ")) {
        memset(at + 6, '-', 29);
    }
}

static const char many[] =
    "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    "POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    "Content-Length: 35\r\n\r\n{\"attributes\":{\"ip\":\"192.0.2.1\"}}\r\n"
    "GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\n\r\n"
    "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
    "POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n"
    "HEAD /v1/status HTTP/1.1\r\nHost: a\r\n\r\n"
    "DELETE /v1/check HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

static void pieces_make_no_difference(void **state)
{
    (void)state;
    char *whole = NULL;
    for (size_t piece = 0; piece < sizeof(many); piece++) {
        struct http_desk *desk = http_desk_new(policy, NULL);
        struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
        char *said =
            strdup(http_desk_bytes(desk, session, weir_bytes(many, sizeof(many) - 1), piece));
        without_dates(said);
        assert_true(session->closing);
        if (whole == NULL) {
            whole = said;
        } else {
            assert_string_equal(said, whole);
            free(said);
        }
        http_desk_free(desk);
    }
    static const unsigned statuses[] = {200, 200, 200, 404, 400, 200, 405};
    const char *at = whole;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        assert_non_null(at);
        assert_int_equal(http_answer_status(at), statuses[i]);
        at = strstr(at + 1, "HTTP/1.1 ");
    }
    assert_null(at);
    free(whole);
}

/* Two pieces, cut at every place. */
static void a_request_may_be_cut_anywhere(void **state)
{
    static const char request[] =
        "POST /v1/peek HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
        "12\r\n{\"attributes\":{\"ip\r\nd\r\n\":\"192.0.2.1\"\r\n2\r\n}}\r\n0\r\n\r\n";
    struct http_desk *desk = *state;
    for (size_t cut = 1; cut < sizeof(request) - 1; cut++) {
        struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
        const char *answer = http_desk_bytes(desk, session, weir_bytes(request, cut), 0);
        assert_string_equal(answer, "");
        assert_true(session->partial);
        answer = http_desk_bytes(desk, session, weir_bytes(request, sizeof(request) - 1), 0);
        assert_int_equal(http_answer_status(answer), 200);
        assert_false(session->partial);
        http_desk_leave(desk, session);
    }
}

static void a_full_pipeline_is_read_no_further(void **state)
{
    struct http_desk *desk = *state;
    struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
    static const char request[] = "GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\n\r\n";
    struct weir_buffer input = {0};
    for (unsigned i = 0; i < 6; i++) {
        weir_buffer_put_text(&input, request);
    }
    weir_desk_turn(http_desk_of(desk));
    const size_t used = session->ops->read(session, weir_buffer_bytes(&input));
    assert_int_equal(used, 4 * (sizeof(request) - 1));
    assert_int_equal(session->owed, 4);
    assert_false(session->partial);
    weir_desk_flush(http_desk_of(desk));
    assert_int_equal(session->owed, 0);
    weir_buffer_deinit(&input);
}

static void a_peer_that_waits_is_told_to_continue(void **state)
{
    struct http_desk *desk = *state;
    struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
    static const char head[] = "POST /v1/peek HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                               "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n";
    static const char whole[] = "POST /v1/peek HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                                "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n"
                                "{\"attributes\":{}}";
    assert_string_equal(http_desk_bytes(desk, session, weir_bytes(head, sizeof(head) - 1), 0),
                        "HTTP/1.1 100 Continue\r\n\r\n");
    const char *answer = http_desk_bytes(desk, session, weir_bytes(whole, sizeof(whole) - 1), 0);
    assert_int_equal(http_answer_status(answer), 200);
}

static void a_connection_stays_or_goes_as_asked(void **state)
{
    static const struct {
        const char *request;
        const char *connection;
        bool closing;
    } cases[] = {
        {"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", NULL, false},
        {"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close", true},
        {"GET /healthz HTTP/1.0\r\n\r\n", "close", true},
        {"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", false},
        {"GET /v1/forward-auth HTTP/1.0\r\n\r\n", "close", true},
        {"GET /v1/forward-auth HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", false},
    };
    struct http_desk *desk = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
        const char *answer = http_desk_bytes(desk, session, weir_text(cases[i].request), 0);
        const char *connection = http_answer_header(answer, "Connection");
        assert_int_equal(http_answer_status(answer), 200);
        assert_int_equal(connection == NULL, cases[i].connection == NULL);
        if (connection != NULL) {
            assert_string_equal(connection, cases[i].connection);
        }
        assert_int_equal(session->closing, cases[i].closing);
        http_desk_leave(desk, session);
    }
}

/* Each with what comes first, and closed. */
static void what_is_no_request_is_answered_and_closed(void **state)
{
    static const struct {
        const char *request;
        unsigned status;
    } cases[] = {
        {"hello\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413},
    };
    struct http_desk *desk = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
        char input[512];
        (void)snprintf(input, sizeof(input), "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n%s",
                       cases[i].request);
        const char *answer = http_desk_bytes(desk, session, weir_text(input), 0);
        assert_int_equal(http_answer_status(answer), 200);
        answer = strstr(answer, "ok\n") + 3;
        assert_int_equal(http_answer_status(answer), cases[i].status);
        assert_string_equal(http_answer_header(answer, "Connection"), "close");
        assert_string_equal(http_answer_header(answer, "Content-Type"), "application/problem+json");
        assert_non_null(strstr(http_answer_body(answer), "\"detail\":\""));
        assert_true(session->closing);
        http_desk_leave(desk, session);
    }
}

static void endpoints_have_their_methods(void **state)
{
    static const struct {
        const char *what;
        unsigned status;
        const char *allow;
    } cases[] = {
        {"GET /v1/check", 405, "POST"},
        {"OPTIONS /v1/reset", 405, "POST"},
        {"POST /v1/status", 405, "GET, HEAD"},
        {"POST /metrics", 405, "GET, HEAD"},
        {"POST /healthz", 405, "GET, HEAD"},
        {"GET /v1/", 404, NULL},
        {"GET /", 404, NULL},
        {"GET /v1/check/", 404, NULL},
        {"GET /healthz", 200, NULL},
        {"HEAD /healthz", 200, NULL},
        {"GET /readyz", 200, NULL},
        {"GET /openapi.json", 200, NULL},
        {"GET /v1/status", 200, NULL},
        {"GET /v1/rules", 200, NULL},
        {"GET /v1/top", 200, NULL},
        {"GET /metrics", 200, NULL},
        {"GET /healthz?a", 400, NULL},
        {"GET /v1/top?count=0", 400, NULL},
        {"GET /v1/top?count=1001", 400, NULL},
        {"GET /v1/top?count=1000", 200, NULL},
        {"GET /v1/top?cuont=1", 400, NULL},
        {"GET /v1/top?rule=b", 404, NULL},
        {"GET /v1/top?rule=%61", 200, NULL},
        {"GET /v1/top?rule=a&rule=a", 400, NULL},
        {"GET /v1/rules?count=1001", 400, NULL},
        {"GET /v1/rules?from=x", 400, NULL},
        {"GET /v1/rules?rule=a", 200, NULL},
        {"GET /v1/rules?rule=%", 400, NULL},
    };
    struct http_desk *desk = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
        const char *answer = http_desk_ask(desk, session, cases[i].what, "", NULL);
        if (http_answer_status(answer) != cases[i].status) {
            fail_msg("%s: %s", cases[i].what, answer);
        }
        const char *allow = http_answer_header(answer, "Allow");
        assert_int_equal(allow == NULL, cases[i].allow == NULL);
        if (allow != NULL) {
            assert_string_equal(allow, cases[i].allow);
        }
        const bool has_body = http_answer_body(answer)[0] != '\0';
        assert_int_equal(has_body, strncmp(cases[i].what, "HEAD", 4) != 0);
        http_desk_leave(desk, session);
    }
}

/* ---- Rights -------------------------------------------------------------------------------- */

static const char guarded[] =
    "listen:\n"
    "  - http: 127.0.0.1:0\n"
    "    tokens:\n"
    "      - {name: all, env: WEIR_TEST_ALL, rights: [decide, read, administer]}\n"
    "      - {name: reader, env: WEIR_TEST_READ, rights: [read]}\n"
    "rules: []\n";

static void a_token_gives_its_rights(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *authorization;
        unsigned status;
    } cases[] = {
        {"GET /healthz", "", 200},
        {"GET /readyz", "", 200},
        {"GET /openapi.json", "", 200},
        {"GET /v1/status", "", 401},
        {"GET /v1/status", "Authorization: Bearer " SECRET_READ "\r\n", 200},
        {"GET /v1/status", "authorization: bearer  " SECRET_READ "\r\n", 200},
        {"GET /v1/status", "Authorization: Bearer " SECRET_READ "x\r\n", 401},
        {"GET /v1/status", "Authorization: Bearer \r\n", 401},
        {"GET /v1/status", "Authorization: Basic " SECRET_READ "\r\n", 401},
        {"GET /v1/status", "Authorization: " SECRET_READ "\r\n", 401},
        {"GET /metrics", "Authorization: Bearer " SECRET_READ "\r\n", 200},
        {"GET /v1/forward-auth", "Authorization: Bearer " SECRET_READ "\r\n", 403},
        {"GET /v1/forward-auth", "", 401},
        {"GET /v1/forward-auth", "Authorization: Bearer " SECRET_ALL "\r\n", 200},
        {"POST /v1/reset", "Authorization: Bearer " SECRET_READ "\r\n", 403},
        {"POST /v1/reset", "Authorization: Bearer " SECRET_ALL "\r\n", 415},
        {"POST /v1/check", "Authorization: Bearer " SECRET_ALL "\r\n", 415},
    };
    setenv("WEIR_TEST_ALL", SECRET_ALL, 1);
    setenv("WEIR_TEST_READ", SECRET_READ, 1);
    struct http_desk *desk = http_desk_new(guarded, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
        const char *answer =
            http_desk_ask(desk, session, cases[i].what, cases[i].authorization, NULL);
        if (http_answer_status(answer) != cases[i].status) {
            fail_msg("%s %s: %s", cases[i].what, cases[i].authorization, answer);
        }
        const char *challenge = http_answer_header(answer, "WWW-Authenticate");
        assert_int_equal(challenge != NULL, cases[i].status == 401);
        assert_null(strstr(answer, "secret-of"));
        http_desk_leave(desk, session);
    }
    http_desk_free(desk);
}

/* A proxy hands on its clients' own Authorization, which is nothing of ours. */
static void anothers_authorization_does_no_harm(void **state)
{
    struct weir_session *session = http_desk_peer(*state, "192.0.2.1");
    const char *answer = http_desk_ask(*state, session, "GET /v1/forward-auth",
                                       "Authorization: Bearer of-another-service\r\n", NULL);
    assert_int_equal(http_answer_status(answer), 200);
}

/* ---- What it says of itself ---------------------------------------------------------------- */

static const char *get(struct http_desk *desk, const char *path)
{
    char what[64];
    struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
    (void)snprintf(what, sizeof(what), "GET %s", path);
    const char *body = http_answer_body(http_desk_ask(desk, session, what, "", NULL));
    http_desk_leave(desk, session);
    return body;
}

static void status_is_told(void **state)
{
    assert_string_equal(
        get(*state, "/v1/status"),
        "{\"version\":\"0.1.0\",\"compiler\":\"cc\",\"started_at\":\"2026-01-01T00:00:00Z\","
        "\"at\":\"2026-01-01T00:00:01Z\",\"ready\":true,\"why_not_ready\":null,\"workers\":2,"
        "\"connections\":0,\"policy\":{\"version\":1,\"fingerprint\":\"0000000000000abc\","
        "\"rules\":1,\"loaded_at\":\"2026-01-01T00:00:00Z\",\"reloads_failed\":1,"
        "\"error\":\"weir.yaml:1:1: error: nothing\\n\",\"needs_restart\":\"store, listen\"},"
        "\"store\":{\"kind\":\"memory\",\"bytes\":0,\"slots\":0,\"used\":0,\"live\":0,"
        "\"evicted_idle\":0,\"evicted_live\":0,\"redis_open\":0,\"circuits_open\":0}}\n");
}

static void being_ready_is_told(void **state)
{
    struct weir_session *session = http_desk_peer(*state, "192.0.2.1");
    http_desk_set_unready(*state, "it is going down");
    const char *answer = http_desk_ask(*state, session, "GET /readyz", "", NULL);
    assert_int_equal(http_answer_status(answer), 503);
    assert_non_null(strstr(http_answer_body(answer), "it is going down"));
    assert_non_null(strstr(get(*state, "/v1/status"),
                           "\"ready\":false,\"why_not_ready\":\"it is going down\""));
    assert_string_equal(get(*state, "/healthz"), "ok\n");
}

static void rules_are_told_by_pages(void **state)
{
    (void)state;
    struct http_desk *desk = http_desk_new(
        "rules:\n"
        "  - {name: one, match: {path: {prefix: /a}, m: [x, {glob: 'y*'}], z: {not: q}},\n"
        "     key: [ip, user], limit: 5/m, shadow: true}\n"
        "  - {name: two, key: plan, tiers: {by: plan, limits: {free: 1/s, pro: 9/s}}}\n"
        "  - {name: three, key: ip, limit: 1/s}\n",
        NULL);
    assert_string_equal(
        get(desk, "/v1/rules?count=1"),
        "{\"version\":1,\"total\":3,\"rules\":[{\"name\":\"one\",\"limit\":\"5/m\","
        "\"key\":[\"ip\",\"user\"],\"match\":["
        "{\"attribute\":\"path\",\"any_of\":[{\"prefix\":\"/a\"}]},"
        "{\"attribute\":\"m\",\"any_of\":[{\"exact\":\"x\"},{\"glob\":\"y*\"}]},"
        "{\"attribute\":\"z\",\"none_of\":[{\"exact\":\"q\"}]}],"
        "\"shadow\":true,\"tiers\":0,\"overrides\":0,\"allowed\":0,\"denied\":0}],\"next\":1}\n");
    const char *answer = get(desk, "/v1/rules?from=1&count=2");
    assert_non_null(strstr(answer, "\"rules\":[{\"name\":\"two\",\"limit\":null,"));
    assert_non_null(strstr(answer, "\"tiers\":2"));
    assert_non_null(strstr(answer, "\"next\":null}\n"));
    assert_non_null(strstr(get(desk, "/v1/rules?from=3"), "\"rules\":[],\"next\":null"));
    answer = get(desk, "/v1/rules?rule=two");
    assert_non_null(strstr(answer, "\"rules\":[{\"name\":\"two\""));
    assert_null(strstr(answer, "\"three\""));
    assert_non_null(strstr(answer, "\"next\":null}\n"));
    http_desk_free(desk);
}

static void offenders_are_told(void **state)
{
    struct http_desk *desk = *state;
    static const char body[] = "{\"attributes\":{\"ip\":\"192.0.2.1\"}}";
    assert_non_null(strstr(get(desk, "/v1/top"), "\",\"top\":[]}\n"));
    for (unsigned i = 0; i < 8; i++) {
        (void)http_desk_post(desk, "/v1/check", body, 200);
    }
    static const char found[] = "\"top\":[{\"rule\":\"a\",\"offenders\":[{\"key\":\"192.0.2.1\","
                                "\"denied\":3,\"error\":0}]}]}\n";
    assert_non_null(strstr(get(desk, "/v1/top"), found));
    assert_non_null(strstr(get(desk, "/v1/top?rule=a&count=5"), found));
}

static void metrics_are_told(void **state)
{
    struct weir_session *session = http_desk_peer(*state, "192.0.2.1");
    const char *answer = http_desk_ask(*state, session, "GET /metrics", "", NULL);
    assert_string_equal(http_answer_header(answer, "Content-Type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(http_answer_body(answer), "# TYPE "));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_make_no_difference),
        CASE(a_request_may_be_cut_anywhere),
        CASE(a_full_pipeline_is_read_no_further),
        CASE(a_peer_that_waits_is_told_to_continue),
        CASE(a_connection_stays_or_goes_as_asked),
        CASE(what_is_no_request_is_answered_and_closed),
        CASE(endpoints_have_their_methods),
        cmocka_unit_test(a_token_gives_its_rights),
        CASE(anothers_authorization_does_no_harm),
        CASE(status_is_told),
        CASE(being_ready_is_told),
        cmocka_unit_test(rules_are_told_by_pages),
        CASE(offenders_are_told),
        CASE(metrics_are_told),
    };
    return cmocka_run_group_tests_name("http_session", tests, NULL, NULL);
}
