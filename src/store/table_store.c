/* table_store.c - how a question is put to a table: the key's own state, its block, and where it
 * lives.
 *
 * The order matters in one place. A block is looked at first; then the key's own state decides, and
 * a denial starts the block. Two threads may so find a key not blocked, be denied by its state, and
 * both start the block: one of them makes it, the other finds it running, which is as if it came
 * second. */

#include "store/table_store.h"

#include "algo/token_bucket.h"
#include "base/alloc.h"

#include <assert.h>

/* How many requests of a batch are under way at once: enough to hide the memory's latency behind
 * one another, few enough for the processor's fetch buffers. */
#define BATCH 32

static struct weir_table_store *table_store_of(struct weir_store *store)
{
    return (struct weir_table_store *)(void *)store;
}

/* What the key's own state says, blocks apart. */
static enum weir_status own_decide(struct weir_table_store *self, struct weir_place place,
                                   uint64_t hash, const struct weir_ask *ask,
                                   struct weir_decision *ret_decision)
{
    if (ask->limit->algorithm == WEIR_SLIDING_LOG) {
        return weir_logs_decide(self->logs, hash, ask, ret_decision);
    }
    weir_table_check(&self->table, place, ask, ret_decision);
    return WEIR_OK;
}

static enum weir_status decide_with_block(struct weir_table_store *self, struct weir_place place,
                                          uint64_t hash, const struct weir_ask *ask,
                                          struct weir_decision *ret_decision)
{
    const struct weir_place block = weir_place_of_block(place);
    const bool check = ask->verb == WEIR_VERB_CHECK;
    /* A cost that can never fit writes nothing at all. */
    const bool mend = ask->verb != WEIR_VERB_PEEK && ask->cost <= ask->limit->ceiling;
    int64_t until_us = weir_table_blocked_until(block, ask->limit, ask->now_us, mend);
    struct weir_ask own = *ask;
    if (until_us > ask->now_us) {
        own.verb = mend ? WEIR_VERB_MEND : WEIR_VERB_PEEK;
    }
    struct weir_decision decision = {.source = self->source};
    enum weir_status status = own_decide(self, place, hash, &own, &decision);
    if (status != WEIR_OK) {
        return status;
    }
    if (until_us <= ask->now_us && check && !decision.allowed &&
        decision.retry_after_us != WEIR_NEVER) {
        until_us = weir_table_block(&self->table, block, ask->limit, ask->now_us);
    }
    if (until_us > ask->now_us) {
        weir_block_decide(until_us, ask->now_us, &decision);
    }
    *ret_decision = decision;
    return WEIR_OK;
}

static inline enum weir_status ask_at(struct weir_table_store *self, struct weir_place place,
                                      uint64_t hash, const struct weir_ask *ask,
                                      struct weir_decision *ret_decision)
{
    if (ask->limit->block_us > 0) {
        return decide_with_block(self, place, hash, ask, ret_decision);
    }
    enum weir_status status = own_decide(self, place, hash, ask, ret_decision);
    if (status == WEIR_OK) {
        ret_decision->source = self->source;
        ret_decision->blocked = false;
    }
    return status;
}

static enum weir_status refund(struct weir_table_store *self, struct weir_place place,
                               uint64_t hash, const struct weir_ask *ask,
                               struct weir_decision *ret_decision)
{
    if (ask->limit->algorithm == WEIR_SLIDING_LOG) {
        enum weir_status status = weir_logs_decide(self->logs, hash, ask, ret_decision);
        if (status != WEIR_OK) {
            return status;
        }
    } else {
        weir_table_refund(place, ask->limit, ask->cost, ask->now_us);
    }
    struct weir_ask look = *ask;
    look.verb = WEIR_VERB_PEEK;
    look.cost = 1;
    return ask_at(self, place, hash, &look, ret_decision);
}

static enum weir_status reset(struct weir_table_store *self, struct weir_place place, uint64_t hash,
                              const struct weir_ask *ask, struct weir_decision *ret_decision)
{
    weir_table_forget(weir_place_of_block(place));
    if (ask->limit->algorithm == WEIR_SLIDING_LOG) {
        return weir_logs_decide(self->logs, hash, ask, ret_decision);
    }
    weir_table_forget(place);
    return WEIR_OK;
}

static enum weir_status table_decide(struct weir_store *store, const struct weir_ask *ask,
                                     struct weir_decision *ret_decision)
{
    struct weir_table_store *self = table_store_of(store);
    const uint64_t hash = weir_hash(&self->table.secret, ask->limit->salt, ask->key);
    const struct weir_place place = weir_table_place(&self->table, hash);
    weir_place_prefetch(&place);
    switch (ask->verb) {
    case WEIR_VERB_CHECK:
    case WEIR_VERB_PEEK:
    case WEIR_VERB_MEND:
        return ask_at(self, place, hash, ask, ret_decision);
    case WEIR_VERB_REFUND:
        return refund(self, place, hash, ask, ret_decision);
    case WEIR_VERB_RESET:
        return reset(self, place, hash, ask, ret_decision);
    }
    assert(false && "a verb that is none");
    return WEIR_ERR_ARGUMENT;
}

/* A bucket without a block, of a key that is there: one look, one step, one swap, and no loop, so
 * that everything stays in registers. False where that did not do. */
