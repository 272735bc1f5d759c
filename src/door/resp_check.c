/* resp_check.c - WEIR.CHECK, WEIR.PEEK, WEIR.REFUND and WEIR.RESET: by the rules of the policy, or
 * by a limit of the peer's own. See resp_parts.h.
 *
 *     WEIR.CHECK ATTRS count name value [name value ...] [RULE name] [COST cost]
 *     WEIR.CHECK LIMIT limit key [NAME name] [COST cost]
 *
 * `count` says how many pairs of name and value follow, so that no value is ever taken for an
 * option. The answer is a map for RESP3, and for RESP2 an array of its values in the same order. */

#include "door/resp_parts.h"

#include <string.h>

/* What `reason` says beside the words of weir_failure_name. */
#define REASON_LIMIT "limit"
#define REASON_BLOCK "block"
#define REASON_ALLOWED "allow-list"
#define REASON_DENIED "deny-list"
#define REASON_UNMATCHED "unmatched"

/* The pairs in an answer. */
#define ANSWER_PAIRS 9

/* ---- Options ------------------------------------------------------------------------------- */

struct options {
    uint64_t cost;
    struct weir_bytes name; /* the rule's, or the limit's */
    bool has_name;
    bool has_cost;
};

static bool read_cost(struct weir_resp_session *session, struct weir_bytes text,
                      struct options *options)
{
    int64_t cost;
    if (!weir_resp_number_of(text, &cost) || cost < 0 || cost > (int64_t)WEIR_COST_MAX) {
        weir_resp_refuse_print(session, "ERR COST is a whole number from 0 to %llu",
                               (unsigned long long)WEIR_COST_MAX);
        return false;
    }
    options->cost = (uint64_t)cost;
    options->has_cost = true;
    return true;
}

/* Reads what follows at words[at]: `name` (RULE or NAME, in small letters) and COST, each with a
 * value, and each once. */
static bool read_options(struct weir_resp_session *session, const struct weir_resp_value *words,
                         uint32_t count, uint32_t at, const char *name, struct options *ret_options)
{
    struct options options = {.cost = 1};
    for (; at < count; at += 2) {
        const bool is_name = weir_resp_is(words[at].text, name);
        const bool is_cost = weir_resp_is(words[at].text, "cost");
        const bool again = (is_name && options.has_name) || (is_cost && options.has_cost);
        if ((!is_name && !is_cost) || again || at + 1 == count) {
            weir_resp_refuse_print(session,
                                   "ERR syntax error: after the %s come %s and COST, each "
                                   "once and with a value",
                                   name[0] == 'r' ? "attributes" : "key",
                                   name[0] == 'r' ? "RULE" : "NAME");
            return false;
        }
        if (is_name) {
            options.name = words[at + 1].text;
            options.has_name = true;
        } else if (!read_cost(session, words[at + 1].text, &options)) {
            return false;
        }
    }
    *ret_options = options;
    return true;
}

/* A key is forgotten whole: says so where a cost came with it. */
static bool may_have_cost(struct weir_resp_session *session, enum weir_verb verb,
                          const struct options *options)
{
    if (verb == WEIR_VERB_RESET && options->has_cost) {
        weir_resp_refuse(session,
                         "ERR syntax error: WEIR.RESET forgets the key, and takes no COST");
        return false;
    }
    return true;
}

/* ---- Asking -------------------------------------------------------------------------------- */

/* Sends what was asked for to the store, or says why it could not be asked for. */
static void submit(struct weir_resp_session *session, struct weir_exchange *exchange,
                   enum weir_verb verb, enum weir_status status, const char *message)
{
    if (status != WEIR_OK) {
        weir_exchange_drop(exchange);
        weir_resp_put_status(weir_session_say(&session->session), status, message);
        return;
    }
    exchange->kind =
        verb == WEIR_VERB_RESET ? WEIR_RESP_ANSWER_FORGOTTEN : WEIR_RESP_ANSWER_OUTCOME;
    exchange->flags = session->protocol;
    weir_exchange_submit(exchange);
}

