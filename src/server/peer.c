/* peer.c - one connection: bytes to its session, and the session's answers back. See worker.h.
 *
 * A peer is written to once a turn, with all that is answered by then. It is read as long as its
 * session takes more: one that asks faster than it is answered, or takes no answers, is left in the
 * kernel's hands, where its own window stops it. Nothing is kept of an idle peer but this and its
 * session: what comes is read into memory of the worker, and only what is left of a request that is
 * not whole is kept here.
 *
 * A peer that is closed while it may still be sending is closed in two steps, so that what it was
 * told is not lost to a reset: our half first, and the rest when it ends its own, or after a
 * second.
 *
 * Invariant: `gone` is set once, and from then on nothing but libuv knows of the peer. */

#include "server/worker_parts.h"
#include "tls/tls.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Buffers larger than these are given back when they are empty. */
#define IN_KEPT 0
#define OUT_KEPT (4 * 1024)

/* How long the second step of closing may take. */
#define LINGER_NS INT64_C(1000000000)

struct weir_peer {
    uv_poll_t poll;
    struct weir_worker *worker;
    struct weir_session *session;
    struct weir_tls *tls;
    struct weir_peer *next;
    struct weir_peer *previous;
    struct weir_buffer in;   /* what its session has not used yet */
    struct weir_buffer wire; /* TLS: what is to be sent */
    size_t sent;             /* of wire, or of the session's out: what the system has */
    int64_t active_ns;       /* when it last said something, or took something */
    int64_t partial_ns;      /* when a request began that is not whole yet; 0 */
    int64_t blocked_ns;      /* since when it takes nothing of what is owed; 0 */
    int fd;
    int polled;
    bool stalled;   /* its session would not take all that had come */
    bool saw_end;   /* it will say no more */
    bool ending;    /* it was told that it is about to end */
    bool lingering; /* our half is closed */
    bool gone;
    uint8_t address_len;
    char address[INET6_ADDRSTRLEN];
};

static void on_event(uv_poll_t *poll, int status, int events);

/* ---- Coming and going ---------------------------------------------------------------------- */

static void enter_ring(struct weir_peer *peer)
{
    struct weir_worker *worker = peer->worker;
    if (worker->peers == NULL) {
        peer->next = peer;
        peer->previous = peer;
        worker->peers = peer;
    } else {
        /* Before the next to be looked at: after all others. */
        peer->next = worker->peers;
        peer->previous = worker->peers->previous;
        peer->previous->next = peer;
        peer->next->previous = peer;
    }
    worker->peer_count++;
    /* Relaxed: a number to be told, and nothing hangs on it. */
    atomic_store_explicit(&worker->open_peers, worker->peer_count, memory_order_relaxed);
}

static void leave_ring(struct weir_peer *peer)
{
    struct weir_worker *worker = peer->worker;
    peer->previous->next = peer->next;
    peer->next->previous = peer->previous;
    if (worker->peers == peer) {
        worker->peers = peer->next != peer ? peer->next : NULL;
    }
    worker->peer_count--;
    /* Relaxed: as above. */
    atomic_store_explicit(&worker->open_peers, worker->peer_count, memory_order_relaxed);
}

static void on_closed(uv_handle_t *handle)
{
    struct weir_peer *peer = handle->data;
    peer->worker->closing--;
    free(peer);
}

static void close_peer(struct weir_peer *peer)
{
    if (peer->gone) {
        return;
    }
    peer->gone = true;
    leave_ring(peer);
    weir_session_end(peer->session);
    weir_tls_free(peer->tls);
    weir_buffer_deinit(&peer->in);
    weir_buffer_deinit(&peer->wire);
    weir_tally_count(peer->worker->desk->options.tally, WEIR_COUNT_CLOSED, 1);
    peer->worker->closing++;
    uv_close((uv_handle_t *)&peer->poll, on_closed);
    (void)close(peer->fd);
}

static void close_for(struct weir_peer *peer, enum weir_count why)
{
    weir_tally_count(peer->worker->desk->options.tally, why, 1);
    close_peer(peer);
}

static struct weir_session *new_session(struct weir_gate *gate, struct weir_bytes address)
{
    struct weir_desk *desk = gate->worker->desk;
    switch (gate->listener->protocol) {
    case WEIR_PROTOCOL_HTTP:
        return weir_http_session_new(desk, gate->listener, address);
    case WEIR_PROTOCOL_RESP:
        return weir_resp_session_new(desk, gate->listener, address);
    case WEIR_PROTOCOL_GRPC:
        return weir_grpc_session_new(desk, gate->listener, address);
    case WEIR_PROTOCOL_COUNT:
        break;
    }
    assert(false && "no such protocol");
    return NULL;
}

