/* log_parts.c - see log_parts.h. */

#include "unit/store/log_parts.h"

#include "store/log_arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct weir_limit log_limit(uint64_t count, int64_t period_us)
{
    return (struct weir_limit){
        .algorithm = WEIR_SLIDING_LOG,
        .ceiling = count,
        .count = count,
        .period_us = period_us,
        .slack_us = period_us < WEIR_CLOCK_SLACK_US ? period_us : WEIR_CLOCK_SLACK_US,
    };
}

struct weir_logs *log_open(uint64_t bytes)
{
    struct weir_logs *logs = NULL;
    assert_int_equal(weir_logs_open(bytes, NULL, &logs), WEIR_OK);
    return logs;
}

enum weir_status log_ask(struct weir_logs *logs, uint64_t hash, struct weir_ask question,
                         struct weir_decision *ret_decision)
{
    return weir_logs_decide(logs, hash, &question, ret_decision);
}

struct weir_decision log_check(struct weir_logs *logs, const struct weir_limit *limit,
                               uint64_t hash, int64_t now_us)
{
    struct weir_decision decision;
    struct weir_ask question = {
        .limit = limit, .cost = 1, .now_us = now_us, .verb = WEIR_VERB_CHECK};
    assert_int_equal(log_ask(logs, hash, question, &decision), WEIR_OK);
    return decision;
}

struct weir_decision log_peek(struct weir_logs *logs, const struct weir_limit *limit, uint64_t hash,
                              int64_t now_us)
{
    struct weir_decision decision;
    struct weir_ask question = {
        .limit = limit, .cost = 1, .now_us = now_us, .verb = WEIR_VERB_PEEK};
    assert_int_equal(log_ask(logs, hash, question, &decision), WEIR_OK);
    return decision;
}

struct weir_stats log_stats(struct weir_logs *logs)
{
    struct weir_stats stats = {.size = sizeof(stats)};
    weir_logs_stats(logs, &stats);
    return stats;
}

/* ---- The audit ---------------------------------------------------------------------------- */

struct audit {
    const struct weir_log_stripe *stripe;
    unsigned char *seen; /* by chunk: how often it was come across */
    uint32_t logs;
    uint32_t used;
};

static void see(struct audit *audit, uint32_t id)
{
    assert_in_range(id, 1, audit->stripe->total);
    assert_int_equal(audit->seen[id], 0);
    audit->seen[id] = 1;
}

static void audit_entries(struct audit *audit, const struct weir_log *log)
{
    const struct weir_log_stripe *stripe = audit->stripe;
    uint32_t chunks = 0;
    uint64_t units = 0;
    uint64_t last_age_us = UINT64_C(1) << 48;
    uint32_t before = 0;
    for (uint32_t id = log->first; id != 0; id = stripe->chunks[id].entries.next) {
        see(audit, id);
        chunks++;
        const struct weir_log_entries *chunk = &stripe->chunks[id].entries;
        assert_int_equal(chunk->prev, before);
        before = id;
        unsigned end = id == log->last ? log->last_end : WEIR_LOG_CHUNK_ENTRIES;
        for (unsigned i = id == log->first ? log->first_at : 0; i < end; i++) {
            uint64_t age_us =
                ((uint64_t)log->newest_us - (chunk->entries[i] >> 16)) & ((UINT64_C(1) << 48) - 1);
            assert_true(age_us < last_age_us);
            assert_true(age_us < (uint64_t)log->period_us);
            last_age_us = age_us;
            assert_true((chunk->entries[i] & 0xffff) > 0);
            units += chunk->entries[i] & 0xffff;
        }
    }
    assert_int_equal(last_age_us, 0);
    assert_int_equal(before, log->last);
    assert_int_equal(chunks, log->chunks);
    assert_int_equal(units, log->units);
    assert_in_range(units, 1, WEIR_LOG_COUNT_MAX);
    audit->used += chunks + 1;
}

static void audit_ring(const struct audit *audit)
{
    const struct weir_log_stripe *stripe = audit->stripe;
    uint32_t logs = 0;
    uint32_t id = stripe->hand;
    while (id != 0) {
        logs++;
        assert_true(logs <= audit->logs);
        const struct weir_log *log = &stripe->chunks[id].log;
        assert_int_equal(stripe->chunks[log->ring_next].log.ring_prev, id);
        id = log->ring_next == stripe->hand ? 0 : log->ring_next;
    }
    assert_int_equal(logs, audit->logs);
}

static void audit_stripe(const struct weir_log_stripe *stripe)
{
    struct audit audit = {.stripe = stripe, .seen = calloc(stripe->total + 1, 1)};
    assert_non_null(audit.seen);
    for (uint64_t bucket = 0; bucket <= stripe->bucket_mask; bucket++) {
        for (uint32_t id = stripe->buckets[bucket]; id != 0;
             id = stripe->chunks[id].log.same_bucket) {
            see(&audit, id);
            audit.logs++;
            assert_int_equal(stripe->chunks[id].log.hash & stripe->bucket_mask, bucket);
            audit_entries(&audit, &stripe->chunks[id].log);
        }
    }
    audit_ring(&audit);
    assert_int_equal(audit.used, stripe->used);
    uint32_t free_chunks = 0;
    for (uint32_t id = stripe->first_free; id != 0; id = stripe->chunks[id].next_free) {
        see(&audit, id);
        free_chunks++;
    }
    free_chunks += stripe->total + 1 - stripe->fresh;
    assert_int_equal(free_chunks + audit.used, stripe->total);
    free(audit.seen);
}

/* Free and used chunks are all chunks, every link leads where it should, and the numbers are true.
 */
void log_audit(const struct weir_logs *logs)
{
    for (uint32_t i = 0; i <= logs->stripe_mask; i++) {
        audit_stripe(&logs->stripes[i]);
    }
}
