/* files_test.c - files that include others, the environment, what a reload compares, and memory
 * that runs out. */

#include "support/fixture.h"
#include "unit/config/config_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ONE(name) "rules: [{name: " name ", key: ip, limit: 1/s}]\n"

/* ---- Includes ---- */

static void includes_are_read_in_order_and_once(void **state)
{
    (void)state;
    const struct texts texts = {
        .files = {
            {"weir.yaml", "include: [rules.d/*.yaml, other.yaml, none.d/*.yaml]\n" ONE("a"), NULL},
            {"other.yaml", ONE("d") "x-more: 1\n", NULL},
            {"rules.d/1.yaml", ONE("b"), NULL},
            {"rules.d/2.yaml", "include: sub/3.yaml\n" ONE("c"), NULL},
            {"rules.d/9.yaml", "never read twice", "other.yaml"},
            {"rules.d/sub/3.yaml", ONE("e"), NULL},
        }};
    static const char *const files[] = {"weir.yaml", "rules.d/1.yaml", "rules.d/2.yaml",
                                        "rules.d/sub/3.yaml"};
    static const char *const rules[] = {"a", "b", "c", "e"};
    struct weir_config *config = NULL;
    char *messages = NULL;
    /* rules.d/9.yaml is other.yaml by another name: what is in it is read under the first. */
    struct texts once = texts;
    once.files[4].text = once.files[1].text;
    assert_int_equal(read_texts(&once, false, &messages, &config), WEIR_OK);
    assert_string_equal(messages, "");
    assert_int_equal(config->file_count, 5);
    assert_string_equal(config->files[4], "rules.d/9.yaml");
    assert_int_equal(weir_policy_count(config->policy), 5);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(config->files[i], files[i]);
        const struct weir_rule_spec *rule = weir_policy_rule(config->policy, i);
        assert_int_equal(rule->name.len, 1);
        assert_int_equal(rule->name.ptr[0], rules[i][0]);
        assert_int_equal(rule->origin.file, i);
    }
    free(messages);
    weir_config_free(config);
}

static void includes_that_cannot_be(void **state)
{
    (void)state;
    const struct texts circle = {.files = {{"weir.yaml", "include: a.yaml\n", NULL},
                                           {"a.yaml", "include: b.yaml\n", NULL},
                                           {"b.yaml", ONE("b") "include: a.yaml\n", NULL}}};
    expect_messages(&circle, false, WEIR_ERR_ARGUMENT,
                    "b.yaml:2:10: error: include: a.yaml includes this file, and so would never "
                    "end\n");
    const struct texts none = {.files = {{"weir.yaml", "include: [a.yaml]\n", NULL}}};
    expect_messages(&none, false, WEIR_ERR_ARGUMENT,
                    "weir.yaml:1:11: error: include: there is no file a.yaml\n");
    const struct texts more = {.files = {{"weir.yaml", "include: a.yaml\nwatch: 1\n", NULL},
                                         {"a.yaml", "workers: 1\n" ONE("a") "rules2: []\n", NULL}}};
    expect_messages(&more, false, WEIR_ERR_ARGUMENT,
                    "weir.yaml:2:8: error: watch: expected true or false, not '1'\n"
                    "a.yaml:1:1: error: unknown key 'workers'; a file that is included has rules, "
                    "include\n"
                    "a.yaml:3:1: error: unknown key 'rules2'; did you mean 'rules'?\n");
    const struct texts twice = {.files = {{"weir.yaml", "include: a.yaml\n" ONE("x"), NULL},
                                          {"a.yaml", "\n" ONE("x"), NULL}}};
    expect_messages(&twice, false, WEIR_ERR_ARGUMENT,
                    "a.yaml:2:9: error: there is a rule \"x\" already, in line 2 of another file: "
                    "give this one a name of its own\n");
    const struct texts broken = {.files = {{"weir.yaml", "include: a.yaml\nwatch: 1\n", NULL},
                                           {"a.yaml", "rules: [", NULL}}};
    expect_messages(&broken, false, WEIR_ERR_ARGUMENT,
                    "weir.yaml:2:8: error: watch: expected true or false, not '1'\n"
                    "a.yaml:2:1: error: this is no YAML: did not find expected node content while "
                    "parsing a flow node that starts in line 2; a text that begins with a sign, as "
                    "::1, goes in quotes here\n");
}