static void ask_rules(struct weir_resp_session *session, enum weir_verb verb,
                      const struct weir_resp_value *words, uint32_t count)
{
    int64_t pairs;
    if (!weir_resp_number_of(words[2].text, &pairs) || pairs < 0 || pairs > WEIR_ATTRIBUTES_MAX ||
        2 * (uint32_t)pairs > count - 3) {
        weir_resp_refuse_print(session,
                               "ERR syntax error: ATTRS is followed by how many "
                               "attributes there are, at most %d, then name and value of each",
                               WEIR_ATTRIBUTES_MAX);
        return;
    }
    struct options options;
    if (!read_options(session, words, count, 3 + 2 * (uint32_t)pairs, "rule", &options) ||
        !may_have_cost(session, verb, &options)) {
        return;
    }
    const struct weir_desk *desk = session->session.desk;
    const struct weir_policy *policy = desk->view->config->policy;
    const size_t only = options.has_name ? weir_policy_find(policy, options.name) : SIZE_MAX;
    if (options.has_name && only == SIZE_MAX) {
        weir_resp_refuse_print(
            session, "ERR there is no rule '%.*s'",
            (int)(options.name.len < WEIR_NAME_MAX ? options.name.len : WEIR_NAME_MAX),
            options.name.len > 0 ? options.name.ptr : "");
        return;
    }
    struct weir_attribute attributes[WEIR_ATTRIBUTES_MAX];
    for (uint32_t i = 0; i < (uint32_t)pairs; i++) {
        attributes[i] = (struct weir_attribute){words[3 + 2 * i].text, words[4 + 2 * i].text};
    }
    const struct weir_inquiry_spec spec = {
        .attributes = attributes,
        .count = (size_t)pairs,
        .cost = options.cost,
        .only = only,
        .now_us = desk->now_us,
    };
    struct weir_exchange *exchange = weir_exchange_new(&session->session);
    if (exchange != NULL) {
        struct weir_error error = {0};
        const enum weir_status status = weir_exchange_ask(exchange, verb, &spec, &error);
        submit(session, exchange, verb, status, error.message);
    }
}

static void ask_limit(struct weir_resp_session *session, enum weir_verb verb,
                      const struct weir_resp_value *words, uint32_t count)
{
    struct options options;
    if (count < 4) {
        weir_resp_refuse(session, "ERR syntax error: LIMIT is followed by a limit, as "
                                  "\"100/m burst 20\", and a key");
        return;
    }
    if (!read_options(session, words, count, 4, "name", &options) ||
        !may_have_cost(session, verb, &options) || !weir_resp_may_bring(session)) {
        return;
    }
    struct weir_ad_hoc *limit;
    struct weir_error error = {0};
    enum weir_status status = weir_ad_hoc_text(session->session.desk->limits, words[2].text,
                                               options.name, &limit, &error);
    if (status != WEIR_OK) {
        weir_resp_put_status(weir_session_say(&session->session), status, error.message);
        return;
    }
    struct weir_exchange *exchange = weir_exchange_new(&session->session);
    if (exchange == NULL) {
        weir_ad_hoc_release(limit);
        return;
    }
    status = weir_exchange_ask_limit(exchange, verb, limit, words[3].text, options.cost);
    submit(session, exchange, verb, status, NULL);
}

static void ask(struct weir_resp_session *session, enum weir_verb verb,
                const struct weir_resp_value *words, uint32_t count)
{
    if (weir_resp_is(words[1].text, "attrs")) {
        ask_rules(session, verb, words, count);
    } else if (weir_resp_is(words[1].text, "limit")) {
        ask_limit(session, verb, words, count);
    } else {
        weir_resp_refuse(session, "ERR syntax error: it begins with ATTRS, to ask by the rules, or "
                                  "with LIMIT, to bring a limit");
    }
}

void weir_resp_run_check(struct weir_resp_session *session, const struct weir_resp_value *words,
                         uint32_t count)
{
    ask(session, WEIR_VERB_CHECK, words, count);
}

void weir_resp_run_peek(struct weir_resp_session *session, const struct weir_resp_value *words,
                        uint32_t count)
{
    ask(session, WEIR_VERB_PEEK, words, count);
}

void weir_resp_run_refund(struct weir_resp_session *session, const struct weir_resp_value *words,
                          uint32_t count)
{
    ask(session, WEIR_VERB_REFUND, words, count);
}

void weir_resp_run_forget(struct weir_resp_session *session, const struct weir_resp_value *words,
                          uint32_t count)
{
    ask(session, WEIR_VERB_RESET, words, count);
}

/* ---- Answering ----------------------------------------------------------------------------- */

/* What an answer tells. Numbers that there are none of are -1. */
struct told {
    bool allowed;
    int64_t limit;
    int64_t remaining;
    int64_t retry_after_us;
    int64_t reset_after_us;
    int64_t delay_us;
    struct weir_bytes name; /* of the rule; ptr is NULL where there is none */
    const char *reason;
};

static void tell_decision(struct told *told, const struct weir_decision *decision)
{
    told->limit = (int64_t)decision->limit;
    told->remaining = (int64_t)decision->remaining;
    told->reset_after_us = decision->reset_after_us;
    told->reason = REASON_LIMIT;
    if (decision->blocked) {
        told->reason = REASON_BLOCK;
    } else if (decision->failure != WEIR_FAILURE_NONE) {
        told->reason = weir_failure_name(decision->failure);
    }
}

