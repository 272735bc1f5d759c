/* hash.h - SipHash-1-3, for the floors and the opponents: the hash that weir uses, written apart
 * from it and inlined, so that the floor is as low as it can be. */

#ifndef WEIR_BENCH_HASH_H
#define WEIR_BENCH_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bench_secret {
    uint64_t k0;
    uint64_t k1;
};

struct bench_sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t bench_rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void bench_sip_round(struct bench_sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = bench_rotate(s->v1, 13) ^ s->v0;
    s->v3 = bench_rotate(s->v3, 16) ^ s->v2;
    s->v0 = bench_rotate(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v1 = bench_rotate(s->v1, 17) ^ s->v2;
    s->v3 = bench_rotate(s->v3, 21) ^ s->v0;
    s->v2 = bench_rotate(s->v2, 32);
}

static inline void bench_sip_word(struct bench_sip *s, uint64_t word)
{
    s->v3 ^= word;
    bench_sip_round(s);
    s->v0 ^= word;
}

/* Of a key of any length. */
static inline uint64_t bench_hash(const struct bench_secret *secret, const char *key, size_t len)
{
    struct bench_sip s = {
        secret->k0 ^ UINT64_C(0x736f6d6570736575),
        secret->k1 ^ UINT64_C(0x646f72616e646f6d),
        secret->k0 ^ UINT64_C(0x6c7967656e657261),
        secret->k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t left = len;
    for (; left >= 8; left -= 8, key += 8) {
        uint64_t word;
        memcpy(&word, key, sizeof(word));
        bench_sip_word(&s, word);
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++) {
        last |= (uint64_t)(unsigned char)key[i] << (8 * i);
    }
    bench_sip_word(&s, last);
    s.v2 ^= 0xff;
    bench_sip_round(&s);
    bench_sip_round(&s);
    bench_sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

#endif
