/* accept.c - taking connections. See worker.h.
 *
 * Where the process has no descriptor left, the sockets are left alone until the next tick, instead
 * of being told of the same connection without end. */

#include "base/error.h"
#include "server/worker_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections taken in one turn from one socket, so that those that are there have their turn. */
#define ACCEPT_MAX 64

/* The address of a peer as text: an IPv4 address in IPv6's clothes as what it is. */
static struct weir_bytes peer_text(const struct sockaddr_storage *from, char text[INET6_ADDRSTRLEN])
{
    const void *address = NULL;
    int family = from->ss_family;
    if (family == AF_INET) {
        address = &((const struct sockaddr_in *)(const void *)from)->sin_addr;
    } else if (family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
        const bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
        address = mapped ? (const void *)&v6->s6_addr[12] : (const void *)v6;
        family = mapped ? AF_INET : AF_INET6;
    }
    if (address == NULL || inet_ntop(family, address, text, INET6_ADDRSTRLEN) == NULL) {
        return weir_bytes(NULL, 0);
    }
    return weir_text(text);
}

static void welcome(struct weir_gate *gate, int fd, const struct sockaddr_storage *from)
{
    struct weir_worker *worker = gate->worker;
    char text[INET6_ADDRSTRLEN];
    const int on = 1;
    weir_tally_count(worker->desk->options.tally, WEIR_COUNT_ACCEPTED, 1);
    if (worker->peer_count >= worker->desk->view->config->caps.connections) {
        weir_tally_count(worker->desk->options.tally, WEIR_COUNT_REFUSED, 1);
        (void)close(fd);
        return;
    }
    if (from->ss_family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    weir_peer_open(gate, fd, peer_text(from, text));
}

static void pause_gate(struct weir_gate *gate)
{
    gate->paused = true;
    (void)uv_poll_stop(&gate->poll);
    weir_log(gate->worker->options.log, WEIR_LOG_LINE_WARNING,
             "no descriptor left for a connection", "hint", "raise the limit of open files",
             WEIR_LOG_END);
}

static void take_connections(struct weir_gate *gate, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof(from);
        const int fd =
            accept4(gate->fd, (struct sockaddr *)(void *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(gate, fd, &from);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_gate(gate);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct weir_gate *gate = poll->data;
    (void)status; /* accept says what is wrong */
    (void)events;
    weir_worker_turn(gate->worker);
    take_connections(gate, ACCEPT_MAX);
}

static bool open_gate(struct weir_worker *worker, size_t index, struct weir_error *ret_error)
{
    struct weir_gate *gate = &worker->gates[index];
    *gate = (struct weir_gate){
        .worker = worker,
        .listener = &worker->options.config->listeners[index],
        .tls = worker->options.tls[index],
        .fd = worker->options.listening->fds[index],
    };
    const int failed = uv_poll_init(&worker->loop, &gate->poll, gate->fd);
    if (failed != 0) {
        weir_error_set(ret_error, 0, 0, "can't watch a socket: %s", uv_strerror(failed));
        return false;
    }
    gate->poll.data = gate;
    gate->open = true;
    return uv_poll_start(&gate->poll, UV_READABLE, on_connection) == 0;
}

bool weir_gates_open(struct weir_worker *worker, struct weir_error *ret_error)
{
    const size_t count = worker->options.listening->count;
    worker->gates = calloc(count > 0 ? count : 1, sizeof(*worker->gates));
    if (worker->gates == NULL) {
        weir_error_set(ret_error, 0, 0, "no memory for a worker's sockets");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        worker->gate_count = i + 1;
        if (!open_gate(worker, i, ret_error)) {
            return false;
        }
    }
    return true;
}

static void let_go(struct weir_view *view)
{
    if (view != NULL && --view->uses == 0) {
        view->release(view);
    }
}

void weir_gates_follow(struct weir_worker *worker, struct weir_view *view)
{
    for (size_t i = 0; i < worker->gate_count; i++) {
        struct weir_gate *gate = &worker->gates[i];
        /* By what it was at the start: that is what listens. One that the file has no more waits
         * for a restart as it is. */
        const struct weir_listener *next =
            weir_config_find_listener(view->config, &worker->options.config->listeners[i]);
        if (next != NULL && !weir_listener_same_access(gate->listener, next)) {
            weir_peers_leave(worker, gate->listener, next);
            let_go(gate->view);
            gate->listener = next;
            gate->view = view;
            view->uses++;
            weir_worker_stir(worker);
        }
    }
}

void weir_gates_free(struct weir_worker *worker)
{
    for (size_t i = 0; i < worker->gate_count; i++) {
        let_go(worker->gates[i].view);
    }
    free(worker->gates);
}

void weir_gates_resume(struct weir_worker *worker)
{
    for (size_t i = 0; i < worker->gate_count; i++) {
        struct weir_gate *gate = &worker->gates[i];
        if (gate->open && gate->paused) {
            gate->paused = false;
            (void)uv_poll_start(&gate->poll, UV_READABLE, on_connection);
        }
    }
}

static void on_gate_closed(uv_handle_t *handle)
{
    struct weir_gate *gate = handle->data;
    (void)close(gate->fd);
}

void weir_gates_close(struct weir_worker *worker)
{
    for (size_t i = 0; i < worker->gate_count; i++) {
        struct weir_gate *gate = &worker->gates[i];
        if (gate->open) {
            /* Who has connected is served; who comes later goes to another worker, or nowhere. */
            take_connections(gate, WEIR_LISTEN_BACKLOG);
            gate->open = false;
            uv_close((uv_handle_t *)&gate->poll, on_gate_closed);
        }
    }
}
