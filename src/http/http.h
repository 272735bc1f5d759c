/* http.h - HTTP/1.1 requests as bytes in, responses as bytes out: a strict parser, no sockets.
 *
 * Whoever has a connection keeps a buffer of what came in and shows it to a reader, as with
 * resp.h. The reader says that a whole request is there (its body too), that more is needed, or
 * which status to answer before closing. All texts are in the caller's bytes, but for a chunked
 * body, which is put together in a buffer of the caller's.
 *
 * Strict, as two readers of one request that differ are how requests are smuggled: lines end in
 * CRLF, no whitespace before a colon, no folded lines, no bytes below space or 127 in names and
 * values (tab apart), one Host (of HTTP/1.1: needed), one Content-Length of digits alone,
 * Transfer-Encoding only as "chunked", alone, in HTTP/1.1, and never with Content-Length. HTTP/1.0
 * is read; other versions, and the preface of HTTP/2, are answered 505.
 *
 * A method is capitals and '-', known or not; CONNECT is refused (501). A target is a path, "*" of
 * OPTIONS, or an http or https URL, whose host Host has to name as well. One empty line before a
 * request is passed over. Upgrade is ignored; Expect other than 100-continue is answered 417. Of
 * chunks' lines extensions are dropped, and so are trailers, but those that say what only a header
 * may; they have room for as many bytes as a body and a head may have.
 *
 * Source: RFC 9112, RFC 9110. docs/decisions says why no packaged parser serves. */

#ifndef WEIR_HTTP_HTTP_H
#define WEIR_HTTP_HTTP_H

#include "base/buffer.h"
#include "weir/weir.h"

#define WEIR_HTTP_HEADERS_MAX 100        /* past it: 431 */
#define WEIR_HTTP_HEAD_MAX (16 * 1024)   /* bytes of request line and headers; past it: 431 */
#define WEIR_HTTP_TARGET_MAX (8 * 1024)  /* bytes of the target; past it: 414 */
#define WEIR_HTTP_BODY_MAX (1024 * 1024) /* bytes of a body; past it: 413 */
#define WEIR_HTTP_METHOD_MAX 32          /* bytes of a method; past it: 501 */
#define WEIR_HTTP_CHUNK_LINE_MAX 256     /* bytes of a chunk's size line, extensions included */

struct weir_http_header {
    struct weir_bytes name;  /* as it was written; compare with weir_http_is */
    struct weir_bytes value; /* without the blanks at its ends */
};

struct weir_http_request {
    struct weir_bytes method;
    struct weir_bytes target; /* as it was written */
    struct weir_bytes path;   /* of it, up to '?'; "/" of a URL without one */
    struct weir_bytes query;  /* after it; empty */
    struct weir_bytes host;   /* empty: none, which HTTP/1.0 may leave out */
    unsigned minor;           /* 0 or 1 */
    struct weir_http_header headers[WEIR_HTTP_HEADERS_MAX];
    size_t header_count;
    struct weir_bytes body;
    bool keep_alive;
};

enum weir_http_state {
    WEIR_HTTP_REQUEST = 1, /* a whole request */
    WEIR_HTTP_MORE,        /* the bytes end before it does */
    WEIR_HTTP_CONTINUE,    /* as MORE, and the peer waits for "100 Continue"; said once */
    WEIR_HTTP_BAD          /* answer reader->status and close: see reader->complaint */
};

/* What a reader knows of a request half read. All zero: a new connection. */
struct weir_http_reader {
    struct {
        size_t head; /* 0: as below; past it 431, and so on */
        size_t target;
        size_t body;
    } max;
    size_t looked;   /* no line that is being read ends before this offset */
    size_t line;     /* where it starts: a line of the head, a chunk's, a trailer */
    size_t head_len; /* of a head that is whole; 0 */
    size_t body_len; /* of a body with a length, or of the chunks so far */
    size_t chunk;    /* bytes of the chunk whose line was read; 0 */
    bool begun;      /* the head's first line was read */
    bool chunked;
    bool trailers;         /* the last chunk was read */
    bool waits;            /* for "100 Continue", which it was not told yet */
    unsigned status;       /* after BAD */
    const char *complaint; /* after BAD: a sentence without its stop; static */
};

/* Reads the request that `input` starts with. Until it is whole, each call is to be given the same
 * bytes again with what came after them (they may have moved). Where it is whole, `request` is
 * filled and `ret_used` is how many bytes it took; the reader is then ready for the next. `body`
 * takes the body of a chunked request (it is cleared). After BAD every call says the same. */
enum weir_http_state weir_http_read(struct weir_http_reader *reader, struct weir_bytes input,
                                    struct weir_buffer *body, struct weir_http_request *request,
                                    size_t *ret_used);

/* Whether `name` is this header or method, in any case; `lower` in lower case. */
bool weir_http_is(struct weir_bytes name, const char *lower);

/* The value of the first header of this name, or NULL. */
const struct weir_bytes *weir_http_find(const struct weir_http_request *request, const char *lower);

/* Undoes %XX (and, `plus`, '+' for a blank) of a part of a target, appended to `out`; false where
 * there is a % without two digits after it, or %00. */
bool weir_http_decode(struct weir_bytes text, bool plus, struct weir_buffer *out);

/* ---- Responses ---------------------------------------------------------------------------- */

/* The usual words for a status, "Too Many Requests"; "" where there are none. */
const char *weir_http_reason(unsigned status);

struct weir_http_response {
    unsigned status;
    const char *content_type; /* NULL: no body's type */
    bool close;               /* says "Connection: close" */
    bool head;                /* of a HEAD request: the length of the body, and no body */
};

/* Writes the status line, Content-Length (not of 1xx, 204 and 304), Content-Type, Connection; then
 * `headers`, which are whole lines with their CRLF; an empty line; the body. */
void weir_http_respond(struct weir_buffer *out, const struct weir_http_response *response,
                       struct weir_bytes headers, struct weir_bytes body);

/* One line "Name: value". A value's bytes that a header can't have are written as '?'. */
void weir_http_put_header(struct weir_buffer *out, const char *name, struct weir_bytes value);

#endif
