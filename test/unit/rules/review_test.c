/* review_test.c - warnings, each where it is due and nowhere else; explanations. */

#include "support/policy_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What the review says of two rules; B may be NULL. Conditions, key, limit. */
static void assert_review(const char *const a[3], const char *const b[3], const char *expected)
{
    struct policy_kit *kit = policy_kit_new();
    (void)policy_kit_rule(kit, "a", a[2], a[0], a[1]);
    if (b != NULL) {
        (void)policy_kit_rule(kit, "b", b[2], b[0], b[1]);
    }
    struct weir_policy *policy = policy_kit_make(kit);
    const char *found = policy_kit_review(kit, policy);
    if (expected == NULL ? found[0] != '\0' : strstr(found, expected) == NULL) {
        fail_msg("%s | %s | %s: \"%s\", not \"%s\"", a[0], a[1], a[2], found,
                 expected == NULL ? "" : expected);
    }
    weir_policy_free(policy);
    policy_kit_free(kit);
}

#define RULE(conditions, key, limit) ((const char *const[3]){conditions, key, limit})

static void never(const char *conditions, const char *key)
{
    assert_review(RULE(conditions, key, "5/m"), NULL, "can never match");
}

static void sometimes(const char *conditions, const char *key)
{
    assert_review(RULE(conditions, key, "5/m"), NULL, NULL);
}

static void rules_that_can_never_match(void **state)
{
    (void)state;
    never("p=exact:/a;p=exact:/b", "");
    never("p=exact:/a;p=prefix:/b", "");
    never("p=prefix:/a;p=prefix:/b", "");
    never("p=prefix:/a;p=glob:/b*", "");
    never("ip=cidr:10.0.0.0/8;ip=cidr:11.0.0.0/8", "");
    never("ip=cidr:10.0.0.0/8;ip=cidr:::/0", "");
    never("ip=cidr:10.0.0.0/8;ip=exact:11.1.1.1", "");
    never("p=absent:;p=present:", "");
    never("p=absent:;p=exact:x", "");
    never("p=absent:", "p");
    never("p!=present:", "p");
    never("p=exact:/a;p!=prefix:/", "");
    never("p=regex:x;p!=regex:x", "");
    never("p=exact:a|exact:b;p!=exact:a;p!=exact:b", "");
    sometimes("p=exact:/a;p=prefix:/", "");
    sometimes("p=prefix:/a;p=prefix:/ab", "");
    sometimes("p=regex:a;p=regex:b", "");
    sometimes("p=glob:*a;p=glob:b*", "");
    sometimes("p=absent:", "p?");
    sometimes("p=exact:a|exact:b;p!=exact:a", "");
    sometimes("p!=exact:a;p!=exact:b", "");
    sometimes("p!=exact:a;p=absent:", "");
    sometimes("ip=cidr:10.0.0.0/8;ip=cidr:10.1.0.0/16", "");
    sometimes("p=exact:a;p=regex:b", "");
}

static void hidden(const char *const a[3], const char *const b[3])
{
    assert_review(a, b, "the rule \"b\" is hidden by \"a\" (line 1)");
}

static void seen(const char *const a[3], const char *const b[3])
{
    assert_review(a, b, NULL);
}

static void rules_that_another_hides(void **state)
{
    (void)state;
    hidden(RULE("p=prefix:/a", "u", "5/m"), RULE("p=prefix:/ab", "u", "5/m"));
    hidden(RULE("", "u", "5/m"), RULE("p=prefix:/ab", "u", "6/m"));
    hidden(RULE("p=glob:/a/**", "u", "5/m"), RULE("p=exact:/a/b", "u", "300/h"));
    hidden(RULE("ip=cidr:10.0.0.0/8", "", "5/m"), RULE("ip=cidr:10.1.0.0/16;p=regex:x", "", "5/m"));
}

static void rules_that_are_seen(void **state)
{
    (void)state;
    seen(RULE("p=prefix:/ab", "u", "5/m"), RULE("p=prefix:/a", "u", "6/m"));
    seen(RULE("", "u", "6/m"), RULE("p=prefix:/ab", "u", "5/m"));
    seen(RULE("", "u", "5/m burst 9"), RULE("p=prefix:/ab", "u", "5/m"));
    seen(RULE("", "u", "5/m"), RULE("", "ip", "5/m"));
    seen(RULE("", "u/24/64", "5/m"), RULE("", "u/32/64", "5/m"));
    seen(RULE("", "u", "5/m"), RULE("", "u?", "6/m"));
    seen(RULE("", "u", "5/m"), RULE("", "u", "5/m fixed-window"));
    seen(RULE("", "u", "5/m"), RULE("", "u", "6/m block 1h"));
    seen(RULE("p!=exact:/a", "u", "5/m"), RULE("", "u", "5/m burst 6"));
    /* Windows that open at the first request open at different times. */
    seen(RULE("", "u", "5/m fixed-window"), RULE("p=prefix:/ab", "u", "5/m fixed-window"));
    seen(RULE("p=regex:a", "u", "5/m"), RULE("p=exact:a", "u", "5/m"));
}

