/* metrics.c - the tallies of all workers, and the numbers of rules. Read tally.h first.
 *
 * Everything here is done now and then: when a server starts, and when it takes on a policy. What
 * happens for each request is in tally.c. */

#include "metrics/metrics.h"

#include "base/alloc.h"
#include "metrics/lock.h"
#include "metrics/tally.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#define INDEX_PLACES_FIRST 256

/* Keys of a worker's shared list, where memory allows. */
#define SHARED_TOP 512

_Static_assert(WEIR_METRIC_TOP_MAX < UINT32_MAX / 8, "as top.h wants it");

static void *take(size_t size, size_t alignment)
{
    return weir_alloc(weir_allocator_or_default(NULL), size, alignment);
}

static void give_back(void *memory, size_t size)
{
    weir_release(weir_allocator_or_default(NULL), memory, size);
}

/* ---- Tallies ------------------------------------------------------------------------------ */

static void free_chunk(struct weir_tally *tally, uint32_t number)
{
    struct weir_tally_chunk *chunk =
        atomic_load_explicit(&tally->chunks[number], memory_order_relaxed);
    if (chunk == NULL) {
        return;
    }
    for (uint32_t i = 0; i < WEIR_CHUNK_RULES; i++) {
        struct weir_top *top = atomic_load_explicit(&chunk->tops[i], memory_order_relaxed);
        if (top != tally->shared) {
            weir_top_free(top);
        }
    }
    give_back(chunk, sizeof(*chunk));
}

static void free_tally(struct weir_tally *tally)
{
    if (tally == NULL) {
        return;
    }
    for (uint32_t i = 0; i < WEIR_CHUNKS; i++) {
        free_chunk(tally, i);
    }
    weir_top_free(tally->shared);
    for (uint32_t i = 0; i < WEIR_DOOR_COUNT; i++) {
        weir_histogram_free(tally->doors[i]);
    }
    weir_histogram_free(tally->store);
    weir_lock_deinit(&tally->mutex);
    give_back(tally, sizeof(*tally));
}

static struct weir_tally *make_tally(struct weir_metrics *metrics)
{
    struct weir_tally *tally = take(sizeof(*tally), WEIR_APART);
    if (tally == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&tally->mutex, NULL) != 0) {
        give_back(tally, sizeof(*tally));
        return NULL;
    }
    tally->metrics = metrics;
    bool whole = (tally->store = weir_histogram_new()) != NULL;
    for (uint32_t i = 0; i < WEIR_DOOR_COUNT; i++) {
        tally->doors[i] = weir_histogram_new();
        whole = whole && tally->doors[i] != NULL;
    }
    if (!whole) {
        free_tally(tally);
        return NULL;
    }
    return tally;
}

struct weir_tally *weir_metrics_tally(struct weir_metrics *metrics, uint32_t worker)
{
    assert(worker < metrics->workers);
    return metrics->tallies[worker];
}

/* ---- Numbers of rules --------------------------------------------------------------------- */

static struct weir_rule_name *name_of(const struct weir_metrics *metrics, uint32_t rule)
{
    struct weir_rule_name *chunk =
        atomic_load_explicit(&metrics->names[rule / WEIR_CHUNK_RULES], memory_order_acquire);
    return &chunk[rule % WEIR_CHUNK_RULES];
}

struct weir_bytes weir_metrics_rule_name(const struct weir_metrics *metrics, uint32_t rule)
{
    if (rule >= atomic_load_explicit(&metrics->rules, memory_order_acquire)) {
        return weir_bytes(NULL, 0);
    }
    const struct weir_rule_name *name = name_of(metrics, rule);
    return weir_bytes(name->text, name->len);
}

/* The place of a name in the index, or the empty one where it would be put. */
static uint32_t find_place(const struct weir_metrics *metrics, struct weir_bytes name)
{
    const uint32_t mask = metrics->index_places - 1;
    uint32_t place = (uint32_t)weir_hash(&metrics->secret, 0, name) & mask;
    while (metrics->index[place] != 0) {
        const struct weir_rule_name *there = name_of(metrics, metrics->index[place] - 1);
        if (there->len == name.len &&
            (name.len == 0 || memcmp(there->text, name.ptr, name.len) == 0)) {
            break;
        }
        place = (place + 1) & mask;
    }
    return place;
}

/* Twice as many places once half of them are taken. */
static bool widen_index(struct weir_metrics *metrics, uint32_t rules)
{
    if (2 * rules < metrics->index_places) {
        return true;
    }
    const uint32_t places = 2 * metrics->index_places;
    uint32_t *index = take(places * sizeof(index[0]), _Alignof(uint32_t));
    if (index == NULL) {
        return false;
    }
    give_back(metrics->index, metrics->index_places * sizeof(index[0]));
    metrics->index = index;
    metrics->index_places = places;
    for (uint32_t i = 0; i < rules; i++) {
        const struct weir_rule_name *name = name_of(metrics, i);
        metrics->index[find_place(metrics, weir_bytes(name->text, name->len))] = i + 1;
    }
    return true;
}

/* A chunk for the names, and one in each tally. What is made before memory runs out stays for the
 * next attempt. */
