/* stats.c - what a worker counts, under names. Read stats_parts.h first.
 *
 * Memory is taken only where a name comes for the first time. Where there is none, what would be
 * counted under it is counted as if it had come too late. */

#include "base/alloc.h"
#include "rls/policy_parts.h"
#include "rls/stats_parts.h"

#include <assert.h>
#include <sys/random.h>

#define PLACES_FIRST 256

const int64_t weir_rls_times_ns[WEIR_RLS_TIMES] = {
    5000000,   10000000,   25000000,   50000000,   100000000,   250000000,
    500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

static void *take(size_t size)
{
    return weir_alloc(weir_allocator_or_default(NULL), size, WEIR_RLS_APART);
}

static void give_back(void *memory, size_t size)
{
    weir_release(weir_allocator_or_default(NULL), memory, size);
}

/* ---- Names -------------------------------------------------------------------------------- */

static size_t named_size(size_t len)
{
    return sizeof(struct weir_rls_named) + len;
}

static struct weir_rls_named *named_new(struct weir_bytes name, bool is_domain, uint64_t hash)
{
    struct weir_rls_named *named = take(named_size(name.len));
    if (named != NULL) {
        named->hash = hash;
        named->len = name.len;
        named->is_domain = is_domain;
        memcpy(named->text, name.ptr, name.len);
    }
    return named;
}

/* From here on others may see it. */
static void publish(struct weir_rls_tally *tally, struct weir_rls_named *named)
{
    /* Relaxed: only this worker stores. */
    named->next = atomic_load_explicit(&tally->first, memory_order_relaxed);
    /* Release: whoever sees the pointer sees what it points at. */
    atomic_store_explicit(&tally->first, named, memory_order_release);
}

static struct weir_rls_named **place_of(struct weir_rls_tally *tally, struct weir_bytes name,
                                        bool is_domain, uint64_t hash)
{
    size_t at = hash & (tally->place_count - 1);
    for (;;) {
        struct weir_rls_named *named = tally->places[at];
        if (named == NULL || (named->hash == hash && named->is_domain == is_domain &&
                              weir_rls_same(weir_bytes(named->text, named->len), name))) {
            return &tally->places[at];
        }
        at = (at + 1) & (tally->place_count - 1);
    }
}

/* Twice as many places once half of them are taken. */
static bool widen(struct weir_rls_tally *tally)
{
    const size_t taken = tally->rule_names + tally->request_names;
    if (2 * (taken + 1) <= tally->place_count) {
        return true;
    }
    const size_t count = 2 * tally->place_count;
    struct weir_rls_named **places = take(count * sizeof(struct weir_rls_named *));
    if (places == NULL) {
        return false;
    }
    for (size_t i = 0; i < tally->place_count; i++) {
        if (tally->places[i] != NULL) {
            size_t at = tally->places[i]->hash & (count - 1);
            while (places[at] != NULL) {
                at = (at + 1) & (count - 1);
            }
            places[at] = tally->places[i];
        }
    }
    give_back(tally->places, tally->place_count * sizeof(struct weir_rls_named *));
    tally->places = places;
    tally->place_count = count;
    return true;
}

static struct weir_rls_named *add_name(struct weir_rls_tally *tally, struct weir_bytes name,
                                       bool is_domain, uint64_t hash)
{
    struct weir_rls_named *named = widen(tally) ? named_new(name, is_domain, hash) : NULL;
    if (named != NULL) {
        *place_of(tally, name, is_domain, hash) = named;
        publish(tally, named);
    }
    return named;
}

/* A name that came with a request; NULL: one too many, or too long. */
static struct weir_rls_named *name_of_request(struct weir_rls_tally *tally, struct weir_bytes name,
                                              bool is_domain)
{
    if (name.len > WEIR_RLS_NAME_MAX) {
        return NULL;
    }
    const uint64_t hash = weir_hash(&tally->stats->secret, is_domain ? 1 : 0, name);
    struct weir_rls_named *named = *place_of(tally, name, is_domain, hash);
    if (named == NULL && tally->request_names < WEIR_RLS_NAMES_MAX) {
        named = add_name(tally, name, is_domain, hash);
        tally->request_names += named != NULL ? 1 : 0;
    }
    return named;
}

static struct weir_rls_named *name_of_rule(struct weir_rls_tally *tally,
                                           const struct weir_rls_rule *rule)
{
    struct weir_rls_named **recent = &tally->recent[rule->index & (WEIR_RLS_RECENT - 1)];
    const struct weir_bytes name = rule->full_key;
    /* Policies are replaced, so a number alone says nothing. */
    if (*recent != NULL && weir_rls_same(weir_bytes((*recent)->text, (*recent)->len), name)) {
        return *recent;
    }
    const uint64_t hash = weir_hash(&tally->stats->secret, 0, name);
    struct weir_rls_named *named = *place_of(tally, name, false, hash);
    if (named == NULL && tally->rule_names < WEIR_RLS_RULES_MAX) {
        named = add_name(tally, name, false, hash);
        tally->rule_names += named != NULL ? 1 : 0;
    }
    if (named == NULL) {
        return tally->other;
    }
    *recent = named;
    return named;
}

/* ---- Counting ----------------------------------------------------------------------------- */

void weir_rls_tally_add(struct weir_rls_tally *tally, const struct weir_rls_item *item,
                        const uint64_t *hits)
{
    assert(tally != NULL && item != NULL && hits != NULL);
    struct weir_rls_named *named = NULL;
    if (item->stat.len > 0) {
        named = name_of_request(tally, item->stat, false);
    }
    if (named == NULL) {
        named = item->rule != NULL ? name_of_rule(tally, item->rule) : tally->other;
    }
    for (size_t i = 0; i < WEIR_RLS_COUNT_COUNT; i++) {
        if (hits[i] > 0) {
            weir_rls_number_add(&named->counts[i], hits[i]);
        }
    }
}

void weir_rls_tally_unknown_domain(struct weir_rls_tally *tally, struct weir_bytes domain,
                                   uint64_t times)
{
    assert(tally != NULL);
    struct weir_rls_named *named = name_of_request(tally, domain, true);
    named = named != NULL ? named : tally->other_domain;
    weir_rls_number_add(&named->counts[0], times);
}

void weir_rls_tally_event(struct weir_rls_tally *tally, enum weir_rls_event what)
{
    assert(tally != NULL && what < WEIR_RLS_EVENT_COUNT);
    weir_rls_number_add(&tally->events[what], 1);
}

void weir_rls_tally_request(struct weir_rls_tally *tally, int64_t ns)
{
    assert(tally != NULL);
    const int64_t took = ns > 0 ? ns : 0;
    size_t at = 0;
    while (at < WEIR_RLS_TIMES && took > weir_rls_times_ns[at]) {
        at++;
    }
    weir_rls_number_add(&tally->times[at], 1);
    weir_rls_number_add(&tally->time_ns, (uint64_t)took);
}

void weir_rls_stats_config(struct weir_rls_stats *stats, bool loaded)
{
    assert(stats != NULL);
    (void)atomic_fetch_add_explicit(loaded ? &stats->loaded : &stats->refused, 1,
                                    memory_order_relaxed);
}

/* ---- The whole ---------------------------------------------------------------------------- */

static void tally_free(struct weir_rls_tally *tally)
{
    if (tally == NULL) {
        return;
    }
    struct weir_rls_named *named = atomic_load_explicit(&tally->first, memory_order_relaxed);
    while (named != NULL) {
        struct weir_rls_named *next = named->next;
        give_back(named, named_size(named->len));
        named = next;
    }
    give_back(tally->places, tally->place_count * sizeof(struct weir_rls_named *));
    give_back(tally, sizeof(*tally));
}

static struct weir_rls_tally *tally_new(const struct weir_rls_stats *stats)
{
    struct weir_rls_tally *tally = take(sizeof(*tally));
    if (tally == NULL) {
        return NULL;
    }
    const struct weir_bytes other = weir_text("other");
    tally->stats = stats;
    tally->place_count = PLACES_FIRST;
    tally->places = take(PLACES_FIRST * sizeof(struct weir_rls_named *));
    if (tally->places != NULL) {
        tally->other = add_name(tally, other, false, weir_hash(&stats->secret, 0, other));
        tally->other_domain = add_name(tally, other, true, weir_hash(&stats->secret, 1, other));
    }
    if (tally->other == NULL || tally->other_domain == NULL) {
        tally_free(tally);
        return NULL;
    }
    /* Counted as two names of rules, so that the places are counted right. */
    tally->rule_names = 2;
    return tally;
}

struct weir_rls_stats *weir_rls_stats_new(uint32_t workers)
{
    assert(workers > 0);
    struct weir_rls_stats *stats = take(sizeof(*stats));
    if (stats == NULL) {
        return NULL;
    }
    stats->workers = workers;
    stats->tallies = take(workers * sizeof(struct weir_rls_tally *));
    bool whole = stats->tallies != NULL && getrandom(&stats->secret, sizeof(stats->secret), 0) ==
                                               (ssize_t)sizeof(stats->secret);
    for (uint32_t i = 0; i < workers && whole; i++) {
        stats->tallies[i] = tally_new(stats);
        whole = stats->tallies[i] != NULL;
    }
    if (!whole) {
        weir_rls_stats_free(stats);
        return NULL;
    }
    return stats;
}

void weir_rls_stats_free(struct weir_rls_stats *stats)
{
    if (stats == NULL) {
        return;
    }
    for (uint32_t i = 0; i < stats->workers && stats->tallies != NULL; i++) {
        tally_free(stats->tallies[i]);
    }
    give_back(stats->tallies, stats->workers * sizeof(struct weir_rls_tally *));
    give_back(stats, sizeof(*stats));
}

struct weir_rls_tally *weir_rls_stats_tally(struct weir_rls_stats *stats, uint32_t worker)
{
    assert(stats != NULL && worker < stats->workers);
    return stats->tallies[worker];
}
