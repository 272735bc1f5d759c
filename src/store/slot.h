/* slot.h - one key's place in the table, and the protocol by which it gets one. Read this whole.
 *
 * A slot is 16 bytes, changed only by swapping all of them at once:
 *
 *     low   63..18  tag: 46 bits of the key's hash
 *           17..16  kind: 0 empty, 1 pending, 2 fine, 3 coarse (together with the tag: 48 bits)
 *           15..0   payload, bits 15..0
 *     high  fine:   63..16 until_us modulo 2^48       15..0 payload, bits 31..16
 *           coarse: 63..26 until_us / 2^10 mod 2^38   25..0 payload, bits 41..16
 *           pending: a number that no other pending slot ever had (with the 16 bits of low)
 *
 * A key may live in any slot of its set; it is looked for first in the one it calls its own. The
 * state of a key is changed by swapping its slot; that needs no more thought than any
 * compare-and-swap. What needs thought is that a key must never live in two slots, or it would have
 * two budgets. Two threads that meet a new key at once may pick different slots for it. So a key
 * gets its slot in two steps:
 *
 *   claim    swap the slot that matters least for a pending one with the key's tag. Pending slots
 *            hold no state; to everybody but an inserter of the same key they are as good as empty.
 *   settle   read all other slots of the set. If the key lives in one: withdraw. If it is
 *            pending in others: empty those. Then swap the pending slot for the live state.
 *
 * Why that is right. Suppose slots p and x were both settled for one key, neither emptied in
 * between. Whoever settled p had seen it pending before reading x, and whoever settled x had seen
 * that pending before reading p. All these are sequentially consistent, so one of the two readings
 * came after both slots were pending. The one who read then saw the other slot pending, and emptied
 * it before settling its own, so the other's swap, which expects that very pending value, failed;
 * or saw it live, and withdrew. The number in a pending slot is what makes "that very value" mean
 * something.
 *
 * A pending slot may be settled by anybody who wants its key, not only by who claimed it: nobody
 * waits for a thread that was put aside, and a process that is killed leaves nothing that needs
 * mending.
 *
 * test/model/slot_model.cpp compiles this file as C++ and runs it through relacy, which tries the
 * interleavings; its twin with the second reading left out is refuted there. */

#ifndef WEIR_STORE_SLOT_H
#define WEIR_STORE_SLOT_H

#ifndef WEIR_MODEL
#include "base/pair.h"

#include <stddef.h>
#define W_SLOT struct weir_pair
#define W_LOAD(slot) weir_pair_load(slot)
#define W_LOW(slot) weir_pair_low(slot)
#define W_HIGH(slot) weir_pair_high(slot)
#define W_SWAP(slot, expected, desired) weir_pair_swap((slot), (expected), (desired))
#define WEIR_SET_SLOTS 8
#define WEIR_LINE_SLOTS 4
#endif

enum weir_kind {
    WEIR_KIND_EMPTY = 0,
    WEIR_KIND_PENDING = 1,
    WEIR_KIND_FINE = 2,
    WEIR_KIND_COARSE = 3
};

#define WEIR_TAG_SHIFT 18
#define WEIR_KIND_SHIFT 16
#define WEIR_KIND_MASK (UINT64_C(3) << WEIR_KIND_SHIFT)
#define WEIR_TAG_MASK (~((UINT64_C(1) << WEIR_TAG_SHIFT) - 1))

static inline unsigned weir_slot_kind(struct weir_pair value)
{
    return (unsigned)((value.low & WEIR_KIND_MASK) >> WEIR_KIND_SHIFT);
}

static inline bool weir_slot_live(struct weir_pair value)
{
    return weir_slot_kind(value) >= WEIR_KIND_FINE;
}

/* Whether a slot that is not empty is the key's. `tag` is in place: shifted, its low 18 bits 0. */
static inline bool weir_slot_matches(uint64_t low, uint64_t tag)
{
    return ((low ^ tag) & WEIR_TAG_MASK) == 0 && (low & WEIR_KIND_MASK) != 0;
}

/* The same for a live slot only: both live kinds, and no other, have the upper bit of the kind. */
static inline bool weir_slot_lives(uint64_t low, uint64_t tag)
{
    const uint64_t bit = UINT64_C(2) << WEIR_KIND_SHIFT;
    return (low ^ (tag | bit)) < bit;
}

/* The slot that the key of `tag` calls its own: it is looked for, and put, there first. */
static inline unsigned weir_slot_own(uint64_t tag)
{
    return (unsigned)(tag >> WEIR_TAG_SHIFT) % WEIR_SET_SLOTS;
}

/* The i-th slot to be looked at for the key of `tag`: its own, the others of that line, the other
 * line. */
static inline unsigned weir_slot_order(uint64_t tag, unsigned i)
{
    const unsigned own = weir_slot_own(tag);
    const unsigned line = (own / WEIR_LINE_SLOTS + i / WEIR_LINE_SLOTS) * WEIR_LINE_SLOTS;
    return (line + (own + i) % WEIR_LINE_SLOTS) % WEIR_SET_SLOTS;
}

/* What a slot holds, at less cost than a whole load: two halves that may be of two moments. It is
 * good for one thing, to be the value that a swap expects; who does not swap has to load. */
static inline struct weir_pair weir_slot_glance(const W_SLOT *slot)
{
    struct weir_pair value;
    value.low = W_LOW(slot);
    value.high = W_HIGH(slot);
    return value;
}

/* Which slots of a line the key of `tag` seems to live in, as bits. All are compared and none is
 * jumped over: where in its line a key lives can't be foretold, and a jump foretold wrongly costs
 * more than the whole line. The low halves may be stale, or of another moment than the rest: they
 * only say where to look. */