static bool make_room(struct weir_metrics *metrics, uint32_t rule)
{
    const uint32_t number = rule / WEIR_CHUNK_RULES;
    if (atomic_load_explicit(&metrics->names[number], memory_order_relaxed) == NULL) {
        struct weir_rule_name *names =
            take(WEIR_CHUNK_RULES * sizeof(names[0]), _Alignof(struct weir_rule_name));
        if (names == NULL) {
            return false;
        }
        atomic_store_explicit(&metrics->names[number], names, memory_order_release);
    }
    for (uint32_t i = 0; i < metrics->workers; i++) {
        struct weir_tally *tally = metrics->tallies[i];
        if (atomic_load_explicit(&tally->chunks[number], memory_order_relaxed) != NULL) {
            continue;
        }
        struct weir_tally_chunk *chunk = take(sizeof(*chunk), WEIR_APART);
        if (chunk == NULL) {
            return false;
        }
        atomic_store_explicit(&tally->chunks[number], chunk, memory_order_release);
    }
    return true;
}

/* The next number, for a name that has none. Under the mutex. */
static uint32_t make_rule(struct weir_metrics *metrics, struct weir_bytes name)
{
    const uint32_t rule = atomic_load_explicit(&metrics->rules, memory_order_relaxed);
    if (rule > WEIR_METRIC_RULES_MAX) {
        return 0;
    }
    if (!widen_index(metrics, rule) || !make_room(metrics, rule)) {
        return UINT32_MAX;
    }
    char *text = take(name.len + 1, 1);
    if (text == NULL) {
        return UINT32_MAX;
    }
    if (name.len > 0) {
        memcpy(text, name.ptr, name.len);
    }
    *name_of(metrics, rule) = (struct weir_rule_name){text, name.len};
    metrics->index[find_place(metrics, name)] = rule + 1;
    atomic_store_explicit(&metrics->rules, rule + 1, memory_order_release);
    return rule;
}

uint32_t weir_metrics_rule(struct weir_metrics *metrics, struct weir_bytes name)
{
    weir_lock(&metrics->mutex);
    const uint32_t found = metrics->index[find_place(metrics, name)];
    const uint32_t rule = found != 0 ? found - 1 : make_rule(metrics, name);
    weir_unlock(&metrics->mutex);
    return rule;
}

/* ---- All of it ---------------------------------------------------------------------------- */

/* A list of each worker's own is set aside for the rules that get none; half of the memory at the
 * most. What is left is for lists of rules. */
static void share_out_memory(struct weir_metrics *metrics, uint32_t top)
{
    metrics->top = top < WEIR_METRIC_TOP_MAX ? top : WEIR_METRIC_TOP_MAX;
    if (metrics->top == 0) {
        return;
    }
    const uint64_t half = WEIR_METRIC_TOP_BYTES_MAX / 2;
    metrics->shared_top = SHARED_TOP;
    while (metrics->shared_top > 1 &&
           metrics->workers * weir_top_bytes(metrics->shared_top) > half) {
        metrics->shared_top /= 2;
    }
    const uint64_t shared = metrics->workers * weir_top_bytes(metrics->shared_top);
    atomic_init(&metrics->top_bytes_left, shared < WEIR_METRIC_TOP_BYTES_MAX
                                              ? (int64_t)(WEIR_METRIC_TOP_BYTES_MAX - shared)
                                              : 0);
}

static bool fill(struct weir_metrics *metrics)
{
    metrics->tallies = take(metrics->workers * sizeof(void *), _Alignof(void *));
    metrics->index_places = INDEX_PLACES_FIRST;
    metrics->index = take(INDEX_PLACES_FIRST * sizeof(metrics->index[0]), _Alignof(uint32_t));
    if (metrics->tallies == NULL || metrics->index == NULL ||
        getrandom(&metrics->secret, sizeof(metrics->secret), 0) != sizeof(metrics->secret)) {
        return false;
    }
    for (uint32_t i = 0; i < metrics->workers; i++) {
        metrics->tallies[i] = make_tally(metrics);
        if (metrics->tallies[i] == NULL) {
            return false;
        }
    }
    return weir_metrics_rule(metrics, weir_text(WEIR_RULE_OTHER)) == 0;
}

struct weir_metrics *weir_metrics_new(uint32_t workers, uint32_t top)
{
    assert(workers > 0);
    struct weir_metrics *metrics = take(sizeof(*metrics), _Alignof(struct weir_metrics));
    if (metrics == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&metrics->mutex, NULL) != 0) {
        give_back(metrics, sizeof(*metrics));
        return NULL;
    }
    metrics->workers = workers;
    share_out_memory(metrics, top);
    if (!fill(metrics)) {
        weir_metrics_free(metrics);
        return NULL;
    }
    return metrics;
}

static void free_names(struct weir_metrics *metrics)
{
    const uint32_t rules = atomic_load_explicit(&metrics->rules, memory_order_relaxed);
    for (uint32_t i = 0; i < rules; i++) {
        struct weir_rule_name *name = name_of(metrics, i);
        give_back(name->text, name->len + 1);
    }
    for (uint32_t i = 0; i < WEIR_CHUNKS; i++) {
        give_back(atomic_load_explicit(&metrics->names[i], memory_order_relaxed),
                  WEIR_CHUNK_RULES * sizeof(struct weir_rule_name));
    }
}

void weir_metrics_free(struct weir_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    for (uint32_t i = 0; metrics->tallies != NULL && i < metrics->workers; i++) {
        free_tally(metrics->tallies[i]);
    }
    give_back(metrics->tallies, metrics->workers * sizeof(void *));
    free_names(metrics);
    give_back(metrics->index, metrics->index_places * sizeof(metrics->index[0]));
    weir_lock_deinit(&metrics->mutex);
    give_back(metrics, sizeof(*metrics));
}
