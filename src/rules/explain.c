/* explain.c - why a rule matches or not, in words; see rules.h.
 *
 * A condition is told by what is so, whether or not it is negated: the test that holds, or that
 * none does. */

#include "base/buffer.h"
#include "policy/words.h"
#include "rules/policy.h"

#include <assert.h>

/* Tests of one condition that are named; of the rest it is told how many. */
#define TESTS_TOLD 4

/* A text as it is, or in quotes where its ends could not be seen. */
static void put_text(struct weir_buffer *out, struct weir_bytes text)
{
    const bool bare = text.len > 0 && memchr(text.ptr, ' ', text.len) == NULL &&
                      memchr(text.ptr, ',', text.len) == NULL;
    weir_buffer_print(out, bare ? "%s" : "\"%s\"", weir_word_quote(text).text);
}

static const char *phrase_of(enum weir_test_kind kind, bool holds)
{
    switch (kind) {
    case WEIR_TEST_EXACT:
        return holds ? "is " : "is not ";
    case WEIR_TEST_PREFIX:
        return holds ? "starts with " : "does not start with ";
    case WEIR_TEST_GLOB:
        return holds ? "matches " : "does not match ";
    case WEIR_TEST_CIDR:
        return holds ? "is in " : "is not in ";
    case WEIR_TEST_REGEX:
        return holds ? "matches the expression " : "does not match the expression ";
    case WEIR_TEST_PRESENT:
        return holds ? "is there" : "is not there";
    case WEIR_TEST_ABSENT:
        return holds ? "is absent" : "is not absent";
    }
    return "";
}

static void put_test(struct weir_buffer *out, const struct weir_test *test, enum weir_truth truth)
{
    if (truth == WEIR_UNKNOWN) {
        weir_buffer_put_text(out, "takes too long for the expression ");
    } else {
        weir_buffer_put_text(out, phrase_of(test->kind, truth == WEIR_YES));
    }
    if (test->kind != WEIR_TEST_PRESENT && test->kind != WEIR_TEST_ABSENT) {
        put_text(out, test->text);
    }
}

/* That no test of the condition holds. */
static void put_none(struct weir_buffer *out, const struct weir_condition *condition)
{
    const uint32_t told = condition->count < TESTS_TOLD ? condition->count : TESTS_TOLD;
    for (uint32_t i = 0; i < told; i++) {
        weir_buffer_put_text(out, i == 0 ? ", which " : i + 1 == condition->count ? " and " : ", ");
        put_test(out, &condition->tests[i], WEIR_NO);
    }
    if (condition->count > told) {
        weir_buffer_print(out, ", nor is it any of %u more", condition->count - told);
    }
}

static void put_condition(struct weir_buffer *out, const struct weir_condition *condition,
                          struct weir_values *values)
{
    struct weir_value *value = weir_values_get(values, condition->slot);
    put_text(out, condition->spec->attribute);
    if (value == NULL) {
        weir_buffer_put_text(out, " is absent");
        return;
    }
    weir_buffer_put_text(out, " is ");
    put_text(out, value->bytes);
    uint32_t said = condition->count;
    enum weir_truth truth = WEIR_NO;
    for (uint32_t i = 0; i < condition->count && truth != WEIR_YES; i++) {
        const enum weir_truth holds = weir_test_holds(&condition->tests[i], value, values->matcher);
        if (holds != WEIR_NO) {
            said = i;
            truth = holds;
        }
    }
    if (said == condition->count) {
        put_none(out, condition);
        return;
    }
    const struct weir_test *test = &condition->tests[said];
    if (test->kind != WEIR_TEST_EXACT && test->kind != WEIR_TEST_PRESENT) {
        weir_buffer_put_text(out, ", which ");
        put_test(out, test, truth);
    }
}

/* The first attribute that the rule's key needs and the request lacks, or NULL. */
static const struct weir_key_part_spec *missing_part(const struct weir_rule *rule,
                                                     struct weir_values *values)
{
    for (size_t i = 0; i < rule->spec->key_count; i++) {
        if (!rule->key[i].optional && weir_values_get(values, rule->key[i].slot) == NULL) {
            return &rule->spec->key[i];
        }
    }
    return NULL;
}

/* Writes why, and says whether the rule matches. */
static bool explain_rule(struct weir_buffer *out, const struct weir_rule *rule,
                         struct weir_values *values)
{
    const struct weir_conjunction *all = &rule->conditions;
    for (uint32_t i = 0; i < all->count; i++) {
        if (weir_condition_holds(&all->conditions[i], values) == WEIR_NO) {
            put_condition(out, &all->conditions[i], values);
            return false;
        }
    }
    const struct weir_key_part_spec *missing = missing_part(rule, values);
    if (missing != NULL) {
        weir_buffer_put_text(out, "its key needs ");
        put_text(out, missing->attribute);
        weir_buffer_put_text(out, ", which is absent");
        return false;
    }
    for (uint32_t i = 0; i < all->count; i++) {
        weir_buffer_put_text(out, i > 0 ? "; " : "");
        put_condition(out, &all->conditions[i], values);
    }
    if (all->count == 0) {
        weir_buffer_put_text(out, "it has no conditions");
    }
    return true;
}

void weir_policy_explain(const struct weir_policy *policy, const struct weir_inquiry_spec *inquiry,
                         weir_explain_fn *explain, void *context)
{
    assert(policy != NULL && inquiry != NULL && explain != NULL);
    struct weir_values values;
    struct weir_error error = {0, 0, ""};
    struct weir_buffer why = {.allocator = policy->allocator};
    struct weir_matcher *matcher =
        policy->regexes != NULL ? weir_matcher_new(policy->allocator) : NULL;
    enum weir_status status = weir_values_bind(&values, &policy->names, inquiry, &error);
    if (status == WEIR_OK && policy->regexes != NULL && matcher == NULL) {
        status = WEIR_ERR_NO_MEMORY;
        weir_error_set(&error, 0, 0, "out of memory");
    }
    values.matcher = matcher;
    for (size_t i = 0; i < policy->spec->rule_count; i++) {
        if (inquiry->only != SIZE_MAX && inquiry->only != i) {
            continue;
        }
        weir_buffer_clear(&why);
        const bool matches = status == WEIR_OK && explain_rule(&why, &policy->rules[i], &values);
        weir_buffer_put(&why, weir_bytes("", 1)); /* its NUL */
        const char *text = status != WEIR_OK ? error.message
                           : why.failed      ? "out of memory"
                                             : why.bytes;
        explain(context, i, matches, text);
    }
    weir_buffer_deinit(&why);
    weir_matcher_free(matcher);
}
