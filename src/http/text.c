/* text.c - small things done to the texts of a request: comparing, lists, %XX. */

#include "http/parse.h"

#include <string.h>

static unsigned char lower_case(char byte)
{
    return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

bool weir_http_same(struct weir_bytes one, struct weir_bytes other)
{
    if (one.len != other.len) {
        return false;
    }
    for (size_t i = 0; i < one.len; i++) {
        if (lower_case(one.ptr[i]) != lower_case(other.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool weir_http_is(struct weir_bytes name, const char *lower)
{
    size_t i = 0;
    while (i < name.len && lower[i] != '\0' && lower_case(name.ptr[i]) == (unsigned char)lower[i]) {
        i++;
    }
    return i == name.len && lower[i] == '\0';
}

const struct weir_bytes *weir_http_find(const struct weir_http_request *request, const char *lower)
{
    const size_t len = strlen(lower);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct weir_http_header *header = &request->headers[i];
        if (header->name.len == len && weir_http_is(header->name, lower)) {
            return &header->value;
        }
    }
    return NULL;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

struct weir_bytes weir_http_trim(const char *at, const char *end)
{
    while (at < end && is_blank(*at)) {
        at++;
    }
    while (at < end && is_blank(end[-1])) {
        end--;
    }
    return weir_bytes(at, (size_t)(end - at));
}

const char *weir_http_element(const char *at, const char *end, struct weir_bytes *ret_element)
{
    const char *comma = at;
    while (comma < end && *comma != ',') {
        comma++;
    }
    *ret_element = weir_http_trim(at, comma);
    return comma < end ? comma + 1 : NULL;
}

/* ---- %XX ---------------------------------------------------------------------------------- */

/* The byte that the text starts with, undone, and how much of the text it takes; 0: it is bad. */
static size_t decode_one(struct weir_bytes text, bool plus, char *ret_byte)
{
    if (*text.ptr != '%') {
        *ret_byte = *text.ptr == '+' && plus ? ' ' : *text.ptr;
        return 1;
    }
    if (text.len < 3) {
        return 0;
    }
    const int high = weir_http_hex(text.ptr[1]);
    const int low = weir_http_hex(text.ptr[2]);
    if (high < 0 || low < 0 || high + low == 0) {
        return 0;
    }
    *ret_byte = (char)(high * 16 + low);
    return 3;
}

bool weir_http_decode(struct weir_bytes text, bool plus, struct weir_buffer *out)
{
    const size_t before = out->len;
    if (!weir_buffer_reserve(out, text.len)) {
        return true;
    }
    while (text.len > 0) {
        const size_t used = decode_one(text, plus, &out->bytes[out->len]);
        if (used == 0) {
            out->len = before;
            return false;
        }
        out->len++;
        text = weir_bytes(text.ptr + used, text.len - used);
    }
    return true;
}
