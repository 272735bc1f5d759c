/* policy_test.c - what a policy makes of its specification, and says of it. */

#include "rls/policy_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/rls_kit.h"

static const char shop[] = "domain shop\n"
                           " path=/a* 5/minute shadow\n"
                           "  user unlimited\n"
                           "   ip=10.0.0.1 0/week quota\n"
                           " path 7/year\n"
                           "domain other\n"
                           " key\n"
                           "  key=value 1/second\n";

static void assert_dump(struct rls_kit *kit, const char *expected)
{
    struct weir_buffer dump = {0};
    weir_rls_policy_dump(rls_kit_policy(kit), &dump);
    weir_buffer_put(&dump, weir_bytes("", 1));
    assert_false(dump.failed);
    assert_string_equal(dump.bytes, expected);
    weir_buffer_deinit(&dump);
}

static void rules_are_in_the_order_of_the_files(void **state)
{
    (void)state;
    static const char *const keys[] = {"shop.path_/a*", "shop.path_/a*.user",
                                       "shop.path_/a*.user.ip_10.0.0.1", "shop.path",
                                       "other.key.key_value"};
    struct rls_kit *kit = rls_kit_new(shop);
    const struct weir_rls_policy *policy = rls_kit_policy(kit);
    assert_int_equal(weir_rls_policy_count(policy), 5);
    for (size_t i = 0; i < 5; i++) {
        const struct weir_rls_rule *rule = weir_rls_policy_rule(policy, i);
        assert_int_equal(rule->index, i);
        assert_true(weir_rls_same(rule->full_key, weir_text(keys[i])));
    }
    assert_int_equal(weir_rls_policy_rule(policy, 3)->spec->requests_per_unit, 7);
    assert_ptr_equal(weir_rls_policy_settings(policy), &rls_kit_spec(kit)->settings);
    rls_kit_free(kit);
}

static void a_dump_has_a_line_for_each_rule(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new(shop);
    assert_dump(kit, "shop.path_/a*: unit=MINUTE requests_per_unit=5, shadow_mode: true, "
                     "quota_mode: false\n"
                     "shop.path_/a*.user: unit=UNKNOWN requests_per_unit=0, shadow_mode: false, "
                     "quota_mode: false\n"
                     "shop.path_/a*.user.ip_10.0.0.1: unit=WEEK requests_per_unit=0, "
                     "shadow_mode: false, quota_mode: true\n"
                     "shop.path: unit=YEAR requests_per_unit=7, shadow_mode: false, "
                     "quota_mode: false\n"
                     "other.key.key_value: unit=SECOND requests_per_unit=1, shadow_mode: false, "
                     "quota_mode: false\n");
    rls_kit_free(kit);
}

static void a_policy_may_be_empty(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("");
    assert_int_equal(weir_rls_policy_count(rls_kit_policy(kit)), 0);
    assert_dump(kit, "");
    assert_true(rls_kit_plan(kit, "any", "a=b").unknown_domain);
    rls_kit_free(kit);
    weir_rls_policy_free(NULL);
}

/* ---- Size --------------------------------------------------------------------------------- */

static void a_level_may_be_large(void **state)
{
    (void)state;
    enum {
        COUNT = 20000
    };
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "domain d\n");
    for (unsigned i = 0; i < COUNT; i++) {
        weir_buffer_print(&text, " key=%u unlimited\n k%u 0/second\n", i, i);
    }
    weir_buffer_put(&text, weir_bytes("", 1));
    struct rls_kit *kit = rls_kit_new(text.bytes);
    for (unsigned i = 0; i < COUNT; i += 61) {
        char asked[40];
        (void)snprintf(asked, sizeof(asked), "key=%u|k%u=x|key=x%u", i, i, i);
        const struct weir_rls_plan plan = rls_kit_plan(kit, "d", asked);
        assert_int_equal(plan.items[0].rule->index, 2 * i);
        assert_int_equal(plan.items[1].rule->index, 2 * i + 1);
        assert_null(plan.items[2].rule);
        rls_kit_clear(kit);
    }
    rls_kit_free(kit);
    weir_buffer_deinit(&text);
}

static void a_tree_may_be_as_deep_as_a_descriptor_is_long(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    struct weir_buffer asked = {0};
    weir_buffer_put_text(&text, "domain d\n");
    for (int i = 1; i <= WEIR_RLS_DEPTH_MAX; i++) {
        weir_buffer_print(&text, "%*s%s%s\n", i, "", i % 2 == 0 ? "k=*" : "k",
                          i == WEIR_RLS_DEPTH_MAX ? " 0/second" : "");
        weir_buffer_put_text(&asked, i > 1 ? ",k=v" : "k=v");
    }
    weir_buffer_put(&text, weir_bytes("", 1));
    weir_buffer_put(&asked, weir_bytes("", 1));
    struct rls_kit *kit = rls_kit_new(text.bytes);
    assert_int_equal(rls_kit_plan(kit, "d", asked.bytes).items[0].fate, WEIR_RLS_ALWAYS_OVER);
    assert_null(rls_kit_plan(kit, "d", asked.bytes + strlen("k=v,")).items[0].rule);
    rls_kit_free(kit);
    weir_buffer_deinit(&text);
    weir_buffer_deinit(&asked);
}

/* ---- Memory ------------------------------------------------------------------------------- */

static void memory_runs_out_at_each_place(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n"
                                      " a=b* 1/second name=n replaces=m,o\n"
                                      "  c 1/second name=m replaces=n\n"
                                      "domain e\n"
                                      " a 1/second name=o\n");
    enum weir_status status = WEIR_ERR_NO_MEMORY;
    size_t allocations = 0;
    while (status == WEIR_ERR_NO_MEMORY) {
        struct rls_kit_scarce scarce;
        struct weir_rls_policy *policy = NULL;
        rls_kit_scarce_init(&scarce, allocations++);
        status = weir_rls_policy_new(rls_kit_spec(kit), &scarce.allocator, &policy);
        assert_true((policy != NULL) == (status == WEIR_OK));
        weir_rls_policy_free(policy);
        assert_int_equal(scarce.held, 0);
    }
    assert_int_equal(status, WEIR_OK);
    /* The policy, its path, its arena; what is thrown away again. */
    assert_true(allocations >= 4);
    rls_kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_in_the_order_of_the_files),
        cmocka_unit_test(a_dump_has_a_line_for_each_rule),
        cmocka_unit_test(a_policy_may_be_empty),
        cmocka_unit_test(a_level_may_be_large),
        cmocka_unit_test(a_tree_may_be_as_deep_as_a_descriptor_is_long),
        cmocka_unit_test(memory_runs_out_at_each_place),
    };
    return cmocka_run_group_tests_name("rls_policy", tests, NULL, NULL);
}
