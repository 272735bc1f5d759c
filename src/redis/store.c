/* store.c - a Redis store behind the calls of weir.h: weir_redis_open and what it opens.
 *
 * A call that waits is a weir_call on the caller's stack, which the store's thread answers; on a
 * loop of the caller's there is nobody to wait for, and only weir_submit is left.
 *
 * All memory comes through `counted`: libuv gives some of it back turns after all is closed, and
 * the store itself goes with the last of it. */

#include "weir/redis.h"

#include "base/alloc.h"
#include "base/error.h"
#include "redis/denials.h"
#include "redis/script.h"
#include "redis/thread.h"
#include "weir/store.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

/* A batch goes in parts of so many requests, each with the store's deadline: what one server
 * decides well within it. */
#define BATCH_MAX 2048
/* Keys to this length are looked up in the deny cache before the store's thread is asked. */
#define NEAR_KEY_MAX 256
#define NEAR_NAME_MAX (WEIR_REDIS_NAME_MAX - 3 * (WEIR_KEY_MAX - NEAR_KEY_MAX))

struct redis_store {
    struct weir_store store; /* first, so that a store is one of these */
    struct weir_allocator from;
    struct weir_allocator counted;
    atomic_size_t pieces; /* of memory that were given out, and the store itself */
    struct weir_redis_config config;
    struct weir_thread *thread; /* NULL: a loop of the caller's */
    struct weir_client *client; /* on that loop */
};

static struct redis_store *redis_of(struct weir_store *store)
{
    return (struct redis_store *)(void *)store;
}

/* ---- Memory ---- */

static void *take_piece(void *context, size_t size, size_t alignment)
{
    struct redis_store *store = context;
    void *memory = store->from.allocate(store->from.context, size, alignment);
    if (memory != NULL) {
        atomic_fetch_add_explicit(&store->pieces, 1, memory_order_relaxed);
    }
    return memory;
}

/* One piece less; with the last, which is the store's own, it goes. */
static void drop_piece(struct redis_store *store)
{
    if (atomic_fetch_sub_explicit(&store->pieces, 1, memory_order_acq_rel) == 1) {
        const struct weir_allocator from = store->from;
        weir_redis_config_wipe(&store->config);
        weir_release(&from, store, sizeof(*store));
    }
}

static void give_piece(void *context, void *memory, size_t size)
{
    struct redis_store *store = context;
    store->from.release(store->from.context, memory, size);
    drop_piece(store);
}

/* ---- Calls that wait ---- */

static bool may_wait(const struct redis_store *store)
{
    return store->thread != NULL && !weir_thread_is_here(store->thread);
}

static enum weir_status ask(struct redis_store *store, struct weir_call *call, size_t *ret_answered)
{
    if (!may_wait(store)) {
        return WEIR_ERR_BUSY;
    }
    weir_thread_ask(store->thread, call);
    *ret_answered = call->answered;
    return call->status;
}

/* Whether the deny cache knows the answer: a flood of denied keys ends here. */
static bool denied_still(struct redis_store *store, const struct weir_request *request,
                         int64_t now_us, struct weir_decision *ret_decision)
{
    /* Written before it is read, and too large to be wiped for every question. */
    __attribute__((uninitialized)) char buffer[NEAR_NAME_MAX];
    struct weir_buffer name = {.bytes = buffer, .room = sizeof(buffer)};
    if (request->key.len > NEAR_KEY_MAX || store->config.deny_cache_size == 0 || !may_wait(store)) {
        return false;
    }
    weir_redis_name(weir_text(store->config.prefix), request->limit, request->key, &name);
    return weir_denials_get(weir_thread_denials(store->thread), weir_bytes(name.bytes, name.len),
                            request, now_us, (int64_t)(uv_hrtime() / 1000), ret_decision);
}

/* Apart, so that its memory costs those nothing whose answer is known. */
static __attribute__((noinline)) enum weir_status decide_there(struct redis_store *store,
                                                               const struct weir_ask *question,
                                                               struct weir_decision *ret_decision)
{
    const struct weir_request request = {question->limit, question->key, question->cost};
    struct weir_decision decision;
    struct weir_call call = {
        .verb = question->verb,
        .requests = &request,
        .count = 1,
        .now_us = question->now_us,
        .decisions = &decision,
    };
    size_t answered;
    const enum weir_status status = ask(store, &call, &answered);
    if (status == WEIR_OK && question->verb != WEIR_VERB_RESET) {
        *ret_decision = decision;
    }
    return status;
}

