/* resp3.c - the types that only RESP3 has, and what is no type at all. See reader.h. */

#include "resp/reader.h"

#include <string.h>

/* ---- Text that has a form ----------------------------------------------------------------- */

static size_t skip_sign(struct weir_bytes text, size_t at)
{
    return at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+') ? at + 1 : at;
}

static size_t skip_digits(struct weir_bytes text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9') {
        at++;
    }
    return at;
}

static bool is_big(struct weir_bytes text)
{
    const size_t first = skip_sign(text, 0);
    return first < text.len && skip_digits(text, first) == text.len;
}

static bool ends_with(struct weir_bytes text, size_t at, const char *end)
{
    const size_t len = strlen(end);
    return text.len - at == len && memcmp(text.ptr + at, end, len) == 0;
}

/* A sign, digits, perhaps a point and digits, perhaps an exponent; or inf or nan, which some
 * servers give a sign too. */
static bool is_double(struct weir_bytes text)
{
    const size_t first = skip_sign(text, 0);
    if (ends_with(text, first, "inf") || ends_with(text, first, "nan")) {
        return true;
    }
    size_t at = skip_digits(text, first);
    if (at == first) {
        return false;
    }
    if (at < text.len && text.ptr[at] == '.') {
        at = skip_digits(text, at + 1);
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        const size_t exponent = skip_sign(text, at + 1);
        at = skip_digits(text, exponent);
        return at > exponent && at == text.len;
    }
    return at == text.len;
}

/* ---- Types -------------------------------------------------------------------------------- */

static enum weir_resp_state read_text(struct weir_resp_reader *reader,
                                      struct weir_resp_cursor *cursor, enum weir_resp_type type)
{
    struct weir_bytes text = {NULL, 0};
    const char *after = NULL;
    const enum weir_resp_state state = weir_resp_line(reader, cursor, &text, &after);
    if (state != WEIR_RESP_VALUE) {
        return state;
    }
    if (type == WEIR_RESP_DOUBLE && !is_double(text)) {
        return weir_resp_bad(reader, "what should be a floating-point number is none");
    }
    if (type == WEIR_RESP_BIG && !is_big(text)) {
        return weir_resp_bad(reader, "what should be a big number is none");
    }
    weir_resp_add_text(reader, cursor, type, text);
    cursor->at = after;
    return WEIR_RESP_VALUE;
}

/* A null or a boolean: these bytes and no others. */
static enum weir_resp_state read_exactly(struct weir_resp_reader *reader,
                                         struct weir_resp_cursor *cursor, const char *expected,
                                         enum weir_resp_type type)
{
    const size_t len = strlen(expected);
    const size_t there = (size_t)(cursor->end - cursor->at);
    if (memcmp(cursor->at, expected, there < len ? there : len) != 0) {
        return weir_resp_bad(reader, "a null or a boolean has something else in it");
    }
    if (there < len) {
        return weir_resp_more_bytes(reader, cursor);
    }
    weir_resp_add(reader, type)->integer = expected[1] == 't';
    cursor->at += len;
    return WEIR_RESP_VALUE;
}

static enum weir_resp_state read_boolean(struct weir_resp_reader *reader,
                                         struct weir_resp_cursor *cursor)
{
    const bool is_true = cursor->end - cursor->at > 1 && cursor->at[1] == 't';
    return read_exactly(reader, cursor, is_true ? "#t\r\n" : "#f\r\n", WEIR_RESP_BOOLEAN);
}

/* An error with a length, or a verbatim string, which is "txt:" or another three letters, and
 * text. */
static enum weir_resp_state read_sized(struct weir_resp_reader *reader,
                                       struct weir_resp_cursor *cursor, enum weir_resp_type type)
{
    struct weir_bytes text = {NULL, 0};
    const char *after = NULL;
    const enum weir_resp_state state = weir_resp_sized(reader, cursor, &text, &after);
    if (state != WEIR_RESP_VALUE) {
        return state;
    }
    if (type == WEIR_RESP_BULK) {
        if (text.len < 4 || text.ptr[3] != ':') {
            return weir_resp_bad(reader, "a verbatim string does not say what it is");
        }
        text = weir_bytes(text.ptr + 4, text.len - 4);
    }
    weir_resp_add_text(reader, cursor, type, text);
    cursor->at = after;
    return WEIR_RESP_VALUE;
}

/* An aggregate that has `each` values for each that its header counts. */
static enum weir_resp_state read_aggregate(struct weir_resp_reader *reader,
                                           struct weir_resp_cursor *cursor,
                                           enum weir_resp_type type, unsigned each)
{
    int64_t count = 0;
    const char *after = weir_resp_number(cursor, &count);
    if (after == NULL) {
        return weir_resp_number_trouble(reader, cursor);
    }
    if (count < 0) {
        return weir_resp_bad(reader, "a length is below 0");
    }
    return weir_resp_open(reader, cursor, type, (uint64_t)count * each, after);
}

/* Pushes stand between replies, never in one. */
static enum weir_resp_state read_push(struct weir_resp_reader *reader,
                                      struct weir_resp_cursor *cursor)
{
    if (reader->depth > 0) {
        return weir_resp_bad(reader, "a push is within another value");
    }
    return read_aggregate(reader, cursor, WEIR_RESP_PUSH, 1);
}

/* The first bytes of an alert and of a handshake of TLS. */
#define TLS_ALERT 0x15
#define TLS_HANDSHAKE 0x16

/* What begins with none of RESP's bytes: mostly it comes from somebody else's server. */
static enum weir_resp_state no_type(struct weir_resp_reader *reader,
                                    const struct weir_resp_cursor *cursor)
{
    switch (*cursor->at) {
    case ';':
    case '.':
        return weir_resp_bad(reader, "it is streamed, which is not supported");
    case TLS_ALERT:
    case TLS_HANDSHAKE:
        return weir_resp_bad(reader, "it begins with none of RESP's types, but as TLS does");
    case 'H':
        return weir_resp_bad(reader, "it begins with none of RESP's types, but as HTTP does");
    default:
        return weir_resp_bad(reader, "it begins with none of RESP's types");
    }
}

enum weir_resp_state weir_resp_read_resp3(struct weir_resp_reader *reader,
                                          struct weir_resp_cursor *cursor)
{
    switch (*cursor->at) {
    case '_':
        return read_exactly(reader, cursor, "_\r\n", WEIR_RESP_NIL);
    case '#':
        return read_boolean(reader, cursor);
    case ',':
        return read_text(reader, cursor, WEIR_RESP_DOUBLE);
    case '(':
        return read_text(reader, cursor, WEIR_RESP_BIG);
    case '!':
        return read_sized(reader, cursor, WEIR_RESP_ERROR);
    case '=':
        return read_sized(reader, cursor, WEIR_RESP_BULK);
    case '~':
        return read_aggregate(reader, cursor, WEIR_RESP_SET, 1);
    case '%':
        return read_aggregate(reader, cursor, WEIR_RESP_MAP, 2);
    case '|':
        return read_aggregate(reader, cursor, WEIR_RESP_ATTRIBUTE, 2);
    case '>':
        return read_push(reader, cursor);
    default:
        return no_type(reader, cursor);
    }
}
