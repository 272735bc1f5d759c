/* grpc.c - feeds nghttp2, and hears of what is in the frames. See grpc.h and parts.h. */

#include "grpc/parts.h"

#include "base/alloc.h"

#include <string.h>

#define BROKE_PROTOCOL "the peer broke the protocol, or took more than it may"

/* What a peer may do before it is given up. */
#define SETTINGS_MAX 32      /* entries of one SETTINGS frame */
#define ACKS_MAX 100         /* answers to SETTINGS and PING that it leaves unread */
#define CONTINUATIONS_MAX 8  /* frames that one head may go on for */
#define EMPTY_FRAMES_MAX 100 /* DATA frames without data, in a row */
#define RESETS_MAX 1000 /* calls that it resets before they are answered, less those that are */
#define PREFACE_LEN 24
#define FRAME_HEAD_LEN 9

/* ---- Memory -------------------------------------------------------------------------------- */

/* nghttp2 frees without a size: it is kept before what was given. */
#define HEAD_ROOM 16

static void *allocate(size_t size, void *context)
{
    const struct weir_grpc *grpc = context;
    if (size > SIZE_MAX - HEAD_ROOM) {
        return NULL;
    }
    char *memory =
        weir_alloc(weir_allocator_or_default(grpc->options.allocator), size + HEAD_ROOM, HEAD_ROOM);
    if (memory == NULL) {
        return NULL;
    }
    memcpy(memory, &size, sizeof(size));
    return memory + HEAD_ROOM;
}

static void release(void *memory, void *context)
{
    const struct weir_grpc *grpc = context;
    if (memory != NULL) {
        char *whole = (char *)memory - HEAD_ROOM;
        size_t size;
        memcpy(&size, whole, sizeof(size));
        weir_release(weir_allocator_or_default(grpc->options.allocator), whole, size + HEAD_ROOM);
    }
}

static void *allocate_many(size_t count, size_t size, void *context)
{
    if (size > 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    void *memory = allocate(count * size, context);
    if (memory != NULL) {
        memset(memory, 0, count * size);
    }
    return memory;
}

static void *reallocate(void *memory, size_t size, void *context)
{
    size_t former = 0;
    void *larger = allocate(size, context);
    if (larger != NULL && memory != NULL) {
        memcpy(&former, (char *)memory - HEAD_ROOM, sizeof(former));
        memcpy(larger, memory, former < size ? former : size);
        release(memory, context);
    }
    return larger;
}

/* ---- What nghttp2 tells -------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct weir_grpc *grpc = context;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    const struct weir_allocator *allocator = weir_allocator_or_default(grpc->options.allocator);
    struct weir_grpc_call *call =
        weir_alloc(allocator, sizeof(*call), _Alignof(struct weir_grpc_call));
    if (call == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    *call = (struct weir_grpc_call){
        .grpc = grpc,
        .next = grpc->calls,
        .stream = frame->hd.stream_id,
        .text = {.allocator = allocator},
        .in = {.allocator = allocator},
        .out = {.allocator = allocator},
    };
    if (call->next != NULL) {
        call->next->previous = call;
    }
    grpc->calls = call;
    grpc->call_count++;
    call->owing = true;
    grpc->owing_count++;
    (void)nghttp2_session_set_stream_user_data(session, call->stream, call);
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 tells with eight */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *context)
{
    struct weir_grpc_call *call =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    (void)context;
    if (call != NULL && !call->begun && !call->finished) {
        weir_grpc_take_header(call, weir_bytes(name, name_len), weir_bytes(value, value_len));
        if (call->wrong == WEIR_GRPC_TOO_LARGE) {
            weir_grpc_refuse(call, "431");
        }
    }
    return 0;
}

/* The headers of a call are whole. */
static void begin(struct weir_grpc *grpc, struct weir_grpc_call *call)
{
    if (call->finished) {
        return;
    }
    if (!call->is_post || !call->is_grpc) {
        weir_grpc_refuse(call, call->is_post ? "415" : "405");
    } else if (call->wrong == WEIR_GRPC_NO_MEMORY) {
        weir_grpc_finish(call, WEIR_GRPC_RESOURCE_EXHAUSTED, "no memory");
    } else if (call->wrong == WEIR_GRPC_WRONG_TIMEOUT) {
        weir_grpc_finish(call, WEIR_GRPC_INTERNAL,
                         "grpc-timeout is up to eight digits and one of H, M, S, m, u, n");
    } else if (call->wrong == WEIR_GRPC_WRONG_ENCODING) {
        weir_grpc_finish(call, WEIR_GRPC_UNIMPLEMENTED,
                         "messages are not decompressed here: send them as they are");
    } else {
        call->begun = grpc->options.ops->begin(grpc->options.context, call);
    }
}

