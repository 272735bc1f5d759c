/* limit.c - `weir limit`: what a limit means, in words and as a picture.
 *
 * The picture is of one client that asks for more than it may have: a burst a fifth larger than the
 * limit holds, then steadily at 1.25 times its rate. What is drawn is what the engine decided, on a
 * table of its own, with a supplied clock. */

#include "cli/command.h"
#include "cli/explain.h"
#include "cli/format.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/picture.h"
#include "cli/target.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

/* When the picture begins: 2025-01-01 00:00 UTC, at which every window of the calendar turns but
 * the week's. */
#define START_US (INT64_C(1735689600) * SECOND_US)

/* A minute is drawn, rather than less, where the client makes no more requests in it. */
#define MINUTE_REQUESTS 300

/* About how many requests are decided for a picture; past this one of cost n stands for n. */
#define REQUESTS_MAX 4000

/* Products that 64 bits can't hold. */
__extension__ typedef unsigned __int128 wide;

/* A client of one picture. */
struct plan {
    uint64_t cost;       /* of each request; 1 unless there would be too many */
    uint64_t at_once;    /* requests at the start */
    int64_t interval_us; /* between later ones, whole */
    int64_t span_us;
};

/* The spans that a chart can have are six of these. */
static const int64_t ticks_us[] = {
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1000,
    2000,
    5000,
    10000,
    20000,
    50000,
    100000,
    200000,
    500000,
    SECOND_US,
    2 * SECOND_US,
    5 * SECOND_US,
    10 * SECOND_US,
    20 * SECOND_US,
    30 * SECOND_US,
    MINUTE_US,
    2 * MINUTE_US,
    5 * MINUTE_US,
    10 * MINUTE_US,
    20 * MINUTE_US,
    30 * MINUTE_US,
    HOUR_US,
    2 * HOUR_US,
    4 * HOUR_US,
    8 * HOUR_US,
    12 * HOUR_US,
    DAY_US,
    2 * DAY_US,
    5 * DAY_US,
    10 * DAY_US,
    20 * DAY_US,
    30 * DAY_US,
    60 * DAY_US,
    100 * DAY_US,
    200 * DAY_US,
};

/* How many requests come in `span_us` after the burst: 5 where the limit lets 4. */
static uint64_t steady_requests(const struct weir_limit_spec *spec, int64_t span_us)
{
    const wide five = (wide)(uint64_t)span_us * spec->count * 5;
    const wide requests = five / ((uint64_t)cli_nominal_period_us(spec) * 4);
    return requests > UINT32_MAX ? UINT32_MAX : (uint64_t)requests;
}

/* Long enough for the limit to be used up and to come back a few times. */
static int64_t choose_span(const struct weir_limit_spec *spec, uint64_t at_once)
{
    const wide whole = (wide)(uint64_t)cli_nominal_period_us(spec) * cli_capacity(spec);
    int64_t cycle_us = (int64_t)(whole / spec->count);
    if (spec->block_us > cycle_us) {
        cycle_us = spec->block_us;
    }
    size_t i = 0;
    while (i + 1 < sizeof(ticks_us) / sizeof(ticks_us[0]) && ticks_us[i] * 2 < cycle_us) {
        i++;
    }
    const int64_t span_us = 6 * ticks_us[i];
    if (span_us < MINUTE_US && at_once + steady_requests(spec, MINUTE_US) <= MINUTE_REQUESTS) {
        return MINUTE_US;
    }
    return span_us;
}

static struct plan make_plan(const struct weir_limit_spec *spec)
{
    const uint64_t capacity = cli_capacity(spec);
    struct plan plan = {.cost = 1, .at_once = capacity + (capacity + 4) / 5};
    plan.span_us = choose_span(spec, plan.at_once);
    const uint64_t steady = steady_requests(spec, plan.span_us);
    plan.cost = (plan.at_once + steady + REQUESTS_MAX - 1) / REQUESTS_MAX;
    /* Requests as large as the limit would show nothing. What are then too many come less often. */
    if (plan.cost > 1 + capacity / 20) {
        plan.cost = 1 + capacity / 20;
    }
    plan.at_once = (plan.at_once + plan.cost - 1) / plan.cost;
    const wide four = (wide)(uint64_t)cli_nominal_period_us(spec) * 4 * plan.cost;
    plan.interval_us = (int64_t)(four / (spec->count * 5));
    if (plan.interval_us < plan.span_us / (4 * REQUESTS_MAX)) {
        plan.interval_us = plan.span_us / (4 * REQUESTS_MAX);
    }
    if (plan.interval_us == 0) {
        plan.interval_us = 1;
    }
    return plan;
}

