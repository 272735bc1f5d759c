/* rls_ask.c - a request of the rate limit service put to the store, and the response made of what
 * came of it. See rls_door.h. */

#include "base/alloc.h"
#include "door/limits.h"
#include "door/rls_door.h"
#include "rls/stats.h"

#include <assert.h>
#include <string.h>

/* Arenas that are kept for the next requests. */
#define SPARES_MAX 256

/* What one request and its answer may take. */
#define ARENA_MAX ((size_t)64 << 20)

/* ---- Memory -------------------------------------------------------------------------------- */

struct weir_rls_asked *weir_rls_asked_new(struct weir_exchange *exchange)
{
    struct weir_desk *desk = exchange->desk;
    struct weir_rls_asked *asked = desk->rls_spare;
    assert(exchange->rls == NULL);
    if (asked != NULL) {
        desk->rls_spare = asked->next_spare;
        desk->rls_spare_count--;
    } else {
        asked = weir_alloc(desk->allocator, sizeof(*asked), _Alignof(struct weir_rls_asked));
        if (asked == NULL) {
            return NULL;
        }
        asked->arena = (struct weir_arena){.allocator = desk->allocator, .most = ARENA_MAX};
    }
    asked->visit = NULL;
    asked->places = NULL;
    asked->plan = (struct weir_rls_plan){0};
    exchange->rls = asked;
    return asked;
}

static void release(struct weir_desk *desk, struct weir_rls_asked *asked)
{
    weir_arena_deinit(&asked->arena);
    weir_release(desk->allocator, asked, sizeof(*asked));
}

void weir_rls_asked_free(struct weir_desk *desk, struct weir_rls_asked *asked)
{
    if (desk->rls_spare_count >= SPARES_MAX) {
        release(desk, asked);
        return;
    }
    weir_arena_clear(&asked->arena);
    asked->next_spare = desk->rls_spare;
    desk->rls_spare = asked;
    desk->rls_spare_count++;
}

void weir_rls_asked_free_spares(struct weir_desk *desk)
{
    while (desk->rls_spare != NULL) {
        struct weir_rls_asked *asked = desk->rls_spare;
        desk->rls_spare = asked->next_spare;
        release(desk, asked);
    }
    weir_rls_policy_free(desk->rls_empty);
}

bool weir_rls_asked_copy(struct weir_rls_asked *asked, struct weir_bytes *bytes)
{
    char *copy = weir_arena_take(&asked->arena, bytes->len);
    if (copy == NULL) {
        return false;
    }
    if (bytes->len > 0) {
        memcpy(copy, bytes->ptr, bytes->len);
    }
    *bytes = weir_bytes(copy, bytes->len);
    return true;
}

/* ---- Asking -------------------------------------------------------------------------------- */

/* The rules to plan by: where the configuration has none, a policy without any, under which only
 * limits that came along apply. NULL: no memory. */
static const struct weir_rls_policy *policy_of(struct weir_desk *desk,
                                               const struct weir_config *config)
{
    if (config->rls != NULL) {
        return config->rls;
    }
    if (desk->rls_empty == NULL) {
        static const struct weir_rls_spec none = {
            .settings = {.near_limit_ratio = 0.8, .any_domain = true}};
        if (weir_rls_policy_new(&none, desk->allocator, &desk->rls_empty) != WEIR_OK) {
            desk->rls_empty = NULL;
        }
    }
    return desk->rls_empty;
}

static bool is_asked(const struct weir_rls_item *item)
{
    return item->fate == WEIR_RLS_ASK || item->fate == WEIR_RLS_ASK_OVERRIDE;
}

