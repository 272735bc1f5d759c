/* mutex_map.c - the opponent in C: a mutex, and a hash map of token buckets behind it.
 *
 * The obvious way, written as well as that way allows: the key is hashed before the lock is taken,
 * with the hash that weir uses, as keys come from outside; an entry with its key is one cache line,
 * found by open addressing; the map has its room from the start, in huge pages, and never grows nor
 * forgets. A second form splits the map in 64, each part under a mutex of its own. */

#include "bench.h"
#include "hash.h"
#include "pages.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define KEY_MAX 32
#define SHARDS 64

struct bucket {
    uint64_t hash; /* 0: nobody's */
    double tokens;
    int64_t last_us;
    uint64_t key_len;
    char key[KEY_MAX];
};

_Static_assert(sizeof(struct bucket) == 64, "one cache line");

struct shard {
    pthread_mutex_t mutex;
    struct bucket *buckets;
    uint64_t mask;
} __attribute__((aligned(128)));

struct map {
    double per_us;
    double burst;
    struct bench_secret secret;
    uint64_t shard_mask;
    struct shard shards[SHARDS];
};

static struct map plain[BENCH_ALGORITHMS];
static struct map sharded[BENCH_ALGORITHMS];

static bool take(struct bucket *bucket, const struct map *map, int64_t now_us)
{
    if (now_us > bucket->last_us) {
        const double gained = (double)(now_us - bucket->last_us) * map->per_us;
        bucket->tokens =
            bucket->tokens + gained < map->burst ? bucket->tokens + gained : map->burst;
        bucket->last_us = now_us;
    }
    if (bucket->tokens < 1) {
        return false;
    }
    bucket->tokens -= 1;
    return true;
}

/* The bucket of the key, new and full where there was none. */
static struct bucket *find(const struct map *map, struct shard *shard, uint64_t hash,
                           const char *key, size_t len, int64_t now_us)
{
    for (uint64_t at = hash;; at++) {
        struct bucket *bucket = &shard->buckets[at & shard->mask];
        if (bucket->hash == hash && bucket->key_len == len && memcmp(bucket->key, key, len) == 0) {
            return bucket;
        }
        if (bucket->hash == 0) {
            bucket->hash = hash;
            bucket->tokens = map->burst;
            bucket->last_us = now_us;
            bucket->key_len = len;
            memcpy(bucket->key, key, len);
            return bucket;
        }
    }
}

static inline bool ask(void *self, const char *key, size_t len, int64_t now_us)
{
    struct map *map = self;
    if (len > KEY_MAX) {
        bench_die("a key longer than %d bytes", KEY_MAX);
    }
    uint64_t hash = bench_hash(&map->secret, key, len);
    hash += hash == 0 ? 1 : 0;
    struct shard *shard = &map->shards[(hash >> 48) & map->shard_mask];
    (void)pthread_mutex_lock(&shard->mutex);
    const bool allowed = take(find(map, shard, hash, key, len, now_us), map, now_us);
    (void)pthread_mutex_unlock(&shard->mutex);
    return allowed;
}

static inline bool ask_clock(void *self, const char *key, size_t len, int64_t now_us)
{
    struct timespec now;
    (void)now_us;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return ask(self, key, len, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

static void open_map(struct map *map, unsigned shards, size_t keys, double per_second, double burst)
{
    uint64_t buckets = 1024;
    while (buckets * shards / 8 * 5 < keys) {
        buckets *= 2;
    }
    map->per_us = per_second / 1e6;
    map->burst = burst;
    map->secret = (struct bench_secret){UINT64_C(0x6b65792030), UINT64_C(0x6b65792031)};
    map->shard_mask = shards - 1;
    struct bucket *all = bench_pages(buckets * shards * sizeof(struct bucket));
    for (unsigned i = 0; i < shards; i++) {
        (void)pthread_mutex_init(&map->shards[i].mutex, NULL);
        map->shards[i].buckets = all + i * buckets;
        map->shards[i].mask = buckets - 1;
    }
}

static void open_maps(struct map *maps, unsigned shards, size_t keys)
{
    open_map(&maps[BENCH_OPEN], shards, 16, 1e6, 1e8);
    open_map(&maps[BENCH_CLOSED], shards, 16, 1.0 / 3600, 1);
    open_map(&maps[BENCH_KEYED], shards, keys, 1000.0 / 60, 1000);
}

static void open_plain(size_t keys)
{
    open_maps(plain, 1, keys);
}

static void open_sharded(size_t keys)
{
    open_maps(sharded, SHARDS, keys);
}

static uint64_t run(struct map *maps, const struct bench_load *load)
{
    struct map *map = &maps[load->limit];
    return load->way == BENCH_CLOCK ? bench_each(load, ask_clock, map) : bench_each(load, ask, map);
}

static uint64_t run_plain(const struct bench_load *load)
{
    return run(plain, load);
}

static uint64_t run_sharded(const struct bench_load *load)
{
    return run(sharded, load);
}

const struct bench_contender bench_mutex_map = {
    .name = "mutex-map",
    .open = open_plain,
    .run = run_plain,
};

const struct bench_contender bench_sharded_map = {
    .name = "sharded-map",
    .open = open_sharded,
    .run = run_sharded,
};
