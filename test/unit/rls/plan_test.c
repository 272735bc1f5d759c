/* plan_test.c - what is to be asked of the store: keys, limits, verbs, names, and what is refused.
 */

#include "rls/policy_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/rls_kit.h"

static void assert_text(struct weir_bytes found, const char *expected)
{
    if (!weir_rls_same(found, weir_text(expected))) {
        fail_msg("%.*s is not %s", (int)found.len, found.ptr, expected);
    }
}

static struct weir_rls_item plan_one(struct rls_kit *kit, const char *asked)
{
    return rls_kit_plan(kit, "d", asked).items[0];
}

/* A request that is refused, with this in its message. */
static void assert_refused(struct rls_kit *kit, const struct weir_rls_request *request,
                           enum weir_status expected, const char *message)
{
    struct weir_rls_plan plan;
    struct weir_error error = {.message = ""};
    assert_int_equal(weir_rls_plan(rls_kit_policy(kit), request, rls_kit_arena(kit), &plan, &error),
                     expected);
    if (strstr(error.message, message) == NULL) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(weir_rls_plan(rls_kit_policy(kit), request, rls_kit_arena(kit), &plan, NULL),
                     expected);
}

/* ---- Keys --------------------------------------------------------------------------------- */

static void a_key_is_the_domain_and_all_entries(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n"
                                      " a 5/minute\n"
                                      "  b=x:y 6/minute\n"
                                      " c=x*z 7/minute\n"
                                      " s=x*z 7/minute share\n"
                                      "  t 8/minute\n");
    assert_text(plan_one(kit, "a=1").key, "d:a:1");
    assert_text(plan_one(kit, "a=").key, "d:a:");
    assert_text(plan_one(kit, "a=1:2,b=x:y").key, "d:a:1%3A2:b:x%3Ay");
    assert_text(plan_one(kit, "c=x1z").key, "d:c:x1z");
    assert_text(plan_one(kit, "s=x1z").key, "d:s:x*z");
    assert_text(plan_one(kit, "s=x2z,t=1").key, "d:s:x*z:t:1");
    rls_kit_free(kit);
    kit = rls_kit_new("domain d\n a 5/minute\n");
    rls_kit_settings(kit)->key_prefix = weir_text("my:");
    assert_text(plan_one(kit, "a=1").key, "my%3A:d:a:1");
    assert_text(plan_one(kit, "z=1 limit=3/hour").key, "my%3A:d:z:1");
    rls_kit_free(kit);
}

static void a_rule_gives_its_limit(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n"
                                      " a 5/minute name=n\n"
                                      " u unlimited name=m\n"
                                      " o 0/hour\n");
    const struct weir_rls_plan plan = rls_kit_plan(kit, "d", "a=1|u=1|o=1|x=1");
    assert_int_equal(plan.count, 4);
    assert_false(plan.atomic);
    assert_int_equal(plan.items[0].fate, WEIR_RLS_ASK);
    assert_ptr_equal(plan.items[0].limit, plan.items[0].rule->spec->limit);
    assert_int_equal(plan.items[0].requests_per_unit, 5);
    assert_int_equal(plan.items[0].unit, WEIR_RLS_MINUTE);
    assert_int_equal(plan.items[0].stat.len, 0);
    assert_int_equal(plan.items[1].fate, WEIR_RLS_UNLIMITED);
    assert_int_equal(plan.items[2].fate, WEIR_RLS_ALWAYS_OVER);
    assert_int_equal(plan.items[2].unit, WEIR_RLS_HOUR);
    assert_int_equal(plan.items[3].fate, WEIR_RLS_NO_RULE);
    rls_kit_free(kit);
}

