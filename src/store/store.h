/* store.h - how the stores of libweir are opened; what a store is, is in weir/store.h.
 *
 * memory.c and shm.c open one and the same table (table.c) over different memory; sliding-log lives
 * beside it (log.h). */

#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "weir/store.h"

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
