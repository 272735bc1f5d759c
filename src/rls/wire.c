/* wire.c - messages of the rate limit service, read from and written as protobuf. See wire.h.
 *
 * Read by hand: a message is looked at twice, once to count its descriptors and their entries, and
 * texts are borrowed from it, so that one piece of memory is all it takes. Fields that are not
 * known, or are of another type than theirs, are passed over; where a field that may be there once
 * is there twice, the last counts.
 *
 * Source: protobuf's encoding; envoy/service/ratelimit/v3/rls.proto and what it imports. */

#include "rls/wire.h"

#include "base/error.h"
#include "json/utf8.h"

/* Types of a field on the wire. */
enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5
};

/* The bytes of a varint, at most. */
#define VARINT_MAX 10

/* A length that one byte holds. */
#define SHORT_MAX 127

/* ---- Reading fields ------------------------------------------------------------------------ */

struct field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;          /* of a VARINT */
    struct weir_bytes bytes; /* of BYTES */
};

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

/* The next field of a message; false: it can't be read. Groups, which proto3 has none of, are. */
static bool read_field(struct weir_bytes *from, struct field *ret_field)
{
    uint64_t tag;
    if (!read_varint(from, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3) {
        return false;
    }
    *ret_field = (struct field){.number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7)};
    switch (ret_field->type) {
    case WIRE_VARINT:
        return read_varint(from, &ret_field->value);
    case WIRE_FIXED64:
        return skip(from, 8);
    case WIRE_FIXED32:
        return skip(from, 4);
    case WIRE_BYTES: {
        uint64_t len;
        if (!read_varint(from, &len) || len > from->len) {
            return false;
        }
        ret_field->bytes = weir_bytes(from->ptr, (size_t)len);
        return skip(from, (size_t)len);
    }
    case WIRE_GROUP:
    case WIRE_GROUP_END:
        break;
    }
    return false;
}

/* ---- UTF-8 --------------------------------------------------------------------------------- */

static bool is_utf8(struct weir_bytes text)
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

/* ---- Reading a request --------------------------------------------------------------------- */

struct decoding {
    struct weir_error *error;
    struct weir_rls_entry *entries; /* of all descriptors, one after another */
    size_t entry_count;
    enum weir_status status;
};

static bool fail(struct decoding *decoding, enum weir_status status, const char *message)
{
    weir_error_set(decoding->error, 0, 0, "%s", message);
    decoding->status = status;
    return false;
}

static bool malformed(struct decoding *decoding)
{
    return fail(decoding, WEIR_ERR_FORMAT, "the message is no RateLimitRequest");
}

static bool take_text(struct decoding *decoding, struct weir_bytes bytes,
                      struct weir_bytes *ret_text)
{
    *ret_text = bytes;
    return is_utf8(bytes) || fail(decoding, WEIR_ERR_FORMAT, "a text is not UTF-8");
}

static bool read_entry(struct decoding *decoding, struct weir_bytes message,
                       struct weir_rls_entry *entry)
{
    struct field field;
    while (message.len > 0) {
        if (!read_field(&message, &field)) {
            return malformed(decoding);
        }
        if (field.type == WIRE_BYTES && (field.number == 1 || field.number == 2) &&
            !take_text(decoding, field.bytes, field.number == 1 ? &entry->key : &entry->value)) {
            return false;
        }
    }
    return true;
}

static bool read_override(struct decoding *decoding, struct weir_bytes message,
                          struct weir_rls_descriptor *descriptor)
{
    struct field field;
    descriptor->has_limit = true;
    while (message.len > 0) {
        if (!read_field(&message, &field)) {
            return malformed(decoding);
        }
        if (field.type == WIRE_VARINT && field.number == 1) {
            descriptor->limit_requests = (uint32_t)field.value;
        } else if (field.type == WIRE_VARINT && field.number == 2) {
            /* Whoever plans says that a unit is not known. */
            descriptor->limit_unit = field.value < WEIR_RLS_UNIT_COUNT
                                         ? (enum weir_rls_unit)field.value
                                         : WEIR_RLS_UNKNOWN_UNIT;
        }
    }
    return true;
}

/* A google.protobuf.UInt64Value. */
static bool read_wrapped(struct decoding *decoding, struct weir_bytes message, uint64_t *value)
{
    struct field field;
    while (message.len > 0) {
        if (!read_field(&message, &field)) {
            return malformed(decoding);
        }
        if (field.type == WIRE_VARINT && field.number == 1) {
            *value = field.value;
        }
    }
    return true;
}

