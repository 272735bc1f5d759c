/* http_answer.c - what the store decided, as JSON for who asked, and as a status for a proxy. See
 * http_door.h. */

#include "door/http_door.h"

#define JSON_TYPE "application/json"
#define PROBLEM_TYPE "application/problem+json"

/* Registered by draft-ietf-httpapi-ratelimit-headers. */
#define QUOTA_EXCEEDED "https://iana.org/assignments/http-problem-types#quota-exceeded"

/* ---- One decision, as JSON ----------------------------------------------------------------- */

static const char *source_name(enum weir_source source)
{
    switch (source) {
    case WEIR_SOURCE_MEMORY:
        return "memory";
    case WEIR_SOURCE_SHM:
        return "shm";
    case WEIR_SOURCE_REDIS:
        return "redis";
    case WEIR_SOURCE_DENY_CACHE:
        return "deny-cache";
    case WEIR_SOURCE_LOCAL:
        return "local";
    case WEIR_SOURCE_ON_ERROR:
        return "on-error";
    }
    return "unknown";
}

static void put_time(struct weir_json_writer *json, const char *name, int64_t us)
{
    weir_json_put_name(json, name);
    if (us == WEIR_NEVER) {
        weir_json_put_null(json);
    } else {
        weir_json_put_seconds(json, us);
    }
}

static void put_rule(struct weir_json_writer *json, struct weir_bytes rule)
{
    weir_json_put_name(json, "rule");
    if (rule.len == 0) {
        weir_json_put_null(json);
    } else {
        weir_json_put_string(json, rule);
    }
}

/* The numbers of a decision, from `limit` to `failure`. */
static void put_numbers(struct weir_json_writer *json, const struct weir_decision *decision,
                        int64_t retry_after_us, int64_t delay_us)
{
    weir_json_put_name(json, "limit");
    weir_json_put_whole(json, decision->limit);
    weir_json_put_name(json, "remaining");
    weir_json_put_whole(json, decision->remaining);
    put_time(json, "retry_after", retry_after_us);
    put_time(json, "reset_after", decision->reset_after_us);
    put_time(json, "delay", delay_us);
    weir_json_put_name(json, "source");
    weir_json_put_text(json, source_name(decision->source));
    if (decision->blocked) {
        weir_json_put_name(json, "blocked");
        weir_json_put_boolean(json, true);
    }
    if (decision->failure != WEIR_FAILURE_NONE) {
        weir_json_put_name(json, "failure");
        weir_json_put_text(json, weir_failure_name((enum weir_failure)decision->failure));
    }
}

static bool is_listed(const struct weir_part *part)
{
    return part != NULL && part->listing != WEIR_LISTED_NOT;
}

int64_t weir_http_retry_after(const struct weir_inquiry *inquiry, int64_t now_us)
{
    const struct weir_outcome *outcome = &inquiry->outcome;
    if (outcome->allowed || outcome->part >= inquiry->part_count) {
        return outcome->retry_after_us;
    }
    const struct weir_part *part = &inquiry->parts[outcome->part];
    if (part->listing == WEIR_LISTED_DENY && part->until_us != INT64_MAX) {
        return part->until_us > now_us ? part->until_us - now_us : 0;
    }
    return outcome->retry_after_us;
}

/* Where no number is known: no rule applies, or a list decided. */
static void put_no_numbers(struct weir_json_writer *json, int64_t retry_after_us)
{
    static const char *const unknown[] = {"limit", "remaining"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        weir_json_put_name(json, unknown[i]);
        weir_json_put_null(json);
    }
    put_time(json, "retry_after", retry_after_us);
    put_time(json, "reset_after", 0);
    put_time(json, "delay", 0);
    weir_json_put_name(json, "source");
    weir_json_put_null(json);
}

static void put_until(struct weir_json_writer *json, int64_t until_us)
{
    weir_json_put_name(json, "until");
    if (until_us < 0 || until_us > WEIR_TIME_MAX) {
        weir_json_put_null(json);
        return;
    }
    char text[WEIR_HTTP_INSTANT_LEN];
    struct weir_buffer instant = {.bytes = text, .room = sizeof(text)};
    weir_http_put_instant(&instant, until_us);
    weir_json_put_string(json, weir_buffer_bytes(&instant));
}

