/* arena.c - see arena.h. Blocks grow, so that a policy of any size takes few of them. */

#include "rules/arena.h"

#include "base/alloc.h"
#include "base/checked.h"

#include <assert.h>

#define BLOCK_MIN ((size_t)4096)
#define BLOCK_MAX ((size_t)1 << 20)
#define ALIGNMENT _Alignof(max_align_t)

struct weir_arena_block {
    struct weir_arena_block *next;
    size_t size;
};

/* Where in a block its memory begins. */
#define BLOCK_HEAD ((sizeof(struct weir_arena_block) + ALIGNMENT - 1) & ~(ALIGNMENT - 1))

static bool add_block(struct weir_arena *arena, size_t wanted)
{
    size_t size = arena->blocks == NULL ? BLOCK_MIN : arena->blocks->size * 2;
    size = size < BLOCK_MAX ? size : BLOCK_MAX;
    size_t least;
    if (ckd_add(&least, wanted, BLOCK_HEAD)) {
        return false;
    }
    size = size > least ? size : least;
    struct weir_arena_block *block = weir_alloc(arena->allocator, size, ALIGNMENT);
    if (block == NULL) {
        return false;
    }
    block->next = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->at = (char *)block + BLOCK_HEAD;
    arena->left = size - BLOCK_HEAD;
    return true;
}

void *weir_arena_get(struct weir_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    size_t room;
    assert(size > 0);
    if (ckd_mul(&bytes, count, size) || ckd_add(&room, bytes, ALIGNMENT)) {
        return NULL;
    }
    room = (room - (count > 0 ? 1 : 0)) & ~(ALIGNMENT - 1);
    if (room > arena->left && !add_block(arena, room)) {
        return NULL;
    }
    void *memory = arena->at;
    arena->at += room;
    arena->left -= room;
    return memory;
}

void weir_arena_deinit(struct weir_arena *arena)
{
    while (arena->blocks != NULL) {
        struct weir_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        weir_release(arena->allocator, block, block->size);
    }
    *arena = (struct weir_arena){.allocator = arena->allocator};
}
