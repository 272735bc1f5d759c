/* journal.c - see journal.h. */

#include "support/journal.h"

#include "support/fixture.h"
#include "support/rig.h"
#include "support/rig_process.h"
#include "weir/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Between two calls of a thread. */
#define PAUSE_NS 4000000
/* What a busy machine may add to a deadline. */
#define MARGIN_US INT64_C(2000000)
/* So many answers of Redis are no accident. */
#define SOME_ANSWERS 64
/* Of a key that is used once: so that a second charge can be seen. */
#define OWN_BUDGET 3
#define LOOK_UP 500

struct line {
    int64_t ended_us;
    int64_t took_us;
    uint32_t number; /* of a key that is used once; 0: the shared one */
    uint16_t thread;
    uint8_t source;
    uint8_t failure;
    bool allowed;
};

struct writer {
    struct journal *journal;
    pthread_t thread;
    uint16_t index;
};

struct journal {
    struct weir *weir;
    struct weir_limit *own;
    struct weir_limit *shared;
    atomic_bool stop;
    struct writer writers[JOURNAL_THREADS];
    pthread_mutex_t lock;
    /* Under the lock. */
    struct line *lines;
    size_t count;
    size_t room;
    uint64_t from_redis;
    uint64_t failed[WEIR_FAILURE_COUNT];
    /* The test's own. */
    size_t chapter; /* where it begins, and what had failed before */
    uint64_t failed_before[WEIR_FAILURE_COUNT];
    size_t known_since; /* what Redis may be asked about */
};

static int64_t steady_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- Writing ---- */

static struct weir_bytes key_of(char *text, size_t size, const struct line *line)
{
    if (line->number == 0) {
        return weir_text("all");
    }
    rig_format(text, size, "%u-%u", (unsigned)line->thread, (unsigned)line->number);
    return weir_text(text);
}

static void enter(struct journal *journal, const struct line *line)
{
    (void)pthread_mutex_lock(&journal->lock);
    if (journal->count == journal->room) {
        journal->room = journal->room == 0 ? 4096 : 2 * journal->room;
        journal->lines = realloc(journal->lines, journal->room * sizeof(*line));
        assert(journal->lines != NULL);
    }
    journal->lines[journal->count++] = *line;
    journal->from_redis += line->source == WEIR_SOURCE_REDIS ? 1 : 0;
    journal->failed[line->failure]++;
    (void)pthread_mutex_unlock(&journal->lock);
}

static void *ask_on(void *context)
{
    const struct writer *self = context;
    struct journal *journal = self->journal;
    for (uint32_t turn = 2; !atomic_load(&journal->stop); turn++) {
        struct line line = {.thread = self->index, .number = turn % 2 == 0 ? 0 : turn};
        char text[32];
        const struct weir_bytes key = key_of(text, sizeof(text), &line);
        struct weir_decision decision = {.allowed = false};
        const int64_t before_us = steady_us();
        const enum weir_status status =
            weir_check(journal->weir, line.number == 0 ? journal->shared : journal->own, key, 1,
                       WEIR_CLOCK, &decision);
        assert(status == WEIR_OK && decision.failure < WEIR_FAILURE_COUNT &&
               (unsigned)decision.source < JOURNAL_SOURCES);
        (void)status;
        line.ended_us = steady_us();
        line.took_us = line.ended_us - before_us;
        line.source = (uint8_t)decision.source;
        line.failure = (uint8_t)decision.failure;
        line.allowed = decision.allowed;
        enter(journal, &line);
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return NULL;
}

static struct weir_limit *limit_of(unsigned budget, const char *name)
{
    char text[64];
    struct weir_limit *limit = NULL;
    rig_format(text, sizeof(text), "%u/360d fixed-window", budget);
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text(name)};
    assert_int_equal(weir_limit_parse(weir_text(text), &options, &limit, NULL), WEIR_OK);
    return limit;
}

/* The lock is held. */
static void begin_chapter(struct journal *journal)
{
    journal->chapter = journal->count;
    memcpy(journal->failed_before, journal->failed, sizeof(journal->failed_before));
}

struct journal *journal_start(struct weir *weir, bool cut)
{
    struct journal *journal = calloc(1, sizeof(*journal));
    assert_non_null(journal);
    journal->weir = weir;
    journal->own = limit_of(OWN_BUDGET, "own");
    journal->shared = limit_of(JOURNAL_BUDGET, "shared");
    (void)pthread_mutex_init(&journal->lock, NULL);
    for (uint16_t i = 0; i < JOURNAL_THREADS; i++) {
        struct writer *writer = &journal->writers[i];
        writer->journal = journal;
        writer->index = i;
        assert_int_equal(pthread_create(&writer->thread, NULL, ask_on, writer), 0);
    }
    if (!cut) {
        journal_await_redis(journal, SOME_ANSWERS);
        (void)pthread_mutex_lock(&journal->lock);
        begin_chapter(journal);
        (void)pthread_mutex_unlock(&journal->lock);
    }
    return journal;
}