static void hits_say_what_is_asked(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 5/minute\n");
    static const struct {
        const char *asked;
        uint32_t of_request;
        enum weir_verb verb;
        uint64_t cost;
    } cases[] = {
        {"a=1", 0, WEIR_VERB_CHECK, 1},
        {"a=1", 7, WEIR_VERB_CHECK, 7},
        {"a=1 hits=0", 7, WEIR_VERB_PEEK, 0},
        {"a=1 hits=3", 7, WEIR_VERB_CHECK, 3},
        {"a=1 hits=18446744073709551615", 0, WEIR_VERB_CHECK, UINT64_MAX},
        {"a=1 negative", 0, WEIR_VERB_REFUND, 1},
        {"a=1 negative", 2, WEIR_VERB_REFUND, 2},
        {"a=1 hits=4 negative", 0, WEIR_VERB_REFUND, 4},
        {"a=1 hits=0 negative", 0, WEIR_VERB_PEEK, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_rls_request request = rls_kit_request(kit, "d", cases[i].asked);
        struct weir_rls_plan plan;
        request.hits = cases[i].of_request;
        assert_int_equal(
            weir_rls_plan(rls_kit_policy(kit), &request, rls_kit_arena(kit), &plan, NULL), WEIR_OK);
        assert_int_equal(plan.items[0].verb, cases[i].verb);
        assert_int_equal(plan.items[0].cost, cases[i].cost);
        assert_int_equal(plan.items[0].hits, cases[i].cost);
    }
    rls_kit_free(kit);
}

/* ---- Overrides ---------------------------------------------------------------------------- */

static void an_override_stands_for_every_rule(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a=x* 5/minute share shadow\n");
    const struct weir_rls_item item = plan_one(kit, "a=x1,b= limit=9/hour");
    assert_int_equal(item.fate, WEIR_RLS_ASK_OVERRIDE);
    assert_null(item.rule);
    assert_null(item.limit);
    assert_int_equal(item.override.count, 9);
    assert_int_equal(item.override.period_us, INT64_C(3600000000));
    assert_int_equal(item.override.calendar, WEIR_CALENDAR_EPOCH);
    assert_int_equal(item.requests_per_unit, 9);
    assert_int_equal(item.unit, WEIR_RLS_HOUR);
    assert_text(item.key, "d:a:x1:b:");
    assert_text(item.stat, "d.a_x1.b");
    assert_int_equal(plan_one(kit, "a=x1 limit=0/day").fate, WEIR_RLS_ALWAYS_OVER);
    /* No domain, no limit. */
    assert_int_equal(rls_kit_plan(kit, "e", "a=x1 limit=9/hour").items[0].fate, WEIR_RLS_NO_RULE);
    assert_int_equal(rls_kit_plan(kit, "e", "a=x1 limit=9/0").items[0].fate, WEIR_RLS_NO_RULE);
    /* But where that is asked for. */
    struct rls_kit *any = rls_kit_new("");
    rls_kit_settings(any)->any_domain = true;
    const struct weir_rls_plan plan = rls_kit_plan(any, "e", "a=x1 limit=9/hour|a=x1");
    assert_true(plan.unknown_domain && !plan.atomic);
    assert_int_equal(plan.items[0].fate, WEIR_RLS_ASK_OVERRIDE);
    assert_int_equal(plan.items[1].fate, WEIR_RLS_NO_RULE);
    rls_kit_free(any);
    /* And no entry is needed. */
    assert_text(plan_one(kit, " limit=9/hour").key, "d");
    assert_text(plan_one(kit, " limit=9/hour").stat, "d");
    rls_kit_free(kit);
}

static void every_unit_can_be_overridden(void **state)
{
    (void)state;
    static const struct {
        const char *asked;
        int64_t seconds;
    } cases[] = {
        {"a=1 limit=1/second", 1},      {"a=1 limit=1/minute", 60},
        {"a=1 limit=1/hour", 3600},     {"a=1 limit=1/day", 86400},
        {"a=1 limit=1/month", 2592000}, {"a=1 limit=1/year", 31536000},
        {"a=1 limit=1/week", 604800},
    };
    struct rls_kit *kit = rls_kit_new("domain d\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_limit *limit;
        const struct weir_rls_item item = plan_one(kit, cases[i].asked);
        assert_int_equal(item.override.period_us, cases[i].seconds * 1000000);
        assert_int_equal(weir_limit_new(&item.override, NULL, &limit, NULL), WEIR_OK);
        weir_limit_free(limit);
    }
    const char *const unknown[] = {"b=1|a=1 limit=1/0", "b=1|a=1 limit=1/8", "b=1|a=1 limit=0/0"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        const struct weir_rls_request request = rls_kit_request(kit, "d", unknown[i]);
        assert_refused(kit, &request, WEIR_ERR_ARGUMENT, "descriptor 1: the unit");
    }
    rls_kit_free(kit);
}

/* ---- Rules that replace others ------------------------------------------------------------ */

static void a_rule_replaces_those_it_names(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n"
                                      " a 5/minute name=a\n"
                                      " b 5/minute name=b replaces=a,nobody\n"
                                      " c unlimited name=c replaces=b\n"
                                      " e 5/minute\n"
                                      " z 0/minute name=c\n"
                                      " r unlimited replaces=c\n");
    static const struct {
        const char *asked;
        const char *fates; /* of each: '-' no rule, 'a' asked, 'u' unlimited, 'o' over */
    } cases[] = {
        {"a=1|a=2", "aa"},
        {"a=1|b=1", "-a"},
        {"b=1|a=1|a=2", "a--"},
        {"b=1|c=1", "-u"},
        {"a=1|b=1|c=1", "--u"}, /* b's word holds, though replaced */
        {"c=1|e=1", "ua"},
        {"z=1", "o"},
        {"z=1|r=1|c=1", "-uu"},
        {"a=1 limit=5/hour|b=1", "aa"}, /* an override has no name */
        {"b=1 limit=5/hour|a=1", "aa"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct weir_rls_plan plan = rls_kit_plan(kit, "d", cases[i].asked);
        char found[8] = "";
        for (size_t j = 0; j < plan.count; j++) {
            found[j] = "-uoaa"[plan.items[j].fate];
            assert_true((plan.items[j].fate != WEIR_RLS_NO_RULE) || plan.items[j].rule == NULL);
        }
        if (strcmp(found, cases[i].fates) != 0) {
            fail_msg("%s: %s, not %s", cases[i].asked, found, cases[i].fates);
        }
    }
    rls_kit_free(kit);
}

static void many_names_can_be_replaced(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "domain d\n");
    for (int i = 0; i < 300; i++) {
        weir_buffer_print(&text, " a=%d 5/minute name=n%d replaces=n%d\n", i, i, i + 1);
    }
    weir_buffer_put(&text, weir_bytes("", 1));
    struct rls_kit *kit = rls_kit_new(text.bytes);
    for (int i = 0; i + 2 < 300; i++) {
        char asked[40];
        (void)snprintf(asked, sizeof(asked), "a=%d|a=%d|a=%d", i + 2, i, i + 1);
        const struct weir_rls_plan plan = rls_kit_plan(kit, "d", asked);
        assert_int_equal(plan.items[0].fate, WEIR_RLS_NO_RULE);
        assert_int_equal(plan.items[1].fate, WEIR_RLS_ASK);
        assert_int_equal(plan.items[2].fate, WEIR_RLS_NO_RULE);
        rls_kit_clear(kit);
    }
    rls_kit_free(kit);
    weir_buffer_deinit(&text);
}

