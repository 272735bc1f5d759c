/* engine.c - the whole way of a request, in one file: look at what was asked, ask the store,
 * answer.
 *
 * One request is one question to the store. Requests that must pass together are asked in an order
 * that disturbs least: first all are only looked at, and if any would be denied, the deniers are
 * asked for real (a denial may start a block) and nobody else is touched. Only when all look well
 * are they taken, one by one; where another thread came between and one is denied after all, those
 * already taken are given back. A thread that is put aside just there, for longer than a limit
 * takes to forget the cost by itself, gives back what others have used meanwhile, once
 * (docs/CONCURRENCY.md). */

#include "engine/engine.h"

#include "algo/algo.h"
#include "engine/clock.h"

#include <assert.h>
#include <string.h>

static inline enum weir_status admissible(const struct weir *weir, const struct weir_limit *limit,
                                          struct weir_bytes key)
{
    if (__builtin_expect(key.len > WEIR_KEY_MAX, 0)) {
        return WEIR_ERR_KEY_LENGTH;
    }
    if (__builtin_expect((weir->store->algorithms >> limit->algorithm & 1) == 0, 0)) {
        return WEIR_ERR_UNSUPPORTED;
    }
    return WEIR_OK;
}

/* The time to hand to the store: the system's, unless the store has a clock of its own. */
static enum weir_status resolve_time(const struct weir *weir, int64_t now_us, int64_t *ret_now_us)
{
    if (now_us == WEIR_CLOCK && weir->store->own_clock) {
        *ret_now_us = WEIR_CLOCK;
        return WEIR_OK;
    }
    return weir_clock_resolve(now_us, ret_now_us);
}

static inline enum weir_status ask_store(struct weir *weir, struct weir_ask *ask, int64_t now_us,
                                         struct weir_decision *ret_decision)
{
    assert(weir != NULL && ask->limit != NULL);
    enum weir_status status = resolve_time(weir, now_us, &ask->now_us);
    if (status == WEIR_OK) {
        status = admissible(weir, ask->limit, ask->key);
    }
    return status == WEIR_OK ? weir->store->ops->decide(weir->store, ask, ret_decision) : status;
}

/* Cost 0 only looks, and what it looks for is a cost of 1. */
static inline struct weir_ask question(enum weir_verb verb, const struct weir_limit *limit,
                                       struct weir_bytes key, uint64_t cost)
{
    return (struct weir_ask){
        .limit = limit,
        .key = key,
        .cost = cost > 0 ? cost : 1,
        .verb = cost > 0 ? verb : WEIR_VERB_PEEK,
    };
}

/* Every check but the commonest, apart, so that the latter needs no stack. Once the clock is read
 * it may be that one after all. */
static __attribute__((noinline)) enum weir_status check_any(struct weir *weir,
                                                            const struct weir_limit *limit,
                                                            struct weir_bytes key, uint64_t cost,
                                                            int64_t now_us,
                                                            struct weir_decision *ret_decision)
{
    struct weir_ask ask = question(WEIR_VERB_CHECK, limit, key, cost);
    if (cost == 1 && key.len <= WEIR_KEY_MAX) {
        enum weir_status status = resolve_time(weir, now_us, &now_us);
        return status == WEIR_OK
                   ? weir->store->ops->check_one(weir->store, limit, key, now_us, ret_decision)
                   : status;
    }
    return ask_store(weir, &ask, now_us, ret_decision);
}

enum weir_status weir_check(struct weir *weir, const struct weir_limit *limit,
                            struct weir_bytes key, uint64_t cost, int64_t now_us,
                            struct weir_decision *ret_decision)
{
    assert(weir != NULL && limit != NULL && ret_decision != NULL);
    if (__builtin_expect(cost == 1 && key.len <= WEIR_KEY_MAX &&
                             (uint64_t)now_us <= (uint64_t)WEIR_TIME_MAX,
                         1)) {
        return weir->store->ops->check_one(weir->store, limit, key, now_us, ret_decision);
    }
    return check_any(weir, limit, key, cost, now_us, ret_decision);
}

enum weir_status weir_peek(struct weir *weir, const struct weir_limit *limit, struct weir_bytes key,
                           uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    assert(ret_decision != NULL);
    struct weir_ask ask = question(WEIR_VERB_PEEK, limit, key, cost);
    return ask_store(weir, &ask, now_us, ret_decision);
}

enum weir_status weir_refund(struct weir *weir, const struct weir_limit *limit,
                             struct weir_bytes key, uint64_t cost, int64_t now_us,
                             struct weir_decision *ret_decision)
{
    struct weir_decision unwanted;
    struct weir_ask ask = question(WEIR_VERB_REFUND, limit, key, cost);
    return ask_store(weir, &ask, now_us, ret_decision != NULL ? ret_decision : &unwanted);
}

enum weir_status weir_reset(struct weir *weir, const struct weir_limit *limit,
                            struct weir_bytes key)
{
    struct weir_decision unwanted;
    struct weir_ask ask = question(WEIR_VERB_RESET, limit, key, 1);
    return ask_store(weir, &ask, 0, &unwanted);
}

