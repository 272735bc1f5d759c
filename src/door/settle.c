/* settle.c - what came of an inquiry, and who is told. See desk.h.
 *
 * Only checks are counted by rule: who looks, gives back or resets has not been let through or
 * denied. */

#include "door/desk_parts.h"

#include <assert.h>
#include <string.h>

/* ---- The sum ------------------------------------------------------------------------------- */

/* All of what was found, or none. */
static struct weir_outcome sum_found(const struct weir_inquiry *inquiry)
{
    struct weir_outcome outcome = {.allowed = true, .part = UINT32_MAX};
    for (size_t i = 0; i < inquiry->request_count; i++) {
        const struct weir_decision *decision = &inquiry->decisions[i];
        outcome.allowed = outcome.allowed && decision->allowed;
        outcome.failure = outcome.failure != 0 ? outcome.failure : decision->failure;
        if (decision->retry_after_us > outcome.retry_after_us) {
            outcome.retry_after_us = decision->retry_after_us;
        }
    }
    return outcome;
}

static struct weir_outcome sum_up(const struct weir_desk *desk, const struct weir_inquiry *inquiry)
{
    if (inquiry->found != NULL) {
        return sum_found(inquiry);
    }
    if (inquiry->limit_used == NULL) {
        return weir_plan_sum(inquiry->parts, inquiry->part_count, inquiry->decisions, desk->now_us);
    }
    const struct weir_decision *decision = &inquiry->decisions[0];
    return (struct weir_outcome){
        .allowed = decision->allowed,
        .part = UINT32_MAX,
        .retry_after_us = decision->retry_after_us,
        .delay_us = decision->allowed ? decision->delay_us : 0,
        .failure = decision->failure,
    };
}

/* ---- Counting ------------------------------------------------------------------------------ */

/* One rule's part of a check: what it came to, as told in the metrics. */
static enum weir_result result_of(const struct weir_inquiry *inquiry, const struct weir_part *part)
{
    if (part->listing == WEIR_LISTED_ALLOW) {
        return WEIR_RESULT_LISTED_ALLOWED;
    }
    if (part->listing == WEIR_LISTED_DENY) {
        return part->shadow ? WEIR_RESULT_SHADOW_DENIED : WEIR_RESULT_LISTED_DENIED;
    }
    if (inquiry->status != WEIR_OK) {
        return WEIR_RESULT_ERROR;
    }
    const bool allowed = inquiry->decisions[part->request].allowed;
    if (part->shadow) {
        return allowed ? WEIR_RESULT_SHADOW_ALLOWED : WEIR_RESULT_SHADOW_DENIED;
    }
    if (!allowed) {
        return WEIR_RESULT_DENIED;
    }
    return inquiry->outcome.allowed ? WEIR_RESULT_ALLOWED : WEIR_RESULT_SPARED;
}

static void count_denial(struct weir_desk *desk, uint32_t number, struct weir_bytes name,
                         const struct weir_request *request, int64_t retry_after_us)
{
    const uint64_t cost = request->cost > 0 ? request->cost : 1;
    weir_tally_offender(desk->options.tally, number, request->key, cost);
    weir_log_denial(desk->options.log, name, request->key, retry_after_us, desk->now_us);
}

static void count_part(struct weir_desk *desk, const struct weir_inquiry *inquiry,
                       const struct weir_part *part)
{
    const uint32_t number = inquiry->view->numbers[part->rule];
    const enum weir_result result = result_of(inquiry, part);
    if (part->regex_gave_up) {
        weir_tally_count(desk->options.tally, WEIR_COUNT_REGEX_GAVE_UP, 1);
    }
    if (part->listing != WEIR_LISTED_NOT || result == WEIR_RESULT_ERROR) {
        weir_tally_rule(desk->options.tally, number, result, 0, WEIR_FAILURE_NONE);
        return;
    }
    const struct weir_decision *decision = &inquiry->decisions[part->request];
    weir_tally_rule(desk->options.tally, number, result, decision->source, decision->failure);
    if (!decision->allowed) {
        const struct weir_policy *policy = inquiry->view->config->policy;
        count_denial(desk, number, weir_policy_rule(policy, part->rule)->name,
                     &inquiry->requests[part->request], decision->retry_after_us);
    }
}