/* `count` files besides the first, each including the next where `deep`. */
static enum weir_status read_many(unsigned count, bool deep, char **ret_messages)
{
    static char names[TEXT_FILES_MAX][16];
    static char lines[TEXT_FILES_MAX][64];
    struct texts *texts = calloc(1, sizeof(*texts));
    struct weir_config *config = NULL;
    assert_non_null(texts);
    for (unsigned i = 0; i <= count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), i == 0 ? "weir.yaml" : "i%u.yaml", i);
        (void)snprintf(lines[i], sizeof(lines[i]), "x-a: 1\n");
        if (deep && i < count) {
            (void)snprintf(lines[i], sizeof(lines[i]), "include: i%u.yaml\n", i + 1);
        } else if (i == 0) {
            (void)snprintf(lines[i], sizeof(lines[i]), "include: i*.yaml\n");
        }
        texts->files[i] = (struct text_file){names[i], lines[i], NULL};
    }
    const enum weir_status status = read_texts(texts, false, ret_messages, &config);
    weir_config_free(config);
    free(texts);
    return status;
}

static void files_have_a_number_and_a_depth(void **state)
{
    (void)state;
    char *messages = NULL;
    assert_int_equal(read_many(255, false, &messages), WEIR_OK);
    free(messages);
    assert_int_equal(read_many(256, false, &messages), WEIR_ERR_ARGUMENT);
    assert_string_equal(messages, "weir.yaml:1:10: error: a configuration has at most 256 files, "
                                  "those of tokens included\n");
    free(messages);
    assert_int_equal(read_many(31, true, &messages), WEIR_OK);
    free(messages);
    assert_int_equal(read_many(32, true, &messages), WEIR_ERR_ARGUMENT);
    assert_non_null(strstr(messages, "files include each other more than 32 levels deep"));
    free(messages);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* On the disk: patterns, a link to a file that was read, a folder, and what can't be read. */
static void real_files_are_read(void **state)
{
    (void)state;
    const struct fixture_folder folder = fixture_folder_make();
    struct weir_buffer messages = {0};
    struct weir_config *config = NULL;
    char path[128];
    char link_path[128];
    (void)snprintf(path, sizeof(path), "%s/weir.yaml", folder.path);
    (void)snprintf(link_path, sizeof(link_path), "%s/r0.yaml", folder.path);
    write_text(path, "include: [r*.yaml, none.d/*.yaml]\nstore: '${WEIR_TEST_STORE:-memory:}'\n");
    write_text(fixture_path(&folder, "r2.yaml"), ONE("b"));
    write_text(fixture_path(&folder, "r1.yaml"), ONE("a"));
    assert_int_equal(symlink("r2.yaml", link_path), 0);
    assert_int_equal(setenv("WEIR_TEST_STORE", "memory:?size=1MiB", 1), 0);
    assert_int_equal(weir_config_read(path, false, &messages, &config), WEIR_OK);
    assert_int_equal(messages.len, 0);
    assert_int_equal(weir_policy_count(config->policy), 2);
    assert_int_equal(config->file_count, 3);
    assert_string_equal(config->files[1], link_path);
    assert_string_equal(config->store, "memory:?size=1MiB");
    weir_config_free(config);
    config = NULL;
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(mkdir(link_path, 0700), 0);
    assert_int_equal(weir_config_read(path, false, &messages, &config), WEIR_ERR_ARGUMENT);
    weir_buffer_put(&messages, weir_bytes("", 1));
    assert_non_null(strstr(messages.bytes, "r0.yaml can't be read: Is a directory\n"));
    assert_int_equal(rmdir(link_path), 0);
    weir_buffer_deinit(&messages);
    assert_int_equal(weir_config_read("/nonexistent/weir.yaml", false, &messages, &config),
                     WEIR_ERR_SYSTEM);
    weir_buffer_put(&messages, weir_bytes("", 1));
    assert_string_equal(messages.bytes,
                        "/nonexistent/weir.yaml: error: can't be read: No such file or "
                        "directory\n");
    assert_null(config);
    weir_buffer_deinit(&messages);
    fixture_folder_remove(&folder);
}

/* Files full of NULs: one of the longest is looked at, one that is longer is not. */
static void a_file_has_a_length(void **state)
{
    (void)state;
    const struct fixture_folder folder = fixture_folder_make();
    for (unsigned more = 0; more < 2; more++) {
        struct weir_buffer messages = {0};
        struct weir_config *config = NULL;
        write_text(fixture_path(&folder, "weir.yaml"), "");
        assert_int_equal(
            truncate(fixture_path(&folder, "weir.yaml"), (off_t)WEIR_CONFIG_FILE_MAX + more), 0);
        assert_int_equal(
            weir_config_read(fixture_path(&folder, "weir.yaml"), false, &messages, &config),
            more == 0 ? WEIR_ERR_ARGUMENT : WEIR_ERR_SYSTEM);
        weir_buffer_put(&messages, weir_bytes("", 1));
        assert_non_null(strstr(messages.bytes, more == 0 ? "weir.yaml:1:1: error: this is no text: "
                                                         : "weir.yaml: error: can't be read: it is "
                                                           "longer than 67108864 bytes\n"));
        weir_buffer_deinit(&messages);
    }
    fixture_folder_remove(&folder);
}

/* ---- The environment ---- */

static void variables_stand_for_texts(void **state)
{
    (void)state;
    const struct texts texts = {
        .files =
            {{"weir.yaml",
              "workers: ${W}\n"
              "top: ${NONE:-7}\n"
              "ipv6_prefix: ${EMPTY:-48}\n"
              "rules:\n"
              "- {name: 'a${W}b${NONE:-}', key: '$${x}', limit: '${L}', match: {p: '$x${EMPTY}$', "
              "q: \"a, ${M}\"}}\n",
              NULL}},
        .variables = {{"W", "3", NULL},
                      {"EMPTY", "", NULL},
                      {"L", "5/s", NULL},
                      {"M", "}]: ${W}\n- x", NULL}},
    };
    struct weir_config *config = NULL;
    char *messages = NULL;
    assert_int_equal(read_texts(&texts, false, &messages, &config), WEIR_OK);
    assert_string_equal(messages, "");
    assert_int_equal(config->workers, 3);
    assert_int_equal(config->top_size, 7);
    assert_int_equal(config->ipv6_prefix, 48);
    const struct weir_rule_spec *rule = weir_policy_rule(config->policy, 0);
    assert_memory_equal(rule->name.ptr, "a3b", 4);
    assert_memory_equal(rule->key[0].attribute.ptr, "${x}", 5);
    assert_memory_equal(rule->conditions[0].tests[0].text.ptr, "$x$", 4);
    /* Whatever is in it, it is one text, and is not looked into again. */
    assert_memory_equal(rule->conditions[1].tests[0].text.ptr, "a, }]: ${W}\n- x", 16);
    free(messages);
    weir_config_free(config);
}

static void variables_that_cannot_be(void **state)
{
    (void)state;
    const struct texts texts = {
        .files = {{"weir.yaml",
                   "workers: ${NONE}\n"
                   "top: 'a ${ x}'\n"
                   "store: \"${2}\"\n"
                   "ipv6_prefix: ${A\n"
                   "watch: ${SECRET}\n"
                   "x-a: ${A:+b}\n"
                   "caps: {idle: '${SECRET}'}\n"
                   "rules: [{name: a, key: ip, limit: '${SECRET}'}]\n",
                   NULL}},
        .variables = {{"SECRET", "hunter2", NULL}},
    };
#define NAMED                                                                              \
    "'${' begins the name of a variable: write ${NAME}, ${NAME:-default}, or $${ for the " \
    "characters\n"
    struct weir_config *config = NULL;
    char *messages = NULL;
    assert_int_equal(read_texts(&texts, false, &messages, &config), WEIR_ERR_ARGUMENT);
    assert_null(strstr(messages, "hunter2"));
    assert_non_null(strstr(messages, "weir.yaml:1:10: error: the variable NONE is not set; set it, "
                                     "or write ${NONE:-default}\n"));
    assert_non_null(strstr(messages, "weir.yaml:2:9: error: " NAMED));
    assert_non_null(strstr(messages, "weir.yaml:3:9: error: " NAMED));
    assert_non_null(strstr(messages, "weir.yaml:4:14: error: " NAMED));
    assert_non_null(
        strstr(messages, "weir.yaml:5:8: error: watch: expected true or false, not '${SECRET}'\n"));
    assert_non_null(strstr(messages, "weir.yaml:6:6: error: " NAMED));
    assert_non_null(strstr(messages, "weir.yaml:7:14: error: idle: this is no length of time"));
    assert_non_null(strstr(messages, "weir.yaml:8:35: error: limit: what the environment has here "
                                     "is no limit, as 100/m\n"));
    free(messages);
}

/* ---- What a reload compares ---- */

static uint64_t fingerprint_of(const char *text, const char *included, const char *variable)
{
    const struct texts texts = {.files = {{"weir.yaml", text, NULL}, {"i.yaml", included, NULL}},
                                .variables = {{"V", variable, NULL}}};
    struct weir_config *config = NULL;
    char *messages = NULL;
    assert_int_equal(read_texts(&texts, false, &messages, &config), WEIR_OK);
    const uint64_t fingerprint = config->fingerprint;
    free(messages);
    weir_config_free(config);
    return fingerprint;
}

static void a_fingerprint_is_of_all_that_was_read(void **state)
{
    (void)state;
    const char *text = "include: i.yaml\nx-v: ${V}\n";
    const uint64_t first = fingerprint_of(text, ONE("a"), "1");
    assert_true(first != 0);
    assert_int_equal(first, fingerprint_of(text, ONE("a"), "1"));
    assert_int_not_equal(first, fingerprint_of(text, ONE("b"), "1"));
    assert_int_not_equal(first, fingerprint_of(text, ONE("a"), "2"));
    assert_int_not_equal(first, fingerprint_of("include: i.yaml\nx-v:  ${V}\n", ONE("a"), "1"));
}

static void some_things_need_a_restart(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        const char *expected;
    } cases[] = {
        {"x-a: 1", "x-a: 2", ""},
        {"store: 'memory:'", "store: 'memory:?size=1MiB'", "store"},
        {"workers: 1", "workers: 2", "workers"},
        {"{workers: 1, store: 'memory:'}", "listen: [{http: 127.0.0.1:1}]",
         "store, workers, listen"},
        {"listen: [{http: 127.0.0.1:1}]", "listen: [{http: 127.0.0.1:2}]", "listen"},
        {"listen: [{http: 127.0.0.1:1}]", "listen: [{resp: 127.0.0.1:1}]", "listen"},
        {"listen: [{http: 127.0.0.1:1}]", "listen: [{http: 127.0.0.2:1}]", "listen"},
        {"listen: [{http: unix:/a}]", "listen: [{http: unix:/b}]", "listen"},
        {"listen: [{http: unix:/a}]", "listen: [{http: unix:/a, mode: 0600}]", "listen"},
        {"listen: [{http: systemd:a}]", "listen: [{http: systemd:b}]", "listen"},
        {"listen: [{http: 127.0.0.1:1}]",
         "listen: [{http: 127.0.0.1:1, tls: {certificate: c, key: k}}]", "listen"},
        {"listen: [{http: 127.0.0.1:1, tls: {certificate: c, key: k}}]",
         "listen: [{http: 127.0.0.1:1, tls: {certificate: c, key: k}}]", ""},
        {"listen: [{http: 127.0.0.1:1, tls: {certificate: c, key: k}}]",
         "listen: [{http: 127.0.0.1:1, tls: {certificate: c, key: k, client_authority: a}}]",
         "listen"},
        {"listen: [{http: 127.0.0.1:1}]",
         "{caps: {idle: 1s}, log: {level: debug}, listen: [{http: 127.0.0.1:1, x_ratelimit: true, "
         "rights: [read], trusted_proxies: ['::1']}]}",
         ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_config *a = read_good(cases[i].a);
        struct weir_config *b = read_good(cases[i].b);
        char text[64];
        weir_config_needs_restart(a, b, text, sizeof(text));
        assert_string_equal(text, cases[i].expected);
        weir_config_needs_restart(b, a, text, sizeof(text));
        assert_string_equal(text, cases[i].expected);
        /* One that is too small is not written past. */
        memset(text, '#', sizeof(text));
        weir_config_needs_restart(a, b, text, 4);
        assert_true(strlen(text) < 4);
        assert_int_equal(text[4], '#');
        weir_config_free(a);
        weir_config_free(b);
    }
}

/* ---- Memory that runs out ---- */

/* An allocator that fails at its `fail_at`-th call and from then on. */
struct failing {
    unsigned calls;
    unsigned fail_at;
    size_t given;
};

static void *failing_allocate(void *context, size_t size, size_t alignment)
{
    struct failing *failing = context;
    void *memory = NULL;
    if (failing->calls++ >= failing->fail_at) {
        return NULL;
    }
    assert_int_equal(
        posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size), 0);
    memset(memory, 0xa5, size);
    failing->given += size;
    return memory;
}

