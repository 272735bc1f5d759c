/* grpc_session.c - one peer that speaks gRPC: its calls are handed to their methods, and answered
 * as they are decided. See desk.h, grpc.h, grpc_door.h. */

#include "base/alloc.h"
#include "door/grpc_door.h"
#include "rls/stats.h"

#include <assert.h>
#include <string.h>

/* What is taken from the codec at once, to be sent. */
#define FILL_BYTES ((size_t)64 << 10)

/* ---- Calls --------------------------------------------------------------------------------- */

static void free_visit(struct weir_grpc_visit *visit)
{
    struct weir_grpc_session *session = visit->session;
    if (visit->exchange != NULL) {
        visit->exchange->rls->visit = NULL; /* what it took is taken, and nobody is told */
    }
    if (visit->next != NULL) {
        visit->next->previous = visit->previous;
        visit->previous->next = visit->next;
    }
    weir_grpc_set_data(visit->call, NULL);
    weir_release(session->base.desk->allocator, visit, sizeof(*visit));
}

void weir_grpc_end(struct weir_grpc_visit *visit, enum weir_grpc_status status, const char *message)
{
    struct weir_grpc_call *call = visit->call;
    struct weir_session *base = &visit->session->base;
    free_visit(visit);
    weir_grpc_finish(call, status, message);
    weir_session_touch(base);
}

void weir_grpc_watch(struct weir_grpc_visit *visit)
{
    struct weir_grpc_visit *ring = &visit->session->watchers;
    visit->next = ring;
    visit->previous = ring->previous;
    ring->previous->next = visit;
    ring->previous = visit;
}

/* ---- Who may ------------------------------------------------------------------------------- */

/* What follows "Bearer "; false where it is of another kind. */
static bool bearer(struct weir_bytes value, struct weir_bytes *ret_secret)
{
    static const char scheme[] = "Bearer ";
    const size_t len = sizeof(scheme) - 1;
    if (value.len <= len || strncasecmp(value.ptr, scheme, len) != 0) {
        return false;
    }
    *ret_secret = weir_bytes(value.ptr + len, value.len - len);
    return true;
}

/* WEIR_GRPC_OK, or why not. */
static enum weir_grpc_status may(const struct weir_session *base, struct weir_grpc_call *call,
                                 unsigned right)
{
    struct weir_bytes secret;
    unsigned rights = base->rights;
    if ((rights & right) == right) {
        return WEIR_GRPC_OK;
    }
    if (bearer(weir_grpc_authorization(call), &secret)) {
        rights = weir_listener_rights(base->listener, weir_bytes(NULL, 0), secret, NULL);
        if ((rights & right) == right) {
            return WEIR_GRPC_OK;
        }
    }
    weir_tally_count(base->desk->options.tally, WEIR_COUNT_UNAUTHORIZED, 1);
    return rights != 0 || base->listener->token_count == 0 ? WEIR_GRPC_PERMISSION_DENIED
                                                           : WEIR_GRPC_UNAUTHENTICATED;
}

/* ---- What the codec tells ------------------------------------------------------------------ */

static bool begin(void *context, struct weir_grpc_call *call)
{
    struct weir_grpc_session *session = context;
    struct weir_session *base = &session->base;
    weir_tally_count(base->desk->options.tally, WEIR_COUNT_REQUESTS_GRPC, 1);
    weir_session_touch(base);
    const struct weir_grpc_method *method = weir_grpc_find(weir_grpc_path(call));
    if (method == NULL) {
        weir_grpc_finish(call, WEIR_GRPC_UNIMPLEMENTED, "there is no such method here");
        return false;
    }
    const enum weir_grpc_status status = may(base, call, method->right);
    if (status != WEIR_GRPC_OK) {
        weir_grpc_finish(call, status,
                         status == WEIR_GRPC_UNAUTHENTICATED
                             ? "send one of the listener's tokens as `authorization: Bearer TOKEN`"
                             : "this listener, or this token, has not the right to do that");
        return false;
    }
    struct weir_grpc_visit *visit =
        weir_alloc(base->desk->allocator, sizeof(*visit), _Alignof(struct weir_grpc_visit));
    if (visit == NULL) {
        weir_grpc_finish(call, WEIR_GRPC_RESOURCE_EXHAUSTED, "no memory");
        return false;
    }
    *visit = (struct weir_grpc_visit){.session = session, .call = call, .method = method};
    weir_grpc_set_data(call, visit);
    return true;
}

