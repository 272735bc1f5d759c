/* http_forward.c - /v1/forward-auth: a proxy asks about a request that it has before it. See
 * http_door.h.
 *
 * What was asked of the proxy is in headers, whose names differ: Traefik and Caddy write
 * X-Forwarded-Method, -Proto, -Host, -Uri and -For; with nginx they are written in its
 * configuration, X-Original-Method and X-Original-URI by custom. Each proxy hands on those it does
 * not write as the client sent them. So they are believed only of a trusted proxy, and where two of
 * them say the same thing differently, the request is refused.
 *
 *     ip      the client's address, see http_address.c
 *     method, scheme, host (lower case, no port), path (in its one form), query
 *     header.NAME, cookie.NAME, query.NAME: those that the policy's rules name */

#include "base/error.h"
#include "door/http_door.h"

#include <stdio.h>

/* What the proxy says of one thing, in whichever of its headers. */
enum told {
    TOLD_METHOD = 0,
    TOLD_SCHEME,
    TOLD_HOST,
    TOLD_URI,
    TOLD_COUNT
};

static const struct {
    const char *name; /* in lower case */
    enum told what;
} told_names[] = {
    {"x-forwarded-method", TOLD_METHOD}, {"x-original-method", TOLD_METHOD},
    {"x-forwarded-proto", TOLD_SCHEME},  {"x-original-proto", TOLD_SCHEME},
    {"x-forwarded-host", TOLD_HOST},     {"x-original-host", TOLD_HOST},
    {"x-forwarded-uri", TOLD_URI},       {"x-original-uri", TOLD_URI},
    {"x-original-url", TOLD_URI},
};
#define TOLD_NAMES (sizeof(told_names) / sizeof(told_names[0]))

static const char *const told_words[TOLD_COUNT] = {"method", "scheme", "host", "URI"};

/* A request of the proxy's, being made into attributes. */
struct making {
    const struct weir_http_visit *visit;
    const struct weir_http_wanted *wanted;
    struct weir_bytes told[TOLD_COUNT]; /* ptr NULL: not told */
    struct weir_attribute attributes[WEIR_ATTRIBUTES_MAX];
    size_t count;
    char address[WEIR_HTTP_ADDRESS_MAX];
    size_t address_len;
    struct weir_error error;
};

/* As printf: what is wrong; false, so that a refusal is one statement. */
#define refuse(making, ...) (weir_error_set(&(making)->error, 0, 0, __VA_ARGS__), false)

static bool add(struct making *making, struct weir_bytes name, struct weir_bytes value)
{
    if (making->count == WEIR_ATTRIBUTES_MAX) {
        return refuse(making, "the rules look at more than %d parts of this request",
                      WEIR_ATTRIBUTES_MAX);
    }
    making->attributes[making->count++] = (struct weir_attribute){.name = name, .value = value};
    return true;
}

#define NAMED(literal) weir_bytes((literal), sizeof(literal) - 1)

/* ---- What the proxy says ------------------------------------------------------------------- */

/* Of a list "a, b" the last, which the nearest proxy wrote. */
static struct weir_bytes last_of(struct weir_bytes value)
{
    const char *comma = memrchr(value.ptr, ',', value.len);
    if (comma == NULL) {
        return value;
    }
    const char *from = comma + 1;
    const char *end = value.ptr + value.len;
    while (from < end && (*from == ' ' || *from == '\t')) {
        from++;
    }
    return weir_bytes(from, (size_t)(end - from));
}

/* An absolute URI without its scheme and authority. */
static struct weir_bytes without_origin(struct weir_bytes uri)
{
    const char *colon = memmem(uri.ptr, uri.len, "://", 3);
    if (colon == NULL || uri.ptr[0] == '/') {
        return uri;
    }
    const size_t from = (size_t)(colon - uri.ptr) + 3;
    const char *slash = memchr(uri.ptr + from, '/', uri.len - from);
    if (slash == NULL) {
        return weir_bytes("/", 1);
    }
    return weir_bytes(slash, uri.len - (size_t)(slash - uri.ptr));
}

