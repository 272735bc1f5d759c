/* check.c - `weir check`: may these requests pass?
 *
 * Keys on the command line are asked one by one, with a line for people about each decision. Keys
 * from standard input are a stream: decided in batches, each with one reading of the clock, and
 * answered with a line that a program can take apart. */

#include "cli/command.h"
#include "cli/format.h"
#include "cli/keys.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/target.h"
#include "cli/wait.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX 1024

struct check {
    const struct cli_command *command;
    const struct cli_settings *settings;
    struct cli_target target;
    struct cli_output output;
    uint64_t told; /* which failures of a shared store were told */
    bool any_denied;
    bool failed;
};

struct batch {
    struct weir_request requests[BATCH_MAX];
    struct weir_decision decisions[BATCH_MAX];
    size_t count;
};

static bool is_wanted(const struct check *check, const struct weir_decision *decision)
{
    const enum cli_only only = check->settings->only;
    return !check->settings->quiet &&
           (only == CLI_ONLY_ALL || (only == CLI_ONLY_ALLOWED) == decision->allowed);
}

/* The answer to one request; `stream` says that the key came from standard input. */
static void answer(struct check *check, struct weir_bytes key, const struct weir_decision *decision,
                   bool stream)
{
    struct cli_output *output = &check->output;
    check->any_denied |= !decision->allowed;
    cli_tell_failure(check->command, check->target.weir, decision, &check->told);
    if (!is_wanted(check, decision)) {
        return;
    }
    if (check->settings->json) {
        cli_put_decision_json(output, key, decision);
    } else if (check->settings->only == CLI_ONLY_ALL && !stream) {
        cli_put_decision(output, key, decision, check->settings->cost);
    } else {
        if (check->settings->only == CLI_ONLY_ALL) {
            cli_put_styled(output, decision->allowed ? CLI_GREEN : CLI_RED,
                           decision->allowed ? "allowed" : "denied");
            cli_put(output, " ", 1);
        }
        cli_put_key(output, key);
        cli_put(output, "\n", 1);
    }
}

/* ---- Keys on the command line ---- */

static bool check_one(struct check *check, struct weir_bytes key)
{
    struct weir_decision decision;
    const uint64_t cost = check->settings->cost;
    const enum weir_status status =
        check->settings->peek
            ? weir_peek(check->target.weir, check->target.limit, key, cost, WEIR_CLOCK, &decision)
            : weir_check(check->target.weir, check->target.limit, key, cost, WEIR_CLOCK, &decision);
    if (status != WEIR_OK) {
        cli_complain_call(check->command, check->target.weir, status);
        check->failed = true;
        return false;
    }
    answer(check, key, &decision, false);
    return true;
}

static void check_operands(struct check *check)
{
    const struct cli_settings *settings = check->settings;
    const int64_t start_us = cli_monotonic_us();
    for (uint64_t round = 0; round < settings->repeat; round++) {
        if (round > 0 && settings->every_us > 0) {
            int64_t after_us;
            if (!cli_flush(&check->output) ||
                __builtin_mul_overflow((int64_t)round, settings->every_us, &after_us) ||
                __builtin_add_overflow(start_us, after_us, &after_us)) {
                return;
            }
            cli_wait_until(after_us);
        }
        for (size_t i = 0; i < settings->operand_count; i++) {
            if (check->output.failure != 0 || !check_one(check, weir_text(settings->operands[i]))) {
                return;
            }
        }
    }
}

/* ---- Keys from standard input ---- */

/* A batch that only looks has no call of its own; each peek then takes the batch's time. */
static enum weir_status decide_batch(struct check *check, struct batch *batch, size_t *ret_done)
{
    struct weir *weir = check->target.weir;
    if (!check->settings->peek) {
        return weir_check_batch(weir, batch->requests, batch->count, WEIR_CLOCK, batch->decisions,
                                ret_done);
    }
    const int64_t now_us = cli_now_us();
    for (*ret_done = 0; *ret_done < batch->count; (*ret_done)++) {
        const struct weir_request *request = &batch->requests[*ret_done];
        const enum weir_status status = weir_peek(weir, request->limit, request->key, request->cost,
                                                  now_us, &batch->decisions[*ret_done]);
        if (status != WEIR_OK) {
            return status;
        }
    }
    return WEIR_OK;
}

static void check_batch(struct check *check, struct batch *batch)
{
    size_t done = 0;
    const enum weir_status status = decide_batch(check, batch, &done);
    for (size_t i = 0; i < done; i++) {
        answer(check, batch->requests[i].key, &batch->decisions[i], true);
    }
    batch->count = 0;
    if (status != WEIR_OK) {
        cli_complain_call(check->command, check->target.weir, status);
        check->failed = true;
    }
}

/* Decides all keys of the block that was read. */
static void check_block(struct check *check, struct cli_keys *keys, struct batch *batch)
{
    struct weir_bytes key;
    while (!check->failed && cli_keys_next(keys, &key)) {
        for (uint64_t i = 0; i < check->settings->repeat && !check->failed; i++) {
            batch->requests[batch->count++] =
                (struct weir_request){check->target.limit, key, check->settings->cost};
            if (batch->count == BATCH_MAX) {
                check_batch(check, batch);
            }
        }
    }
    if (batch->count > 0 && !check->failed) {
        check_batch(check, batch);
    }
}

