/* reader_test.c - what is JSON and what is not; its bounds; whole numbers; what jansson says of all
 * that. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/json_oracle.h"
#include "support/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes with their length, as they may have NULs; and what a reader makes of them. */
#define TEXT(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }

struct row {
    struct weir_bytes input;
    const char *expected;
};

static const struct row rows[] = {
    /* Values. */
    {TEXT("null"), "null"},
    {TEXT(" true\r\n\t"), "true"},
    {TEXT("[false]"), "[ false ]"},
    {TEXT("\"\""), "\"\""},
    {TEXT("{}"), "{ }"},
    {TEXT("[]"), "[ ]"},
    {TEXT("[[],{},[1]]"), "[ [ ] { } [ 1 ] ]"},
    {TEXT("{\"a\":{\"a\":[{\"a\":1}]},\"b\":{\"a\":2}}"),
     "{ \"a\": { \"a\": [ { \"a\": 1 } ] } \"b\": { \"a\": 2 } }"},
    {TEXT("{\"\":1,\" \":2}"), "{ \"\": 1 \" \": 2 }"},
    {TEXT("[0,-0,10,-1.5,2e3,2E+3,2.5e-03]"), "[ 0 -0 10 -1.5 2e3 2E+3 2.5e-03 ]"},
    /* Strings. */
    {TEXT("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00E4\\u20ac\\uD83D\\ude00z\""),
     "\"a\\\"\\\\/\\x08\\x0c\\n\\r\\x09A\\xc3\\xa4\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80z\""},
    {TEXT("\"\\u0000\\u001f\x7f\""), "\"\\x00\\x1f\\x7f\""},
    {TEXT("[\"\\n\",\"b\",\"\\t\",\"\\u0041b\"]"), "[ \"\\n\" \"b\" \"\\x09\" \"Ab\" ]"},
    {TEXT("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80"
          "\xf4\x8f\xbf\xbf\""),
     "\"\\xc2\\x80\\xdf\\xbf\\xe0\\xa0\\x80\\xed\\x9f\\xbf\\xee\\x80\\x80\\xef\\xbf\\xbf"
     "\\xf0\\x90\\x80\\x80\\xf4\\x8f\\xbf\\xbf\""},
    /* No value, or more than one. */
    {TEXT(""), " bad 1:1 a value is expected"},
    {TEXT(" \n "), " bad 2:2 a value is expected"},
    {TEXT("1 2"), "1 bad 1:3 something follows the value"},
    {TEXT("{}\n}"), "{ } bad 2:1 something follows the value"},
    {TEXT("01"), " bad 1:1 a number has other digits than JSON's do"},
    {TEXT("\xef\xbb\xbf{}"), " bad 1:1 a value is expected"},
    {TEXT("/**/1"), " bad 1:1 a value is expected"},
    {TEXT("nul"), " bad 1:1 a value is expected"},
    {TEXT("nulL"), " bad 1:1 a value is expected"},
    {TEXT("TRUE"), " bad 1:1 a value is expected"},
    {TEXT("truex"), "true bad 1:5 something follows the value"},
    {TEXT("NaN"), " bad 1:1 a value is expected"},
    {TEXT("1\0"), "1 bad 1:2 something follows the value"},
    /* Numbers. */
    {TEXT("-"), " bad 1:1 a number has other digits than JSON's do"},
    {TEXT("+1"), " bad 1:1 a value is expected"},
    {TEXT(".5"), " bad 1:1 a value is expected"},
    {TEXT("1."), " bad 1:1 a number has other digits than JSON's do"},
    {TEXT("1.e1"), " bad 1:1 a number has other digits than JSON's do"},
    {TEXT("1e"), " bad 1:1 a number has other digits than JSON's do"},
    {TEXT("1e+"), " bad 1:1 a number has other digits than JSON's do"},
    {TEXT("-01"), " bad 1:1 a number has other digits than JSON's do"},
    {TEXT("0x1"), "0 bad 1:2 something follows the value"},
    {TEXT("1_0"), "1 bad 1:2 something follows the value"},
    /* Commas, colons and brackets. */
    {TEXT("[1,]"), "[ 1 bad 1:4 a value is expected"},
    {TEXT("[,1]"), "[ bad 1:2 a value is expected"},
    {TEXT("[1 2]"), "[ 1 bad 1:4 a comma or ] is expected"},
    {TEXT("[1}"), "[ 1 bad 1:3 a comma or ] is expected"},
    {TEXT("["), "[ bad 1:2 a value is expected"},
    {TEXT("[1"), "[ 1 bad 1:3 a comma or ] is expected"},
    {TEXT("]"), " bad 1:1 a value is expected"},
    {TEXT("{\"a\":1,}"), "{ \"a\": 1 bad 1:8 a name in quotes is expected"},
    {TEXT("{\"a\"}"), "{ bad 1:5 a colon is expected"},
    {TEXT("{\"a\" 1}"), "{ bad 1:6 a colon is expected"},
    {TEXT("{\"a\":}"), "{ \"a\": bad 1:6 a value is expected"},
    {TEXT("{\"a\":1]"), "{ \"a\": 1 bad 1:7 a comma or } is expected"},
    {TEXT("{\"a\":1 \"b\":2}"), "{ \"a\": 1 bad 1:8 a comma or } is expected"},
    {TEXT("{a:1}"), "{ bad 1:2 a name in quotes is expected"},
    {TEXT("{'a':1}"), "{ bad 1:2 a name in quotes is expected"},
    {TEXT("{1:1}"), "{ bad 1:2 a name in quotes is expected"},
    {TEXT("{"), "{ bad 1:2 a name in quotes is expected"},
    /* Strings that are none. */
    {TEXT("\""), " bad 1:2 a string has no end"},
    {TEXT("\"a\\"), " bad 1:3 a backslash is followed by none of \"\\/bfnrtu"},
    {TEXT("\"a\\n"), " bad 1:5 a string has no end"},
    {TEXT("\"\\x\""), " bad 1:2 a backslash is followed by none of \"\\/bfnrtu"},
    {TEXT("\"\\\0\""), " bad 1:2 a backslash is followed by none of \"\\/bfnrtu"},
    {TEXT("\"\\u12\""), " bad 1:2 \\u is not followed by four hexadecimal digits"},
    {TEXT("\"\\u12g4\""), " bad 1:2 \\u is not followed by four hexadecimal digits"},
    {TEXT("\"\n\""), " bad 1:2 a string has a control character"},
    {TEXT("\"\\n\x1f\""), " bad 1:4 a string has a control character"},
    {TEXT("\"\0\""), " bad 1:2 a string has a control character"},
    /* Halves of surrogate pairs. */
    {TEXT("\"\\ud800\""), " bad 1:2 half of a surrogate pair stands alone"},
    {TEXT("\"\\udc00\""), " bad 1:2 half of a surrogate pair stands alone"},
    {TEXT("\"\\ud800\\ud800\""), " bad 1:2 half of a surrogate pair stands alone"},
    {TEXT("\"\\udbff\\u0041\""), " bad 1:2 half of a surrogate pair stands alone"},
    {TEXT("\"\\ud800x\""), " bad 1:2 half of a surrogate pair stands alone"},
    /* No UTF-8: continuations alone or missing, too long, surrogates, past the last. */
    {TEXT("\"\x80\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xc3\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xc3"), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xe2\x82\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xf0\x9f\x98\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xc0\x80\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xc1\xbf\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xe0\x9f\xbf\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xf0\x8f\xbf\xbf\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xed\xa0\x80\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xf4\x90\x80\x80\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\xf5\x80\x80\x80\""), " bad 1:2 a string is no UTF-8"},
    {TEXT("\"\\n\xff\""), " bad 1:4 a string is no UTF-8"},
    /* Names that come twice, however they are written. */
    {TEXT("{\"a\":1,\"a\":1}"), "{ \"a\": 1 bad 1:8 a name comes twice in one object"},
    {TEXT("{\"a\":1,\n\"b\":2,\n\"\\u0061\":1}"),
     "{ \"a\": 1 \"b\": 2 bad 3:1 a name comes twice in one object"},
    {TEXT("{\"a\":{\"b\":1},\"a\":1}"),
     "{ \"a\": { \"b\": 1 } bad 1:14 a name comes twice in one object"},
};

