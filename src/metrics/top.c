/* top.c - see top.h.
 *
 * Three parts in one piece of memory: the entries; a heap that has the entry of the least count at
 * its root; an index from hashes to entries, open addressing with twice as many places as entries.
 *
 * Invariants: heap[entries[e].at].entry == e; no entry of the heap has a lesser count than the one
 * above it; the index finds each entry by going from its hash's place to the first empty one. */

#include "metrics/top.h"

#include "base/alloc.h"
#include "base/checked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Where counts stop: sums of as many lists as there can be workers fit 64 bits. */
#define COUNT_MAX (UINT64_C(1) << 54)

/* 16 bytes, so that four lie in a cache line: going through the heap touches no entry. */
struct node {
    uint64_t count;
    uint32_t entry;
    uint32_t rule;
};

struct weir_top {
    uint32_t size;
    uint32_t used;
    uint32_t mask;   /* places of the index, less one */
    uint32_t *index; /* the entry's number and 1; 0: empty */
    struct node *heap;
    struct weir_top_entry *entries;
};

/* ---- Memory ------------------------------------------------------------------------------- */

static uint32_t index_places(uint32_t size)
{
    uint32_t places = 2;
    while (places < 2 * size) {
        places *= 2;
    }
    return places;
}

size_t weir_top_bytes(uint32_t size)
{
    return sizeof(struct weir_top) + size * sizeof(struct weir_top_entry) +
           size * sizeof(struct node) + index_places(size) * sizeof(uint32_t);
}

struct weir_top *weir_top_new(uint32_t size)
{
    assert(size > 0 && size <= UINT32_MAX / 8);
    struct weir_top *top =
        weir_alloc(weir_allocator_or_default(NULL), weir_top_bytes(size), _Alignof(max_align_t));
    if (top == NULL) {
        return NULL;
    }
    top->size = size;
    top->mask = index_places(size) - 1;
    top->entries = (struct weir_top_entry *)(top + 1);
    top->heap = (struct node *)(top->entries + size);
    top->index = (uint32_t *)(top->heap + size);
    return top;
}

void weir_top_free(struct weir_top *top)
{
    if (top != NULL) {
        weir_release(weir_allocator_or_default(NULL), top, weir_top_bytes(top->size));
    }
}

/* ---- The heap ----------------------------------------------------------------------------- */

static void put_node(struct weir_top *top, uint32_t at, struct node node)
{
    top->heap[at] = node;
    top->entries[node.entry].at = at;
}

/* The node at `at` has grown: it goes down until nothing below it is less. */
static void sink(struct weir_top *top, uint32_t at)
{
    const struct node node = top->heap[at];
    for (;;) {
        uint32_t below = 2 * at + 1;
        if (below + 1 < top->used && top->heap[below + 1].count < top->heap[below].count) {
            below++;
        }
        if (below >= top->used || node.count <= top->heap[below].count) {
            put_node(top, at, node);
            return;
        }
        put_node(top, at, top->heap[below]);
        at = below;
    }
}

