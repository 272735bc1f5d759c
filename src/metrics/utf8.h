/* utf8.h - which bytes are a character: what is told and logged may hold anything (RFC 3629). */

#ifndef WEIR_METRICS_UTF8_H
#define WEIR_METRICS_UTF8_H

#include "weir/weir.h"

/* The bytes of the character at `at`, which is inside, or 0 where there is none: no shortest form,
 * a surrogate, past U+10FFFF, or cut off. */
static inline size_t weir_utf8_len(struct weir_bytes bytes, size_t at)
{
    const unsigned char *c = (const unsigned char *)bytes.ptr + at;
    const size_t left = bytes.len - at;
    if (c[0] < 0x80) {
        return 1;
    }
    if (c[0] < 0xC2 || c[0] > 0xF4) {
        return 0;
    }
    const size_t len = c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    if (left < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((c[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    const bool overlong = (c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xF0 && c[1] < 0x90);
    const bool beyond = (c[0] == 0xED && c[1] > 0x9F) || (c[0] == 0xF4 && c[1] > 0x8F);
    return overlong || beyond ? 0 : len;
}

/* The character at `at`, of `len` bytes as weir_utf8_len gave. */
static inline uint32_t weir_utf8_character(struct weir_bytes bytes, size_t at, size_t len)
{
    const unsigned char *c = (const unsigned char *)bytes.ptr + at;
    uint32_t character = len == 1 ? c[0] : c[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        character = character << 6 | (c[i] & 0x3Fu);
    }
    return character;
}

#endif
