/* demo.c - `weir demo`, which `make run` shows: the classic case in real time, then the same
 * requests and a burst under every algorithm, at once, with a supplied clock. */

#include "cli/command.h"
#include "cli/format.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/picture.h"
#include "cli/target.h"
#include "cli/wait.h"

#include <stdio.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

/* Where the supplied clock begins: 15 s before a minute is full, so that calendar-window shows what
 * it does at the turn of one. */
#define START_US (INT64_C(1735689645) * SECOND_US)

#define CLASSIC_LIMIT "5/10s fixed-window"
#define CLASSIC_REQUESTS 7

/* How often the waiting shows that it goes on. */
#define PROGRESS_US (SECOND_US / 4)

struct demo {
    const struct cli_command *command;
    struct cli_output output;
    bool fast;
    int64_t start_us; /* of the classic case, by the monotonic clock */
    int64_t at_us;    /* how far it is */
};

/* ---- The classic case ---- */

/* Lets the time come that lies `at_us` after the start. With `progress`, a dot a moment. */
static bool wait_for(struct demo *demo, int64_t at_us, bool progress)
{
    while (demo->at_us < at_us) {
        const bool last = !progress || at_us - demo->at_us <= PROGRESS_US;
        demo->at_us = last ? at_us : demo->at_us + PROGRESS_US;
        if (progress) {
            cli_put_styled(&demo->output, CLI_DIM, ".");
        }
        if (!cli_flush(&demo->output)) {
            return false;
        }
        if (!demo->fast) {
            cli_wait_until(demo->start_us + demo->at_us);
        }
    }
    return true;
}

static enum weir_status ask_classic(struct demo *demo, const struct cli_target *target,
                                    unsigned number, struct weir_decision *ret_decision)
{
    const struct weir_bytes key = weir_text("user123");
    const int64_t now_us = demo->fast ? START_US + demo->at_us : WEIR_CLOCK;
    const enum weir_status status =
        weir_check(target->weir, target->limit, key, 1, now_us, ret_decision);
    if (status == WEIR_OK) {
        cli_print(&demo->output, "  %4.1f s   request %u   ", (double)demo->at_us / SECOND_US,
                  number);
        cli_put_decision(&demo->output, key, ret_decision, 1);
    }
    return status;
}

static enum weir_status play_classic(struct demo *demo, const struct cli_target *target)
{
    struct weir_decision decision = {0};
    enum weir_status status = WEIR_OK;
    for (unsigned i = 0; i < CLASSIC_REQUESTS && status == WEIR_OK; i++) {
        if (!wait_for(demo, (int64_t)i * SECOND_US, false)) {
            return WEIR_OK;
        }
        status = ask_classic(demo, target, i + 1, &decision);
    }
    if (status != WEIR_OK) {
        return status;
    }
    if (!demo->fast) {
        /* The wait counts from when the request was decided, a little later than planned; and the
         * clock's reading lost up to a microsecond. */
        demo->at_us = cli_monotonic_us() + 1 - demo->start_us;
    }
    cli_print(&demo->output, "           waiting %s until the window is over ",
              cli_duration_words(decision.retry_after_us).text);
    const bool over = wait_for(demo, demo->at_us + decision.retry_after_us, true);
    cli_put_text(&demo->output, "\n");
    return over ? ask_classic(demo, target, CLASSIC_REQUESTS + 1, &decision) : WEIR_OK;
}

static bool open_pair(const struct cli_command *command, const char *text,
                      struct cli_target *ret_target)
{
    const struct cli_settings settings = {.limit = text, .store = "memory:?size=64KiB"};
    return cli_target_open(command, &settings, CLI_OPEN_OR_MAKE, ret_target);
}

static bool show_classic(struct demo *demo)
{
    struct cli_target target;
    if (!open_pair(demo->command, CLASSIC_LIMIT, &target)) {
        return false;
    }
    cli_put_styled(&demo->output, CLI_BOLD, "user123 asks once a second; " CLASSIC_LIMIT);
    cli_put_text(&demo->output, " lets five through in 10 s");
    cli_put_text(&demo->output, demo->fast ? "\n\n" : " (in real time)\n\n");
    demo->start_us = cli_monotonic_us();
    const enum weir_status status = play_classic(demo, &target);
    cli_target_close(&target);
    if (status != WEIR_OK) {
        cli_complain(demo->command->name, "%s", weir_strerror(status));
    }
    return status == WEIR_OK && cli_flush(&demo->output);
}

/* ---- Side by side ---- */

/* The classic case, and from 10 s on two requests a second for 20 s: a column each half second. */
#define COLUMN_US (SECOND_US / 2)
#define COLUMNS 60
#define BURST_COLUMN 20

struct strip {
    enum cli_mark marks[COLUMNS];
    enum cli_mark leaves[COLUMNS];
    unsigned admitted;
    unsigned asked;
};

static bool asks_at(size_t column)
{
    return column >= BURST_COLUMN || (column % 2 == 0 && column / 2 < CLASSIC_REQUESTS);
}

