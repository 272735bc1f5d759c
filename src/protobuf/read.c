/* read.c - fields read from a message. See protobuf.h. */

#include "protobuf/protobuf.h"

#include "json/utf8.h"

/* The bytes of a varint, at most. */
#define VARINT_MAX 10

static bool read_varint(struct weir_bytes *from, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < VARINT_MAX && i < from->len; i++) {
        const uint8_t byte = (uint8_t)from->ptr[i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *from = weir_bytes(from->ptr + i + 1, from->len - i - 1);
            *ret_value = value;
            return i + 1 < VARINT_MAX || byte <= 1;
        }
    }
    return false;
}

static bool skip(struct weir_bytes *from, size_t count)
{
    if (from->len < count) {
        return false;
    }
    *from = weir_bytes(from->ptr + count, from->len - count);
    return true;
}

bool weir_proto_read(struct weir_bytes *from, struct weir_proto_field *ret_field)
{
    uint64_t tag;
    if (!read_varint(from, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3) {
        return false;
    }
    *ret_field = (struct weir_proto_field){.number = (uint32_t)(tag >> 3),
                                           .type = (enum weir_proto_type)(tag & 7)};
    switch (ret_field->type) {
    case WEIR_PROTO_VARINT:
        return read_varint(from, &ret_field->value);
    case WEIR_PROTO_FIXED64:
        return skip(from, 8);
    case WEIR_PROTO_FIXED32:
        return skip(from, 4);
    case WEIR_PROTO_BYTES: {
        uint64_t len;
        if (!read_varint(from, &len) || len > from->len) {
            return false;
        }
        ret_field->bytes = weir_bytes(from->ptr, (size_t)len);
        return skip(from, (size_t)len);
    }
    case WEIR_PROTO_GROUP:
    case WEIR_PROTO_GROUP_END:
        break;
    }
    return false;
}

struct weir_bytes weir_proto_find(struct weir_bytes message, uint32_t number)
{
    struct weir_proto_field field;
    while (message.len > 0 && weir_proto_read(&message, &field)) {
        if (field.number == number && field.type == WEIR_PROTO_BYTES) {
            return field.bytes;
        }
    }
    return weir_bytes(NULL, 0);
}

bool weir_proto_is_utf8(struct weir_bytes text)
{
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end;) {
        const size_t len = ((unsigned char)*at & 0x80) == 0 ? 1 : weir_json_character(at, end);
        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}
