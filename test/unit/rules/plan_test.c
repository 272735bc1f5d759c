/* plan_test.c - keys, limits, lists, costs, bounds: what a plan says of the rules that match. */

#include "support/policy_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    struct policy_kit *kit;
    struct weir_policy *policy;
    struct weir_plan plan;
    struct weir_error error;
};

static struct scene begin(void)
{
    struct scene scene = {.kit = policy_kit_new()};
    weir_plan_init(&scene.plan, NULL);
    return scene;
}

static void end(struct scene *scene)
{
    weir_plan_deinit(&scene->plan);
    weir_policy_free(scene->policy);
    policy_kit_free(scene->kit);
}

static enum weir_status ask_at(struct scene *scene, const char *text, uint64_t cost, int64_t now_us)
{
    struct weir_attribute attributes[WEIR_ATTRIBUTES_MAX + 1];
    if (scene->policy == NULL) {
        scene->policy = policy_kit_make(scene->kit);
    }
    const struct weir_inquiry_spec inquiry = {.attributes = attributes,
                                              .count = policy_kit_attributes(text, attributes),
                                              .cost = cost,
                                              .only = SIZE_MAX,
                                              .now_us = now_us};
    return weir_policy_plan(scene->policy, &inquiry, &scene->plan, &scene->error);
}

static void ask(struct scene *scene, const char *text)
{
    assert_int_equal(ask_at(scene, text, 1, 0), WEIR_OK);
}

static void assert_key(const struct scene *scene, size_t request, const char *key)
{
    assert_true(request < scene->plan.request_count);
    const struct weir_bytes found = scene->plan.requests[request].key;
    if (found.len != strlen(key) || memcmp(found.ptr, key, found.len) != 0) {
        fail_msg("%.*s is not %s", (int)found.len, found.ptr, key);
    }
}

static void keys_are_made_of_their_parts(void **state)
{
    (void)state;
    struct scene scene = begin();
    (void)policy_kit_rule(scene.kit, "all", "5/m", "", "");
    (void)policy_kit_rule(scene.kit, "two", "5/m", "", "a,b");
    (void)policy_kit_rule(scene.kit, "optional", "5/m", "", "a,c?");
    ask(&scene, "a=x:y;b=z");
    assert_int_equal(scene.plan.request_count, 3);
    assert_key(&scene, 0, "");
    assert_key(&scene, 1, "x%3Ay:z");
    assert_key(&scene, 2, "x%3Ay:");
    /* What is not optional and absent: the rule does not apply. */
    ask(&scene, "a=x");
    assert_int_equal(scene.plan.part_count, 2);
    assert_int_equal(scene.plan.parts[1].rule, 2);
    ask(&scene, "");
    assert_int_equal(scene.plan.part_count, 1);
    end(&scene);
}

static void addresses_count_as_their_networks(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        /* prefixes, address, key */
        {"ip/24/64", "10.1.2.3", "10.1.2.0"},
        {"ip/24/64", "::ffff:10.1.2.3", "10.1.2.0"},
        {"ip/32/128", "0:0::1", "%3A%3A1"},
        {"ip/32/128", "::1", "%3A%3A1"},
        {"ip/32/64", "2001:DB8:0:1:2::3", "2001%3Adb8%3A0%3A1%3A%3A"},
        {"ip/1/1", "255.1.2.3", "128.0.0.0"},
        {"ip/1/1", "ffff::", "8000%3A%3A"},
        {"ip/24/0", "0:0::1", "0%3A0%3A%3A1"},
        {"ip/0/64", "::ffff:10.1.2.3", "10.1.2.3"},
        {"ip", "0:0::1", "0%3A0%3A%3A1"},
        {"ip/24/64", "no.address", "no.address"},
        {"ip/24/64", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[80];
        struct scene scene = begin();
        (void)policy_kit_rule(scene.kit, "rule", "5/m", "", cases[i][0]);
        (void)snprintf(text, sizeof(text), "ip=%s", cases[i][1]);
        ask(&scene, text);
        assert_key(&scene, 0, cases[i][2]);
        end(&scene);
    }
}

static void a_key_that_is_too_long_is_an_error(void **state)
{
    (void)state;
    static char text[WEIR_KEY_MAX + 32];
    struct scene scene = begin();
    (void)policy_kit_rule(scene.kit, "rule", "5/m", "", "u,v?");
    (void)snprintf(text, sizeof(text), "u=%0*d;v=1", WEIR_KEY_MAX - 2, 0);
    ask(&scene, text);
    assert_int_equal(scene.plan.requests[0].key.len, WEIR_KEY_MAX);
    (void)snprintf(text, sizeof(text), "u=%0*d;v=1", WEIR_KEY_MAX - 1, 0);
    assert_int_equal(ask_at(&scene, text, 1, 0), WEIR_ERR_KEY_LENGTH);
    assert_non_null(strstr(scene.error.message, "\"rule\""));
    assert_non_null(strstr(scene.error.message, "\"u\""));
    end(&scene);
}

