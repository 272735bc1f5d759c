/* flood_test.c - 100 times more keys than slots: the memory stays as it was, and the heaviest
 * offenders stay limited. */

#include "base/pair.h"
#include "support/fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define OFFENDERS 10
#define SLOTS 4096
#define FLOOD (100 * SLOTS)
#define URL_SIZE "size=64KiB"
#define SECOND_US INT64_C(1000000)

/* The thread sanitizer keeps pages of its own for each page that is touched. */
#if defined(WEIR_PAIR_BUILTIN)
static const bool pages_are_ours = false;
#else
static const bool pages_are_ours = true;
#endif

/* The pages of this process that are in memory, if they are ours alone. */
static long resident_bytes(void)
{
    long pages = 0;
    if (!pages_are_ours) {
        return 0;
    }
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    assert_int_equal(fclose(file), 0);
    return pages * sysconf(_SC_PAGESIZE);
}

static struct weir_stats stats_of(struct weir *weir, int64_t now_us)
{
    struct weir_stats stats = {.size = sizeof(stats)};
    assert_int_equal(weir_stats(weir, now_us, &stats), WEIR_OK);
    return stats;
}

static void ask_stranger(struct weir *weir, const struct weir_limit *limit, unsigned i,
                         int64_t now_us)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "stranger-%u", i);
    assert_true(fixture_check(weir, limit, name, 1, now_us).allowed);
}

static bool ask_offender(struct weir *weir, const struct weir_limit *limit, unsigned i,
                         int64_t now_us)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "offender-%u", i);
    return fixture_check(weir, limit, name, 1, now_us).allowed;
}

/* All in one instant: nothing becomes idle, so the flood has to push out what matters. */
static void flood_in_an_instant(const char *url)
{
    struct weir *weir = fixture_open(url);
    struct weir_limit *limit = fixture_limit("5/m");
    for (unsigned i = 0; i < 5 * OFFENDERS; i++) {
        assert_true(ask_offender(weir, limit, i % OFFENDERS, FIXTURE_NOW));
    }
    for (unsigned i = 0; i < 2 * SLOTS; i++) {
        ask_stranger(weir, limit, i, FIXTURE_NOW);
    }
    const struct weir_stats before = stats_of(weir, FIXTURE_NOW);
    const long resident = resident_bytes();
    assert_int_equal(before.slots, SLOTS);
    assert_int_equal(before.bytes, 65536 + 2048);
    assert_true(before.evicted_live > 0);
    const unsigned flood = (unsigned)random_rounds(FLOOD);
    for (unsigned i = 0; i < flood; i++) {
        ask_stranger(weir, limit, 2 * SLOTS + i, FIXTURE_NOW);
        if (i % 100 == 0) {
            assert_false(ask_offender(weir, limit, i / 100 % OFFENDERS, FIXTURE_NOW));
        }
    }
    for (unsigned i = 0; i < OFFENDERS; i++) {
        assert_false(ask_offender(weir, limit, i, FIXTURE_NOW));
    }
    const struct weir_stats after = stats_of(weir, FIXTURE_NOW);
    assert_true(resident_bytes() - resident < 512 * 1024);
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(after.slots, before.slots);
    assert_true(after.used <= after.slots);
    assert_int_equal(after.evicted_idle, 0);
    /* Every stranger found its set full: each pushed out one. */
    assert_int_equal(after.evicted_live - before.evicted_live, flood - (after.used - before.used));
    weir_limit_free(limit);
    weir_close(weir);
}

static void a_flood_in_an_instant_in_memory(void **state)
{
    (void)state;
    flood_in_an_instant("memory:?" URL_SIZE);
}

static void a_flood_in_an_instant_in_a_file(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    flood_in_an_instant(fixture_url(&folder, "table", URL_SIZE));
    fixture_folder_remove(&folder);
}

/* A stranger each millisecond, who is as if never seen 12 s later. The offenders ask all the time,
 * and get exactly what the limit allows: 5, and one more each 12 s. */
static void a_flood_over_time_leaves_the_offenders_their_due(void **state)
{
    (void)state;
    struct weir *weir = fixture_open("memory:?" URL_SIZE);
    struct weir_limit *limit = fixture_limit("5/m");
    unsigned admitted[OFFENDERS] = {0};
    const unsigned flood = (unsigned)random_rounds(FLOOD);
    for (unsigned i = 0; i < flood; i++) {
        const int64_t now_us = FIXTURE_NOW + i * INT64_C(1000);
        ask_stranger(weir, limit, i, now_us);
        if (i % 8 == 0) {
            for (unsigned k = 0; k < OFFENDERS; k++) {
                admitted[k] += ask_offender(weir, limit, k, now_us) ? 1 : 0;
            }
        }
    }
    const int64_t last_us = (int64_t)((flood - 1) / 8 * 8) * 1000;
    for (unsigned k = 0; k < OFFENDERS; k++) {
        assert_int_equal(admitted[k], 5 + last_us / (12 * SECOND_US));
    }
    const struct weir_stats stats = stats_of(weir, FIXTURE_NOW + flood * INT64_C(1000));
    assert_true(stats.used <= SLOTS);
    weir_limit_free(limit);
    weir_close(weir);
}

/* Entries that are as if never used go first, and their loss is counted as none. */
static void idle_entries_go_first(void **state)
{
    (void)state;
    struct weir *weir = fixture_open("memory:?" URL_SIZE);
    struct weir_limit *limit = fixture_limit("5/m");
    for (unsigned i = 0; i < 4 * SLOTS; i++) {
        ask_stranger(weir, limit, i, FIXTURE_NOW);
    }
    const struct weir_stats before = stats_of(weir, FIXTURE_NOW);
    const int64_t later_us = FIXTURE_NOW + 12 * SECOND_US;
    assert_int_equal(stats_of(weir, later_us - 1).live, before.live);
    assert_int_equal(stats_of(weir, later_us).live, 0);
    for (unsigned i = 0; i < SLOTS / 2; i++) {
        ask_stranger(weir, limit, 4 * SLOTS + i, later_us);
    }
    const struct weir_stats after = stats_of(weir, later_us);
    /* Only where more than eight newcomers met in one set did one of them have to go. */
    const uint64_t met = after.evicted_live - before.evicted_live;
    assert_true(met < SLOTS / 2 / 10);
    assert_int_equal(after.evicted_idle + met + after.used - before.used, SLOTS / 2);
    assert_int_equal(after.live + met, SLOTS / 2);
    weir_limit_free(limit);
    weir_close(weir);
}

/* The story: a table was rounded up to whole huge pages, and took up to 2 MiB more than it said. */
static void a_large_table_takes_no_more_than_it_says(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("5/m");
    const long before = resident_bytes();
    struct weir *weir = fixture_open("memory:?size=64MiB&log=64KiB");
    for (unsigned i = 0; i < (unsigned)random_rounds(100000); i++) {
        ask_stranger(weir, limit, i, FIXTURE_NOW);
    }
    const long taken = resident_bytes() - before;
    assert_true(taken <= (64 << 20) + 2048 + (1 << 20));
    weir_close(weir);
    weir_limit_free(limit);
    assert_true(resident_bytes() - before < 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_in_an_instant_in_memory),
        cmocka_unit_test(a_flood_in_an_instant_in_a_file),
        cmocka_unit_test(a_flood_over_time_leaves_the_offenders_their_due),
        cmocka_unit_test(idle_entries_go_first),
        cmocka_unit_test(a_large_table_takes_no_more_than_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