static enum weir_status find(struct weir_exchange *exchange, const struct weir_rls_item *item,
                             struct weir_found *ret_found, struct weir_error *ret_error)
{
    struct weir_desk *desk = exchange->desk;
    const bool ours = item->fate == WEIR_RLS_ASK;
    *ret_found = (struct weir_found){
        .limit = item->limit,
        .key = item->key,
        .cost = item->cost,
        .number = ours ? exchange->view->rls_numbers[item->rule->index] : desk->ad_hoc_number,
        .shadow = ours && item->rule->spec->shadow_mode,
    };
    if (ours) {
        return WEIR_OK;
    }
    const enum weir_status status = weir_ad_hoc_spec(
        desk->limits, &item->override, weir_bytes(NULL, 0), &ret_found->ad_hoc, ret_error);
    if (status == WEIR_OK) {
        ret_found->limit = ret_found->ad_hoc->limit;
    }
    return status;
}

static enum weir_status ask_one(struct weir_exchange *exchange, size_t index,
                                struct weir_error *ret_error)
{
    struct weir_rls_asked *asked = exchange->rls;
    const struct weir_rls_item *item = &asked->plan.items[index];
    struct weir_found found;
    enum weir_status status = find(exchange, item, &found, ret_error);
    if (status == WEIR_OK) {
        status = weir_exchange_ask_found(exchange, item->verb, &found, 1);
    }
    asked->places[index] = (struct weir_rls_place){exchange->last_inquiry, 0};
    return status;
}

static enum weir_status ask_together(struct weir_exchange *exchange, struct weir_error *ret_error)
{
    struct weir_rls_asked *asked = exchange->rls;
    struct weir_found found[WEIR_CHECK_ALL_MAX];
    size_t count = 0;
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < asked->plan.count && status == WEIR_OK; i++) {
        if (!asked->plan.items[i].together) {
            continue;
        }
        assert(count < WEIR_CHECK_ALL_MAX); /* the plan has seen to it */
        asked->places[i].index = count;
        status = find(exchange, &asked->plan.items[i], &found[count], ret_error);
        count += status == WEIR_OK ? 1 : 0;
    }
    if (status == WEIR_OK && count > 0) {
        status = weir_exchange_ask_found(exchange, WEIR_VERB_CHECK, found, count);
        count = 0; /* taken over */
    }
    while (count-- > 0) {
        if (found[count].ad_hoc != NULL) {
            weir_ad_hoc_release(found[count].ad_hoc);
        }
    }
    for (size_t i = 0; i < asked->plan.count && status == WEIR_OK; i++) {
        if (asked->plan.items[i].together) {
            asked->places[i].inquiry = exchange->last_inquiry;
        }
    }
    return status;
}

static enum weir_status ask_each(struct weir_exchange *exchange, struct weir_error *ret_error)
{
    const struct weir_rls_plan *plan = &exchange->rls->plan;
    const bool by_rules = exchange->view->config->rls == NULL;
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < plan->count && status == WEIR_OK; i++) {
        if (is_asked(&plan->items[i])) {
            if (!plan->items[i].together) {
                status = ask_one(exchange, i, ret_error);
            }
        } else if (by_rules) {
            status = weir_rls_ask_rules(exchange, i, ret_error);
        }
    }
    return status;
}

