/* rules_test.c - random policies over random requests give the plan that a slow model gives, which
 * tries every rule, every test and every entry one by one, with a matching of its own. */

#include "support/policy_kit.h"
#include "support/random.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define POLICIES 1500
#define REQUESTS 40
#define NOW 1000

/* ---- The model ---- */

/* By every way in which a star can be read. */
/* NOLINTNEXTLINE(misc-no-recursion): patterns are short, and each call has one less of it */
static bool glob_holds(const char *pattern, size_t pattern_len, const char *value, size_t len)
{
    if (pattern_len == 0) {
        return len == 0;
    }
    if (pattern[0] == '*') {
        size_t stars = 1;
        while (stars < pattern_len && pattern[stars] == '*') {
            stars++;
        }
        for (size_t taken = 0; taken <= len; taken++) {
            if (glob_holds(pattern + stars, pattern_len - stars, value + taken, len - taken)) {
                return true;
            }
            if (stars == 1 && taken < len && value[taken] == '/') {
                return false;
            }
        }
        return false;
    }
    return len > 0 && (pattern[0] == '?' ? value[0] != '/' : value[0] == pattern[0]) &&
           glob_holds(pattern + 1, pattern_len - 1, value + 1, len - 1);
}

/* An address as IPv6, with those of IPv4 mapped; false where it is none. */
static bool address_of(struct weir_bytes text, uint8_t address[16])
{
    char copy[64];
    uint8_t four[4];
    if (text.len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, four) == 1) {
        memset(address, 0, 10);
        memset(address + 10, 0xff, 2);
        memcpy(address + 12, four, 4);
        return true;
    }
    return inet_pton(AF_INET6, copy, address) == 1;
}

static bool is_mapped(const uint8_t address[16])
{
    static const uint8_t start[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(address, start, 12) == 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++) {
        if (((a[i / 8] ^ b[i / 8]) & (0x80 >> (i % 8))) != 0) {
            return false;
        }
    }
    return true;
}

static bool cidr_holds(struct weir_bytes text, struct weir_bytes value)
{
    uint8_t network[16];
    uint8_t address[16];
    const char *slash = memchr(text.ptr, '/', text.len);
    const size_t len = slash != NULL ? (size_t)(slash - text.ptr) : text.len;
    assert_true(address_of(weir_bytes(text.ptr, len), network));
    if (!address_of(value, address) || is_mapped(address) != is_mapped(network)) {
        return false;
    }
    unsigned bits = 128;
    if (slash != NULL) {
        bits = (unsigned)strtoul(slash + 1, NULL, 10) + (is_mapped(network) ? 96 : 0);
    }
    return same_bits(network, address, bits);
}

/* The expressions of the generator, by hand. */
static bool regex_holds(struct weir_bytes pattern, struct weir_bytes value)
{
    size_t run = 0;
    if (pattern.ptr[0] == '^') { /* ^/a+b */
        while (1 + run < value.len && value.ptr[1 + run] == 'a') {
            run++;
        }
        return value.len > 1 + run && run > 0 && value.ptr[0] == '/' && value.ptr[1 + run] == 'b';
    }
    for (size_t i = 0; i < value.len; i++) { /* [bc] */
        run += value.ptr[i] == 'b' || value.ptr[i] == 'c' ? 1 : 0;
    }
    return run > 0;
}

static const struct weir_bytes *value_of(const struct weir_inquiry_spec *inquiry,
                                         struct weir_bytes name)
{
    for (size_t i = 0; i < inquiry->count; i++) {
        const struct weir_attribute *attribute = &inquiry->attributes[i];
        if (attribute->name.len == name.len &&
            memcmp(attribute->name.ptr, name.ptr, name.len) == 0) {
            return &attribute->value;
        }
    }
    return NULL;
}

static bool test_holds(const struct weir_test_spec *test, const struct weir_bytes *value)
{
    if (value == NULL || test->kind == WEIR_TEST_PRESENT || test->kind == WEIR_TEST_ABSENT) {
        return (test->kind == WEIR_TEST_ABSENT && value == NULL) ||
               (test->kind == WEIR_TEST_PRESENT && value != NULL);
    }
    const struct weir_bytes text = test->text;
    switch ((int)test->kind) {
    case WEIR_TEST_EXACT:
        return text.len == value->len && memcmp(text.ptr, value->ptr, text.len) == 0;
    case WEIR_TEST_PREFIX:
        return text.len <= value->len && memcmp(text.ptr, value->ptr, text.len) == 0;
    case WEIR_TEST_GLOB:
        return glob_holds(text.ptr, text.len, value->ptr, value->len);
    case WEIR_TEST_CIDR:
        return cidr_holds(text, *value);
    default:
        return regex_holds(text, *value);
    }
}

