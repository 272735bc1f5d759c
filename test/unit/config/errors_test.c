/* errors_test.c - what is wrong with a configuration is said with its line and column and with what
 * to write instead, all of it at once. */

#include "unit/config/config_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct refusal {
    const char *text;
    const char *expected;
};

static void read_all(const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        read_bad(refusals[i].text, refusals[i].expected);
    }
}

#define READ_ALL(list) read_all(list, sizeof(list) / sizeof((list)[0]))

static void what_is_no_yaml(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"", "1:1: there is nothing in this file; write rules\n"},
        {"# nothing\n", "1:1: there is nothing in this file; write rules\n"},
        {"rules: [1", "2:1: this is no YAML: did not find expected ',' or ']' while parsing a flow "
                      "sequence that starts in line 1; a text with any of { } [ ] , in it, as "
                      "${NAME}, goes in quotes here\n"},
        {"rules:\n\t- name: a", "2:1: this is no YAML: found character that cannot start any "
                                "token: a tab can't indent; write blanks\n"},
        {"store: @x", "1:8: this is no YAML: found character that cannot start any token: put the "
                      "text in quotes\n"},
        {"store: a: b", "1:9: this is no YAML: mapping values are not allowed in this context: "
                        "a text with ': ' in it, or ':' at its end, goes in quotes; else look at "
                        "the indentation\n"},
        {"a: 1\n b: 2\nc", "2:3: this is no YAML: mapping values are not allowed in this context: "
                           "a text with ': ' in it, or ':' at its end, goes in quotes; else look "
                           "at the indentation\n"},
        {"rules:\n- name: a\n  key: ip\n limit: 1/s",
         "4:2: this is no YAML: did not find expected key while parsing a block mapping that "
         "starts in line 1: look at the indentation of this line and of those before it\n"},
        {"watch: true\nstore: \"\x01\"", "2:9: this is no text: control characters are not "
                                         "allowed; write UTF-8 without control characters\n"},
        {"watch: true\nx-\xc3\xa9: \xff",
         "2:6: this is no text: invalid leading UTF-8 octet; write UTF-8 without control "
         "characters\n"},
        {"x-a: \"\\0\"", "1:6: a NUL byte can't be in a text; leave it out\n"},
        {"watch: true\n---\nwatch: true",
         "2:1: a second document ('---') begins here; one file has one\n"},
        {"workers: !!int 1", "1:10: the tag 'tag:yaml.org,2002:int' has no meaning here; leave it "
                             "out\n"},
        {"rules: !x []", "1:8: the tag '!x' has no meaning here; leave it out\n"},
        {"[watch]", "1:1: the file: expected a mapping, its keys each on a line as 'store: ...', "
                    "or in { }\n"},
        {"watch", "1:1: the file: expected a mapping, its keys each on a line as 'store: ...', or "
                  "in { }\n"},
        {"? [a]\n: 1", "1:3: a key is a word, not a list or a mapping\n"},
        {"x-a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
         "1:37: this is nested more than 32 levels deep; nothing here needs that\n"},
    };
    READ_ALL(refusals);
}

static void keys_are_known_and_come_once(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"watch: true\nwatch: false", "2:1: the key 'watch' is here twice, first in line 1; leave "
                                      "one of them out\n"},
        {"listn: []", "1:1: unknown key 'listn'; did you mean 'listen'?\n"},
        {"AD-HOC: true", "1:1: unknown key 'AD-HOC'; did you mean 'ad_hoc'?\n"},
        {"ipv6: 64", "1:1: unknown key 'ipv6'; did you mean 'ipv6_prefix'?\n"},
        {"zebra: 1", "1:1: unknown key 'zebra'; the file has store, workers, listen, caps, log, "
                     "top, ad_hoc, ipv6_prefix, watch, include, rules\n"},
        {"log: {lvel: info}", "1:7: unknown key 'lvel'; did you mean 'level'?\n"},
        {"x-: 1", "1:1: unknown key 'x-'; the file has store, workers, listen, caps, log, top, "
                  "ad_hoc, ipv6_prefix, watch, include, rules\n"},
        {"workers:", "1:1: 'workers' has no value; write one, or leave the key out\n"},
        {"workers: ~", "1:1: 'workers' has no value; write one, or leave the key out\n"},
        {"workers: null", "1:1: 'workers' has no value; write one, or leave the key out\n"},
        {"include: ''", "1:10: include: expected a path\n"},
        {"include: {a: b}", "1:10: include: expected one value, not a mapping\n"},
        {"caps: 3", "1:7: caps: expected a mapping, its keys each on a line as 'connections: "
                    "...', or in { }\n"},
        {"rules: {a: 1}", "1:8: rules: expected a list, its members each on a line that begins "
                          "with '- ', or in [ ]\n"},
    };
    READ_ALL(refusals);
}

