/* rig_test.c - the servers of test/support/rig.h are real, are alone, and go away. */

#include "support/rig.h"

#include "support/fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_server_answers_until_it_is_stopped(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    const uint16_t port = rig_redis_port(redis);
    const pid_t process = rig_redis_pid(redis);
    char folder[128];
    assert_true(strlen(rig_redis_folder(redis)) < sizeof(folder));
    memcpy(folder, rig_redis_folder(redis), strlen(rig_redis_folder(redis)) + 1);
    assert_string_equal(rig_command(port, "SET", "a", "b", NULL), "OK");
    assert_string_equal(rig_redis_command(redis, "GET", "a", NULL), "b");
    assert_int_equal(access(rig_redis_socket(redis), F_OK), 0);
    assert_true(rig_redis_version(redis) >= RIG_VERSION(6, 0, 0));
    rig_redis_stop(redis);
    assert_int_equal(kill(process, 0), -1);
    assert_int_equal(access(folder, F_OK), -1);
    assert_string_equal(rig_command(port, "PING", NULL), "(no answer) Connection refused");
}

static void replies_become_text(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    assert_string_equal(rig_redis_command(redis, "INCRBY", "n", "-7", NULL), "-7");
    assert_string_equal(rig_redis_command(redis, "GET", "none", NULL), "(nil)");
    assert_string_equal(rig_redis_command(redis, "KEYS", "none*", NULL), "(empty)");
    assert_string_equal(rig_redis_command(redis, "MGET", "n", "none", "n", NULL), "-7\n(nil)\n-7");
    assert_string_equal(rig_redis_command(redis, "EVAL", "return {1,{2,{}},'3'}", "0", NULL),
                        "1\n2\n(empty)\n3");
    assert_string_equal(rig_redis_command(redis, "EVAL", "return {err='MINE own'}", "0", NULL),
                        "(error) MINE own");
    assert_string_equal(rig_redis_command(redis, "SET", "n", "", NULL), "OK");
    assert_string_equal(rig_redis_command(redis, "GET", "n", NULL), "");
    assert_true(rig_redis_info(redis, "total_commands_processed") >= 8);
    assert_int_equal(rig_redis_info(redis, "total_commands"), -1);
    rig_redis_stop(redis);
}

static void options_reach_the_server(void **state)
{
    (void)state;
    const char *const lines[] = {"maxmemory 12mb", "user bob on >hush ~* +ping", NULL};
    const struct rig_redis_options options = {.password = "secret", .lines = lines};
    struct rig_redis *redis = rig_redis_start(&options);
    const uint16_t port = rig_redis_port(redis);
    assert_string_equal(rig_redis_command(redis, "CONFIG", "GET", "maxmemory", NULL),
                        "maxmemory\n12582912");
    assert_string_equal(rig_command(port, "GET", "a", NULL),
                        "(error) NOAUTH Authentication required.");
    assert_string_equal(rig_command(port, "AUTH", "bob", "hush", NULL), "OK");
    char url[64];
    (void)snprintf(url, sizeof(url), "redis://:secret@127.0.0.1:%u", port);
    assert_string_equal(rig_redis_url(redis), url);
    rig_redis_stop(redis);
}

static void many_servers_have_ports_of_their_own(void **state)
{
    (void)state;
    struct rig_redis *servers[4];
    for (size_t i = 0; i < 4; i++) {
        servers[i] = rig_redis_start(NULL);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(rig_redis_port(servers[i]), rig_redis_port(servers[j]));
        }
    }
    for (size_t i = 0; i < 4; i++) {
        rig_redis_stop(servers[i]);
    }
}

static void a_killed_server_restarts_on_its_port(void **state)
{
    (void)state;
    const char *const lines[] = {"appendonly yes", "appendfsync always", NULL};
    const struct rig_redis_options options = {.lines = lines};
    struct rig_redis *redis = rig_redis_start(&options);
    const uint16_t port = rig_redis_port(redis);
    assert_string_equal(rig_redis_command(redis, "SET", "kept", "1", NULL), "OK");
    rig_redis_kill(redis, SIGKILL);
    assert_string_equal(rig_redis_command(redis, "PING", NULL), "(no answer) Connection refused");
    rig_redis_restart(redis);
    assert_int_equal(rig_redis_port(redis), port);
    assert_string_equal(rig_redis_command(redis, "GET", "kept", NULL), "1");
    const pid_t before = rig_redis_pid(redis);
    rig_redis_restart(redis);
    assert_int_not_equal(rig_redis_pid(redis), before);
    rig_redis_stop(redis);
}

static void a_paused_server_accepts_and_never_answers(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    rig_redis_pause(redis);
    assert_string_equal(rig_redis_command(redis, "PING", NULL), "(no answer) ended or timed out");
    rig_redis_resume(redis);
    assert_string_equal(rig_redis_command(redis, "PING", NULL), "PONG");
    rig_redis_pause(redis);
    rig_redis_stop(redis);
}

static bool refuses(void *context)
{
    const uint16_t *port = context;
    return strcmp(rig_command(*port, "PING", NULL), "(no answer) Connection refused") == 0;
}

/* A test process that dies takes its server with it, and the next rig cleans up after it. */
static void a_server_dies_with_its_test(void **state)
{
    (void)state;
    /* A folder that no other test's rig looks into. */
    const struct fixture_folder base = fixture_folder_make();
    const char *usual = getenv("TMPDIR");
    assert_int_equal(setenv("TMPDIR", base.path, 1), 0);
    struct {
        uint16_t port;
        char folder[128];
    } *shared = fixture_shared(sizeof(*shared));
    const pid_t child = fork();
    if (child == 0) {
        const struct rig_redis *redis = rig_redis_start(NULL);
        shared->port = rig_redis_port(redis);
        (void)snprintf(shared->folder, sizeof(shared->folder), "%s", rig_redis_folder(redis));
        (void)raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(shared->port != 0);
    rig_wait(refuses, &shared->port, "the server of a dead test is gone");
    assert_int_equal(access(shared->folder, F_OK), 0);
    rig_redis_stop(rig_redis_start(NULL));
    assert_int_not_equal(access(shared->folder, F_OK), 0);
    assert_int_equal(usual != NULL ? setenv("TMPDIR", usual, 1) : unsetenv("TMPDIR"), 0);
    fixture_folder_remove(&base);
    fixture_shared_free(shared, sizeof(*shared));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_answers_until_it_is_stopped),
        cmocka_unit_test(replies_become_text),
        cmocka_unit_test(options_reach_the_server),
        cmocka_unit_test(many_servers_have_ports_of_their_own),
        cmocka_unit_test(a_killed_server_restarts_on_its_port),
        cmocka_unit_test(a_paused_server_accepts_and_never_answers),
        cmocka_unit_test(a_server_dies_with_its_test),
    };
    return cmocka_run_group_tests_name("rig", tests, NULL, NULL);
}
