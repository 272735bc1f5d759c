/* tls_program_test.c - the openssl program talks to connections that weir accepts: which versions,
 * groups and protocols it can have, that sessions are taken up again, and that what is dear to
 * compute can't be asked for. */

#include "support/rig.h"
#include "support/rig_process.h"
#include "tls/tls.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct rig_certificates paths;
static char folder[96];

static int listener;
static unsigned port;

/* What the last connection came to. */
struct meeting {
    bool ready;
    char message[160];
    char subject[64];
    char answer[16384]; /* what the program has printed */
};

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        return -1;
    }
    port = ntohs(address.sin_port);
    return 0;
}

static void send_all(int peer, struct weir_buffer *wire)
{
    size_t sent = 0;
    while (sent < wire->len) {
        const ssize_t count = send(peer, wire->bytes + sent, wire->len - sent, MSG_NOSIGNAL);
        if (count <= 0) {
            break; /* it has gone, which shows in what it printed */
        }
        sent += (size_t)count;
    }
    weir_buffer_clear(wire);
}

/* One turn of a server, which answers what it is told with the same in angle brackets, and then
 * ends the connection; false where it is over. */
static bool serve_turn(int peer, struct weir_tls *tls, struct meeting *meeting)
{
    char bytes[4096];
    struct weir_buffer plain = {0};
    struct weir_buffer wire = {0};
    const ssize_t count = recv(peer, bytes, sizeof(bytes), 0);
    if (count <= 0) {
        return false;
    }
    const enum weir_failure failure =
        weir_tls_receive(tls, weir_bytes(bytes, (size_t)count), &plain, &wire, meeting->message,
                         sizeof(meeting->message));
    meeting->ready = meeting->ready || weir_tls_is_ready(tls);
    const bool asked = plain.len > 0;
    if (asked) {
        struct weir_buffer reply = {0};
        weir_buffer_print(&reply, "<%.*s>\n", (int)(plain.len - 1), plain.bytes);
        assert_int_equal(weir_tls_send(tls, weir_buffer_bytes(&reply), &wire, meeting->message,
                                       sizeof(meeting->message)),
                         WEIR_FAILURE_NONE);
        weir_buffer_deinit(&reply);
        weir_tls_end(tls, &wire);
    }
    send_all(peer, &wire);
    weir_buffer_deinit(&plain);
    weir_buffer_deinit(&wire);
    return failure == WEIR_FAILURE_NONE && !asked;
}

static void serve_one(struct weir_tls_context *context, struct meeting *meeting)
{
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, RIG_PATIENCE_MS), 1);
    const int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    struct weir_tls *tls = weir_tls_accept(context);
    assert_non_null(tls);
    while (serve_turn(peer, tls, meeting)) {
    }
    (void)weir_tls_peer(tls, meeting->subject, sizeof(meeting->subject));
    (void)shutdown(peer, SHUT_WR); /* what it has not read of ours is not to be lost */
    char rest[256];
    while (recv(peer, rest, sizeof(rest), 0) > 0) {
    }
    (void)close(peer);
    weir_tls_free(tls);
}

/* Has the shell run `command`, and serves as many connections as it makes. */
static struct meeting meet(struct weir_tls_context *context, unsigned connections,
                           const char *command)
{
    struct meeting meeting = {0};
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    for (unsigned i = 0; i < connections; i++) {
        serve_one(context, &meeting);
    }
    meeting.answer[fread(meeting.answer, 1, sizeof(meeting.answer) - 1, pipe)] = '\0';
    (void)pclose(pipe);
    return meeting;
}

static void expect(const struct meeting *meeting, const char *text)
{
    if (strstr(meeting->answer, text) == NULL) {
        fail_msg("no %s in:\n%s\nof us: %s", text, meeting->answer, meeting->message);
    }
}

