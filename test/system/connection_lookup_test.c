/* connection_lookup_test.c - names and their addresses: each is tried, each has its share of the
 * time, and a name that is never found holds nobody up.
 *
 * The names are looked up by this file: it has a uv_getaddrinfo of its own, which stands before
 * libuv's, and which answers what a test says, when it says so. */

#include "redis/stream.h"
#include "support/rig.h"
#include "support/talk.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct rig_redis *plain;

/* ---- The lookup --------------------------------------------------------------------------- */

struct place {
    const char *address;
    uint16_t port;
};

#define PLACES_MAX 16

/* What is found; `count` 0 finds nothing, with `status`. */
static struct {
    struct place places[PLACES_MAX];
    size_t count;
    int status;
    bool silent; /* until answer_now */
    uv_getaddrinfo_t *request;
    uv_getaddrinfo_cb callback;
    uv_timer_t timer;
} lookup;

static struct addrinfo *find(const struct place *place)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", place->port);
    assert_int_equal(getaddrinfo(place->address, port, &hints, &found), 0);
    assert_null(found->ai_next);
    return found;
}

static void answer(uv_timer_t *timer)
{
    struct addrinfo *first = NULL;
    for (size_t i = lookup.count; i > 0; i--) {
        struct addrinfo *found = find(&lookup.places[i - 1]);
        found->ai_next = first;
        first = found;
    }
    uv_close((uv_handle_t *)timer, NULL);
    lookup.callback(lookup.request, lookup.count > 0 ? 0 : lookup.status, first);
}

static void answer_now(void)
{
    assert_int_equal(uv_timer_start(&lookup.timer, answer, 0, 0), 0);
}

/* Before libuv's. */
int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb callback,
                   const char *node, const char *service, const struct addrinfo *hints)
{
    assert_string_equal(node, "many.example");
    assert_string_equal(service, "7777");
    assert_int_equal(hints->ai_family, AF_UNSPEC);
    lookup.request = request;
    lookup.callback = callback;
    assert_int_equal(uv_timer_init(loop, &lookup.timer), 0);
    if (!lookup.silent) {
        answer_now();
    }
    return 0;
}

static void add(const char *address, unsigned port)
{
    assert_true(lookup.count < PLACES_MAX);
    lookup.places[lookup.count++] = (struct place){address, (uint16_t)port};
}

static int forget(void **state)
{
    (void)state;
    memset(&lookup, 0, sizeof(lookup));
    return 0;
}

