/* validate.c - `weir validate`: what is wrong with a file, and what it comes to. */

#include "base/url.h"
#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/format.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/target.h"
#include "rls/rls.h"
#include "json/json.h"

#include <string.h>

/* Rules that are listed for people; JSON has them all. */
#define SHOWN_MAX 20

#define SLOT_BYTES 16
#define TABLE_DEFAULT ((uint64_t)64 << 20)
#define LOCAL_DEFAULT ((uint64_t)8 << 20)
#define DENY_CACHE_DEFAULT ((uint64_t)1 << 20)

/* What a store takes of this machine's memory. */
struct estimate {
    bool redis;
    uint64_t table;      /* of Redis, that of on_error=local */
    uint64_t deny_cache; /* of Redis */
};

/* The size that the option `name` of a URL says. */
static uint64_t option_size(const char *url, const char *name, uint64_t standard)
{
    const char *mark = strchr(url, '?');
    struct weir_bytes query = weir_text(mark != NULL ? mark + 1 : "");
    struct weir_bytes option;
    uint64_t size = standard;
    while (weir_url_next(&query, &option)) {
        struct weir_bytes found;
        struct weir_bytes value;
        const struct weir_url_part part = {url, option, NULL};
        if (weir_url_split(&part, &found, &value) == WEIR_OK && weir_url_is(found, name)) {
            const struct weir_url_part number = weir_url_at(&part, value);
            (void)weir_url_size(&number, 0, UINT64_MAX, &size);
        }
    }
    return size;
}

static struct estimate estimate_store(const char *url)
{
    if (strncmp(url, "redis", strlen("redis")) != 0) {
        return (struct estimate){.table = option_size(url, "size", TABLE_DEFAULT)};
    }
    return (struct estimate){
        .redis = true,
        .table = option_size(url, "local", LOCAL_DEFAULT),
        .deny_cache = option_size(url, "deny_cache", DENY_CACHE_DEFAULT),
    };
}

/* ---- For people --------------------------------------------------------------------------- */

static void put_buffer(struct cli_output *output, struct weir_buffer *buffer)
{
    cli_put_key(output, weir_buffer_bytes(buffer));
    weir_buffer_clear(buffer);
}

static void print_listeners(struct cli_output *output, const struct weir_config *config)
{
    struct weir_buffer text = {0};
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct weir_listener *listener = &config->listeners[i];
        cli_put_text(output, i == 0 ? "  listens  " : "           ");
        cli_put_listener(&text, listener);
        put_buffer(output, &text);
        cli_put_text(output, listener->tls != NULL ? ", TLS" : "");
        if (listener->tls != NULL && listener->tls->client_authority != NULL) {
            cli_put_text(output, ", certificates of clients");
        }
        if (listener->token_count > 0) {
            cli_print(output, ", %zu token%s", listener->token_count,
                      listener->token_count == 1 ? "" : "s");
        }
        cli_put_text(output, "\n");
    }
    weir_buffer_deinit(&text);
}

/* "5/m block 15m", and what there is besides. */
static void put_limits(struct weir_buffer *text, const struct weir_rule_spec *rule)
{
    weir_buffer_put_text(text, rule->limit != NULL ? cli_limit_text(rule->limit).text : "no limit");
    if (rule->tier_count > 0) {
        weir_buffer_print(text, ", %zu tier%s by ", rule->tier_count,
                          rule->tier_count == 1 ? "" : "s");
        weir_buffer_put(text, rule->tier_by);
    }
    if (rule->override_count > 0) {
        weir_buffer_print(text, ", %zu override%s", rule->override_count,
                          rule->override_count == 1 ? "" : "s");
    }
}

static void print_rules(struct cli_output *output, const struct weir_policy *policy)
{
    struct weir_buffer text = {0};
    const size_t count = weir_policy_count(policy);
    for (size_t i = 0; i < count && i < SHOWN_MAX; i++) {
        const struct weir_rule_spec *rule = weir_policy_rule(policy, i);
        cli_put_text(output, i == 0 ? "  rules    " : "           ");
        weir_buffer_put(&text, rule->name);
        weir_buffer_put_text(&text, ": ");
        put_limits(&text, rule);
        weir_buffer_put_text(&text, rule->key_count > 0 ? ", by " : ", ");
        cli_put_key_parts(&text, rule);
        put_buffer(output, &text);
        cli_put_text(output, rule->shadow ? " (shadow: never denies)\n" : "\n");
    }
    if (count > SHOWN_MAX) {
        cli_print(output, "           and %s more\n", cli_number_words(count - SHOWN_MAX).text);
    }
    weir_buffer_deinit(&text);
}

