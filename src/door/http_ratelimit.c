/* http_ratelimit.c - what a client is told of its limits, as headers. See http_door.h.
 *
 *     RateLimit-Policy: "login";q=5;w=60, "api";q=100;w=1;weir-burst=200
 *     RateLimit: "login";r=3;t=12, "api";r=199;t=1
 *
 * What was enforced is told, the one that says most first: shadow rules and lists are nobody's
 * business but the operator's. `q` and `w` are the limit's count and period (no `w` where that is
 * no whole number of seconds, or a month or year, which have no one length); `weir-burst` is what a
 * bucket holds, where that is another number. `r` is how many requests of cost 1 would pass now,
 * and `t` in how many seconds there will be more: of a denial, when this very request would pass.
 * The key
 * (`pk`) is not told, as it may be a secret.
 *
 * Source: draft-ietf-httpapi-ratelimit-headers-11; RFC 9651, 3.3.3 (strings); RFC 9110, 10.2.3. */

#include "door/http_door.h"
#include "door/limits.h"

/* The most policies in one answer: what proxies take of headers is bounded. */
#define POLICIES_MAX 8

/* The largest integer of RFC 9651 has 15 digits. */
#define INTEGER_MAX INT64_C(999999999999999)

/* The name of a limit that has none. */
#define NAMELESS "default"

static int64_t whole_seconds(int64_t us)
{
    const int64_t seconds = us / 1000000 + (us % 1000000 > 0);
    return seconds < INTEGER_MAX ? seconds : INTEGER_MAX;
}

/* A string: what is not printable ASCII has no place in one, and is written as %XX. */
static void put_string(struct weir_buffer *out, struct weir_bytes text)
{
    static const char digits[] = "0123456789ABCDEF";
    if (!weir_buffer_reserve(out, text.len * 3 + 2)) {
        return;
    }
    char *at = out->bytes + out->len;
    *at++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c < ' ' || c > '~') {
            *at++ = '%';
            *at++ = digits[(unsigned char)c >> 4];
            *at++ = digits[(unsigned char)c & 15];
            continue;
        }
        if (c == '"' || c == '\\') {
            *at++ = '\\';
        }
        *at++ = c;
    }
    *at++ = '"';
    out->len = (size_t)(at - out->bytes);
}

static void put_parameter(struct weir_buffer *out, const char *name, uint64_t number)
{
    weir_buffer_put_text(out, name);
    weir_buffer_put_number(out, number);
}

struct weir_http_told weir_http_told(const struct weir_inquiry *inquiry, size_t index)
{
    if (inquiry->limit_used != NULL) {
        const struct weir_ad_hoc *limit = inquiry->limit_used;
        return (struct weir_http_told){.rule = weir_bytes(limit->name, limit->name_len),
                                       .limit = inquiry->requests[0].limit,
                                       .decision = &inquiry->decisions[0]};
    }
    const struct weir_part *part = &inquiry->parts[index];
    struct weir_http_told told = {
        .rule = weir_policy_rule(inquiry->view->config->policy, part->rule)->name, .part = part};
    if (part->listing == WEIR_LISTED_NOT) {
        told.limit = inquiry->requests[part->request].limit;
        told.decision = &inquiry->decisions[part->request];
    }
    return told;
}

/* ---- The policy ---------------------------------------------------------------------------- */

/* The length of a window in seconds; 0: it has no one length, or is no whole number of them. */
static uint64_t window_of(const struct weir_limit_spec *spec)
{
    switch (spec->calendar) {
    case WEIR_CALENDAR_NONE:
    case WEIR_CALENDAR_EPOCH:
        return spec->period_us % 1000000 == 0 ? (uint64_t)(spec->period_us / 1000000) : 0;
    case WEIR_CALENDAR_MINUTE:
        return 60;
    case WEIR_CALENDAR_HOUR:
        return 3600;
    case WEIR_CALENDAR_DAY:
        return 86400;
    case WEIR_CALENDAR_WEEK:
        return UINT64_C(7) * 86400;
    case WEIR_CALENDAR_MONTH:
    case WEIR_CALENDAR_YEAR:
        break;
    }
    return 0;
}

static bool is_bucket(const struct weir_limit_spec *spec)
{
    return spec->algorithm == WEIR_TOKEN_BUCKET || spec->algorithm == WEIR_LEAKY_BUCKET;
}

static void put_policy(struct weir_buffer *out, struct weir_bytes name,
                       const struct weir_limit_spec *spec)
{
    const uint64_t window = window_of(spec);
    put_string(out, name);
    put_parameter(out, ";q=", spec->count);
    if (window > 0) {
        put_parameter(out, ";w=", window);
    }
    if (is_bucket(spec) && spec->burst != spec->count) {
        put_parameter(out, ";weir-burst=", spec->burst);
    }
}

