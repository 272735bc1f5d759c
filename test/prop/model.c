/* model.c - a key of the model: its own state, its block, and the six verbs' common part.
 *
 * block: a check that is denied starts a block of the limit's `block` time, unless one is running
 * or the cost can never fit. While it runs every request is denied, and none prolongs it. The block
 * has a state of its own, to which the clock rule applies with `block` as its span; it stays,
 * unused, while the limit has none. Like any repair, that of the key's own state is written by a
 * check that is denied, also if it is the block that denies it. */

#include "prop/model.h"

#include "prop/model_parts.h"

#include <assert.h>
#include <stdlib.h>

struct model {
    struct weir_limit_spec spec;
    struct model_bucket bucket;
    struct model_window window;
    struct model_sliding sliding;
    struct model_log log;
    int64_t blocked_until_us;
};

struct model *model_new(void)
{
    struct model *model = calloc(1, sizeof(*model));
    assert(model != NULL);
    model_bucket_init(&model->bucket);
    model_sliding_init(&model->sliding);
    model_log_init(&model->log);
    return model;
}

void model_free(struct model *model)
{
    if (model == NULL) {
        return;
    }
    model_bucket_deinit(&model->bucket);
    model_sliding_deinit(&model->sliding);
    model_log_deinit(&model->log);
    free(model);
}

void model_reset(struct model *model)
{
    model_bucket_clear(&model->bucket);
    model_window_clear(&model->window);
    model_sliding_clear(&model->sliding);
    model_log_clear(&model->log);
    model->blocked_until_us = 0;
}

void model_limit(struct model *model, const struct weir_limit_spec *spec)
{
    if (spec->algorithm != model->spec.algorithm) {
        model_reset(model);
    }
    model->spec = *spec;
    if (model->spec.burst == 0) {
        model->spec.burst = spec->count;
    }
}

static struct weir_decision decide(struct model *model, const struct model_ask *ask)
{
    struct weir_decision decision = {0};
    switch (model->spec.algorithm) {
    case WEIR_TOKEN_BUCKET:
    case WEIR_LEAKY_BUCKET:
        model_bucket_decide(&model->bucket, ask, &decision);
        break;
    case WEIR_FIXED_WINDOW:
    case WEIR_CALENDAR_WINDOW:
        model_window_decide(&model->window, ask, &decision);
        break;
    case WEIR_SLIDING_WINDOW:
        model_sliding_decide(&model->sliding, ask, &decision);
        break;
    case WEIR_SLIDING_LOG:
        model_log_decide(&model->log, ask, &decision);
        break;
    }
    return decision;
}

/* The end of the block at now; true where the clock rule repaired it. */
static bool look_at_block(const struct model *model, int64_t now_us, int64_t *ret_until_us)
{
    const int64_t block_us = model->spec.block_us;
    *ret_until_us = model->blocked_until_us;
    if (block_us == 0) {
        *ret_until_us = 0;
        return false;
    }
    if (model->blocked_until_us - block_us - now_us > model_slack(block_us)) {
        *ret_until_us = now_us + block_us;
        return true;
    }
    return false;
}

/* What the block makes of a decision. */
static void deny(struct weir_decision *decision, int64_t left_us)
{
    decision->allowed = false;
    decision->blocked = true;
    decision->remaining = 0;
    decision->delay_us = 0;
    if (decision->retry_after_us < left_us) {
        decision->retry_after_us = left_us;
    }
    if (decision->reset_after_us < left_us) {
        decision->reset_after_us = left_us;
    }
}

struct weir_decision model_peek(struct model *model, uint64_t cost, int64_t now_us)
{
    const struct model_ask ask = {&model->spec, now_us, cost == 0 ? 1 : cost, false, false};
    struct weir_decision decision = decide(model, &ask);
    int64_t until_us;
    (void)look_at_block(model, now_us, &until_us);
    if (until_us > now_us) {
        deny(&decision, until_us - now_us);
    }
    return decision;
}

struct weir_decision model_check(struct model *model, uint64_t cost, int64_t now_us)
{
    if (cost == 0) {
        return model_peek(model, 1, now_us);
    }
    struct model_ask ask = {&model->spec, now_us, cost, true, true};
    int64_t until_us;
    const bool block_repaired = look_at_block(model, now_us, &until_us);
    if (until_us > now_us) {
        ask.take = false;
        struct weir_decision decision = decide(model, &ask);
        if (block_repaired && decision.retry_after_us != WEIR_NEVER) {
            model->blocked_until_us = until_us;
        }
        deny(&decision, until_us - now_us);
        return decision;
    }
    struct weir_decision decision = decide(model, &ask);
    if (!decision.allowed && decision.retry_after_us != WEIR_NEVER && model->spec.block_us > 0) {
        model->blocked_until_us = now_us + model->spec.block_us;
        deny(&decision, model->spec.block_us);
    }
    return decision;
}

struct weir_decision model_refund(struct model *model, uint64_t cost, int64_t now_us)
{
    const struct model_ask ask = {&model->spec, now_us, cost, false, false};
    switch (model->spec.algorithm) {
    case WEIR_TOKEN_BUCKET:
    case WEIR_LEAKY_BUCKET:
        model_bucket_refund(&model->bucket, &ask);
        break;
    case WEIR_FIXED_WINDOW:
    case WEIR_CALENDAR_WINDOW:
        model_window_refund(&model->window, &ask);
        break;
    case WEIR_SLIDING_WINDOW:
        model_sliding_refund(&model->sliding, &ask);
        break;
    case WEIR_SLIDING_LOG:
        model_log_refund(&model->log, &ask);
        break;
    }
    return model_peek(model, 1, now_us);
}
