/* connection.c - see connection.h. Read stream.h, tls/tls.h and handshake.h first: this file is
 * what stands between them.
 *
 *     CLOSED ---> OPENING ---> GREETING ---> READY ---> CLOSED
 *               a socket      TLS, HELLO
 *
 * Every callback of the owner's may close, connect again or free the connection. What such a
 * callback was called from goes on only where `turn`, which counts the times it was closed, is what
 * it was. The reader, and the bytes it looks at, are left alone until the next socket is open or
 * the loop has come round, so what a callback was given stays good for the call. */

#include "redis/connection.h"

#include "base/alloc.h"
#include "redis/handshake.h"
#include "redis/stream.h"
#include "tls/tls.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Memory for input that is kept from one connection to the next; more goes back. */
#define INPUT_KEPT ((size_t)1 << 16)

/* The first byte of an alert, which is what a server of TLS answers who speaks none. */
#define TLS_ALERT 0x15

enum state {
    CLOSED,
    OPENING,
    GREETING,
    READY
};

struct weir_connection {
    struct weir_connection_options options;
    enum state state;
    uint64_t turn;
    struct weir_address address;
    struct weir_stream *stream;
    struct weir_tls *tls;
    struct weir_resp_reader *reader;
    struct weir_buffer input;  /* what came and is not whole yet */
    struct weir_buffer output; /* the owner's commands since the last flush */
    struct weir_buffer wire;   /* the same, encrypted */
    struct weir_handshake handshake;
    struct weir_server_info info;
    uint64_t owed;   /* replies */
    bool heard;      /* the server has said something */
    bool subscribed; /* RESP2: what begins with "message" is a push */
    uint64_t writes; /* of the streams before this one */
    int64_t deadline_us;
    uv_timer_t timer; /* of the handshake; and for what can't even be started */
};

/* ---- Ending ------------------------------------------------------------------------------- */

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

void weir_connection_close(struct weir_connection *connection)
{
    (void)uv_timer_stop(&connection->timer);
    if (connection->stream != NULL) {
        connection->writes += weir_stream_writes(connection->stream);
        weir_stream_close(connection->stream);
        connection->stream = NULL;
    }
    weir_tls_free(connection->tls);
    connection->tls = NULL;
    weir_buffer_clear(&connection->output);
    weir_buffer_clear(&connection->wire);
    connection->state = CLOSED;
    connection->turn++;
}

void weir_connection_abandon(struct weir_connection *connection)
{
    if (connection->stream != NULL) {
        weir_stream_abandon(connection->stream);
    }
    weir_connection_close(connection);
}

static void end(struct weir_connection *connection, enum weir_failure failure, const char *message)
{
    char copy[160];
    (void)snprintf(copy, sizeof(copy), "%s", message);
    weir_connection_close(connection);
    connection->options.events->closed(connection->options.owner, failure, copy);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct weir_connection *connection = handle->data;
    const struct weir_allocator *allocator = connection->options.allocator;
    weir_resp_reader_free(connection->reader);
    weir_buffer_deinit(&connection->input);
    weir_buffer_deinit(&connection->output);
    weir_buffer_deinit(&connection->wire);
    weir_release(allocator, connection, sizeof(*connection));
}

void weir_connection_free(struct weir_connection *connection)
{
    if (connection != NULL) {
        weir_connection_close(connection);
        uv_close((uv_handle_t *)&connection->timer, on_timer_closed);
    }
}

/* ---- Sending ------------------------------------------------------------------------------ */

/* Sends what is in `bytes`, in clear or not, and leaves it empty. */
static void send_all(struct weir_connection *connection, struct weir_buffer *bytes)
{
    if (connection->tls == NULL) {
        weir_stream_send(connection->stream, bytes);
        return;
    }
    char message[160];
    enum weir_failure failure = WEIR_FAILURE_NO_MEMORY;
    (void)snprintf(message, sizeof(message), "out of memory");
    if (!bytes->failed) {
        failure = weir_tls_send(connection->tls, weir_bytes(bytes->bytes, bytes->len),
                                &connection->wire, message, sizeof(message));
    }
    weir_buffer_clear(bytes);
    weir_stream_send(connection->stream, &connection->wire);
    if (failure != WEIR_FAILURE_NONE) {
        weir_stream_fail(connection->stream, failure, message);
    }
}