static void put_part(struct weir_json_writer *json, const struct weir_http_told *told, bool reset)
{
    weir_json_put_object(json);
    put_rule(json, told->rule);
    weir_json_put_name(json, "shadow");
    weir_json_put_boolean(json, told->part->shadow);
    if (is_listed(told->part)) {
        const bool allowed = told->part->listing == WEIR_LISTED_ALLOW;
        weir_json_put_name(json, "allowed");
        weir_json_put_boolean(json, allowed);
        weir_json_put_name(json, "listed");
        weir_json_put_text(json, allowed ? "allow" : "deny");
        put_until(json, told->part->until_us);
    } else if (!reset) {
        weir_json_put_name(json, "allowed");
        weir_json_put_boolean(json, told->decision->allowed);
        put_numbers(json, told->decision, told->decision->retry_after_us, told->decision->delay_us);
    }
    weir_json_put_object_end(json);
}

static void put_parts(struct weir_json_writer *json, const struct weir_inquiry *inquiry)
{
    weir_json_put_name(json, "rules");
    weir_json_put_array(json);
    for (size_t i = 0; i < inquiry->part_count; i++) {
        const struct weir_http_told told = weir_http_told(inquiry, i);
        put_part(json, &told, inquiry->verb == WEIR_VERB_RESET);
    }
    weir_json_put_array_end(json);
}

static void put_decision(struct weir_json_writer *json, const struct weir_inquiry *inquiry,
                         int64_t now_us)
{
    const struct weir_outcome *outcome = &inquiry->outcome;
    const int64_t retry_after_us = weir_http_retry_after(inquiry, now_us);
    const bool ad_hoc = inquiry->limit_used != NULL;
    struct weir_http_told told = {.rule = {NULL, 0}};
    if (ad_hoc || outcome->part < inquiry->part_count) {
        told = weir_http_told(inquiry, outcome->part);
    }
    weir_json_put_name(json, "allowed");
    weir_json_put_boolean(json, outcome->allowed);
    put_rule(json, told.rule);
    if (told.decision != NULL) {
        put_numbers(json, told.decision, retry_after_us, outcome->delay_us);
    } else {
        put_no_numbers(json, retry_after_us);
    }
}

static void put_inquiry(struct weir_json_writer *json, const struct weir_inquiry *inquiry,
                        int64_t now_us)
{
    if (inquiry->status != WEIR_OK) {
        weir_http_put_trouble(json, inquiry->status);
        return;
    }
    weir_json_put_object(json);
    if (inquiry->verb == WEIR_VERB_RESET) {
        weir_json_put_name(json, "reset");
        weir_json_put_boolean(json, inquiry->request_count > 0);
    } else {
        put_decision(json, inquiry, now_us);
    }
    put_parts(json, inquiry);
    weir_json_put_object_end(json);
}

/* ---- Answers ------------------------------------------------------------------------------- */

static void finish(struct weir_session *session, const struct weir_exchange *exchange,
                   unsigned status, const char *content_type)
{
    struct weir_desk *desk = session->desk;
    const struct weir_http_reply reply = {
        .status = status,
        .flags = exchange->flags,
        .content_type = content_type,
        .body = weir_buffer_bytes(&desk->scratch_more),
    };
    session->out.failed = session->out.failed || desk->scratch_more.failed;
    weir_http_write(desk, &session->out, &reply, &desk->scratch);
    session->closing = session->closing || session->out.failed;
}

static void answer_trouble(struct weir_session *session, const struct weir_exchange *exchange,
                           enum weir_status status)
{
    const struct weir_http_problem problem = {.status = weir_http_status_of(status),
                                              .detail = weir_strerror(status)};
    weir_http_put_problem(&session->desk->scratch_more, &problem);
    finish(session, exchange, problem.status, PROBLEM_TYPE);
}

static void answer_one(struct weir_session *session, const struct weir_exchange *exchange)
{
    struct weir_desk *desk = session->desk;
    const struct weir_inquiry *inquiry = exchange->inquiries;
    if (inquiry->status != WEIR_OK) {
        answer_trouble(session, exchange, inquiry->status);
        return;
    }
    struct weir_json_writer json;
    weir_json_write(&json, &desk->scratch_more);
    put_inquiry(&json, inquiry, desk->now_us);
    weir_buffer_put_text(&desk->scratch_more, "\n");
    if (inquiry->verb != WEIR_VERB_RESET) {
        weir_http_put_limits(&desk->scratch, inquiry, session->listener->x_ratelimit);
    }
    finish(session, exchange, 200, JSON_TYPE);
}

