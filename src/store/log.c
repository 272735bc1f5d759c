/* log.c - the side arena of sliding-log: fixed memory, in stripes, each under a lock of its own.
 *
 * Read log.h, then log_arena.h, which holds one stripe's memory, and algo/sliding_log.c, which
 * decides. This file joins them: it finds the stripe of a hash, locks it, shows the key's list to
 * the algorithm, and does to the list what that says.
 *
 * Memory: one block, asked for at open. From its start: struct weir_logs with the stripes, then for
 * each stripe its index and its chunks. A stripe has about 1 MiB or more (eleven of the largest
 * logs, so that a few that meet in one stripe do not push each other out while others stand empty),
 * and there are 64 at the most; an arena below 2 MiB is one stripe. From WEIR_LOGS_ROOMY on a
 * stripe holds at least one log of WEIR_LOG_COUNT_MAX stamps, so that some other log can always be
 * given up, and WEIR_ERR_FULL is for smaller arenas only.
 *
 * Why a mutex here, where the table has none: a slot of the table is 16 bytes and changes in one
 * compare-and-swap; a log is a list, and an admission drops entries, links chunks and appends,
 * which no single swap can do. Nor is there need for one: the arena lives in one process (shm:
 * refuses sliding-log), so no process can die with the lock in its hand. A thread that forks while
 * others are deciding may leave a locked stripe to its child, as with any mutex: fork first, then
 * start threads.
 *
 * How long a lock is held: nothing inside it allocates, frees, waits or calls the system. The usual
 * check looks at one list of the index (two logs on average where the stripe is full), the oldest
 * entry and the newest. The most that one can do is to pass over its own log twice (once to decide,
 * once to drop or to clamp; a refund decides twice), WEIR_LOG_COUNT_MAX entries in
 * WEIR_LOG_CHUNKS_MAX chunks, and to sweep WEIR_LOG_SAMPLE other logs; a log is given up in one
 * step, however long it is.
 *
 * Invariant: every log in the index has units, and no more than the limit that last wrote it holds.
 */

#include "store/log.h"

#include "base/alloc.h"
#include "store/log_arena.h"

#include <sys/mman.h>

#define STRIPES_MAX 64
#define STRIPE_SIZE_GOOD (UINT64_C(1) << 20)

_Static_assert((uint64_t)(WEIR_LOG_CHUNKS_MAX + 2) * WEIR_LOG_CHUNK_SIZE * 17 / 16 + 512 <=
                   WEIR_LOGS_ROOMY,
               "head, place 0, index (a sixteenth at the most) and all entries of the largest log");
_Static_assert(WEIR_LOGS_MAX / WEIR_LOG_CHUNK_SIZE / STRIPES_MAX <= UINT32_MAX,
               "chunks are named by 32 bits");

/* ---- Opening and closing ------------------------------------------------------------------ */

static uint32_t count_stripes(uint64_t bytes)
{
    uint32_t stripes = 1;
    while (stripes < STRIPES_MAX && bytes / stripes / 2 >= STRIPE_SIZE_GOOD) {
        stripes *= 2;
    }
    return stripes;
}

static void release(struct weir_logs *logs)
{
    if (logs->mapped) {
        (void)munmap(logs, logs->size);
        return;
    }
    const struct weir_allocator allocator = logs->allocator;
    weir_release(&allocator, logs, logs->size);
}

/* Ends the first `count` stripes' mutexes and gives the memory back. */
static void close_stripes(struct weir_logs *logs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int failed = pthread_mutex_destroy(&logs->stripes[i].mutex);
        assert(failed == 0);
        (void)failed;
    }
    release(logs);
}

static struct weir_logs *take_memory(uint64_t bytes, const struct weir_allocator *allocator)
{
    if (allocator != NULL) {
        struct weir_logs *logs = weir_alloc(allocator, bytes, WEIR_LOG_CHUNK_SIZE);
        if (logs != NULL) {
            logs->allocator = *allocator;
        }
        return logs;
    }
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return NULL;
    }
    struct weir_logs *logs = pages;
    logs->mapped = true;
    return logs;
}

