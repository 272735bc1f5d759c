/* failure_test.c - every error reply means what it says; nothing that a server sends is more than a
 * word to us. */

#include "redis/failure.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reply {
    const char *text;
    enum weir_failure failure;
    enum weir_remedy remedy;
    bool down;
};

#define SHA "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
#define IN_SCRIPT " script: " SHA ", on @user_script:1."
#define IN_SCRIPT_9 " script: on @user_script:1." /* Valkey 9.1 */
#define IN_SCRIPT_6 \
    "ERR Error running script (call to f_" SHA "): @user_script:1: @user_script: 1: "

/* As the servers send them: Redis 6.2 to 8, Valkey 7.2 to 9. */
static const struct reply replies[] = {
    {"NOSCRIPT No matching script. Please use EVAL.", WEIR_FAILURE_REFUSED, WEIR_REMEDY_TEXT,
     false},
    {"NOSCRIPT No matching script.", WEIR_FAILURE_REFUSED, WEIR_REMEDY_TEXT, false},
    {"NOSCRIPT", WEIR_FAILURE_REFUSED, WEIR_REMEDY_TEXT, false},
    {"MOVED 3999 127.0.0.1:6381", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_MOVED, false},
    {"ASK 3999 127.0.0.1:6381", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_ASK, false},
    {"TRYAGAIN Multiple keys request during rehashing of slot", WEIR_FAILURE_CLUSTER,
     WEIR_REMEDY_AGAIN, false},
    {"CLUSTERDOWN The cluster is down", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_AGAIN, true},
    {"CLUSTERDOWN The cluster is down and only accepts read commands", WEIR_FAILURE_CLUSTER,
     WEIR_REMEDY_AGAIN, true},
    {"CLUSTERDOWN Hash slot not served", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_AGAIN, false},
    {"CROSSSLOT Keys in request don't hash to the same slot", WEIR_FAILURE_CLUSTER,
     WEIR_REMEDY_NONE, false},
    {"ERR Script attempted to access a non local key in a cluster node" IN_SCRIPT,
     WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"ERR Script attempted to access keys that do not hash to the same slot" IN_SCRIPT,
     WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"ERR Script attempted to access a slot not served" IN_SCRIPT, WEIR_FAILURE_CLUSTER,
     WEIR_REMEDY_NONE, false},
    {"ERR Script attempted to execute a command while the cluster is down" IN_SCRIPT,
     WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, true},
    {"ERR Can not execute a write command 'set' while the cluster is down and readonly" IN_SCRIPT_9,
     WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, true},
    {"ERR Command 'set' in script attempted to access keys that don't hash to the same "
     "slot" IN_SCRIPT,
     WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"ERR Unable to execute command 'set' in script because undeclared keys were accessed during "
     "rehashing of the slot" IN_SCRIPT,
     WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {IN_SCRIPT_6 "Lua script attempted to access a non local key in a cluster node\n",
     WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"ERR Attempted to access a non local key in a cluster node" IN_SCRIPT_9, WEIR_FAILURE_CLUSTER,
     WEIR_REMEDY_NONE, false},

    {"NOAUTH Authentication required.", WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
     "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
     "protocol version at the same time",
     WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"WRONGPASS invalid username-password pair or user is disabled.", WEIR_FAILURE_AUTH,
     WEIR_REMEDY_LOGIN, false},
    {"ERR invalid password", WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"ERR AUTH <password> called without any password configured for the default user. Are you "
     "sure your configuration is correct?",
     WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"ERR Client sent AUTH, but no password is set", WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"DENIED Redis is running in protected mode because protected mode is enabled",
     WEIR_FAILURE_REFUSED, WEIR_REMEDY_LOGIN, true},
    {"ERR max number of clients reached", WEIR_FAILURE_REFUSED, WEIR_REMEDY_LOGIN, true},
    {"ERR max number of clients + cluster connections reached", WEIR_FAILURE_REFUSED,
     WEIR_REMEDY_LOGIN, true},

    {"NOPERM this user has no permissions to run the 'eval' command or its subcommand",
     WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},
    {"NOPERM User bob has no permissions to run the 'evalsha' command", WEIR_FAILURE_NOPERM,
     WEIR_REMEDY_NONE, false},
    {"NOPERM No permissions to access a key", WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},
    {"NOPERM No permissions to access database", WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},
    {"ERR The user executing the script can't run this command or subcommand" IN_SCRIPT,
     WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},
    {"ERR ACL failure in script: User bob has no permissions to run the 'set' command" IN_SCRIPT,
     WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},
    {IN_SCRIPT_6 "The user executing the script can't access at least one of the keys mentioned in "
                 "the command arguments\n",
     WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},

    {"ERR DB index is out of range", WEIR_FAILURE_DATABASE, WEIR_REMEDY_NONE, false},
    {"ERR invalid DB index", WEIR_FAILURE_DATABASE, WEIR_REMEDY_NONE, false},
    {"ERR SELECT is not allowed in cluster mode", WEIR_FAILURE_DATABASE, WEIR_REMEDY_NONE, false},

    {"READONLY You can't write against a read only replica.", WEIR_FAILURE_READONLY,
     WEIR_REMEDY_PRIMARY, false},
    {"READONLY You can't write against a read only replica." IN_SCRIPT, WEIR_FAILURE_READONLY,
     WEIR_REMEDY_PRIMARY, false},
    {"READONLY Can not run script with write flag on readonly replica", WEIR_FAILURE_READONLY,
     WEIR_REMEDY_PRIMARY, false},
    {IN_SCRIPT_6 "-READONLY You can't write against a read only replica.\n", WEIR_FAILURE_READONLY,
     WEIR_REMEDY_PRIMARY, false},
    {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
     WEIR_FAILURE_READONLY, WEIR_REMEDY_PRIMARY, true},
    {"ERR Can not execute the command on a stale replica" IN_SCRIPT, WEIR_FAILURE_READONLY,
     WEIR_REMEDY_PRIMARY, true},

    {"OOM command not allowed when used memory > 'maxmemory'.", WEIR_FAILURE_OOM, WEIR_REMEDY_NONE,
     false},
    {"OOM command not allowed when used memory > 'maxmemory'." IN_SCRIPT, WEIR_FAILURE_OOM,
     WEIR_REMEDY_NONE, false},
    {"OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
     WEIR_FAILURE_OOM, WEIR_REMEDY_NONE, false},
    {IN_SCRIPT_6 "-OOM command not allowed when used memory > 'maxmemory'.\n", WEIR_FAILURE_OOM,
     WEIR_REMEDY_NONE, false},
    {"@user_script: 7: -OOM command not allowed when used memory > 'maxmemory'.", WEIR_FAILURE_OOM,
     WEIR_REMEDY_NONE, false},
    {"@user_script: 7: -READONLY You can't write against a read only replica.",
     WEIR_FAILURE_READONLY, WEIR_REMEDY_PRIMARY, false},
    {"@user_script: 7: Lua script attempted to access a non local key in a cluster node",
     WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"@user_script: 7: The user executing the script can't run this command or subcommand",
     WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},
    {"@user_script: 7: -TRYAGAIN x", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"@user_script: 7: whatever", WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"LOADING Redis is loading the dataset in memory", WEIR_FAILURE_LOADING, WEIR_REMEDY_NONE,
     true},
    {"LOADING Valkey is loading the dataset in memory", WEIR_FAILURE_LOADING, WEIR_REMEDY_NONE,
     true},
    {"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
     WEIR_FAILURE_BUSY, WEIR_REMEDY_NONE, true},
    {"BUSY Valkey is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
     WEIR_FAILURE_BUSY, WEIR_REMEDY_NONE, true},
    {"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
     "disk. Commands that may modify the data set are disabled",
     WEIR_FAILURE_MISCONF, WEIR_REMEDY_NONE, false},
    {"MISCONF Errors writing to the AOF file: No space left on device" IN_SCRIPT,
     WEIR_FAILURE_MISCONF, WEIR_REMEDY_NONE, false},
    {IN_SCRIPT_6 "-MISCONF Errors writing to the AOF file: No space left on device\n",
     WEIR_FAILURE_MISCONF, WEIR_REMEDY_NONE, false},
    {"NOREPLICAS Not enough good replicas to write.", WEIR_FAILURE_REPLICAS, WEIR_REMEDY_NONE,
     false},
    {"NOREPLICAS Not enough good replicas to write." IN_SCRIPT, WEIR_FAILURE_REPLICAS,
     WEIR_REMEDY_NONE, false},

    {"ERR Error running script (call to f_" SHA "): @user_script:1: Script killed by user with "
     "SCRIPT KILL...\n",
     WEIR_FAILURE_KILLED, WEIR_REMEDY_NONE, false},
    {"ERR Script killed by user with SCRIPT KILL..." IN_SCRIPT, WEIR_FAILURE_KILLED,
     WEIR_REMEDY_NONE, false},
    {"ERR Script killed by user with FUNCTION KILL." IN_SCRIPT, WEIR_FAILURE_KILLED,
     WEIR_REMEDY_NONE, false},

    {"WRONGTYPE Operation against a key holding the wrong kind of value", WEIR_FAILURE_VALUE,
     WEIR_REMEDY_NONE, false},
    {"WRONGTYPE Operation against a key holding the wrong kind of value" IN_SCRIPT,
     WEIR_FAILURE_VALUE, WEIR_REMEDY_NONE, false},
    {"ERR Error running script (call to f_" SHA "): @user_script:1: WRONGTYPE Operation against a "
     "key holding the wrong kind of value\n",
     WEIR_FAILURE_VALUE, WEIR_REMEDY_NONE, false},
    {"ERR value is not an integer or out of range" IN_SCRIPT, WEIR_FAILURE_VALUE, WEIR_REMEDY_NONE,
     false},
    {"ERR increment or decrement would overflow", WEIR_FAILURE_VALUE, WEIR_REMEDY_NONE, false},

    {"ERR No such master with that name", WEIR_FAILURE_NO_PRIMARY, WEIR_REMEDY_NONE, false},

    /* Of no special meaning, or of another's. */
    {"", WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"ERR", WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"ERR unknown command 'EVALSHA', with args beginning with: ", WEIR_FAILURE_REFUSED,
     WEIR_REMEDY_NONE, false},
    {"ERR user_script:1: Script attempted nothing" IN_SCRIPT, WEIR_FAILURE_REFUSED,
     WEIR_REMEDY_NONE, false},
    {"ERR user_script:1: Script attempted to access nonexistent global variable 'x'" IN_SCRIPT,
     WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"ERR Protocol version is not an integer or out of range", WEIR_FAILURE_REFUSED,
     WEIR_REMEDY_NONE, false},
    {"NOPROTO unsupported protocol version", WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"EXECABORT Transaction discarded because of previous errors.", WEIR_FAILURE_REFUSED,
     WEIR_REMEDY_NONE, false},
    {"UNKILLABLE Sorry the script already executed write commands against the dataset.",
     WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"BUSYKEY Target key name already exists.", WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"ERR MOVED 3999 127.0.0.1:6381", WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"ERR unknown command 'LOADING', with args beginning with: 'x: -OOM y' ", WEIR_FAILURE_REFUSED,
     WEIR_REMEDY_NONE, false},
    {"moved 3999 127.0.0.1:6381", WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},

    /* What a script that has begun says is no reason to run it again. */
    {"TRYAGAIN Multiple keys request during rehashing of slot" IN_SCRIPT, WEIR_FAILURE_CLUSTER,
     WEIR_REMEDY_NONE, false},
    {"TRYAGAIN Multiple keys request during rehashing of slot" IN_SCRIPT_9, WEIR_FAILURE_CLUSTER,
     WEIR_REMEDY_NONE, false},
    {"NOSCRIPT No matching script." IN_SCRIPT, WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"MOVED 3999 127.0.0.1:6381" IN_SCRIPT, WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {IN_SCRIPT_6 "-TRYAGAIN Multiple keys request during rehashing of slot", WEIR_FAILURE_CLUSTER,
     WEIR_REMEDY_NONE, false},

    /* A place that is none. */
    {"MOVED", WEIR_FAILURE_REPLY, WEIR_REMEDY_NONE, false},
    {"MOVED ", WEIR_FAILURE_REPLY, WEIR_REMEDY_NONE, false},
    {"MOVED 3999", WEIR_FAILURE_REPLY, WEIR_REMEDY_NONE, false},
    {"MOVED 3999 ", WEIR_FAILURE_REPLY, WEIR_REMEDY_NONE, false},
    {"MOVED 16384 127.0.0.1:6381", WEIR_FAILURE_REPLY, WEIR_REMEDY_NONE, false},
    {"MOVED -1 127.0.0.1:6381", WEIR_FAILURE_REPLY, WEIR_REMEDY_NONE, false},
    {"MOVED  127.0.0.1:6381", WEIR_FAILURE_REPLY, WEIR_REMEDY_NONE, false},
    {"ASK 429496729600000 127.0.0.1:6381", WEIR_FAILURE_REPLY, WEIR_REMEDY_NONE, false},
    {"ASK x 127.0.0.1:6381", WEIR_FAILURE_REPLY, WEIR_REMEDY_NONE, false},
};

static void every_reply_means_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        const struct reply *reply = &replies[i];
        struct weir_complaint complaint;
        weir_failure_read(weir_text(reply->text), &complaint);
        if (complaint.failure != reply->failure || complaint.remedy != reply->remedy ||
            complaint.down != reply->down) {
            fail_msg("%s: %s, remedy %d, %s", reply->text, weir_failure_name(complaint.failure),
                     (int)complaint.remedy, complaint.down ? "down" : "up");
        }
    }
}

