/* http_rls.c - Envoy's rate limit service over HTTP, at the paths of envoyproxy/ratelimit: /json
 * takes and gives its messages as JSON, /healthcheck, /rlconfig and /stats tell. See http_door.h
 * and rls_door.h. */

#include "door/http_door.h"
#include "door/http_query.h"
#include "door/rls_door.h"
#include "rls/stats.h"
#include "rls/wire.h"

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain; charset=utf-8"

/* ---- /json --------------------------------------------------------------------------------- */

/* A page of another site may have a browser send a form or plain text here unasked, and then says
 * where it is from; no other client has to say that its JSON is JSON. */
static bool may_be_unasked(const struct weir_http_request *request)
{
    return weir_http_find(request, "origin") != NULL && !weir_http_is_json(request);
}

static void count_error(const struct weir_desk *desk, enum weir_status status)
{
    if (desk->options.rls_tally != NULL) {
        weir_rls_tally_event(desk->options.rls_tally, status == WEIR_ERR_STORE
                                                          ? WEIR_RLS_STORE_ERROR
                                                          : WEIR_RLS_SERVICE_ERROR);
    }
}

static enum weir_status ask(struct weir_exchange *exchange, struct weir_bytes body,
                            struct weir_error *ret_error)
{
    struct weir_rls_asked *asked = weir_rls_asked_new(exchange);
    if (asked == NULL || !weir_rls_asked_copy(asked, &body)) {
        return WEIR_ERR_NO_MEMORY;
    }
    const enum weir_status status =
        weir_rls_json_decode(body, &asked->arena, &asked->request, ret_error);
    return status == WEIR_OK ? weir_rls_ask(exchange, ret_error) : status;
}

void weir_http_json(const struct weir_http_visit *visit)
{
    if (may_be_unasked(visit->request)) {
        const struct weir_http_problem problem = {
            .status = 415,
            .detail = "a browser's request must be JSON, and say so: send `Content-Type: "
                      "application/json`",
            .header = "Accept: application/json\r\n",
        };
        weir_http_say_problem(visit, &problem);
        return;
    }
    struct weir_exchange *exchange = weir_exchange_new(&visit->session->base);
    if (exchange == NULL) {
        return;
    }
    struct weir_error error = {0};
    const enum weir_status status = ask(exchange, visit->request->body, &error);
    if (status != WEIR_OK) {
        weir_exchange_drop(exchange);
        count_error(visit->desk, status);
        const struct weir_http_problem problem = {
            .status = status == WEIR_ERR_FORMAT ? 400 : weir_http_status_of(status),
            .detail = error.message[0] != '\0' ? error.message : weir_strerror(status),
        };
        weir_http_say_problem(visit, &problem);
        return;
    }
    exchange->kind = WEIR_HTTP_KIND_RLS;
    exchange->flags = visit->flags;
    weir_exchange_submit(exchange);
}

unsigned weir_http_put_rls(struct weir_exchange *exchange, struct weir_buffer *body,
                           enum weir_status *ret_status)
{
    struct weir_desk *desk = exchange->desk;
    struct weir_rls_response response;
    *ret_status = weir_rls_respond(exchange, &response);
    if (desk->options.rls_tally != NULL) {
        weir_rls_tally_request(desk->options.rls_tally, desk->now_ns - exchange->started_ns);
    }
    if (*ret_status != WEIR_OK) {
        count_error(desk, *ret_status);
        return 0;
    }
    weir_rls_json_encode(&response, body);
    return response.overall == WEIR_RLS_OVER_LIMIT ? 429 : 200;
}

/* ---- What is told -------------------------------------------------------------------------- */

static struct weir_buffer *body_of(const struct weir_http_visit *visit)
{
    weir_buffer_clear(&visit->desk->scratch);
    weir_buffer_clear(&visit->desk->scratch_more);
    return &visit->desk->scratch_more;
}

void weir_http_tell_healthcheck(const struct weir_http_visit *visit)
{
    if (!weir_http_takes_nothing(visit)) {
        return;
    }
    struct weir_service *service = visit->desk->options.service;
    const char *why = "";
    const bool ready = service->is_ready(service, &why);
    weir_buffer_put_text(body_of(visit), ready ? "OK" : why);
    weir_http_say(visit, ready ? 200 : 500, TEXT_TYPE);
}

void weir_http_tell_rlconfig(const struct weir_http_visit *visit)
{
    if (!weir_http_takes_nothing(visit)) {
        return;
    }
    struct weir_buffer *body = body_of(visit);
    const struct weir_rls_policy *policy = visit->desk->view->config->rls;
    if (policy != NULL) {
        weir_rls_policy_dump(policy, body);
    } else {
        weir_buffer_put_text(body, "this configuration is weir's own: see /v1/rules\n");
    }
    weir_http_say(visit, policy != NULL ? 200 : 404, TEXT_TYPE);
}

void weir_http_tell_stats(const struct weir_http_visit *visit)
{
    if (!weir_http_takes_nothing(visit)) {
        return;
    }
    struct weir_buffer *body = body_of(visit);
    struct weir_rls_stats *stats = visit->desk->options.service->rls_stats;
    if (stats != NULL) {
        weir_rls_stats_tell(stats, body);
    }
    weir_http_say(visit, 200, TEXT_TYPE);
}
