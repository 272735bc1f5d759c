/* server_test.c - everything of the server that a file can say: defaults, ranges and what they are
 * called; listeners, tokens and who may ask. */

#include "config/parts.h"
#include "support/fixture.h"
#include "unit/config/config_support.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Defaults ---- */

static void nothing_written_is_a_whole_configuration(void **state)
{
    (void)state;
    struct weir_config *config = read_good("x-nothing: {}");
    assert_string_equal(config->store, "memory:?size=64MiB");
    assert_int_equal(config->workers, 0);
    assert_int_equal(config->timeout_us, 0);
    assert_int_equal(config->listener_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct weir_listener *listener = &config->listeners[i];
        assert_int_equal(listener->protocol, i == 0 ? WEIR_PROTOCOL_HTTP : WEIR_PROTOCOL_RESP);
        assert_string_equal(listener->host, "127.0.0.1");
        assert_int_equal(listener->port, i == 0 ? 8080 : 6380);
        assert_int_equal(listener->rights, WEIR_RIGHTS_ALL);
        assert_int_equal(listener->mode, 0660);
        assert_null(listener->tls);
        assert_int_equal(listener->token_count + listener->trusted_count, 0);
    }
    assert_int_equal(config->caps.connections, 20000);
    assert_int_equal(config->caps.pipeline, 1024);
    assert_int_equal(config->caps.head_bytes, 16384);
    assert_int_equal(config->caps.body_bytes, 1 << 20);
    assert_int_equal(config->caps.output_bytes, 1 << 20);
    assert_int_equal(config->caps.batch, 100);
    assert_int_equal(config->caps.idle_us, 300000000);
    assert_int_equal(config->caps.request_us, 10000000);
    assert_int_equal(config->caps.write_us, 10000000);
    assert_int_equal(config->caps.drain_us, 10000000);
    assert_int_equal(config->caps.hold_us, 5000000);
    assert_int_equal(config->ipv6_prefix, 64);
    assert_true(config->watch && config->ad_hoc && !config->log_json);
    assert_int_equal(config->log_level, WEIR_LOG_INFO);
    assert_int_equal(config->log_denials, 10);
    assert_int_equal(config->top_size, 100);
    assert_int_equal(weir_policy_count(config->policy), 0);
    assert_int_equal(config->file_count, 1);
    assert_string_equal(config->files[0], "weir.yaml");
    assert_true(config->bytes > 1000);
    weir_config_free(config);
}

static void all_of_it_can_be_said(void **state)
{
    (void)state;
    struct weir_config *config = read_good(
        "store: {url: 'redis://h?deadline=20ms', timeout: 50ms}\n"
        "workers: 3\n"
        "caps: {connections: 1, pipeline: 2, head: 2KiB, body: 3KiB, output: 16KiB, batch: 4, "
        "idle: 1m30s, request: 1s, write: 2s, drain: 0, hold: 0s}\n"
        "log: {level: debug, format: json, denials: 0}\n"
        "top: 0\nad_hoc: false\nipv6_prefix: 56\nwatch: false\n");
    assert_string_equal(config->store, "redis://h?deadline=20ms");
    assert_int_equal(config->timeout_us, 50000);
    assert_int_equal(config->workers, 3);
    assert_int_equal(config->caps.connections, 1);
    assert_int_equal(config->caps.pipeline, 2);
    assert_int_equal(config->caps.head_bytes, 2048);
    assert_int_equal(config->caps.body_bytes, 3072);
    assert_int_equal(config->caps.output_bytes, 16384);
    assert_int_equal(config->caps.batch, 4);
    assert_int_equal(config->caps.idle_us, 90000000);
    assert_int_equal(config->caps.request_us, 1000000);
    assert_int_equal(config->caps.write_us, 2000000);
    assert_int_equal(config->caps.drain_us + config->caps.hold_us, 0);
    assert_int_equal(config->ipv6_prefix, 56);
    assert_false(config->watch || config->ad_hoc);
    assert_true(config->log_json);
    assert_int_equal(config->log_level, WEIR_LOG_DEBUG);
    assert_int_equal(config->log_denials + config->top_size, 0);
    weir_config_free(config);
}

