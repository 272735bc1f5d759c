/* reader_test.c - how much of anything an HTTP reader takes: just as much as its limits say, and
 * not one more, however the bytes come; when it asks for "100 Continue"; small things done to
 * texts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/http_text.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "GET / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static void put_many(struct weir_buffer *text, const char *more, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        weir_buffer_put_text(text, more);
    }
}

/* What the text, which is then emptied, is answered: 200, or what it is refused with. Whole and in
 * pieces. */
static unsigned status_of(struct weir_buffer *text, const struct http_limits *limits)
{
    char *whole =
        http_transcript(limits, weir_buffer_bytes(text), (struct resp_feed){.pieces = RESP_WHOLE});
    char *pieces = http_transcript(limits, weir_buffer_bytes(text),
                                   (struct resp_feed){RESP_RANDOM, 0, random_from(text->len)});
    assert_string_equal(whole, pieces);
    const char *trouble = http_transcript_trouble(whole);
    unsigned status = 200;
    if (trouble != NULL) {
        assert_true(strncmp(trouble, "bad ", 4) == 0);
        status = (unsigned)strtoul(trouble + 4, NULL, 10);
    }
    free(whole);
    free(pieces);
    weir_buffer_clear(text);
    return status;
}

static const struct http_limits usual = {0, 0, 0};

/* A head of `len` bytes. */
static void put_head(struct weir_buffer *text, size_t len)
{
    weir_buffer_put_text(text, HEAD "X: ");
    put_many(text, "y", len - text->len - 4);
    weir_buffer_put_text(text, "\r\n\r\n");
}

static void heads_go_to_their_limit(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    put_head(&text, WEIR_HTTP_HEAD_MAX);
    assert_int_equal(status_of(&text, &usual), 200);
    put_head(&text, WEIR_HTTP_HEAD_MAX + 1);
    assert_int_equal(status_of(&text, &usual), 431);
    const struct http_limits small = {.head = 100};
    put_head(&text, 100);
    assert_int_equal(status_of(&text, &small), 200);
    put_head(&text, 101);
    assert_int_equal(status_of(&text, &small), 431);
    /* Without an end. */
    weir_buffer_put_text(&text, HEAD);
    put_many(&text, "X: y\r\n", WEIR_HTTP_HEAD_MAX);
    assert_int_equal(status_of(&text, &usual), 431);
    weir_buffer_deinit(&text);
}

static void put_target(struct weir_buffer *text, size_t len)
{
    weir_buffer_put_text(text, "GET /");
    put_many(text, "a", len - 1);
    weir_buffer_put_text(text, " HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void targets_go_to_their_limit(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    put_target(&text, WEIR_HTTP_TARGET_MAX);
    assert_int_equal(status_of(&text, &usual), 200);
    put_target(&text, WEIR_HTTP_TARGET_MAX + 1);
    assert_int_equal(status_of(&text, &usual), 414);
    put_target(&text, WEIR_HTTP_TARGET_MAX + 100);
    assert_int_equal(status_of(&text, &usual), 414);
    const struct http_limits small = {.target = 5};
    put_target(&text, 5);
    assert_int_equal(status_of(&text, &small), 200);
    put_target(&text, 6);
    assert_int_equal(status_of(&text, &small), 414);
    /* Lines without an end. */
    weir_buffer_put_text(&text, "GET /");
    put_many(&text, "a", WEIR_HTTP_TARGET_MAX + 100);
    assert_int_equal(status_of(&text, &usual), 414);
    put_many(&text, "A", WEIR_HTTP_TARGET_MAX + 100);
    assert_int_equal(status_of(&text, &usual), 501);
    weir_buffer_deinit(&text);
}

static void headers_go_to_their_number(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, HEAD);
    put_many(&text, "X: y\r\n", WEIR_HTTP_HEADERS_MAX - 1);
    weir_buffer_put_text(&text, "\r\n");
    assert_int_equal(status_of(&text, &usual), 200);
    weir_buffer_put_text(&text, HEAD);
    put_many(&text, "X: y\r\n", WEIR_HTTP_HEADERS_MAX);
    weir_buffer_put_text(&text, "\r\n");
    assert_int_equal(status_of(&text, &usual), 431);
    weir_buffer_deinit(&text);
}

