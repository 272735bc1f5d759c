/* store.h - what a store is, for those who bring their own: libweir-redis does.
 *
 * Read weir.h first. A store keeps what each key has used, and answers questions about it, each in
 * one atomic step. It knows nothing of rules, doors, or the clock: the engine has looked at every
 * question before it comes here (ranges, lengths, which algorithms this store can hold), so that a
 * store only has to answer.
 *
 * All functions of a store may be called from any number of threads at once, except close. */

#ifndef WEIR_STORE_H
#define WEIR_STORE_H

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One question. Borrowed throughout. */
struct weir_ask {
    const struct weir_limit *limit;
    struct weir_bytes key;
    uint64_t cost;  /* CHECK, PEEK, MEND: 1 or more; REFUND: any */
    int64_t now_us; /* 0..WEIR_TIME_MAX; WEIR_CLOCK only for a store that has own_clock */
    enum weir_verb verb;
};

struct weir_store;

struct weir_store_ops {
    /* decide() for the commonest question, all of it in registers: a check of a cost of 1. It says
     * itself whether the algorithm is supported, by WEIR_ERR_UNSUPPORTED. */
    enum weir_status (*check_one)(struct weir_store *store, const struct weir_limit *limit,
                                  struct weir_bytes key, int64_t now_us,
                                  struct weir_decision *ret_decision);
    /* Any question. A RESET leaves the decision alone; a REFUND answers as a PEEK of cost 1 would,
     * afterwards. */
    enum weir_status (*decide)(struct weir_store *store, const struct weir_ask *ask,
                               struct weir_decision *ret_decision);
    /* Decides `count` requests one after another, each by itself, all at `now_us`; stops at the
     * first error, having decided *ret_done. A cost of 0 is a peek of 1. */
    enum weir_status (*batch)(struct weir_store *store, const struct weir_request *requests,
                              size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                              size_t *ret_done);
    /* As weir_check_all. NULL: the engine looks at all, then takes all, and gives back where one
     * was denied after all. */
    enum weir_status (*all)(struct weir_store *store, const struct weir_request *requests,
                            size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                            size_t *ret_denied);
    /* As weir_submit, of a call that the engine has looked at. NULL: the store answers at once, and
     * the engine asks it by the functions above. */
    void (*submit)(struct weir_store *store, struct weir_call *call);
    /* Fills in what it knows; the rest stays 0. `now_us` as in an ask. */
    void (*stats)(struct weir_store *store, int64_t now_us, struct weir_stats *ret_stats);
    /* The last call it gets; releases the store itself. */
    void (*close)(struct weir_store *store);
};

/* What a store begins with. */
struct weir_store {
    const struct weir_store_ops *ops; /* check_one, decide, batch, stats and close are needed */
    uint32_t algorithms;              /* bit a is set if it can hold enum weir_algorithm a */
    /* It has a clock of its own: it is handed WEIR_CLOCK as it is, instead of the system's time. */
    bool own_clock;
};

#define WEIR_ALGORITHMS_ALL ((UINT32_C(2) << WEIR_SLIDING_LOG) - 1)
#define WEIR_ALGORITHMS_FLAT (WEIR_ALGORITHMS_ALL & ~(UINT32_C(1) << WEIR_SLIDING_LOG))

/* A handle over `store`, which weir_close closes. `allocator` may be NULL; it is copied. Errors:
 * WEIR_ERR_NO_MEMORY (the store is left open). Threads: any. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_open_store(struct weir_store *store,
                                                          const struct weir_allocator *allocator,
                                                          struct weir **ret_weir);

/* The store of a handle; good until weir_close. For libraries that add calls of their own. */
WEIR_API struct weir_store *weir_store_of(struct weir *weir);

#ifdef __cplusplus
}
#endif

#endif
