/* prepare_condition.c - preparing conditions; see policy.h. */

#include "policy/words.h"
#include "rules/index.h"
#include "rules/policy.h"

uint32_t weir_prepare_slot(struct weir_preparing *preparing, struct weir_bytes name,
                           const struct weir_origin *origin)
{
    uint32_t slot = WEIR_SLOT_NONE;
    if (name.len == 0) {
        weir_preparing_refuse(preparing, origin, "an attribute's name is empty");
    } else if (name.len > WEIR_ATTRIBUTE_NAME_MAX) {
        weir_preparing_refuse(preparing, origin,
                              "an attribute's name has %zu bytes; %d is the most: \"%s\"", name.len,
                              WEIR_ATTRIBUTE_NAME_MAX, weir_word_quote(name).text);
    } else if (!weir_names_add(&preparing->policy->names, name, &slot)) {
        preparing->no_memory = true;
    }
    return slot;
}

/* ---- Tests ---- */

static void prepare_cidr(struct weir_preparing *preparing, const struct weir_test_spec *spec,
                         struct weir_test *test)
{
    char text[WEIR_ADDRESS_TEXT_MAX];
    const char *quoted = weir_word_quote(spec->text).text;
    switch (weir_cidr_read(spec->text, &test->with.cidr)) {
    case WEIR_CIDR_FINE:
        break;
    case WEIR_CIDR_NO_ADDRESS:
        weir_preparing_refuse(preparing, &spec->origin,
                              "\"%s\" is no network: write one as 10.0.0.0/8 or 2001:db8::/32",
                              quoted);
        break;
    case WEIR_CIDR_NO_PREFIX:
        weir_preparing_refuse(preparing, &spec->origin,
                              "\"%s\": after the / comes how many bits all addresses of the "
                              "network share, at most 32 of IPv4 and 128 of IPv6",
                              quoted);
        break;
    case WEIR_CIDR_BITS_LEFT:
        (void)weir_address_write(&test->with.cidr.address, text);
        weir_preparing_refuse(preparing, &spec->origin,
                              "\"%s\" has bits set past its prefix: write %s/%u, or the address "
                              "without a prefix",
                              quoted, text, test->with.cidr.prefix);
        break;
    }
}

static void prepare_regex(struct weir_preparing *preparing, const struct weir_test_spec *spec,
                          struct weir_test *test)
{
    struct weir_policy *policy = preparing->policy;
    struct weir_error error = {0, 0, ""};
    struct weir_regex_link *link = weir_preparing_get(preparing, 1, sizeof(*link));
    if (link == NULL) {
        return;
    }
    const enum weir_status status =
        weir_regex_new(spec->text, policy->allocator, &link->regex, &error);
    if (status == WEIR_ERR_NO_MEMORY) {
        preparing->no_memory = true;
    } else if (status != WEIR_OK) {
        weir_preparing_refuse(preparing, &spec->origin, "\"%s\": %s",
                              weir_word_quote(spec->text).text, error.message);
    } else {
        test->with.regex = link->regex;
        link->next = policy->regexes;
        policy->regexes = link;
    }
}

static void prepare_test(struct weir_preparing *preparing, const struct weir_test_spec *spec,
                         struct weir_test *test)
{
    test->kind = spec->kind;
    test->text = spec->text;
    if (spec->text.len > WEIR_ATTRIBUTE_VALUE_MAX) {
        weir_preparing_refuse(preparing, &spec->origin,
                              "the text has %zu bytes, more than any value: %d is the most",
                              spec->text.len, WEIR_ATTRIBUTE_VALUE_MAX);
        return;
    }
    switch (spec->kind) {
    case WEIR_TEST_CIDR:
        prepare_cidr(preparing, spec, test);
        break;
    case WEIR_TEST_REGEX:
        prepare_regex(preparing, spec, test);
        break;
    case WEIR_TEST_GLOB:
        test->with.glob = weir_glob_new(spec->text, &preparing->policy->arena);
        preparing->no_memory = preparing->no_memory || test->with.glob == NULL;
        break;
    case WEIR_TEST_EXACT:
    case WEIR_TEST_PREFIX:
    case WEIR_TEST_PRESENT:
    case WEIR_TEST_ABSENT:
        break;
    }
}

/* ---- Conditions ---- */

/* An index of the condition's tests: each is an item with one condition, which has that test. */
static void index_tests(struct weir_preparing *preparing, struct weir_condition *condition)
{
    struct weir_policy *policy = preparing->policy;
    struct weir_arena temporary = {.allocator = policy->allocator};
    struct weir_condition *singles = weir_arena_get(&temporary, condition->count, sizeof(*singles));
    struct weir_conjunction *items = weir_arena_get(&temporary, condition->count, sizeof(*items));
    if (singles != NULL && items != NULL) {
        for (uint32_t i = 0; i < condition->count; i++) {
            singles[i] = (struct weir_condition){
                .slot = condition->slot, .count = 1, .tests = &condition->tests[i]};
            items[i] = (struct weir_conjunction){.conditions = &singles[i], .count = 1};
        }
        condition->index = weir_index_new(items, condition->count, &policy->start, &policy->arena);
    }
    preparing->no_memory = preparing->no_memory || condition->index == NULL;
    weir_arena_deinit(&temporary);
}

static void prepare_condition(struct weir_preparing *preparing,
                              const struct weir_condition_spec *spec,
                              struct weir_condition *condition)
{
    condition->spec = spec;
    condition->negated = spec->negated;
    condition->slot = weir_prepare_slot(preparing, spec->attribute, &spec->origin);
    if (spec->count == 0 || spec->count > UINT32_MAX / 2) {
        weir_preparing_refuse(preparing, &spec->origin, "the condition has nothing to test for");
        return;
    }
    struct weir_test *tests = weir_preparing_get(preparing, spec->count, sizeof(*tests));
    condition->tests = tests;
    for (size_t i = 0; i < spec->count && !preparing->no_memory; i++) {
        prepare_test(preparing, &spec->tests[i], &tests[i]);
        condition->has_regex = condition->has_regex || spec->tests[i].kind == WEIR_TEST_REGEX;
        condition->count++;
    }
    if (condition->count > WEIR_TESTS_INDEXED && !preparing->no_memory && !preparing->wrong) {
        index_tests(preparing, condition);
    }
}

void weir_prepare_conjunction(struct weir_preparing *preparing,
                              const struct weir_condition_spec *specs, size_t count,
                              struct weir_conjunction *conjunction)
{
    if (count > WEIR_CONDITIONS_MAX) {
        weir_preparing_refuse(preparing, &specs[WEIR_CONDITIONS_MAX].origin,
                              "there are %zu conditions; %d is the most", count,
                              WEIR_CONDITIONS_MAX);
        return;
    }
    struct weir_condition *conditions = weir_preparing_get(preparing, count, sizeof(*conditions));
    for (size_t i = 0; i < count && !preparing->no_memory; i++) {
        prepare_condition(preparing, &specs[i], &conditions[i]);
    }
    if (preparing->no_memory) {
        return;
    }
    /* What takes longest is tried last. */
    struct weir_condition *sorted = weir_preparing_get(preparing, count, sizeof(*sorted));
    if (sorted == NULL) {
        return;
    }
    for (unsigned slow = 0; slow < 2; slow++) {
        for (size_t i = 0; i < count; i++) {
            if (conditions[i].has_regex == (slow == 1)) {
                sorted[conjunction->count++] = conditions[i];
            }
        }
    }
    conjunction->conditions = sorted;
}