/* ---- Names -------------------------------------------------------------------------------- */

static void a_name_says_what_its_flags_ask_for(void **state)
{
    (void)state;
    static const char policy[] = "domain d\n"
                                 " plain=x* 5/minute\n"
                                 "  low values 5/minute\n"
                                 " all detailed 5/minute\n"
                                 " deep\n"
                                 "  all=* detailed 5/minute\n"
                                 " v values 5/minute\n"
                                 "  w 5/minute\n"
                                 "   x=1 values 5/minute\n"
                                 " p=x* values 5/minute\n"
                                 " s=x* values share 5/minute\n"
                                 "  v values 5/minute\n"
                                 "  d detailed 5/minute\n";
    static const struct {
        const char *asked;
        const char *name; /* "": the rule's own */
    } cases[] = {
        {"plain=x1", ""},
        {"plain=x1,low=2", "d.plain_x*.low_2"},
        {"plain=x1,low=", "d.plain_x*.low"},
        {"all=1", "d.all_1"},
        {"all=", "d.all_"},
        {"deep=1,all=2", "d.deep_1.all_2"},
        {"v=1", "d.v_1"},
        {"v=1,w=2", "d.v_1.w"},
        {"v=1,w=2,x=1", "d.v_1.w.x_1"},
        {"p=x1", "d.p_x1"},
        {"p=x*", ""},
        {"s=x1", ""},
        {"s=x1,v=2", "d.s_x*.v_2"},
        {"s=x1,d=2", "d.s_x*.d_2"},
        {"s=x1,d=", "d.s_x*.d"},
        {"s=x*,d=", "d.s_x*.d_"},
    };
    struct rls_kit *kit = rls_kit_new(policy);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_text(plan_one(kit, cases[i].asked).stat, cases[i].name);
    }
    rls_kit_free(kit);
}

/* ---- All or none -------------------------------------------------------------------------- */

