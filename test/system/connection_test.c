/* connection_test.c - a connection to a real server: how it comes to be, what goes over it, how it
 * ends. What goes wrong is in connection_fault_test.c, TLS in connection_tls_test.c. */

#include "support/fault_proxy.h"
#include "support/rig.h"
#include "support/talk.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct rig_redis *plain; /* a server that every test here may use, and leaves as it was */

static void a_connection_says_who_is_there(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, NULL);
    assert_false(weir_connection_is_ready(talk.connection));
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    assert_true(weir_connection_is_ready(talk.connection));
    const struct weir_server_info *info = weir_connection_info(talk.connection);
    assert_true(strlen(info->kind) >= 5); /* redis, valkey, redict */
    assert_int_equal(strcmp(info->kind, "valkey") == 0, rig_redis_is_valkey(plain));
    assert_true(strlen(info->version) >= 5);
    assert_string_equal(info->role, "primary");
    assert_int_equal(info->protocol, 3);
    assert_string_equal(talk_ask(&talk, "PING", NULL), "+PONG");
    assert_string_equal(talk_ask(&talk, "CLIENT", "GETNAME", NULL), "\"weir\"");
    assert_string_equal(talk_ask(&talk, "HELLO", "4", NULL),
                        "-NOPROTO unsupported protocol version");
    talk_end(&talk);
}

/* ---- Where ------------------------------------------------------------------------------- */

static void check_ping(const char *host, unsigned port)
{
    struct talk talk;
    talk_begin(&talk, NULL);
    talk_reach(&talk, host, port);
    assert_string_equal(talk_ask(&talk, "PING", NULL), "+PONG");
    talk_end(&talk);
}

static void every_kind_of_address_is_reached(void **state)
{
    (void)state;
    check_ping("127.0.0.1", rig_redis_port(plain));
    check_ping("::1", rig_redis_port(plain));
    check_ping("localhost", rig_redis_port(plain));
    check_ping(rig_redis_socket(plain), 0);
}

/* The socket of this process that is connected to `port`. */
static int socket_to(uint16_t port)
{
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in peer = {.sin_family = AF_UNSPEC};
        socklen_t length = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port) {
            return fd;
        }
    }
    fail_msg("no socket");
    return -1;
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

static void sockets_do_not_delay_and_notice_who_has_gone(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, NULL);
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    const int fd = socket_to(rig_redis_port(plain));
    assert_int_not_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    weir_connection_close(talk.connection);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* at once */
    talk_end(&talk);
}

static void one_connection_is_used_over_and_over(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, NULL);
    for (unsigned i = 0; i < 30; i++) {
        talk_reach(&talk, i % 3 == 0 ? rig_redis_socket(plain) : "127.0.0.1",
                   i % 3 == 0 ? 0 : rig_redis_port(plain));
        assert_string_equal(talk_ask(&talk, "PING", NULL), "+PONG");
        if (i % 2 == 0) {
            talk_say(&talk, "PING", NULL); /* whose reply must never come */
        }
        weir_connection_close(talk.connection);
        assert_false(weir_connection_is_ready(talk.connection));
    }
    assert_int_equal(talk.counts[TALK_REPLY], 30);
    assert_int_equal(talk.counts[TALK_CLOSED], 0);
    talk_end(&talk);
}

/* ---- As whom ------------------------------------------------------------------------------ */

static void the_login_and_the_database_are_taken(void **state)
{
    (void)state;
    const char *const lines[] = {"user bob on >hush ~* +@all", NULL};
    const struct rig_redis_options server = {.password = "secret", .lines = lines};
    struct rig_redis *redis = rig_redis_start(&server);
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.password = "secret", .database = 3});
    talk_reach(&talk, "127.0.0.1", rig_redis_port(redis));
    assert_string_equal(talk_ask(&talk, "ACL", "WHOAMI", NULL), "\"default\"");
    assert_string_equal(talk_ask(&talk, "SET", "here", "3", NULL), "+OK");
    assert_string_equal(talk_ask(&talk, "SELECT", "0", NULL), "+OK");
    assert_string_equal(talk_ask(&talk, "GET", "here", NULL), "nil");
    talk_end(&talk);
    talk_begin(&talk, &(struct talk_options){.user = "bob", .password = "hush", .database = 15});
    talk_reach(&talk, "127.0.0.1", rig_redis_port(redis));
    assert_string_equal(talk_ask(&talk, "ACL", "WHOAMI", NULL), "\"bob\"");
    talk_end(&talk);
    rig_redis_stop(redis);
}

