/* answer.c - the response, made of the store's decisions. Read rls.h first.
 *
 * Statuses come first, each of its own item; what is said of all of them together, after that. */

#include "rls/policy_parts.h"
#include "rls/stats.h"

#include <assert.h>

/* Of a number in decimal: 2^64 has 20 digits. */
#define DIGITS_MAX 20

struct answering {
    const struct weir_rls_policy *policy;
    const struct weir_rls_plan *plan;
    const struct weir_decision *decisions;
    int64_t now_us;
    bool spared; /* one of those together was denied: none of them was taken */
    struct weir_rls_status *statuses;
};

static bool is_asked(const struct weir_rls_item *item)
{
    return item->fate == WEIR_RLS_ASK || item->fate == WEIR_RLS_ASK_OVERRIDE;
}

/* ---- Statuses ----------------------------------------------------------------------------- */

static int64_t whole_seconds(int64_t us)
{
    return us / 1000000 + (us % 1000000 > 0 ? 1 : 0);
}

/* Seconds to the end of the window, or until all is as if never used. */
static int64_t reset_of(const struct answering *answering, size_t index)
{
    const struct weir_rls_item *item = &answering->plan->items[index];
    const bool aligned = item->rule == NULL || answering->policy->rules[item->rule->index].aligned;
    if (!aligned && is_asked(item)) {
        return whole_seconds(answering->decisions[index].reset_after_us);
    }
    const int64_t unit = weir_rls_unit_seconds(item->unit);
    return unit - answering->now_us / 1000000 % unit;
}

static struct weir_rls_verdict verdict_of(const struct answering *answering, size_t index)
{
    const struct weir_rls_item *item = &answering->plan->items[index];
    const bool refund = item->verb == WEIR_VERB_REFUND;
    struct weir_rls_verdict verdict = {
        .over = !refund,
        .taken = true,
        .shadow = item->rule != NULL && item->rule->spec->shadow_mode,
    };
    if (is_asked(item)) {
        const struct weir_decision *decision = &answering->decisions[index];
        verdict.over = !refund && !decision->allowed;
        verdict.taken = item->verb == WEIR_VERB_CHECK && !(answering->spared && item->together);
        verdict.deny_cached = verdict.over && decision->source == WEIR_SOURCE_DENY_CACHE;
        verdict.limit = decision->limit;
        verdict.remaining = decision->remaining;
    }
    return verdict;
}

static uint32_t remaining_of(const struct weir_rls_verdict *verdict,
                             const struct weir_rls_item *item)
{
    /* What a denied check left over is taken from it, see weir_rls_rest. */
    if (verdict->over && item->verb == WEIR_VERB_CHECK && !item->together) {
        return 0;
    }
    return verdict->remaining < UINT32_MAX ? (uint32_t)verdict->remaining : UINT32_MAX;
}

static struct weir_rls_status status_of(const struct answering *answering, size_t index,
                                        const struct weir_rls_verdict *verdict)
{
    const struct weir_rls_item *item = &answering->plan->items[index];
    return (struct weir_rls_status){
        .code = verdict->over && !verdict->shadow ? WEIR_RLS_OVER_LIMIT : WEIR_RLS_OK,
        .has_limit = true,
        .requests_per_unit = item->requests_per_unit,
        .unit = item->unit,
        .name = item->rule != NULL ? item->rule->spec->name : weir_bytes(NULL, 0),
        .remaining = remaining_of(verdict, item),
        .has_reset = true,
        .reset_us = reset_of(answering, index) * 1000000,
    };
}

static bool is_limited(const struct weir_rls_item *item)
{
    return item->fate != WEIR_RLS_NO_RULE && item->fate != WEIR_RLS_UNLIMITED;
}

static void judge(struct answering *answering, size_t index)
{
    const struct weir_rls_item *item = &answering->plan->items[index];
    if (is_limited(item)) {
        const struct weir_rls_verdict verdict = verdict_of(answering, index);
        answering->statuses[index] = status_of(answering, index, &verdict);
        return;
    }
    answering->statuses[index] = (struct weir_rls_status){
        .code = WEIR_RLS_OK,
        .remaining = item->fate == WEIR_RLS_UNLIMITED ? UINT32_MAX : 0,
    };
}

static bool is_spared(const struct weir_rls_plan *plan, const struct weir_decision *decisions)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->items[i].together && !decisions[i].allowed) {
            return true;
        }
    }
    return false;
}

/* ---- All together ------------------------------------------------------------------------- */

static bool is_quota(const struct answering *answering, size_t index)
{
    const struct weir_rls_item *item = &answering->plan->items[index];
    if (item->fate == WEIR_RLS_UNLIMITED) {
        return false;
    }
    return answering->policy->spec->settings.quota_mode ||
           (item->rule != NULL && item->rule->spec->quota_mode);
}

/* Over where a limit is over, or all quotas are. */
static enum weir_rls_code overall_of(const struct answering *answering)
{
    size_t over = 0;
    size_t quotas = 0;
    size_t quotas_over = 0;
    for (size_t i = 0; i < answering->plan->count; i++) {
        const bool is_over = answering->statuses[i].code == WEIR_RLS_OVER_LIMIT;
        const bool quota = is_quota(answering, i);
        over += is_over && !quota ? 1 : 0;
        quotas += quota ? 1 : 0;
        quotas_over += is_over && quota ? 1 : 0;
    }
    return over > 0 || (quotas > 0 && quotas == quotas_over) ? WEIR_RLS_OVER_LIMIT : WEIR_RLS_OK;
}

/* The status that headers tell of: the last limit that is over, else the first of those with the
 * least remaining; NULL where there is none. */
