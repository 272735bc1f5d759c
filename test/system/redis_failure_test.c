/* redis_failure_test.c - what a real server says when it refuses is read as what it is: each state
 * of a server that can be brought about, and a command that meets it, by itself and from within a
 * script. unit/redis/failure_test.c has the texts of all versions; this shows that the texts are
 * those. */

#include "redis/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/rig_cluster.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERROR "(error) "
#define SET_IN_SCRIPT "return redis.call('set', KEYS[1], 1)"
#define TRY_IN_SCRIPT "return redis.pcall('set', KEYS[1], 1)"

/* Holds that `reply` is an error that means this. */
static struct weir_complaint expect(const char *reply, enum weir_failure failure,
                                    enum weir_remedy remedy, bool down)
{
    struct weir_complaint complaint = {.failure = WEIR_FAILURE_NONE};
    if (strncmp(reply, ERROR, strlen(ERROR)) == 0) {
        weir_failure_read(weir_text(reply + strlen(ERROR)), &complaint);
    }
    if (complaint.failure != failure || complaint.remedy != remedy || complaint.down != down) {
        fail_msg("%s: %s, remedy %d, %s", reply, weir_failure_name(complaint.failure),
                 (int)complaint.remedy, complaint.down ? "down" : "up");
    }
    return complaint;
}

/* A write by itself, one from within a script, and one that a script tries. */
static void expect_of_writes(const struct rig_redis *redis, enum weir_failure failure,
                             enum weir_remedy remedy, bool down)
{
    expect(rig_redis_command(redis, "SET", "k", "1", NULL), failure, remedy, down);
    expect(rig_redis_command(redis, "EVAL", SET_IN_SCRIPT, "1", "k", NULL), failure, remedy, down);
    expect(rig_redis_command(redis, "EVAL", TRY_IN_SCRIPT, "1", "k", NULL), failure, remedy, down);
}

static void config(const struct rig_redis *redis, const char *name, const char *value)
{
    assert_string_equal(rig_redis_command(redis, "CONFIG", "SET", name, value, NULL), "OK");
}

static void what_any_server_refuses(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    expect(
        rig_redis_command(redis, "EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0", NULL),
        WEIR_FAILURE_REFUSED, WEIR_REMEDY_TEXT, false);
    expect(rig_redis_command(redis, "AUTH", "secret", NULL), WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN,
           false);
    expect(rig_redis_command(redis, "AUTH", "bob", "secret", NULL), WEIR_FAILURE_AUTH,
           WEIR_REMEDY_LOGIN, false);
    expect(rig_redis_command(redis, "HELLO", "3", "AUTH", "bob", "secret", NULL), WEIR_FAILURE_AUTH,
           WEIR_REMEDY_LOGIN, false);
    expect(rig_redis_command(redis, "SELECT", "99", NULL), WEIR_FAILURE_DATABASE, WEIR_REMEDY_NONE,
           false);
    expect(rig_redis_command(redis, "HELLO", "9", NULL), WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE,
           false);
    expect(rig_redis_command(redis, "NOSUCH", "LOADING", NULL), WEIR_FAILURE_REFUSED,
           WEIR_REMEDY_NONE, false);
    rig_redis_stop(redis);
}

static void a_value_that_is_none_of_ours(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    assert_string_equal(rig_redis_command(redis, "LPUSH", "list", "x", NULL), "1");
    assert_string_equal(rig_redis_command(redis, "SET", "text", "x", NULL), "OK");
    static const char *const commands[] = {"GET", "INCR"};
    static const char *const keys[] = {"list", "text"};
    for (size_t i = 0; i < 2; i++) {
        expect(rig_redis_command(redis, commands[i], keys[i], NULL), WEIR_FAILURE_VALUE,
               WEIR_REMEDY_NONE, false);
        expect(rig_redis_command(redis, "EVAL", "return redis.call(ARGV[1], KEYS[1])", "1", keys[i],
                                 commands[i], NULL),
               WEIR_FAILURE_VALUE, WEIR_REMEDY_NONE, false);
    }
    rig_redis_stop(redis);
}

static void a_password_that_is_missing(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(&(struct rig_redis_options){.password = "secret"});
    expect(rig_command(rig_redis_port(redis), "GET", "k", NULL), WEIR_FAILURE_AUTH,
           WEIR_REMEDY_LOGIN, false);
    expect(rig_command(rig_redis_port(redis), "HELLO", "3", NULL), WEIR_FAILURE_AUTH,
           WEIR_REMEDY_LOGIN, false);
    expect(rig_command(rig_redis_port(redis), "AUTH", "wrong", NULL), WEIR_FAILURE_AUTH,
           WEIR_REMEDY_LOGIN, false);
    rig_redis_stop(redis);
}

