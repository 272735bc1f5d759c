/* floor.c - the least that the work can cost: a hash, and one 16-byte swap in memory of the table's
 * size.
 *
 * No tag is compared, no limit applied, nothing is looked for: the hash names a slot, and what it
 * holds is read whole and swapped for the next value, again if another thread came between. The
 * memory is mapped as the table is. Batched, a chunk is hashed and its slots fetched before the
 * first is swapped. */

#include "base/checked.h"
#include "base/pair.h"
#include "bench.h"
#include "hash.h"
#include "pages.h"

#include <time.h>

#define CHUNK 32

struct floor {
    struct weir_pair *slots;
    uint64_t count;
    struct bench_secret secret;
};

static struct floor many = {.secret = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
static struct floor few = {.secret = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};

static void floor_open(size_t keys)
{
    many.count = bench_weir_slots(keys);
    many.slots = bench_pages(many.count * sizeof(struct weir_pair));
    few.count = bench_weir_slots(BENCH_FEW);
    few.slots = bench_pages(few.count * sizeof(struct weir_pair));
}

static inline struct weir_pair *slot_of(const struct floor *floor, const char *key, size_t len)
{
    const uint64_t hash = bench_hash(&floor->secret, key, len);
    return &floor->slots[(uint64_t)(((weir_u128)hash * floor->count) >> 64)];
}

static inline bool swap(struct weir_pair *slot, int64_t now_us)
{
    struct weir_pair next;
    struct weir_pair value;
    do {
        value = weir_pair_load(slot);
        next = (struct weir_pair){value.low + 1, (uint64_t)now_us};
    } while (!weir_pair_swap(slot, value, next));
    return true;
}

static inline bool ask(void *self, const char *key, size_t len, int64_t now_us)
{
    return swap(slot_of(self, key, len), now_us);
}

static inline int64_t clock_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline bool ask_clock(void *self, const char *key, size_t len, int64_t now_us)
{
    (void)now_us;
    return swap(slot_of(self, key, len), clock_us());
}

static inline bool ask_bare(void *self, const char *key, size_t len, int64_t now_us)
{
    (void)self;
    (void)key;
    (void)len;
    return clock_us() > now_us;
}

static inline bool look(void *self, const char *key, size_t len, int64_t now_us)
{
    const struct weir_pair value = weir_pair_load(slot_of(self, key, len));
    return value.high <= (uint64_t)now_us;
}

static uint64_t together(const struct floor *floor, const struct bench_load *load)
{
    struct weir_pair *slots[CHUNK];
    uint64_t allowed = 0;
    const char *key = load->keys;
    for (size_t left = load->count; left > 0;) {
        const size_t chunk = left < CHUNK ? left : CHUNK;
        for (size_t i = 0; i < chunk; i++, key += load->stride) {
            slots[i] = slot_of(floor, key, load->key_len);
            __builtin_prefetch(slots[i], 1, 3);
        }
        for (size_t i = 0; i < chunk; i++) {
            allowed += swap(slots[i], load->start_us) ? 1 : 0;
        }
        left -= chunk;
    }
    return allowed;
}

static uint64_t floor_run(const struct bench_load *load)
{
    struct floor *self = load->few ? &few : &many;
    switch (load->way) {
    case BENCH_CHECK:
        return bench_each(load, ask, self);
    case BENCH_CLOCK:
        return bench_each(load, ask_clock, self);
    case BENCH_PEEK:
        return bench_each(load, look, self);
    case BENCH_TOGETHER:
        return together(self, load);
    case BENCH_BARE:
        return bench_each(load, ask_bare, self);
    }
    bench_die("no such way");
}

const struct bench_contender bench_floor = {
    .name = "floor",
    .open = floor_open,
    .run = floor_run,
};
