/* protobuf.h - protobuf's encoding: fields read from bytes and appended to them (read.c, write.c),
 * and the descriptors of the messages that weir speaks (schema.c, made of schema/).
 *
 * What a message means is its owner's. Thread-safe: nothing is kept.
 *
 * Source: protobuf's documentation, "Encoding". */

#ifndef WEIR_PROTOBUF_PROTOBUF_H
#define WEIR_PROTOBUF_PROTOBUF_H

#include "base/buffer.h"
#include "weir/weir.h"

/* Types of a field on the wire. */
enum weir_proto_type {
    WEIR_PROTO_VARINT = 0,
    WEIR_PROTO_FIXED64 = 1,
    WEIR_PROTO_BYTES = 2,
    WEIR_PROTO_GROUP = 3,
    WEIR_PROTO_GROUP_END = 4,
    WEIR_PROTO_FIXED32 = 5
};

struct weir_proto_field {
    uint32_t number; /* 1.. */
    enum weir_proto_type type;
    uint64_t value;          /* of a VARINT */
    struct weir_bytes bytes; /* of BYTES: borrowed */
};

/* Takes the next field off the front of a message that is not empty. False: it can't be read.
 * Groups, which proto3 has none of, are not. */
bool weir_proto_read(struct weir_bytes *from, struct weir_proto_field *ret_field);

/* The first field of a number that is BYTES; empty where there is none, or the message can't be
 * read so far. */
struct weir_bytes weir_proto_find(struct weir_bytes message, uint32_t number);

/* Whether a text is UTF-8, as proto3's strings are. */
bool weir_proto_is_utf8(struct weir_bytes text);

/* What is appended; a buffer out of memory says so itself (buffer.h). */
void weir_proto_put_varint(struct weir_buffer *out, uint64_t value);
void weir_proto_put_tag(struct weir_buffer *out, uint32_t number, enum weir_proto_type type);

/* A number that is left out where it is 0, as proto3 does. */
void weir_proto_put_number(struct weir_buffer *out, uint32_t number, uint64_t value);

/* Bytes, also where there are none; a text that is left out where it is empty. */
void weir_proto_put_bytes(struct weir_buffer *out, uint32_t number, struct weir_bytes bytes);
void weir_proto_put_text(struct weir_buffer *out, uint32_t number, struct weir_bytes text);

/* Begins a message in a message; gives what weir_proto_end takes. */
size_t weir_proto_begin(struct weir_buffer *out, uint32_t number);
void weir_proto_end(struct weir_buffer *out, size_t start);

/* A google.protobuf.FileDescriptorSet of all that is in schema/ and of what it imports, each file
 * after those it needs. */
extern const char weir_proto_schema[];
extern const size_t weir_proto_schema_len;

#endif
