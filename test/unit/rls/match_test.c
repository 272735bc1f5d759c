/* match_test.c - which rule a descriptor meets. */

#include "rls/policy_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/rls_kit.h"

/* ---- Patterns ----------------------------------------------------------------------------- */

static void a_star_is_any_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *value;
        bool matches;
    } cases[] = {
        {"abc", "abc", true},
        {"abc", "abcd", false},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"**", "", true},
        {"a*", "a", true},
        {"a*", "ab", true},
        {"a*", "ba", false},
        {"*a", "a", true},
        {"*a", "ba", true},
        {"*a", "ab", false},
        {"a*a", "a", false},
        {"a*a", "aa", true},
        {"a*b*c", "abc", true},
        {"a*b*c", "axxbyyc", true},
        {"a*b*c", "acb", false},
        {"a*b*c", "ac", false},
        {"ab*bc", "abc", false},
        {"a*bb*c", "abxbbc", true},
        {"*a*a*", "a", false},
        {"*a*a*", "xaxax", true},
        {"a**b", "ab", true},
        {"*ab*ab", "ab", false},
        {"*ab*ab", "abab", true},
        {"a*b*b*c", "abc", false},
        {"a*b*b*c", "abbc", true},
        {"*.com", ".com", true},
        {"x*", "", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct weir_rls_glob glob = weir_rls_glob_of(weir_text(cases[i].pattern));
        if (weir_rls_glob_matches(&glob, weir_text(cases[i].value)) != cases[i].matches) {
            fail_msg("%s and %s", cases[i].pattern, cases[i].value);
        }
    }
}

static void a_nul_is_a_byte(void **state)
{
    (void)state;
    const struct weir_rls_glob glob = weir_rls_glob_of(weir_bytes("a\0b*\0c", 6));
    assert_true(weir_rls_glob_matches(&glob, weir_bytes("a\0b\0c", 5)));
    assert_false(weir_rls_glob_matches(&glob, weir_bytes("a\0c\0c", 5)));
}

/* ---- Levels ------------------------------------------------------------------------------- */

static void each_level_has_its_order(void **state)
{
    (void)state;
    static const char policy[] = "domain d\n"
                                 " k=exact unlimited\n" /* 0 */
                                 " k=ex* unlimited\n"   /* 1 */
                                 " k=e* unlimited\n"    /* 2 */
                                 "  sub 0/second\n"     /* 3 */
                                 " k unlimited\n"       /* 4 */
                                 "  sub=x 0/second\n"   /* 5 */
                                 "  sub 0/second\n"     /* 6 */
                                 " none\n"              /* no rule, */
                                 "  below 0/second\n"   /* 7: but one below it */
                                 " a_b=c 0/second\n"    /* 8 */
                                 " q*t=v 0/second\n"    /* 9: patterns of keys, too */
                                 " z* 0/second\n";      /* 10 */
    static const struct {
        const char *asked;
        int rule; /* -1: none */
    } cases[] = {
        {"k=exact", 0},
        {"k=exam", 1},
        {"k=e", 2},
        {"k=ex*", 1}, /* also by its own text */
        {"k=e*", 2},
        {"k=x", 4},
        {"k=", 4},
        {"k=e,sub=x", 3},
        {"k=exact,sub=x", -1}, /* what was found first leads nowhere */
        {"k=exam,sub=x", -1},
        {"k=x,sub=x", 5},
        {"k=x,sub=", 6},
        {"k=x,sub=x,more=1", -1}, /* the limit is of less than was asked */
        {"none=1", -1},
        {"none=1,below=2", 7},
        {"below=2", -1},
        {"a_b=c", 8},
        {"a=b_c", -1}, /* key and value are told apart */
        {"quiet=v", 9},
        {"quiet=x", -1},
        {"qt=v", 9},
        {"quick=v", -1},
        {"quit=w", -1},
        {"z=1", 10},
        {"zebra=", 10},
        {"K=exact", -1},
        {"", -1},
    };
    struct rls_kit *kit = rls_kit_new(policy);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct weir_rls_rule *rule = rls_kit_plan(kit, "d", cases[i].asked).items[0].rule;
        const int found = rule != NULL ? (int)rule->index : -1;
        if (found != cases[i].rule) {
            fail_msg("%s: rule %d, not %d", cases[i].asked, found, cases[i].rule);
        }
    }
    rls_kit_free(kit);
}

static void domains_are_apart(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n k 0/second\ndomain d.k\n k=v 0/second\n");
    assert_int_equal(rls_kit_plan(kit, "d", "k=v").items[0].rule->index, 0);
    assert_int_equal(rls_kit_plan(kit, "d.k", "k=v").items[0].rule->index, 1);
    assert_null(rls_kit_plan(kit, "d.k", "k=w").items[0].rule);
    assert_true(rls_kit_plan(kit, "k", "k=w").unknown_domain);
    assert_false(rls_kit_plan(kit, "d", "k=w").unknown_domain);
    rls_kit_free(kit);
}

/* ---- Against a matcher that is plain ------------------------------------------------------ */

/* NOLINTNEXTLINE(misc-no-recursion): a test's few bytes */
static bool plain_glob(struct weir_bytes pattern, struct weir_bytes value)
{
    if (pattern.len == 0) {
        return value.len == 0;
    }
    const struct weir_bytes rest = weir_bytes(pattern.ptr + 1, pattern.len - 1);
    if (pattern.ptr[0] != '*') {
        return value.len > 0 && value.ptr[0] == pattern.ptr[0] &&
               plain_glob(rest, weir_bytes(value.ptr + 1, value.len - 1));
    }
    for (size_t i = 0; i <= value.len; i++) {
        if (plain_glob(rest, weir_bytes(value.ptr + i, value.len - i))) {
            return true;
        }
    }
    return false;
}