static enum weir_status play_strip(const struct cli_target *target, struct strip *strip)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        const int64_t offset_us = (int64_t)i * COLUMN_US;
        struct weir_decision decision;
        if (!asks_at(i)) {
            continue;
        }
        const enum weir_status status = weir_check(
            target->weir, target->limit, weir_text("user123"), 1, START_US + offset_us, &decision);
        if (status != WEIR_OK) {
            return status;
        }
        strip->asked++;
        strip->admitted += decision.allowed;
        strip->marks[i] = decision.allowed ? CLI_MARK_ADMITTED : CLI_MARK_DENIED;
        const int64_t leaves = (offset_us + decision.delay_us) / COLUMN_US;
        if (decision.allowed && leaves < COLUMNS) {
            strip->leaves[leaves] = CLI_MARK_LEAVES;
        }
    }
    return WEIR_OK;
}

static void put_name(struct cli_output *output, const char *name)
{
    cli_print(output, " %-15s ", name);
}

static bool show_algorithm(struct demo *demo, const char *text, enum weir_algorithm algorithm)
{
    struct cli_target target;
    struct strip strip = {.admitted = 0};
    if (!open_pair(demo->command, text, &target)) {
        return false;
    }
    const enum weir_status status = play_strip(&target, &strip);
    cli_target_close(&target);
    if (status != WEIR_OK) {
        cli_complain(demo->command->name, "%s", weir_strerror(status));
        return false;
    }
    put_name(&demo->output, weir_algorithm_name(algorithm));
    cli_draw_strip(&demo->output, strip.marks, COLUMNS);
    cli_print(&demo->output, " %2u\n", strip.admitted);
    if (algorithm == WEIR_LEAKY_BUCKET) {
        put_name(&demo->output, "  they leave");
        cli_draw_strip(&demo->output, strip.leaves, COLUMNS);
        cli_put_text(&demo->output, "\n");
    }
    return true;
}

static void put_heading(struct cli_output *output)
{
    cli_put_text(output, "\n");
    cli_put_styled(output, CLI_BOLD, "The same, then a burst of 20 s, under every algorithm");
    cli_put_text(output, " (with a supplied clock)\n\n");
    put_name(output, "");
    cli_print(output, "%-20s%s\n", "one a second", "two a second");
    put_name(output, "5 in 10 s");
    for (int seconds = 0; seconds < 30; seconds += 5) {
        cli_print(output, "%-10s", cli_duration_words(seconds * SECOND_US).text);
    }
    cli_put_text(output, "\n");
}

static void put_legend(struct cli_output *output)
{
    cli_put_text(output, "\n ");
    cli_draw_mark(output, CLI_MARK_ADMITTED);
    cli_put_text(output, " admitted (right: how many)   ");
    cli_draw_mark(output, CLI_MARK_DENIED);
    cli_put_text(output, " denied   ");
    cli_draw_mark(output, CLI_MARK_LEAVES);
    cli_put_text(output,
                 " leaves the queue\n"
                 " calendar-window: 5 in each minute of the clock, of which one begins at 15 s\n");
}

static bool show_side_by_side(struct demo *demo)
{
    static const char *const limits[] = {
        [WEIR_TOKEN_BUCKET] = "5/10s",
        [WEIR_LEAKY_BUCKET] = "5/10s leaky-bucket",
        [WEIR_FIXED_WINDOW] = "5/10s fixed-window",
        [WEIR_CALENDAR_WINDOW] = "5/m calendar-window",
        [WEIR_SLIDING_WINDOW] = "5/10s sliding-window",
        [WEIR_SLIDING_LOG] = "5/10s sliding-log",
    };
    put_heading(&demo->output);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (!show_algorithm(demo, limits[i], (enum weir_algorithm)i)) {
            return false;
        }
    }
    put_legend(&demo->output);
    cli_put_text(&demo->output, "\nTry one of yours: weir limit '100/m burst 20'\n");
    return true;
}

/* ---- The command ---- */

static enum cli_exit run(const struct cli_command *command, const struct cli_settings *settings)
{
    struct demo demo = {.command = command, .fast = settings->fast};
    if (settings->operand_count > 0) {
        cli_complain(command->name, "'%s' is one word too many; " CLI_SEE_HELP,
                     settings->operands[0], command->name);
        return CLI_ERROR;
    }
    if (!cli_output_open(command, settings, &demo.output)) {
        return CLI_ERROR;
    }
    const bool done = show_classic(&demo) && show_side_by_side(&demo);
    return cli_output_close(command, &demo.output, done ? CLI_ADMITTED : CLI_ERROR);
}

static const enum cli_option_id options[] = {CLI_OPTION_FAST, CLI_OPTION_COLOR, CLI_OPTION_HELP};

const struct cli_command cli_command_demo = {
    .name = "demo",
    .operands = "[OPTION...]",
    .summary = "show what limits do: ten seconds, and a picture",
    .details =
        "Seven requests of user123, one a second, against " CLASSIC_LIMIT ": five are\n"
        "allowed, two denied with how long to wait, and after that wait one is allowed again.\n"
        "Then the same requests, and a burst of 20 seconds, under every algorithm side by side.",
    .examples = "  weir demo\n"
                "  weir demo --fast --color=never\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