/* ---- Waiting ---- */

struct goal {
    struct journal *journal;
    const uint64_t *counter;
    uint64_t reach;
};

static uint64_t so_far(const struct goal *goal)
{
    (void)pthread_mutex_lock(&goal->journal->lock);
    const uint64_t count = *goal->counter;
    (void)pthread_mutex_unlock(&goal->journal->lock);
    return count;
}

static bool reached(void *context)
{
    const struct goal *goal = context;
    return so_far(goal) >= goal->reach;
}

void journal_await_failure(struct journal *journal, enum weir_failure failure, uint64_t count)
{
    struct goal goal = {.journal = journal, .counter = &journal->failed[failure]};
    goal.reach = journal->failed_before[failure] + count;
    rig_wait(reached, &goal, weir_failure_name(failure));
}

void journal_await_redis(struct journal *journal, uint64_t count)
{
    struct goal goal = {.journal = journal, .counter = &journal->from_redis};
    goal.reach = so_far(&goal) + count;
    rig_wait(reached, &goal, "Redis to answer");
}

/* ---- Summing up ---- */

static int compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* The lines from `begin` on, sorted or not into those that say `failure` (WEIR_FAILURE_COUNT: all).
 * The lock is held. */
static struct journal_account sum_up(const struct journal *journal, size_t begin, unsigned failure)
{
    struct journal_account account = {0};
    int64_t *times = calloc(journal->count - begin + 1, sizeof(*times));
    assert_non_null(times);
    for (size_t i = begin; i < journal->count; i++) {
        const struct line *line = &journal->lines[i];
        if (failure != WEIR_FAILURE_COUNT && failure != line->failure) {
            continue;
        }
        times[account.calls++] = line->took_us;
        account.from[line->source]++;
        account.failed[line->failure]++;
        account.admitted[line->source] += line->number == 0 && line->allowed ? 1 : 0;
    }
    if (account.calls > 0) {
        qsort(times, (size_t)account.calls, sizeof(*times), compare);
        account.median_us = times[account.calls / 2];
        account.longest_us = times[account.calls - 1];
    }
    free(times);
    return account;
}

static void print_line(const char *name, const char *who, const struct journal_account *account)
{
    print_message("# %s: %llu calls, %s: median %.2f ms, longest %.1f ms\n", name,
                  (unsigned long long)account->calls, who, (double)account->median_us / 1000,
                  (double)account->longest_us / 1000);
}

struct journal_account journal_chapter(struct journal *journal, const char *name,
                                       int64_t deadline_us)
{
    (void)pthread_mutex_lock(&journal->lock);
    const struct journal_account all = sum_up(journal, journal->chapter, WEIR_FAILURE_COUNT);
    for (unsigned failure = 0; failure < WEIR_FAILURE_COUNT; failure++) {
        if (all.failed[failure] > 0) {
            const struct journal_account part = sum_up(journal, journal->chapter, failure);
            print_line(name,
                       failure == 0 ? "by Redis" : weir_failure_name((enum weir_failure)failure),
                       &part);
        }
    }
    begin_chapter(journal);
    (void)pthread_mutex_unlock(&journal->lock);
    assert_true(all.longest_us < deadline_us + MARGIN_US);
    return all;
}

/* When Redis first answered, of the lines from `begin` on. */
static int64_t first_answer(struct journal *journal, size_t begin)
{
    int64_t first_us = INT64_MAX;
    (void)pthread_mutex_lock(&journal->lock);
    for (size_t i = begin; i < journal->count; i++) {
        const struct line *line = &journal->lines[i];
        if (line->source == WEIR_SOURCE_REDIS && line->ended_us < first_us) {
            first_us = line->ended_us;
        }
    }
    (void)pthread_mutex_unlock(&journal->lock);
    return first_us;
}

void journal_recover(struct journal *journal, const char *name, int64_t deadline_us)
{
    const int64_t over_us = steady_us();
    (void)pthread_mutex_lock(&journal->lock);
    const size_t begin = journal->count;
    (void)pthread_mutex_unlock(&journal->lock);
    journal_await_redis(journal, SOME_ANSWERS);
    print_message("# %s: Redis answers again after %.0f ms\n", name,
                  (double)(first_answer(journal, begin) - over_us) / 1000);
    (void)journal_chapter(journal, name, deadline_us);
}

