/* limits_test.c - how much of anything a reader takes: just as much as its limits say, and not one
 * more, however the bytes come. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resp/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes being put together. */
struct text {
    char *bytes;
    size_t len;
    size_t room;
};

static struct text text_new(size_t room)
{
    return (struct text){test_malloc(room), 0, room};
}

static void add(struct text *text, const char *more)
{
    const size_t len = strlen(more);
    assert_true(len <= text->room - text->len);
    memcpy(text->bytes + text->len, more, len);
    text->len += len;
}

static void add_header(struct text *text, char type, size_t count)
{
    char header[32];
    (void)snprintf(header, sizeof(header), "%c%zu\r\n", type, count);
    add(text, header);
}

static void add_many(struct text *text, const char *more, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        add(text, more);
    }
}

/* What a reader says of the whole text at once. Where it is a value, it must be all of it. */
static enum weir_resp_state read_whole(const struct weir_resp_limits *limits,
                                       const struct text *text)
{
    struct weir_resp_reader *reader = weir_resp_reader_new(limits, NULL);
    assert_non_null(reader);
    size_t used = 0;
    const enum weir_resp_state state =
        weir_resp_read(reader, weir_bytes(text->bytes, text->len), &used);
    assert_int_equal(used, state == WEIR_RESP_VALUE ? text->len : 0);
    weir_resp_reader_free(reader);
    return state;
}

/* The same, a byte more each time; `ret_first` is how many it took for the answer. */
static enum weir_resp_state read_growing(const struct weir_resp_limits *limits,
                                         const struct text *text, size_t *ret_first)
{
    struct weir_resp_reader *reader = weir_resp_reader_new(limits, NULL);
    assert_non_null(reader);
    enum weir_resp_state state = WEIR_RESP_MORE;
    size_t len = 0;
    while (state == WEIR_RESP_MORE && len < text->len) {
        size_t used;
        state = weir_resp_read(reader, weir_bytes(text->bytes, ++len), &used);
    }
    weir_resp_reader_free(reader);
    *ret_first = len;
    return state;
}

static void expect(const struct weir_resp_limits *limits, const struct text *text,
                   enum weir_resp_state state)
{
    size_t first;
    assert_int_equal(read_whole(limits, text), state);
    assert_int_equal(read_growing(limits, text, &first), state);
}

/* Refused once these bytes of the text have come, whatever follows. */
static void expect_refusal_at(const struct weir_resp_limits *limits, const struct text *text,
                              size_t at)
{
    size_t first;
    assert_int_equal(read_whole(limits, text), WEIR_RESP_LARGE);
    assert_int_equal(read_growing(limits, text, &first), WEIR_RESP_LARGE);
    assert_int_equal(first, at);
}

/* ---- Depth -------------------------------------------------------------------------------- */

static void expect_depth(const struct weir_resp_limits *limits, uint32_t most, const char *opening)
{
    struct text text = text_new((size_t)(most + 1) * 8 + 16);
    add_many(&text, opening, most);
    /* The innermost value, or pair; then what each further map's first value belongs to. */
    add_many(&text, "+v\r\n", opening[0] == '%' ? most + 1 : 1);
    expect(limits, &text, WEIR_RESP_VALUE);

    text.len = 0;
    add_many(&text, opening, most + 1);
    expect_refusal_at(limits, &text, text.len);
    test_free(text.bytes);
}

static void values_are_nested_as_deep_as_the_limit_and_no_deeper(void **state)
{
    (void)state;
    static const char *const openings[] = {"*1\r\n", "~1\r\n", "%1\r\n"};
    for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
        const struct weir_resp_limits other = {.depth = 3};
        const struct weir_resp_limits one = {.depth = 1};
        const struct weir_resp_limits many = {.depth = 200};
        expect_depth(NULL, WEIR_RESP_DEPTH, openings[i]);
        expect_depth(&other, 3, openings[i]);
        expect_depth(&one, 1, openings[i]);
        expect_depth(&many, 200, openings[i]);
    }
}

/* Deeper than any stack: a recursive reader would end here. */
static void a_million_openings_are_refused_like_nine(void **state)
{
    (void)state;
    struct text text = text_new((size_t)4 << 20);
    add_many(&text, "*1\r\n", (size_t)1 << 20);
    expect_refusal_at(NULL, &text, (size_t)4 * (WEIR_RESP_DEPTH + 1));
    const struct weir_resp_limits deep = {.depth = 1 << 20, .values = (1 << 20) + 1};
    assert_int_equal(read_whole(&deep, &text), WEIR_RESP_MORE);
    test_free(text.bytes);
}