/* ---- Ranges ---- */

/* A file in which one key of a form has one value. */
static void write_file(const struct weir_form *form, const struct weir_key *key, const char *value,
                       char *text, size_t size)
{
    if (strcmp(form->name, "top") == 0) {
        (void)snprintf(text, size, "%s: %s\n", key->name, value);
    } else if (strcmp(form->name, "store") == 0) {
        (void)snprintf(text, size, "store: {url: 'memory:', %s: %s}\n", key->name, value);
    } else if (strcmp(form->name, "key_part") == 0) {
        (void)snprintf(text, size, "rules: [{name: a, limit: 1/s, key: {attribute: ip, %s: %s}}]\n",
                       key->name, value);
    } else if (strcmp(form->name, "cost") == 0) {
        (void)snprintf(text, size,
                       "rules: [{name: a, limit: 1/s, key: ip, cost: {from: x, %s: %s}}]\n",
                       key->name, value);
    } else {
        (void)snprintf(text, size, "%s: {%s: %s}\n", form->name, key->name, value);
    }
}

static bool is_read(const char *text)
{
    const struct texts texts = {.files = {{"weir.yaml", text, NULL}}};
    struct weir_config *config = NULL;
    char *messages = NULL;
    const enum weir_status status = read_texts(&texts, false, &messages, &config);
    free(messages);
    weir_config_free(config);
    return status == WEIR_OK;
}

static void try_number(const struct weir_form *form, const struct weir_key *key, int64_t number,
                       bool expected)
{
    const char *unit = key->kind == WEIR_VALUE_DURATION ? "us" : "";
    char value[32];
    char text[256];
    if (number < 0) {
        return;
    }
    (void)snprintf(value, sizeof(value), "%" PRId64 "%s", number,
                   number == 0 && *unit != '\0' ? "s" : unit);
    write_file(form, key, value, text, sizeof(text));
    if (is_read(text) != expected) {
        print_message("%s: expected to be %s\n", text, expected ? "read" : "refused");
        fail();
    }
}

/* By the tables themselves, which the manual's are held to. */
static void every_range_ends_where_it_ends(void **state)
{
    (void)state;
    static const struct weir_form *const forms[] = {&weir_form_top,  &weir_form_store,
                                                    &weir_form_caps, &weir_form_log,
                                                    &weir_form_cost, &weir_form_key_part};
    unsigned tried = 0;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (size_t j = 0; j < forms[i]->count; j++) {
            const struct weir_key *key = &forms[i]->keys[j];
            if (key->kind != WEIR_VALUE_NUMBER && key->kind != WEIR_VALUE_DURATION &&
                key->kind != WEIR_VALUE_SIZE) {
                continue;
            }
            try_number(forms[i], key, key->least - 1, false);
            try_number(forms[i], key, key->least, true);
            try_number(forms[i], key, key->most, true);
            try_number(forms[i], key, key->most + 1, false);
            tried++;
        }
    }
    assert_int_equal(tried, 20);
}

/* ---- Listeners ---- */

