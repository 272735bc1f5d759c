/* http_door.h - what the files of the HTTP door share. See desk.h.
 *
 * From the top: http_session.c reads requests and hands each to http_route.c, which knows the
 * endpoints. What asks the store makes an exchange (http_check.c, http_forward.c), whose answer is
 * written when it is decided (http_answer.c, http_ratelimit.c); all else is answered at once
 * (http_tell.c, http_rules.c, http_problem.c).
 *
 * Invariant: for every request there is one answer, said at once or owed by an exchange, but where
 * memory ran out: then the session closes. */

#ifndef WEIR_DOOR_HTTP_DOOR_H
#define WEIR_DOOR_HTTP_DOOR_H

#include "door/desk.h"
#include "http/http.h"
#include "json/json.h"

#include <string.h>

/* An address as text, its zone included: "fe80::1%interface". */
#define WEIR_HTTP_ADDRESS_MAX 64

struct weir_http_session {
    struct weir_session base;
    struct weir_http_reader reader;
    struct weir_buffer body;             /* of a chunked request */
    bool trusted;                        /* the peer is a proxy whose headers are believed */
    char address[WEIR_HTTP_ADDRESS_MAX]; /* the peer's, in its one form */
    size_t address_len;                  /* 0: of a unix socket */
};

/* As exchange->flags: what the end of an answer needs to know of its request. */
enum weir_http_flags {
    WEIR_HTTP_FLAG_HEAD = 1,       /* no body */
    WEIR_HTTP_FLAG_CLOSE = 2,      /* the last answer of the connection */
    WEIR_HTTP_FLAG_KEEP_ALIVE = 4, /* of HTTP/1.0: say that it goes on */
    WEIR_HTTP_FLAG_FORBID = 8      /* forward-auth: a denial is a 403 */
};

/* As exchange->kind: which form the answer has. */
enum weir_http_kind {
    WEIR_HTTP_KIND_ONE = 1, /* one decision, as JSON */
    WEIR_HTTP_KIND_MANY,    /* a list of them */
    WEIR_HTTP_KIND_FORWARD, /* a status, for a proxy */
    WEIR_HTTP_KIND_RLS      /* a response of Envoy's rate limit service, as JSON */
};

/* One request, while it is looked at. */
struct weir_http_visit {
    struct weir_http_session *session;
    struct weir_desk *desk;
    const struct weir_http_request *request;
    unsigned flags; /* enum weir_http_flags */
};

