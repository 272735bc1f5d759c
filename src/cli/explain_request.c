/* explain_request.c - `weir explain`: what a file makes of one request.
 *
 * The rules are asked why they match, a plan is made as the server makes it, and the store is only
 * looked at: a fresh table of this process unless another is named, so that nothing is taken from
 * anybody. */

#include "base/buffer.h"
#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/format.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/target.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A table for looking into. */
#define FRESH_STORE "memory:?size=64KiB"

/* Why a rule matches or does not. */
struct reason {
    bool matches;
    char *why;
};

/* One request, asked about. */
struct question {
    const struct cli_command *command;
    const struct cli_settings *settings;
    const struct weir_config *config;
    struct weir_attribute attributes[WEIR_ATTRIBUTES_MAX];
    struct weir_inquiry_spec inquiry;
    struct reason *reasons; /* a rule each */
    struct weir_plan plan;
    struct weir_decision decisions[WEIR_MATCHES_MAX];
    struct weir_outcome outcome;
};

/* ---- Asking ------------------------------------------------------------------------------- */

static bool read_attributes(struct question *question)
{
    const struct cli_settings *settings = question->settings;
    const size_t count = settings->operand_count - 1;
    if (count > WEIR_ATTRIBUTES_MAX) {
        cli_complain(question->command->name, "a request has at most %d attributes",
                     WEIR_ATTRIBUTES_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = settings->operands[i + 1];
        const char *equals = strchr(text, '=');
        if (equals == NULL || equals == text) {
            cli_complain(question->command->name,
                         "'%s' is no attribute; write NAME=VALUE, as ip=203.0.113.7", text);
            return false;
        }
        question->attributes[i].name = weir_bytes(text, (size_t)(equals - text));
        question->attributes[i].value = weir_text(equals + 1);
    }
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    question->inquiry = (struct weir_inquiry_spec){
        .attributes = question->attributes,
        .count = count,
        .cost = settings->cost,
        .only = SIZE_MAX,
        .now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000,
    };
    return true;
}

static void take_reason(void *context, size_t rule, bool matches, const char *why)
{
    struct question *question = context;
    question->reasons[rule].matches = matches;
    question->reasons[rule].why = strdup(why);
}

static bool find_reasons(struct question *question)
{
    const size_t count = weir_policy_count(question->config->policy);
    question->reasons = calloc(count + 1, sizeof(*question->reasons));
    if (question->reasons == NULL) {
        return false;
    }
    weir_policy_explain(question->config->policy, &question->inquiry, take_reason, question);
    for (size_t i = 0; i < count; i++) {
        if (question->reasons[i].why == NULL) {
            return false;
        }
    }
    return true;
}

static const char *store_of(const struct question *question)
{
    if (question->settings->store != NULL) {
        return question->settings->store;
    }
    return question->settings->ask ? question->config->store : FRESH_STORE;
}

/* Looks into the store for each request of the plan. */
static bool look(struct question *question)
{
    struct weir *weir = NULL;
    uint64_t told = 0;
    if (question->plan.request_count == 0) {
        return true;
    }
    if (question->settings->ask && question->settings->store == NULL &&
        strncmp(question->config->store, "memory:", strlen("memory:")) == 0) {
        cli_complain(question->command->name,
                     "--ask: the file's store is memory:, which only the server itself can see");
        return false;
    }
    if (!cli_store_open(question->command, store_of(question), CLI_OPEN_MADE, &weir)) {
        return false;
    }
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < question->plan.request_count && status == WEIR_OK; i++) {
        const struct weir_request *request = &question->plan.requests[i];
        status = weir_peek(weir, request->limit, request->key, request->cost, WEIR_CLOCK,
                           &question->decisions[i]);
        if (status == WEIR_OK) {
            cli_tell_failure(question->command, weir, &question->decisions[i], &told);
        }
    }
    if (status != WEIR_OK) {
        cli_complain_call(question->command, weir, status);
    }
    weir_close(weir);
    return status == WEIR_OK;
}

static bool ask(struct question *question)
{
    struct weir_error error = {0};
    if (!read_attributes(question)) {
        return false;
    }
    if (!find_reasons(question)) {
        cli_complain(question->command->name, "out of memory");
        return false;
    }
    const enum weir_status status =
        weir_policy_plan(question->config->policy, &question->inquiry, &question->plan, &error);
    if (status != WEIR_OK) {
        cli_complain(question->command->name, "%s",
                     error.message[0] != '\0' ? error.message : weir_strerror(status));
        return false;
    }
    if (!look(question)) {
        return false;
    }
    question->outcome = weir_plan_sum(question->plan.parts, question->plan.part_count,
                                      question->decisions, question->inquiry.now_us);
    return true;
}

