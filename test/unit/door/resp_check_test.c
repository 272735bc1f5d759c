/* resp_check_test.c - WEIR.CHECK, WEIR.PEEK, WEIR.REFUND and WEIR.RESET: by the rules of
 * support/resp_desk.h and by limits of the peer's own, in both versions of the protocol. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "door/resp_parts.h"
#include "support/fixture.h"
#include "support/resp_desk.h"

#include <stdlib.h>
#include <string.h>

static void expect(struct resp_desk *desk, struct weir_session *session, const char *say,
                   const char *answer)
{
    char *transcript = resp_desk_talk(desk, session, say);
    assert_string_equal(transcript, answer);
    free(transcript);
}

static void expect_fresh(const char *say, const char *answer)
{
    struct resp_desk *desk = resp_desk_new(NULL);
    expect(desk, resp_desk_peer(desk), say, answer);
    resp_desk_free(desk);
}

#define DAY "86400000000"

/* Allowed, limit, remaining, retry_after_us, reset_after_us, delay_us, rule, reason, shadow. */
static void a_check_by_rules_names_the_rule_that_says_most(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK ATTRS 1 ip 10.0.0.2\n"
                 "weir.check attrs 2 path /login ip 10.0.0.3\n",
                 "[:1 :100 :99 :0 :864000000 :0 \"all\" \"limit\" []]\n"
                 "[:1 :3 :2 :0 :" DAY " :0 \"login\" \"limit\" []]\n");
}

static void what_no_rule_matches_is_not_limited(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK ATTRS 0\nWEIR.CHECK ATTRS 1 path /login\nWEIR.RESET ATTRS 0\n",
                 "[:1 :-1 :-1 :0 :0 :0 nil \"unmatched\" []]\n"
                 "[:1 :-1 :-1 :0 :0 :0 nil \"unmatched\" []]\n:0\n");
}

static void lists_decide_without_a_limit(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK ATTRS 1 ip 10.0.0.1\nWEIR.CHECK ATTRS 1 ip 10.0.0.66\n",
                 "[:1 :-1 :-1 :0 :0 :0 \"all\" \"allow-list\" []]\n"
                 "[:0 :-1 :-1 :-1 :0 :0 \"all\" \"deny-list\" []]\n");
}

static void rules_that_only_watch_are_named_where_they_would_deny(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK ATTRS 2 path /login user u\nWEIR.CHECK ATTRS 2 path /login user u\n"
                 "WEIR.CHECK ATTRS 3 path /login user u ip i\n",
                 "[:1 :-1 :-1 :0 :0 :0 nil \"unmatched\" []]\n"
                 "[:1 :-1 :-1 :0 :0 :0 nil \"unmatched\" [\"watched\"]]\n"
                 "[:1 :3 :2 :0 :" DAY " :0 \"login\" \"limit\" [\"watched\"]]\n");
}

static void one_rule_may_be_asked_for(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK ATTRS 2 path /login ip i RULE all\n"
                 "WEIR.CHECK ATTRS 1 ip i RULE login\n"
                 "WEIR.CHECK ATTRS 1 ip i RULE nope\n",
                 "[:1 :100 :99 :0 :864000000 :0 \"all\" \"limit\" []]\n"
                 "[:1 :-1 :-1 :0 :0 :0 nil \"unmatched\" []]\n"
                 "-ERR there is no rule 'nope'\n");
}

/* The request's own, and that of an attribute. */
static void requests_have_a_cost(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK ATTRS 1 ip i COST 10\n"
                 "WEIR.CHECK ATTRS 2 ip i cost 20\n"
                 "WEIR.CHECK ATTRS 1 ip i COST 0\n"
                 "WEIR.CHECK ATTRS 1 ip i cost 71\n"
                 "WEIR.CHECK ATTRS 1 ip i COST 101\n",
                 "[:1 :100 :90 :0 :8640000000 :0 \"all\" \"limit\" []]\n"
                 "[:1 :100 :70 :0 :25920000000 :0 \"all\" \"limit\" []]\n"
                 "[:1 :100 :70 :0 :25920000000 :0 \"all\" \"limit\" []]\n"
                 "[:0 :100 :70 :864000000 :25920000000 :0 \"all\" \"limit\" []]\n"
                 "[:0 :100 :70 :-1 :25920000000 :0 \"all\" \"limit\" []]\n");
}