static bool tell(struct making *making, enum told what, struct weir_bytes value)
{
    if (what == TOLD_SCHEME || what == TOLD_HOST) {
        value = last_of(value);
    } else if (what == TOLD_URI) {
        value = without_origin(value);
    }
    struct weir_bytes *told = &making->told[what];
    if (told->ptr != NULL && !weir_http_equal(*told, value)) {
        return refuse(making,
                      "two headers say different things of the %s that was asked for; the proxy in "
                      "front must write all of X-Forwarded-* and X-Original-*, or drop those it "
                      "does not write",
                      told_words[what]);
    }
    *told = value;
    return true;
}

static bool read_told(struct making *making)
{
    const struct weir_http_request *request = making->visit->request;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct weir_bytes name = request->headers[i].name;
        if (name.len < 14 || name.len > 18 || (name.ptr[0] | 0x20) != 'x') {
            continue;
        }
        for (size_t j = 0; j < TOLD_NAMES; j++) {
            if (weir_http_is(name, told_names[j].name) &&
                !tell(making, told_names[j].what, request->headers[i].value)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- Attributes ---------------------------------------------------------------------------- */

static bool put_lower(struct weir_buffer *out, struct weir_bytes text, struct weir_bytes *ret_text)
{
    if (!weir_buffer_reserve(out, text.len)) {
        return false;
    }
    char *start = out->bytes + out->len;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        start[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out->len += text.len;
    *ret_text = weir_bytes(start, text.len);
    return true;
}

/* A host without its port: what follows the last ':', but within an IPv6 address's brackets. */
static struct weir_bytes without_port(struct weir_bytes host)
{
    if (host.ptr == NULL || host.len == 0) {
        return host;
    }
    const char *colon = memrchr(host.ptr, ':', host.len);
    const char *bracket = memrchr(host.ptr, ']', host.len);
    if (colon == NULL || (bracket != NULL && bracket > colon)) {
        return host;
    }
    return weir_bytes(host.ptr, (size_t)(colon - host.ptr));
}

static bool add_host(struct making *making)
{
    struct weir_bytes host = making->told[TOLD_HOST];
    if (host.ptr == NULL) {
        host = making->visit->request->host;
    }
    if (host.len == 0) {
        return true;
    }
    struct weir_bytes text;
    return put_lower(&making->visit->desk->scratch, without_port(host), &text) &&
           add(making, NAMED("host"), text);
}

static bool add_scheme(struct making *making)
{
    const struct weir_bytes told = making->told[TOLD_SCHEME];
    if (told.ptr == NULL) {
        const bool tls = making->visit->session->base.listener->tls != NULL;
        return add(making, NAMED("scheme"), tls ? NAMED("https") : NAMED("http"));
    }
    struct weir_bytes text;
    return put_lower(&making->visit->desk->scratch, told, &text) &&
           add(making, NAMED("scheme"), text);
}

static bool add_method(struct making *making)
{
    const struct weir_bytes told = making->told[TOLD_METHOD];
    return add(making, NAMED("method"), told.ptr != NULL ? told : making->visit->request->method);
}

static bool has_attribute(const struct making *making, struct weir_bytes name)
{
    for (size_t i = 0; i < making->count; i++) {
        if (weir_http_equal(making->attributes[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Adds a value under all of the names that rules have for it; of what comes twice, the first. */
static bool add_as(struct making *making, const struct weir_bytes *names, size_t count,
                   struct weir_bytes value)
{
    if (count > 0 && has_attribute(making, names[0])) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (!add(making, names[i], value)) {
            return false;
        }
    }
    return true;
}

/* Adds the parts of a query that rules name. */
static bool add_query(struct making *making, struct weir_bytes query)
{
    struct weir_buffer *scratch = &making->visit->desk->scratch;
    while (query.len > 0) {
        const char *end = memchr(query.ptr, '&', query.len);
        const size_t len = end != NULL ? (size_t)(end - query.ptr) : query.len;
        const char *equals = memchr(query.ptr, '=', len);
        const size_t name_len = equals != NULL ? (size_t)(equals - query.ptr) : len;
        const size_t value_at = equals != NULL ? name_len + 1 : len;
        const size_t name_from = scratch->len;
        const bool read_name = weir_http_decode(weir_bytes(query.ptr, name_len), true, scratch);
        const struct weir_bytes name =
            weir_bytes(scratch->bytes + name_from, scratch->len - name_from);
        const size_t value_from = scratch->len;
        if (!read_name ||
            !weir_http_decode(weir_bytes(query.ptr + value_at, len - value_at), true, scratch)) {
            return refuse(making, "the query that was asked for has a %% without two hexadecimal "
                                  "digits behind it, or %%00");
        }
        const struct weir_bytes value =
            weir_bytes(scratch->bytes + value_from, scratch->len - value_from);
        const struct weir_bytes *first;
        const size_t count =
            weir_http_wanted_find(making->wanted, WEIR_HTTP_SOURCE_QUERY, name, &first);
        if (!add_as(making, first, count, value)) {
            return false;
        }
        const size_t past = end != NULL ? len + 1 : len;
        query = weir_bytes(query.ptr + past, query.len - past);
    }
    return true;
}

static bool add_uri(struct making *making)
{
    const struct weir_bytes uri = making->told[TOLD_URI];
    if (uri.ptr == NULL) {
        return true;
    }
    const char *mark = memchr(uri.ptr, '?', uri.len);
    const size_t path_len = mark != NULL ? (size_t)(mark - uri.ptr) : uri.len;
    struct weir_buffer *scratch = &making->visit->desk->scratch;
    const size_t from = scratch->len;
    if (!weir_http_normalize(weir_bytes(uri.ptr, path_len), scratch)) {
        return refuse(making, "the path that was asked for has a %% without two hexadecimal digits "
                              "behind it, or %%00");
    }
    const struct weir_bytes path = weir_bytes(scratch->bytes + from, scratch->len - from);
    if (!add(making, NAMED("path"), path)) {
        return false;
    }
    if (mark == NULL) {
        return true;
    }
    const struct weir_bytes query = weir_bytes(mark + 1, uri.len - path_len - 1);
    if (!add(making, NAMED("query"), query)) {
        return false;
    }
    return weir_http_wanted_count(making->wanted, WEIR_HTTP_SOURCE_QUERY) == 0 ||
           add_query(making, query);
}

/* ---- Headers and cookies ------------------------------------------------------------------- */

/* All values of a header, as RFC 9110 joins them; its first is `first`. */
static struct weir_bytes joined(struct making *making, size_t first)
{
    const struct weir_http_request *request = making->visit->request;
    struct weir_buffer *scratch = &making->visit->desk->scratch;
    const struct weir_bytes name = request->headers[first].name;
    struct weir_bytes value = request->headers[first].value;
    bool alone = true;
    const size_t from = scratch->len;
    for (size_t i = first + 1; i < request->header_count; i++) {
        if (request->headers[i].name.len != name.len ||
            strncasecmp(request->headers[i].name.ptr, name.ptr, name.len) != 0) {
            continue;
        }
        if (alone) {
            weir_buffer_put(scratch, value);
            alone = false;
        }
        weir_buffer_put_text(scratch, ", ");
        weir_buffer_put(scratch, request->headers[i].value);
    }
    return alone ? value : weir_bytes(scratch->bytes + from, scratch->len - from);
}

static bool add_headers(struct making *making)
{
    const struct weir_http_request *request = making->visit->request;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct weir_bytes *first;
        const size_t count = weir_http_wanted_find(making->wanted, WEIR_HTTP_SOURCE_HEADER,
                                                   request->headers[i].name, &first);
        /* Joined once: there is no room for more. */
        if (count == 0 || has_attribute(making, first[0])) {
            continue;
        }
        if (!add_as(making, first, count, joined(making, i))) {
            return false;
        }
    }
    return true;
}

static bool add_cookie(struct making *making, struct weir_bytes pair)
{
    while (pair.len > 0 && pair.ptr[0] == ' ') {
        pair = weir_bytes(pair.ptr + 1, pair.len - 1);
    }
    const char *equals = memchr(pair.ptr, '=', pair.len);
    if (equals == NULL) {
        return true;
    }
    const size_t name_len = (size_t)(equals - pair.ptr);
    const struct weir_bytes value = weir_bytes(equals + 1, pair.len - name_len - 1);
    const struct weir_bytes *first;
    const size_t count = weir_http_wanted_find(making->wanted, WEIR_HTTP_SOURCE_COOKIE,
                                               weir_bytes(pair.ptr, name_len), &first);
    return add_as(making, first, count, value);
}

static bool add_cookies(struct making *making)
{
    const struct weir_http_request *request = making->visit->request;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!weir_http_is(request->headers[i].name, "cookie")) {
            continue;
        }
        struct weir_bytes rest = request->headers[i].value;
        while (rest.len > 0) {
            const char *end = memchr(rest.ptr, ';', rest.len);
            const size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;
            if (!add_cookie(making, weir_bytes(rest.ptr, len))) {
                return false;
            }
            const size_t past = end != NULL ? len + 1 : len;
            rest = weir_bytes(rest.ptr + past, rest.len - past);
        }
    }
    return true;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static bool add_client(struct making *making)
{
    const struct weir_http_session *session = making->visit->session;
    memcpy(making->address, session->address, session->address_len);
    making->address_len = session->address_len;
    if (session->trusted && weir_http_client(making->visit, making->address, &making->address_len,
                                             &making->error) != WEIR_OK) {
        return false;
    }
    return making->address_len == 0 ||
           add(making, NAMED("ip"), weir_bytes(making->address, making->address_len));
}

/* All that attributes are put together of fits into the scratch: it must not move. */
static bool reserve(const struct making *making)
{
    const struct weir_http_request *request = making->visit->request;
    size_t room = request->host.len;
    for (size_t i = 0; i < request->header_count; i++) {
        room += 2 * request->headers[i].value.len + 2;
    }
    weir_buffer_clear(&making->visit->desk->scratch);
    return weir_buffer_reserve(&making->visit->desk->scratch, room);
}

static bool make(struct making *making)
{
    const struct weir_http_wanted *wanted = making->wanted;
    if (wanted == NULL || !reserve(making)) {
        return refuse(making, "%s", weir_strerror(WEIR_ERR_NO_MEMORY));
    }
    if (making->visit->session->trusted && !read_told(making)) {
        return false;
    }
    return add_client(making) && add_method(making) && add_scheme(making) && add_host(making) &&
           add_uri(making) &&
           (weir_http_wanted_count(wanted, WEIR_HTTP_SOURCE_HEADER) == 0 || add_headers(making)) &&
           (weir_http_wanted_count(wanted, WEIR_HTTP_SOURCE_COOKIE) == 0 || add_cookies(making));
}

static void say_refused(const struct weir_http_visit *visit, const struct weir_error *error,
                        enum weir_status status)
{
    const struct weir_http_problem problem = {
        .status = weir_http_status_of(status),
        .detail = status == WEIR_ERR_NO_MEMORY ? weir_strerror(status) : error->message,
    };
    weir_http_say_problem(visit, &problem);
}

/* What the proxy wants a denial to be: nginx takes a 403 and no 429. */
static bool read_denied(const struct weir_http_visit *visit, unsigned *flags)
{
    const struct weir_bytes query = visit->request->query;
    if (query.len == 0 || weir_http_equals(query, "denied=429")) {
        return true;
    }
    if (weir_http_equals(query, "denied=403")) {
        *flags |= WEIR_HTTP_FLAG_FORBID;
        return true;
    }
    const struct weir_error error = {
        .message = "/v1/forward-auth takes `?denied=403` or `?denied=429`, the status of a denial, "
                   "and nothing else"};
    say_refused(visit, &error, WEIR_ERR_ARGUMENT);
    return false;
}

void weir_http_forward(const struct weir_http_visit *visit)
{
    unsigned flags = visit->flags;
    if (!read_denied(visit, &flags)) {
        return;
    }
    struct making making = {.visit = visit, .wanted = weir_http_wanted(visit->desk)};
    if (!make(&making)) {
        say_refused(visit, &making.error,
                    making.wanted == NULL ? WEIR_ERR_NO_MEMORY : WEIR_ERR_ARGUMENT);
        return;
    }
    struct weir_exchange *exchange = weir_exchange_new(&visit->session->base);
    if (exchange == NULL) {
        return;
    }
    const struct weir_inquiry_spec spec = {
        .attributes = making.attributes,
        .count = making.count,
        .cost = 1,
        .only = SIZE_MAX,
        .now_us = visit->desk->now_us,
    };
    const enum weir_status status =
        weir_exchange_ask(exchange, WEIR_VERB_CHECK, &spec, &making.error);
    if (status != WEIR_OK) {
        weir_exchange_drop(exchange);
        say_refused(visit, &making.error, status);
        return;
    }
    exchange->kind = WEIR_HTTP_KIND_FORWARD;
    exchange->flags = flags;
    weir_exchange_submit(exchange);
}
