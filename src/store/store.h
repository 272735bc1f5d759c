/* store.h - key -> state, in one atomic step: the only door to state.
 *
 * A store answers questions; it knows nothing of rules, doors or the clock. memory.c and shm.c
 * open one and the same table (table.c) over different memory; sliding-log lives beside it
 * (log.h). */

#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "weir/weir.h"

enum weir_verb {
    WEIR_VERB_CHECK,  /* decide and take */
    WEIR_VERB_PEEK,   /* decide only; writes nothing */
    WEIR_VERB_MEND,   /* a peek that writes what the clock rule clamps: for a check that a block
                         denies */
    WEIR_VERB_REFUND, /* give back; the decision is then a peek of cost 1 */
    WEIR_VERB_RESET   /* forget; the decision is left alone */
};

/* One question. Borrowed throughout. The engine has checked every range. */
struct weir_ask {
    const struct weir_limit *limit;
    struct weir_bytes key;
    uint64_t cost;  /* CHECK, PEEK: 1 or more; REFUND: any */
    int64_t now_us; /* 0..WEIR_TIME_MAX */
    enum weir_verb verb;
};

struct weir_store;

/* What every store can do. All may be called from any number of threads at once, except close. */
struct weir_store_ops {
    /* decide() for the commonest question, all of it in registers: a check of a cost of 1. It says
     * itself whether the algorithm is supported. */
    enum weir_status (*check_one)(struct weir_store *store, const struct weir_limit *limit,
                                  struct weir_bytes key, int64_t now_us,
                                  struct weir_decision *ret_decision);
    enum weir_status (*decide)(struct weir_store *store, const struct weir_ask *ask,
                               struct weir_decision *ret_decision);
    /* Decides `count` requests one after another, each by itself, all at `now_us`; stops at the
     * first error, having decided *ret_done. */
    enum weir_status (*batch)(struct weir_store *store, const struct weir_request *requests,
                              size_t count, int64_t now_us, struct weir_decision *ret_decisions,
                              size_t *ret_done);
    void (*stats)(struct weir_store *store, int64_t now_us, struct weir_stats *ret_stats);
    void (*close)(struct weir_store *store);
};

struct weir_store {
    const struct weir_store_ops *ops;
    uint32_t algorithms; /* bit a is set if it can hold algorithm a */
};

#define WEIR_ALGORITHMS_ALL ((UINT32_C(2) << WEIR_SLIDING_LOG) - 1)
#define WEIR_ALGORITHMS_FLAT (WEIR_ALGORITHMS_ALL & ~(UINT32_C(1) << WEIR_SLIDING_LOG))

/* Opens what the URL says; the query is already split off and read. memory.c, shm.c. `size` 0: not
 * given. */
struct weir_store_options {
    const struct weir_allocator *allocator; /* NULL: the system's pages and malloc */
    struct weir_bytes path;                 /* shm */
    uint64_t size;
    uint64_t log_size;
    bool size_given;
    uint32_t mode;
    int64_t now_us; /* noted in a new table as when it was made; nothing is decided by it */
};

enum weir_status weir_memory_open(const struct weir_store_options *options,
                                  struct weir_store **ret_store, struct weir_error *ret_error);
enum weir_status weir_shm_open(const struct weir_store_options *options,
                               struct weir_store **ret_store, struct weir_error *ret_error);

#endif
