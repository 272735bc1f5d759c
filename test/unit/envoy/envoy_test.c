/* envoy_test.c - envoyproxy/ratelimit's files and environment: what they come to, and everything
 * that is wrong with them, where it stands. */

#include "envoy/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/fixture.h"

/* ---- Files --------------------------------------------------------------------------------- */

struct scene {
    struct fixture_folder folder;
    struct weir_buffer messages;
    struct weir_config *config;
    enum weir_status status;
};

static void write_file(const struct scene *scene, const char *name, const char *text)
{
    FILE *file = fopen(fixture_path(&scene->folder, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void read_folder(struct scene *scene)
{
    weir_buffer_clear(&scene->messages);
    scene->status = weir_envoy_read(scene->folder.path, &scene->messages, &scene->config);
    weir_buffer_put(&scene->messages, weir_bytes("", 1));
}

static struct scene scene_of(const char *text)
{
    struct scene scene = {.folder = fixture_folder_make()};
    write_file(&scene, "a.yaml", text);
    read_folder(&scene);
    return scene;
}

static void scene_end(struct scene *scene)
{
    weir_config_free(scene->status == WEIR_OK ? scene->config : NULL);
    weir_buffer_deinit(&scene->messages);
    fixture_folder_remove(&scene->folder);
}

static void assert_messages(const struct scene *scene, const char *expected)
{
    if (strstr(scene->messages.bytes, expected) == NULL) {
        fail_msg("'%s' is not in:\n%s", expected, scene->messages.bytes);
    }
}

#define RULES                                                                                      \
    "domain: web\n"                                                                                \
    "atomic: yes\n"                                                                                \
    "descriptors:\n"                                                                               \
    "  - key: path\n"                                                                              \
    "    value: /login\n"                                                                          \
    "    shadow_mode: true\n"                                                                      \
    "    rate_limit: {unit: MINUTE, requests_per_unit: 3, name: login}\n"                          \
    "    descriptors:\n"                                                                           \
    "      - key: user\n"                                                                          \
    "        quota_mode: on\n"                                                                     \
    "        detailed_metric: true\n"                                                              \
    "        value_to_metric: true\n"                                                              \
    "        rate_limit: {unit: month, requests_per_unit: 1_000, replaces: [{name: login}]}\n"     \
    "        metadata: {team: '${TEAM}', n: 3, f: 1.5, l: [yes, ~, 'no']}\n"                       \
    "  - {key: file, value: /a/*, share_threshold: true, rate_limit: {unlimited: true}}\n"         \
    "  - {key: none, rate_limit: {unit: day, requests_per_unit: 0}}\n"                             \
    "  - {key: bucket, rate_limit: {unit: second, requests_per_unit: 5, algorithm: token-bucket, " \
    "burst: 9, block: 10s, on_error: deny}}\n"

static void a_file_is_rules(void **state)
{
    (void)state;
    struct scene scene = scene_of(RULES);
    assert_string_equal(scene.messages.bytes, "");
    assert_int_equal(scene.status, WEIR_OK);
    struct weir_buffer dump = {0};
    weir_rls_policy_dump(scene.config->rls, &dump);
    weir_buffer_put(&dump, weir_bytes("", 1));
    assert_string_equal(
        dump.bytes,
        "web.path_/login: unit=MINUTE requests_per_unit=3, shadow_mode: true, quota_mode: false\n"
        "web.path_/login.user: unit=MONTH requests_per_unit=1000, shadow_mode: false, "
        "quota_mode: true\n"
        "web.file_/a/*: unit=UNKNOWN requests_per_unit=0, shadow_mode: false, quota_mode: false\n"
        "web.none: unit=DAY requests_per_unit=0, shadow_mode: false, quota_mode: false\n"
        "web.bucket: unit=SECOND requests_per_unit=5, shadow_mode: false, quota_mode: false\n");
    weir_buffer_deinit(&dump);
    static const char *const limits[] = {"3/m calendar-window epoch",
                                         "1000/30d calendar-window epoch", NULL, NULL,
                                         "5/s burst 9 block 10s"};
    for (size_t i = 0; i < 5; i++) {
        const struct weir_rls_node_spec *spec = weir_rls_policy_rule(scene.config->rls, i)->spec;
        char text[WEIR_TEXT_MAX] = "";
        assert_int_equal(spec->limit == NULL, limits[i] == NULL);
        if (spec->limit != NULL) {
            assert_int_equal(weir_limit_format(spec->limit, text, sizeof(text), NULL), WEIR_OK);
            assert_string_equal(text, limits[i]);
        }
    }
    const struct weir_rls_node_spec *user = weir_rls_policy_rule(scene.config->rls, 1)->spec;
    assert_true(user->detailed_metric && user->value_to_metric);
    assert_int_equal(user->replaces_count, 1);
    assert_int_equal(user->metadata->count, 4);
    assert_memory_equal(user->metadata->values[0].text.ptr, "${TEAM}", 7);
    assert_true(user->metadata->values[2].number == 1.5);
    assert_int_equal(user->metadata->values[3].values[0].kind, WEIR_RLS_BOOLEAN);
    assert_int_equal(user->metadata->values[3].values[1].kind, WEIR_RLS_NULL);
    assert_int_equal(user->metadata->values[3].values[2].kind, WEIR_RLS_TEXT);
    assert_true(weir_rls_policy_rule(scene.config->rls, 2)->spec->share_threshold);
    assert_int_equal(scene.config->file_count, 1);
    assert_int_equal(scene.config->folder_count, 1);
    scene_end(&scene);
}

#define LIMIT(text) "domain: d\ndescriptors:\n  - key: k\n    rate_limit: {" text "}\n"
#define DESCRIPTOR(text) "domain: d\ndescriptors:\n  - {" text "}\n"

static void what_is_wrong_is_said_where_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"descriptors: []\n", ":1:1: error: domain is missing"},
        {"domain: ''\n", ":1:1: error: domain is missing"},
        {"- a\n", ":1:1: error: expected the file's top"},
        {"domian: d\n", ":1:1: error: there is no key 'domian' in the file's top; did you mean "
                        "'domain'?"},
        {DESCRIPTOR("value: v"), ":3:5: error: a descriptor needs a key"},
        {DESCRIPTOR("key: k, nonsense: 1"), ":3:14: error: there is no key 'nonsense'"},
        {DESCRIPTOR("key: k, value: 1.5"), ":3:21: error: value: 1.5 is a fraction to YAML"},
        {DESCRIPTOR("key: 2026-11-24"), ":3:11: error: key: 2026-11-24 is a time to YAML"},
        {DESCRIPTOR("key: k, shadow_mode: maybe"), ":3:27: error: shadow_mode: expected true or "
                                                   "false, not 'maybe'"},
        {DESCRIPTOR("key: k, share_threshold: true"), ":3:31: error: share_threshold: only of"},
        {DESCRIPTOR("key: k, value: v}\n  - {key: k, value: v"),
         ":4:5: error: the descriptor of key 'k' and value 'v' is there twice; see line 3"},
        {DESCRIPTOR("key: k, metadata: 5"), ":3:24: error: metadata: expected a mapping"},
        {"domain: d\ndescriptors: {}\n", ":2:14: error: descriptors: expected a list"},
        {"domain: d\ndescriptors: [5]\n", ":2:15: error: expected a descriptor"},
        {LIMIT("requests_per_unit: 1"), ":4:17: error: unit is missing"},
        {LIMIT("unit: decade, requests_per_unit: 1"),
         ":4:24: error: unit: expected second, minute, hour, day, week, month or year, not "
         "'decade'"},
        {LIMIT("unit: day, unlimited: true"), ":4:24: error: unit: what is unlimited has none"},
        {LIMIT("unit: day, requests_per_unit: -1"),
         ":4:48: error: requests_per_unit: expected a whole number of 0 to 4294967295, not '-1'"},
        {LIMIT("unit: day, requests_per_unit: 4294967296"), "not '4294967296'"},
        {LIMIT("unit: day, requests_per_unit: '5'"), "not '5'"},
        {LIMIT("unit: day, requests_per_unit: 1e3"), "is a fraction to YAML"},
        {LIMIT("unit: day, requests_per_unit: 1, name: a, replaces: [{name: a}]"),
         "error: replaces: a rule can't replace itself"},
        {LIMIT("unit: day, requests_per_unit: 1, replaces: [{}]"),
         "error: replaces: an entry needs the name of a rule"},
        {LIMIT("unit: day, requests_per_unit: 1, algorithm: magic"),
         "error: algorithm: expected one of token-bucket, leaky-bucket, fixed-window, "
         "calendar-window, sliding-window, sliding-log"},
        {LIMIT("unit: second, requests_per_unit: 1, algorithm: calendar-window"),
         "error: algorithm: the calendar has no window of a second"},
        {LIMIT("unit: day, requests_per_unit: 1, burst: 5"), "error: rate_limit: "},
        {LIMIT("unit: day, requests_per_unit: 10001, algorithm: sliding-log"),
         "error: rate_limit: "},
        {LIMIT("unit: day, requests_per_unit: 1, on_error: shrug"),
         "error: on_error: expected one of default, deny, allow, local"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene scene = scene_of(cases[i].text);
        assert_int_equal(scene.status, WEIR_ERR_ARGUMENT);
        assert_messages(&scene, cases[i].message);
        scene_end(&scene);
    }
}

static void all_that_is_wrong_is_said_at_once(void **state)
{
    (void)state;
    struct scene scene = scene_of("domain: d\ndescriptors:\n  - {key: '', shadow_mode: 5}\n"
                                  "  - {key: k, rate_limit: {unit: x, requests_per_unit: y}}\n");
    assert_messages(&scene, ":3:5: error: a descriptor needs a key");
    assert_messages(&scene, ":3:28: error: shadow_mode");
    assert_messages(&scene, ":4:33: error: unit");
    assert_messages(&scene, ":4:55: error: requests_per_unit");
    scene_end(&scene);
}

/* As go-yaml reads them. */
static void yaml_means_what_it_meant(void **state)
{
    (void)state;
    struct scene scene = scene_of(
        "domain: 5\ndescriptors:\n"
        "  - {key: no, value: 010, rate_limit: {unit: day, requests_per_unit: 010}}\n"
        "  - {key: k, unit: day, value: ~, rate_limit: {unit: day, requests_per_unit: 0x10}}\n"
        "  - {key: nothing, rate_limit: ~, descriptors: ~}\n");
    assert_int_equal(scene.status, WEIR_OK);
    assert_messages(&scene, ":4:14: warning: 'unit' means nothing in a descriptor");
    struct weir_buffer dump = {0};
    weir_rls_policy_dump(scene.config->rls, &dump);
    weir_buffer_put(&dump, weir_bytes("", 1));
    assert_non_null(strstr(dump.bytes, "5.no_010: unit=DAY requests_per_unit=8,"));
    assert_non_null(strstr(dump.bytes, "5.k: unit=DAY requests_per_unit=16,"));
    weir_buffer_deinit(&dump);
    scene_end(&scene);
}

static void a_domain_is_in_one_file_or_merged(void **state)
{
    (void)state;
    struct scene scene = {.folder = fixture_folder_make()};
    write_file(&scene, "a.yaml", DESCRIPTOR("key: a, rate_limit: {unlimited: true}"));
    write_file(&scene, "b.yaml", DESCRIPTOR("key: b, rate_limit: {unlimited: true}"));
    write_file(&scene, ".hidden", "this is no configuration: [");
    read_folder(&scene);
    assert_int_equal(scene.status, WEIR_ERR_ARGUMENT);
    assert_messages(&scene, "b.yaml:1:9: error: domain: another file has the domain 'd' already");
    (void)setenv("MERGE_DOMAIN_CONFIG", "true", 1);
    read_folder(&scene);
    assert_int_equal(scene.status, WEIR_OK);
    assert_int_equal(weir_rls_policy_count(scene.config->rls), 2);
    assert_int_equal(scene.config->file_count, 2);
    weir_config_free(scene.config);
    write_file(&scene, "b.yaml", DESCRIPTOR("key: a"));
    read_folder(&scene);
    assert_int_equal(scene.status, WEIR_ERR_ARGUMENT);
    assert_messages(&scene, "b.yaml:3:5: error: the descriptor of key 'a' and value '' is there "
                            "twice; see line 3 of the other file");
    (void)unsetenv("MERGE_DOMAIN_CONFIG");
    scene_end(&scene);
}

static void there_has_to_be_a_folder(void **state)
{
    (void)state;
    struct scene scene = {.folder = fixture_folder_make()};
    struct weir_buffer messages = {0};
    struct weir_config *config;
    assert_int_equal(weir_envoy_read(fixture_path(&scene.folder, "none"), &messages, &config),
                     WEIR_ERR_ARGUMENT);
    weir_buffer_put(&messages, weir_bytes("", 1));
    assert_non_null(strstr(messages.bytes, "is no folder that can be read"));
    weir_buffer_deinit(&messages);
    scene_end(&scene);
}

/* ---- The environment ----------------------------------------------------------------------- */

struct variable {
    const char *name;
    const char *value;
};

#define VARIABLES_MAX 8

static const char *look_up(void *context, const char *name)
{
    const struct variable *variables = context;
    for (size_t i = 0; i < VARIABLES_MAX && variables[i].name != NULL; i++) {
        if (strcmp(variables[i].name, name) == 0) {
            return variables[i].value;
        }
    }
    return NULL;
}

struct said {
    struct weir_buffer config;
    struct weir_buffer messages;
    struct weir_envoy_settings settings;
};

static struct said say(const struct variable *variables)
{
    struct said said = {.settings = {.merge_domains = false}};
    const struct weir_config_source source = {.environment = look_up,
                                              .context = (void *)(uintptr_t)variables};
    weir_envoy_variables(&source, &said.config, &said.messages, &said.settings);
    weir_buffer_put(&said.config, weir_bytes("", 1));
    weir_buffer_put(&said.messages, weir_bytes("", 1));
    return said;
}

static void said_end(struct said *said)
{
    weir_buffer_deinit(&said->config);
    weir_buffer_deinit(&said->messages);
    weir_buffer_deinit(&said->settings.folder);
}

static void nothing_set_is_loopback_and_memory(void **state)
{
    (void)state;
    const struct variable none[VARIABLES_MAX] = {{NULL, NULL}};
    struct said said = say(none);
    assert_string_equal(said.messages.bytes, "");
    assert_string_equal(said.config.bytes, "listen:\n"
                                           "  - grpc: \"127.0.0.1:8081\"\n    rights: [decide]\n"
                                           "  - http: \"127.0.0.1:8080\"\n    rights: [decide]\n"
                                           "  - http: \"127.0.0.1:6070\"\n    rights: [read]\n"
                                           "log: {level: warning, format: text}\n");
    assert_string_equal(said.settings.folder.bytes, "/srv/runtime_data/current/config");
    assert_false(said.settings.failed || said.settings.rls.headers);
    assert_true(said.settings.rls.near_limit_ratio == 0.8);
    said_end(&said);
}

static void variables_are_honoured(void **state)
{
    (void)state;
    static const struct {
        struct variable set[VARIABLES_MAX];
        const char *config;
    } cases[] = {
        {{{"GRPC_HOST", "::"}, {"GRPC_PORT", "1"}},
         "  - grpc: \"[::]:1\"\n    rights: [decide]\n    insecure: true\n"},
        {{{"GRPC_UDS", "/run/x.sock"}},
         "  - grpc: \"unix:/run/x.sock\"\n    rights: [decide]\n    insecure: true\n"},
        {{{"GRPC_HOST", "::"}, {"GRPC_PORT", "9"}},
         "  - grpc: \"[::]:9\"\n    rights: [decide]\n    insecure: true\n"
         "  - grpc: \"0.0.0.0:9\"\n    rights: [decide]\n    insecure: true\n"},
        {{{"HOST", "localhost"}, {"PORT", "0"}}, "  - http: \"127.0.0.1:0\"\n"},
        {{{"GRPC_SERVER_USE_TLS", "true"},
          {"GRPC_SERVER_TLS_CERT", "/c"},
          {"GRPC_SERVER_TLS_KEY", "/k\"${X}"},
          {"GRPC_CLIENT_TLS_CACERT", "/a"}},
         "    tls:\n      certificate: \"/c\"\n      key: \"/k\\\"$${X}\"\n"
         "      client_authority: \"/a\"\n"},
        {{{"LOG_LEVEL", "WARN"}, {"LOG_FORMAT", "json"}}, "log: {level: warning, format: json}\n"},
        {{{"USE_PROMETHEUS", "true"}}, "  - http: \"127.0.0.1:9090\"\n    rights: [read]\n"},
        {{{"USE_PROMETHEUS", "true"}, {"PROMETHEUS_ADDR", "0.0.0.0:9"}},
         "  - http: \"0.0.0.0:9\"\n    rights: [read]\n    insecure: true\n"},
        {{{"REDIS_URL", "redis:6379"}, {"REDIS_SOCKET_TYPE", "tcp"}},
         "store: {url: \"redis://redis:6379\", timeout: 50ms}\n"},
        {{{"REDIS_URL", "h:1"}, {"REDIS_AUTH", "p@:w"}, {"REDIS_TIMEOUT", "1.5s"}},
         "store: {url: \"redis://p%40:w@h:1\", timeout: 1500ms}\n"},
        {{{"REDIS_URL", "h:1"}, {"REDIS_AUTH", "p@w"}},
         "store: {url: \"redis://:p%40w@h:1\", timeout: 50ms}\n"},
        {{{"REDIS_URL", "/run/r.sock"}},
         "store: {url: \"redis+unix:///run/r.sock\", timeout: 50ms}\n"},
        {{{"REDIS_URL", "h:1"}, {"REDIS_TLS", "true"}, {"REDIS_TLS_CACERT", "/a"}},
         "store: {url: \"rediss://h:1?ca=/a\", timeout: 50ms}\n"},
        {{{"REDIS_URL", "rediss://h:1"}}, "store: {url: \"rediss://h:1\", timeout: 50ms}\n"},
        {{{"REDIS_TYPE", "sentinel"}, {"REDIS_URL", "main,a:1,b:2"}, {"REDIS_SENTINEL_AUTH", "x"}},
         "store: {url: "
         "\"redis+sentinel://a:1,b:2/main?sentinel_password_env=REDIS_SENTINEL_AUTH\", timeout: "
         "50ms}\n"},
        {{{"REDIS_TYPE", "CLUSTER"}, {"REDIS_URL", "a:1,b:2"}},
         "store: {url: \"redis+cluster://a:1,b:2\", timeout: 50ms}\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct said said = say(cases[i].set);
        assert_string_equal(said.messages.bytes, "");
        if (strstr(said.config.bytes, cases[i].config) == NULL) {
            fail_msg("case %zu:\n%s", i, said.config.bytes);
        }
        said_end(&said);
    }
}

static void settings_are_honoured(void **state)
{
    (void)state;
    const struct variable set[VARIABLES_MAX] = {{"SHADOW_MODE", "T"},
                                                {"QUOTA_MODE", "1"},
                                                {"RESPONSE_DYNAMIC_METADATA", "True"},
                                                {"LIMIT_RESPONSE_HEADERS_ENABLED", "true"},
                                                {"LIMIT_RESET_HEADER", "x-r"},
                                                {"NEAR_LIMIT_RATIO", "0.5"},
                                                {"CACHE_KEY_PREFIX", "p"},
                                                {"RUNTIME_SUBDIRECTORY", "ratelimit"}};
    struct said said = say(set);
    const struct weir_rls_settings *rls = &said.settings.rls;
    assert_string_equal(said.messages.bytes, "");
    assert_true(rls->shadow_mode && rls->quota_mode && rls->dynamic_metadata && rls->headers);
    assert_string_equal(rls->reset_header.ptr, "x-r");
    assert_string_equal(rls->limit_header.ptr, "RateLimit-Limit");
    assert_string_equal(rls->key_prefix.ptr, "p");
    assert_true(rls->near_limit_ratio == 0.5);
    assert_string_equal(said.settings.folder.bytes, "/srv/runtime_data/current/ratelimit/config");
    said_end(&said);
}

static void wrong_variables_are_named(void **state)
{
    (void)state;
    static const struct {
        struct variable set;
        const char *message;
    } cases[] = {
        {{"PORT", "abc"}, "error: PORT: expected a port, 0 to 65535, not 'abc'"},
        {{"PORT", "65536"}, "error: PORT: expected a port"},
        {{"SHADOW_MODE", "yes"}, "error: SHADOW_MODE: expected true or false, not 'yes'"},
        {{"LOG_LEVEL", "loud"}, "error: LOG_LEVEL: expected debug"},
        {{"LOG_FORMAT", "xml"}, "error: LOG_FORMAT: expected text or json"},
        {{"NEAR_LIMIT_RATIO", "2"}, "error: NEAR_LIMIT_RATIO: expected a number of 0 to 1"},
        {{"NEAR_LIMIT_RATIO", "x"}, "error: NEAR_LIMIT_RATIO: expected a number of 0 to 1"},
        {{"BACKEND_TYPE", "memcache"}, "error: BACKEND_TYPE: there is no memcached"},
        {{"CONFIG_TYPE", "GRPC_XDS_SOTW"}, "error: CONFIG_TYPE: weir reads files"},
        {{"GRPC_CLIENT_TLS_SAN", "x"}, "error: GRPC_CLIENT_TLS_SAN: "},
        {{"GRPC_SERVER_USE_TLS", "true"}, "error: GRPC_SERVER_TLS_CERT: "},
        {{"REDIS_TLS_SKIP_HOSTNAME_VERIFICATION", "true"}, "error: REDIS_TLS_SKIP"},
        {{"PROMETHEUS_PATH", "/m"}, "error: PROMETHEUS_PATH: metrics are at /metrics"},
        {{"STATSD_HOST", "graphite"}, "warning: STATSD_HOST is ignored: weir sends nothing"},
        {{"REDIS_PERSECOND", "true"}, "warning: REDIS_PERSECOND is ignored: one store"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct variable set[VARIABLES_MAX] = {cases[i].set};
        struct said said = say(set);
        assert_int_equal(said.settings.failed, strncmp(cases[i].message, "error", 5) == 0);
        if (strstr(said.messages.bytes, cases[i].message) == NULL) {
            fail_msg("%s: %s", cases[i].set.name, said.messages.bytes);
        }
        said_end(&said);
    }
    for (size_t i = 0; i < 3; i++) {
        static const struct variable wrong[3] = {
            {"REDIS_TYPE", "ring"}, {"REDIS_SOCKET_TYPE", "ip"}, {"REDIS_TIMEOUT", "5"}};
        const struct variable set[VARIABLES_MAX] = {{"REDIS_URL", "h:1"}, wrong[i]};
        struct said said = say(set);
        assert_true(said.settings.failed);
        assert_non_null(strstr(said.messages.bytes, wrong[i].name));
        said_end(&said);
    }
}

/* What is set to what it is anyway says nothing; each has a reason. */
static void every_variable_has_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < weir_variable_count; i++) {
        const struct weir_variable *variable = &weir_variables[i];
        assert_true(strlen(variable->why) > 3);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(variable->name, weir_variables[j].name);
        }
        if (variable->use == WEIR_VARIABLE_HONOURED) {
            continue;
        }
        const struct variable standard[VARIABLES_MAX] = {{variable->name, variable->standard}};
        struct said said = say(standard);
        assert_string_equal(said.messages.bytes, "");
        said_end(&said);
        const struct variable other[VARIABLES_MAX] = {{variable->name, "something"}};
        said = say(other);
        assert_non_null(strstr(said.messages.bytes, variable->name));
        said_end(&said);
    }
}