static bool conditions_hold(const struct weir_condition_spec *conditions, size_t count,
                            const struct weir_inquiry_spec *inquiry)
{
    for (size_t i = 0; i < count; i++) {
        const struct weir_bytes *value = value_of(inquiry, conditions[i].attribute);
        bool any = false;
        for (size_t j = 0; j < conditions[i].count; j++) {
            any = any || test_holds(&conditions[i].tests[j], value);
        }
        if (any == conditions[i].negated) {
            return false;
        }
    }
    return true;
}

static bool rule_holds(const struct weir_rule_spec *rule, const struct weir_inquiry_spec *inquiry)
{
    for (size_t i = 0; i < rule->key_count; i++) {
        if (!rule->key[i].optional && value_of(inquiry, rule->key[i].attribute) == NULL) {
            return false;
        }
    }
    return conditions_hold(rule->conditions, rule->condition_count, inquiry);
}

/* The last end of the entries that hold, or INT64_MIN. */
static int64_t listed_until(const struct weir_listed_spec *list, size_t count,
                            const struct weir_inquiry_spec *inquiry)
{
    int64_t until_us = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        if (list[i].until_us > inquiry->now_us && list[i].until_us > until_us &&
            conditions_hold(list[i].conditions, list[i].count, inquiry)) {
            until_us = list[i].until_us;
        }
    }
    return until_us;
}

/* The key: no part has a prefix here, tests of key.c have those. */
static struct weir_bytes key_of(const struct weir_rule_spec *rule,
                                const struct weir_inquiry_spec *inquiry, char *buffer)
{
    struct weir_bytes parts[WEIR_KEY_PARTS_MAX];
    struct weir_bytes key = weir_bytes("", 0);
    for (size_t i = 0; i < rule->key_count; i++) {
        const struct weir_bytes *value = value_of(inquiry, rule->key[i].attribute);
        parts[i] = value != NULL ? *value : weir_bytes("", 0);
    }
    if (rule->key_count > 0) {
        assert_int_equal(weir_key_join(parts, rule->key_count, buffer, WEIR_KEY_MAX, &key), 0);
    }
    return key;
}

static const struct weir_limit *limit_of(const struct weir_rule_spec *rule,
                                         const struct weir_inquiry_spec *inquiry)
{
    for (size_t i = 0; i < rule->override_count; i++) {
        const struct weir_bytes *value = value_of(inquiry, rule->key[0].attribute);
        const struct weir_bytes wanted = rule->overrides[i].values[0];
        if (wanted.len == value->len && memcmp(wanted.ptr, value->ptr, wanted.len) == 0) {
            return rule->overrides[i].limit;
        }
    }
    const struct weir_bytes *tier = rule->tier_count > 0 ? value_of(inquiry, rule->tier_by) : NULL;
    for (size_t i = 0; tier != NULL && i < rule->tier_count; i++) {
        const struct weir_bytes wanted = rule->tiers[i].value;
        if (wanted.len == tier->len && memcmp(wanted.ptr, tier->ptr, wanted.len) == 0) {
            return rule->tiers[i].limit;
        }
    }
    return rule->limit;
}

