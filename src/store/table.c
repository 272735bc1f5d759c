/* table.c - keys in sets of eight slots, decided by one swap.
 *
 * Read slot.h first. A key's hash names its set (two neighbouring cache lines) and its tag. A check
 * finds the slot, lets the algorithm step on what it holds, and swaps in the next state; if the
 * slot changed meanwhile, it starts again. Whoever makes another start again has itself been
 * decided, or is inserting (two that insert into one full set can undo each other's claims while
 * they keep exactly in step). Nothing is ever held: a thread or process that stops for good, at any
 * instruction, leaves whole slots behind.
 *
 * A denied request and a peek read one cache line and write nothing.
 *
 * The memory is fixed. A key that finds its set full takes the slot that matters least: an empty
 * one, else the one whose key is soonest as if never used. If that time is past, nothing is lost.
 * If it is not, that key's debt is forgiven, and counted in evicted_live; a flood of new keys
 * replaces itself, as each has used little, and leaves those alone who have used much. */

#include "store/table.h"

#include "algo/algo.h"
#include "store/slot_state.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#define BLOCK_TAG (UINT64_C(0x9e3779b97f4a7c15) & WEIR_TAG_MASK)

uint64_t weir_table_slots(uint64_t size)
{
    assert(size >= WEIR_TABLE_SIZE_MIN && size <= WEIR_TABLE_SIZE_MAX);
    return size / WEIR_TABLE_SET_BYTES * WEIR_SET_SLOTS;
}

uint64_t weir_table_bytes(uint64_t slots)
{
    return sizeof(struct weir_table_header) + slots * sizeof(struct weir_pair);
}

uint64_t weir_table_checksum(const struct weir_table_header *header)
{
    const struct weir_secret none = {0, 0};
    return weir_hash(&none, 0, weir_bytes(header, offsetof(struct weir_table_header, checksum)));
}

