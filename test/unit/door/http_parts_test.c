/* http_parts_test.c - addresses, paths and dates in their one form, and who a list of proxies says
 * has asked. */

#include "door/http_door.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* ---- Addresses ----------------------------------------------------------------------------- */

static void addresses_have_one_form(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"192.0.2.1:443", "192.0.2.1"},
        {"::1", "::1"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"2001:0db8::0001", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:65535", "2001:db8::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:c000:0201", "192.0.2.1"},
        {"[::ffff:192.0.2.1]:80", "192.0.2.1"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[WEIR_HTTP_ADDRESS_MAX];
        size_t len = 0;
        assert_true(weir_http_address(weir_text(pairs[i][0]), text, &len));
        assert_int_equal(len, strlen(pairs[i][1]));
        assert_memory_equal(text, pairs[i][1], len);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "unknown",
        "_hidden",
        "192.0.2",
        "192.0.2.1.1",
        "192.0.2.256",
        "192.0.2.01",
        "192.0.2.1:",
        "192.0.2.1:x",
        "192.0.2.1:123456",
        "192.0.2.1 ",
        " 192.0.2.1",
        "1.2.3.4.",
        "[192.0.2.1]",
        "[::1",
        "::1]",
        "[::1]x",
        "[::1]:",
        "fe80::1%lo",
        "1:2:3:4:5:6:7:8:9",
        ":::",
        "0x7f.0.0.1",
        "2130706433",
        "::1:80:",
        "1.2.3",
        "1..2.3",
        "1.2.3.4567",
        "[]",
        ":80",
        "a:b",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char text[WEIR_HTTP_ADDRESS_MAX];
        size_t len = 77;
        if (weir_http_address(weir_text(texts[i]), text, &len)) {
            fail_msg("%s was taken for an address", texts[i]);
        }
        assert_int_equal(len, 77);
    }
    char text[WEIR_HTTP_ADDRESS_MAX];
    size_t len;
    assert_false(weir_http_address(weir_bytes("::1\0", 4), text, &len));
    assert_false(weir_http_address(weir_bytes("::\0001", 4), text, &len));
}

/* ---- Who asks ------------------------------------------------------------------------------ */

/* 10.0.0.0/8 and 2001:db8:f::/48. */
static struct weir_network trusted[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 0}, 104},
    {{0x20, 0x01, 0x0d, 0xb8, 0x00, 0x0f}, 48},
};

/* What headers "Name: value" (up to three, NULL: none) say of the client: its address, "-" where
 * they say nothing, "!" where they are refused. */
static const char *client(const char *first, const char *second, const char *third)
{
    static char answer[WEIR_HTTP_ADDRESS_MAX + 1];
    const char *const lines[] = {first, second, third};
    struct weir_http_request request = {0};
    for (size_t i = 0; i < 3 && lines[i] != NULL; i++) {
        const char *colon = strchr(lines[i], ':');
        const size_t name = (size_t)(colon - lines[i]);
        request.headers[request.header_count++] =
            (struct weir_http_header){weir_bytes(lines[i], name), weir_text(lines[i] + name + 2)};
    }
    const struct weir_listener listener = {.trusted = trusted, .trusted_count = 2};
    struct weir_http_session session = {.base = {.listener = &listener}, .trusted = true};
    const struct weir_http_visit visit = {.session = &session, .request = &request};
    struct weir_error error = {0};
    size_t len = 0;
    if (weir_http_client(&visit, answer, &len, &error) != WEIR_OK) {
        assert_true(strlen(error.message) > 20);
        return "!";
    }
    if (len == 0) {
        return "-";
    }
    answer[len] = '\0';
    return answer;
}

