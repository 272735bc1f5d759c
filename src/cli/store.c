/* store.c - `weir store`: what is behind a store's URL, as far as it can be found out by asking. */

#include "cli/command.h"
#include "cli/format.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/target.h"
#include "weir/redis.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A cluster has a thousand servers at most. */
#define SERVERS_MAX 1024

static const char *topology_of(const char *url)
{
    static const struct {
        const char *scheme;
        const char *topology;
    } schemes[] = {
        {"redis+sentinel:", "sentinel"},
        {"rediss+sentinel:", "sentinel"},
        {"redis+cluster:", "cluster"},
        {"rediss+cluster:", "cluster"},
        {"redis", "one server"},
        {"shm:", "a table in a file"},
        {"memory:", "a table in this process"},
    };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0) {
            return schemes[i].topology;
        }
    }
    return "unknown";
}

static void print_clock(struct cli_output *output, int64_t ahead_us)
{
    if (ahead_us == 0) {
        cli_put_text(output, "      clock    the same as this machine's\n");
        return;
    }
    cli_print(output, "      clock    %s %s this machine's\n",
              cli_duration_words(ahead_us < 0 ? -ahead_us : ahead_us).text,
              ahead_us < 0 ? "behind" : "ahead of");
}

static void print_server(struct cli_output *output, const struct weir_redis_server *server)
{
    cli_put_styled(output, server->connected ? CLI_GREEN : CLI_RED,
                   server->connected ? "up  " : "down");
    cli_print(output, "  %s", server->address);
    if (!server->connected) {
        cli_print(output, "  %s%s%s\n", weir_failure_text((enum weir_failure)server->failure),
                  server->message[0] != '\0' ? ": " : "", server->message);
        return;
    }
    cli_print(output, "  %s%s%s %s, RESP%u%s\n", server->role, server->role[0] != '\0' ? ", " : "",
              server->kind, server->version, server->protocol, server->tls ? ", TLS" : "");
    if (server->slots > 0) {
        cli_print(output, "      slots    %" PRIu32 " of 16384\n", server->slots);
    }
    cli_print(output, "      scripts  %s\n",
              server->scripts_loaded ? "loaded" : "not loaded yet: the first decision sees to it");
    if (server->latency_us >= 0) {
        cli_print(output, "      latency  %s\n", cli_duration_words(server->latency_us).text);
    }
    if (server->clock_known) {
        print_clock(output, server->clock_ahead_us);
    }
}

static void put_json_text(struct cli_output *output, const char *name, const char *text)
{
    cli_print(output, ",\"%s\":", name);
    (void)cli_put_json_string(output, weir_text(text));
}

static void put_json_flag(struct cli_output *output, const char *name, bool flag)
{
    cli_print(output, ",\"%s\":%s", name, flag ? "true" : "false");
}

static void print_server_json(struct cli_output *output, const struct weir_redis_server *server)
{
    cli_put_text(output, "{\"address\":");
    (void)cli_put_json_string(output, weir_text(server->address));
    put_json_flag(output, "connected", server->connected);
    if (!server->connected) {
        put_json_text(output, "failure", weir_failure_name((enum weir_failure)server->failure));
        put_json_text(output, "message", server->message);
    } else {
        put_json_text(output, "role", server->role);
        put_json_text(output, "kind", server->kind);
        put_json_text(output, "version", server->version);
        cli_put_json_number(output, "protocol", server->protocol);
        put_json_flag(output, "tls", server->tls);
        put_json_flag(output, "scripts_loaded", server->scripts_loaded);
        cli_put_json_number(output, "slots", server->slots);
    }
    if (server->latency_us >= 0) {
        cli_put_json_time(output, "latency_us", server->latency_us);
    }
    if (server->clock_known) {
        cli_print(output, ",\"clock_ahead_us\":%" PRId64, server->clock_ahead_us);
    }
    cli_put_text(output, "}");
}

static void print_all(struct cli_output *output, const struct cli_settings *settings,
                      const struct weir_redis_server *servers, size_t count)
{
    const struct cli_shown_url shown = cli_url_shown(settings->operands[0], NULL);
    const char *topology = topology_of(settings->operands[0]);
    if (settings->json) {
        cli_put_text(output, "{\"store\":");
        (void)cli_put_json_string(output, weir_text(shown.text));
        put_json_text(output, "topology", topology);
        cli_put_text(output, ",\"servers\":[");
    } else {
        cli_print(output, "%s: %s\n", shown.text, topology);
    }
    for (size_t i = 0; i < count; i++) {
        if (settings->json) {
            cli_put_text(output, i > 0 ? "," : "");
            print_server_json(output, &servers[i]);
        } else {
            print_server(output, &servers[i]);
        }
    }
    cli_put_text(output, settings->json ? "]}\n" : "");
}

/* Whether there is a server to decide, and none that should and can't. */
static bool all_up(const struct weir_redis_server *servers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!servers[i].connected) {
            return false;
        }
    }
    return count > 0;
}

static enum cli_exit show(const struct cli_command *command, const struct cli_settings *settings,
                          struct weir *weir, struct weir_redis_server *servers)
{
    size_t count = 0;
    struct cli_output output;
    const enum weir_status status =
        weir_redis_inspect(weir, settings->timeout_us, servers, SERVERS_MAX, &count);
    const bool table = status == WEIR_ERR_UNSUPPORTED;
    if (status != WEIR_OK && !table) {
        cli_complain(command->name, "%s", weir_strerror(status));
        return CLI_ERROR;
    }
    if (!cli_output_open(command, settings, &output)) {
        return CLI_ERROR;
    }
    count = count < SERVERS_MAX ? count : SERVERS_MAX;
    print_all(&output, settings, servers, count);
    return cli_output_close(command, &output,
                            table || all_up(servers, count) ? CLI_ADMITTED : CLI_DENIED);
}

static enum cli_exit run(const struct cli_command *command, const struct cli_settings *settings)
{
    struct weir *weir;
    if (settings->operand_count != 1) {
        cli_complain(command->name, "one URL is needed, as redis://127.0.0.1; " CLI_SEE_HELP,
                     command->name);
        return CLI_ERROR;
    }
    if (!cli_store_open(command, settings->operands[0], CLI_OPEN_MADE, &weir)) {
        return CLI_ERROR;
    }
    struct weir_redis_server *servers = calloc(SERVERS_MAX, sizeof(*servers));
    enum cli_exit code = CLI_ERROR;
    if (servers == NULL) {
        cli_complain(command->name, "out of memory");
    } else {
        code = show(command, settings, weir, servers);
    }
    free(servers);
    weir_close(weir);
    return code;
}

static const enum cli_option_id options[] = {
    CLI_OPTION_TIMEOUT,
    CLI_OPTION_JSON,
    CLI_OPTION_COLOR,
    CLI_OPTION_HELP,
};

const struct cli_command cli_command_store = {
    .name = "store",
    .operands = "URL [OPTION...]",
    .summary = "say what is behind a store's URL",
    .details =
        "Connects to every server behind the URL and says what it found: which servers, of what\n"
        "version, in which role, how far away, whether the scripts are loaded, and how their\n"
        "clocks differ from this machine's. Passwords are better in a file or the environment\n"
        "than in the URL: see password_file= and password_env= in weir_redis_open(3).\n"
        "\n"
        "Exit code: 0 all servers answered, 1 one didn't, or none was found, 2 an error.",
    .examples = "  weir store redis://127.0.0.1:6379\n"
                "  weir store redis+cluster://127.0.0.1:7000,127.0.0.1:7001\n"
                "  weir store redis+sentinel://127.0.0.1/main --json\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
