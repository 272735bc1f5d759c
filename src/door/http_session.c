/* http_session.c - one peer that speaks HTTP: requests are read as they come, and answered in
 * order. See http_door.h. */

#include "base/alloc.h"
#include "door/http_door.h"

#include <string.h>

static void respond_bad(struct weir_http_session *session)
{
    struct weir_session *base = &session->base;
    const struct weir_http_request nothing = {0};
    const struct weir_http_visit visit = {
        .session = session, .desk = base->desk, .request = &nothing, .flags = WEIR_HTTP_FLAG_CLOSE};
    const struct weir_http_problem problem = {.status = session->reader.status,
                                              .detail = session->reader.complaint};
    weir_tally_count(base->desk->options.tally, WEIR_COUNT_BAD_HTTP, 1);
    weir_http_say_problem(&visit, &problem);
    base->closing = true;
}

static void take_request(struct weir_http_session *session, const struct weir_http_request *request)
{
    struct weir_session *base = &session->base;
    unsigned flags = 0;
    if (weir_http_equals(request->method, "HEAD")) {
        flags |= WEIR_HTTP_FLAG_HEAD;
    }
    if (!request->keep_alive) {
        flags |= WEIR_HTTP_FLAG_CLOSE;
    } else if (request->minor == 0) {
        flags |= WEIR_HTTP_FLAG_KEEP_ALIVE;
    }
    const struct weir_http_visit visit = {
        .session = session, .desk = base->desk, .request = request, .flags = flags};
    weir_tally_count(base->desk->options.tally, WEIR_COUNT_REQUESTS_HTTP, 1);
    weir_http_route(&visit);
    base->closing = base->closing || !request->keep_alive;
}

static size_t read_requests(struct weir_session *base, struct weir_bytes input)
{
    struct weir_http_session *session = (struct weir_http_session *)base;
    struct weir_http_request request;
    size_t used = 0;
    base->partial = false;
    while (!base->closing && used < input.len && !weir_session_is_full(base)) {
        const struct weir_bytes rest = weir_bytes(input.ptr + used, input.len - used);
        size_t taken = 0;
        const enum weir_http_state state =
            weir_http_read(&session->reader, rest, &session->body, &request, &taken);
        if (state == WEIR_HTTP_BAD) {
            respond_bad(session);
            return input.len;
        }
        if (state != WEIR_HTTP_REQUEST) {
            if (state == WEIR_HTTP_CONTINUE) {
                weir_buffer_put_text(weir_session_say(base), "HTTP/1.1 100 Continue\r\n\r\n");
            }
            base->partial = true;
            break;
        }
        take_request(session, &request);
        if (session->body.room > 0) {
            weir_buffer_deinit(&session->body);
        }
        used += taken;
    }
    return used;
}

static void close_session(struct weir_session *base)
{
    struct weir_http_session *session = (struct weir_http_session *)base;
    const struct weir_allocator *allocator = base->desk->allocator;
    weir_buffer_deinit(&session->body);
    weir_release(allocator, session, sizeof(*session));
}

static const struct weir_session_ops http_ops = {
    .door = WEIR_DOOR_HTTP,
    .read = read_requests,
    .answer = weir_http_answer,
    .hold = weir_http_hold,
    .close = close_session,
};

struct weir_session *weir_http_session_new(struct weir_desk *desk,
                                           const struct weir_listener *listener,
                                           struct weir_bytes peer)
{
    struct weir_http_session *session =
        weir_alloc(desk->allocator, sizeof(*session), _Alignof(struct weir_http_session));
    if (session == NULL) {
        return NULL;
    }
    const struct weir_caps *caps = &desk->view->config->caps;
    weir_session_begin(&session->base, &http_ops, desk, listener, peer);
    session->body.allocator = desk->allocator;
    session->reader.max.head = caps->head_bytes;
    session->reader.max.body = caps->body_bytes;
    if (peer.len > 0 && !weir_http_address(peer, session->address, &session->address_len)) {
        session->address_len =
            peer.len < sizeof(session->address) ? peer.len : sizeof(session->address);
        memcpy(session->address, peer.ptr, session->address_len);
    }
    session->trusted =
        peer.len == 0 || weir_network_holds(listener->trusted, listener->trusted_count,
                                            weir_bytes(session->address, session->address_len));
    return &session->base;
}