static void listeners_are_where_they_say(void **state)
{
    (void)state;
    struct weir_config *config = read_good("listen:\n"
                                           "- http: 127.0.0.1:0\n"
                                           "  x_ratelimit: true\n"
                                           "  trusted_proxies: [10.0.0.0/8, '::1', 192.0.2.7]\n"
                                           "- resp: '[::1]:65535'\n"
                                           "- http: unix:/run/weir.sock\n"
                                           "  mode: 0600\n"
                                           "- resp: systemd:weir\n"
                                           "  rights: [decide, read]\n"
                                           "- http: 0.0.0.0:80\n"
                                           "  insecure: true\n");
    const struct weir_listener *l = config->listeners;
    assert_int_equal(config->listener_count, 5);
    assert_string_equal(l[0].host, "127.0.0.1");
    assert_true(l[0].port == 0 && l[0].x_ratelimit);
    assert_int_equal(l[0].trusted_count, 3);
    assert_int_equal(l[0].origin.line, 2);
    assert_int_equal(l[0].origin.column, 3);
    assert_true(weir_network_holds(l[0].trusted, 3, weir_text("10.255.0.1")));
    assert_true(weir_network_holds(l[0].trusted, 3, weir_text("::ffff:10.0.0.1")));
    assert_true(weir_network_holds(l[0].trusted, 3, weir_text("::1")));
    assert_true(weir_network_holds(l[0].trusted, 3, weir_text("192.0.2.7")));
    assert_false(weir_network_holds(l[0].trusted, 3, weir_text("11.0.0.1")));
    assert_false(weir_network_holds(l[0].trusted, 3, weir_text("::2")));
    assert_false(weir_network_holds(l[0].trusted, 3, weir_text("192.0.2.6")));
    assert_false(weir_network_holds(l[0].trusted, 3, weir_text("localhost")));
    assert_false(weir_network_holds(l[0].trusted, 0, weir_text("::1")));
    assert_string_equal(l[1].host, "::1");
    assert_int_equal(l[1].port, 65535);
    assert_string_equal(l[2].path, "/run/weir.sock");
    assert_int_equal(l[2].mode, 0600);
    assert_null(l[2].host);
    assert_string_equal(l[3].systemd, "weir");
    assert_int_equal(l[3].rights, WEIR_RIGHT_DECIDE | WEIR_RIGHT_READ);
    assert_true(l[4].insecure);
    weir_config_free(config);
}

static void networks_have_bits(void **state)
{
    (void)state;
    struct weir_config *config =
        read_good("listen: [{http: 127.0.0.1:1, trusted_proxies: [10.128.0.0/9, 2001:db8::/33]}]");
    const struct weir_network *networks = config->listeners[0].trusted;
    assert_true(weir_network_holds(networks, 2, weir_text("10.255.255.255")));
    assert_false(weir_network_holds(networks, 2, weir_text("10.127.255.255")));
    assert_true(weir_network_holds(networks, 2, weir_text("2001:db8:7fff::1")));
    assert_false(weir_network_holds(networks, 2, weir_text("2001:db8:8000::1")));
    weir_config_free(config);
}

#define ADDRESS                                                                  \
    "expected ADDRESS:PORT, as 127.0.0.1:8080 or [::1]:8080; all addresses are " \
    "0.0.0.0:8080 or [::]:8080\n"
#define OPEN                                                                            \
    "this is not only for this machine: write tokens or tls with client_authority, or " \
    "insecure: true if anybody may ask\n"

