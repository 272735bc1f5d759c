/* slot_state.h - a key's state as the 80 bits of a slot, and back. The layout is drawn in slot.h.
 *
 * Times are kept modulo 2^48 us and read as the one nearest to now, up to 2^47 us (4.4 years) away.
 * No state lies further ahead than two periods of a year. A key that nobody asked about for 4.4
 * years would be read as ahead, and be clamped to its limit: at worst one span of denials. */

#ifndef WEIR_STORE_SLOT_STATE_H
#define WEIR_STORE_SLOT_STATE_H

#include "algo/algo.h"
#include "store/slot.h"

#define WEIR_TIME_BITS 48
#define WEIR_AHEAD_BITS 47

_Static_assert(2 * WEIR_PERIOD_MAX < (INT64_C(1) << WEIR_AHEAD_BITS),
               "every state must be readable as ahead of now");
_Static_assert(2 * WEIR_SLIDING_BITS == 80 - (WEIR_TIME_BITS - WEIR_COARSE_BITS),
               "a coarse slot is full");

static inline enum weir_kind weir_state_kind(const struct weir_limit *limit)
{
    return limit->algorithm == WEIR_SLIDING_WINDOW ? WEIR_KIND_COARSE : WEIR_KIND_FINE;
}

/* `field`, whose upper bits from `shift` on are a time modulo 2^(64 - shift), as the time nearest
 * to `now`, both in units of one kind. What lies below the time in the field falls out of the
 * shift. */
static inline int64_t weir_time_near(uint64_t field, int64_t now, unsigned shift)
{
    return now + ((int64_t)(field - ((uint64_t)now << shift)) >> shift);
}

/* When the key of a live slot of `kind` is as if never used. */
static inline int64_t weir_slot_until(struct weir_pair value, unsigned kind, int64_t now_us)
{
    if (kind == WEIR_KIND_COARSE) {
        return weir_time_near(value.high, now_us >> WEIR_COARSE_BITS, 16 + WEIR_COARSE_BITS) *
               (1 << WEIR_COARSE_BITS);
    }
    return weir_time_near(value.high, now_us, 16);
}

static inline struct weir_state weir_slot_unpack(struct weir_pair value, unsigned kind,
                                                 int64_t now_us)
{
    const uint64_t high_mask =
        kind == WEIR_KIND_COARSE ? (UINT64_C(1) << (16 + WEIR_COARSE_BITS)) - 1 : 0xffff;
    return (struct weir_state){
        .until_us = weir_slot_until(value, kind, now_us),
        .payload = (value.low & 0xffff) | (value.high & high_mask) << 16,
    };
}

/* A fine state that is not before now, put into a slot. */
static inline struct weir_pair weir_slot_pack_fine(uint64_t tag, struct weir_state state)
{
    return (struct weir_pair){
        .low = tag | (uint64_t)WEIR_KIND_FINE << WEIR_KIND_SHIFT | (state.payload & 0xffff),
        .high = (uint64_t)state.until_us << 16 | state.payload >> 16,
    };
}

/* A state of the past is stored as of now: it means the same, and will not come round again sooner.
 */
static inline struct weir_pair weir_slot_pack(uint64_t tag, enum weir_kind kind,
                                              struct weir_state state, int64_t now_us)
{
    const int64_t until_us = state.until_us > now_us ? state.until_us : now_us;
    struct weir_pair value;
    value.low = tag | (uint64_t)kind << WEIR_KIND_SHIFT | (state.payload & 0xffff);
    if (kind == WEIR_KIND_COARSE) {
        /* Already a whole number of units where it matters, see sliding_window.c. */
        value.high = (uint64_t)(until_us >> WEIR_COARSE_BITS) << (16 + WEIR_COARSE_BITS) |
                     state.payload >> 16;
    } else {
        value.high = (uint64_t)until_us << 16 | state.payload >> 16;
    }
    return value;
}

#endif