enum weir_status weir_table_format(struct weir_table_header *header, uint64_t slots,
                                   int64_t created_us)
{
    assert(slots > 0 && slots % WEIR_SET_SLOTS == 0);
    struct weir_secret secret;
    if (getrandom(&secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
        return WEIR_ERR_SYSTEM;
    }
    memcpy(header->magic, WEIR_TABLE_MAGIC, sizeof(header->magic));
    header->version = WEIR_TABLE_VERSION;
    header->header_bytes = sizeof(*header);
    header->order = WEIR_TABLE_ORDER;
    header->slots = slots;
    header->bytes = weir_table_bytes(slots);
    header->secret = secret;
    header->created_us = created_us;
    header->checksum = weir_table_checksum(header);
    return WEIR_OK;
}

void weir_table_init(struct weir_table *table, void *memory)
{
    assert((uintptr_t)memory % WEIR_TABLE_SET_BYTES == 0);
    table->header = memory;
    table->slots = (struct weir_pair *)(void *)((char *)memory + sizeof(*table->header));
    table->sets = table->header->slots / WEIR_SET_SLOTS;
    table->start = weir_sip_start(&table->header->secret);
}

/* The counters of this thread, more or less: stacks lie far apart, so threads seldom share a line.
 */
static struct weir_table_stripe *stripe_of_thread(struct weir_table_header *header)
{
    const char here = 0;
    uint64_t address = (uint64_t)(uintptr_t)&here >> 16;
    address *= UINT64_C(0x9e3779b97f4a7c15);
    return &header->stripes[address >> 61];
}

_Static_assert(WEIR_TABLE_STRIPES == 8, "stripe_of_thread takes three bits");

/* A pending slot for `tag` that no other ever was: the number is the stripe's next, and the
 * stripe's index. Relaxed is enough: addition is atomic, and the number means nothing by itself. */
static struct weir_pair pending_for(void *numbers, uint64_t tag)
{
    struct weir_table_header *header = numbers;
    struct weir_table_stripe *stripe = stripe_of_thread(header);
    return (struct weir_pair){
        .low = tag | (uint64_t)WEIR_KIND_PENDING << WEIR_KIND_SHIFT |
               (uint64_t)(stripe - header->stripes),
        .high = __atomic_fetch_add(&stripe->claims, 1, __ATOMIC_RELAXED),
    };
}

/* How soon a slot may go, as a time: the one with the smallest goes first. A pending slot holds no
 * state, but somebody is at work on it: after those that are idle, before those that are not. */
static int64_t slot_rank(struct weir_pair value, int64_t now_us)
{
    switch (weir_slot_kind(value)) {
    case WEIR_KIND_EMPTY:
        return INT64_MIN;
    case WEIR_KIND_PENDING:
        return now_us;
    default:
        return weir_slot_until(value, weir_slot_kind(value), now_us);
    }
}

/* Relaxed: the counters are read for stats only. */
static void count_eviction(struct weir_table_stripe *stripe, struct weir_pair old, int64_t now_us)
{
    uint64_t *counter = weir_slot_until(old, weir_slot_kind(old), now_us) <= now_us
                            ? &stripe->evicted_idle
                            : &stripe->evicted_live;
    (void)__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

bool weir_table_insert(const struct weir_table *table, struct weir_place place,
                       struct weir_pair desired, int64_t now_us)
{
    const struct weir_claimer claimer = {slot_rank, now_us, pending_for, table->header};
    struct weir_pair replaced;
    const bool inserted = weir_slot_insert(place.set, place.tag, desired, &claimer, &replaced);
    if (weir_slot_live(replaced)) {
        count_eviction(stripe_of_thread(table->header), replaced, now_us);
    }
    return inserted;
}

void weir_table_check(const struct weir_table *table, struct weir_place place,
                      const struct weir_ask *ask, struct weir_decision *ret_decision)
{
    const struct weir_limit *limit = ask->limit;
    const enum weir_kind kind = weir_state_kind(limit);
    const int64_t now_us = ask->now_us;
    for (;;) {
        struct weir_pair value;
        struct weir_state state = {0, 0};
        unsigned at = weir_slot_find(place.set, place.tag, &value);
        if (at != WEIR_SET_SLOTS) {
            state = weir_slot_unpack(value, kind, now_us);
        }
        const bool take = ask->verb == WEIR_VERB_CHECK;
        struct weir_step step = weir_algo_step(limit, state, now_us, ask->cost, take, ret_decision);
        const bool write = take ? step.write : step.clamped && ask->verb == WEIR_VERB_MEND;
        if (!write) {
            return;
        }
        const struct weir_pair desired = weir_slot_pack(place.tag, kind, step.next, now_us);
        if (weir_table_put(table, place, at, value, desired, now_us)) {
            return;
        }
    }
}

void weir_table_refund(struct weir_place place, const struct weir_limit *limit, uint64_t cost,
                       int64_t now_us)
{
    for (;;) {
        struct weir_pair value;
        unsigned at = weir_slot_find(place.set, place.tag, &value);
        if (at == WEIR_SET_SLOTS) {
            return;
        }
        struct weir_step step = weir_algo_refund(
            limit, weir_slot_unpack(value, weir_state_kind(limit), now_us), now_us, cost);
        if (!step.write ||
            W_SWAP(&place.set[at], value,
                   weir_slot_pack(place.tag, weir_state_kind(limit), step.next, now_us))) {
            return;
        }
    }
}

void weir_table_forget(struct weir_place place)
{
    const struct weir_pair empty = {0, 0};
    struct weir_pair value;
    unsigned at;
    do {
        at = weir_slot_find(place.set, place.tag, &value);
    } while (at != WEIR_SET_SLOTS && !W_SWAP(&place.set[at], value, empty));
}

struct weir_place weir_place_of_block(struct weir_place place)
{
    place.tag ^= BLOCK_TAG;
    return place;
}

int64_t weir_table_blocked_until(struct weir_place place, const struct weir_limit *limit,
                                 int64_t now_us, bool repair)
{
    for (;;) {
        struct weir_pair value;
        unsigned at = weir_slot_find(place.set, place.tag, &value);
        if (at == WEIR_SET_SLOTS) {
            return now_us;
        }
        struct weir_step step =
            weir_block_step(limit, weir_slot_unpack(value, WEIR_KIND_FINE, now_us), now_us);
        if (!step.write || !repair ||
            W_SWAP(&place.set[at], value,
                   weir_slot_pack(place.tag, WEIR_KIND_FINE, step.next, now_us))) {
            return step.next.until_us;
        }
    }
}

int64_t weir_table_block(const struct weir_table *table, struct weir_place place,
                         const struct weir_limit *limit, int64_t now_us)
{
    const struct weir_state block = {now_us + limit->block_us, 1};
    const struct weir_pair desired = weir_slot_pack(place.tag, WEIR_KIND_FINE, block, now_us);
    for (;;) {
        struct weir_pair value;
        unsigned at = weir_slot_find(place.set, place.tag, &value);
        if (at == WEIR_SET_SLOTS) {
            if (weir_table_insert(table, place, desired, now_us)) {
                return block.until_us;
            }
            continue;
        }
        struct weir_step step =
            weir_block_step(limit, weir_slot_unpack(value, WEIR_KIND_FINE, now_us), now_us);
        if (step.next.until_us > now_us && !step.write) {
            return step.next.until_us;
        }
        if (W_SWAP(&place.set[at], value, desired)) {
            return block.until_us;
        }
    }
}

void weir_table_stats(const struct weir_table *table, int64_t now_us, struct weir_stats *stats)
{
    stats->slots = table->sets * WEIR_SET_SLOTS;
    stats->bytes = weir_table_bytes(stats->slots);
    for (uint64_t i = 0; i < stats->slots; i++) {
        struct weir_pair value = W_LOAD(&table->slots[i]);
        if (weir_slot_live(value)) {
            stats->used++;
            stats->live += weir_slot_until(value, weir_slot_kind(value), now_us) > now_us ? 1 : 0;
        }
    }
    for (unsigned i = 0; i < WEIR_TABLE_STRIPES; i++) {
        const struct weir_table_stripe *stripe = &table->header->stripes[i];
        stats->evicted_idle += __atomic_load_n(&stripe->evicted_idle, __ATOMIC_RELAXED);
        stats->evicted_live += __atomic_load_n(&stripe->evicted_live, __ATOMIC_RELAXED);
    }
}
