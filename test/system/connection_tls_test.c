/* connection_tls_test.c - connections over TLS: whom they trust, what they show, what they say
 * where it does not come about; and what goes over them. */

#include "support/fault_proxy.h"
#include "support/rig.h"
#include "support/talk.h"

#include <openssl/err.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Long enough for a busy machine to get as far as it does get. */
#define SHORT_US INT64_C(1000000)

static struct rig_redis *server; /* with TLS; its tests put its certificate back */

/* Trusts the rig's authority. */
static struct weir_tls_config trusting(void)
{
    struct weir_tls_config config = {.on = true, .verify = true};
    (void)snprintf(config.ca, sizeof(config.ca), "%s", rig_redis_certificates(server)->authority);
    return config;
}

static void expect(const struct weir_tls_config *config, const char *host, unsigned port,
                   enum weir_failure failure, const char *message)
{
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.tls = config});
    for (unsigned i = 0; i < 2; i++) {
        const enum weir_failure found = talk_fail(&talk, host, port);
        if (found != failure || strstr(talk.message, message) == NULL) {
            fail_msg("%d: %s; expected %d: %s", (int)found, talk.message, (int)failure, message);
        }
        assert_int_equal(talk.counts[TALK_READY], 0);
        assert_int_equal(ERR_peek_error(), 0);
    }
    talk_end(&talk);
}

static void reach(const struct weir_tls_config *config, const char *host, unsigned port)
{
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.tls = config});
    talk_reach(&talk, host, port);
    assert_string_equal(talk_ask(&talk, "PING", NULL), "+PONG");
    assert_int_equal(ERR_peek_error(), 0);
    talk_end(&talk);
}

/* The server shows this certificate from now on. */
static void show(const char *path)
{
    const char *reply = rig_redis_command(server, "CONFIG", "SET", "tls-cert-file", path, NULL);
    assert_string_equal(reply, "OK");
}

/* ---- Whom it trusts ----------------------------------------------------------------------- */

static void a_trusted_server_is_spoken_to(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    reach(&config, "127.0.0.1", rig_redis_tls_port(server));
    reach(&config, "::1", rig_redis_tls_port(server));
    reach(&config, "localhost", rig_redis_tls_port(server));
}

static void a_name_may_be_given(void **state)
{
    (void)state;
    struct weir_tls_config config = trusting();
    static const char *const good[] = {"localhost", "LocalHost", "localhost.", "127.0.0.1", "::1"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        (void)snprintf(config.sni, sizeof(config.sni), "%s", good[i]);
        reach(&config, "127.0.0.1", rig_redis_tls_port(server));
    }
    static const char *const wrong[] = {"a.example", "127.0.0.2", "::2", "xlocalhost",
                                        "a.localhost"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char message[128];
        (void)snprintf(config.sni, sizeof(config.sni), "%s", wrong[i]);
        (void)snprintf(message, sizeof(message),
                       "the certificate is for 127.0.0.1, 0:0:0:0:0:0:0:1, localhost, not for %s",
                       wrong[i]);
        expect(&config, "127.0.0.1", rig_redis_tls_port(server), WEIR_FAILURE_TLS, message);
    }
}

static void a_certificate_for_somebody_else_is_refused(void **state)
{
    (void)state;
    struct weir_tls_config config = trusting();
    show(rig_redis_certificates(server)->elsewhere);
    expect(&config, "127.0.0.1", rig_redis_tls_port(server), WEIR_FAILURE_TLS,
           "the certificate is for elsewhere.invalid, not for 127.0.0.1");
    (void)snprintf(config.sni, sizeof(config.sni), "elsewhere.invalid");
    reach(&config, "127.0.0.1", rig_redis_tls_port(server));
    show(rig_redis_certificates(server)->server);
}

static void a_stranger_is_not_trusted(void **state)
{
    (void)state;
    struct weir_tls_config config = trusting();
    (void)snprintf(config.ca, sizeof(config.ca), "%s",
                   rig_redis_certificates(server)->stranger_authority);
    expect(&config, "127.0.0.1", rig_redis_tls_port(server), WEIR_FAILURE_TLS,
           "the certificate is not trusted: ");
    config.ca[0] = '\0'; /* the system's */
    expect(&config, "127.0.0.1", rig_redis_tls_port(server), WEIR_FAILURE_TLS,
           "the certificate is not trusted: ");
}

