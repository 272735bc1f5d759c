/* fault_proxy_test.c - the proxy of test/support/fault_proxy.h does what it says, between a real
 * server and a plain socket. */

#include "support/fault_proxy.h"

#include "support/rig.h"
#include "support/rig_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char no_answer[] = "(no answer) ended or timed out";

struct scene {
    struct rig_redis *redis;
    struct fault_proxy *proxy;
    uint16_t port;
};

static int set_scene(void **state)
{
    static struct scene scene;
    scene.redis = rig_redis_start(NULL);
    scene.proxy = fault_proxy_start(rig_redis_port(scene.redis));
    scene.port = fault_proxy_port(scene.proxy);
    *state = &scene;
    return 0;
}

static int clear_scene(void **state)
{
    const struct scene *scene = *state;
    fault_proxy_stop(scene->proxy);
    rig_redis_stop(scene->redis);
    return 0;
}

static int dial(uint16_t port)
{
    const int connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = RIG_PATIENCE_MS / 1000};
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)setsockopt(connected, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(connected, (const struct sockaddr *)&address, sizeof(address)), 0);
    return connected;
}

static void send_ping(int connected)
{
    assert_int_equal(send(connected, "PING\r\n", 6, MSG_NOSIGNAL), 6);
}

/* What comes until the end or until there are `enough` bytes; returns how many. */
static size_t receive(int connected, char *bytes, size_t enough)
{
    size_t len = 0;
    while (len < enough) {
        const ssize_t got = recv(connected, bytes + len, enough - len, 0);
        assert_true(got >= 0);
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    return len;
}

static void passes_everything(void **state)
{
    const struct scene *scene = *state;
    static char large[200001];
    memset(large, 'x', sizeof(large) - 1);
    assert_string_equal(rig_command(scene->port, "SET", "a", large, NULL), "OK");
    assert_string_equal(rig_command(scene->port, "GET", "a", NULL), large);
    const struct fault_proxy_account account = fault_proxy_tell(scene->proxy);
    assert_int_equal(account.accepted, 2);
    assert_true(account.to_server > sizeof(large));
    assert_true(account.to_client > sizeof(large));
}

static void refuses_until_it_no_longer_does(void **state)
{
    const struct scene *scene = *state;
    const struct fault_proxy_behaviour refuse = {.refuse = true};
    fault_proxy_set(scene->proxy, &refuse);
    assert_string_equal(rig_command(scene->port, "PING", NULL), "(no answer) Connection refused");
    fault_proxy_set(scene->proxy, &refuse);
    fault_proxy_set(scene->proxy, NULL);
    assert_string_equal(rig_command(scene->port, "PING", NULL), "PONG");
}

static void accepts_and_never_answers(void **state)
{
    const struct scene *scene = *state;
    const struct fault_proxy_behaviour stall = {.stall_to_server = true, .stall_to_client = true};
    fault_proxy_set(scene->proxy, &stall);
    assert_string_equal(rig_command(scene->port, "INCR", "n", NULL), no_answer);
    assert_string_equal(rig_redis_command(scene->redis, "GET", "n", NULL), "(nil)");
}

static void loses_answers_to_what_was_done(void **state)
{
    const struct scene *scene = *state;
    const struct fault_proxy_behaviour stall = {.stall_to_client = true};
    fault_proxy_set(scene->proxy, &stall);
    assert_string_equal(rig_command(scene->port, "INCR", "n", NULL), no_answer);
    assert_string_equal(rig_redis_command(scene->redis, "GET", "n", NULL), "1");
}

static void what_was_stalled_goes_on(void **state)
{
    const struct scene *scene = *state;
    const struct fault_proxy_behaviour stall = {.stall_to_server = true};
    char answer[16];
    fault_proxy_set(scene->proxy, &stall);
    const int connected = dial(scene->port);
    send_ping(connected);
    fault_proxy_set(scene->proxy, NULL);
    assert_int_equal(receive(connected, answer, 7), 7);
    assert_memory_equal(answer, "+PONG\r\n", 7);
    (void)close(connected);
}

static void delays_each_direction(void **state)
{
    const struct scene *scene = *state;
    const struct fault_proxy_behaviour delays[] = {
        {.delay_to_server_ms = 120},
        {.delay_to_client_ms = 120},
        {.delay_to_server_ms = 60, .delay_to_client_ms = 60}};
    for (size_t i = 0; i < 3; i++) {
        fault_proxy_set(scene->proxy, &delays[i]);
        const int64_t start_ms = rig_monotonic_ms();
        assert_string_equal(rig_command(scene->port, "PING", NULL), "PONG");
        assert_true(rig_monotonic_ms() - start_ms >= 119);
    }
}

static void bytes_trickle_one_by_one(void **state)
{
    const struct scene *scene = *state;
    const struct fault_proxy_behaviour trickle = {.trickle_ms = 10};
    fault_proxy_set(scene->proxy, &trickle);
    const int64_t start_ms = rig_monotonic_ms();
    assert_string_equal(rig_command(scene->port, "PING", NULL), "PONG");
    /* "*1\r\n$4\r\nPING\r\n" has 13 pauses, "+PONG\r\n" 6. */
    assert_true(rig_monotonic_ms() - start_ms >= 190 - 1);
}

static void answers_end_after_so_many_bytes(void **state)
{
    const struct scene *scene = *state;
    const struct fault_proxy_behaviour truncate = {.truncate_after = 3};
    char answer[16];
    fault_proxy_set(scene->proxy, &truncate);
    const int connected = dial(scene->port);
    send_ping(connected);
    assert_int_equal(receive(connected, answer, sizeof(answer)), 3);
    assert_memory_equal(answer, "+PO", 3);
    (void)close(connected);
}

static bool none_is_open(void *context)
{
    return fault_proxy_tell(context).open == 0;
}

static bool one_is_open(void *context)
{
    return fault_proxy_tell(context).open == 1;
}

static void cuts_and_resets(void **state)
{
    const struct scene *scene = *state;
    char byte = 0;
    int connected = dial(scene->port);
    rig_wait(one_is_open, scene->proxy, "the proxy has accepted");
    fault_proxy_cut(scene->proxy);
    assert_int_equal(recv(connected, &byte, 1, 0), 0);
    (void)close(connected);

    connected = dial(scene->port);
    rig_wait(one_is_open, scene->proxy, "the proxy has accepted");
    fault_proxy_reset(scene->proxy);
    assert_int_equal(recv(connected, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    (void)close(connected);

    assert_string_equal(rig_command(scene->port, "PING", NULL), "PONG");
    rig_wait(none_is_open, scene->proxy, "the proxy has ended what the client has");
}

static void a_server_that_is_gone_ends_connections(void **state)
{
    const struct scene *scene = *state;
    rig_redis_kill(scene->redis, 9);
    assert_string_equal(rig_command(scene->port, "PING", NULL), no_answer);
    rig_redis_restart(scene->redis);
    assert_string_equal(rig_command(scene->port, "PING", NULL), "PONG");
}

#define scenic(test) cmocka_unit_test_setup_teardown(test, set_scene, clear_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scenic(passes_everything),         scenic(refuses_until_it_no_longer_does),
        scenic(accepts_and_never_answers), scenic(loses_answers_to_what_was_done),
        scenic(what_was_stalled_goes_on),  scenic(delays_each_direction),
        scenic(bytes_trickle_one_by_one),  scenic(answers_end_after_so_many_bytes),
        scenic(cuts_and_resets),           scenic(a_server_that_is_gone_ends_connections),
    };
    return cmocka_run_group_tests_name("fault_proxy", tests, NULL, NULL);
}
