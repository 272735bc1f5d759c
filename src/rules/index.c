/* index.c - see index.h.
 *
 * Each item is put under all alternatives of one of its conditions: a value, the start of a value
 * (of a glob, what comes before its first wildcard), or a network. Which condition is decided after
 * all items were seen: the one whose most crowded alternative is shared with the fewest others, so
 * that a thousand rules for GET and a path each are found by path. What has no such condition is
 * always tried.
 *
 * To look something up, a value is hashed once, once more for each length of start that any item is
 * under (going on where the shorter one left off), and once for each length of a network's prefix.
 * How many items there are makes no difference, and neither does how long the value is. The hash is
 * keyed, as values are chosen by strangers; that two alternatives have one hash costs a try.
 *
 * Invariant: an item whose conditions hold is found, as one of its alternatives holds. */

#include "rules/index.h"

#include "rules/map.h"

#include <assert.h>
#include <stdlib.h>

enum look_kind {
    LOOK_EXACT = 0,
    LOOK_START,
    LOOK_NETWORK_4,
    LOOK_NETWORK_6
};

/* A way in which a slot's value is looked up. */
struct look {
    uint32_t slot;
    uint8_t kind;
    uint32_t length; /* of a start, or a prefix in bits; of EXACT: the longest there is */
};

/* The looks of one slot. */
struct group {
    uint32_t slot;
    uint32_t first;
    uint32_t count;
};

struct weir_index {
    struct weir_map map;
    struct weir_sip start;
    struct look *looks; /* by slot, kind and length */
    struct group *groups;
    uint32_t group_count;
    uint32_t rest_count;
    uint32_t *rest; /* what is always tried */
};

/* ---- Alternatives ---- */

/* What an item may be put under. */
struct alternative {
    struct look look;
    struct weir_bytes bytes;
};

/* A test's alternative; false where it has none. */
static bool alternative_of(uint32_t slot, const struct weir_test *test,
                           struct alternative *ret_alternative)
{
    struct alternative found = {.look = {.slot = slot, .kind = LOOK_EXACT}, .bytes = test->text};
    if (test->kind == WEIR_TEST_CIDR) {
        const struct weir_cidr *cidr = &test->with.cidr;
        const bool is_4 = cidr->address.family == WEIR_FAMILY_4;
        found.look.kind = is_4 ? LOOK_NETWORK_4 : LOOK_NETWORK_6;
        found.look.length = cidr->prefix;
        found.bytes = weir_bytes(cidr->address.bytes, is_4 ? 4 : 16);
        *ret_alternative = found;
        return true;
    }
    if (test->kind == WEIR_TEST_PREFIX) {
        found.look.kind = LOOK_START;
    } else if (test->kind == WEIR_TEST_GLOB) {
        found.bytes = weir_glob_start(test->text);
        found.look.kind = found.bytes.len < test->text.len ? LOOK_START : LOOK_EXACT;
    } else if (test->kind != WEIR_TEST_EXACT) {
        return false;
    }
    if (found.look.kind == LOOK_START && found.bytes.len == 0) {
        return false;
    }
    found.look.length = (uint32_t)found.bytes.len;
    *ret_alternative = found;
    return true;
}

/* The alternative of a test that has one. */
static struct alternative sure_alternative(const struct weir_condition *condition, uint32_t test)
{
    struct alternative alternative = {.bytes = {NULL, 0}};
    (void)alternative_of(condition->slot, &condition->tests[test], &alternative);
    return alternative;
}

/* Whether each of the condition's tests has an alternative. */
static bool is_indexable(const struct weir_condition *condition)
{
    struct alternative unused;
    for (uint32_t i = 0; i < condition->count; i++) {
        if (!alternative_of(condition->slot, &condition->tests[i], &unused)) {
            return false;
        }
    }
    return !condition->negated;
}

/* Keeps slots and kinds apart. Starts of different lengths differ by their length already. */
static uint64_t salt_of(const struct look *look)
{
    const uint64_t prefix = look->kind >= LOOK_NETWORK_4 ? look->length : 0;
    return (uint64_t)look->slot << 16 | (uint64_t)look->kind << 8 | prefix;
}

static uint64_t hash_of(const struct weir_sip *start, const struct alternative *alternative)
{
    return weir_hash_from(start, salt_of(&alternative->look), alternative->bytes);
}

/* ---- Making ---- */

struct making {
    const struct weir_conjunction *items;
    size_t count;
    const struct weir_sip *start;
    struct weir_arena *arena;
    struct weir_arena temporary;
    struct weir_map all;                  /* every item under every alternative that it has */
    const struct weir_condition **chosen; /* for each item, or NULL */
    struct weir_pair *pairs;
    size_t pair_count;
};

