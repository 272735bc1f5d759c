/* connection_fault_test.c - a connection that does not come to be, or ends: every reason is named,
 * and whatever happens at whatever moment, what was asked for is given back. */

#include "redis/stream.h"
#include "support/fault_proxy.h"
#include "support/puppet.h"
#include "support/rig.h"
#include "support/talk.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Long enough for a busy machine to get as far as it does get. */
#define SHORT_US INT64_C(1000000)

static struct rig_redis *plain; /* a server that every test here may use, and leaves as it was */

static void expect(struct talk *talk, const char *host, unsigned port, enum weir_failure failure,
                   const char *message)
{
    const unsigned ready = talk->counts[TALK_READY];
    const enum weir_failure found = talk_fail(talk, host, port);
    if (found != failure || strstr(talk->message, message) == NULL) {
        fail_msg("%d: %s; expected %d: %s", (int)found, talk->message, (int)failure, message);
    }
    assert_int_equal(talk->counts[TALK_READY], ready);
    assert_false(weir_connection_is_ready(talk->connection));
}

static void expect_once(const struct talk_options *options, const char *host, unsigned port,
                        enum weir_failure failure, const char *message)
{
    struct talk talk;
    talk_begin(&talk, options);
    expect(&talk, host, port, failure, message);
    expect(&talk, host, port, failure, message);
    talk_end(&talk);
}

/* ---- Nobody there ------------------------------------------------------------------------- */

/* A socket that listens and takes no more, so that connecting to it hangs. */
struct full_socket {
    int listener;
    int waiting[8];
    uint16_t port;
};

static struct full_socket full_socket_make(void)
{
    struct full_socket full = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    assert_int_equal(bind(full.listener, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(full.listener, 0), 0);
    assert_int_equal(getsockname(full.listener, (struct sockaddr *)&address, &length), 0);
    full.port = ntohs(address.sin_port);
    for (size_t i = 0; i < 8; i++) {
        full.waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(full.waiting[i], (const struct sockaddr *)&address, sizeof(address));
    }
    return full;
}

static void full_socket_close(const struct full_socket *full)
{
    for (size_t i = 0; i < 8; i++) {
        (void)close(full->waiting[i]);
    }
    (void)close(full->listener);
}

static void nobody_there_is_unreachable(void **state)
{
    (void)state;
    char path[256];
    struct rig_redis *redis = rig_redis_start(NULL);
    const uint16_t port = rig_redis_port(redis);
    rig_redis_stop(redis);
    expect_once(NULL, "127.0.0.1", port, WEIR_FAILURE_UNREACHABLE, "connection refused");
    expect_once(NULL, "::1", port, WEIR_FAILURE_UNREACHABLE, "connection refused");
    expect_once(NULL, "localhost", port, WEIR_FAILURE_UNREACHABLE, "connection refused");
    expect_once(NULL, "nobody.invalid", port, WEIR_FAILURE_UNREACHABLE, "can't look up the name");
    expect_once(NULL, "/nowhere/redis.sock", 0, WEIR_FAILURE_UNREACHABLE, "no such file");
    memset(path, 'p', sizeof(path));
    path[0] = '/';
    path[108] = '\0';
    expect_once(NULL, path, 0, WEIR_FAILURE_UNREACHABLE, "name too long");
}

static void a_connection_that_does_not_come_about_is_given_up(void **state)
{
    (void)state;
    const struct full_socket full = full_socket_make();
    expect_once(&(struct talk_options){.timeout_us = SHORT_US}, "127.0.0.1", full.port,
                WEIR_FAILURE_UNREACHABLE, "timed out");
    full_socket_close(&full);
}

static void a_server_that_accepts_and_never_answers_is_given_up(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    rig_redis_pause(redis);
    const struct talk_options options = {.timeout_us = SHORT_US};
    expect_once(&options, "127.0.0.1", rig_redis_port(redis), WEIR_FAILURE_TIMEOUT,
                "does not answer");
    expect_once(&options, rig_redis_socket(redis), 0, WEIR_FAILURE_TIMEOUT, "does not answer");
    rig_redis_stop(redis);
}

/* ---- Refused ------------------------------------------------------------------------------ */

static void a_login_that_is_refused_is_named(void **state)
{
    (void)state;
    const char *const lines[] = {"user bob on >hush ~* +@all", "user eve off >hush ~* +@all",
                                 "user ann on nopass ~* +@all", NULL};
    const struct rig_redis_options server = {.password = "secret", .lines = lines};
    struct rig_redis *redis = rig_redis_start(&server);
    const uint16_t port = rig_redis_port(redis);
    static const struct talk_options wrong[] = {
        {.password = "other"},
        {.user = "bob", .password = "secret"},
        {.user = "bob"},
        {.user = "eve", .password = "hush"},
        {.user = "nobody", .password = "hush"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        expect_once(&wrong[i], "127.0.0.1", port, WEIR_FAILURE_AUTH, "WRONGPASS");
    }
    expect_once(NULL, "127.0.0.1", port, WEIR_FAILURE_AUTH, "NOAUTH");
    expect_once(&(struct talk_options){.sentinel = true, .resp2 = true}, "127.0.0.1", port,
                WEIR_FAILURE_AUTH, "NOAUTH");
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.user = "ann"});
    talk_reach(&talk, "127.0.0.1", port);
    talk_end(&talk);
    rig_redis_stop(redis);
}