static void a_certificate_out_of_its_time_is_refused(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    show(rig_redis_certificates(server)->expired);
    expect(&config, "127.0.0.1", rig_redis_tls_port(server), WEIR_FAILURE_TLS,
           "the certificate has expired, at 20");
    show(rig_redis_certificates(server)->future);
    expect(&config, "127.0.0.1", rig_redis_tls_port(server), WEIR_FAILURE_TLS,
           "the certificate is not valid before 20");
    show(rig_redis_certificates(server)->server);
}

static void without_verification_anybody_is_spoken_to(void **state)
{
    (void)state;
    const struct weir_tls_config config = {.on = true, .verify = false, .sni = "a.example"};
    show(rig_redis_certificates(server)->expired);
    reach(&config, "127.0.0.1", rig_redis_tls_port(server));
    show(rig_redis_certificates(server)->server);
}

/* ---- What it shows ------------------------------------------------------------------------ */

static void a_certificate_is_shown_to_those_who_ask(void **state)
{
    (void)state;
    const struct rig_redis_options options = {.tls = true, .tls_clients = true};
    struct rig_redis *redis = rig_redis_start(&options);
    const struct rig_certificates *paths = rig_redis_certificates(redis);
    struct weir_tls_config config = {.on = true, .verify = true};
    (void)snprintf(config.ca, sizeof(config.ca), "%s", paths->authority);
    expect(&config, "127.0.0.1", rig_redis_tls_port(redis), WEIR_FAILURE_TLS,
           "the server wants a certificate: give cert= and key=");
    (void)snprintf(config.cert, sizeof(config.cert), "%s", paths->client);
    (void)snprintf(config.key, sizeof(config.key), "%s", paths->client_key);
    reach(&config, "127.0.0.1", rig_redis_tls_port(redis));
    rig_redis_stop(redis);
}

static void expect_no_context(const struct weir_tls_config *config, const char *message)
{
    struct weir_tls_context *const untouched = (struct weir_tls_context *)(void *)&server;
    struct weir_tls_context *context = untouched;
    struct weir_error error = {99, 99, ""};
    assert_int_equal(weir_tls_context_new(config, &context, &error), WEIR_ERR_URL);
    if (strstr(error.message, message) == NULL) {
        fail_msg("%s; expected %s", error.message, message);
    }
    assert_int_equal(error.length, 0);
    assert_ptr_equal(context, untouched);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(weir_tls_context_new(config, &context, NULL), WEIR_ERR_URL);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A key under a password, which nobody is asked for. */
static const char *const encrypted_key =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,3EEB8BF3DA0AB4D1E02E5E3EB4F61B0B\n"
    "\n"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
    "-----END EC PRIVATE KEY-----\n";

static void files_that_are_not_what_they_should_be_are_named(void **state)
{
    (void)state;
    const struct rig_certificates *paths = rig_redis_certificates(server);
    char path[256];
    struct weir_tls_config config = {.on = true, .verify = true};
    (void)snprintf(path, sizeof(path), "%s/odd.pem", rig_redis_folder(server));
    (void)snprintf(config.ca, sizeof(config.ca), "/nowhere/ca.pem");
    expect_no_context(&config, "ca=/nowhere/ca.pem can't be used: No such file");
    (void)snprintf(config.ca, sizeof(config.ca), "%s", path);
    write_text(path, "no certificate\n");
    expect_no_context(&config, "odd.pem can't be used: no certificate");
    config = trusting();
    (void)snprintf(config.key, sizeof(config.key), "%s", paths->client_key);
    (void)snprintf(config.cert, sizeof(config.cert), "/nowhere/cert.pem");
    expect_no_context(&config, "cert=/nowhere/cert.pem can't be used: No such file");
    (void)snprintf(config.cert, sizeof(config.cert), "%s", paths->client);
    (void)snprintf(config.key, sizeof(config.key), "/nowhere/key.pem");
    expect_no_context(&config, "key=/nowhere/key.pem can't be used: No such file");
    (void)snprintf(config.key, sizeof(config.key), "%s", paths->server_key);
    expect_no_context(&config, "server.key can't be used: key values mismatch");
    write_text(path, encrypted_key);
    (void)snprintf(config.key, sizeof(config.key), "%s", path);
    expect_no_context(&config, "odd.pem is under a password");
}

/* ---- Who speaks what ---------------------------------------------------------------------- */

static void tls_to_a_server_without_is_named(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.tls = &config, .timeout_us = SHORT_US});
    const enum weir_failure failure = talk_fail(&talk, "127.0.0.1", rig_redis_port(server));
    /* It takes the greeting for a line that is not over yet, or for none of its own. */
    assert_true(failure == WEIR_FAILURE_TLS || failure == WEIR_FAILURE_TIMEOUT);
    assert_non_null(strstr(talk.message, "TLS"));
    talk_end(&talk);
}

