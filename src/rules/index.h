/* index.h - of many things that each have conditions, those that may hold (index.c). */

#ifndef WEIR_RULES_INDEX_H
#define WEIR_RULES_INDEX_H

#include "rules/condition.h"

struct weir_index;

/* Makes an index of `count` conjunctions, numbered from 0. NULL: no memory. */
struct weir_index *weir_index_new(const struct weir_conjunction *items, size_t count,
                                  const struct weir_sip *start, struct weir_arena *arena);

/* Calls `look` for each number whose conditions may hold, in no order, some of them twice; all that
 * hold are among them. Stops where it returns false, and then does so too. */
typedef bool weir_look_fn(void *context, uint32_t number);
bool weir_index_look(const struct weir_index *index, struct weir_values *values, weir_look_fn *look,
                     void *context);

#endif
