/* http_tell.c - what the server says of itself: status, the worst offenders, metrics, health, and
 * the description of all this. See http_door.h. */

#include "base/alloc.h"
#include "base/error.h"
#include "door/http_door.h"
#include "door/http_query.h"
#include "rls/stats.h"

#include <inttypes.h>
#include <stdio.h>

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain; charset=utf-8"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Offenders in one answer. */
#define TOP_DEFAULT 10
#define TOP_MAX 1000

/* src/door/openapi.json, put into the program by the build. */
extern const char weir_http_openapi[];
extern const size_t weir_http_openapi_len;

/* The two buffers that an answer is made in, empty. */
static struct weir_buffer *body_of(const struct weir_http_visit *visit)
{
    weir_buffer_clear(&visit->desk->scratch);
    weir_buffer_clear(&visit->desk->scratch_more);
    return &visit->desk->scratch_more;
}

/* ---- Health -------------------------------------------------------------------------------- */

void weir_http_tell_alive(const struct weir_http_visit *visit)
{
    if (weir_http_takes_nothing(visit)) {
        weir_buffer_put_text(body_of(visit), "ok\n");
        weir_http_say(visit, 200, TEXT_TYPE);
    }
}

void weir_http_tell_ready(const struct weir_http_visit *visit)
{
    if (!weir_http_takes_nothing(visit)) {
        return;
    }
    struct weir_service *service = visit->desk->options.service;
    const char *why = "";
    if (service->is_ready(service, &why)) {
        weir_buffer_put_text(body_of(visit), "ready\n");
        weir_http_say(visit, 200, TEXT_TYPE);
        return;
    }
    const struct weir_http_problem problem = {.status = 503, .detail = why};
    weir_http_say_problem(visit, &problem);
}

/* ---- Metrics and the description ----------------------------------------------------------- */

void weir_http_tell_metrics(const struct weir_http_visit *visit)
{
    if (!weir_http_takes_nothing(visit)) {
        return;
    }
    struct weir_service *service = visit->desk->options.service;
    struct weir_metrics_facts facts = {0};
    service->facts(service, &facts);
    weir_metrics_tell(service->metrics, &facts, body_of(visit));
    if (service->rls_stats != NULL && visit->desk->view->config->rls != NULL) {
        weir_rls_stats_tell_prometheus(service->rls_stats, &visit->desk->scratch_more);
    }
    weir_http_say(visit, 200, METRICS_TYPE);
}

void weir_http_tell_openapi(const struct weir_http_visit *visit)
{
    if (weir_http_takes_nothing(visit)) {
        weir_buffer_put(body_of(visit), weir_bytes(weir_http_openapi, weir_http_openapi_len));
        weir_http_say(visit, 200, JSON_TYPE);
    }
}

/* ---- Status -------------------------------------------------------------------------------- */

static void put_instant(struct weir_json_writer *json, const char *name, int64_t us)
{
    weir_json_put_name(json, name);
    if (us < 0 || us > WEIR_TIME_MAX) {
        weir_json_put_null(json);
        return;
    }
    char text[WEIR_HTTP_INSTANT_LEN];
    struct weir_buffer instant = {.bytes = text, .room = sizeof(text)};
    weir_http_put_instant(&instant, us);
    weir_json_put_string(json, weir_buffer_bytes(&instant));
}

static void put_number(struct weir_json_writer *json, const char *name, uint64_t number)
{
    weir_json_put_name(json, name);
    weir_json_put_whole(json, number);
}

static void put_text_or_null(struct weir_json_writer *json, const char *name,
                             struct weir_bytes text)
{
    weir_json_put_name(json, name);
    if (text.len == 0) {
        weir_json_put_null(json);
    } else {
        weir_json_put_string(json, text);
    }
}

static void put_store(struct weir_json_writer *json, const struct weir_metrics_facts *facts)
{
    const struct weir_stats *stats = &facts->stats;
    weir_json_put_name(json, "store");
    weir_json_put_object(json);
    weir_json_put_name(json, "kind");
    weir_json_put_text(json, facts->store);
    put_number(json, "bytes", stats->bytes);
    put_number(json, "slots", stats->slots);
    put_number(json, "used", stats->used);
    put_number(json, "live", stats->live);
    put_number(json, "evicted_idle", stats->evicted_idle);
    put_number(json, "evicted_live", stats->evicted_live);
    put_number(json, "redis_open", stats->redis_open);
    put_number(json, "circuits_open", stats->circuits_open);
    weir_json_put_object_end(json);
}

/* The failed attempt to reload, and what waits for a restart. */
static void put_policy(struct weir_json_writer *json, struct weir_service *service,
                       const struct weir_metrics_facts *facts, struct weir_buffer *messages)
{
    char text[17];
    char waits[256] = "";
    service->needs_restart(service, waits, sizeof(waits));
    service->reload_messages(service, messages);
    (void)snprintf(text, sizeof(text), "%016" PRIx64, facts->policy_fingerprint);
    weir_json_put_name(json, "policy");
    weir_json_put_object(json);
    put_number(json, "version", facts->policy_version);
    weir_json_put_name(json, "fingerprint");
    weir_json_put_text(json, text);
    put_number(json, "rules", facts->policy_rules);
    put_instant(json, "loaded_at", facts->policy_loaded_us);
    put_number(json, "reloads_failed", facts->reloads_failed);
    put_text_or_null(json, "error",
                     facts->reload_is_bad ? weir_buffer_bytes(messages) : weir_bytes("", 0));
    put_text_or_null(json, "needs_restart", weir_text(waits));
    weir_json_put_object_end(json);
}

