/* offenders.c - the lists of all workers, told as one. Read tally.h and top.h first.
 *
 * Memory for what is copied is taken before a lock is; under it one list is copied, which is
 * bounded by its size. Between two workers' lists time passes: what is told is of no one instant,
 * but each count holds as of when it was copied. */

#include "metrics/lock.h"
#include "metrics/tally.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Entries of one rule, of all workers. */
struct gathered {
    struct weir_top_entry *entries;
    size_t room;
    size_t count;
};

static struct weir_top *list_of(const struct weir_tally *tally, uint32_t rule)
{
    const struct weir_tally_chunk *chunk = weir_tally_chunk_of(tally, rule);
    return chunk != NULL
               ? atomic_load_explicit(&chunk->tops[rule % WEIR_CHUNK_RULES], memory_order_acquire)
               : NULL;
}

/* Copies what one worker has of the rule; gives the floor of its list. */
static uint64_t copy_list(struct weir_tally *tally, uint32_t rule, struct gathered *gathered)
{
    struct weir_top *list = list_of(tally, rule);
    if (list == NULL) {
        return 0;
    }
    assert(gathered->room - gathered->count >= weir_top_size(list));
    struct weir_top_entry *entries = gathered->entries + gathered->count;
    weir_lock(&tally->mutex);
    const size_t count = weir_top_copy(list, rule, entries);
    const uint64_t floor = weir_top_floor(list);
    weir_unlock(&tally->mutex);
    weir_top_lessen(entries, count, floor);
    gathered->count += count;
    return floor;
}

/* The rule's offenders in `gathered`, worst first; gives how many. */
static size_t gather(struct weir_metrics *metrics, uint32_t rule, struct gathered *gathered)
{
    uint64_t floors = 0;
    gathered->count = 0;
    for (uint32_t i = 0; i < metrics->workers; i++) {
        floors += copy_list(metrics->tallies[i], rule, gathered);
    }
    return weir_top_merge(gathered->entries, gathered->count, floors);
}

static void tell_one(const struct weir_top_entry *entry, struct weir_offender *offender)
{
    _Static_assert(sizeof(offender->key) == sizeof(entry->key), "a kept key fits, with its NUL");
    memcpy(offender->key, entry->key, sizeof(entry->key));
    offender->key_len = entry->key_len;
    offender->rule = entry->rule;
    offender->denied = entry->count;
    offender->error = entry->error;
}

/* Puts one among the worst so far, of `count`; gives how many there are then. */
static size_t put_among(struct weir_offender *offenders, size_t count, size_t room,
                        const struct weir_top_entry *entry)
{
    size_t at = count;
    while (at > 0 && offenders[at - 1].denied < entry->count) {
        at--;
    }
    if (at == room) {
        return count;
    }
    const size_t moved = (count < room ? count : room - 1) - at;
    memmove(&offenders[at + 1], &offenders[at], moved * sizeof(offenders[0]));
    tell_one(entry, &offenders[at]);
    return count < room ? count + 1 : room;
}

size_t weir_metrics_top(struct weir_metrics *metrics, uint32_t rule,
                        struct weir_offender *offenders, size_t room)
{
    const uint32_t rules = atomic_load_explicit(&metrics->rules, memory_order_acquire);
    if (metrics->top == 0 || room == 0 || (rule != UINT32_MAX && rule >= rules)) {
        return 0;
    }
    const uint32_t longest =
        metrics->top > metrics->shared_top ? metrics->top : metrics->shared_top;
    struct gathered gathered = {.room = (size_t)metrics->workers * longest};
    /* Not zeroed: most of so much room is never touched. */
    gathered.entries = malloc(gathered.room * sizeof(gathered.entries[0]));
    if (gathered.entries == NULL) {
        return 0;
    }
    size_t told = 0;
    const uint32_t first = rule != UINT32_MAX ? rule : 0;
    const uint32_t end = rule != UINT32_MAX ? rule + 1 : rules;
    for (uint32_t i = first; i < end; i++) {
        const size_t count = gather(metrics, i, &gathered);
        for (size_t j = 0; j < count && j < room; j++) {
            told = put_among(offenders, told, room, &gathered.entries[j]);
        }
    }
    free(gathered.entries);
    return told;
}
