/* submit.c - asking without waiting, and handles over stores that others bring.
 *
 * A store that can answer later is handed the call; for one that answers at once, the calls of
 * engine.c are made here and now. */

#include "algo/algo.h"
#include "base/alloc.h"
#include "engine/clock.h"
#include "engine/engine.h"

#include <assert.h>

static void answer(struct weir_call *call, enum weir_status status, size_t answered)
{
    call->status = status;
    call->answered = answered;
    call->done(call);
}

/* Of a store that answers at once, one request, checks apart. */
static enum weir_status ask_request(struct weir *weir, const struct weir_call *call, size_t index)
{
    const struct weir_request *request = &call->requests[index];
    struct weir_decision *decision = call->decisions != NULL ? &call->decisions[index] : NULL;
    if (call->verb == WEIR_VERB_RESET) {
        return weir_reset(weir, request->limit, request->key);
    }
    if (call->verb == WEIR_VERB_REFUND) {
        return weir_refund(weir, request->limit, request->key, request->cost, call->now_us,
                           decision);
    }
    if (call->verb == WEIR_VERB_PEEK) {
        return weir_peek(weir, request->limit, request->key, request->cost, call->now_us, decision);
    }
    struct weir_ask ask = {
        .limit = request->limit,
        .key = request->key,
        .cost = request->cost > 0 ? request->cost : 1,
        .verb = WEIR_VERB_MEND,
    };
    enum weir_status status = weir_clock_resolve(call->now_us, &ask.now_us);
    if (status == WEIR_OK) {
        status = weir_engine_admissible(weir, request, 1);
    }
    return status == WEIR_OK ? weir->store->ops->decide(weir->store, &ask, decision) : status;
}

static void decide_now(struct weir *weir, struct weir_call *call)
{
    size_t answered = 0;
    enum weir_status status = WEIR_OK;
    if (call->verb == WEIR_VERB_CHECK && call->together) {
        status = weir_check_all(weir, call->requests, call->count, call->now_us, call->decisions,
                                &answered);
    } else if (call->verb == WEIR_VERB_CHECK) {
        status = weir_check_batch(weir, call->requests, call->count, call->now_us, call->decisions,
                                  &answered);
    } else {
        while (answered < call->count && status == WEIR_OK) {
            status = ask_request(weir, call, answered);
            answered += status == WEIR_OK ? 1 : 0;
        }
    }
    answer(call, status, answered);
}

static enum weir_status look_at_call(const struct weir *weir, const struct weir_call *call)
{
    if (call->timeout_us < 0 || call->timeout_us > WEIR_PERIOD_MAX ||
        (unsigned)call->verb > WEIR_VERB_RESET ||
        (call->together && call->verb != WEIR_VERB_CHECK)) {
        return WEIR_ERR_ARGUMENT;
    }
    if (call->now_us != WEIR_CLOCK && (call->now_us < 0 || call->now_us > WEIR_TIME_MAX)) {
        return WEIR_ERR_TIME;
    }
    return call->together ? weir_engine_all_admissible(weir, call->requests, call->count)
                          : weir_engine_admissible(weir, call->requests, call->count);
}

void weir_submit(struct weir *weir, struct weir_call *call)
{
    assert(weir != NULL && call != NULL && call->done != NULL);
    assert(call->count == 0 || call->requests != NULL);
    assert(call->count == 0 || call->decisions != NULL || call->verb == WEIR_VERB_RESET);
    const enum weir_status status = look_at_call(weir, call);
    if (status != WEIR_OK) {
        answer(call, status, 0);
    } else if (weir->store->ops->submit != NULL) {
        weir->store->ops->submit(weir->store, call);
    } else {
        decide_now(weir, call);
    }
}

enum weir_status weir_open_store(struct weir_store *store, const struct weir_allocator *allocator,
                                 struct weir **ret_weir)
{
    assert(store != NULL && ret_weir != NULL);
    assert(store->ops->check_one != NULL && store->ops->decide != NULL);
    assert(store->ops->batch != NULL && store->ops->stats != NULL && store->ops->close != NULL);
    const struct weir_allocator *from = weir_allocator_or_default(allocator);
    struct weir *weir = weir_alloc(from, sizeof(*weir), _Alignof(max_align_t));
    if (weir == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    weir->allocator = *from;
    weir->store = store;
    *ret_weir = weir;
    return WEIR_OK;
}

struct weir_store *weir_store_of(struct weir *weir)
{
    assert(weir != NULL);
    return weir->store;
}