static void listeners_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } refusals[] = {
        {"listen: []", "1:9: listen: expected 1 to 32 listeners\n"},
        {"listen: [{}]",
         "1:10: a listener needs one of 'http', 'resp' and 'grpc', as http: 127.0.0.1:8080\n"},
        {"listen: [{http: '127.0.0.1:1', resp: '127.0.0.1:2'}]",
         "1:10: a listener needs one of 'http', 'resp' and 'grpc', as http: 127.0.0.1:8080\n"},
        {"listen: [127.0.0.1:1]", "1:10: a listener: expected a mapping, its keys each on a line "
                                  "as 'http: ...', or in { }\n"},
        {"listen: [{http: 8080}]", "1:17: " ADDRESS},
        {"listen: [{http: ':8080'}]", "1:17: " ADDRESS},
        {"listen: [{http: [a]}]", "1:17: an address: expected one value, not a list\n"},
        {"listen: [{http: 127.0.0.1:1, trusted_proxies: [[a]]}]",
         "1:48: trusted_proxies: expected one value, not a list\n"},
        {"listen: [{http: '::1:8080'}]", "1:17: " ADDRESS},
        {"listen: [{http: 'localhost:8080'}]", "1:17: expected an address as digits, not a name: "
                                               "127.0.0.1:8080 or [::1]:8080\n"},
        {"listen: [{http: '127.0.0.1:65536'}]",
         "1:17: expected a port from 1 to 65535, or 0 for one that is free\n"},
        {"listen: [{http: '127.0.0.1:'}]",
         "1:17: expected a port from 1 to 65535, or 0 for one that is free\n"},
        {"listen: [{http: 'unix:weir'}]",
         "1:17: expected an absolute path, as unix:/run/weir/http.sock\n"},
        {"listen: [{http: 'systemd:'}]",
         "1:17: expected a path of 1 to 107 bytes, as unix:/run/weir/http.sock, or the name of a "
         "systemd socket of at most 255, as systemd:http\n"},
        {"listen: [{http: 'systemd:/a'}]", "1:17: expected the name of a systemd socket "
                                           "(FileDescriptorName=), as systemd:http\n"},
        {"listen: [{http: 'unix:/a', mode: 660}]",
         "1:34: mode: expected a file's mode in octal from 0000 to 0777, as \"0660\", not '660'\n"},
        {"listen: [{http: 'unix:/a', mode: 01000}]",
         "1:34: mode: expected a file's mode in octal from 0000 to 0777, as \"0660\", not "
         "'01000'\n"},
        {"listen: [{http: '127.0.0.1:1', mode: 0600}]",
         "1:38: mode: only of a unix socket, as unix:/run/weir.sock\n"},
        {"listen: [{http: 'unix:/a', tls: {certificate: c, key: k}}]",
         "1:33: tls: not of a unix socket, whose mode says who may\n"},
        {"listen: [{http: '127.0.0.1:1', tls: {certificate: c}}]", "1:37: tls needs 'key'\n"},
        {"listen: [{resp: '127.0.0.1:1', trusted_proxies: '::1', x_ratelimit: true}]",
         "1:10: x_ratelimit: only of an http listener\n"
         "1:49: trusted_proxies: only of an http listener\n"},
        {"listen: [{http: '127.0.0.1:1', trusted_proxies: [10.1.0.0/8, x, 1.2.3.4/33]}]",
         "1:50: '10.1.0.0/8' has bits set past its prefix; write 10.0.0.0/8\n"
         "1:62: expected a network, as 10.0.0.0/8 or ::1, not 'x'\n"
         "1:65: expected a network, as 10.0.0.0/8 or ::1, not '1.2.3.4/33'\n"},
        {"listen:\n- http: 127.0.0.1:1\n- resp: 127.0.0.1:1\n",
         "3:3: this is where the listener of line 2 listens already\n"},
        {"listen: [{http: '127.0.0.1:1', rights: [reed]}]",
         "1:41: rights: expected decide, read or administer, not 'reed'\n"},
        /* Who may ask. */
        {"listen: [{http: '0.0.0.0:1'}]", "1:10: " OPEN},
        {"listen: [{http: '[::]:1'}]", "1:10: " OPEN},
        {"listen: [{http: '192.0.2.1:1', tls: {certificate: c, key: k}}]", "1:10: " OPEN},
        {"listen: [{http: '192.0.2.1:1', rights: [read]}]", "1:10: " OPEN},
        {"listen: [{http: '128.0.0.1:1'}]", "1:10: " OPEN},
        {"listen: [{http: 'unix:/a', mode: 0666}]",
         "1:10: others on this machine may write to this socket: write tokens, or mode: \"0660\", "
         "or insecure: true if anybody may ask\n"},
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        read_bad(refusals[i].text, refusals[i].expected);
    }
}

static void what_is_not_for_all_is_fine(void **state)
{
    (void)state;
    static const char *const good[] = {
        "listen: [{http: '127.255.0.1:1'}]",
        "listen: [{http: '[::ffff:127.0.0.1]:1'}]",
        "listen: [{http: '192.0.2.1:1', tls: {certificate: c, key: k, client_authority: a}}]",
        "listen: [{http: '192.0.2.1:1', rights: []}]",
        "listen: [{http: 'unix:/a', mode: 0666, insecure: true}]",
        "listen: [{http: 'unix:/a', mode: '0662', rights: []}]",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        weir_config_free(read_good(good[i]));
    }
}

