/* config_test.c - a Redis store's URL: what is read, at and past every bound, and where and why
 * something is not. */

#include "store/table_format.h"
#include "unit/redis/config_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check_seed(size_t i, const char *host, uint16_t port)
{
    assert_true(i < config.seed_count);
    assert_string_equal(config.seeds[i].host, host);
    assert_int_equal(config.seeds[i].port, port);
}

/* ---- Schemes and places ------------------------------------------------------------------- */

static void every_scheme_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *host;
        enum weir_topology topology;
        uint16_t port;
        bool tls;
    } good[] = {
        {"redis://localhost", "localhost", WEIR_TOPOLOGY_SINGLE, 6379, false},
        {"rediss://localhost", "localhost", WEIR_TOPOLOGY_SINGLE, 6379, true},
        {"redis+unix:///run/redis.sock", "/run/redis.sock", WEIR_TOPOLOGY_SINGLE, 0, false},
        {"redis+sentinel://a/main", "a", WEIR_TOPOLOGY_SENTINEL, 26379, false},
        {"rediss+sentinel://a/main", "a", WEIR_TOPOLOGY_SENTINEL, 26379, true},
        {"redis+cluster://a", "a", WEIR_TOPOLOGY_CLUSTER, 6379, false},
        {"rediss+cluster://a", "a", WEIR_TOPOLOGY_CLUSTER, 6379, true},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        read_good(good[i].url, NULL);
        assert_int_equal(config.topology, good[i].topology);
        assert_int_equal(config.tls.on, good[i].tls);
        assert_int_equal(config.tls.verify, good[i].tls);
        assert_int_equal(config.seed_count, 1);
        check_seed(0, good[i].host, good[i].port);
    }
}

static void what_is_not_said_is_as_the_header_says(void **state)
{
    (void)state;
    read_good("redis://localhost", NULL);
    assert_int_equal(config.database, 0);
    assert_string_equal(config.login.user, "");
    assert_string_equal(config.login.password, "");
    assert_string_equal(config.tls.ca, "");
    assert_string_equal(config.tls.cert, "");
    assert_string_equal(config.tls.key, "");
    assert_string_equal(config.tls.sni, "");
    assert_int_equal(config.deadline_us, 50000);
    assert_int_equal(config.on_error, WEIR_ON_ERROR_LOCAL);
    assert_int_equal(config.local_size, 8 << 20);
    assert_int_equal(config.deny_cache_size, 1 << 20);
    assert_string_equal(config.prefix, "weir");
}

static void schemes_that_are_none_are_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "<>",
        "<redis>",
        "<redis>:",
        "<redis>:/a",
        "<redis>:a",
        "<Redis>://a",
        "<http>://a",
        "<redis+tls>://",
        "<localhost>",
        "<rediss+>://a",
        "<localhost>:6379",
        "<redis>?x=://",
        "<memory>:",
        "<valkey>://localhost",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        read_bad(wrong[i], WEIR_ERR_URL, "expected redis://");
    }
    read_bad("<rediss+unix>:///run/redis.sock", WEIR_ERR_URL, "no TLS over a unix socket");
}

static void hosts_and_ports_are_read(void **state)
{
    (void)state;
    read_good("redis://127.0.0.1:1", NULL);
    check_seed(0, "127.0.0.1", 1);
    read_good("redis://a-b_c.example.:65535/", NULL);
    check_seed(0, "a-b_c.example.", 65535);
    read_good("redis://[::1]", NULL);
    check_seed(0, "::1", 6379);
    read_good("redis://[2001:db8::7]:7000/1", NULL);
    check_seed(0, "2001:db8::7", 7000);
    assert_int_equal(config.database, 1);
    read_good("redis://[::ffff:127.0.0.1]:7000", NULL);
    check_seed(0, "::ffff:127.0.0.1", 7000);
    read_good("redis://[fe80::1%25eth0]:7000", NULL);
    check_seed(0, "fe80::1%eth0", 7000);
    read_good("redis://u@[::1]?deadline=1s", NULL);
    check_seed(0, "::1", 6379);
}

