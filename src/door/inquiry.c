/* inquiry.c - what is to be asked of the store, laid out in memory of its exchange. See desk.h.
 *
 * A plan is the desk's scratch, so that what it says is copied: an inquiry, its requests, places
 * for the decisions, the parts, the calls that a store over a network takes, and the keys, one
 * after another. */

#include "base/alloc.h"
#include "door/desk_parts.h"

#include <assert.h>
#include <string.h>

/* The calls of one inquiry: of what is enforced, and of what is only watched. */
#define CALLS_MAX 2

/* How much there is of each. */
struct amounts {
    size_t parts;
    size_t requests;
    size_t found;
    size_t keys; /* bytes */
};

static size_t round_up(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static struct weir_inquiry *lay_out(struct weir_exchange *exchange, const struct amounts *amounts,
                                    char **ret_keys)
{
    const struct weir_desk *desk = exchange->desk;
    const size_t calls = desk->immediate ? 0 : CALLS_MAX;
    const size_t requests_at = round_up(sizeof(struct weir_inquiry));
    const size_t decisions_at = requests_at + amounts->requests * sizeof(struct weir_request);
    const size_t parts_at = decisions_at + amounts->requests * sizeof(struct weir_decision);
    const size_t calls_at = parts_at + round_up(amounts->parts * sizeof(struct weir_part));
    const size_t found_at = calls_at + calls * sizeof(struct weir_call);
    const size_t keys_at = found_at + amounts->found * sizeof(struct weir_found);
    size_t size;
    char *memory = weir_exchange_room(exchange, keys_at + amounts->keys, &size);
    if (memory == NULL) {
        return NULL;
    }
    struct weir_inquiry *inquiry = (struct weir_inquiry *)(void *)memory;
    *inquiry = (struct weir_inquiry){
        .exchange = exchange,
        .requests = (struct weir_request *)(void *)(memory + requests_at),
        .decisions = (struct weir_decision *)(void *)(memory + decisions_at),
        .parts = (struct weir_part *)(void *)(memory + parts_at),
        .calls = (struct weir_call *)(void *)(memory + calls_at),
        .found = amounts->found > 0 ? (struct weir_found *)(void *)(memory + found_at) : NULL,
        .part_count = amounts->parts,
        .request_count = amounts->requests,
        .size = size,
    };
    *ret_keys = memory + keys_at;
    return inquiry;
}

static void add(struct weir_exchange *exchange, struct weir_inquiry *inquiry)
{
    if (exchange->last_inquiry != NULL) {
        exchange->last_inquiry->next = inquiry;
    } else {
        exchange->inquiries = inquiry;
    }
    exchange->last_inquiry = inquiry;
    exchange->undecided++;
    if (inquiry->verb == WEIR_VERB_REFUND || inquiry->verb == WEIR_VERB_RESET) {
        exchange->changes = true;
    }
}

static void release_found(const struct weir_found *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (found[i].ad_hoc != NULL) {
            weir_ad_hoc_release(found[i].ad_hoc);
        }
    }
}

void weir_inquiry_free(struct weir_desk *desk, struct weir_inquiry *inquiry)
{
    struct weir_view *view = inquiry->view;
    if (inquiry->limit_used != NULL) {
        weir_ad_hoc_release(inquiry->limit_used);
    }
    if (inquiry->found != NULL) {
        release_found(inquiry->found, inquiry->request_count);
    }
    if (inquiry->size > 0) {
        weir_release(desk->allocator, inquiry, inquiry->size);
    }
    if (view != NULL && --view->uses == 0) {
        view->release(view);
    }
}

/* ---- By rules ------------------------------------------------------------------------------ */

static void copy_plan(struct weir_inquiry *inquiry, const struct weir_plan *plan, char *keys)
{
    if (plan->keys_len > 0) {
        memcpy(keys, plan->keys, plan->keys_len);
    }
    if (plan->part_count > 0) {
        memcpy(inquiry->parts, plan->parts, plan->part_count * sizeof(plan->parts[0]));
    }
    for (size_t i = 0; i < plan->request_count; i++) {
        inquiry->requests[i] = plan->requests[i];
        if (plan->requests[i].key.len > 0) {
            inquiry->requests[i].key.ptr = keys + (plan->requests[i].key.ptr - plan->keys);
        }
    }
    inquiry->enforced = plan->enforced;
    for (size_t i = 0; i < plan->part_count; i++) {
        inquiry->barred = inquiry->barred ||
                          (plan->parts[i].listing == WEIR_LISTED_DENY && !plan->parts[i].shadow);
    }
}

