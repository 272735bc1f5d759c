/* table_store.h - a table, and for memory: a log arena, as a store. memory.c and shm.c bring the
 * memory. */

#ifndef WEIR_STORE_TABLE_STORE_H
#define WEIR_STORE_TABLE_STORE_H

#include "store/log.h"
#include "store/table.h"

struct weir_table_store {
    struct weir_store store;
    struct weir_table table;
    struct weir_logs *logs; /* NULL: this store has none */
    enum weir_source source;
    uint64_t admitted; /* the first word of a decision that allows: allowed, blocked, source */
    const struct weir_allocator *allocator; /* of this struct */
    struct weir_allocator own_allocator;    /* a copy of the caller's, if it gave one */
    void (*release_memory)(struct weir_table_store *store);
};

/* A store without its table yet, its ops set; NULL where there is no memory. allocator as in
 * weir_store_options. */
struct weir_table_store *weir_table_store_new(const struct weir_allocator *allocator,
                                              enum weir_source source);

/* Frees what weir_table_store_new made, for openers that fail half way. */
void weir_table_store_free(struct weir_table_store *store);

#endif
