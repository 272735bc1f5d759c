/* writer_test.c - what is written is JSON, with commas and escapes where they belong. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/json.h"

#include <string.h>

static void expect(struct weir_buffer *out, const char *expected)
{
    assert_int_equal(out->len, strlen(expected));
    assert_memory_equal(out->bytes, expected, out->len);
    weir_buffer_clear(out);
}

static void commas_and_colons_are_put_where_they_belong(void **state)
{
    (void)state;
    struct weir_buffer out = {0};
    struct weir_json_writer writer;
    weir_json_write(&writer, &out);
    weir_json_put_object(&writer);
    weir_json_put_name(&writer, "a");
    weir_json_put_array(&writer);
    weir_json_put_array(&writer);
    weir_json_put_array_end(&writer);
    weir_json_put_object(&writer);
    weir_json_put_object_end(&writer);
    weir_json_put_whole(&writer, UINT64_MAX);
    weir_json_put_null(&writer);
    weir_json_put_array_end(&writer);
    weir_json_put_name(&writer, "b");
    weir_json_put_boolean(&writer, true);
    weir_json_put_name(&writer, "c");
    weir_json_put_boolean(&writer, false);
    weir_json_put_name(&writer, "d");
    weir_json_put_text(&writer, "e");
    weir_json_put_object_end(&writer);
    expect(&out, "{\"a\":[[],{},18446744073709551615,null],\"b\":true,\"c\":false,\"d\":\"e\"}");
    weir_buffer_deinit(&out);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    struct weir_buffer out = {0};
    struct weir_json_writer writer;
    weir_json_write(&writer, &out);
    weir_json_put_string(&writer, weir_bytes("\"\\/\b\f\n\r\t\0\x1f\x7f", 11));
    expect(&out, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"");
    weir_json_write(&writer, &out);
    weir_json_put_string(&writer, weir_bytes(NULL, 0));
    expect(&out, "\"\"");
    weir_json_write(&writer, &out);
    weir_json_put_string(&writer, weir_text("\xc3\xa4 \xff\xe2\x82 \xed\xa0\x80 \xf0\x9f\x98\x80"));
    expect(&out,
           "\"\xc3\xa4 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
           " \xf0\x9f\x98\x80\"");
    weir_json_write(&writer, &out);
    weir_json_put_object(&writer);
    weir_json_put_name(&writer, "\"\n");
    weir_json_put_null(&writer);
    weir_json_put_object_end(&writer);
    expect(&out, "{\"\\\"\\n\":null}");
    weir_buffer_deinit(&out);
}

static void numbers_are_written_whole(void **state)
{
    (void)state;
    struct weir_buffer out = {0};
    struct weir_json_writer writer;
    weir_json_write(&writer, &out);
    weir_json_put_array(&writer);
    weir_json_put_signed(&writer, 0);
    weir_json_put_signed(&writer, INT64_MAX);
    weir_json_put_signed(&writer, INT64_MIN);
    weir_json_put_seconds(&writer, 0);
    weir_json_put_seconds(&writer, 1500000);
    weir_json_put_seconds(&writer, 1);
    weir_json_put_seconds(&writer, 60000000);
    weir_json_put_seconds(&writer, 999999);
    weir_json_put_seconds(&writer, 1000010);
    weir_json_put_seconds(&writer, -500000);
    weir_json_put_seconds(&writer, INT64_MIN);
    weir_json_put_seconds(&writer, INT64_MAX);
    weir_json_put_array_end(&writer);
    expect(&out,
           "[0,9223372036854775807,-9223372036854775808,0,1.5,0.000001,60,0.999999,1.00001,-0.5,"
           "-9223372036854.775808,9223372036854.775807]");
    weir_buffer_deinit(&out);
}

static void levels_may_be_as_deep_as_a_reader_takes(void **state)
{
    (void)state;
    struct weir_buffer out = {0};
    struct weir_json_writer writer;
    weir_json_write(&writer, &out);
    for (size_t i = 0; i < WEIR_JSON_DEPTH; i++) {
        weir_json_put_array(&writer);
        weir_json_put_null(&writer);
    }
    for (size_t i = 0; i < WEIR_JSON_DEPTH; i++) {
        weir_json_put_array_end(&writer);
    }
    struct weir_buffer scratch = {0};
    struct weir_json_reader reader;
    weir_json_begin(&reader, weir_buffer_bytes(&out), &scratch);
    size_t values = 0;
    enum weir_json_token token;
    while ((token = weir_json_next(&reader)) > WEIR_JSON_BAD) {
        values += token == WEIR_JSON_NULL;
    }
    assert_int_equal(token, WEIR_JSON_END);
    assert_int_equal(values, WEIR_JSON_DEPTH);
    weir_buffer_deinit(&out);
    weir_buffer_deinit(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_colons_are_put_where_they_belong),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(numbers_are_written_whole),
        cmocka_unit_test(levels_may_be_as_deep_as_a_reader_takes),
    };
    return cmocka_run_group_tests_name("json_writer", tests, NULL, NULL);
}