static struct weir_peer *new_peer(struct weir_gate *gate, int fd, struct weir_bytes address)
{
    struct weir_peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        return NULL;
    }
    assert(address.len < sizeof(peer->address));
    peer->worker = gate->worker;
    peer->fd = fd;
    peer->address_len = (uint8_t)address.len;
    if (address.len > 0) {
        memcpy(peer->address, address.ptr, address.len);
    }
    peer->active_ns = gate->worker->desk->now_ns;
    peer->session = new_session(gate, weir_bytes(peer->address, peer->address_len));
    if (peer->session != NULL && gate->tls != NULL) {
        peer->tls = weir_tls_accept(gate->tls);
        peer->partial_ns = peer->active_ns; /* the handshake */
    }
    if (peer->session == NULL || (gate->tls != NULL && peer->tls == NULL)) {
        if (peer->session != NULL) {
            weir_session_end(peer->session);
        }
        free(peer);
        return NULL;
    }
    peer->session->owner = peer;
    return peer;
}

void weir_peer_open(struct weir_gate *gate, int fd, struct weir_bytes address)
{
    struct weir_peer *peer = new_peer(gate, fd, address);
    if (peer == NULL || uv_poll_init(&gate->worker->loop, &peer->poll, fd) != 0) {
        weir_tally_count(gate->worker->desk->options.tally, WEIR_COUNT_REFUSED, 1);
        if (peer != NULL) {
            weir_session_end(peer->session);
            weir_tls_free(peer->tls);
            free(peer);
        }
        (void)close(fd);
        return;
    }
    peer->poll.data = peer;
    enter_ring(peer);
    peer->polled = UV_READABLE;
    (void)uv_poll_start(&peer->poll, UV_READABLE, on_event);
}

/* ---- Writing ------------------------------------------------------------------------------- */

static void shrink(struct weir_buffer *buffer, size_t kept)
{
    if (buffer->room > kept) {
        weir_buffer_deinit(buffer);
    } else {
        weir_buffer_clear(buffer);
    }
}

/* What waits to be sent. */
static struct weir_buffer *unsent(struct weir_peer *peer)
{
    return peer->tls != NULL ? &peer->wire : &peer->session->out;
}

static bool has_unsent(struct weir_peer *peer)
{
    return unsent(peer)->len > peer->sent || (peer->tls != NULL && peer->session->out.len > 0);
}

/* Encrypts what is answered. False where it can't be. */
static bool encrypt(struct weir_peer *peer)
{
    struct weir_buffer *out = &peer->session->out;
    char message[160];
    if (out->len == 0 || !weir_tls_is_ready(peer->tls)) {
        return true;
    }
    const enum weir_failure failure =
        weir_tls_send(peer->tls, weir_buffer_bytes(out), &peer->wire, message, sizeof(message));
    shrink(out, OUT_KEPT);
    return failure == WEIR_FAILURE_NONE && !peer->wire.failed;
}

/* Has the session say what it keeps elsewhere, once all that it has said is sent. False where that
 * can't be sent. */
static bool refill(struct weir_peer *peer)
{
    struct weir_session *session = peer->session;
    if (session->ops->fill != NULL && session->out.len == 0 && unsent(peer)->len == 0) {
        session->ops->fill(session);
    }
    return !session->out.failed && (peer->tls == NULL || encrypt(peer));
}

/* Sends what there is to send, as far as the system takes it. False where the peer is to be closed.
 */
static bool send_unsent(struct weir_peer *peer)
{
    struct weir_buffer *bytes = unsent(peer);
    const int64_t now_ns = peer->worker->desk->now_ns;
    while (bytes->len > peer->sent) {
        const ssize_t sent = send(peer->fd, bytes->bytes + peer->sent, bytes->len - peer->sent,
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            peer->blocked_ns = peer->blocked_ns != 0 ? peer->blocked_ns : now_ns;
            return errno == EAGAIN;
        }
        peer->sent += (size_t)sent;
        peer->blocked_ns = 0;
    }
    peer->sent = 0;
    peer->blocked_ns = 0;
    shrink(bytes, OUT_KEPT);
    return true;
}

/* The same, as long as the session has more to say. */
static bool send_some(struct weir_peer *peer)
{
    for (;;) {
        if (!refill(peer)) {
            return false;
        }
        if (unsent(peer)->len == peer->sent) {
            return true;
        }
        if (!send_unsent(peer)) {
            return false;
        }
        if (peer->session->ops->fill == NULL || peer->blocked_ns != 0) {
            return true;
        }
    }
}

/* ---- The state after anything has happened ------------------------------------------------- */

static void poll_for(struct weir_peer *peer, int events)
{
    if (events == peer->polled) {
        return;
    }
    peer->polled = events;
    if (events == 0) {
        (void)uv_poll_stop(&peer->poll);
    } else {
        (void)uv_poll_start(&peer->poll, events, on_event);
    }
}

