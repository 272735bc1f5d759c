/* number.h - decimal digits in a text, eight at a time.
 *
 * A word of eight bytes says by a few operations on all of them where its digits end and what they
 * are worth: there is no branch on how many there are, as a reply's numbers are of any length.
 *
 * What counts as a number is what every server writes and hiredis demands: no plus, no leading
 * zero, no "-0", 64 bits with a sign.
 *
 * Invariant: nothing outside of `start` to `end` is looked at. */

#ifndef WEIR_RESP_NUMBER_H
#define WEIR_RESP_NUMBER_H

#include "base/hash.h" /* weir_load_word */
#include "weir/weir.h"

/* More digits than this are no 64-bit number. */
#define WEIR_RESP_DIGITS 19

#define WEIR_RESP_EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

struct weir_resp_digits {
    uint64_t value;
    unsigned
        count; /* of digits; WEIR_RESP_DIGITS + 1 stands for more, and then value for nothing */
};

/* The 8 bytes at `at`, little-endian, those from `end` on being zero. `start` is where the text
 * begins that `at` is in. */
static inline uint64_t weir_resp_word(const char *start, const char *at, const char *end)
{
    if (end - at >= 8) {
        return weir_load_word(at);
    }
    const unsigned missing = 8 - (unsigned)(end - at);
    if (missing == 8) {
        return 0;
    }
    if (end - start >= 8) {
        return weir_load_word(end - 8) >> (8 * missing);
    }
    uint64_t word = 0;
    for (unsigned i = 0; i < 8 - missing; i++) {
        word |= (uint64_t)(unsigned char)at[i] << (8 * i);
    }
    return word;
}

/* How many bytes of the word, from its lowest, are digits. A byte above 0xf9 carries into the next,
 * but as it is none itself, those are not asked about any more. */
static inline unsigned weir_resp_digit_count(uint64_t word)
{
    const uint64_t high = WEIR_RESP_EACH_BYTE(0xf0);
    const uint64_t others =
        (((word & high) ^ WEIR_RESP_EACH_BYTE(0x30)) |
         (((word + WEIR_RESP_EACH_BYTE(0x06)) & high) ^ WEIR_RESP_EACH_BYTE(0x30)));
    return others == 0 ? 8 : (unsigned)__builtin_ctzll(others) / 8;
}

/* What the first `count` (1 to 8) bytes of the word are worth: they are moved up, so that what is
 * before them is worth nothing, then joined by two, by four, and by eight. */
static inline uint64_t weir_resp_digit_value(uint64_t word, unsigned count)
{
    uint64_t digits = (word << (8 * (8 - count))) & WEIR_RESP_EACH_BYTE(0x0f);
    digits = digits * 10 + (digits >> 8);
    const uint64_t even = UINT64_C(0x000000ff000000ff);
    return ((digits & even) * (UINT64_C(100) + (UINT64_C(1000000) << 32)) +
            ((digits >> 16) & even) * (UINT64_C(1) + (UINT64_C(10000) << 32))) >>
           32;
}

/* The digits from `at` on, of which there are eight or more: the first eight are `digits`. */
static inline struct weir_resp_digits weir_resp_more_digits(const char *start, const char *at,
                                                            const char *end,
                                                            struct weir_resp_digits digits)
{
    static const uint32_t powers[] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};
    while (digits.count % 8 == 0) {
        const uint64_t word = weir_resp_word(start, at + digits.count, end);
        const unsigned count = weir_resp_digit_count(word);
        if (count == 0) {
            break;
        }
        if (digits.count + count > WEIR_RESP_DIGITS) {
            digits.count = WEIR_RESP_DIGITS + 1;
            break;
        }
        digits.value = digits.value * powers[count] + weir_resp_digit_value(word, count);
        digits.count += count;
    }
    return digits;
}

/* The digits from `at` to the first other byte or `end`. */
static inline struct weir_resp_digits weir_resp_read_digits(const char *start, const char *at,
                                                            const char *end)
{
    const uint64_t word = weir_resp_word(start, at, end);
    const unsigned count = weir_resp_digit_count(word);
    struct weir_resp_digits digits = {0, count};
    if (count == 0) {
        return digits;
    }
    digits.value = weir_resp_digit_value(word, count);
    return count < 8 ? digits : weir_resp_more_digits(start, at, end, digits);
}

/* The number from `at` on: where it ends, or NULL where there is none (yet). */
static inline const char *weir_resp_read_number(const char *start, const char *at, const char *end,
                                                int64_t *ret_number)
{
    const bool negative = at < end && *at == '-';
    at += negative;
    const struct weir_resp_digits digits = weir_resp_read_digits(start, at, end);
    if (digits.count == 0 || digits.count > WEIR_RESP_DIGITS ||
        digits.value > (uint64_t)INT64_MAX + negative ||
        (*at == '0' && (digits.count > 1 || negative))) {
        return NULL;
    }
    *ret_number = (int64_t)(negative ? 0 - digits.value : digits.value);
    return at + digits.count;
}

#endif
