/* head.c - reading a request's head: its first line, its headers, and what these say of the body.
 * See http.h, then parse.h.
 *
 * Invariant: nothing from `end` on is looked at, and what returns NULL without a complaint lacks
 * nothing but bytes. */

#include "http/parse.h"

#include "base/hash.h" /* weir_load_word */

#include <string.h>

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* "HTTP/1.1" and CRLF. */
#define VERSION_LEN 10

/* ---- The first line ----------------------------------------------------------------------- */

static const char *read_method(struct weir_http_reader *reader, const char *at, const char *end,
                               struct weir_http_request *request)
{
    const char *const after = weir_http_skip(at, end, WEIR_HTTP_METHOD);
    if (after == end) {
        return NULL;
    }
    if (*after != ' ' || after == at) {
        weir_http_bad(reader, 400, "a method is capitals, and one blank follows it");
        return NULL;
    }
    if (after - at > WEIR_HTTP_METHOD_MAX) {
        weir_http_bad(reader, 501, "a method is longer than any that there is");
        return NULL;
    }
    request->method = weir_bytes(at, (size_t)(after - at));
    return after + 1;
}

/* Splits a target, or what follows its host, into path and query. */
static void split_target(struct weir_http_request *request, const char *at, const char *end)
{
    const char *const path_end = weir_http_skip(at, end, WEIR_HTTP_PATH);
    request->path = weir_bytes(at, (size_t)(path_end - at));
    request->query = weir_bytes(NULL, 0);
    if (path_end < end) {
        request->query = weir_bytes(path_end + 1, (size_t)(end - path_end) - 1);
    }
}

/* How long the "http://" or "https://" is that a target starts with; 0. */
static size_t scheme_len(struct weir_bytes target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        const size_t len = strlen(schemes[i]);
        if (target.len >= len && weir_http_is(weir_bytes(target.ptr, len), schemes[i])) {
            return len;
        }
    }
    return 0;
}

/* A target that doesn't start with '/'. The host of a whole URL goes to request->host. */
static bool read_other_target(struct weir_http_reader *reader, struct weir_http_request *request)
{
    const struct weir_bytes target = request->target;
    if (target.len == 1 && *target.ptr == '*' && weir_http_is(request->method, "options")) {
        split_target(request, target.ptr, target.ptr + 1);
        return true;
    }
    const size_t scheme = scheme_len(target);
    if (scheme == 0) {
        weir_http_bad(reader, 400, "a target is neither a path nor a whole URL");
        return false;
    }
    const char *const host = target.ptr + scheme;
    const char *const end = target.ptr + target.len;
    const char *path = host;
    while (path < end && *path != '/' && *path != '?') {
        path++;
    }
    request->host = weir_bytes(host, (size_t)(path - host));
    split_target(request, path, end);
    if (request->path.len == 0) {
        request->path = weir_bytes("/", 1);
    }
    return true;
}

static const char *read_target(struct weir_http_reader *reader, const char *at, const char *end,
                               struct weir_http_request *request)
{
    const char *const path_end = weir_http_skip(at, end, WEIR_HTTP_PATH);
    const char *const after = weir_http_skip(path_end, end, WEIR_HTTP_TARGET);
    if (after == end) {
        return NULL;
    }
    if (*after != ' ' || after == at) {
        weir_http_bad(reader, 400, "a target is bytes that print, but '#', and one blank follows");
        return NULL;
    }
    const size_t len = (size_t)(after - at);
    if (len > weir_http_target_max(reader)) {
        weir_http_bad(reader, 414, "a target is longer than is allowed");
        return NULL;
    }
    request->target = weir_bytes(at, len);
    request->host = weir_bytes(NULL, 0);
    request->path = weir_bytes(at, (size_t)(path_end - at));
    request->query = path_end == after ? weir_bytes(NULL, 0)
                                       : weir_bytes(path_end + 1, (size_t)(after - path_end) - 1);
    return after + 1;
}

