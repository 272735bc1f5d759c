/* http_text.c - see http_text.h. */

#include "support/http_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- Requests as text --------------------------------------------------------------------- */

static void print_text(FILE *to, const char *before, struct weir_bytes text)
{
    (void)fprintf(to, "%s \"", before);
    resp_text_print(to, text);
    (void)fputc('"', to);
}

static void print_request(FILE *to, const struct weir_http_request *request)
{
    resp_text_print(to, request->method);
    print_text(to, "", request->path);
    if (request->query.len > 0) {
        print_text(to, " query", request->query);
    }
    (void)fprintf(to, " HTTP/1.%u", request->minor);
    if (request->host.len > 0) {
        print_text(to, " host", request->host);
    }
    (void)fputs(request->keep_alive ? "" : " close", to);
    for (size_t i = 0; i < request->header_count; i++) {
        (void)fputs(i == 0 ? " [" : ", ", to);
        resp_text_print(to, request->headers[i].name);
        print_text(to, ":", request->headers[i].value);
    }
    (void)fputs(request->header_count > 0 ? "]" : "", to);
    if (request->body.len > 0) {
        print_text(to, " body", request->body);
    }
    (void)fputc('\n', to);
}

/* ---- A reader's work ---------------------------------------------------------------------- */

/* A connection: bytes that came and were not used yet, in a block of just their size. */
struct connection {
    struct weir_http_reader reader;
    char *bytes;
    size_t len;
};

/* What is left of the bytes from `used` on, and `more` behind it. */
static void move_bytes(struct connection *connection, size_t used, struct weir_bytes more)
{
    const size_t left = connection->len - used;
    char *bytes = malloc(left + more.len > 0 ? left + more.len : 1);
    assert(bytes != NULL);
    if (left > 0) {
        memcpy(bytes, connection->bytes + used, left);
    }
    if (more.len > 0) {
        memcpy(bytes + left, more.ptr, more.len);
    }
    free(connection->bytes);
    connection->bytes = bytes;
    connection->len = left + more.len;
}

static bool is_within(struct weir_bytes text, struct weir_bytes used)
{
    return text.ptr >= used.ptr && text.ptr <= used.ptr + used.len &&
           text.len <= (size_t)(used.ptr + used.len - text.ptr);
}

/* Holds a request's texts to the bytes they are of. */
static void check_request(const struct weir_http_request *request, struct weir_bytes used,
                          struct weir_bytes body)
{
    assert(is_within(request->method, used) && request->method.len > 0);
    assert(is_within(request->target, used) && request->target.len > 0);
    assert(is_within(request->path, request->target) ||
           (request->path.len == 1 && *request->path.ptr == '/'));
    assert(request->query.len == 0 || is_within(request->query, request->target));
    assert(request->host.len == 0 || is_within(request->host, used));
    assert(request->header_count <= WEIR_HTTP_HEADERS_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        assert(is_within(request->headers[i].name, used) && request->headers[i].name.len > 0);
        assert(is_within(request->headers[i].value, used));
    }
    assert(request->body.len == 0 || is_within(request->body, used) ||
           is_within(request->body, body));
}

/* Reads once, with all else than the reader new; false where there is no request. */
static bool read_one(struct connection *connection, FILE *to, enum weir_http_state *ret_state)
{
    struct weir_http_request *request = malloc(sizeof(*request));
    assert(request != NULL);
    memset(request, 0xa5, sizeof(*request));
    struct weir_buffer body = {0};
    size_t used = SIZE_MAX;
    *ret_state = weir_http_read(&connection->reader, weir_bytes(connection->bytes, connection->len),
                                &body, request, &used);
    const bool whole = *ret_state == WEIR_HTTP_REQUEST;
    assert(whole == (used != SIZE_MAX));
    if (whole) {
        assert(used > 0 && used <= connection->len);
        check_request(request, weir_bytes(connection->bytes, used), weir_buffer_bytes(&body));
        print_request(to, request);
        move_bytes(connection, used, weir_bytes(NULL, 0));
    }
    weir_buffer_deinit(&body);
    free(request);
    return whole;
}

char *http_transcript(const struct http_limits *limits, struct weir_bytes input,
                      struct resp_feed feed)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert(to != NULL);
    struct connection connection = {
        .reader = {.max = {limits->head, limits->target, limits->body}}};
    enum weir_http_state state = WEIR_HTTP_MORE;
    for (size_t at = 0; at < input.len;) {
        const size_t piece = resp_feed_next(&feed, input.len - at);
        const bool was_bad = state == WEIR_HTTP_BAD;
        move_bytes(&connection, 0, weir_bytes(input.ptr + at, piece));
        at += piece;
        while (read_one(&connection, to, &state)) {
        }
        assert(!was_bad || state == WEIR_HTTP_BAD);
    }
    if (state == WEIR_HTTP_BAD) {
        (void)fprintf(to, "bad %u: %s\n", connection.reader.status, connection.reader.complaint);
    } else if (connection.len > 0) {
        (void)fputs("more\n", to);
    }
    free(connection.bytes);
    (void)fclose(to);
    return text;
}

const char *http_transcript_trouble(const char *transcript)
{
    const char *last = transcript;
    for (const char *next = transcript; *next != '\0'; next = strchr(next, '\n') + 1) {
        last = next;
    }
    return strncmp(last, "more\n", 5) == 0 || strncmp(last, "bad ", 4) == 0 ? last : NULL;
}