/* ---- What was found ----------------------------------------------------------------------- */

static const struct weir_rule_spec *rule_of(const struct question *question,
                                            const struct weir_part *part)
{
    return weir_policy_rule(question->config->policy, part->rule);
}

/* Where a limit of a rule comes from: "tier", "override" or "rule". The value of a tier, or none,
 * goes to ret_value. */
static const char *origin_of(const struct weir_rule_spec *rule, const struct weir_limit *limit,
                             struct weir_bytes *ret_value)
{
    *ret_value = weir_bytes(NULL, 0);
    for (size_t i = 0; i < rule->override_count; i++) {
        if (rule->overrides[i].limit == limit) {
            return "override";
        }
    }
    for (size_t i = 0; i < rule->tier_count; i++) {
        if (rule->tiers[i].limit == limit) {
            *ret_value = rule->tiers[i].value;
            return "tier";
        }
    }
    return "rule";
}

static const char *verdict_of(const struct question *question, const struct weir_part *part)
{
    if (part->listing == WEIR_LISTED_ALLOW) {
        return "allowed";
    }
    if (part->listing == WEIR_LISTED_DENY) {
        return "denied";
    }
    return question->decisions[part->request].allowed ? "allowed" : "denied";
}

static const char *listing_name(const struct weir_part *part)
{
    return part->listing == WEIR_LISTED_ALLOW ? "allow" : "deny";
}

/* ---- For people --------------------------------------------------------------------------- */

static void print_listing(const struct question *question, struct cli_output *output,
                          const struct weir_part *part)
{
    cli_print(output, "\n    list    its %s list has an entry for this", listing_name(part));
    if (part->until_us != INT64_MAX) {
        cli_print(output, ", for another %s",
                  cli_duration_words(part->until_us - question->inquiry.now_us).text);
    }
    cli_put_text(output, "\n");
}

static void print_request(const struct question *question, struct cli_output *output,
                          const struct weir_part *part)
{
    const struct weir_request *request = &question->plan.requests[part->request];
    const struct weir_rule_spec *rule = rule_of(question, part);
    struct weir_bytes value;
    const char *origin = origin_of(rule, request->limit, &value);
    cli_print(output, ", %s\n    limit   %s",
              cli_decision_words(&question->decisions[part->request], request->cost).text,
              cli_limit_text(request->limit).text);
    if (value.ptr != NULL) {
        cli_put_text(output, ", as ");
        cli_put_key(output, rule->tier_by);
        cli_put_text(output, " is ");
        cli_put_key(output, value);
    } else if (strcmp(origin, "override") == 0) {
        cli_put_text(output, ", of an override for this key");
    }
    cli_put_text(output, "\n    key     ");
    if (rule->key_count > 0) {
        cli_put_key(output, request->key);
    } else {
        cli_put_text(output, "one for all");
    }
    if (request->cost != 1) {
        cli_print(output, "\n    cost    %s", cli_number_words(request->cost).text);
    }
    cli_put_text(output, "\n");
}

/* What was asked may be in it. */
static void print_why(const struct question *question, struct cli_output *output, size_t rule)
{
    cli_put_text(output, "    as      ");
    cli_put_key(output, weir_text(question->reasons[rule].why));
    cli_put_text(output, "\n");
}

static void print_part(const struct question *question, struct cli_output *output,
                       const struct weir_part *part)
{
    const char *verdict = verdict_of(question, part);
    const bool allowed = strcmp(verdict, "allowed") == 0;
    cli_put_text(output, "  ");
    cli_put_key(output, rule_of(question, part)->name);
    cli_put_text(output, "  ");
    cli_put_styled(output, allowed ? CLI_GREEN : CLI_RED, verdict);
    if (part->shadow) {
        cli_put_text(output, " (shadow: only counted)");
    }
    if (part->listing != WEIR_LISTED_NOT) {
        print_listing(question, output, part);
    } else {
        print_request(question, output, part);
    }
    print_why(question, output, part->rule);
    if (part->regex_gave_up) {
        cli_put_text(output, "    note    a regular expression took too long, and was given up\n");
    }
}

/* Those that match and put nothing to the store: nothing limits what is in none of their tiers. */
static bool has_part(const struct question *question, size_t rule)
{
    for (size_t i = 0; i < question->plan.part_count; i++) {
        if (question->plan.parts[i].rule == rule) {
            return true;
        }
    }
    return false;
}

