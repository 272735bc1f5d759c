/* reader.c - reading requests from whatever bytes have come: the head, then the body. See http.h,
 * then parse.h.
 *
 * What a call leaves for the next one: while there is no whole head, up to where lines were looked
 * at; once there is, where it ends and what the body will be. The head is read again when the body
 * is there, as its texts are where the bytes are by then.
 *
 * Invariant: lines before reader->line were read, and found right. */

#include "http/parse.h"

#include <assert.h>
#include <string.h>

/* The most bytes of a first line: "METHOD TARGET HTTP/1.1" and CRLF. */
#define FIRST_LINE_REST (WEIR_HTTP_METHOD_MAX + 1 + 1 + 8 + 2)

void weir_http_bad(struct weir_http_reader *reader, unsigned status, const char *complaint)
{
    if (reader->status == 0) {
        reader->status = status;
        reader->complaint = complaint;
    }
}

/* ---- Lines -------------------------------------------------------------------------------- */

/* Whether the control at `at` is the start of a CRLF that has not come to its end. */
static bool is_cut(const char *at, const char *end)
{
    return *at == '\r' && at + 1 == end;
}

bool weir_http_line(struct weir_http_reader *reader, struct weir_bytes input, size_t limit,
                    struct weir_bytes *ret_line)
{
    const char *const end = input.ptr + (input.len < limit ? input.len : limit);
    if (reader->looked >= (size_t)(end - input.ptr)) {
        return false;
    }
    const char *at = weir_http_skip(input.ptr + reader->looked, end, WEIR_HTTP_TEXT);
    reader->looked = (size_t)(at - input.ptr);
    if (at == end || is_cut(at, end)) {
        return false;
    }
    if (at[0] != '\r' || at[1] != '\n') {
        weir_http_bad(reader, 400,
                      *at == '\r' || *at == '\n' ? "a line ends with other than CRLF"
                                                 : "a line has a control character");
        return false;
    }
    reader->looked += 2;
    *ret_line = weir_bytes(input.ptr + reader->line, reader->looked - reader->line);
    return true;
}

/* ---- The head, line by line --------------------------------------------------------------- */

/* Nothing of a head is looked at from here on. */
static size_t line_limit(const struct weir_http_reader *reader)
{
    const size_t head = weir_http_head_max(reader);
    const size_t line = reader->line + weir_http_target_max(reader) + FIRST_LINE_REST;
    return reader->begun || line > head ? head : line;
}

/* The bytes up to the limit are there and no line ends among them. */
static void line_too_long(struct weir_http_reader *reader, struct weir_bytes input, size_t limit)
{
    if (limit == weir_http_head_max(reader)) {
        weir_http_bad(reader, 431, "a head is longer than is allowed");
    } else if (memchr(input.ptr + reader->line, ' ', WEIR_HTTP_METHOD_MAX + 1) == NULL) {
        weir_http_bad(reader, 501, "a method is longer than any that there is");
    } else {
        weir_http_bad(reader, 414, "a target is longer than is allowed");
    }
}

/* Reads a line of a head, to see whether it is right. True: the head ends with it. */
static bool look_at_line(struct weir_http_reader *reader, struct weir_bytes line,
                         struct weir_http_request *request)
{
    const char *const end = line.ptr + line.len;
    if (reader->begun) {
        struct weir_http_header header;
        if (line.len > 2 && weir_http_header_line(reader, line.ptr, end, &header) == NULL) {
            weir_http_bad(reader, 400, "a header has no colon");
        }
        return line.len == 2;
    }
    if (line.len == 2 && reader->line == 0) {
        return false;
    }
    reader->begun = true;
    if (weir_http_request_line(reader, line.ptr, end, request) == NULL) {
        weir_http_bad(reader, 400, "a request line is no METHOD TARGET HTTP/1.1");
    }
    return false;
}