/* What the model says of one request, against the plan. */
static void compare(const struct weir_policy_spec *spec, const struct weir_inquiry_spec *inquiry,
                    const struct weir_plan *plan)
{
    size_t part = 0;
    size_t enforced = 0;
    char buffer[WEIR_KEY_MAX];
    for (size_t i = 0; i < spec->rule_count; i++) {
        const struct weir_rule_spec *rule = &spec->rules[i];
        if ((inquiry->only != SIZE_MAX && inquiry->only != i) || !rule_holds(rule, inquiry)) {
            continue;
        }
        const int64_t deny = listed_until(rule->deny, rule->deny_count, inquiry);
        const int64_t allow = listed_until(rule->allow, rule->allow_count, inquiry);
        const int listing = deny != INT64_MIN    ? WEIR_LISTED_DENY
                            : allow != INT64_MIN ? WEIR_LISTED_ALLOW
                                                 : WEIR_LISTED_NOT;
        const struct weir_limit *limit =
            listing == WEIR_LISTED_NOT ? limit_of(rule, inquiry) : NULL;
        if (listing == WEIR_LISTED_NOT && limit == NULL) {
            continue;
        }
        assert_true(part < plan->part_count);
        const struct weir_part *found = &plan->parts[part++];
        assert_int_equal(found->rule, i);
        assert_int_equal(found->listing, listing);
        assert_int_equal(found->shadow, rule->shadow);
        if (listing != WEIR_LISTED_NOT) {
            assert_int_equal(found->until_us, listing == WEIR_LISTED_DENY ? deny : allow);
            continue;
        }
        enforced += rule->shadow ? 0 : 1;
        assert_true(found->request < plan->request_count);
        const struct weir_request *request = &plan->requests[found->request];
        const struct weir_bytes key = key_of(rule, inquiry, buffer);
        assert_ptr_equal(request->limit, limit);
        assert_int_equal(request->key.len, key.len);
        assert_memory_equal(request->key.len > 0 ? request->key.ptr : "", key.ptr, key.len);
        assert_int_equal(request->cost,
                         inquiry->cost > 0 && rule->cost > 0 ? rule->cost : inquiry->cost);
        assert_true((found->request < plan->enforced) == !rule->shadow);
    }
    assert_int_equal(part, plan->part_count);
    assert_int_equal(enforced, plan->enforced);
}

/* ---- The generator ---- */

static const char *const names[] = {"path", "ip", "user", "plan"};

static void random_path(struct random *random, char *text, const char *letters)
{
    const size_t len = random_below(random, 9);
    for (size_t i = 0; i < len; i++) {
        text[i] = letters[random_below(random, strlen(letters))];
    }
    text[len] = '\0';
}