/* ---- What is left -------------------------------------------------------------------------- */

/* In how long there will be more than there is now. A bucket that has `remaining` whole tokens gets
 * its next when all but the others that are missing have come back; a window when it is over. */
static int64_t more_after(const struct weir_limit_spec *spec, const struct weir_decision *decision)
{
    if (!decision->allowed) {
        return decision->retry_after_us;
    }
    if (!is_bucket(spec) || decision->remaining >= decision->limit) {
        return decision->reset_after_us;
    }
    /* A bucket refills within a year: neither product comes near 2^63. */
    const uint64_t period = (uint64_t)spec->period_us;
    const uint64_t missing = decision->limit - decision->remaining - 1;
    const uint64_t later =
        missing * (period / spec->count) + missing * (period % spec->count) / spec->count;
    const int64_t after = decision->reset_after_us - (int64_t)later;
    return after > 0 ? after : 0;
}

static void put_state(struct weir_buffer *out, struct weir_bytes name,
                      const struct weir_limit_spec *spec, const struct weir_decision *decision)
{
    const int64_t after = more_after(spec, decision);
    put_string(out, name);
    put_parameter(out, ";r=", decision->remaining);
    if (after > 0 && after != WEIR_NEVER) {
        put_parameter(out, ";t=", (uint64_t)whole_seconds(after));
    }
}

/* ---- All of it ----------------------------------------------------------------------------- */

/* What is told of an inquiry, the part that says most first. */
struct selection {
    struct weir_http_told told[POLICIES_MAX];
    size_t count;
};

static void select_part(struct selection *selection, struct weir_http_told told)
{
    const bool shadow = told.part != NULL && told.part->shadow;
    if (told.limit != NULL && !shadow && selection->count < POLICIES_MAX) {
        selection->told[selection->count] = told;
        if (told.rule.len == 0) {
            selection->told[selection->count].rule = weir_text(NAMELESS);
        }
        selection->count++;
    }
}

static void select_parts(struct selection *selection, const struct weir_inquiry *inquiry)
{
    selection->count = 0;
    if (inquiry->limit_used != NULL) {
        select_part(selection, weir_http_told(inquiry, 0));
        return;
    }
    const uint32_t first = inquiry->outcome.part;
    if (first < inquiry->part_count) {
        select_part(selection, weir_http_told(inquiry, first));
    }
    for (size_t i = 0; i < inquiry->part_count; i++) {
        if (i != first) {
            select_part(selection, weir_http_told(inquiry, i));
        }
    }
}

static void put_older(struct weir_buffer *headers, const struct weir_decision *decision)
{
    put_parameter(headers, "X-RateLimit-Limit: ", decision->limit);
    put_parameter(headers, "\r\nX-RateLimit-Remaining: ", decision->remaining);
    put_parameter(headers,
                  "\r\nX-RateLimit-Reset: ", (uint64_t)whole_seconds(decision->reset_after_us));
    weir_buffer_put_text(headers, "\r\n");
}

void weir_http_put_limits(struct weir_buffer *headers, const struct weir_inquiry *inquiry,
                          bool x_ratelimit)
{
    struct selection selection;
    struct weir_limit_spec specs[POLICIES_MAX];
    select_parts(&selection, inquiry);
    if (selection.count == 0) {
        return;
    }
    for (size_t i = 0; i < selection.count; i++) {
        weir_limit_describe(selection.told[i].limit, &specs[i]);
        weir_buffer_put_text(headers, i == 0 ? "RateLimit-Policy: " : ", ");
        put_policy(headers, selection.told[i].rule, &specs[i]);
    }
    weir_buffer_put_text(headers, "\r\n");
    for (size_t i = 0; i < selection.count; i++) {
        weir_buffer_put_text(headers, i == 0 ? "RateLimit: " : ", ");
        put_state(headers, selection.told[i].rule, &specs[i], selection.told[i].decision);
    }
    weir_buffer_put_text(headers, "\r\n");
    if (x_ratelimit) {
        put_older(headers, selection.told[0].decision);
    }
}

void weir_http_put_retry_after(struct weir_buffer *headers, int64_t retry_after_us)
{
    if (retry_after_us != WEIR_NEVER && retry_after_us > 0) {
        put_parameter(headers, "Retry-After: ", (uint64_t)whole_seconds(retry_after_us));
        weir_buffer_put_text(headers, "\r\n");
    }
}
