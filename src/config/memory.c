/* memory.c - see memory.h. */

#include "config/memory.h"

#include <string.h>

void *weir_memory_take(struct weir_memory *memory, size_t count, size_t size)
{
    void *taken = weir_arena_get(&memory->arena, count, size);
    memory->failed = memory->failed || taken == NULL;
    return taken;
}

char *weir_memory_copy(struct weir_memory *memory, struct weir_bytes bytes)
{
    char *copy = weir_memory_take(memory, bytes.len + 1, 1);
    if (copy != NULL && bytes.len > 0) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    return copy;
}

void weir_memory_deinit(struct weir_memory *memory)
{
    weir_arena_deinit(&memory->arena);
    memory->failed = false;
}