static void print_others(const struct question *question, struct cli_output *output)
{
    const size_t count = weir_policy_count(question->config->policy);
    size_t others = 0;
    for (size_t i = 0; i < count; i++) {
        const struct reason *reason = &question->reasons[i];
        if (reason->matches && has_part(question, i)) {
            continue;
        }
        others += reason->matches ? 0 : 1;
        if (reason->matches || question->settings->all) {
            cli_put_text(output, "  ");
            cli_put_key(output, weir_policy_rule(question->config->policy, i)->name);
            cli_put_text(output, "  ");
            cli_put_styled(output, CLI_DIM, reason->matches ? "no limit" : "does not match");
            cli_put_text(output, "\n");
            print_why(question, output, i);
        }
    }
    if (others > 0 && !question->settings->all) {
        cli_print(output, "  %s rule%s %s not match; --all says why\n",
                  cli_number_words(others).text, others == 1 ? "" : "s",
                  others == 1 ? "does" : "do");
    }
}

static void print_outcome(const struct question *question, struct cli_output *output)
{
    const struct weir_outcome *outcome = &question->outcome;
    const struct weir_part *part =
        outcome->part != UINT32_MAX ? &question->plan.parts[outcome->part] : NULL;
    cli_put_styled(output, outcome->allowed ? CLI_GREEN : CLI_RED,
                   outcome->allowed ? "allowed" : "denied");
    if (part == NULL) {
        cli_put_text(output, ": no rule that denies matches\n\n");
        return;
    }
    if (outcome->allowed) {
        cli_put_text(output, "\n\n");
        return;
    }
    cli_put_text(output, " by ");
    cli_put_key(output, rule_of(question, part)->name);
    if (outcome->retry_after_us != WEIR_NEVER) {
        cli_print(output, ", retry in %s", cli_duration_words(outcome->retry_after_us).text);
    } else {
        cli_put_text(output, ", for good");
    }
    cli_put_text(output, "\n\n");
}

static void print_words(const struct question *question, struct cli_output *output)
{
    print_outcome(question, output);
    for (size_t i = 0; i < question->plan.part_count; i++) {
        print_part(question, output, &question->plan.parts[i]);
    }
    print_others(question, output);
}

/* ---- For programs ------------------------------------------------------------------------- */

/* A time in microseconds; null for one that never comes. */
static void write_time(struct weir_json_writer *json, const char *name, int64_t us)
{
    weir_json_put_name(json, name);
    if (us == WEIR_NEVER) {
        weir_json_put_null(json);
    } else {
        weir_json_put_signed(json, us);
    }
}

static void write_request(const struct question *question, struct weir_json_writer *json,
                          const struct weir_part *part)
{
    const struct weir_request *request = &question->plan.requests[part->request];
    const struct weir_decision *decision = &question->decisions[part->request];
    struct weir_bytes value;
    weir_json_put_name(json, "limit");
    weir_json_put_text(json, cli_limit_text(request->limit).text);
    weir_json_put_name(json, "limit_from");
    weir_json_put_text(json, origin_of(rule_of(question, part), request->limit, &value));
    if (value.ptr != NULL) {
        weir_json_put_name(json, "tier");
        weir_json_put_string(json, value);
    }
    weir_json_put_name(json, "key");
    weir_json_put_string(json, request->key);
    weir_json_put_name(json, "cost");
    weir_json_put_whole(json, request->cost);
    weir_json_put_name(json, "remaining");
    weir_json_put_whole(json, decision->remaining);
    write_time(json, "retry_after_us", decision->retry_after_us);
    write_time(json, "reset_after_us", decision->reset_after_us);
    write_time(json, "delay_us", decision->delay_us);
}

static const struct weir_part *part_of(const struct question *question, size_t rule)
{
    for (size_t i = 0; i < question->plan.part_count; i++) {
        if (question->plan.parts[i].rule == rule) {
            return &question->plan.parts[i];
        }
    }
    return NULL;
}

static void write_rule(const struct question *question, struct weir_json_writer *json, size_t rule)
{
    const struct weir_part *part = part_of(question, rule);
    weir_json_put_object(json);
    weir_json_put_name(json, "rule");
    weir_json_put_string(json, weir_policy_rule(question->config->policy, rule)->name);
    weir_json_put_name(json, "matches");
    weir_json_put_boolean(json, question->reasons[rule].matches);
    weir_json_put_name(json, "why");
    weir_json_put_text(json, question->reasons[rule].why);
    if (part != NULL) {
        weir_json_put_name(json, "allowed");
        weir_json_put_boolean(json, strcmp(verdict_of(question, part), "allowed") == 0);
        weir_json_put_name(json, "shadow");
        weir_json_put_boolean(json, part->shadow);
    }
    if (part != NULL && part->listing != WEIR_LISTED_NOT) {
        weir_json_put_name(json, "listed");
        weir_json_put_text(json, listing_name(part));
        write_time(json, "until_us", part->until_us);
    } else if (part != NULL) {
        write_request(question, json, part);
    }
    weir_json_put_object_end(json);
}