static void failing_release(void *context, void *memory, size_t size)
{
    struct failing *failing = context;
    assert_true(failing->given >= size);
    failing->given -= size;
    free(memory);
}

static void memory_runs_out_at_each_place(void **state)
{
    (void)state;
    const struct texts texts = {
        .files = {{"weir.yaml",
                   "include: i.yaml\n"
                   "x-b: &b {key: ip, cost: 2}\n"
                   "listen: [{http: 127.0.0.1:1, tokens: [{file: t}], trusted_proxies: ['::1']}]\n"
                   "rules:\n"
                   "- {<<: *b, name: '${V}', limit: 1/s, match: {p: {regex: 'a', prefix: b}},\n"
                   "   tiers: {by: x, limits: {a: 2/s}}, overrides: [{key: a, limit: 3/s}], "
                   "allow: [10.0.0.1]}\n",
                   NULL},
                  {"i.yaml", ONE("i"), NULL},
                  {"t", "0123456789abcdef", NULL}},
        .variables = {{"V", "name", NULL}},
    };
    unsigned fail_at = 0;
    enum weir_status status = WEIR_ERR_NO_MEMORY;
    while (status == WEIR_ERR_NO_MEMORY) {
        struct failing failing = {.fail_at = fail_at++};
        const struct weir_allocator allocator = {failing_allocate, failing_release, &failing};
        struct weir_buffer messages = {0};
        struct weir_config *config = NULL;
        status = read_texts_with(&texts, &allocator, &messages, &config);
        assert_int_equal(config != NULL, status == WEIR_OK);
        assert_int_equal(messages.len, 0);
        if (config != NULL) {
            assert_true(config->bytes <= failing.given);
            assert_true(config->bytes > failing.given / 2);
        }
        weir_config_free(config);
        weir_buffer_deinit(&messages);
        assert_int_equal(failing.given, 0);
    }
    assert_int_equal(status, WEIR_OK);
    assert_true(fail_at > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(includes_are_read_in_order_and_once),
        cmocka_unit_test(includes_that_cannot_be),
        cmocka_unit_test(files_have_a_number_and_a_depth),
        cmocka_unit_test(real_files_are_read),
        cmocka_unit_test(a_file_has_a_length),
        cmocka_unit_test(variables_stand_for_texts),
        cmocka_unit_test(variables_that_cannot_be),
        cmocka_unit_test(a_fingerprint_is_of_all_that_was_read),
        cmocka_unit_test(some_things_need_a_restart),
        cmocka_unit_test(memory_runs_out_at_each_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
