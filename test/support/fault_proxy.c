/* fault_proxy.c - see fault_proxy.h. One thread polls all sockets; a caller hands it a command
 * under a lock and waits until it is done.
 *
 * Invariant: a byte that was read is in the queue of its direction, with the time at which it may
 * go on, until it has been written or its connection has ended. */

#include "support/fault_proxy.h"

#include "support/rig_process.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define QUEUE_SIZE 65536U
#define PARTS_MAX 256

/* Bytes that were read together. */
struct part {
    size_t len;
    int64_t due_ms;
};

struct direction {
    int from;
    int to;
    bool to_client;
    bool ended; /* the sender has ended its side */
    bool shut;  /* and so the receiver was told */
    uint64_t passed;
    int64_t next_ms; /* when a byte may trickle */
    size_t part_count;
    size_t len;
    struct part parts[PARTS_MAX];
    char bytes[QUEUE_SIZE];
};

struct connection {
    bool connecting;
    bool over;
    struct direction to_server;
    struct direction to_client;
};

enum command {
    COMMAND_NONE,
    COMMAND_SET,
    COMMAND_CUT,
    COMMAND_RESET,
    COMMAND_STOP
};

struct fault_proxy {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t done;
    int wake;
    /* Under the lock. */
    enum command command;
    struct fault_proxy_behaviour wanted;
    struct fault_proxy_account account;
    /* The thread's own. */
    struct fault_proxy_behaviour behaviour;
    struct rig_port port;
    uint16_t server_port;
    int listener;
    size_t count;
    struct connection *connections[CONNECTIONS_MAX];
};

/* ---- Connections ---- */

static int make_socket(void)
{
    const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) {
        rig_fail("fault proxy: a socket: %s", strerror(errno));
    }
    return made;
}

