/* rules_test.c - what a file says of rules is what the policy is made of. */

#include "config/parts.h"
#include "unit/config/config_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The only rule of a file with this in it besides a name. */
static const struct weir_rule_spec *rule_of(const struct weir_config *config)
{
    assert_int_equal(weir_policy_count(config->policy), 1);
    return weir_policy_rule(config->policy, 0);
}

static void assert_bytes(struct weir_bytes bytes, const char *text)
{
    assert_int_equal(bytes.len, strlen(text));
    assert_memory_equal(bytes.ptr, text, bytes.len);
}

static void assert_limit(const struct weir_limit *limit, const char *expected)
{
    char text[WEIR_TEXT_MAX];
    assert_int_equal(weir_limit_format(limit, text, sizeof(text), NULL), WEIR_OK);
    assert_string_equal(text, expected);
}

static void assert_condition(const struct weir_condition_spec *condition, const char *attribute,
                             bool negated, size_t count)
{
    assert_bytes(condition->attribute, attribute);
    assert_int_equal(condition->negated, negated);
    assert_int_equal(condition->count, count);
}

static void conditions_are_all_and_lists_are_any(void **state)
{
    (void)state;
    struct weir_config *config =
        read_good("rules:\n"
                  "- name: login\n"
                  "  key: [ip]\n"
                  "  limit: 5/m block 15m\n"
                  "  match:\n"
                  "    country: NO\n"
                  "    host: [a.example, {prefix: b}, {glob: ['*.c', d]}]\n"
                  "    path: {prefix: /a, regex: 'x$', not: [/ab, {glob: "
                  "'/c*'}]}\n"
                  "    x: {present: true}\n"
                  "    y: {present: false}\n"
                  "    ip: {not: {cidr: [10.0.0.0/8, '::1']}}\n");
    const struct weir_rule_spec *rule = rule_of(config);
    const struct weir_condition_spec *c = rule->conditions;
    assert_int_equal(rule->condition_count, 8);
    assert_condition(&c[0], "country", false, 1);
    assert_int_equal(c[0].tests[0].kind, WEIR_TEST_EXACT);
    assert_bytes(c[0].tests[0].text, "NO");
    assert_int_equal(c[0].origin.line, 6);
    assert_int_equal(c[0].origin.column, 14);
    assert_condition(&c[1], "host", false, 4);
    assert_int_equal(c[1].tests[0].kind, WEIR_TEST_EXACT);
    assert_int_equal(c[1].tests[1].kind, WEIR_TEST_PREFIX);
    assert_int_equal(c[1].tests[3].kind, WEIR_TEST_GLOB);
    assert_bytes(c[1].tests[3].text, "d");
    assert_condition(&c[2], "path", false, 1);
    assert_int_equal(c[2].tests[0].kind, WEIR_TEST_PREFIX);
    assert_condition(&c[3], "path", false, 1);
    assert_int_equal(c[3].tests[0].kind, WEIR_TEST_REGEX);
    assert_bytes(c[3].tests[0].text, "x$");
    assert_condition(&c[4], "path", true, 2);
    assert_int_equal(c[4].tests[0].kind, WEIR_TEST_EXACT);
    assert_int_equal(c[4].tests[1].kind, WEIR_TEST_GLOB);
    assert_condition(&c[5], "x", false, 1);
    assert_int_equal(c[5].tests[0].kind, WEIR_TEST_PRESENT);
    assert_int_equal(c[6].tests[0].kind, WEIR_TEST_ABSENT);
    assert_condition(&c[7], "ip", true, 2);
    assert_int_equal(c[7].tests[1].kind, WEIR_TEST_CIDR);
    assert_bytes(rule->name, "login");
    assert_limit(rule->limit, "5/m block 15m");
    assert_int_equal(rule->origin.line, 2);
    weir_config_free(config);
}

/* A single value of `ip` alone is an address, in all its spellings. */
static void a_bare_address_is_one(void **state)
{
    (void)state;
    struct weir_config *config = read_good(
        "rules: [{name: a, key: [], limit: 1/s, match: {ip: [10.0.0.0/8, '2001:DB8::1', unknown], "
        "addr: 10.0.0.1}}]");
    const struct weir_condition_spec *c = rule_of(config)->conditions;
    assert_int_equal(c[0].tests[0].kind, WEIR_TEST_CIDR);
    assert_int_equal(c[0].tests[1].kind, WEIR_TEST_CIDR);
    assert_int_equal(c[0].tests[2].kind, WEIR_TEST_EXACT);
    assert_int_equal(c[1].tests[0].kind, WEIR_TEST_EXACT);
    assert_int_equal(rule_of(config)->key_count, 0);
    weir_config_free(config);
}