static void attributes_count_as_a_level_while_they_are_read(void **state)
{
    (void)state;
    const struct weir_resp_limits limits = {.depth = 2};
    struct text text = text_new(256);
    add(&text, "*1\r\n|1\r\n+a\r\n+b\r\n*0\r\n");
    expect(&limits, &text, WEIR_RESP_VALUE);
    text.len = 0;
    add(&text, "*1\r\n|1\r\n*0\r\n");
    expect_refusal_at(&limits, &text, text.len);
    text.len = 0;
    add(&text, "*1\r\n*1\r\n|0\r\n");
    expect_refusal_at(&limits, &text, text.len);
    test_free(text.bytes);
}

/* ---- Values ------------------------------------------------------------------------------- */

static void expect_values(const struct weir_resp_limits *limits, size_t most)
{
    struct text text = text_new(most * 8 + 64);
    add_header(&text, '*', most - 1);
    add_many(&text, ":1\r\n", most - 1);
    expect(limits, &text, WEIR_RESP_VALUE);

    text.len = 0;
    add_header(&text, '*', most);
    const size_t header = text.len;
    add_many(&text, ":1\r\n", most);
    expect_refusal_at(limits, &text, header);
    test_free(text.bytes);
}

static void a_reply_has_as_many_values_as_the_limit_and_no_more(void **state)
{
    (void)state;
    const struct weir_resp_limits few = {.values = 5};
    const struct weir_resp_limits one = {.values = 1};
    expect_values(NULL, WEIR_RESP_VALUES);
    expect_values(&few, 5);
    expect_values(&one, 1);
}

/* Also where they come by several aggregates, maps or attributes. */
static void promised_values_are_counted_together(void **state)
{
    (void)state;
    const struct weir_resp_limits limits = {.values = 7};
    static const char *const good[] = {
        "*3\r\n*3\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n",
        "%3\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n",
        "*3\r\n|1\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n",
        "|1\r\n:1\r\n:2\r\n|1\r\n:1\r\n:2\r\n:3\r\n",
    };
    static const char *const bad[] = {
        "*3\r\n:1\r\n*4\r\n",
        "*3\r\n%2\r\n",
        "%1\r\n:1\r\n%3\r\n",
        "*4\r\n|1\r\n",
        "|1\r\n:1\r\n:2\r\n|1\r\n:1\r\n:2\r\n*1\r\n",
    };
    struct text text = text_new(256);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        text.len = 0;
        add(&text, good[i]);
        expect(&limits, &text, WEIR_RESP_VALUE);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text.len = 0;
        add(&text, bad[i]);
        expect_refusal_at(&limits, &text, text.len);
    }
    test_free(text.bytes);
}

