/* policy_test.c - what is refused when a policy is made, and that all of it is; its bounds; what it
 * does where there is no memory. */

#include "support/policy_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_refused(struct policy_kit *kit, const char *const *words, size_t count)
{
    const char *complaints = policy_kit_complaints(kit);
    size_t lines = 0;
    for (const char *at = complaints; *at != '\0'; at++) {
        lines += *at == '\n' ? 1 : 0;
    }
    if (lines != count) {
        fail_msg("%zu lines, not %zu:\n%s", lines, count, complaints);
    }
    for (size_t i = 0; i < count; i++) {
        if (strstr(complaints, words[i]) == NULL) {
            fail_msg("no \"%s\" in:\n%s", words[i], complaints);
        }
    }
    policy_kit_free(kit);
}

static void all_that_is_wrong_is_said(void **state)
{
    (void)state;
    static const char *const words[] = {
        "error 1:1 \"10.0.0.1/8\" has bits set past its prefix: write 10.0.0.0/8",
        "error 2:1 \"10.0.0\" is no network",
        "error 2:2 \"10.0.0.0/33\": after the /",
        "error 2:3 \"::/129\": after the /",
        "error 2:4 \"::ffff:0.0.0.0/95\": after the /",
        "error 3:1 \"(\": missing closing parenthesis, at byte 1",
        "error 4:1 there is a rule \"c\" already, in line 3",
        "error 4:1 an attribute's name is empty",
        "error 5:1 the entry of the list has no condition",
    };
    struct policy_kit *kit = policy_kit_new();
    (void)policy_kit_rule(kit, "a", "5/m", "ip=cidr:10.0.0.1/8", "");
    (void)policy_kit_rule(kit, "b", "5/m",
                          "ip=cidr:10.0.0|cidr:10.0.0.0/33|cidr:::/129|"
                          "cidr:::ffff:0.0.0.0/95",
                          "");
    (void)policy_kit_rule(kit, "c", "5/m", "p=regex:(", "");
    (void)policy_kit_rule(kit, "c", "5/m", "=present:", "");
    policy_kit_deny(kit, "", INT64_MAX);
    assert_refused(kit, words, sizeof(words) / sizeof(words[0]));
}

static void names_have_bounds(void **state)
{
    (void)state;
    static const char *const words[] = {"error 2:1 the rule's name has 129 bytes; 128",
                                        "error 3:1 the rule has no name",
                                        "error 5:1 an attribute's name has 65 bytes; 64"};
    char name[WEIR_NAME_MAX + 2];
    char key[WEIR_ATTRIBUTE_NAME_MAX + 2];
    memset(name, 'n', sizeof(name));
    memset(key, 'k', sizeof(key));
    name[WEIR_NAME_MAX] = '\0';
    key[WEIR_ATTRIBUTE_NAME_MAX] = '\0';
    struct policy_kit *kit = policy_kit_new();
    (void)policy_kit_rule(kit, name, "5/m", "", key);
    name[WEIR_NAME_MAX] = 'n';
    name[WEIR_NAME_MAX + 1] = '\0';
    (void)policy_kit_rule(kit, name, "5/m", "", "");
    (void)policy_kit_rule(kit, "", "5/m", "", "");
    (void)policy_kit_rule(kit, "x", "5/m", "", "");
    key[WEIR_ATTRIBUTE_NAME_MAX] = 'k';
    key[WEIR_ATTRIBUTE_NAME_MAX + 1] = '\0';
    (void)policy_kit_rule(kit, "y", "5/m", "", key);
    assert_refused(kit, words, 3);
}