static void values_are_what_they_are(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        /* What YAML 1.1 takes for a truth, a number in octal, one with signs in it, in sixties. */
        {"watch: yes", "1:8: watch: expected true or false, not 'yes'\n"},
        {"watch: on", "1:8: watch: expected true or false, not 'on'\n"},
        {"watch: True", "1:8: watch: expected true or false, not 'True'\n"},
        {"watch: [true]", "1:8: watch: expected one value, not a list\n"},
        {"watch: {a: 1}", "1:8: watch: expected one value, not a mapping\n"},
        {"workers: 010", "1:10: workers: expected a whole number from 0 to 256 in decimal, without "
                         "a 0 in front, not '010'\n"},
        {"top: 1_0", "1:6: top: expected a whole number from 0 to 1000, its digits alone, not "
                     "'1_0'\n"},
        {"top: 1:30", "1:6: top: expected a whole number from 0 to 1000, not '1:30'\n"},
        {"top: -1", "1:6: top: expected a whole number from 0 to 1000, not '-1'\n"},
        {"top: ''", "1:6: top: expected a whole number from 0 to 1000, not ''\n"},
        {"top: 1.0", "1:6: top: expected a whole number from 0 to 1000, not '1.0'\n"},
        {"top: 18446744073709551617",
         "1:6: top: expected a whole number from 0 to 1000, not '18446744073709551617'\n"},
        {"log: {level: loud}",
         "1:14: level: expected one of error, warning, info, debug, not 'loud'\n"},
        {"caps: {idle: 60}", "1:14: idle: '60' lacks its unit: write 60s, 60m or 60h\n"},
        {"caps: {idle: '1m30'}", "1:17: idle: '30' lacks its unit: write 30s, 30m or 30h\n"},
        {"caps: {idle: month}", "1:14: idle: expected a length of time from 1s to 1d, not "
                                "'month'\n"},
        {"caps: {idle: ''}", "1:14: idle: expected a length of time from 1s to 1d, not ''\n"},
        {"caps: {head: 1}", "1:14: head: expected a size from 1KiB to 1MiB, as 64KiB, not '1'\n"},
        {"caps: {head: 16kb}",
         "1:14: head: expected a size from 1KiB to 1MiB, as 64KiB, not '16kb'\n"},
    };
    READ_ALL(refusals);
}

