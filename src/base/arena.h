/* arena.h - memory that is given back all at once: what a policy is made of, or what one request
 * takes (arena.c).
 *
 * All zero is an empty one over malloc. One thread's. */

#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "weir/weir.h"

struct weir_arena_block;

struct weir_arena {
    const struct weir_allocator *allocator;
    size_t most; /* bytes that all blocks may take together; 0: as many as there are */
    struct weir_arena_block *blocks;
    char *at;
    size_t left;
    size_t total;
};

/* `count` things of `size` bytes, zeroed, aligned for anything; NULL: no memory. Never NULL for a
 * count of 0, so that NULL always means the one thing. */
void *weir_arena_get(struct weir_arena *arena, size_t count, size_t size);

/* The same of `size` bytes, 0 too, with whatever is in them. */
void *weir_arena_take(struct weir_arena *arena, size_t size);

/* Forgets all that was given, and keeps a block for what comes next. */
void weir_arena_clear(struct weir_arena *arena);

/* Gives all of it back: an empty arena over the same allocator. */
void weir_arena_deinit(struct weir_arena *arena);

#endif