static void other_bounds(void **state)
{
    (void)state;
    static struct weir_condition_spec conditions[WEIR_CONDITIONS_MAX + 1];
    static struct weir_key_part_spec parts[WEIR_KEY_PARTS_MAX + 1];
    static char text[WEIR_ATTRIBUTE_VALUE_MAX + 1];
    const struct weir_test_spec test = {.kind = WEIR_TEST_PRESENT};
    struct weir_test_spec exact = {.text = weir_bytes(text, WEIR_ATTRIBUTE_VALUE_MAX)};
    for (size_t i = 0; i <= WEIR_CONDITIONS_MAX; i++) {
        conditions[i] = (struct weir_condition_spec){
            .attribute = weir_text("x"), .tests = i == 0 ? &exact : &test, .count = 1};
    }
    for (size_t i = 0; i <= WEIR_KEY_PARTS_MAX; i++) {
        parts[i] = (struct weir_key_part_spec){
            .attribute = weir_text("x"), .ipv4_prefix = 32, .ipv6_prefix = 128};
    }
    struct weir_rule_spec rule = {.name = weir_text("rule"),
                                  .conditions = conditions,
                                  .condition_count = WEIR_CONDITIONS_MAX,
                                  .key = parts,
                                  .key_count = WEIR_KEY_PARTS_MAX,
                                  .cost = WEIR_COST_MAX,
                                  .cost_max = WEIR_COST_MAX};
    struct weir_policy_spec spec = {&rule, 1};
    struct weir_policy *policy = NULL;
#define MAKE() weir_policy_new(&spec, NULL, NULL, NULL, &policy)
    assert_int_equal(MAKE(), WEIR_OK);
    weir_policy_free(policy);
#define REFUSED_WITH(change, back)                   \
    do {                                             \
        change;                                      \
        assert_int_equal(MAKE(), WEIR_ERR_ARGUMENT); \
        back;                                        \
    } while (0)
    REFUSED_WITH(rule.condition_count++, rule.condition_count--);
    REFUSED_WITH(rule.key_count++, rule.key_count--);
    REFUSED_WITH(rule.cost++, rule.cost--);
    REFUSED_WITH(rule.cost_max++, rule.cost_max--);
    REFUSED_WITH(parts[0].ipv4_prefix++, parts[0].ipv4_prefix--);
    REFUSED_WITH(parts[0].ipv6_prefix++, parts[0].ipv6_prefix--);
    REFUSED_WITH(exact.text.len++, exact.text.len--);
    REFUSED_WITH(conditions[0].count = 0, conditions[0].count = 1);
    const struct weir_tier_spec tier = {.limit = NULL};
    rule.tiers = &tier;
    rule.tier_by = weir_text("x");
    REFUSED_WITH(rule.tier_count = 1, rule.tier_count = 0);
    REFUSED_WITH(rule.tier_count = WEIR_ENTRIES_MAX + 1, rule.tier_count = 0);
    assert_int_equal(MAKE(), WEIR_OK);
    weir_policy_free(policy);
#undef REFUSED_WITH
#undef MAKE
}

/* As many rules as may be, and tiers. */
static void the_largest_policies(void **state)
{
    (void)state;
    struct weir_rule_spec *rules = calloc(WEIR_RULES_MAX + 1, sizeof(*rules));
    struct weir_tier_spec *tiers = calloc(WEIR_ENTRIES_MAX, sizeof(*tiers));
    char *names = calloc(WEIR_RULES_MAX + 1, 8);
    struct weir_limit *limit = NULL;
    assert_int_equal(weir_limit_parse(weir_text("5/m"), NULL, &limit, NULL), WEIR_OK);
    for (size_t i = 0; i <= WEIR_RULES_MAX; i++) {
        (void)snprintf(names + 8 * i, 8, "%zu", i);
        rules[i].name = weir_text(names + 8 * i);
        rules[i].limit = limit;
    }
    for (size_t i = 0; i < WEIR_ENTRIES_MAX; i++) {
        tiers[i].value = weir_bytes((const char *)&tiers[i].origin.line, 4);
        tiers[i].origin.line = (uint32_t)i;
        tiers[i].limit = limit;
    }
    rules[0].tier_by = weir_text("x");
    rules[0].tiers = tiers;
    rules[0].tier_count = WEIR_ENTRIES_MAX;
    struct weir_policy_spec spec = {rules, WEIR_RULES_MAX};
    struct weir_policy *policy = NULL;
    assert_int_equal(weir_policy_new(&spec, NULL, NULL, NULL, &policy), WEIR_OK);
    assert_int_equal(weir_policy_count(policy), WEIR_RULES_MAX);
    assert_int_equal(weir_policy_find(policy, weir_text("99999")), 99999);
    assert_int_equal(weir_policy_find(policy, weir_text("100000")), SIZE_MAX);
    assert_ptr_equal(weir_policy_rule(policy, 7), &rules[7]);
    weir_policy_free(policy);
    spec.rule_count++;
    assert_int_equal(weir_policy_new(&spec, NULL, NULL, NULL, &policy), WEIR_ERR_ARGUMENT);
    weir_limit_free(limit);
    free(rules);
    free(tiers);
    free(names);
}

/* ---- No memory ---- */

struct failing {
    unsigned calls;
    unsigned fail_at;
    unsigned given;
    size_t bytes;
};

