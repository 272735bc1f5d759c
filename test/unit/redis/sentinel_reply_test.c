/* sentinel_reply_test.c - what sentinels and servers say is read as it is meant, and nothing else
 * is. The replies are those of Redis 7.0.15. */

#include "redis/sentinel_reply.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/redis/replies.h"

#include <stdio.h>
#include <string.h>

/* ---- GET-MASTER-ADDR-BY-NAME ---- */

static enum weir_sentinel_answer ask(const char *reply, struct weir_address *ret_address)
{
    size_t count = 0;
    const struct weir_resp_value *values = reply_values(reply, &count);
    return weir_sentinel_primary_read(values, count, ret_address);
}

static void a_primary_is_read(void **state)
{
    (void)state;
    struct weir_address address;
    assert_int_equal(ask("*2\r\n$9\r\n127.0.0.1\r\n$5\r\n17201\r\n", &address),
                     WEIR_SENTINEL_PRIMARY);
    assert_string_equal(address.host, "127.0.0.1");
    assert_int_equal(address.port, 17201);
}

static void names_and_ipv6_are_hosts_too(void **state)
{
    (void)state;
    struct weir_address address;
    assert_int_equal(ask("*2\r\n$3\r\n::1\r\n$4\r\n6379\r\n", &address), WEIR_SENTINEL_PRIMARY);
    assert_string_equal(address.host, "::1");
    assert_int_equal(ask("*2\r\n$10\r\nredis-0.db\r\n$5\r\n65535\r\n", &address),
                     WEIR_SENTINEL_PRIMARY);
    assert_string_equal(address.host, "redis-0.db");
    assert_int_equal(address.port, 65535);
}

static void an_unknown_service_is_told_from_nonsense(void **state)
{
    (void)state;
    struct weir_address address = {.host = "kept", .port = 7};
    assert_int_equal(ask("*-1\r\n", &address), WEIR_SENTINEL_NO_SUCH);
    assert_int_equal(ask("_\r\n", &address), WEIR_SENTINEL_NO_SUCH);
    static const char *const nonsense[] = {
        "-NOAUTH Authentication required.\r\n",
        "*0\r\n",
        "+OK\r\n",
        ":1\r\n",
        "*1\r\n$9\r\n127.0.0.1\r\n",
        "*3\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n$1\r\nx\r\n",
        "*2\r\n$0\r\n\r\n$4\r\n6379\r\n",
        "*2\r\n$-1\r\n$4\r\n6379\r\n",
        "*2\r\n$1\r\n?\r\n$4\r\n6379\r\n",
        "*2\r\n$3\r\na b\r\n$4\r\n6379\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n$1\r\n0\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n65536\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n$2\r\n-1\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n63x9\r\n",
        "*2\r\n*1\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n",
    };
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        assert_int_equal(ask(nonsense[i], &address), WEIR_SENTINEL_NONSENSE);
    }
    assert_string_equal(address.host, "kept");
    assert_int_equal(address.port, 7);
}

static void a_host_may_have_as_many_bytes_as_an_address_holds(void **state)
{
    (void)state;
    char host[WEIR_HOST_MAX + 2];
    memset(host, 'h', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    char reply[400];
    struct weir_address address;
    (void)snprintf(reply, sizeof reply, "*2\r\n$%d\r\n%s\r\n$4\r\n6379\r\n", WEIR_HOST_MAX,
                   host + 1);
    assert_int_equal(ask(reply, &address), WEIR_SENTINEL_PRIMARY);
    assert_string_equal(address.host, host + 1);
    (void)snprintf(reply, sizeof reply, "*2\r\n$%d\r\n%s\r\n$4\r\n6379\r\n", WEIR_HOST_MAX + 1,
                   host);
    assert_int_equal(ask(reply, &address), WEIR_SENTINEL_NONSENSE);
}

/* ---- SENTINELS ---- */

struct seen {
    size_t count;
    struct weir_address addresses[4];
};

static void see(void *context, const struct weir_address *address)
{
    struct seen *seen = context;
    assert_true(seen->count < 4);
    seen->addresses[seen->count++] = *address;
}

static struct seen others_in(const char *reply)
{
    struct seen seen = {0};
    size_t count = 0;
    const struct weir_resp_value *values = reply_values(reply, &count);
    weir_sentinel_others_read(values, count, see, &seen);
    return seen;
}

#define SENTINEL_FIELDS(port)                                                                   \
    "$4\r\nname\r\n$40\r\n3cdfd9d1fc389db2aeb8d608bae71afb470a9742\r\n"                         \
    "$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$5\r\n" port "\r\n"                           \
    "$5\r\nrunid\r\n$40\r\n3cdfd9d1fc389db2aeb8d608bae71afb470a9742\r\n"                        \
    "$5\r\nflags\r\n$8\r\nsentinel\r\n$21\r\nlink-pending-commands\r\n$1\r\n0\r\n"              \
    "$13\r\nlink-refcount\r\n$1\r\n1\r\n$14\r\nlast-ping-sent\r\n$1\r\n0\r\n"                   \
    "$18\r\nlast-ok-ping-reply\r\n$3\r\n693\r\n$15\r\nlast-ping-reply\r\n$3\r\n693\r\n"         \
    "$23\r\ndown-after-milliseconds\r\n$3\r\n800\r\n$18\r\nlast-hello-message\r\n$3\r\n433\r\n" \
    "$12\r\nvoted-leader\r\n$1\r\n?\r\n$18\r\nvoted-leader-epoch\r\n$1\r\n0\r\n"

static void other_sentinels_are_read_in_both_protocols(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "*2\r\n*28\r\n" SENTINEL_FIELDS("17212") "*28\r\n" SENTINEL_FIELDS("17213"),
        "*2\r\n%14\r\n" SENTINEL_FIELDS("17212") "%14\r\n" SENTINEL_FIELDS("17213"),
    };
    for (size_t i = 0; i < 2; i++) {
        const struct seen seen = others_in(replies[i]);
        assert_int_equal(seen.count, 2);
        assert_string_equal(seen.addresses[0].host, "127.0.0.1");
        assert_int_equal(seen.addresses[0].port, 17212);
        assert_int_equal(seen.addresses[1].port, 17213);
    }
}