static void keys_have_parts(void **state)
{
    (void)state;
    struct weir_config *config = read_good(
        "ipv6_prefix: 56\n"
        "rules:\n"
        "- name: a\n"
        "  limit: 1/s\n"
        "  key: [ip, user?, {attribute: ip, ipv6_prefix: 48, ipv4_prefix: 24}, {attribute: '?', "
        "optional: true}, '?']\n");
    const struct weir_key_part_spec *key = rule_of(config)->key;
    assert_int_equal(rule_of(config)->key_count, 5);
    assert_bytes(key[0].attribute, "ip");
    assert_int_equal(key[0].ipv6_prefix, 56);
    assert_int_equal(key[0].ipv4_prefix, 0);
    assert_false(key[0].optional);
    assert_bytes(key[1].attribute, "user");
    assert_true(key[1].optional);
    assert_int_equal(key[1].ipv6_prefix, 0);
    assert_int_equal(key[2].ipv6_prefix, 48);
    assert_int_equal(key[2].ipv4_prefix, 24);
    assert_bytes(key[3].attribute, "?");
    assert_true(key[3].optional);
    assert_bytes(key[4].attribute, "?");
    assert_false(key[4].optional);
    weir_config_free(config);
    config = read_good("rules: [{name: a, limit: 1/s, key: ip}]");
    assert_int_equal(rule_of(config)->key[0].ipv6_prefix, 64);
    weir_config_free(config);
}

static void tiers_overrides_and_lists(void **state)
{
    (void)state;
    struct weir_config *config =
        read_good("rules:\n"
                  "- name: api\n"
                  "  key: [ip]\n"
                  "  tiers: {by: plan, limits: {free: 10/s, by: 20/s, 'no': 30/s}}\n"
                  "  overrides: [{key: alice, limit: 1000/s}, {key: [bob], limit: 1/d}]\n"
                  "  allow: [203.0.113.7, {match: {ip: {cidr: 10.0.0.0/8}, path: /a}, until: "
                  "2026-12-31T01:00:00+01:00}]\n"
                  "  deny: [{match: {until: x}, until: 2026-12-31}]\n"
                  "  cost: {from: tokens, default: 2, max: 10000}\n"
                  "  shadow: true\n"
                  "  on_error: deny\n");
    const struct weir_rule_spec *rule = rule_of(config);
    assert_null(rule->limit);
    assert_bytes(rule->tier_by, "plan");
    assert_int_equal(rule->tier_count, 3);
    assert_bytes(rule->tiers[1].value, "by");
    assert_limit(rule->tiers[1].limit, "20/s");
    assert_bytes(rule->tiers[2].value, "no");
    assert_int_equal(rule->override_count, 2);
    assert_bytes(rule->overrides[1].values[0], "bob");
    assert_limit(rule->overrides[0].limit, "1000/s");
    assert_int_equal(rule->allow_count, 2);
    assert_int_equal(rule->allow[0].until_us, INT64_MAX);
    assert_condition(&rule->allow[0].conditions[0], "ip", false, 1);
    assert_int_equal(rule->allow[0].conditions[0].tests[0].kind, WEIR_TEST_CIDR);
    assert_int_equal(rule->allow[1].count, 2);
    assert_int_equal(rule->allow[1].until_us, INT64_C(1798675200000000));
    assert_int_equal(rule->deny_count, 1);
    assert_condition(&rule->deny[0].conditions[0], "until", false, 1);
    assert_int_equal(rule->deny[0].until_us, INT64_C(1798675200000000));
    assert_bytes(rule->cost_from, "tokens");
    assert_int_equal(rule->cost, 2);
    assert_int_equal(rule->cost_max, 10000);
    assert_true(rule->shadow);
    weir_config_free(config);
    config = read_good("rules: [{name: a, key: u, limit: 1/s, cost: 7, deny: [x]}]");
    assert_int_equal(rule_of(config)->cost, 7);
    assert_int_equal(rule_of(config)->cost_max, 0);
    assert_false(rule_of(config)->shadow);
    assert_int_equal(rule_of(config)->deny[0].conditions[0].tests[0].kind, WEIR_TEST_EXACT);
    weir_config_free(config);
}

static void merge_keys_bring_what_is_not_there(void **state)
{
    (void)state;
    struct weir_config *config = read_good("x-base: &base {key: ip, limit: 1/s, shadow: true}\n"
                                           "x-more: &more {limit: 2/s, cost: 3}\n"
                                           "rules:\n"
                                           "- name: a\n"
                                           "  <<: [*base, *more]\n"
                                           "  shadow: false\n");
    const struct weir_rule_spec *rule = rule_of(config);
    assert_limit(rule->limit, "1/s");
    assert_int_equal(rule->cost, 3);
    assert_false(rule->shadow);
    weir_config_free(config);
}