static void a_server_with_tls_is_named_to_those_without(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, NULL);
    const enum weir_failure failure = talk_fail(&talk, "127.0.0.1", rig_redis_tls_port(server));
    assert_non_null(strstr(talk.message, failure == WEIR_FAILURE_TLS ? "rediss" : "for TLS?"));
    assert_true(failure == WEIR_FAILURE_TLS || failure == WEIR_FAILURE_LOST);
    talk_end(&talk);
}

static void old_versions_are_not_spoken(void **state)
{
    (void)state;
    const char *const lines[] = {"tls-protocols \"TLSv1.1\"", "tls-ciphers DEFAULT:@SECLEVEL=0",
                                 NULL};
    const struct rig_redis_options options = {.tls = true, .lines = lines};
    struct rig_redis *redis = rig_redis_start(&options);
    struct weir_tls_config config = {.on = true, .verify = true};
    (void)snprintf(config.ca, sizeof(config.ca), "%s", rig_redis_certificates(redis)->authority);
    expect(&config, "127.0.0.1", rig_redis_tls_port(redis), WEIR_FAILURE_TLS, "TLS: ");
    rig_redis_stop(redis);
}

static void tls_1_2_is_spoken(void **state)
{
    (void)state;
    const char *const lines[] = {"tls-protocols \"TLSv1.2\"", NULL};
    const struct rig_redis_options options = {.tls = true, .tls_clients = true, .lines = lines};
    struct rig_redis *redis = rig_redis_start(&options);
    const struct rig_certificates *paths = rig_redis_certificates(redis);
    struct weir_tls_config config = {.on = true, .verify = true};
    (void)snprintf(config.ca, sizeof(config.ca), "%s", paths->authority);
    expect(&config, "127.0.0.1", rig_redis_tls_port(redis), WEIR_FAILURE_TLS, "handshake failure");
    (void)snprintf(config.cert, sizeof(config.cert), "%s", paths->client);
    (void)snprintf(config.key, sizeof(config.key), "%s", paths->client_key);
    reach(&config, "127.0.0.1", rig_redis_tls_port(redis));
    rig_redis_stop(redis);
}

static void a_server_that_never_shakes_hands_is_given_up(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    struct talk talk;
    rig_redis_pause(server);
    talk_begin(&talk, &(struct talk_options){.tls = &config, .timeout_us = SHORT_US});
    assert_int_equal(talk_fail(&talk, "127.0.0.1", rig_redis_tls_port(server)),
                     WEIR_FAILURE_TIMEOUT);
    assert_non_null(strstr(talk.message, "no TLS came about in time"));
    rig_redis_resume(server);
    talk_end(&talk);
    reach(&config, "127.0.0.1", rig_redis_tls_port(server));
}

/* ---- What goes over it -------------------------------------------------------------------- */

static void expect_the_next_number(struct talk *talk, enum talk_event event)
{
    char expected[32];
    if (event == TALK_REPLY) {
        (void)snprintf(expected, sizeof(expected), "\"%u\"", talk->counts[TALK_REPLY] - 1);
        assert_string_equal(talk->reply, expected);
    }
}