static void texts_are_read_as_the_grammar_has_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = json_transcript(rows[i].input);
        assert_string_equal(text, rows[i].expected);
        free(text);
    }
}

static void jansson_agrees(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *objection = json_oracle_objection(rows[i].input);
        if (objection != NULL) {
            fail_msg("%s: %s", rows[i].expected, objection);
        }
    }
}

/* ---- Bounds ------------------------------------------------------------------------------- */

static char *brackets(size_t count)
{
    char *text = test_malloc(2 * count + 1);
    memset(text, '[', count);
    memset(text + count, ']', count);
    text[2 * count] = '\0';
    return text;
}

static bool is_good(const char *text)
{
    char *transcript = json_transcript(weir_text(text));
    const bool good = strstr(transcript, "bad") == NULL;
    free(transcript);
    return good;
}

static void levels_go_to_their_bound_and_no_deeper(void **state)
{
    (void)state;
    char *text = brackets(WEIR_JSON_DEPTH);
    assert_true(is_good(text));
    test_free(text);
    text = brackets(WEIR_JSON_DEPTH + 1);
    assert_false(is_good(text));
    test_free(text);
}

/* {"outer":{"0":0,"1":0,...},"last":0} with `count` names in all but "last". */
static char *members(size_t count)
{
    char *text = test_malloc(count * 16 + 64);
    size_t len = (size_t)snprintf(text, 64, "{\"outer\":{");
    for (size_t i = 1; i < count; i++) {
        len += (size_t)snprintf(text + len, 16, "%s\"%zu\":0", i > 1 ? "," : "", i);
    }
    (void)snprintf(text + len, 16, "},\"last\":0}");
    return text;
}