static const char *read_version(struct weir_http_reader *reader, const char *at, const char *end,
                                struct weir_http_request *request)
{
    if (end - at < VERSION_LEN) {
        return NULL;
    }
    const bool version = memcmp(at, "HTTP/", 5) == 0 && weir_http_may(at[5], WEIR_HTTP_DIGIT) &&
                         at[6] == '.' && weir_http_may(at[7], WEIR_HTTP_DIGIT);
    if (!version || at[8] != '\r' || at[9] != '\n') {
        weir_http_bad(reader, 400, "a request line doesn't end with HTTP/1.1 and CRLF");
        return NULL;
    }
    if (at[5] != '1' || (at[7] != '0' && at[7] != '1')) {
        weir_http_bad(reader, 505, "a version is other than HTTP/1.1 and HTTP/1.0");
        return NULL;
    }
    request->minor = (unsigned)(at[7] - '0');
    return at + VERSION_LEN;
}

/* What can be said of a target once it is known that this is HTTP of our version. */
static inline bool check_target(struct weir_http_reader *reader, struct weir_http_request *request)
{
    if (request->method.len == 7 && memcmp(request->method.ptr, "CONNECT", 7) == 0) {
        weir_http_bad(reader, 501, "CONNECT is for proxies");
        return false;
    }
    return *request->target.ptr == '/' || read_other_target(reader, request);
}

const char *weir_http_request_line(struct weir_http_reader *reader, const char *at, const char *end,
                                   struct weir_http_request *request)
{
    at = read_method(reader, at, end, request);
    at = at == NULL ? NULL : read_target(reader, at, end, request);
    at = at == NULL ? NULL : read_version(reader, at, end, request);
    return at != NULL && check_target(reader, request) ? at : NULL;
}

/* ---- A header ----------------------------------------------------------------------------- */

/* Where a line's text ends: at its first control but tab. Eight bytes at a time: a byte below space
 * borrows from its own highest bit, which no byte has that is not above 127; of those to the right
 * of the first that is found nothing is asked. */
static inline const char *text_end(const char *at, const char *end)
{
    while (end - at >= 8) {
        const uint64_t word = weir_load_word(at);
        const uint64_t delete = word ^ EACH_BYTE(0x7f);
        const uint64_t found =
            (((word - EACH_BYTE(0x20)) & ~word) | ((delete - EACH_BYTE(0x01)) & ~delete)) &
            EACH_BYTE(0x80);
        if (found == 0) {
            at += 8;
            continue;
        }
        at += (unsigned)__builtin_ctzll(found) / 8;
        if (*at != '\t') {
            return at;
        }
        at++;
    }
    return weir_http_skip(at, end, WEIR_HTTP_TEXT);
}

const char *weir_http_header_line(struct weir_http_reader *reader, const char *at, const char *end,
                                  struct weir_http_header *ret_header)
{
    const char *after = weir_http_skip(at, end, WEIR_HTTP_NAME);
    if (after == end) {
        return NULL;
    }
    if (*after != ':' || after == at) {
        const bool folded = after == at && (*at == ' ' || *at == '\t');
        weir_http_bad(reader, 400,
                      folded ? "a line goes on in the next one"
                             : "a header has no name, or other than a colon after it");
        return NULL;
    }
    ret_header->name = weir_bytes(at, (size_t)(after - at));
    at = after + 1;
    after = text_end(at, end);
    if (end - after < 2) {
        return NULL;
    }
    if (after[0] != '\r' || after[1] != '\n') {
        weir_http_bad(reader, 400, "a header's value has a control character");
        return NULL;
    }
    ret_header->value = weir_http_trim(at, after);
    return after + 2;
}

/* ---- What headers mean -------------------------------------------------------------------- */