static void durations_are_those_of_go(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {{"0", 0},
                 {"1.5s", 1500000},
                 {"300ms", 300000},
                 {"1m30s", 90000000},
                 {"7us", 7},
                 {"7\xc2\xb5s", 7},
                 {"1h", INT64_C(3600000000)},
                 {"", -1},
                 {"5", -1},
                 {"5x", -1},
                 {"s", -1},
                 {"-1s", -1},
                 {"1d", -1},
                 {"99999999h", -1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = -1;
        assert_int_equal(weir_go_duration(cases[i].text, &us), cases[i].us >= 0);
        assert_int_equal(us, cases[i].us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_rules),
        cmocka_unit_test(what_is_wrong_is_said_where_it_stands),
        cmocka_unit_test(all_that_is_wrong_is_said_at_once),
        cmocka_unit_test(yaml_means_what_it_meant),
        cmocka_unit_test(a_domain_is_in_one_file_or_merged),
        cmocka_unit_test(there_has_to_be_a_folder),
        cmocka_unit_test(nothing_set_is_loopback_and_memory),
        cmocka_unit_test(variables_are_honoured),
        cmocka_unit_test(settings_are_honoured),
        cmocka_unit_test(wrong_variables_are_named),
        cmocka_unit_test(every_variable_has_its_place),
        cmocka_unit_test(durations_are_those_of_go),
    };
    return cmocka_run_group_tests_name("envoy", tests, NULL, NULL);
}