static void hosts_and_ports_that_are_none_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *marked;
        const char *message;
    } wrong[] = {
        {"redis://<>", "expected a host"},
        {"redis://<>/0", "expected a host"},
        {"redis://<>:6379", "expected a host"},
        {"redis://user@<>", "expected a host"},
        {"redis://<>?deadline=1s", "expected a host"},
        {"redis://<a b>", "a host has letters"},
        {"redis://<a%20b>", "a host has letters"},
        {"redis://<h\303\266st>", "a host has letters"},
        {"redis://<a#b>", "a host has letters"},
        {"redis://a:<>", "expected a port"},
        {"redis://a:<0>", "expected a port"},
        {"redis://a:<65536>", "expected a port"},
        {"redis://a:<99999999999999999999999>", "expected a port"},
        {"redis://a:<-1>", "expected a port"},
        {"redis://a:<+1>", "expected a port"},
        {"redis://a:<1x>", "expected a port"},
        {"redis://a:< 1>", "expected a port"},
        {"redis://<::1>", "in brackets"},
        {"redis://<fe80::1:6379>", "in brackets"},
        {"redis://<[::1>", "expected an IPv6 address"},
        {"redis://<[]>", "expected an IPv6 address"},
        {"redis://<[localhost]>", "expected an IPv6 address"},
        {"redis://<[127.0.0.1]>", "expected an IPv6 address"},
        {"redis://<[::1%25]>", "expected an IPv6 address"},
        {"redis://<[::1%25a b]>", "expected an IPv6 address"},
        {"redis://[<::1%>]", "expected %XX"},
        {"redis://[::1]<6379>", "expected ':'"},
        {"redis://[::1]:<>", "expected a port"},
        {"redis://<a,b>", "expected one host"},
        {"redis://<a,>", "expected one host"},
        {"redis+cluster://a,<>", "expected a host"},
        {"redis+cluster://<>,a", "expected a host"},
        {"redis+cluster://a,<>,b", "expected a host"},
        {"redis+cluster://a,b:<x>,c", "expected a port"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        read_bad(wrong[i].marked, WEIR_ERR_URL, wrong[i].message);
    }
}

static void a_name_has_255_bytes_at_most(void **state)
{
    (void)state;
    char host[WEIR_HOST_MAX + 2];
    char url[600];
    memset(host, 'a', sizeof(host));
    (void)snprintf(url, sizeof(url), "redis://%.*s:1", WEIR_HOST_MAX, host);
    read_good(url, NULL);
    assert_int_equal(strlen(config.seeds[0].host), WEIR_HOST_MAX);
    (void)snprintf(url, sizeof(url), "redis://<%.*s>:1", WEIR_HOST_MAX + 1, host);
    read_bad(url, WEIR_ERR_URL, "longer than 255");
}

static void many_hosts_are_read_and_no_more_than_32(void **state)
{
    (void)state;
    read_good("redis+sentinel://a,b:1,[::1]:2,127.0.0.1/main/3", NULL);
    assert_int_equal(config.seed_count, 4);
    check_seed(0, "a", 26379);
    check_seed(1, "b", 1);
    check_seed(2, "::1", 2);
    check_seed(3, "127.0.0.1", 26379);
    assert_string_equal(config.service, "main");
    assert_int_equal(config.database, 3);
    char url[512] = "redis+cluster://u:p@h1:1";
    for (unsigned i = 2; i <= WEIR_SEEDS_MAX; i++) {
        const size_t length = strlen(url);
        (void)snprintf(url + length, sizeof(url) - length, ",h%u:%u", i, i);
    }
    read_good(url, NULL);
    assert_int_equal(config.seed_count, WEIR_SEEDS_MAX);
    check_seed(31, "h32", 32);
    const size_t length = strlen(url);
    (void)snprintf(url + length, sizeof(url) - length, ",<h33>");
    read_bad(url, WEIR_ERR_URL, "at most 32 hosts");
}

