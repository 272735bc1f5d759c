/* session.c - what is owed to one peer, in order. See desk.h. */

#include "base/alloc.h"
#include "door/desk_parts.h"
#include "door/rls_door.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(struct weir_exchange) + 256 < WEIR_EXCHANGE_BLOCK, "room for an inquiry");

/* ---- Memory -------------------------------------------------------------------------------- */

/* A block that is not in use: its first word is the next such. */
static struct weir_exchange *take_block(struct weir_desk *desk)
{
    if (desk->spare == NULL) {
        return weir_alloc(desk->allocator, WEIR_EXCHANGE_BLOCK, _Alignof(max_align_t));
    }
    void *block = desk->spare;
    memcpy(&desk->spare, block, sizeof(desk->spare));
    desk->spare_count--;
    return block;
}

static void give_block(struct weir_desk *desk, void *block)
{
    if (desk->spare_count >= WEIR_EXCHANGE_SPARES) {
        weir_release(desk->allocator, block, WEIR_EXCHANGE_BLOCK);
        return;
    }
    memcpy(block, &desk->spare, sizeof(desk->spare));
    desk->spare = block;
    desk->spare_count++;
}

void *weir_exchange_room(struct weir_exchange *exchange, size_t size, size_t *ret_size)
{
    const size_t rounded = (size + 15) & ~(size_t)15;
    const size_t first = (sizeof(*exchange) + 15) & ~(size_t)15;
    *ret_size = 0;
    if (rounded >= size && rounded <= WEIR_EXCHANGE_BLOCK - first - exchange->tail_used) {
        void *room = (char *)exchange + first + exchange->tail_used;
        exchange->tail_used += (uint32_t)rounded;
        return room;
    }
    void *room = weir_alloc(exchange->desk->allocator, size, _Alignof(max_align_t));
    *ret_size = size;
    return room;
}

void weir_exchange_free(struct weir_desk *desk, struct weir_exchange *exchange)
{
    while (exchange->inquiries != NULL) {
        struct weir_inquiry *inquiry = exchange->inquiries;
        exchange->inquiries = inquiry->next;
        weir_inquiry_free(desk, inquiry);
    }
    if (exchange->note_size > 0) {
        weir_release(desk->allocator, (char *)exchange->note_memory, exchange->note_size);
    }
    if (exchange->rls != NULL) {
        weir_rls_asked_free(desk, exchange->rls);
    }
    struct weir_view *view = exchange->view;
    weir_buffer_deinit(&exchange->said);
    give_block(desk, exchange);
    if (view != NULL && --view->uses == 0) {
        view->release(view);
    }
}

/* ---- Sessions ------------------------------------------------------------------------------ */

void weir_session_begin(struct weir_session *session, const struct weir_session_ops *ops,
                        struct weir_desk *desk, const struct weir_listener *listener,
                        struct weir_bytes peer)
{
    *session = (struct weir_session){
        .ops = ops,
        .desk = desk,
        .listener = listener,
        .rights = listener->rights,
        .peer = peer,
        .out = {.allocator = desk->allocator},
    };
}

void weir_session_touch(struct weir_session *session)
{
    struct weir_desk *desk = session->desk;
    if (!session->touched) {
        session->touched = true;
        session->next_touched = desk->touched;
        desk->touched = session;
    }
}

static void forget_touched(struct weir_session *session)
{
    if (!session->touched) {
        return;
    }
    struct weir_session **at = &session->desk->touched;
    while (*at != NULL && *at != session) {
        at = &(*at)->next_touched;
    }
    if (*at == NULL) {
        at = &session->desk->waking;
    }
    while (*at != session) {
        assert(*at != NULL);
        at = &(*at)->next_touched;
    }
    *at = session->next_touched;
    session->touched = false;
}

/* An exchange whose peer has gone: what the store has, or is to get, is left to it. */
static void let_go(struct weir_desk *desk, struct weir_exchange *exchange)
{
    if (exchange->submitted && !exchange->decided) {
        exchange->session = NULL;
        return;
    }
    if (exchange->held) {
        desk->options.forget(desk->options.context, exchange);
    }
    weir_exchange_free(desk, exchange);
}

void weir_session_end(struct weir_session *session)
{
    struct weir_desk *desk = session->desk;
    forget_touched(session);
    /* What waits for others of this session to be decided need wait no more. */
    while (session->waiting != NULL) {
        struct weir_exchange *exchange = session->waiting;
        session->waiting = exchange->next_pending;
        weir_desk_pend(desk, exchange);
    }
    while (session->first != NULL) {
        struct weir_exchange *exchange = session->first;
        session->first = exchange->next;
        let_go(desk, exchange);
    }
    weir_buffer_deinit(&session->out);
    session->ops->close(session);
}

