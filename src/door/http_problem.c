/* http_problem.c - answers as bytes, and what is wrong as problem+json. See http_door.h.
 *
 * Source: RFC 9457; RFC 9110, 6.6.1 (Date). */

#include "door/http_door.h"

#define PROBLEM_TYPE "application/problem+json"

void weir_http_write(const struct weir_desk *desk, struct weir_buffer *out,
                     const struct weir_http_reply *reply, struct weir_buffer *headers)
{
    const struct weir_http_response response = {
        .status = reply->status,
        .content_type = reply->content_type,
        .close = (reply->flags & WEIR_HTTP_FLAG_CLOSE) != 0,
        .head = (reply->flags & WEIR_HTTP_FLAG_HEAD) != 0,
    };
    if ((reply->flags & WEIR_HTTP_FLAG_KEEP_ALIVE) != 0) {
        weir_buffer_put_text(headers, "Connection: keep-alive\r\n");
    }
    weir_buffer_put_text(headers, "Cache-Control: no-store\r\nDate: ");
    weir_http_put_date(headers, desk->now_us);
    weir_buffer_put_text(headers, "\r\n");
    out->failed = out->failed || headers->failed;
    weir_http_respond(out, &response, weir_buffer_bytes(headers), reply->body);
}

void weir_http_say(const struct weir_http_visit *visit, unsigned status, const char *content_type)
{
    struct weir_desk *desk = visit->desk;
    struct weir_session *session = &visit->session->base;
    struct weir_buffer *out = weir_session_say(session);
    const struct weir_http_reply reply = {
        .status = status,
        .flags = visit->flags,
        .content_type = content_type,
        .body = weir_buffer_bytes(&desk->scratch_more),
    };
    out->failed = out->failed || desk->scratch_more.failed;
    weir_http_write(desk, out, &reply, &desk->scratch);
    session->closing = session->closing || out->failed;
}

static void begin_problem(struct weir_json_writer *json, unsigned status)
{
    weir_json_put_object(json);
    weir_json_put_name(json, "type");
    weir_json_put_text(json, "about:blank");
    weir_json_put_name(json, "title");
    weir_json_put_text(json, weir_http_reason(status));
    weir_json_put_name(json, "status");
    weir_json_put_whole(json, status);
}

void weir_http_put_problem(struct weir_buffer *out, const struct weir_http_problem *problem)
{
    struct weir_json_writer json;
    weir_json_write(&json, out);
    begin_problem(&json, problem->status);
    if (problem->detail != NULL) {
        weir_json_put_name(&json, "detail");
        weir_json_put_text(&json, problem->detail);
    }
    if (problem->member != NULL) {
        weir_json_put_name(&json, "pointer");
        weir_json_put_text(&json, problem->member);
    }
    if (problem->line > 0) {
        weir_json_put_name(&json, "line");
        weir_json_put_whole(&json, problem->line);
        weir_json_put_name(&json, "column");
        weir_json_put_whole(&json, problem->column);
    }
    weir_json_put_object_end(&json);
    weir_buffer_put_text(out, "\n");
}

void weir_http_put_trouble(struct weir_json_writer *json, enum weir_status status)
{
    weir_json_put_object(json);
    weir_json_put_name(json, "error");
    begin_problem(json, weir_http_status_of(status));
    weir_json_put_name(json, "detail");
    weir_json_put_text(json, weir_strerror(status));
    weir_json_put_object_end(json);
    weir_json_put_object_end(json);
}

void weir_http_say_problem(const struct weir_http_visit *visit,
                           const struct weir_http_problem *problem)
{
    struct weir_desk *desk = visit->desk;
    /* The detail may be in `scratch`: the body is written first. */
    weir_buffer_clear(&desk->scratch_more);
    weir_http_put_problem(&desk->scratch_more, problem);
    weir_buffer_clear(&desk->scratch);
    if (problem->header != NULL) {
        weir_buffer_put_text(&desk->scratch, problem->header);
    }
    weir_http_say(visit, problem->status, PROBLEM_TYPE);
}

unsigned weir_http_status_of(enum weir_status status)
{
    const bool asked_wrongly = status == WEIR_ERR_ARGUMENT || status == WEIR_ERR_LIMIT ||
                               status == WEIR_ERR_KEY_LENGTH || status == WEIR_ERR_SAME_STATE ||
                               status == WEIR_ERR_UNSUPPORTED;
    return asked_wrongly ? 400 : 503;
}
