/* cluster_map_test.c - a cluster's map is read from what its servers say, whole or not at all. The
 * replies are those of Redis 7.0.15. */

#include "redis/cluster_map.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "unit/redis/replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct weir_address asked = {.host = "10.0.0.9", .port = 7000};

static enum weir_status read_slots(const char *reply, struct weir_cluster_map **ret_map)
{
    size_t count = 0;
    const struct weir_resp_value *values = reply_values(reply, &count);
    return weir_cluster_slots_read(values, count, &asked, weir_allocator_or_default(NULL), ret_map);
}

static enum weir_status read_shards(const char *reply, bool tls, struct weir_cluster_map **ret_map)
{
    size_t count = 0;
    const struct weir_resp_value *values = reply_values(reply, &count);
    return weir_cluster_shards_read(values, count, &asked, tls, weir_allocator_or_default(NULL),
                                    ret_map);
}

static struct weir_cluster_map *slots_of(const char *reply)
{
    struct weir_cluster_map *map = NULL;
    assert_int_equal(read_slots(reply, &map), WEIR_OK);
    return map;
}

static struct weir_cluster_map *shards_of(const char *reply, bool tls)
{
    struct weir_cluster_map *map = NULL;
    assert_int_equal(read_shards(reply, tls, &map), WEIR_OK);
    return map;
}

/* That `slot` belongs to "host:port"; NULL: to nobody. */
static void assert_owner(const struct weir_cluster_map *map, unsigned slot, const char *owner)
{
    assert_int_equal(map->owner[slot] == WEIR_NO_SLOT_OWNER, owner == NULL);
    if (owner != NULL) {
        const struct weir_address *address = &map->addresses[map->owner[slot]];
        char text[WEIR_HOST_MAX + 8];
        (void)snprintf(text, sizeof text, "%s:%u", address->host, address->port);
        assert_string_equal(text, owner);
    }
}

#define ID_A "$40\r\n4f16ccc60df725a1f266a16c3ed270c3ab3ee2e4\r\n"
#define ID_B "$40\r\n269a262d6e17daecbfe57d6e3917c471d37eb7d2\r\n"
#define ID_C "$40\r\nbec219674d0f56234a5750c4b033220d79d5b6ce\r\n"
#define ID_D "$40\r\n1ebe5418d7c6aca36cfa043e092b654fdfcad71d\r\n"
#define LOCAL "$9\r\n127.0.0.1\r\n"
#define LOCALHOST "$9\r\nlocalhost\r\n"
#define IP "$2\r\nip\r\n" LOCAL
#define HOSTNAME "$8\r\nhostname\r\n" LOCALHOST

/* ---- CLUSTER SLOTS ---- */

static void assert_three_primaries(struct weir_cluster_map *map)
{
    assert_int_equal(map->count, 3);
    assert_int_equal(map->covered, 16383);
    assert_owner(map, 0, "127.0.0.1:17100");
    assert_owner(map, 5460, "127.0.0.1:17100");
    assert_owner(map, 5461, "127.0.0.1:17101");
    assert_owner(map, 10922, "127.0.0.1:17101");
    assert_owner(map, 10923, "127.0.0.1:17102");
    assert_owner(map, 16382, "127.0.0.1:17102");
    assert_owner(map, 16383, NULL);
    weir_cluster_map_free(map);
}

/* A replica of the first, a hostname beside the second's address, and the last slot nobody's. */
static void slots_are_read_in_both_protocols(void **state)
{
    (void)state;
#define SLOTS(none, some)                                                                          \
    "*3\r\n"                                                                                       \
    "*4\r\n:0\r\n:5460\r\n*4\r\n" LOCAL ":17100\r\n" ID_A none "*4\r\n" LOCAL                      \
    ":17103\r\n" ID_D none "*3\r\n:5461\r\n:10922\r\n*4\r\n" LOCAL ":17101\r\n" ID_B some HOSTNAME \
    "*3\r\n:10923\r\n:16382\r\n*4\r\n" LOCAL ":17102\r\n" ID_C none
    assert_three_primaries(slots_of(SLOTS("*0\r\n", "*2\r\n")));
    assert_three_primaries(slots_of(SLOTS("%0\r\n", "%1\r\n")));
}

