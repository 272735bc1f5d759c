/* subject_algo.c - the steps of src/algo as a subject, with the least around them that makes a key:
 * a state, a state for the block, and the order in which a store asks them. sliding-log is not
 * here, as its state is a list; the library's calls on "memory:" cover it. */

#include "algo/algo.h"
#include "prop/subject.h"

#include <assert.h>
#include <stdlib.h>

struct key {
    struct weir_limit *limit;
    struct weir_state state;
    struct weir_state block;
};

static bool holds(enum weir_algorithm algorithm)
{
    return algorithm != WEIR_SLIDING_LOG;
}

static void *open_key(void)
{
    struct key *key = calloc(1, sizeof(*key));
    assert(key != NULL);
    return key;
}

static void close_key(void *self)
{
    struct key *key = self;
    weir_limit_free(key->limit);
    free(key);
}

static void reset(void *self)
{
    struct key *key = self;
    key->state = (struct weir_state){0, 0};
    key->block = (struct weir_state){0, 0};
}

static void set_limit(void *self, const struct weir_limit_spec *spec)
{
    struct key *key = self;
    weir_limit_free(key->limit);
    enum weir_status status = weir_limit_new(spec, NULL, &key->limit, NULL);
    assert(status == WEIR_OK);
    (void)status;
}

static void peek(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    const struct key *key = self;
    struct weir_step step =
        weir_algo_step(key->limit, key->state, now_us, cost > 0 ? cost : 1, false, ret_decision);
    assert(!step.write);
    ret_decision->blocked = false;
    if (key->limit->block_us > 0) {
        struct weir_step block = weir_block_step(key->limit, key->block, now_us);
        if (block.next.until_us > now_us) {
            weir_block_decide(block.next.until_us, now_us, ret_decision);
        }
    }
}

static void take(struct key *key, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct weir_step step =
        weir_algo_step(key->limit, key->state, now_us, cost, true, ret_decision);
    if (step.write) {
        key->state = step.next;
    }
}

/* A check that a running block denies: it takes nothing, but mends what a clock set back has left.
 */
static void mend(struct key *key, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct weir_step step =
        weir_algo_step(key->limit, key->state, now_us, cost, false, ret_decision);
    if (step.clamped) {
        key->state = step.next;
    }
}

static void check(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct key *key = self;
    if (cost == 0) {
        peek(self, 1, now_us, ret_decision);
        return;
    }
    ret_decision->blocked = false;
    if (key->limit->block_us == 0) {
        take(key, cost, now_us, ret_decision);
        return;
    }
    const bool possible = cost <= key->limit->ceiling;
    struct weir_step block = weir_block_step(key->limit, key->block, now_us);
    if (block.next.until_us > now_us) {
        if (block.write && possible) {
            key->block = block.next;
        }
        mend(key, cost, now_us, ret_decision);
        weir_block_decide(block.next.until_us, now_us, ret_decision);
        return;
    }
    take(key, cost, now_us, ret_decision);
    if (!ret_decision->allowed && possible) {
        key->block = (struct weir_state){now_us + key->limit->block_us, 1};
        weir_block_decide(key->block.until_us, now_us, ret_decision);
    }
}

static void refund(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct key *key = self;
    struct weir_step step = weir_algo_refund(key->limit, key->state, now_us, cost);
    if (step.write) {
        key->state = step.next;
    }
    peek(self, 1, now_us, ret_decision);
}

const struct subject subject_algo = {
    .name = "algo",
    .holds = holds,
    .back_us = INT64_MAX,
    .forward_us = INT64_MAX,
    .open = open_key,
    .close = close_key,
    .fresh = reset,
    .limit = set_limit,
    .check = check,
    .peek = peek,
    .refund = refund,
    .reset = reset,
};