struct weir_buffer *weir_connection_writer(struct weir_connection *connection)
{
    assert(connection->state == READY);
    return &connection->output;
}

void weir_connection_flush(struct weir_connection *connection, size_t commands)
{
    assert(connection->state == READY);
    connection->owed += commands;
    send_all(connection, &connection->output);
}

/* ---- What comes in ------------------------------------------------------------------------ */

static bool text_is(const struct weir_resp_value *value, const char *text)
{
    return value->type == WEIR_RESP_BULK && value->text.len == strlen(text) &&
           memcmp(value->text.ptr, text, value->text.len) == 0;
}

/* RESP2 has no pushes: a subscriber's messages come as arrays, and so does the reply to SUBSCRIBE.
 */
static bool is_message(const struct weir_connection *connection,
                       const struct weir_resp_value *values)
{
    return connection->subscribed && values[0].type == WEIR_RESP_ARRAY &&
           ((values[0].count == 3 && text_is(&values[1], "message")) ||
            (values[0].count == 4 && text_is(&values[1], "pmessage")));
}

/* Notes how many subscriptions there are where a reply says so. */
static void note_subscription(struct weir_connection *connection,
                              const struct weir_resp_value *values)
{
    static const char *const kinds[] = {"subscribe", "unsubscribe", "psubscribe", "punsubscribe"};
    if (!connection->options.resp2 || values[0].type != WEIR_RESP_ARRAY || values[0].count != 3 ||
        values[0].next != 4 || values[3].type != WEIR_RESP_INTEGER) {
        return;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (text_is(&values[1], kinds[i])) {
            connection->subscribed = values[3].integer > 0;
        }
    }
}

static void take_greeting(struct weir_connection *connection, const struct weir_resp_value *values)
{
    struct weir_handshake *handshake = &connection->handshake;
    const enum weir_handshake_state state =
        weir_handshake_reply(handshake, values, &connection->info, &connection->output);
    if (state == WEIR_HANDSHAKE_FAILED) {
        end(connection, handshake->failure, handshake->message);
    } else if (state == WEIR_HANDSHAKE_ON) {
        send_all(connection, &connection->output);
    } else {
        (void)uv_timer_stop(&connection->timer);
        connection->state = READY;
        connection->options.events->ready(connection->options.owner);
    }
}

/* One whole value. */
static void take_value(struct weir_connection *connection, const struct weir_resp_value *values,
                       size_t count)
{
    const struct weir_connection_events *events = connection->options.events;
    if (values[0].type == WEIR_RESP_PUSH || is_message(connection, values)) {
        if (events->push != NULL && connection->state == READY) {
            events->push(connection->options.owner, values, count);
        }
    } else if (connection->state == GREETING) {
        take_greeting(connection, values);
    } else if (connection->owed == 0) {
        end(connection, WEIR_FAILURE_REPLY, "it answers what was not asked");
    } else {
        connection->owed--;
        note_subscription(connection, values);
        events->reply(connection->options.owner, values, count);
    }
}

/* Reads the whole values that `bytes` starts with; ret_used is what they took. False where the
 * connection has been closed meanwhile. */
static bool take_values(struct weir_connection *connection, struct weir_bytes bytes,
                        size_t *ret_used)
{
    const uint64_t turn = connection->turn;
    size_t used = 0;
    size_t length;
    size_t count;
    enum weir_resp_state state;
    while ((state = weir_resp_read(connection->reader,
                                   weir_bytes(bytes.ptr + used, bytes.len - used), &length)) ==
           WEIR_RESP_VALUE) {
        used += length;
        const struct weir_resp_value *values = weir_resp_values(connection->reader, &count);
        take_value(connection, values, count);
        if (connection->turn != turn) {
            return false;
        }
    }
    if (state == WEIR_RESP_MORE) {
        *ret_used = used;
        return true;
    }
    if (state == WEIR_RESP_NO_MEMORY) {
        end(connection, WEIR_FAILURE_NO_MEMORY, "out of memory");
    } else {
        end(connection, WEIR_FAILURE_REPLY, weir_resp_complaint(connection->reader));
    }
    return false;
}

