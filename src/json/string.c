/* string.c - reading JSON's strings, whose escapes are undone, and knowing names again. See json.h,
 * then parse.h.
 *
 * Invariant: what is in scratch never moves, as the first string with an escape makes room for all
 * that the input may have, and no string gets longer than it is written. */

#include "json/parse.h"
#include "json/utf8.h"

#include <string.h>

/* ---- Escapes ------------------------------------------------------------------------------ */

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The four digits behind \u at `at`; false where there is no such thing. */
static bool read_unit(const char *at, const char *end, uint32_t *ret_unit)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') {
        return false;
    }
    uint32_t unit = 0;
    for (size_t i = 2; i < 6; i++) {
        const int digit = hex_digit(at[i]);
        if (digit < 0) {
            return false;
        }
        unit = unit * 16 + (uint32_t)digit;
    }
    *ret_unit = unit;
    return true;
}

/* \uXXXX at `at`, or two that stand for one character: what is behind, or NULL with a complaint. */
static const char *undo_unicode(const char *at, const char *end, uint32_t *ret_code,
                                const char **ret_complaint)
{
    uint32_t unit;
    if (!read_unit(at, end, &unit)) {
        *ret_complaint = "\\u is not followed by four hexadecimal digits";
        return NULL;
    }
    at += 6;
    if ((unit & 0xf800) != 0xd800) {
        *ret_code = unit;
        return at;
    }
    uint32_t low;
    if (unit >= 0xdc00 || !read_unit(at, end, &low) || (low & 0xfc00) != 0xdc00) {
        *ret_complaint = "half of a surrogate pair stands alone";
        return NULL;
    }
    *ret_code = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
    return at + 6;
}

/* The escape at `at`, in the same way. */
static const char *undo_escape(const char *at, const char *end, uint32_t *ret_code,
                               const char **ret_complaint)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    if (end - at >= 2 && at[1] == 'u') {
        return undo_unicode(at, end, ret_code, ret_complaint);
    }
    const char *letter = end - at < 2 || at[1] == '\0' ? NULL : strchr(letters, at[1]);
    if (letter == NULL) {
        *ret_complaint = "a backslash is followed by none of \"\\/bfnrtu";
        return NULL;
    }
    *ret_code = (unsigned char)meant[letter - letters];
    return at + 2;
}

/* ---- Strings ------------------------------------------------------------------------------ */

/* Where plain text ends: at a quote, a backslash, a control, bad UTF-8, or the end. */
static const char *plain_end(const char *at, const char *end)
{
    while (at < end) {
        const unsigned char byte = (unsigned char)*at;
        if (byte >= 0x80) {
            const size_t len = weir_json_character(at, end);
            if (len == 0) {
                return at;
            }
            at += len;
        } else if (byte == '"' || byte == '\\' || byte < 0x20) {
            return at;
        } else {
            at++;
        }
    }
    return at;
}

static bool bad_string(struct weir_json_reader *reader, const char *at)
{
    const size_t offset = (size_t)(at - reader->input.ptr);
    if (offset == reader->input.len) {
        weir_json_bad(reader, offset, "a string has no end");
    } else if ((unsigned char)*at < 0x20) {
        weir_json_bad(reader, offset, "a string has a control character");
    } else {
        weir_json_bad(reader, offset, "a string is no UTF-8");
    }
    return false;
}

/* Goes on from the first backslash, which is at `at`, of the string that starts at `start`. */
static bool read_escaped(struct weir_json_reader *reader, const char *start, const char *at)
{
    const char *const end = reader->input.ptr + reader->input.len;
    struct weir_buffer *scratch = reader->scratch;
    if (!weir_buffer_reserve(scratch, (size_t)(end - start))) {
        weir_json_bad(reader, reader->at, "there is no memory for a string");
        return false;
    }
    const size_t first = scratch->len;
    weir_buffer_put(scratch, weir_bytes(start, (size_t)(at - start)));
    while (at < end && *at == '\\') {
        uint32_t code = 0;
        const char *complaint = NULL;
        const char *const after = undo_escape(at, end, &code, &complaint);
        if (after == NULL) {
            weir_json_bad(reader, (size_t)(at - reader->input.ptr), complaint);
            return false;
        }
        scratch->len += weir_json_encode(code, scratch->bytes + scratch->len);
        at = plain_end(after, end);
        weir_buffer_put(scratch, weir_bytes(after, (size_t)(at - after)));
    }
    if (at == end || *at != '"') {
        return bad_string(reader, at);
    }
    reader->text = weir_bytes(scratch->bytes + first, scratch->len - first);
    reader->at = (size_t)(at - reader->input.ptr) + 1;
    return true;
}

bool weir_json_string(struct weir_json_reader *reader)
{
    const char *const start = reader->input.ptr + reader->at + 1;
    const char *const end = reader->input.ptr + reader->input.len;
    const char *const at = plain_end(start, end);
    if (at < end && *at == '\\') {
        return read_escaped(reader, start, at);
    }
    if (at == end || *at != '"') {
        return bad_string(reader, at);
    }
    reader->text = weir_bytes(start, (size_t)(at - start));
    reader->at = (size_t)(at - reader->input.ptr) + 1;
    return true;
}

/* ---- Names -------------------------------------------------------------------------------- */

/* FNV-1a. Whoever finds names that it doesn't tell apart makes us compare these, of which there are
 * few. */
static uint32_t hash(struct weir_bytes text)
{
    uint32_t state = UINT32_C(2166136261);
    for (size_t i = 0; i < text.len; i++) {
        state = (state ^ (unsigned char)text.ptr[i]) * UINT32_C(16777619);
    }
    return state;
}

bool weir_json_know(struct weir_json_reader *reader)
{
    const struct weir_bytes text = reader->text;
    const struct weir_json_known name = {text.ptr, (uint32_t)text.len, hash(text)};
    for (size_t i = reader->first_names[reader->depth]; i < reader->name_count; i++) {
        const struct weir_json_known *other = &reader->names[i];
        if (other->hash == name.hash && other->len == name.len &&
            memcmp(other->text, name.text, name.len) == 0) {
            weir_json_bad(reader, reader->start, "a name comes twice in one object");
            return false;
        }
    }
    if (reader->name_count == WEIR_JSON_NAMES) {
        weir_json_bad(reader, reader->start, "objects have more members than are allowed");
        return false;
    }
    reader->names[reader->name_count++] = name;
    return true;
}