/* The program, asking something; then its options. */
#define ASK "exec 2>&1; echo question | timeout 20 openssl s_client -ign_eof " GIVEN
#define GIVEN "-connect 127.0.0.1:$PORT -CAfile $FOLDER/authority.pem -verify_return_error "

static struct weir_tls_context *open_context(bool asks, const char *protocol)
{
    struct weir_tls_context *context;
    const struct weir_tls_server server = {.certificate = paths.server,
                                           .key = paths.server_key,
                                           .client_authority = asks ? paths.authority : NULL,
                                           .protocol = protocol};
    assert_int_equal(weir_tls_server_context_new(&server, &context, NULL), WEIR_OK);
    return context;
}

/* ---- Versions, groups, ciphers ------------------------------------------------------------- */

static void what_is_good_can_be_had(void **state)
{
    static const struct {
        const char *command;
        const char *answer;
    } cases[] = {
        {ASK "-tls1_3", "TLSv1.3"},
        {ASK "-tls1_2", "TLSv1.2"},
        {ASK "-verify_hostname localhost", "<question>"},
        {ASK "-groups P-256", "Server Temp Key: ECDH, prime256v1"},
        /* The server's order, not the client's. */
        {ASK "-groups P-384:P-256:X25519 -cipher ECDHE-ECDSA-AES256-GCM-SHA384 -tls1_2",
         "Server Temp Key: X25519"},
    };
    (void)state;
    struct weir_tls_context *context = open_context(false, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct meeting meeting = meet(context, 1, cases[i].command);
        expect(&meeting, cases[i].answer);
        expect(&meeting, "<question>");
        assert_true(meeting.ready);
    }
    weir_tls_context_free(context);
}

static void what_is_old_or_dear_can_not(void **state)
{
    static const char *const commands[] = {
        ASK "-tls1_1 -cipher DEFAULT@SECLEVEL=0",
        ASK "-tls1 -cipher DEFAULT@SECLEVEL=0",
        ASK "-groups ffdhe8192",
        ASK "-groups ffdhe2048",
        ASK "-groups P-521",
        ASK "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA",
    };
    (void)state;
    struct weir_tls_context *context = open_context(false, NULL);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct meeting meeting = meet(context, 1, commands[i]);
        if (meeting.ready || strstr(meeting.answer, "<question>") != NULL) {
            fail_msg("%s:\n%s", commands[i], meeting.answer);
        }
        expect(&meeting, "alert");
        assert_string_not_equal(meeting.message, "");
    }
    weir_tls_context_free(context);
}

static void nobody_negotiates_twice(void **state)
{
    (void)state;
    struct weir_tls_context *context = open_context(false, NULL);
    const struct meeting meeting =
        meet(context, 1, "exec 2>&1; echo R | timeout 20 openssl s_client -tls1_2 " GIVEN);
    assert_true(meeting.ready);
    expect(&meeting, "RENEGOTIATING");
    expect(&meeting, "no renegotiation");
    weir_tls_context_free(context);
}

/* ---- Protocols and sessions ---------------------------------------------------------------- */

