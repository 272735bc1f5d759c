/* stats_parts.h - how counts lie in memory: what stats.c writes, and stats_tell.c adds up.
 *
 * A name with its counts is made once, by the worker who meets it, put at the head of that worker's
 * list, and never moved or freed before all of it is. So whoever tells walks the lists without a
 * lock, and a worker finds a name through a table that is its own.
 *
 * Invariant: what is in a tally is written by its worker alone; others load what is atomic. */

#ifndef WEIR_RLS_STATS_PARTS_H
#define WEIR_RLS_STATS_PARTS_H

#include "base/hash.h"
#include "rls/stats.h"

#include <stdatomic.h>

/* Two cache lines, which processors fetch together: what two workers write is kept so far apart. */
#define WEIR_RLS_APART 128

typedef _Atomic uint64_t weir_rls_number;

static inline uint64_t weir_rls_number_read(const weir_rls_number *number)
{
    /* Relaxed: a count says nothing of any other memory. */
    return atomic_load_explicit(number, memory_order_relaxed);
}

/* On the one thread that counts: nobody else writes, so nothing is lost between load and store. */
static inline void weir_rls_number_add(weir_rls_number *number, uint64_t more)
{
    atomic_store_explicit(number, weir_rls_number_read(number) + more, memory_order_relaxed);
}

struct weir_rls_named {
    struct weir_rls_named *next; /* of the worker's; set before others see this one */
    uint64_t hash;
    size_t len;
    bool is_domain; /* an unknown one: only the first count is used */
    weir_rls_number counts[WEIR_RLS_COUNT_COUNT];
    char text[];
};

/* Upper ends of response times, in ns; above the last there is one more. As Prometheus's clients
 * have them where nobody chose others. */
#define WEIR_RLS_TIMES 11
extern const int64_t weir_rls_times_ns[WEIR_RLS_TIMES];

/* A rule's name is looked for here first, at its number. A power of two. */
#define WEIR_RLS_RECENT 512

struct weir_rls_tally {
    const struct weir_rls_stats *stats;
    _Atomic(struct weir_rls_named *) first;
    weir_rls_number events[WEIR_RLS_EVENT_COUNT];
    weir_rls_number times[WEIR_RLS_TIMES + 1];
    weir_rls_number time_ns; /* all of them together */
    /* The worker's to look at. */
    struct weir_rls_named *other;        /* for what has no rule and comes too late */
    struct weir_rls_named *other_domain; /* likewise for domains */
    struct weir_rls_named **places;      /* open addressing, at most half of them taken */
    size_t place_count;                  /* a power of two */
    size_t rule_names;                   /* how many there are, of rules, */
    size_t request_names;                /* and of what came with requests */
    struct weir_rls_named *recent[WEIR_RLS_RECENT];
};

struct weir_rls_stats {
    uint32_t workers;
    struct weir_secret secret;
    struct weir_rls_tally **tallies;
    weir_rls_number loaded; /* any thread adds to these */
    weir_rls_number refused;
};

#endif