/* ---- All or none ---- */

static bool same_bytes(struct weir_bytes a, struct weir_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Whether no two of them have different limits over one state. */
static enum weir_status all_apart(const struct weir_request *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (requests[i].limit != requests[j].limit &&
                requests[i].limit->salt == requests[j].limit->salt &&
                same_bytes(requests[i].key, requests[j].key)) {
                return WEIR_ERR_SAME_STATE;
            }
        }
    }
    return WEIR_OK;
}

enum weir_status weir_engine_admissible(const struct weir *weir,
                                        const struct weir_request *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(requests[i].limit != NULL);
        enum weir_status status = admissible(weir, requests[i].limit, requests[i].key);
        if (status != WEIR_OK) {
            return status;
        }
    }
    return WEIR_OK;
}

enum weir_status weir_engine_all_admissible(const struct weir *weir,
                                            const struct weir_request *requests, size_t count)
{
    if (count < 1 || count > WEIR_CHECK_ALL_MAX) {
        return WEIR_ERR_ARGUMENT;
    }
    enum weir_status status = weir_engine_admissible(weir, requests, count);
    return status == WEIR_OK ? all_apart(requests, count) : status;
}

static enum weir_status ask_one(struct weir *weir, const struct weir_request *request,
                                enum weir_verb verb, int64_t now_us,
                                struct weir_decision *ret_decision)
{
    struct weir_ask ask = question(verb, request->limit, request->key, request->cost);
    ask.now_us = now_us;
    return weir->store->ops->decide(weir->store, &ask, ret_decision);
}

/* Looks at all; the answer is the index of the first that would be denied, or `count`. */
static enum weir_status look_at_all(struct weir *weir, const struct weir_request *requests,
                                    size_t count, int64_t now_us, struct weir_decision *decisions,
                                    size_t *ret_denied)
{
    size_t denied = count;
    for (size_t i = 0; i < count; i++) {
        enum weir_status status =
            ask_one(weir, &requests[i], WEIR_VERB_PEEK, now_us, &decisions[i]);
        if (status != WEIR_OK) {
            return status;
        }
        if (!decisions[i].allowed && denied == count) {
            denied = i;
        }
    }
    *ret_denied = denied;
    return WEIR_OK;
}

/* Gives back what requests [0, end) took. A refund cannot fail where a check has succeeded. */
static void give_back(struct weir *weir, const struct weir_request *requests, size_t end,
                      int64_t now_us)
{
    struct weir_decision unwanted;
    for (size_t i = 0; i < end; i++) {
        if (requests[i].cost > 0) {
            enum weir_status status =
                ask_one(weir, &requests[i], WEIR_VERB_REFUND, now_us, &unwanted);
            assert(status == WEIR_OK);
            (void)status;
        }
    }
}

/* Takes all, or gives back what it took; the answer is as for look_at_all. */
static enum weir_status take_all(struct weir *weir, const struct weir_request *requests,
                                 size_t count, int64_t now_us, struct weir_decision *decisions,
                                 size_t *ret_denied)
{
    enum weir_status status = WEIR_OK;
    size_t i = 0;
    for (; i < count; i++) {
        status = ask_one(weir, &requests[i], WEIR_VERB_CHECK, now_us, &decisions[i]);
        if (status != WEIR_OK || !decisions[i].allowed) {
            break;
        }
    }
    *ret_denied = i;
    if (i < count) {
        give_back(weir, requests, i, now_us);
    }
    return status;
}

/* Asks those for real that a look found denied, as a denial may start a block, and takes nothing:
 * one that is admitted after all, since something was given back meanwhile, is given back itself.
 */
static enum weir_status deny(struct weir *weir, const struct weir_request *requests, size_t count,
                             int64_t now_us, struct weir_decision *decisions)
{
    for (size_t i = 0; i < count; i++) {
        if (decisions[i].allowed) {
            continue;
        }
        struct weir_decision decision;
        const bool starts_block = requests[i].limit->block_us > 0;
        enum weir_status status = ask_one(
            weir, &requests[i], starts_block ? WEIR_VERB_CHECK : WEIR_VERB_MEND, now_us, &decision);
        if (status != WEIR_OK) {
            return status;
        }
        if (!decision.allowed) {
            decisions[i] = decision;
        } else if (starts_block) {
            give_back(weir, &requests[i], 1, now_us);
        }
    }
    return WEIR_OK;
}