static void a_login_that_is_refused_is_named_without_hello_too(void **state)
{
    (void)state;
    const char *const lines[] = {"rename-command HELLO \"\"", NULL};
    const struct rig_redis_options server = {.password = "secret", .lines = lines};
    struct rig_redis *redis = rig_redis_start(&server);
    const uint16_t port = rig_redis_port(redis);
    expect_once(&(struct talk_options){.password = "other"}, "127.0.0.1", port, WEIR_FAILURE_AUTH,
                "WRONGPASS");
    expect_once(NULL, "127.0.0.1", port, WEIR_FAILURE_AUTH, "NOAUTH");
    expect_once(&(struct talk_options){.sentinel = true}, "127.0.0.1", port, WEIR_FAILURE_AUTH,
                "NOAUTH");
    expect_once(&(struct talk_options){.password = "secret", .database = 16}, "127.0.0.1", port,
                WEIR_FAILURE_DATABASE, "DB index");
    rig_redis_stop(redis);
}

static void a_password_where_there_is_none_is_no_harm(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.password = "any"});
    talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
    talk_end(&talk);
}

static void a_database_that_is_not_there_is_named(void **state)
{
    (void)state;
    expect_once(&(struct talk_options){.database = 16}, "127.0.0.1", rig_redis_port(plain),
                WEIR_FAILURE_DATABASE, "DB index is out of range");
    expect_once(&(struct talk_options){.database = INT32_MAX}, "127.0.0.1", rig_redis_port(plain),
                WEIR_FAILURE_DATABASE, "DB index");
    const char *const lines[] = {"cluster-enabled yes", NULL};
    const struct rig_redis_options server = {.lines = lines};
    struct rig_redis *redis = rig_redis_start(&server);
    expect_once(&(struct talk_options){.database = 1}, "127.0.0.1", rig_redis_port(redis),
                WEIR_FAILURE_DATABASE, "ERR "); /* SELECT is not allowed; Valkey 9: out of range */
    rig_redis_stop(redis);
}

static void a_user_who_may_not_select_is_told(void **state)
{
    (void)state;
    const char *const lines[] = {"user bob on >hush ~* +@all -select", NULL};
    const struct rig_redis_options server = {.lines = lines};
    struct rig_redis *redis = rig_redis_start(&server);
    expect_once(&(struct talk_options){.user = "bob", .password = "hush", .database = 1},
                "127.0.0.1", rig_redis_port(redis), WEIR_FAILURE_NOPERM, "NOPERM");
    rig_redis_stop(redis);
}