/* Redis 6.2 has no fourth part, and a very old one no id. */
static void slots_of_older_servers_are_read(void **state)
{
    (void)state;
    struct weir_cluster_map *map = slots_of("*2\r\n*3\r\n:0\r\n:1\r\n*3\r\n" LOCAL ":1\r\n" ID_A
                                            "*3\r\n:2\r\n:16383\r\n*2\r\n$3\r\n::1\r\n:65535\r\n");
    assert_owner(map, 1, "127.0.0.1:1");
    assert_owner(map, 2, "::1:65535");
    assert_owner(map, 16383, "::1:65535");
    assert_int_equal(map->covered, WEIR_SLOTS);
    weir_cluster_map_free(map);
}

static void a_name_that_is_not_known_gives_way_to_the_address(void **state)
{
    (void)state;
    struct weir_cluster_map *map =
        slots_of("*4\r\n"
                 "*3\r\n:0\r\n:0\r\n*4\r\n$1\r\n?\r\n:17100\r\n" ID_A "*2\r\n" IP
                 "*3\r\n:1\r\n:1\r\n*4\r\n" LOCALHOST ":17101\r\n" ID_B "*2\r\n" IP
                 "*3\r\n:2\r\n:2\r\n*4\r\n$1\r\n?\r\n:17102\r\n" ID_C "%1\r\n" IP
                 "*3\r\n:3\r\n:3\r\n*4\r\n$1\r\n?\r\n:17103\r\n" ID_D "*0\r\n");
    assert_owner(map, 0, "127.0.0.1:17100");
    assert_owner(map, 1, "localhost:17101");
    assert_owner(map, 2, "127.0.0.1:17102");
    assert_owner(map, 3, NULL);
    assert_int_equal(map->covered, 3);
    weir_cluster_map_free(map);
}

static void a_host_left_open_is_the_one_that_was_asked(void **state)
{
    (void)state;
    struct weir_cluster_map *map =
        slots_of("*3\r\n"
                 "*3\r\n:0\r\n:0\r\n*4\r\n$-1\r\n:17100\r\n" ID_A "*2\r\n" IP
                 "*3\r\n:1\r\n:1\r\n*4\r\n$0\r\n\r\n:17101\r\n" ID_B "*4\r\n" IP HOSTNAME
                 "*3\r\n:2\r\n:2\r\n*4\r\n_\r\n:17102\r\n" ID_C "*2\r\n" IP);
    assert_owner(map, 0, "10.0.0.9:17100");
    assert_owner(map, 1, "10.0.0.9:17101");
    assert_owner(map, 2, "10.0.0.9:17102");
    weir_cluster_map_free(map);
}

/* Port 0: it listens only for the other kind of connection. */
static void slots_that_cannot_be_reached_are_nobodys(void **state)
{
    (void)state;
    struct weir_cluster_map *map = slots_of("*1\r\n*3\r\n:0\r\n:9\r\n*3\r\n" LOCAL ":0\r\n" ID_A);
    assert_int_equal(map->covered, 0);
    assert_int_equal(map->count, 0);
    weir_cluster_map_free(map);
    map = slots_of("*0\r\n");
    assert_int_equal(map->covered, 0);
    weir_cluster_map_free(map);
}

static void a_slots_reply_that_is_wrong_anywhere_is_refused_whole(void **state)
{
    (void)state;
#define GOOD "*3\r\n:0\r\n:5\r\n*3\r\n" LOCAL ":1\r\n" ID_A
    static const char *const wrong[] = {
        "+OK\r\n",
        "-ERR This instance has cluster support disabled\r\n",
        "*-1\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*2\r\n:0\r\n:5\r\n",
        "*2\r\n" GOOD GOOD,
        "*2\r\n" GOOD "*3\r\n:5\r\n:9\r\n*2\r\n" LOCAL ":2\r\n",
        "*2\r\n" GOOD "*3\r\n:9\r\n:8\r\n*2\r\n" LOCAL ":2\r\n",
        "*2\r\n" GOOD "*3\r\n:-1\r\n:8\r\n*2\r\n" LOCAL ":2\r\n",
        "*2\r\n" GOOD "*3\r\n:9\r\n:16384\r\n*2\r\n" LOCAL ":2\r\n",
        "*2\r\n" GOOD "*3\r\n$1\r\n9\r\n:10\r\n*2\r\n" LOCAL ":2\r\n",
        "*2\r\n" GOOD "*3\r\n:9\r\n:9\r\n*1\r\n" LOCAL,
        "*2\r\n" GOOD "*3\r\n:9\r\n:9\r\n" LOCAL,
        "*2\r\n" GOOD "*3\r\n:9\r\n:9\r\n*2\r\n" LOCAL ":65536\r\n",
        "*2\r\n" GOOD "*3\r\n:9\r\n:9\r\n*2\r\n" LOCAL ":-1\r\n",
        "*2\r\n" GOOD "*3\r\n:9\r\n:9\r\n*2\r\n:7\r\n:2\r\n",
        "*2\r\n" GOOD "*3\r\n:9\r\n:9\r\n*2\r\n$3\r\na b\r\n:2\r\n",
        "*2\r\n" GOOD "*3\r\n:9\r\n:9\r\n*4\r\n$1\r\n?\r\n:2\r\n" ID_B "*1\r\n" LOCAL,
    };
    struct weir_cluster_map *map = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(read_slots(wrong[i], &map), WEIR_ERR_FORMAT);
        assert_null(map);
    }
}

