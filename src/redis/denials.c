/* denials.c - see denials.h. */

#include "redis/denials.h"

#include "base/alloc.h"

#include <assert.h>
#include <pthread.h>

#define SHARDS 16
/* Below this a cache is not worth dividing. */
#define DIVIDED_BYTES (UINT64_C(64) << 10)

/* A cache line of its own, so that threads on other shards aren't disturbed. */
struct shard {
    _Alignas(64) pthread_mutex_t mutex;
    struct weir_deny_cache *cache;
    uint64_t answered;
};

struct weir_denials {
    struct shard shards[SHARDS];
    const struct weir_allocator *allocator;
    size_t count;
};

/* FNV-1a: it only has to spread. Inside a shard the cache has a hash of its own. */
static struct shard *shard_of(struct weir_denials *denials, struct weir_bytes name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char)name.ptr[i]) * UINT64_C(0x100000001b3);
    }
    return &denials->shards[(hash >> 32) % denials->count];
}

struct weir_denials *weir_denials_new(uint64_t bytes, const struct weir_allocator *allocator)
{
    struct weir_denials *denials = weir_alloc(allocator, sizeof(*denials), 64);
    if (denials == NULL) {
        return NULL;
    }
    denials->allocator = allocator;
    const size_t count = bytes >= DIVIDED_BYTES ? SHARDS : 1;
    for (size_t i = 0; i < count; i++) {
        struct shard *shard = &denials->shards[i];
        shard->cache = weir_deny_cache_new(bytes / count, allocator);
        if (shard->cache == NULL || pthread_mutex_init(&shard->mutex, NULL) != 0) {
            weir_deny_cache_free(shard->cache);
            weir_denials_free(denials);
            return NULL;
        }
        denials->count++;
    }
    return denials;
}

void weir_denials_free(struct weir_denials *denials)
{
    if (denials == NULL) {
        return;
    }
    for (size_t i = 0; i < denials->count; i++) {
        weir_deny_cache_free(denials->shards[i].cache);
        pthread_mutex_destroy(&denials->shards[i].mutex);
    }
    weir_release(denials->allocator, denials, sizeof(*denials));
}

void weir_denials_put(struct weir_denials *denials, struct weir_bytes name,
                      const struct weir_denial *denial)
{
    struct shard *shard = shard_of(denials, name);
    pthread_mutex_lock(&shard->mutex);
    weir_deny_cache_put(shard->cache, name, denial);
    pthread_mutex_unlock(&shard->mutex);
}

bool weir_denials_get(struct weir_denials *denials, struct weir_bytes name,
                      const struct weir_request *request, int64_t now_us, int64_t steady_us,
                      struct weir_decision *ret_decision)
{
    struct shard *shard = shard_of(denials, name);
    pthread_mutex_lock(&shard->mutex);
    const bool found =
        weir_deny_cache_get(shard->cache, name, request, now_us, steady_us, ret_decision);
    shard->answered += found ? 1 : 0;
    pthread_mutex_unlock(&shard->mutex);
    return found;
}

void weir_denials_drop(struct weir_denials *denials, struct weir_bytes name)
{
    struct shard *shard = shard_of(denials, name);
    pthread_mutex_lock(&shard->mutex);
    weir_deny_cache_drop(shard->cache, name);
    pthread_mutex_unlock(&shard->mutex);
}

void weir_denials_clear(struct weir_denials *denials)
{
    for (size_t i = 0; i < denials->count; i++) {
        pthread_mutex_lock(&denials->shards[i].mutex);
        weir_deny_cache_clear(denials->shards[i].cache);
        pthread_mutex_unlock(&denials->shards[i].mutex);
    }
}

uint64_t weir_denials_answered(struct weir_denials *denials)
{
    uint64_t answered = 0;
    for (size_t i = 0; i < denials->count; i++) {
        pthread_mutex_lock(&denials->shards[i].mutex);
        answered += denials->shards[i].answered;
        pthread_mutex_unlock(&denials->shards[i].mutex);
    }
    return answered;
}
