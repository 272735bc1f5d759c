/* desk_rig.c - see desk_rig.h. An answer is a line of what each inquiry came to: '+' admitted, '-'
 * denied, '!' an error, and what remains of the first request's limit. */

#include "support/desk_rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Sessions ------------------------------------------------------------------------------ */

struct lines {
    struct weir_session session; /* first: a session is its lines */
    char *shown;
};

static size_t read_nothing(struct weir_session *session, struct weir_bytes input)
{
    (void)session;
    return input.len;
}

static void answer(struct weir_session *session, struct weir_exchange *exchange)
{
    for (const struct weir_inquiry *inquiry = exchange->inquiries; inquiry != NULL;
         inquiry = inquiry->next) {
        const bool known = inquiry->status == WEIR_OK;
        const bool decision =
            known && inquiry->verb != WEIR_VERB_RESET && inquiry->request_count > 0;
        weir_buffer_print(&session->out, "%s%llu ",
                          !known                     ? "!"
                          : inquiry->outcome.allowed ? "+"
                                                     : "-",
                          decision ? (unsigned long long)inquiry->decisions[0].remaining : 0ULL);
    }
    weir_buffer_put_text(&session->out, "\n");
}

static int64_t hold(struct weir_session *session, const struct weir_exchange *exchange)
{
    (void)session;
    return exchange->inquiries != NULL ? exchange->inquiries->outcome.delay_us : 0;
}

static void close_lines(struct weir_session *session)
{
    free(((struct lines *)(void *)session)->shown);
    free(session);
}

static const struct weir_session_ops plain_ops = {
    .door = WEIR_DOOR_RESP, .read = read_nothing, .answer = answer, .close = close_lines};
static const struct weir_session_ops holding_ops = {.door = WEIR_DOOR_HTTP,
                                                    .read = read_nothing,
                                                    .answer = answer,
                                                    .hold = hold,
                                                    .close = close_lines};

static const struct weir_session_ops unordered_ops = {.door = WEIR_DOOR_GRPC,
                                                      .read = read_nothing,
                                                      .answer = answer,
                                                      .unordered = true,
                                                      .close = close_lines};

static struct weir_session *new_session(struct desk_rig *rig, const struct weir_session_ops *ops)
{
    struct lines *lines = calloc(1, sizeof(*lines));
    assert_non_null(lines);
    weir_session_begin(&lines->session, ops, rig->desk, &rig->listener, weir_text("127.0.0.1"));
    return &lines->session;
}

struct weir_session *desk_rig_session(struct desk_rig *rig, bool holds)
{
    return new_session(rig, holds ? &holding_ops : &plain_ops);
}

struct weir_session *desk_rig_unordered(struct desk_rig *rig)
{
    return new_session(rig, &unordered_ops);
}

const char *desk_rig_answers(struct weir_session *session)
{
    struct lines *lines = (struct lines *)(void *)session;
    free(lines->shown);
    lines->shown = strndup(session->out.len > 0 ? session->out.bytes : "", session->out.len);
    assert_non_null(lines->shown);
    weir_buffer_clear(&session->out);
    return lines->shown;
}

struct weir_ad_hoc *desk_rig_limit(struct desk_rig *rig, const char *text)
{
    struct weir_ad_hoc *limit = NULL;
    struct weir_error error = {0};
    assert_int_equal(
        weir_ad_hoc_text(rig->desk->limits, weir_text(text), weir_bytes(NULL, 0), &limit, &error),
        WEIR_OK);
    return limit;
}

void desk_rig_ask(struct weir_session *session, enum weir_verb verb, const char *limit,
                  const char *key, uint64_t cost)
{
    struct desk_rig *rig = session->desk->options.context;
    struct weir_exchange *exchange = weir_exchange_new(session);
    assert_non_null(exchange);
    assert_int_equal(
        weir_exchange_ask_limit(exchange, verb, desk_rig_limit(rig, limit), weir_text(key), cost),
        WEIR_OK);
    weir_exchange_submit(exchange);
}

/* ---- Desks --------------------------------------------------------------------------------- */

static void later(void *context, struct weir_exchange *exchange, int64_t us)
{
    struct desk_rig *rig = context;
    assert_true(rig->held_count < DESK_RIG_HELD_MAX);
    rig->held_us[rig->held_count] = us;
    rig->held[rig->held_count++] = exchange;
}

static void forget(void *context, struct weir_exchange *exchange)
{
    struct desk_rig *rig = context;
    size_t i = 0;
    while (rig->held[i] != exchange) {
        i++;
        assert_true(i < rig->held_count);
    }
    rig->held[i] = rig->held[--rig->held_count];
}

static void wake(void *context, struct weir_session *session)
{
    (void)session;
    ((struct desk_rig *)context)->woken++;
}

static void stir(void *context)
{
    ((struct desk_rig *)context)->stirred++;
}

static void released(struct weir_view *view)
{
    ((struct desk_rig *)view->owner)->released++;
}

static void fill_config(struct desk_rig *rig, const struct weir_policy *policy)
{
    rig->config.policy = (struct weir_policy *)(uintptr_t)policy;
    rig->config.ad_hoc = true;
    rig->config.caps = (struct weir_caps){
        .connections = 16,
        .pipeline = 256,
        .head_bytes = 16384,
        .body_bytes = 65536,
        .output_bytes = 1 << 20,
        .batch = 100,
        .idle_us = 1000000,
        .request_us = 1000000,
        .write_us = 1000000,
        .drain_us = 1000000,
        .hold_us = 5000000,
    };
    rig->listener.rights = WEIR_RIGHTS_ALL;
    rig->view = (struct weir_view){.config = &rig->config,
                                   .numbers = rig->numbers,
                                   .version = 1,
                                   .release = released,
                                   .owner = rig};
}

struct desk_rig *desk_rig_open(struct weir *store, const struct weir_policy *policy)
{
    struct desk_rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(nowhere >= 0);
    rig->store = store;
    rig->metrics = weir_metrics_new(1, 10);
    rig->log = weir_log_open(nowhere, WEIR_LOG_LINE_DEBUG, false, 10);
    assert_non_null(rig->metrics);
    assert_non_null(rig->log);
    rig->service.metrics = rig->metrics;
    fill_config(rig, policy);
    for (size_t i = 0; policy != NULL && i < weir_policy_count(policy); i++) {
        rig->numbers[i] = weir_metrics_rule(rig->metrics, weir_policy_rule(policy, i)->name);
    }
    const struct weir_desk_options options = {
        .store = store,
        .view = &rig->view,
        .tally = weir_metrics_tally(rig->metrics, 0),
        .log = rig->log,
        .service = &rig->service,
        .later = later,
        .forget = forget,
        .wake = wake,
        .stir = stir,
        .context = rig,
    };
    assert_int_equal(weir_desk_open(&options, &rig->desk), WEIR_OK);
    return rig;
}

void desk_rig_close(struct desk_rig *rig)
{
    weir_close(rig->store);
    weir_desk_close(rig->desk);
    assert_int_equal(rig->held_count, 0);
    assert_int_equal(rig->view.uses, 0);
    weir_metrics_free(rig->metrics);
    weir_log_close(rig->log);
    free(rig);
}
