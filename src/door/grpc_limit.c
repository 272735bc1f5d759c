/* grpc_limit.c - ShouldRateLimit: a message becomes an exchange, and what came of it a response.
 * See grpc_door.h. */

#include "door/grpc_door.h"
#include "rls/stats.h"
#include "rls/wire.h"

/* Of what the caller gives, the store has this share in quarters: what is left is for an answer by
 * on_error to reach the caller in time. */
#define STORE_QUARTERS 3

static enum weir_grpc_status status_of(enum weir_status status)
{
    switch ((int)status) {
    case WEIR_ERR_ARGUMENT:
    case WEIR_ERR_FORMAT:
    case WEIR_ERR_KEY_LENGTH:
    case WEIR_ERR_LIMIT:
    case WEIR_ERR_SAME_STATE:
        return WEIR_GRPC_INVALID_ARGUMENT;
    case WEIR_ERR_NO_MEMORY:
    case WEIR_ERR_FULL:
        return WEIR_GRPC_RESOURCE_EXHAUSTED;
    case WEIR_ERR_STORE:
    case WEIR_ERR_BUSY:
        return WEIR_GRPC_UNAVAILABLE;
    default:
        return WEIR_GRPC_INTERNAL;
    }
}

static void count_error(const struct weir_desk *desk, enum weir_status status)
{
    if (desk->options.rls_tally != NULL) {
        weir_rls_tally_event(desk->options.rls_tally, status_of(status) == WEIR_GRPC_UNAVAILABLE
                                                          ? WEIR_RLS_STORE_ERROR
                                                          : WEIR_RLS_SERVICE_ERROR);
    }
}

static void refuse(struct weir_grpc_visit *visit, enum weir_status status,
                   const struct weir_error *error)
{
    count_error(visit->session->base.desk, status);
    weir_grpc_end(visit, status_of(status),
                  error->message[0] != '\0' ? error->message : weir_strerror(status));
}

/* Reads the message, and adds what is to be asked to the exchange. */
static enum weir_status ask(struct weir_exchange *exchange, struct weir_bytes message,
                            struct weir_error *ret_error)
{
    struct weir_rls_asked *asked = weir_rls_asked_new(exchange);
    if (asked == NULL || !weir_rls_asked_copy(asked, &message)) {
        return WEIR_ERR_NO_MEMORY;
    }
    const enum weir_status status =
        weir_rls_decode(message, &asked->arena, &asked->request, ret_error);
    return status == WEIR_OK ? weir_rls_ask(exchange, ret_error) : status;
}

void weir_grpc_should_rate_limit(struct weir_grpc_visit *visit, struct weir_bytes message)
{
    struct weir_error error = {0};
    struct weir_exchange *exchange = weir_exchange_new(&visit->session->base);
    if (exchange == NULL) {
        refuse(visit, WEIR_ERR_NO_MEMORY, &error);
        return;
    }
    const enum weir_status status = ask(exchange, message, &error);
    if (status != WEIR_OK) {
        weir_exchange_drop(exchange);
        refuse(visit, status, &error);
        return;
    }
    const int64_t timeout_us = weir_grpc_timeout_us(visit->call);
    exchange->timeout_us = timeout_us > 4 ? timeout_us / 4 * STORE_QUARTERS : timeout_us;
    exchange->rls->visit = visit;
    visit->exchange = exchange;
    weir_exchange_submit(exchange);
}

void weir_grpc_answer(struct weir_session *session, struct weir_exchange *exchange)
{
    struct weir_desk *desk = session->desk;
    struct weir_grpc_visit *visit = exchange->rls->visit;
    struct weir_rls_response response;
    const enum weir_status status = weir_rls_respond(exchange, &response);
    if (desk->options.rls_tally != NULL) {
        weir_rls_tally_request(desk->options.rls_tally, desk->now_ns - exchange->started_ns);
    }
    if (visit == NULL) {
        return; /* the peer has reset the call: what it took is taken */
    }
    visit->exchange = NULL;
    if (status != WEIR_OK) {
        const struct weir_error none = {0};
        refuse(visit, status, &none);
        return;
    }
    weir_buffer_clear(&desk->scratch);
    weir_rls_encode(&response, &desk->scratch);
    if (desk->scratch.failed) {
        weir_grpc_end(visit, WEIR_GRPC_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    weir_grpc_reply(visit->call, weir_buffer_bytes(&desk->scratch));
    weir_grpc_end(visit, WEIR_GRPC_OK, NULL);
}
