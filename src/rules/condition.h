/* condition.h - conditions, prepared, and whether they hold (condition.c). Read values.h first. */

#ifndef WEIR_RULES_CONDITION_H
#define WEIR_RULES_CONDITION_H

#include "rules/glob.h"
#include "rules/values.h"

struct weir_index;

/* From so many tests on a condition has an index of them. */
#define WEIR_TESTS_INDEXED 8

struct weir_test {
    enum weir_test_kind kind;
    struct weir_bytes text;
    union {
        struct weir_cidr cidr;
        struct weir_glob *glob;
        struct weir_regex *regex;
    } with;
};

struct weir_condition {
    uint32_t slot;
    bool negated;
    bool has_regex;
    uint32_t count;
    const struct weir_test *tests; /* in the order of their specification */
    struct weir_index *index;      /* of the tests, each by itself; NULL: they are tried in turn */
    const struct weir_condition_spec *spec;
};

/* What must all hold. */
struct weir_conjunction {
    struct weir_condition *conditions; /* those with regular expressions last */
    uint32_t count;
};

/* Whether one test holds of a value (NULL: absent). Without a matcher nothing is known of a regular
 * expression. */
enum weir_truth weir_test_holds(const struct weir_test *test, struct weir_value *value,
                                struct weir_matcher *matcher);

/* Whether a condition holds. UNKNOWN: a regular expression took too long, and it depends on it. */
enum weir_truth weir_condition_holds(const struct weir_condition *condition,
                                     struct weir_values *values);

/* Whether all of them do. */
enum weir_truth weir_conjunction_holds(const struct weir_conjunction *conjunction,
                                       struct weir_values *values);

#endif