static void listeners_have_a_number(void **state)
{
    (void)state;
    for (unsigned count = 32; count <= 33; count++) {
        struct weir_buffer text = {0};
        weir_buffer_put_text(&text, "listen:\n");
        for (unsigned i = 0; i < count; i++) {
            weir_buffer_put_text(&text, "- http: 127.0.0.1:0\n");
        }
        weir_buffer_put(&text, weir_bytes("", 1));
        if (count == 32) {
            weir_config_free(read_good(text.bytes));
        } else {
            read_bad(text.bytes, "2:1: listen: expected 1 to 32 listeners\n");
        }
        weir_buffer_deinit(&text);
    }
}

/* ---- Tokens ---- */

#define SECRET "0123456789abcdef"

static void tokens_come_from_elsewhere(void **state)
{
    (void)state;
    const struct texts texts = {
        .files = {{"weir.yaml",
                   "listen:\n"
                   "- http: 0.0.0.0:1\n"
                   "  tokens:\n"
                   "  - {name: ops, file: ops.token, rights: [decide, read, administer]}\n"
                   "  - {env: TOKEN}\n"
                   "  rights: []\n",
                   NULL},
                  {"ops.token", SECRET "-of-ops\r\nmore\n", NULL}},
        .variables = {{"TOKEN", SECRET, NULL}},
    };
    struct weir_config *config = NULL;
    char *messages = NULL;
    assert_int_equal(read_texts(&texts, false, &messages, &config), WEIR_OK);
    assert_string_equal(messages, "");
    const struct weir_listener *listener = &config->listeners[0];
    assert_int_equal(listener->token_count, 2);
    assert_string_equal(listener->tokens[0].name, "ops");
    assert_string_equal(listener->tokens[0].secret, SECRET "-of-ops");
    assert_int_equal(listener->tokens[0].rights, WEIR_RIGHTS_ALL);
    assert_string_equal(listener->tokens[1].name, "");
    assert_string_equal(listener->tokens[1].secret, SECRET);
    assert_int_equal(listener->tokens[1].rights, WEIR_RIGHT_DECIDE);
    assert_int_equal(listener->rights, 0);
    assert_int_equal(config->file_count, 2);
    assert_string_equal(config->files[1], "ops.token");
    free(messages);
    weir_config_free(config);
}

static void a_token_without_tls_is_warned_of(void **state)
{
    (void)state;
    const struct texts texts = {
        .files = {{"weir.yaml", "listen: [{http: 0.0.0.0:1, tokens: [{env: TOKEN}]}]", NULL}},
        .variables = {{"TOKEN", SECRET, NULL}},
    };
    expect_messages(&texts, true, WEIR_OK,
                    "weir.yaml:1:10: warning: tokens go over the network in clear here; write "
                    "tls\n");
    expect_messages(&texts, false, WEIR_OK, "");
}

static void tokens_that_cannot_be(void **state)
{
    (void)state;
    const char *const bad = "a secret has 16 to 1024 letters, digits and signs, without blanks; "
                            "as `openssl rand -hex 32` makes one";
    static const struct {
        const char *token;
        const char *expected;
    } refusals[] = {
        {"{}", "1:39: error: a token needs either 'file' or 'env', where its secret is"},
        {"{file: good, env: GOOD}",
         "1:39: error: a token needs either 'file' or 'env', where its secret is"},
        {"{secret: x}", "1:40: error: unknown key 'secret'; a token has name, file, env, rights"},
        {"{file: none}", "1:46: error: file: none can't be read: no such text"},
        {"{env: NONE}", "1:45: error: env: the variable NONE is not set"},
        {"{name: 'a b', env: GOOD}",
         "1:46: error: name: at most 128 letters, digits and signs, without blanks"},
        {"{file: short}", NULL},
        {"{file: blank}", NULL},
        {"{file: long}", NULL},
        {"{file: empty}", NULL},
    };
    char text[256];
    char expected[512];
    char longest[1026];
    memset(longest, 'x', sizeof(longest));
    longest[1025] = '\0';
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        (void)snprintf(text, sizeof(text), "listen: [{http: 127.0.0.1:1, tokens: [%s]}]",
                       refusals[i].token);
        (void)snprintf(expected, sizeof(expected), "weir.yaml:%s%s\n",
                       refusals[i].expected != NULL ? refusals[i].expected : "1:46: error: ",
                       refusals[i].expected != NULL ? "" : bad);
        const struct texts texts = {
            .files = {{"weir.yaml", text, NULL},
                      {"good", SECRET, NULL},
                      {"short", "0123456789abcde\n", NULL},
                      {"blank", "01234567 89abcdef", NULL},
                      {"long", longest, NULL},
                      {"empty", "", NULL}},
            .variables = {{"GOOD", SECRET, NULL}},
        };
        expect_messages(&texts, false, WEIR_ERR_ARGUMENT, expected);
    }
    longest[1024] = '\0';
    const struct texts fits = {
        .files = {{"weir.yaml", "listen: [{http: 127.0.0.1:1, tokens: [{file: long}]}]", NULL},
                  {"long", longest, NULL}}};
    expect_messages(&fits, false, WEIR_OK, "");
}

