/* crowd_test.c - many threads, and many processes, on one table: nobody is admitted too often, and
 * no admission is lost.
 *
 * The clock stands still, so that the counts are exact: a key gets its limit, however many ask.
 * Each claim is tried by threads over memory: and by processes over shm:, from the same code. */

#include "support/fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CROWD 4
#define KEYS_MAX 1024
#define ROUNDS_MAX 4096

/* What a crowd works on. In memory that processes share, too. */
struct work {
    char url[256];     /* each process opens it; empty: all threads use `weir` */
    struct weir *weir; /* threads */
    const struct weir_limit *limit;
    const struct weir_limit *other; /* of the bystanders' keys, or of the second half of a pair */
    unsigned members;
    unsigned keys;
    unsigned tries;
    unsigned rounds;
    unsigned admitted[KEYS_MAX];      /* of each key, by all */
    unsigned admitted_in[ROUNDS_MAX]; /* of each round's key */
    unsigned arrived;                 /* at the rounds' starts, together */
    unsigned finished;                /* and at their ends */
    unsigned settled_rounds;          /* rounds that are tidied up */
    unsigned done;                    /* members that have no more to ask */
    unsigned resets;
    unsigned wrong;
    int held;
    unsigned pairs[CROWD]; /* pairs admitted, by member */
};

static unsigned add(unsigned *counter, unsigned amount)
{
    return __atomic_add_fetch(counter, amount, __ATOMIC_SEQ_CST);
}

static unsigned read_counter(const unsigned *counter)
{
    return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static struct weir *work_store(const struct work *work)
{
    return work->url[0] != '\0' ? fixture_open(work->url) : work->weir;
}

static void work_leave(const struct work *work, struct weir *weir)
{
    if (weir != work->weir) {
        weir_close(weir);
    }
}

/* Runs `member` by threads over memory: or by processes over shm:, and then `judge`. */
struct way {
    const char *name;
    bool processes;
};
static const struct way by_threads = {"threads", false};
static const struct way by_processes = {"processes", true};

static void run_crowd(const struct way *way, struct work *work, const char *query,
                      fixture_member *member, void (*judge)(struct work *work))
{
    char url[64];
    struct work *shared = fixture_shared(sizeof(*shared));
    struct fixture_folder folder = fixture_folder_make();
    *shared = *work;
    shared->members = CROWD;
    if (way->processes) {
        (void)snprintf(shared->url, sizeof(shared->url), "%s",
                       fixture_url(&folder, "table", query));
        shared->weir = fixture_open(shared->url);
        fixture_processes(CROWD, member, shared);
    } else {
        (void)snprintf(url, sizeof(url), "memory:?%s", query);
        shared->weir = fixture_open(url);
        fixture_threads(CROWD, member, shared);
    }
    judge(shared);
    weir_close(shared->weir);
    fixture_folder_remove(&folder);
    fixture_shared_free(shared, sizeof(*shared));
}

static const char *key_name(char *buffer, size_t size, const char *what, unsigned number)
{
    (void)snprintf(buffer, size, "%s-%u", what, number);
    return buffer;
}

/* ---- A key gets exactly its limit ---- */

static void ask_for_all_keys(void *context, unsigned index)
{
    struct work *work = context;
    struct weir *weir = work_store(work);
    char key[32];
    for (unsigned i = 0; i < work->keys * work->tries; i++) {
        const unsigned k = (i + index * 7) % work->keys;
        if (fixture_check(weir, work->limit, key_name(key, sizeof(key), "key", k), 1, FIXTURE_NOW)
                .allowed) {
            (void)add(&work->admitted[k], 1);
        }
    }
    work_leave(work, weir);
}

static void each_key_got_its_limit(struct work *work)
{
    struct weir_limit_spec spec;
    char key[32];
    weir_limit_describe(work->limit, &spec);
    for (unsigned k = 0; k < work->keys; k++) {
        assert_int_equal(work->admitted[k], spec.count);
        const struct weir_decision left = fixture_peek(
            work->weir, work->limit, key_name(key, sizeof(key), "key", k), 1, FIXTURE_NOW);
        assert_int_equal(left.remaining, 0);
        assert_false(left.allowed);
    }
}

static void ask_with(const struct way *way, const char *text, unsigned keys, unsigned count)
{
    struct weir_limit *limit = fixture_limit(text);
    struct work work = {.limit = limit, .keys = keys, .tries = count / 2 + 1};
    run_crowd(way, &work, "size=4MiB", ask_for_all_keys, each_key_got_its_limit);
    weir_limit_free(limit);
}

/* Every algorithm: few keys and many. */
static void ask_with_each(const struct way *way, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ask_with(way, texts[i], 1, 1000);
        ask_with(way, texts[i], 7, 1000);
    }
}

