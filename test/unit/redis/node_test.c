/* node_test.c - a node without a server: where nobody listens, or somebody who never answers. */

#include "redis/node.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    uv_loop_t loop;
    struct weir_redis_config config;
    struct weir_node *node;
    int listener; /* accepts, and that is all */
    unsigned downs;
};

struct errand {
    struct weir_command command;
    struct place *place;
    unsigned done;
    enum weir_failure failure;
    bool written;
    bool frees;
};

static void on_up(void *owner, struct weir_node *node)
{
    (void)owner;
    (void)node;
    fail();
}

static void on_down(void *owner, struct weir_node *node, enum weir_failure failure)
{
    struct place *place = owner;
    (void)node;
    (void)failure;
    place->downs++;
}

static const struct weir_node_events events = {.up = on_up, .down = on_down};

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* A port of 127.0.0.1 that nobody else gets, listening or not. */
static uint16_t take_port(struct place *place, bool listening)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    place->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(place->listener >= 0);
    assert_int_equal(bind(place->listener, (struct sockaddr *)&address, size), 0);
    if (listening) {
        assert_int_equal(listen(place->listener, 8), 0);
    }
    assert_int_equal(getsockname(place->listener, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static void open_node(struct place *place, bool listening)
{
    struct weir_address address = {.port = take_port(place, listening)};
    const struct weir_node_options options = {
        .loop = &place->loop,
        .allocator = weir_allocator_or_default(NULL),
        .config = &place->config,
        .events = &events,
        .owner = place,
    };
    strcpy(address.host, "127.0.0.1");
    place->node = weir_node_new(&options, &address);
    assert_non_null(place->node);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    assert_int_equal(uv_loop_init(&place->loop), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    weir_node_free(place->node, WEIR_FAILURE_CLOSED);
    assert_int_equal(uv_run(&place->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    close(place->listener);
    free(place);
    return 0;
}

static size_t on_write(struct weir_command *command, struct weir_node *node,
                       struct weir_buffer *writer)
{
    (void)command;
    (void)node;
    (void)writer;
    fail();
    return 1;
}

static void on_done(struct weir_command *command, struct weir_node *node,
                    const struct weir_outcome *outcome)
{
    struct errand *errand = command->context;
    errand->done++;
    errand->failure = outcome->failure;
    errand->written = outcome->written;
    if (errand->frees) {
        weir_node_free(node, WEIR_FAILURE_CLOSED);
        errand->place->node = NULL;
    }
}

static bool send_errand(struct place *place, struct errand *errand, int64_t left_us)
{
    *errand = (struct errand){.place = place, .frees = errand->frees};
    errand->command.write = on_write;
    errand->command.done = on_done;
    errand->command.context = errand;
    errand->command.deadline_us = now_us() + left_us;
    return weir_node_send(place->node, &errand->command, true);
}

static void run_until_done(struct place *place, const struct errand *errand)
{
    while (errand->done == 0) {
        (void)uv_run(&place->loop, UV_RUN_ONCE);
    }
}

static void one_command_too_many_is_refused(void **state)
{
    struct place *place = *state;
    struct errand *errands = calloc(WEIR_NODE_COMMANDS_MAX + 1, sizeof(*errands));
    assert_non_null(errands);
    open_node(place, true);
    for (size_t i = 0; i < WEIR_NODE_COMMANDS_MAX; i++) {
        assert_true(send_errand(place, &errands[i], INT64_C(60000000)));
    }
    assert_false(send_errand(place, &errands[WEIR_NODE_COMMANDS_MAX], INT64_C(60000000)));
    assert_int_equal(errands[WEIR_NODE_COMMANDS_MAX].done, 1);
    assert_int_equal(errands[WEIR_NODE_COMMANDS_MAX].failure, WEIR_FAILURE_FULL);
    /* There is room again for as many as are taken back. */
    weir_node_cancel(place->node, &errands[7].command);
    assert_true(send_errand(place, &errands[7], INT64_C(60000000)));
    weir_node_free(place->node, WEIR_FAILURE_CLOSED);
    place->node = NULL;
    for (size_t i = 0; i < WEIR_NODE_COMMANDS_MAX; i++) {
        assert_int_equal(errands[i].done, 1);
        assert_int_equal(errands[i].failure, WEIR_FAILURE_CLOSED);
        assert_false(errands[i].written);
    }
    free(errands);
}

static void a_server_that_never_answers_costs_the_deadline(void **state)
{
    struct place *place = *state;
    struct errand late = {.frees = false};
    struct errand later = {.frees = false};
    struct errand cancelled = {.frees = false};
    open_node(place, true);
    assert_true(send_errand(place, &later, 40000));
    assert_true(send_errand(place, &cancelled, 1000));
    assert_true(send_errand(place, &late, 10000));
    weir_node_cancel(place->node, &cancelled.command);
    run_until_done(place, &late);
    assert_int_equal(late.failure, WEIR_FAILURE_TIMEOUT);
    assert_false(late.written);
    assert_true(now_us() >= late.command.deadline_us);
    run_until_done(place, &later);
    assert_true(now_us() >= later.command.deadline_us);
    assert_int_equal(cancelled.done, 0);
}

static void where_nobody_listens_calls_end_at_once(void **state)
{
    struct place *place = *state;
    struct errand first = {.frees = false};
    struct errand next = {.frees = false};
    open_node(place, false);
    assert_true(send_errand(place, &first, 1000));
    run_until_done(place, &first);
    while (place->downs == 0) {
        (void)uv_run(&place->loop, UV_RUN_ONCE);
    }
    /* It is not tried again before this deadline, which has gone by. */
    assert_false(send_errand(place, &next, -1000000));
    assert_int_equal(next.failure, WEIR_FAILURE_UNREACHABLE);
    assert_true(weir_node_wait(place->node, now_us()) > 0);
}

static void failures_open_the_circuit(void **state)
{
    struct place *place = *state;
    struct errand errand = {.frees = false};
    unsigned tries = 0;
    open_node(place, false);
    do {
        (void)send_errand(place, &errand, 1000);
        run_until_done(place, &errand);
        assert_true(++tries <= 100);
    } while (errand.failure != WEIR_FAILURE_CIRCUIT);
    assert_true(tries > WEIR_BREAKER_FAILURES);
    assert_int_equal(weir_node_breaker(place->node)->state, WEIR_BREAKER_OPEN);
}

static void a_command_may_free_the_node_when_it_ends(void **state)
{
    struct place *place = *state;
    struct errand others[3] = {{.frees = false}};
    struct errand frees = {.frees = true};
    open_node(place, true);
    assert_true(send_errand(place, &others[0], 60000000));
    assert_true(send_errand(place, &frees, 1000));
    assert_true(send_errand(place, &others[1], 1000));
    assert_true(send_errand(place, &others[2], 60000000));
    run_until_done(place, &frees);
    assert_null(place->node);
    for (size_t i = 0; i < 3; i++) {
        run_until_done(place, &others[i]);
        assert_int_equal(others[i].done, 1);
    }
    assert_int_equal(others[0].failure, WEIR_FAILURE_CLOSED);
    assert_int_equal(others[2].failure, WEIR_FAILURE_CLOSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_command_too_many_is_refused),
        TEST(a_server_that_never_answers_costs_the_deadline),
        TEST(where_nobody_listens_calls_end_at_once),
        TEST(failures_open_the_circuit),
        TEST(a_command_may_free_the_node_when_it_ends),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