static const struct weir_limit *limit_asked(struct scene *scene, const char *text)
{
    ask(scene, text);
    return scene->plan.request_count == 0 ? NULL : scene->plan.requests[0].limit;
}

static void tiers_and_overrides_take_the_limits_place(void **state)
{
    (void)state;
    struct scene scene = begin();
    struct weir_rule_spec *rule = policy_kit_rule(scene.kit, "rule", "5/m", "", "ip/32/64,u");
    rule->tier_by = weir_text("plan");
    policy_kit_tier(scene.kit, "pro", "50/m");
    policy_kit_tier(scene.kit, "pro", "51/m");
    policy_kit_override(scene.kit, "1.2.3.4,joe", "7/m");
    policy_kit_override(scene.kit, "2001:0db8::99,joe", "8/m");
    const struct weir_rule_spec *specs = policy_kit_spec(scene.kit)->rules;
    assert_ptr_equal(limit_asked(&scene, "ip=1.1.1.1;u=joe"), specs[0].limit);
    assert_ptr_equal(limit_asked(&scene, "ip=1.1.1.1;u=joe;plan=free"), specs[0].limit);
    assert_ptr_equal(limit_asked(&scene, "ip=1.1.1.1;u=joe;plan=pro"), specs[0].tiers[0].limit);
    assert_ptr_equal(limit_asked(&scene, "ip=1.2.3.4;u=joe;plan=pro"), specs[0].overrides[0].limit);
    assert_ptr_equal(limit_asked(&scene, "ip=1.2.3.4;u=jim"), specs[0].limit);
    assert_ptr_equal(limit_asked(&scene, "ip=2001:db8::1;u=joe"), specs[0].overrides[1].limit);
    end(&scene);
    scene = begin();
    rule = policy_kit_rule(scene.kit, "tiers alone", NULL, "", "u");
    rule->tier_by = weir_text("plan");
    policy_kit_tier(scene.kit, "pro", "50/m");
    policy_kit_override(scene.kit, "joe", "7/m");
    assert_null(limit_asked(&scene, "u=x"));
    assert_int_equal(scene.plan.part_count, 0);
    assert_null(limit_asked(&scene, "u=x;plan=free"));
    assert_non_null(limit_asked(&scene, "u=x;plan=pro"));
    assert_non_null(limit_asked(&scene, "u=joe"));
    end(&scene);
}

static void assert_listed(struct scene *scene, const char *text, int64_t now_us, int listing,
                          int64_t until_us)
{
    assert_int_equal(ask_at(scene, text, 1, now_us), WEIR_OK);
    assert_int_equal(scene->plan.part_count, 1);
    assert_int_equal(scene->plan.parts[0].listing, listing);
    assert_int_equal(scene->plan.parts[0].until_us, until_us);
    assert_int_equal(scene->plan.request_count, listing == WEIR_LISTED_NOT ? 1 : 0);
}

static void lists_pass_or_deny_until_they_end(void **state)
{
    (void)state;
    struct scene scene = begin();
    (void)policy_kit_rule(scene.kit, "rule", "5/m", "", "ip");
    policy_kit_allow(scene.kit, "ip=cidr:10.0.0.0/8", INT64_MAX);
    policy_kit_deny(scene.kit, "ip=exact:10.0.0.1", 1000);
    policy_kit_deny(scene.kit, "ip=cidr:10.0.0.0/30;u!=exact:good", 2000);
    assert_listed(&scene, "ip=1.1.1.1", 0, WEIR_LISTED_NOT, 0);
    assert_listed(&scene, "ip=10.1.1.1", 0, WEIR_LISTED_ALLOW, INT64_MAX);
    assert_listed(&scene, "ip=10.0.0.1;u=good", 999, WEIR_LISTED_DENY, 1000);
    assert_listed(&scene, "ip=10.0.0.1;u=good", 1000, WEIR_LISTED_ALLOW, INT64_MAX);
    /* Of several the last end. */
    assert_listed(&scene, "ip=10.0.0.1", 999, WEIR_LISTED_DENY, 2000);
    assert_listed(&scene, "ip=10.0.0.1", 1999, WEIR_LISTED_DENY, 2000);
    assert_listed(&scene, "ip=10.0.0.1", 2000, WEIR_LISTED_ALLOW, INT64_MAX);
    end(&scene);
}