static void databases_are_numbers(void **state)
{
    (void)state;
    read_good("redis://a/", NULL);
    assert_int_equal(config.database, 0);
    read_good("redis://a/15", NULL);
    assert_int_equal(config.database, 15);
    read_good("redis://a/2147483647", NULL);
    assert_int_equal(config.database, INT32_MAX);
    read_good("redis+unix:///s?db=7", NULL);
    assert_int_equal(config.database, 7);
    read_bad("redis://a/<2147483648>", WEIR_ERR_URL, "expected the number");
    read_bad("redis://a/<-1>", WEIR_ERR_URL, "expected the number");
    read_bad("redis://a/<1/2>", WEIR_ERR_URL, "expected the number");
    read_bad("redis://a/<0#x>", WEIR_ERR_URL, "expected the number");
    read_bad("redis://a/<db>", WEIR_ERR_URL, "expected the number");
    read_bad("redis+unix:///s?db=<>", WEIR_ERR_URL, "expected the number");
    read_bad("redis+unix:///s?db=<1x>", WEIR_ERR_URL, "expected the number");
    read_bad("redis://a?<db>=1", WEIR_ERR_URL, "goes into the path");
    read_bad("redis+sentinel://a/s?<db>=1", WEIR_ERR_URL, "goes into the path");
    read_bad("redis+cluster://a?<db>=1", WEIR_ERR_URL, "no databases");
    read_bad("redis+cluster://a/<1>", WEIR_ERR_URL, "no databases");
    read_good("redis+cluster://a/", NULL);
}

static void services_are_read(void **state)
{
    (void)state;
    read_good("redis+sentinel://a/my%2Fmaster%20x/9", NULL);
    assert_string_equal(config.service, "my/master x");
    assert_int_equal(config.database, 9);
    read_bad("redis+sentinel://a<>", WEIR_ERR_URL, "expected the service");
    read_bad("redis+sentinel://a/<>", WEIR_ERR_URL, "expected the service");
    read_bad("redis+sentinel://a/<>/1", WEIR_ERR_URL, "expected the service");
    read_bad("redis+sentinel://a/s/<>", WEIR_ERR_URL, "expected the number");
    read_bad("redis+sentinel://a/s/<x>", WEIR_ERR_URL, "expected the number");
    read_bad("redis+sentinel://a/<s%0>", WEIR_ERR_URL, "expected %XX");
    char name[WEIR_HOST_MAX + 2];
    char url[600];
    memset(name, 's', sizeof(name));
    (void)snprintf(url, sizeof(url), "redis+sentinel://a/%.*s", WEIR_HOST_MAX, name);
    read_good(url, NULL);
    (void)snprintf(url, sizeof(url), "redis+sentinel://a/<%.*s>", WEIR_HOST_MAX + 1, name);
    read_bad(url, WEIR_ERR_URL, "too long");
}

static void sockets_have_paths(void **state)
{
    (void)state;
    read_good("redis+unix:///a%3Fb%25?deadline=1s", NULL);
    check_seed(0, "/a?b%", 0);
    read_bad("redis+unix://<>", WEIR_ERR_URL, "expected the socket's path");
    read_bad("redis+unix://</>", WEIR_ERR_URL, "expected the socket's path");
    read_bad("redis+unix://<run>/redis.sock", WEIR_ERR_URL, "three slashes");
    read_bad("redis+unix://<:hush@>/redis.sock", WEIR_ERR_URL, "three slashes");
    read_bad("redis+unix://</a%00>", WEIR_ERR_URL, "expected %XX");
    char path[128];
    char url[256];
    memset(path, 'p', sizeof(path));
    (void)snprintf(url, sizeof(url), "redis+unix:///%.106s", path);
    read_good(url, NULL);
    assert_int_equal(strlen(config.seeds[0].host), 107);
    (void)snprintf(url, sizeof(url), "redis+unix://</%.107s>", path);
    read_bad(url, WEIR_ERR_URL, "at most 107 bytes");
}

/* ---- Options ------------------------------------------------------------------------------ */