static void stores_are_looked_at(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"store: radis://h", "1:8: store: expected redis://, rediss://, redis+unix://, "
                             "redis+sentinel://, redis+cluster:// (the last two also as "
                             "rediss+...), memory: or shm:\n"},
        {"store: memory:?sise=1MiB", "1:16: store: memory: takes size= and log=\n"},
        {"store: memory:?size=1MB",
         "1:21: store: expected a unit of B, KiB, MiB, GiB or TiB, as in 64MiB\n"},
        {"store: memory:here", "1:15: store: memory: has no path; write memory:?size=64MiB\n"},
        {"store: shm:here", "1:12: store: expected an absolute path, as shm:/run/weir.table\n"},
        {"store: 'shm:/here?size=1'", "1:24: store: the size must be 8 KiB to 1024 GiB\n"},
        {"store: redis://h:0", "1:18: store: expected a port, 1 to 65535\n"},
        {"store: {url: 'redis://:secret@h?deadlin=1s'}",
         "1:33: store: there is no such option; there are deadline, on_error, local, deny_cache, "
         "prefix, user, password_file, password_env, sentinel_user, sentinel_password_file, "
         "sentinel_password_env, db, ca, cert, key, sni and verify\n"},
        {"store: {timeout: 1s}", "1:8: a store needs 'url'\n"},
        {"store: {url: 'memory:', timeout: 1us}",
         "1:34: timeout: expected a length of time from 1ms to 1m, not '1us'\n"},
        {"store: shm:/run/weir\nrules: [{name: a, key: ip, limit: 5/s sliding-log}]",
         "2:35: limit: a shm: store can't have sliding-log; write sliding-window, or a memory: or "
         "redis: store\n"},
        {"store: ['memory:']", "1:8: store: expected one value, not a list\n"},
    };
    READ_ALL(refusals);
}

static void anchors_have_bounds(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"x-a: *b", "1:6: there is no anchor &b before this\n"},
        {"x-a: &a [*a]",
         "1:10: this alias stands within what it stands for: that would never end\n"},
        {"x-a: {<<: 3}", "1:11: '<<' takes a mapping, as *NAME, or a list of them\n"},
        {"x-a: {<<: [{a: 1}, 2]}", "1:11: '<<' takes a mapping, as *NAME, or a list of them\n"},
        {"x-a: &a {b: 1}\nx-b: {<<: *a, c: 1, c: 2}",
         "2:21: the key 'c' is here twice, first in line 2; leave one of them out\n"},
    };
    READ_ALL(refusals);
}

/* A mapping that grows by merge keys, and lists of aliases of lists of aliases. */
static void a_laugh_is_not_answered_a_billion_times(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "x-0: &a0 [a,a,a,a,a,a,a,a,a,a]\n");
    for (unsigned i = 1; i < 8; i++) {
        weir_buffer_print(&text, "x-%u: &a%u [", i, i);
        for (unsigned j = 0; j < 10; j++) {
            weir_buffer_print(&text, "%s*a%u", j > 0 ? "," : "", i - 1);
        }
        weir_buffer_put_text(&text, "]\n");
    }
    weir_buffer_put_text(&text, "rules: [{name: a, limit: 1/s, key: ip, match: {a: *a7}}]\n");
    weir_buffer_put(&text, weir_bytes("", 1));
    assert_false(text.failed);
    read_bad(text.bytes, "7:6: a value: expected one value, not a list\n");
    weir_buffer_deinit(&text);
}

/* 1000 rules with one list of 5000 values: 5,000,000 that nobody wrote. */
static void aliases_have_a_bound_in_all(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "x-l: &l [");
    for (unsigned i = 0; i < 5000; i++) {
        weir_buffer_print(&text, "%s%u", i > 0 ? ",\n " : "", i);
    }
    weir_buffer_put_text(&text, "]\nrules:\n");
    for (unsigned i = 0; i < 1000; i++) {
        weir_buffer_print(&text, "- {name: r%u, key: u, limit: 1/s, match: {a: *l}}\n", i);
    }
    weir_buffer_put(&text, weir_bytes("", 1));
    assert_false(text.failed);
    const struct texts texts = {.files = {{"weir.yaml", text.bytes, NULL}}};
    struct weir_config *config = NULL;
    char *messages = NULL;
    assert_int_equal(read_texts(&texts, false, &messages, &config), WEIR_ERR_ARGUMENT);
    assert_non_null(strstr(messages, "error: aliases make more than 4000000 values of this file; "
                                     "write fewer of them\n"));
    free(messages);
    weir_buffer_deinit(&text);
}