static void a_block_says_so(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK ATTRS 2 path /login ip i COST 3\nWEIR.CHECK ATTRS 2 path /login ip i\n"
                 "WEIR.CHECK LIMIT '1/d block 1d' k\nWEIR.CHECK LIMIT '1/d block 1d' k\n",
                 "[:1 :3 :0 :0 :" DAY " :0 \"login\" \"limit\" []]\n"
                 "[:0 :3 :0 :" DAY " :" DAY " :0 \"login\" \"block\" []]\n"
                 "[:1 :1 :0 :0 :" DAY " :0 nil \"limit\" []]\n"
                 "[:0 :1 :0 :" DAY " :" DAY " :0 nil \"block\" []]\n");
}

/* PEEK takes nothing, REFUND gives back, RESET forgets: at every limit that a check asks. */
static void peek_refund_and_reset_by_rules(void **state)
{
    (void)state;
    expect_fresh("WEIR.PEEK ATTRS 1 ip i COST 7\nWEIR.CHECK ATTRS 1 ip i COST 100\n"
                 "WEIR.PEEK ATTRS 1 ip i\nWEIR.REFUND ATTRS 1 ip i COST 50\n"
                 "WEIR.CHECK ATTRS 1 ip i COST 50\nWEIR.RESET ATTRS 1 ip i\n"
                 "WEIR.CHECK ATTRS 1 ip i\nWEIR.RESET ATTRS 3 ip i user u path /login\n",
                 "[:1 :100 :100 :0 :0 :0 \"all\" \"limit\" []]\n"
                 "[:1 :100 :0 :0 :86400000000 :0 \"all\" \"limit\" []]\n"
                 "[:0 :100 :0 :864000000 :86400000000 :0 \"all\" \"limit\" []]\n"
                 "[:1 :100 :50 :0 :43200000000 :0 \"all\" \"limit\" []]\n"
                 "[:1 :100 :0 :0 :86400000000 :0 \"all\" \"limit\" []]\n"
                 ":1\n[:1 :100 :99 :0 :864000000 :0 \"all\" \"limit\" []]\n:3\n");
}

static void limits_of_the_peers_own(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK LIMIT 2/d k\nWEIR.CHECK LIMIT 2/d k COST 2\n"
                 "WEIR.CHECK LIMIT '2/d' k NAME mine COST 2\nWEIR.CHECK LIMIT 2/d k cost 1\n"
                 "WEIR.PEEK LIMIT 2/d k COST 3\nWEIR.REFUND LIMIT 2/d k COST 2\n"
                 "WEIR.RESET LIMIT 2/d k NAME mine\nWEIR.PEEK LIMIT 2/d k NAME mine\n",
                 "[:1 :2 :1 :0 :43200000000 :0 nil \"limit\" []]\n"
                 "[:0 :2 :1 :43200000000 :43200000000 :0 nil \"limit\" []]\n"
                 "[:1 :2 :0 :0 :" DAY " :0 \"mine\" \"limit\" []]\n"
                 "[:1 :2 :0 :0 :" DAY " :0 nil \"limit\" []]\n"
                 "[:0 :2 :0 :-1 :" DAY " :0 nil \"limit\" []]\n"
                 "[:1 :2 :2 :0 :0 :0 nil \"limit\" []]\n"
                 ":1\n[:1 :2 :2 :0 :0 :0 \"mine\" \"limit\" []]\n");
}