void journal_forget(struct journal *journal)
{
    (void)pthread_mutex_lock(&journal->lock);
    journal->known_since = journal->count;
    (void)pthread_mutex_unlock(&journal->lock);
}

/* ---- The proof ---- */

/* What may have been carried out without anybody's being told. */
static bool is_unknown(const struct line *line)
{
    return line->failure == WEIR_FAILURE_TIMEOUT || line->failure == WEIR_FAILURE_LOST;
}

static void judge_own(const struct line *line, uint64_t used, struct journal_proof *proof)
{
    if (line->source == WEIR_SOURCE_REDIS) {
        assert_true(line->allowed);
        assert_int_equal(used, 1);
        proof->answered++;
    } else if (is_unknown(line)) {
        assert_true(used <= 1);
        proof->unknown++;
        proof->carried += used;
    } else {
        assert_int_equal(used, 0);
        proof->not_asked++;
    }
}

/* Looks up the requests of LOOK_UP lines at once. */
static void judge_some(struct journal *journal, struct weir *checker, size_t begin,
                       struct journal_proof *proof)
{
    static struct weir_request requests[LOOK_UP];
    static struct weir_decision decisions[LOOK_UP];
    static const struct line *asked[LOOK_UP];
    static char texts[LOOK_UP][32];
    size_t count = 0;
    for (size_t i = begin; i < journal->count && i < begin + LOOK_UP; i++) {
        const struct line *line = &journal->lines[i];
        if (line->number != 0) {
            const struct weir_bytes key = key_of(texts[count], sizeof(texts[count]), line);
            requests[count] = (struct weir_request){journal->own, key, 0};
            asked[count++] = line;
        }
    }
    assert_int_equal(weir_check_batch(checker, requests, count, WEIR_CLOCK, decisions, NULL),
                     WEIR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(decisions[i].source, WEIR_SOURCE_REDIS);
        judge_own(asked[i], decisions[i].limit - decisions[i].remaining, proof);
    }
}

static void judge_shared(struct journal *journal, struct weir *checker)
{
    struct weir_decision decision;
    uint64_t unknown = 0;
    assert_int_equal(
        weir_peek(checker, journal->shared, weir_text("all"), 1, WEIR_CLOCK, &decision), WEIR_OK);
    const uint64_t used = decision.limit - decision.remaining;
    for (size_t i = journal->known_since; i < journal->count; i++) {
        const struct line *line = &journal->lines[i];
        unknown += line->number == 0 && is_unknown(line) ? 1 : 0;
    }
    const struct journal_account known = sum_up(journal, journal->known_since, WEIR_FAILURE_COUNT);
    const struct journal_account all = sum_up(journal, 0, WEIR_FAILURE_COUNT);
    assert_int_equal(decision.source, WEIR_SOURCE_REDIS);
    assert_true(known.admitted[WEIR_SOURCE_REDIS] <= used);
    assert_true(used <= known.admitted[WEIR_SOURCE_REDIS] + unknown);
    assert_true(used <= JOURNAL_BUDGET);
    assert_true(all.admitted[WEIR_SOURCE_LOCAL] <= JOURNAL_BUDGET);
}

struct journal_proof journal_end(struct journal *journal, const char *url)
{
    atomic_store(&journal->stop, true);
    for (unsigned i = 0; i < JOURNAL_THREADS; i++) {
        (void)pthread_join(journal->writers[i].thread, NULL);
    }
    char query[256];
    struct weir *checker = NULL;
    struct journal_proof proof = {0};
    rig_format(query, sizeof(query), "%s?deadline=30s&on_error=deny&deny_cache=0", url);
    assert_int_equal(weir_redis_open(query, NULL, &checker, NULL), WEIR_OK);
    for (size_t i = journal->known_since; i < journal->count; i += LOOK_UP) {
        judge_some(journal, checker, i, &proof);
    }
    judge_shared(journal, checker);
    print_message("# of each request by itself: %llu answered and charged once, %llu unanswered "
                  "of which %llu charged once, %llu not asked and not charged\n",
                  (unsigned long long)proof.answered, (unsigned long long)proof.unknown,
                  (unsigned long long)proof.carried, (unsigned long long)proof.not_asked);
    weir_close(checker);
    weir_limit_free(journal->own);
    weir_limit_free(journal->shared);
    (void)pthread_mutex_destroy(&journal->lock);
    free(journal->lines);
    free(journal);
    return proof;
}
