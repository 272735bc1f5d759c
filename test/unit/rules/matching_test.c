/* matching_test.c - what each kind of test says of a value, at its edges. */

#include "rules/address.h"
#include "rules/glob.h"
#include "rules/regex.h"

#include "base/alloc.h"
#include "support/policy_kit.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Whether a rule with this one condition matches a request with these attributes. */
static bool matches(const char *condition, const char *attributes)
{
    struct weir_attribute list[WEIR_ATTRIBUTES_MAX + 1];
    struct weir_plan plan;
    struct policy_kit *kit = policy_kit_new();
    (void)policy_kit_rule(kit, "rule", "5/m", condition, "");
    struct weir_policy *policy = policy_kit_make(kit);
    const struct weir_inquiry_spec inquiry = {.attributes = list,
                                              .count = policy_kit_attributes(attributes, list),
                                              .cost = 1,
                                              .only = SIZE_MAX};
    weir_plan_init(&plan, NULL);
    assert_int_equal(weir_policy_plan(policy, &inquiry, &plan, NULL), WEIR_OK);
    const bool matched = plan.part_count == 1;
    weir_plan_deinit(&plan);
    weir_policy_free(policy);
    policy_kit_free(kit);
    return matched;
}

static void each_kind_of_test(void **state)
{
    (void)state;
    assert_true(matches("path=exact:/a", "path=/a"));
    assert_false(matches("path=exact:/a", "path=/a/"));
    assert_false(matches("path=exact:/a", "path=/"));
    assert_true(matches("path=exact:", "path="));
    assert_false(matches("path=exact:", "user=x"));
    assert_true(matches("path=prefix:/a", "path=/a"));
    assert_true(matches("path=prefix:/a", "path=/ab"));
    assert_false(matches("path=prefix:/a", "path=/"));
    assert_true(matches("path=prefix:", "path="));
    assert_true(matches("path=regex:^/a[0-9]+$", "path=/a12"));
    assert_false(matches("path=regex:^/a[0-9]+$", "path=/a12\n"));
    assert_true(matches("path=regex:a.b", "path=xa\nb"));
    assert_true(matches("path=regex:", "path="));
    assert_true(matches("user=present:", "user="));
    assert_false(matches("user=present:", "path=/"));
    assert_true(matches("user=absent:", "path=/"));
    assert_false(matches("user=absent:", "user="));
}

static void any_of_and_not(void **state)
{
    (void)state;
    assert_true(matches("m=exact:GET|exact:PUT", "m=PUT"));
    assert_false(matches("m=exact:GET|exact:PUT", "m=POST"));
    assert_false(matches("m!=exact:GET|exact:PUT", "m=PUT"));
    assert_true(matches("m!=exact:GET|exact:PUT", "m=POST"));
    /* Absent: no test holds. */
    assert_true(matches("m!=exact:GET", ""));
    assert_false(matches("m=exact:GET", ""));
    assert_false(matches("m!=absent:", ""));
    assert_true(matches("m!=regex:x", ""));
    /* Several on one attribute. */
    assert_true(matches("p=prefix:/a;p!=prefix:/ab", "p=/ac"));
    assert_false(matches("p=prefix:/a;p!=prefix:/ab", "p=/abc"));
    /* Of a name twice the first counts. */
    assert_true(matches("p=exact:1", "p=1;p=2"));
    assert_false(matches("p=exact:2", "p=1;p=2"));
    /* So many alternatives that they are indexed. */
    static const char many[] = "p=exact:1|exact:2|exact:3|prefix:4|glob:5*|cidr:10.0.0.0/8|"
                               "regex:^x$|exact:8|exact:9|absent:";
    assert_true(matches(many, "p=9"));
    assert_true(matches(many, "p=44"));
    assert_true(matches(many, "p=10.9.9.9"));
    assert_true(matches(many, "p=x"));
    assert_true(matches(many, ""));
    assert_false(matches(many, "p=y"));
}

