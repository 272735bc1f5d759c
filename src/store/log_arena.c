/* log_arena.c - see log_arena.h for the layout and its invariants.
 *
 * Who goes when there is no room: the logs of a stripe form a ring, and a hand goes round it. A
 * sweep looks at the WEIR_LOG_SAMPLE logs from the hand on and gives up the first that is as if
 * never used; if there is none, the one that weighs least, where the weight is the time
 *
 *     newest stamp + period * units / count
 *
 * A full log weighs until it is as if never used, and one that has taken a tenth of its limit a
 * tenth of that: it loses least who is let in again. So a flood of new keys, each asking once,
 * pushes out its own kind before it reaches a key that has used up its limit. This is the weight
 * that the table gives its entries, too: the time at which a bucket would be full again. */

#include "store/log_arena.h"

#include <string.h>

#define STAMP_BITS 48
#define STAMP_MASK ((UINT64_C(1) << STAMP_BITS) - 1)
#define UNITS_BITS 16
#define UNITS_MASK ((UINT64_C(1) << UNITS_BITS) - 1)

/* ---- Entries ------------------------------------------------------------------------------ */

static uint64_t pack(struct weir_log_entry entry)
{
    assert(entry.units > 0 && entry.units <= UNITS_MASK);
    return (uint64_t)entry.stamp_us << UNITS_BITS | entry.units;
}

static struct weir_log_entry unpack(uint64_t packed, int64_t newest_us)
{
    uint64_t age_us = ((uint64_t)newest_us - (packed >> UNITS_BITS)) & STAMP_MASK;
    return (struct weir_log_entry){newest_us - (int64_t)age_us, packed & UNITS_MASK};
}

/* ---- Chunks ------------------------------------------------------------------------------- */

void weir_log_stripe_init(struct weir_log_stripe *stripe, void *memory, uint64_t size)
{
    uint64_t places = size / WEIR_LOG_CHUNK_SIZE;
    uint64_t buckets = WEIR_LOG_CHUNK_SIZE / sizeof(uint32_t);
    /* A log has two chunks or more, so that the lists of the index hold two logs at the most, on
     * average. */
    while (buckets < places / 4) {
        buckets *= 2;
    }
    const uint64_t index_size = buckets * sizeof(uint32_t);
    assert(size > index_size + UINT64_C(4) * WEIR_LOG_CHUNK_SIZE);
    places = (size - index_size) / WEIR_LOG_CHUNK_SIZE;
    assert(places <= UINT32_MAX);
    stripe->buckets = memory;
    stripe->chunks = (union weir_log_chunk *)(void *)((char *)memory + index_size);
    stripe->bucket_mask = (uint32_t)(buckets - 1);
    stripe->total = (uint32_t)(places - 1);
    stripe->used = 0;
    stripe->fresh = 1;
    stripe->first_free = 0;
    stripe->hand = 0;
    stripe->evicted = 0;
}

/* A chunk; there must be one. */
static uint32_t take_chunk(struct weir_log_stripe *stripe)
{
    assert(stripe->used < stripe->total);
    stripe->used++;
    uint32_t id = stripe->first_free;
    if (id == 0) {
        id = stripe->fresh;
        stripe->fresh++;
    } else {
        stripe->first_free = stripe->chunks[id].next_free;
    }
    return id;
}

static void free_chunk(struct weir_log_stripe *stripe, uint32_t id)
{
    assert(stripe->used > 0);
    stripe->used--;
    stripe->chunks[id].next_free = stripe->first_free;
    stripe->first_free = id;
}

/* Frees the `count` chunks of entries from `first` to `last` in one step: they are linked by the
 * same word as free chunks are. */
static void free_chain(struct weir_log_stripe *stripe, uint32_t first, uint32_t last,
                       uint32_t count)
{
    _Static_assert(offsetof(struct weir_log_entries, next) == 0, "as next_free");
    assert(stripe->used >= count);
    stripe->used -= count;
    stripe->chunks[last].next_free = stripe->first_free;
    stripe->first_free = first;
}

