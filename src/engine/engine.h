/* engine.h - what a handle is, and what is looked at before a store is asked. */

#ifndef WEIR_ENGINE_ENGINE_H
#define WEIR_ENGINE_ENGINE_H

#include "store/store.h"

/* An open store with its memory's owner. Immutable once open: everything that changes is in the
 * store. */
struct weir {
    struct weir_store *store;
    struct weir_allocator allocator;
};

/* Whether each of the requests can be asked of this store; together: and all of them in one
 * weir_check_all. */
enum weir_status weir_engine_admissible(const struct weir *weir,
                                        const struct weir_request *requests, size_t count);
enum weir_status weir_engine_all_admissible(const struct weir *weir,
                                            const struct weir_request *requests, size_t count);

#endif