static void the_last_untrusted_address_is_the_clients(void **state)
{
    (void)state;
    assert_string_equal(client(NULL, NULL, NULL), "-");
    assert_string_equal(client("X-Forwarded-For: 192.0.2.7", NULL, NULL), "192.0.2.7");
    assert_string_equal(client("x-forwarded-for: 192.0.2.7", NULL, NULL), "192.0.2.7");
    /* What the client wrote itself stands before what the proxies did. */
    assert_string_equal(client("X-Forwarded-For: 203.0.113.9, 192.0.2.7", NULL, NULL), "192.0.2.7");
    assert_string_equal(
        client("X-Forwarded-For: 203.0.113.9, 192.0.2.7,10.0.0.1 , 10.9.9.9", NULL, NULL),
        "192.0.2.7");
    assert_string_equal(client("X-Forwarded-For: garbage, , 192.0.2.7, 10.0.0.1", NULL, NULL),
                        "192.0.2.7");
    /* Several lines are one list. */
    assert_string_equal(client("X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 10.0.0.1", NULL),
                        "192.0.2.7");
    assert_string_equal(client("X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 192.0.2.7", NULL),
                        "192.0.2.7");
    /* All trusted: the first. */
    assert_string_equal(client("X-Forwarded-For: 10.1.1.1, 10.0.0.1", NULL, NULL), "10.1.1.1");
    assert_string_equal(client("X-Forwarded-For: [2001:DB8::7]:1234, 2001:db8:f::1", NULL, NULL),
                        "2001:db8::7");
    assert_string_equal(client("X-Real-IP: 192.0.2.7", NULL, NULL), "192.0.2.7");
}

static void forwarded_is_read(void **state)
{
    (void)state;
    assert_string_equal(client("Forwarded: for=192.0.2.7", NULL, NULL), "192.0.2.7");
    assert_string_equal(client("Forwarded: For=\"[2001:db8::7]:4711\";proto=https", NULL, NULL),
                        "2001:db8::7");
    assert_string_equal(
        client("Forwarded: for=203.0.113.9, for=192.0.2.7;by=10.0.0.9, for=10.0.0.1", NULL, NULL),
        "192.0.2.7");
    assert_string_equal(client("Forwarded: host=\"a,b;for=1.2.3.4\";for=192.0.2.7", NULL, NULL),
                        "192.0.2.7");
    assert_string_equal(client("Forwarded: for=unknown", NULL, NULL), "!");
    assert_string_equal(client("Forwarded: for=_secret, for=10.0.0.1", NULL, NULL), "!");
    assert_string_equal(client("Forwarded: proto=https", NULL, NULL), "!");
    assert_string_equal(client("Forwarded: for=\"192.0.2.7", NULL, NULL), "!");
}

static void garbage_is_not_believed(void **state)
{
    (void)state;
    assert_string_equal(client("X-Forwarded-For: unknown", NULL, NULL), "!");
    assert_string_equal(client("X-Forwarded-For: 192.0.2.7, unknown", NULL, NULL), "!");
    assert_string_equal(client("X-Forwarded-For: unknown, 10.0.0.1", NULL, NULL), "!");
    assert_string_equal(client("X-Real-IP: localhost", NULL, NULL), "!");
    assert_string_equal(client("X-Forwarded-For: ", NULL, NULL), "-");
}

static void headers_that_differ_are_refused(void **state)
{
    (void)state;
    /* A client behind a proxy that writes the one and hands on the other. */
    assert_string_equal(client("X-Forwarded-For: 192.0.2.7", "Forwarded: for=203.0.113.9", NULL),
                        "!");
    assert_string_equal(client("X-Real-IP: 203.0.113.9", "X-Forwarded-For: 192.0.2.7", NULL), "!");
    assert_string_equal(client("Forwarded: for=192.0.2.7", "X-Real-IP: 203.0.113.9", NULL), "!");
    assert_string_equal(client("X-Real-IP: 192.0.2.7", "X-Forwarded-For: 203.0.113.9, 192.0.2.7",
                               "Forwarded: for=192.0.2.7"),
                        "192.0.2.7");
    /* Of a proxy behind another, X-Real-IP is the other's. */
    assert_string_equal(client("X-Real-IP: 10.0.0.1", "X-Forwarded-For: 192.0.2.7, 10.0.0.1", NULL),
                        "192.0.2.7");
    assert_string_equal(client("X-Real-IP: 10.0.0.1", NULL, NULL), "10.0.0.1");
}

static void a_long_list_is_read_to_its_bound(void **state)
{
    (void)state;
    char line[1024] = "X-Forwarded-For: 192.0.2.7";
    for (unsigned hops = 1; hops < 32; hops++) {
        strcat(line, ",10.0.0.1");
    }
    assert_string_equal(client(line, NULL, NULL), "192.0.2.7");
    strcat(line, ",10.0.0.1");
    assert_string_equal(client(line, NULL, NULL), "!");
    strcat(line, ",192.0.2.8");
    assert_string_equal(client(line, NULL, NULL), "192.0.2.8");
}

/* ---- Paths --------------------------------------------------------------------------------- */