static void a_server_that_is_full_is_named(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    struct talk talk;
    talk_begin(&talk, NULL);
    talk_reach(&talk, "127.0.0.1", rig_redis_port(redis));
    assert_string_equal(talk_ask(&talk, "CONFIG", "SET", "maxclients", "1", NULL), "+OK");
    expect_once(NULL, "127.0.0.1", rig_redis_port(redis), WEIR_FAILURE_REFUSED,
                "max number of clients");
    expect_once(&(struct talk_options){.password = "any"}, rig_redis_socket(redis), 0,
                WEIR_FAILURE_REFUSED, "max number of clients");
    talk_end(&talk);
    rig_redis_stop(redis);
}

/* ---- What no server here says on demand --------------------------------------------------- */

static const char *const hello = "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n";

/* What a server answers to a client with this password, and what comes of it. */
static const struct {
    const char *answers[6];
    enum weir_failure failure; /* NONE: it becomes ready */
    const char *message;
} scenes[] = {
    {{"-LOADING Redis is loading the dataset in memory\r\n"}, WEIR_FAILURE_LOADING, "LOADING"},
    {{"-BUSY Redis is busy running a script.\r\n"}, WEIR_FAILURE_BUSY, "BUSY"},
    {{"-MASTERDOWN Link with MASTER is down\r\n"}, WEIR_FAILURE_READONLY, "MASTERDOWN"},
    {{"-DENIED Redis is running in protected mode\r\n", PUPPET_HANG_UP},
     WEIR_FAILURE_REFUSED,
     "protected mode"},
    {{"-ERR max number of clients reached\r\n", PUPPET_HANG_UP},
     WEIR_FAILURE_REFUSED,
     "max number of clients"},
    /* A server of before HELLO tells what it was sent, with the password. */
    {{"-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `u`, `hushhush`\r\n",
      PUPPET_HANG_UP},
     WEIR_FAILURE_REFUSED,
     "unknown command `HELLO`"},
    {{"-ERR unknown command `HELLO`\r\n", "-ERR unknown command 'AUTH' 'hushhu'\r\n"},
     WEIR_FAILURE_AUTH,
     "it refuses, in words that hold a part of the password"},
    {{"-ERR unknown command `HELLO`\r\n", "-ERR wrong number of arguments for 'auth'\r\n"},
     WEIR_FAILURE_AUTH,
     "wrong number"},
    {{"-ERR unknown command `HELLO`\r\n", "+OK\r\n-ERR unknown command `CLIENT`\r\n"},
     WEIR_FAILURE_NONE,
     ""},
    {{"-NOPROTO unsupported protocol version\r\n", "+OK\r\n+OK\r\n"}, WEIR_FAILURE_NONE, ""},
    {{"-NOPERM this user has no permissions to run the 'hello' command\r\n", "+OK\r\n+OK\r\n"},
     WEIR_FAILURE_NONE,
     ""},
    {{"-NOAUTH Authentication required.\r\n", "+OK\r\n+OK\r\n"}, WEIR_FAILURE_NONE, ""},
    {{"-NOAUTH Authentication required.\r\n", "-NOAUTH Authentication required.\r\n"},
     WEIR_FAILURE_AUTH,
     "NOAUTH"},
    {{"-NOPERM this user has no permissions\r\n", "-WRONGPASS invalid\r\n"},
     WEIR_FAILURE_AUTH,
     "WRONGPASS"},
    {{"-\r\n"}, WEIR_FAILURE_REFUSED, "without a word"},
    {{"+OK\r\n"}, WEIR_FAILURE_REPLY, "answers HELLO with something else"},
    {{":1\r\n"}, WEIR_FAILURE_REPLY, "answers HELLO with something else"},
    {{"$-1\r\n"}, WEIR_FAILURE_REPLY, "answers HELLO with something else"},
    {{"HTTP/1.1 400 Bad Request\r\n\r\n"}, WEIR_FAILURE_REPLY, ""},
    {{"\x15\x03\x01\x00\x02\x02\x46"}, WEIR_FAILURE_TLS, "rediss://"},
    {{PUPPET_HANG_UP}, WEIR_FAILURE_LOST, "ended the connection before"},
    {{"%2\r\n$6\r\nser", PUPPET_HANG_UP}, WEIR_FAILURE_LOST, "ended the connection before"},
    {{"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n", ""}, WEIR_FAILURE_NONE, ""},
    {{"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n"}, WEIR_FAILURE_NONE, ""},
    {{"%0\r\n"}, WEIR_FAILURE_NONE, ""},
    {{"*1\r\n$6\r\nserver\r\n"}, WEIR_FAILURE_NONE, ""},
    {{"*2\r\n*1\r\n$6\r\nserver\r\n%1\r\n+a\r\n+b\r\n"}, WEIR_FAILURE_NONE, ""},
};