static void what_can_deny_is_checked_together(void **state)
{
    (void)state;
    static const char policy[] = "domain d atomic\n"
                                 " a 5/minute\n"
                                 " s 5/minute shadow\n"
                                 " q 5/minute quota\n"
                                 " u unlimited\n"
                                 " o 0/minute\n"
                                 "domain e\n"
                                 " a 5/minute\n";
    struct rls_kit *kit = rls_kit_new(policy);
    struct weir_rls_plan plan =
        rls_kit_plan(kit, "d", "a=1|a=2|s=1|q=1|u=1|a=3 hits=0|a=4 negative|x=1 limit=5/day|x=1");
    static const bool together[] = {true, true, false, false, false, false, false, true, false};
    for (size_t i = 0; i < plan.count; i++) {
        assert_int_equal(plan.items[i].together, together[i]);
    }
    assert_true(plan.atomic);
    assert_true(rls_kit_plan(kit, "d", "a=1|s=1").atomic);
    assert_false(rls_kit_plan(kit, "d", "a=1 hits=0|s=1").atomic);
    assert_false(rls_kit_plan(kit, "e", "a=1|a=2").atomic);
    /* What is denied anyway: the others are looked at. */
    plan = rls_kit_plan(kit, "d", "a=1 hits=3|o=1|a=2|s=1");
    assert_false(plan.atomic);
    assert_int_equal(plan.items[0].verb, WEIR_VERB_PEEK);
    assert_int_equal(plan.items[0].cost, 3);
    assert_int_equal(plan.items[2].verb, WEIR_VERB_PEEK);
    assert_int_equal(plan.items[3].verb, WEIR_VERB_CHECK);
    assert_int_equal(rls_kit_plan(kit, "d", "o=1 negative|o=2|o=3").items[0].verb,
                     WEIR_VERB_REFUND);
    for (size_t i = 0; i < plan.count; i++) {
        assert_false(plan.items[i].together);
    }
    rls_kit_free(kit);
    /* Where nothing denies, nothing is held back. */
    for (int mode = 0; mode < 2; mode++) {
        kit = rls_kit_new(policy);
        rls_kit_settings(kit)->shadow_mode = mode == 0;
        rls_kit_settings(kit)->quota_mode = mode == 1;
        assert_false(rls_kit_plan(kit, "d", "a=1|a=2").atomic);
        rls_kit_free(kit);
    }
}

/* ---- Bounds ------------------------------------------------------------------------------- */

/* "a=x|a=x|..." or with commas. */
static char *repeated(size_t count, char mark)
{
    char *text = malloc(4 * count + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + 4 * i, "a=x", 3);
        text[4 * i + 3] = mark;
    }
    text[4 * count - 1] = '\0';
    return text;
}

static void assert_bound(struct rls_kit *kit, size_t most, char mark, const char *message)
{
    char *text = repeated(most, mark);
    (void)rls_kit_plan(kit, "d", text);
    free(text);
    text = repeated(most + (mark == ',' ? 1 : 0), mark);
    struct weir_rls_request request = rls_kit_request(kit, "d", text);
    struct weir_rls_descriptor *more = NULL;
    if (mark == '|') {
        more = calloc(most + 1, sizeof(*more));
        assert_non_null(more);
        memcpy(more, request.descriptors, most * sizeof(*more));
        more[most] = more[0];
        request.descriptors = more;
        request.descriptor_count = most + 1;
    }
    assert_refused(kit, &request, WEIR_ERR_ARGUMENT, message);
    free(more);
    free(text);
}

static void requests_are_bounded(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 5/minute\n");
    assert_bound(kit, WEIR_RLS_DESCRIPTORS_MAX, '|', "more than 1024 descriptors");
    assert_bound(kit, WEIR_RLS_ENTRIES_MAX, ',', "descriptor 0: more than 64 entries");
    rls_kit_free(kit);
    kit = rls_kit_new("domain d atomic\n a 5/minute\n");
    assert_bound(kit, WEIR_CHECK_ALL_MAX, '|', "65 limits apply");
    rls_kit_free(kit);
}

static void something_must_be_asked(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 5/minute\n");
    struct weir_rls_request request = rls_kit_request(kit, "", "a=1");
    assert_refused(kit, &request, WEIR_ERR_ARGUMENT, "rate limit domain must not be empty");
    request = rls_kit_request(kit, "d", "a=1");
    request.descriptor_count = 0;
    assert_refused(kit, &request, WEIR_ERR_ARGUMENT,
                   "rate limit descriptor list must not be empty");
    rls_kit_free(kit);
}