static struct sockaddr_in local(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void listen_again(struct fault_proxy *proxy)
{
    const struct sockaddr_in address = local(proxy->port.number);
    const int on = 1;
    proxy->listener = make_socket();
    (void)setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(proxy->listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(proxy->listener, CONNECTIONS_MAX) != 0) {
        rig_fail("fault proxy: port %u: %s", proxy->port.number, strerror(errno));
    }
}

/* What leaves goes at once, so that what trickles is felt as such. */
static void hurry(int connected)
{
    const int on = 1;
    (void)setsockopt(connected, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void accept_one(struct fault_proxy *proxy)
{
    const int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) {
        return;
    }
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL || proxy->count == CONNECTIONS_MAX) {
        rig_fail("fault proxy: more than %d connections", CONNECTIONS_MAX);
    }
    const int server = make_socket();
    const struct sockaddr_in address = local(proxy->server_port);
    hurry(client);
    hurry(server);
    if (connect(server, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        connection->connecting = errno == EINPROGRESS;
        connection->over = errno != EINPROGRESS;
    }
    connection->to_server.from = connection->to_client.to = client;
    connection->to_server.to = connection->to_client.from = server;
    connection->to_client.to_client = true;
    proxy->connections[proxy->count++] = connection;
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->account.accepted++;
    (void)pthread_mutex_unlock(&proxy->lock);
}

/* Reads and forgets what has come: a socket that is closed with bytes unread resets its connection.
 */
static void forget(int connected)
{
    char bytes[4096];
    for (size_t i = 0; i < 256 && recv(connected, bytes, sizeof(bytes), 0) > 0; i++) {
    }
}

static void end(struct connection *connection, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (reset) {
        (void)setsockopt(connection->to_server.from, SOL_SOCKET, SO_LINGER, &at_once,
                         sizeof(at_once));
        (void)setsockopt(connection->to_server.to, SOL_SOCKET, SO_LINGER, &at_once,
                         sizeof(at_once));
    } else {
        forget(connection->to_server.from);
        forget(connection->to_server.to);
    }
    (void)close(connection->to_server.from);
    (void)close(connection->to_server.to);
    free(connection);
}

static void end_all(struct fault_proxy *proxy, bool reset)
{
    while (proxy->count > 0) {
        end(proxy->connections[--proxy->count], reset);
    }
}

static void end_those_over(struct fault_proxy *proxy)
{
    size_t kept = 0;
    for (size_t i = 0; i < proxy->count; i++) {
        struct connection *connection = proxy->connections[i];
        if (connection->over || (connection->to_server.shut && connection->to_client.shut)) {
            end(connection, false);
        } else {
            proxy->connections[kept++] = connection;
        }
    }
    proxy->count = kept;
}

/* ---- A direction ---- */

static bool is_stalled(const struct fault_proxy *proxy, const struct direction *direction)
{
    return direction->to_client ? proxy->behaviour.stall_to_client
                                : proxy->behaviour.stall_to_server;
}

static bool wants_more(const struct fault_proxy *proxy, const struct direction *direction)
{
    return !direction->ended && !is_stalled(proxy, direction) && direction->len < QUEUE_SIZE &&
           direction->part_count < PARTS_MAX;
}

/* Reads what there is; false where the connection is broken. */
static bool take_in(const struct fault_proxy *proxy, struct direction *direction)
{
    const unsigned delay_ms = direction->to_client ? proxy->behaviour.delay_to_client_ms
                                                   : proxy->behaviour.delay_to_server_ms;
    const ssize_t got =
        recv(direction->from, direction->bytes + direction->len, QUEUE_SIZE - direction->len, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (got == 0) {
        direction->ended = true;
        return true;
    }
    direction->parts[direction->part_count++] =
        (struct part){(size_t)got, rig_monotonic_ms() + delay_ms};
    direction->len += (size_t)got;
    return true;
}

/* How many bytes may leave now. */
static size_t may_leave(const struct fault_proxy *proxy, const struct direction *direction,
                        int64_t now_ms)
{
    const uint64_t truncate_after = proxy->behaviour.truncate_after;
    if (direction->len == 0 || is_stalled(proxy, direction) ||
        direction->parts[0].due_ms > now_ms) {
        return 0;
    }
    size_t len = direction->parts[0].len;
    if (proxy->behaviour.trickle_ms > 0) {
        len = direction->next_ms > now_ms ? 0 : 1;
    }
    if (direction->to_client && truncate_after > 0 && len > truncate_after - direction->passed) {
        len = (size_t)(truncate_after - direction->passed);
    }
    return len;
}

static void drop_first(struct direction *direction, size_t len)
{
    direction->len -= len;
    memmove(direction->bytes, direction->bytes + len, direction->len);
    direction->parts[0].len -= len;
    if (direction->parts[0].len == 0) {
        direction->part_count--;
        memmove(direction->parts, direction->parts + 1,
                direction->part_count * sizeof(direction->parts[0]));
    }
}

/* Sends, and counts what was sent under one lock: whoever has received it finds it counted. */
static ssize_t send_counted(struct fault_proxy *proxy, const struct direction *direction,
                            size_t len)
{
    (void)pthread_mutex_lock(&proxy->lock);
    const ssize_t put = send(direction->to, direction->bytes, len, MSG_NOSIGNAL);
    const int failure = errno;
    if (put > 0) {
        *(direction->to_client ? &proxy->account.to_client : &proxy->account.to_server) +=
            (uint64_t)put;
    }
    (void)pthread_mutex_unlock(&proxy->lock);
    errno = failure;
    return put;
}

/* Writes what may leave; false where the connection is broken. */
static bool let_out(struct fault_proxy *proxy, struct direction *direction)
{
    const int64_t now_ms = rig_monotonic_ms();
    for (size_t len = may_leave(proxy, direction, now_ms); len > 0;
         len = may_leave(proxy, direction, now_ms)) {
        const ssize_t put = send_counted(proxy, direction, len);
        if (put < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        drop_first(direction, (size_t)put);
        direction->passed += (uint64_t)put;
        direction->next_ms = now_ms + proxy->behaviour.trickle_ms;
    }
    if (direction->to_client && proxy->behaviour.truncate_after > 0 &&
        direction->passed == proxy->behaviour.truncate_after) {
        direction->ended = true;
        direction->len = 0;
        direction->part_count = 0;
    }
    if (direction->ended && direction->len == 0 && !direction->shut) {
        direction->shut = true;
        (void)shutdown(direction->to, SHUT_WR);
    }
    return true;
}

/* When its next byte may leave; INT64_MAX where there is none. */
static int64_t next_departure(const struct fault_proxy *proxy, const struct direction *direction)
{
    if (direction->len == 0 || is_stalled(proxy, direction)) {
        return INT64_MAX;
    }
    const int64_t due_ms = direction->parts[0].due_ms;
    return proxy->behaviour.trickle_ms > 0 && direction->next_ms > due_ms ? direction->next_ms
                                                                          : due_ms;
}

/* ---- The thread ---- */

static void tell_what_is_open(struct fault_proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->account.open = proxy->count;
    (void)pthread_mutex_unlock(&proxy->lock);
}

static void take_up_behaviour(struct fault_proxy *proxy)
{
    proxy->behaviour = proxy->wanted;
    for (size_t i = 0; i < proxy->count; i++) {
        proxy->connections[i]->to_client.passed = 0;
    }
    if (proxy->behaviour.refuse && proxy->listener >= 0) {
        (void)close(proxy->listener);
        proxy->listener = -1;
    } else if (!proxy->behaviour.refuse && proxy->listener < 0) {
        listen_again(proxy);
    }
}

/* Does what was asked for; false where that is to stop. */
static bool obey(struct fault_proxy *proxy)
{
    uint64_t count = 0;
    (void)!read(proxy->wake, &count, sizeof(count));
    (void)pthread_mutex_lock(&proxy->lock);
    const enum command command = proxy->command;
    if (command == COMMAND_SET) {
        take_up_behaviour(proxy);
    } else if (command != COMMAND_NONE) {
        end_all(proxy, command == COMMAND_RESET);
        proxy->account.open = 0;
    }
    proxy->command = COMMAND_NONE;
    (void)pthread_cond_broadcast(&proxy->done);
    (void)pthread_mutex_unlock(&proxy->lock);
    return command != COMMAND_STOP;
}

/* A direction's part of the poll: room for its sender's bytes, and, where some are due, for them at
 * its receiver. */
static short interest(const struct fault_proxy *proxy, const struct direction *in,
                      const struct direction *out, int64_t now_ms)
{
    const bool writes = next_departure(proxy, out) <= now_ms;
    return (short)((wants_more(proxy, in) ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

static void serve(struct fault_proxy *proxy, struct connection *connection, short client,
                  short server)
{
    struct direction *there = &connection->to_server;
    struct direction *back = &connection->to_client;
    if (connection->connecting) {
        connection->connecting = (server & (POLLOUT | POLLERR | POLLHUP)) == 0;
        connection->over = (server & (POLLERR | POLLHUP)) != 0;
        return;
    }
    bool sound = true;
    if ((client & (POLLIN | POLLHUP | POLLERR)) != 0 && wants_more(proxy, there)) {
        sound = take_in(proxy, there);
    }
    if ((server & (POLLIN | POLLHUP | POLLERR)) != 0 && wants_more(proxy, back)) {
        sound = take_in(proxy, back) && sound;
    }
    sound = sound && let_out(proxy, there) && let_out(proxy, back);
    connection->over = !sound;
}

/* Fills in what to wait for, two entries a connection; returns until when. */
static int64_t prepare(const struct fault_proxy *proxy, struct pollfd *entries)
{
    const int64_t now_ms = rig_monotonic_ms();
    int64_t until_ms = INT64_MAX;
    for (size_t i = 0; i < proxy->count; i++) {
        const struct connection *connection = proxy->connections[i];
        const struct direction *there = &connection->to_server;
        const struct direction *back = &connection->to_client;
        entries[2 * i] = (struct pollfd){there->from, interest(proxy, there, back, now_ms), 0};
        entries[2 * i + 1] = (struct pollfd){there->to, interest(proxy, back, there, now_ms), 0};
        if (connection->connecting) {
            entries[2 * i].fd = -1;
            entries[2 * i + 1].events = POLLOUT;
            continue;
        }
        /* One that has hung up and whose bytes may not be read yet would wake us again and again.
         */
        for (size_t end_of = 0; end_of < 2; end_of++) {
            if (entries[2 * i + end_of].events == 0) {
                entries[2 * i + end_of].fd = -1;
            }
        }
        const int64_t first_ms = next_departure(proxy, there);
        const int64_t second_ms = next_departure(proxy, back);
        until_ms = first_ms > now_ms && first_ms < until_ms ? first_ms : until_ms;
        until_ms = second_ms > now_ms && second_ms < until_ms ? second_ms : until_ms;
    }
    return until_ms;
}

static void *run(void *context)
{
    struct fault_proxy *proxy = context;
    for (;;) {
        struct pollfd entries[2 * CONNECTIONS_MAX + 2];
        const size_t count = proxy->count;
        const int64_t until_ms = prepare(proxy, entries);
        const int64_t wait_ms = until_ms - rig_monotonic_ms();
        entries[2 * count] = (struct pollfd){proxy->wake, POLLIN, 0};
        entries[2 * count + 1] = (struct pollfd){proxy->listener, POLLIN, 0};
        const int timeout = until_ms == INT64_MAX ? -1 : (int)(wait_ms > 0 ? wait_ms : 0);
        if (poll(entries, 2 * count + 2, timeout) < 0) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            serve(proxy, proxy->connections[i], entries[2 * i].revents, entries[2 * i + 1].revents);
        }
        end_those_over(proxy);
        if ((entries[2 * count + 1].revents & POLLIN) != 0) {
            accept_one(proxy);
        }
        tell_what_is_open(proxy);
        if ((entries[2 * count].revents & POLLIN) != 0 && !obey(proxy)) {
            return NULL;
        }
    }
}

/* ---- Calls ---- */

static void command(struct fault_proxy *proxy, enum command what,
                    const struct fault_proxy_behaviour *behaviour)
{
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->command = what;
    if (what == COMMAND_SET) {
        proxy->wanted = behaviour != NULL ? *behaviour : (struct fault_proxy_behaviour){0};
    }
    if (write(proxy->wake, &one, sizeof(one)) != (ssize_t)sizeof(one)) {
        rig_fail("fault proxy: %s", strerror(errno));
    }
    while (proxy->command != COMMAND_NONE) {
        (void)pthread_cond_wait(&proxy->done, &proxy->lock);
    }
    (void)pthread_mutex_unlock(&proxy->lock);
}

struct fault_proxy *fault_proxy_start(uint16_t server_port)
{
    struct fault_proxy *proxy = calloc(1, sizeof(*proxy));
    if (proxy == NULL) {
        rig_fail("no memory");
    }
    proxy->port = rig_port_reserve();
    proxy->server_port = server_port;
    proxy->wake = eventfd(0, EFD_CLOEXEC);
    listen_again(proxy);
    if (proxy->wake < 0 || pthread_mutex_init(&proxy->lock, NULL) != 0 ||
        pthread_cond_init(&proxy->done, NULL) != 0 ||
        pthread_create(&proxy->thread, NULL, run, proxy) != 0) {
        rig_fail("fault proxy: can't start: %s", strerror(errno));
    }
    return proxy;
}

void fault_proxy_stop(struct fault_proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    command(proxy, COMMAND_STOP, NULL);
    (void)pthread_join(proxy->thread, NULL);
    (void)pthread_cond_destroy(&proxy->done);
    (void)pthread_mutex_destroy(&proxy->lock);
    if (proxy->listener >= 0) {
        (void)close(proxy->listener);
    }
    (void)close(proxy->wake);
    rig_port_release(&proxy->port);
    free(proxy);
}

uint16_t fault_proxy_port(const struct fault_proxy *proxy)
{
    return proxy->port.number;
}

void fault_proxy_set(struct fault_proxy *proxy, const struct fault_proxy_behaviour *behaviour)
{
    command(proxy, COMMAND_SET, behaviour);
}

void fault_proxy_cut(struct fault_proxy *proxy)
{
    command(proxy, COMMAND_CUT, NULL);
}

void fault_proxy_reset(struct fault_proxy *proxy)
{
    command(proxy, COMMAND_RESET, NULL);
}

struct fault_proxy_account fault_proxy_tell(struct fault_proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->lock);
    const struct fault_proxy_account account = proxy->account;
    (void)pthread_mutex_unlock(&proxy->lock);
    return account;
}
