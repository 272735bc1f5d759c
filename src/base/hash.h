/* hash.h - SipHash-1-3, the keyed hash under which every client lives.
 *
 * Keys are chosen by the people we limit. A hash without a secret lets them aim many keys at one
 * set of the table and wash somebody out; SipHash with a random secret of 128 bits does not. One
 * round a word and three at the end is the strength that Rust's and Python's hash tables settled
 * on.
 *
 * The salt of a limit, which its keys share and which no client chooses, is added to the secret: it
 * keeps the keys of one limit apart from those of another without a further round. All of it is
 * inline, as it is on the hot path.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */

#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include "weir/weir.h"

#include <string.h>

struct weir_secret {
    uint64_t k0;
    uint64_t k1;
};

struct weir_sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t weir_rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void weir_sip_round(struct weir_sip *s)
{
    s->v0 += s->v1;
    s->v1 = weir_rotate(s->v1, 13) ^ s->v0;
    s->v0 = weir_rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = weir_rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = weir_rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = weir_rotate(s->v1, 17) ^ s->v2;
    s->v2 = weir_rotate(s->v2, 32);
}

static inline void weir_sip_word(struct weir_sip *s, uint64_t word)
{
    s->v3 ^= word;
    weir_sip_round(s);
    s->v0 ^= word;
}

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define WEIR_LITTLE_ENDIAN64(word) __builtin_bswap64(word)
#else
#define WEIR_LITTLE_ENDIAN64(word) (word)
#endif

static inline uint64_t weir_load_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return WEIR_LITTLE_ENDIAN64(word);
}

/* The last `left` (0 to 7) bytes of a key, as a little-endian number. Of a key of 8 bytes or more
 * it reads the last 8 and shifts out those that are done: no loop, no branch on the length. */
static inline uint64_t weir_load_tail(struct weir_bytes bytes, size_t left)
{
    if (left == 0) {
        return 0;
    }
    if (bytes.len >= 8) {
        return weir_load_word(bytes.ptr + bytes.len - 8) >> (64 - 8 * left);
    }
    uint64_t word = 0;
    for (size_t i = 0; i < left; i++) {
        word |= (uint64_t)(unsigned char)bytes.ptr[i] << (8 * i);
    }
    return word;
}

/* The state that a secret starts with, worked out once. */
static inline struct weir_sip weir_sip_start(const struct weir_secret *secret)
{
    return (struct weir_sip){
        .v0 = secret->k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = secret->k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = secret->k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = secret->k1 ^ UINT64_C(0x7465646279746573),
    };
}

/* SipHash-1-3 of `bytes` under the secret of `start`, with `salt` exclusive-ored to its first half.
 */
static inline __attribute__((always_inline)) uint64_t weir_hash_from(const struct weir_sip *start,
                                                                     uint64_t salt,
                                                                     struct weir_bytes bytes)
{
    struct weir_sip s = *start;
    s.v0 ^= salt;
    s.v2 ^= salt;
    const char *at = bytes.ptr;
    /* By count: an empty key may have no bytes to point at the end of. */
    for (size_t words = bytes.len / 8; words > 0; words--, at += 8) {
        weir_sip_word(&s, weir_load_word(at));
    }
    uint64_t length = (uint64_t)bytes.len << 56;
    weir_sip_word(&s, length | weir_load_tail(bytes, bytes.len & 7));
    s.v2 ^= 0xff;
    weir_sip_round(&s);
    weir_sip_round(&s);
    weir_sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static inline uint64_t weir_hash(const struct weir_secret *secret, uint64_t salt,
                                 struct weir_bytes bytes)
{
    const struct weir_sip start = weir_sip_start(secret);
    return weir_hash_from(&start, salt, bytes);
}

#endif