/* A port that nobody listens on: reserved by a socket that does not. */
static int closed_port(uint16_t *ret_port)
{
    const int held = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    assert_int_equal(bind(held, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(held, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return held;
}

/* ---- Tests -------------------------------------------------------------------------------- */

static void each_address_is_tried(void **state)
{
    (void)state;
    uint16_t nobody;
    const int held = closed_port(&nobody);
    struct talk talk;
    talk_begin(&talk, NULL);
    add("127.0.0.1", nobody);
    add("::1", nobody);
    add("127.0.0.1", rig_redis_port(plain));
    add("127.0.0.1", nobody);
    talk_reach(&talk, "many.example", 7777);
    assert_string_equal(talk_ask(&talk, "PING", NULL), "+PONG");
    talk_end(&talk);
    (void)close(held);
}

static void where_none_is_any_good_the_last_reason_is_told(void **state)
{
    (void)state;
    uint16_t nobody;
    const int held = closed_port(&nobody);
    struct talk talk;
    talk_begin(&talk, NULL);
    add("127.0.0.1", nobody);
    add("127.0.0.1", nobody);
    assert_int_equal(talk_fail(&talk, "many.example", 7777), WEIR_FAILURE_UNREACHABLE);
    assert_string_equal(talk.message, "can't connect: connection refused");
    talk_end(&talk);
    (void)close(held);
}

static void eight_addresses_are_tried_and_no_more(void **state)
{
    (void)state;
    uint16_t nobody;
    const int held = closed_port(&nobody);
    struct talk talk;
    talk_begin(&talk, NULL);
    for (size_t i = 0; i + 1 < WEIR_STREAM_ADDRESSES_MAX; i++) {
        add("127.0.0.1", nobody);
    }
    add("127.0.0.1", rig_redis_port(plain));
    talk_reach(&talk, "many.example", 7777);
    weir_connection_close(talk.connection);
    lookup.places[WEIR_STREAM_ADDRESSES_MAX - 1].port = nobody;
    add("127.0.0.1", rig_redis_port(plain));
    assert_int_equal(talk_fail(&talk, "many.example", 7777), WEIR_FAILURE_UNREACHABLE);
    talk_end(&talk);
    (void)close(held);
}

/* A socket that listens and takes no more: connecting to it hangs. Each such address may take its
 * share of the time and no more, so that the good one has its own. */
static void an_address_that_hangs_leaves_time_for_the_next(void **state)
{
    (void)state;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int waiting[8];
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    for (size_t i = 0; i < 8; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(waiting[i], (const struct sockaddr *)&address, length);
    }
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.timeout_us = 4500000});
    add("127.0.0.1", ntohs(address.sin_port));
    add("127.0.0.1", ntohs(address.sin_port));
    add("127.0.0.1", rig_redis_port(plain));
    talk_reach(&talk, "many.example", 7777);
    talk_end(&talk);
    for (size_t i = 0; i < 8; i++) {
        (void)close(waiting[i]);
    }
    (void)close(listener);
}

static void a_name_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, NULL);
    lookup.status = UV_EAI_NONAME;
    assert_int_equal(talk_fail(&talk, "many.example", 7777), WEIR_FAILURE_UNREACHABLE);
    assert_string_equal(talk.message, "can't look up the name: unknown node or service");
    lookup.status = 0;
    assert_int_equal(talk_fail(&talk, "many.example", 7777), WEIR_FAILURE_UNREACHABLE);
    assert_non_null(strstr(talk.message, "can't look up the name: "));
    talk_end(&talk);
}

static void a_name_that_is_never_found_holds_nobody_up(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, &(struct talk_options){.timeout_us = 200000});
    lookup.silent = true;
    add("127.0.0.1", rig_redis_port(plain));
    assert_int_equal(talk_fail(&talk, "many.example", 7777), WEIR_FAILURE_UNREACHABLE);
    assert_non_null(strstr(talk.message, "no answer in time"));
    /* It is found after all, when nobody asks any more. */
    answer_now();
    talk_end(&talk);
    assert_int_equal(talk.counts[TALK_READY], 0);
    assert_int_equal(talk.counts[TALK_CLOSED], 1);
}

static void a_lookup_outlives_who_asked(void **state)
{
    (void)state;
    struct talk talk;
    for (unsigned i = 0; i < 2; i++) {
        talk_begin(&talk, NULL);
        lookup.silent = true;
        lookup.count = 0;
        add("127.0.0.1", rig_redis_port(plain));
        talk_connect(&talk, "many.example", 7777);
        (void)uv_run(&talk.loop, UV_RUN_NOWAIT);
        if (i == 0) {
            weir_connection_close(talk.connection);
        } else {
            weir_connection_free(talk.connection);
            talk.connection = NULL;
        }
        (void)uv_run(&talk.loop, UV_RUN_NOWAIT);
        answer_now();
        talk_end(&talk);
        assert_int_equal(talk.counts[TALK_READY] + talk.counts[TALK_CLOSED], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_address_is_tried, forget),
        cmocka_unit_test_setup(where_none_is_any_good_the_last_reason_is_told, forget),
        cmocka_unit_test_setup(eight_addresses_are_tried_and_no_more, forget),
        cmocka_unit_test_setup(an_address_that_hangs_leaves_time_for_the_next, forget),
        cmocka_unit_test_setup(a_name_that_is_not_there_is_told, forget),
        cmocka_unit_test_setup(a_name_that_is_never_found_holds_nobody_up, forget),
        cmocka_unit_test_setup(a_lookup_outlives_who_asked, forget),
    };
    plain = rig_redis_start(NULL);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_redis_stop(plain);
    return failed;
}
