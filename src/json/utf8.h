/* utf8.h - characters of UTF-8 that take more than one byte, as RFC 3629 has them: none longer than
 * it has to be, no halves of surrogates, none past U+10FFFF. */

#ifndef WEIR_JSON_UTF8_H
#define WEIR_JSON_UTF8_H

#include "weir/weir.h"

static inline bool weir_json_continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* How many bytes, 2 to 4, the character takes that starts at `at` with a byte above 127; 0 where
 * that is none, or ends behind `end`. */
static inline size_t weir_json_character(const char *at, const char *end)
{
    const unsigned char lead = (unsigned char)*at;
    const size_t len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || (size_t)(end - at) < len) {
        return 0;
    }
    const unsigned char second = (unsigned char)at[1];
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if (!weir_json_continues(at[i])) {
            return 0;
        }
    }
    return len;
}

/* Writes the character `code`, which is no half of a surrogate, to `at`; returns how many bytes. */
static inline size_t weir_json_encode(uint32_t code, char *at)
{
    if (code < 0x80) {
        at[0] = (char)code;
        return 1;
    }
    const size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        at[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    at[0] = (char)(leads[len] | code);
    return len;
}

#endif