static void what_servers_say_in_the_handshake_is_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        struct talk talk;
        struct puppet puppet;
        talk_begin(&talk, &(struct talk_options){.password = "hushhush"});
        puppet_begin(&puppet, &talk.loop, scenes[i].answers);
        if (scenes[i].failure == WEIR_FAILURE_NONE) {
            talk_reach(&talk, "127.0.0.1", puppet_port(&puppet));
        } else {
            expect(&talk, "127.0.0.1", puppet_port(&puppet), scenes[i].failure, scenes[i].message);
            assert_null(strstr(talk.message, "hush"));
        }
        assert_non_null(strstr(puppet.heard, "hushhush"));
        puppet_end(&puppet);
        talk_end(&talk);
    }
}

static void any_error_of_a_choice_is_the_databases(void **state)
{
    (void)state;
    const char *const answers[] = {hello, NULL};
    char both[128];
    const char *const all[] = {both, NULL};
    (void)snprintf(both, sizeof(both), "%s-ERR there is but one\r\n", hello);
    struct talk talk;
    struct puppet puppet;
    talk_begin(&talk, &(struct talk_options){.database = 1});
    puppet_begin(&puppet, &talk.loop, all);
    expect(&talk, "127.0.0.1", puppet_port(&puppet), WEIR_FAILURE_DATABASE, "but one");
    assert_non_null(strstr(puppet.heard, "SELECT"));
    puppet_end(&puppet);
    talk_end(&talk);
    talk_begin(&talk, &(struct talk_options){.sentinel = true, .database = 1});
    puppet_begin(&puppet, &talk.loop, answers);
    talk_reach(&talk, "127.0.0.1", puppet_port(&puppet));
    assert_null(strstr(puppet.heard, "SELECT"));
    puppet_end(&puppet);
    talk_end(&talk);
}

static void a_silent_server_is_blamed_for_what_it_said_last(void **state)
{
    (void)state;
    static const char *const answers[] = {"-ERR max number of clients reached\r\n", NULL};
    struct talk talk;
    struct puppet puppet;
    talk_begin(&talk, &(struct talk_options){.timeout_us = SHORT_US});
    puppet_begin(&puppet, &talk.loop, answers);
    expect(&talk, "127.0.0.1", puppet_port(&puppet), WEIR_FAILURE_REFUSED, "max number");
    puppet_end(&puppet);
    talk_end(&talk);
}

static void what_was_not_asked_for_ends_the_connection(void **state)
{
    (void)state;
    const char *const answers[] = {hello, "+one\r\n+two\r\n", NULL};
    struct talk talk;
    struct puppet puppet;
    talk_begin(&talk, NULL);
    puppet_begin(&puppet, &talk.loop, answers);
    talk_reach(&talk, "127.0.0.1", puppet_port(&puppet));
    talk_say(&talk, "PING", NULL);
    talk_await(&talk, TALK_CLOSED, 1);
    assert_int_equal(talk.failure, WEIR_FAILURE_REPLY);
    assert_int_equal(talk.counts[TALK_REPLY], 1);
    assert_string_equal(talk.reply, "+one");
    puppet_end(&puppet);
    talk_end(&talk);
}