static void a_redirection_names_its_slot_and_server(void **state)
{
    static const struct {
        const char *text;
        uint16_t slot;
        const char *address;
    } places[] = {
        {"MOVED 3999 127.0.0.1:6381", 3999, "127.0.0.1:6381"},
        {"MOVED 0 ::1:6381", 0, "::1:6381"},
        {"ASK 16383 :7000", 16383, ":7000"},
        {"ASK 12 redis-2.example.org:7000 and more", 12, "redis-2.example.org:7000"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct weir_complaint complaint;
        weir_failure_read(weir_text(places[i].text), &complaint);
        assert_int_equal(complaint.slot, places[i].slot);
        assert_int_equal(complaint.address.len, strlen(places[i].address));
        assert_memory_equal(complaint.address.ptr, places[i].address, complaint.address.len);
    }
}

/* No other than the two redirections has a place. */
static void what_is_no_redirection_has_no_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        struct weir_complaint complaint;
        weir_failure_read(weir_text(replies[i].text), &complaint);
        const bool elsewhere =
            complaint.remedy == WEIR_REMEDY_MOVED || complaint.remedy == WEIR_REMEDY_ASK;
        assert_true(elsewhere || (complaint.slot == 0 && complaint.address.len == 0));
    }
}

static void a_text_is_looked_at_up_to_its_bound(void **state)
{
    (void)state;
    static const char killed[] = "killed by user";
    char text[WEIR_FAILURE_TEXT_MAX + sizeof(killed)];
    struct weir_complaint complaint;
    memset(text, 'x', sizeof(text));
    memcpy(text, "ERR ", 4);
    memcpy(text + WEIR_FAILURE_TEXT_MAX - strlen(killed), killed, strlen(killed));
    weir_failure_read(weir_bytes(text, sizeof(text)), &complaint);
    assert_int_equal(complaint.failure, WEIR_FAILURE_KILLED);
    memset(text + 4, 'x', sizeof(text) - 4);
    memcpy(text + WEIR_FAILURE_TEXT_MAX - strlen(killed) + 1, killed, strlen(killed));
    weir_failure_read(weir_bytes(text, sizeof(text)), &complaint);
    assert_int_equal(complaint.failure, WEIR_FAILURE_REFUSED);
}

