/* chunk.c - a body that comes in chunks: found as they come, put together once all are there. See
 * http.h, then parse.h.
 *
 * Chunks' lines and the trailers take room beside the body, in the peer's buffer: as much as a body
 * and a head may, together. Trailers are looked at and dropped.
 *
 * Invariant: chunks before reader->line are whole and right, and their bytes are body_len. */

#include "http/parse.h"

/* No trailer may be one of these: what a request is was said before them. */
static const char *const framing[] = {"connection", "content-length",    "expect", "host", "te",
                                      "trailer",    "transfer-encoding", "upgrade"};

/* Reads the digits at `at`; where they end. What is more than `max` becomes max + 1. */
static const char *read_size(const char *at, size_t max, size_t *ret_size)
{
    size_t size = 0;
    for (; weir_http_hex(*at) >= 0; at++) {
        size = size > max ? size : size * 16 + (size_t)weir_http_hex(*at);
    }
    *ret_size = size > max ? max + 1 : size;
    return at;
}

/* A quoted string, of which `at` is behind the first quote: where it ends; NULL. As in other
 * readers there is no backslash in it. The line ends with CR, which no string has. */
static const char *quoted_end(const char *at)
{
    while (*at != '"') {
        if (*at == '\r' || *at == '\\') {
            return NULL;
        }
        at++;
    }
    return at + 1;
}

/* Skips ";name" and ";name=value", any number of them; NULL where there is something else before
 * the line's end. */
static const char *skip_extensions(const char *at, const char *end)
{
    while (*at == ';') {
        const char *name = at + 1;
        at = weir_http_skip(name, end, WEIR_HTTP_NAME);
        if (at == name) {
            return NULL;
        }
        if (*at == '=') {
            const char *value = at + 1;
            at = *value == '"' ? quoted_end(value + 1) : weir_http_skip(value, end, WEIR_HTTP_NAME);
            if (at == NULL || at == value) {
                return NULL;
            }
        }
    }
    return *at == '\r' ? at : NULL;
}

/* Where nothing is looked at any more: what may stand beside the body ends there. */
static size_t rest_limit(const struct weir_http_reader *reader)
{
    return reader->head_len + reader->body_len + weir_http_body_max(reader) +
           weir_http_head_max(reader);
}

/* The line at reader->line, if it is whole. */
static bool next_line(struct weir_http_reader *reader, struct weir_bytes input,
                      struct weir_bytes *ret_line)
{
    const size_t rest = rest_limit(reader);
    const size_t line = reader->line + WEIR_HTTP_CHUNK_LINE_MAX + 2;
    const size_t limit = reader->trailers || line > rest ? rest : line;
    if (weir_http_line(reader, input, limit, ret_line)) {
        return true;
    }
    if (input.len >= limit && limit == rest) {
        weir_http_bad(reader, 413, "what is beside a body's bytes is more than is allowed");
    } else if (input.len >= limit) {
        weir_http_bad(reader, 400, "a chunk's line is longer than is allowed");
    }
    return false;
}

/* True: it is the last line. */
static bool look_at_trailer(struct weir_http_reader *reader, struct weir_bytes line)
{
    struct weir_http_header header;
    if (line.len == 2) {
        return true;
    }
    if (weir_http_header_line(reader, line.ptr, line.ptr + line.len, &header) == NULL) {
        weir_http_bad(reader, 400, "a trailer has no colon");
        return false;
    }
    for (size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
        if (weir_http_is(header.name, framing[i])) {
            weir_http_bad(reader, 400, "a trailer says what only a header may");
        }
    }
    return false;
}

static void look_at_size(struct weir_http_reader *reader, struct weir_bytes line)
{
    size_t size = 0;
    const size_t left = weir_http_body_max(reader) - reader->body_len;
    const char *const at = read_size(line.ptr, left, &size);
    if (at == line.ptr || skip_extensions(at, line.ptr + line.len) == NULL) {
        weir_http_bad(reader, 400, "a chunk's line is no hexadecimal number with extensions");
    } else if (size > left) {
        weir_http_bad(reader, 413, "a body is longer than is allowed");
    } else if (size == 0) {
        reader->trailers = true;
    } else {
        reader->chunk = size;
    }
}

/* Goes on behind a chunk's bytes and CRLF, if these are there. */
static bool pass_chunk(struct weir_http_reader *reader, struct weir_bytes input)
{
    if (input.len - reader->line < reader->chunk + 2) {
        return false;
    }
    const char *const end = input.ptr + reader->line + reader->chunk;
    if (end[0] != '\r' || end[1] != '\n') {
        weir_http_bad(reader, 400, "a chunk's bytes are not followed by CRLF");
        return false;
    }
    reader->body_len += reader->chunk;
    reader->line += reader->chunk + 2;
    reader->looked = reader->line;
    reader->chunk = 0;
    return true;
}

enum weir_http_state weir_http_chunks(struct weir_http_reader *reader, struct weir_bytes input)
{
    struct weir_bytes line = {NULL, 0};
    while (reader->chunk > 0 ? pass_chunk(reader, input) : next_line(reader, input, &line)) {
        if (reader->line == reader->looked) {
            continue;
        }
        reader->line = reader->looked;
        if (!reader->trailers) {
            look_at_size(reader, line);
        } else if (look_at_trailer(reader, line)) {
            return WEIR_HTTP_REQUEST;
        }
        if (reader->status != 0) {
            break;
        }
    }
    return reader->status != 0 ? WEIR_HTTP_BAD : WEIR_HTTP_MORE;
}

bool weir_http_join(const struct weir_http_reader *reader, struct weir_bytes input,
                    struct weir_buffer *body)
{
    weir_buffer_clear(body);
    if (!weir_buffer_reserve(body, reader->body_len)) {
        return false;
    }
    const char *at = input.ptr + reader->head_len;
    while (body->len < reader->body_len) {
        size_t size = 0;
        at = read_size(at, reader->body_len, &size);
        while (*at++ != '\n') {
        }
        weir_buffer_put(body, weir_bytes(at, size));
        at += size + 2;
    }
    return true;
}
