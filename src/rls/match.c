/* match.c - which rule a descriptor meets. Read policy_parts.h first.
 *
 * Invariant: at most two looks into the table, and the patterns of one level, for each entry. */

#include "rls/policy_parts.h"

#include <assert.h>

/* ---- Patterns ----------------------------------------------------------------------------- */

struct weir_rls_glob weir_rls_glob_of(struct weir_bytes text)
{
    const char *first = text.len > 0 ? memchr(text.ptr, '*', text.len) : NULL;
    if (first == NULL) {
        return (struct weir_rls_glob){.start = text};
    }
    const char *last = memrchr(text.ptr, '*', text.len);
    const char *end = text.ptr + text.len;
    return (struct weir_rls_glob){
        .open = true,
        .start = weir_bytes(text.ptr, (size_t)(first - text.ptr)),
        .middle =
            first < last ? weir_bytes(first + 1, (size_t)(last - first - 1)) : weir_bytes(NULL, 0),
        .end = weir_bytes(last + 1, (size_t)(end - last - 1)),
    };
}

/* Whether the parts of `middle` are in `value`, one behind the other. The first place of each is as
 * good as any: it leaves the most for those that follow. */
static bool has_middle(struct weir_bytes middle, struct weir_bytes value)
{
    while (middle.len > 0) {
        const char *star = memchr(middle.ptr, '*', middle.len);
        const size_t part = star != NULL ? (size_t)(star - middle.ptr) : middle.len;
        if (part > 0) {
            const char *found = memmem(value.ptr, value.len, middle.ptr, part);
            if (found == NULL) {
                return false;
            }
            const size_t used = (size_t)(found - value.ptr) + part;
            value = weir_bytes(value.ptr + used, value.len - used);
        }
        const size_t done = star != NULL ? part + 1 : part;
        middle = weir_bytes(middle.ptr + done, middle.len - done);
    }
    return true;
}

bool weir_rls_glob_matches(const struct weir_rls_glob *glob, struct weir_bytes value)
{
    const size_t start = glob->start.len;
    const size_t end = glob->end.len;
    if (!glob->open) {
        return weir_rls_same(glob->start, value);
    }
    if (value.len < start + end || (start > 0 && memcmp(value.ptr, glob->start.ptr, start) != 0) ||
        (end > 0 && memcmp(value.ptr + value.len - end, glob->end.ptr, end) != 0)) {
        return false;
    }
    return glob->middle.len == 0 ||
           has_middle(glob->middle,
                      weir_bytes(value.len > 0 ? value.ptr + start : "", value.len - start - end));
}

/* ---- Nodes -------------------------------------------------------------------------------- */

static const struct weir_rls_node *find(const struct weir_rls_policy *policy,
                                        const struct weir_rls_node *parent, uint64_t key_hash,
                                        const struct weir_rls_entry *entry)
{
    const uint64_t hash = weir_rls_hash(policy, key_hash, entry->value);
    for (size_t at = hash & policy->place_mask;; at = (at + 1) & policy->place_mask) {
        const struct weir_rls_place *place = &policy->places[at];
        if (place->node == NULL) {
            return NULL;
        }
        if (place->hash == hash && place->node->parent == parent &&
            weir_rls_same(place->node->key, entry->key) &&
            weir_rls_same(place->node->value, entry->value)) {
            return place->node;
        }
    }
}

const struct weir_rls_node *weir_rls_find_domain(const struct weir_rls_policy *policy,
                                                 struct weir_bytes name)
{
    const struct weir_rls_entry entry = {.key = name};
    return find(policy, &policy->root, weir_rls_key_hash(policy, &policy->root, name), &entry);
}

static const struct weir_rls_node *find_pattern(const struct weir_rls_node *parent,
                                                const struct weir_rls_entry *entry)
{
    for (size_t i = 0; i < parent->pattern_count; i++) {
        const struct weir_rls_pattern *pattern = &parent->patterns[i];
        if (weir_rls_glob_matches(&pattern->key, entry->key) &&
            weir_rls_glob_matches(&pattern->value, entry->value)) {
            return pattern->node;
        }
    }
    return NULL;
}

static struct weir_rls_step step_from(const struct weir_rls_policy *policy,
                                      const struct weir_rls_node *parent,
                                      const struct weir_rls_entry *entry)
{
    const uint64_t key_hash = weir_rls_key_hash(policy, parent, entry->key);
    struct weir_rls_step step = {.how = WEIR_RLS_EXACT};
    if (parent->has_exact && entry->value.len > 0) {
        step.node = find(policy, parent, key_hash, entry);
    }
    if (step.node == NULL && parent->pattern_count > 0) {
        step.node = find_pattern(parent, entry);
        step.how = WEIR_RLS_BY_PATTERN;
    }
    if (step.node == NULL && parent->has_bare) {
        const struct weir_rls_entry bare = {.key = entry->key};
        step.node = find(policy, parent, key_hash, &bare);
        step.how = WEIR_RLS_BARE;
    }
    return step;
}

const struct weir_rls_prepared *weir_rls_match(const struct weir_rls_policy *policy,
                                               const struct weir_rls_node *domain,
                                               const struct weir_rls_descriptor *descriptor,
                                               struct weir_rls_step *steps)
{
    const struct weir_rls_node *node = domain;
    assert(descriptor->entry_count <= WEIR_RLS_ENTRIES_MAX);
    for (size_t i = 0; i < descriptor->entry_count; i++) {
        if (!node->has_children) {
            return NULL;
        }
        steps[i] = step_from(policy, node, &descriptor->entries[i]);
        node = steps[i].node;
        if (node == NULL) {
            return NULL;
        }
    }
    return node->rule;
}