static void half_close(struct weir_grpc *grpc, struct weir_grpc_call *call)
{
    if (call->half_closed) {
        return;
    }
    call->half_closed = true;
    weir_grpc_note_owed(call);
    if (call->finished || !call->begun) {
        return;
    }
    if (call->in.len > 0) {
        grpc->options.ops->gone(grpc->options.context, call);
        weir_grpc_finish(call, WEIR_GRPC_INTERNAL, "the call ends in the middle of a message");
    } else {
        grpc->options.ops->half_closed(grpc->options.context, call);
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct weir_grpc *grpc = context;
    grpc->leaving = grpc->leaving || frame->hd.type == NGHTTP2_GOAWAY;
    if (frame->hd.type == NGHTTP2_DATA && frame->hd.length == 0 &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        if (++grpc->empty_frames > EMPTY_FRAMES_MAX) {
            grpc->broken = "too many empty frames";
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    } else {
        grpc->empty_frames = 0;
    }
    struct weir_grpc_call *call =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (call == NULL) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        begin(grpc, call);
    }
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        half_close(grpc, call);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *context)
{
    struct weir_grpc_call *call = nghttp2_session_get_stream_user_data(session, stream);
    (void)flags;
    (void)context;
    if (call != NULL && call->begun) {
        weir_grpc_take_body(call, weir_bytes(data, len));
    }
    return 0;
}

/* What was answered while its peer was still sending has no more to take. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)context;
    if (frame->hd.type != NGHTTP2_HEADERS || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        return 0;
    }
    struct weir_grpc_call *call =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (call != NULL) {
        call->answered = true;
    }
    if (call != NULL && !call->half_closed) {
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                        NGHTTP2_NO_ERROR);
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *context)
{
    struct weir_grpc *grpc = context;
    struct weir_grpc_call *call = nghttp2_session_get_stream_user_data(session, stream);
    (void)code;
    if (call == NULL) {
        return 0;
    }
    if (call->begun && !call->finished) {
        grpc->options.ops->gone(grpc->options.context, call);
    }
    if (!call->answered && ++grpc->resets > RESETS_MAX) {
        grpc->broken = "too many calls were reset";
    } else if (call->answered && grpc->resets > 0) {
        grpc->resets--;
    }
    weir_grpc_call_free(call);
    return 0;
}

/* ---- Opening and closing ------------------------------------------------------------------- */

static void set_limits(nghttp2_option *option)
{
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_settings(option, SETTINGS_MAX);
    nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
    /* Ours is counted in calls, see RESETS_MAX: nghttp2 would go on listening. */
    nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, 0);
    /* What is answered are a few short headers: a table of them is no gain. */
    nghttp2_option_set_max_deflate_dynamic_table_size(option, 0);
}

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
}

static bool open_session(struct weir_grpc *grpc)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    bool opened =
        nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0;
    if (opened) {
        set_callbacks(callbacks);
        set_limits(option);
        grpc->memory = (nghttp2_mem){grpc, allocate, release, allocate_many, reallocate};
        opened = nghttp2_session_server_new3(&grpc->session, callbacks, grpc, option,
                                             &grpc->memory) == 0;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, grpc->options.streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, grpc->options.header_bytes},
    };
    return opened && nghttp2_submit_settings(grpc->session, NGHTTP2_FLAG_NONE, settings,
                                             sizeof(settings) / sizeof(settings[0])) == 0;
}

struct weir_grpc *weir_grpc_new(const struct weir_grpc_options *options)
{
    struct weir_grpc *grpc = weir_alloc(weir_allocator_or_default(options->allocator),
                                        sizeof(*grpc), _Alignof(struct weir_grpc));
    if (grpc == NULL) {
        return NULL;
    }
    grpc->options = *options;
    grpc->preface_left = PREFACE_LEN;
    if (!open_session(grpc)) {
        weir_grpc_free(grpc);
        return NULL;
    }
    return grpc;
}