static void what_is_no_resp_ends_the_connection(void **state)
{
    (void)state;
    const char *const answers[] = {hello, "+one\r\n?two\r\n", NULL};
    struct talk talk;
    struct puppet puppet;
    talk_begin(&talk, NULL);
    puppet_begin(&puppet, &talk.loop, answers);
    talk_reach(&talk, "127.0.0.1", puppet_port(&puppet));
    talk_say(&talk, "PING", NULL);
    talk_say(&talk, "PING", NULL);
    talk_await(&talk, TALK_CLOSED, 1);
    assert_int_equal(talk.failure, WEIR_FAILURE_REPLY);
    assert_string_equal(talk.reply, "+one");
    puppet_end(&puppet);
    talk_end(&talk);
}

/* ---- Lost --------------------------------------------------------------------------------- */

/* Replies that came before the end are handed over; the end is told once. */
static void a_connection_that_is_lost_is_told_once(void **state)
{
    (void)state;
    const char *const answers[] = {hello, "+one\r\n+tw", PUPPET_HANG_UP, NULL};
    struct talk talk;
    struct puppet puppet;
    talk_begin(&talk, NULL);
    puppet_begin(&puppet, &talk.loop, answers);
    talk_reach(&talk, "127.0.0.1", puppet_port(&puppet));
    talk_say(&talk, "PING", NULL);
    talk_await(&talk, TALK_CLOSED, 1);
    assert_int_equal(talk.failure, WEIR_FAILURE_LOST);
    assert_string_equal(talk.message, "the server ended the connection");
    assert_int_equal(talk.counts[TALK_REPLY], 1);
    puppet_end(&puppet);
    talk_end(&talk);
    assert_int_equal(talk.counts[TALK_CLOSED], 1);
}

static void a_reset_is_a_loss(void **state)
{
    (void)state;
    struct fault_proxy *proxy = fault_proxy_start(rig_redis_port(plain));
    struct talk talk;
    talk_begin(&talk, NULL);
    talk_reach(&talk, "127.0.0.1", fault_proxy_port(proxy));
    fault_proxy_reset(proxy);
    talk_await(&talk, TALK_CLOSED, 1);
    assert_int_equal(talk.failure, WEIR_FAILURE_LOST);
    assert_non_null(strstr(talk.message, "reset"));
    talk_reach(&talk, "127.0.0.1", fault_proxy_port(proxy));
    fault_proxy_cut(proxy);
    talk_await(&talk, TALK_CLOSED, 2);
    assert_int_equal(talk.failure, WEIR_FAILURE_LOST);
    talk_end(&talk);
    fault_proxy_stop(proxy);
}

/* SIGPIPE is as the system has it: it would end this process. */
static void writing_to_a_server_that_has_gone_harms_nobody(void **state)
{
    (void)state;
    struct sigaction action;
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
    struct rig_redis *redis = rig_redis_start(NULL);
    struct talk talk;
    talk_begin(&talk, NULL);
    for (unsigned i = 1; i <= 3; i++) {
        talk_reach(&talk, "127.0.0.1", rig_redis_port(redis));
        rig_redis_kill(redis, SIGKILL);
        for (unsigned j = 0; j < 10; j++) {
            talk_say(&talk, "PING", NULL); /* the first meets a reset, the rest a broken pipe */
        }
        assert_int_equal(talk.counts[TALK_CLOSED], i - 1); /* never from within */
        talk_await(&talk, TALK_CLOSED, i);
        assert_int_equal(talk.failure, WEIR_FAILURE_LOST);
        rig_redis_restart(redis);
    }
    talk_end(&talk);
    rig_redis_stop(redis);
}

/* What a server says before it goes is read, though writing to it fails first, and the loop comes
 * `late_ms` after. */