static bool print_json(const struct question *question, struct cli_output *output)
{
    const struct weir_outcome *outcome = &question->outcome;
    struct weir_buffer text = {0};
    struct weir_json_writer json;
    weir_json_write(&json, &text);
    weir_json_put_object(&json);
    weir_json_put_name(&json, "allowed");
    weir_json_put_boolean(&json, outcome->allowed);
    weir_json_put_name(&json, "decided_by");
    if (outcome->part != UINT32_MAX) {
        weir_json_put_string(&json, rule_of(question, &question->plan.parts[outcome->part])->name);
    } else {
        weir_json_put_null(&json);
    }
    write_time(&json, "retry_after_us", outcome->retry_after_us);
    write_time(&json, "delay_us", outcome->delay_us);
    weir_json_put_name(&json, "rules");
    weir_json_put_array(&json);
    for (size_t i = 0; i < weir_policy_count(question->config->policy); i++) {
        if (question->reasons[i].matches || question->settings->all) {
            write_rule(question, &json, i);
        }
    }
    weir_json_put_array_end(&json);
    weir_json_put_object_end(&json);
    weir_buffer_put_text(&text, "\n");
    const bool good = !text.failed;
    if (good) {
        cli_put(output, text.bytes, text.len);
    }
    weir_buffer_deinit(&text);
    return good;
}

/* ---- The command -------------------------------------------------------------------------- */

static enum cli_exit tell(const struct question *question)
{
    struct cli_output output;
    bool good = true;
    if (!cli_output_open(question->command, question->settings, &output)) {
        return CLI_ERROR;
    }
    if (question->settings->json) {
        good = print_json(question, &output);
    } else {
        print_words(question, &output);
    }
    if (!good) {
        cli_complain(question->command->name, "out of memory");
    }
    const enum cli_exit code = question->outcome.allowed ? CLI_ADMITTED : CLI_DENIED;
    return cli_output_close(question->command, &output, good ? code : CLI_ERROR);
}

static void forget(struct question *question)
{
    const size_t count = weir_policy_count(question->config->policy);
    for (size_t i = 0; i < count && question->reasons != NULL; i++) {
        free(question->reasons[i].why);
    }
    free(question->reasons);
    weir_plan_deinit(&question->plan);
    free(question);
}

static enum cli_exit run(const struct cli_command *command, const struct cli_settings *settings)
{
    struct weir_config *config = NULL;
    if (settings->operand_count == 0) {
        cli_complain(command->name, "a FILE is needed, as weir.yaml; " CLI_SEE_HELP, command->name);
        return CLI_ERROR;
    }
    if (!cli_config_open(command, settings->operands[0], false, &config)) {
        return CLI_ERROR;
    }
    struct question *question = calloc(1, sizeof(*question));
    enum cli_exit code = CLI_ERROR;
    if (question == NULL) {
        cli_complain(command->name, "out of memory");
    } else {
        question->command = command;
        question->settings = settings;
        question->config = config;
        weir_plan_init(&question->plan, NULL);
        if (ask(question)) {
            code = tell(question);
        }
        forget(question);
    }
    weir_config_free(config);
    return code;
}

static const enum cli_option_id options[] = {
    CLI_OPTION_COST, CLI_OPTION_STORE, CLI_OPTION_ASK,  CLI_OPTION_ALL,
    CLI_OPTION_JSON, CLI_OPTION_COLOR, CLI_OPTION_HELP,
};

const struct cli_command cli_command_explain = {
    .name = "explain",
    .operands = "FILE [NAME=VALUE...] [OPTION...]",
    .summary = "say which rules of a configuration match a request, and why",
    .details = "Says what the configuration in FILE makes of a request with these attributes: "
               "which rules\n"
               "match and why, under which key and limit, and what the answer would be. Nothing is "
               "taken:\n"
               "without --ask or --store, as if nobody had asked before.",
    .examples = "  weir explain weir.yaml ip=203.0.113.7 method=POST path=/login\n"
                "  weir explain weir.yaml ip=203.0.113.7 path=/api/search plan=pro --all\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
