/* relate.h - what one condition says of another, for review.c (relate.c).
 *
 * Each answer is sure where it is true; false means that it is not so, or is not known to be. */

#ifndef WEIR_RULES_RELATE_H
#define WEIR_RULES_RELATE_H

#include "rules/condition.h"

/* Whether `b` holds wherever `a` does. Both are of one attribute. */
bool weir_condition_implies(const struct weir_condition *a, const struct weir_condition *b);

/* Whether no value, nor the lack of one, satisfies both. Both are of one attribute. */
bool weir_conditions_contradict(const struct weir_condition *a, const struct weir_condition *b);

/* Whether a condition can't hold where its attribute has this value. */
bool weir_condition_excludes(const struct weir_condition *condition, struct weir_bytes value);

#endif
