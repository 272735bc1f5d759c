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
    if (settings->config == NULL) {
        cli_complain(command->name, "which configuration? " CLI_SEE_HELP, command->name);
        return CLI_ERROR;
    }
    const struct weir_server_options options = {.path = settings->config};
    return weir_server_run(&options) ? CLI_ADMITTED : CLI_ERROR;
}

static const enum cli_option_id options[] = {CLI_OPTION_CONFIG, CLI_OPTION_HELP};

const struct cli_command cli_command_serve = {
    .name = "serve",
    .operands = "--config FILE",
    .summary = "serve decisions over HTTP and RESP",
    .details = "Serves the rules of FILE at its listeners: to proxies and programs over HTTP, to\n"
               "any Redis client over RESP. SIGHUP reads the file again, as does a change of it;\n"
               "SIGTERM and Ctrl-C answer what is under way, and end. The log goes to stderr.\n"
               "weir validate says what is wrong with a file, weir-policy(5) what one may say.",
    .examples = "  weir serve --config weir.yaml\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
