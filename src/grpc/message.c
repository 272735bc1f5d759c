/* message.c - the body of a call, taken apart into messages. See parts.h. */

#include "grpc/parts.h"

/* Finishes the call; what comes of it later is passed over. */
static void refuse(struct weir_grpc_call *call, enum weir_grpc_status status, const char *message)
{
    struct weir_grpc *grpc = call->grpc;
    grpc->options.ops->gone(grpc->options.context, call);
    weir_grpc_finish(call, status, message);
}

/* The length that a prefix says; false: the call was refused. */
static bool read_prefix(struct weir_grpc_call *call, const char *prefix, size_t *ret_len)
{
    const unsigned char *bytes = (const unsigned char *)prefix;
    const uint32_t len =
        (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4];
    if (bytes[0] != 0) {
        refuse(call, bytes[0] == 1 ? WEIR_GRPC_UNIMPLEMENTED : WEIR_GRPC_INTERNAL,
               bytes[0] == 1 ? "messages are not decompressed here: send them as they are"
                             : "the first byte of a message is neither 0 nor 1");
        return false;
    }
    if (len > call->grpc->options.message_bytes) {
        refuse(call, WEIR_GRPC_RESOURCE_EXHAUSTED, "the message is longer than is taken here");
        return false;
    }
    *ret_len = len;
    return true;
}

/* Tells of the messages that are whole; returns how many bytes they took. */
static size_t tell(struct weir_grpc_call *call, struct weir_bytes bytes)
{
    const struct weir_grpc_options *options = &call->grpc->options;
    size_t used = 0;
    while (!call->finished && bytes.len - used >= WEIR_GRPC_PREFIX) {
        size_t len;
        if (!read_prefix(call, bytes.ptr + used, &len)) {
            return bytes.len;
        }
        if (bytes.len - used - WEIR_GRPC_PREFIX < len) {
            break;
        }
        const struct weir_bytes message = weir_bytes(bytes.ptr + used + WEIR_GRPC_PREFIX, len);
        used += WEIR_GRPC_PREFIX + len;
        call->heard = true;
        options->ops->message(options->context, call, message);
    }
    return call->finished ? bytes.len : used;
}

void weir_grpc_note_owed(struct weir_grpc_call *call)
{
    const bool owing = !call->half_closed && (!call->heard || call->in.len > 0);
    if (owing != call->owing) {
        call->owing = owing;
        call->grpc->owing_count += owing ? 1U : UINT32_MAX;
    }
}

void weir_grpc_take_body(struct weir_grpc_call *call, struct weir_bytes bytes)
{
    if (call->finished) {
        return;
    }
    if (call->in.len == 0) {
        const size_t used = tell(call, bytes);
        if (used < bytes.len) {
            weir_buffer_put(&call->in, weir_bytes(bytes.ptr + used, bytes.len - used));
        }
    } else {
        weir_buffer_put(&call->in, bytes);
        if (!call->in.failed) {
            weir_buffer_drop(&call->in, tell(call, weir_buffer_bytes(&call->in)));
        }
    }
    if (call->in.failed && !call->finished) {
        refuse(call, WEIR_GRPC_RESOURCE_EXHAUSTED, "no memory");
    } else if (call->in.len == 0 && call->in.room > 0) {
        weir_buffer_deinit(&call->in);
    }
    weir_grpc_note_owed(call);
}