static void what_an_acl_does_not_let_through(void **state)
{
    (void)state;
    static const char *const lines[] = {"user default on nopass ~weir:* &* +@all -set", NULL};
    struct rig_redis *redis = rig_redis_start(&(struct rig_redis_options){.lines = lines});
    expect(rig_redis_command(redis, "SET", "weir:k", "1", NULL), WEIR_FAILURE_NOPERM,
           WEIR_REMEDY_NONE, false);
    expect(rig_redis_command(redis, "GET", "other", NULL), WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE,
           false);
    expect(rig_redis_command(redis, "EVAL", SET_IN_SCRIPT, "1", "other", NULL), WEIR_FAILURE_NOPERM,
           WEIR_REMEDY_NONE, false);
    expect(rig_redis_command(redis, "EVAL", SET_IN_SCRIPT, "1", "weir:k", NULL),
           WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false);
    expect(rig_redis_command(redis, "EVAL", TRY_IN_SCRIPT, "1", "weir:k", NULL),
           WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false);
    expect(rig_redis_command(redis, "EVAL", "return redis.call('get', 'other')", "0", NULL),
           WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false);
    rig_redis_stop(redis);
}

static void a_replica(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    /* Of a primary that nobody is. */
    assert_string_equal(rig_redis_command(redis, "REPLICAOF", "127.0.0.1", "1", NULL), "OK");
    expect_of_writes(redis, WEIR_FAILURE_READONLY, WEIR_REMEDY_PRIMARY, false);
    config(redis, "replica-serve-stale-data", "no");
    expect(rig_redis_command(redis, "GET", "k", NULL), WEIR_FAILURE_READONLY, WEIR_REMEDY_PRIMARY,
           true);
    expect(rig_redis_command(redis, "EVAL", "return redis.call('get', KEYS[1])", "1", "k", NULL),
           WEIR_FAILURE_READONLY, WEIR_REMEDY_PRIMARY, true);
    rig_redis_stop(redis);
}

static void no_memory_left(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    config(redis, "maxmemory", "1");
    expect_of_writes(redis, WEIR_FAILURE_OOM, WEIR_REMEDY_NONE, false);
    rig_redis_stop(redis);
}

static void too_few_replicas(void **state)
{
    (void)state;
    struct rig_redis *redis = rig_redis_start(NULL);
    config(redis, "min-replicas-to-write", "1");
    expect_of_writes(redis, WEIR_FAILURE_REPLICAS, WEIR_REMEDY_NONE, false);
    rig_redis_stop(redis);
}

static bool saving_failed(void *context)
{
    return strstr(rig_redis_command(context, "INFO", "persistence", NULL),
                  "rdb_last_bgsave_status:err") != NULL;
}

/* A folder stands where its file should go. */
static void data_that_cannot_be_saved(void **state)
{
    (void)state;
    static const char *const lines[] = {"dbfilename taken", NULL};
    struct rig_redis *redis = rig_redis_start(&(struct rig_redis_options){.lines = lines});
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/taken", rig_redis_folder(redis));
    assert_int_equal(mkdir(path, 0700), 0);
    config(redis, "save", "3600 1000000");
    (void)rig_redis_command(redis, "BGSAVE", NULL);
    rig_wait(saving_failed, redis, "a save that fails");
    expect_of_writes(redis, WEIR_FAILURE_MISCONF, WEIR_REMEDY_NONE, false);
    assert_int_equal(rmdir(path), 0);
    rig_redis_stop(redis);
}