static void deadlines_are_1ms_to_1m(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1ms", 1000},         {"1000us", 1000}, {"1001us", 1001},
        {"50ms", 50000},       {"2s", 2000000},  {"60s", 60000000},
        {"60000ms", 60000000}, {"1m", 60000000}, {"60000000us", 60000000},
    };
    char url[128];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        (void)snprintf(url, sizeof(url), "redis://a?deadline=%s", good[i].text);
        read_good(url, NULL);
        assert_int_equal(config.deadline_us, good[i].us);
    }
    static const char *const outside[] = {
        "0ms", "999us", "0s", "60001ms", "61s", "2m", "60000001us", "18446744073709551616ms",
    };
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        (void)snprintf(url, sizeof(url), "redis://a?deadline=<%s>", outside[i]);
        read_bad(url, WEIR_ERR_URL, "must be 1ms to 1m");
    }
    read_bad("redis://a?deadline=<>", WEIR_ERR_URL, "expected a time");
    read_bad("redis://a?deadline=<ms>", WEIR_ERR_URL, "expected a time");
    read_bad("redis://a?deadline=<-5ms>", WEIR_ERR_URL, "expected a time");
    read_bad("redis://a?deadline=<50>", WEIR_ERR_URL, "expected a unit");
    read_bad("redis://a?deadline=<1.5s>", WEIR_ERR_URL, "expected a unit");
    read_bad("redis://a?deadline=<1h>", WEIR_ERR_URL, "expected a unit");
    read_bad("redis://a?deadline=<1 s>", WEIR_ERR_URL, "expected a unit");
}

static void on_error_is_a_word_of_three(void **state)
{
    (void)state;
    read_good("redis://a?on_error=deny", NULL);
    assert_int_equal(config.on_error, WEIR_ON_ERROR_DENY);
    read_good("redis://a?on_error=allow", NULL);
    assert_int_equal(config.on_error, WEIR_ON_ERROR_ALLOW);
    read_good("redis://a?on_error=local", NULL);
    assert_int_equal(config.on_error, WEIR_ON_ERROR_LOCAL);
    read_bad("redis://a?on_error=<>", WEIR_ERR_URL, "expected local, deny or allow");
    read_bad("redis://a?on_error=<Deny>", WEIR_ERR_URL, "expected local, deny or allow");
    read_bad("redis://a?on_error=<default>", WEIR_ERR_URL, "expected local, deny or allow");
}

static void sizes_have_their_bounds(void **state)
{
    (void)state;
    read_good("redis://a?local=8KiB&deny_cache=0", NULL);
    assert_int_equal(config.local_size, WEIR_TABLE_SIZE_MIN);
    assert_int_equal(config.deny_cache_size, 0);
    read_good("redis://a?local=1TiB&deny_cache=1GiB", NULL);
    assert_int_equal(config.local_size, WEIR_TABLE_SIZE_MAX);
    assert_int_equal(config.deny_cache_size, 1 << 30);
    read_bad("redis://a?local=<8191>", WEIR_ERR_URL, "must be 8 KiB");
    read_bad("redis://a?local=<1025GiB>", WEIR_ERR_URL, "must be 8 KiB");
    read_bad("redis://a?local=<0>", WEIR_ERR_URL, "must be 8 KiB");
    read_bad("redis://a?local=<>", WEIR_ERR_URL, "expected a size");
    read_bad("redis://a?local=<1MB>", WEIR_ERR_URL, "expected a unit");
    read_bad("redis://a?deny_cache=<1073741825>", WEIR_ERR_URL, "0 KiB to 1 GiB");
    read_bad("redis://a?deny_cache=<none>", WEIR_ERR_URL, "expected a size");
}

static void a_prefix_has_64_plain_bytes_at_most(void **state)
{
    (void)state;
    read_good("redis://a?prefix=aZ09-_.", NULL);
    assert_string_equal(config.prefix, "aZ09-_.");
    read_good("redis://a?prefix=x", NULL);
    char prefix[WEIR_PREFIX_MAX + 2];
    char url[256];
    memset(prefix, 'p', sizeof(prefix));
    (void)snprintf(url, sizeof(url), "redis://a?prefix=%.*s", WEIR_PREFIX_MAX, prefix);
    read_good(url, NULL);
    assert_int_equal(strlen(config.prefix), WEIR_PREFIX_MAX);
    (void)snprintf(url, sizeof(url), "redis://a?prefix=<%.*s>", WEIR_PREFIX_MAX + 1, prefix);
    read_bad(url, WEIR_ERR_URL, "1 to 64");
    read_bad("redis://a?prefix=<>", WEIR_ERR_URL, "1 to 64");
    read_bad("redis://a?prefix=<a:b>", WEIR_ERR_URL, "1 to 64");
    read_bad("redis://a?prefix=<a%62>", WEIR_ERR_URL, "1 to 64");
    read_bad("redis://a?prefix=<{a}>", WEIR_ERR_URL, "1 to 64");
}