static void *failing_allocate(void *context, size_t size, size_t alignment)
{
    struct failing *failing = context;
    void *memory = NULL;
    if (failing->calls++ == failing->fail_at ||
        posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) !=
            0) {
        return NULL;
    }
    memset(memory, 0xa5, size);
    failing->given++;
    failing->bytes += size;
    return memory;
}

static void failing_release(void *context, void *memory, size_t size)
{
    struct failing *failing = context;
    assert_non_null(memory);
    failing->given--;
    failing->bytes -= size;
    free(memory);
}

static struct policy_kit *a_bit_of_everything(void)
{
    struct policy_kit *kit = policy_kit_new();
    struct weir_rule_spec *rule = policy_kit_rule(
        kit, "a", "5/m", "p=glob:/a*|prefix:/b;ip=cidr:10.0.0.0/8;q=regex:x+;r!=exact:1",
        "ip/24/64");
    rule->tier_by = weir_text("plan");
    policy_kit_tier(kit, "pro", "6/m");
    policy_kit_override(kit, "10.1.1.1", "7/m");
    policy_kit_deny(kit,
                    "p=exact:1|exact:2|exact:3|exact:4|exact:5|exact:6|exact:7|exact:8|exact:9",
                    INT64_MAX);
    policy_kit_allow(kit, "p=present:", INT64_MAX);
    (void)policy_kit_rule(kit, "b", "5/m", "q=regex:y", "p");
    return kit;
}

static void making_survives_each_failure(void **state)
{
    (void)state;
    struct policy_kit *kit = a_bit_of_everything();
    unsigned failed = 0;
    for (unsigned fail_at = 0;; fail_at++) {
        struct failing failing = {.fail_at = fail_at};
        const struct weir_allocator allocator = {failing_allocate, failing_release, &failing};
        struct weir_policy *const untouched = (struct weir_policy *)(void *)&kit;
        struct weir_policy *policy = untouched;
        const enum weir_status status =
            weir_policy_new(policy_kit_spec(kit), &allocator, policy_kit_note, kit, &policy);
        if (status == WEIR_OK) {
            /* Without memory for code of its own, an expression is interpreted. */
            weir_policy_free(policy);
        } else {
            assert_int_equal(status, WEIR_ERR_NO_MEMORY);
            assert_ptr_equal(policy, untouched);
            failed++;
        }
        assert_int_equal(failing.given, 0);
        assert_int_equal(failing.bytes, 0);
        if (failing.calls <= fail_at) {
            assert_int_equal(status, WEIR_OK);
            break;
        }
    }
    assert_true(failed > 10);
    policy_kit_free(kit);
}

static void planning_survives_each_failure(void **state)
{
    (void)state;
    struct policy_kit *kit = a_bit_of_everything();
    struct weir_policy *policy = policy_kit_make(kit);
    struct weir_attribute attributes[8];
    const struct weir_inquiry_spec inquiry = {
        .attributes = attributes,
        .count = policy_kit_attributes("p=/a1;q=x;ip=10.1.1.1", attributes),
        .cost = 1,
        .only = SIZE_MAX};
    for (unsigned fail_at = 0;; fail_at++) {
        struct failing failing = {.fail_at = fail_at};
        const struct weir_allocator allocator = {failing_allocate, failing_release, &failing};
        struct weir_plan plan;
        weir_plan_init(&plan, &allocator);
        const enum weir_status status = weir_policy_plan(policy, &inquiry, &plan, NULL);
        assert_int_equal(status, failing.calls <= fail_at ? WEIR_OK : WEIR_ERR_NO_MEMORY);
        if (status == WEIR_OK) {
            /* From then on none is asked for. */
            const unsigned calls = failing.calls;
            assert_int_equal(weir_policy_plan(policy, &inquiry, &plan, NULL), WEIR_OK);
            assert_int_equal(failing.calls, calls);
            assert_int_equal(plan.part_count, 1);
        }
        weir_plan_deinit(&plan);
        assert_int_equal(failing.given, 0);
        if (status == WEIR_OK) {
            break;
        }
    }
    weir_policy_free(policy);
    policy_kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_wrong_is_said),
        cmocka_unit_test(names_have_bounds),
        cmocka_unit_test(other_bounds),
        cmocka_unit_test(the_largest_policies),
        cmocka_unit_test(making_survives_each_failure),
        cmocka_unit_test(planning_survives_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
