/* desk.c - puts what is pending to the store, and takes its answers. See desk.h.
 *
 * A store that answers at once is asked in the order of arrival: checks of one limit each are
 * gathered and go as one batch, whose memory is fetched at once; what else comes between them is
 * asked by itself, after what was gathered before it. So a pipeline of a check, a reset and a check
 * is answered as if each had been waited for.
 *
 * A store that answers later gets a call for each inquiry, and puts those of one turn together
 * itself; as it may decide them in any order, an exchange that changes a key (a refund, a reset)
 * waits until those before it in its session are decided, and those after it wait for it. */

#include "base/alloc.h"
#include "door/desk_parts.h"
#include "door/http_door.h"
#include "door/rls_door.h"
#include "weir/store.h"

#include <assert.h>
#include <string.h>
#include <time.h>

/* The most checks in one batch. */
#define BATCH_MAX 1024

/* Peers that are woken may ask again; after so many rounds of that others have their turn. */
#define FLUSH_ROUNDS 4

/* ---- Opening and closing ------------------------------------------------------------------- */

static int64_t read_clock(clockid_t clock)
{
    struct timespec time;
    const int failed = clock_gettime(clock, &time);
    assert(failed == 0);
    (void)failed;
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void weir_desk_turn(struct weir_desk *desk)
{
    desk->now_us = read_clock(CLOCK_REALTIME) / 1000;
    desk->now_ns = read_clock(CLOCK_MONOTONIC);
}

static bool has_memory(const struct weir_desk *desk)
{
    return desk->limits != NULL && desk->batch != NULL && desk->batch_decisions != NULL &&
           desk->batch_owners != NULL && desk->ad_hoc_number != UINT32_MAX;
}

static void free_memory(struct weir_desk *desk)
{
    const struct weir_allocator *allocator = desk->allocator;
    while (desk->spare != NULL) {
        void *block = desk->spare;
        memcpy(&desk->spare, block, sizeof(desk->spare));
        weir_release(allocator, block, WEIR_EXCHANGE_BLOCK);
    }
    weir_rls_asked_free_spares(desk);
    weir_plan_deinit(&desk->plan);
    weir_buffer_deinit(&desk->scratch);
    weir_buffer_deinit(&desk->scratch_more);
    weir_ad_hoc_limits_free(desk->limits);
    weir_http_wanted_free(desk->http_wanted);
    weir_release(allocator, desk->batch, BATCH_MAX * sizeof(*desk->batch));
    weir_release(allocator, desk->batch_decisions, BATCH_MAX * sizeof(*desk->batch_decisions));
    weir_release(allocator, (void *)desk->batch_owners, BATCH_MAX * sizeof(struct weir_inquiry *));
    weir_release(allocator, desk, sizeof(*desk));
}

enum weir_status weir_desk_open(const struct weir_desk_options *options,
                                struct weir_desk **ret_desk)
{
    const struct weir_allocator *allocator = weir_allocator_or_default(options->allocator);
    struct weir_desk *desk = weir_alloc(allocator, sizeof(*desk), _Alignof(max_align_t));
    if (desk == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    const size_t alignment = _Alignof(max_align_t);
    desk->options = *options;
    desk->allocator = allocator;
    desk->view = options->view;
    desk->immediate = weir_store_of(options->store)->ops->submit == NULL;
    desk->scratch.allocator = allocator;
    desk->scratch_more.allocator = allocator;
    desk->none.allocator = allocator;
    desk->none.failed = true;
    weir_plan_init(&desk->plan, allocator);
    desk->limits = weir_ad_hoc_limits_new(allocator);
    desk->batch = weir_alloc(allocator, BATCH_MAX * sizeof(*desk->batch), alignment);
    desk->batch_decisions =
        weir_alloc(allocator, BATCH_MAX * sizeof(*desk->batch_decisions), alignment);
    desk->batch_owners = (struct weir_inquiry **)weir_alloc(
        allocator, BATCH_MAX * sizeof(struct weir_inquiry *), alignment);
    desk->ad_hoc_number = weir_metrics_rule(options->service->metrics, weir_text(WEIR_AD_HOC_RULE));
    if (!has_memory(desk)) {
        free_memory(desk);
        return WEIR_ERR_NO_MEMORY;
    }
    desk->view->uses++;
    weir_desk_turn(desk);
    *ret_desk = desk;
    return WEIR_OK;
}

void weir_desk_take(struct weir_desk *desk, struct weir_view *view)
{
    struct weir_view *former = desk->view;
    view->uses++;
    desk->view = view;
    if (--former->uses == 0) {
        former->release(former);
    }
}

void weir_desk_close(struct weir_desk *desk)
{
    if (desk == NULL) {
        return;
    }
    assert(desk->in_store == 0 && desk->touched == NULL);
    /* Peers that left before the last turn's end. */
    while (desk->pending != NULL) {
        struct weir_exchange *exchange = desk->pending;
        desk->pending = exchange->next_pending;
        assert(exchange->session == NULL);
        weir_exchange_free(desk, exchange);
    }
    if (--desk->view->uses == 0) {
        desk->view->release(desk->view);
    }
    free_memory(desk);
}

void weir_desk_pend(struct weir_desk *desk, struct weir_exchange *exchange)
{
    exchange->next_pending = NULL;
    if (desk->pending_last != NULL && desk->pending != NULL) {
        desk->pending_last->next_pending = exchange;
    } else {
        desk->pending = exchange;
    }
    desk->pending_last = exchange;
}

/* ---- What came of it ----------------------------------------------------------------------- */

static void settled(struct weir_desk *desk, struct weir_inquiry *inquiry)
{
    struct weir_exchange *exchange = inquiry->exchange;
    weir_inquiry_settle(desk, inquiry);
    if (--exchange->undecided == 0) {
        weir_exchange_decide(desk, exchange);
    }
}

/* What the enforced requests are asked: a deny list's word is final, so that nothing is taken. */
static enum weir_verb enforced_verb(const struct weir_inquiry *inquiry)
{
    return inquiry->barred && inquiry->verb == WEIR_VERB_CHECK ? WEIR_VERB_PEEK : inquiry->verb;
}

/* ---- A store that answers at once ---------------------------------------------------------- */

static void done_now(struct weir_call *call)
{
    (void)call; /* weir_submit has returned with all that is wanted */
}

/* A part of an inquiry, or of the batch. */
static enum weir_status ask_now(struct weir_desk *desk, enum weir_verb verb, bool together,
                                const struct weir_request *requests, size_t count,
                                struct weir_decision *decisions)
{
    if (count == 0) {
        return WEIR_OK;
    }
    struct weir_call call = {
        .verb = verb,
        .together = together,
        .requests = requests,
        .count = count,
        .now_us = desk->now_us,
        .decisions = decisions,
        .done = done_now,
    };
    weir_submit(desk->options.store, &call);
    return call.status;
}

/* The store took the time since the clock was last read. */
static void answered_now(struct weir_desk *desk)
{
    const int64_t before_ns = desk->now_ns;
    desk->now_ns = read_clock(CLOCK_MONOTONIC);
    weir_tally_store(desk->options.tally, desk->now_ns - before_ns);
}

/* One request's trouble must not be another's: what a batch left undecided is asked one by one. */
static void ask_singly(struct weir_desk *desk, size_t first)
{
    for (size_t i = first; i < desk->batch_count; i++) {
        const enum weir_status status =
            ask_now(desk, WEIR_VERB_CHECK, false, &desk->batch[i], 1, &desk->batch_decisions[i]);
        if (status != WEIR_OK) {
            desk->batch_owners[i]->status = status;
        }
    }
}

/* Asks what was gathered. An inquiry's places are next to one another, and it is settled with the
 * last of them. */
static void ask_batch(struct weir_desk *desk)
{
    const size_t count = desk->batch_count;
    if (count == 0) {
        return;
    }
    struct weir_call call = {
        .verb = WEIR_VERB_CHECK,
        .requests = desk->batch,
        .count = count,
        .now_us = desk->now_us,
        .decisions = desk->batch_decisions,
        .done = done_now,
    };
    weir_submit(desk->options.store, &call);
    if (call.status != WEIR_OK) {
        ask_singly(desk, call.answered);
    }
    answered_now(desk);
    desk->batch_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct weir_inquiry *inquiry = desk->batch_owners[i];
        const bool last = i + 1 == count || desk->batch_owners[i + 1] != inquiry;
        inquiry->decisions[i - inquiry->placed] = desk->batch_decisions[i];
        if (last) {
            settled(desk, inquiry);
        }
    }
}

/* Puts requests[first..request_count) into the batch, each by itself. */
static void gather(struct weir_desk *desk, struct weir_inquiry *inquiry, size_t first)
{
    /* Where its request 0 would be; may wrap, as only differences are looked at. */
    inquiry->placed = desk->batch_count - first;
    for (size_t i = first; i < inquiry->request_count; i++) {
        desk->batch[desk->batch_count] = inquiry->requests[i];
        desk->batch_owners[desk->batch_count] = inquiry;
        desk->batch_count++;
    }
}

static void ask_immediately(struct weir_desk *desk, struct weir_inquiry *inquiry)
{
    const enum weir_verb verb = enforced_verb(inquiry);
    const size_t enforced = inquiry->enforced;
    const bool checks = inquiry->verb == WEIR_VERB_CHECK;
    if (desk->batch_count + inquiry->request_count > BATCH_MAX) {
        ask_batch(desk);
    }
    if (checks && verb == WEIR_VERB_CHECK && enforced <= 1 && inquiry->request_count > 0) {
        gather(desk, inquiry, 0);
        return;
    }
    ask_batch(desk);
    inquiry->status = ask_now(desk, verb, verb == WEIR_VERB_CHECK, inquiry->requests, enforced,
                              inquiry->decisions);
    if (checks && inquiry->request_count > enforced) {
        gather(desk, inquiry, enforced);
        return;
    }
    if (inquiry->status == WEIR_OK) {
        inquiry->status = ask_now(desk, inquiry->verb, false, inquiry->requests + enforced,
                                  inquiry->request_count - enforced, inquiry->decisions + enforced);
    }
    answered_now(desk);
    settled(desk, inquiry);
}

/* ---- A store that answers later ------------------------------------------------------------ */

static void done_later(struct weir_call *call)
{
    struct weir_inquiry *inquiry = call->context;
    struct weir_desk *desk = inquiry->desk;
    if (call->status != WEIR_OK) {
        inquiry->status = call->status;
    }
    desk->in_store--;
    if (--inquiry->calls_left > 0) {
        return;
    }
    desk->now_ns = read_clock(CLOCK_MONOTONIC);
    weir_tally_store(desk->options.tally, desk->now_ns - inquiry->asked_ns);
    settled(desk, inquiry);
    desk->options.stir(desk->options.context);
}

static void fill_call(struct weir_inquiry *inquiry, struct weir_call *call, enum weir_verb verb,
                      size_t first, size_t count)
{
    const struct weir_desk *desk = inquiry->desk;
    const int64_t own_us = inquiry->exchange->timeout_us;
    const int64_t policy_us = desk->view->config->timeout_us;
    *call = (struct weir_call){
        .verb = verb,
        .requests = inquiry->requests + first,
        .count = count,
        .now_us = WEIR_CLOCK,
        .timeout_us = own_us > 0 && (policy_us == 0 || own_us < policy_us) ? own_us : policy_us,
        .decisions = inquiry->decisions + first,
        .done = done_later,
        .context = inquiry,
    };
}

static void ask_later(struct weir_desk *desk, struct weir_inquiry *inquiry)
{
    const size_t enforced = inquiry->enforced;
    const size_t watched = inquiry->request_count - enforced;
    const enum weir_verb verb = enforced_verb(inquiry);
    inquiry->desk = desk;
    inquiry->asked_ns = desk->now_ns;
    inquiry->calls_left = (enforced > 0 ? 1U : 0U) + (watched > 0 ? 1U : 0U);
    if (enforced > 0) {
        fill_call(inquiry, &inquiry->calls[0], verb, 0, enforced);
        inquiry->calls[0].together = verb == WEIR_VERB_CHECK && enforced > 1;
    }
    if (watched > 0) {
        fill_call(inquiry, &inquiry->calls[1], inquiry->verb, enforced, watched);
    }
    desk->in_store += inquiry->calls_left;
    /* Either may be answered, and the inquiry gone, before the call returns. */
    struct weir_call *second = watched > 0 ? &inquiry->calls[1] : NULL;
    if (enforced > 0) {
        weir_submit(desk->options.store, &inquiry->calls[0]);
    }
    if (second != NULL) {
        weir_submit(desk->options.store, second);
    }
}

/* Whether an exchange has to wait for those before it in its session. */
static bool must_wait(const struct weir_exchange *exchange)
{
    const struct weir_session *session = exchange->session;
    return session != NULL && !exchange->asked &&
           (session->barrier || (exchange->changes && session->in_store > 0));
}

static void wait_behind(struct weir_session *session, struct weir_exchange *exchange)
{
    exchange->next_pending = NULL;
    if (session->waiting != NULL) {
        session->waiting_last->next_pending = exchange;
    } else {
        session->waiting = exchange;
    }
    session->waiting_last = exchange;
}

void weir_session_decided(struct weir_session *session, const struct weir_exchange *decided)
{
    session->in_store--;
    session->barrier = session->barrier && !decided->changes;
    while (session->waiting != NULL && !must_wait(session->waiting)) {
        struct weir_exchange *exchange = session->waiting;
        session->waiting = exchange->next_pending;
        /* It is asked with the next flush; what comes after it is to see that already. */
        session->in_store++;
        session->barrier = exchange->changes;
        exchange->asked = true;
        weir_desk_pend(session->desk, exchange);
    }
}

/* Whether the exchange is to be asked now; else it waits in its session. */
static bool enter(struct weir_exchange *exchange)
{
    struct weir_session *session = exchange->session;
    if (session == NULL || exchange->asked) {
        return true;
    }
    if (session->waiting != NULL || must_wait(exchange)) {
        wait_behind(session, exchange);
        return false;
    }
    session->in_store++;
    session->barrier = exchange->changes;
    exchange->asked = true;
    return true;
}

/* ---- The turn's end ------------------------------------------------------------------------ */

static bool has_requests(const struct weir_exchange *exchange)
{
    const struct weir_inquiry *inquiry = exchange->inquiries;
    while (inquiry != NULL && inquiry->request_count == 0) {
        inquiry = inquiry->next;
    }
    return inquiry != NULL;
}

static void ask_exchange(struct weir_desk *desk, struct weir_exchange *exchange)
{
    const bool later = !desk->immediate && has_requests(exchange);
    if (later && !enter(exchange)) {
        return;
    }
    if (exchange->undecided == 0) {
        weir_exchange_decide(desk, exchange);
        return;
    }
    /* The last to be settled takes the exchange with it: one more holds it for this loop. */
    exchange->undecided++;
    for (struct weir_inquiry *inquiry = exchange->inquiries; inquiry != NULL;
         inquiry = inquiry->next) {
        if (desk->immediate) {
            ask_immediately(desk, inquiry);
        } else if (inquiry->request_count == 0) {
            settled(desk, inquiry);
        } else {
            ask_later(desk, inquiry);
        }
    }
    if (--exchange->undecided == 0) {
        weir_exchange_decide(desk, exchange);
    }
}

static void ask_pending(struct weir_desk *desk)
{
    while (desk->pending != NULL) {
        struct weir_exchange *exchange = desk->pending;
        desk->pending = exchange->next_pending;
        ask_exchange(desk, exchange);
    }
    ask_batch(desk);
}

static void wake_touched(struct weir_desk *desk)
{
    /* Who reads on when woken, and says something again, has its turn in the next round: else one
     * with a long pipeline would be served to its end before anybody else. */
    desk->waking = desk->touched;
    desk->touched = NULL;
    while (desk->waking != NULL) {
        struct weir_session *session = desk->waking;
        desk->waking = session->next_touched;
        session->touched = false;
        desk->options.wake(desk->options.context, session);
    }
}

void weir_desk_flush(struct weir_desk *desk)
{
    for (unsigned round = 0; desk->pending != NULL || desk->touched != NULL; round++) {
        if (round == FLUSH_ROUNDS) {
            desk->options.stir(desk->options.context);
            return;
        }
        weir_desk_turn(desk);
        ask_pending(desk);
        wake_touched(desk);
    }
}