static inline unsigned weir_line_match(const W_SLOT *line, uint64_t tag)
{
    const uint64_t bit = UINT64_C(2) << WEIR_KIND_SHIFT;
    unsigned match = 0;
#pragma GCC unroll 4
    for (unsigned i = WEIR_LINE_SLOTS; i-- > 0;) {
        match = match + match + ((W_LOW(&line[i]) ^ (tag | bit)) < bit ? 1U : 0U);
    }
    return match;
}

/* Where the key of `tag` lives in `set`, by a look at every slot: its slot, and what that held;
 * WEIR_SET_SLOTS where nowhere. A key that is moved by others meanwhile may be missed, as if looked
 * for between its two places. */
static inline unsigned weir_slot_find_elsewhere(const W_SLOT *set, uint64_t tag,
                                                struct weir_pair *ret_value)
{
    unsigned line = weir_slot_own(tag) / WEIR_LINE_SLOTS * WEIR_LINE_SLOTS;
    unsigned match = weir_line_match(&set[line], tag);
    if (match == 0) {
        line = (line + WEIR_LINE_SLOTS) % WEIR_SET_SLOTS;
        match = weir_line_match(&set[line], tag);
        if (match == 0) {
            return WEIR_SET_SLOTS;
        }
    }
    const unsigned at = line + (unsigned)__builtin_ctz(match);
    *ret_value = W_LOAD(&set[at]);
    return weir_slot_lives(ret_value->low, tag) ? at : WEIR_SET_SLOTS;
}

/* The same, with the key's own slot first. Most keys live there. A branch that expects it lets the
 * processor go on before the line has arrived; on a table larger than the caches that halves the
 * time. */
static inline unsigned weir_slot_find(const W_SLOT *set, uint64_t tag, struct weir_pair *ret_value)
{
    const unsigned own = weir_slot_own(tag);
    *ret_value = W_LOAD(&set[own]);
    return weir_slot_lives(ret_value->low, tag) ? own
                                                : weir_slot_find_elsewhere(set, tag, ret_value);
}

/* Settles the slot `mine`, which was seen to hold `pending`, to `desired`; false where the key has
 * to be looked for again. */
static inline bool weir_slot_settle(W_SLOT *set, uint64_t tag, unsigned mine,
                                    struct weir_pair pending, struct weir_pair desired)
{
    const struct weir_pair empty = {0, 0};
#ifndef WEIR_MODEL_BROKEN
    for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
        struct weir_pair value = W_LOAD(&set[i]);
        if (i == mine || !weir_slot_matches(value.low, tag)) {
            continue;
        }
        if (weir_slot_live(value)) {
            /* Losing this swap is fine: then somebody else has emptied or taken the slot. */
            (void)W_SWAP(&set[mine], pending, empty);
            return false;
        }
        if (!W_SWAP(&set[i], value, empty)) {
            return false;
        }
    }
#endif
    return W_SWAP(&set[mine], pending, desired);
}

/* How an inserter picks a slot, and what it puts there meanwhile. */
struct weir_claimer {
    /* How soon a slot may go, below INT64_MAX: the one with the least goes first. */
    int64_t (*rank)(struct weir_pair value, int64_t now_us);
    int64_t now_us;
    /* A pending slot for `tag` that no other ever was. */
    struct weir_pair (*pending)(void *numbers, uint64_t tag);
    void *numbers;
};

/* What one reading of the whole set came to, for a key that wants a slot in it. */
struct weir_sighting {
    bool live;    /* the key lives already */
    bool pending; /* it is pending in slot `at`; otherwise `at` is the slot to claim */
    unsigned at;
    struct weir_pair value; /* what that slot held */
};

/* One reading serves for both, as a slot may only be claimed as what it was seen to be: if the key
 * came to live in it after it was looked for, and had little to lose, its own inserter would throw
 * it out. */
static inline struct weir_sighting weir_slot_sight(const W_SLOT *set, uint64_t tag,
                                                   const struct weir_claimer *claimer)
{
    struct weir_sighting seen = {false, false, 0, {0, 0}};
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
        unsigned at = weir_slot_order(tag, i);
        struct weir_pair value = W_LOAD(&set[at]);
        const bool own = weir_slot_matches(value.low, tag);
        if (own && weir_slot_live(value)) {
            seen.live = true;
            return seen;
        }
        int64_t rank = own ? INT64_MIN : claimer->rank(value, claimer->now_us);
        if (!seen.pending && (own || rank < least)) {
            seen.pending = own;
            seen.at = at;
            seen.value = value;
            least = rank;
        }
    }
    return seen;
}

/* Gives the key of `tag`, which was found nowhere, its first state; false where it has to be looked
 * for again. `ret_replaced` is what the slot held that was claimed for it, empty where none was. */
static inline bool weir_slot_insert(W_SLOT *set, uint64_t tag, struct weir_pair desired,
                                    const struct weir_claimer *claimer,
                                    struct weir_pair *ret_replaced)
{
    const struct weir_pair empty = {0, 0};
    struct weir_sighting seen = weir_slot_sight(set, tag, claimer);
    *ret_replaced = empty;
    if (seen.live) {
        return false;
    }
    if (!seen.pending) {
        struct weir_pair pending = claimer->pending(claimer->numbers, tag);
        if (!W_SWAP(&set[seen.at], seen.value, pending)) {
            return false;
        }
        *ret_replaced = seen.value;
        seen.value = pending;
    }
    return weir_slot_settle(set, tag, seen.at, seen.value, desired);
}

#endif