static void leaky_bucket_tells_its_delay(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK LIMIT '1/d leaky-bucket burst 3' k\n"
                 "WEIR.CHECK LIMIT '1/d leaky-bucket burst 3' k\n",
                 "[:1 :3 :2 :0 :" DAY " :0 nil \"limit\" []]\n"
                 "[:1 :3 :1 :0 :172800000000 :" DAY " nil \"limit\" []]\n");
}

/* A map with the same values in the same order. */
static void resp3_has_names(void **state)
{
    (void)state;
    struct resp_desk *desk = resp_desk_new(NULL);
    struct weir_session *session = resp_desk_peer(desk);
    free(resp_desk_talk(desk, session, "HELLO 3\n"));
    expect(
        desk, session,
        "WEIR.CHECK ATTRS 3 path /login ip i user u\nWEIR.CHECK LIMIT 1/d k COST 2\n"
        "WEIR.RESET LIMIT 1/d k\nCL.THROTTLE k 0 1 86400\n",
        "%[\"allowed\" true \"limit\" :3 \"remaining\" :2 \"retry_after_us\" :0 "
        "\"reset_after_us\" :" DAY " \"delay_us\" :0 \"rule\" \"login\" \"reason\" \"limit\" "
        "\"shadow\" []]\n"
        "%[\"allowed\" false \"limit\" :1 \"remaining\" :1 \"retry_after_us\" :-1 "
        "\"reset_after_us\" :0 \"delay_us\" :0 \"rule\" nil \"reason\" \"limit\" \"shadow\" []]\n"
        ":1\n[:0 :1 :0 :-1 :86400]\n");
    resp_desk_free(desk);
}

/* ---- What is refused ----------------------------------------------------------------------- */

#define ATTRS_SYNTAX                                                                           \
    "-ERR syntax error: ATTRS is followed by how many attributes there are, at most 64, then " \
    "name "                                                                                    \
    "and value of each\n"
#define RULE_SYNTAX \
    "-ERR syntax error: after the attributes come RULE and COST, each once and with a value\n"
#define NAME_SYNTAX \
    "-ERR syntax error: after the key come NAME and COST, each once and with a value\n"
#define COST_RANGE "-ERR COST is a whole number from 0 to 4294967295\n"

static void what_has_no_sense_is_refused(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK ip 1.2.3.4\n",
                 "-ERR syntax error: it begins with ATTRS, to ask by the rules, or with LIMIT, to "
                 "bring a limit\n");
    expect_fresh("WEIR.CHECK ATTRS x\nWEIR.CHECK ATTRS -1\nWEIR.CHECK ATTRS 1 ip\n"
                 "WEIR.CHECK ATTRS 2 a b c\nWEIR.CHECK ATTRS 9223372036854775807 a b\n",
                 ATTRS_SYNTAX ATTRS_SYNTAX ATTRS_SYNTAX ATTRS_SYNTAX ATTRS_SYNTAX);
    expect_fresh("WEIR.CHECK ATTRS 0 NAME x\nWEIR.CHECK ATTRS 0 COST\n"
                 "WEIR.CHECK ATTRS 0 COST 1 COST 1\nWEIR.CHECK ATTRS 0 RULE all RULE all\n",
                 RULE_SYNTAX RULE_SYNTAX RULE_SYNTAX RULE_SYNTAX);
    expect_fresh("WEIR.CHECK LIMIT 1/s k RULE x\nWEIR.CHECK LIMIT 1/s k NAME\n"
                 "WEIR.CHECK LIMIT 1/s k NAME a NAME a\nWEIR.CHECK LIMIT 1/s k k\n",
                 NAME_SYNTAX NAME_SYNTAX NAME_SYNTAX NAME_SYNTAX);
    expect_fresh(
        "WEIR.CHECK LIMIT 1/s\n",
        "-ERR syntax error: LIMIT is followed by a limit, as \\\"100/m burst 20\\\", and a "
        "key\n");
    expect_fresh("WEIR.CHECK LIMIT 1/s k COST -1\nWEIR.CHECK LIMIT 1/s k COST 4294967296\n"
                 "WEIR.CHECK LIMIT 1/s k COST 1.5\nWEIR.CHECK ATTRS 0 COST x\n",
                 COST_RANGE COST_RANGE COST_RANGE COST_RANGE);
    expect_fresh("WEIR.RESET LIMIT 1/s k COST 1\nWEIR.RESET ATTRS 0 COST 1\n",
                 "-ERR syntax error: WEIR.RESET forgets the key, and takes no COST\n"
                 "-ERR syntax error: WEIR.RESET forgets the key, and takes no COST\n");
}