enum weir_status weir_check_all(struct weir *weir, const struct weir_request *requests,
                                size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                                size_t *ret_denied)
{
    assert(weir != NULL && requests != NULL && ret_decisions != NULL);
    struct weir_decision decisions[WEIR_CHECK_ALL_MAX];
    size_t denied = 0;
    enum weir_status status = weir_engine_all_admissible(weir, requests, count);
    if (status == WEIR_OK) {
        status = resolve_time(weir, now_us, &now_us);
    }
    if (status == WEIR_OK && weir->store->ops->all != NULL) {
        return weir->store->ops->all(weir->store, requests, count, now_us, ret_decisions,
                                     ret_denied);
    }
    if (status == WEIR_OK) {
        status = look_at_all(weir, requests, count, now_us, decisions, &denied);
    }
    if (status == WEIR_OK && denied == count) {
        status = take_all(weir, requests, count, now_us, decisions, &denied);
        if (status == WEIR_OK && denied < count) {
            struct weir_decision denial = decisions[denied];
            size_t seen = count;
            status = look_at_all(weir, requests, count, now_us, decisions, &seen);
            decisions[denied] = denial;
            denied = seen < denied ? seen : denied;
        }
    } else if (status == WEIR_OK) {
        status = deny(weir, requests, count, now_us, decisions);
    }
    if (status != WEIR_OK) {
        return status;
    }
    memcpy(ret_decisions, decisions, count * sizeof(decisions[0]));
    if (ret_denied != NULL) {
        *ret_denied = denied;
    }
    return WEIR_OK;
}

/* ---- Many at once, and waiting ---- */

enum weir_status weir_check_batch(struct weir *weir, const struct weir_request *requests,
                                  size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                                  size_t *ret_done)
{
    assert(weir != NULL && (count == 0 || (requests != NULL && ret_decisions != NULL)));
    size_t done = 0;
    enum weir_status status = resolve_time(weir, now_us, &now_us);
    if (status == WEIR_OK) {
        status = weir_engine_admissible(weir, requests, count);
    }
    if (status == WEIR_OK) {
        status =
            weir->store->ops->batch(weir->store, requests, count, now_us, ret_decisions, &done);
    }
    if (ret_done != NULL) {
        *ret_done = done;
    }
    return status;
}

/* Looks first, so that waiting starts no block; asks only when it looks as if it would pass. The
 * look mends what a set-back clock left ahead, or the wait would be as long as that. */
static enum weir_status look_then_ask(struct weir *weir, const struct weir_limit *limit,
                                      struct weir_bytes key, uint64_t cost,
                                      struct weir_decision *ret_decision)
{
    int64_t now_us;
    enum weir_status status = resolve_time(weir, WEIR_CLOCK, &now_us);
    if (status == WEIR_OK) {
        struct weir_ask ask = question(WEIR_VERB_MEND, limit, key, cost);
        status = ask_store(weir, &ask, now_us, ret_decision);
    }
    if (status == WEIR_OK && ret_decision->allowed) {
        status = weir_check(weir, limit, key, cost, now_us, ret_decision);
    }
    return status;
}

enum weir_status weir_acquire(struct weir *weir, const struct weir_limit *limit,
                              struct weir_bytes key, uint64_t cost, int64_t timeout_us,
                              struct weir_decision *ret_decision)
{
    assert(ret_decision != NULL);
    if (timeout_us < 0 || timeout_us > WEIR_PERIOD_MAX) {
        return WEIR_ERR_ARGUMENT;
    }
    const int64_t deadline_us = weir_clock_monotonic() + timeout_us;
    for (;;) {
        struct weir_decision decision;
        enum weir_status status = look_then_ask(weir, limit, key, cost, &decision);
        if (status != WEIR_OK) {
            return status;
        }
        const int64_t until_us = deadline_us - weir_clock_monotonic();
        const int64_t left_us = until_us > 0 ? until_us : 0;
        const int64_t turn_us = decision.delay_us;
        if (decision.allowed && turn_us > left_us) {
            /* Its turn in the queue would come too late: it leaves the queue again. */
            if (cost > 0) {
                status = weir_refund(weir, limit, key, cost, WEIR_CLOCK, &decision);
            }
            if (status != WEIR_OK) {
                return status;
            }
            decision.allowed = false;
            decision.retry_after_us = turn_us;
            decision.delay_us = 0;
            *ret_decision = decision;
            return WEIR_OK;
        }
        if (decision.allowed || decision.retry_after_us > left_us) {
            weir_clock_sleep(decision.allowed ? decision.delay_us : 0);
            *ret_decision = decision;
            return WEIR_OK;
        }
        weir_clock_sleep(decision.retry_after_us);
    }
}

enum weir_status weir_stats(struct weir *weir, int64_t now_us, struct weir_stats *ret_stats)
{
    assert(weir != NULL && ret_stats != NULL);
    if (ret_stats->size < sizeof(ret_stats->size)) {
        return WEIR_ERR_ARGUMENT;
    }
    enum weir_status status = resolve_time(weir, now_us, &now_us);
    if (status != WEIR_OK) {
        return status;
    }
    struct weir_stats stats = {0};
    weir->store->ops->stats(weir->store, now_us, &stats);
    stats.size = ret_stats->size < sizeof(stats) ? ret_stats->size : sizeof(stats);
    memcpy(ret_stats, &stats, stats.size);
    return WEIR_OK;
}