static void tls_has_its_options(void **state)
{
    (void)state;
    read_good("rediss://a?ca=/c%20a&cert=/c&key=/k&sni=b.example&verify=full", NULL);
    assert_string_equal(config.tls.ca, "/c a");
    assert_string_equal(config.tls.cert, "/c");
    assert_string_equal(config.tls.key, "/k");
    assert_string_equal(config.tls.sni, "b.example");
    assert_true(config.tls.verify);
    read_good("rediss+cluster://a?verify=none&sni=::1", NULL);
    assert_false(config.tls.verify);
    assert_string_equal(config.tls.sni, "::1");
    static const char *const of_tls[] = {"ca", "cert", "key", "sni", "verify"};
    static const char *const without[] = {"redis://a", "redis+unix:///s", "redis+cluster://a",
                                          "redis+sentinel://a/s"};
    char url[128];
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 4; j++) {
            (void)snprintf(url, sizeof(url), "%s?<%s>=x", without[j], of_tls[i]);
            read_bad(url, WEIR_ERR_URL, "this is for TLS");
        }
    }
    read_bad("rediss://a?cert=</c>", WEIR_ERR_URL, "needs its key");
    read_bad("rediss://a?key=</k>", WEIR_ERR_URL, "needs its certificate");
    read_bad("rediss://a?verify=none&ca=</c>", WEIR_ERR_URL, "asks no authority");
    read_bad("rediss://a?verify=<>", WEIR_ERR_URL, "expected full or none");
    read_bad("rediss://a?verify=<off>", WEIR_ERR_URL, "expected full or none");
    read_bad("rediss://a?ca=<>", WEIR_ERR_URL, "expected the path");
    read_bad("rediss://a?ca=<%zz>", WEIR_ERR_URL, "expected %XX");
    read_bad("rediss://a?sni=<>", WEIR_ERR_URL, "expected a host's name");
    read_bad("rediss://a?sni=<a b>", WEIR_ERR_URL, "expected a host's name");
}

static void paths_and_names_of_tls_have_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int most;
    } bounds[] = {{"ca", WEIR_FILE_MAX},
                  {"cert", WEIR_FILE_MAX},
                  {"key", WEIR_FILE_MAX},
                  {"sni", WEIR_HOST_MAX}};
    char text[WEIR_FILE_MAX + 2];
    char url[WEIR_FILE_MAX + 128];
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        const char *name = bounds[i].name;
        const char *other = strcmp(name, "cert") == 0  ? "key=k&"
                            : strcmp(name, "key") == 0 ? "cert=c&"
                                                       : "";
        (void)snprintf(url, sizeof(url), "rediss://a?%s%s=%.*s", other, name, bounds[i].most, text);
        read_good(url, NULL);
        (void)snprintf(url, sizeof(url), "rediss://a?%s%s=<%.*s>", other, name, bounds[i].most + 1,
                       text);
        read_bad(url, WEIR_ERR_URL, "at most");
    }
}

static void options_that_are_none_are_named(void **state)
{
    (void)state;
    read_bad("redis://a?<deadline>", WEIR_ERR_URL, "expected name=value");
    read_bad("redis://a?<>&deadline=1s", WEIR_ERR_URL, "expected name=value");
    read_bad("redis://a?deadline=1s&<>&prefix=a", WEIR_ERR_URL, "expected name=value");
    read_bad("redis://a?<colour>=red", WEIR_ERR_URL, "there is no such option");
    read_bad("redis://a?<>=red", WEIR_ERR_URL, "there is no such option");
    read_bad("redis://a?<Deadline>=1s", WEIR_ERR_URL, "there is no such option");
    read_bad("redis://a?deadline=1s&<deadline>=1s", WEIR_ERR_URL, "there twice");
    read_bad("redis://a?<sentinel_user>=u", WEIR_ERR_URL, "alone");
    read_bad("redis+cluster://a?<sentinel_password_env>=U", WEIR_ERR_URL, "alone");
    read_bad("redis://a?<password>=hush", WEIR_ERR_URL, "goes before the host");
    read_good("redis://a?deadline=1s&", NULL);
    read_good("redis://a/?", NULL);
}