static void add_pairs(struct making *making, size_t item, const struct weir_condition *condition)
{
    for (uint32_t i = 0; i < condition->count; i++) {
        const struct alternative alternative = sure_alternative(condition, i);
        making->pairs[making->pair_count].hash = hash_of(making->start, &alternative);
        making->pairs[making->pair_count].number = (uint32_t)item;
        making->pair_count++;
    }
}

/* Counts how many share each alternative: a map of all of them. */
static bool count_all(struct making *making)
{
    size_t count = 0;
    for (size_t i = 0; i < making->count; i++) {
        for (uint32_t j = 0; j < making->items[i].count; j++) {
            count += making->items[i].conditions[j].count;
        }
    }
    making->pairs = weir_arena_get(&making->temporary, count, sizeof(*making->pairs));
    making->chosen =
        weir_arena_get(&making->temporary, making->count, sizeof(const struct weir_condition *));
    if (count > UINT32_MAX / 2 || making->pairs == NULL || making->chosen == NULL) {
        return false;
    }
    for (size_t i = 0; i < making->count; i++) {
        for (uint32_t j = 0; j < making->items[i].count; j++) {
            const struct weir_condition *condition = &making->items[i].conditions[j];
            if (is_indexable(condition)) {
                add_pairs(making, i, condition);
            }
        }
    }
    return weir_map_make(&making->all, making->pairs, making->pair_count, &making->temporary);
}

/* How crowded the condition's most crowded alternative is; of two that are so equally, a value is
 * better than a network, and that better than a start. */
static uint64_t crowd_of(const struct making *making, const struct weir_condition *condition)
{
    static const uint64_t worse[] = {
        [LOOK_EXACT] = 0, [LOOK_NETWORK_4] = 1, [LOOK_NETWORK_6] = 1, [LOOK_START] = 2};
    uint64_t most = 0;
    for (uint32_t i = 0; i < condition->count; i++) {
        const struct alternative alternative = sure_alternative(condition, i);
        uint32_t shared;
        (void)weir_map_find(&making->all, hash_of(making->start, &alternative), &shared);
        const uint64_t crowd = 4 * (uint64_t)shared + worse[alternative.look.kind];
        most = crowd > most ? crowd : most;
    }
    return most;
}

static void choose(struct making *making, size_t item)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t j = 0; j < making->items[item].count; j++) {
        const struct weir_condition *condition = &making->items[item].conditions[j];
        if (!is_indexable(condition)) {
            continue;
        }
        const uint64_t crowd = crowd_of(making, condition);
        if (crowd < least) {
            least = crowd;
            making->chosen[item] = condition;
        }
    }
}

static bool put(struct making *making, struct weir_index *index)
{
    index->rest = weir_arena_get(making->arena, making->count, sizeof(*index->rest));
    if (index->rest == NULL) {
        return false;
    }
    making->pair_count = 0;
    for (size_t i = 0; i < making->count; i++) {
        choose(making, i);
        if (making->chosen[i] != NULL) {
            add_pairs(making, i, making->chosen[i]);
        } else {
            index->rest[index->rest_count++] = (uint32_t)i;
        }
    }
    return weir_map_make(&index->map, making->pairs, making->pair_count, making->arena);
}

static int compare_looks(const void *left, const void *right)
{
    const struct look *a = left;
    const struct look *b = right;
    if (a->slot != b->slot) {
        return a->slot < b->slot ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    return (a->length > b->length) - (a->length < b->length);
}

/* The looks that what was chosen takes, in order, each once. */
static struct look *collect_looks(struct making *making, size_t *ret_count)
{
    size_t count = 0;
    struct look *looks = weir_arena_get(&making->temporary, making->pair_count, sizeof(*looks));
    if (looks == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < making->count; i++) {
        const struct weir_condition *condition = making->chosen[i];
        for (uint32_t j = 0; condition != NULL && j < condition->count; j++) {
            looks[count++] = sure_alternative(condition, j).look;
        }
    }
    qsort(looks, count, sizeof(*looks), compare_looks);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct look *last = kept > 0 ? &looks[kept - 1] : NULL;
        if (last != NULL && last->slot == looks[i].slot && last->kind == looks[i].kind &&
            (last->kind == LOOK_EXACT || last->length == looks[i].length)) {
            last->length = looks[i].length;
        } else {
            looks[kept++] = looks[i];
        }
    }
    *ret_count = kept;
    return looks;
}

static bool make_groups(struct making *making, struct weir_index *index)
{
    size_t count = 0;
    const struct look *looks = collect_looks(making, &count);
    if (looks == NULL) {
        return false;
    }
    index->looks = weir_arena_get(making->arena, count, sizeof(*index->looks));
    index->groups = weir_arena_get(making->arena, count, sizeof(*index->groups));
    if (index->looks == NULL || index->groups == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        index->looks[i] = looks[i];
        if (i == 0 || looks[i].slot != looks[i - 1].slot) {
            index->groups[index->group_count++] =
                (struct group){.slot = looks[i].slot, .first = (uint32_t)i};
        }
        index->groups[index->group_count - 1].count++;
    }
    return true;
}