/* ---- The index and the ring --------------------------------------------------------------- */

static uint32_t *bucket_of(const struct weir_log_stripe *stripe, uint64_t hash)
{
    return &stripe->buckets[hash & stripe->bucket_mask];
}

uint32_t weir_log_find(const struct weir_log_stripe *stripe, uint64_t hash)
{
    uint32_t id = *bucket_of(stripe, hash);
    while (id != 0 && stripe->chunks[id].log.hash != hash) {
        id = stripe->chunks[id].log.same_bucket;
    }
    return id;
}

/* A new log goes where the hand will come last. */
static void ring_insert(struct weir_log_stripe *stripe, uint32_t id)
{
    struct weir_log *log = weir_log_at(stripe, id);
    if (stripe->hand == 0) {
        log->ring_next = id;
        log->ring_prev = id;
        stripe->hand = id;
        return;
    }
    struct weir_log *next = weir_log_at(stripe, stripe->hand);
    log->ring_next = stripe->hand;
    log->ring_prev = next->ring_prev;
    weir_log_at(stripe, log->ring_prev)->ring_next = id;
    next->ring_prev = id;
}

static void ring_remove(struct weir_log_stripe *stripe, uint32_t id)
{
    struct weir_log *log = weir_log_at(stripe, id);
    if (log->ring_next == id) {
        stripe->hand = 0;
        return;
    }
    weir_log_at(stripe, log->ring_prev)->ring_next = log->ring_next;
    weir_log_at(stripe, log->ring_next)->ring_prev = log->ring_prev;
    if (stripe->hand == id) {
        stripe->hand = log->ring_next;
    }
}

void weir_log_remove(struct weir_log_stripe *stripe, uint32_t id)
{
    struct weir_log *log = weir_log_at(stripe, id);
    uint32_t *link = bucket_of(stripe, log->hash);
    while (*link != id) {
        link = &weir_log_at(stripe, *link)->same_bucket;
    }
    *link = log->same_bucket;
    ring_remove(stripe, id);
    free_chain(stripe, log->first, log->last, log->chunks);
    free_chunk(stripe, id);
}

/* ---- Making room -------------------------------------------------------------------------- */

/* When the log, as the sweep sees it, matters least: see above. */
static int64_t weight_of(const struct weir_log *log)
{
    return log->base_us + (int64_t)((uint64_t)log->period_us * log->share / WEIR_LOG_SHARE_ONE);
}

/* The log to give up: not `keep`; 0 where there is no other among those looked at. */
static uint32_t find_victim(struct weir_log_stripe *stripe, uint32_t keep, int64_t now_us,
                            bool *ret_idle)
{
    uint32_t victim = 0;
    uint32_t id = stripe->hand;
    const uint32_t start = id;
    *ret_idle = false;
    for (int looked_at = 0; looked_at < WEIR_LOG_SAMPLE && id != 0; looked_at++) {
        struct weir_log *log = weir_log_at(stripe, id);
        const uint32_t next = log->ring_next;
        if (id != keep) {
            /* Where the clock was set back, a log must not look younger than new ones for as long
             * as it takes the clock to come round again. The entries are mended when its key asks.
             */
            if (log->base_us - now_us > WEIR_CLOCK_SLACK_US) {
                log->base_us = now_us;
            }
            if (log->base_us + log->period_us <= now_us) {
                *ret_idle = true;
                stripe->hand = next;
                return id;
            }
            if (victim == 0 || weight_of(log) < weight_of(weir_log_at(stripe, victim))) {
                victim = id;
            }
        }
        id = next == start ? 0 : next;
    }
    stripe->hand = id != 0 ? id : start;
    return victim;
}

/* Sees to it that `count` chunks are free. One log given up frees two at least, and `count` is at
 * most two, so this takes one sweep. */
