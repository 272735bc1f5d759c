/* alloc.h - memory through the caller's allocator, or malloc where none was given. */

#ifndef WEIR_BASE_ALLOC_H
#define WEIR_BASE_ALLOC_H

#include "weir/weir.h"

/* The allocator to use for `allocator`: itself, or the one over malloc where it is NULL. */
const struct weir_allocator *weir_allocator_or_default(const struct weir_allocator *allocator);

/* `size` bytes, zeroed, aligned to `alignment` (a power of two); NULL where there is none. */
void *weir_alloc(const struct weir_allocator *allocator, size_t size, size_t alignment);

/* Gives `memory` back; NULL is fine. `size` as it was asked for. */
void weir_release(const struct weir_allocator *allocator, void *memory, size_t size);

#endif