static uint64_t cost_of(struct scene *scene, const char *text, uint64_t cost)
{
    assert_int_equal(ask_at(scene, text, cost, 0), WEIR_OK);
    return scene->plan.requests[0].cost;
}

static void costs(void **state)
{
    (void)state;
    struct scene scene = begin();
    struct weir_rule_spec *rule = policy_kit_rule(scene.kit, "rule", "5/m", "", "");
    rule->cost = 3;
    rule->cost_from = weir_text("units");
    rule->cost_max = 100;
    assert_int_equal(cost_of(&scene, "", 1), 3);
    assert_int_equal(cost_of(&scene, "units=7", 1), 7);
    assert_int_equal(cost_of(&scene, "units=0", 1), 0);
    assert_int_equal(cost_of(&scene, "units=100", 1), 100);
    assert_int_equal(cost_of(&scene, "units=101", 1), 100);
    assert_int_equal(cost_of(&scene, "units=99999999999999999999999999", 1), 100);
    /* Only looking, whatever the rule says. */
    assert_int_equal(cost_of(&scene, "units=7", 0), 0);
    assert_int_equal(cost_of(&scene, "", 0), 0);
    assert_int_equal(cost_of(&scene, "units=x", 0), 0);
    static const char *const wrong[] = {"units=x", "units=", "units=-1", "units=1.5", "units= 1"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(ask_at(&scene, wrong[i], 1, 0), WEIR_ERR_ARGUMENT);
        assert_non_null(strstr(scene.error.message, "\"rule\""));
        assert_non_null(strstr(scene.error.message, "\"units\""));
    }
    end(&scene);
    scene = begin();
    rule = policy_kit_rule(scene.kit, "rule", "5/m", "", "");
    rule->cost_from = weir_text("units");
    assert_int_equal(cost_of(&scene, "", 9), 9);
    assert_int_equal(cost_of(&scene, "units=4294967296", 1), WEIR_COST_MAX);
    assert_int_equal(cost_of(&scene, "", WEIR_COST_MAX), WEIR_COST_MAX);
    assert_int_equal(ask_at(&scene, "", (uint64_t)WEIR_COST_MAX + 1, 0), WEIR_ERR_ARGUMENT);
    end(&scene);
}

static void enforced_requests_come_first(void **state)
{
    (void)state;
    struct scene scene = begin();
    policy_kit_rule(scene.kit, "a", "1/m", "", "")->shadow = true;
    (void)policy_kit_rule(scene.kit, "b", "2/m", "", "u");
    policy_kit_rule(scene.kit, "c", "3/m", "", "")->shadow = true;
    (void)policy_kit_rule(scene.kit, "d", "4/m", "", "u");
    (void)policy_kit_rule(scene.kit, "e", "4/m", "", "u");
    policy_kit_allow(scene.kit, "u=present:", INT64_MAX);
    ask(&scene, "u=x");
    static const uint32_t requests[] = {2, 0, 3, 1};
    assert_int_equal(scene.plan.part_count, 5);
    assert_int_equal(scene.plan.request_count, 4);
    assert_int_equal(scene.plan.enforced, 2);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(scene.plan.parts[i].rule, i);
        assert_true(i == 4 || scene.plan.parts[i].request == requests[i]);
    }
    assert_key(&scene, 0, "x");
    assert_key(&scene, 2, "");
    end(&scene);
}

static void a_regex_that_gives_up_enforces(void **state)
{
    (void)state;
    static char text[WEIR_ATTRIBUTE_VALUE_MAX + 8];
    struct scene scene = begin();
    (void)policy_kit_rule(scene.kit, "yes", "5/m", "p=regex:(aa?)+$", "");
    (void)policy_kit_rule(scene.kit, "not", "5/m", "p!=regex:(aa?)+$", "");
    (void)policy_kit_rule(scene.kit, "or", "5/m", "p=regex:(aa?)+$|present:", "");
    (void)policy_kit_rule(scene.kit, "and", "5/m", "p=regex:(aa?)+$;p=absent:", "");
    (void)policy_kit_rule(scene.kit, "allow", "5/m", "", "");
    policy_kit_allow(scene.kit, "p=regex:(aa?)+$", INT64_MAX);
    (void)policy_kit_rule(scene.kit, "deny", "5/m", "", "");
    policy_kit_deny(scene.kit, "p=regex:(aa?)+$", INT64_MAX);
    memset(text, 'a', sizeof(text));
    memcpy(text, "p=", 2);
    memcpy(text + WEIR_ATTRIBUTE_VALUE_MAX + 1, "!", 2);
    ask(&scene, text);
    static const struct {
        uint32_t rule;
        bool gave_up;
        int listing;
    } expected[] = {{0, true, 0}, {1, true, 0}, {2, false, 0}, {4, true, 0}, {5, true, 2}};
    assert_int_equal(scene.plan.part_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(scene.plan.parts[i].rule, expected[i].rule);
        assert_int_equal(scene.plan.parts[i].regex_gave_up, expected[i].gave_up);
        assert_int_equal(scene.plan.parts[i].listing, expected[i].listing);
    }
    end(&scene);
}