/* Those of a head that say where it belongs and where it ends. */
struct notes {
    struct weir_bytes host;
    struct weir_bytes length;
    struct weir_bytes transfer;
    struct weir_bytes expect;
    unsigned hosts;
    unsigned lengths;
    unsigned transfers;
    unsigned expects;
    bool close;
    bool keep_alive;
};

/* Whether `name`, as long as `lower` is, is the same but for case. Of the bytes of a name only
 * capitals become other such bytes by this bit. */
static inline bool same_name(struct weir_bytes name, const char *lower)
{
    unsigned char other = 0;
    for (size_t i = 0; i < name.len; i++) {
        other |= ((unsigned char)name.ptr[i] | 0x20) ^ (unsigned char)lower[i];
    }
    return other == 0;
}

static void note_connection(struct notes *notes, struct weir_bytes value)
{
    const char *at = value.ptr;
    const char *const end = value.ptr + value.len;
    while (at != NULL) {
        struct weir_bytes element;
        at = weir_http_element(at, end, &element);
        notes->close |= weir_http_is(element, "close");
        notes->keep_alive |= weir_http_is(element, "keep-alive");
    }
}

static inline void note_one(struct weir_bytes *value, unsigned *count,
                            const struct weir_http_header *header, const char *lower)
{
    if (same_name(header->name, lower)) {
        *value = header->value;
        ++*count;
    }
}

static inline void note_header(struct notes *notes, const struct weir_http_header *header)
{
    switch (header->name.len) {
    case 4:
        note_one(&notes->host, &notes->hosts, header, "host");
        break;
    case 6:
        note_one(&notes->expect, &notes->expects, header, "expect");
        break;
    case 10:
        if (same_name(header->name, "connection")) {
            note_connection(notes, header->value);
        }
        break;
    case 14:
        note_one(&notes->length, &notes->lengths, header, "content-length");
        break;
    case 17:
        note_one(&notes->transfer, &notes->transfers, header, "transfer-encoding");
        break;
    default:
        break;
    }
}

/* Whether this is a host, in brackets or a name, and perhaps a port. */
static bool is_host(struct weir_bytes host)
{
    const char *at = host.ptr;
    const char *const end = host.ptr + host.len;
    if (at < end && *at == '[') {
        at++;
        while (at < end && (weir_http_may(*at, WEIR_HTTP_HOST) || *at == ':')) {
            at++;
        }
        if (at == end || *at != ']' || at == host.ptr + 1) {
            return false;
        }
        at++;
    } else {
        at = weir_http_skip(at, end, WEIR_HTTP_HOST);
        if (at == host.ptr) {
            return false;
        }
    }
    return at == end || (*at == ':' && weir_http_skip(at + 1, end, WEIR_HTTP_DIGIT) == end);
}

static void check_host(struct weir_http_reader *reader, const struct notes *notes,
                       struct weir_http_request *request)
{
    if (notes->hosts == 0 && request->minor == 0) {
        if (request->host.ptr != NULL && !is_host(request->host)) {
            weir_http_bad(reader, 400, "a URL's host is none");
        }
        return;
    }
    if (notes->hosts != 1) {
        weir_http_bad(reader, 400, notes->hosts == 0 ? "there is no Host" : "there are two Hosts");
    } else if (!is_host(notes->host)) {
        weir_http_bad(reader, 400, "Host is no host");
    } else if (request->host.ptr != NULL && !weir_http_same(request->host, notes->host)) {
        weir_http_bad(reader, 400, "Host is other than that of the URL");
    }
    request->host = notes->host;
}

static void check_length(struct weir_http_reader *reader, struct weir_bytes digits)
{
    size_t len = 0;
    if (digits.len == 0 || weir_http_skip(digits.ptr, digits.ptr + digits.len, WEIR_HTTP_DIGIT) !=
                               digits.ptr + digits.len) {
        weir_http_bad(reader, 400, "Content-Length is other than digits");
        return;
    }
    const size_t max = weir_http_body_max(reader);
    for (size_t i = 0; i < digits.len; i++) {
        const size_t digit = (size_t)(digits.ptr[i] - '0');
        if (len > max / 10 || len * 10 > max - digit) {
            weir_http_bad(reader, 413, "a body is longer than is allowed");
            return;
        }
        len = len * 10 + digit;
    }
    reader->body_len = len;
}

