/* bench.c - `weir bench`: how many decisions a second this machine makes, one thread, in a few
 * seconds.
 *
 * Every row but the last has its `now` supplied, one microsecond later for each decision, so that
 * under the default limit each is admitted and writes. make bench in a checkout measures against
 * floors and other libraries; this is for who has the program alone. */

#include "cli/command.h"
#include "cli/format.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/target.h"
#include "cli/wait.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT "1000000/s"

/* Decisions between two looks at the clock that ends a row; of a batch, how many are asked
 * together. */
#define ROUND 1024

/* A key is its number, in 8 bytes. */
#define KEY_SIZE 8

/* The table is at least this large, and has twice the room that the keys need. */
#define TABLE_SIZE_MIN (UINT64_C(64) << 20)

struct bench {
    const struct cli_target *target;
    uint64_t keys;
    uint64_t random; /* the state of next_key */
    int64_t now_us;
    uint64_t admitted;
    struct weir_request requests[ROUND];
    struct weir_decision decisions[ROUND];
    char key_bytes[ROUND][KEY_SIZE];
};

/* A row measures one of these, which makes ROUND decisions. */
typedef enum weir_status round_function(struct bench *bench);

struct result {
    const char *name;
    uint64_t decisions;
    uint64_t admitted;
    int64_t elapsed_us;
};

/* A number below `keys`, each as likely as any other but for 2^-32: a generator of 64 bits
 * (xorshift), whose upper half is scaled. */
static uint64_t next_key(struct bench *bench)
{
    bench->random ^= bench->random << 13;
    bench->random ^= bench->random >> 7;
    bench->random ^= bench->random << 17;
    return (bench->random >> 32) * bench->keys >> 32;
}

static enum weir_status decide(struct bench *bench, uint64_t number, int64_t now_us)
{
    char bytes[KEY_SIZE];
    struct weir_decision decision;
    memcpy(bytes, &number, KEY_SIZE);
    const enum weir_status status = weir_check(bench->target->weir, bench->target->limit,
                                               weir_bytes(bytes, KEY_SIZE), 1, now_us, &decision);
    if (status == WEIR_OK) {
        bench->admitted += decision.allowed;
    }
    return status;
}

static enum weir_status one_key(struct bench *bench)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < ROUND && status == WEIR_OK; i++) {
        status = decide(bench, 0, bench->now_us++);
    }
    return status;
}

static enum weir_status one_key_clock(struct bench *bench)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < ROUND && status == WEIR_OK; i++) {
        status = decide(bench, 0, WEIR_CLOCK);
    }
    return status;
}

static enum weir_status many_keys(struct bench *bench)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < ROUND && status == WEIR_OK; i++) {
        status = decide(bench, next_key(bench), bench->now_us++);
    }
    return status;
}

static enum weir_status many_keys_batch(struct bench *bench)
{
    for (size_t i = 0; i < ROUND; i++) {
        const uint64_t number = next_key(bench);
        memcpy(bench->key_bytes[i], &number, KEY_SIZE);
        bench->requests[i] = (struct weir_request){bench->target->limit,
                                                   weir_bytes(bench->key_bytes[i], KEY_SIZE), 1};
    }
    const enum weir_status status = weir_check_batch(bench->target->weir, bench->requests, ROUND,
                                                     bench->now_us, bench->decisions, NULL);
    bench->now_us += ROUND;
    for (size_t i = 0; i < ROUND && status == WEIR_OK; i++) {
        bench->admitted += bench->decisions[i].allowed;
    }
    return status;
}

/* Runs `round` for about `duration_us`, after a tenth of that to warm up. */
static enum weir_status measure(struct bench *bench, round_function *round, int64_t duration_us,
                                struct result *result)
{
    enum weir_status status = WEIR_OK;
    int64_t start_us = cli_monotonic_us();
    while (status == WEIR_OK && cli_monotonic_us() - start_us < duration_us / 10) {
        status = round(bench);
    }
    bench->admitted = 0;
    start_us = cli_monotonic_us();
    while (status == WEIR_OK && result->elapsed_us < duration_us) {
        status = round(bench);
        result->decisions += ROUND;
        result->elapsed_us = cli_monotonic_us() - start_us;
    }
    result->admitted = bench->admitted;
    return status;
}

/* ---- What is shown ---- */