enum weir_status weir_rls_ask(struct weir_exchange *exchange, struct weir_error *ret_error)
{
    struct weir_rls_asked *asked = exchange->rls;
    weir_exchange_hold_view(exchange);
    const struct weir_rls_policy *policy = policy_of(exchange->desk, exchange->view->config);
    if (policy == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    enum weir_status status =
        weir_rls_plan(policy, &asked->request, &asked->arena, &asked->plan, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    asked->places = weir_arena_get(&asked->arena, asked->plan.count, sizeof(*asked->places));
    if (asked->places == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    if (asked->plan.atomic) {
        status = ask_together(exchange, ret_error);
    }
    return status == WEIR_OK ? ask_each(exchange, ret_error) : status;
}

/* ---- Answering ----------------------------------------------------------------------------- */

/* Takes what was left of a budget that a request has overrun. Nobody waits for it, and where it
 * can't be done for want of memory, less is used up. */
static void take_rest(struct weir_exchange *exchange, size_t index, uint64_t rest)
{
    const struct weir_rls_place *place = &exchange->rls->places[index];
    struct weir_found found = place->inquiry->found[place->index];
    struct weir_exchange *unowed = weir_exchange_unowed(exchange->desk);
    if (unowed == NULL) {
        return;
    }
    found.cost = rest;
    if (found.ad_hoc != NULL) {
        found.ad_hoc->uses++;
    }
    /* The view that was planned by, which may be another than that of now. */
    unowed->view = exchange->view;
    unowed->view->uses++;
    if (weir_exchange_ask_found(unowed, WEIR_VERB_CHECK, &found, 1) == WEIR_OK) {
        weir_exchange_submit(unowed);
    } else {
        weir_exchange_discard(unowed);
    }
}

/* The decisions, one a descriptor. NULL: no memory, or `ret_status` says why there are none. */
static struct weir_decision *gather(struct weir_exchange *exchange, enum weir_status *ret_status)
{
    struct weir_rls_asked *asked = exchange->rls;
    *ret_status = WEIR_OK;
    for (const struct weir_inquiry *inquiry = exchange->inquiries; inquiry != NULL;
         inquiry = inquiry->next) {
        if (inquiry->status != WEIR_OK) {
            *ret_status = inquiry->status;
            return NULL;
        }
    }
    struct weir_decision *decisions =
        weir_arena_get(&asked->arena, asked->plan.count, sizeof(*decisions));
    if (decisions == NULL) {
        *ret_status = WEIR_ERR_NO_MEMORY;
        return NULL;
    }
    for (size_t i = 0; i < asked->plan.count; i++) {
        const struct weir_rls_place *place = &asked->places[i];
        if (place->inquiry != NULL && place->index != SIZE_MAX) {
            decisions[i] = place->inquiry->decisions[place->index];
        }
    }
    return decisions;
}

/* What was asked by the policy's rules is put into the response. */
static enum weir_status tell_rules(struct weir_rls_asked *asked, struct weir_rls_response *response)
{
    struct weir_rls_status *statuses =
        weir_arena_get(&asked->arena, response->status_count, sizeof(*statuses));
    if (statuses == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < response->status_count; i++) {
        statuses[i] = response->statuses[i];
        if (asked->places[i].inquiry != NULL && asked->places[i].index == SIZE_MAX) {
            weir_rls_tell_rules(asked->places[i].inquiry, &statuses[i]);
        }
        if (statuses[i].code == WEIR_RLS_OVER_LIMIT) {
            response->overall = WEIR_RLS_OVER_LIMIT;
        }
    }
    response->statuses = statuses;
    return WEIR_OK;
}

enum weir_status weir_rls_respond(struct weir_exchange *exchange,
                                  struct weir_rls_response *ret_response)
{
    struct weir_rls_asked *asked = exchange->rls;
    struct weir_desk *desk = exchange->desk;
    enum weir_status status;
    const struct weir_decision *decisions = gather(exchange, &status);
    if (status != WEIR_OK) {
        return status;
    }
    const struct weir_config *config = exchange->view->config;
    status = weir_rls_answer(policy_of(desk, config), &asked->plan, decisions, desk->now_us,
                             &asked->arena, config->rls != NULL ? desk->options.rls_tally : NULL,
                             ret_response);
    if (status != WEIR_OK) {
        return status;
    }
    for (size_t i = 0; i < asked->plan.count; i++) {
        const struct weir_rls_item *item = &asked->plan.items[i];
        const uint64_t rest = is_asked(item) && item->verb == WEIR_VERB_CHECK
                                  ? weir_rls_rest(&asked->plan, i, &decisions[i])
                                  : 0;
        if (rest > 0) {
            take_rest(exchange, i, rest);
        }
    }
    return config->rls == NULL ? tell_rules(asked, ret_response) : WEIR_OK;
}