static const char *normal(const char *path)
{
    static char answer[256];
    struct weir_buffer out = {0};
    assert_true(weir_buffer_reserve(&out, strlen(path) + 1));
    const bool good = weir_http_normalize(weir_text(path), &out);
    memcpy(answer, out.bytes, out.len);
    answer[out.len] = '\0';
    weir_buffer_deinit(&out);
    return good ? answer : "!";
}

static void paths_have_one_form(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"/", "/"},
        {"/login", "/login"},
        {"/%6Cogin", "/login"},
        {"/%6cog%69n", "/login"},
        {"//login", "/login"},
        {"/a//b///c/", "/a/b/c/"},
        {"/./login", "/login"},
        {"/a/../login", "/login"},
        {"/a/b/../../login", "/login"},
        {"/../../login", "/login"},
        {"/a/%2e%2E/login", "/login"},
        {"/a/..", "/"},
        {"/a/b/..", "/a/"},
        {"/a/.", "/a/"},
        {"/.", "/"},
        {"/..", "/"},
        {"/...", "/..."},
        {"/.a/..b/c.", "/.a/..b/c."},
        {"/a%2Fb", "/a%2Fb"},
        {"/a%2fb", "/a%2Fb"},
        {"/a%25b", "/a%25b"},
        {"/%2e%2fa", "/.%2Fa"},
        {"/caf%C3%A9", "/caf\xc3\xa9"},
        {"/a%20b", "/a b"},
        {"/a;x=1/b", "/a;x=1/b"},
        {"*", "*"},
        {"", ""},
        {"/%", "!"},
        {"/%4", "!"},
        {"/%4g", "!"},
        {"/a%00", "!"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_string_equal(normal(pairs[i][0]), pairs[i][1]);
    }
}

/* What is in its one form stays: of random paths of the bytes that matter. */
static void a_paths_one_form_is_final(void **state)
{
    (void)state;
    static const char bytes[] = "/./..%2Fa%25";
    struct random random = random_from(random_seed(1));
    for (size_t round = 0; round < random_rounds(20000); round++) {
        char path[20] = "/";
        const size_t len = 1 + random_below(&random, sizeof(path) - 2);
        for (size_t i = 1; i < len; i++) {
            path[i] = bytes[random_below(&random, sizeof(bytes) - 1)];
        }
        char once[64];
        strcpy(once, normal(path));
        if (strcmp(once, "!") == 0) {
            continue;
        }
        assert_true(once[0] == '/');
        assert_null(strstr(once, "//"));
        assert_null(strstr(once, "/./"));
        assert_null(strstr(once, "/../"));
        assert_string_equal(normal(once), once);
    }
}

/* ---- Dates --------------------------------------------------------------------------------- */

static void expect_dates(int64_t seconds)
{
    const time_t time = (time_t)seconds;
    struct tm parts;
    char http[64];
    char instant[64];
    assert_non_null(gmtime_r(&time, &parts));
    (void)strftime(http, sizeof(http), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    (void)strftime(instant, sizeof(instant), "%Y-%m-%dT%H:%M:%SZ", &parts);
    struct weir_buffer out = {0};
    weir_http_put_date(&out, seconds * 1000000 + 999999);
    weir_http_put_instant(&out, seconds * 1000000 + 999999);
    assert_int_equal(out.len, WEIR_HTTP_DATE_LEN + WEIR_HTTP_INSTANT_LEN);
    assert_memory_equal(out.bytes, http, WEIR_HTTP_DATE_LEN);
    assert_memory_equal(out.bytes + WEIR_HTTP_DATE_LEN, instant, WEIR_HTTP_INSTANT_LEN);
    weir_buffer_deinit(&out);
}

static void dates_are_the_c_librarys(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(2));
    for (int64_t day = 0; day < 52000; day++) {
        expect_dates(day * 86400 + (int64_t)random_below(&random, 86400));
    }
    expect_dates(0);
    expect_dates(WEIR_TIME_MAX / 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(the_last_untrusted_address_is_the_clients),
        cmocka_unit_test(forwarded_is_read),
        cmocka_unit_test(garbage_is_not_believed),
        cmocka_unit_test(headers_that_differ_are_refused),
        cmocka_unit_test(a_long_list_is_read_to_its_bound),
        cmocka_unit_test(paths_have_one_form),
        cmocka_unit_test(a_paths_one_form_is_final),
        cmocka_unit_test(dates_are_the_c_librarys),
    };
    return cmocka_run_group_tests_name("http_parts", tests, NULL, NULL);
}