void weir_http_tell_status(const struct weir_http_visit *visit)
{
    if (!weir_http_takes_nothing(visit)) {
        return;
    }
    struct weir_service *service = visit->desk->options.service;
    struct weir_metrics_facts facts = {0};
    const char *why = "";
    service->facts(service, &facts);
    struct weir_buffer messages = {.allocator = visit->desk->allocator};
    struct weir_buffer *body = body_of(visit);
    struct weir_json_writer json;
    weir_json_write(&json, body);
    weir_json_put_object(&json);
    weir_json_put_name(&json, "version");
    weir_json_put_text(&json, facts.version);
    weir_json_put_name(&json, "compiler");
    weir_json_put_text(&json, facts.compiler);
    put_instant(&json, "started_at", facts.started_us);
    put_instant(&json, "at", facts.now_us);
    const bool ready = service->is_ready(service, &why);
    weir_json_put_name(&json, "ready");
    weir_json_put_boolean(&json, ready);
    put_text_or_null(&json, "why_not_ready", ready ? weir_bytes("", 0) : weir_text(why));
    put_number(&json, "workers", facts.workers);
    put_number(&json, "connections", facts.connections);
    put_policy(&json, service, &facts, &messages);
    put_store(&json, &facts);
    weir_json_put_object_end(&json);
    weir_buffer_put_text(body, "\n");
    weir_buffer_deinit(&messages);
    weir_http_say(visit, 200, JSON_TYPE);
}

/* ---- The worst offenders ------------------------------------------------------------------- */

static void put_offender(struct weir_json_writer *json, const struct weir_offender *offender)
{
    weir_json_put_object(json);
    weir_json_put_name(json, "key");
    weir_json_put_string(json, weir_bytes(offender->key, offender->key_len));
    put_number(json, "denied", offender->denied);
    put_number(json, "error", offender->error);
    weir_json_put_object_end(json);
}

/* Offenders come worst first; a rule comes with its worst. */
static void put_top(struct weir_json_writer *json, const struct weir_metrics *metrics,
                    struct weir_offender *offenders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t rule = offenders[i].rule;
        if (rule == UINT32_MAX) {
            continue; /* told with one before it */
        }
        weir_json_put_object(json);
        weir_json_put_name(json, "rule");
        weir_json_put_string(json, weir_metrics_rule_name(metrics, rule));
        weir_json_put_name(json, "offenders");
        weir_json_put_array(json);
        for (size_t j = i; j < count; j++) {
            if (offenders[j].rule == rule) {
                put_offender(json, &offenders[j]);
                offenders[j].rule = UINT32_MAX;
            }
        }
        weir_json_put_array_end(json);
        weir_json_put_object_end(json);
    }
}

static void say_top(const struct weir_http_visit *visit, uint32_t rule, size_t room)
{
    struct weir_desk *desk = visit->desk;
    struct weir_metrics *metrics = desk->options.service->metrics;
    struct weir_offender *offenders =
        weir_alloc(desk->allocator, room * sizeof(*offenders), _Alignof(struct weir_offender));
    if (offenders == NULL) {
        const struct weir_http_problem problem = {.status = 503,
                                                  .detail = weir_strerror(WEIR_ERR_NO_MEMORY)};
        weir_http_say_problem(visit, &problem);
        return;
    }
    const size_t count = weir_metrics_top(metrics, rule, offenders, room);
    struct weir_buffer *body = body_of(visit);
    struct weir_json_writer json;
    weir_json_write(&json, body);
    weir_json_put_object(&json);
    put_instant(&json, "at", desk->now_us);
    weir_json_put_name(&json, "top");
    weir_json_put_array(&json);
    put_top(&json, metrics, offenders, count);
    weir_json_put_array_end(&json);
    weir_json_put_object_end(&json);
    weir_buffer_put_text(body, "\n");
    weir_release(desk->allocator, offenders, room * sizeof(*offenders));
    weir_http_say(visit, 200, JSON_TYPE);
}

void weir_http_tell_top(const struct weir_http_visit *visit)
{
    struct weir_http_parameter parameters[] = {
        {.name = "rule"},
        {.name = "count", .number = TOP_DEFAULT, .is_number = true, .least = 1, .most = TOP_MAX},
    };
    if (!weir_http_read_query(visit, parameters, 2)) {
        return;
    }
    const struct weir_view *view = visit->desk->view;
    uint32_t rule = UINT32_MAX;
    if (parameters[0].given) {
        const size_t index = weir_policy_find(view->config->policy, parameters[0].text);
        if (index == SIZE_MAX) {
            weir_http_say_no_rule(visit, parameters[0].text);
            return;
        }
        rule = view->numbers[index];
    }
    say_top(visit, rule, (size_t)parameters[1].number);
}