static void merge_keys_have_a_bound(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    weir_buffer_put_text(&text, "x-l: &l {");
    for (unsigned i = 0; i < 2100; i++) {
        weir_buffer_print(&text, "%sk%u: 1", i > 0 ? ",\n " : "", i);
    }
    weir_buffer_put_text(&text, "}\nx-m:\n");
    for (unsigned i = 0; i < 2100; i++) {
        weir_buffer_put_text(&text, "- {<<: *l}\n");
    }
    weir_buffer_put(&text, weir_bytes("", 1));
    assert_false(text.failed);
    const struct texts texts = {.files = {{"weir.yaml", text.bytes, NULL}}};
    struct weir_config *config = NULL;
    char *messages = NULL;
    assert_int_equal(read_texts(&texts, false, &messages, &config), WEIR_ERR_ARGUMENT);
    assert_non_null(strstr(messages, "error: this file has more than 4000000 values, with those "
                                     "that '<<' brings; split it\n"));
    free(messages);
    weir_buffer_deinit(&text);
}

static void anchors_have_a_number(void **state)
{
    (void)state;
    for (unsigned count = 1024; count <= 1025; count++) {
        struct weir_buffer text = {0};
        weir_buffer_put_text(&text, "x-l:\n");
        for (unsigned i = 0; i < count; i++) {
            weir_buffer_print(&text, "- &a%u 1\n", i);
        }
        weir_buffer_put(&text, weir_bytes("", 1));
        if (count == 1024) {
            weir_config_free(read_good(text.bytes));
        } else {
            read_bad(text.bytes, "1026:3: a file has at most 1024 anchors (&NAME)\n");
        }
        weir_buffer_deinit(&text);
    }
}

static void all_is_said_at_once_in_order(void **state)
{
    (void)state;
    read_bad("workers: x\n"
             "rules:\n"
             "- name: a\n"
             "  key: ip\n"
             "  limit: 5/10s bursty 3\n"
             "  match: {path: {regex: '('}}\n"
             "- name: a\n"
             "  key: ip\n"
             "  limits: 5/s\n"
             "watch: 1\n",
             "1:10: workers: expected a whole number from 0 to 256, not 'x'\n"
             "5:16: limit: 'bursty' is neither an algorithm nor burst nor block: did you mean "
             "'burst'?\n"
             "6:26: \"(\": missing closing parenthesis, at byte 1 of the regular expression\n"
             "7:3: a rule needs a 'limit', as limit: 100/m (or tiers, overrides or deny)\n"
             "7:3: there is a rule \"a\" already, in line 3: give this one a name of its own\n"
             "9:3: unknown key 'limits'; did you mean 'limit'?\n"
             "10:8: watch: expected true or false, not '1'\n");
}

static void complaints_without_end_are_counted(void **state)
{
    (void)state;
    struct weir_buffer text = {0};
    for (unsigned i = 0; i < 203; i++) {
        weir_buffer_print(&text, "zebra%u: 1\n", i);
    }
    weir_buffer_put(&text, weir_bytes("", 1));
    const struct texts texts = {.files = {{"weir.yaml", text.bytes, NULL}}};
    struct weir_config *config = NULL;
    char *messages = NULL;
    size_t lines = 0;
    assert_int_equal(read_texts(&texts, false, &messages, &config), WEIR_ERR_ARGUMENT);
    for (const char *c = messages; *c != '\0'; c++) {
        lines += *c == '\n';
    }
    assert_int_equal(lines, 201);
    assert_non_null(strstr(messages, "weir.yaml: error: and 3 more\n"));
    free(messages);
    weir_buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_yaml),
        cmocka_unit_test(keys_are_known_and_come_once),
        cmocka_unit_test(values_are_what_they_are),
        cmocka_unit_test(stores_are_looked_at),
        cmocka_unit_test(anchors_have_bounds),
        cmocka_unit_test(a_laugh_is_not_answered_a_billion_times),
        cmocka_unit_test(aliases_have_a_bound_in_all),
        cmocka_unit_test(merge_keys_have_a_bound),
        cmocka_unit_test(anchors_have_a_number),
        cmocka_unit_test(all_is_said_at_once_in_order),
        cmocka_unit_test(complaints_without_end_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