static inline __attribute__((always_inline)) bool bucket_check(const struct weir_table_store *self,
                                                               struct weir_place place,
                                                               const struct weir_limit *limit,
                                                               uint64_t cost, int64_t now_us,
                                                               struct weir_decision *ret_decision)
{
    struct weir_pair value;
    const unsigned at = weir_slot_find(place.set, place.tag, &value);
    if (__builtin_expect(at == WEIR_SET_SLOTS, 0)) {
        return false;
    }
    const struct weir_state state = weir_slot_unpack(value, WEIR_KIND_FINE, now_us);
    const struct weir_bucket_turn turn = weir_bucket_turn(limit, state, now_us, cost);
    const struct weir_step step = weir_bucket_next(&turn, now_us, true);
    if (__builtin_expect(step.write, 1) &&
        !W_SWAP(&place.set[at], value,
                weir_slot_pack(place.tag, WEIR_KIND_FINE, step.next, now_us))) {
        return false;
    }
    weir_bucket_answer(limit, &turn, true, ret_decision);
    ret_decision->source = self->source;
    ret_decision->blocked = false;
    return true;
}

static inline bool is_plain_bucket(const struct weir_limit *limit)
{
    return limit->algorithm <= WEIR_LEAKY_BUCKET && limit->block_us == 0;
}

/* What was not decided in one go, from the start: a key that is new, a swap that was lost, another
 * algorithm. */
static __attribute__((noinline)) enum weir_status table_check_slowly(
    struct weir_store *store, const struct weir_limit *limit, struct weir_bytes key, uint64_t cost,
    int64_t now_us, struct weir_decision *ret_decision)
{
    const struct weir_ask ask = {limit, key, cost, now_us, WEIR_VERB_CHECK};
    return table_decide(store, &ask, ret_decision);
}

static enum weir_status table_check(struct weir_store *store, const struct weir_limit *limit,
                                    struct weir_bytes key, uint64_t cost, int64_t now_us,
                                    struct weir_decision *ret_decision)
{
    struct weir_table_store *self = table_store_of(store);
    if (__builtin_expect(is_plain_bucket(limit), 1)) {
        const uint64_t hash = weir_hash(&self->table.secret, limit->salt, key);
        const struct weir_place place = weir_table_place(&self->table, hash);
        weir_place_prefetch(&place);
        if (__builtin_expect(bucket_check(self, place, limit, cost, now_us, ret_decision), 1)) {
            return WEIR_OK;
        }
    }
    return table_check_slowly(store, limit, key, cost, now_us, ret_decision);
}

/* Hashes a whole chunk and asks for its memory before the first of it is decided. */
static enum weir_status table_batch(struct weir_store *store, const struct weir_request *requests,
                                    size_t count, int64_t now_us,
                                    struct weir_decision *ret_decisions, size_t *ret_done)
{
    struct weir_table_store *self = table_store_of(store);
    struct weir_place places[BATCH];
    uint64_t hashes[BATCH];
    for (size_t from = 0; from < count; from += BATCH) {
        const size_t chunk = count - from < BATCH ? count - from : BATCH;
        for (size_t i = 0; i < chunk; i++) {
            const struct weir_request *request = &requests[from + i];
            hashes[i] = weir_hash(&self->table.secret, request->limit->salt, request->key);
            places[i] = weir_table_place(&self->table, hashes[i]);
            weir_place_prefetch(&places[i]);
        }
        for (size_t i = 0; i < chunk; i++) {
            const struct weir_request *request = &requests[from + i];
            struct weir_decision *decision = &ret_decisions[from + i];
            if (request->cost > 0 && is_plain_bucket(request->limit) &&
                bucket_check(self, places[i], request->limit, request->cost, now_us, decision)) {
                continue;
            }
            const struct weir_ask ask = {
                .limit = request->limit,
                .key = request->key,
                .cost = request->cost > 0 ? request->cost : 1,
                .now_us = now_us,
                .verb = request->cost > 0 ? WEIR_VERB_CHECK : WEIR_VERB_PEEK,
            };
            enum weir_status status = ask_at(self, places[i], hashes[i], &ask, decision);
            if (status != WEIR_OK) {
                *ret_done = from + i;
                return status;
            }
        }
    }
    *ret_done = count;
    return WEIR_OK;
}

static void table_stats(struct weir_store *store, int64_t now_us, struct weir_stats *ret_stats)
{
    struct weir_table_store *self = table_store_of(store);
    weir_table_stats(&self->table, now_us, ret_stats);
    if (self->logs != NULL) {
        weir_logs_stats(self->logs, ret_stats);
    }
}

static void table_close(struct weir_store *store)
{
    weir_table_store_free(table_store_of(store));
}

static const struct weir_store_ops table_ops = {
    .check = table_check,
    .decide = table_decide,
    .batch = table_batch,
    .stats = table_stats,
    .close = table_close,
};

struct weir_table_store *weir_table_store_new(const struct weir_allocator *allocator,
                                              enum weir_source source)
{
    const struct weir_allocator *from = weir_allocator_or_default(allocator);
    struct weir_table_store *self = weir_alloc(from, sizeof(*self), _Alignof(max_align_t));
    if (self == NULL) {
        return NULL;
    }
    self->store.ops = &table_ops;
    self->store.algorithms = WEIR_ALGORITHMS_FLAT;
    self->source = source;
    self->own_allocator = *from;
    self->allocator = &self->own_allocator;
    return self;
}

void weir_table_store_free(struct weir_table_store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->logs != NULL) {
        weir_logs_close(store->logs);
    }
    if (store->release_memory != NULL) {
        store->release_memory(store);
    }
    const struct weir_allocator allocator = store->own_allocator;
    weir_release(&allocator, store, sizeof(*store));
}
