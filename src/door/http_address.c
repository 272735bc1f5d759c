/* http_address.c - whose address a request is decided under. See http_door.h.
 *
 * A proxy appends the address it was asked from to X-Forwarded-For or Forwarded, after whatever the
 * asker wrote there itself: what stands to the right of the last address that is no trusted proxy's
 * was written by trusted proxies, and so was that address; all before it is hearsay. Only so many
 * of the last entries are kept, as no more proxies stand in a row.
 *
 * Which of the headers a proxy writes is its own affair, and it hands on those it does not write as
 * the client sent them. So where several name an address, all must name the same one.
 *
 * Source: RFC 7239 (Forwarded), RFC 5952 (the one form of an IPv6 address). */

#include "base/error.h"
#include "door/http_door.h"

#include <arpa/inet.h>

/* The most proxies in a row. */
#define HOPS_MAX 32

/* ---- Addresses ----------------------------------------------------------------------------- */

/* Whether it is four numbers of 0 to 255, without leading zeros, with a dot between them. */
static bool is_ipv4(struct weir_bytes text)
{
    size_t at = 0;
    for (unsigned part = 0; part < 4; part++) {
        if (part > 0 && (at >= text.len || text.ptr[at++] != '.')) {
            return false;
        }
        const size_t start = at;
        unsigned number = 0;
        while (at < text.len && at - start < 3 && text.ptr[at] >= '0' && text.ptr[at] <= '9') {
            number = number * 10 + (unsigned)(text.ptr[at++] - '0');
        }
        if (at == start || number > 255 || (at - start > 1 && text.ptr[start] == '0')) {
            return false;
        }
    }
    return at == text.len;
}

/* An IPv6 address in its one form, an IPv4 one in it as IPv4. */
static bool put_ipv6(struct weir_bytes text, char *buffer, size_t *ret_len)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char copy[INET6_ADDRSTRLEN];
    unsigned char address[16];
    if (text.len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (strlen(copy) != text.len || inet_pton(AF_INET6, copy, address) != 1) {
        return false;
    }
    const bool is_mapped = memcmp(address, mapped, sizeof(mapped)) == 0;
    const char *written = is_mapped
                              ? inet_ntop(AF_INET, address + 12, buffer, WEIR_HTTP_ADDRESS_MAX)
                              : inet_ntop(AF_INET6, address, buffer, WEIR_HTTP_ADDRESS_MAX);
    if (written == NULL) {
        return false;
    }
    *ret_len = strlen(buffer);
    return true;
}

static bool put_ipv4(struct weir_bytes text, char *buffer, size_t *ret_len)
{
    if (!is_ipv4(text)) {
        return false;
    }
    memcpy(buffer, text.ptr, text.len);
    *ret_len = text.len;
    return true;
}

