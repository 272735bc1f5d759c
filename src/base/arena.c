/* arena.c - see arena.h. Blocks grow, so that a policy of any size takes few of them. */

#include "base/arena.h"

#include "base/alloc.h"
#include "base/checked.h"

#include <assert.h>
#include <string.h>

#define BLOCK_MIN ((size_t)4096)
#define BLOCK_MAX ((size_t)1 << 20)
#define ALIGNMENT _Alignof(max_align_t)

/* The largest block that is kept from one request to the next. */
#define BLOCK_KEPT ((size_t)64 << 10)

struct weir_arena_block {
    struct weir_arena_block *next;
    size_t size;
};

/* Where in a block its memory begins. */
#define BLOCK_HEAD ((sizeof(struct weir_arena_block) + ALIGNMENT - 1) & ~(ALIGNMENT - 1))

static void use_block(struct weir_arena *arena, struct weir_arena_block *block)
{
    arena->at = (char *)block + BLOCK_HEAD;
    arena->left = block->size - BLOCK_HEAD;
}

static bool add_block(struct weir_arena *arena, size_t wanted)
{
    size_t size = arena->blocks == NULL ? BLOCK_MIN : arena->blocks->size * 2;
    size = size < BLOCK_MAX ? size : BLOCK_MAX;
    size_t least;
    if (ckd_add(&least, wanted, BLOCK_HEAD)) {
        return false;
    }
    size = size > least ? size : least;
    if (arena->most > 0 && size > arena->most - arena->total) {
        size = least;
        if (size > arena->most - arena->total) {
            return false;
        }
    }
    struct weir_arena_block *block =
        weir_alloc(weir_allocator_or_default(arena->allocator), size, ALIGNMENT);
    if (block == NULL) {
        return false;
    }
    block->next = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->total += size;
    use_block(arena, block);
    return true;
}

void *weir_arena_take(struct weir_arena *arena, size_t size)
{
    size_t room;
    if (ckd_add(&room, size, ALIGNMENT)) {
        return NULL;
    }
    room = (room - (size > 0 ? 1 : 0)) & ~(ALIGNMENT - 1);
    if (room > arena->left && !add_block(arena, room)) {
        return NULL;
    }
    void *memory = arena->at;
    arena->at += room;
    arena->left -= room;
    return memory;
}

void *weir_arena_get(struct weir_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    assert(size > 0);
    if (ckd_mul(&bytes, count, size)) {
        return NULL;
    }
    void *memory = weir_arena_take(arena, bytes);
    if (memory != NULL && bytes > 0) {
        memset(memory, 0, bytes);
    }
    return memory;
}

static void free_blocks(struct weir_arena *arena, struct weir_arena_block *block)
{
    const struct weir_allocator *allocator = weir_allocator_or_default(arena->allocator);
    while (block != NULL) {
        struct weir_arena_block *next = block->next;
        arena->total -= block->size;
        weir_release(allocator, block, block->size);
        block = next;
    }
}

void weir_arena_clear(struct weir_arena *arena)
{
    struct weir_arena_block *kept = arena->blocks;
    if (kept == NULL) {
        return;
    }
    if (kept->size > BLOCK_KEPT) {
        weir_arena_deinit(arena);
        return;
    }
    free_blocks(arena, kept->next);
    kept->next = NULL;
    use_block(arena, kept);
}

void weir_arena_deinit(struct weir_arena *arena)
{
    free_blocks(arena, arena->blocks);
    *arena = (struct weir_arena){.allocator = arena->allocator, .most = arena->most};
}
