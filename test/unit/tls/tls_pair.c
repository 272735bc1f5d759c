/* tls_pair.c - see tls_pair.h. */

#include "unit/tls/tls_pair.h"

#include <openssl/err.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct tls_contexts tls_contexts_open(const struct tls_wish *wish)
{
    const struct rig_certificates *paths = wish->certificates;
    const struct weir_tls_server server = {
        .certificate = paths->server,
        .key = paths->server_key,
        .client_authority = wish->asks ? paths->authority : NULL,
    };
    struct weir_tls_config client = {.on = true, .verify = true};
    (void)snprintf(client.ca, sizeof(client.ca), "%s", paths->authority);
    if (wish->shown != NULL) {
        (void)snprintf(client.cert, sizeof(client.cert), "%s", wish->shown);
        (void)snprintf(client.key, sizeof(client.key), "%s", wish->shown_key);
    }
    struct tls_contexts contexts;
    struct weir_error error;
    if (weir_tls_server_context_new(&server, &contexts.server, &error) != WEIR_OK ||
        weir_tls_context_new(&client, &contexts.client, &error) != WEIR_OK) {
        fail_msg("%s", error.message);
    }
    return contexts;
}

void tls_contexts_close(struct tls_contexts *contexts)
{
    weir_tls_context_free(contexts->server);
    weir_tls_context_free(contexts->client);
}

void tls_pair_open_with(struct tls_pair *pair, const struct tls_contexts *contexts)
{
    memset(pair, 0, sizeof(*pair));
    pair->server.tls = weir_tls_accept(contexts->server);
    pair->client.tls = weir_tls_new(contexts->client, "localhost");
    assert_true(pair->server.tls != NULL && pair->client.tls != NULL);
}

void tls_pair_open(struct tls_pair *pair, const struct tls_wish *wish)
{
    struct tls_contexts contexts = tls_contexts_open(wish);
    tls_pair_open_with(pair, &contexts);
    tls_contexts_close(&contexts); /* the connections have what they need of them */
}

static void close_end(struct tls_end *end)
{
    weir_tls_free(end->tls);
    weir_buffer_deinit(&end->plain);
    weir_buffer_deinit(&end->wire);
}

void tls_pair_close(struct tls_pair *pair)
{
    close_end(&pair->client);
    close_end(&pair->server);
}

void tls_end_take(struct tls_end *end, struct weir_bytes bytes)
{
    end->failure = weir_tls_receive(end->tls, bytes, &end->plain, &end->wire, end->message,
                                    sizeof(end->message));
    assert_int_equal(ERR_peek_error(), 0);
}

/* Sends what waits at `from`, up to `part` bytes; false where there is nothing. */
static bool pass(struct tls_end *from, struct tls_end *to, size_t part)
{
    char bytes[4096];
    size_t count = from->wire.len < part ? from->wire.len : part;
    count = count < sizeof(bytes) ? count : sizeof(bytes);
    if (count == 0 || to->failure != WEIR_FAILURE_NONE) {
        return false;
    }
    memcpy(bytes, from->wire.bytes,
           count); /* where nothing else is: what is read past it is found */
    weir_buffer_drop(&from->wire, count);
    tls_end_take(to, weir_bytes(bytes, count));
    return true;
}

void tls_pair_shake(struct tls_pair *pair, size_t part)
{
    if (!weir_tls_is_ready(pair->client.tls)) {
        tls_end_take(&pair->client, weir_bytes(NULL, 0));
    }
    bool more = true;
    while (more) {
        const bool there = pass(&pair->client, &pair->server, part);
        const bool back = pass(&pair->server, &pair->client, part);
        more = there || back;
    }
}

bool tls_pair_is_ready(const struct tls_pair *pair)
{
    return pair->client.failure == WEIR_FAILURE_NONE && pair->server.failure == WEIR_FAILURE_NONE &&
           weir_tls_is_ready(pair->client.tls) && weir_tls_is_ready(pair->server.tls);
}

void tls_pair_say(struct tls_pair *pair, bool from_client, struct weir_bytes text)
{
    struct tls_end *from = from_client ? &pair->client : &pair->server;
    struct tls_end *to = from_client ? &pair->server : &pair->client;
    weir_buffer_clear(&to->plain);
    assert_int_equal(
        weir_tls_send(from->tls, text, &from->wire, from->message, sizeof(from->message)),
        WEIR_FAILURE_NONE);
    tls_pair_shake(pair, SIZE_MAX);
    assert_int_equal(to->plain.len, text.len);
    assert_true(text.len == 0 || memcmp(to->plain.bytes, text.ptr, text.len) == 0);
}
