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
#include "protobuf/protobuf.h"

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
    return weir_proto_is_utf8(bytes) || fail(decoding, WEIR_ERR_FORMAT, "a text is not UTF-8");
}

static bool read_entry(struct decoding *decoding, struct weir_bytes message,
                       struct weir_rls_entry *entry)
{
    struct weir_proto_field field;
    while (message.len > 0) {
        if (!weir_proto_read(&message, &field)) {
            return malformed(decoding);
        }
        if (field.type == WEIR_PROTO_BYTES && (field.number == 1 || field.number == 2) &&
            !take_text(decoding, field.bytes, field.number == 1 ? &entry->key : &entry->value)) {
            return false;
        }
    }
    return true;
}

static bool read_override(struct decoding *decoding, struct weir_bytes message,
                          struct weir_rls_descriptor *descriptor)
{
    struct weir_proto_field field;
    descriptor->has_limit = true;
    while (message.len > 0) {
        if (!weir_proto_read(&message, &field)) {
            return malformed(decoding);
        }
        if (field.type == WEIR_PROTO_VARINT && field.number == 1) {
            descriptor->limit_requests = (uint32_t)field.value;
        } else if (field.type == WEIR_PROTO_VARINT && field.number == 2) {
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
    struct weir_proto_field field;
    while (message.len > 0) {
        if (!weir_proto_read(&message, &field)) {
            return malformed(decoding);
        }
        if (field.type == WEIR_PROTO_VARINT && field.number == 1) {
            *value = field.value;
        }
    }
    return true;
}

static bool read_descriptor_field(struct decoding *decoding, const struct weir_proto_field *field,
                                  struct weir_rls_descriptor *descriptor)
{
    if (field->type == WEIR_PROTO_VARINT && field->number == 4) {
        descriptor->negative = field->value != 0;
    }
    if (field->type != WEIR_PROTO_BYTES) {
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
    struct weir_proto_field field;
    descriptor->entries = decoding->entries + decoding->entry_count;
    while (message.len > 0) {
        if (!weir_proto_read(&message, &field)) {
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
    struct weir_proto_field field;
    struct weir_proto_field inner;
    while (message.len > 0) {
        if (!weir_proto_read(&message, &field)) {
            return malformed(decoding);
        }
        if (field.type != WEIR_PROTO_BYTES || field.number != 2) {
            continue;
        }
        size_t entries = 0;
        while (field.bytes.len > 0) {
            if (!weir_proto_read(&field.bytes, &inner)) {
                return malformed(decoding);
            }
            entries += inner.type == WEIR_PROTO_BYTES && inner.number == 1 ? 1 : 0;
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
    struct weir_proto_field field;
    while (message.len > 0) {
        if (!weir_proto_read(&message, &field)) {
            return malformed(decoding); /* not after they were counted */
        }
        if (field.type == WEIR_PROTO_VARINT && field.number == 3) {
            request->hits = (uint32_t)field.value;
        }
        if (field.type != WEIR_PROTO_BYTES) {
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