static void names_of_open_objects_go_to_their_bound(void **state)
{
    (void)state;
    char *text = members(WEIR_JSON_NAMES);
    assert_true(is_good(text));
    test_free(text);
    text = members(WEIR_JSON_NAMES + 1);
    assert_false(is_good(text));
    test_free(text);
}

static void names_of_closed_objects_are_forgotten(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "[");
    for (size_t i = 0; i < (size_t)WEIR_JSON_NAMES * 3; i++) {
        weir_buffer_print(&text, "%s{\"a\":{\"b\":%zu}}", i > 0 ? "," : "", i);
    }
    weir_buffer_put(&text, weir_bytes("]", 2));
    assert_true(is_good(text.bytes));
    weir_buffer_deinit(&text);
}

/* ---- The rest ----------------------------------------------------------------------------- */

static void values_are_skipped_whole(void **state)
{
    (void)state;
    const struct weir_bytes input = weir_text("{\"a\":[1,{\"b\":[]}],\"c\":2,\"d\":[}");
    struct weir_buffer scratch = {0};
    struct weir_json_reader reader;
    weir_json_begin(&reader, input, &scratch);
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_OBJECT);
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_NAME);
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_ARRAY);
    assert_true(weir_json_skip(&reader));
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_NAME);
    assert_memory_equal(reader.text.ptr, "c", 1);
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_NUMBER);
    assert_true(weir_json_skip(&reader));
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_NAME);
    assert_memory_equal(reader.text.ptr, "d", 1);
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_ARRAY);
    assert_false(weir_json_skip(&reader));
    assert_false(weir_json_skip(&reader));
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_BAD);
    weir_buffer_deinit(&scratch);
}