static enum weir_status decide(struct weir_store *store, const struct weir_ask *question,
                               struct weir_decision *ret_decision)
{
    const struct weir_request request = {question->limit, question->key, question->cost};
    if (question->verb == WEIR_VERB_CHECK &&
        denied_still(redis_of(store), &request, question->now_us, ret_decision)) {
        return WEIR_OK;
    }
    return decide_there(redis_of(store), question, ret_decision);
}

static enum weir_status check_one(struct weir_store *store, const struct weir_limit *limit,
                                  struct weir_bytes key, int64_t now_us,
                                  struct weir_decision *ret_decision)
{
    const struct weir_ask question = {
        .limit = limit, .key = key, .cost = 1, .now_us = now_us, .verb = WEIR_VERB_CHECK};
    return decide(store, &question, ret_decision);
}

static enum weir_status batch(struct weir_store *store, const struct weir_request *requests,
                              size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                              size_t *ret_done)
{
    enum weir_status status = WEIR_OK;
    *ret_done = 0;
    while (*ret_done < count && status == WEIR_OK) {
        const size_t left = count - *ret_done;
        struct weir_call call = {
            .verb = WEIR_VERB_CHECK,
            .requests = &requests[*ret_done],
            .count = left < BATCH_MAX ? left : BATCH_MAX,
            .now_us = now_us,
            .decisions = &ret_decisions[*ret_done],
        };
        size_t answered = 0;
        status = ask(redis_of(store), &call, &answered);
        *ret_done += answered;
    }
    return status;
}

static enum weir_status all(struct weir_store *store, const struct weir_request *requests,
                            size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                            size_t *ret_denied)
{
    struct weir_decision decisions[WEIR_CHECK_ALL_MAX];
    struct weir_call call = {
        .verb = WEIR_VERB_CHECK,
        .together = true,
        .requests = requests,
        .count = count,
        .now_us = now_us,
        .decisions = decisions,
    };
    size_t answered;
    const enum weir_status status = ask(redis_of(store), &call, &answered);
    if (status != WEIR_OK) {
        return status;
    }
    memcpy(ret_decisions, decisions, count * sizeof(decisions[0]));
    if (ret_denied != NULL) {
        *ret_denied = answered;
    }
    return WEIR_OK;
}

/* ---- The rest of a store ---- */

static void submit(struct weir_store *store, struct weir_call *call)
{
    struct redis_store *redis = redis_of(store);
    if (redis->thread != NULL) {
        weir_thread_submit(redis->thread, call);
    } else {
        weir_client_submit(redis->client, call);
    }
}

static void stats(struct weir_store *store, int64_t now_us, struct weir_stats *ret_stats)
{
    struct redis_store *redis = redis_of(store);
    if (may_wait(redis)) {
        weir_thread_stats(redis->thread, now_us, ret_stats);
    } else {
        weir_client_stats(redis->thread != NULL ? weir_thread_client(redis->thread) : redis->client,
                          now_us, ret_stats);
    }
}

static void on_client_closed(void *context)
{
    drop_piece(context);
}

static void close_store(struct weir_store *store)
{
    struct redis_store *redis = redis_of(store);
    if (redis->thread != NULL) {
        weir_thread_stop(redis->thread);
        drop_piece(redis);
    } else {
        weir_client_close(redis->client, on_client_closed, redis);
    }
}

static const struct weir_store_ops redis_ops = {
    .check_one = check_one,
    .decide = decide,
    .batch = batch,
    .all = all,
    .submit = submit,
    .stats = stats,
    .close = close_store,
};

/* ---- Opening ---- */

static bool begins_with(const char *url, const char *start)
{
    return strncmp(url, start, strlen(start)) == 0;
}

static enum weir_status open_in_memory(const char *url, const struct weir_redis_options *options,
                                       struct weir **ret_weir, struct weir_error *ret_error)
{
    const struct weir_options plain = {
        .size = sizeof(plain),
        .allocator = options != NULL ? options->allocator : NULL,
    };
    return weir_open(url, &plain, ret_weir, ret_error);
}

/* Takes the caller's local table, which has to answer at once and to have every algorithm. */
static enum weir_status take_local(struct redis_store *store,
                                   const struct weir_redis_options *options,
                                   struct weir_error *ret_error)
{
    struct weir *local = options != NULL ? options->local : NULL;
    if (local != NULL) {
        const struct weir_store *behind = weir_store_of(local);
        if (behind->ops->submit != NULL || behind->algorithms != WEIR_ALGORITHMS_ALL) {
            weir_error_set(ret_error, 0, 0, "expected options.local to be a memory: store");
            return WEIR_ERR_ARGUMENT;
        }
    }
    store->config.local = local;
    return WEIR_OK;
}

