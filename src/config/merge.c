/* merge.c - the keys of a mapping, once it is whole: merge keys, and keys that come twice; see
 * tree.h.
 *
 * All candidates, the mapping's own and then those that `<<` brings, are put in the order of their
 * names; of each name the first stays. An own key that is not the first is a mistake, one that was
 * brought is what a merge key is for. */

#include "base/alloc.h"
#include "config/tree.h"
#include "policy/words.h"

#include <stdlib.h>
#include <string.h>

struct candidate {
    const struct weir_entry *entry;
    size_t order;
    bool own;
    bool kept;
};

struct candidates {
    struct candidate *list;
    size_t count;
};

static bool is_merge(const struct weir_entry *entry)
{
    return entry->key->plain && weir_word_is(entry->key->text, "<<");
}

/* How many entries a merge key's value brings; complains of one that can't be. */
static size_t count_brought(const struct weir_tree_spec *spec, const struct weir_node *value)
{
    if (value->kind == WEIR_NODE_MAP) {
        return value->count;
    }
    size_t count = 0;
    const struct weir_entry *item = value->kind == WEIR_NODE_LIST ? value->entries : NULL;
    bool good = value->kind == WEIR_NODE_LIST;
    for (; item != NULL; item = item->next) {
        good = good && item->value->kind == WEIR_NODE_MAP;
        count += item->value->kind == WEIR_NODE_MAP ? item->value->count : 0;
    }
    if (!good) {
        weir_complain(spec->complaints, value->origin,
                      "'<<' takes a mapping, as *NAME, or a list of them");
    }
    return count;
}

static void add(struct candidates *candidates, const struct weir_entry *entry, bool own)
{
    candidates->list[candidates->count] = (struct candidate){entry, candidates->count, own, true};
    candidates->count++;
}

static void add_map(struct candidates *candidates, const struct weir_node *map)
{
    if (map->kind != WEIR_NODE_MAP) {
        return;
    }
    for (const struct weir_entry *entry = map->entries; entry != NULL; entry = entry->next) {
        add(candidates, entry, false);
    }
}

static void collect(const struct weir_node *map, struct candidates *candidates)
{
    for (const struct weir_entry *entry = map->entries; entry != NULL; entry = entry->next) {
        if (!is_merge(entry)) {
            add(candidates, entry, true);
        }
    }
    for (const struct weir_entry *entry = map->entries; entry != NULL; entry = entry->next) {
        if (is_merge(entry)) {
            add_map(candidates, entry->value);
            const struct weir_entry *item =
                entry->value->kind == WEIR_NODE_LIST ? entry->value->entries : NULL;
            for (; item != NULL; item = item->next) {
                add_map(candidates, item->value);
            }
        }
    }
}

static int compare_names(struct weir_bytes a, struct weir_bytes b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    const int order = compare_names(a->entry->key->text, b->entry->key->text);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static int by_order(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    return (a->order > b->order) - (a->order < b->order);
}

static void drop_doubles(const struct weir_tree_spec *spec, struct candidates *candidates)
{
    qsort(candidates->list, candidates->count, sizeof(candidates->list[0]), by_name);
    size_t first = 0;
    for (size_t i = 1; i < candidates->count; i++) {
        struct candidate *candidate = &candidates->list[i];
        const struct weir_node *key = candidate->entry->key;
        const struct weir_node *other = candidates->list[first].entry->key;
        if (compare_names(key->text, other->text) != 0) {
            first = i;
            continue;
        }
        candidate->kept = false;
        if (candidate->own) {
            const struct weir_quote quote = weir_word_quote(key->text);
            weir_complain(spec->complaints, key->origin,
                          "the key '%s' is here twice, first in line %u; leave one of them out",
                          quote.text, other->origin.line);
        }
    }
    qsort(candidates->list, candidates->count, sizeof(candidates->list[0]), by_order);
}

/* Makes the mapping's entries anew of those that stay. */
static bool link_kept(const struct weir_tree_spec *spec, const struct candidates *candidates,
                      struct weir_node *map)
{
    map->entries = NULL;
    map->last = NULL;
    map->count = 0;
    for (size_t i = 0; i < candidates->count; i++) {
        if (!candidates->list[i].kept) {
            continue;
        }
        struct weir_entry *entry = weir_memory_take(spec->memory, 1, sizeof(*entry));
        if (entry == NULL) {
            return false;
        }
        *entry = *candidates->list[i].entry;
        entry->next = NULL;
        if (map->last != NULL) {
            map->last->next = entry;
        } else {
            map->entries = entry;
        }
        map->last = entry;
        map->count++;
    }
    return true;
}

bool weir_map_finish(const struct weir_tree_spec *spec, struct weir_node *map, size_t *nodes)
{
    size_t brought = 0;
    size_t merges = 0;
    for (const struct weir_entry *entry = map->entries; entry != NULL; entry = entry->next) {
        brought += is_merge(entry) ? count_brought(spec, entry->value) : 0;
        merges += is_merge(entry) ? 1 : 0;
    }
    *nodes += brought;
    if (*nodes > WEIR_NODES_MAX || map->count + merges < 2) {
        return true; /* whoever counts complains */
    }
    const struct weir_allocator *allocator = spec->memory->arena.allocator;
    const size_t size = (map->count + brought) * sizeof(struct candidate);
    struct candidates candidates = {weir_alloc(allocator, size, _Alignof(struct candidate)), 0};
    if (candidates.list == NULL) {
        spec->memory->failed = true;
        return false;
    }
    collect(map, &candidates);
    drop_doubles(spec, &candidates);
    const bool good = link_kept(spec, &candidates, map);
    weir_release(allocator, candidates.list, size);
    return good;
}
