/* tally.c - what a worker counts, on its own thread. Read tally.h first.
 *
 * Nothing here waits, but for whoever tells the offenders of one rule just then; nothing allocates,
 * but for a rule's list when it first denies. */

#include "metrics/tally.h"
#include "metrics/lock.h"

#include <assert.h>

void weir_tally_count(struct weir_tally *tally, enum weir_count what, uint64_t more)
{
    assert(what < WEIR_COUNT_COUNT);
    weir_counter_add(&tally->counts[what], more);
}

void weir_tally_rule(struct weir_tally *tally, uint32_t rule, enum weir_result result,
                     enum weir_source source, enum weir_failure failure)
{
    struct weir_tally_chunk *chunk = weir_tally_chunk_of(tally, rule);
    assert(chunk != NULL && result < WEIR_RESULT_COUNT);
    weir_counter_add(&chunk->results[rule % WEIR_CHUNK_RULES][result], 1);
    /* Numbers that this version knows no word for are counted under their rule alone. */
    if (source > 0 && source < WEIR_SOURCE_END) {
        weir_counter_add(&tally->sources[source], 1);
    }
    if (failure > WEIR_FAILURE_NONE && failure < WEIR_FAILURE_COUNT) {
        weir_counter_add(&tally->failures[failure], 1);
    }
}

void weir_tally_door(struct weir_tally *tally, enum weir_door door, int64_t ns)
{
    assert(door < WEIR_DOOR_COUNT);
    weir_histogram_record(tally->doors[door], ns);
}

void weir_tally_store(struct weir_tally *tally, int64_t ns)
{
    weir_histogram_record(tally->store, ns);
}

/* ---- Offenders ---------------------------------------------------------------------------- */

/* A list of the rule's own, as long as there is memory set aside for one. */
static struct weir_top *make_own(struct weir_tally *tally)
{
    struct weir_metrics *metrics = tally->metrics;
    const int64_t bytes = (int64_t)weir_top_bytes(metrics->top);
    /* Relaxed, here and below: the number is all there is to it, and additions are atomic. Two that
     * both find too little, where there was enough for one, leave some memory unused. */
    if (atomic_fetch_sub_explicit(&metrics->top_bytes_left, bytes, memory_order_relaxed) >= bytes) {
        struct weir_top *own = weir_top_new(metrics->top);
        if (own != NULL) {
            return own;
        }
    }
    (void)atomic_fetch_add_explicit(&metrics->top_bytes_left, bytes, memory_order_relaxed);
    return NULL;
}

/* The rule's list: its own, or else the one that all rules of this worker share who came too late.
 * Which one it is stays so, as a list of its own would not know what the shared one has counted. */
static struct weir_top *list_of(struct weir_tally *tally, uint32_t rule)
{
    struct weir_tally_chunk *chunk = weir_tally_chunk_of(tally, rule);
    assert(chunk != NULL);
    _Atomic(struct weir_top *) *place = &chunk->tops[rule % WEIR_CHUNK_RULES];
    struct weir_top *list = atomic_load_explicit(place, memory_order_relaxed);
    if (list != NULL) {
        return list;
    }
    list = make_own(tally);
    if (list == NULL) {
        if (tally->shared == NULL) {
            tally->shared = weir_top_new(tally->metrics->shared_top);
        }
        list = tally->shared;
    }
    /* Release: whoever tells and sees the pointer sees the empty list too. */
    atomic_store_explicit(place, list, memory_order_release);
    return list;
}

void weir_tally_offender(struct weir_tally *tally, uint32_t rule, struct weir_bytes key,
                         uint64_t cost)
{
    const struct weir_metrics *metrics = tally->metrics;
    struct weir_top *list = metrics->top > 0 && cost > 0 ? list_of(tally, rule) : NULL;
    if (list == NULL) {
        return;
    }
    const struct weir_top_key counted = {weir_hash(&metrics->secret, rule, key), rule, key};
    weir_lock(&tally->mutex);
    weir_top_count(list, &counted, cost);
    weir_unlock(&tally->mutex);
}
