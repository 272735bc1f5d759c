/* reader.c - reading JSON: which token may come next, and the tokens but strings and numbers. See
 * json.h, then parse.h.
 *
 * Invariant: bytes before `at` are the start of some JSON text, in which `depth` levels are open;
 * `expects` says what may follow. */

#include "json/parse.h"

#include <assert.h>
#include <string.h>

enum expects {
    A_VALUE = 0,
    A_VALUE_OR_END, /* behind '[' */
    A_NAME_OR_END,  /* behind '{' */
    A_COMMA_OR_END,
    NOTHING,
    FAILED
};

_Static_assert(WEIR_JSON_DEPTH < 32, "a bit of `arrays` for each level");
_Static_assert(WEIR_JSON_NAMES <= UINT8_MAX, "name_count and first_names are bytes");

void weir_json_begin(struct weir_json_reader *reader, struct weir_bytes input,
                     struct weir_buffer *scratch)
{
    weir_buffer_clear(scratch);
    reader->input = input.len > 0 ? input : weir_bytes("", 0);
    reader->at = 0;
    reader->start = 0;
    reader->scratch = scratch;
    reader->text = weir_bytes(NULL, 0);
    reader->complaint = "";
    reader->depth = 0;
    reader->arrays = 0;
    reader->expects = A_VALUE;
    reader->name_count = 0;
}

void weir_json_bad(struct weir_json_reader *reader, size_t at, const char *complaint)
{
    reader->at = at;
    reader->complaint = complaint;
    reader->expects = FAILED;
}

static enum weir_json_token fail(struct weir_json_reader *reader, const char *complaint)
{
    weir_json_bad(reader, reader->at, complaint);
    return WEIR_JSON_BAD;
}

static const char *input_end(const struct weir_json_reader *reader)
{
    return reader->input.ptr + reader->input.len;
}

/* ---- Levels ------------------------------------------------------------------------------- */

static bool in_array(const struct weir_json_reader *reader)
{
    return (reader->arrays >> reader->depth & 1) != 0;
}

static enum weir_json_token after_value(struct weir_json_reader *reader, enum weir_json_token token)
{
    reader->expects = reader->depth == 0 ? NOTHING : A_COMMA_OR_END;
    return token;
}

static enum weir_json_token open_level(struct weir_json_reader *reader, bool array)
{
    if (reader->depth == WEIR_JSON_DEPTH) {
        return fail(reader, "there are more levels than are allowed");
    }
    reader->at++;
    reader->depth++;
    reader->first_names[reader->depth] = reader->name_count;
    reader->arrays &= ~(UINT32_C(1) << reader->depth);
    reader->arrays |= (uint32_t)array << reader->depth;
    reader->expects = array ? A_VALUE_OR_END : A_NAME_OR_END;
    return array ? WEIR_JSON_ARRAY : WEIR_JSON_OBJECT;
}

static enum weir_json_token close_level(struct weir_json_reader *reader)
{
    const bool array = in_array(reader);
    reader->name_count = reader->first_names[reader->depth];
    reader->at++;
    reader->depth--;
    return after_value(reader, array ? WEIR_JSON_ARRAY_END : WEIR_JSON_OBJECT_END);
}

/* ---- Tokens ------------------------------------------------------------------------------- */

static void skip_blanks(struct weir_json_reader *reader)
{
    const char *at = reader->input.ptr + reader->at;
    const char *const end = input_end(reader);
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    reader->at = (size_t)(at - reader->input.ptr);
}

/* The byte that is read next; NUL, which no token starts with, at the end. */
static char next_byte(const struct weir_json_reader *reader)
{
    return reader->at < reader->input.len ? reader->input.ptr[reader->at] : '\0';
}

static enum weir_json_token read_word(struct weir_json_reader *reader, const char *word,
                                      enum weir_json_token token)
{
    const size_t len = strlen(word);
    if (reader->input.len - reader->at < len ||
        memcmp(reader->input.ptr + reader->at, word, len) != 0) {
        return fail(reader, "a value is expected");
    }
    reader->text = weir_bytes(reader->input.ptr + reader->at, len);
    reader->at += len;
    return after_value(reader, token);
}

