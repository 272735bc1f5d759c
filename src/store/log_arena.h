/* log_arena.h - one stripe of the log arena: its chunks, the logs made of them, and who goes when
 * there is no room.
 *
 * Everything here belongs to log.c, which calls it with the stripe's mutex held (init excepted).
 * The tests look inside, to count.
 *
 * A stripe's memory is an index and a number of 64-byte chunks. A chunk is free, or the head of a
 * log, or seven of its entries; chunks are named by number, 0 being none:
 *
 *     head     offset  size                      entries  offset  size
 *     hash          0     8  of the key          next          0     4  towards the newest
 *     newest_us     8     8  its newest stamp    prev          4     4  towards the oldest
 *     base_us      16     8  newest_us, as the   entries       8    56  7 of 8 bytes
 *                            sweep sees it
 *     period_us    24     8  of the limit that   entry         bits
 *                            wrote it last       units         0..15
 *     same_bucket  32     4  next in the index   stamp        16..63    its low 48 bits
 *     ring_next    36     4  all logs of the
 *     ring_prev    40     4  stripe, in a ring   free     offset  size
 *     first        44     4  chunk of the oldest next          0     4
 *     last         48     4  and of the newest entry
 *     chunks       52     2  of entries
 *     units        54     2  in all entries
 *     share        56     2  of the limit that they take up, in 1/65535
 *     first_at     58     1  place of the oldest entry in its chunk
 *     last_end     59     1  place after the newest in its chunk
 *
 * Forty-eight bits of microseconds come round every 8.9 years. All stamps of a log lie within one
 * period, at most 366 days, up to its newest, which is kept whole: so a stamp is newest_us less the
 * difference of the low 48 bits.
 *
 * Invariants: a log in the index has 1 or more units and 1 or more chunks; its stamps rise; `used`
 * counts the chunks that are not free, and a chunk is either in the free list, or not yet taken for
 * the first time (number `fresh` and above), or part of exactly one log. */

#ifndef WEIR_STORE_LOG_ARENA_H
#define WEIR_STORE_LOG_ARENA_H

#include "algo/sliding_log.h"

#include <assert.h>
#include <pthread.h>

#define WEIR_LOG_CHUNK_SIZE 64
#define WEIR_LOG_CHUNK_ENTRIES 7
#define WEIR_LOG_SHARE_ONE 65535

/* How many logs are looked at to find the one to give up. */
#define WEIR_LOG_SAMPLE 16

/* The chunks of the largest log there can be: its oldest entry in the last place of a chunk. */
#define WEIR_LOG_CHUNKS_MAX \
    (1 + (WEIR_LOG_COUNT_MAX - 1 + WEIR_LOG_CHUNK_ENTRIES - 1) / WEIR_LOG_CHUNK_ENTRIES)

struct weir_log {
    uint64_t hash;
    int64_t newest_us;
    int64_t base_us;
    int64_t period_us;
    uint32_t same_bucket;
    uint32_t ring_next;
    uint32_t ring_prev;
    uint32_t first;
    uint32_t last;
    uint16_t chunks;
    uint16_t units;
    uint16_t share;
    uint8_t first_at;
    uint8_t last_end;
    uint32_t unused;
};

struct weir_log_entries {
    uint32_t next;
    uint32_t prev;
    uint64_t entries[WEIR_LOG_CHUNK_ENTRIES];
};

union weir_log_chunk {
    uint32_t next_free;
    struct weir_log log;
    struct weir_log_entries entries;
};

_Static_assert(sizeof(union weir_log_chunk) == WEIR_LOG_CHUNK_SIZE, "a chunk is a cache line");
_Static_assert(offsetof(struct weir_log, same_bucket) == 32, "the head, as drawn above");
_Static_assert(offsetof(struct weir_log, chunks) == 52, "the head, as drawn above");
_Static_assert(offsetof(struct weir_log, last_end) == 59, "the head, as drawn above");
_Static_assert(offsetof(struct weir_log_entries, entries) == 8, "the entries, as drawn above");
_Static_assert(WEIR_LOG_COUNT_MAX <= UINT16_MAX, "the units of a log fit in 16 bits");
_Static_assert(WEIR_LOG_CHUNKS_MAX <= UINT16_MAX, "the chunks of a log fit in 16 bits");
_Static_assert(WEIR_PERIOD_MAX < INT64_C(1) << 48, "stamps are told apart by their low 48 bits");

struct weir_log_stripe {
    pthread_mutex_t mutex;        /* guards all below, and the memory that it points to */
    uint32_t *buckets;            /* by the low bits of the hash: the first log */
    union weir_log_chunk *chunks; /* numbers 1 to `total`; place 0 is not used */
    uint32_t bucket_mask;
    uint32_t total;
    uint32_t used;
    uint32_t fresh; /* the chunks from this number on were never used; their pages are untouched */
    uint32_t first_free;
    uint32_t hand;    /* the log in the ring that the next sweep looks at first; 0: no logs */
    uint64_t evicted; /* logs given up while they still mattered */
};

/* The whole arena: one block of memory that begins with this. Fixed at open, the stripes excepted.
 */
struct weir_logs {
    uint64_t size;
    uint32_t stripe_mask;
    bool mapped;                     /* the system's pages; else the allocator's */
    struct weir_allocator allocator; /* a copy of the caller's, which need not outlive the call */
    struct weir_log_stripe stripes[];
};

/* Lays out a stripe in `size` bytes at `memory`, zeroed and aligned to 64; not its mutex. */
void weir_log_stripe_init(struct weir_log_stripe *stripe, void *memory, uint64_t size);

/* The log at number `id`. */
static inline struct weir_log *weir_log_at(struct weir_log_stripe *stripe, uint32_t id)
{
    assert(id > 0 && id <= stripe->total);
    return &stripe->chunks[id].log;
}

/* The number of the key's log; 0 where there is none. */
uint32_t weir_log_find(const struct weir_log_stripe *stripe, uint64_t hash);

/* Makes an empty log for a key that has none, giving up another where there is no room. It has no
 * units yet: the caller appends, or removes it. */
uint32_t weir_log_create(struct weir_log_stripe *stripe, uint64_t hash, int64_t now_us);

/* Takes a log out of the index and frees its chunks. */
void weir_log_remove(struct weir_log_stripe *stripe, uint32_t id);

/* Takes away the oldest or the newest `units`, at most all. */
void weir_log_drop(struct weir_log_stripe *stripe, struct weir_log *log, uint64_t units);
void weir_log_give_back(struct weir_log_stripe *stripe, struct weir_log *log, uint64_t units);

/* Gives every entry later than `at_us` that stamp. */
void weir_log_clamp(struct weir_log_stripe *stripe, struct weir_log *log, int64_t at_us);

/* Appends an entry to log number `id`, not before its newest stamp, giving up another log where
 * there is no room. False where that does not help; nothing is then appended. */
bool weir_log_append(struct weir_log_stripe *stripe, uint32_t id, struct weir_log_entry entry,
                     int64_t now_us);

/* Notes what a log that was written weighs under `limit`. */
void weir_log_weigh(struct weir_log *log, const struct weir_limit *limit);

/* Shows `scan` the entries until it has seen enough. */
void weir_log_show(const struct weir_log_stripe *stripe, const struct weir_log *log,
                   struct weir_log_scan *scan);

#endif