static void count_ad_hoc(struct weir_desk *desk, const struct weir_inquiry *inquiry)
{
    struct weir_tally *tally = desk->options.tally;
    if (inquiry->status != WEIR_OK) {
        weir_tally_rule(tally, desk->ad_hoc_number, WEIR_RESULT_ERROR, 0, WEIR_FAILURE_NONE);
        return;
    }
    const struct weir_decision *decision = &inquiry->decisions[0];
    weir_tally_rule(tally, desk->ad_hoc_number,
                    decision->allowed ? WEIR_RESULT_ALLOWED : WEIR_RESULT_DENIED, decision->source,
                    decision->failure);
    if (!decision->allowed) {
        count_denial(desk, desk->ad_hoc_number, weir_text(WEIR_AD_HOC_RULE), &inquiry->requests[0],
                     decision->retry_after_us);
    }
}

static void count_found(struct weir_desk *desk, const struct weir_inquiry *inquiry, size_t index)
{
    const struct weir_found *found = &inquiry->found[index];
    struct weir_tally *tally = desk->options.tally;
    if (inquiry->status != WEIR_OK) {
        weir_tally_rule(tally, found->number, WEIR_RESULT_ERROR, 0, WEIR_FAILURE_NONE);
        return;
    }
    const struct weir_decision *decision = &inquiry->decisions[index];
    enum weir_result result = WEIR_RESULT_DENIED;
    if (found->shadow) {
        result = decision->allowed ? WEIR_RESULT_SHADOW_ALLOWED : WEIR_RESULT_SHADOW_DENIED;
    } else if (decision->allowed) {
        result = inquiry->outcome.allowed ? WEIR_RESULT_ALLOWED : WEIR_RESULT_SPARED;
    }
    weir_tally_rule(tally, found->number, result, decision->source, decision->failure);
    if (!decision->allowed) {
        count_denial(desk, found->number,
                     weir_metrics_rule_name(desk->options.service->metrics, found->number),
                     &inquiry->requests[index], decision->retry_after_us);
    }
}

void weir_inquiry_settle(struct weir_desk *desk, struct weir_inquiry *inquiry)
{
    if (inquiry->status == WEIR_OK && inquiry->verb != WEIR_VERB_RESET) {
        inquiry->outcome = sum_up(desk, inquiry);
    }
    if (inquiry->verb != WEIR_VERB_CHECK || inquiry->quiet) {
        return;
    }
    if (inquiry->found != NULL) {
        for (size_t i = 0; i < inquiry->request_count; i++) {
            count_found(desk, inquiry, i);
        }
        return;
    }
    if (inquiry->limit_used != NULL) {
        count_ad_hoc(desk, inquiry);
        return;
    }
    if (inquiry->part_count == 0) {
        weir_tally_count(desk->options.tally, WEIR_COUNT_UNMATCHED, 1);
    }
    for (size_t i = 0; i < inquiry->part_count; i++) {
        count_part(desk, inquiry, &inquiry->parts[i]);
    }
}

/* ---- The answer ---------------------------------------------------------------------------- */

void weir_exchange_decide(struct weir_desk *desk, struct weir_exchange *exchange)
{
    struct weir_session *session = exchange->session;
    assert(!exchange->decided);
    exchange->decided = true;
    if (session == NULL) {
        weir_exchange_free(desk, exchange);
        return;
    }
    if (exchange->asked) {
        weir_session_decided(session, exchange);
    }
    const int64_t hold_us = session->ops->hold != NULL ? session->ops->hold(session, exchange) : 0;
    if (hold_us > 0) {
        exchange->held = true;
        weir_tally_count(desk->options.tally, WEIR_COUNT_HELD, 1);
        desk->options.later(desk->options.context, exchange, hold_us);
    }
    if (session->ops->unordered && !exchange->held) {
        weir_exchange_answer(exchange);
    } else if (session->first == exchange && !exchange->held) {
        weir_session_answer(session);
    }
}
