/* arena.h - memory that is given back all at once: what a policy is made of (arena.c).
 *
 * All zero but for the allocator is an empty one. */

#ifndef WEIR_RULES_ARENA_H
#define WEIR_RULES_ARENA_H

#include "weir/weir.h"

struct weir_arena_block;

struct weir_arena {
    const struct weir_allocator *allocator;
    struct weir_arena_block *blocks;
    char *at;
    size_t left;
};

/* `count` things of `size` bytes, zeroed, aligned for anything; NULL: no memory. Never NULL for a
 * count of 0, so that NULL always means the one thing. */
void *weir_arena_get(struct weir_arena *arena, size_t count, size_t size);

/* Gives all of it back: an empty arena over the same allocator. */
void weir_arena_deinit(struct weir_arena *arena);

#endif
