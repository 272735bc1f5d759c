/* stream.c - see stream.h.
 *
 *     looking ---> connecting ---> open ---> over
 *                    ^     |
 *                    +-----+  the next address, once libuv has let go of the last socket
 *
 * A socket that fails to be written to is read to its end first: what the server said before it
 * went is worth more than that it has gone. */

#include "redis/stream.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define INPUT_SIZE 65536

/* Memory for output that is kept once all of it is sent; more goes back. */
#define OUTPUT_KEPT ((size_t)1 << 20)

/* How long a socket that can't be written to may still have something to read. */
#define LAST_WORDS_MS 50

#define KEEPALIVE_IDLE_S 30
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_COUNT 3

enum stage {
    LOOKING,
    CONNECTING,
    OPEN,
    OVER /* nothing is reported but `ended`, once */
};

struct weir_stream {
    struct weir_stream_options options;
    struct weir_address address;
    enum stage stage;
    bool closed;    /* by its owner */
    bool looking;   /* the lookup is under way */
    bool polling;   /* `poll` watches `socket` */
    unsigned holds; /* libuv's, on this memory: handles that are not closed, the lookup */
    int64_t deadline_us;
    uv_timer_t timer;
    uv_poll_t poll;
    uv_getaddrinfo_t lookup;
    int socket; /* while `polling` */

    struct sockaddr_storage addresses[WEIR_STREAM_ADDRESSES_MAX];
    socklen_t address_lengths[WEIR_STREAM_ADDRESSES_MAX];
    size_t address_count;
    size_t address_next;
    int address_error; /* why the last of them was no use, as libuv has it */

    struct weir_buffer output;
    size_t sent;  /* of output */
    bool blocked; /* the system takes no more for now */
    uint64_t writes;

    enum weir_failure failure; /* to be reported by the timer */
    char message[160];
    char input[INPUT_SIZE];
};

static void try_next(struct weir_stream *stream);

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* ---- Memory ------------------------------------------------------------------------------- */

static void let_go(struct weir_stream *stream)
{
    assert(stream->holds > 0);
    stream->holds--;
    if (stream->holds > 0) {
        return;
    }
    const struct weir_allocator *allocator = stream->options.allocator;
    weir_buffer_deinit(&stream->output);
    weir_release(allocator, stream, sizeof(*stream));
}

static void on_timer_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

/* The handle is free for the next address. */
static void on_poll_closed(uv_handle_t *handle)
{
    struct weir_stream *stream = handle->data;
    if (!stream->closed && stream->stage == CONNECTING) {
        try_next(stream);
    }
    let_go(stream);
}

static void close_socket(struct weir_stream *stream)
{
    if (stream->polling) {
        stream->polling = false;
        uv_close((uv_handle_t *)&stream->poll, on_poll_closed);
        (void)close(stream->socket);
    }
}

void weir_stream_abandon(struct weir_stream *stream)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (stream->polling) {
        /* Where it can't be had, what is left may arrive late, as ever. */
        (void)setsockopt(stream->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
}

void weir_stream_close(struct weir_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    assert(!stream->closed);
    stream->closed = true;
    if (stream->looking) {
        (void)uv_cancel((uv_req_t *)&stream->lookup); /* one that has begun goes on */
    }
    close_socket(stream);
    uv_close((uv_handle_t *)&stream->timer, on_timer_closed);
}

/* ---- Ending ------------------------------------------------------------------------------- */

/* Reports the end; the stream may be closed by its owner meanwhile, though its memory stays. */
static void end(struct weir_stream *stream, enum weir_failure failure, const char *message)
{
    stream->stage = OVER;
    (void)uv_timer_stop(&stream->timer);
    close_socket(stream);
    stream->options.events->ended(stream->options.owner, failure, message);
}

static void end_by(struct weir_stream *stream, enum weir_failure failure, const char *what,
                   int error)
{
    char message[160];
    char reason[96];
    (void)snprintf(message, sizeof(message), "%s: %s", what,
                   uv_strerror_r(error, reason, sizeof(reason)));
    end(stream, failure, message);
}

static void on_failure(uv_timer_t *timer)
{
    struct weir_stream *stream = timer->data;
    end(stream, stream->failure, stream->message);
}

/* Has `report` end the stream in `ms`, unless it ends already. */
static void fail_by(struct weir_stream *stream, uv_timer_cb report, uint64_t ms,
                    enum weir_failure failure, const char *message)
{
    if (stream->failure != WEIR_FAILURE_NONE || stream->stage == OVER) {
        return;
    }
    stream->failure = failure;
    (void)snprintf(stream->message, sizeof(stream->message), "%s", message);
    (void)uv_timer_start(&stream->timer, report, ms, 0);
}

void weir_stream_fail(struct weir_stream *stream, enum weir_failure failure, const char *message)
{
    fail_by(stream, on_failure, 0, failure, message);
}

/* ---- Writing ------------------------------------------------------------------------------ */

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct weir_stream *stream, bool blocked)
{
    stream->blocked = blocked;
    const int events = blocked ? UV_READABLE | UV_WRITABLE : UV_READABLE;
    if (uv_poll_start(&stream->poll, events, on_poll) != 0) {
        weir_stream_fail(stream, WEIR_FAILURE_LOST, "the socket can't be watched");
    }
}