static void no_room_for_another_client(void **state)
{
    (void)state;
    static const char *const lines[] = {"maxclients 1", NULL};
    struct rig_redis *redis = rig_redis_start(&(struct rig_redis_options){.lines = lines});
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(rig_redis_port(redis)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* The one before may not be gone yet: then this one is turned away, and is not held. */
    int held = -1;
    char answer[8] = "";
    for (unsigned i = 0; i < 1000 && answer[0] != '+'; i++) {
        (void)close(held);
        held = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(held, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(write(held, "PING\r\n", 6), 6);
        assert_true(read(held, answer, sizeof(answer)) > 0);
    }
    assert_int_equal(answer[0], '+');
    expect(rig_redis_command(redis, "GET", "k", NULL), WEIR_FAILURE_REFUSED, WEIR_REMEDY_LOGIN,
           true);
    (void)close(held);
    rig_redis_stop(redis);
}

/* ---- Servers that are busy with something ---- */

/* A command in a thread of its own, and what it was answered. */
struct elsewhere {
    pthread_t thread;
    const struct rig_redis *redis;
    const char *words[3];
    char reply[512];
};

static void *ask_elsewhere(void *context)
{
    struct elsewhere *self = context;
    const char *reply =
        rig_redis_command(self->redis, self->words[0], self->words[1], self->words[2], NULL);
    (void)snprintf(self->reply, sizeof(self->reply), "%s", reply);
    return NULL;
}

static void start_elsewhere(struct elsewhere *elsewhere, const struct rig_redis *redis)
{
    elsewhere->redis = redis;
    assert_int_equal(pthread_create(&elsewhere->thread, NULL, ask_elsewhere, elsewhere), 0);
}

struct watch {
    const struct rig_redis *redis;
    const char *word;
    char reply[512];
};

/* Whether a GET is refused with the word; then its reply is kept. */
static bool refuses(void *context)
{
    struct watch *watch = context;
    (void)snprintf(watch->reply, sizeof(watch->reply), "%s",
                   rig_redis_command(watch->redis, "GET", "k", NULL));
    return strncmp(watch->reply + strlen(ERROR), watch->word, strlen(watch->word)) == 0;
}

static void somebodys_script_that_does_not_end(void **state)
{
    (void)state;
    static const char *const lines[] = {"lua-time-limit 1", NULL};
    struct rig_redis *redis = rig_redis_start(&(struct rig_redis_options){.lines = lines});
    struct elsewhere script = {.words = {"EVAL", "while true do end", "0"}};
    start_elsewhere(&script, redis);
    struct watch watch = {.redis = redis, .word = "BUSY"};
    rig_wait(refuses, &watch, "a server that is busy");
    assert_string_equal(rig_redis_command(redis, "SCRIPT", "KILL", NULL), "OK");
    assert_int_equal(pthread_join(script.thread, NULL), 0);
    expect(watch.reply, WEIR_FAILURE_BUSY, WEIR_REMEDY_NONE, true);
    expect(script.reply, WEIR_FAILURE_KILLED, WEIR_REMEDY_NONE, false);
    rig_redis_stop(redis);
}

static unsigned version_of_servers(void)
{
    struct rig_redis *redis = rig_redis_start(NULL);
    const bool valkey = rig_redis_is_valkey(redis);
    const unsigned version = rig_redis_version(redis);
    rig_redis_stop(redis);
    return valkey ? RIG_VERSION(99, 0, 0) : version;
}

static void a_server_that_is_still_loading(void **state)
{
    (void)state;
    /* Now and then, while it loads, it looks at who else is there: every 2 MB of what it reads.
     * Redis 6.2 lets everybody debug. */
    static const char *const lines_6[] = {"key-load-delay 50", "rdbcompression no", NULL};
    static const char *const lines[] = {"key-load-delay 50", "rdbcompression no",
                                        "enable-debug-command yes", NULL};
    const bool old = version_of_servers() < RIG_VERSION(7, 0, 0);
    struct rig_redis *redis =
        rig_redis_start(&(struct rig_redis_options){.lines = old ? lines_6 : lines});
    assert_string_equal(rig_redis_command(redis, "DEBUG", "POPULATE", "20000", "key", "1000", NULL),
                        "OK");
    struct elsewhere reload = {.words = {"DEBUG", "RELOAD", NULL}};
    start_elsewhere(&reload, redis);
    struct watch watch = {.redis = redis, .word = "LOADING"};
    rig_wait(refuses, &watch, "a server that is loading");
    expect(watch.reply, WEIR_FAILURE_LOADING, WEIR_REMEDY_NONE, true);
    assert_int_equal(pthread_join(reload.thread, NULL), 0);
    rig_redis_stop(redis);
}

/* ---- Clusters ---- */

static void a_cluster_without_its_slots(void **state)
{
    (void)state;
    static const char *const lines[] = {"cluster-enabled yes", "cluster-require-full-coverage no",
                                        NULL};
    struct rig_redis *redis = rig_redis_start(&(struct rig_redis_options){.lines = lines});
    expect(rig_redis_command(redis, "SELECT", "1", NULL), WEIR_FAILURE_DATABASE, WEIR_REMEDY_NONE,
           false);
    const struct weir_complaint complaint = expect(rig_redis_command(redis, "GET", "k", NULL),
                                                   WEIR_FAILURE_CLUSTER, WEIR_REMEDY_AGAIN, false);
    assert_int_equal(complaint.address.len, 0);
    rig_redis_stop(redis);
}

static const struct rig_redis *node_of(const struct rig_cluster *cluster, const char *key)
{
    return rig_cluster_node(cluster, rig_cluster_owner(cluster, rig_cluster_slot(cluster, key)));
}

static void expect_place(const struct weir_complaint *complaint, const struct rig_cluster *cluster,
                         const struct rig_redis *node, const char *key)
{
    char address[64];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)rig_redis_port(node));
    assert_int_equal(complaint->slot, rig_cluster_slot(cluster, key));
    assert_int_equal(complaint->address.len, strlen(address));
    assert_memory_equal(complaint->address.ptr, address, strlen(address));
}