/* Takes in what is in `input`, and keeps what is not whole; false where it has been closed. */
static bool take_input(struct weir_connection *connection)
{
    struct weir_buffer *input = &connection->input;
    size_t used;
    if (input->failed) {
        end(connection, WEIR_FAILURE_NO_MEMORY, "out of memory");
        return false;
    }
    if (input->len == 0) {
        return true;
    }
    if (!take_values(connection, weir_bytes(input->bytes, input->len), &used)) {
        return false;
    }
    input->len -= used;
    memmove(input->bytes, input->bytes + used, input->len);
    return true;
}

/* Plain bytes are read where the stream has them; only what is not whole is copied. */
static void take_plain(struct weir_connection *connection, struct weir_bytes bytes)
{
    size_t used = 0;
    if (connection->input.len == 0 && !take_values(connection, bytes, &used)) {
        return;
    }
    if (used < bytes.len) {
        const bool more = connection->input.len > 0; /* of what was there already */
        weir_buffer_put(&connection->input, weir_bytes(bytes.ptr + used, bytes.len - used));
        if (more || connection->input.failed) {
            (void)take_input(connection);
        }
    }
}

static void start_handshake(struct weir_connection *connection)
{
    weir_handshake_start(&connection->handshake, &connection->options, &connection->output);
    send_all(connection, &connection->output);
}

static void take_encrypted(struct weir_connection *connection, struct weir_bytes bytes)
{
    char message[160];
    const bool was_ready = weir_tls_is_ready(connection->tls);
    const enum weir_failure failure = weir_tls_receive(connection->tls, bytes, &connection->input,
                                                       &connection->wire, message, sizeof(message));
    weir_stream_send(connection->stream, &connection->wire);
    if (failure == WEIR_FAILURE_NONE && !was_ready && weir_tls_is_ready(connection->tls)) {
        start_handshake(connection);
    }
    /* What was said before it ended is taken in first. */
    if (take_input(connection) && failure != WEIR_FAILURE_NONE) {
        end(connection, failure, message);
    }
}

/* ---- The stream's events ------------------------------------------------------------------ */

static void on_input(void *owner, struct weir_bytes bytes)
{
    struct weir_connection *connection = owner;
    const bool first = !connection->heard;
    connection->heard = true;
    if (connection->tls != NULL) {
        take_encrypted(connection, bytes);
    } else if (first && bytes.ptr[0] == TLS_ALERT) {
        end(connection, WEIR_FAILURE_TLS, "the server speaks TLS: write rediss:// for redis://");
    } else {
        take_plain(connection, bytes);
    }
}

static void on_ended(void *owner, enum weir_failure failure, const char *message)
{
    struct weir_connection *connection = owner;
    const bool refused = connection->state == GREETING && failure == WEIR_FAILURE_LOST &&
                         connection->handshake.failure != WEIR_FAILURE_NONE;
    if (refused) {
        end(connection, connection->handshake.failure, connection->handshake.message);
    } else if (connection->state == GREETING && failure == WEIR_FAILURE_LOST) {
        const bool silent = !connection->heard && connection->tls == NULL;
        char text[160];
        (void)snprintf(text, sizeof(text), "%.80s before it had said anything of use%s", message,
                       silent && connection->address.port != 0 ? ": is this a port for TLS?" : "");
        end(connection, failure, text);
    } else {
        end(connection, failure, message);
    }
}

static void on_late(uv_timer_t *timer);

/* libuv's timers count whole milliseconds from when its loop last looked at the clock. */
static void start_timer(struct weir_connection *connection)
{
    const int64_t left_us = connection->deadline_us - now_us();
    uv_update_time(connection->options.loop);
    (void)uv_timer_start(&connection->timer, on_late,
                         left_us > 0 ? (uint64_t)left_us / 1000 + 1 : 0, 0);
}

