/* json_text.c - see json_text.h. */

#include "support/json_text.h"

#include "support/resp_text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {
    [WEIR_JSON_OBJECT] = "{",    [WEIR_JSON_OBJECT_END] = "}", [WEIR_JSON_ARRAY] = "[",
    [WEIR_JSON_ARRAY_END] = "]", [WEIR_JSON_TRUE] = "true",    [WEIR_JSON_FALSE] = "false",
    [WEIR_JSON_NULL] = "null",
};

static bool is_within(struct weir_bytes text, struct weir_bytes whole)
{
    return text.ptr >= whole.ptr && text.ptr <= whole.ptr + whole.len &&
           text.len <= (size_t)(whole.ptr + whole.len - text.ptr);
}

static void print_number(FILE *to, struct weir_bytes text, bool plain)
{
    uint64_t number;
    if (!plain) {
        resp_text_print(to, text);
    } else if (weir_json_whole(text, &number)) {
        (void)fprintf(to, "%llu", (unsigned long long)number);
    } else {
        (void)fputs("null", to);
    }
}

static void print_token(FILE *to, const struct weir_json_reader *reader, enum weir_json_token token,
                        bool plain)
{
    if (token == WEIR_JSON_NAME || token == WEIR_JSON_STRING) {
        assert(is_within(reader->text, reader->input) ||
               is_within(reader->text, weir_buffer_bytes(reader->scratch)));
        (void)fputc('"', to);
        resp_text_print(to, reader->text);
        (void)fputs(token == WEIR_JSON_NAME ? "\":" : "\"", to);
    } else if (token == WEIR_JSON_NUMBER) {
        assert(is_within(reader->text, reader->input));
        print_number(to, reader->text, plain);
    } else {
        (void)fputs(words[token], to);
    }
}

static char *transcript(struct weir_bytes input, bool plain)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    char *bytes = malloc(input.len > 0 ? input.len : 1);
    assert(to != NULL && bytes != NULL);
    memcpy(bytes, input.len > 0 ? input.ptr : "", input.len);
    struct weir_buffer scratch = {0};
    struct weir_json_reader reader;
    weir_json_begin(&reader, weir_bytes(bytes, input.len), &scratch);
    enum weir_json_token token = weir_json_next(&reader);
    for (const char *blank = ""; token > WEIR_JSON_BAD; blank = " ") {
        (void)fputs(blank, to);
        print_token(to, &reader, token, plain);
        token = weir_json_next(&reader);
    }
    if (token == WEIR_JSON_BAD) {
        size_t line;
        size_t column;
        weir_json_place(reader.input, reader.at, &line, &column);
        (void)fprintf(to, " bad %zu:%zu %s", line, column, reader.complaint);
    }
    assert(weir_json_next(&reader) == token);
    weir_buffer_deinit(&scratch);
    free(bytes);
    (void)fclose(to);
    return text;
}

char *json_transcript(struct weir_bytes input)
{
    return transcript(input, false);
}

char *json_plain_transcript(struct weir_bytes input)
{
    return transcript(input, true);
}

/* ---- Writing ------------------------------------------------------------------------------ */

static void write_name(struct weir_json_writer *writer, struct weir_bytes text)
{
    char *name = strndup(text.len > 0 ? text.ptr : "", text.len);
    assert(name != NULL);
    weir_json_put_name(writer, name);
    free(name);
}

static void write_number(struct weir_json_writer *writer, struct weir_bytes text)
{
    uint64_t number;
    if (weir_json_whole(text, &number)) {
        weir_json_put_whole(writer, number);
    } else {
        weir_json_put_null(writer);
    }
}

static void write_token(struct weir_json_writer *writer, enum weir_json_token token,
                        struct weir_bytes text)
{
    switch (token) {
    case WEIR_JSON_OBJECT:
        weir_json_put_object(writer);
        break;
    case WEIR_JSON_OBJECT_END:
        weir_json_put_object_end(writer);
        break;
    case WEIR_JSON_ARRAY:
        weir_json_put_array(writer);
        break;
    case WEIR_JSON_ARRAY_END:
        weir_json_put_array_end(writer);
        break;
    case WEIR_JSON_NAME:
        write_name(writer, text);
        break;
    case WEIR_JSON_STRING:
        weir_json_put_string(writer, text);
        break;
    case WEIR_JSON_NUMBER:
        write_number(writer, text);
        break;
    case WEIR_JSON_TRUE:
    case WEIR_JSON_FALSE:
        weir_json_put_boolean(writer, token == WEIR_JSON_TRUE);
        break;
    case WEIR_JSON_NULL:
        weir_json_put_null(writer);
        break;
    case WEIR_JSON_END:
    case WEIR_JSON_BAD:
        break;
    }
}

void json_rewrite(struct weir_bytes input, struct weir_buffer *out)
{
    struct weir_buffer scratch = {0};
    struct weir_json_reader reader;
    struct weir_json_writer writer;
    weir_json_begin(&reader, input, &scratch);
    weir_json_write(&writer, out);
    enum weir_json_token token;
    while ((token = weir_json_next(&reader)) > WEIR_JSON_BAD) {
        write_token(&writer, token, reader.text);
    }
    assert(token == WEIR_JSON_END && writer.depth == 0);
    weir_buffer_deinit(&scratch);
}
