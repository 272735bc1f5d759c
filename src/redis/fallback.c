/* fallback.c - see fallback.h.
 *
 * The local table is an ordinary memory: store, asked by the library's public calls. Where the
 * caller has not brought one it is opened by the first request that needs it and lives as long as
 * the fallback, so that a second outage finds what the first one left. Where there is no memory for
 * it, the request is denied: on_error=local was chosen to keep limits, and this keeps them. It is
 * tried again at the next request.
 *
 * Invariant: `own` is written once, from NULL, under the lock. */

#include "redis/fallback.h"

#include "base/alloc.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct weir_fallback {
    struct weir_allocator allocator;
    const struct weir_redis_config *config;
    pthread_mutex_t lock;
    struct weir *own; /* the local table; NULL: the caller's is used, or none was needed yet */
};

struct weir_fallback *weir_fallback_new(const struct weir_redis_config *config,
                                        const struct weir_allocator *allocator)
{
    assert(config != NULL && config->on_error != WEIR_ON_ERROR_DEFAULT);
    const struct weir_allocator *from = weir_allocator_or_default(allocator);
    struct weir_fallback *fallback =
        weir_alloc(from, sizeof(*fallback), _Alignof(struct weir_fallback));
    if (fallback == NULL) {
        return NULL;
    }
    fallback->allocator = *from;
    fallback->config = config;
    if (pthread_mutex_init(&fallback->lock, NULL) != 0) {
        weir_release(from, fallback, sizeof(*fallback));
        return NULL;
    }
    return fallback;
}

void weir_fallback_free(struct weir_fallback *fallback)
{
    if (fallback == NULL) {
        return;
    }
    weir_close(fallback->own);
    (void)pthread_mutex_destroy(&fallback->lock);
    const struct weir_allocator allocator = fallback->allocator;
    weir_release(&allocator, fallback, sizeof(*fallback));
}

/* ---- The local table ---- */

/* The fallback's own table if there is one already, or NULL. */
static struct weir *own_if_open(struct weir_fallback *fallback)
{
    (void)pthread_mutex_lock(&fallback->lock);
    struct weir *own = fallback->own;
    (void)pthread_mutex_unlock(&fallback->lock);
    return own;
}

/* The table if there is one already, or NULL. */
static struct weir *local_if_open(struct weir_fallback *fallback)
{
    struct weir *given = fallback->config->local;
    return given != NULL ? given : own_if_open(fallback);
}

/* The table, opened if need be; NULL where there is no memory for it. */
static struct weir *local_open(struct weir_fallback *fallback)
{
    if (fallback->config->local != NULL) {
        return fallback->config->local;
    }
    (void)pthread_mutex_lock(&fallback->lock);
    if (fallback->own == NULL) {
        char url[64];
        (void)snprintf(url, sizeof(url), "memory:?size=%" PRIu64, fallback->config->local_size);
        /* Somebody waits for this: from the system's pages it is there at once, and what is kept
         * for sliding-log is not touched. */
        const bool mapped = fallback->config->local_mapped;
        const struct weir_options options = {sizeof(options), mapped ? NULL : &fallback->allocator};
        struct weir *opened = NULL;
        if (weir_open(url, &options, &opened, NULL) == WEIR_OK) {
            fallback->own = opened;
        }
    }
    struct weir *own = fallback->own;
    (void)pthread_mutex_unlock(&fallback->lock);
    return own;
}

static void decided(struct weir_call *call)
{
    (void)call; /* a store in memory decides before weir_submit returns */
}

/* Puts one question to the table. */
static enum weir_status ask_local(struct weir *local, enum weir_verb verb,
                                  const struct weir_request *request, int64_t now_us,
                                  struct weir_decision *ret_decision)
{
    struct weir_call call = {
        .verb = verb,
        .requests = request,
        .count = 1,
        .now_us = now_us,
        .decisions = ret_decision,
        .done = decided,
    };
    weir_submit(local, &call);
    return call.status;
}

/* ---- One request ---- */

