/* top.h - whose cost is the highest, in fixed memory: Space-Saving (top.c).
 *
 * A list watches `size` keys. A key that is in it is counted; one that is not takes the place of
 * the key with the least count, and inherits that count as what it may be wrong by. So for every
 * key of the list
 *
 *     count - error <= what it truly cost <= count
 *
 * and a key that is not in it cost no more than weir_top_floor, which is at most N / size where N
 * is all that was ever counted: whoever has more than that is in the list, whatever came in which
 * order.
 *
 * Lists of the same secret can be told as one (weir_top_merge), with the same promise: for each key
 * the counts of the lists that have it, and the floors of those that have not, are added.
 *
 * A key is known by a hash under a secret, and by its first bytes: two keys that share all of these
 * count as one. Lists know of rules only that keys of different rules are different keys.
 *
 * Sources: Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in
 * Data Streams" (2005), with a heap in place of its list of buckets, as costs are not all 1;
 * Agarwal et al., "Mergeable Summaries" (2012), for several lists as one.
 *
 * Threads: none of this locks; a list has one owner at a time. */

#ifndef WEIR_METRICS_TOP_H
#define WEIR_METRICS_TOP_H

#include "weir/weir.h"

/* Bytes of a key that are kept: of a longer one the first WEIR_TOP_KEY_MAX - 3, and "...". */
#define WEIR_TOP_KEY_MAX 255

/* A key as it is counted. */
struct weir_top_key {
    uint64_t hash;
    uint32_t rule;
    struct weir_bytes text;
};

/* What a list has of a key. */
struct weir_top_entry {
    uint64_t hash;
    uint64_t count;
    uint64_t error;
    uint32_t rule;
    uint32_t at; /* top.c's */
    uint32_t key_len;
    char key[WEIR_TOP_KEY_MAX + 1]; /* with a NUL after it */
};

struct weir_top;

/* The memory of a list of `size` keys, 1 or more. */
size_t weir_top_bytes(uint32_t size);

/* NULL: no memory. */
struct weir_top *weir_top_new(uint32_t size);
void weir_top_free(struct weir_top *top);

/* Adds `cost` to the key's count: O(log size), no allocation. Counts stop at 2^54. */
void weir_top_count(struct weir_top *top, const struct weir_top_key *key, uint64_t cost);

/* The most that a key which is not in the list may have cost. */
uint64_t weir_top_floor(const struct weir_top *top);

/* Copies the entries of one rule, in no order; `entries` has room for weir_top_size. */
uint32_t weir_top_size(const struct weir_top *top);
size_t weir_top_copy(const struct weir_top *top, uint32_t rule, struct weir_top_entry *entries);

/* Entries of several lists, each lessened by its own list's floor (weir_top_lessen), as one: sorted
 * by count, greatest first, each key once. `floors` is the sum of all lists' floors. Returns how
 * many are left at the front of `entries`. */
void weir_top_lessen(struct weir_top_entry *entries, size_t count, uint64_t floor);
size_t weir_top_merge(struct weir_top_entry *entries, size_t count, uint64_t floors);

#endif