static bool make_room(struct weir_log_stripe *stripe, uint32_t count, uint32_t keep, int64_t now_us)
{
    assert(count <= 2);
    if (stripe->total - stripe->used >= count) {
        return true;
    }
    bool idle;
    const uint32_t victim = find_victim(stripe, keep, now_us, &idle);
    if (victim == 0) {
        return false;
    }
    if (!idle) {
        stripe->evicted++;
    }
    weir_log_remove(stripe, victim);
    return true;
}

uint32_t weir_log_create(struct weir_log_stripe *stripe, uint64_t hash, int64_t now_us)
{
    assert(weir_log_find(stripe, hash) == 0);
    const bool roomy = make_room(stripe, 2, 0, now_us);
    assert(roomy && "a stripe without two free chunks has a log to give up");
    (void)roomy;
    const uint32_t id = take_chunk(stripe);
    const uint32_t entries = take_chunk(stripe);
    uint32_t *bucket = bucket_of(stripe, hash);
    stripe->chunks[entries].entries.next = 0;
    stripe->chunks[entries].entries.prev = 0;
    *weir_log_at(stripe, id) = (struct weir_log){
        .hash = hash,
        .same_bucket = *bucket,
        .first = entries,
        .last = entries,
        .chunks = 1,
    };
    *bucket = id;
    ring_insert(stripe, id);
    return id;
}

/* ---- A log as a queue --------------------------------------------------------------------- */

static uint64_t *oldest_of(struct weir_log_stripe *stripe, const struct weir_log *log)
{
    return &stripe->chunks[log->first].entries.entries[log->first_at];
}

static uint64_t *newest_of(struct weir_log_stripe *stripe, const struct weir_log *log)
{
    return &stripe->chunks[log->last].entries.entries[log->last_end - 1];
}

/* Empties a log, which keeps one chunk: what empties a log mostly appends to it next. */
static void clear(struct weir_log_stripe *stripe, struct weir_log *log)
{
    if (log->chunks > 1) {
        struct weir_log_entries *first = &stripe->chunks[log->first].entries;
        free_chain(stripe, first->next, log->last, log->chunks - 1U);
        first->next = 0;
    }
    log->last = log->first;
    log->chunks = 1;
    log->units = 0;
    log->first_at = 0;
    log->last_end = 0;
}

/* Removes the oldest entry, which is not the only one. */
static void pop_oldest(struct weir_log_stripe *stripe, struct weir_log *log)
{
    log->first_at++;
    if (log->first_at < WEIR_LOG_CHUNK_ENTRIES) {
        return;
    }
    const uint32_t gone = log->first;
    log->first = stripe->chunks[gone].entries.next;
    log->first_at = 0;
    log->chunks--;
    stripe->chunks[log->first].entries.prev = 0;
    free_chunk(stripe, gone);
}

/* Removes the newest entry, which is not the only one. */
static void pop_newest(struct weir_log_stripe *stripe, struct weir_log *log)
{
    log->last_end--;
    if (log->last_end == 0) {
        const uint32_t gone = log->last;
        log->last = stripe->chunks[gone].entries.prev;
        log->last_end = WEIR_LOG_CHUNK_ENTRIES;
        log->chunks--;
        stripe->chunks[log->last].entries.next = 0;
        free_chunk(stripe, gone);
    }
    log->newest_us = unpack(*newest_of(stripe, log), log->newest_us).stamp_us;
}

void weir_log_drop(struct weir_log_stripe *stripe, struct weir_log *log, uint64_t units)
{
    assert(units <= log->units);
    if (units == log->units) {
        clear(stripe, log);
        return;
    }
    log->units = (uint16_t)(log->units - units);
    while (units > 0) {
        uint64_t *oldest = oldest_of(stripe, log);
        if (units < (*oldest & UNITS_MASK)) {
            *oldest -= units;
            return;
        }
        units -= *oldest & UNITS_MASK;
        pop_oldest(stripe, log);
    }
}