/* ---- CLUSTER SHARDS ---- */

#define SERVER_TEXT(ports, endpoint, role, health)                                   \
    "$2\r\nid\r\n" ID_A ports IP "$8\r\nendpoint\r\n" endpoint "$4\r\nrole\r\n" role \
    "$18\r\nreplication-offset\r\n:14\r\n$6\r\nhealth\r\n" health
#define PORT(port) "$4\r\nport\r\n:" port "\r\n"
#define TLS_PORT(port) "$8\r\ntls-port\r\n:" port "\r\n"
#define MASTER "$6\r\nmaster\r\n"
#define REPLICA "$7\r\nreplica\r\n"
#define ONLINE "$6\r\nonline\r\n"
#define FAIL "$4\r\nfail\r\n"
#define SHARD(slots, nodes) "*4\r\n$5\r\nslots\r\n" slots "$5\r\nnodes\r\n" nodes
#define SHARD3(slots, nodes) "%2\r\n$5\r\nslots\r\n" slots "$5\r\nnodes\r\n" nodes

static void shards_are_read_in_both_protocols(void **state)
{
    (void)state;
    assert_three_primaries(shards_of(
        "*3\r\n" SHARD("*2\r\n:5461\r\n:10922\r\n",
                       "*1\r\n*16\r\n" HOSTNAME SERVER_TEXT(PORT("17101"), LOCAL, MASTER, ONLINE))
            SHARD("*2\r\n:0\r\n:5460\r\n",
                  "*2\r\n*14\r\n" SERVER_TEXT(PORT("17103"), LOCAL, REPLICA,
                                              ONLINE) "*14\r\n" SERVER_TEXT(PORT("17100"), LOCAL,
                                                                            MASTER, ONLINE))
                SHARD("*4\r\n:10923\r\n:11000\r\n:11001\r\n:16382\r\n",
                      "*1\r\n*14\r\n" SERVER_TEXT(PORT("17102"), LOCAL, MASTER, ONLINE)),
        false));
    assert_three_primaries(shards_of(
        "*3\r\n" SHARD3("*2\r\n:5461\r\n:10922\r\n",
                        "*1\r\n%8\r\n" HOSTNAME SERVER_TEXT(PORT("17101"), LOCAL, MASTER, ONLINE))
            SHARD3("*2\r\n:0\r\n:5460\r\n",
                   "*2\r\n%7\r\n" SERVER_TEXT(PORT("17103"), LOCAL, REPLICA,
                                              ONLINE) "%7\r\n" SERVER_TEXT(PORT("17100"), LOCAL,
                                                                           MASTER, ONLINE))
                SHARD3("*2\r\n:10923\r\n:16382\r\n",
                       "*1\r\n%7\r\n" SERVER_TEXT(PORT("17102"), LOCAL, MASTER, ONLINE)),
        false));
}

static void a_failed_primary_gives_way_to_one_that_lives(void **state)
{
    (void)state;
    struct weir_cluster_map *map = shards_of(
        "*2\r\n" SHARD(
            "*2\r\n:0\r\n:7\r\n",
            "*3\r\n*14\r\n" SERVER_TEXT(PORT("1"), LOCAL, MASTER, FAIL) "*14\r\n" SERVER_TEXT(
                PORT("2"), LOCAL, MASTER, ONLINE) "*14\r\n" SERVER_TEXT(PORT("3"), LOCAL, MASTER,
                                                                        FAIL))
            SHARD("*0\r\n", "*1\r\n*14\r\n" SERVER_TEXT(PORT("4"), LOCAL, MASTER, FAIL)),
        false);
    assert_owner(map, 0, "127.0.0.1:2");
    assert_int_equal(map->covered, 8);
    weir_cluster_map_free(map);
}