static const char *const texts_of_1000[] = {
    "1000/d",
    "1000/d leaky-bucket",
    "1000/d fixed-window",
    "1000/day calendar-window",
    "1000/d sliding-window",
    "1000/d block 1h",
    "1000/d sliding-log",
};

static void threads_get_exactly_the_limit(void **state)
{
    (void)state;
    ask_with_each(&by_threads, texts_of_1000, 7);
    ask_with(&by_threads, "8/d", KEYS_MAX, 8);
}

static void processes_get_exactly_the_limit(void **state)
{
    (void)state;
    ask_with_each(&by_processes, texts_of_1000, 6);
    ask_with(&by_processes, "8/d", KEYS_MAX, 8);
}

/* ---- New keys, by all at once, in a table where others come and go ---- */

/* Waits until `target` members have come by; all of them go on at nearly one instant. */
static void meet(unsigned *counter, unsigned target)
{
    (void)add(counter, 1);
    for (unsigned spins = 0; read_counter(counter) < target; spins++) {
        if (spins % 64 == 63) {
            (void)usleep(0);
        }
    }
}

/* Half of the crowd meets at each round's new key; the other half floods the table with keys that
 * matter less, and forgets some of them, so that slots are evicted, freed and claimed all the time.
 */
static void race_for_new_keys(void *context, unsigned index)
{
    struct work *work = context;
    struct weir *weir = work_store(work);
    const unsigned racers = work->members / 2;
    struct random random = random_from(index + 1);
    char key[32];
    if (index >= racers) {
        for (unsigned i = 0; i < 8192 || read_counter(&work->done) < racers; i++) {
            key_name(key, sizeof(key), "other", (unsigned)random_below(&random, 4096));
            (void)fixture_check(weir, work->other, key, 1, FIXTURE_NOW);
            if (random_once_in(&random, 3) &&
                weir_reset(weir, work->other, weir_text(key)) != WEIR_OK) {
                abort();
            }
        }
        work_leave(work, weir);
        return;
    }
    for (unsigned round = 0; round < work->rounds; round++) {
        key_name(key, sizeof(key), "key", round);
        meet(&work->arrived, racers * (round + 1));
        for (unsigned i = 0; i < 3; i++) {
            if (fixture_check(weir, work->limit, key, 1, FIXTURE_NOW).allowed) {
                (void)add(&work->admitted_in[round], 1);
            }
        }
        meet(&work->finished, racers * (round + 1));
        /* So that these keys, which matter more, don't fill the table: one of the racers forgets
         * it. */
        if (index == round % racers && weir_reset(weir, work->limit, weir_text(key)) != WEIR_OK) {
            abort();
        }
    }
    (void)add(&work->done, 1);
    work_leave(work, weir);
}

static void each_round_admitted_four(struct work *work)
{
    struct weir_stats stats = {.size = sizeof(stats)};
    for (unsigned round = 0; round < work->rounds; round++) {
        assert_int_equal(work->admitted_in[round], 4);
    }
    assert_int_equal(weir_stats(work->weir, FIXTURE_NOW, &stats), WEIR_OK);
    assert_true(stats.evicted_live > 0);
}

static void race_with(const struct way *way)
{
    struct weir_limit *limit = fixture_limit("4/d");
    struct weir_limit *other = fixture_limit("1/s");
    struct work work = {
        .limit = limit, .other = other, .rounds = (unsigned)random_rounds(ROUNDS_MAX)};
    work.rounds = work.rounds > ROUNDS_MAX ? ROUNDS_MAX : work.rounds;
    run_crowd(way, &work, "size=8KiB", race_for_new_keys, each_round_admitted_four);
    weir_limit_free(limit);
    weir_limit_free(other);
}

static void threads_that_meet_a_new_key_share_its_limit(void **state)
{
    (void)state;
    race_with(&by_threads);
}

static void processes_that_meet_a_new_key_share_its_limit(void **state)
{
    (void)state;
    race_with(&by_processes);
}

/* The story: an inserter looked whether its key lived, and then, in a second reading, for the slot
 * that matters least. In a set full of keys that matter more, a key that had come to live in
 * between mattered least, so its own inserter threw it out, and it got its limit twice. Found by
 * the model. */
static void race_among_weightier_keys(void *context, unsigned index)
{
    struct work *work = context;
    struct weir *weir = work_store(work);
    char key[32];
    (void)index;
    for (unsigned round = 0; round < work->rounds; round++) {
        key_name(key, sizeof(key), "key", round);
        meet(&work->arrived, work->members * (round + 1));
        for (unsigned i = 0; i < 2; i++) {
            if (fixture_check(weir, work->other, key, 1, FIXTURE_NOW).allowed) {
                (void)add(&work->admitted_in[round], 1);
            }
        }
    }
    work_leave(work, weir);
}