/* All of the handshake leaves in one write; without HELLO, in two. */
static void a_server_without_hello_is_spoken_to_in_resp2(void **state)
{
    (void)state;
    const char *const lines[] = {"rename-command HELLO \"\"", "user bob on >hush ~* +@all", NULL};
    const struct rig_redis_options server = {.password = "secret", .lines = lines};
    struct rig_redis *redis = rig_redis_start(&server);
    static const char *const logins[][2] = {{NULL, "secret"}, {"bob", "hush"}};
    for (size_t i = 0; i < 2; i++) {
        struct talk talk;
        talk_begin(&talk, &(struct talk_options){
                              .user = logins[i][0], .password = logins[i][1], .database = 2});
        talk_reach(&talk, "127.0.0.1", rig_redis_port(redis));
        assert_int_equal(weir_connection_writes(talk.connection), 2);
        assert_int_equal(weir_connection_info(talk.connection)->protocol, 2);
        assert_string_equal(talk_ask(&talk, "CLIENT", "GETNAME", NULL), "\"weir\"");
        assert_string_equal(talk_ask(&talk, "ACL", "WHOAMI", NULL),
                            i == 0 ? "\"default\"" : "\"bob\"");
        /* An array, where RESP3 has a map. */
        assert_int_equal(talk_ask(&talk, "CONFIG", "GET", "port", NULL)[0], '[');
        talk_end(&talk);
    }
    rig_redis_stop(redis);
}

/* A user whom an ACL lets do nothing but decide. */
static void a_user_with_few_rights_is_enough(void **state)
{
    (void)state;
    const char *const lines[] = {
        "user weir on >hush ~weir:* -@all +evalsha +eval +script|load +get +set +time +ping", NULL};
    const struct rig_redis_options server = {.password = "secret", .lines = lines};
    struct rig_redis *redis = rig_redis_start(&server);
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.user = "weir", .password = "hush"});
    talk_reach(&talk, "127.0.0.1", rig_redis_port(redis));
    assert_string_equal(talk_ask(&talk, "PING", NULL), "+PONG");
    talk_end(&talk);
    rig_redis_stop(redis);
}

static void a_sentinels_handshake_takes_no_database(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.sentinel = true, .resp2 = true, .database = 9999});
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    assert_int_equal(weir_connection_info(talk.connection)->protocol, 2);
    assert_string_equal(weir_connection_info(talk.connection)->role, "primary");
    talk_end(&talk);
}

/* ---- What goes over it -------------------------------------------------------------------- */

/* Replies count up from 0. */
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
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.hook = expect_the_next_number});
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    write_numbers(&talk, 0, 10000);
    talk_await(&talk, TALK_REPLY, 10000);
    for (unsigned i = 0; i < 1000; i++) {
        write_numbers(&talk, 10000 + i * 10, 10);
    }
    talk_await(&talk, TALK_REPLY, 20000);
    talk_end(&talk);
}

static void what_is_flushed_together_leaves_in_one_write(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.database = 1});
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    assert_int_equal(weir_connection_writes(talk.connection), 1);
    write_numbers(&talk, 0, 500);
    assert_int_equal(weir_connection_writes(talk.connection), 2);
    talk_await(&talk, TALK_REPLY, 500);
    weir_connection_close(talk.connection);
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    assert_int_equal(weir_connection_writes(talk.connection), 3);
    talk_end(&talk);
}

static void replies_that_come_byte_by_byte_are_whole(void **state)
{
    (void)state;
    struct fault_proxy *proxy = fault_proxy_start(rig_redis_port(plain));
    const struct fault_proxy_behaviour trickle = {.trickle_ms = 1};
    fault_proxy_set(proxy, &trickle);
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.hook = expect_the_next_number});
    talk_reach(&talk, "127.0.0.1", fault_proxy_port(proxy));
    assert_int_equal(weir_connection_info(talk.connection)->protocol, 3);
    write_numbers(&talk, 0, 20);
    talk_await(&talk, TALK_REPLY, 20);
    talk_end(&talk);
    fault_proxy_stop(proxy);
}

static void pushes_are_told_apart_from_replies(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, NULL);
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    assert_string_equal(talk_ask(&talk, "CLIENT", "TRACKING", "ON", NULL), "+OK");
    assert_string_equal(talk_ask(&talk, "GET", "tracked", NULL), "nil");
    assert_string_equal(rig_redis_command(plain, "SET", "tracked", "1", NULL), "OK");
    talk_await(&talk, TALK_PUSH, 1);
    assert_string_equal(talk.push, ">[\"invalidate\" [\"tracked\"]]");
    assert_string_equal(talk_ask(&talk, "GET", "tracked", NULL), "\"1\"");
    assert_int_equal(talk.counts[TALK_PUSH], 1);
    talk_end(&talk);
    assert_string_equal(rig_redis_command(plain, "DEL", "tracked", NULL), "1");
}