static enum weir_status start(struct redis_store *store, const struct weir_redis_options *options,
                              struct weir_error *ret_error)
{
    struct weir_client_options client = {
        .loop = options != NULL ? options->loop : NULL,
        .allocator = &store->counted,
        .config = &store->config,
    };
    return client.loop == NULL ? weir_thread_start(&client, &store->thread, ret_error)
                               : weir_client_open(&client, &store->client, ret_error);
}

static struct redis_store *new_store(const struct weir_allocator *from)
{
    struct redis_store *store = weir_alloc(from, sizeof(*store), 64);
    if (store != NULL) {
        store->store.ops = &redis_ops;
        store->store.algorithms = WEIR_ALGORITHMS_ALL;
        store->store.own_clock = true;
        store->from = *from;
        store->counted = (struct weir_allocator){take_piece, give_piece, store};
        atomic_init(&store->pieces, 1);
    }
    return store;
}

enum weir_status weir_redis_open(const char *url, const struct weir_redis_options *options,
                                 struct weir **ret_weir, struct weir_error *ret_error)
{
    assert(url != NULL && ret_weir != NULL);
    if (begins_with(url, "memory:") || begins_with(url, "shm:")) {
        return open_in_memory(url, options, ret_weir, ret_error);
    }
    const struct weir_allocator *allocator = options != NULL ? options->allocator : NULL;
    struct redis_store *store = new_store(weir_allocator_or_default(allocator));
    if (store == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    enum weir_status status = weir_redis_config_read(url, options, &store->config, ret_error);
    store->config.local_mapped = allocator == NULL;
    if (status == WEIR_OK) {
        status = take_local(store, options, ret_error);
    }
    if (status == WEIR_OK) {
        status = start(store, options, ret_error);
    }
    if (status != WEIR_OK) {
        drop_piece(store);
        return status;
    }
    status = weir_open_store(&store->store, allocator, ret_weir);
    if (status != WEIR_OK) {
        close_store(&store->store);
    }
    return status;
}

/* ---- Looking at it ---- */

static struct redis_store *redis_behind(struct weir *weir)
{
    struct weir_store *store = weir_store_of(weir);
    return store->ops == &redis_ops ? redis_of(store) : NULL;
}

enum weir_status weir_redis_inspect(struct weir *weir, int64_t timeout_us,
                                    struct weir_redis_server *ret_servers, size_t room,
                                    size_t *ret_count)
{
    assert(weir != NULL && ret_count != NULL && (ret_servers != NULL || room == 0));
    struct redis_store *store = redis_behind(weir);
    if (store == NULL) {
        return WEIR_ERR_UNSUPPORTED;
    }
    if (timeout_us < 1 || timeout_us > WEIR_PERIOD_MAX) {
        return WEIR_ERR_ARGUMENT;
    }
    if (!may_wait(store)) {
        return WEIR_ERR_BUSY;
    }
    struct weir_inspection inspection = {
        .servers = ret_servers, .room = room, .timeout_us = timeout_us};
    weir_thread_inspect(store->thread, &inspection);
    *ret_count = inspection.count;
    return WEIR_OK;
}

enum weir_status weir_redis_key(struct weir *weir, const struct weir_limit *limit,
                                struct weir_bytes key, char *buffer, size_t size, size_t *ret_len)
{
    assert(weir != NULL && limit != NULL && ret_len != NULL && (buffer != NULL || size == 0));
    struct redis_store *store = redis_behind(weir);
    if (store == NULL) {
        return WEIR_ERR_UNSUPPORTED;
    }
    if (key.len > WEIR_KEY_MAX) {
        return WEIR_ERR_KEY_LENGTH;
    }
    struct weir_buffer name = {.allocator = &store->counted};
    weir_redis_name(weir_text(store->config.prefix), limit, key, &name);
    enum weir_status status = name.failed ? WEIR_ERR_NO_MEMORY : WEIR_OK;
    if (status == WEIR_OK && name.len > size) {
        status = WEIR_ERR_BUFFER;
    }
    if (status == WEIR_OK) {
        memcpy(buffer, name.bytes, name.len);
        *ret_len = name.len;
    }
    weir_buffer_deinit(&name);
    return status;
}