static void a_command_has_as_many_words_as_the_limit_and_no_more(void **state)
{
    (void)state;
    const struct weir_resp_limits limits = {.values = 4, .commands = true};
    struct text text = text_new(256);
    add(&text, "a b c\r\n");
    expect(&limits, &text, WEIR_RESP_VALUE);
    text.len = 0;
    add(&text, "a b c d\r\n");
    expect_refusal_at(&limits, &text, text.len);
    text.len = 0;
    add(&text, "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    expect(&limits, &text, WEIR_RESP_VALUE);
    text.len = 0;
    add(&text, "*4\r\n");
    expect_refusal_at(&limits, &text, text.len);
    test_free(text.bytes);
}

/* ---- Text --------------------------------------------------------------------------------- */

/* A string of `len` bytes that says how long it is. */
static void expect_sized(const struct weir_resp_limits *limits, char type, size_t most)
{
    struct text text = text_new(most + 64);
    add_header(&text, type, most);
    add(&text, "txt:");
    add_many(&text, "x", most - 4);
    add(&text, "\r\n");
    expect(limits, &text, WEIR_RESP_VALUE);
    text.len = 0;
    add_header(&text, type, most + 1);
    expect_refusal_at(limits, &text, text.len);
    test_free(text.bytes);
}

/* A line of `most` bytes, after `start`, which is no part of it. */
static void expect_line(const struct weir_resp_limits *limits, const char *start, size_t most)
{
    struct text text = text_new(most + 64);
    add(&text, start);
    add_many(&text, "1", most);
    add(&text, limits->commands ? "\n" : "\r\n");
    expect(limits, &text, WEIR_RESP_VALUE);
    text.len = 0;
    add(&text, start);
    add_many(&text, "1", most + 1);
    expect_refusal_at(limits, &text, text.len);
    add(&text, "\r\n");
    expect_refusal_at(limits, &text, text.len - 2);
    test_free(text.bytes);
}

static void a_text_is_as_long_as_the_limit_and_no_longer(void **state)
{
    (void)state;
    static const uint32_t limits_of_text[] = {0, 10, 100};
    for (size_t i = 0; i < sizeof(limits_of_text) / sizeof(limits_of_text[0]); i++) {
        struct weir_resp_limits limits = {.text = limits_of_text[i]};
        const size_t most = limits.text != 0 ? limits.text : WEIR_RESP_TEXT;
        expect_sized(&limits, '$', most);
        expect_sized(&limits, '!', most);
        expect_sized(&limits, '=', most);
        expect_line(&limits, "+", most);
        expect_line(&limits, "-", most);
        expect_line(&limits, ",", most);
        expect_line(&limits, "(", most);
        limits.commands = true;
        expect_line(&limits, "", most);
    }
}

/* ---- Bytes -------------------------------------------------------------------------------- */

/* A whole reply: of small values, of a string, of a line; with other replies behind it. */
static void a_reply_takes_as_many_bytes_as_the_limit_and_no_more(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "*4\r\n:1\r\n+two\r\n$5\r\nthree\r\n_\r\n",
        "$20\r\n12345678901234567890\r\n",
        "+12345678901234567890\r\n",
        "|1\r\n+a\r\n+b\r\n|0\r\n#t\r\n",
        ":1\r\n",
        "*1\r\n*0\r\n",
    };
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        struct text text = text_new(128);
        add(&text, replies[i]);
        struct weir_resp_limits limits = {.bytes = text.len};
        expect(&limits, &text, WEIR_RESP_VALUE);
        for (limits.bytes = 1; limits.bytes < text.len; limits.bytes++) {
            expect(&limits, &text, WEIR_RESP_LARGE);
        }
        limits.bytes = text.len;
        add(&text, "+more\r\n");
        struct weir_resp_reader *reader = weir_resp_reader_new(&limits, NULL);
        size_t used = 0;
        assert_int_equal(weir_resp_read(reader, weir_bytes(text.bytes, text.len), &used),
                         WEIR_RESP_VALUE);
        assert_int_equal(used, strlen(replies[i]));
        weir_resp_reader_free(reader);
        test_free(text.bytes);
    }
}

/* 16 strings of a MiB come to more than 16 MiB. The one that is too much is refused by its length.
 */
static void the_usual_limit_of_bytes_is_16_mib(void **state)
{
    (void)state;
    const size_t mib = (size_t)1 << 20;
    struct text text = text_new(17 * mib);
    memset(text.bytes, 'x', text.room);
    add(&text, "*16\r\n");
    for (size_t i = 0; i < 15; i++) {
        add(&text, "$1048576\r\n");
        text.len += mib;
        add(&text, "\r\n");
    }
    const size_t before = text.len;
    const size_t rest = WEIR_RESP_BYTES - before - strlen("$1048000\r\n\r\n");
    add_header(&text, '$', rest);
    text.len += rest;
    add(&text, "\r\n");
    assert_int_equal(text.len, WEIR_RESP_BYTES);
    assert_int_equal(read_whole(NULL, &text), WEIR_RESP_VALUE);
    text.len = before;
    add_header(&text, '$', rest + 1);
    assert_int_equal(read_whole(NULL, &text), WEIR_RESP_LARGE);
    test_free(text.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_nested_as_deep_as_the_limit_and_no_deeper),
        cmocka_unit_test(a_million_openings_are_refused_like_nine),
        cmocka_unit_test(attributes_count_as_a_level_while_they_are_read),
        cmocka_unit_test(a_reply_has_as_many_values_as_the_limit_and_no_more),
        cmocka_unit_test(promised_values_are_counted_together),
        cmocka_unit_test(a_command_has_as_many_words_as_the_limit_and_no_more),
        cmocka_unit_test(a_text_is_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(a_reply_takes_as_many_bytes_as_the_limit_and_no_more),
        cmocka_unit_test(the_usual_limit_of_bytes_is_16_mib),
    };
    return cmocka_run_group_tests_name("resp_limits", tests, NULL, NULL);
}
