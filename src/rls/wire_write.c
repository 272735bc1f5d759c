/* wire_write.c - responses of the rate limit service, written as protobuf. See wire.h.
 *
 * What is nested is written behind a length of one byte, and moved where it turns out to need more.
 */

#include "rls/wire.h"

#include <string.h>

#define WIRE_VARINT 0
#define WIRE_FIXED64 1
#define WIRE_BYTES 2

/* The bytes of a varint, at most. */
#define VARINT_MAX 10

#define SECOND_US INT64_C(1000000)

static void put_varint(struct weir_buffer *out, uint64_t value)
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

static void put_tag(struct weir_buffer *out, unsigned field, unsigned type)
{
    put_varint(out, field << 3 | type);
}

/* A number that is left out where it is 0, as proto3 does. */
static void put_number(struct weir_buffer *out, unsigned field, uint64_t value)
{
    if (value != 0) {
        put_tag(out, field, WIRE_VARINT);
        put_varint(out, value);
    }
}

static void put_bytes(struct weir_buffer *out, unsigned field, struct weir_bytes bytes)
{
    put_tag(out, field, WIRE_BYTES);
    put_varint(out, bytes.len);
    weir_buffer_put(out, bytes);
}

static void put_text(struct weir_buffer *out, unsigned field, struct weir_bytes text)
{
    if (text.len > 0) {
        put_bytes(out, field, text);
    }
}

/* Begins a message in a message; gives what `end` takes. */
static size_t begin(struct weir_buffer *out, unsigned field)
{
    put_tag(out, field, WIRE_BYTES);
    put_varint(out, 0);
    return out->len;
}

static void end(struct weir_buffer *out, size_t start)
{
    char length[VARINT_MAX];
    struct weir_buffer prefix = {.bytes = length, .room = sizeof(length)};
    if (out->failed) {
        return;
    }
    const size_t len = out->len - start;
    put_varint(&prefix, len);
    if (prefix.len > 1 && !weir_buffer_reserve(out, prefix.len - 1)) {
        return;
    }
    memmove(out->bytes + start - 1 + prefix.len, out->bytes + start, len);
    memcpy(out->bytes + start - 1, length, prefix.len);
    out->len += prefix.len - 1;
}

/* ---- A response ---------------------------------------------------------------------------- */

static void put_limit(struct weir_buffer *out, const struct weir_rls_status *status)
{
    const size_t start = begin(out, 2);
    put_number(out, 1, status->requests_per_unit);
    put_number(out, 2, (uint64_t)status->unit);
    put_text(out, 3, status->name);
    end(out, start);
}

static void put_duration(struct weir_buffer *out, int64_t us)
{
    const size_t start = begin(out, 4);
    put_number(out, 1, (uint64_t)(us / SECOND_US));
    put_number(out, 2, (uint64_t)(us % SECOND_US) * 1000);
    end(out, start);
}

static void put_status(struct weir_buffer *out, const struct weir_rls_status *status)
{
    const size_t start = begin(out, 2);
    put_number(out, 1, (uint64_t)status->code);
    if (status->has_limit) {
        put_limit(out, status);
    }
    put_number(out, 3, status->remaining);
    if (status->has_reset) {
        put_duration(out, status->reset_us);
    }
    end(out, start);
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
        put_tag(out, 1, WIRE_VARINT);
        put_varint(out, 0);
        break;
    case WEIR_RLS_NUMBER:
        memcpy(&bits, &value->number, sizeof(bits));
        put_tag(out, 2, WIRE_FIXED64);
        for (unsigned i = 0; i < sizeof(bits); i++) {
            const char byte = (char)(bits >> (8 * i));
            weir_buffer_put(out, weir_bytes(&byte, 1));
        }
        break;
    case WEIR_RLS_TEXT:
        put_bytes(out, 3, value->text);
        break;
    case WEIR_RLS_BOOLEAN:
        put_tag(out, 4, WIRE_VARINT);
        put_varint(out, value->boolean ? 1 : 0);
        break;
    case WEIR_RLS_STRUCT:
        start = begin(out, 5);
        put_fields(out, value);
        end(out, start);
        break;
    case WEIR_RLS_LIST:
        start = begin(out, 6);
        for (size_t i = 0; i < value->count; i++) {
            const size_t item = begin(out, 1);
            put_value(out, &value->values[i]);
            end(out, item);
        }
        end(out, start);
        break;
    }
}

/* A map is a list of entries of a key and a value. */
static void put_fields(struct weir_buffer *out, const struct weir_rls_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        const size_t entry = begin(out, 1);
        put_bytes(out, 1, value->names[i]);
        const size_t start = begin(out, 2);
        put_value(out, &value->values[i]);
        end(out, start);
        end(out, entry);
    }
}
/* NOLINTEND(misc-no-recursion) */

void weir_rls_encode(const struct weir_rls_response *response, struct weir_arena *arena,
                     struct weir_buffer *out)
{
    (void)arena;
    put_number(out, 1, (uint64_t)response->overall);
    for (size_t i = 0; i < response->status_count; i++) {
        put_status(out, &response->statuses[i]);
    }
    for (size_t i = 0; i < response->header_count; i++) {
        const size_t start = begin(out, 3);
        put_text(out, 1, response->headers[i].key);
        put_text(out, 2, response->headers[i].value);
        end(out, start);
    }
    if (response->metadata != NULL) {
        const size_t start = begin(out, 6);
        put_fields(out, response->metadata);
        end(out, start);
    }
}
