/* memory.h - what a configuration is made of: an arena that remembers that it ran out (memory.c).
 */

#ifndef WEIR_CONFIG_MEMORY_H
#define WEIR_CONFIG_MEMORY_H

#include "base/arena.h"

struct weir_memory {
    struct weir_arena arena;
    bool failed; /* so that it can be asked once, at the end */
};

/* `count` things of `size` bytes, zeroed; NULL where there is no memory. */
void *weir_memory_take(struct weir_memory *memory, size_t count, size_t size);

/* A copy with a NUL behind it; NULL where there is no memory. */
char *weir_memory_copy(struct weir_memory *memory, struct weir_bytes bytes);

void weir_memory_deinit(struct weir_memory *memory);

#endif
