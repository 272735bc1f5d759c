/* write.c - fields appended to a message. See protobuf.h.
 *
 * What is nested is written behind a length of one byte, and moved where it turns out to need more.
 */

#include "protobuf/protobuf.h"

#include <string.h>

/* The bytes of a varint, at most. */
#define VARINT_MAX 10

void weir_proto_put_varint(struct weir_buffer *out, uint64_t value)
{
    if (!weir_buffer_reserve(out, VARINT_MAX)) {
        return;
    }
    while (value > 0x7f) {
        out->bytes[out->len++] = (char)(value | 0x80);
        value >>= 7;
    }
    out->bytes[out->len++] = (char)value;
}

void weir_proto_put_tag(struct weir_buffer *out, uint32_t number, enum weir_proto_type type)
{
    weir_proto_put_varint(out, number << 3 | (uint32_t)type);
}

void weir_proto_put_number(struct weir_buffer *out, uint32_t number, uint64_t value)
{
    if (value != 0) {
        weir_proto_put_tag(out, number, WEIR_PROTO_VARINT);
        weir_proto_put_varint(out, value);
    }
}

void weir_proto_put_bytes(struct weir_buffer *out, uint32_t number, struct weir_bytes bytes)
{
    weir_proto_put_tag(out, number, WEIR_PROTO_BYTES);
    weir_proto_put_varint(out, bytes.len);
    weir_buffer_put(out, bytes);
}

void weir_proto_put_text(struct weir_buffer *out, uint32_t number, struct weir_bytes text)
{
    if (text.len > 0) {
        weir_proto_put_bytes(out, number, text);
    }
}

size_t weir_proto_begin(struct weir_buffer *out, uint32_t number)
{
    weir_proto_put_tag(out, number, WEIR_PROTO_BYTES);
    weir_proto_put_varint(out, 0);
    return out->len;
}

void weir_proto_end(struct weir_buffer *out, size_t start)
{
    char length[VARINT_MAX];
    struct weir_buffer prefix = {.bytes = length, .room = sizeof(length)};
    if (out->failed) {
        return;
    }
    const size_t len = out->len - start;
    weir_proto_put_varint(&prefix, len);
    if (prefix.len > 1 && !weir_buffer_reserve(out, prefix.len - 1)) {
        return;
    }
    memmove(out->bytes + start - 1 + prefix.len, out->bytes + start, len);
    memcpy(out->bytes + start - 1, length, prefix.len);
    out->len += prefix.len - 1;
}
