/* resp_fuzz.c - any bytes as what a connection brings.
 *
 * However they come in pieces, the reader makes the same of them, within its limits and within the
 * bytes (resp_transcript sees to both). What it takes for values is written again in a form that it
 * reads as the same values.
 *
 * The first byte says which side reads, the second how small the limits are, the third how the
 * bytes are cut. */

#include "support/resp_text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cutting a longer input up in all ways takes too long. */
#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const char *expected, char *text, const char *how)
{
    if (strcmp(expected, text) != 0) {
        (void)fprintf(stderr, "whole:\n%s%s:\n%s", expected, how, text);
        abort();
    }
    free(text);
}

/* Writes the values of one reply as RESP3 has them. */
static void write_values(struct weir_buffer *writer, const struct weir_resp_value *values,
                         size_t count)
{
    static const char types[] = {
        [WEIR_RESP_SIMPLE] = '+', [WEIR_RESP_DOUBLE] = ',', [WEIR_RESP_BIG] = '(',
        [WEIR_RESP_ERROR] = '!',  [WEIR_RESP_SET] = '~',    [WEIR_RESP_PUSH] = '>',
    };
    for (size_t i = 0; i < count; i++) {
        const struct weir_resp_value *value = &values[i];
        char header[32];
        if (value->type == WEIR_RESP_INTEGER) {
            weir_resp_put_integer(writer, value->integer);
        } else if (value->type == WEIR_RESP_NIL) {
            weir_resp_put_nil(writer, 3);
        } else if (value->type == WEIR_RESP_BOOLEAN) {
            weir_resp_put_boolean(writer, value->integer != 0, 3);
        } else if (value->type == WEIR_RESP_BULK) {
            weir_resp_put_bulk(writer, value->text);
        } else if (value->type == WEIR_RESP_ARRAY) {
            weir_resp_put_array(writer, value->count);
        } else if (value->type == WEIR_RESP_MAP) {
            weir_resp_put_map(writer, value->count / 2, 3);
        } else {
            const char type = types[value->type];
            const bool sized = type == '!';
            const bool counted = type == '~' || type == '>';
            const size_t number = counted ? value->count : value->text.len;
            const int len = snprintf(header, sizeof(header), "%c%zu\r\n", type, number);
            weir_buffer_put(writer, weir_bytes(header, sized || counted ? (size_t)len : 1));
            weir_buffer_put(writer, value->text);
            weir_buffer_put(writer, weir_bytes("\r\n", counted ? 0 : 2));
        }
    }
}

/* Reads the first value, writes it, and reads that. */
static void there_and_back(const struct weir_resp_limits *limits, struct weir_bytes input)
{
    struct weir_resp_reader *reader = weir_resp_reader_new(limits, NULL);
    struct weir_buffer writer = {0};
    size_t used;
    if (weir_resp_read(reader, input, &used) == WEIR_RESP_VALUE) {
        size_t count;
        const struct weir_resp_value *values = weir_resp_values(reader, &count);
        char *expected = resp_values_text(values, count);
        write_values(&writer, values, count);
        weir_resp_reader_free(reader);
        reader = weir_resp_reader_new(NULL, NULL);
        if (weir_resp_read(reader, weir_bytes(writer.bytes, writer.len), &used) !=
                WEIR_RESP_VALUE ||
            used != writer.len) {
            abort();
        }
        values = weir_resp_values(reader, &count);
        expect_same(expected, resp_values_text(values, count), "there and back");
        free(expected);
    }
    weir_buffer_deinit(&writer);
    weir_resp_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > INPUT_MAX) {
        return 0;
    }
    struct weir_resp_limits limits = {.commands = (data[0] & 1) != 0};
    if (data[1] != 0) {
        limits.depth = 1 + data[1] % 7;
        limits.values = 1 + data[1] % 61;
        limits.text = 1 + data[1] % 67;
        limits.bytes = 1 + data[1] % 251;
    }
    const struct weir_bytes input = weir_bytes(data + 3, size - 3);
    char *whole = resp_transcript(&limits, input, (struct resp_feed){.pieces = RESP_WHOLE});
    expect_same(whole, resp_transcript(&limits, input, (struct resp_feed){.pieces = RESP_SINGLE}),
                "byte by byte");
    expect_same(
        whole,
        resp_transcript(&limits, input, (struct resp_feed){RESP_TWO, data[2] + 1, random_from(0)}),
        "in two pieces");
    expect_same(
        whole,
        resp_transcript(&limits, input, (struct resp_feed){RESP_RANDOM, 0, random_from(data[2])}),
        "in random pieces");
    free(whole);
    there_and_back(&limits, input);
    return 0;
}