static void random_address(struct random *random, char *text, size_t size, bool network)
{
    const unsigned a = (unsigned)random_below(random, 3);
    const unsigned b = (unsigned)random_below(random, 3);
    static const char *const networks[] = {
        "10.%u.0.0/16",      "10.%u.%u.0/24",     "2001:db8:%u::/48", "2001:db8:%u:%u::/64",
        "10.%u.%u.7",        "::ffff:10.%u.%u.7", "0.0.0.0/0",        "::/0",
        "2001:db8:%u:%u::1", "2001:db8::/31"};
    static const char *const addresses[] = {"10.%u.%u.7",        "10.%u.%u.9",
                                            "2001:db8:%u:%u::1", "2001:DB8:%u:0%u:0::1",
                                            "::ffff:10.%u.%u.9", "10.%u.%u"};
    const char *format =
        network ? networks[random_below(random, 10)] : addresses[random_below(random, 6)];
    /* The formats are the two lists above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, size, format, a, b);
#pragma GCC diagnostic pop
}

static void random_test(struct random *random, bool of_ip, char *text, size_t size)
{
    char inner[64];
    switch (random_below(random, 8)) {
    case 0:
    case 1:
    case 2:
        if (of_ip) {
            random_address(random, inner, sizeof(inner), true);
            (void)snprintf(text, size, "cidr:%s", inner);
            break;
        }
        random_path(random, inner, "/ab*?*");
        (void)snprintf(text, size, "glob:%s", inner);
        break;
    case 3:
    case 4:
        random_path(random, inner, "//ab");
        (void)snprintf(text, size, "prefix:%s", of_ip ? "10." : inner);
        break;
    case 5:
        (void)snprintf(text, size, "%s", random_once_in(random, 2) ? "present:" : "absent:");
        break;
    case 6:
        (void)snprintf(text, size, "%s", random_once_in(random, 2) ? "regex:^/a+b" : "regex:[bc]");
        break;
    default:
        random_path(random, inner, "/ab");
        if (of_ip) {
            random_address(random, inner, sizeof(inner), false);
        }
        (void)snprintf(text, size, "exact:%s", inner);
    }
}

static void random_conditions(struct random *random, size_t most, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = random_below(random, most + 1); i > 0; i--) {
        const size_t name = random_below(random, 4);
        at += (size_t)snprintf(text + at, size - at, "%s%s%s=", at > 0 ? ";" : "", names[name],
                               random_once_in(random, 4) ? "!" : "");
        const size_t tests = random_once_in(random, 12) ? 14 : 1 + random_below(random, 3);
        for (size_t j = 0; j < tests; j++) {
            char test[80];
            random_test(random, name == 1, test, sizeof(test));
            at += (size_t)snprintf(text + at, size - at, "%s%s", j > 0 ? "|" : "", test);
        }
    }
}

static void random_lists(struct random *random, struct policy_kit *kit)
{
    static const int64_t ends[] = {INT64_MAX, NOW, NOW + 1, NOW + 500, 1};
    for (size_t i = random_below(random, 4); i > 0; i--) {
        char conditions[2048] = "";
        while (conditions[0] == '\0') {
            random_conditions(random, 2, conditions, sizeof(conditions));
        }
        (random_once_in(random, 2) ? policy_kit_deny : policy_kit_allow)(
            kit, conditions, ends[random_below(random, 5)]);
    }
}

static void random_rule(struct random *random, struct policy_kit *kit)
{
    static const char *const keys[] = {"", "ip", "user", "user?", "ip,user?", "path,ip"};
    char name[32];
    char conditions[8192];
    (void)snprintf(name, sizeof(name), "rule%zu", policy_kit_spec(kit)->rule_count);
    random_conditions(random, 3, conditions, sizeof(conditions));
    struct weir_rule_spec *rule =
        policy_kit_rule(kit, name, random_once_in(random, 5) ? NULL : "5/m", conditions,
                        keys[random_below(random, 6)]);
    rule->shadow = random_once_in(random, 4);
    rule->cost = random_below(random, 3);
    if (random_once_in(random, 3)) {
        rule->tier_by = weir_text("plan");
        policy_kit_tier(kit, "a", "6/m");
        policy_kit_tier(kit, "b", "7/m");
        policy_kit_tier(kit, "a", "8/m");
    }
    if (rule->key_count == 1 && !rule->key[0].optional && random_once_in(random, 3)) {
        policy_kit_override(kit, "10.1.1.7", "9/m");
        policy_kit_override(kit, "a", "10/m");
        policy_kit_override(kit, "a", "11/m");
    }
    if (random_once_in(random, 3)) {
        random_lists(random, kit);
    }
}

static void random_request(struct random *random, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = random_below(random, 6); i > 0; i--) {
        const size_t name = random_below(random, 5);
        char value[64];
        random_path(random, value, "//aabc");
        if (name == 1) {
            random_address(random, value, sizeof(value), false);
        } else if (name == 3) {
            value[1] = '\0';
        }
        at += (size_t)snprintf(text + at, size - at, "%s%s=%s", at > 0 ? ";" : "",
                               name < 4 ? names[name] : "other", value);
    }
}

static void plans_are_those_of_the_model(void **state)
{
    (void)state;
    const uint64_t seed = random_seed(20231123);
    struct random random = random_from(seed);
    struct weir_plan plan;
    size_t parts = 0;
    print_message("# seed %llu\n", (unsigned long long)seed);
    weir_plan_init(&plan, NULL);
    for (size_t round = random_rounds(POLICIES); round > 0; round--) {
        struct policy_kit *kit = policy_kit_new();
        for (size_t i = 1 + random_below(&random, 40); i > 0; i--) {
            random_rule(&random, kit);
        }
        struct weir_policy *policy = policy_kit_make(kit);
        for (size_t i = 0; i < REQUESTS; i++) {
            char text[1024];
            struct weir_attribute attributes[WEIR_ATTRIBUTES_MAX + 1];
            random_request(&random, text, sizeof(text));
            const struct weir_inquiry_spec inquiry = {
                .attributes = attributes,
                .count = policy_kit_attributes(text, attributes),
                .cost = random_below(&random, 3),
                .only = random_once_in(&random, 5)
                            ? random_below(&random, weir_policy_count(policy))
                            : SIZE_MAX,
                .now_us = NOW};
            assert_int_equal(weir_policy_plan(policy, &inquiry, &plan, NULL), WEIR_OK);
            compare(policy_kit_spec(kit), &inquiry, &plan);
            parts += plan.part_count;
        }
        weir_policy_free(policy);
        policy_kit_free(kit);
    }
    assert_true(parts > 0);
    weir_plan_deinit(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans_are_those_of_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