static void answer_many(struct weir_session *session, const struct weir_exchange *exchange)
{
    struct weir_desk *desk = session->desk;
    struct weir_json_writer json;
    weir_json_write(&json, &desk->scratch_more);
    weir_json_put_object(&json);
    weir_json_put_name(&json, "results");
    weir_json_put_array(&json);
    for (const struct weir_inquiry *inquiry = exchange->inquiries; inquiry != NULL;
         inquiry = inquiry->next) {
        put_inquiry(&json, inquiry, desk->now_us);
    }
    weir_json_put_array_end(&json);
    weir_json_put_object_end(&json);
    weir_buffer_put_text(&desk->scratch_more, "\n");
    finish(session, exchange, 200, JSON_TYPE);
}

static void answer_rls(struct weir_session *session, struct weir_exchange *exchange)
{
    enum weir_status status;
    const unsigned code = weir_http_put_rls(exchange, &session->desk->scratch_more, &status);
    if (code == 0) {
        answer_trouble(session, exchange, status);
    } else {
        finish(session, exchange, code, JSON_TYPE);
    }
}

/* ---- For a proxy --------------------------------------------------------------------------- */

static int64_t hold_max(const struct weir_inquiry *inquiry)
{
    return inquiry->view->config->caps.hold_us;
}

int64_t weir_http_hold(struct weir_session *session, const struct weir_exchange *exchange)
{
    (void)session;
    if (exchange->kind != WEIR_HTTP_KIND_FORWARD) {
        return 0;
    }
    const struct weir_inquiry *inquiry = exchange->inquiries;
    const int64_t delay_us = inquiry->status == WEIR_OK ? inquiry->outcome.delay_us : 0;
    return delay_us <= hold_max(inquiry) ? delay_us : 0;
}

/* The body that a denied client may be shown: which rules, and until when. */
static void put_denial(struct weir_buffer *out, const struct weir_inquiry *inquiry, unsigned status,
                       int64_t retry_after_us)
{
    struct weir_json_writer json;
    weir_json_write(&json, out);
    weir_json_put_object(&json);
    weir_json_put_name(&json, "type");
    weir_json_put_text(&json, QUOTA_EXCEEDED);
    weir_json_put_name(&json, "title");
    weir_json_put_text(&json, weir_http_reason(429));
    weir_json_put_name(&json, "status");
    weir_json_put_whole(&json, status);
    put_time(&json, "retry_after", retry_after_us);
    weir_json_put_name(&json, "violated-policies");
    weir_json_put_array(&json);
    for (size_t i = 0; i < inquiry->part_count; i++) {
        const struct weir_http_told told = weir_http_told(inquiry, i);
        const bool denied = told.decision != NULL ? !told.decision->allowed
                                                  : told.part->listing == WEIR_LISTED_DENY;
        if (denied && !told.part->shadow) {
            weir_json_put_string(&json, told.rule);
        }
    }
    weir_json_put_array_end(&json);
    weir_json_put_object_end(&json);
    weir_buffer_put_text(out, "\n");
}

static void answer_forward(struct weir_session *session, const struct weir_exchange *exchange)
{
    struct weir_desk *desk = session->desk;
    const struct weir_inquiry *inquiry = exchange->inquiries;
    if (inquiry->status != WEIR_OK) {
        answer_trouble(session, exchange, inquiry->status);
        return;
    }
    const struct weir_outcome *outcome = &inquiry->outcome;
    const bool too_long = outcome->delay_us > hold_max(inquiry);
    weir_http_put_limits(&desk->scratch, inquiry, session->listener->x_ratelimit);
    if (outcome->allowed && !too_long) {
        finish(session, exchange, 200, NULL);
        return;
    }
    const unsigned status = (exchange->flags & WEIR_HTTP_FLAG_FORBID) != 0 ? 403 : 429;
    const int64_t retry_after_us =
        too_long ? outcome->delay_us : weir_http_retry_after(inquiry, desk->now_us);
    weir_http_put_retry_after(&desk->scratch, retry_after_us);
    put_denial(&desk->scratch_more, inquiry, status, retry_after_us);
    finish(session, exchange, status, PROBLEM_TYPE);
}

void weir_http_answer(struct weir_session *session, struct weir_exchange *exchange)
{
    weir_buffer_clear(&session->desk->scratch);
    weir_buffer_clear(&session->desk->scratch_more);
    switch ((enum weir_http_kind)exchange->kind) {
    case WEIR_HTTP_KIND_ONE:
        answer_one(session, exchange);
        break;
    case WEIR_HTTP_KIND_MANY:
        answer_many(session, exchange);
        break;
    case WEIR_HTTP_KIND_FORWARD:
        answer_forward(session, exchange);
        break;
    case WEIR_HTTP_KIND_RLS:
        answer_rls(session, exchange);
        break;
    }
}