bool weir_session_is_full(const struct weir_session *session)
{
    const struct weir_caps *caps = &session->desk->view->config->caps;
    /* What is said behind an answer that is owed waits with it. */
    const size_t said =
        session->first != NULL && session->last->direct ? session->last->said.len : 0;
    return session->owed >= caps->pipeline || session->out.len + said >= caps->output_bytes;
}

/* ---- Exchanges ----------------------------------------------------------------------------- */

struct weir_exchange *weir_exchange_new(struct weir_session *session)
{
    struct weir_desk *desk = session->desk;
    struct weir_exchange *exchange = take_block(desk);
    if (exchange == NULL) {
        session->closing = true;
        return NULL;
    }
    *exchange = (struct weir_exchange){.desk = desk,
                                       .session = session,
                                       .started_ns = desk->now_ns,
                                       .said = {.allocator = desk->allocator}};
    if (session->last != NULL && session->first != NULL) {
        session->last->next = exchange;
    } else {
        session->first = exchange;
    }
    session->last = exchange;
    session->owed++;
    return exchange;
}

struct weir_exchange *weir_exchange_unowed(struct weir_desk *desk)
{
    struct weir_exchange *exchange = take_block(desk);
    if (exchange != NULL) {
        *exchange = (struct weir_exchange){.desk = desk, .started_ns = desk->now_ns};
    }
    return exchange;
}

void weir_exchange_discard(struct weir_exchange *exchange)
{
    assert(exchange->session == NULL && !exchange->submitted);
    weir_exchange_free(exchange->desk, exchange);
}

void weir_exchange_hold_view(struct weir_exchange *exchange)
{
    assert(exchange->view == NULL);
    exchange->view = exchange->desk->view;
    exchange->view->uses++;
}

/* Takes it out of its session's list. */
static void unlink_exchange(struct weir_exchange *exchange)
{
    struct weir_session *session = exchange->session;
    struct weir_exchange *before = NULL;
    struct weir_exchange **at = &session->first;
    while (*at != exchange) {
        before = *at;
        at = &before->next;
    }
    *at = exchange->next;
    if (session->last == exchange) {
        session->last = before;
    }
    session->owed--;
}

void weir_exchange_drop(struct weir_exchange *exchange)
{
    struct weir_session *session = exchange->session;
    assert(!exchange->submitted && exchange == session->last);
    unlink_exchange(exchange);
    weir_exchange_free(session->desk, exchange);
}

bool weir_exchange_note(struct weir_exchange *exchange, struct weir_bytes bytes)
{
    assert(exchange->note_memory == NULL);
    void *memory = weir_exchange_room(exchange, bytes.len, &exchange->note_size);
    if (memory == NULL) {
        return false;
    }
    if (bytes.len > 0) {
        memcpy(memory, bytes.ptr, bytes.len);
    }
    exchange->note_memory = memory;
    exchange->note = weir_bytes(memory, bytes.len);
    return true;
}

struct weir_buffer *weir_session_say(struct weir_session *session)
{
    if (session->first == NULL) {
        return &session->out;
    }
    if (session->last->direct) {
        return &session->last->said;
    }
    struct weir_exchange *exchange = weir_exchange_new(session);
    if (exchange == NULL) {
        return &session->desk->none;
    }
    exchange->direct = true;
    exchange->submitted = true;
    exchange->decided = true;
    return &exchange->said;
}

static void answer(struct weir_session *session, struct weir_exchange *exchange)
{
    struct weir_desk *desk = session->desk;
    session->ops->answer(session, exchange);
    weir_tally_door(desk->options.tally, session->ops->door, desk->now_ns - exchange->started_ns);
}

void weir_exchange_answer(struct weir_exchange *exchange)
{
    struct weir_session *session = exchange->session;
    assert(session->ops->unordered);
    unlink_exchange(exchange);
    answer(session, exchange);
    weir_exchange_free(session->desk, exchange);
    weir_session_touch(session);
}

void weir_session_answer(struct weir_session *session)
{
    struct weir_desk *desk = session->desk;
    while (session->first != NULL && session->first->decided && !session->first->held) {
        struct weir_exchange *exchange = session->first;
        if (exchange->direct) {
            session->closing = session->closing || exchange->said.failed;
            weir_buffer_put(&session->out, weir_buffer_bytes(&exchange->said));
        } else {
            answer(session, exchange);
        }
        session->first = exchange->next;
        if (session->first == NULL) {
            session->last = NULL;
        }
        session->owed--;
        weir_exchange_free(desk, exchange);
    }
    weir_session_touch(session);
}

void weir_exchange_submit(struct weir_exchange *exchange)
{
    assert(!exchange->submitted);
    exchange->submitted = true;
    weir_desk_pend(exchange->desk, exchange);
}

void weir_exchange_release(struct weir_exchange *exchange)
{
    assert(exchange->held && exchange->session != NULL);
    struct weir_desk *desk = exchange->session->desk;
    exchange->held = false;
    if (exchange->session->first == exchange) {
        weir_session_answer(exchange->session);
        desk->options.stir(desk->options.context);
    }
}