/* The time for the handshake is over, or there was no memory to begin with. */
static void on_late(uv_timer_t *timer)
{
    struct weir_connection *connection = timer->data;
    if (connection->state == OPENING) {
        end(connection, WEIR_FAILURE_NO_MEMORY, "out of memory");
    } else if (connection->handshake.failure != WEIR_FAILURE_NONE) {
        end(connection, connection->handshake.failure, connection->handshake.message);
    } else if (connection->tls != NULL && !weir_tls_is_ready(connection->tls)) {
        end(connection, WEIR_FAILURE_TIMEOUT,
            "it takes connections, but no TLS came about in time: is TLS spoken on this port?");
    } else {
        end(connection, WEIR_FAILURE_TIMEOUT, "it takes connections, but does not answer");
    }
}

static void on_opened(void *owner)
{
    struct weir_connection *connection = owner;
    connection->state = GREETING;
    connection->handshake = (struct weir_handshake){.options = &connection->options};
    connection->info = (struct weir_server_info){.protocol = 2};
    connection->owed = 0;
    connection->heard = false;
    connection->subscribed = false;
    weir_resp_reader_reset(connection->reader);
    weir_buffer_clear(&connection->input);
    if (connection->input.room > INPUT_KEPT) {
        weir_buffer_deinit(&connection->input);
    }
    start_timer(connection);
    if (connection->options.tls == NULL) {
        start_handshake(connection);
        return;
    }
    connection->tls = weir_tls_new(connection->options.tls, connection->address.host);
    if (connection->tls == NULL) {
        end(connection, WEIR_FAILURE_NO_MEMORY, "out of memory");
        return;
    }
    take_encrypted(connection, weir_bytes(NULL, 0));
}

/* ---- The connection ----------------------------------------------------------------------- */

struct weir_connection *weir_connection_new(const struct weir_connection_options *options)
{
    assert(options->allocator != NULL && options->events != NULL && options->login != NULL);
    struct weir_connection *connection =
        weir_alloc(options->allocator, sizeof(*connection), _Alignof(struct weir_connection));
    if (connection == NULL) {
        return NULL;
    }
    connection->options = *options;
    connection->reader = weir_resp_reader_new(&(struct weir_resp_limits){0}, options->allocator);
    if (connection->reader == NULL) {
        weir_release(options->allocator, connection, sizeof(*connection));
        return NULL;
    }
    connection->input.allocator = options->allocator;
    connection->output.allocator = options->allocator;
    connection->wire.allocator = options->allocator;
    (void)uv_timer_init(options->loop, &connection->timer); /* can't fail */
    connection->timer.data = connection;
    return connection;
}

void weir_connection_connect(struct weir_connection *connection, const struct weir_address *address)
{
    static const struct weir_stream_events events = {on_opened, on_input, on_ended};
    assert(connection->state == CLOSED);
    const struct weir_stream_options options = {
        .loop = connection->options.loop,
        .allocator = connection->options.allocator,
        .timeout_us = connection->options.timeout_us,
        .events = &events,
        .owner = connection,
    };
    connection->state = OPENING;
    connection->address = *address;
    connection->deadline_us = now_us() + connection->options.timeout_us;
    connection->stream = weir_stream_open(&options, address);
    if (connection->stream == NULL) {
        connection->deadline_us = now_us();
        start_timer(connection);
    }
}

bool weir_connection_is_ready(const struct weir_connection *connection)
{
    return connection->state == READY;
}

const struct weir_server_info *weir_connection_info(const struct weir_connection *connection)
{
    return &connection->info;
}

size_t weir_connection_backlog(const struct weir_connection *connection)
{
    return connection->stream != NULL ? weir_stream_backlog(connection->stream) : 0;
}

uint64_t weir_connection_writes(const struct weir_connection *connection)
{
    const uint64_t now = connection->stream != NULL ? weir_stream_writes(connection->stream) : 0;
    return connection->writes + now;
}