static void messages_of_resp2_are_pushes(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.resp2 = true});
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    /* What looks like a message is a reply to those who have not subscribed. */
    assert_string_equal(talk_ask(&talk, "EVAL", "return {'message','a','b'}", "0", NULL),
                        "[\"message\" \"a\" \"b\"]");
    assert_string_equal(talk_ask(&talk, "SUBSCRIBE", "news", NULL), "[\"subscribe\" \"news\" :1]");
    assert_string_equal(talk_ask(&talk, "PSUBSCRIBE", "n*", NULL), "[\"psubscribe\" \"n*\" :2]");
    assert_string_equal(rig_redis_command(plain, "PUBLISH", "news", "hey", NULL), "2");
    talk_await(&talk, TALK_PUSH, 2);
    assert_string_equal(talk.push, "[\"pmessage\" \"n*\" \"news\" \"hey\"]");
    assert_string_equal(talk_ask(&talk, "PING", NULL), "[\"pong\" \"\"]");
    assert_string_equal(talk_ask(&talk, "PUNSUBSCRIBE", "n*", NULL),
                        "[\"punsubscribe\" \"n*\" :1]");
    assert_string_equal(talk_ask(&talk, "UNSUBSCRIBE", "news", NULL),
                        "[\"unsubscribe\" \"news\" :0]");
    assert_string_equal(talk_ask(&talk, "EVAL", "return {'message','a','b'}", "0", NULL),
                        "[\"message\" \"a\" \"b\"]");
    assert_int_equal(talk.counts[TALK_PUSH], 2);
    talk_end(&talk);
}

/* ---- Much of it --------------------------------------------------------------------------- */

static void a_reply_has_its_bounds(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, NULL);
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    char script[64];
    (void)snprintf(script, sizeof(script), "return string.rep('x', %u)", WEIR_RESP_TEXT);
    assert_int_equal(strlen(talk_ask(&talk, "EVAL", script, "0", NULL)), WEIR_RESP_TEXT + 2);
    (void)snprintf(script, sizeof(script), "return string.rep('x', %u)", WEIR_RESP_TEXT + 1);
    talk_say(&talk, "EVAL", script, "0", NULL);
    talk_await(&talk, TALK_CLOSED, 1);
    assert_int_equal(talk.failure, WEIR_FAILURE_REPLY);
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    assert_string_equal(talk_ask(&talk, "PING", NULL), "+PONG");
    talk_end(&talk);
}

#define MUCH ((size_t)64 << 20)

static void a_server_that_does_not_read_makes_a_backlog(void **state)
{
    (void)state;
    struct talk talk;
    struct rig_redis *redis = rig_redis_start(NULL);
    talk_begin(&talk, NULL);
    talk_reach(&talk, "127.0.0.1", rig_redis_port(redis));
    rig_redis_pause(redis);
    char *value = malloc((size_t)1 << 20);
    assert_non_null(value);
    memset(value, 'v', (size_t)1 << 20);
    size_t written = 0;
    unsigned commands = 0;
    while (written < MUCH) {
        const struct weir_bytes words[] = {weir_text("SET"), weir_text("big"),
                                           weir_bytes(value, (size_t)1 << 20)};
        struct weir_buffer *writer = weir_connection_writer(talk.connection);
        weir_resp_put_command(writer, words, 3);
        written += writer->len;
        commands++;
        weir_connection_flush(talk.connection, 1);
        (void)uv_run(&talk.loop, UV_RUN_NOWAIT);
    }
    free(value);
    const size_t backlog = weir_connection_backlog(talk.connection);
    assert_in_range(backlog, MUCH / 2, written);
    rig_redis_resume(redis);
    talk_await(&talk, TALK_REPLY, commands);
    assert_string_equal(talk.reply, "+OK");
    assert_int_equal(weir_connection_backlog(talk.connection), 0);
    assert_true(talk.allocated < (size_t)8 << 20);
    talk_end(&talk);
    rig_redis_stop(redis);
}

static void a_backlog_can_be_left_behind(void **state)
{
    (void)state;
    struct talk talk;
    struct rig_redis *redis = rig_redis_start(NULL);
    talk_begin(&talk, NULL);
    talk_reach(&talk, "127.0.0.1", rig_redis_port(redis));
    rig_redis_pause(redis);
    write_numbers(&talk, 0, 1000000);
    assert_true(weir_connection_backlog(talk.connection) > 0);
    weir_connection_close(talk.connection);
    assert_int_equal(weir_connection_backlog(talk.connection), 0);
    talk_end(&talk);
    rig_redis_stop(redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_says_who_is_there),
        cmocka_unit_test(every_kind_of_address_is_reached),
        cmocka_unit_test(sockets_do_not_delay_and_notice_who_has_gone),
        cmocka_unit_test(one_connection_is_used_over_and_over),
        cmocka_unit_test(the_login_and_the_database_are_taken),
        cmocka_unit_test(a_server_without_hello_is_spoken_to_in_resp2),
        cmocka_unit_test(a_user_with_few_rights_is_enough),
        cmocka_unit_test(a_sentinels_handshake_takes_no_database),
        cmocka_unit_test(ten_thousand_replies_come_in_order),
        cmocka_unit_test(what_is_flushed_together_leaves_in_one_write),
        cmocka_unit_test(replies_that_come_byte_by_byte_are_whole),
        cmocka_unit_test(pushes_are_told_apart_from_replies),
        cmocka_unit_test(messages_of_resp2_are_pushes),
        cmocka_unit_test(a_reply_has_its_bounds),
        cmocka_unit_test(a_server_that_does_not_read_makes_a_backlog),
        cmocka_unit_test(a_backlog_can_be_left_behind),
    };
    plain = rig_redis_start(NULL);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_redis_stop(plain);
    return failed;
}
