/* open_test.c - a store's URL: what is read, and where and why it is not. */

#include "support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void sizes_are_read_in_any_unit(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        uint64_t slots;
    } good[] = {
        {"memory:?size=8KiB", 512},
        {"memory:?size=8192", 512},
        {"memory:?size=8192B", 512},
        {"memory:?size=1MiB", 65536},
        {"memory:?size=8319", 512},
        {"memory:?size=8320", 520},
        {"memory:?log=64KiB&size=16KiB", 1024},
        {"memory:?size=16KiB&log=128KiB", 1024},
        {"memory:", 4194304},
        {"memory:?", 4194304},
        {"memory:?size=1MiB&size=8KiB", 512},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct weir *weir = fixture_open(good[i].url);
        struct weir_stats stats = {.size = sizeof(stats)};
        assert_int_equal(weir_stats(weir, FIXTURE_NOW, &stats), WEIR_OK);
        assert_int_equal(stats.slots, good[i].slots);
        /* 16 bytes a client plus at most 4 KiB. */
        assert_int_equal(stats.bytes, 16 * stats.slots + 2048);
        weir_close(weir);
    }
}

/* The part that is meant is marked by '<' and '>' in the text here. */
static const struct {
    const char *marked;
    const char *message;
} wrong_urls[] = {
    {"<>", "expected a store"},
    {"<memory>", "expected a store"},
    {"<redis>://localhost", "expected a store"},
    {"<Memory>:", "expected a store"},
    {"<memory2>:", "expected a store"},
    {"<>:", "expected a store"},
    {"memory:</path>", "has no path"},
    {"memory:<x>?size=1MiB", "has no path"},
    {"memory:?<size>", "expected name=value"},
    {"memory:?<>&size=1MiB", "expected name=value"},
    {"memory:?size=<>", "expected a size"},
    {"memory:?size=<MiB>", "expected a size"},
    {"memory:?size=<-1MiB>", "expected a size"},
    {"memory:?size=<1MB>", "expected a unit"},
    {"memory:?size=<1mib>", "expected a unit"},
    {"memory:?size=<1 MiB>", "expected a unit"},
    {"memory:?size=<1MiBs>", "expected a unit"},
    {"memory:?size=<7KiB>", "must be 8 KiB to 1024 GiB"},
    {"memory:?size=<8191>", "must be 8 KiB to 1024 GiB"},
    {"memory:?size=<0>", "must be 8 KiB to 1024 GiB"},
    {"memory:?size=<2TiB>", "must be 8 KiB to 1024 GiB"},
    {"memory:?size=<1099511627777>", "must be 8 KiB to 1024 GiB"},
    {"memory:?size=<18446744073709551615TiB>", "must be 8 KiB to 1024 GiB"},
    {"memory:?size=<18446744073709551616>", "must be 8 KiB to 1024 GiB"},
    {"memory:?size=<99999999999999999999999999>", "must be 8 KiB to 1024 GiB"},
    {"memory:?log=<63KiB>", "must be 64 KiB to 64 GiB"},
    {"memory:?log=<65GiB>", "must be 64 KiB to 64 GiB"},
    {"memory:?<mode=0600>", "takes size= and log="},
    {"memory:?size=1MiB&<colour=red>", "takes size= and log="},
    {"memory:?<Size=1MiB>", "takes size= and log="},
    {"shm:<>", "expected an absolute path"},
    {"shm:<table>", "expected an absolute path"},
    {"shm:<./table>?size=1MiB", "expected an absolute path"},
    {"shm:<%2ftable>", "expected an absolute path"},
    {"shm:</a%>", "expected %XX"},
    {"shm:</a%4>", "expected %XX"},
    {"shm:</a%g1>", "expected %XX"},
    {"shm:</a%1g>", "expected %XX"},
    {"shm:</a%00b>", "expected %XX"},
    {"shm:/a?<log=1MiB>", "takes size= and mode="},
    {"shm:/a?mode=<>", "expected a mode"},
    {"shm:/a?mode=<2000000000000000000000600>", "expected a mode"},
    {"shm:/a?mode=<0800>", "expected a mode"},
    {"shm:/a?mode=<01777>", "expected a mode"},
    {"shm:/a?mode=<0400>", "expected a mode"},
    {"shm:/a?mode=<0200>", "expected a mode"},
    {"shm:/a?mode=<rw>", "expected a mode"},
    {"shm:/a?mode=<0600x>", "expected a mode"},
};

static void every_mistake_is_named_where_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong_urls) / sizeof(wrong_urls[0]); i++) {
        const char *marked = wrong_urls[i].marked;
        const size_t offset = (size_t)(strchr(marked, '<') - marked);
        const size_t length = (size_t)(strchr(marked, '>') - marked) - offset - 1;
        char url[128];
        (void)snprintf(url, sizeof(url), "%.*s%.*s%s", (int)offset, marked, (int)length,
                       marked + offset + 1, marked + offset + length + 2);
        struct weir *const untouched = (struct weir *)(void *)url;
        struct weir *weir = untouched;
        struct weir_error error = {99, 99, ""};
        const enum weir_status status = weir_open(url, NULL, &weir, &error);
        if (status != WEIR_ERR_URL || strstr(error.message, wrong_urls[i].message) == NULL ||
            error.offset != offset || error.length != length) {
            print_error("%s: %s, at %zu, %zu: %s\n", url, weir_status_name(status), error.offset,
                        error.length, error.message);
            fail();
        }
        assert_ptr_equal(weir, untouched);
        assert_int_equal(weir_open(url, NULL, &weir, NULL), WEIR_ERR_URL);
    }
}

static void a_path_longer_than_the_system_allows_is_refused(void **state)
{
    (void)state;
    static char url[8192];
    static const size_t lengths[] = {4000, 4060, 4063, 4064, 4095, 4096, 4097, 8000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct weir *weir = NULL;
        struct weir_error error = {0, 0, ""};
        (void)snprintf(url, sizeof(url), "shm:/");
        memset(url + 5, 'x', lengths[i]);
        url[5 + lengths[i]] = '\0';
        const enum weir_status status = weir_open(url, NULL, &weir, &error);
        assert_true(status == WEIR_ERR_URL || status == WEIR_ERR_SYSTEM);
        assert_null(weir);
        assert_true(strlen(error.message) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read_in_any_unit),
        cmocka_unit_test(every_mistake_is_named_where_it_is),
        cmocka_unit_test(a_path_longer_than_the_system_allows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