static void bodies_go_to_their_limit(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    const struct http_limits small = {.body = 17};
    weir_buffer_put_text(&text, HEAD "Content-Length: 17\r\n\r\n12345678901234567");
    assert_int_equal(status_of(&text, &small), 200);
    weir_buffer_put_text(&text, HEAD "Content-Length: 18\r\n\r\n");
    assert_int_equal(status_of(&text, &small), 413);
    weir_buffer_put_text(&text, CHUNKED "9\r\n123456789\r\n8\r\n12345678\r\n0\r\n\r\n");
    assert_int_equal(status_of(&text, &small), 200);
    weir_buffer_put_text(&text, CHUNKED "9\r\n123456789\r\n9\r\n");
    assert_int_equal(status_of(&text, &small), 413);
    weir_buffer_put_text(&text, HEAD "Content-Length: 1048576\r\n\r\n");
    put_many(&text, "0123456789abcdef", WEIR_HTTP_BODY_MAX / 16);
    assert_int_equal(status_of(&text, &usual), 200);
    weir_buffer_put_text(&text, CHUNKED "100000\r\n");
    put_many(&text, "0123456789abcdef", WEIR_HTTP_BODY_MAX / 16);
    weir_buffer_put_text(&text, "\r\n0\r\n\r\n");
    assert_int_equal(status_of(&text, &usual), 200);
    weir_buffer_deinit(&text);
}

static void chunk_lines_go_to_their_limit(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    for (size_t more = 0; more < 2; more++) {
        weir_buffer_put_text(&text, CHUNKED "1;");
        put_many(&text, "a", WEIR_HTTP_CHUNK_LINE_MAX - 2 + more);
        weir_buffer_put_text(&text, "\r\nx\r\n0\r\n\r\n");
        assert_int_equal(status_of(&text, &usual), more == 0 ? 200 : 400);
    }
    weir_buffer_deinit(&text);
}

/* Lines of chunks and trailers of `len` bytes in all, 5 of them the last chunk and the last line.
 */
static void put_rest(struct weir_buffer *text, size_t len)
{
    weir_buffer_put_text(text, CHUNKED "1\r\na\r\n0\r\nX: ");
    put_many(text, "y", len - 5 - 5 - 5);
    weir_buffer_put_text(text, "\r\n\r\n");
}

static void what_is_beside_a_body_goes_to_its_limit(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    const struct http_limits small = {.head = 200, .body = 100};
    put_rest(&text, 300);
    assert_int_equal(status_of(&text, &small), 200);
    put_rest(&text, 301);
    assert_int_equal(status_of(&text, &small), 413);
    weir_buffer_put_text(&text, CHUNKED);
    put_many(&text, "1\r\na\r\n", 100);
    weir_buffer_put_text(&text, "0\r\n\r\n");
    assert_int_equal(status_of(&text, &small), 413);
    weir_buffer_deinit(&text);
}

/* ---- Bytes -------------------------------------------------------------------------------- */

/* What a request is answered that has `byte` between two texts, in a head that is whole. */
static unsigned status_with(const char *before, char byte, const char *after)
{
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, before);
    weir_buffer_put(&text, weir_bytes(&byte, 1));
    weir_buffer_put_text(&text, after);
    const unsigned status = status_of(&text, &usual);
    weir_buffer_deinit(&text);
    return status;
}

