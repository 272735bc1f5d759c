/* condition.c - see condition.h.
 *
 * What is unknown stays so only where it matters: a test that holds beside it, or a condition that
 * does not, decides. So the order in which things are tried changes nothing. */

#include "rules/condition.h"

#include "rules/index.h"

static bool starts_with(struct weir_bytes value, struct weir_bytes start)
{
    return value.len >= start.len &&
           (start.len == 0 || memcmp(value.ptr, start.ptr, start.len) == 0);
}

static enum weir_truth truth(bool holds)
{
    return holds ? WEIR_YES : WEIR_NO;
}

enum weir_truth weir_test_holds(const struct weir_test *test, struct weir_value *value,
                                struct weir_matcher *matcher)
{
    if (value == NULL) {
        return truth(test->kind == WEIR_TEST_ABSENT);
    }
    switch (test->kind) {
    case WEIR_TEST_EXACT:
        return truth(weir_same_bytes(value->bytes, test->text));
    case WEIR_TEST_PREFIX:
        return truth(starts_with(value->bytes, test->text));
    case WEIR_TEST_GLOB:
        return truth(weir_glob_matches(test->with.glob, value->bytes));
    case WEIR_TEST_CIDR:
        return truth(weir_cidr_holds(&test->with.cidr, weir_value_address(value)));
    case WEIR_TEST_REGEX:
        return matcher == NULL ? WEIR_UNKNOWN
                               : weir_regex_find(test->with.regex, value->bytes, matcher);
    case WEIR_TEST_PRESENT:
        return WEIR_YES;
    case WEIR_TEST_ABSENT:
        return WEIR_NO;
    }
    return WEIR_NO;
}

/* What is known of a condition's tests so far. */
struct any {
    const struct weir_condition *condition;
    struct weir_value *value;
    struct weir_matcher *matcher;
    enum weir_truth truth;
};

/* Tries one more test; false: it holds, no other need be tried. */
static bool try_test(void *context, uint32_t number)
{
    struct any *any = context;
    const enum weir_truth holds =
        weir_test_holds(&any->condition->tests[number], any->value, any->matcher);
    if (holds != WEIR_NO) {
        any->truth = holds;
    }
    return holds != WEIR_YES;
}

enum weir_truth weir_condition_holds(const struct weir_condition *condition,
                                     struct weir_values *values)
{
    struct any any = {condition, weir_values_get(values, condition->slot), values->matcher,
                      WEIR_NO};
    if (condition->index != NULL) {
        (void)weir_index_look(condition->index, values, try_test, &any);
    } else {
        uint32_t i = 0;
        while (i < condition->count && try_test(&any, i)) {
            i++;
        }
    }
    if (condition->negated && any.truth != WEIR_UNKNOWN) {
        return truth(any.truth == WEIR_NO);
    }
    return any.truth;
}

enum weir_truth weir_conjunction_holds(const struct weir_conjunction *conjunction,
                                       struct weir_values *values)
{
    enum weir_truth all = WEIR_YES;
    for (uint32_t i = 0; i < conjunction->count; i++) {
        const enum weir_truth holds = weir_condition_holds(&conjunction->conditions[i], values);
        if (holds == WEIR_NO) {
            return WEIR_NO;
        }
        all = holds == WEIR_UNKNOWN ? WEIR_UNKNOWN : all;
    }
    return all;
}
