/* hash.h - SipHash-1-3, the keyed hash under which every client lives.
 *
 * Keys are chosen by the people we limit. A hash without a secret lets them aim many keys at one
 * set of the table and wash somebody out; SipHash with a random secret of 128 bits does not. One
 * round a word and three at the end is the strength that Rust's and Python's hash tables settled
 * on. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */

#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include "weir/weir.h"

struct weir_secret {
    uint64_t k0;
    uint64_t k1;
};

/* The hash of `bytes` followed by the eight bytes of `salt`, under `secret`: the salt keeps the
 * keys of one limit apart from those of another. */
uint64_t weir_hash(const struct weir_secret *secret, uint64_t salt, struct weir_bytes bytes);

#endif