/* Why Redis does not decide, how long until it is tried again, and the time to decide at. */
static int64_t retry_of(const struct weir_outage *outage)
{
    return outage->retry_us > 1 ? outage->retry_us : 1;
}

static enum weir_on_error on_error_of(const struct weir_fallback *fallback,
                                      const struct weir_limit *limit)
{
    return limit->on_error != WEIR_ON_ERROR_DEFAULT ? limit->on_error : fallback->config->on_error;
}

/* What can never be admitted is not, whoever decides. */
static bool fits(const struct weir_request *request)
{
    return request->cost <= request->limit->ceiling;
}

static struct weir_decision denial(const struct weir_request *request,
                                   const struct weir_outage *outage, enum weir_failure failure)
{
    return (struct weir_decision){
        .failure = (uint16_t)failure,
        .source = WEIR_SOURCE_ON_ERROR,
        .limit = request->limit->ceiling,
        .retry_after_us = fits(request) ? retry_of(outage) : WEIR_NEVER,
        .reset_after_us = retry_of(outage),
    };
}

static struct weir_decision admission(const struct weir_request *request,
                                      const struct weir_outage *outage)
{
    return (struct weir_decision){
        .allowed = fits(request),
        .failure = (uint16_t)outage->failure,
        .source = WEIR_SOURCE_ON_ERROR,
        .limit = request->limit->ceiling,
        .remaining = request->limit->ceiling,
        .retry_after_us = fits(request) ? 0 : WEIR_NEVER,
    };
}

static void sign(struct weir_decision *decision, enum weir_failure failure)
{
    decision->source = WEIR_SOURCE_LOCAL;
    decision->failure = (uint16_t)failure;
}

/* One request by whatever its limit wants. */
static enum weir_status decide(struct weir_fallback *fallback, enum weir_verb verb,
                               const struct weir_request *request, const struct weir_outage *outage,
                               struct weir_decision *ret_decision)
{
    const enum weir_on_error on_error = on_error_of(fallback, request->limit);
    struct weir_request answered = *request;
    if (verb == WEIR_VERB_REFUND) {
        answered.cost = 1; /* it answers as a peek of 1 */
    }
    if (on_error == WEIR_ON_ERROR_DENY) {
        *ret_decision = denial(&answered, outage, outage->failure);
        return WEIR_OK;
    }
    if (on_error == WEIR_ON_ERROR_ALLOW) {
        *ret_decision = admission(&answered, outage);
        return WEIR_OK;
    }
    struct weir *local = local_open(fallback);
    struct weir_decision decision = {.source = WEIR_SOURCE_LOCAL};
    enum weir_status status = local != NULL
                                  ? ask_local(local, verb, request, outage->now_us, &decision)
                                  : WEIR_ERR_NO_MEMORY;
    if (status == WEIR_ERR_NO_MEMORY) {
        *ret_decision = denial(&answered, outage, WEIR_FAILURE_NO_MEMORY);
        return WEIR_OK;
    }
    if (status == WEIR_OK) {
        sign(&decision, outage->failure);
        *ret_decision = decision;
    }
    return status;
}

enum weir_status weir_fallback_decide(struct weir_fallback *fallback, enum weir_verb verb,
                                      const struct weir_request *request,
                                      const struct weir_outage *outage,
                                      struct weir_decision *ret_decision)
{
    assert(fallback != NULL && request != NULL && request->limit != NULL);
    assert(ret_decision != NULL || verb == WEIR_VERB_RESET);
    if (verb == WEIR_VERB_RESET) {
        weir_fallback_forget(fallback, request);
        return WEIR_ERR_STORE;
    }
    return decide(fallback, verb, request, outage, ret_decision);
}

/* ---- All or none ---- */

/* The requests of one check_all that the local table decides. */
struct share {
    struct weir_request requests[WEIR_CHECK_ALL_MAX];
    size_t places[WEIR_CHECK_ALL_MAX]; /* where each stands among all */
    size_t count;
};

