/* deny_cache.c - see deny_cache.h.
 *
 * Names are not kept, but 128 bits of each: two hashes under two secrets of this cache. Nobody who
 * lacks the secrets can aim at them, so that the chance of a question meeting the entry of another
 * name is WEIR_DENY_CACHE_WAYS in 2^128: at a thousand million questions a second for a hundred
 * years, one in 2^64. That is what "never" means in "never denies what Redis would admit".
 *
 *     one entry, a cache line of 64 bytes
 *      0  fingerprint                16   the upper bits of the first half choose the set
 *     16  state                      16
 *     32  end of the block            8   0: none is known of
 *     40  time of the decision        8   by the clock that it was decided on
 *     48  when the question was sent  8   steady
 *     56  when it was answered        4   after that
 *     60  generation, and the clock   4   another generation than the cache's: empty
 *
 * Time. The server decided at `now` somewhen between `sent` and `answered`. Its clock then is, as
 * long as nobody sets it, now + (steady - sent) at the latest, and a margin for two clocks that are
 * slewed apart. The denial must hold at that time, and at `now`, where nothing may be left to be
 * mended: then it holds, and writes nothing, at all times between, as a state only gives way. The
 * numbers of the answer are those of now + (steady - answered), so that waiting them out is enough.
 *
 * Invariant: an entry is what the last answer about its key said, or is gone. */

#include "redis/deny_cache.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "base/hash.h"

#include <assert.h>
#include <sys/random.h>

/* A clock that is slewed, not set, is kept within a twelfth of the true pace by those who slew
 * most (chrony's default); the server's that much too fast and ours as much too slow are less than
 * a quarter apart. */
#define MARGIN(age_us) ((age_us) / 4 + 1)

#define GENERATIONS (UINT32_C(1) << 31)

struct entry {
    uint64_t fingerprint[2];
    struct weir_state state;
    int64_t block_until_us;
    int64_t now_us;
    int64_t sent_us;
    uint32_t answered_us; /* after sent_us */
    uint32_t stamp;       /* generation << 1, and whether the server's own clock decided */
};

_Static_assert(sizeof(struct entry) == 64, "an entry is a cache line");
_Static_assert(offsetof(struct entry, state) == 16 && offsetof(struct entry, sent_us) == 48 &&
                   offsetof(struct entry, stamp) == 60,
               "as drawn above");

struct set {
    struct entry ways[WEIR_DENY_CACHE_WAYS];
};

struct weir_deny_cache {
    _Alignas(sizeof(struct entry)) struct weir_allocator allocator;
    size_t bytes;
    struct weir_secret secrets[2];
    uint32_t generation; /* 1..GENERATIONS - 1 */
    uint64_t set_count;
    struct set sets[];
};

struct weir_deny_cache *weir_deny_cache_new(uint64_t bytes, const struct weir_allocator *allocator)
{
    const struct weir_allocator *from = weir_allocator_or_default(allocator);
    const uint64_t rest =
        bytes > sizeof(struct weir_deny_cache) ? bytes - sizeof(struct weir_deny_cache) : 0;
    const uint64_t set_count = rest / sizeof(struct set);
    const size_t taken = sizeof(struct weir_deny_cache) + (size_t)set_count * sizeof(struct set);
    struct weir_deny_cache *cache = weir_alloc(from, taken, _Alignof(struct weir_deny_cache));
    if (cache == NULL) {
        return NULL;
    }
    cache->allocator = *from;
    cache->bytes = taken;
    cache->generation = 1;
    cache->set_count = set_count;
    if (getrandom(cache->secrets, sizeof(cache->secrets), 0) != (ssize_t)sizeof(cache->secrets)) {
        weir_deny_cache_free(cache);
        return NULL;
    }
    return cache;
}

void weir_deny_cache_free(struct weir_deny_cache *cache)
{
    if (cache != NULL) {
        const struct weir_allocator allocator = cache->allocator;
        weir_release(&allocator, cache, cache->bytes);
    }
}

