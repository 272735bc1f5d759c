/* talk.c - see talk.h. */

#include "support/talk.h"

#include "support/resp_text.h"
#include "support/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Memory ------------------------------------------------------------------------------- */

static void *allocate(void *context, size_t size, size_t alignment)
{
    struct talk *talk = context;
    assert_true(alignment <= _Alignof(max_align_t));
    if (talk->allocations_left == 0) {
        return NULL;
    }
    talk->allocations_left--;
    talk->allocated += size;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size)
{
    struct talk *talk = context;
    talk->allocated -= size;
    free(memory);
}

/* ---- Events ------------------------------------------------------------------------------- */

static void note(struct talk *talk, enum talk_event event)
{
    talk->counts[event]++;
    if (talk->options.hook != NULL) {
        talk->options.hook(talk, event);
    }
}

static void on_ready(void *owner)
{
    note(owner, TALK_READY);
}

static void on_reply(void *owner, const struct weir_resp_value *values, size_t count)
{
    struct talk *talk = owner;
    free(talk->reply);
    talk->reply = resp_values_text(values, count);
    note(talk, TALK_REPLY);
    /* Good for the call, whatever the hook did. */
    char *again = resp_values_text(values, count);
    assert_string_equal(talk->reply, again);
    free(again);
}

static void on_push(void *owner, const struct weir_resp_value *values, size_t count)
{
    struct talk *talk = owner;
    free(talk->push);
    talk->push = resp_values_text(values, count);
    note(talk, TALK_PUSH);
}

static void on_closed(void *owner, enum weir_failure failure, const char *message)
{
    struct talk *talk = owner;
    assert_int_not_equal(failure, WEIR_FAILURE_NONE);
    assert_true(strlen(message) > 0);
    talk->failure = failure;
    (void)snprintf(talk->message, sizeof(talk->message), "%s", message);
    note(talk, TALK_CLOSED);
}

/* ---- From beginning to end ---------------------------------------------------------------- */

static void on_impatience(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("waited for too long");
}

void talk_begin(struct talk *talk, const struct talk_options *options)
{
    static const struct weir_connection_events events = {on_ready, on_reply, on_push, on_closed};
    *talk = (struct talk){
        .options = options != NULL ? *options : (struct talk_options){0},
        .allocations_left = SIZE_MAX,
    };
    talk->allocator = (struct weir_allocator){allocate, release, talk};
    talk->reply = strdup("");
    talk->push = strdup("");
    assert_int_equal(uv_loop_init(&talk->loop), 0);
    assert_int_equal(uv_timer_init(&talk->loop, &talk->patience), 0);
    uv_unref((uv_handle_t *)&talk->patience);
    const char *user = talk->options.user != NULL ? talk->options.user : "";
    const char *password = talk->options.password != NULL ? talk->options.password : "";
    (void)snprintf(talk->login.user, sizeof(talk->login.user), "%s", user);
    (void)snprintf(talk->login.password, sizeof(talk->login.password), "%s", password);
    if (talk->options.tls != NULL) {
        struct weir_error error = {.message = ""};
        if (weir_tls_context_new(talk->options.tls, &talk->tls, &error) != WEIR_OK) {
            fail_msg("%s", error.message);
        }
    }
    const struct weir_connection_options connection = {
        .loop = &talk->loop,
        .allocator = &talk->allocator,
        .login = &talk->login,
        .tls = talk->tls,
        .database = talk->options.database,
        .sentinel = talk->options.sentinel,
        .resp2 = talk->options.resp2,
        .timeout_us = talk->options.timeout_us != 0 ? talk->options.timeout_us
                                                    : INT64_C(1000) * RIG_PATIENCE_MS,
        .events = &events,
        .owner = talk,
    };
    talk->connection = weir_connection_new(&connection);
    assert_non_null(talk->connection);
}

void talk_end(struct talk *talk)
{
    weir_connection_free(talk->connection);
    uv_close((uv_handle_t *)&talk->patience, NULL);
    assert_int_equal(uv_run(&talk->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&talk->loop), 0);
    assert_int_equal(talk->allocated, 0);
    weir_tls_context_free(talk->tls);
    free(talk->reply);
    free(talk->push);
}

void talk_connect(struct talk *talk, const char *host, unsigned port)
{
    struct weir_address address = {.port = (uint16_t)port};
    assert_true(strlen(host) < sizeof(address.host));
    memcpy(address.host, host, strlen(host) + 1);
    weir_connection_connect(talk->connection, &address);
}

void talk_await(struct talk *talk, enum talk_event event, unsigned count)
{
    const unsigned closed = talk->counts[TALK_CLOSED];
    uv_update_time(&talk->loop);
    assert_int_equal(uv_timer_start(&talk->patience, on_impatience, RIG_PATIENCE_MS, 0), 0);
    while (talk->counts[event] < count) {
        if (event != TALK_CLOSED && talk->counts[TALK_CLOSED] > closed) {
            fail_msg("closed: %s", talk->message);
        }
        (void)uv_run(&talk->loop, UV_RUN_ONCE);
    }
    assert_int_equal(uv_timer_stop(&talk->patience), 0);
}

void talk_reach(struct talk *talk, const char *host, unsigned port)
{
    talk_connect(talk, host, port);
    talk_await(talk, TALK_READY, talk->counts[TALK_READY] + 1);
}

enum weir_failure talk_fail(struct talk *talk, const char *host, unsigned port)
{
    talk_connect(talk, host, port);
    talk_await(talk, TALK_CLOSED, talk->counts[TALK_CLOSED] + 1);
    return talk->failure;
}

static void say(struct talk *talk, va_list words)
{
    struct weir_bytes command[16];
    size_t count = 0;
    for (const char *word; (word = va_arg(words, const char *)) != NULL; count++) {
        assert_true(count < sizeof(command) / sizeof(command[0]));
        command[count] = weir_text(word);
    }
    weir_resp_put_command(weir_connection_writer(talk->connection), command, count);
    weir_connection_flush(talk->connection, 1);
}

void talk_say(struct talk *talk, ...)
{
    va_list words;
    va_start(words, talk);
    say(talk, words);
    va_end(words);
}

const char *talk_ask(struct talk *talk, ...)
{
    va_list words;
    va_start(words, talk);
    say(talk, words);
    va_end(words);
    talk_await(talk, TALK_REPLY, talk->counts[TALK_REPLY] + 1);
    return talk->reply;
}