/* As CLUSTER SLOTS does: there is nobody else to name. */
static void a_failed_primary_keeps_its_slots_while_it_is_the_only_one(void **state)
{
    (void)state;
    struct weir_cluster_map *map =
        shards_of("*2\r\n" SHARD("*2\r\n:0\r\n:7\r\n",
                                 "*2\r\n*14\r\n" SERVER_TEXT(
                                     PORT("1"), LOCAL, REPLICA,
                                     ONLINE) "*14\r\n" SERVER_TEXT(PORT("2"), LOCAL, MASTER, FAIL))
                      SHARD("*2\r\n:8\r\n:9\r\n",
                            "*1\r\n*14\r\n" SERVER_TEXT(PORT("3"), LOCAL, REPLICA, ONLINE)),
                  false);
    assert_owner(map, 0, "127.0.0.1:2");
    assert_owner(map, 8, NULL);
    weir_cluster_map_free(map);
}

static void the_port_is_that_of_the_connection_asked_for(void **state)
{
    (void)state;
    static const char reply[] = "*2\r\n" SHARD(
        "*2\r\n:0\r\n:7\r\n",
        "*1\r\n*16\r\n" SERVER_TEXT(PORT("1") TLS_PORT("2"), LOCAL, MASTER, ONLINE))
        SHARD("*2\r\n:8\r\n:9\r\n", "*1\r\n*14\r\n" SERVER_TEXT(PORT("3"), LOCAL, MASTER, ONLINE));
    struct weir_cluster_map *map = shards_of(reply, false);
    assert_owner(map, 0, "127.0.0.1:1");
    assert_owner(map, 8, "127.0.0.1:3");
    weir_cluster_map_free(map);
    map = shards_of(reply, true);
    assert_owner(map, 0, "127.0.0.1:2");
    assert_owner(map, 8, NULL);
    weir_cluster_map_free(map);
}

/* As cluster-preferred-endpoint-type has it: unknown-endpoint, a nil, hostname with and without. */
static void a_shards_endpoint_goes_before_its_address(void **state)
{
    (void)state;
    struct weir_cluster_map *map = shards_of(
        "*4\r\n" SHARD("*2\r\n:0\r\n:0\r\n",
                       "*1\r\n*14\r\n" SERVER_TEXT(PORT("1"), "$0\r\n\r\n", MASTER, ONLINE))
            SHARD("*2\r\n:1\r\n:1\r\n",
                  "*1\r\n*14\r\n" SERVER_TEXT(PORT("2"), "$-1\r\n", MASTER, ONLINE))
                SHARD("*2\r\n:2\r\n:2\r\n",
                      "*1\r\n*14\r\n" SERVER_TEXT(PORT("3"), LOCALHOST, MASTER, ONLINE))
                    SHARD("*2\r\n:3\r\n:3\r\n",
                          "*1\r\n*14\r\n" SERVER_TEXT(PORT("4"), "$1\r\n?\r\n", MASTER, ONLINE)),
        false);
    assert_owner(map, 0, "10.0.0.9:1");
    assert_owner(map, 1, "10.0.0.9:2");
    assert_owner(map, 2, "localhost:3");
    assert_owner(map, 3, "127.0.0.1:4");
    weir_cluster_map_free(map);
}

