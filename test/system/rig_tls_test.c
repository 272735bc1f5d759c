/* rig_tls_test.c - servers, clusters and sentinels of test/support talk TLS, and their certificates
 * are what they are said to be. */

#include "support/rig.h"
#include "support/rig_cluster.h"
#include "support/rig_sentinel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The slot of the key "foo". */
#define FOO 12182U

#define PING "printf 'PING\\r\\nQUIT\\r\\n' |"

/* The server refuses a client without a certificate once its own side of the handshake is done.
 * What we wrote by then would be answered with a reset, which may overtake the reason: so write
 * nothing, and wait for it. */
#define SILENCE "</dev/null"

/* Of a connection by the openssl program, fed by `input`: whether what it says contains `expected`.
 */
static bool tls_says(const struct rig_redis *redis, const char *input, const char *options,
                     const char *expected)
{
    char command[1024];
    char answer[16384];
    (void)snprintf(command, sizeof(command),
                   "%s timeout 20 openssl s_client -ign_eof -verify_return_error -connect "
                   "127.0.0.1:%u %s 2>&1",
                   input, rig_redis_tls_port(redis), options);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    answer[fread(answer, 1, sizeof(answer) - 1, pipe)] = '\0';
    (void)pclose(pipe);
    if (strstr(answer, expected) == NULL) {
        (void)fprintf(stderr, "%s\n%s\n", command, answer);
        return false;
    }
    return true;
}

static void certificates_hold_and_others_do_not(void **state)
{
    (void)state;
    const struct rig_redis_options options = {.tls = true};
    struct rig_redis *redis = rig_redis_start(&options);
    const struct rig_certificates *paths = rig_redis_certificates(redis);
    char text[512];
    (void)snprintf(text, sizeof(text), "-CAfile %s -verify_ip 127.0.0.1", paths->authority);
    assert_true(tls_says(redis, PING, text, "+PONG"));
    (void)snprintf(text, sizeof(text), "-CAfile %s -verify_hostname localhost", paths->authority);
    assert_true(tls_says(redis, PING, text, "+PONG"));
    (void)snprintf(text, sizeof(text), "-CAfile %s -verify_hostname a.invalid", paths->authority);
    assert_true(tls_says(redis, PING, text, "hostname mismatch"));
    (void)snprintf(text, sizeof(text), "-CAfile %s", paths->stranger_authority);
    assert_true(tls_says(redis, PING, text, "self-signed certificate in certificate chain"));
    assert_string_equal(
        rig_redis_command(redis, "CONFIG", "SET", "tls-cert-file", paths->expired, NULL), "OK");
    (void)snprintf(text, sizeof(text), "-CAfile %s", paths->authority);
    assert_true(tls_says(redis, PING, text, "certificate has expired"));
    rig_redis_stop(redis);
}

static void clients_show_a_certificate(void **state)
{
    (void)state;
    const struct rig_redis_options options = {.tls = true, .tls_clients = true};
    struct rig_redis *redis = rig_redis_start(&options);
    const struct rig_certificates *paths = rig_redis_certificates(redis);
    char text[512];
    (void)snprintf(text, sizeof(text), "-CAfile %s -cert %s -key %s", paths->authority,
                   paths->client, paths->client_key);
    assert_true(tls_says(redis, PING, text, "+PONG"));
    (void)snprintf(text, sizeof(text), "-CAfile %s", paths->authority);
    assert_true(tls_says(redis, SILENCE, text, "certificate required"));
    rig_redis_stop(redis);
}

static void a_cluster_talks_tls(void **state)
{
    (void)state;
    const struct rig_cluster_options options = {.primaries = 2,
                                                .node = {.tls = true, .password = "secret"}};
    struct rig_cluster *cluster = rig_cluster_start(&options);
    assert_memory_equal(rig_cluster_tls_url(cluster), "rediss+cluster://:secret@127.0.0.1:", 35);
    assert_int_equal(rig_cluster_add(cluster), 2);
    const struct rig_redis *from = rig_cluster_node(cluster, 1);
    assert_string_equal(rig_redis_command(from, "SET", "foo", "kept", NULL), "OK");
    rig_cluster_move(cluster, FOO, 2);
    assert_int_equal(rig_cluster_owner(cluster, FOO), 2);
    assert_string_equal(rig_redis_command(rig_cluster_node(cluster, 2), "GET", "foo", NULL),
                        "kept");
    rig_cluster_stop(cluster);
}

static void sentinels_talk_tls(void **state)
{
    (void)state;
    const struct rig_sentinel_options options = {
        .replicas = 2, .sentinel_password = "watch", .node = {.tls = true, .password = "secret"}};
    struct rig_sentinel *sentinel = rig_sentinel_start(&options);
    assert_memory_equal(rig_sentinel_tls_url(sentinel), "rediss+sentinel://:secret@127.0.0.1:", 36);
    const size_t moved = rig_sentinel_failover(sentinel);
    assert_int_not_equal(moved, 0);
    assert_int_equal(rig_sentinel_primary(sentinel), moved);
    rig_sentinel_stop(sentinel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_hold_and_others_do_not),
        cmocka_unit_test(clients_show_a_certificate),
        cmocka_unit_test(a_cluster_talks_tls),
        cmocka_unit_test(sentinels_talk_tls),
    };
    return cmocka_run_group_tests_name("rig_tls", tests, NULL, NULL);
}
