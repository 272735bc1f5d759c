/* writer.c - writing RESP into a buffer that grows. See resp.h.
 *
 * Each call asks once for the room it takes at most, and then writes without looking: a command is
 * all there, or nothing of it is.
 *
 * Invariant: bytes[0..len) is a sequence of whole calls' output, and room >= len. */

#include "resp/resp.h"

#include "base/checked.h"
#include "resp/number.h"

#include <assert.h>
#include <string.h>

/* The most that a number takes: 20 digits, or 19 and a sign. */
#define NUMBER_MAX 20

/* A type's byte, a number, CRLF. */
#define HEADER_MAX (1 + NUMBER_MAX + 2)

/* ---- The buffer --------------------------------------------------------------------------- */

/* Takes what was written up to `end` into the buffer. */
static inline void written(struct weir_buffer *writer, const char *end)
{
    writer->len = (size_t)(end - writer->bytes);
    assert(writer->len <= writer->room);
}

/* ---- Numbers ------------------------------------------------------------------------------ */

static const char pairs[200] = {
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899"};

/* How many decimal digits: a guess by the number's bits, mended by a look at the power of ten that
 * lies between. */
static inline unsigned digits_of(uint64_t number)
{
    static const uint64_t powers[] = {
        0,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
        UINT64_C(10000000000000000000),
    };
    const unsigned bits = 64 - (unsigned)__builtin_clzll(number | 1);
    const unsigned guess = bits * 1233 / 4096; /* bits times the logarithm of 2 */
    return guess + (number >= powers[guess]);
}

/* Writes the `count` digits of `number` to `at`; returns what is behind them. */
static inline char *write_digits(char *at, uint64_t number, unsigned count)
{
    char *const end = at + count;
    char *to = end;
    while (number >= 100) {
        to -= 2;
        memcpy(to, pairs + 2 * (number % 100), 2);
        number /= 100;
    }
    if (number >= 10) {
        memcpy(to - 2, pairs + 2 * number, 2);
    } else {
        to[-1] = (char)('0' + number);
    }
    return end;
}

static inline char *write_break(char *at)
{
    at[0] = '\r';
    at[1] = '\n';
    return at + 2;
}

/* `type`, a number, CRLF. */
static inline char *write_header(char *at, char type, uint64_t number)
{
    *at++ = type;
    if (number < 10) {
        *at++ = (char)('0' + number);
    } else {
        at = write_digits(at, number, digits_of(number));
    }
    return write_break(at);
}

/* How far a number is from 0. */
static inline uint64_t magnitude(int64_t number)
{
    return number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
}

/* A number of `digits` digits and its sign, CRLF. */
static inline char *write_signed(char *at, int64_t number, unsigned digits)
{
    if (number < 0) {
        *at++ = '-';
    }
    return write_break(write_digits(at, magnitude(number), digits));
}

static inline char *write_bytes(char *at, struct weir_bytes bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    return at + bytes.len;
}

bool weir_resp_integer(struct weir_bytes text, int64_t *ret_integer)
{
    if (text.len == 0) {
        return false;
    }
    int64_t integer = 0;
    const char *const end = text.ptr + text.len;
    if (weir_resp_read_number(text.ptr, text.ptr, end, &integer) != end) {
        return false;
    }
    *ret_integer = integer;
    return true;
}

/* ---- What a client says ------------------------------------------------------------------- */

/* A header by itself. */
static void put_header(struct weir_buffer *writer, char type, uint64_t number)
{
    if (weir_buffer_reserve(writer, HEADER_MAX)) {
        written(writer, write_header(writer->bytes + writer->len, type, number));
    }
}

void weir_resp_put_array(struct weir_buffer *writer, size_t count)
{
    put_header(writer, '*', count);
}

static inline char *write_bulk(char *at, struct weir_bytes bytes)
{
    return write_break(write_bytes(write_header(at, '$', bytes.len), bytes));
}

/* Room for a header and the words of a command, as bulk strings. */
static inline bool reserve_words(struct weir_buffer *writer, const struct weir_bytes *words,
                                 size_t count)
{
    size_t size = HEADER_MAX;
    for (size_t i = 0; i < count; i++) {
        if (ckd_add(&size, size, words[i].len) || ckd_add(&size, size, HEADER_MAX + 2)) {
            writer->failed = true;
            return false;
        }
    }
    return weir_buffer_reserve(writer, size);
}

void weir_resp_put_bulk(struct weir_buffer *writer, struct weir_bytes bytes)
{
    if (reserve_words(writer, &bytes, 1)) {
        written(writer, write_bulk(writer->bytes + writer->len, bytes));
    }
}

void weir_resp_put_bulk_text(struct weir_buffer *writer, const char *text)
{
    weir_resp_put_bulk(writer, weir_bytes(text, strlen(text)));
}

void weir_resp_put_bulk_integer(struct weir_buffer *writer, int64_t integer)
{
    if (!weir_buffer_reserve(writer, HEADER_MAX + NUMBER_MAX + 2)) {
        return;
    }
    const unsigned digits = digits_of(magnitude(integer));
    char *at = write_header(writer->bytes + writer->len, '$', digits + (integer < 0));
    written(writer, write_signed(at, integer, digits));
}

void weir_resp_put_command(struct weir_buffer *writer, const struct weir_bytes *words, size_t count)
{
    if (!reserve_words(writer, words, count)) {
        return;
    }
    char *at = write_header(writer->bytes + writer->len, '*', count);
    for (size_t i = 0; i < count; i++) {
        at = write_bulk(at, words[i]);
    }
    written(writer, at);
}

/* ---- What only a server says -------------------------------------------------------------- */

/* `type`, a text in which a line break becomes spaces, CRLF. */
static void put_line(struct weir_buffer *writer, char type, const char *text)
{
    const size_t len = strlen(text);
    if (!weir_buffer_reserve(writer, len + 3)) {
        return;
    }
    char *at = writer->bytes + writer->len;
    *at++ = type;
    for (size_t i = 0; i < len; i++) {
        *at++ = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
    }
    written(writer, write_break(at));
}

void weir_resp_put_simple(struct weir_buffer *writer, const char *text)
{
    put_line(writer, '+', text);
}

void weir_resp_put_error(struct weir_buffer *writer, const char *text)
{
    put_line(writer, '-', text);
}

void weir_resp_put_integer(struct weir_buffer *writer, int64_t integer)
{
    if (weir_buffer_reserve(writer, HEADER_MAX)) {
        char *at = writer->bytes + writer->len;
        *at++ = ':';
        written(writer, write_signed(at, integer, digits_of(magnitude(integer))));
    }
}

void weir_resp_put_nil(struct weir_buffer *writer, unsigned protocol)
{
    assert(protocol == 2 || protocol == 3);
    weir_buffer_put(writer, weir_text(protocol == 3 ? "_\r\n" : "$-1\r\n"));
}

void weir_resp_put_boolean(struct weir_buffer *writer, bool value, unsigned protocol)
{
    assert(protocol == 2 || protocol == 3);
    if (protocol == 3) {
        weir_buffer_put(writer, weir_text(value ? "#t\r\n" : "#f\r\n"));
    } else {
        weir_buffer_put(writer, weir_text(value ? ":1\r\n" : ":0\r\n"));
    }
}

void weir_resp_put_map(struct weir_buffer *writer, size_t count, unsigned protocol)
{
    assert(protocol == 2 || protocol == 3);
    assert(count <= SIZE_MAX / 2);
    put_header(writer, protocol == 3 ? '%' : '*', protocol == 3 ? count : count * 2);
}
