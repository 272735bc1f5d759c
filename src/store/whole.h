/* whole.h - the hot path: a cost of 1, from a token-bucket without a block whose interval is a
 * whole number of microseconds, by a key that is there.
 *
 * Such a bucket's state is one number, so the low half of its slot is nothing but tag and kind, and
 * the high half, until_us << 16 with nothing below, can be added to and compared as it lies. One
 * comparison finds the key, and one swap of (live, high) for (live, high + interval) takes.
 *
 * Every instruction counts, and every jump that can't be foretold: with few of both the processor
 * looks far enough ahead to fetch the next key's line while it still waits for this one's, which on
 * a table larger than the caches halves the time (docs/decisions/0004). So the four slots of a line
 * are compared without a jump, and whatever is not as simple as that is left to others: denials, a
 * clock that was set back, a key in neither line, a swap that was lost.
 *
 * The two halves are read one after the other and may be of two moments. The swap, which expects
 * both, makes sure of them; who denies has to read the slot whole. */

#ifndef WEIR_STORE_WHOLE_H
#define WEIR_STORE_WHOLE_H

#include "algo/rate.h"
#include "store/table.h"

#include <string.h>

/* What the low half of the slot of such a key holds, all of it. */
static inline uint64_t weir_whole_low(uint64_t tag)
{
    return tag | (uint64_t)WEIR_KIND_FINE << WEIR_KIND_SHIFT;
}

/* The slot of `line` whose low half seems to be `live`; the first where none does. */
static inline struct weir_pair *weir_whole_find(struct weir_pair *line, uint64_t live)
{
    struct weir_pair *at = line;
    at = W_LOW(&line[1]) == live ? &line[1] : at;
    at = W_LOW(&line[2]) == live ? &line[2] : at;
    at = W_LOW(&line[3]) == live ? &line[3] : at;
    __asm__("" : "+r"(at)); /* Else gcc makes two addresses of it, and twice the moves. */
    return at;
}

_Static_assert(WEIR_LINE_SLOTS == 4 && WEIR_SET_SLOTS == 8,
               "four compared, in either of two lines");

/* Takes 1 and answers; false, with nothing taken or written, where it is not as simple as that.
 * `admitted` is the first word of the answer. */
static inline __attribute__((always_inline)) bool weir_whole_take(
    struct weir_place place, const struct weir_limit *limit, int64_t now_us, uint64_t admitted,
    struct weir_decision *ret_decision)
{
    const uint64_t live = weir_whole_low(place.tag);
    const unsigned line = weir_slot_own(place.tag) & WEIR_LINE_SLOTS;
    struct weir_pair *at = weir_whole_find(&place.set[line], live);
    if (__builtin_expect(W_LOW(at) != live, 0)) {
        at = weir_whole_find(&place.set[line ^ WEIR_LINE_SLOTS], live);
        if (__builtin_expect(W_LOW(at) != live, 0)) {
            return false;
        }
    }
    const uint64_t high = W_HIGH(at);
    const uint64_t now = (uint64_t)now_us << 16;
    const bool idle = (int64_t)(high - now) < 0;
    const uint64_t next = (idle ? now : high) + limit->interval_high;
    const uint64_t debt = next - now;
    if (__builtin_expect(debt > limit->depth_high, 0) ||
        __builtin_expect((high & 0xffff) != 0, 0)) {
        return false;
    }
    const struct weir_pair held = {live, high};
    const struct weir_pair desired = {live, next};
    if (__builtin_expect(!W_SWAP(at, held, desired), 0)) {
        return false;
    }
    const struct weir_span room = {(int64_t)((limit->depth_high - debt) >> 16), 0};
    memcpy(ret_decision, &admitted, sizeof(admitted));
    ret_decision->limit = limit->ceiling;
    ret_decision->remaining = weir_rate_intervals_whole(&limit->rate, room);
    ret_decision->retry_after_us = 0;
    ret_decision->reset_after_us = (int64_t)(debt >> 16);
    ret_decision->delay_us = 0;
    return true;
}

/* Denies, where weir_whole_take found that too much is owed already; false where that is not so, or
 * not as simple as that. */
static inline bool weir_whole_deny(struct weir_place place, const struct weir_limit *limit,
                                   int64_t now_us, struct weir_decision *ret_decision)
{
    const uint64_t live = weir_whole_low(place.tag);
    const unsigned line = weir_slot_own(place.tag) & WEIR_LINE_SLOTS;
    const struct weir_pair value = W_LOAD(weir_whole_find(&place.set[line], live));
    const uint64_t owed = value.high - ((uint64_t)now_us << 16);
    const uint64_t debt = owed + limit->interval_high;
    if (value.low != live || owed > limit->horizon_high || (value.high & 0xffff) != 0 ||
        debt <= limit->depth_high) {
        return false;
    }
    const uint64_t room = owed < limit->depth_high ? (limit->depth_high - owed) >> 16 : 0;
    ret_decision->allowed = false;
    ret_decision->blocked = false;
    ret_decision->failure = 0;
    ret_decision->limit = limit->ceiling;
    ret_decision->remaining =
        weir_rate_intervals_whole(&limit->rate, (struct weir_span){(int64_t)room, 0});
    ret_decision->retry_after_us = (int64_t)((debt - limit->depth_high) >> 16);
    ret_decision->reset_after_us = (int64_t)(owed >> 16);
    ret_decision->delay_us = 0;
    return true;
}

#endif