/* Other codings before a last "chunked" are such as we don't know; else it is not told where the
 * body ends. */
static void check_transfer(struct weir_http_reader *reader, struct weir_bytes value)
{
    struct weir_bytes element = {NULL, 0};
    const char *at = value.ptr;
    size_t chunked = 0;
    size_t others = 0;
    while (at != NULL) {
        at = weir_http_element(at, value.ptr + value.len, &element);
        if (weir_http_is(element, "chunked")) {
            chunked++;
        } else {
            others++;
        }
    }
    if (chunked != 1 || !weir_http_is(element, "chunked")) {
        weir_http_bad(reader, 400, "Transfer-Encoding doesn't end with chunked, or has it twice");
    } else if (others > 0) {
        weir_http_bad(reader, 501, "Transfer-Encoding is other than chunked");
    }
    reader->chunked = true;
}

static void check_body(struct weir_http_reader *reader, const struct notes *notes, unsigned minor)
{
    reader->body_len = 0;
    if (notes->lengths > 1) {
        weir_http_bad(reader, 400, "there are two of Content-Length");
    } else if (notes->transfers > 1) {
        weir_http_bad(reader, 400, "there are two of Transfer-Encoding");
    } else if (notes->transfers > 0 && notes->lengths > 0) {
        weir_http_bad(reader, 400, "there are both Transfer-Encoding and Content-Length");
    } else if (notes->transfers > 0 && minor == 0) {
        weir_http_bad(reader, 400, "HTTP/1.0 has no Transfer-Encoding");
    } else if (notes->transfers > 0) {
        check_transfer(reader, notes->transfer);
    } else if (notes->lengths > 0) {
        check_length(reader, notes->length);
    }
    if (notes->expects > 0) {
        if (notes->expects > 1 || !weir_http_is(notes->expect, "100-continue")) {
            weir_http_bad(reader, 417, "Expect is other than 100-continue");
        }
        reader->waits = minor == 1;
    }
}

/* ---- All of it ---------------------------------------------------------------------------- */

static const char *read_headers(struct weir_http_reader *reader, const char *at, const char *end,
                                struct weir_http_request *request, struct notes *notes)
{
    size_t count = 0;
    while (at != NULL) {
        if (end - at < 2) {
            return NULL;
        }
        if (at[0] == '\r' && at[1] == '\n') {
            request->header_count = count;
            return at + 2;
        }
        if (count == WEIR_HTTP_HEADERS_MAX) {
            weir_http_bad(reader, 431, "there are more headers than are allowed");
            return NULL;
        }
        struct weir_http_header *header = &request->headers[count++];
        at = weir_http_header_line(reader, at, end, header);
        if (at != NULL) {
            note_header(notes, header);
        }
    }
    return NULL;
}

const char *weir_http_head(struct weir_http_reader *reader, struct weir_bytes input,
                           struct weir_http_request *request)
{
    const char *at = input.ptr;
    const char *const end = input.ptr + input.len;
    if (input.len >= 2 && at[0] == '\r' && at[1] == '\n') {
        at += 2;
    }
    at = weir_http_request_line(reader, at, end, request);
    if (at == NULL) {
        return NULL;
    }
    struct notes notes = {0};
    at = read_headers(reader, at, end, request, &notes);
    if (at == NULL) {
        return NULL;
    }
    check_host(reader, &notes, request);
    check_body(reader, &notes, request->minor);
    request->keep_alive = !notes.close && (request->minor == 1 || notes.keep_alive);
    return reader->status == 0 ? at : NULL;
}