static void a_sentinel_without_a_usable_address_is_passed_over(void **state)
{
    (void)state;
    const struct seen seen = others_in("*5\r\n"
                                       "*4\r\n$2\r\nip\r\n$0\r\n\r\n$4\r\nport\r\n$1\r\n1\r\n"
                                       "*2\r\n$2\r\nip\r\n$1\r\na\r\n"
                                       "*3\r\n$2\r\nip\r\n$1\r\na\r\n$4\r\nport\r\n"
                                       "$1\r\nx\r\n"
                                       "*4\r\n$4\r\nport\r\n$1\r\n9\r\n$2\r\nip\r\n$1\r\nb\r\n");
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.addresses[0].host, "b");
    assert_int_equal(seen.addresses[0].port, 9);
    assert_int_equal(others_in("-ERR No such master with that name\r\n").count, 0);
    assert_int_equal(others_in("*0\r\n").count, 0);
    assert_int_equal(others_in("+OK\r\n").count, 0);
}

/* ---- +switch-master ---- */

static bool switched(const char *reply, const char *service, struct weir_address *ret_address)
{
    size_t count = 0;
    const struct weir_resp_value *values = reply_values(reply, &count);
    return weir_sentinel_switch_read(values, count, service, ret_address);
}

#define MESSAGE(kind, len, text) \
    kind "\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$" len "\r\n" text "\r\n"

static void a_failover_is_read_from_its_message(void **state)
{
    (void)state;
    static const char *const messages[] = {
        MESSAGE("*3", "40", "mymaster 127.0.0.1 17201 127.0.0.1 17202"),
        MESSAGE(">3", "40", "mymaster 127.0.0.1 17201 127.0.0.1 17202"),
    };
    for (size_t i = 0; i < 2; i++) {
        struct weir_address address;
        assert_true(switched(messages[i], "mymaster", &address));
        assert_string_equal(address.host, "127.0.0.1");
        assert_int_equal(address.port, 17202);
        assert_false(switched(messages[i], "mymaste", &address));
        assert_false(switched(messages[i], "mymaster2", &address));
        assert_false(switched(messages[i], "", &address));
    }
}

static void what_is_no_such_message_is_none(void **state)
{
    (void)state;
    static const char *const others[] = {
        MESSAGE("*3", "34", "mymaster 127.0.0.1 17201 127.0.0.1"),
        MESSAGE("*3", "42", "mymaster 127.0.0.1 17201 127.0.0.1 17202 x"),
        MESSAGE("*3", "8", "mymaster"),
        MESSAGE("*3", "0", ""),
        "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n",
        "*3\r\n$7\r\nmessage\r\n$5\r\n+sdow\r\n$40\r\nmymaster 127.0.0.1 17201 127.0.0.1 17202\r\n",
        "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n:1\r\n",
        "*0\r\n",
        "+OK\r\n",
    };
    struct weir_address address;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(switched(others[i], "mymaster", &address));
    }
}

/* ---- ROLE ---- */

static bool primary(const char *reply)
{
    size_t count = 0;
    const struct weir_resp_value *values = reply_values(reply, &count);
    return weir_role_is_primary(values, count);
}

static void only_a_primary_has_the_role_of_one(void **state)
{
    (void)state;
    assert_true(primary("*3\r\n$6\r\nmaster\r\n:827\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n"
                        "$5\r\n17202\r\n$3\r\n827\r\n"));
    assert_false(primary("*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:17201\r\n"
                         "$9\r\nconnected\r\n:827\r\n"));
    assert_false(primary("*2\r\n$8\r\nsentinel\r\n*1\r\n$8\r\nmymaster\r\n"));
    assert_false(primary("-NOPERM this user has no permissions to run the 'role' command\r\n"));
    assert_false(primary("+master\r\n"));
    assert_false(primary("*0\r\n"));
}

static int teardown(void **state)
{
    (void)state;
    reply_done();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_primary_is_read),
        cmocka_unit_test(names_and_ipv6_are_hosts_too),
        cmocka_unit_test(an_unknown_service_is_told_from_nonsense),
        cmocka_unit_test(a_host_may_have_as_many_bytes_as_an_address_holds),
        cmocka_unit_test(other_sentinels_are_read_in_both_protocols),
        cmocka_unit_test(a_sentinel_without_a_usable_address_is_passed_over),
        cmocka_unit_test(a_failover_is_read_from_its_message),
        cmocka_unit_test(what_is_no_such_message_is_none),
        cmocka_unit_test(only_a_primary_has_the_role_of_one),
    };
    return cmocka_run_group_tests_name("sentinel_reply", tests, NULL, teardown);
}
