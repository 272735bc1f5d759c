/* number.c - JSON's numbers: where one ends, and which whole number it is. See json.h. */

#include "json/parse.h"

#include <stddef.h>

/* No exponent that is larger makes a difference to a number that fits in memory. */
#define EXPONENT_MAX INT64_C(1000000000000000)

/* The digits of 2^63-1. */
#define DIGITS_MAX 19

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at)) {
        at++;
    }
    return at;
}

/* The parts of a number; each but `whole` may be empty. */
struct parts {
    struct weir_bytes whole;
    struct weir_bytes fraction;
    struct weir_bytes exponent;
    bool negative;
    bool small; /* the exponent is negative */
};

/* One digit or more at `at`: what is behind; NULL where there is none. */
static const char *read_digits(const char *at, const char *end, struct weir_bytes *ret_digits)
{
    const char *const after = skip_digits(at, end);
    *ret_digits = weir_bytes(at, (size_t)(after - at));
    return after == at ? NULL : after;
}

static const char *read_exponent(const char *at, const char *end, struct parts *parts)
{
    if (at < end && (*at == '+' || *at == '-')) {
        parts->small = *at == '-';
        at++;
    }
    return read_digits(at, end, &parts->exponent);
}

/* Where the number at `at` ends; NULL where there is none. */
static const char *read_parts(const char *at, const char *end, struct parts *parts)
{
    *parts = (struct parts){.fraction = weir_bytes("", 0),
                            .exponent = weir_bytes("", 0),
                            .negative = at < end && *at == '-'};
    at += parts->negative ? 1 : 0;
    at = read_digits(at, end, &parts->whole);
    if (at == NULL || (parts->whole.len > 1 && *parts->whole.ptr == '0')) {
        return NULL;
    }
    if (at < end && *at == '.') {
        at = read_digits(at + 1, end, &parts->fraction);
    }
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at = read_exponent(at + 1, end, parts);
    }
    return at;
}

const char *weir_json_number_end(const char *at, const char *end)
{
    struct parts parts;
    return read_parts(at, end, &parts);
}

/* ---- Whole ones --------------------------------------------------------------------------- */

/* The digit at an index of whole and fraction together. */
static unsigned digit_at(const struct parts *parts, size_t index)
{
    const char digit = index < parts->whole.len ? parts->whole.ptr[index]
                                                : parts->fraction.ptr[index - parts->whole.len];
    return (unsigned)(digit - '0');
}

static int64_t exponent_of(const struct parts *parts)
{
    int64_t exponent = 0;
    for (size_t i = 0; i < parts->exponent.len && exponent < EXPONENT_MAX; i++) {
        exponent = exponent * 10 + (parts->exponent.ptr[i] - '0');
    }
    return parts->small ? -exponent : exponent;
}

bool weir_json_whole(struct weir_bytes text, uint64_t *ret_number)
{
    struct parts parts;
    if (text.len == 0 || read_parts(text.ptr, text.ptr + text.len, &parts) != text.ptr + text.len) {
        return false;
    }
    /* digits[first..last) are those between zeros, and are to be followed by `zeros` of these. */
    size_t first = 0;
    size_t last = parts.whole.len + parts.fraction.len;
    while (first < last && digit_at(&parts, first) == 0) {
        first++;
    }
    int64_t zeros = exponent_of(&parts) - (int64_t)parts.fraction.len;
    while (last > first && digit_at(&parts, last - 1) == 0) {
        last--;
        zeros++;
    }
    if (first == last) {
        *ret_number = 0;
        return true;
    }
    if (parts.negative || zeros < 0 || zeros > DIGITS_MAX ||
        last - first + (size_t)zeros > DIGITS_MAX) {
        return false;
    }
    uint64_t number = 0;
    for (size_t i = first; i < last + (size_t)zeros; i++) {
        number = number * 10 + (i < last ? digit_at(&parts, i) : 0);
    }
    if (number > INT64_MAX) {
        return false;
    }
    *ret_number = number;
    return true;
}