static void a_cluster_on_the_move(void **state)
{
    (void)state;
    struct rig_cluster *cluster = rig_cluster_start(&(struct rig_cluster_options){.primaries = 2});
    const unsigned slot = rig_cluster_slot(cluster, "{k}1");
    const size_t owner = rig_cluster_owner(cluster, slot);
    const struct rig_redis *has = rig_cluster_node(cluster, owner);
    const struct rig_redis *other = rig_cluster_node(cluster, 1 - owner);
    struct weir_complaint complaint =
        expect(rig_redis_command(other, "EVAL", SET_IN_SCRIPT, "1", "{k}1", NULL),
               WEIR_FAILURE_CLUSTER, WEIR_REMEDY_MOVED, false);
    expect_place(&complaint, cluster, has, "{k}1");
    expect(rig_redis_command(has, "MGET", "{k}1", "j", NULL), WEIR_FAILURE_CLUSTER,
           WEIR_REMEDY_NONE, false);
    assert_string_equal(rig_redis_command(has, "SET", "{k}1", "1", NULL), "OK");
    rig_cluster_move_begin(cluster, slot, 1 - owner);
    complaint = expect(rig_redis_command(has, "GET", "{k}2", NULL), WEIR_FAILURE_CLUSTER,
                       WEIR_REMEDY_ASK, false);
    expect_place(&complaint, cluster, other, "{k}2");
    /* Redis 6.2 sends those to the other, who has none of them. */
    const bool old = !rig_redis_is_valkey(has) && rig_redis_version(has) < RIG_VERSION(7, 0, 0);
    expect(rig_redis_command(has, "MGET", "{k}1", "{k}2", NULL), WEIR_FAILURE_CLUSTER,
           old ? WEIR_REMEDY_ASK : WEIR_REMEDY_AGAIN, false);
    rig_cluster_stop(cluster);
}

/* A script that goes for a key that it did not name, of another node. */
static void a_script_beyond_its_slot(void **state)
{
    (void)state;
    struct rig_cluster *cluster = rig_cluster_start(&(struct rig_cluster_options){.primaries = 2});
    const char *near = "a";
    char far[16] = "b";
    for (unsigned i = 0; node_of(cluster, far) == node_of(cluster, near); i++) {
        (void)snprintf(far, sizeof(far), "b%u", i);
    }
    expect(rig_redis_command(node_of(cluster, near), "EVAL", "return redis.call('get', ARGV[1])",
                             "1", near, far, NULL),
           WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false);
    rig_cluster_stop(cluster);
}

/* One of two primaries is gone, and full coverage is asked for. */
static bool says_that_the_cluster_is_down(void *context)
{
    return strstr(rig_redis_command(context, "CLUSTER", "INFO", NULL), "cluster_state:fail") !=
           NULL;
}

static void a_cluster_that_is_down(void **state)
{
    (void)state;
    struct rig_cluster *cluster =
        rig_cluster_start(&(struct rig_cluster_options){.primaries = 3, .node_timeout_ms = 1000});
    rig_redis_kill(rig_cluster_node(cluster, 1), 9);
    struct rig_redis *left = rig_cluster_node(cluster, 0);
    config(left, "cluster-require-full-coverage", "yes");
    rig_wait(says_that_the_cluster_is_down, left, "a cluster that is down");
    expect(rig_redis_command(left, "GET", "k", NULL), WEIR_FAILURE_CLUSTER, WEIR_REMEDY_AGAIN,
           true);
    rig_cluster_stop(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_any_server_refuses),
        cmocka_unit_test(a_value_that_is_none_of_ours),
        cmocka_unit_test(a_password_that_is_missing),
        cmocka_unit_test(what_an_acl_does_not_let_through),
        cmocka_unit_test(a_replica),
        cmocka_unit_test(no_memory_left),
        cmocka_unit_test(too_few_replicas),
        cmocka_unit_test(data_that_cannot_be_saved),
        cmocka_unit_test(no_room_for_another_client),
        cmocka_unit_test(somebodys_script_that_does_not_end),
        cmocka_unit_test(a_server_that_is_still_loading),
        cmocka_unit_test(a_cluster_without_its_slots),
        cmocka_unit_test(a_cluster_on_the_move),
        cmocka_unit_test(a_script_beyond_its_slot),
        cmocka_unit_test(a_cluster_that_is_down),
    };
    return cmocka_run_group_tests_name("redis_failure", tests, NULL, NULL);
}