static void fill_then_race(void *context, unsigned index)
{
    struct work *work = context;
    char key[32];
    if (index == 0) {
        struct weir *weir = work_store(work);
        for (unsigned i = 0; i < 16384; i++) {
            (void)fixture_check(weir, work->limit, key_name(key, sizeof(key), "weighty", i), 1,
                                FIXTURE_NOW);
        }
        work_leave(work, weir);
    }
    meet(&work->finished, work->members);
    race_among_weightier_keys(work, index);
}

static void each_round_admitted_two(struct work *work)
{
    for (unsigned round = 0; round < work->rounds; round++) {
        assert_int_equal(work->admitted_in[round], 2);
    }
}

static void race_while_full(const struct way *way)
{
    struct weir_limit *limit = fixture_limit("1/d");
    struct weir_limit *other = fixture_limit("2/m");
    struct work work = {
        .limit = limit, .other = other, .rounds = (unsigned)random_rounds(ROUNDS_MAX)};
    work.rounds = work.rounds > ROUNDS_MAX ? ROUNDS_MAX : work.rounds;
    run_crowd(way, &work, "size=64KiB", fill_then_race, each_round_admitted_two);
    weir_limit_free(limit);
    weir_limit_free(other);
}

static void threads_do_not_throw_out_the_key_that_they_insert(void **state)
{
    (void)state;
    race_while_full(&by_threads);
}

static void processes_do_not_throw_out_the_key_that_they_insert(void **state)
{
    (void)state;
    race_while_full(&by_processes);
}

/* ---- Refund and reset ---- */

/* Takes and gives back; what is held at any moment is within the limit. */
static void take_and_give_back(void *context, unsigned index)
{
    struct work *work = context;
    struct weir *weir = work_store(work);
    (void)index;
    for (unsigned i = 0; i < work->tries; i++) {
        if (!fixture_check(weir, work->limit, "key", 1, FIXTURE_NOW).allowed) {
            continue;
        }
        if (__atomic_add_fetch(&work->held, 1, __ATOMIC_SEQ_CST) > 2) {
            (void)add(&work->wrong, 1);
        }
        (void)__atomic_sub_fetch(&work->held, 1, __ATOMIC_SEQ_CST);
        if (weir_refund(weir, work->limit, weir_text("key"), 1, FIXTURE_NOW, NULL) != WEIR_OK) {
            abort();
        }
    }
    work_leave(work, weir);
}

static void all_is_given_back(struct work *work)
{
    assert_int_equal(work->wrong, 0);
    assert_int_equal(work->held, 0);
    assert_int_equal(fixture_peek(work->weir, work->limit, "key", 1, FIXTURE_NOW).remaining, 2);
}

static void give_back_with(const struct way *way, const char *text)
{
    struct weir_limit *limit = fixture_limit(text);
    struct work work = {.limit = limit, .tries = (unsigned)random_rounds(20000)};
    run_crowd(way, &work, "size=8KiB", take_and_give_back, all_is_given_back);
    weir_limit_free(limit);
}

static void threads_that_give_back_leave_all_of_it(void **state)
{
    (void)state;
    give_back_with(&by_threads, "2/d");
    give_back_with(&by_threads, "2/d fixed-window");
    give_back_with(&by_threads, "2/d sliding-window");
    give_back_with(&by_threads, "2/d sliding-log");
}

static void processes_that_give_back_leave_all_of_it(void **state)
{
    (void)state;
    give_back_with(&by_processes, "2/d");
    give_back_with(&by_processes, "2/d fixed-window");
}

/* One member forgets the key now and then: every time, and at the start, it gets its limit once
 * more. */
static void take_and_forget(void *context, unsigned index)
{
    struct work *work = context;
    struct weir *weir = work_store(work);
    for (unsigned i = 0; i < work->tries; i++) {
        if (index == 0 && i % 4 == 0) {
            if (weir_reset(weir, work->limit, weir_text("key")) != WEIR_OK) {
                abort();
            }
            (void)add(&work->resets, 1);
        }
        const struct weir_decision decision =
            fixture_check(weir, work->limit, "key", 1, FIXTURE_NOW);
        (void)add(&work->admitted[0], decision.allowed ? 1 : 0);
    }
    work_leave(work, weir);
}

