/* writer.c - writing JSON. See json.h.
 *
 * Invariant: what was written is the start of some JSON text, in which `depth` levels are open. */

#include "json/json.h"
#include "json/utf8.h"

#include <assert.h>
#include <string.h>

/* What stands for bytes that are no UTF-8: U+FFFD. */
#define REPLACEMENT "\xef\xbf\xbd"

/* The longest that one byte of a string becomes: \u001f. */
#define ESCAPED_MAX 6

#define US_PER_SECOND 1000000u
#define DECIMALS 6

void weir_json_write(struct weir_json_writer *writer, struct weir_buffer *out)
{
    *writer = (struct weir_json_writer){.out = out};
}

/* ---- Commas ------------------------------------------------------------------------------- */

/* Before a value or a name. */
static void put_comma(struct weir_json_writer *writer)
{
    const uint32_t bit = UINT32_C(1) << writer->depth;
    if ((writer->begun & bit) != 0) {
        assert(writer->depth > 0);
        weir_buffer_put(writer->out, weir_bytes(",", 1));
    }
    writer->begun |= bit;
}

static void before_value(struct weir_json_writer *writer)
{
    if (!writer->named) {
        put_comma(writer);
    }
    writer->named = false;
}

static void put_value(struct weir_json_writer *writer, const char *text)
{
    before_value(writer);
    weir_buffer_put_text(writer->out, text);
}

static void open_level(struct weir_json_writer *writer, const char *bracket)
{
    put_value(writer, bracket);
    assert(writer->depth < WEIR_JSON_DEPTH);
    writer->depth++;
    writer->begun &= ~(UINT32_C(1) << writer->depth);
}

static void close_level(struct weir_json_writer *writer, const char *bracket)
{
    assert(writer->depth > 0 && !writer->named);
    weir_buffer_put_text(writer->out, bracket);
    writer->depth--;
}

void weir_json_put_object(struct weir_json_writer *writer)
{
    open_level(writer, "{");
}

void weir_json_put_object_end(struct weir_json_writer *writer)
{
    close_level(writer, "}");
}

void weir_json_put_array(struct weir_json_writer *writer)
{
    open_level(writer, "[");
}

void weir_json_put_array_end(struct weir_json_writer *writer)
{
    close_level(writer, "]");
}

/* ---- Strings ------------------------------------------------------------------------------ */

/* Writes what the byte below 128 becomes, which has to be escaped, to `to`; returns its length. */
static size_t escape(char byte, char *to)
{
    static const char meant[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    static const char hex[] = "0123456789abcdef";
    static const char unit[4] = {'\\', 'u', '0', '0'};
    const char *found = byte == '\0' ? NULL : strchr(meant, byte);
    if (found != NULL) {
        to[0] = '\\';
        to[1] = letters[found - meant];
        return 2;
    }
    memcpy(to, unit, sizeof(unit));
    to[4] = hex[(unsigned char)byte >> 4];
    to[5] = hex[byte & 0xf];
    return ESCAPED_MAX;
}

/* Writes what the character at `at` becomes; returns its length, and how many bytes it was. */
static size_t put_character(const char *at, const char *end, char *to, size_t *ret_used)
{
    const unsigned char byte = (unsigned char)*at;
    *ret_used = 1;
    if (byte < 0x80) {
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            return escape(*at, to);
        }
        *to = *at;
        return 1;
    }
    const size_t len = weir_json_character(at, end);
    if (len == 0) {
        memcpy(to, REPLACEMENT, sizeof(REPLACEMENT) - 1);
        return sizeof(REPLACEMENT) - 1;
    }
    memcpy(to, at, len);
    *ret_used = len;
    return len;
}

/* In quotes, and `after` behind them. */
static void put_quoted(struct weir_buffer *out, struct weir_bytes text, struct weir_bytes after)
{
    if (text.len > SIZE_MAX / (2 * (size_t)ESCAPED_MAX) ||
        !weir_buffer_reserve(out, text.len * ESCAPED_MAX + 2 + after.len)) {
        out->failed = true;
        return;
    }
    char *to = out->bytes + out->len;
    const char *const end = text.len > 0 ? text.ptr + text.len : text.ptr;
    *to++ = '"';
    for (const char *at = text.ptr; at < end;) {
        size_t used;
        to += put_character(at, end, to, &used);
        at += used;
    }
    *to++ = '"';
    if (after.len > 0) {
        memcpy(to, after.ptr, after.len);
    }
    out->len = (size_t)(to - out->bytes) + after.len;
}

void weir_json_put_name(struct weir_json_writer *writer, const char *name)
{
    assert(!writer->named && writer->depth > 0);
    put_comma(writer);
    put_quoted(writer->out, weir_text(name), weir_bytes(":", 1));
    writer->named = true;
}

void weir_json_put_string(struct weir_json_writer *writer, struct weir_bytes text)
{
    before_value(writer);
    put_quoted(writer->out, text, weir_bytes(NULL, 0));
}

void weir_json_put_text(struct weir_json_writer *writer, const char *text)
{
    weir_json_put_string(writer, weir_text(text));
}

/* ---- Numbers and words -------------------------------------------------------------------- */

void weir_json_put_whole(struct weir_json_writer *writer, uint64_t number)
{
    before_value(writer);
    weir_buffer_put_number(writer->out, number);
}

/* Begins a value: its sign; returns what is left to write. */
static uint64_t put_sign(struct weir_json_writer *writer, int64_t number)
{
    put_value(writer, number < 0 ? "-" : "");
    return number < 0 ? -(uint64_t)number : (uint64_t)number;
}

void weir_json_put_signed(struct weir_json_writer *writer, int64_t number)
{
    weir_buffer_put_number(writer->out, put_sign(writer, number));
}

void weir_json_put_seconds(struct weir_json_writer *writer, int64_t us)
{
    const uint64_t number = put_sign(writer, us);
    weir_buffer_put_number(writer->out, number / US_PER_SECOND);
    uint64_t rest = number % US_PER_SECOND;
    if (rest == 0) {
        return;
    }
    size_t len = DECIMALS;
    for (; rest % 10 == 0; rest /= 10) {
        len--;
    }
    char decimals[DECIMALS + 1] = ".";
    for (size_t i = len; i > 0; i--) {
        decimals[i] = (char)('0' + rest % 10);
        rest /= 10;
    }
    weir_buffer_put(writer->out, weir_bytes(decimals, len + 1));
}

void weir_json_put_boolean(struct weir_json_writer *writer, bool value)
{
    put_value(writer, value ? "true" : "false");
}

void weir_json_put_null(struct weir_json_writer *writer)
{
    put_value(writer, "null");
}
