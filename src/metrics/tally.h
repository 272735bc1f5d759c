/* tally.h - how metrics are laid out in memory: what tally.c writes, and tell.c and offenders.c add
 * up.
 *
 * A tally has what is of no rule in itself, and of rules a table of chunks. A chunk is made, for
 * every tally, before anybody learns the number of a rule in it, and never moves: growing touches
 * no memory that a worker writes to. Number 0 is "other", which all rules share that come too late.
 *
 * Invariant: counters of a tally are written by its worker alone, and lie WEIR_APART from those of
 * any other. */

#ifndef WEIR_METRICS_TALLY_H
#define WEIR_METRICS_TALLY_H

#include "base/hash.h"
#include "metrics/counter.h"
#include "metrics/metrics.h"
#include "metrics/top.h"

#include <pthread.h>

#define WEIR_CHUNK_RULES 64
#define WEIR_CHUNKS (WEIR_METRIC_RULES_MAX / WEIR_CHUNK_RULES + 1)

_Static_assert(WEIR_CHUNKS *WEIR_CHUNK_RULES > WEIR_METRIC_RULES_MAX, "0 is other, 1 to MAX rules");

/* The rule whose number is 0. */
#define WEIR_RULE_OTHER "other"

/* Sources of weir.h, from 1; 0 is none. */
#define WEIR_SOURCE_END (WEIR_SOURCE_ON_ERROR + 1)

/* One worker's counts of WEIR_CHUNK_RULES rules. */
struct weir_tally_chunk {
    weir_counter results[WEIR_CHUNK_RULES][WEIR_RESULT_COUNT];
    _Atomic(struct weir_top *) tops[WEIR_CHUNK_RULES]; /* NULL until it first denies */
};

_Static_assert(WEIR_RESULT_COUNT * sizeof(weir_counter) == 64,
               "a rule's counts are one cache line");

struct weir_tally {
    struct weir_metrics *metrics;
    struct weir_histogram *doors[WEIR_DOOR_COUNT];
    struct weir_histogram *store;
    _Atomic(struct weir_tally_chunk *) chunks[WEIR_CHUNKS];
    struct weir_top *shared; /* of rules that get no list of their own; the worker's to look at */
    weir_counter counts[WEIR_COUNT_COUNT];
    weir_counter sources[WEIR_SOURCE_END];
    weir_counter failures[WEIR_FAILURE_COUNT];
    /* Guards what is in the lists, not which there are. Taken by the worker for one key, and by who
     * tells for one list. */
    _Alignas(WEIR_APART) pthread_mutex_t mutex;
};

struct weir_rule_name {
    char *text;
    size_t len;
};

struct weir_metrics {
    uint32_t workers;
    uint32_t top;        /* keys of a rule's own list; 0: nobody is watched */
    uint32_t shared_top; /* of a worker's shared one */
    struct weir_secret secret;
    struct weir_tally **tallies;
    _Atomic int64_t top_bytes_left; /* for lists of rules */
    _Atomic uint32_t rules;         /* names below it are there, and good */
    _Atomic(struct weir_rule_name *) names[WEIR_CHUNKS];
    pthread_mutex_t mutex; /* guards the making of rules, and the index */
    uint32_t *index;       /* from names to numbers and 1, open addressing; 0: empty */
    uint32_t index_places; /* a power of two */
};

/* The chunk of a rule's number, and its place there. */
static inline struct weir_tally_chunk *weir_tally_chunk_of(const struct weir_tally *tally,
                                                           uint32_t rule)
{
    return atomic_load_explicit(&tally->chunks[rule / WEIR_CHUNK_RULES], memory_order_acquire);
}

#endif