/* Values may be any word, and are never taken for an option. */
static void values_are_no_options(void **state)
{
    (void)state;
    expect_fresh("WEIR.CHECK ATTRS 2 ip COST path RULE\nWEIR.CHECK LIMIT 1/d COST COST 1\n"
                 "WEIR.CHECK LIMIT 1/d NAME NAME COST\n",
                 "[:1 :100 :99 :0 :864000000 :0 \"all\" \"limit\" []]\n"
                 "[:1 :1 :0 :0 :" DAY " :0 nil \"limit\" []]\n"
                 "[:1 :1 :0 :0 :" DAY " :0 \"COST\" \"limit\" []]\n");
}

/* 64 attributes, and no more. */
static void attributes_have_a_largest_number(void **state)
{
    (void)state;
    for (int count = 64; count <= 65; count++) {
        char say[2048];
        int len = snprintf(say, sizeof(say), "WEIR.CHECK ATTRS %d ip i", count);
        for (int i = 1; i < count; i++) {
            len += snprintf(say + len, sizeof(say) - (size_t)len, " a%d v", i);
        }
        (void)snprintf(say + len, sizeof(say) - (size_t)len, "\n");
        expect_fresh(say, count == 64 ? "[:1 :100 :99 :0 :864000000 :0 \"all\" \"limit\" []]\n"
                                      : ATTRS_SYNTAX);
    }
}

/* The messages are those of the limit's grammar and of the rules. */
static void what_can_not_be_had_says_why(void **state)
{
    (void)state;
    static const char *const said[] = {
        "WEIR.CHECK LIMIT 100 k\nPING\n",         "WEIR.CHECK LIMIT 100/fortnight k\nPING\n",
        "WEIR.CHECK LIMIT '' k\nPING\n",          "WEIR.CHECK ATTRS 2 ip i cost x\nPING\n",
        "WEIR.PEEK ATTRS 2 ip i cost -1\nPING\n",
    };
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct resp_desk *desk = resp_desk_new(NULL);
        char *transcript = resp_desk_talk(desk, resp_desk_peer(desk), said[i]);
        const char *end = strchr(transcript, '\n');
        assert_memory_equal(transcript, "-ERR ", 5);
        assert_true(end != NULL && end - transcript > 10);
        assert_string_equal(end, "\n+PONG\n");
        free(transcript);
        resp_desk_free(desk);
    }
}

/* A name may have WEIR_NAME_MAX bytes, a key WEIR_KEY_MAX. */
static void names_and_keys_have_a_longest(void **state)
{
    (void)state;
    char say[3 * WEIR_KEY_MAX];
    struct resp_desk *desk = resp_desk_new(NULL);
    struct weir_session *session = resp_desk_peer(desk);
    for (int more = 0; more < 2; more++) {
        (void)snprintf(say, sizeof(say), "WEIR.CHECK LIMIT 1/d k NAME %0*d\n", WEIR_NAME_MAX + more,
                       0);
        char *transcript = resp_desk_talk(desk, session, say);
        assert_memory_equal(transcript, more == 0 ? "[:1 " : "-ERR", 4);
        free(transcript);
        (void)snprintf(say, sizeof(say), "WEIR.CHECK LIMIT 1/d %0*d\n", WEIR_KEY_MAX + more, 0);
        transcript = resp_desk_talk(desk, session, say);
        assert_memory_equal(transcript, more == 0 ? "[:1 " : "-ERR", 4);
        free(transcript);
    }
    resp_desk_free(desk);
}