/* Takes all of the share, or none. */
static enum weir_status take_share(struct weir_fallback *fallback, const struct share *share,
                                   const struct weir_outage *outage,
                                   struct weir_decision *decisions)
{
    struct weir_decision own[WEIR_CHECK_ALL_MAX];
    struct weir *local = local_open(fallback);
    enum weir_status status = local != NULL ? weir_check_all(local, share->requests, share->count,
                                                             outage->now_us, own, NULL)
                                            : WEIR_ERR_NO_MEMORY;
    for (size_t i = 0; i < share->count; i++) {
        struct weir_decision *decision = &decisions[share->places[i]];
        if (status == WEIR_ERR_NO_MEMORY) {
            *decision = denial(&share->requests[i], outage, WEIR_FAILURE_NO_MEMORY);
        } else if (status == WEIR_OK) {
            *decision = own[i];
            sign(decision, outage->failure);
        }
    }
    return status == WEIR_ERR_NO_MEMORY ? WEIR_OK : status;
}

/* Only looks at each of the share, as others deny. */
static enum weir_status look_at_share(struct weir_fallback *fallback, const struct share *share,
                                      const struct weir_outage *outage,
                                      struct weir_decision *decisions)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < share->count && status == WEIR_OK; i++) {
        status = decide(fallback, WEIR_VERB_PEEK, &share->requests[i], outage,
                        &decisions[share->places[i]]);
    }
    return status;
}

enum weir_status weir_fallback_decide_all(struct weir_fallback *fallback,
                                          const struct weir_request *requests, size_t count,
                                          const struct weir_outage *outage,
                                          struct weir_decision *ret_decisions, size_t *ret_denied)
{
    assert(fallback != NULL && requests != NULL && ret_decisions != NULL && ret_denied != NULL);
    assert(count >= 1 && count <= WEIR_CHECK_ALL_MAX);
    struct weir_decision decisions[WEIR_CHECK_ALL_MAX] = {{0}};
    struct share share;
    share.count = 0;
    bool denied = false;
    for (size_t i = 0; i < count; i++) {
        if (on_error_of(fallback, requests[i].limit) == WEIR_ON_ERROR_LOCAL) {
            share.requests[share.count] = requests[i];
            share.places[share.count] = i;
            share.count++;
            continue;
        }
        (void)decide(fallback, WEIR_VERB_CHECK, &requests[i], outage, &decisions[i]);
        denied = denied || !decisions[i].allowed;
    }
    enum weir_status status = WEIR_OK;
    if (share.count > 0) {
        status = denied ? look_at_share(fallback, &share, outage, decisions)
                        : take_share(fallback, &share, outage, decisions);
    }
    if (status != WEIR_OK) {
        return status;
    }
    memcpy(ret_decisions, decisions, count * sizeof(decisions[0]));
    *ret_denied = 0;
    while (*ret_denied < count && decisions[*ret_denied].allowed) {
        (*ret_denied)++;
    }
    return WEIR_OK;
}

/* ---- The rest ---- */

void weir_fallback_forget(struct weir_fallback *fallback, const struct weir_request *request)
{
    assert(fallback != NULL && request != NULL);
    struct weir *local = local_if_open(fallback);
    if (local != NULL) {
        const enum weir_status status = weir_reset(local, request->limit, request->key);
        assert(status == WEIR_OK); /* the engine has looked at the request */
        (void)status;
    }
}

void weir_fallback_stats(struct weir_fallback *fallback, int64_t now_us,
                         struct weir_stats *ret_stats)
{
    assert(fallback != NULL && ret_stats != NULL);
    struct weir *table = own_if_open(fallback);
    struct weir_stats own = {.size = sizeof(own)};
    if (table == NULL || weir_stats(table, now_us, &own) != WEIR_OK) {
        return;
    }
    ret_stats->bytes = own.bytes;
    ret_stats->slots = own.slots;
    ret_stats->used = own.used;
    ret_stats->live = own.live;
    ret_stats->evicted_idle = own.evicted_idle;
    ret_stats->evicted_live = own.evicted_live;
    ret_stats->log_bytes = own.log_bytes;
    ret_stats->log_used = own.log_used;
    ret_stats->log_evicted = own.log_evicted;
}