static void message(void *context, struct weir_grpc_call *call, struct weir_bytes bytes)
{
    struct weir_grpc_visit *visit = weir_grpc_data(call);
    struct weir_grpc_session *session = context;
    session->base.whole++;
    if (visit->asked && !visit->method->streams) {
        weir_grpc_end(visit, WEIR_GRPC_INTERNAL, "one message was expected, and more came");
        return;
    }
    visit->asked = true;
    visit->method->message(visit, bytes);
}

static void half_closed(void *context, struct weir_grpc_call *call)
{
    struct weir_grpc_visit *visit = weir_grpc_data(call);
    (void)context;
    if (!visit->asked) {
        weir_grpc_end(visit, visit->method->streams ? WEIR_GRPC_OK : WEIR_GRPC_INTERNAL,
                      visit->method->streams ? NULL : "a message was expected, and none came");
    } else if (visit->method->streams) {
        weir_grpc_end(visit, WEIR_GRPC_OK, NULL);
    }
}

static void gone(void *context, struct weir_grpc_call *call)
{
    struct weir_grpc_visit *visit = weir_grpc_data(call);
    (void)context;
    if (visit != NULL) {
        free_visit(visit);
    }
}

static const struct weir_grpc_ops grpc_ops = {
    .begin = begin, .message = message, .half_closed = half_closed, .gone = gone};

/* ---- The session --------------------------------------------------------------------------- */

/* Closes once all of `out` is sent. */
static void give_up(struct weir_grpc_session *session)
{
    struct weir_session *base = &session->base;
    const char *reason = weir_grpc_broken(session->grpc);
    if (reason != NULL && !base->closing) {
        weir_tally_count(base->desk->options.tally, WEIR_COUNT_BAD_GRPC, 1);
        weir_log(base->desk->options.log, WEIR_LOG_LINE_DEBUG, "a gRPC connection is given up",
                 "reason", reason, WEIR_LOG_END);
    }
    base->closing = true;
}

static size_t read_frames(struct weir_session *base, struct weir_bytes input)
{
    struct weir_grpc_session *session = (struct weir_grpc_session *)base;
    if (input.len > 0 && !weir_grpc_receive(session->grpc, input)) {
        give_up(session);
    }
    base->partial = weir_grpc_is_partial(session->grpc);
    if (base->closing || weir_grpc_has_to_send(session->grpc) || weir_grpc_is_over(session->grpc)) {
        weir_session_touch(base);
    }
    return input.len;
}

static void fill(struct weir_session *base)
{
    struct weir_grpc_session *session = (struct weir_grpc_session *)base;
    weir_grpc_send(session->grpc, &base->out, FILL_BYTES);
    if (weir_grpc_is_over(session->grpc)) {
        give_up(session);
    }
}

static void drain(struct weir_session *base)
{
    struct weir_grpc_session *session = (struct weir_grpc_session *)base;
    while (session->watchers.next != &session->watchers) {
        weir_grpc_tell_ending(session->watchers.next);
    }
    weir_grpc_drain(session->grpc);
    weir_session_touch(base);
}

static void close_session(struct weir_session *base)
{
    struct weir_grpc_session *session = (struct weir_grpc_session *)base;
    weir_grpc_free(session->grpc);
    weir_release(base->desk->allocator, session, sizeof(*session));
}

static const struct weir_session_ops session_ops = {
    .door = WEIR_DOOR_GRPC,
    .read = read_frames,
    .answer = weir_grpc_answer,
    .unordered = true,
    .fill = fill,
    .drain = drain,
    .close = close_session,
};

struct weir_session *weir_grpc_session_new(struct weir_desk *desk,
                                           const struct weir_listener *listener,
                                           struct weir_bytes peer)
{
    struct weir_grpc_session *session =
        weir_alloc(desk->allocator, sizeof(*session), _Alignof(struct weir_grpc_session));
    if (session == NULL) {
        return NULL;
    }
    const struct weir_caps *caps = &desk->view->config->caps;
    weir_session_begin(&session->base, &session_ops, desk, listener, peer);
    session->watchers.next = &session->watchers;
    session->watchers.previous = &session->watchers;
    const struct weir_grpc_options options = {
        .ops = &grpc_ops,
        .context = session,
        .allocator = desk->allocator,
        .streams = caps->pipeline,
        .header_bytes = caps->head_bytes,
        .message_bytes = caps->body_bytes,
    };
    session->grpc = weir_grpc_new(&options);
    if (session->grpc == NULL) {
        weir_release(desk->allocator, session, sizeof(*session));
        return NULL;
    }
    weir_session_touch(&session->base); /* the server's settings */
    return &session->base;
}