static void limits_may_be_turned_off(void **state)
{
    (void)state;
    static const struct resp_desk_options options = {.no_ad_hoc = true};
    struct resp_desk *desk = resp_desk_new(&options);
    struct weir_session *session = resp_desk_peer(desk);
    static const char refused[] =
        "-NOPERM this server takes no limits of its peers' own (ad_hoc: false); ask by its rules, "
        "with WEIR.CHECK ATTRS\n";
    expect(desk, session, "WEIR.CHECK LIMIT 1/s k\n", refused);
    expect(desk, session, "WEIR.RESET LIMIT 1/s k\n", refused);
    expect(desk, session, "WEIR.CHECK ATTRS 1 ip i\n",
           "[:1 :100 :99 :0 :864000000 :0 \"all\" \"limit\" []]\n");
    resp_desk_free(desk);
}

/* What a store can't do is refused. */
static void what_the_store_can_not_do_is_told(void **state)
{
    (void)state;
    const struct fixture_folder folder = fixture_folder_make();
    const struct resp_desk_options options = {.store = fixture_url(&folder, "s", "size=64KiB")};
    struct resp_desk *desk = resp_desk_new(&options);
    char answer[256];
    (void)snprintf(answer, sizeof(answer), "-ERR %s\n+PONG\n", weir_strerror(WEIR_ERR_UNSUPPORTED));
    expect(desk, resp_desk_peer(desk), "WEIR.CHECK LIMIT '3/d sliding-log' k\nPING\n", answer);
    resp_desk_free(desk);
    fixture_folder_remove(&folder);
}

static void expect_status(enum weir_status status, const char *code)
{
    struct weir_buffer out = {0};
    char expected[256];
    (void)snprintf(expected, sizeof(expected), "-%s %s\r\n", code, weir_strerror(status));
    weir_resp_put_status(&out, status, NULL);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.bytes, expected, out.len);
    weir_buffer_deinit(&out);
}

/* ERR is for the request to mend; UNAVAILABLE is for another time. */
static void errors_say_whose_fault_it_is(void **state)
{
    (void)state;
    expect_status(WEIR_ERR_ARGUMENT, "ERR");
    expect_status(WEIR_ERR_LIMIT, "ERR");
    expect_status(WEIR_ERR_KEY_LENGTH, "ERR");
    expect_status(WEIR_ERR_UNSUPPORTED, "ERR");
    expect_status(WEIR_ERR_SAME_STATE, "ERR");
    expect_status(WEIR_ERR_STORE, "UNAVAILABLE");
    expect_status(WEIR_ERR_FULL, "UNAVAILABLE");
    expect_status(WEIR_ERR_NO_MEMORY, "UNAVAILABLE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_by_rules_names_the_rule_that_says_most),
        cmocka_unit_test(what_no_rule_matches_is_not_limited),
        cmocka_unit_test(lists_decide_without_a_limit),
        cmocka_unit_test(rules_that_only_watch_are_named_where_they_would_deny),
        cmocka_unit_test(one_rule_may_be_asked_for),
        cmocka_unit_test(requests_have_a_cost),
        cmocka_unit_test(a_block_says_so),
        cmocka_unit_test(peek_refund_and_reset_by_rules),
        cmocka_unit_test(limits_of_the_peers_own),
        cmocka_unit_test(leaky_bucket_tells_its_delay),
        cmocka_unit_test(resp3_has_names),
        cmocka_unit_test(what_has_no_sense_is_refused),
        cmocka_unit_test(values_are_no_options),
        cmocka_unit_test(attributes_have_a_largest_number),
        cmocka_unit_test(what_can_not_be_had_says_why),
        cmocka_unit_test(names_and_keys_have_a_longest),
        cmocka_unit_test(limits_may_be_turned_off),
        cmocka_unit_test(what_the_store_can_not_do_is_told),
        cmocka_unit_test(errors_say_whose_fault_it_is),
    };
    return cmocka_run_group_tests_name("resp_check", tests, NULL, NULL);
}
