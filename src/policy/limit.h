/* limit.h - what limit.c, limit_parse.c and limit_format.c share. */

#ifndef WEIR_POLICY_LIMIT_H
#define WEIR_POLICY_LIMIT_H

#include "algo/algo.h"
#include "policy/words.h"
#include "weir/weir.h"

#define WEIR_ALGORITHM_COUNT 6

/* Where in the text each number was written; all zero for a limit made from numbers. */
struct weir_limit_places {
    struct weir_place count;
    struct weir_place period;
    struct weir_place algorithm;
    struct weir_place zone;
    struct weir_place burst;
    struct weir_place block;
};

static inline bool weir_algorithm_is_bucket(enum weir_algorithm algorithm)
{
    return algorithm == WEIR_TOKEN_BUCKET || algorithm == WEIR_LEAKY_BUCKET;
}

/* Refuses what no limit can have, in the words of its comment in weir.h. */
enum weir_status weir_limit_options_check(const struct weir_limit_options *options,
                                          struct weir_error *ret_error);

/* Checks every range and prepares the limit. `options` (may be NULL) has been checked. */
enum weir_status weir_limit_make(const struct weir_limit_spec *spec,
                                 const struct weir_limit_options *options,
                                 const struct weir_limit_places *places,
                                 struct weir_limit **ret_limit, struct weir_error *ret_error);

#endif
