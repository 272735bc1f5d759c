/* later_store.c - see later_store.h. */

#include "support/later_store.h"

#include "weir/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct later_store {
    struct weir_store store; /* first: a store is its later_store */
    struct weir *table;
    struct weir_call *calls[LATER_STORE_ROOM];
    size_t count;
};

static struct later_store *later_of(struct weir_store *store)
{
    return (struct later_store *)(void *)store;
}

static struct weir_store *table_of(struct weir_store *store)
{
    return weir_store_of(later_of(store)->table);
}

static enum weir_status check_one(struct weir_store *store, const struct weir_limit *limit,
                                  struct weir_bytes key, int64_t now_us,
                                  struct weir_decision *ret_decision)
{
    return table_of(store)->ops->check_one(table_of(store), limit, key, now_us, ret_decision);
}

static enum weir_status decide(struct weir_store *store, const struct weir_ask *ask,
                               struct weir_decision *ret_decision)
{
    return table_of(store)->ops->decide(table_of(store), ask, ret_decision);
}

static enum weir_status batch(struct weir_store *store, const struct weir_request *requests,
                              size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                              size_t *ret_done)
{
    return table_of(store)->ops->batch(table_of(store), requests, count, now_us, ret_decisions,
                                       ret_done);
}

static void submit(struct weir_store *store, struct weir_call *call)
{
    struct later_store *later = later_of(store);
    assert_true(later->count < LATER_STORE_ROOM);
    later->calls[later->count++] = call;
}

static void stats(struct weir_store *store, int64_t now_us, struct weir_stats *ret_stats)
{
    table_of(store)->ops->stats(table_of(store), now_us, ret_stats);
}

static void close_store(struct weir_store *store)
{
    assert_int_equal(later_of(store)->count, 0);
    weir_close(later_of(store)->table);
    free(store);
}

static const struct weir_store_ops ops = {
    .check_one = check_one,
    .decide = decide,
    .batch = batch,
    .submit = submit,
    .stats = stats,
    .close = close_store,
};

struct weir *later_store_open(struct later_store **ret_store)
{
    struct later_store *later = calloc(1, sizeof(*later));
    struct weir *weir = NULL;
    assert_non_null(later);
    later->store =
        (struct weir_store){.ops = &ops, .algorithms = WEIR_ALGORITHMS_ALL, .own_clock = true};
    assert_int_equal(weir_open("memory:?size=1MiB", NULL, &later->table, NULL), WEIR_OK);
    assert_int_equal(weir_open_store(&later->store, NULL, &weir), WEIR_OK);
    *ret_store = later;
    return weir;
}

size_t later_store_waiting(const struct later_store *store)
{
    return store->count;
}

static void decided(struct weir_call *call)
{
    (void)call;
}

void later_store_answer(struct later_store *store, size_t index)
{
    assert_true(index < store->count);
    struct weir_call *call = store->calls[index];
    store->count--;
    memmove((void *)&store->calls[index], (void *)&store->calls[index + 1],
            (store->count - index) * sizeof(struct weir_call *));
    struct weir_call now = *call;
    now.done = decided;
    weir_submit(store->table, &now);
    call->status = now.status;
    call->answered = now.answered;
    call->done(call);
}

void later_store_answer_all(struct later_store *store, struct random *random)
{
    while (store->count > 0) {
        later_store_answer(store, (size_t)random_below(random, store->count));
    }
}
