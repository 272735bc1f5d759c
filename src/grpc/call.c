/* call.c - the answers of a call: messages, and how it ended. See parts.h.
 *
 * A call whose first word is its last is a HEADERS frame alone ("trailers-only"); any other is
 * HEADERS, DATA, and trailers. Messages are kept here until nghttp2, which keeps to the peer's
 * windows, takes them. */

#include "grpc/parts.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* "%XX" of each byte. */
#define ENCODED_MAX 3

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

/* The peer can't be answered at all: the stream is reset. */
static void reset(struct weir_grpc_call *call, uint32_t code)
{
    (void)nghttp2_submit_rst_stream(call->grpc->session, NGHTTP2_FLAG_NONE, call->stream, code);
}

/* ---- Freeing ------------------------------------------------------------------------------- */

void weir_grpc_call_free(struct weir_grpc_call *call)
{
    struct weir_grpc *grpc = call->grpc;
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        grpc->calls = call->next;
    }
    grpc->call_count--;
    grpc->owing_count -= call->owing ? 1 : 0;
    weir_buffer_deinit(&call->text);
    weir_buffer_deinit(&call->in);
    weir_buffer_deinit(&call->out);
    weir_release(weir_allocator_or_default(grpc->options.allocator), call, sizeof(*call));
}

/* ---- How it ended -------------------------------------------------------------------------- */

/* A message as grpc-message has it: what is not printable ASCII, and '%', as %XX. */
static void encode(const char *message, char *text, size_t size)
{
    size_t len = 0;
    for (; *message != '\0' && len + ENCODED_MAX < size; message++) {
        const unsigned char byte = (unsigned char)*message;
        if (byte < ' ' || byte > '~' || byte == '%') {
            (void)snprintf(text + len, size - len, "%%%02X", byte);
            len += ENCODED_MAX;
        } else {
            text[len++] = (char)byte;
        }
    }
    text[len] = '\0';
}

/* The status, and what is wrong; returns how many headers. */
static size_t put_status(const struct weir_grpc_call *call, char *number, size_t size,
                         nghttp2_nv *headers)
{
    size_t count = 0;
    (void)snprintf(number, size, "%d", (int)call->status);
    headers[count++] = header("grpc-status", number);
    if (call->trouble[0] != '\0') {
        headers[count++] = header("grpc-message", call->trouble);
    }
    if (call->status == WEIR_GRPC_UNIMPLEMENTED && call->wrong == WEIR_GRPC_WRONG_ENCODING) {
        headers[count++] = header("grpc-accept-encoding", "identity");
    }
    return count;
}

static void send_trailers(struct weir_grpc_call *call)
{
    nghttp2_nv headers[4];
    char number[12];
    const size_t count = put_status(call, number, sizeof(number), headers);
    if (nghttp2_submit_trailer(call->grpc->session, call->stream, headers, count) != 0) {
        reset(call, NGHTTP2_INTERNAL_ERROR);
    }
}

static void send_trailers_only(struct weir_grpc_call *call)
{
    nghttp2_nv headers[6] = {header(":status", "200"), header("content-type", "application/grpc")};
    char number[12];
    const size_t count = 2 + put_status(call, number, sizeof(number), headers + 2);
    if (nghttp2_submit_response(call->grpc->session, call->stream, headers, count, NULL) != 0) {
        reset(call, NGHTTP2_INTERNAL_ERROR);
    }
}

void weir_grpc_refuse(struct weir_grpc_call *call, const char *http_status)
{
    const nghttp2_nv headers[] = {header(":status", http_status), header("allow", "POST")};
    call->finished = true;
    if (nghttp2_submit_response(call->grpc->session, call->stream, headers,
                                strcmp(http_status, "405") == 0 ? 2 : 1, NULL) != 0) {
        reset(call, NGHTTP2_INTERNAL_ERROR);
    }
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* NOLINTNEXTLINE(readability-function-size): nghttp2 asks with seven */
static ssize_t give(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t length,
                    uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct weir_grpc_call *call = source->ptr;
    (void)session;
    (void)stream;
    (void)context;
    size_t some = call->out.len - call->sent;
    some = some < length ? some : length;
    if (some > 0) {
        memcpy(buffer, call->out.bytes + call->sent, some);
        call->sent += some;
    }
    if (call->sent < call->out.len) {
        return (ssize_t)some;
    }
    weir_buffer_clear(&call->out);
    call->sent = 0;
    if (call->finished) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        send_trailers(call);
    } else if (some == 0) {
        call->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)some;
}

/* What waits is to be taken: the first time with the headers before it. */
static void offer(struct weir_grpc_call *call)
{
    nghttp2_session *session = call->grpc->session;
    if (!call->headers_sent) {
        const nghttp2_nv headers[] = {header(":status", "200"),
                                      header("content-type", "application/grpc")};
        const nghttp2_data_provider provider = {.source = {.ptr = call}, .read_callback = give};
        call->headers_sent = true;
        if (nghttp2_submit_response(session, call->stream, headers, 2, &provider) != 0) {
            reset(call, NGHTTP2_INTERNAL_ERROR);
        }
    } else if (call->deferred) {
        call->deferred = false;
        (void)nghttp2_session_resume_data(session, call->stream);
    }
}

void weir_grpc_reply(struct weir_grpc_call *call, struct weir_bytes message)
{
    assert(!call->finished && message.len <= UINT32_MAX);
    const uint32_t len = (uint32_t)message.len;
    const unsigned char prefix[WEIR_GRPC_PREFIX] = {0, (unsigned char)(len >> 24),
                                                    (unsigned char)(len >> 16),
                                                    (unsigned char)(len >> 8), (unsigned char)len};
    if (!weir_buffer_reserve(&call->out, WEIR_GRPC_PREFIX + message.len)) {
        return; /* told by weir_grpc_finish, or by the stream's end */
    }
    weir_buffer_put(&call->out, weir_bytes(prefix, WEIR_GRPC_PREFIX));
    weir_buffer_put(&call->out, message);
    offer(call);
}

void weir_grpc_finish(struct weir_grpc_call *call, enum weir_grpc_status status,
                      const char *message)
{
    assert(!call->finished);
    call->finished = true;
    call->status = status;
    encode(message != NULL ? message : "", call->trouble, sizeof(call->trouble));
    if (call->out.failed) {
        reset(call, NGHTTP2_INTERNAL_ERROR);
    } else if (call->headers_sent) {
        offer(call);
    } else {
        send_trailers_only(call);
    }
}

size_t weir_grpc_backlog(const struct weir_grpc *grpc)
{
    size_t sum = 0;
    for (const struct weir_grpc_call *call = grpc->calls; call != NULL; call = call->next) {
        sum += call->out.len - call->sent;
    }
    return sum;
}

/* ---- What a call is ------------------------------------------------------------------------ */

struct weir_bytes weir_grpc_path(const struct weir_grpc_call *call)
{
    return weir_bytes(call->text.bytes, call->path_len);
}

struct weir_bytes weir_grpc_authorization(const struct weir_grpc_call *call)
{
    return call->authorization_len > 0
               ? weir_bytes(call->text.bytes + call->authorization_at, call->authorization_len)
               : weir_bytes(NULL, 0);
}

int64_t weir_grpc_timeout_us(const struct weir_grpc_call *call)
{
    return call->timeout_us;
}

void weir_grpc_set_data(struct weir_grpc_call *call, void *data)
{
    call->data = data;
}

void *weir_grpc_data(const struct weir_grpc_call *call)
{
    return call->data;
}