static bool is_letter_or_digit(int byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

static bool is_one_of(int byte, const char *others)
{
    return byte != 0 && byte < 128 && strchr(others, byte) != NULL;
}

static void each_byte_may_be_just_where_it_may(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const bool prints = byte > 0x20 && byte < 0x7f;
        const bool is_text = prints || byte == ' ' || byte == '\t' || byte > 0x7f;
        const bool capital = (byte >= 'A' && byte <= 'Z') || byte == '-';
        const bool of_name = is_letter_or_digit(byte) || is_one_of(byte, "!#$%&'*+-.^_`|~:");
        const bool of_host = is_letter_or_digit(byte) || is_one_of(byte, "-._~%!$&'()*+,;=");
        assert_int_equal(status_with("G", (char)byte, "T / HTTP/1.1\r\nHost: a\r\n\r\n") == 200,
                         capital);
        assert_int_equal(status_with("GET /a", (char)byte, "b HTTP/1.1\r\nHost: a\r\n\r\n") == 200,
                         prints && byte != '#');
        assert_int_equal(status_with(HEAD "a", (char)byte, "b: c\r\n\r\n") == 200, of_name);
        assert_int_equal(status_with("GET / HTTP/1.1\r\nHost: a", (char)byte, "b\r\n\r\n") == 200,
                         of_host);
        static const char rest[] = "123456789012345\r\n\r\n";
        for (size_t start = 0; start < 9; start++) {
            assert_int_equal(status_with(HEAD "X:", (char)byte, &rest[start]) == 200, is_text);
            assert_int_equal(status_with(HEAD "X:12345", (char)byte, &rest[start]) == 200, is_text);
        }
    }
}

/* ---- Waiting ------------------------------------------------------------------------------ */

/* Reads what comes in two pieces: what the first and the second call said. */
static void expect_states(const char *head, const char *rest, enum weir_http_state first,
                          enum weir_http_state second)
{
    static struct weir_http_request request;
    struct weir_http_reader reader = {.looked = 0};
    struct weir_buffer body = {0};
    struct weir_buffer input = {0};
    size_t used = 0;
    weir_buffer_put_text(&input, head);
    assert_int_equal(weir_http_read(&reader, weir_buffer_bytes(&input), &body, &request, &used),
                     first);
    weir_buffer_put_text(&input, rest);
    assert_int_equal(weir_http_read(&reader, weir_buffer_bytes(&input), &body, &request, &used),
                     second);
    weir_buffer_deinit(&input);
    weir_buffer_deinit(&body);
}

static void a_peer_that_waits_is_told_to_go_on_once(void **state)
{
    (void)state;
    const char *head = HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    expect_states(head, "", WEIR_HTTP_CONTINUE, WEIR_HTTP_MORE);
    expect_states(head, "x", WEIR_HTTP_CONTINUE, WEIR_HTTP_MORE);
    expect_states(head, "xy", WEIR_HTTP_CONTINUE, WEIR_HTTP_REQUEST);
    expect_states("GET / HT",
                  "TP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
                  WEIR_HTTP_MORE, WEIR_HTTP_CONTINUE);
    expect_states("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n",
                  "0\r\n\r\n", WEIR_HTTP_CONTINUE, WEIR_HTTP_REQUEST);
}

static void a_peer_that_does_not_wait_is_told_nothing(void **state)
{
    (void)state;
    expect_states(HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nx", "", WEIR_HTTP_MORE,
                  WEIR_HTTP_MORE);
    expect_states("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "",
                  WEIR_HTTP_MORE, WEIR_HTTP_MORE);
    expect_states(HEAD "Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n", "", WEIR_HTTP_BAD,
                  WEIR_HTTP_BAD);
    expect_states("", "", WEIR_HTTP_MORE, WEIR_HTTP_MORE);
}

static void *no_memory(void *context, size_t size, size_t alignment)
{
    (void)context;
    (void)size;
    (void)alignment;
    return NULL;
}

static void give_back(void *context, void *memory, size_t size)
{
    (void)context;
    (void)memory;
    (void)size;
}