enum weir_status weir_exchange_ask(struct weir_exchange *exchange, enum weir_verb verb,
                                   const struct weir_inquiry_spec *spec,
                                   struct weir_error *ret_error)
{
    assert(!exchange->submitted);
    struct weir_desk *desk = exchange->desk;
    struct weir_plan *plan = &desk->plan;
    const enum weir_status status =
        weir_policy_plan(desk->view->config->policy, spec, plan, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    const struct amounts amounts = {
        .parts = plan->part_count, .requests = plan->request_count, .keys = plan->keys_len};
    char *keys;
    struct weir_inquiry *inquiry = lay_out(exchange, &amounts, &keys);
    if (inquiry == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    inquiry->verb = verb;
    inquiry->view = desk->view;
    inquiry->view->uses++;
    copy_plan(inquiry, plan, keys);
    add(exchange, inquiry);
    return WEIR_OK;
}

/* ---- By a limit that the peer brought ------------------------------------------------------ */

enum weir_status weir_exchange_ask_limit(struct weir_exchange *exchange, enum weir_verb verb,
                                         struct weir_ad_hoc *limit, struct weir_bytes key,
                                         uint64_t cost)
{
    assert(!exchange->submitted);
    const struct amounts amounts = {.requests = 1, .keys = key.len};
    enum weir_status status = key.len > WEIR_KEY_MAX ? WEIR_ERR_KEY_LENGTH : WEIR_OK;
    char *keys = NULL;
    struct weir_inquiry *inquiry = status == WEIR_OK ? lay_out(exchange, &amounts, &keys) : NULL;
    if (inquiry == NULL) {
        weir_ad_hoc_release(limit);
        return status == WEIR_OK ? WEIR_ERR_NO_MEMORY : status;
    }
    if (key.len > 0) {
        memcpy(keys, key.ptr, key.len);
    }
    inquiry->verb = verb;
    inquiry->limit_used = limit;
    inquiry->enforced = 1;
    inquiry->requests[0] = (struct weir_request){
        .limit = limit->limit,
        .key = weir_bytes(keys, key.len),
        .cost = cost,
    };
    add(exchange, inquiry);
    return WEIR_OK;
}

/* ---- By limits that the door has found ----------------------------------------------------- */

/* The length of all keys; SIZE_MAX where one is too long. */
static size_t keys_of(const struct weir_found *found, size_t count)
{
    size_t keys = 0;
    for (size_t i = 0; i < count; i++) {
        if (found[i].key.len > WEIR_KEY_MAX) {
            return SIZE_MAX;
        }
        keys += found[i].key.len;
    }
    return keys;
}

enum weir_status weir_exchange_ask_found(struct weir_exchange *exchange, enum weir_verb verb,
                                         const struct weir_found *found, size_t count)
{
    assert(!exchange->submitted && count > 0);
    const size_t key_bytes = keys_of(found, count);
    const struct amounts amounts = {.requests = count, .found = count, .keys = key_bytes};
    char *keys = NULL;
    struct weir_inquiry *inquiry =
        key_bytes != SIZE_MAX ? lay_out(exchange, &amounts, &keys) : NULL;
    if (inquiry == NULL) {
        release_found(found, count);
        return key_bytes == SIZE_MAX ? WEIR_ERR_KEY_LENGTH : WEIR_ERR_NO_MEMORY;
    }
    inquiry->verb = verb;
    inquiry->enforced = count;
    inquiry->quiet = exchange->session == NULL;
    for (size_t i = 0; i < count; i++) {
        if (found[i].key.len > 0) {
            memcpy(keys, found[i].key.ptr, found[i].key.len);
        }
        inquiry->found[i] = found[i];
        inquiry->found[i].key = weir_bytes(keys, found[i].key.len);
        inquiry->requests[i] = (struct weir_request){
            .limit = found[i].limit,
            .key = inquiry->found[i].key,
            .cost = found[i].cost,
        };
        keys += found[i].key.len;
    }
    add(exchange, inquiry);
    return WEIR_OK;
}
