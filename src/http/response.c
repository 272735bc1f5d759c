/* response.c - writing what a server answers. See http.h. */

#include "http/parse.h"

#include <string.h>

/* What a response has besides its texts: the words of its lines, three digits and twenty. */
#define FRAME_MAX 160

static const struct {
    unsigned status;
    const char *words;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *weir_http_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].words;
        }
    }
    return "";
}

/* Copies to where there is room: returns what is behind. */
static char *add(char *at, struct weir_bytes bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    return at + bytes.len;
}

static char *add_text(char *at, const char *text)
{
    return add(at, weir_bytes(text, strlen(text)));
}

static char *add_number(char *at, size_t number)
{
    char digits[20];
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return add(at, weir_bytes(digits + first, sizeof(digits) - first));
}

void weir_http_respond(struct weir_buffer *out, const struct weir_http_response *response,
                       struct weir_bytes headers, struct weir_bytes body)
{
    const unsigned status = response->status;
    const bool empty = status < 200 || status == 204 || status == 304;
    const char *const type = response->content_type;
    const size_t type_len = type != NULL ? strlen(type) : 0;
    if (!weir_buffer_reserve(out, FRAME_MAX + type_len + headers.len + body.len)) {
        return;
    }
    char *at = out->bytes + out->len;
    at = add_text(at, "HTTP/1.1 ");
    at = add_number(at, status);
    at = add_text(at, " ");
    at = add_text(at, weir_http_reason(status));
    at = add_text(at, "\r\n");
    if (!empty) {
        at = add_text(at, "Content-Length: ");
        at = add_number(at, body.len);
        at = add_text(at, "\r\n");
    }
    if (type != NULL) {
        at = add_text(at, "Content-Type: ");
        at = add(at, weir_bytes(type, type_len));
        at = add_text(at, "\r\n");
    }
    if (response->close) {
        at = add_text(at, "Connection: close\r\n");
    }
    at = add(at, headers);
    at = add_text(at, "\r\n");
    if (!empty && !response->head) {
        at = add(at, body);
    }
    out->len = (size_t)(at - out->bytes);
}

void weir_http_put_header(struct weir_buffer *out, const char *name, struct weir_bytes value)
{
    const size_t name_len = strlen(name);
    if (!weir_buffer_reserve(out, name_len + 4 + value.len)) {
        return;
    }
    char *at = out->bytes + out->len;
    at = add(at, weir_bytes(name, name_len));
    at = add_text(at, ": ");
    for (size_t i = 0; i < value.len; i++) {
        *at++ = value.ptr[i];
        if (!weir_http_may(value.ptr[i], WEIR_HTTP_TEXT)) {
            at[-1] = '?';
        }
    }
    at = add_text(at, "\r\n");
    out->len = (size_t)(at - out->bytes);
}
