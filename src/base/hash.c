/* hash.c - see hash.h.
 *
 * The salt goes first, as a word of the message: that leaves the words of the key and the last,
 * short word, which carries the length, as the paper has them. So this is SipHash-1-3 of
 * (salt as 8 little-endian bytes) + bytes, and the tests hold it to the reference vectors in that
 * form. */

#include "base/hash.h"

#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define little_endian64(word) __builtin_bswap64(word)
#define little_endian32(word) __builtin_bswap32(word)
#else
#define little_endian64(word) (word)
#define little_endian32(word) (word)
#endif

static inline uint64_t load_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return little_endian64(word);
}

/* The last 0 to 7 bytes, in fixed steps: a memcpy of unknown length would be a call. */
static inline uint64_t load_tail(const char *at, size_t len)
{
    uint64_t word = 0;
    size_t taken = 0;
    if (len & 4) {
        uint32_t four;
        memcpy(&four, at, sizeof(four));
        word = little_endian32(four);
        taken = 4;
    }
    for (; taken < len; taken++) {
        word |= (uint64_t)(unsigned char)at[taken] << (8 * taken);
    }
    return word;
}

uint64_t weir_hash(const struct weir_secret *secret, uint64_t salt, struct weir_bytes bytes)
{
    struct sip s = {
        .v0 = secret->k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = secret->k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = secret->k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = secret->k1 ^ UINT64_C(0x7465646279746573),
    };
    sip_word(&s, salt);
    const char *at = bytes.ptr;
    size_t left = bytes.len;
    for (; left >= 8; left -= 8, at += 8) {
        sip_word(&s, load_word(at));
    }
    uint64_t length = (uint64_t)(bytes.len + 8) << 56;
    sip_word(&s, length | (left > 0 ? load_tail(at, left) : 0));
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
