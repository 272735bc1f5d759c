/* random.h - numbers for tests: the same seed gives the same numbers everywhere, for ever.
 *
 * Not for anything that must not be guessed. */

#ifndef WEIR_TEST_SUPPORT_RANDOM_H
#define WEIR_TEST_SUPPORT_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

struct random random_from(uint64_t seed);

/* Any 64 bits. */
uint64_t random_next(struct random *random);

/* 0..bound-1; bound is 1 or more. */
uint64_t random_below(struct random *random, uint64_t bound);

/* low..high, both included. */
int64_t random_between(struct random *random, int64_t low, int64_t high);

/* 1..high, each order of magnitude as likely as the next. */
uint64_t random_wide(struct random *random, uint64_t high);

/* True once in `often`. */
bool random_once_in(struct random *random, uint64_t often);

/* The seed of this run: WEIR_SEED from the environment, else `usual`. */
uint64_t random_seed(uint64_t usual);

/* How many rounds to make where `usual` is the number without further ado: `usual`, times
 * WEIR_TRACES (a factor, as 0.1 or 20; for a long look), times WEIR_TEST_SCALE (a percentage, set
 * by the sanitizer suites), and at least 1. */
size_t random_rounds(size_t usual);

#endif
