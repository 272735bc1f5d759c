/* stats.c - `weir stats`: how full a table is. */

#include "cli/command.h"
#include "cli/format.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/target.h"

#include <stddef.h>
#include <string.h>

static bool is_memory(const char *url)
{
    return strncmp(url, "memory:", strlen("memory:")) == 0;
}

static void print_stats(struct cli_output *output, const char *url, const struct weir_stats *stats)
{
    cli_print(output, "memory   %s, room for %s clients\n", cli_size_words(stats->bytes).text,
              cli_number_words(stats->slots).text);
    cli_print(output, "clients  %s with something used now, %s as if never used\n",
              cli_number_words(stats->live).text, cli_number_words(stats->used - stats->live).text);
    cli_print(output, "evicted  %s while they mattered, %s that did not\n",
              cli_number_words(stats->evicted_live).text,
              cli_number_words(stats->evicted_idle).text);
    if (is_memory(url)) {
        cli_print(output, "logs     %s of %s in use, %s given up\n",
                  cli_size_words(stats->log_used).text, cli_size_words(stats->log_bytes).text,
                  cli_number_words(stats->log_evicted).text);
    }
}

static void print_stats_json(struct cli_output *output, const char *url,
                             const struct weir_stats *stats)
{
    cli_put_text(output, "{\"store\":");
    (void)cli_put_json_string(output, weir_text(url));
    cli_put_json_number(output, "bytes", stats->bytes);
    cli_put_json_number(output, "slots", stats->slots);
    cli_put_json_number(output, "used", stats->used);
    cli_put_json_number(output, "live", stats->live);
    cli_put_json_number(output, "evicted_idle", stats->evicted_idle);
    cli_put_json_number(output, "evicted_live", stats->evicted_live);
    cli_put_json_number(output, "log_bytes", stats->log_bytes);
    cli_put_json_number(output, "log_used", stats->log_used);
    cli_put_json_number(output, "log_evicted", stats->log_evicted);
    cli_put_text(output, "}\n");
}

/* A table can be counted. What a handle on Redis counts is what went through that handle, and one
 * made by this program has seen nothing. */
static bool is_sensible(const struct cli_command *command, const struct cli_settings *settings)
{
    if (settings->operand_count > 0) {
        cli_complain(command->name, "'%s' is one word too many; " CLI_SEE_HELP,
                     settings->operands[0], command->name);
        return false;
    }
    if (settings->store == NULL) {
        cli_complain(command->name, "--store is needed, as --store shm:/run/weir.table");
        return false;
    }
    if (strncmp(settings->store, "redis", strlen("redis")) == 0) {
        cli_complain(command->name,
                     "Redis is not counted, as that would read all of it: see weir store URL");
        return false;
    }
    return true;
}

static enum cli_exit run_stats(const struct cli_command *command,
                               const struct cli_settings *settings)
{
    struct weir *weir;
    struct cli_output output;
    if (!is_sensible(command, settings) ||
        !cli_store_open(command, settings->store, CLI_OPEN_MADE, &weir)) {
        return CLI_ERROR;
    }
    struct weir_stats stats = {.size = sizeof(stats)};
    const enum weir_status status = weir_stats(weir, WEIR_CLOCK, &stats);
    weir_close(weir);
    if (status != WEIR_OK) {
        cli_complain(command->name, "%s", weir_strerror(status));
        return CLI_ERROR;
    }
    if (!cli_output_open(command, settings, &output)) {
        return CLI_ERROR;
    }
    if (settings->json) {
        print_stats_json(&output, settings->store, &stats);
    } else {
        print_stats(&output, settings->store, &stats);
    }
    return cli_output_close(command, &output, CLI_ADMITTED);
}

static const enum cli_option_id options[] = {CLI_OPTION_STORE_MADE, CLI_OPTION_JSON,
                                             CLI_OPTION_HELP};

const struct cli_command cli_command_stats = {
    .name = "stats",
    .operands = "--store URL [OPTION...]",
    .summary = "show how full a table is",
    .details = "Counts a table: its memory, the clients in it, and how many it had to give up for "
               "want of\n"
               "room. Reads all of it: about 10 ms for each 64 MiB. Of Redis, see weir store.",
    .examples = "  weir stats --store shm:/run/weir.table\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run_stats,
};