/* ---- Where a name's entry is ---- */

/* Where a name belongs, and what is kept of it. */
struct spot {
    struct entry *ways;
    uint64_t fingerprint[2];
};

static struct spot spot_of(struct weir_deny_cache *cache, struct weir_bytes name)
{
    const uint64_t first = weir_hash(&cache->secrets[0], 0, name);
    const uint64_t second = weir_hash(&cache->secrets[1], 0, name);
    /* The upper half of first * set_count: as even as the hash, for any number of sets. */
    const uint64_t set = (uint64_t)((weir_u128)first * cache->set_count >> 64);
    return (struct spot){cache->sets[set].ways, {first, second}};
}

static bool lives(const struct weir_deny_cache *cache, const struct entry *entry)
{
    return entry->stamp >> 1 == cache->generation;
}

/* The entry of a name; NULL where there is none. */
static struct entry *find(struct weir_deny_cache *cache, const struct spot *spot)
{
    for (size_t i = 0; i < WEIR_DENY_CACHE_WAYS; i++) {
        struct entry *entry = &spot->ways[i];
        if (lives(cache, entry) && entry->fingerprint[0] == spot->fingerprint[0] &&
            entry->fingerprint[1] == spot->fingerprint[1]) {
            return entry;
        }
    }
    return NULL;
}

/* When an entry can answer no more, steady. Times that a caller supplied may stand still. */
static int64_t end_of(const struct entry *entry)
{
    const int64_t until_us = entry->state.until_us > entry->block_until_us ? entry->state.until_us
                                                                           : entry->block_until_us;
    const int64_t left_us = until_us - entry->now_us;
    const bool own_clock = (entry->stamp & 1) != 0;
    return entry->sent_us +
           (own_clock && left_us < WEIR_DENY_CACHE_MAX_US ? left_us : WEIR_DENY_CACHE_MAX_US);
}

/* The way that is to make room: an empty one, else the one that ends soonest. */
static struct entry *soonest(const struct weir_deny_cache *cache, const struct spot *spot)
{
    struct entry *found = &spot->ways[0];
    for (size_t i = 0; i < WEIR_DENY_CACHE_WAYS && lives(cache, found); i++) {
        struct entry *entry = &spot->ways[i];
        if (!lives(cache, entry) || end_of(entry) < end_of(found)) {
            found = entry;
        }
    }
    return found;
}

/* ---- Keeping and forgetting ---- */

/* Whether these are times that a state of ours can hold: they come from outside. */
static bool sane(const struct weir_denial *denial)
{
    const int64_t last_us = WEIR_TIME_MAX * 2;
    return denial->server_now_us >= 0 && denial->server_now_us <= WEIR_TIME_MAX &&
           denial->state.until_us >= 0 && denial->state.until_us <= last_us &&
           denial->block_until_us >= 0 && denial->block_until_us <= last_us;
}

static uint32_t answered_after(const struct weir_denial *denial)
{
    const int64_t took_us = denial->answered_us - denial->sent_us;
    if (denial->answered_us <= denial->sent_us) {
        return 0;
    }
    return took_us < UINT32_MAX ? (uint32_t)took_us : UINT32_MAX;
}

void weir_deny_cache_put(struct weir_deny_cache *cache, struct weir_bytes name,
                         const struct weir_denial *denial)
{
    assert(cache != NULL && denial != NULL);
    if (cache->set_count == 0) {
        return;
    }
    const struct spot spot = spot_of(cache, name);
    struct entry *old = find(cache, &spot);
    if (old != NULL) {
        old->stamp = 0;
    }
    const struct entry entry = {
        .fingerprint = {spot.fingerprint[0], spot.fingerprint[1]},
        .state = denial->state,
        .block_until_us = denial->block_until_us,
        .now_us = denial->server_now_us,
        .sent_us = denial->sent_us,
        .answered_us = answered_after(denial),
        .stamp = cache->generation << 1 | (denial->own_clock ? 1 : 0),
    };
    /* What is over already denies nobody. */
    if (!sane(denial) || end_of(&entry) <= entry.sent_us) {
        return;
    }
    struct entry *room = soonest(cache, &spot);
    if (!lives(cache, room) || end_of(room) <= end_of(&entry)) {
        *room = entry;
    }
}

