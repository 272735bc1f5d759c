/* step_parts.h - what the tests of the steps share: a limit from its text, and a key to step on. */

#ifndef WEIR_TEST_UNIT_ALGO_STEP_PARTS_H
#define WEIR_TEST_UNIT_ALGO_STEP_PARTS_H

#include "algo/algo.h"

/* 2026-01-01 00:00 UTC, and a second. */
#define T0 INT64_C(1767225600000000)
#define SECOND INT64_C(1000000)

struct weir_limit *limit_of(const char *text);

/* Steps on `state`, and writes it where the step says so. */
struct weir_decision take_from(const struct weir_limit *limit, struct weir_state *state,
                               int64_t now_us, uint64_t cost);

/* The same decision without taking; the state is as it was. */
struct weir_decision look_at(const struct weir_limit *limit, struct weir_state state,
                             int64_t now_us, uint64_t cost);

void give_back_to(const struct weir_limit *limit, struct weir_state *state, int64_t now_us,
                  uint64_t cost);

/* Holds that every answer on this state is one that the limit can give, whatever bits it has: a
 * table in a file may hold anything. */
void assert_sane(const struct weir_limit *limit, struct weir_state state, int64_t now_us,
                 uint64_t cost);

/* Runs assert_sane on random limits of one algorithm and random states near `now`. */
void any_state_is_survived(enum weir_algorithm algorithm, unsigned payload_bits);

#endif
