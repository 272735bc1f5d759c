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
#include "store/whole.h"

#include <assert.h>
#include <string.h>

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
        return self->logs != NULL ? weir_logs_decide(self->logs, hash, ask, ret_decision)
                                  : WEIR_ERR_UNSUPPORTED;
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
        ret_decision->failure = 0;
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
    /* The state first: once it is gone no check is denied by it, so that nearly none starts a block
     * between the two. */
    enum weir_status status = WEIR_OK;
    if (ask->limit->algorithm == WEIR_SLIDING_LOG) {
        status = weir_logs_decide(self->logs, hash, ask, ret_decision);
    } else {
        weir_table_forget(place);
    }
    weir_table_forget(weir_place_of_block(place));
    return status;
}

static enum weir_status table_decide(struct weir_store *store, const struct weir_ask *ask,
                                     struct weir_decision *ret_decision)
{
    struct weir_table_store *self = table_store_of(store);
    const uint64_t hash = weir_hash_from(&self->table.start, ask->limit->salt, ask->key);
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

/* What a cost of 1 comes to, of a bucket without a block; false where `state` is not to be taken as
 * it stands. */
struct bucket_outcome {
    struct weir_span before;
    struct weir_span after;
    bool allowed;
};

static inline __attribute__((always_inline)) bool bucket_decide(const struct weir_limit *limit,
                                                                struct weir_state state,
                                                                int64_t now_us,
                                                                struct bucket_outcome *ret_outcome)
{
    const struct weir_rate *rate = &limit->rate;
    const struct weir_span depth = {rate->depth_us, rate->depth_part};
    const struct weir_span interval = {rate->interval_us, rate->interval_part};
    if (__builtin_expect(!weir_bucket_sound(limit, state, now_us), 0)) {
        return false;
    }
    const bool idle = state.until_us < now_us;
    const struct weir_span before = {idle ? 0 : state.until_us - now_us, idle ? 0 : state.payload};
    const struct weir_span after = weir_span_add(rate, before, interval);
    *ret_outcome = (struct bucket_outcome){before, after, !weir_span_exceeds(after, depth)};
    return true;
}

static inline __attribute__((always_inline)) bool bucket_swap(struct weir_pair *slot,
                                                              struct weir_pair value, uint64_t tag,
                                                              const struct bucket_outcome *outcome,
                                                              int64_t now_us)
{
    const struct weir_state next = weir_bucket_state(outcome->after, now_us);
    return W_SWAP(slot, value, weir_slot_pack_fine(tag, next));
}

_Static_assert(offsetof(struct weir_decision, limit) == sizeof(uint64_t),
               "the first word of a decision is allowed, blocked, failure and source");

static inline __attribute__((always_inline)) void bucket_admitted(
    const struct weir_table_store *self, const struct weir_limit *limit,
    const struct bucket_outcome *outcome, struct weir_decision *ret_decision)
{
    const struct weir_rate *rate = &limit->rate;
    const struct weir_span depth = {rate->depth_us, rate->depth_part};
    memcpy(ret_decision, &self->admitted, sizeof(self->admitted));
    ret_decision->limit = limit->ceiling;
    ret_decision->remaining = weir_rate_intervals(rate, weir_span_sub(rate, depth, outcome->after));
    ret_decision->retry_after_us = 0;
    ret_decision->reset_after_us = weir_span_ceil(outcome->after);
    ret_decision->delay_us =
        limit->algorithm == WEIR_LEAKY_BUCKET ? weir_span_ceil(outcome->before) : 0;
}

static void bucket_denied(const struct weir_table_store *self, const struct weir_limit *limit,
                          const struct bucket_outcome *outcome, struct weir_decision *ret_decision)
{
    const struct weir_rate *rate = &limit->rate;
    const struct weir_span depth = {rate->depth_us, rate->depth_part};
    *ret_decision = (struct weir_decision){
        .source = self->source,
        .limit = limit->ceiling,
        .remaining = weir_bucket_left(rate, outcome->before),
        .retry_after_us = weir_span_ceil(weir_span_sub(rate, outcome->after, depth)),
        .reset_after_us = weir_span_ceil(outcome->before),
    };
}

/* What bucket_check leaves: a key that lives in another slot than its own, a denial, a new key, a
 * swap that was lost, a clock or a limit that has changed. It needs the place only, so that the key
 * is out of the registers by then. */
static __attribute__((noinline)) enum weir_status bucket_otherwise(
    const struct weir_table_store *self, const struct weir_limit *limit, struct weir_pair *set,
    uint64_t tag, int64_t now_us, struct weir_decision *ret_decision)
{
    struct weir_pair value;
    struct bucket_outcome outcome;
    const unsigned at = weir_slot_find(set, tag, &value);
    if (at != WEIR_SET_SLOTS &&
        bucket_decide(limit, weir_slot_unpack(value, WEIR_KIND_FINE, now_us), now_us, &outcome)) {
        if (!outcome.allowed) {
            bucket_denied(self, limit, &outcome, ret_decision);
            return WEIR_OK;
        }
        if (bucket_swap(&set[at], value, tag, &outcome, now_us)) {
            bucket_admitted(self, limit, &outcome, ret_decision);
            return WEIR_OK;
        }
    }
    const struct weir_ask ask = {.limit = limit, .cost = 1, .now_us = now_us};
    weir_table_check(&self->table, (struct weir_place){set, tag}, &ask, ret_decision);
    ret_decision->source = self->source;
    ret_decision->blocked = false;
    ret_decision->failure = 0;
    return WEIR_OK;
}

/* The hot path: a cost of 1, admitted, from a bucket without a block, by a key that lives in its
 * own slot. No loop, no call, and little that lives from one end to the other, so that all of it
 * stays in registers. It counts: the fewer instructions a decision takes, the further the processor
 * looks ahead, and on a table larger than the caches it then fetches the next key's line while it
 * waits for this one's (docs/decisions/0004). The answer is stored after the swap, as a locked
 * instruction waits for every store before it. It only glances at the slot: the swap makes sure of
 * what it saw. */
static inline __attribute__((always_inline)) enum weir_status bucket_check(
    const struct weir_table_store *self, struct weir_place place, const struct weir_limit *limit,
    int64_t now_us, struct weir_decision *ret_decision)
{
    struct weir_pair *slot = &place.set[weir_slot_own(place.tag)];
    const struct weir_pair value = weir_slot_glance(slot);
    struct bucket_outcome outcome;
    if (__builtin_expect(weir_slot_lives(value.low, place.tag), 1) &&
        __builtin_expect(
            bucket_decide(limit, weir_slot_unpack(value, WEIR_KIND_FINE, now_us), now_us, &outcome),
            1) &&
        __builtin_expect(outcome.allowed, 1) &&
        __builtin_expect(bucket_swap(slot, value, place.tag, &outcome, now_us), 1)) {
        bucket_admitted(self, limit, &outcome, ret_decision);
        return WEIR_OK;
    }
    return bucket_otherwise(self, limit, place.set, place.tag, now_us, ret_decision);
}

/* Every limit but a bucket without a block. */
static __attribute__((noinline)) enum weir_status check_other(struct weir_store *store,
                                                              const struct weir_limit *limit,
                                                              struct weir_bytes key, int64_t now_us,
                                                              struct weir_decision *ret_decision)
{
    const struct weir_ask ask = {limit, key, 1, now_us, WEIR_VERB_CHECK};
    return table_decide(store, &ask, ret_decision);
}

/* A bucket without a block that whole.h does not decide by itself. It needs the place only, so that
 * the key is out of the registers by then; and a caller that ends with it needs none of its own. */
static __attribute__((noinline)) enum weir_status plain_check(const struct weir_table_store *self,
                                                              const struct weir_limit *limit,
                                                              struct weir_place place,
                                                              int64_t now_us,
                                                              struct weir_decision *ret_decision)
{
    if (limit->whole && weir_whole_deny(place, limit, now_us, ret_decision)) {
        ret_decision->source = self->source;
        return WEIR_OK;
    }
    return bucket_check(self, place, limit, now_us, ret_decision);
}

static enum weir_status table_check_one(struct weir_store *store, const struct weir_limit *limit,
                                        struct weir_bytes key, int64_t now_us,
                                        struct weir_decision *ret_decision)
{
    const struct weir_table_store *self = table_store_of(store);
    if (__builtin_expect(!limit->plain, 0)) {
        return check_other(store, limit, key, now_us, ret_decision);
    }
    const uint64_t hash = weir_hash_from(&self->table.start, limit->salt, key);
    const struct weir_place place = weir_table_place(&self->table, hash);
    if (__builtin_expect(limit->whole, 1) &&
        __builtin_expect(weir_whole_take(place, limit, now_us, self->admitted, ret_decision), 1)) {
        return WEIR_OK;
    }
    return plain_check(self, limit, place, now_us, ret_decision);
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
            hashes[i] = weir_hash_from(&self->table.start, request->limit->salt, request->key);
            places[i] = weir_table_place(&self->table, hashes[i]);
            weir_place_prefetch(&places[i]);
        }
        for (size_t i = 0; i < chunk; i++) {
            const struct weir_request *request = &requests[from + i];
            struct weir_decision *decision = &ret_decisions[from + i];
            const bool plain = request->cost == 1 && request->limit->plain;
            if (plain && request->limit->whole &&
                weir_whole_take(places[i], request->limit, now_us, self->admitted, decision)) {
                continue;
            }
            if (plain) {
                (void)plain_check(self, request->limit, places[i], now_us, decision);
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
    .check_one = table_check_one,
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
    const struct weir_decision admitted = {.allowed = true, .source = source};
    memcpy(&self->admitted, &admitted, sizeof(self->admitted));
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
