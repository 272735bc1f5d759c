/* headers.c - what the headers of a call say. See parts.h.
 *
 * Source: the document "gRPC over HTTP2" of the gRPC project. */

#include "grpc/parts.h"

#include <string.h>
#include <strings.h>

/* The longest that is waited for: a deadline past it is none. */
#define TIMEOUT_US_MAX (INT64_C(366) * 86400 * 1000000)

static bool equals(struct weir_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.ptr, text, bytes.len) == 0;
}

/* application/grpc, alone or with a format or parameters behind it. */
static bool is_grpc_type(struct weir_bytes value)
{
    static const char type[] = "application/grpc";
    const size_t len = sizeof(type) - 1;
    return value.len >= len && strncasecmp(value.ptr, type, len) == 0 &&
           (value.len == len || value.ptr[len] == '+' || value.ptr[len] == ';');
}

bool weir_grpc_read_timeout(struct weir_bytes text, int64_t *ret_us)
{
    static const struct {
        char letter;
        int64_t ns;
    } units[] = {{'H', INT64_C(3600000000000)},
                 {'M', INT64_C(60000000000)},
                 {'S', INT64_C(1000000000)},
                 {'m', 1000000},
                 {'u', 1000},
                 {'n', 1}};
    if (text.len < 2 || text.len > WEIR_GRPC_TIMEOUT_MAX) {
        return false;
    }
    int64_t number = 0;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        number = number * 10 + (text.ptr[i] - '0');
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].letter == text.ptr[text.len - 1]) {
            const int64_t us = number > TIMEOUT_US_MAX * 1000 / units[i].ns
                                   ? TIMEOUT_US_MAX
                                   : number * units[i].ns / 1000;
            *ret_us = us > 0 ? us : 1;
            return true;
        }
    }
    return false;
}

static void keep(struct weir_grpc_call *call, struct weir_bytes value, size_t *ret_len)
{
    weir_buffer_put(&call->text, value);
    *ret_len = value.len;
    if (call->text.failed) {
        call->wrong = WEIR_GRPC_NO_MEMORY;
        *ret_len = 0;
    }
}

void weir_grpc_take_header(struct weir_grpc_call *call, struct weir_bytes name,
                           struct weir_bytes value)
{
    call->header_bytes += name.len + value.len;
    if (call->header_bytes > call->grpc->options.header_bytes) {
        call->wrong = WEIR_GRPC_TOO_LARGE;
        return;
    }
    if (equals(name, ":method")) {
        call->is_post = equals(value, "POST");
    } else if (equals(name, ":path")) {
        keep(call, value, &call->path_len); /* the first: a request has one, before all else */
    } else if (equals(name, "content-type")) {
        call->is_grpc = is_grpc_type(value);
    } else if (equals(name, "grpc-timeout")) {
        if (!weir_grpc_read_timeout(value, &call->timeout_us) && call->wrong == 0) {
            call->wrong = WEIR_GRPC_WRONG_TIMEOUT;
        }
    } else if (equals(name, "grpc-encoding")) {
        if (!equals(value, "identity") && call->wrong == 0) {
            call->wrong = WEIR_GRPC_WRONG_ENCODING;
        }
    } else if (equals(name, "authorization") && call->authorization_len == 0) {
        call->authorization_at = call->text.len;
        keep(call, value, &call->authorization_len);
    }
}
