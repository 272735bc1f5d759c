/* kill_test.c - processes killed with SIGKILL in mid-run, hundreds of times, leave the table right
 * for the others.
 *
 * Workers note in a second shared mapping which key they are asking for, and count what they are
 * told. So when one is killed, all that is unknown is whether the one call it was in took
 * something; each key's admissions are known but for that. */

#include "support/fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKERS 3
#define KILLS 400
#define KEYS ((unsigned)1 << 16)
#define LIMIT 3
#define ASKS_A_KEY 6
#define NOBODY UINT32_MAX

struct records {
    char url[256];
    uint64_t asked;           /* calls begun, by all: their keys follow from it */
    uint32_t asking[WORKERS]; /* the key each worker is asking for, or NOBODY */
    uint8_t admitted[KEYS];
    uint8_t unknown[KEYS]; /* calls that a kill cut off, or may have */
};

static const char *key_name(char *buffer, size_t size, uint32_t key)
{
    (void)snprintf(buffer, size, "client-%u", key);
    return buffer;
}

static uint32_t key_of(uint64_t call)
{
    return (uint32_t)(call / ASKS_A_KEY % KEYS);
}

/* Asks on and on, each key a few times in a row together with the other workers, so that nearly
 * every second call inserts. */
static void work(struct records *records, unsigned index, const struct weir_limit *limit)
{
    struct weir *weir = fixture_open(records->url);
    char name[32];
    for (;;) {
        const uint64_t call = __atomic_fetch_add(&records->asked, 1, __ATOMIC_SEQ_CST);
        const uint32_t key = key_of(call);
        __atomic_store_n(&records->asking[index], key, __ATOMIC_SEQ_CST);
        if (fixture_check(weir, limit, key_name(name, sizeof(name), key), 1, FIXTURE_NOW).allowed) {
            (void)__atomic_add_fetch(&records->admitted[key], 1, __ATOMIC_SEQ_CST);
        }
        __atomic_store_n(&records->asking[index], NOBODY, __ATOMIC_SEQ_CST);
    }
}

static pid_t start_worker(struct records *records, unsigned index, const struct weir_limit *limit)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* It works until it is killed: if the test ends before that, failed or stopped, it goes
         * too. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        work(records, index, limit);
    }
    return child;
}

static void kill_worker(struct records *records, unsigned index, pid_t child)
{
    int status = 0;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    if (records->asking[index] != NOBODY) {
        records->unknown[records->asking[index]]++;
        records->asking[index] = NOBODY;
    }
}

/* No key got more than its limit, none lost what was admitted, and none is stuck: whoever comes now
 * gets what is left, exactly. */
static void must_be_right(struct records *records, const struct weir_limit *limit)
{
    struct weir *weir = fixture_open(records->url);
    char name[32];
    struct weir_stats stats = {.size = sizeof(stats)};
    assert_int_equal(weir_stats(weir, FIXTURE_NOW, &stats), WEIR_OK);
    assert_int_equal(stats.evicted_live, 0);
    for (uint32_t key = 0; key < KEYS; key++) {
        key_name(name, sizeof(name), key);
        unsigned left = 0;
        while (fixture_check(weir, limit, name, 1, FIXTURE_NOW).allowed) {
            left++;
        }
        assert_true(records->admitted[key] + left <= LIMIT);
        assert_true(records->admitted[key] + records->unknown[key] + left >= LIMIT);
    }
    weir_close(weir);
}

static void the_table_is_right_after_hundreds_of_kills(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    struct weir_limit *limit = fixture_limit("3/d");
    struct records *records = fixture_shared(sizeof(*records));
    struct random random = random_from(random_seed(3));
    pid_t workers[WORKERS];
    /* So large that no key is evicted: a set holds 8, and a quarter of a key is due. */
    (void)snprintf(records->url, sizeof(records->url), "%s",
                   fixture_url(&folder, "table", "size=32MiB"));
    weir_close(fixture_open(records->url));
    memset(records->asking, 0xff, sizeof(records->asking));
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = start_worker(records, i, limit);
    }
    for (size_t round = 0; round < random_rounds(KILLS); round++) {
        const unsigned victim = (unsigned)random_below(&random, WORKERS);
        (void)usleep((useconds_t)random_below(&random, 3000));
        kill_worker(records, victim, workers[victim]);
        workers[victim] = start_worker(records, victim, limit);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        kill_worker(records, i, workers[i]);
    }
    assert_true(records->asked > random_rounds(KILLS));
    must_be_right(records, limit);
    fixture_shared_free(records, sizeof(*records));
    weir_limit_free(limit);
    fixture_folder_remove(&folder);
}

/* The same in a table that is far too small, so that workers are killed while they evict: then keys
 * are forgiven, but each key still works, and the table holds what it says. */
static void a_full_table_works_on_after_hundreds_of_kills(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    struct weir_limit *limit = fixture_limit("3/h");
    struct weir_limit *heavy = fixture_limit("1000/d");
    struct records *records = fixture_shared(sizeof(*records));
    struct random random = random_from(random_seed(4));
    pid_t workers[WORKERS];
    (void)snprintf(records->url, sizeof(records->url), "%s",
                   fixture_url(&folder, "table", "size=8KiB"));
    struct weir *weir = fixture_open(records->url);
    assert_true(fixture_check(weir, heavy, "offender", 1000, FIXTURE_NOW).allowed);
    memset(records->asking, 0xff, sizeof(records->asking));
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = start_worker(records, i, limit);
    }
    for (size_t round = 0; round < random_rounds(KILLS); round++) {
        const unsigned victim = (unsigned)random_below(&random, WORKERS);
        (void)usleep((useconds_t)random_below(&random, 1000));
        kill_worker(records, victim, workers[victim]);
        workers[victim] = start_worker(records, victim, limit);
        assert_false(fixture_check(weir, heavy, "offender", 1, FIXTURE_NOW).allowed);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        kill_worker(records, i, workers[i]);
    }
    struct weir_stats stats = {.size = sizeof(stats)};
    assert_int_equal(weir_stats(weir, FIXTURE_NOW, &stats), WEIR_OK);
    assert_true(stats.used <= stats.slots);
    for (uint32_t key = 0; key < 4096; key++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "new-%u", key);
        assert_int_equal(fixture_check(weir, limit, name, 1, FIXTURE_NOW).remaining, 2);
        assert_int_equal(fixture_check(weir, limit, name, 1, FIXTURE_NOW).remaining, 1);
        assert_int_equal(fixture_check(weir, limit, name, 1, FIXTURE_NOW).remaining, 0);
        assert_false(fixture_check(weir, limit, name, 1, FIXTURE_NOW).allowed);
    }
    assert_false(fixture_check(weir, heavy, "offender", 1, FIXTURE_NOW).allowed);
    weir_close(weir);
    fixture_shared_free(records, sizeof(*records));
    weir_limit_free(limit);
    weir_limit_free(heavy);
    fixture_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_right_after_hundreds_of_kills),
        cmocka_unit_test(a_full_table_works_on_after_hundreds_of_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