static bool read_descriptor_field(struct decoding *decoding, const struct field *field,
                                  struct weir_rls_descriptor *descriptor)
{
    if (field->type == WIRE_VARINT && field->number == 4) {
        descriptor->negative = field->value != 0;
    }
    if (field->type != WIRE_BYTES) {
        return true;
    }
    switch (field->number) {
    case 1:
        descriptor->entry_count++;
        return read_entry(decoding, field->bytes, &decoding->entries[decoding->entry_count++]);
    case 2:
        return read_override(decoding, field->bytes, descriptor);
    case 3:
        descriptor->has_hits = true;
        return read_wrapped(decoding, field->bytes, &descriptor->hits);
    default:
        return true;
    }
}

static bool read_descriptor(struct decoding *decoding, struct weir_bytes message,
                            struct weir_rls_descriptor *descriptor)
{
    struct field field;
    descriptor->entries = decoding->entries + decoding->entry_count;
    while (message.len > 0) {
        if (!read_field(&message, &field)) {
            return malformed(decoding);
        }
        if (!read_descriptor_field(decoding, &field, descriptor)) {
            return false;
        }
    }
    return true;
}

/* Counts what there is to be room for. */
static bool count(struct decoding *decoding, struct weir_bytes message, size_t *ret_descriptors,
                  size_t *ret_entries)
{
    struct field field;
    struct field inner;
    while (message.len > 0) {
        if (!read_field(&message, &field)) {
            return malformed(decoding);
        }
        if (field.type != WIRE_BYTES || field.number != 2) {
            continue;
        }
        size_t entries = 0;
        while (field.bytes.len > 0) {
            if (!read_field(&field.bytes, &inner)) {
                return malformed(decoding);
            }
            entries += inner.type == WIRE_BYTES && inner.number == 1 ? 1 : 0;
        }
        if (entries > WEIR_RLS_ENTRIES_MAX) {
            return fail(decoding, WEIR_ERR_ARGUMENT, "a descriptor of more than 64 entries");
        }
        *ret_entries += entries;
        *ret_descriptors += 1;
    }
    return *ret_descriptors <= WEIR_RLS_DESCRIPTORS_MAX ||
           fail(decoding, WEIR_ERR_ARGUMENT, "more than 1024 descriptors");
}

_Static_assert(WEIR_RLS_ENTRIES_MAX == 64 && WEIR_RLS_DESCRIPTORS_MAX == 1024,
               "the messages say so");

static bool read_request(struct decoding *decoding, struct weir_bytes message,
                         struct weir_rls_descriptor *descriptors, struct weir_rls_request *request)
{
    struct field field;
    while (message.len > 0) {
        if (!read_field(&message, &field)) {
            return malformed(decoding); /* not after they were counted */
        }
        if (field.type == WIRE_VARINT && field.number == 3) {
            request->hits = (uint32_t)field.value;
        }
        if (field.type != WIRE_BYTES) {
            continue;
        }
        if (field.number == 1 && !take_text(decoding, field.bytes, &request->domain)) {
            return false;
        }
        if (field.number == 2 &&
            !read_descriptor(decoding, field.bytes, &descriptors[request->descriptor_count++])) {
            return false;
        }
    }
    request->descriptors = descriptors;
    return true;
}

enum weir_status weir_rls_decode(struct weir_bytes bytes, struct weir_arena *arena,
                                 struct weir_rls_request *ret_request, struct weir_error *ret_error)
{
    struct decoding decoding = {.error = ret_error};
    struct weir_rls_request request = {0};
    size_t descriptor_count = 0;
    size_t entry_count = 0;
    if (!count(&decoding, bytes, &descriptor_count, &entry_count)) {
        return decoding.status;
    }
    struct weir_rls_descriptor *descriptors =
        weir_arena_get(arena, descriptor_count, sizeof(*descriptors));
    decoding.entries = weir_arena_get(arena, entry_count, sizeof(*decoding.entries));
    if (descriptors == NULL || decoding.entries == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    if (!read_request(&decoding, bytes, descriptors, &request)) {
        return decoding.status;
    }
    *ret_request = request;
    return WEIR_OK;
}