static void hear_last_words(unsigned late_ms)
{
    struct fault_proxy *proxy = fault_proxy_start(rig_redis_port(plain));
    struct talk talk;
    talk_begin(&talk, NULL);
    talk_reach(&talk, "127.0.0.1", fault_proxy_port(proxy));
    const uint64_t before = fault_proxy_tell(proxy).to_client;
    talk_say(&talk, "ECHO", "last words", NULL);
    /* The reply is in this side's socket, and the connection gone, before the loop looks. */
    while (fault_proxy_tell(proxy).to_client == before) {
        uv_sleep(1);
    }
    fault_proxy_cut(proxy);
    for (unsigned i = 0; i < 10; i++) {
        talk_say(&talk, "PING", NULL);
    }
    uv_sleep(late_ms);
    talk_await(&talk, TALK_CLOSED, 1);
    assert_int_equal(talk.failure, WEIR_FAILURE_LOST);
    assert_int_equal(talk.counts[TALK_REPLY], 1);
    assert_string_equal(talk.reply, "\"last words\"");
    talk_end(&talk);
    fault_proxy_stop(proxy);
}

static void last_words_are_heard(void **state)
{
    (void)state;
    hear_last_words(0);
    hear_last_words(200);
}

/* ---- Closed ------------------------------------------------------------------------------- */

/* What a hook does, by the number in `stage`: close, free, or close and connect again. */
enum deed {
    CLOSE = 1,
    FREE,
    AGAIN
};

static enum talk_event deed_event; /* when it does it, once */
static enum deed deed_done;
static uint16_t deed_port;

static void do_the_deed(struct talk *talk, enum talk_event event)
{
    if (event != deed_event || talk->stage > 0) {
        return;
    }
    talk->stage++;
    if (deed_done == FREE) {
        weir_connection_free(talk->connection);
        talk->connection = NULL;
        return;
    }
    weir_connection_close(talk->connection);
    if (deed_done == AGAIN) {
        talk_connect(talk, "127.0.0.1", deed_port);
    }
}

static void run_a_deed(enum talk_event event, enum deed deed)
{
    const bool pushed = event == TALK_PUSH;
    struct talk talk;
    deed_event = event;
    deed_done = deed;
    deed_port = rig_redis_port(plain);
    talk_begin(&talk, &(struct talk_options){.hook = do_the_deed, .resp2 = true});
    talk_connect(&talk, "127.0.0.1", deed_port);
    talk_await(&talk, TALK_READY, 1);
    if (event != TALK_READY) {
        talk_say(&talk, "SUBSCRIBE", "news", NULL);
        if (event == TALK_REPLY) {
            talk_say(&talk, "PING", NULL); /* comes with the one that the deed is done at */
            talk_say(&talk, "PING", NULL);
        }
    }
    if (pushed || event == TALK_CLOSED) {
        talk_await(&talk, TALK_REPLY, 1);
    }
    if (pushed) {
        assert_string_equal(rig_redis_command(plain, "PUBLISH", "news", "hey", NULL), "1");
    }
    if (event == TALK_CLOSED) {
        assert_string_equal(
            rig_redis_command(plain, "CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes", NULL),
            "1");
    }
    if (event != TALK_READY) {
        talk_await(&talk, event, 1);
    }
    assert_int_equal(talk.stage, 1);
    if (deed == AGAIN) {
        talk_await(&talk, TALK_READY, 2);
        assert_string_equal(talk_ask(&talk, "ECHO", "again", NULL), "\"again\"");
    }
    const unsigned replies = talk.counts[TALK_REPLY];
    talk_end(&talk);
    assert_int_equal(talk.counts[TALK_REPLY], replies);
    assert_int_equal(talk.counts[TALK_CLOSED], event == TALK_CLOSED ? 1 : 0);
}

static void every_event_may_close_free_or_connect_again(void **state)
{
    (void)state;
    for (enum talk_event event = TALK_READY; event <= TALK_CLOSED; event++) {
        for (enum deed deed = CLOSE; deed <= AGAIN; deed++) {
            run_a_deed(event, deed);
        }
    }
}

