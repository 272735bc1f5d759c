/* load.h - threads that go on asking one store, and an account of what they were answered: what the
 * fault tests run while something befalls the store. */

#ifndef WEIR_TEST_SUPPORT_LOAD_H
#define WEIR_TEST_SUPPORT_LOAD_H

#include "weir/weir.h"

#define LOAD_SOURCES 7
#define LOAD_THREADS_MAX 16

struct load_account {
    uint64_t asked;
    uint64_t admitted[LOAD_SOURCES]; /* by enum weir_source */
    uint64_t denied[LOAD_SOURCES];
    uint64_t failed[WEIR_FAILURE_COUNT]; /* by enum weir_failure */
    uint64_t errors;                     /* calls that gave no decision */
    int64_t longest_us;                  /* of any call */
};

struct load;

/* `threads` threads ask `weir` about KEY, KEY1, KEY2, ... (`keys` of them), a cost of 1 each, with
 * a short pause after each call, until load_stop. What is passed in is borrowed until then. */
struct load *load_start(struct weir *weir, const struct weir_limit *limit, const char *key,
                        unsigned keys, unsigned threads);

/* What came of it so far. */
struct load_account load_tell(struct load *load);

/* Forgets how long the longest call took. */
void load_forget_longest(struct load *load);

/* Ends the threads, and tells the last of it. */
struct load_account load_stop(struct load *load);

/* ---- Waiting ---- */

/* Waits until `count` more decisions have come from `source`. Ends the process where that does not
 * happen within RIG_PATIENCE_MS. */
void load_wait_for(struct load *load, enum weir_source source, uint64_t count);

/* Waits until `count` more decisions say this failure. */
void load_wait_failure(struct load *load, enum weir_failure failure, uint64_t count);

/* How many decisions have come from `source`. */
uint64_t load_from(const struct load_account *account, enum weir_source source);

#endif