static void write_numbers(struct talk *talk, unsigned from, unsigned count)
{
    struct weir_buffer *writer = weir_connection_writer(talk->connection);
    for (unsigned i = from; i < from + count; i++) {
        weir_resp_put_array(writer, 2);
        weir_resp_put_bulk_text(writer, "ECHO");
        weir_resp_put_bulk_integer(writer, i);
    }
    weir_connection_flush(talk->connection, count);
}

static void ten_thousand_replies_come_in_order(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.tls = &config, .hook = expect_the_next_number});
    talk_reach(&talk, "127.0.0.1", rig_redis_tls_port(server));
    write_numbers(&talk, 0, 10000);
    talk_await(&talk, TALK_REPLY, 10000);
    for (unsigned i = 0; i < 500; i++) {
        write_numbers(&talk, 10000 + i * 10, 10);
    }
    talk_await(&talk, TALK_REPLY, 15000);
    talk_end(&talk);
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    struct fault_proxy *proxy = fault_proxy_start(rig_redis_tls_port(server));
    fault_proxy_set(proxy, &(struct fault_proxy_behaviour){.trickle_ms = 1});
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.tls = &config, .hook = expect_the_next_number});
    talk_reach(&talk, "127.0.0.1", fault_proxy_port(proxy));
    write_numbers(&talk, 0, 10);
    talk_await(&talk, TALK_REPLY, 10);
    talk_end(&talk);
    fault_proxy_stop(proxy);
}

static void a_large_reply_comes_whole(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.tls = &config});
    talk_reach(&talk, "127.0.0.1", rig_redis_tls_port(server));
    char script[64];
    (void)snprintf(script, sizeof(script), "return string.rep('x', %u)", WEIR_RESP_TEXT);
    assert_int_equal(strlen(talk_ask(&talk, "EVAL", script, "0", NULL)), WEIR_RESP_TEXT + 2);
    talk_end(&talk);
}

#define MUCH ((size_t)64 << 20)

static void a_server_that_does_not_read_makes_a_backlog(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(&(struct rig_redis_options){.tls = true});
    struct weir_tls_config config = {.on = true, .verify = false};
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.tls = &config});
    talk_reach(&talk, "127.0.0.1", rig_redis_tls_port(redis));
    rig_redis_pause(redis);
    char *value = malloc((size_t)1 << 20);
    assert_non_null(value);
    memset(value, 'v', (size_t)1 << 20);
    unsigned commands = 0;
    for (size_t written = 0; written < MUCH; commands++) {
        const struct weir_bytes words[] = {weir_text("SET"), weir_text("big"),
                                           weir_bytes(value, (size_t)1 << 20)};
        struct weir_buffer *writer = weir_connection_writer(talk.connection);
        weir_resp_put_command(writer, words, 3);
        written += writer->len;
        weir_connection_flush(talk.connection, 1);
        (void)uv_run(&talk.loop, UV_RUN_NOWAIT);
    }
    free(value);
    assert_true(weir_connection_backlog(talk.connection) > MUCH / 2);
    rig_redis_resume(redis);
    talk_await(&talk, TALK_REPLY, commands);
    assert_string_equal(talk.reply, "+OK");
    assert_int_equal(weir_connection_backlog(talk.connection), 0);
    talk_end(&talk);
    rig_redis_stop(redis);
}

/* ---- Ended and closed --------------------------------------------------------------------- */

static void a_server_that_says_goodbye_is_lost(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    struct rig_redis *redis = rig_redis_start(&(struct rig_redis_options){.tls = true});
    struct weir_tls_config other = {.on = true, .verify = false};
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.tls = &config});
    talk_reach(&talk, "127.0.0.1", rig_redis_tls_port(server));
    assert_string_equal(talk_ask(&talk, "QUIT", NULL), "+OK");
    talk_await(&talk, TALK_CLOSED, 1);
    assert_int_equal(talk.failure, WEIR_FAILURE_LOST);
    talk_end(&talk);
    talk_begin(&talk, &(struct talk_options){.tls = &other});
    talk_reach(&talk, "127.0.0.1", rig_redis_tls_port(redis));
    rig_redis_kill(redis, SIGKILL);
    talk_say(&talk, "PING", NULL);
    talk_say(&talk, "PING", NULL);
    talk_await(&talk, TALK_CLOSED, 1);
    assert_int_equal(talk.failure, WEIR_FAILURE_LOST);
    talk_end(&talk);
    rig_redis_stop(redis);
}