static void put_result(struct cli_output *output, const struct result *result, bool json)
{
    const double seconds = (double)result->elapsed_us / 1e6;
    const double each_ns = seconds * 1e9 / (double)result->decisions;
    const double per_second = (double)result->decisions / seconds;
    if (json) {
        cli_print(output, "{\"row\":\"%s\",\"ns_per_decision\":%.2f,\"decisions_per_second\":%.0f",
                  result->name, each_ns, per_second);
        cli_put_json_number(output, "decisions", result->decisions);
        cli_put_json_number(output, "admitted", result->admitted);
        cli_put_text(output, "}\n");
    } else {
        cli_print(output, "  %-34s %8.1f ns %14s /s %8.0f %%\n", result->name, each_ns,
                  cli_number_words((uint64_t)per_second).text,
                  100.0 * (double)result->admitted / (double)result->decisions);
    }
}

static void put_heading(struct cli_output *output, const struct cli_settings *settings,
                        const char *limit, const char *store)
{
    if (!settings->json) {
        cli_print(output, "%s, %s keys, %s, one thread\n\n  %-34s %11s %17s %10s\n",
                  settings->limit != NULL ? settings->limit : limit,
                  cli_number_words(settings->keys).text, store, "", "a decision", "decisions",
                  "admitted");
    }
}

static bool run_rows(const struct cli_command *command, const struct cli_settings *settings,
                     struct bench *bench, struct cli_output *output)
{
    static const struct {
        const char *name;
        round_function *round;
    } rows[] = {
        {"one key", one_key},
        {"many keys, one at a time", many_keys},
        {"many keys, in batches of 1024", many_keys_batch},
        {"one key, reading the clock", one_key_clock},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct result result = {.name = rows[i].name};
        const enum weir_status status =
            measure(bench, rows[i].round, (int64_t)settings->seconds * 1000000, &result);
        if (status != WEIR_OK) {
            cli_complain(command->name, "%s", weir_strerror(status));
            return false;
        }
        put_result(output, &result, settings->json);
        if (!cli_flush(output)) {
            return false;
        }
    }
    return true;
}

/* ---- The command ---- */

static enum cli_exit run_with(const struct cli_command *command,
                              const struct cli_settings *settings, const struct cli_target *target,
                              const char *store)
{
    struct cli_output output;
    struct bench *bench = malloc(sizeof(*bench));
    if (bench == NULL || !cli_output_open(command, settings, &output)) {
        free(bench);
        return CLI_ERROR;
    }
    bench->target = target;
    bench->keys = settings->keys;
    bench->random = UINT64_C(0x9E3779B97F4A7C15);
    bench->now_us = cli_now_us();
    put_heading(&output, settings, DEFAULT_LIMIT, store);
    const bool done = run_rows(command, settings, bench, &output);
    free(bench);
    return cli_output_close(command, &output, done ? CLI_ADMITTED : CLI_ERROR);
}

static enum cli_exit run(const struct cli_command *command, const struct cli_settings *settings)
{
    char store[64];
    const uint64_t twice = settings->keys * 32;
    (void)snprintf(store, sizeof(store), "memory:?size=%" PRIu64 "MiB",
                   (twice > TABLE_SIZE_MIN ? twice : TABLE_SIZE_MIN) >> 20);
    struct cli_settings filled = *settings;
    filled.limit = settings->limit != NULL ? settings->limit : DEFAULT_LIMIT;
    filled.store = settings->store != NULL ? settings->store : store;
    struct cli_target target;
    if (settings->operand_count > 0) {
        cli_complain(command->name, "'%s' is one word too many; " CLI_SEE_HELP,
                     settings->operands[0], command->name);
        return CLI_ERROR;
    }
    if (!cli_target_open(command, &filled, CLI_OPEN_OR_MAKE, &target)) {
        return CLI_ERROR;
    }
    const enum cli_exit code = run_with(command, &filled, &target, filled.store);
    cli_target_close(&target);
    return code;
}

static const enum cli_option_id options[] = {
    CLI_OPTION_KEYS,  CLI_OPTION_SECONDS, CLI_OPTION_LIMIT,
    CLI_OPTION_STORE, CLI_OPTION_JSON,    CLI_OPTION_HELP,
};

const struct cli_command cli_command_bench = {
    .name = "bench",
    .operands = "[OPTION...]",
    .summary = "measure how many decisions a second this machine makes",
    .details = "Measures one thread: one key, many keys in random order one at a time and in "
               "batches, and\n"
               "one key with the clock read for each decision. The limit is " DEFAULT_LIMIT
               " unless one is\n"
               "given; the store a table in memory with twice the room that the keys need.",
    .examples = "  weir bench\n"
                "  weir bench --keys 10000000 --seconds 3\n"
                "  weir bench --store shm:/dev/shm/bench.table --json\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