static void a_protocol_is_agreed_on_where_it_is_ours(void **state)
{
    static const struct {
        const char *protocol;
        const char *command;
        const char *answer;
        bool good;
    } cases[] = {
        {"http/1.1", ASK "-alpn h2,http/1.1", "ALPN protocol: http/1.1", true},
        {"http/1.1", ASK "-alpn http/1.1", "ALPN protocol: http/1.1", true},
        {"http/1.1", ASK, "No ALPN negotiated", true},
        {"http/1.1", ASK "-alpn h2", "no application protocol", false},
        {"http/1.1", ASK "-alpn http/1", "no application protocol", false},
        {"http/1.1", ASK "-alpn http/1.10", "no application protocol", false},
        {NULL, ASK "-alpn h2", "No ALPN negotiated", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_tls_context *context = open_context(false, cases[i].protocol);
        const struct meeting meeting = meet(context, 1, cases[i].command);
        expect(&meeting, cases[i].answer);
        assert_int_equal(meeting.ready, cases[i].good);
        weir_tls_context_free(context);
    }
}

/* The client's certificate is known from the first time. */
static void a_session_is_taken_up_again(void **state)
{
    static const char *const commands[] = {
        ASK
        "-tls1_3 -cert $FOLDER/client.pem -key $FOLDER/client.key -sess_out $FOLDER/session;" ASK
        "-tls1_3 -sess_in $FOLDER/session",
        ASK
        "-tls1_2 -cert $FOLDER/client.pem -key $FOLDER/client.key -sess_out $FOLDER/session;" ASK
        "-tls1_2 -sess_in $FOLDER/session",
    };
    (void)state;
    struct weir_tls_context *context = open_context(true, NULL);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct meeting meeting = meet(context, 2, commands[i]);
        expect(&meeting, "Reused, TLSv1.");
        assert_string_equal(meeting.subject, "CN=weir test client");
    }
    weir_tls_context_free(context);
    context = open_context(true, NULL); /* as after the files were read again: a new secret */
    const struct meeting meeting = meet(context, 1, ASK "-tls1_2 -sess_in $FOLDER/session");
    assert_false(meeting.ready);
    assert_string_equal(meeting.message, "the client shows no certificate");
    weir_tls_context_free(context);
}

/* ---- Clients' certificates ----------------------------------------------------------------- */

static void a_certificate_is_asked_for(void **state)
{
    (void)state;
    struct weir_tls_context *context = open_context(true, "http/1.1");
    struct meeting meeting =
        meet(context, 1, ASK "-cert $FOLDER/client.pem -key $FOLDER/client.key");
    expect(&meeting, "<question>");
    expect(&meeting, "Acceptable client certificate CA names\nCN = weir test authority\n");
    assert_string_equal(meeting.subject, "CN=weir test client");
    meeting = meet(context, 1, "exec 2>&1; timeout 20 openssl s_client -ign_eof </dev/null " GIVEN);
    expect(&meeting, "certificate required");
    assert_false(meeting.ready);
    assert_string_equal(meeting.message, "the client shows no certificate");
    assert_string_equal(meeting.subject, "");
    weir_tls_context_free(context);
}

static void a_key_under_a_password_is_refused(void **state)
{
    char command[512];
    char key[160];
    struct weir_tls_context *context = NULL;
    struct weir_error error;
    (void)state;
    rig_format(key, sizeof(key), "%s/secret.key", folder);
    rig_format(command, sizeof(command), "openssl pkey -in %s -aes256 -passout pass:secret -out %s",
               paths.server_key, key);
    assert_int_equal(system(command),
                     0); /* NOLINT(cert-env33-c): the program is what it is about */
    const struct weir_tls_server server = {.certificate = paths.server, .key = key};
    assert_int_equal(weir_tls_server_context_new(&server, &context, &error), WEIR_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "secret.key is under a password"));
}

static int begin(void **state)
{
    char number[16];
    (void)state;
    rig_folder_make(folder);
    rig_certificates_make(folder, &paths);
    if (listen_somewhere() != 0) {
        return -1;
    }
    rig_format(number, sizeof(number), "%u", port);
    return setenv("PORT", number, 1) | setenv("FOLDER", folder, 1);
}

static int end(void **state)
{
    (void)state;
    rig_folder_remove(folder);
    return close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_good_can_be_had),
        cmocka_unit_test(what_is_old_or_dear_can_not),
        cmocka_unit_test(nobody_negotiates_twice),
        cmocka_unit_test(a_protocol_is_agreed_on_where_it_is_ours),
        cmocka_unit_test(a_session_is_taken_up_again),
        cmocka_unit_test(a_certificate_is_asked_for),
        cmocka_unit_test(a_key_under_a_password_is_refused),
    };
    return cmocka_run_group_tests_name("tls_program", tests, begin, end);
}