static inline bool weir_http_equal(struct weir_bytes a, struct weir_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool weir_http_equals(struct weir_bytes bytes, const char *text)
{
    return weir_http_equal(bytes, weir_bytes(text, strlen(text)));
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* Finds the endpoint, looks at method and rights, and has the request answered (http_route.c). */
void weir_http_route(const struct weir_http_visit *visit);

/* POST /v1/check, peek, refund, reset: one or many, by rules or by a limit of the peer's
 * (http_check.c). */
void weir_http_check(const struct weir_http_visit *visit, enum weir_verb verb);

/* /v1/forward-auth (http_forward.c). */
void weir_http_forward(const struct weir_http_visit *visit);

/* POST /json: Envoy's rate limit service (http_rls.c). */
void weir_http_json(const struct weir_http_visit *visit);

/* Whether it says that its body is JSON. */
bool weir_http_is_json(const struct weir_http_request *request);

/* The service's paths that tell (http_rls.c). */
void weir_http_tell_healthcheck(const struct weir_http_visit *visit);
void weir_http_tell_rlconfig(const struct weir_http_visit *visit);
void weir_http_tell_stats(const struct weir_http_visit *visit);

/* What needs no store (http_tell.c, http_rules.c). */
void weir_http_tell_status(const struct weir_http_visit *visit);
void weir_http_tell_rules(const struct weir_http_visit *visit);
void weir_http_tell_top(const struct weir_http_visit *visit);
void weir_http_tell_metrics(const struct weir_http_visit *visit);
void weir_http_tell_alive(const struct weir_http_visit *visit);
void weir_http_tell_ready(const struct weir_http_visit *visit);
void weir_http_tell_openapi(const struct weir_http_visit *visit);

/* ---- Answers ------------------------------------------------------------------------------- */

/* What is written between the status line and the body's end. */
struct weir_http_reply {
    unsigned status;
    unsigned flags; /* enum weir_http_flags */
    const char *content_type;
    struct weir_bytes body;
};

/* Writes an answer. `headers` has those that are special to it, and gets the ones that all have. */
void weir_http_write(const struct weir_desk *desk, struct weir_buffer *out,
                     const struct weir_http_reply *reply, struct weir_buffer *headers);

/* Says an answer to the request at once; its body is the desk's `scratch_more`, and its special
 * headers are in `scratch`. */
void weir_http_say(const struct weir_http_visit *visit, unsigned status, const char *content_type);

/* What is wrong, told as problem+json (RFC 9457). Zero what is not meant. */
struct weir_http_problem {
    unsigned status;
    const char *detail; /* what is wrong, and what to do instead */
    const char *member; /* a JSON pointer to what is meant, "/checks/3/limit" */
    size_t line;        /* of the body; 0: not known */
    size_t column;
    const char *header; /* a whole line, with its CRLF */
};

/* The body of a problem, written to `out`. */
void weir_http_put_problem(struct weir_buffer *out, const struct weir_http_problem *problem);
/* One member of an array, where not all of many could be decided. */
void weir_http_put_trouble(struct weir_json_writer *json, enum weir_status status);

void weir_http_say_problem(const struct weir_http_visit *visit,
                           const struct weir_http_problem *problem);

/* The status that a failed plan or limit comes to: the asker's fault, or ours. */
unsigned weir_http_status_of(enum weir_status status);

/* The answer of a decided exchange (http_answer.c). */
void weir_http_answer(struct weir_session *session, struct weir_exchange *exchange);
int64_t weir_http_hold(struct weir_session *session, const struct weir_exchange *exchange);

/* The response of a decided exchange of /json, and its HTTP status; 0: `ret_status` says why there
 * is none (http_rls.c). */
unsigned weir_http_put_rls(struct weir_exchange *exchange, struct weir_buffer *body,
                           enum weir_status *ret_status);

/* One inquiry's part, told in JSON and in headers alike. */
struct weir_http_told {
    struct weir_bytes rule;               /* its name; empty: a limit without one */
    const struct weir_limit *limit;       /* NULL: listed */
    const struct weir_decision *decision; /* NULL: listed */
    const struct weir_part *part;         /* NULL: a limit of the peer's */
};

/* Part `index` of an inquiry; of one without parts, its only request. */
struct weir_http_told weir_http_told(const struct weir_inquiry *inquiry, size_t index);

/* Until when a denial holds: the outcome's, or what the list's entry says that denied. */
int64_t weir_http_retry_after(const struct weir_inquiry *inquiry, int64_t now_us);

/* The headers RateLimit-Policy and RateLimit, and X-RateLimit-* where `x_ratelimit`, of what was
 * enforced (http_ratelimit.c). */
void weir_http_put_limits(struct weir_buffer *headers, const struct weir_inquiry *inquiry,
                          bool x_ratelimit);
void weir_http_put_retry_after(struct weir_buffer *headers, int64_t retry_after_us);

/* "Mon, 23 Nov 2026 22:00:00 GMT", and "2026-11-23T22:00:00Z" (http_date.c). */
#define WEIR_HTTP_DATE_LEN 29
#define WEIR_HTTP_INSTANT_LEN 20
void weir_http_put_date(struct weir_buffer *out, int64_t now_us);
void weir_http_put_instant(struct weir_buffer *out, int64_t now_us);

/* ---- Who asks, and for what ---------------------------------------------------------------- */

/* Brings an address into the one form that it has here: IPv6 as RFC 5952 has it, an IPv4 address in
 * an IPv6 one as IPv4. `[v6]`, `[v6]:port` and `v4:port` are read too. False: it is none. */
bool weir_http_address(struct weir_bytes text, char *buffer, size_t *ret_len);

/* Who, says the request's X-Forwarded-For, Forwarded or X-Real-IP, has sent it to a trusted proxy:
 * the rightmost that is not itself trusted. WEIR_ERR_ARGUMENT, with a message, where one of them
 * can't be read or they differ. Untouched outputs: nobody says. */
enum weir_status weir_http_client(const struct weir_http_visit *visit, char *buffer,
                                  size_t *ret_len, struct weir_error *ret_error);

/* A path in its one form, appended to `out`, which has room for `path.len` bytes: %XX undone (but
 * %2F and %25), "//" one '/', "." and ".." resolved. False: a % without its digits, or %00. */
bool weir_http_normalize(struct weir_bytes path, struct weir_buffer *out);

/* The names behind "header.", "cookie." and "query." that a policy's rules use (http_wanted.c). */
struct weir_http_wanted;
enum weir_http_source {
    WEIR_HTTP_SOURCE_HEADER = 0,
    WEIR_HTTP_SOURCE_COOKIE,
    WEIR_HTTP_SOURCE_QUERY,
    WEIR_HTTP_SOURCE_COUNT
};

/* Those of the desk's policy of now, worked out once for each; NULL: no memory. */
const struct weir_http_wanted *weir_http_wanted(struct weir_desk *desk);
void weir_http_wanted_free(struct weir_http_wanted *wanted);

size_t weir_http_wanted_count(const struct weir_http_wanted *wanted, enum weir_http_source source);

/* The attributes' whole names, as the policy writes them, for what the request calls `name`: the
 * first is ret_first, and so many follow it. A header's case says nothing. */
size_t weir_http_wanted_find(const struct weir_http_wanted *wanted, enum weir_http_source source,
                             struct weir_bytes name, const struct weir_bytes **ret_first);

#endif