static bool has_star(struct weir_bytes text)
{
    return text.len > 0 && memchr(text.ptr, '*', text.len) != NULL;
}

static const struct weir_rls_node_spec *plain_step(const struct weir_rls_node_spec *specs,
                                                   size_t count, const struct weir_rls_entry *entry)
{
    for (size_t i = 0; i < count; i++) {
        if (specs[i].value.len > 0 && weir_rls_same(specs[i].key, entry->key) &&
            weir_rls_same(specs[i].value, entry->value)) {
            return &specs[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        if ((has_star(specs[i].key) || has_star(specs[i].value)) &&
            plain_glob(specs[i].key, entry->key) &&
            (specs[i].value.len == 0 || plain_glob(specs[i].value, entry->value))) {
            return &specs[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (specs[i].value.len == 0 && weir_rls_same(specs[i].key, entry->key)) {
            return &specs[i];
        }
    }
    return NULL;
}

static const struct weir_rls_node_spec *plain_match(const struct weir_rls_domain_spec *domain,
                                                    const struct weir_rls_descriptor *descriptor)
{
    const struct weir_rls_node_spec *specs = domain->children;
    const struct weir_rls_node_spec *found = NULL;
    size_t count = domain->child_count;
    for (size_t i = 0; i < descriptor->entry_count; i++) {
        found = plain_step(specs, count, &descriptor->entries[i]);
        if (found == NULL) {
            return NULL;
        }
        specs = found->children;
        count = found->child_count;
    }
    return found != NULL && found->has_rule ? found : NULL;
}

static void random_text(struct random *random, struct weir_buffer *out, uint64_t most, bool star)
{
    for (uint64_t len = random_below(random, most + 1); len > 0; len--) {
        weir_buffer_put_text(out, star && random_once_in(random, 4) ? "*"
                                  : random_once_in(random, 3)       ? "b"
                                                                    : "a");
    }
}

/* One more level, and those below it. No two children of a node are alike. */
/* NOLINTNEXTLINE(misc-no-recursion): a test's few levels */
static void random_level(struct random *random, int depth, struct weir_buffer *out)
{
    static const char *const keys[] = {"a", "b", "aa", "a*", "ab", "*"};
    uint64_t seen = 0;
    for (uint64_t count = random_below(random, 7); count > 0; count--) {
        const uint64_t key =
            random_once_in(random, 4) ? random_below(random, 6) : random_below(random, 3);
        struct weir_buffer value = {0};
        random_text(random, &value, 3, true);
        const uint64_t bit =
            weir_hash(&(struct weir_secret){1, 2}, key, weir_buffer_bytes(&value)) % 64;
        if ((seen >> bit & 1) == 0) {
            seen |= UINT64_C(1) << bit;
            weir_buffer_print(out, "%*s%s%s%.*s%s\n", depth, "", keys[key],
                              value.len > 0 ? "=" : "", (int)value.len,
                              value.len > 0 ? value.bytes : "",
                              random_once_in(random, 3) ? "" : " 0/second");
            if (depth < 4) {
                random_level(random, depth + 1, out);
            }
        }
        weir_buffer_deinit(&value);
    }
}

static void random_request(struct random *random, struct weir_buffer *out)
{
    for (uint64_t count = 1 + random_below(random, 4); count > 0; count--) {
        weir_buffer_put_text(out, random_once_in(random, 3) ? "b" : "a");
        random_text(random, out, 1, true);
        weir_buffer_put_text(out, "=");
        random_text(random, out, 3, random_once_in(random, 4));
        weir_buffer_put_text(out, count > 1 ? "," : "");
    }
    weir_buffer_put(out, weir_bytes("", 1));
}

static size_t check_requests(struct random *random, struct rls_kit *kit, const char *policy)
{
    size_t met = 0;
    for (int i = 0; i < 60; i++) {
        struct weir_buffer asked = {0};
        random_request(random, &asked);
        const struct weir_rls_plan plan = rls_kit_plan(kit, "d", asked.bytes);
        const struct weir_rls_node_spec *expected =
            plain_match(&rls_kit_spec(kit)->domains[0], &plan.request->descriptors[0]);
        const struct weir_rls_node_spec *found =
            plan.items[0].rule != NULL ? plan.items[0].rule->spec : NULL;
        if (found != expected) {
            fail_msg("%s under\n%s", asked.bytes, policy);
        }
        met += found != NULL ? 1 : 0;
        weir_buffer_deinit(&asked);
        rls_kit_clear(kit);
    }
    return met;
}

static void any_policy_matches_as_a_plain_one(void **state)
{
    (void)state;
    const uint64_t seed = random_seed(20260201);
    struct random random = random_from(seed);
    size_t met = 0;
    print_message("# seed %llu\n", (unsigned long long)seed);
    const size_t rounds = random_rounds(300);
    for (size_t i = 0; i < rounds; i++) {
        struct weir_buffer text = {0};
        weir_buffer_put_text(&text, "domain d\n");
        random_level(&random, 1, &text);
        weir_buffer_put(&text, weir_bytes("", 1));
        struct rls_kit *kit = rls_kit_new(text.bytes);
        met += check_requests(&random, kit, text.bytes);
        rls_kit_free(kit);
        weir_buffer_deinit(&text);
    }
    assert_true(met > rounds / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_star_is_any_bytes),
        cmocka_unit_test(a_nul_is_a_byte),
        cmocka_unit_test(each_level_has_its_order),
        cmocka_unit_test(domains_are_apart),
        cmocka_unit_test(any_policy_matches_as_a_plain_one),
    };
    return cmocka_run_group_tests_name("rls_match", tests, NULL, NULL);
}