static enum weir_json_token read_number(struct weir_json_reader *reader)
{
    const char *const start = reader->input.ptr + reader->at;
    const char *const after = weir_json_number_end(start, input_end(reader));
    if (after == NULL) {
        return fail(reader, "a number has other digits than JSON's do");
    }
    reader->text = weir_bytes(start, (size_t)(after - start));
    reader->at += reader->text.len;
    return after_value(reader, WEIR_JSON_NUMBER);
}

static enum weir_json_token read_value(struct weir_json_reader *reader)
{
    const char first = next_byte(reader);
    switch (first) {
    case '{':
        return open_level(reader, false);
    case '[':
        return open_level(reader, true);
    case '"':
        return weir_json_string(reader) ? after_value(reader, WEIR_JSON_STRING) : WEIR_JSON_BAD;
    case 't':
        return read_word(reader, "true", WEIR_JSON_TRUE);
    case 'f':
        return read_word(reader, "false", WEIR_JSON_FALSE);
    case 'n':
        return read_word(reader, "null", WEIR_JSON_NULL);
    default:
        break;
    }
    if (first == '-' || (first >= '0' && first <= '9')) {
        return read_number(reader);
    }
    return fail(reader, "a value is expected");
}

/* A name and its colon. */
static enum weir_json_token read_name(struct weir_json_reader *reader)
{
    if (next_byte(reader) != '"') {
        return fail(reader, "a name in quotes is expected");
    }
    if (!weir_json_string(reader) || !weir_json_know(reader)) {
        return WEIR_JSON_BAD;
    }
    skip_blanks(reader);
    if (next_byte(reader) != ':') {
        return fail(reader, "a colon is expected");
    }
    reader->at++;
    reader->expects = A_VALUE;
    return WEIR_JSON_NAME;
}

/* What follows a value within an object or array. */
static enum weir_json_token read_on(struct weir_json_reader *reader)
{
    const char byte = next_byte(reader);
    if (byte == (in_array(reader) ? ']' : '}')) {
        return close_level(reader);
    }
    if (byte != ',') {
        return fail(reader,
                    in_array(reader) ? "a comma or ] is expected" : "a comma or } is expected");
    }
    reader->at++;
    skip_blanks(reader);
    reader->start = reader->at;
    return in_array(reader) ? read_value(reader) : read_name(reader);
}

enum weir_json_token weir_json_next(struct weir_json_reader *reader)
{
    if (reader->expects == FAILED) {
        return WEIR_JSON_BAD;
    }
    skip_blanks(reader);
    reader->start = reader->at;
    switch ((enum expects)reader->expects) {
    case A_VALUE:
        return read_value(reader);
    case A_VALUE_OR_END:
        return next_byte(reader) == ']' ? close_level(reader) : read_value(reader);
    case A_NAME_OR_END:
        return next_byte(reader) == '}' ? close_level(reader) : read_name(reader);
    case A_COMMA_OR_END:
        return read_on(reader);
    case NOTHING:
    case FAILED:
        break;
    }
    return reader->at == reader->input.len ? WEIR_JSON_END
                                           : fail(reader, "something follows the value");
}

bool weir_json_skip(struct weir_json_reader *reader)
{
    if (reader->expects != A_VALUE_OR_END && reader->expects != A_NAME_OR_END) {
        return reader->expects != FAILED;
    }
    const unsigned outer = reader->depth - 1;
    while (reader->depth > outer) {
        if (weir_json_next(reader) == WEIR_JSON_BAD) {
            return false;
        }
    }
    return true;
}

void weir_json_place(struct weir_bytes input, size_t offset, size_t *ret_line, size_t *ret_column)
{
    assert(offset <= input.len);
    size_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i < offset; i++) {
        if (input.ptr[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    *ret_line = line;
    *ret_column = offset - start + 1;
}