static void starts_of_every_length(void **state)
{
    (void)state;
    for (int len = 1; len <= 40; len++) {
        char condition[160];
        char value[80];
        (void)snprintf(condition, sizeof(condition), "p=prefix:%.*s|prefix:zz|prefix:zzzzzzzzzzzzz",
                       len, "/0123456789/0123456789/0123456789/0123456789");
        (void)snprintf(value, sizeof(value), "p=%.*s", len,
                       "/0123456789/0123456789/0123456789/0123456789");
        assert_true(matches(condition, value));
        (void)snprintf(value + 2 + len, sizeof(value) - 2 - (size_t)len, "more");
        assert_true(matches(condition, value));
        value[2 + len - 1] = 'X';
        assert_false(matches(condition, value));
    }
}

static void networks(void **state)
{
    (void)state;
    assert_true(matches("ip=cidr:10.0.0.0/8", "ip=10.255.255.255"));
    assert_false(matches("ip=cidr:10.0.0.0/8", "ip=11.0.0.0"));
    assert_true(matches("ip=cidr:10.0.0.0/8", "ip=::ffff:10.1.2.3"));
    assert_true(matches("ip=cidr:::ffff:10.0.0.0/104", "ip=10.1.2.3"));
    assert_true(matches("ip=cidr:0.0.0.0/0", "ip=1.2.3.4"));
    assert_false(matches("ip=cidr:::/0", "ip=1.2.3.4"));
    assert_true(matches("ip=cidr:::/0", "ip=1::"));
    assert_true(matches("ip=cidr:2001:db8::/33", "ip=2001:db8:7fff::1"));
    assert_false(matches("ip=cidr:2001:db8::/33", "ip=2001:db8:8000::1"));
    assert_true(matches("ip=cidr:1.2.3.4", "ip=1.2.3.4"));
    assert_false(matches("ip=cidr:1.2.3.4", "ip=1.2.3.5"));
    assert_false(matches("ip=cidr:0.0.0.0/0", "ip=1.2.3"));
    assert_false(matches("ip=cidr:0.0.0.0/0", "ip="));
    assert_false(matches("ip=cidr:0.0.0.0/0", "ip=1.2.3.4 "));
}

/* By every way in which a star can be read. */
/* NOLINTNEXTLINE(misc-no-recursion): patterns are short, and each call has one less of it */
static bool glob_holds(const char *pattern, const char *value)
{
    if (*pattern == '\0') {
        return *value == '\0';
    }
    if (*pattern != '*') {
        return *value != '\0' && (*pattern == '?' ? *value != '/' : *value == *pattern) &&
               glob_holds(pattern + 1, value + 1);
    }
    const size_t stars = strspn(pattern, "*");
    for (;; value++) {
        if (glob_holds(pattern + stars, value)) {
            return true;
        }
        if (*value == '\0' || (stars == 1 && *value == '/')) {
            return false;
        }
    }
}

static void globs(void **state)
{
    (void)state;
    assert_true(matches("p=glob:/a/*", "p=/a/b"));
    assert_true(matches("p=glob:/a/*", "p=/a/"));
    assert_false(matches("p=glob:/a/*", "p=/a/b/c"));
    assert_true(matches("p=glob:/a/**", "p=/a/b/c"));
    assert_true(matches("p=glob:/a/?", "p=/a/b"));
    assert_false(matches("p=glob:/a?b", "p=/a/b"));
    assert_true(matches("p=glob:", "p="));
    assert_false(matches("p=glob:", "p=x"));
    assert_true(matches("p=glob:**/x*y", "p=a/xa/b/xby"));
    struct random random = random_from(random_seed(7));
    struct weir_arena arena = {.allocator = weir_allocator_or_default(NULL)};
    size_t held = 0;
    for (size_t i = random_rounds(200000); i > 0; i--) {
        char pattern[13] = "";
        char value[25] = "";
        for (size_t at = random_below(&random, sizeof(pattern)); at > 0; at--) {
            pattern[at - 1] = "ab/**?*a"[random_below(&random, 8)];
        }
        for (size_t at = random_below(&random, sizeof(value)); at > 0; at--) {
            value[at - 1] = "aab/"[random_below(&random, 4)];
        }
        const struct weir_glob *glob = weir_glob_new(weir_text(pattern), &arena);
        const bool holds = glob_holds(pattern, value);
        held += holds ? 1 : 0;
        if (weir_glob_matches(glob, weir_text(value)) != holds) {
            fail_msg("%s of %s", pattern, value);
        }
        weir_arena_deinit(&arena);
    }
    assert_true(held > 0);
}