/* ---- The picture ---- */

struct pictures {
    struct cli_chart asked;
    struct cli_chart left; /* leaky-bucket: the same, as they leave */
};

static enum weir_status ask(const struct cli_target *target, const struct plan *plan,
                            int64_t offset_us, struct pictures *pictures)
{
    struct weir_decision decision;
    const enum weir_status status = weir_check(target->weir, target->limit, weir_text("client"),
                                               plan->cost, START_US + offset_us, &decision);
    if (status != WEIR_OK) {
        return status;
    }
    const size_t column = (size_t)(offset_us * CLI_COLUMNS / plan->span_us);
    assert(column < CLI_COLUMNS);
    if (!decision.allowed) {
        pictures->asked.down[column] += plan->cost;
        return status;
    }
    pictures->asked.up[column] += plan->cost;
    const int64_t leaves_us = offset_us + decision.delay_us;
    if (leaves_us < plan->span_us) {
        pictures->left.up[leaves_us * CLI_COLUMNS / plan->span_us] += plan->cost;
    }
    return status;
}

static enum weir_status play(const struct cli_target *target, const struct plan *plan,
                             struct pictures *pictures)
{
    enum weir_status status = WEIR_OK;
    for (uint64_t i = 0; i < plan->at_once && status == WEIR_OK; i++) {
        status = ask(target, plan, 0, pictures);
    }
    for (int64_t at_us = plan->interval_us; at_us < plan->span_us && status == WEIR_OK;
         at_us += plan->interval_us) {
        status = ask(target, plan, at_us, pictures);
    }
    return status;
}

static void print_caption(struct cli_output *output, const struct plan *plan)
{
    const struct cli_words span = cli_period_words(plan->span_us);
    cli_print(output, "\nThe first %s of a client that asks %s times at once, then 1 every %s",
              span.text, cli_number_words(plan->at_once).text,
              cli_period_words(plan->interval_us).text);
    if (plan->cost > 1) {
        cli_print(output, ",\neach standing for %s", cli_number_words(plan->cost).text);
    }
    cli_put_text(output, ":\n\n");
}

static enum weir_status draw(struct cli_output *output, const struct cli_target *target,
                             const struct weir_limit_spec *spec)
{
    const struct plan plan = make_plan(spec);
    struct pictures pictures = {
        .asked = {.up_label = "admitted", .down_label = "denied", .span_us = plan.span_us},
        .left = {.up_label = "leave", .down_label = NULL, .span_us = plan.span_us},
    };
    const enum weir_status status = play(target, &plan, &pictures);
    if (status != WEIR_OK) {
        return status;
    }
    print_caption(output, &plan);
    cli_draw_chart(output, &pictures.asked);
    if (spec->algorithm == WEIR_LEAKY_BUCKET) {
        cli_put_text(output, "\nWhat was admitted waits, and leaves evenly spaced:\n\n");
        cli_draw_chart(output, &pictures.left);
    }
    return status;
}

/* ---- The words ---- */

static void print_words(struct cli_output *output, const char *canonical,
                        const struct weir_limit_spec *spec,
                        const struct cli_explanation *explanation)
{
    cli_put_styled(output, CLI_BOLD, canonical);
    if (spec->algorithm == WEIR_TOKEN_BUCKET) {
        cli_print(output, " (%s)", weir_algorithm_name(spec->algorithm));
    }
    cli_print(output, "\n\n  allows   %s\n  at most  %s\n  denied   %s\n", explanation->allows,
              explanation->at_most, explanation->denied);
}

static void print_json_optional(struct cli_output *output, const char *name, int64_t number)
{
    cli_put_json_time(output, name, number > 0 ? number : WEIR_NEVER);
}