/* However far it has come: after so many turns of the loop it is closed, or freed. */
static void a_connection_may_be_closed_at_any_moment(void **state)
{
    (void)state;
    const char *const hosts[] = {"127.0.0.1", "localhost", "nobody.invalid",
                                 rig_redis_socket(plain)};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        const unsigned port = hosts[i][0] == '/' ? 0 : rig_redis_port(plain);
        for (unsigned turns = 0; turns < 12; turns++) {
            struct talk talk;
            talk_begin(&talk, &(struct talk_options){.database = 1});
            talk_connect(&talk, hosts[i], port);
            for (unsigned turn = 0; turn < turns && talk.counts[TALK_CLOSED] == 0; turn++) {
                (void)uv_run(&talk.loop, UV_RUN_ONCE);
                if (talk.counts[TALK_READY] > 0 && talk.counts[TALK_CLOSED] == 0) {
                    talk_say(&talk, "PING", NULL);
                }
            }
            if (turns % 2 == 0) {
                weir_connection_close(talk.connection);
                weir_connection_close(talk.connection);
                talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
            }
            talk_end(&talk);
        }
    }
}

static void nothing_is_freed_by_nothing(void **state)
{
    (void)state;
    weir_connection_free(NULL);
    weir_stream_close(NULL);
    weir_tls_free(NULL);
    weir_tls_context_free(NULL);
}

/* ---- Memory ------------------------------------------------------------------------------- */

/* With memory for so many allocations: it works, or says that there is none. */
static void no_memory_is_said_and_no_harm(void **state)
{
    (void)state;
    unsigned worked = 0;
    for (size_t allocations = 0; worked < 3; allocations++) {
        assert_true(allocations < 100);
        struct talk talk;
        talk_begin(&talk, NULL);
        talk.allocations_left = allocations;
        talk_connect(&talk, "127.0.0.1", rig_redis_port(plain));
        assert_int_equal(talk.counts[TALK_CLOSED], 0); /* never from within */
        while (talk.counts[TALK_CLOSED] + talk.counts[TALK_REPLY] == 0) {
            (void)uv_run(&talk.loop, UV_RUN_ONCE);
            if (talk.counts[TALK_READY] == 1 && talk.counts[TALK_CLOSED] == 0 && talk.stage == 0) {
                talk.stage = 1;
                talk_say(&talk, "EVAL", "return string.rep('x', 200000)", "0", NULL);
            }
        }
        if (talk.counts[TALK_CLOSED] > 0) {
            assert_int_equal(talk.failure, WEIR_FAILURE_NO_MEMORY);
            worked = 0;
        } else {
            worked++;
        }
        talk.allocations_left = SIZE_MAX;
        weir_connection_close(talk.connection);
        talk_reach(&talk, "127.0.0.1", rig_redis_port(plain));
        talk_end(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_there_is_unreachable),
        cmocka_unit_test(a_connection_that_does_not_come_about_is_given_up),
        cmocka_unit_test(a_server_that_accepts_and_never_answers_is_given_up),
        cmocka_unit_test(a_login_that_is_refused_is_named),
        cmocka_unit_test(a_login_that_is_refused_is_named_without_hello_too),
        cmocka_unit_test(a_password_where_there_is_none_is_no_harm),
        cmocka_unit_test(a_database_that_is_not_there_is_named),
        cmocka_unit_test(a_user_who_may_not_select_is_told),
        cmocka_unit_test(a_server_that_is_full_is_named),
        cmocka_unit_test(what_servers_say_in_the_handshake_is_understood),
        cmocka_unit_test(any_error_of_a_choice_is_the_databases),
        cmocka_unit_test(a_silent_server_is_blamed_for_what_it_said_last),
        cmocka_unit_test(what_was_not_asked_for_ends_the_connection),
        cmocka_unit_test(what_is_no_resp_ends_the_connection),
        cmocka_unit_test(a_connection_that_is_lost_is_told_once),
        cmocka_unit_test(a_reset_is_a_loss),
        cmocka_unit_test(writing_to_a_server_that_has_gone_harms_nobody),
        cmocka_unit_test(last_words_are_heard),
        cmocka_unit_test(every_event_may_close_free_or_connect_again),
        cmocka_unit_test(a_connection_may_be_closed_at_any_moment),
        cmocka_unit_test(nothing_is_freed_by_nothing),
        cmocka_unit_test(no_memory_is_said_and_no_harm),
    };
    plain = rig_redis_start(NULL);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_redis_stop(plain);
    return failed;
}