/* As /rlconfig lists them. */
static void print_rls_rules(struct cli_output *output, const struct weir_rls_policy *policy)
{
    struct weir_buffer text = {0};
    weir_rls_policy_dump(policy, &text);
    struct weir_bytes rest = weir_buffer_bytes(&text);
    for (size_t i = 0; rest.len > 0 && i < SHOWN_MAX; i++) {
        const char *mark = memchr(rest.ptr, '\n', rest.len);
        const size_t len = mark != NULL ? (size_t)(mark - rest.ptr) + 1 : rest.len;
        cli_put_text(output, i == 0 ? "  rules    " : "           ");
        cli_put(output, rest.ptr, len);
        rest = weir_bytes(rest.ptr + len, rest.len - len);
    }
    const size_t count = weir_rls_policy_count(policy);
    if (count > SHOWN_MAX) {
        cli_print(output, "           and %s more\n", cli_number_words(count - SHOWN_MAX).text);
    }
    weir_buffer_deinit(&text);
}

static void print_memory(struct cli_output *output, const struct weir_config *config)
{
    const struct estimate estimate = estimate_store(config->store);
    if (estimate.redis) {
        cli_print(output,
                  "  memory   %s for on_error=local, room for %s keys; %s for denials; the keys "
                  "themselves are in Redis\n",
                  cli_size_words(estimate.table).text,
                  cli_number_words(estimate.table / SLOT_BYTES).text,
                  cli_size_words(estimate.deny_cache).text);
    } else {
        cli_print(output, "  memory   %s for keys, room for %s: 16 bytes for each key of a rule\n",
                  cli_size_words(estimate.table).text,
                  cli_number_words(estimate.table / SLOT_BYTES).text);
    }
    cli_print(output, "           %s for the rules and all else in the file\n",
              cli_size_words(config->bytes).text);
}

static void print_summary(struct cli_output *output, const char *path,
                          const struct weir_config *config)
{
    const size_t count = config->rls != NULL ? weir_rls_policy_count(config->rls)
                                             : weir_policy_count(config->policy);
    cli_put_styled(output, CLI_BOLD, path);
    cli_put_text(output, " ");
    cli_put_styled(output, CLI_GREEN, "is right");
    cli_print(output, ": %s rule%s, %zu file%s\n\n  store    %s\n", cli_number_words(count).text,
              count == 1 ? "" : "s", config->file_count, config->file_count == 1 ? "" : "s",
              cli_url_shown(config->store, NULL).text);
    print_listeners(output, config);
    if (config->rls != NULL) {
        print_rls_rules(output, config->rls);
    } else {
        print_rules(output, config->policy);
    }
    print_memory(output, config);
}

/* ---- For programs ------------------------------------------------------------------------- */

static void write_rule(struct weir_json_writer *json, const struct weir_rule_spec *rule)
{
    weir_json_put_object(json);
    weir_json_put_name(json, "name");
    weir_json_put_string(json, rule->name);
    weir_json_put_name(json, "limit");
    if (rule->limit != NULL) {
        weir_json_put_text(json, cli_limit_text(rule->limit).text);
    } else {
        weir_json_put_null(json);
    }
    weir_json_put_name(json, "key");
    weir_json_put_array(json);
    for (size_t i = 0; i < rule->key_count; i++) {
        weir_json_put_string(json, rule->key[i].attribute);
    }
    weir_json_put_array_end(json);
    weir_json_put_name(json, "tiers");
    weir_json_put_whole(json, rule->tier_count);
    weir_json_put_name(json, "overrides");
    weir_json_put_whole(json, rule->override_count);
    weir_json_put_name(json, "allow");
    weir_json_put_whole(json, rule->allow_count);
    weir_json_put_name(json, "deny");
    weir_json_put_whole(json, rule->deny_count);
    weir_json_put_name(json, "shadow");
    weir_json_put_boolean(json, rule->shadow);
    weir_json_put_object_end(json);
}

static void write_rls_rule(struct weir_json_writer *json, const struct weir_rls_rule *rule)
{
    weir_json_put_object(json);
    weir_json_put_name(json, "name");
    weir_json_put_string(json, rule->full_key);
    weir_json_put_name(json, "limit");
    if (rule->spec->limit != NULL) {
        weir_json_put_text(json, cli_limit_text(rule->spec->limit).text);
    } else {
        weir_json_put_null(json);
    }
    weir_json_put_name(json, "shadow");
    weir_json_put_boolean(json, rule->spec->shadow_mode);
    weir_json_put_object_end(json);
}

static void write_rules(struct weir_json_writer *json, const struct weir_config *config)
{
    weir_json_put_array(json);
    if (config->rls != NULL) {
        for (size_t i = 0; i < weir_rls_policy_count(config->rls); i++) {
            write_rls_rule(json, weir_rls_policy_rule(config->rls, i));
        }
    } else {
        for (size_t i = 0; i < weir_policy_count(config->policy); i++) {
            write_rule(json, weir_policy_rule(config->policy, i));
        }
    }
    weir_json_put_array_end(json);
}

