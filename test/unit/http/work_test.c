/* work_test.c - how much the reader does for bytes that come one by one: a few steps for each, not
 * for each of those before it as well.
 *
 * The reader is compiled with a call in each of its basic blocks (-fsanitize-coverage=trace-pc),
 * which is counted here: work, not time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http.h"

#include <string.h>

/* Basic blocks a byte, optimized or not. Looking at all again would be thousands. */
#define STEPS_MAX 200

void __sanitizer_cov_trace_pc(void);

static size_t steps;

void __sanitizer_cov_trace_pc(void)
{
    steps++;
}

/* Reads a request that comes in pieces of `piece` bytes; how many steps it took. */
static size_t work(struct weir_bytes input, size_t piece)
{
    static struct weir_http_request request;
    struct weir_http_reader reader = {.looked = 0};
    struct weir_buffer body = {0};
    size_t used = 0;
    size_t len = 0;
    steps = 0;
    enum weir_http_state state = WEIR_HTTP_MORE;
    while (state != WEIR_HTTP_REQUEST) {
        assert_true(state == WEIR_HTTP_MORE && len < input.len);
        len = input.len - len < piece ? input.len : len + piece;
        state = weir_http_read(&reader, weir_bytes(input.ptr, len), &body, &request, &used);
    }
    assert_int_equal(used, input.len);
    weir_buffer_deinit(&body);
    return steps;
}

static void expect_linear(const struct weir_buffer *text)
{
    assert_false(text->failed);
    const struct weir_bytes input = weir_buffer_bytes(text);
    const size_t whole = work(input, input.len);
    assert_true(whole > 0);
    assert_true(whole < input.len * STEPS_MAX);
    assert_true(work(input, 1) < input.len * STEPS_MAX);
    assert_true(work(input, 7) < input.len * STEPS_MAX);
}

static void put_many(struct weir_buffer *text, const char *more, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        weir_buffer_put_text(text, more);
    }
}

static void a_head_is_looked_at_once(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
    put_many(&text,
             "X-Name: some value of a header, and then as much again as that, and on, and on "
             "it goes until there are about one hundred and sixty bytes in it\r\n",
             90);
    weir_buffer_put_text(&text, "\r\n");
    assert_true(text.len > 10000 && text.len < WEIR_HTTP_HEAD_MAX);
    expect_linear(&text);
    weir_buffer_deinit(&text);
}

static void long_lines_are_looked_at_once(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "GET /");
    put_many(&text, "a", WEIR_HTTP_TARGET_MAX - 1);
    weir_buffer_put_text(&text, " HTTP/1.1\r\nHost: a\r\nX: ");
    put_many(&text, "\t", 7 * 1024);
    weir_buffer_put_text(&text, "\r\n\r\n");
    expect_linear(&text);
    weir_buffer_deinit(&text);
}

static void chunks_are_looked_at_once(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    put_many(&text, "1\r\na\r\n", 3000);
    put_many(&text, "10;name=value;other=\"one\"\r\n0123456789abcdef\r\n", 500);
    weir_buffer_put_text(&text, "2000\r\n");
    put_many(&text, "a", 0x2000);
    weir_buffer_put_text(&text, "\r\n0\r\n");
    put_many(&text, "X-Trailer: value\r\n", 200);
    weir_buffer_put_text(&text, "\r\n");
    expect_linear(&text);
    weir_buffer_deinit(&text);
}

static void bodies_are_not_looked_at(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    put_many(&text, "a", 100000);
    expect_linear(&text);
    assert_true(work(weir_buffer_bytes(&text), text.len) < 2000);
    weir_buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_looked_at_once),
        cmocka_unit_test(long_lines_are_looked_at_once),
        cmocka_unit_test(chunks_are_looked_at_once),
        cmocka_unit_test(bodies_are_not_looked_at),
    };
    return cmocka_run_group_tests_name("http_work", tests, NULL, NULL);
}