void weir_log_give_back(struct weir_log_stripe *stripe, struct weir_log *log, uint64_t units)
{
    assert(units <= log->units);
    if (units == log->units) {
        clear(stripe, log);
        return;
    }
    log->units = (uint16_t)(log->units - units);
    while (units > 0) {
        uint64_t *newest = newest_of(stripe, log);
        if (units < (*newest & UNITS_MASK)) {
            *newest -= units;
            return;
        }
        units -= *newest & UNITS_MASK;
        pop_newest(stripe, log);
    }
}

/* Whether an append needs a chunk more: it is neither part of the newest entry nor has a place
 * beside it. */
static bool needs_chunk(const struct weir_log *log, int64_t stamp_us)
{
    return log->last_end == WEIR_LOG_CHUNK_ENTRIES && log->newest_us != stamp_us;
}

/* Appends; where that needs a chunk, there must be one. */
static void push(struct weir_log_stripe *stripe, struct weir_log *log, struct weir_log_entry entry)
{
    assert(log->units == 0 || log->newest_us <= entry.stamp_us);
    if (log->units > 0 && log->newest_us == entry.stamp_us) {
        *newest_of(stripe, log) += entry.units;
    } else {
        if (log->last_end == WEIR_LOG_CHUNK_ENTRIES) {
            const uint32_t id = take_chunk(stripe);
            stripe->chunks[id].entries.next = 0;
            stripe->chunks[id].entries.prev = log->last;
            stripe->chunks[log->last].entries.next = id;
            log->last = id;
            log->last_end = 0;
            log->chunks++;
        }
        stripe->chunks[log->last].entries.entries[log->last_end] = pack(entry);
        log->last_end++;
        log->newest_us = entry.stamp_us;
    }
    log->units = (uint16_t)(log->units + entry.units);
    assert(log->units <= WEIR_LOG_COUNT_MAX);
}

void weir_log_clamp(struct weir_log_stripe *stripe, struct weir_log *log, int64_t at_us)
{
    struct weir_log_entry moved = {at_us, 0};
    while (log->units > 0 && log->newest_us > at_us) {
        const uint64_t units = *newest_of(stripe, log) & UNITS_MASK;
        weir_log_give_back(stripe, log, units);
        moved.units += units;
    }
    if (moved.units > 0) {
        /* At least one entry is gone, and with it, at need, a chunk: there is a place for this one.
         */
        push(stripe, log, moved);
    }
}

bool weir_log_append(struct weir_log_stripe *stripe, uint32_t id, struct weir_log_entry entry,
                     int64_t now_us)
{
    struct weir_log *log = weir_log_at(stripe, id);
    if (needs_chunk(log, entry.stamp_us) && !make_room(stripe, 1, id, now_us)) {
        return false;
    }
    push(stripe, log, entry);
    return true;
}

void weir_log_weigh(struct weir_log *log, const struct weir_limit *limit)
{
    assert(log->units > 0 && log->units <= limit->ceiling);
    log->base_us = log->newest_us;
    log->period_us = limit->period_us;
    log->share = (uint16_t)((uint64_t)log->units * WEIR_LOG_SHARE_ONE / limit->ceiling);
}

void weir_log_show(const struct weir_log_stripe *stripe, const struct weir_log *log,
                   struct weir_log_scan *scan)
{
    uint32_t id = log->first;
    unsigned place = log->first_at;
    for (;;) {
        const struct weir_log_entries *chunk = &stripe->chunks[id].entries;
        const unsigned end = id == log->last ? log->last_end : WEIR_LOG_CHUNK_ENTRIES;
        for (; place < end; place++) {
            if (!weir_log_scan_entry(scan, unpack(chunk->entries[place], log->newest_us))) {
                return;
            }
        }
        assert(id != log->last);
        id = chunk->next;
        place = 0;
    }
}