static void a_shards_reply_that_is_wrong_anywhere_is_refused_whole(void **state)
{
    (void)state;
#define NODE "*1\r\n*14\r\n" SERVER_TEXT(PORT("1"), LOCAL, MASTER, ONLINE)
#define GOOD_SHARD SHARD("*2\r\n:0\r\n:5\r\n", NODE)
    static const char *const wrong[] = {
        "+OK\r\n",
        "-ERR unknown subcommand 'SHARDS'. Try CLUSTER HELP.\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*1\r\n$5\r\nslots\r\n",
        "*1\r\n*2\r\n$5\r\nslots\r\n*0\r\n",
        "*1\r\n" SHARD(":1\r\n", NODE),
        "*2\r\n" GOOD_SHARD GOOD_SHARD,
        "*2\r\n" GOOD_SHARD SHARD("*1\r\n:9\r\n", NODE),
        "*2\r\n" GOOD_SHARD SHARD("*2\r\n:9\r\n:8\r\n", NODE),
        "*2\r\n" GOOD_SHARD SHARD("*2\r\n:9\r\n:16384\r\n", NODE),
        "*2\r\n" GOOD_SHARD SHARD("*2\r\n:9\r\n:10\r\n", ":1\r\n"),
        "*2\r\n" GOOD_SHARD SHARD("*2\r\n:9\r\n:10\r\n", "*1\r\n:1\r\n"),
        "*2\r\n" GOOD_SHARD SHARD("*2\r\n:9\r\n:10\r\n", "*1\r\n*2\r\n$2\r\nid\r\n" ID_A),
        "*2\r\n" GOOD_SHARD SHARD("*2\r\n:9\r\n:10\r\n", "*1\r\n*14\r\n" SERVER_TEXT(
                                                             PORT("65536"), LOCAL, MASTER, ONLINE)),
        "*2\r\n" GOOD_SHARD SHARD("*2\r\n:9\r\n:10\r\n",
                                  "*1\r\n*14\r\n" SERVER_TEXT(PORT("1"), ":1\r\n", MASTER, ONLINE)),
    };
    struct weir_cluster_map *map = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(read_shards(wrong[i], false, &map), WEIR_ERR_FORMAT);
        assert_null(map);
    }
}

/* ---- Bounds ---- */

/* A reply with slot i at port `first_port` + i % `servers`. */
static char *fragmented(unsigned slots, unsigned servers)
{
    const size_t room = 32 + (size_t)slots * 64;
    char *reply = malloc(room);
    assert_non_null(reply);
    size_t len = (size_t)snprintf(reply, room, "*%u\r\n", slots);
    for (unsigned slot = 0; slot < slots; slot++) {
        len += (size_t)snprintf(reply + len, room - len,
                                "*3\r\n:%u\r\n:%u\r\n*2\r\n$1\r\nh\r\n:%u\r\n", slot, slot,
                                1000 + slot % servers);
    }
    return reply;
}

static void as_many_servers_as_a_map_holds_and_no_more(void **state)
{
    (void)state;
    char *reply = fragmented(4 * WEIR_CLUSTER_NODES_MAX, WEIR_CLUSTER_NODES_MAX);
    struct weir_cluster_map *map = slots_of(reply);
    free(reply);
    assert_int_equal(map->count, WEIR_CLUSTER_NODES_MAX);
    assert_int_equal(map->covered, 4 * WEIR_CLUSTER_NODES_MAX);
    for (unsigned slot = 0; slot < 4 * WEIR_CLUSTER_NODES_MAX; slot++) {
        assert_int_equal(map->addresses[map->owner[slot]].port,
                         1000 + slot % WEIR_CLUSTER_NODES_MAX);
    }
    weir_cluster_map_free(map);
    reply = fragmented(WEIR_CLUSTER_NODES_MAX + 1, WEIR_CLUSTER_NODES_MAX + 1);
    map = NULL;
    assert_int_equal(read_slots(reply, &map), WEIR_ERR_FORMAT);
    assert_null(map);
    free(reply);
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
        cmocka_unit_test(slots_are_read_in_both_protocols),
        cmocka_unit_test(slots_of_older_servers_are_read),
        cmocka_unit_test(a_name_that_is_not_known_gives_way_to_the_address),
        cmocka_unit_test(a_host_left_open_is_the_one_that_was_asked),
        cmocka_unit_test(slots_that_cannot_be_reached_are_nobodys),
        cmocka_unit_test(a_slots_reply_that_is_wrong_anywhere_is_refused_whole),
        cmocka_unit_test(shards_are_read_in_both_protocols),
        cmocka_unit_test(a_failed_primary_gives_way_to_one_that_lives),
        cmocka_unit_test(a_failed_primary_keeps_its_slots_while_it_is_the_only_one),
        cmocka_unit_test(the_port_is_that_of_the_connection_asked_for),
        cmocka_unit_test(a_shards_endpoint_goes_before_its_address),
        cmocka_unit_test(a_shards_reply_that_is_wrong_anywhere_is_refused_whole),
        cmocka_unit_test(as_many_servers_as_a_map_holds_and_no_more),
    };
    return cmocka_run_group_tests_name("cluster_map", tests, NULL, teardown);
}