enum weir_status weir_logs_open(uint64_t bytes, const struct weir_allocator *allocator,
                                struct weir_logs **ret_logs)
{
    if (bytes < WEIR_LOGS_MIN || bytes > WEIR_LOGS_MAX) {
        return WEIR_ERR_ARGUMENT;
    }
    struct weir_logs *logs = take_memory(bytes, allocator);
    if (logs == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    const uint32_t stripes = count_stripes(bytes);
    logs->size = bytes;
    logs->stripe_mask = stripes - 1;
    uint64_t at = sizeof(struct weir_logs) + stripes * sizeof(struct weir_log_stripe);
    at = (at + WEIR_LOG_CHUNK_SIZE - 1) & ~(uint64_t)(WEIR_LOG_CHUNK_SIZE - 1);
    const uint64_t share = (bytes - at) / stripes & ~(uint64_t)(WEIR_LOG_CHUNK_SIZE - 1);
    for (uint32_t i = 0; i < stripes; i++) {
        if (pthread_mutex_init(&logs->stripes[i].mutex, NULL) != 0) {
            close_stripes(logs, i);
            return WEIR_ERR_NO_MEMORY;
        }
        weir_log_stripe_init(&logs->stripes[i], (char *)logs + at + i * share, share);
    }
    *ret_logs = logs;
    return WEIR_OK;
}

void weir_logs_close(struct weir_logs *logs)
{
    if (logs != NULL) {
        close_stripes(logs, logs->stripe_mask + 1);
    }
}

/* ---- Deciding ----------------------------------------------------------------------------- */

/* A key in its stripe, which is locked. */
struct place {
    struct weir_log_stripe *stripe;
    uint64_t hash;
    uint32_t id; /* 0: the key has no log */
};

static void lock(struct weir_log_stripe *stripe)
{
    int failed = pthread_mutex_lock(&stripe->mutex);
    assert(failed == 0);
    (void)failed;
}

static void unlock(struct weir_log_stripe *stripe)
{
    int failed = pthread_mutex_unlock(&stripe->mutex);
    assert(failed == 0);
    (void)failed;
}

static void look(const struct place *place, const struct weir_ask *ask, uint64_t cost,
                 struct weir_log_scan *scan)
{
    struct weir_log_extent extent = {0, 0};
    const struct weir_log *log = NULL;
    if (place->id != 0) {
        log = weir_log_at(place->stripe, place->id);
        extent = (struct weir_log_extent){log->newest_us, log->units};
    }
    if (weir_log_scan_start(scan, ask->limit, extent, ask->now_us, cost)) {
        weir_log_show(place->stripe, log, scan);
    }
}

/* Does to the key's log what `change` says. WEIR_ERR_FULL: what was to be added was not. */
static enum weir_status apply(struct place *place, const struct weir_ask *ask,
                              const struct weir_log_change *change)
{
    struct weir_log_stripe *stripe = place->stripe;
    if (place->id == 0) {
        place->id = weir_log_create(stripe, place->hash, ask->now_us);
    }
    struct weir_log *log = weir_log_at(stripe, place->id);
    weir_log_drop(stripe, log, change->drop);
    if (change->clamp) {
        weir_log_clamp(stripe, log, change->at_us);
    }
    weir_log_give_back(stripe, log, change->back);
    enum weir_status status = WEIR_OK;
    if (change->add > 0) {
        const struct weir_log_entry entry = {change->at_us, change->add};
        if (!weir_log_append(stripe, place->id, entry, ask->now_us)) {
            status = WEIR_ERR_FULL;
        }
    }
    if (log->units == 0) {
        weir_log_remove(stripe, place->id);
        place->id = 0;
    } else {
        weir_log_weigh(log, ask->limit);
    }
    return status;
}

static enum weir_status check(struct place *place, const struct weir_ask *ask,
                              struct weir_decision *ret_decision)
{
    struct weir_log_scan scan;
    look(place, ask, ask->cost, &scan);
    const struct weir_log_change change = weir_log_check_change(&scan);
    if (change.write) {
        enum weir_status status = apply(place, ask, &change);
        if (status != WEIR_OK) {
            return status;
        }
    }
    weir_log_decide(&scan, change.add > 0, ret_decision);
    return WEIR_OK;
}

static void peek(const struct place *place, const struct weir_ask *ask, uint64_t cost,
                 struct weir_decision *ret_decision)
{
    struct weir_log_scan scan;
    look(place, ask, cost, &scan);
    weir_log_decide(&scan, false, ret_decision);
}

static void mend(struct place *place, const struct weir_ask *ask,
                 struct weir_decision *ret_decision)
{
    struct weir_log_scan scan;
    look(place, ask, ask->cost, &scan);
    const struct weir_log_change change = weir_log_mend_change(&scan);
    if (change.write) {
        enum weir_status status = apply(place, ask, &change);
        assert(status == WEIR_OK && "nothing is added");
        (void)status;
    }
    weir_log_decide(&scan, false, ret_decision);
}

static void refund(struct place *place, const struct weir_ask *ask,
                   struct weir_decision *ret_decision)
{
    struct weir_log_scan scan;
    look(place, ask, 0, &scan);
    const struct weir_log_change change = weir_log_refund_change(&scan, ask->cost);
    if (change.write) {
        enum weir_status status = apply(place, ask, &change);
        assert(status == WEIR_OK && "a refund needs no room");
        (void)status;
    }
    peek(place, ask, 1, ret_decision);
}

static enum weir_status decide(struct place *place, const struct weir_ask *ask,
                               struct weir_decision *ret_decision)
{
    switch (ask->verb) {
    case WEIR_VERB_CHECK:
        return check(place, ask, ret_decision);
    case WEIR_VERB_MEND:
        mend(place, ask, ret_decision);
        return WEIR_OK;
    case WEIR_VERB_PEEK:
        peek(place, ask, ask->cost, ret_decision);
        return WEIR_OK;
    case WEIR_VERB_REFUND:
        refund(place, ask, ret_decision);
        return WEIR_OK;
    case WEIR_VERB_RESET:
        if (place->id != 0) {
            weir_log_remove(place->stripe, place->id);
        }
        return WEIR_OK;
    }
    assert(false && "a verb that is none");
    return WEIR_ERR_ARGUMENT;
}

/* The index of a stripe goes by the low bits of the hash, at most 24 of them: these are others. */
static struct weir_log_stripe *stripe_of(struct weir_logs *logs, uint64_t hash)
{
    return &logs->stripes[(hash >> 32) & logs->stripe_mask];
}

enum weir_status weir_logs_decide(struct weir_logs *logs, uint64_t hash, const struct weir_ask *ask,
                                  struct weir_decision *ret_decision)
{
    assert(ask->limit->ceiling >= 1 && ask->limit->ceiling <= WEIR_LOG_COUNT_MAX);
    struct place place = {.stripe = stripe_of(logs, hash), .hash = hash};
    lock(place.stripe);
    place.id = weir_log_find(place.stripe, hash);
    const enum weir_status status = decide(&place, ask, ret_decision);
    unlock(place.stripe);
    return status;
}

void weir_logs_stats(struct weir_logs *logs, struct weir_stats *stats)
{
    uint64_t used = 0;
    uint64_t evicted = 0;
    for (uint32_t i = 0; i <= logs->stripe_mask; i++) {
        struct weir_log_stripe *stripe = &logs->stripes[i];
        lock(stripe);
        used += stripe->used;
        evicted += stripe->evicted;
        unlock(stripe);
    }
    stats->log_bytes = logs->size;
    stats->log_used = used * WEIR_LOG_CHUNK_SIZE;
    stats->log_evicted = evicted;
}
