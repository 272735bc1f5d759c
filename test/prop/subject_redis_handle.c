/* subject_redis_handle.c - the library's own calls on a redis:// handle as a subject. Each check
 * goes another of the ways that there are: weir_check, weir_check_all, weir_check_batch,
 * weir_submit. The deny cache is in use, and every answer has to come from it or from Redis. */

#include "prop/subject_redis_handle.h"

#include "support/rig.h"
#include "weir/redis.h"

#include <assert.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

struct key {
    struct rig_redis *server;
    struct weir *weir;
    struct weir_limit *limit;
    uint64_t number; /* each trace has a key of its own */
    unsigned way;
};

static void must(enum weir_status status)
{
    if (status != WEIR_OK) {
        fprintf(stderr, "%s\n", weir_strerror(status));
        abort();
    }
}

static bool holds(enum weir_algorithm algorithm)
{
    (void)algorithm;
    return true;
}

static void *open_key(void)
{
    struct key *key = calloc(1, sizeof(*key));
    char url[256];
    assert(key != NULL);
    key->server = rig_redis_start(NULL);
    snprintf(url, sizeof(url), "%s?deadline=30s&on_error=deny", rig_redis_url(key->server));
    must(weir_redis_open(url, NULL, &key->weir, NULL));
    return key;
}

static void close_key(void *self)
{
    struct key *key = self;
    weir_close(key->weir);
    rig_redis_stop(key->server);
    weir_limit_free(key->limit);
    free(key);
}

static void fresh(void *self)
{
    struct key *key = self;
    key->number++;
}

static void set_limit(void *self, const struct weir_limit_spec *spec)
{
    struct key *key = self;
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text("rule")};
    weir_limit_free(key->limit);
    must(weir_limit_new(spec, &options, &key->limit, NULL));
}

static struct weir_bytes name_of(const struct key *key)
{
    return weir_bytes(&key->number, sizeof(key->number));
}

/* Nothing but Redis, or what it said a moment ago, may have decided. */
static void look_at(const struct weir_decision *decision)
{
    if (decision->failure != WEIR_FAILURE_NONE ||
        (decision->source != WEIR_SOURCE_REDIS && decision->source != WEIR_SOURCE_DENY_CACHE)) {
        fprintf(stderr, "decided by %d: %s\n", (int)decision->source,
                weir_failure_text((enum weir_failure)decision->failure));
        abort();
    }
}

static void on_done(struct weir_call *call)
{
    sem_post(call->context);
}

static void submit(struct key *key, enum weir_verb verb, uint64_t cost, int64_t now_us,
                   struct weir_decision *ret_decision)
{
    const struct weir_request request = {key->limit, name_of(key), cost};
    sem_t done;
    sem_init(&done, 0, 0);
    struct weir_call call = {
        .verb = verb,
        .requests = &request,
        .count = 1,
        .now_us = now_us,
        .decisions = ret_decision,
        .done = on_done,
        .context = &done,
    };
    weir_submit(key->weir, &call);
    while (sem_wait(&done) != 0) {
    }
    sem_destroy(&done);
    must(call.status);
    assert(call.answered == 1);
}

static void check(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct key *key = self;
    const struct weir_request request = {key->limit, name_of(key), cost};
    size_t count = 0;
    switch (key->way++ % 4) {
    case 0:
        must(weir_check(key->weir, key->limit, name_of(key), cost, now_us, ret_decision));
        break;
    case 1:
        must(weir_check_all(key->weir, &request, 1, now_us, ret_decision, &count));
        assert(count == (ret_decision->allowed ? 1 : 0));
        break;
    case 2:
        must(weir_check_batch(key->weir, &request, 1, now_us, ret_decision, &count));
        assert(count == 1);
        break;
    default:
        submit(key, WEIR_VERB_CHECK, cost, now_us, ret_decision);
        break;
    }
    look_at(ret_decision);
}

static void peek(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct key *key = self;
    if (key->way++ % 2 == 0) {
        must(weir_peek(key->weir, key->limit, name_of(key), cost, now_us, ret_decision));
    } else {
        submit(key, WEIR_VERB_PEEK, cost, now_us, ret_decision);
    }
    look_at(ret_decision);
}

static void refund(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct key *key = self;
    if (key->way++ % 2 == 0) {
        must(weir_refund(key->weir, key->limit, name_of(key), cost, now_us, ret_decision));
    } else {
        submit(key, WEIR_VERB_REFUND, cost, now_us, ret_decision);
    }
    look_at(ret_decision);
}

static void reset(void *self)
{
    struct key *key = self;
    must(weir_reset(key->weir, key->limit, name_of(key)));
}

const struct subject subject_redis_handle = {
    .name = "redis_handle",
    .holds = holds,
    .back_us = INT64_MAX,
    .forward_us = INT64_MAX,
    .open = open_key,
    .close = close_key,
    .fresh = fresh,
    .limit = set_limit,
    .check = check,
    .peek = peek,
    .refund = refund,
    .reset = reset,
};