static void linger(struct weir_peer *peer)
{
    if (peer->tls != NULL && weir_tls_is_ready(peer->tls)) {
        weir_tls_end(peer->tls, &peer->wire);
        (void)send_some(peer);
    }
    (void)shutdown(peer->fd, SHUT_WR);
    peer->lingering = true;
    peer->active_ns = peer->worker->desk->now_ns;
    poll_for(peer, UV_READABLE);
}

/* Sets what is waited for; closes where all is over. */
static void go_on(struct weir_peer *peer)
{
    struct weir_session *session = peer->session;
    if (peer->gone || peer->lingering) {
        return;
    }
    const bool over = session->closing || (peer->saw_end && !peer->stalled);
    if (over && session->owed == 0 && !has_unsent(peer)) {
        if (peer->saw_end) {
            close_peer(peer);
        } else {
            linger(peer);
        }
        return;
    }
    /* What a peer sends may have to be answered at once, wherever its session keeps that: who takes
     * no answers is not read. */
    const bool blocked = session->ops->fill != NULL && peer->blocked_ns != 0;
    const bool reads = !peer->saw_end && !session->closing && !peer->stalled && !blocked;
    poll_for(peer, (reads ? UV_READABLE : 0) | (has_unsent(peer) ? UV_WRITABLE : 0));
}

/* ---- Reading ------------------------------------------------------------------------------- */

static void note_partial(struct weir_peer *peer, bool advanced)
{
    if (!peer->session->partial) {
        peer->partial_ns = 0;
    } else if (peer->partial_ns == 0 || advanced) {
        peer->partial_ns = peer->worker->desk->now_ns;
    }
}

/* Hands `bytes`, or where something was left before all that is there, to the session. */
static void hand_over(struct weir_peer *peer, struct weir_bytes bytes)
{
    struct weir_session *session = peer->session;
    const bool kept = peer->in.len > 0;
    if (kept) {
        weir_buffer_put(&peer->in, bytes);
        bytes = weir_buffer_bytes(&peer->in);
    }
    const uint32_t whole = session->whole;
    const size_t used = session->closing ? bytes.len : session->ops->read(session, bytes);
    if (kept) {
        weir_buffer_drop(&peer->in, used);
    } else {
        weir_buffer_put(&peer->in, weir_bytes(bytes.ptr + used, bytes.len - used));
    }
    if (peer->in.len == 0 && peer->in.room > IN_KEPT) {
        shrink(&peer->in, IN_KEPT);
    }
    peer->stalled = !session->closing && peer->in.len > 0 && weir_session_is_full(session);
    note_partial(peer, session->ops->unordered ? session->whole != whole : used > 0);
    if (peer->in.failed) {
        session->closing = true;
    }
    if (session->out.len > 0 || session->closing) {
        weir_session_touch(session);
    }
}

/* False where the peer was closed. */
static bool decrypt(struct weir_peer *peer, struct weir_bytes bytes)
{
    struct weir_worker *worker = peer->worker;
    char message[160] = "";
    const bool was_ready = weir_tls_is_ready(peer->tls);
    weir_buffer_clear(&worker->plain);
    const enum weir_failure failure =
        weir_tls_receive(peer->tls, bytes, &worker->plain, &peer->wire, message, sizeof(message));
    if (worker->plain.len > 0) {
        hand_over(peer, weir_buffer_bytes(&worker->plain));
    } else if (!was_ready && weir_tls_is_ready(peer->tls)) {
        peer->partial_ns = 0;
    }
    if (failure == WEIR_FAILURE_NONE || failure == WEIR_FAILURE_LOST) {
        peer->saw_end = peer->saw_end || failure == WEIR_FAILURE_LOST;
        weir_session_touch(peer->session);
        return true;
    }
    weir_tally_count(worker->desk->options.tally, WEIR_COUNT_TLS_FAILED, 1);
    weir_log(worker->options.log, WEIR_LOG_LINE_DEBUG, "TLS failed", "peer", peer->address,
             "reason", message, WEIR_LOG_END);
    (void)send_some(peer);
    close_peer(peer);
    return false;
}

static void take_input(struct weir_peer *peer, size_t len)
{
    const struct weir_bytes bytes = weir_bytes(peer->worker->input, len);
    peer->active_ns = peer->worker->desk->now_ns;
    if (peer->lingering) {
        return;
    }
    if (peer->tls == NULL) {
        hand_over(peer, bytes);
    } else if (!decrypt(peer, bytes)) {
        return;
    }
    go_on(peer);
}

