/* manage.c - `weir reset` and `weir refund`: looking after what keys have used. */

#include "cli/command.h"
#include "cli/format.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/target.h"

#include <stddef.h>

/* What reset and refund have open. */
struct manage {
    const struct cli_command *command;
    const struct cli_settings *settings;
    struct cli_target target;
    struct cli_output output;
    uint64_t told; /* which failures of a shared store were told */
};

static bool needs_store(const struct cli_command *command, const struct cli_settings *settings)
{
    if (settings->store == NULL) {
        cli_complain(command->name, "--store is needed, as --store shm:/run/weir.table");
        return false;
    }
    return true;
}

static bool needs_keys(const struct cli_command *command, const struct cli_settings *settings)
{
    if (settings->operand_count == 0) {
        cli_complain(command->name, "a KEY is needed; " CLI_SEE_HELP, command->name);
        return false;
    }
    return true;
}

/* Does `each` for every key; the first error ends it. */
static enum cli_exit for_each_key(const struct cli_command *command,
                                  const struct cli_settings *settings,
                                  enum weir_status (*each)(struct manage *, struct weir_bytes))
{
    struct manage manage = {.command = command, .settings = settings};
    if (!needs_keys(command, settings) || !needs_store(command, settings) ||
        !cli_target_open(command, settings, CLI_OPEN_MADE, &manage.target)) {
        return CLI_ERROR;
    }
    if (!cli_output_open(command, settings, &manage.output)) {
        cli_target_close(&manage.target);
        return CLI_ERROR;
    }
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < settings->operand_count && status == WEIR_OK; i++) {
        status = each(&manage, weir_text(settings->operands[i]));
    }
    if (status != WEIR_OK) {
        cli_complain_call(command, manage.target.weir, status);
    }
    cli_target_close(&manage.target);
    return cli_output_close(command, &manage.output, status == WEIR_OK ? CLI_ADMITTED : CLI_ERROR);
}

/* ---- weir reset ---- */

static enum weir_status reset_key(struct manage *manage, struct weir_bytes key)
{
    const enum weir_status status = weir_reset(manage->target.weir, manage->target.limit, key);
    if (status != WEIR_OK || manage->settings->quiet) {
        return status;
    }
    if (manage->settings->json) {
        cli_put_text(&manage->output, "{");
        cli_put_json_key(&manage->output, key);
        cli_put_text(&manage->output, ",\"reset\":true}\n");
    } else {
        cli_put_text(&manage->output, "reset  ");
        cli_put_key(&manage->output, key);
        cli_put_text(&manage->output, "\n");
    }
    return status;
}

static enum cli_exit run_reset(const struct cli_command *command,
                               const struct cli_settings *settings)
{
    return for_each_key(command, settings, reset_key);
}

static const enum cli_option_id reset_options[] = {
    CLI_OPTION_LIMIT, CLI_OPTION_STORE_MADE, CLI_OPTION_NAME,
    CLI_OPTION_JSON,  CLI_OPTION_QUIET,      CLI_OPTION_HELP,
};

const struct cli_command cli_command_reset = {
    .name = "reset",
    .operands = "KEY... --limit TEXT --store URL [OPTION...]",
    .summary = "forget what keys have used",
    .details =
        "Forgets what each KEY has used of the limit, its block included. The limit has to be the\n"
        "one that the key was checked against: its name and algorithm (or, without a name, its\n"
        "algorithm and period) say which state is meant.",
    .examples = "  weir reset user123 --limit '5/15m sliding-window' --store shm:/run/weir.table\n",
    .options = reset_options,
    .option_count = sizeof(reset_options) / sizeof(reset_options[0]),
    .run = run_reset,
};

/* ---- weir refund ---- */

static enum weir_status refund_key(struct manage *manage, struct weir_bytes key)
{
    struct weir_decision decision;
    const enum weir_status status = weir_refund(manage->target.weir, manage->target.limit, key,
                                                manage->settings->cost, WEIR_CLOCK, &decision);
    if (status == WEIR_OK) {
        cli_tell_failure(manage->command, manage->target.weir, &decision, &manage->told);
    }
    if (status != WEIR_OK || manage->settings->quiet) {
        return status;
    }
    if (manage->settings->json) {
        cli_put_decision_json(&manage->output, key, &decision);
    } else {
        cli_put_text(&manage->output, "refunded  ");
        cli_put_key(&manage->output, key);
        cli_print(&manage->output, "  %s\n", cli_decision_words(&decision, 1).text);
    }
    return status;
}

static enum cli_exit run_refund(const struct cli_command *command,
                                const struct cli_settings *settings)
{
    return for_each_key(command, settings, refund_key);
}

static const enum cli_option_id refund_options[] = {
    CLI_OPTION_LIMIT, CLI_OPTION_STORE_MADE, CLI_OPTION_NAME, CLI_OPTION_COST_BACK,
    CLI_OPTION_JSON,  CLI_OPTION_QUIET,      CLI_OPTION_HELP,
};

const struct cli_command cli_command_refund = {
    .name = "refund",
    .operands = "KEY... --limit TEXT --store URL [OPTION...]",
    .summary = "give back what a request took that was then not made",
    .details =
        "Gives the cost back to each KEY, never above full, and shows what a check would now\n"
        "answer. A block that is running goes on.",
    .examples = "  weir refund user123 --limit 100/m --store shm:/run/weir.table --cost 5\n",
    .options = refund_options,
    .option_count = sizeof(refund_options) / sizeof(refund_options[0]),
    .run = run_refund,
};