static void of_two_that_are_the_same_the_later_is_hidden(void **state)
{
    (void)state;
    struct policy_kit *kit = policy_kit_new();
    (void)policy_kit_rule(kit, "a", "5/m fixed-window", "p=prefix:/a", "u");
    (void)policy_kit_rule(kit, "b", "5/m fixed-window", "p=prefix:/a", "u");
    policy_kit_rule(kit, "c", "5/m fixed-window", "p=prefix:/a", "u")->shadow = true;
    struct weir_policy *policy = policy_kit_make(kit);
    assert_string_equal(policy_kit_review(kit, policy),
                        "warning 2:1 the rule \"b\" is hidden by \"a\" (line 1), which matches "
                        "whenever it does, has the same key, and never admits more\n");
    weir_policy_free(policy);
    policy_kit_free(kit);
}

static void what_never_applies_within_a_rule(void **state)
{
    (void)state;
    struct policy_kit *kit = policy_kit_new();
    struct weir_rule_spec *rule = policy_kit_rule(
        kit, "a", "5/m", "plan=exact:free|exact:pro;ip=cidr:10.0.0.0/8", "ip/24/64");
    rule->tier_by = weir_text("plan");
    policy_kit_tier(kit, "free", "6/m");
    policy_kit_tier(kit, "free", "7/m");
    policy_kit_tier(kit, "gold", "8/m");
    policy_kit_override(kit, "10.1.1.1", "9/m");
    policy_kit_override(kit, "10.1.1.2", "9/m");
    policy_kit_deny(kit, "ip=exact:11.1.1.1", INT64_MAX);
    policy_kit_allow(kit, "ip=exact:10.1.1.1", INT64_MAX);
    (void)policy_kit_rule(kit, "b", NULL, "", "");
    struct weir_policy *policy = policy_kit_make(kit);
    assert_string_equal(
        policy_kit_review(kit, policy),
        "warning 7:1 this entry never applies: what it asks for can't be where the rule \"a\" "
        "(line "
        "1) matches\n"
        "warning 3:1 the tier \"free\" of the rule \"a\" never applies: line 2 has one of the same "
        "value\n"
        "warning 4:1 the tier \"gold\" never applies: the rule \"a\" (line 1) does not match where "
        "\"plan\" has this value\n"
        "warning 6:1 this override of the rule \"a\" never applies: line 5 has one for the same "
        "key\n"
        "warning 9:1 the rule \"b\" does nothing: it has no limit, no tiers, and denies nobody\n");
    weir_policy_free(policy);
    policy_kit_free(kit);
}

/* ---- Explanations ---- */

struct told {
    char text[2048];
    size_t len;
};

static void tell(void *context, size_t rule, bool matches, const char *why)
{
    struct told *told = context;
    told->len += (size_t)snprintf(told->text + told->len, sizeof(told->text) - told->len,
                                  "%zu %s %s\n", rule, matches ? "yes" : "no", why);
}

static void a_sentence_for_each_rule(void **state)
{
    (void)state;
    struct told told = {.len = 0};
    struct weir_attribute attributes[8];
    struct policy_kit *kit = policy_kit_new();
    (void)policy_kit_rule(kit, "0", "5/m", "path=prefix:/login", "");
    (void)policy_kit_rule(kit, "1", "5/m", "path=prefix:/a;ip=cidr:10.0.0.0/8", "");
    (void)policy_kit_rule(kit, "2", "5/m", "path!=prefix:/a", "");
    (void)policy_kit_rule(kit, "3", "5/m", "", "user");
    (void)policy_kit_rule(kit, "4", "5/m", "", "ip");
    (void)policy_kit_rule(kit, "5", "5/m", "user=exact:x", "");
    (void)policy_kit_rule(kit, "6", "5/m", "user!=exact:x;path=regex:a$", "");
    (void)policy_kit_rule(kit, "7", "5/m",
                          "path=exact:/1|glob:/2*|regex:3|prefix:/4|exact:/5|exact:/6", "");
    struct weir_policy *policy = policy_kit_make(kit);
    const struct weir_inquiry_spec inquiry = {
        .attributes = attributes,
        .count = policy_kit_attributes("path=/a;ip=10.1.1.1", attributes),
        .cost = 1,
        .only = SIZE_MAX};
    weir_policy_explain(policy, &inquiry, tell, &told);
    assert_string_equal(
        told.text,
        "0 no path is /a, which does not start with /login\n"
        "1 yes path is /a, which starts with /a; ip is 10.1.1.1, which is in 10.0.0.0/8\n"
        "2 no path is /a, which starts with /a\n"
        "3 no its key needs user, which is absent\n"
        "4 yes it has no conditions\n"
        "5 no user is absent\n"
        "6 yes user is absent; path is /a, which matches the expression a$\n"
        "7 no path is /a, which is not /1, does not match /2*, does not match the expression 3, "
        "does "
        "not start with /4, nor is it any of 2 more\n");
    weir_policy_free(policy);
    policy_kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_that_can_never_match),
        cmocka_unit_test(rules_that_another_hides),
        cmocka_unit_test(rules_that_are_seen),
        cmocka_unit_test(of_two_that_are_the_same_the_later_is_hidden),
        cmocka_unit_test(what_never_applies_within_a_rule),
        cmocka_unit_test(a_sentence_for_each_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