static void drop_output(struct weir_stream *stream)
{
    stream->sent = 0;
    weir_buffer_clear(&stream->output);
    if (stream->output.room > OUTPUT_KEPT) {
        weir_buffer_deinit(&stream->output);
    }
    if (stream->blocked) {
        watch(stream, false);
    }
}

static void receive_last(struct weir_stream *stream);

/* The loop may have come late, and its timers are before its sockets. */
static void on_last_words_over(uv_timer_t *timer)
{
    receive_last(timer->data);
}

/* The socket can't be written to: what it still has to say is read first. */
static void lose(struct weir_stream *stream, int error)
{
    char message[160];
    char reason[96];
    (void)snprintf(message, sizeof(message), "the connection was lost: %s",
                   uv_strerror_r(error, reason, sizeof(reason)));
    drop_output(stream);
    fail_by(stream, on_last_words_over, LAST_WORDS_MS, WEIR_FAILURE_LOST, message);
}

static void send_output(struct weir_stream *stream)
{
    struct weir_buffer *output = &stream->output;
    while (stream->sent < output->len) {
        const ssize_t count = send(stream->socket, output->bytes + stream->sent,
                                   output->len - stream->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0 && errno == EAGAIN) {
            if (!stream->blocked) {
                watch(stream, true);
            }
            return;
        }
        if (count < 0) {
            lose(stream, uv_translate_sys_error(errno));
            return;
        }
        stream->sent += (size_t)count;
        stream->writes++;
    }
    drop_output(stream);
}

/* Appends `bytes` to what waits; takes their memory where nothing does. */
static void keep_output(struct weir_stream *stream, struct weir_buffer *bytes)
{
    struct weir_buffer *output = &stream->output;
    if (output->len == 0) {
        const struct weir_buffer empty = *output;
        *output = *bytes;
        *bytes = empty;
        return;
    }
    if (stream->sent > output->len / 2) {
        memmove(output->bytes, output->bytes + stream->sent, output->len - stream->sent);
        output->len -= stream->sent;
        stream->sent = 0;
    }
    weir_buffer_put(output, weir_bytes(bytes->bytes, bytes->len));
    weir_buffer_clear(bytes);
}

void weir_stream_send(struct weir_stream *stream, struct weir_buffer *bytes)
{
    assert(!stream->closed);
    const bool waiting = stream->output.len > 0;
    if (stream->stage != OPEN || stream->failure != WEIR_FAILURE_NONE) {
        weir_buffer_clear(bytes);
        return;
    }
    const bool failed = bytes->failed;
    keep_output(stream, bytes);
    if (failed || stream->output.failed) {
        weir_stream_fail(stream, WEIR_FAILURE_NO_MEMORY, "out of memory");
        return;
    }
    if (!waiting) {
        send_output(stream);
    }
}

size_t weir_stream_backlog(const struct weir_stream *stream)
{
    return stream->output.len - stream->sent;
}

uint64_t weir_stream_writes(const struct weir_stream *stream)
{
    return stream->writes;
}

/* ---- Reading ------------------------------------------------------------------------------ */

