/* http_desk.h - a desk over a store in memory with a policy as people write one, and peers of its
 * HTTP door: bytes in, bytes out.
 *
 * What takes time takes days in these tests, so that answers in seconds don't depend on how long a
 * test takes. */

#ifndef WEIR_TEST_SUPPORT_HTTP_DESK_H
#define WEIR_TEST_SUPPORT_HTTP_DESK_H

#include "door/desk.h"

struct http_desk;

/* With the configuration of this text; its first listener is the one of the peers. Ends the
 * process, saying why, where it can't be made. `store` may be NULL: "memory:?size=1MiB". */
struct http_desk *http_desk_new(const char *yaml, const char *store);
/* With all its peers. */
void http_desk_free(struct http_desk *desk);

struct weir_desk *http_desk_of(struct http_desk *desk);

/* Takes on another configuration, as a reload does. */
void http_desk_reload(struct http_desk *desk, const char *yaml);

/* What is_ready says from now on; NULL: it is. */
void http_desk_set_unready(struct http_desk *desk, const char *why);

/* A new peer, of that address; "": of a unix socket. */
struct weir_session *http_desk_peer(struct http_desk *desk, const char *address);
void http_desk_leave(struct http_desk *desk, struct weir_session *session);

/* Gives the session all of `input`, in pieces of `piece` bytes (0: as one), with a flush after
 * each; takes what it answers. Returns all of that, NUL-terminated, in memory that the next call
 * reuses. */
const char *http_desk_bytes(struct http_desk *desk, struct weir_session *session,
                            struct weir_bytes input, size_t piece);

/* One request with these header lines (whole, with CRLF) and this body (NULL: none); Host and
 * Content-Length are written for it. */
const char *http_desk_ask(struct http_desk *desk, struct weir_session *session, const char *what,
                          const char *headers, const char *body);

/* The same as JSON by POST, of a new peer at 192.0.2.1: the body of the answer, whose status must
 * be this. */
const char *http_desk_post(struct http_desk *desk, const char *path, const char *body,
                           unsigned status);

/* How long the last answer that was held is held; 0: none is. */
int64_t http_desk_held(const struct http_desk *desk);
/* Its time has come: what the session then says. */
const char *http_desk_release(struct http_desk *desk, struct weir_session *session);

/* Parts of one answer. A header's value, or NULL, in memory that the next call reuses. */
unsigned http_answer_status(const char *answer);
const char *http_answer_header(const char *answer, const char *name);
const char *http_answer_body(const char *answer);

#endif