/* Of an answer by rules the part that says most. */
static void tell_part(struct told *told, const struct weir_inquiry *inquiry)
{
    const struct weir_outcome *outcome = &inquiry->outcome;
    if (outcome->part == UINT32_MAX) {
        told->reason = REASON_UNMATCHED;
        return;
    }
    const struct weir_part *part = &inquiry->parts[outcome->part];
    told->name = weir_policy_rule(inquiry->view->config->policy, part->rule)->name;
    if (part->listing == WEIR_LISTED_NOT) {
        tell_decision(told, &inquiry->decisions[part->request]);
    } else {
        told->reason = part->listing == WEIR_LISTED_ALLOW ? REASON_ALLOWED : REASON_DENIED;
    }
}

static struct told tell(const struct weir_inquiry *inquiry)
{
    const struct weir_outcome *outcome = &inquiry->outcome;
    struct told told = {
        .allowed = outcome->allowed,
        .limit = -1,
        .remaining = -1,
        .retry_after_us = outcome->retry_after_us == WEIR_NEVER ? -1 : outcome->retry_after_us,
        .delay_us = outcome->delay_us,
    };
    if (inquiry->limit_used == NULL) {
        tell_part(&told, inquiry);
    } else {
        tell_decision(&told, &inquiry->decisions[0]);
        if (inquiry->limit_used->name_len > 0) {
            told.name = weir_bytes(inquiry->limit_used->name, inquiry->limit_used->name_len);
        }
    }
    return told;
}

/* Whether a rule that only watches would have denied. */
static bool would_deny(const struct weir_inquiry *inquiry, const struct weir_part *part)
{
    if (!part->shadow || part->listing == WEIR_LISTED_ALLOW) {
        return false;
    }
    return part->listing == WEIR_LISTED_DENY || !inquiry->decisions[part->request].allowed;
}

static void put_shadow(struct weir_buffer *out, const struct weir_inquiry *inquiry)
{
    size_t count = 0;
    for (size_t i = 0; i < inquiry->part_count; i++) {
        count += would_deny(inquiry, &inquiry->parts[i]);
    }
    weir_resp_put_array(out, count);
    for (size_t i = 0; i < inquiry->part_count; i++) {
        if (would_deny(inquiry, &inquiry->parts[i])) {
            const struct weir_policy *policy = inquiry->view->config->policy;
            weir_resp_put_bulk(out, weir_policy_rule(policy, inquiry->parts[i].rule)->name);
        }
    }
}

/* The name of the value that follows, where the answer is a map. */
static void put_name(struct weir_buffer *out, const char *name, unsigned protocol)
{
    if (protocol == 3) {
        weir_resp_put_bulk_text(out, name);
    }
}

static void put_number(struct weir_buffer *out, const char *name, int64_t number, unsigned protocol)
{
    put_name(out, name, protocol);
    weir_resp_put_integer(out, number);
}

void weir_resp_answer_outcome(struct weir_buffer *out, const struct weir_exchange *exchange)
{
    const struct weir_inquiry *inquiry = exchange->inquiries;
    const unsigned protocol = exchange->flags;
    if (inquiry->status != WEIR_OK) {
        weir_resp_put_status(out, inquiry->status, NULL);
        return;
    }
    const struct told told = tell(inquiry);
    if (protocol == 3) {
        weir_resp_put_map(out, ANSWER_PAIRS, protocol);
    } else {
        weir_resp_put_array(out, ANSWER_PAIRS);
    }
    put_name(out, "allowed", protocol);
    weir_resp_put_boolean(out, told.allowed, protocol);
    put_number(out, "limit", told.limit, protocol);
    put_number(out, "remaining", told.remaining, protocol);
    put_number(out, "retry_after_us", told.retry_after_us, protocol);
    put_number(out, "reset_after_us", told.reset_after_us, protocol);
    put_number(out, "delay_us", told.delay_us, protocol);
    put_name(out, "rule", protocol);
    if (told.name.ptr != NULL) {
        weir_resp_put_bulk(out, told.name);
    } else {
        weir_resp_put_nil(out, protocol);
    }
    put_name(out, "reason", protocol);
    weir_resp_put_bulk_text(out, told.reason);
    put_name(out, "shadow", protocol);
    put_shadow(out, inquiry);
}

void weir_resp_answer_forgotten(struct weir_buffer *out, const struct weir_exchange *exchange)
{
    const struct weir_inquiry *inquiry = exchange->inquiries;
    if (inquiry->status != WEIR_OK) {
        weir_resp_put_status(out, inquiry->status, NULL);
        return;
    }
    weir_resp_put_integer(out, (int64_t)inquiry->request_count);
}