static void print_json(struct cli_output *output, const char *canonical,
                       const struct weir_limit_spec *spec,
                       const struct cli_explanation *explanation)
{
    cli_put_text(output, "{\"limit\":");
    (void)cli_put_json_string(output, weir_text(canonical));
    cli_print(output, ",\"algorithm\":\"%s\"", weir_algorithm_name(spec->algorithm));
    cli_put_json_number(output, "count", spec->count);
    print_json_optional(output, "period_us", spec->period_us);
    print_json_optional(output, "burst", (int64_t)spec->burst);
    print_json_optional(output, "block_us", spec->block_us);
    cli_put_text(output, ",\"zone\":");
    if (*spec->zone != '\0') {
        (void)cli_put_json_string(output, weir_text(spec->zone));
    } else {
        cli_put_text(output, "null");
    }
    cli_put_json_number(output, "worst_case", explanation->worst);
    cli_put_text(output, ",\"allows\":");
    (void)cli_put_json_string(output, weir_text(explanation->allows));
    cli_put_text(output, ",\"at_most\":");
    (void)cli_put_json_string(output, weir_text(explanation->at_most));
    cli_put_text(output, ",\"denied\":");
    (void)cli_put_json_string(output, weir_text(explanation->denied));
    cli_put_text(output, "}\n");
}

/* ---- The command ---- */

static enum weir_status explain(const struct cli_settings *settings,
                                const struct cli_target *target, struct cli_output *output)
{
    struct weir_limit_spec spec;
    struct cli_explanation explanation;
    char canonical[WEIR_TEXT_MAX];
    weir_limit_describe(target->limit, &spec);
    cli_explain(&spec, &explanation);
    const enum weir_status status =
        weir_limit_format(target->limit, canonical, sizeof(canonical), NULL);
    if (status != WEIR_OK) {
        return status;
    }
    if (settings->json) {
        print_json(output, canonical, &spec, &explanation);
        return status;
    }
    print_words(output, canonical, &spec, &explanation);
    return draw(output, target, &spec);
}

/* The operands with a blank between them, so that `weir limit 5/10s fixed-window` needs no quotes.
 */
static char *join_operands(const struct cli_settings *settings)
{
    size_t size = 1;
    for (size_t i = 0; i < settings->operand_count; i++) {
        size += strlen(settings->operands[i]) + 1;
    }
    char *text = malloc(size);
    size_t length = 0;
    for (size_t i = 0; i < settings->operand_count && text != NULL; i++) {
        const int written =
            snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "", settings->operands[i]);
        length += (size_t)written;
    }
    return text;
}

static enum cli_exit run(const struct cli_command *command, const struct cli_settings *settings)
{
    if (settings->operand_count == 0) {
        cli_complain(command->name, "a limit is needed, as weir limit 5/10s fixed-window");
        return CLI_ERROR;
    }
    struct cli_target target = {0};
    struct cli_output output;
    char *text = join_operands(settings);
    if (text == NULL) {
        cli_complain(command->name, "out of memory");
        return CLI_ERROR;
    }
    enum cli_exit code = CLI_ERROR;
    if (cli_limit_open(command, text, NULL, &target.limit) &&
        cli_store_open(command, "memory:?size=64KiB", CLI_OPEN_OR_MAKE, &target.weir) &&
        cli_output_open(command, settings, &output)) {
        const enum weir_status status = explain(settings, &target, &output);
        if (status != WEIR_OK) {
            cli_complain(command->name, "%s", weir_strerror(status));
        }
        code = cli_output_close(command, &output, status == WEIR_OK ? CLI_ADMITTED : CLI_ERROR);
    }
    cli_target_close(&target);
    free(text);
    return code;
}

static const enum cli_option_id options[] = {CLI_OPTION_JSON, CLI_OPTION_COLOR, CLI_OPTION_HELP};

const struct cli_command cli_command_limit = {
    .name = "limit",
    .operands = "TEXT [OPTION...]",
    .summary = "explain a limit in words, and draw what it does",
    .details = "Explains a limit: what it allows, the most that can pass in the worst case, and a "
               "picture\n"
               "of its first minute (or of a fitting time) from the engine's own decisions. The "
               "grammar of\n"
               "limits is in weir-limit(7): COUNT/PERIOD [ALGORITHM [ZONE | epoch]]\n"
               "[burst COUNT] [block DURATION].",
    .examples = "  weir limit 100/m burst 20\n"
                "  weir limit 5/10s fixed-window\n"
                "  weir limit 5/15m sliding-log block 15m\n"
                "  weir limit 10000/month calendar-window Europe/Rome --json\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