static void close_at_once(struct talk *talk, enum talk_event event)
{
    if (event == TALK_READY || event == TALK_REPLY) {
        if (++talk->stage == 3) {
            weir_connection_free(talk->connection);
            talk->connection = NULL;
        } else if (event == TALK_REPLY) {
            weir_connection_close(talk->connection);
            talk_connect(talk, "127.0.0.1", rig_redis_tls_port(server));
        } else {
            talk_say(talk, "PING", NULL);
            talk_say(talk, "PING", NULL);
        }
    }
}

static void a_connection_may_be_closed_at_any_moment(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.tls = &config, .hook = close_at_once});
    talk_connect(&talk, "127.0.0.1", rig_redis_tls_port(server));
    while (talk.stage < 3) {
        (void)uv_run(&talk.loop, UV_RUN_ONCE);
    }
    talk_end(&talk);
    for (unsigned turns = 0; turns < 12; turns++) {
        talk_begin(&talk, &(struct talk_options){.tls = &config, .database = 1});
        talk_connect(&talk, "localhost", rig_redis_tls_port(server));
        for (unsigned turn = 0; turn < turns; turn++) {
            (void)uv_run(&talk.loop, UV_RUN_ONCE);
            if (talk.counts[TALK_READY] > 0) {
                talk_say(&talk, "PING", NULL);
            }
        }
        talk_end(&talk);
    }
}

static void no_memory_is_said_and_no_harm(void **state)
{
    (void)state;
    const struct weir_tls_config config = trusting();
    unsigned worked = 0;
    for (size_t allocations = 0; worked < 3; allocations++) {
        assert_true(allocations < 200);
        struct talk talk;
        talk_begin(&talk, &(struct talk_options){.tls = &config});
        talk.allocations_left = allocations;
        talk_connect(&talk, "127.0.0.1", rig_redis_tls_port(server));
        while (talk.counts[TALK_CLOSED] + talk.counts[TALK_REPLY] == 0) {
            (void)uv_run(&talk.loop, UV_RUN_ONCE);
            if (talk.counts[TALK_READY] == 1 && talk.counts[TALK_CLOSED] == 0 && talk.stage == 0) {
                talk.stage = 1;
                talk_say(&talk, "EVAL", "return string.rep('x', 200000)", "0", NULL);
            }
        }
        worked = talk.counts[TALK_CLOSED] > 0 ? 0 : worked + 1;
        assert_true(worked > 0 || talk.failure == WEIR_FAILURE_NO_MEMORY);
        talk.allocations_left = SIZE_MAX;
        talk_end(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trusted_server_is_spoken_to),
        cmocka_unit_test(a_name_may_be_given),
        cmocka_unit_test(a_certificate_for_somebody_else_is_refused),
        cmocka_unit_test(a_stranger_is_not_trusted),
        cmocka_unit_test(a_certificate_out_of_its_time_is_refused),
        cmocka_unit_test(without_verification_anybody_is_spoken_to),
        cmocka_unit_test(a_certificate_is_shown_to_those_who_ask),
        cmocka_unit_test(files_that_are_not_what_they_should_be_are_named),
        cmocka_unit_test(tls_to_a_server_without_is_named),
        cmocka_unit_test(a_server_with_tls_is_named_to_those_without),
        cmocka_unit_test(old_versions_are_not_spoken),
        cmocka_unit_test(tls_1_2_is_spoken),
        cmocka_unit_test(a_server_that_never_shakes_hands_is_given_up),
        cmocka_unit_test(ten_thousand_replies_come_in_order),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(a_large_reply_comes_whole),
        cmocka_unit_test(a_server_that_does_not_read_makes_a_backlog),
        cmocka_unit_test(a_server_that_says_goodbye_is_lost),
        cmocka_unit_test(a_connection_may_be_closed_at_any_moment),
        cmocka_unit_test(no_memory_is_said_and_no_harm),
    };
    server = rig_redis_start(&(struct rig_redis_options){.tls = true});
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_redis_stop(server);
    return failed;
}