static void write_listeners(struct weir_json_writer *json, const struct weir_config *config)
{
    struct weir_buffer text = {0};
    weir_json_put_array(json);
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct weir_listener *listener = &config->listeners[i];
        weir_buffer_clear(&text);
        cli_put_listener(&text, listener);
        weir_json_put_object(json);
        weir_json_put_name(json, "address");
        weir_json_put_string(json, weir_buffer_bytes(&text));
        weir_json_put_name(json, "tls");
        weir_json_put_boolean(json, listener->tls != NULL);
        weir_json_put_name(json, "tokens");
        weir_json_put_whole(json, listener->token_count);
        weir_json_put_object_end(json);
    }
    weir_json_put_array_end(json);
    weir_buffer_deinit(&text);
}

static void write_summary(struct weir_json_writer *json, const char *path,
                          const struct weir_config *config)
{
    const struct estimate estimate = estimate_store(config->store);
    weir_json_put_object(json);
    weir_json_put_name(json, "file");
    weir_json_put_text(json, path);
    weir_json_put_name(json, "store");
    weir_json_put_text(json, cli_url_shown(config->store, NULL).text);
    weir_json_put_name(json, "table_bytes");
    weir_json_put_whole(json, estimate.table);
    weir_json_put_name(json, "keys");
    weir_json_put_whole(json, estimate.table / SLOT_BYTES);
    weir_json_put_name(json, "policy_bytes");
    weir_json_put_whole(json, config->bytes);
    weir_json_put_name(json, "files");
    weir_json_put_array(json);
    for (size_t i = 0; i < config->file_count; i++) {
        weir_json_put_text(json, config->files[i]);
    }
    weir_json_put_array_end(json);
    weir_json_put_name(json, "listen");
    write_listeners(json, config);
    weir_json_put_name(json, "rules");
    write_rules(json, config);
    weir_json_put_object_end(json);
}

static bool print_json(struct cli_output *output, const char *path,
                       const struct weir_config *config)
{
    struct weir_buffer text = {0};
    struct weir_json_writer json;
    weir_json_write(&json, &text);
    write_summary(&json, path, config);
    weir_buffer_put_text(&text, "\n");
    const bool good = !text.failed;
    if (good) {
        cli_put(output, text.bytes, text.len);
    }
    weir_buffer_deinit(&text);
    return good;
}

/* ---- The command -------------------------------------------------------------------------- */

/* Reads what is named: a file of weir's, or a folder of envoyproxy/ratelimit's. */
static bool read_named(const struct cli_command *command, const struct cli_settings *settings,
                       const char **ret_name, struct weir_config **ret_config)
{
    const bool envoy = settings->envoy || settings->envoy_config != NULL;
    if (envoy && settings->operand_count > 0) {
        cli_complain(command->name, "FILE is a file of weir's and --envoy-config a folder of "
                                    "envoyproxy/ratelimit's: name one of them");
        return false;
    }
    if (envoy) {
        *ret_name = settings->envoy_config != NULL ? settings->envoy_config : "the environment";
        return cli_envoy_open(command, settings->envoy_config, ret_config);
    }
    if (settings->operand_count != 1) {
        cli_complain(command->name,
                     settings->operand_count == 0 ? "a FILE is needed, as weir.yaml; " CLI_SEE_HELP
                                                  : "one FILE at a time; " CLI_SEE_HELP,
                     command->name);
        return false;
    }
    *ret_name = settings->operands[0];
    return cli_config_open(command, *ret_name, true, ret_config);
}

static enum cli_exit run(const struct cli_command *command, const struct cli_settings *settings)
{
    struct weir_config *config = NULL;
    struct cli_output output;
    const char *path;
    if (!read_named(command, settings, &path, &config)) {
        return CLI_ERROR;
    }
    enum cli_exit code = CLI_ERROR;
    if (cli_output_open(command, settings, &output)) {
        bool good = true;
        if (settings->json) {
            good = print_json(&output, path, config);
        } else {
            print_summary(&output, path, config);
        }
        if (!good) {
            cli_complain(command->name, "out of memory");
        }
        code = cli_output_close(command, &output, good ? CLI_ADMITTED : CLI_ERROR);
    }
    weir_config_free(config);
    return code;
}

static const enum cli_option_id options[] = {CLI_OPTION_ENVOY_CONFIG, CLI_OPTION_ENVOY,
                                             CLI_OPTION_JSON, CLI_OPTION_COLOR, CLI_OPTION_HELP};

const struct cli_command cli_command_validate = {
    .name = "validate",
    .operands = "FILE | --envoy-config DIR | --envoy",
    .summary = "say what is wrong with a configuration, and what it comes to",
    .details =
        "Reads FILE as weir serve would, without serving. What is wrong, all of it, and "
        "what is\n"
        "suspect, as a rule that can never match, goes to standard error with file, line "
        "and column;\n"
        "what the file comes to, with the memory that it takes, to standard output. With\n"
        "--envoy-config, likewise a folder of envoyproxy/ratelimit's files and its environment.",
    .examples = "  weir validate weir.yaml\n"
                "  weir validate weir.yaml --json\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