static void json_is_yaml(void **state)
{
    (void)state;
    weir_config_free(read_good("{\"rules\": [{\"name\": \"a\", \"key\": [\"ip\"], \"limit\": "
                               "\"1/s\", \"shadow\": true, \"cost\": 3}]}\n"));
}

#define RULE "rules: [{name: a, key: ip, "

static const struct {
    const char *text;
    const char *expected;
} refusals[] = {
    {"rules: [{}]", "1:9: a rule needs 'name'\n1:9: a rule needs 'key'\n"
                    "1:9: a rule needs a 'limit', as limit: 100/m (or tiers, overrides or "
                    "deny)\n"},
    {"rules: [a]", "1:9: a rule: expected a mapping, its keys each on a line as 'name: ...', "
                   "or in { }\n"},
    {RULE "limit: [1/s, 2/m]}]", "1:35: limit: one limit a rule; write a rule for each, all "
                                 "that match are checked together\n"},
    {RULE "limit: '5/10s  bursty 3'}]",
     "1:43: limit: 'bursty' is neither an algorithm nor burst nor block: did you mean "
     "'burst'?\n"},
    {RULE "limit: 1/s, on_error: x}]",
     "1:50: on_error: expected one of default, deny, allow, local, not 'x'\n"},
    {RULE "limit: 1/s, shadow: yes}]", "1:48: shadow: expected true or false, not 'yes'\n"},
    {RULE "limit: 1/s, cost: 0}]",
     "1:46: cost: expected a whole number from 1 to 4294967295, not '0'\n"},
    {RULE "limit: 1/s, cost: {default: 1}}]", "1:46: cost needs 'from'\n"},
    {RULE "limit: 1/s, match: [a]}]", "1:47: match: expected a mapping of attributes to "
                                      "values, as {method: POST}\n"},
    {RULE "limit: 1/s, match: {a: {}}}]", "1:51: nothing is asked here; write a test, as "
                                          "{prefix: /a} or {present: true}\n"},
    {RULE "limit: 1/s, match: {a: []}}]",
     "1:51: this list is empty, so that nothing could be in it\n"},
    {RULE "limit: 1/s, match: {a: {any: [b]}}}]",
     "1:52: unknown key 'any'; what is asked of an attribute has exact, prefix, glob, cidr, "
     "regex, present, not\n"},
    {RULE "limit: 1/s, match: {a: {not: {prefix: b, glob: c}}}}]",
     "1:57: expected one test here, as {prefix: /a}; several that must all hold, or 'not', go "
     "in a mapping of their own\n"},
    {RULE "limit: 1/s, match: {a: [{not: b}]}}]",
     "1:52: expected one test here, as {prefix: /a}; several that must all hold, or 'not', go "
     "in a mapping of their own\n"},
    {RULE "limit: 1/s, match: {a: {present: 1}}}]",
     "1:61: present: expected true or false, not '1'\n"},
    {RULE "limit: 1/s, match: {a: [[b]]}}]", "1:52: a value: expected one value, not a list\n"},
    {RULE "tiers: {by: plan}}]", "1:35: tiers needs 'limits'\n"},
    {RULE "tiers: {by: plan, limits: {}}}]",
     "1:54: limits: expected a mapping of values to limits, as {free: 10/s, pro: 100/s}\n"},
    {RULE "tiers: {by: plan, limits: {free: x}}}]",
     "1:61: limit: a limit starts with COUNT/PERIOD, as 100/m, not with 'x'\n"},
    {RULE "limit: 1/s, overrides: [{key: [a, b], limit: 1/s}]}]",
     "1:58: key: expected 1 value, as the rule's key has so many parts\n"},
    {RULE "limit: 1/s, overrides: [{key: a}]}]", "1:52: an override needs 'limit'\n"},
    {RULE "limit: 1/s, allow: [{ip: 10.0.0.0/8}]}]",
     "1:48: an entry of a list needs 'match'\n1:49: unknown key 'ip'; an entry of a list has "
     "match, until\n"},
    {RULE "limit: 1/s, allow: [{match: {}}]}]",
     "1:56: match: an entry needs a condition, or it would hold for everybody\n"},
    {"rules: [{name: a, key: [ip, user], limit: 1/s, allow: [10.0.0.1]}]",
     "1:56: a single value goes with a key of one part; here write {match: {ip: ...}}, with "
     "the attribute that is meant\n"},
    {RULE "limit: 1/s, deny: [{match: {a: b}, until: tomorrow}]}]",
     "1:70: until: expected a time, as 2026-12-31T23:59:59Z or 2026-12-31, not 'tomorrow'\n"},
    {"rules: [{name: a, key: {attribut: ip}, limit: 1/s}]",
     "1:24: a part of a key needs 'attribute'\n1:25: unknown key 'attribut'; did you mean "
     "'attribute'?\n"},
    {"rules: [{name: a, key: {attribute: ip, ipv6_prefix: 129}, limit: 1/s}]",
     "1:53: ipv6_prefix: expected a whole number from 1 to 128, not '129'\n"},
};