static void a_quote_is_cut_and_printable(void **state)
{
    (void)state;
    char buffer[16];
    weir_failure_quote(weir_text("ERR plain"), buffer, sizeof(buffer));
    assert_string_equal(buffer, "ERR plain");
    weir_failure_quote(weir_text("ERR 0123456789a"), buffer, sizeof(buffer));
    assert_string_equal(buffer, "ERR 0123456789a");
    weir_failure_quote(weir_text("ERR 0123456789ab"), buffer, sizeof(buffer));
    assert_string_equal(buffer, "ERR 0123456789a");
    weir_failure_quote(weir_bytes("a\0b\x1b[2J\x7f\xc3\xa9\n~ ", 13), buffer, sizeof(buffer));
    assert_string_equal(buffer, "a?b?[2J????~ ");
    weir_failure_quote(weir_bytes(NULL, 0), buffer, 1);
    assert_string_equal(buffer, "");
    weir_failure_quote(weir_text("ERR"), NULL, 0);
}

/* A server without HELLO tells what it was given, as Redis 5 and 6.2 do. */
static void a_quote_tells_no_password(void **state)
{
    (void)state;
    char buffer[160];
    weir_failure_quote(weir_text("ERR unknown command `HELLO`, with args beginning with: `3`, "
                                 "`AUTH`, `bob`, `hunter2`, "),
                       buffer, sizeof(buffer));
    assert_string_equal(buffer, "ERR unknown command `HELLO`");
}

