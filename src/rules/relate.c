/* relate.c - see relate.h. */

#include "rules/relate.h"

/* Two conditions of more pairs of tests than this are not compared. */
#define PAIRS_MAX 10000

static bool starts_with(struct weir_bytes text, struct weir_bytes start)
{
    return text.len >= start.len && (start.len == 0 || memcmp(text.ptr, start.ptr, start.len) == 0);
}

/* Whether the test, which is no regular expression, holds of a text. */
static bool holds_of(const struct weir_test *test, struct weir_bytes text)
{
    struct weir_value value = {.bytes = text};
    return weir_test_holds(test, &value, NULL) == WEIR_YES;
}

/* Whether what a value of `test` starts with is known: `ret_start`. */
static bool start_of(const struct weir_test *test, struct weir_bytes *ret_start)
{
    if (test->kind != WEIR_TEST_PREFIX && test->kind != WEIR_TEST_GLOB) {
        return false;
    }
    *ret_start = test->kind == WEIR_TEST_PREFIX ? test->text : weir_glob_start(test->text);
    return true;
}

/* Whether the test asks for a start of the value and nothing more. */
static bool is_start_only(const struct weir_test *test, struct weir_bytes start)
{
    return test->kind == WEIR_TEST_PREFIX ||
           (test->kind == WEIR_TEST_GLOB && test->text.len == start.len + 2 &&
            memcmp(test->text.ptr + start.len, "**", 2) == 0);
}

/* ---- Tests ---- */

static bool test_implies(const struct weir_test *a, const struct weir_test *b)
{
    struct weir_bytes start_a;
    struct weir_bytes start_b;
    if (a->kind == WEIR_TEST_ABSENT || b->kind == WEIR_TEST_ABSENT) {
        return a->kind == b->kind;
    }
    if (b->kind == WEIR_TEST_PRESENT) {
        return true;
    }
    if (a->kind == b->kind && weir_same_bytes(a->text, b->text)) {
        return true;
    }
    if (a->kind == WEIR_TEST_EXACT) {
        return b->kind != WEIR_TEST_REGEX && holds_of(b, a->text);
    }
    if (a->kind == WEIR_TEST_CIDR && b->kind == WEIR_TEST_CIDR) {
        return a->with.cidr.prefix >= b->with.cidr.prefix &&
               weir_cidr_holds(&b->with.cidr, &a->with.cidr.address);
    }
    return start_of(a, &start_a) && start_of(b, &start_b) && is_start_only(b, start_b) &&
           starts_with(start_a, start_b);
}

static bool tests_exclude(const struct weir_test *a, const struct weir_test *b)
{
    struct weir_bytes start_a;
    struct weir_bytes start_b;
    if (a->kind == WEIR_TEST_ABSENT || b->kind == WEIR_TEST_ABSENT) {
        return a->kind != b->kind;
    }
    if (a->kind == WEIR_TEST_EXACT) {
        return b->kind != WEIR_TEST_REGEX && !holds_of(b, a->text);
    }
    if (b->kind == WEIR_TEST_EXACT) {
        return a->kind != WEIR_TEST_REGEX && !holds_of(a, b->text);
    }
    if (a->kind == WEIR_TEST_CIDR && b->kind == WEIR_TEST_CIDR) {
        return !test_implies(a, b) && !test_implies(b, a);
    }
    return start_of(a, &start_a) && start_of(b, &start_b) && !starts_with(start_a, start_b) &&
           !starts_with(start_b, start_a);
}

/* Whether each test of `a` implies one of `b`. */
static bool all_imply_one(const struct weir_condition *a, const struct weir_condition *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t j = 0;
        while (j < b->count && !test_implies(&a->tests[i], &b->tests[j])) {
            j++;
        }
        if (j == b->count) {
            return false;
        }
    }
    return true;
}

/* Whether no test of `a` can hold together with one of `b`. */
static bool all_exclude_all(const struct weir_condition *a, const struct weir_condition *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t j = 0; j < b->count; j++) {
            if (!tests_exclude(&a->tests[i], &b->tests[j])) {
                return false;
            }
        }
    }
    return true;
}

/* ---- Conditions ---- */

static bool are_too_many(const struct weir_condition *a, const struct weir_condition *b)
{
    return (uint64_t)a->count * b->count > PAIRS_MAX;
}

bool weir_condition_implies(const struct weir_condition *a, const struct weir_condition *b)
{
    if (are_too_many(a, b)) {
        return false;
    }
    if (!a->negated) {
        return b->negated ? all_exclude_all(a, b) : all_imply_one(a, b);
    }
    return b->negated && all_imply_one(b, a);
}

bool weir_conditions_contradict(const struct weir_condition *a, const struct weir_condition *b)
{
    if (are_too_many(a, b) || (a->negated && b->negated)) {
        return false;
    }
    if (!a->negated && !b->negated) {
        return all_exclude_all(a, b);
    }
    return a->negated ? all_imply_one(b, a) : all_imply_one(a, b);
}

bool weir_condition_excludes(const struct weir_condition *condition, struct weir_bytes value)
{
    bool any = false;
    if (condition->has_regex) {
        return false;
    }
    for (uint32_t i = 0; i < condition->count && !any; i++) {
        any = holds_of(&condition->tests[i], value);
    }
    return any == condition->negated;
}
