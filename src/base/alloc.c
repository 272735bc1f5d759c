/* alloc.c - see alloc.h. */

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *malloc_allocate(void *context, size_t size, size_t alignment)
{
    (void)context;
    if (alignment <= _Alignof(max_align_t)) {
        return malloc(size);
    }
    /* aligned_alloc wants a whole number of alignments. */
    if (size > SIZE_MAX - alignment) {
        return NULL;
    }
    return aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
}

static void malloc_release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

static const struct weir_allocator malloc_allocator = {malloc_allocate, malloc_release, NULL};

const struct weir_allocator *weir_allocator_or_default(const struct weir_allocator *allocator)
{
    return allocator != NULL ? allocator : &malloc_allocator;
}

void *weir_alloc(const struct weir_allocator *allocator, size_t size, size_t alignment)
{
    assert(size > 0);
    assert((alignment & (alignment - 1)) == 0);
    void *memory = allocator->allocate(allocator->context, size, alignment);
    if (memory != NULL) {
        memset(memory, 0, size);
    }
    return memory;
}

void weir_release(const struct weir_allocator *allocator, void *memory, size_t size)
{
    if (memory != NULL) {
        allocator->release(allocator->context, memory, size);
    }
}