static void keys_that_are_too_long_are_hashed(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 5/minute\n");
    static char text[WEIR_KEY_MAX + 16];
    /* "d:a:" and the value. */
    (void)snprintf(text, sizeof(text), "a=%0*d", WEIR_KEY_MAX - 4, 0);
    assert_int_equal(plan_one(kit, text).key.len, WEIR_KEY_MAX);
    /* One byte more, and it is a hash: the same for the same value, which nobody else has. */
    (void)snprintf(text, sizeof(text), "a=%0*d", WEIR_KEY_MAX - 3, 0);
    const struct weir_bytes cut = plan_one(kit, text).key;
    assert_int_equal(cut.len, strlen("d:%~") + 64);
    assert_memory_equal(cut.ptr, "d:%~", 4);
    char former[128];
    memcpy(former, cut.ptr, cut.len);
    assert_memory_equal(plan_one(kit, text).key.ptr, former, cut.len);
    text[sizeof("a=") - 1] = '1';
    const struct weir_bytes other = plan_one(kit, text).key;
    assert_int_equal(other.len, cut.len);
    assert_memory_not_equal(other.ptr, former, other.len);
    /* What meets no limit has no key. */
    text[0] = 'b';
    assert_int_equal(plan_one(kit, text).fate, WEIR_RLS_NO_RULE);
    rls_kit_free(kit);
}

/* SHA-256 of each part behind its length, as eight bytes: what python's hashlib makes of
 * b"\x01" + b"\0" * 7 + b"d", and so on. Instances of weir that run side by side have to agree. */
static void the_hash_of_a_key_stays_what_it_is(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a 5/minute\n");
    static char text[5003];
    (void)snprintf(text, sizeof(text), "a=%05000d", 0);
    const struct weir_bytes key = plan_one(kit, text).key;
    assert_int_equal(key.len, 4 + 64);
    assert_memory_equal(key.ptr,
                        "d:%~9cc0ece2d0a96b1de53d8b6b29dacff6"
                        "58d224e3a7bebf2ad6d74171bf5187c3",
                        key.len);
    rls_kit_free(kit);
}

/* ---- Memory ------------------------------------------------------------------------------- */

static void memory_runs_out_at_each_place(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a detailed 5/minute replaces=b\n");
    static char text[12100];
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(text + 3002 * i, sizeof(text) - 3002 * i, "a=%02999d%s", 0,
                       i < 3 ? "|" : " limit=5/day");
    }
    const struct weir_rls_request request = rls_kit_request(kit, "d", text);
    enum weir_status status = WEIR_ERR_NO_MEMORY;
    size_t allocations = 0;
    while (status == WEIR_ERR_NO_MEMORY) {
        struct rls_kit_scarce scarce;
        struct weir_rls_plan plan = {.count = 77};
        struct weir_error error;
        rls_kit_scarce_init(&scarce, allocations++);
        struct weir_arena arena = {.allocator = &scarce.allocator};
        status = weir_rls_plan(rls_kit_policy(kit), &request, &arena, &plan, &error);
        assert_int_equal(plan.count, status == WEIR_OK ? 4 : 77);
        assert_true(status == WEIR_OK || strcmp(error.message, "no memory") == 0);
        weir_arena_deinit(&arena);
        assert_int_equal(scarce.held, 0);
    }
    assert_int_equal(status, WEIR_OK);
    assert_true(allocations >= 3);
    rls_kit_free(kit);
}

static void a_cleared_arena_is_all_it_takes(void **state)
{
    (void)state;
    struct rls_kit *kit = rls_kit_new("domain d\n a detailed 5/minute\n");
    const struct weir_rls_request request = rls_kit_request(kit, "d", "a=1|a=2|a=3");
    struct rls_kit_scarce scarce;
    rls_kit_scarce_init(&scarce, 1);
    struct weir_arena arena = {.allocator = &scarce.allocator};
    for (int i = 0; i < 100; i++) {
        struct weir_rls_plan plan;
        assert_int_equal(weir_rls_plan(rls_kit_policy(kit), &request, &arena, &plan, NULL),
                         WEIR_OK);
        weir_arena_clear(&arena);
    }
    weir_arena_deinit(&arena);
    rls_kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_the_domain_and_all_entries),
        cmocka_unit_test(a_rule_gives_its_limit),
        cmocka_unit_test(hits_say_what_is_asked),
        cmocka_unit_test(an_override_stands_for_every_rule),
        cmocka_unit_test(every_unit_can_be_overridden),
        cmocka_unit_test(a_rule_replaces_those_it_names),
        cmocka_unit_test(many_names_can_be_replaced),
        cmocka_unit_test(a_name_says_what_its_flags_ask_for),
        cmocka_unit_test(what_can_deny_is_checked_together),
        cmocka_unit_test(requests_are_bounded),
        cmocka_unit_test(something_must_be_asked),
        cmocka_unit_test(keys_that_are_too_long_are_hashed),
        cmocka_unit_test(the_hash_of_a_key_stays_what_it_is),
        cmocka_unit_test(memory_runs_out_at_each_place),
        cmocka_unit_test(a_cleared_arena_is_all_it_takes),
    };
    return cmocka_run_group_tests_name("rls_plan", tests, NULL, NULL);
}