static void each_reset_gave_the_limit_once(struct work *work)
{
    assert_true(work->admitted[0] <= 3 * (work->resets + 1));
    assert_true(work->admitted[0] >= work->resets);
    assert_int_equal(weir_reset(work->weir, work->limit, weir_text("key")), WEIR_OK);
    const struct weir_decision fresh = fixture_peek(work->weir, work->limit, "key", 1, FIXTURE_NOW);
    assert_int_equal(fresh.remaining, 3);
    assert_int_equal(fresh.reset_after_us, 0);
}

static void forget_with(const struct way *way)
{
    struct weir_limit *limit = fixture_limit("3/d");
    struct work work = {.limit = limit, .tries = (unsigned)random_rounds(20000)};
    run_crowd(way, &work, "size=8KiB", take_and_forget, each_reset_gave_the_limit_once);
    weir_limit_free(limit);
}

static void threads_get_the_limit_once_for_each_reset(void **state)
{
    (void)state;
    forget_with(&by_threads);
}

static void processes_get_the_limit_once_for_each_reset(void **state)
{
    (void)state;
    forget_with(&by_processes);
}

/* ---- Several limits at once ---- */

/* Everybody asks for a pair of shared keys, each in an order of its own, and a third of one's own.
 */
static void take_pairs(void *context, unsigned index)
{
    struct work *work = context;
    struct weir *weir = work_store(work);
    char own[32];
    key_name(own, sizeof(own), "own", index);
    struct weir_request requests[3] = {
        {work->limit, weir_text("many"), 1},
        {work->other, weir_text("few"), 1},
        {work->limit, weir_text(own), 1},
    };
    if (index % 2 == 1) {
        const struct weir_request first = requests[0];
        requests[0] = requests[1];
        requests[1] = first;
    }
    for (unsigned i = 0; i < work->tries; i++) {
        struct weir_decision decisions[3];
        size_t denied;
        if (weir_check_all(weir, requests, 3, FIXTURE_NOW, decisions, &denied) != WEIR_OK) {
            abort();
        }
        work->pairs[index] += denied == 3 ? 1 : 0;
    }
    work_leave(work, weir);
}

/* What was given back by losers may have denied others at the very end: whoever comes afterwards
 * finds it. All or none: each key was charged for every pair that was admitted, and for nothing
 * else. */
static void pairs_were_charged_exactly(struct work *work)
{
    unsigned pairs = 0;
    char own[32];
    struct weir_request requests[2] = {
        {work->limit, weir_text("many"), 1},
        {work->other, weir_text("few"), 1},
    };
    for (unsigned i = 0; i < CROWD; i++) {
        pairs += work->pairs[i];
        const struct weir_decision left = fixture_peek(
            work->weir, work->limit, key_name(own, sizeof(own), "own", i), 1, FIXTURE_NOW);
        assert_int_equal(left.remaining, 500 - work->pairs[i]);
    }
    assert_true(pairs <= 300);
    for (;;) {
        struct weir_decision decisions[2];
        size_t denied;
        assert_int_equal(weir_check_all(work->weir, requests, 2, FIXTURE_NOW, decisions, &denied),
                         WEIR_OK);
        if (denied < 2) {
            assert_int_equal(denied, 1);
            break;
        }
        pairs++;
    }
    assert_int_equal(pairs, 300);
    assert_int_equal(fixture_peek(work->weir, work->limit, "many", 1, FIXTURE_NOW).remaining,
                     500 - 300);
}

static void take_pairs_with(const struct way *way)
{
    struct weir_limit *limit = fixture_limit("500/d");
    struct weir_limit *other = fixture_limit("300/d fixed-window");
    struct work work = {.limit = limit, .other = other, .tries = 400};
    run_crowd(way, &work, "size=64KiB", take_pairs, pairs_were_charged_exactly);
    weir_limit_free(limit);
    weir_limit_free(other);
}

static void threads_take_all_or_none(void **state)
{
    (void)state;
    take_pairs_with(&by_threads);
}

static void processes_take_all_or_none(void **state)
{
    (void)state;
    take_pairs_with(&by_processes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_get_exactly_the_limit),
        cmocka_unit_test(processes_get_exactly_the_limit),
        cmocka_unit_test(threads_that_meet_a_new_key_share_its_limit),
        cmocka_unit_test(processes_that_meet_a_new_key_share_its_limit),
        cmocka_unit_test(threads_do_not_throw_out_the_key_that_they_insert),
        cmocka_unit_test(processes_do_not_throw_out_the_key_that_they_insert),
        cmocka_unit_test(threads_that_give_back_leave_all_of_it),
        cmocka_unit_test(processes_that_give_back_leave_all_of_it),
        cmocka_unit_test(threads_get_the_limit_once_for_each_reset),
        cmocka_unit_test(processes_get_the_limit_once_for_each_reset),
        cmocka_unit_test(threads_take_all_or_none),
        cmocka_unit_test(processes_take_all_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