/* A filter goes on past a line that can't be a key, as one such line must not stop the others. */
static void report_too_long(struct check *check, const struct cli_keys *keys, bool at_end)
{
    if (at_end && keys->too_long > 1) {
        cli_complain(check->command->name, "%" PRIu64 " lines were left out as too long",
                     keys->too_long);
    } else if (!at_end && keys->first > 0) {
        cli_complain(check->command->name,
                     "line %" PRIu64 " is longer than a key can be, %d bytes: left out",
                     keys->first, WEIR_KEY_MAX);
    }
}

static void check_lines(struct check *check, struct cli_keys *keys, struct batch *batch)
{
    bool reported = false;
    while (!check->failed && cli_keys_fill(keys)) {
        check_block(check, keys, batch);
        if (keys->too_long > 0 && !reported) {
            report_too_long(check, keys, false);
            reported = true;
        }
        if (!cli_flush(&check->output)) {
            return;
        }
    }
    if (keys->failure != 0) {
        cli_complain(check->command->name, "can't read standard input: %s",
                     strerrordesc_np(keys->failure));
    }
    report_too_long(check, keys, true);
    check->failed |= keys->failure != 0 || keys->too_long > 0;
}

static void check_stream(struct check *check)
{
    struct cli_keys keys;
    struct batch *batch = malloc(sizeof(*batch));
    if (batch == NULL || !cli_keys_init(STDIN_FILENO, &keys)) {
        free(batch);
        cli_complain(check->command->name, "out of memory");
        check->failed = true;
        return;
    }
    batch->count = 0;
    if (isatty(STDIN_FILENO) == 1) {
        cli_complain(check->command->name, "reading keys, one a line; Ctrl-D ends them");
    }
    check_lines(check, &keys, batch);
    cli_keys_deinit(&keys);
    free(batch);
}

/* ---- The command ---- */

static bool is_stream(const struct cli_settings *settings)
{
    return settings->operand_count == 0 ||
           (settings->operand_count == 1 && strcmp(settings->operands[0], "-") == 0);
}

/* What goes together, and what doesn't. */
static bool is_sensible(const struct cli_command *command, const struct cli_settings *settings)
{
    const bool stream = is_stream(settings);
    for (size_t i = 0; i < settings->operand_count; i++) {
        if (!stream && strcmp(settings->operands[i], "-") == 0) {
            cli_complain(command->name, "'-', keys from standard input, goes with no other key");
            return false;
        }
        if (strlen(settings->operands[i]) > WEIR_KEY_MAX) {
            cli_complain(command->name, "a key has at most %d bytes, this one %zu", WEIR_KEY_MAX,
                         strlen(settings->operands[i]));
            return false;
        }
    }
    if (settings->every_us > 0 && (stream || settings->repeat == 1)) {
        cli_complain(command->name, stream
                                        ? "--every goes with keys on the command line, not stdin"
                                        : "--every is how long --repeat waits: say --repeat N too");
        return false;
    }
    return true;
}

static enum cli_exit run(const struct cli_command *command, const struct cli_settings *settings)
{
    struct check check = {.command = command, .settings = settings};
    const enum cli_open how = settings->peek ? CLI_OPEN_MADE : CLI_OPEN_OR_MAKE;
    if (!is_sensible(command, settings) ||
        !cli_target_open(command, settings, how, &check.target)) {
        return CLI_ERROR;
    }
    if (!cli_output_open(command, settings, &check.output)) {
        cli_target_close(&check.target);
        return CLI_ERROR;
    }
    if (is_stream(settings)) {
        check_stream(&check);
    } else {
        check_operands(&check);
    }
    cli_target_close(&check.target);
    const enum cli_exit code = check.any_denied ? CLI_DENIED : CLI_ADMITTED;
    return cli_output_close(command, &check.output, check.failed ? CLI_ERROR : code);
}

static const enum cli_option_id options[] = {
    CLI_OPTION_LIMIT,  CLI_OPTION_STORE, CLI_OPTION_NAME,  CLI_OPTION_COST,
    CLI_OPTION_REPEAT, CLI_OPTION_EVERY, CLI_OPTION_PEEK,  CLI_OPTION_ONLY,
    CLI_OPTION_JSON,   CLI_OPTION_QUIET, CLI_OPTION_COLOR, CLI_OPTION_HELP,
};

const struct cli_command cli_command_check = {
    .name = "check",
    .operands = "[KEY...] --limit TEXT [OPTION...]",
    .summary = "ask whether requests may pass, and count them if so",
    .details =
        "Asks whether a request by each KEY may pass, and takes its cost if so. Without a KEY, or\n"
        "with -, keys are read from standard input, one a line: a line's bytes, without the\n"
        "newline, are the key. Each is answered, in order, by a line `allowed KEY` or `denied "
        "KEY`.\n"
        "\n"
        "Exit code: 0 all allowed, 1 any denied, 2 an error.",
    .examples = "  weir check user123 --limit '5/10s fixed-window' --repeat 7 --every 1s\n"
                "  weir check \"$USER\" --limit 3/h --store shm:/run/weir.table -q || exit 1\n"
                "  cut -d' ' -f1 access.log | weir check --limit 100/m --only denied | sort -u\n"
                "  weir check 10.0.0.7 --limit 100/m --store shm:/run/weir.table --peek --json\n"
                "  weir check user123 --limit 100/m --store 'redis://127.0.0.1?on_error=deny'\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