void weir_grpc_free(struct weir_grpc *grpc)
{
    if (grpc == NULL) {
        return;
    }
    while (grpc->calls != NULL) {
        struct weir_grpc_call *call = grpc->calls;
        if (call->begun && !call->finished) {
            grpc->options.ops->gone(grpc->options.context, call);
        }
        weir_grpc_call_free(call);
    }
    nghttp2_session_del(grpc->session);
    weir_release(weir_allocator_or_default(grpc->options.allocator), grpc, sizeof(*grpc));
}

/* ---- Bytes --------------------------------------------------------------------------------- */

/* Where in a frame the peer has got to. */
static void follow(struct weir_grpc *grpc, struct weir_bytes bytes)
{
    size_t at = bytes.len < grpc->preface_left ? bytes.len : grpc->preface_left;
    grpc->preface_left -= (uint32_t)at;
    while (at < bytes.len) {
        const size_t left = bytes.len - at;
        if (grpc->frame_left > 0) {
            const uint32_t some = left < grpc->frame_left ? (uint32_t)left : grpc->frame_left;
            grpc->frame_left -= some;
            at += some;
            continue;
        }
        grpc->head[grpc->head_len++] = (uint8_t)bytes.ptr[at++];
        if (grpc->head_len == FRAME_HEAD_LEN) {
            grpc->head_len = 0;
            grpc->frame_left =
                (uint32_t)grpc->head[0] << 16 | (uint32_t)grpc->head[1] << 8 | grpc->head[2];
        }
    }
}

bool weir_grpc_receive(struct weir_grpc *grpc, struct weir_bytes bytes)
{
    if (grpc->broken == NULL) {
        follow(grpc, bytes);
        const ssize_t used =
            nghttp2_session_mem_recv(grpc->session, (const uint8_t *)bytes.ptr, bytes.len);
        if (used < 0 || grpc->broken != NULL) {
            grpc->broken = grpc->broken != NULL ? grpc->broken : nghttp2_strerror((int)used);
            (void)nghttp2_session_terminate_session(grpc->session, NGHTTP2_ENHANCE_YOUR_CALM);
        }
    }
    return grpc->broken == NULL;
}

static bool ends_well(const struct weir_grpc *grpc)
{
    return (grpc->draining || grpc->leaving) && grpc->call_count == 0;
}

void weir_grpc_send(struct weir_grpc *grpc, struct weir_buffer *out, size_t most)
{
    const size_t enough = out->len + most;
    while (out->len < enough) {
        const uint8_t *bytes;
        const ssize_t len = nghttp2_session_mem_send(grpc->session, &bytes);
        if (len <= 0) {
            if (len < 0 && grpc->broken == NULL) {
                grpc->broken = nghttp2_strerror((int)len);
            }
            break;
        }
        weir_buffer_put(out, weir_bytes(bytes, (size_t)len));
    }
    /* nghttp2 reads on until its GOAWAY is taken; and no more either where a side has said goodbye
     * and no call is left. */
    if (grpc->broken == NULL && !ends_well(grpc) && nghttp2_session_want_read(grpc->session) == 0) {
        grpc->broken = BROKE_PROTOCOL;
    }
}

const char *weir_grpc_broken(const struct weir_grpc *grpc)
{
    return grpc->broken;
}

bool weir_grpc_has_to_send(const struct weir_grpc *grpc)
{
    return nghttp2_session_want_write(grpc->session) != 0;
}

void weir_grpc_drain(struct weir_grpc *grpc)
{
    if (!grpc->draining) {
        grpc->draining = true;
        const int32_t last = nghttp2_session_get_last_proc_stream_id(grpc->session);
        (void)nghttp2_submit_goaway(grpc->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL,
                                    0);
    }
}

bool weir_grpc_is_over(const struct weir_grpc *grpc)
{
    return (grpc->broken != NULL || ends_well(grpc)) &&
           nghttp2_session_want_write(grpc->session) == 0;
}

uint32_t weir_grpc_calls(const struct weir_grpc *grpc)
{
    return grpc->call_count;
}

bool weir_grpc_is_partial(const struct weir_grpc *grpc)
{
    return grpc->preface_left > 0 || grpc->frame_left > 0 || grpc->head_len > 0 ||
           grpc->owing_count > 0;
}