static void addresses_are_written_for_people(void **state)
{
    (void)state;
    const struct weir_address name = {"a.example", 6379};
    const struct weir_address six = {"::1", 1};
    const struct weir_address path = {"/run/redis.sock", 0};
    char text[64];
    weir_address_format(&name, text, sizeof(text));
    assert_string_equal(text, "a.example:6379");
    weir_address_format(&six, text, sizeof(text));
    assert_string_equal(text, "[::1]:1");
    weir_address_format(&path, text, sizeof(text));
    assert_string_equal(text, "/run/redis.sock");
    weir_address_format(&name, text, 5);
    assert_string_equal(text, "a.ex");
    assert_true(weir_address_same(&name, &name));
    assert_false(weir_address_same(&name, &six));
    assert_false(weir_address_same(&name, &(struct weir_address){"a.example", 6380}));
}

static void addresses_of_redirections_are_read(void **state)
{
    (void)state;
    const struct weir_address asked = {"10.0.0.9", 7000};
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } good[] = {
        {"127.0.0.1:6381", "127.0.0.1", 6381},   {"::1:6381", "::1", 6381},
        {"a.example:65535", "a.example", 65535}, {":7001", "10.0.0.9", 7001},
        {"fe80::1%eth0:1", "fe80::1%eth0", 1},
    };
    struct weir_address address;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(weir_address_moved(weir_text(good[i].text), &asked, &address));
        assert_string_equal(address.host, good[i].host);
        assert_int_equal(address.port, good[i].port);
    }
    static const char *const wrong[] = {"",    "a",     "a:",    "a:0",  "a:65536", "a:1x",
                                        "?:1", "a b:1", "a\n:1", "a:-1", "a:999999"};
    const struct weir_address before = address;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(weir_address_moved(weir_text(wrong[i]), &asked, &address));
    }
    char text[WEIR_HOST_MAX + 8];
    memset(text, 'h', sizeof(text));
    memcpy(text + WEIR_HOST_MAX + 1, ":1", 2);
    assert_false(weir_address_moved(weir_bytes(text, WEIR_HOST_MAX + 3), &asked, &address));
    assert_memory_equal(&address, &before, sizeof(before));
    assert_true(weir_address_moved(weir_bytes(text + 1, WEIR_HOST_MAX + 2), &asked, &address));
    assert_false(weir_address_moved(weir_bytes(NULL, 0), &asked, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme_is_read),
        cmocka_unit_test(what_is_not_said_is_as_the_header_says),
        cmocka_unit_test(schemes_that_are_none_are_named),
        cmocka_unit_test(hosts_and_ports_are_read),
        cmocka_unit_test(hosts_and_ports_that_are_none_are_named),
        cmocka_unit_test(a_name_has_255_bytes_at_most),
        cmocka_unit_test(many_hosts_are_read_and_no_more_than_32),
        cmocka_unit_test(databases_are_numbers),
        cmocka_unit_test(services_are_read),
        cmocka_unit_test(sockets_have_paths),
        cmocka_unit_test(deadlines_are_1ms_to_1m),
        cmocka_unit_test(on_error_is_a_word_of_three),
        cmocka_unit_test(sizes_have_their_bounds),
        cmocka_unit_test(a_prefix_has_64_plain_bytes_at_most),
        cmocka_unit_test(tls_has_its_options),
        cmocka_unit_test(paths_and_names_of_tls_have_bounds),
        cmocka_unit_test(options_that_are_none_are_named),
        cmocka_unit_test(addresses_are_written_for_people),
        cmocka_unit_test(addresses_of_redirections_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