/* True: a whole head is there, and ends at reader->looked. */
static bool look_for_head(struct weir_http_reader *reader, struct weir_bytes input,
                          struct weir_http_request *request)
{
    struct weir_bytes line;
    size_t limit = line_limit(reader);
    while (weir_http_line(reader, input, limit, &line)) {
        if (look_at_line(reader, line, request) || reader->status != 0) {
            return reader->status == 0;
        }
        reader->line = reader->looked;
        limit = line_limit(reader);
    }
    if (input.len >= limit) {
        line_too_long(reader, input, limit);
    }
    return false;
}

/* ---- A request ---------------------------------------------------------------------------- */

/* Reads a head that is whole, to fill in `request`; false where it isn't whole, or is bad. */
static bool read_head(struct weir_http_reader *reader, struct weir_bytes input,
                      struct weir_http_request *request)
{
    const size_t max = weir_http_head_max(reader);
    const char *end =
        weir_http_head(reader, weir_bytes(input.ptr, input.len < max ? input.len : max), request);
    if (end == NULL) {
        return false;
    }
    reader->head_len = (size_t)(end - input.ptr);
    reader->looked = reader->head_len;
    reader->line = reader->head_len;
    return true;
}

/* The same of a head that may come in parts. */
static bool find_head(struct weir_http_reader *reader, struct weir_bytes input,
                      struct weir_http_request *request)
{
    if (reader->looked == 0) {
        if (read_head(reader, input, request)) {
            return true;
        }
        reader->status = 0;
    }
    return look_for_head(reader, input, request) &&
           read_head(reader, weir_bytes(input.ptr, reader->looked), request);
}

/* The body is not there. */
static enum weir_http_state need_more(struct weir_http_reader *reader, struct weir_bytes input)
{
    const bool waits = reader->waits && input.len == reader->head_len;
    reader->waits = false;
    return waits ? WEIR_HTTP_CONTINUE : WEIR_HTTP_MORE;
}

static enum weir_http_state find_body(struct weir_http_reader *reader, struct weir_bytes input)
{
    if (reader->chunked) {
        return weir_http_chunks(reader, input);
    }
    return input.len - reader->head_len < reader->body_len ? WEIR_HTTP_MORE : WEIR_HTTP_REQUEST;
}

/* All is there; the reader is made ready for the next. */
static enum weir_http_state finish(struct weir_http_reader *reader, struct weir_bytes input,
                                   struct weir_buffer *body, struct weir_http_request *request,
                                   size_t *ret_used)
{
    if (!reader->chunked) {
        request->body = weir_bytes(input.ptr + reader->head_len, reader->body_len);
        *ret_used = reader->head_len + reader->body_len;
    } else {
        if (!weir_http_join(reader, input, body)) {
            weir_http_bad(reader, 503, "there is no memory for a body");
            return WEIR_HTTP_BAD;
        }
        request->body = weir_buffer_bytes(body);
        *ret_used = reader->looked;
    }
    *reader = (struct weir_http_reader){.max = reader->max};
    return WEIR_HTTP_REQUEST;
}

enum weir_http_state weir_http_read(struct weir_http_reader *reader, struct weir_bytes input,
                                    struct weir_buffer *body, struct weir_http_request *request,
                                    size_t *ret_used)
{
    if (reader->status != 0) {
        return WEIR_HTTP_BAD;
    }
    const bool known = reader->head_len > 0;
    assert(input.len >= reader->looked);
    if (!known && (input.len == 0 || !find_head(reader, input, request))) {
        return reader->status != 0 ? WEIR_HTTP_BAD : WEIR_HTTP_MORE;
    }
    const enum weir_http_state state = find_body(reader, input);
    if (state == WEIR_HTTP_MORE) {
        return need_more(reader, input);
    }
    if (state == WEIR_HTTP_REQUEST && known) {
        struct weir_http_reader again = {.max = reader->max};
        const char *end = weir_http_head(&again, weir_bytes(input.ptr, reader->head_len), request);
        assert(end == input.ptr + reader->head_len);
        (void)end;
    }
    return state == WEIR_HTTP_REQUEST ? finish(reader, input, body, request, ret_used) : state;
}
