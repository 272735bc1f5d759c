/* journal.h - threads that ask one store, and a line for every call: how long it took and who
 * answered; and afterwards the proof, from what Redis has kept, that each request was charged as
 * often as it may have been.
 *
 * Of the calls of each thread every other one is about a key that is used once, so that Redis knows
 * of each of these requests by itself whether it came, and whether it came twice. The rest are
 * about one key that all share, and whose budget is soon gone. No budget refills meanwhile. */

#ifndef WEIR_TEST_SUPPORT_JOURNAL_H
#define WEIR_TEST_SUPPORT_JOURNAL_H

#include "weir/weir.h"

#define JOURNAL_THREADS 16
#define JOURNAL_BUDGET 100 /* of the key that all share */
#define JOURNAL_SOURCES 7

struct journal;

/* Lines of the journal, summed up. */
struct journal_account {
    uint64_t calls;
    uint64_t from[JOURNAL_SOURCES];      /* by enum weir_source */
    uint64_t failed[WEIR_FAILURE_COUNT]; /* by enum weir_failure; [0] are those without */
    int64_t median_us;
    int64_t longest_us;
    /* The key that all share: */
    uint64_t admitted[JOURNAL_SOURCES];
};

/* Starts JOURNAL_THREADS threads on a store, which is borrowed until journal_end, and waits until
 * Redis has answered some (unless `cut`, where it can't). */
struct journal *journal_start(struct weir *weir, bool cut);

/* Waits until so many calls of this chapter say this failure, or so many more were answered by
 * Redis. The process ends where that takes longer than RIG_PATIENCE_MS. */
void journal_await_failure(struct journal *journal, enum weir_failure failure, uint64_t count);
void journal_await_redis(struct journal *journal, uint64_t count);

/* Sums up, and prints, the calls since the last chapter. No call may have taken longer than
 * `deadline_us` and a margin that has nothing to do with it. */
struct journal_account journal_chapter(struct journal *journal, const char *name,
                                       int64_t deadline_us);

/* The fault is over now: waits until Redis answers, and prints how long that took. What was asked
 * meanwhile is a chapter of its own. */
void journal_recover(struct journal *journal, const char *name, int64_t deadline_us);

/* Redis has lost all that it knew: what was asked so far is not looked up any more. */
void journal_forget(struct journal *journal);

/* What Redis has kept of the requests that it never answered, one by one. */
struct journal_proof {
    uint64_t answered;  /* of these all are charged, once */
    uint64_t unknown;   /* timed out or lost on the way: charged once, */
    uint64_t carried;   /* so many of them, or not at all */
    uint64_t not_asked; /* any other failure: not charged */
};

/* Ends the threads and holds every request against what the server at `url` has kept. */
struct journal_proof journal_end(struct journal *journal, const char *url);

#endif