static void texts_stay_where_they_are(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "[\"\\n\"");
    for (size_t i = 0; i < 1000; i++) {
        weir_buffer_put_text(&text, ",\"\\u0041\\ud83d\\ude00 and more\"");
    }
    weir_buffer_put_text(&text, "]");
    struct weir_buffer scratch = {0};
    struct weir_json_reader reader;
    weir_json_begin(&reader, weir_buffer_bytes(&text), &scratch);
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_ARRAY);
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_STRING);
    const struct weir_bytes first = reader.text;
    while (weir_json_next(&reader) == WEIR_JSON_STRING) {
    }
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_END);
    assert_ptr_equal(first.ptr, scratch.bytes);
    assert_memory_equal(first.ptr, "\n", 1);
    weir_buffer_deinit(&scratch);
    weir_buffer_deinit(&text);
}

static void *no_memory(void *context, size_t size, size_t align)
{
    (void)context;
    (void)size;
    (void)align;
    return NULL;
}

static void give_back(void *context, void *memory, size_t size)
{
    (void)context;
    (void)memory;
    (void)size;
}

static void a_string_with_an_escape_needs_memory(void **state)
{
    (void)state;
    const struct weir_allocator nothing = {.allocate = no_memory, .release = give_back};
    struct weir_buffer scratch = {.allocator = &nothing};
    struct weir_json_reader reader;
    weir_json_begin(&reader, weir_text("\"a\""), &scratch);
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_STRING);
    weir_json_begin(&reader, weir_text("\"\\n\""), &scratch);
    assert_int_equal(weir_json_next(&reader), WEIR_JSON_BAD);
    assert_string_equal(reader.complaint, "there is no memory for a string");
}

struct number {
    const char *text;
    bool whole;
    uint64_t value;
};

static void whole_numbers_are_told_from_others(void **state)
{
    (void)state;
    static const struct number numbers[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"0.000", true, 0},
        {"0e999999999999999999999", true, 0},
        {"-0e-5", true, 0},
        {"1", true, 1},
        {"1.0", true, 1},
        {"1e3", true, 1000},
        {"1E+3", true, 1000},
        {"1.5e1", true, 15},
        {"100e-2", true, 1},
        {"0.001e3", true, 1},
        {"9223372036854775807", true, INT64_MAX},
        {"922337203685477580.7e1", true, INT64_MAX},
        {"9000000000000000000", true, UINT64_C(9000000000000000000)},
        {"9e18", true, UINT64_C(9000000000000000000)},
        {"9223372036854775808", false, 0},
        {"18446744073709551617", false, 0},
        {"1e19", false, 0},
        {"1e999999999999999999999", false, 0},
        {"1e-999999999999999999999", false, 0},
        {"1.5", false, 0},
        {"1e-1", false, 0},
        {"-1", false, 0},
        {"", false, 0},
        {"1x", false, 0},
        {"01", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"e1", false, 0},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint64_t value = 77;
        assert_int_equal(weir_json_whole(weir_text(numbers[i].text), &value), numbers[i].whole);
        assert_int_equal(value, numbers[i].whole ? numbers[i].value : 77);
    }
    uint64_t value = 77;
    assert_false(weir_json_whole(weir_bytes(NULL, 0), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_as_the_grammar_has_it),
        cmocka_unit_test(jansson_agrees),
        cmocka_unit_test(levels_go_to_their_bound_and_no_deeper),
        cmocka_unit_test(names_of_open_objects_go_to_their_bound),
        cmocka_unit_test(names_of_closed_objects_are_forgotten),
        cmocka_unit_test(values_are_skipped_whole),
        cmocka_unit_test(texts_stay_where_they_are),
        cmocka_unit_test(a_string_with_an_escape_needs_memory),
        cmocka_unit_test(whole_numbers_are_told_from_others),
    };
    return cmocka_run_group_tests_name("json_reader", tests, NULL, NULL);
}