/* The node at `at` is new: it goes up until nothing above it is more. */
static void rise(struct weir_top *top, uint32_t at)
{
    const struct node node = top->heap[at];
    while (at > 0 && node.count < top->heap[(at - 1) / 2].count) {
        put_node(top, at, top->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put_node(top, at, node);
}

/* ---- The index ---------------------------------------------------------------------------- */

/* What is kept of a key's bytes, and how long that is. */
static uint32_t shown_len(struct weir_bytes text)
{
    return text.len <= WEIR_TOP_KEY_MAX ? (uint32_t)text.len : WEIR_TOP_KEY_MAX;
}

static void show_key(struct weir_top_entry *entry, struct weir_bytes text)
{
    static const char cut[] = "...";
    const size_t cut_len = sizeof(cut) - 1;
    entry->key_len = shown_len(text);
    if (text.len > 0) {
        memcpy(entry->key, text.ptr, entry->key_len);
    }
    if (text.len > WEIR_TOP_KEY_MAX) {
        memcpy(entry->key + WEIR_TOP_KEY_MAX - cut_len, cut, cut_len);
    }
    entry->key[entry->key_len] = '\0';
}

static bool is_of(const struct weir_top_entry *entry, const struct weir_top_key *key)
{
    const uint32_t len = shown_len(key->text);
    const uint32_t compared = key->text.len <= WEIR_TOP_KEY_MAX ? len : WEIR_TOP_KEY_MAX - 3;
    return entry->hash == key->hash && entry->rule == key->rule && entry->key_len == len &&
           (compared == 0 || memcmp(entry->key, key->text.ptr, compared) == 0);
}

/* The place of the key in the index, or the empty one where it would be put. */
static uint32_t find_place(const struct weir_top *top, const struct weir_top_key *key)
{
    uint32_t place = (uint32_t)key->hash & top->mask;
    while (top->index[place] != 0 && !is_of(&top->entries[top->index[place] - 1], key)) {
        place = (place + 1) & top->mask;
    }
    return place;
}

/* Takes an entry out, and moves up those behind it that would not be found past the gap. */
static void remove_place(struct weir_top *top, uint32_t entry)
{
    uint32_t gap = (uint32_t)top->entries[entry].hash & top->mask;
    while (top->index[gap] != entry + 1) {
        gap = (gap + 1) & top->mask;
    }
    uint32_t place = gap;
    for (;;) {
        place = (place + 1) & top->mask;
        if (top->index[place] == 0) {
            break;
        }
        const uint32_t home = (uint32_t)top->entries[top->index[place] - 1].hash & top->mask;
        if (((place - home) & top->mask) >= ((place - gap) & top->mask)) {
            top->index[gap] = top->index[place];
            gap = place;
        }
    }
    top->index[gap] = 0;
}

/* ---- Counting ----------------------------------------------------------------------------- */

static uint64_t sum_of(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return ckd_add(&sum, a, b) || sum > COUNT_MAX ? COUNT_MAX : sum;
}

/* The entry that a new key gets: a fresh one, or that of the least count, which the key takes over
 * as its own error. */
static uint32_t take_entry(struct weir_top *top)
{
    if (top->used < top->size) {
        const uint32_t fresh = top->used++;
        top->heap[fresh] = (struct node){.entry = fresh};
        top->entries[fresh].error = 0;
        rise(top, fresh);
        return fresh;
    }
    const uint32_t least = top->heap[0].entry;
    remove_place(top, least);
    top->entries[least].error = top->heap[0].count;
    return least;
}

void weir_top_count(struct weir_top *top, const struct weir_top_key *key, uint64_t cost)
{
    if (cost == 0) {
        return;
    }
    uint32_t place = find_place(top, key);
    if (top->index[place] == 0) {
        const uint32_t taken = take_entry(top);
        struct weir_top_entry *entry = &top->entries[taken];
        entry->hash = key->hash;
        entry->rule = key->rule;
        show_key(entry, key->text);
        top->heap[entry->at].rule = key->rule;
        /* Anew: taking an entry out may have moved the place that was empty. */
        place = find_place(top, key);
        top->index[place] = taken + 1;
    }
    const uint32_t at = top->entries[top->index[place] - 1].at;
    top->heap[at].count = sum_of(top->heap[at].count, cost);
    sink(top, at);
}

/* ---- Telling ------------------------------------------------------------------------------ */

uint64_t weir_top_floor(const struct weir_top *top)
{
    return top->used < top->size ? 0 : top->heap[0].count;
}

uint32_t weir_top_size(const struct weir_top *top)
{
    return top->size;
}

size_t weir_top_copy(const struct weir_top *top, uint32_t rule, struct weir_top_entry *entries)
{
    size_t count = 0;
    for (uint32_t i = 0; i < top->used; i++) {
        if (top->heap[i].rule == rule) {
            entries[count] = top->entries[top->heap[i].entry];
            entries[count++].count = top->heap[i].count;
        }
    }
    return count;
}

/* Both wrap around below 0 and back again when the floors are added: what is left in the end is
 * what the sums are without this detour, which saves looking for the lists that a key is not in. */
void weir_top_lessen(struct weir_top_entry *entries, size_t count, uint64_t floor)
{
    for (size_t i = 0; i < count; i++) {
        entries[i].count -= floor;
        entries[i].error -= floor;
    }
}

static int by_key(const void *a, const void *b)
{
    const struct weir_top_entry *x = a;
    const struct weir_top_entry *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    if (x->key_len != y->key_len) {
        return x->key_len < y->key_len ? -1 : 1;
    }
    return memcmp(x->key, y->key, x->key_len);
}

/* Equal counts by their keys, so that a list that stands still looks like it. */
static int by_count(const void *a, const void *b)
{
    const struct weir_top_entry *x = a;
    const struct weir_top_entry *y = b;
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    const uint32_t shorter = x->key_len < y->key_len ? x->key_len : y->key_len;
    const int order = memcmp(x->key, y->key, shorter);
    return order != 0 ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

size_t weir_top_merge(struct weir_top_entry *entries, size_t count, uint64_t floors)
{
    if (count == 0) {
        return 0;
    }
    qsort(entries, count, sizeof(entries[0]), by_key);
    size_t last = 0;
    for (size_t i = 1; i < count; i++) {
        if (by_key(&entries[last], &entries[i]) == 0) {
            entries[last].count += entries[i].count;
            entries[last].error += entries[i].error;
        } else {
            entries[++last] = entries[i];
        }
    }
    for (size_t i = 0; i <= last; i++) {
        entries[i].count += floors;
        entries[i].error += floors;
    }
    qsort(entries, last + 1, sizeof(entries[0]), by_count);
    return last + 1;
}