static void tokens_have_a_number(void **state)
{
    (void)state;
    for (unsigned count = 64; count <= 65; count++) {
        struct weir_buffer text = {0};
        weir_buffer_put_text(&text, "listen:\n- http: 127.0.0.1:0\n  tokens:\n");
        for (unsigned i = 0; i < count; i++) {
            weir_buffer_put_text(&text, "  - env: T\n");
        }
        weir_buffer_put(&text, weir_bytes("", 1));
        const struct texts texts = {.files = {{"weir.yaml", text.bytes, NULL}},
                                    .variables = {{"T", SECRET, NULL}}};
        expect_messages(&texts, false, count == 64 ? WEIR_OK : WEIR_ERR_ARGUMENT,
                        count == 64 ? ""
                                    : "weir.yaml:4:3: error: a listener has at most 64 tokens\n");
        weir_buffer_deinit(&text);
    }
}

static void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* The real files: relative to the configuration's folder, and not for everybody's eyes. */
static void a_token_that_all_may_read_is_warned_of(void **state)
{
    (void)state;
    const struct fixture_folder folder = fixture_folder_make();
    char path[128];
    char expected[512];
    (void)snprintf(path, sizeof(path), "%s/weir.yaml", folder.path);
    write_text(fixture_path(&folder, "t"), SECRET "\n", 0644);
    write_text(path, "listen: [{http: 127.0.0.1:1, tokens: [{file: t}]}]", 0600);
    (void)snprintf(expected, sizeof(expected),
                   "%s:1:46: warning: everybody on this machine may read %s/t: chmod o-r\n", path,
                   folder.path);
    for (unsigned i = 0; i < 2; i++) {
        struct weir_buffer messages = {0};
        struct weir_config *config = NULL;
        assert_int_equal(weir_config_read(path, false, &messages, &config), WEIR_OK);
        weir_buffer_put(&messages, weir_bytes("", 1));
        assert_string_equal(messages.bytes, i == 0 ? expected : "");
        assert_string_equal(config->listeners[0].tokens[0].secret, SECRET);
        weir_buffer_deinit(&messages);
        weir_config_free(config);
        assert_int_equal(chmod(fixture_path(&folder, "t"), 0640), 0);
    }
    fixture_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_written_is_a_whole_configuration),
        cmocka_unit_test(all_of_it_can_be_said),
        cmocka_unit_test(every_range_ends_where_it_ends),
        cmocka_unit_test(listeners_are_where_they_say),
        cmocka_unit_test(networks_have_bits),
        cmocka_unit_test(listeners_that_cannot_be),
        cmocka_unit_test(what_is_not_for_all_is_fine),
        cmocka_unit_test(listeners_have_a_number),
        cmocka_unit_test(tokens_come_from_elsewhere),
        cmocka_unit_test(a_token_without_tls_is_warned_of),
        cmocka_unit_test(tokens_that_cannot_be),
        cmocka_unit_test(tokens_have_a_number),
        cmocka_unit_test(a_token_that_all_may_read_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