static const struct weir_rls_status *told_status(const struct answering *answering)
{
    const struct weir_rls_status *told = NULL;
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < answering->plan->count; i++) {
        const struct weir_rls_status *status = &answering->statuses[i];
        if (!status->has_limit) {
            continue;
        }
        if (status->code == WEIR_RLS_OVER_LIMIT && !is_quota(answering, i)) {
            told = status;
            least = 0;
        } else if (status->remaining < least) {
            told = status;
            least = status->remaining;
        }
    }
    return told;
}

static bool make_header(struct weir_rls_header *header, struct weir_bytes name, uint64_t number,
                        struct weir_arena *arena)
{
    char *text = weir_arena_take(arena, DIGITS_MAX);
    size_t at = DIGITS_MAX;
    if (text == NULL) {
        return false;
    }
    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *header = (struct weir_rls_header){name, weir_bytes(text + at, DIGITS_MAX - at)};
    return true;
}

static bool add_headers(const struct answering *answering, struct weir_arena *arena,
                        struct weir_rls_response *response)
{
    const struct weir_rls_settings *settings = &answering->policy->spec->settings;
    const struct weir_rls_status *told = settings->headers ? told_status(answering) : NULL;
    if (told == NULL) {
        return true;
    }
    struct weir_rls_header *headers = weir_arena_get(arena, 3, sizeof(headers[0]));
    if (headers == NULL ||
        !make_header(&headers[0], settings->limit_header, told->requests_per_unit, arena) ||
        !make_header(&headers[1], settings->remaining_header, told->remaining, arena) ||
        !make_header(&headers[2], settings->reset_header, (uint64_t)(told->reset_us / 1000000),
                     arena)) {
        return false;
    }
    response->headers = headers;
    response->header_count = 3;
    return true;
}

/* ---- Counting ----------------------------------------------------------------------------- */

static void count_request(const struct answering *answering, bool shadowed,
                          struct weir_rls_tally *tally)
{
    const struct weir_rls_plan *plan = answering->plan;
    bool failed = false;
    for (size_t i = 0; i < plan->count; i++) {
        const struct weir_rls_item *item = &plan->items[i];
        if (is_limited(item)) {
            uint64_t hits[WEIR_RLS_COUNT_COUNT];
            const struct weir_rls_verdict verdict = verdict_of(answering, i);
            weir_rls_count(&verdict, item, answering->policy->spec->settings.near_limit_ratio,
                           hits);
            weir_rls_tally_add(tally, item, hits);
        }
        failed = failed || (is_asked(item) && answering->decisions[i].failure != WEIR_FAILURE_NONE);
    }
    if (failed) {
        weir_rls_tally_event(tally, WEIR_RLS_STORE_ERROR);
    }
    if (shadowed) {
        weir_rls_tally_event(tally, WEIR_RLS_GLOBAL_SHADOW_MODE);
    }
    if (plan->unknown_domain) {
        weir_rls_tally_unknown_domain(tally, plan->request->domain, plan->count);
    }
}

/* ---- The response ------------------------------------------------------------------------- */

static enum weir_status respond(const struct answering *answering, struct weir_arena *arena,
                                struct weir_rls_response *response)
{
    const struct weir_rls_settings *settings = &answering->policy->spec->settings;
    response->statuses = answering->statuses;
    response->status_count = answering->plan->count;
    response->overall = overall_of(answering);
    if (!add_headers(answering, arena, response)) {
        return WEIR_ERR_NO_MEMORY;
    }
    if (settings->dynamic_metadata) {
        response->metadata = weir_rls_metadata(answering->plan, answering->statuses, arena);
    }
    return settings->dynamic_metadata && response->metadata == NULL ? WEIR_ERR_NO_MEMORY : WEIR_OK;
}

/* NOLINTNEXTLINE(readability-function-size): seven parameters; the plan doesn't keep its policy */
enum weir_status weir_rls_answer(const struct weir_rls_policy *policy,
                                 const struct weir_rls_plan *plan,
                                 const struct weir_decision *decisions, int64_t now_us,
                                 struct weir_arena *arena, struct weir_rls_tally *tally,
                                 struct weir_rls_response *ret_response)
{
    assert(policy != NULL && plan != NULL && arena != NULL && ret_response != NULL);
    assert(decisions != NULL && now_us >= 0);
    struct weir_rls_response response = {0};
    struct answering answering = {
        .policy = policy,
        .plan = plan,
        .decisions = decisions,
        .now_us = now_us,
        .spared = is_spared(plan, decisions),
        .statuses = weir_arena_get(arena, plan->count, sizeof(answering.statuses[0])),
    };
    if (answering.statuses == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < plan->count; i++) {
        judge(&answering, i);
    }
    const enum weir_status status = respond(&answering, arena, &response);
    if (status != WEIR_OK) {
        return status;
    }
    const bool shadowed =
        policy->spec->settings.shadow_mode && response.overall == WEIR_RLS_OVER_LIMIT;
    response.overall = shadowed ? WEIR_RLS_OK : response.overall;
    if (tally != NULL) {
        count_request(&answering, shadowed, tally);
    }
    *ret_response = response;
    return WEIR_OK;
}

uint64_t weir_rls_rest(const struct weir_rls_plan *plan, size_t item,
                       const struct weir_decision *decision)
{
    assert(plan != NULL && item < plan->count && decision != NULL);
    const struct weir_rls_item *asked = &plan->items[item];
    if (!is_asked(asked) || asked->verb != WEIR_VERB_CHECK || asked->together ||
        decision->allowed || decision->source == WEIR_SOURCE_ON_ERROR) {
        return 0;
    }
    return decision->remaining < asked->cost ? decision->remaining : 0;
}