struct weir_index *weir_index_new(const struct weir_conjunction *items, size_t count,
                                  const struct weir_sip *start, struct weir_arena *arena)
{
    assert(count <= UINT32_MAX / 2);
    struct making making = {.items = items,
                            .count = count,
                            .start = start,
                            .arena = arena,
                            .temporary = {.allocator = arena->allocator}};
    struct weir_index *index = weir_arena_get(arena, 1, sizeof(*index));
    if (index != NULL) {
        index->start = *start;
        if (!count_all(&making) || !put(&making, index) || !make_groups(&making, index)) {
            index = NULL;
        }
    }
    weir_arena_deinit(&making.temporary);
    return index;
}

/* ---- Looking ---- */

/* One lookup in an index. */
struct looking {
    const struct weir_index *index;
    weir_look_fn *look;
    void *context;
};

static inline bool look_up(const struct looking *looking, uint64_t hash)
{
    uint32_t count;
    const uint32_t *numbers = weir_map_find(&looking->index->map, hash, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!looking->look(looking->context, numbers[i])) {
            return false;
        }
    }
    return true;
}

/* What a hash of bytes has come to, some of them being hashed already. */
struct prefix_hash {
    struct weir_sip sip;
    size_t done;
};

/* The hash of the first `len` bytes of `bytes`, as weir_hash_from has it; no shorter than before.
 */
static inline uint64_t prefix_hash(struct prefix_hash *state, struct weir_bytes bytes, size_t len)
{
    while (len - state->done >= 8) {
        weir_sip_word(&state->sip, weir_load_word(bytes.ptr + state->done));
        state->done += 8;
    }
    struct weir_sip sip = state->sip;
    const struct weir_bytes start = weir_bytes(bytes.ptr, len);
    weir_sip_word(&sip, (uint64_t)len << 56 | weir_load_tail(start, len & 7));
    sip.v2 ^= 0xff;
    weir_sip_round(&sip);
    weir_sip_round(&sip);
    weir_sip_round(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

/* The starts of a value: `looks` are all of that kind, the shorter ones first. */
static bool look_at_starts(const struct looking *looking, const struct look *looks, uint32_t count,
                           struct weir_bytes bytes)
{
    const uint64_t salt = salt_of(looks);
    struct prefix_hash state = {.sip = looking->index->start};
    state.sip.v0 ^= salt;
    state.sip.v2 ^= salt;
    for (uint32_t i = 0; i < count && looks[i].length <= bytes.len; i++) {
        if (!look_up(looking, prefix_hash(&state, bytes, looks[i].length))) {
            return false;
        }
    }
    return true;
}

static bool look_at_network(const struct looking *looking, const struct look *look,
                            const struct weir_address *address)
{
    const bool is_4 = look->kind == LOOK_NETWORK_4;
    if (address->family != (is_4 ? WEIR_FAMILY_4 : WEIR_FAMILY_6)) {
        return true;
    }
    struct weir_address masked = *address;
    weir_address_mask(&masked, look->length);
    return look_up(looking, weir_hash_from(&looking->index->start, salt_of(look),
                                           weir_bytes(masked.bytes, is_4 ? 4 : 16)));
}

static bool look_at_value(const struct looking *looking, const struct group *group,
                          struct weir_value *value)
{
    const struct look *looks = &looking->index->looks[group->first];
    for (uint32_t i = 0; i < group->count;) {
        const struct look *look = &looks[i];
        bool on = true;
        if (look->kind == LOOK_EXACT) {
            on = value->bytes.len > look->length ||
                 look_up(looking,
                         weir_hash_from(&looking->index->start, salt_of(look), value->bytes));
            i++;
        } else if (look->kind == LOOK_START) {
            uint32_t count = 1;
            while (i + count < group->count && looks[i + count].kind == LOOK_START) {
                count++;
            }
            on = look_at_starts(looking, look, count, value->bytes);
            i += count;
        } else {
            on = look_at_network(looking, look, weir_value_address(value));
            i++;
        }
        if (!on) {
            return false;
        }
    }
    return true;
}

static const struct group *find_group(const struct weir_index *index, uint32_t slot)
{
    uint32_t low = 0;
    uint32_t high = index->group_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (index->groups[middle].slot < slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < index->group_count && index->groups[low].slot == slot ? &index->groups[low] : NULL;
}

bool weir_index_look(const struct weir_index *index, struct weir_values *values, weir_look_fn *look,
                     void *context)
{
    const struct looking looking = {index, look, context};
    for (uint32_t i = 0; i < values->count; i++) {
        const struct group *group = find_group(index, values->values[i].slot);
        if (group != NULL && !look_at_value(&looking, group, &values->values[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < index->rest_count; i++) {
        if (!look(context, index->rest[i])) {
            return false;
        }
    }
    return true;
}