/* Reads once, and hands it over; false where there is no more to be read now, or ever. */
static bool receive(struct weir_stream *stream)
{
    ssize_t count;
    do {
        count = recv(stream->socket, stream->input, sizeof(stream->input), MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        stream->options.events->input(stream->options.owner,
                                      weir_bytes(stream->input, (size_t)count));
        return !stream->closed && stream->stage == OPEN;
    }
    if (count == 0) {
        end(stream, WEIR_FAILURE_LOST, "the server ended the connection");
    } else if (errno != EAGAIN) {
        end_by(stream, WEIR_FAILURE_LOST, "the connection was lost", uv_translate_sys_error(errno));
    }
    return false;
}

/* There was an error on the socket, and nobody watches it from here on: all that came before is
 * read, and then the error. */
static void receive_last(struct weir_stream *stream)
{
    while (receive(stream)) {
    }
    if (!stream->closed && stream->stage == OPEN) {
        end(stream, WEIR_FAILURE_LOST,
            stream->failure == WEIR_FAILURE_LOST ? stream->message : "the connection was lost");
    }
}

static void on_connected(struct weir_stream *stream, int status)
{
    int error = 0;
    socklen_t length = sizeof(error);
    (void)getsockopt(stream->socket, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error == 0 && status >= 0) {
        stream->stage = OPEN;
        (void)uv_timer_stop(&stream->timer);
        watch(stream, false);
        stream->options.events->opened(stream->options.owner);
        return;
    }
    stream->address_error = error != 0 ? uv_translate_sys_error(error) : status;
    (void)uv_timer_stop(&stream->timer);
    close_socket(stream); /* and then the next */
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct weir_stream *stream = poll->data;
    if (stream->stage == CONNECTING) {
        on_connected(stream, status);
        return;
    }
    if (status < 0) {
        receive_last(stream);
        return;
    }
    if ((events & UV_READABLE) != 0) {
        (void)receive(stream);
    }
    if ((events & UV_WRITABLE) != 0 && !stream->closed && stream->stage == OPEN) {
        send_output(stream);
    }
}

/* ---- Opening ------------------------------------------------------------------------------ */

/* What can be had of these is had; none is needed. */
static void tune(int socket_fd, int family)
{
    const int on = 1;
    const int idle = KEEPALIVE_IDLE_S;
    const int interval = KEEPALIVE_INTERVAL_S;
    const int count = KEEPALIVE_COUNT;
    if (family == AF_UNIX) {
        return;
    }
    (void)setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(socket_fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(socket_fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)setsockopt(socket_fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    (void)setsockopt(socket_fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static void on_slow_address(uv_timer_t *timer)
{
    struct weir_stream *stream = timer->data;
    stream->address_error = UV_ETIMEDOUT;
    close_socket(stream); /* and then the next */
}

/* This address's share of the time that is left. */
static uint64_t share_ms(const struct weir_stream *stream)
{
    const int64_t left_us = stream->deadline_us - now_us();
    const int64_t others = (int64_t)(stream->address_count - stream->address_next + 1);
    return left_us > 0 ? (uint64_t)(left_us / others + 999) / 1000 : 0;
}

/* Starts connecting to an address; false where that can't even begin. */
static bool try_address(struct weir_stream *stream, const struct sockaddr *address,
                        socklen_t length)
{
    const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        stream->address_error = uv_translate_sys_error(errno);
        return false;
    }
    tune(fd, address->sa_family);
    int error = connect(fd, address, length) != 0 ? errno : 0;
    error = error == EINPROGRESS || error == EINTR ? 0 : uv_translate_sys_error(error);
    error = error == 0 ? uv_poll_init(stream->options.loop, &stream->poll, fd) : error;
    if (error != 0) {
        stream->address_error = error;
        (void)close(fd);
        return false;
    }
    stream->socket = fd;
    stream->polling = true;
    stream->holds++;
    error = uv_poll_start(&stream->poll, UV_WRITABLE, on_poll);
    if (error != 0) {
        stream->address_error = error;
        close_socket(stream); /* and then the next */
    }
    return true;
}

/* libuv takes a timer's time from when its loop last looked at the clock, which may be long ago. */
static void start_timer(struct weir_stream *stream, uv_timer_cb callback, uint64_t ms)
{
    uv_update_time(stream->options.loop);
    (void)uv_timer_start(&stream->timer, callback, ms, 0);
}

static void try_next(struct weir_stream *stream)
{
    while (stream->address_next < stream->address_count) {
        const size_t i = stream->address_next++;
        if (try_address(stream, (const struct sockaddr *)&stream->addresses[i],
                        stream->address_lengths[i])) {
            start_timer(stream, on_slow_address, share_ms(stream));
            return;
        }
    }
    char message[160];
    char reason[96];
    (void)snprintf(message, sizeof(message), "can't connect: %s",
                   uv_strerror_r(stream->address_error, reason, sizeof(reason)));
    weir_stream_fail(stream, WEIR_FAILURE_UNREACHABLE, message);
}

static void add_address(struct weir_stream *stream, const void *address, size_t length)
{
    if (stream->address_count < WEIR_STREAM_ADDRESSES_MAX) {
        memcpy(&stream->addresses[stream->address_count], address, length);
        stream->address_lengths[stream->address_count] = (socklen_t)length;
        stream->address_count++;
    }
}

static void on_slow_lookup(uv_timer_t *timer)
{
    struct weir_stream *stream = timer->data;
    end(stream, WEIR_FAILURE_UNREACHABLE, "can't look up the name: no answer in time");
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct weir_stream *stream = lookup->data;
    stream->looking = false;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        if (at->ai_addrlen <= sizeof(stream->addresses[0])) {
            add_address(stream, at->ai_addr, at->ai_addrlen);
        }
    }
    uv_freeaddrinfo(found);
    if (!stream->closed && stream->stage == LOOKING) {
        if (stream->address_count == 0) {
            end_by(stream, WEIR_FAILURE_UNREACHABLE, "can't look up the name",
                   status != 0 ? status : UV_EAI_NODATA);
        } else {
            stream->stage = CONNECTING;
            try_next(stream);
        }
    }
    let_go(stream);
}

static void look_up(struct weir_stream *stream)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", stream->address.port);
    const int error = uv_getaddrinfo(stream->options.loop, &stream->lookup, on_lookup,
                                     stream->address.host, port, &hints);
    if (error != 0) {
        char message[160];
        char reason[96];
        stream->stage = CONNECTING;
        (void)snprintf(message, sizeof(message), "can't look up the name: %s",
                       uv_strerror_r(error, reason, sizeof(reason)));
        weir_stream_fail(stream, WEIR_FAILURE_UNREACHABLE, message);
        return;
    }
    stream->stage = LOOKING;
    stream->looking = true;
    stream->holds++;
    const int64_t left_us = stream->deadline_us - now_us();
    start_timer(stream, on_slow_lookup, left_us > 0 ? (uint64_t)left_us / 1000 + 1 : 0);
}

/* A path, or an address in digits: nothing to look up. */
static bool add_literal(struct weir_stream *stream)
{
    const struct weir_address *address = &stream->address;
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    if (address->port == 0) {
        const size_t length = strlen(address->host);
        if (length < sizeof(path.sun_path)) {
            memcpy(path.sun_path, address->host, length + 1);
            add_address(stream, &path, sizeof(path));
        }
        stream->address_error = UV_ENAMETOOLONG;
    } else if (uv_ip4_addr(address->host, address->port, &four) == 0) {
        add_address(stream, &four, sizeof(four));
    } else if (uv_ip6_addr(address->host, address->port, &six) == 0) {
        add_address(stream, &six, sizeof(six));
    }
    return stream->address_count > 0 || address->port == 0;
}

struct weir_stream *weir_stream_open(const struct weir_stream_options *options,
                                     const struct weir_address *address)
{
    struct weir_stream *stream =
        weir_alloc(options->allocator, sizeof(*stream), _Alignof(struct weir_stream));
    if (stream == NULL) {
        return NULL;
    }
    stream->options = *options;
    stream->address = *address;
    stream->output.allocator = options->allocator;
    stream->deadline_us = now_us() + options->timeout_us;
    stream->poll.data = stream;
    stream->lookup.data = stream;
    stream->timer.data = stream;
    (void)uv_timer_init(options->loop, &stream->timer); /* can't fail */
    stream->holds = 1;
    if (add_literal(stream)) {
        stream->stage = CONNECTING;
        try_next(stream);
    } else {
        look_up(stream);
    }
    return stream;
}