static void chunks_need_memory(void **state)
{
    (void)state;
    static struct weir_http_request request;
    const struct weir_allocator nothing = {.allocate = no_memory, .release = give_back};
    struct weir_http_reader reader = {.looked = 0};
    struct weir_buffer body = {.allocator = &nothing};
    size_t used = 77;
    assert_int_equal(
        weir_http_read(&reader, weir_text(CHUNKED "1\r\na\r\n0\r\n\r\n"), &body, &request, &used),
        WEIR_HTTP_BAD);
    assert_int_equal(reader.status, 503);
    assert_int_equal(used, 77);
}

/* ---- Texts -------------------------------------------------------------------------------- */

static void headers_are_found_in_any_case(void **state)
{
    (void)state;
    static struct weir_http_request request;
    struct weir_http_reader reader = {.looked = 0};
    struct weir_buffer body = {0};
    size_t used = 0;
    assert_int_equal(weir_http_read(&reader, weir_text(HEAD "x-REAL-ip: 1\r\nX-Real-IP: 2\r\n\r\n"),
                                    &body, &request, &used),
                     WEIR_HTTP_REQUEST);
    const struct weir_bytes *value = weir_http_find(&request, "x-real-ip");
    assert_non_null(value);
    assert_memory_equal(value->ptr, "1", 1);
    assert_null(weir_http_find(&request, "x-real-i"));
    assert_null(weir_http_find(&request, "x-real-ip2"));
    assert_true(weir_http_is(weir_text("GeT"), "get"));
    assert_false(weir_http_is(weir_text("GE"), "get"));
    assert_false(weir_http_is(weir_text("GETS"), "get"));
    assert_false(weir_http_is(weir_bytes("get\0", 4), "get"));
    assert_false(weir_http_is(weir_text("X\rREAL"), "x-real"));
    assert_true(weir_http_is(weir_bytes(NULL, 0), ""));
}

static void expect_decoded(const char *text, bool plus, const char *expected)
{
    struct weir_buffer out = {0};
    weir_buffer_put_text(&out, "=");
    assert_int_equal(weir_http_decode(weir_text(text), plus, &out), expected != NULL);
    const char *whole = expected != NULL ? expected : "";
    assert_int_equal(out.len, strlen(whole) + 1);
    assert_memory_equal(out.bytes + 1, whole, strlen(whole));
    weir_buffer_deinit(&out);
}

static void escapes_of_a_target_are_undone(void **state)
{
    (void)state;
    expect_decoded("", true, "");
    expect_decoded("a%20b%2fc%2Fd%ff%C3%A4", false, "a b/c/d\xff\xc3\xa4");
    expect_decoded("a+b%2b", false, "a+b+");
    expect_decoded("a+b%2b", true, "a b+");
    expect_decoded("%", false, NULL);
    expect_decoded("ab%2", false, NULL);
    expect_decoded("%2g", false, NULL);
    expect_decoded("%g2", false, NULL);
    expect_decoded("a%00b", false, NULL);
    expect_decoded("%%20", false, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_go_to_their_limit),
        cmocka_unit_test(targets_go_to_their_limit),
        cmocka_unit_test(headers_go_to_their_number),
        cmocka_unit_test(bodies_go_to_their_limit),
        cmocka_unit_test(chunk_lines_go_to_their_limit),
        cmocka_unit_test(what_is_beside_a_body_goes_to_its_limit),
        cmocka_unit_test(each_byte_may_be_just_where_it_may),
        cmocka_unit_test(a_peer_that_waits_is_told_to_go_on_once),
        cmocka_unit_test(a_peer_that_does_not_wait_is_told_nothing),
        cmocka_unit_test(chunks_need_memory),
        cmocka_unit_test(headers_are_found_in_any_case),
        cmocka_unit_test(escapes_of_a_target_are_undone),
    };
    return cmocka_run_group_tests_name("http_reader", tests, NULL, NULL);
}
