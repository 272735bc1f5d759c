/* table.h - the table of keys: fixed memory, no locks. table.c has the prose. */

#ifndef WEIR_STORE_TABLE_H
#define WEIR_STORE_TABLE_H

#include "base/checked.h"
#include "store/slot_state.h"
#include "store/store.h"
#include "store/table_format.h"

/* A table over memory that somebody else holds (memory.c, shm.c). Read-only once made. */
struct weir_table {
    struct weir_table_header *header;
    struct weir_pair *slots; /* aligned to a set */
    uint64_t sets;
    struct weir_sip start; /* of the secret: the header's own is in other processes' reach */
};

/* Where a key may live. */
struct weir_place {
    struct weir_pair *set;
    uint64_t tag;
};

/* The bytes of a table of at most `size` bytes and one header, and the slots in it. */
uint64_t weir_table_slots(uint64_t size);
uint64_t weir_table_bytes(uint64_t slots);

/* Writes the header of a new table into zeroed memory. WEIR_ERR_SYSTEM where the system has no
 * random bytes for the secret. */
enum weir_status weir_table_format(struct weir_table_header *header, uint64_t slots,
                                   int64_t created_us);

/* The checksum that a header should carry. */
uint64_t weir_table_checksum(const struct weir_table_header *header);

/* The table at `memory`, whose header is known to be good. */
void weir_table_init(struct weir_table *table, void *memory);

static inline struct weir_place weir_table_place(const struct weir_table *table, uint64_t hash)
{
    uint64_t set = (uint64_t)(((weir_u128)hash * table->sets) >> 64);
    return (struct weir_place){
        .set = &table->slots[set * WEIR_SET_SLOTS],
        .tag = hash << WEIR_TAG_SHIFT,
    };
}

/* Fetches both lines of the set at once: one in five keys of a well-filled table lives in the
 * other, and to find that out first and fetch it then would take twice as long. */
static inline void weir_place_prefetch(const struct weir_place *place)
{
    __builtin_prefetch(&place->set[0], 1, 3);
    __builtin_prefetch(&place->set[WEIR_LINE_SLOTS], 1, 3);
}

/* Gives a key that lives nowhere its first state: claim, then settle (slot.h). False where it has
 * to be looked for again. */
bool weir_table_insert(const struct weir_table *table, struct weir_place place,
                       struct weir_pair desired, int64_t now_us);

/* Puts `desired` where weir_slot_find found `value`, or where the key lives nowhere, anywhere.
 * False where it has to be looked for again. */
static inline bool weir_table_put(const struct weir_table *table, struct weir_place place,
                                  unsigned at, struct weir_pair value, struct weir_pair desired,
                                  int64_t now_us)
{
    if (__builtin_expect(at != WEIR_SET_SLOTS, 1)) {
        return W_SWAP(&place.set[at], value, desired);
    }
    return weir_table_insert(table, place, desired, now_us);
}

/* Checks or peeks (cost 1 or more), refunds, forgets a key's own state; blocks are apart.
 * Lock-free, from any thread or process. */
void weir_table_check(const struct weir_table *table, struct weir_place place,
                      const struct weir_ask *ask, struct weir_decision *ret_decision);
void weir_table_refund(struct weir_place place, const struct weir_limit *limit, uint64_t cost,
                       int64_t now_us);
void weir_table_forget(struct weir_place place);

/* The block of a key: when it ends, at or before `now` if none runs. With `repair`, a block that a
 * clock set back has left in the future is written back clamped. */
int64_t weir_table_blocked_until(struct weir_place place, const struct weir_limit *limit,
                                 int64_t now_us, bool repair);
/* Starts the block if none runs, and says when the one that runs ends. */
int64_t weir_table_block(const struct weir_table *table, struct weir_place place,
                         const struct weir_limit *limit, int64_t now_us);
/* The place of a key's block: another tag in the same set, so that no other line of memory is
 * touched. */
struct weir_place weir_place_of_block(struct weir_place place);

void weir_table_stats(const struct weir_table *table, int64_t now_us, struct weir_stats *stats);

#endif