static void read_some(struct weir_peer *peer)
{
    const ssize_t got = recv(peer->fd, peer->worker->input, WEIR_WORKER_INPUT, MSG_DONTWAIT);
    if (got > 0) {
        take_input(peer, (size_t)got);
    } else if (got == 0 && !peer->lingering) {
        peer->saw_end = true;
        go_on(peer);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_peer(peer);
    }
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct weir_peer *peer = poll->data;
    weir_worker_turn(peer->worker);
    if ((events & UV_WRITABLE) != 0) {
        if (!send_some(peer)) {
            close_peer(peer);
            return;
        }
        peer->active_ns = peer->worker->desk->now_ns;
        if (peer->stalled) {
            /* What it took may be what kept its session from reading on. */
            weir_session_touch(peer->session);
        }
        go_on(peer);
    }
    if (status < 0) {
        /* libuv has stopped watching it: where the next read finds bytes before the error, as of a
         * peer that was reset behind them, it is watched anew. */
        peer->polled = 0;
    }
    /* An error is told by the next read. */
    if (!peer->gone && (status < 0 || (events & UV_READABLE) != 0)) {
        read_some(peer);
    }
}

void weir_peer_wake(void *context, struct weir_session *session)
{
    struct weir_peer *peer = session->owner;
    (void)context;
    if (peer->lingering) {
        return;
    }
    if (!send_some(peer)) {
        close_peer(peer);
        return;
    }
    if (peer->stalled && !weir_session_is_full(session)) {
        hand_over(peer, weir_bytes(NULL, 0));
    }
    go_on(peer);
}

/* No more is taken on, and the peer goes when what is under way is over. */
static void end_session(struct weir_peer *peer)
{
    struct weir_session *session = peer->session;
    peer->ending = true;
    if (session->ops->drain != NULL && !session->closing) {
        session->ops->drain(session);
    } else {
        session->closing = true;
    }
    weir_session_touch(session);
}

/* ---- Time ---------------------------------------------------------------------------------- */

static void look_at(struct weir_peer *peer, const struct weir_caps *caps, int64_t now_ns)
{
    const struct weir_session *session = peer->session;
    if (peer->lingering) {
        if (now_ns - peer->active_ns > LINGER_NS) {
            close_peer(peer);
        }
    } else if (peer->blocked_ns != 0) {
        if (now_ns - peer->blocked_ns > caps->write_us * 1000) {
            close_for(peer, WEIR_COUNT_TIMED_OUT_WRITE);
        }
    } else if (peer->partial_ns != 0) {
        if (now_ns - peer->partial_ns > caps->request_us * 1000) {
            close_for(peer, WEIR_COUNT_TIMED_OUT_REQUEST);
        }
    } else if (session->owed == 0 && now_ns - peer->active_ns > caps->idle_us * 1000) {
        if (session->ops->drain != NULL && !peer->ending) {
            /* It is told first, so that it sends nothing that would be lost. */
            peer->active_ns = now_ns;
            end_session(peer);
        } else {
            close_for(peer, WEIR_COUNT_TIMED_OUT_IDLE);
        }
    }
}

void weir_peers_tick(struct weir_worker *worker)
{
    const struct weir_caps *caps = &worker->desk->view->config->caps;
    const int64_t now_ns = worker->desk->now_ns;
    uint32_t left = (worker->peer_count + WEIR_WORKER_TICKS - 1) / WEIR_WORKER_TICKS;
    while (left-- > 0 && worker->peers != NULL) {
        struct weir_peer *peer = worker->peers;
        worker->peers = peer->next;
        look_at(peer, caps, now_ns);
    }
}

/* Calls `act`, which may close it, for each peer. */
static void for_each(struct weir_worker *worker, void (*act)(struct weir_peer *peer))
{
    uint32_t left = worker->peer_count;
    while (left-- > 0 && worker->peers != NULL) {
        struct weir_peer *peer = worker->peers;
        worker->peers = peer->next;
        act(peer);
    }
}

static void drain_one(struct weir_peer *peer)
{
    /* What it has sent by now is answered. */
    if (!peer->lingering && !peer->stalled && !peer->saw_end) {
        read_some(peer);
    }
    if (!peer->gone) {
        end_session(peer);
    }
}

void weir_peers_drain(struct weir_worker *worker)
{
    for_each(worker, drain_one);
}

void weir_peers_stop(struct weir_worker *worker)
{
    for_each(worker, close_peer);
}

void weir_peers_leave(struct weir_worker *worker, const struct weir_listener *listener,
                      const struct weir_listener *next)
{
    for (uint32_t left = worker->peer_count; left > 0 && worker->peers != NULL; left--) {
        struct weir_peer *peer = worker->peers;
        worker->peers = peer->next;
        if (peer->session->listener != listener) {
            continue;
        }
        drain_one(peer);
        if (!peer->gone) {
            peer->session->listener = next;
        }
    }
}
