/* json_oracle.c - see json_oracle.h. */

#include "support/json_oracle.h"

#include "json/json.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool same_string(const json_t *value, struct weir_bytes text)
{
    return json_is_string(value) && json_string_length(value) == text.len &&
           (text.len == 0 || memcmp(json_string_value(value), text.ptr, text.len) == 0);
}

static bool same_number(const json_t *value, struct weir_bytes text)
{
    char *digits = strndup(text.ptr, text.len);
    assert(digits != NULL);
    const bool real = strpbrk(digits, ".eE") != NULL;
    const bool same =
        real ? json_is_real(value) && strtod(digits, NULL) == json_real_value(value)
             : json_is_integer(value) && strtoll(digits, NULL, 10) == json_integer_value(value);
    uint64_t whole;
    const bool agrees = !json_is_integer(value) ||
                        (weir_json_whole(text, &whole) ? (json_int_t)whole : (json_int_t)-1) ==
                            (json_integer_value(value) < 0 ? -1 : json_integer_value(value));
    free(digits);
    return same && agrees;
}

static bool same_value(struct weir_json_reader *reader, enum weir_json_token token,
                       const json_t *value);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the reader lets through */
static bool same_array(struct weir_json_reader *reader, const json_t *value)
{
    size_t count = 0;
    enum weir_json_token token;
    while ((token = weir_json_next(reader)) != WEIR_JSON_ARRAY_END) {
        if (!same_value(reader, token, json_array_get(value, count++))) {
            return false;
        }
    }
    return json_is_array(value) && json_array_size(value) == count;
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static bool same_object(struct weir_json_reader *reader, const json_t *value)
{
    size_t count = 0;
    while (weir_json_next(reader) == WEIR_JSON_NAME) {
        const json_t *member = json_object_getn(value, reader->text.ptr, reader->text.len);
        count++;
        if (member == NULL || !same_value(reader, weir_json_next(reader), member)) {
            return false;
        }
    }
    return json_is_object(value) && json_object_size(value) == count;
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static bool same_value(struct weir_json_reader *reader, enum weir_json_token token,
                       const json_t *value)
{
    switch (token) {
    case WEIR_JSON_OBJECT:
        return same_object(reader, value);
    case WEIR_JSON_ARRAY:
        return same_array(reader, value);
    case WEIR_JSON_STRING:
        return same_string(value, reader->text);
    case WEIR_JSON_NUMBER:
        return same_number(value, reader->text);
    case WEIR_JSON_TRUE:
        return json_is_true(value);
    case WEIR_JSON_FALSE:
        return json_is_false(value);
    case WEIR_JSON_NULL:
        return json_is_null(value);
    case WEIR_JSON_END:
    case WEIR_JSON_BAD:
    case WEIR_JSON_OBJECT_END:
    case WEIR_JSON_ARRAY_END:
    case WEIR_JSON_NAME:
        break;
    }
    return false;
}

/* Why jansson may refuse what we take. */
static const char *refused_by_jansson(const json_error_t *error)
{
    const enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key
               ? NULL
               : "jansson refuses it";
}

/* Why we may refuse what jansson takes. */
static const char *refused_by_us(const struct weir_json_reader *reader)
{
    const bool nul = reader->at < reader->input.len && reader->input.ptr[reader->at] == '\0';
    return nul || strcmp(reader->complaint, "there are more levels than are allowed") == 0 ||
                   strcmp(reader->complaint, "objects have more members than are allowed") == 0
               ? NULL
               : reader->complaint;
}

const char *json_oracle_objection(struct weir_bytes input)
{
    struct weir_buffer scratch = {0};
    struct weir_json_reader reader;
    json_error_t error;
    json_t *theirs = json_loadb(input.len > 0 ? input.ptr : "", input.len,
                                JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    weir_json_begin(&reader, input, &scratch);
    enum weir_json_token token;
    while ((token = weir_json_next(&reader)) > WEIR_JSON_BAD) {
    }
    const char *objection = NULL;
    if (token == WEIR_JSON_BAD) {
        objection = theirs == NULL ? NULL : refused_by_us(&reader);
    } else if (theirs == NULL) {
        objection = refused_by_jansson(&error);
    } else {
        weir_json_begin(&reader, input, &scratch);
        objection = same_value(&reader, weir_json_next(&reader), theirs)
                        ? NULL
                        : "jansson sees other values";
    }
    json_decref(theirs);
    weir_buffer_deinit(&scratch);
    return objection;
}
