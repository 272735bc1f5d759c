/* rules_fuzz.c - any bytes as what rules test for, and as a request.
 *
 * Lines. The first is a text that every kind of test gets, if it takes it; each that follows is an
 * attribute, a name before '=' and a value. What the index finds must be what each rule says when
 * it is asked by itself; an address has one text, which is read back to it; a key is no longer than
 * it may be. */

#include "rules/address.h"
#include "rules/rules.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RULES 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct weir_bytes take_line(struct weir_bytes *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    const size_t len = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    const struct weir_bytes line = weir_bytes(rest->ptr, len);
    const size_t used = end != NULL ? len + 1 : len;
    *rest = weir_bytes(rest->ptr + used, rest->len - used);
    return line;
}

static size_t take_attributes(struct weir_bytes rest, struct weir_attribute *attributes)
{
    size_t count = 0;
    while (rest.len > 0 && count <= WEIR_ATTRIBUTES_MAX) {
        const struct weir_bytes line = take_line(&rest);
        const char *equals = line.len > 0 ? memchr(line.ptr, '=', line.len) : NULL;
        const size_t len = equals != NULL ? (size_t)(equals - line.ptr) : line.len;
        attributes[count].name = weir_bytes(line.ptr, len);
        attributes[count].value =
            equals != NULL ? weir_bytes(equals + 1, line.len - len - 1) : weir_bytes(NULL, 0);
        count++;
    }
    return count;
}

/* Refuses nothing but what it says. */
static void note(void *context, const struct weir_origin *origin, bool warning, const char *message)
{
    bool *refused = context;
    (void)origin;
    assert(message[0] != '\0');
    *refused = *refused || !warning;
}

static void ignore(void *context, size_t rule, bool matches, const char *why)
{
    uint64_t *seen = context;
    assert(why[0] != '\0');
    *seen |= (uint64_t)(matches ? 1 : 0) << rule;
}

static void check_address(struct weir_bytes text)
{
    struct weir_address address;
    struct weir_address again;
    char written[WEIR_ADDRESS_TEXT_MAX];
    if (weir_address_read(text, &address)) {
        const size_t len = weir_address_write(&address, written);
        assert(weir_address_read(weir_bytes(written, len), &again));
        assert(memcmp(&address, &again, sizeof(address)) == 0);
    }
}

static void ask(const struct weir_policy *policy, const struct weir_attribute *attributes,
                size_t count)
{
    struct weir_plan plan;
    struct weir_error error = {0, 0, ""};
    struct weir_inquiry_spec inquiry = {attributes, count, 1, SIZE_MAX, 0};
    uint64_t found = 0;
    uint64_t alone = 0;
    uint64_t explained = 0;
    weir_plan_init(&plan, NULL);
    const enum weir_status status = weir_policy_plan(policy, &inquiry, &plan, &error);
    assert((status == WEIR_OK) == (error.message[0] == '\0'));
    for (size_t i = 0; status == WEIR_OK && i < plan.part_count; i++) {
        found |= (uint64_t)1 << plan.parts[i].rule;
        assert(plan.requests[plan.parts[i].request].key.len <= WEIR_KEY_MAX);
    }
    for (inquiry.only = 0; inquiry.only < RULES; inquiry.only++) {
        if (weir_policy_plan(policy, &inquiry, &plan, NULL) == WEIR_OK && plan.part_count > 0) {
            alone |= (uint64_t)1 << inquiry.only;
        }
    }
    inquiry.only = SIZE_MAX;
    weir_policy_explain(policy, &inquiry, ignore, &explained);
    assert(status != WEIR_OK || (found == alone && found == explained));
    weir_plan_deinit(&plan);
}

static void run(struct weir_bytes text, const struct weir_attribute *attributes, size_t count,
                const struct weir_limit *limit)
{
    static const char names[RULES][2] = {"a", "b", "c", "d", "e", "f",
                                         "g", "h", "i", "j", "k", "l"};
    static const struct weir_key_part_spec key = {
        .attribute = {"ip", 2}, .optional = true, .ipv4_prefix = 24, .ipv6_prefix = 64};
    struct weir_test_spec tests[RULES];
    struct weir_condition_spec conditions[RULES];
    struct weir_rule_spec rules[RULES];
    memset(rules, 0, sizeof(rules));
    for (size_t i = 0; i < RULES; i++) {
        /* Each kind, on `path` and on `ip`; one negated. */
        tests[i] = (struct weir_test_spec){.kind = (enum weir_test_kind)(i % 6), .text = text};
        conditions[i] = (struct weir_condition_spec){.attribute = weir_text(i < 6 ? "path" : "ip"),
                                                     .tests = &tests[i],
                                                     .count = 1,
                                                     .negated = i == 8};
        rules[i].name = weir_text(names[i]);
        rules[i].conditions = &conditions[i];
        rules[i].condition_count = 1;
        rules[i].key = &key;
        rules[i].key_count = 1;
        rules[i].limit = limit;
    }
    struct weir_policy *policy = NULL;
    const struct weir_policy_spec spec = {rules, RULES};
    for (unsigned round = 0; round < 3; round++) {
        bool refused = false;
        if (weir_policy_new(&spec, NULL, note, &refused, &policy) == WEIR_OK) {
            assert(!refused);
            weir_policy_review(policy, note, &refused);
            assert(!refused);
            ask(policy, attributes, count);
            weir_policy_free(policy);
            return;
        }
        assert(refused);
        /* Without networks, then without expressions either. */
        for (size_t i = 0; i < RULES; i++) {
            const bool unread =
                tests[i].kind == WEIR_TEST_CIDR || (round == 1 && tests[i].kind == WEIR_TEST_REGEX);
            tests[i].kind = unread ? WEIR_TEST_ABSENT : tests[i].kind;
        }
    }
    assert(text.len > WEIR_ATTRIBUTE_VALUE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char sample[] = "5/m";
    struct weir_attribute attributes[WEIR_ATTRIBUTES_MAX + 1];
    struct weir_bytes rest = weir_bytes(data, size);
    struct weir_limit *limit = NULL;
    if (weir_limit_parse(weir_text(sample), NULL, &limit, NULL) != WEIR_OK) {
        abort();
    }
    const struct weir_bytes text = take_line(&rest);
    const size_t count = take_attributes(rest, attributes);
    check_address(text);
    run(text, attributes, count, limit);
    weir_limit_free(limit);
    return 0;
}