/* Whether it is ":" and 1 to 5 digits, or nothing. */
static bool is_port(struct weir_bytes text)
{
    if (text.len == 0) {
        return true;
    }
    if (text.ptr[0] != ':' || text.len < 2 || text.len > 6) {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return true;
}

bool weir_http_address(struct weir_bytes text, char *buffer, size_t *ret_len)
{
    if (text.len == 0) {
        return false;
    }
    if (text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        if (end == NULL) {
            return false;
        }
        const size_t inner = (size_t)(end - text.ptr) - 1;
        const size_t rest = inner + 2;
        return is_port(weir_bytes(text.ptr + rest, text.len - rest)) &&
               put_ipv6(weir_bytes(text.ptr + 1, inner), buffer, ret_len);
    }
    const char *colon = memchr(text.ptr, ':', text.len);
    if (colon == NULL) {
        return put_ipv4(text, buffer, ret_len);
    }
    const size_t before = (size_t)(colon - text.ptr);
    const struct weir_bytes after = weir_bytes(colon, text.len - before);
    if (memchr(after.ptr + 1, ':', after.len - 1) == NULL) {
        return is_port(after) && put_ipv4(weir_bytes(text.ptr, before), buffer, ret_len);
    }
    return put_ipv6(text, buffer, ret_len);
}

/* ---- Lists of proxies ---------------------------------------------------------------------- */

/* The last entries of a list, in order: entry n is at n % HOPS_MAX. */
struct hops {
    struct weir_bytes entries[HOPS_MAX];
    size_t count;
};

static void push(struct hops *hops, struct weir_bytes entry)
{
    hops->entries[hops->count++ % HOPS_MAX] = entry;
}

static struct weir_bytes trim(struct weir_bytes text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text = weir_bytes(text.ptr + 1, text.len - 1);
    }
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* What stands before the first `mark` that is outside of quotes; all of it where there is none. */
static struct weir_bytes cut(struct weir_bytes *text, char mark)
{
    bool quoted = false;
    size_t at = 0;
    while (at < text->len && (quoted || text->ptr[at] != mark)) {
        quoted = quoted != (text->ptr[at] == '"');
        at++;
    }
    const struct weir_bytes before = weir_bytes(text->ptr, at);
    const size_t past = at < text->len ? at + 1 : at;
    *text = weir_bytes(text->ptr + past, text->len - past);
    return trim(before);
}

static void read_forwarded_for(struct hops *hops, struct weir_bytes value)
{
    while (value.len > 0) {
        const struct weir_bytes entry = cut(&value, ',');
        if (entry.len > 0) {
            push(hops, entry);
        }
    }
}

/* The value of an element's `for`, without its quotes; empty: it has none. */
static struct weir_bytes for_of(struct weir_bytes element)
{
    while (element.len > 0) {
        const struct weir_bytes pair = cut(&element, ';');
        if (pair.len > 4 && weir_http_is(weir_bytes(pair.ptr, 4), "for=")) {
            struct weir_bytes node = weir_bytes(pair.ptr + 4, pair.len - 4);
            if (node.len >= 2 && node.ptr[0] == '"' && node.ptr[node.len - 1] == '"') {
                node = weir_bytes(node.ptr + 1, node.len - 2);
            }
            return node;
        }
    }
    return weir_bytes("", 0);
}

static void read_forwarded(struct hops *hops, struct weir_bytes value)
{
    while (value.len > 0) {
        const struct weir_bytes element = cut(&value, ',');
        if (element.len > 0) {
            push(hops, for_of(element));
        }
    }
}

/* ---- Who asks ------------------------------------------------------------------------------ */

struct address {
    char text[WEIR_HTTP_ADDRESS_MAX];
    size_t len; /* 0: none */
    bool trusted;
};

static bool read_address(const struct weir_listener *listener, struct weir_bytes text,
                         struct address *ret_address)
{
    if (!weir_http_address(text, ret_address->text, &ret_address->len)) {
        return false;
    }
    ret_address->trusted = weir_network_holds(listener->trusted, listener->trusted_count,
                                              weir_bytes(ret_address->text, ret_address->len));
    return true;
}

static enum weir_status refuse(struct weir_error *error, const char *header)
{
    weir_error_set(error, 0, 0,
                   "%s has no address where the client's should be; the proxy in front must write "
                   "addresses as 192.0.2.1 or 2001:db8::1 there, or not send the header",
                   header);
    return WEIR_ERR_ARGUMENT;
}

/* The last entry that is no trusted proxy's; the first of all where all are. */
static enum weir_status walk(const struct weir_listener *listener, const struct hops *hops,
                             const char *header, struct address *ret_address,
                             struct weir_error *ret_error)
{
    const size_t kept = hops->count < HOPS_MAX ? hops->count : HOPS_MAX;
    for (size_t back = 1; back <= kept; back++) {
        const struct weir_bytes entry = hops->entries[(hops->count - back) % HOPS_MAX];
        if (!read_address(listener, entry, ret_address)) {
            return refuse(ret_error, header);
        }
        if (!ret_address->trusted) {
            return WEIR_OK;
        }
    }
    return kept < hops->count ? refuse(ret_error, header) : WEIR_OK;
}

/* What the headers say, each for itself. */
struct said {
    struct hops forwarded_for;
    struct hops forwarded;
    struct hops real;
};

static void gather(const struct weir_http_request *request, struct said *said)
{
    said->forwarded_for.count = 0;
    said->forwarded.count = 0;
    said->real.count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct weir_bytes name = request->headers[i].name;
        const struct weir_bytes value = request->headers[i].value;
        if (name.len == 9 && weir_http_is(name, "x-real-ip")) {
            push(&said->real, value);
        } else if (name.len == 9 && weir_http_is(name, "forwarded")) {
            read_forwarded(&said->forwarded, value);
        } else if (name.len == 15 && weir_http_is(name, "x-forwarded-for")) {
            read_forwarded_for(&said->forwarded_for, value);
        }
    }
}

/* Takes `more` for the client's address, where it is one and no other was found before. */
static bool agree(struct address *address, const struct address *more)
{
    if (more->len == 0) {
        return true;
    }
    if (address->len == 0) {
        *address = *more;
        return true;
    }
    return weir_http_equal(weir_bytes(address->text, address->len),
                           weir_bytes(more->text, more->len));
}

enum weir_status weir_http_client(const struct weir_http_visit *visit, char *buffer,
                                  size_t *ret_len, struct weir_error *ret_error)
{
    const struct weir_listener *listener = visit->session->base.listener;
    struct said said;
    struct address forwarded_for = {.len = 0};
    struct address forwarded = {.len = 0};
    struct address real = {.len = 0};
    gather(visit->request, &said);
    enum weir_status status =
        walk(listener, &said.forwarded_for, "X-Forwarded-For", &forwarded_for, ret_error);
    if (status == WEIR_OK) {
        status = walk(listener, &said.forwarded, "Forwarded", &forwarded, ret_error);
    }
    if (status == WEIR_OK) {
        status = walk(listener, &said.real, "X-Real-IP", &real, ret_error);
    }
    if (status != WEIR_OK) {
        return status;
    }
    /* Of a proxy behind another it is the other's address, and no contradiction. */
    if (real.trusted && forwarded_for.len + forwarded.len > 0) {
        real.len = 0;
    }
    if (!agree(&forwarded_for, &forwarded) || !agree(&forwarded_for, &real)) {
        weir_error_set(ret_error, 0, 0,
                       "X-Forwarded-For, Forwarded and X-Real-IP name different clients; the proxy "
                       "in front must write all of them, or drop those it does not write");
        return WEIR_ERR_ARGUMENT;
    }
    if (forwarded_for.len > 0) {
        memcpy(buffer, forwarded_for.text, forwarded_for.len);
        *ret_len = forwarded_for.len;
    }
    return WEIR_OK;
}
