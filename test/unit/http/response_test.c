/* response_test.c - what a server answers, byte for byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http.h"

#include <string.h>

static void expect(struct weir_http_response response, const char *headers, const char *body,
                   const char *expected)
{
    struct weir_buffer out = {0};
    weir_http_respond(&out, &response, weir_text(headers), weir_text(body));
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.bytes, expected, out.len);
    weir_buffer_deinit(&out);
}

static void responses_are_written_whole(void **state)
{
    (void)state;
    expect((struct weir_http_response){.status = 200}, "", "",
           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect((struct weir_http_response){.status = 429, .content_type = "text/plain", .close = true},
           "Retry-After: 1\r\n", "no\n",
           "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n"
           "Connection: close\r\nRetry-After: 1\r\n\r\nno\n");
    expect((struct weir_http_response){.status = 200, .head = true, .content_type = "a/b"}, "",
           "hello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: a/b\r\n\r\n");
    expect((struct weir_http_response){.status = 299}, "", "",
           "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n");
}

static void some_have_no_body_and_no_length(void **state)
{
    (void)state;
    expect((struct weir_http_response){.status = 100}, "", "", "HTTP/1.1 100 Continue\r\n\r\n");
    expect((struct weir_http_response){.status = 204}, "A: b\r\n", "x",
           "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n");
    expect((struct weir_http_response){.status = 304}, "", "x",
           "HTTP/1.1 304 Not Modified\r\n\r\n");
}

static void a_header_is_one_line_whatever_is_in_it(void **state)
{
    (void)state;
    static const char expected[] = "X-Rule: a??b ?\xc3\xa4\tc?\r\nEmpty: \r\n";
    struct weir_buffer out = {0};
    weir_http_put_header(&out, "X-Rule", weir_bytes("a\r\nb \0\xc3\xa4\tc\x7f", 11));
    weir_http_put_header(&out, "Empty", weir_bytes(NULL, 0));
    assert_int_equal(out.len, sizeof(expected) - 1);
    assert_memory_equal(out.bytes, expected, out.len);
    weir_buffer_deinit(&out);
}

static void every_status_that_is_answered_has_its_words(void **state)
{
    (void)state;
    static const unsigned statuses[] = {100, 200, 204, 304, 400, 401, 403, 404, 405,
                                        406, 408, 409, 411, 413, 414, 415, 417, 422,
                                        429, 431, 500, 501, 502, 503, 504, 505};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        assert_true(strlen(weir_http_reason(statuses[i])) > 0);
    }
    assert_string_equal(weir_http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(weir_http_reason(299), "");
    assert_string_equal(weir_http_reason(0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_are_written_whole),
        cmocka_unit_test(some_have_no_body_and_no_length),
        cmocka_unit_test(a_header_is_one_line_whatever_is_in_it),
        cmocka_unit_test(every_status_that_is_answered_has_its_words),
    };
    return cmocka_run_group_tests_name("http_response", tests, NULL, NULL);
}