static void rules_that_cannot_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        read_bad(refusals[i].text, refusals[i].expected);
    }
    /* Where a text is folded, its own place stands for its words'. */
    read_bad("rules:\n- name: a\n  key: ip\n  limit: >-\n    5/s\n    bursty\n",
             "4:10: limit: 'bursty' is neither an algorithm nor burst nor block: did you mean "
             "'burst'?\n");
}

/* The number of things of one kind that a rule may have. */
static void try_count(unsigned count, const char *head, const char *item, const char *tail,
                      const char *expected)
{
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, head);
    for (unsigned i = 0; i < count; i++) {
        weir_buffer_print(&text, "%s%s%u", i > 0 ? ", " : "", item, i);
        weir_buffer_put_text(&text, item[0] == 'm' ? ": x" : "");
    }
    weir_buffer_put_text(&text, tail);
    weir_buffer_put(&text, weir_bytes("", 1));
    assert_false(text.failed);
    if (expected == NULL) {
        weir_config_free(read_good(text.bytes));
    } else {
        read_bad(text.bytes, expected);
    }
    weir_buffer_deinit(&text);
}

static void rules_have_bounds(void **state)
{
    (void)state;
    const char *const match = "rules: [{name: a, key: ip, limit: 1/s, match: {";
    try_count(32, match, "m", "}}]", NULL);
    try_count(33, match, "m", "}}]", "1:47: at most 32 conditions go together\n");
    try_count(16, "rules: [{name: a, limit: 1/s, key: [", "k", "]}]", NULL);
    try_count(17, "rules: [{name: a, limit: 1/s, key: [", "k", "]}]",
              "1:36: key: at most 16 parts\n");
}

static void times_are_those_of_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1970-01-01", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T01:00:00.000001+01:00", 1},
        {"1970-01-01t00:00:01z", 1000000},
        {"1970-01-01 00:00:01Z", 1000000},
        {"2000-02-29T23:59:59Z", INT64_C(951868799000000)},
        {"2024-12-31T23:59:60Z", INT64_C(1735689600000000)},
        {"2026-12-31T00:00:00.1234567-00:30", INT64_C(1798677000123456)},
        {"2100-03-01", INT64_C(4107542400000000)},
    };
    static const char *const bad[] = {
        "",
        "2026",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "2100-02-29",
        "1969-12-31",
        "2026-1-1",
        "2026-01-01T",
        "2026-01-01T00:00:00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01Z",
        "2026-01-01T00:00:00Zx",
        "1970-01-01T00:00:00+00:01",
        "2113-01-01",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t us = -1;
        if (!weir_time_parse(weir_text(good[i].text), &us) || us != good[i].us) {
            print_message("%s: %lld\n", good[i].text, (long long)us);
            fail();
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t us = -1;
        if (weir_time_parse(weir_text(bad[i]), &us) || us != -1) {
            print_message("%s\n", bad[i]);
            fail();
        }
    }
}

static void what_is_over_is_warned_of(void **state)
{
    (void)state;
    const struct texts texts = {
        .files = {{"weir.yaml",
                   "rules: [{name: a, key: u, limit: 1/s, deny: [{match: {u: x}, until: "
                   "2025-12-31}, {match: {u: y}, until: 2026-01-02}]}]",
                   NULL}}};
    expect_messages(&texts, true, WEIR_OK,
                    "weir.yaml:1:69: warning: this entry is over; take it out\n");
    expect_messages(&texts, false, WEIR_OK, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_all_and_lists_are_any),
        cmocka_unit_test(a_bare_address_is_one),
        cmocka_unit_test(keys_have_parts),
        cmocka_unit_test(tiers_overrides_and_lists),
        cmocka_unit_test(merge_keys_bring_what_is_not_there),
        cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(rules_that_cannot_be),
        cmocka_unit_test(rules_have_bounds),
        cmocka_unit_test(times_are_those_of_rfc_3339),
        cmocka_unit_test(what_is_over_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
