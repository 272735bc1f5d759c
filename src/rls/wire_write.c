/* wire_write.c - responses of the rate limit service, written as protobuf. See wire.h. */

#include "protobuf/protobuf.h"
#include "rls/wire.h"

#include <string.h>

#define SECOND_US INT64_C(1000000)

/* ---- A response ---------------------------------------------------------------------------- */

static void put_limit(struct weir_buffer *out, const struct weir_rls_status *status)
{
    const size_t start = weir_proto_begin(out, 2);
    weir_proto_put_number(out, 1, status->requests_per_unit);
    weir_proto_put_number(out, 2, (uint64_t)status->unit);
    weir_proto_put_text(out, 3, status->name);
    weir_proto_end(out, start);
}

static void put_duration(struct weir_buffer *out, int64_t us)
{
    const size_t start = weir_proto_begin(out, 4);
    weir_proto_put_number(out, 1, (uint64_t)(us / SECOND_US));
    weir_proto_put_number(out, 2, (uint64_t)(us % SECOND_US) * 1000);
    weir_proto_end(out, start);
}

static void put_status(struct weir_buffer *out, const struct weir_rls_status *status)
{
    const size_t start = weir_proto_begin(out, 2);
    weir_proto_put_number(out, 1, (uint64_t)status->code);
    if (status->has_limit) {
        put_limit(out, status);
    }
    weir_proto_put_number(out, 3, status->remaining);
    if (status->has_reset) {
        put_duration(out, status->reset_us);
    }
    weir_proto_end(out, start);
}

/* ---- google.protobuf.Struct ---------------------------------------------------------------- */

static void put_fields(struct weir_buffer *out, const struct weir_rls_value *value);

/* NOLINTBEGIN(misc-no-recursion): as deep as a file's metadata, which the reader of files bounds */
static void put_value(struct weir_buffer *out, const struct weir_rls_value *value)
{
    size_t start;
    uint64_t bits;
    switch (value->kind) {
    case WEIR_RLS_NULL:
        weir_proto_put_tag(out, 1, WEIR_PROTO_VARINT);
        weir_proto_put_varint(out, 0);
        break;
    case WEIR_RLS_NUMBER:
        memcpy(&bits, &value->number, sizeof(bits));
        weir_proto_put_tag(out, 2, WEIR_PROTO_FIXED64);
        for (unsigned i = 0; i < sizeof(bits); i++) {
            const char byte = (char)(bits >> (8 * i));
            weir_buffer_put(out, weir_bytes(&byte, 1));
        }
        break;
    case WEIR_RLS_TEXT:
        weir_proto_put_bytes(out, 3, value->text);
        break;
    case WEIR_RLS_BOOLEAN:
        weir_proto_put_tag(out, 4, WEIR_PROTO_VARINT);
        weir_proto_put_varint(out, value->boolean ? 1 : 0);
        break;
    case WEIR_RLS_STRUCT:
        start = weir_proto_begin(out, 5);
        put_fields(out, value);
        weir_proto_end(out, start);
        break;
    case WEIR_RLS_LIST:
        start = weir_proto_begin(out, 6);
        for (size_t i = 0; i < value->count; i++) {
            const size_t item = weir_proto_begin(out, 1);
            put_value(out, &value->values[i]);
            weir_proto_end(out, item);
        }
        weir_proto_end(out, start);
        break;
    }
}

/* A map is a list of entries of a key and a value. */
static void put_fields(struct weir_buffer *out, const struct weir_rls_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        const size_t entry = weir_proto_begin(out, 1);
        weir_proto_put_bytes(out, 1, value->names[i]);
        const size_t start = weir_proto_begin(out, 2);
        put_value(out, &value->values[i]);
        weir_proto_end(out, start);
        weir_proto_end(out, entry);
    }
}
/* NOLINTEND(misc-no-recursion) */

void weir_rls_encode(const struct weir_rls_response *response, struct weir_buffer *out)
{
    weir_proto_put_number(out, 1, (uint64_t)response->overall);
    for (size_t i = 0; i < response->status_count; i++) {
        put_status(out, &response->statuses[i]);
    }
    for (size_t i = 0; i < response->header_count; i++) {
        const size_t start = weir_proto_begin(out, 3);
        weir_proto_put_text(out, 1, response->headers[i].key);
        weir_proto_put_text(out, 2, response->headers[i].value);
        weir_proto_end(out, start);
    }
    if (response->metadata != NULL) {
        const size_t start = weir_proto_begin(out, 6);
        put_fields(out, response->metadata);
        weir_proto_end(out, start);
    }
}
