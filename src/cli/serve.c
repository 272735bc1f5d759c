/* serve.c - `weir serve`: the server, by a configuration. */

#include "server/server.h"

#include "cli/command.h"
#include "cli/message.h"

static enum cli_exit run(const struct cli_command *command, const struct cli_settings *settings)
{
    if (settings->operand_count > 0) {
        cli_complain(command->name,
                     "'%s' is one argument too many; the configuration is named by "
                     "--config",
                     settings->operands[0]);
        return CLI_ERROR;
    }
    const bool envoy = settings->envoy || settings->envoy_config != NULL;
    if (settings->config == NULL && !envoy) {
        cli_complain(command->name, "which configuration? " CLI_SEE_HELP, command->name);
        return CLI_ERROR;
    }
    if (settings->config != NULL && envoy) {
        cli_complain(command->name, "--config is a file of weir's and --envoy-config a folder of "
                                    "envoyproxy/ratelimit's: name one of them");
        return CLI_ERROR;
    }
    const struct weir_server_options options = {
        .path = envoy ? settings->envoy_config : settings->config,
        .envoy = envoy,
    };
    return weir_server_run(&options) ? CLI_ADMITTED : CLI_ERROR;
}

static const enum cli_option_id options[] = {CLI_OPTION_CONFIG, CLI_OPTION_ENVOY_CONFIG,
                                             CLI_OPTION_ENVOY, CLI_OPTION_HELP};

const struct cli_command cli_command_serve = {
    .name = "serve",
    .operands = "--config FILE | --envoy-config DIR | --envoy",
    .summary = "serve decisions over HTTP, RESP and gRPC",
    .details =
        "Serves the rules of FILE at its listeners: to proxies and programs over HTTP, to\n"
        "any Redis client over RESP, to Envoy over gRPC. Or those of DIR, in the place of\n"
        "envoyproxy/ratelimit, whose environment variables then say the rest. SIGHUP reads\n"
        "the files again, as does a change of them; SIGTERM and Ctrl-C answer what is under\n"
        "way, and end. The log goes to stderr. weir validate says what is wrong with a\n"
        "file, weir-policy(5) what one may say.",
    .examples = "  weir serve --config weir.yaml\n"
                "  weir serve --envoy-config /srv/runtime_data/current/ratelimit/config\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