static void addresses_have_one_text(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"1.2.3.4", "1.2.3.4"},
        {"255.0.10.100", "255.0.10.100"},
        {"::", "::"},
        {"0:0::1", "::1"},
        {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"::FFFF:0102:0304", "1.2.3.4"},
        {"fe80:0000::00a0", "fe80::a0"},
    };
    static const char *const none[] = {"",          "1.2.3",     "1.2.3.4.5", "01.2.3.4",
                                       "256.1.1.1", "fe80::1%1", "g::",       ":",
                                       "1::2::3",   "[::1]",     " 1.2.3.4"};
    struct weir_address address;
    char text[WEIR_ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_true(weir_address_read(weir_text(pairs[i][0]), &address));
        assert_int_equal(weir_address_write(&address, text), strlen(pairs[i][1]));
        assert_string_equal(text, pairs[i][1]);
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_false(weir_address_read(weir_text(none[i]), &address));
    }
    assert_false(weir_address_read(weir_bytes("1.2.3.4\0", 8), &address));
}

/* A value made for the expression ends the search, soon enough for the test to end. */
static void a_search_has_an_end(void **state)
{
    (void)state;
    static char value[WEIR_ATTRIBUTE_VALUE_MAX];
    static const char *const hostile[] = {"(a|aa)+$", "(a+)+b?$", ".*.*=.*",
                                          "(.*)\\1=", "^(([a-z])+.)+[A-Z]"};
    struct weir_matcher *matcher = weir_matcher_new(weir_allocator_or_default(NULL));
    memset(value, 'a', sizeof(value));
    value[0] = '=';
    value[sizeof(value) - 1] = '!';
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct weir_regex *regex = NULL;
        assert_int_equal(
            weir_regex_new(weir_text(hostile[i]), weir_allocator_or_default(NULL), &regex, NULL),
            WEIR_OK);
        (void)weir_regex_find(regex, weir_bytes(value, sizeof(value)), matcher);
        weir_regex_free(regex);
    }
    struct weir_regex *regex = NULL;
    assert_int_equal(
        weir_regex_new(weir_text("(a|aa)+$"), weir_allocator_or_default(NULL), &regex, NULL),
        WEIR_OK);
    assert_int_equal(weir_regex_find(regex, weir_bytes(value, sizeof(value)), matcher),
                     WEIR_UNKNOWN);
    assert_int_equal(weir_regex_find(regex, weir_text("aaa"), matcher), WEIR_YES);
    assert_int_equal(weir_regex_find(regex, weir_text("b"), matcher), WEIR_NO);
    weir_regex_free(regex);
    /* One that is neither deep nor counted by PCRE2, but takes as many steps as the square of the
     * value's length before it finds what is there. */
    value[0] = 'y';
    assert_int_equal(
        weir_regex_new(weir_text("[ya]*a*z?y"), weir_allocator_or_default(NULL), &regex, NULL),
        WEIR_OK);
    assert_int_equal(weir_regex_find(regex, weir_bytes(value, sizeof(value)), matcher),
                     WEIR_UNKNOWN);
    assert_int_equal(weir_regex_find(regex, weir_bytes(value, 100), matcher), WEIR_YES);
    weir_regex_free(regex);
    weir_matcher_free(matcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_test),
        cmocka_unit_test(any_of_and_not),
        cmocka_unit_test(starts_of_every_length),
        cmocka_unit_test(networks),
        cmocka_unit_test(globs),
        cmocka_unit_test(addresses_have_one_text),
        cmocka_unit_test(a_search_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