void weir_deny_cache_drop(struct weir_deny_cache *cache, struct weir_bytes name)
{
    assert(cache != NULL);
    if (cache->set_count == 0) {
        return;
    }
    const struct spot spot = spot_of(cache, name);
    struct entry *entry = find(cache, &spot);
    if (entry != NULL) {
        entry->stamp = 0;
    }
}

void weir_deny_cache_clear(struct weir_deny_cache *cache)
{
    assert(cache != NULL);
    /* One of a generation that comes round again is long past its second. */
    cache->generation = cache->generation + 1 < GENERATIONS ? cache->generation + 1 : 1;
}

/* ---- Answering ---- */

/* Whether a request of `cost` at `now_us` is denied by what is kept, and the denial would write
 * nothing: no block, as one is running, and nothing mended. */
static bool denies(const struct entry *entry, const struct weir_limit *limit, uint64_t cost,
                   int64_t now_us, struct weir_decision *ret_decision)
{
    *ret_decision = (struct weir_decision){.source = WEIR_SOURCE_DENY_CACHE};
    const struct weir_step step =
        weir_algo_step(limit, entry->state, now_us, cost, false, ret_decision);
    if (step.clamped) {
        return false;
    }
    if (limit->block_us == 0) {
        return !ret_decision->allowed;
    }
    const struct weir_state kept = {entry->block_until_us, 1};
    const struct weir_step block = weir_block_step(limit, kept, now_us);
    if (block.write || block.next.until_us <= now_us) {
        return false;
    }
    weir_block_decide(block.next.until_us, now_us, ret_decision);
    return true;
}

/* The same of the server's own clock, which is reckoned; see above. */
static bool denies_by_now(const struct entry *entry, const struct weir_limit *limit, uint64_t cost,
                          int64_t age_us, struct weir_decision *ret_decision)
{
    const int64_t latest_us = entry->now_us + age_us + MARGIN(age_us);
    const int64_t since_us = age_us > entry->answered_us ? age_us - entry->answered_us : 0;
    if (latest_us > WEIR_TIME_MAX) {
        return false;
    }
    struct weir_decision unwanted;
    return denies(entry, limit, cost, latest_us, &unwanted) &&
           denies(entry, limit, cost, entry->now_us, &unwanted) &&
           denies(entry, limit, cost, entry->now_us + since_us, ret_decision);
}

bool weir_deny_cache_get(struct weir_deny_cache *cache, struct weir_bytes name,
                         const struct weir_request *request, int64_t now_us, int64_t steady_us,
                         struct weir_decision *ret_decision)
{
    const struct weir_limit *limit = request->limit;
    const uint64_t cost = request->cost;
    assert(cache != NULL && limit != NULL && cost >= 1 && ret_decision != NULL);
    if (cache->set_count == 0 || limit->algorithm == WEIR_SLIDING_LOG) {
        return false;
    }
    const struct spot spot = spot_of(cache, name);
    const struct entry *entry = find(cache, &spot);
    if (entry == NULL) {
        return false;
    }
    const int64_t age_us = steady_us - entry->sent_us;
    if (age_us < 0 || age_us >= WEIR_DENY_CACHE_MAX_US) {
        return false;
    }
    struct weir_decision decision;
    bool denied;
    if (now_us != WEIR_CLOCK) {
        denied = denies(entry, limit, cost, now_us, &decision);
    } else {
        const bool own_clock = (entry->stamp & 1) != 0;
        denied = own_clock && denies_by_now(entry, limit, cost, age_us, &decision);
    }
    if (denied) {
        *ret_decision = decision;
    }
    return denied;
}
