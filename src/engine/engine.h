/* engine.h - what a handle is. */

#ifndef WEIR_ENGINE_ENGINE_H
#define WEIR_ENGINE_ENGINE_H

#include "store/store.h"

/* An open store with its memory's owner. Immutable once open: everything that changes is in the
 * store. */
struct weir {
    struct weir_store *store;
    struct weir_allocator allocator;
};

#endif