/* The true replies, bent at random, in memory of exactly their size. */
static void any_bytes_are_survived(void **state)
{
    (void)state;
    const uint64_t seed = random_seed(1);
    struct random random = random_from(seed);
    for (size_t round = random_rounds(20000); round > 0; round--) {
        const char *text = replies[random_below(&random, sizeof(replies) / sizeof(*replies))].text;
        const size_t len = strlen(text) - random_below(&random, strlen(text) + 1);
        char *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        for (size_t i = random_below(&random, 4); i > 0 && len > 0; i--) {
            copy[random_below(&random, len)] = (char)random_next(&random);
        }
        struct weir_complaint complaint;
        weir_failure_read(weir_bytes(copy, len), &complaint);
        assert_int_not_equal(complaint.failure, WEIR_FAILURE_NONE);
        assert_true(complaint.slot < 16384);
        char quote[40];
        const size_t size = 1 + random_below(&random, sizeof(quote));
        weir_failure_quote(weir_bytes(copy, len), quote, size);
        assert_true(strlen(quote) < size);
        for (const char *at = quote; *at != '\0'; at++) {
            assert_true(*at >= ' ' && *at <= '~');
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reply_means_what_the_table_says),
        cmocka_unit_test(a_redirection_names_its_slot_and_server),
        cmocka_unit_test(what_is_no_redirection_has_no_place),
        cmocka_unit_test(a_text_is_looked_at_up_to_its_bound),
        cmocka_unit_test(a_quote_is_cut_and_printable),
        cmocka_unit_test(a_quote_tells_no_password),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