static void bounds_of_a_request(void **state)
{
    (void)state;
    static char name[WEIR_ATTRIBUTE_NAME_MAX + 1];
    static char value[WEIR_ATTRIBUTE_VALUE_MAX + 1];
    struct weir_attribute attributes[WEIR_ATTRIBUTES_MAX + 1];
    struct scene scene = begin();
    (void)policy_kit_rule(scene.kit, "rule", "5/m", "", "last?");
    ask(&scene, "");
    memset(name, 'n', sizeof(name));
    memset(value, 'v', sizeof(value));
    for (size_t i = 0; i <= WEIR_ATTRIBUTES_MAX; i++) {
        attributes[i].name = weir_text(i == WEIR_ATTRIBUTES_MAX - 1 ? "last" : "x");
        attributes[i].value = weir_text("1");
    }
    struct weir_inquiry_spec inquiry = {
        .attributes = attributes, .count = WEIR_ATTRIBUTES_MAX, .cost = 1, .only = SIZE_MAX};
#define PLAN() weir_policy_plan(scene.policy, &inquiry, &scene.plan, &scene.error)
    assert_int_equal(PLAN(), WEIR_OK);
    assert_key(&scene, 0, "1");
    inquiry.count++;
    assert_int_equal(PLAN(), WEIR_ERR_ARGUMENT);
    inquiry.count = 1;
    attributes[0].name = weir_bytes(name, WEIR_ATTRIBUTE_NAME_MAX);
    attributes[0].value = weir_bytes(value, WEIR_ATTRIBUTE_VALUE_MAX);
    assert_int_equal(PLAN(), WEIR_OK);
    attributes[0].value.len++;
    assert_int_equal(PLAN(), WEIR_ERR_ARGUMENT);
    attributes[0].value.len--;
    attributes[0].name.len++;
    assert_int_equal(PLAN(), WEIR_ERR_ARGUMENT);
    inquiry.count = 0;
    inquiry.only = 1;
    assert_int_equal(PLAN(), WEIR_ERR_ARGUMENT);
    inquiry.only = 0;
    assert_int_equal(PLAN(), WEIR_OK);
#undef PLAN
    end(&scene);
}

static void as_many_rules_as_may_match(void **state)
{
    (void)state;
    static char text[WEIR_KEY_MAX + 8];
    struct scene scene = begin();
    for (unsigned i = 0; i <= WEIR_MATCHES_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "rule%u", i);
        (void)policy_kit_rule(scene.kit, name, "5/m", i == WEIR_MATCHES_MAX ? "more=present:" : "",
                              "u?");
    }
    /* And as long keys as there may be. */
    (void)snprintf(text, sizeof(text), "u=%0*d", WEIR_KEY_MAX, 0);
    ask(&scene, text);
    assert_int_equal(scene.plan.request_count, WEIR_MATCHES_MAX);
    for (size_t i = 0; i < WEIR_MATCHES_MAX; i++) {
        assert_key(&scene, i, text + 2);
    }
    assert_true(scene.plan.keys_room <= (size_t)WEIR_MATCHES_MAX * WEIR_KEY_MAX);
    assert_int_equal(ask_at(&scene, "more=1", 1, 0), WEIR_ERR_ARGUMENT);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_made_of_their_parts),
        cmocka_unit_test(addresses_count_as_their_networks),
        cmocka_unit_test(a_key_that_is_too_long_is_an_error),
        cmocka_unit_test(tiers_and_overrides_take_the_limits_place),
        cmocka_unit_test(lists_pass_or_deny_until_they_end),
        cmocka_unit_test(costs),
        cmocka_unit_test(enforced_requests_come_first),
        cmocka_unit_test(a_regex_that_gives_up_enforces),
        cmocka_unit_test(bounds_of_a_request),
        cmocka_unit_test(as_many_rules_as_may_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
