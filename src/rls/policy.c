/* policy.c - a policy made of its specification. Read policy_parts.h first.
 *
 * Nodes and rules are taken in the order of the files, a descriptor before those below it: that is
 * the order of rules, and of what is told of them. */

#include "base/alloc.h"
#include "rls/policy_parts.h"

#include <assert.h>

/* At most half of the places are taken. */
#define PLACES_MIN 4

struct making {
    struct weir_rls_policy *policy;
    struct weir_buffer path; /* the full key of the node that is made, and its parents' */
    size_t node_count;       /* in all, and of these rules; patterns count as nodes */
    size_t rule_count;
    uint64_t next_number;
    size_t next_rule;
};

static bool is_pattern(const struct weir_rls_node_spec *spec)
{
    return weir_rls_glob_of(spec->key).open || weir_rls_glob_of(spec->value).open;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as a file may be, WEIR_RLS_DEPTH_MAX */
static void count_nodes(struct making *making, const struct weir_rls_node_spec *specs, size_t count,
                        size_t depth)
{
    assert(depth < WEIR_RLS_DEPTH_MAX || count == 0);
    for (size_t i = 0; i < count; i++) {
        making->node_count++;
        making->rule_count += specs[i].has_rule ? 1 : 0;
        count_nodes(making, specs[i].children, specs[i].child_count, depth + 1);
    }
}

/* ---- The table ---------------------------------------------------------------------------- */

static bool make_places(struct making *making)
{
    struct weir_rls_policy *policy = making->policy;
    size_t count = PLACES_MIN;
    while (count < 2 * making->node_count) {
        count *= 2;
    }
    policy->places = weir_arena_get(&policy->arena, count, sizeof(policy->places[0]));
    policy->place_mask = count - 1;
    return policy->places != NULL;
}

static void put_in_place(struct weir_rls_policy *policy, const struct weir_rls_node *node)
{
    const uint64_t key_hash = weir_rls_key_hash(policy, node->parent, node->key);
    const uint64_t hash = weir_rls_hash(policy, key_hash, node->value);
    size_t at = hash & policy->place_mask;
    while (policy->places[at].node != NULL) {
        at = (at + 1) & policy->place_mask;
    }
    policy->places[at] = (struct weir_rls_place){hash, node};
}

/* ---- Rules -------------------------------------------------------------------------------- */

static bool copy_path(struct making *making, struct weir_bytes *ret_text)
{
    if (making->path.failed) {
        return false;
    }
    char *text = weir_arena_take(&making->policy->arena, making->path.len);
    if (text == NULL) {
        return false;
    }
    memcpy(text, making->path.bytes, making->path.len);
    *ret_text = weir_bytes(text, making->path.len);
    return true;
}

/* The windows of envoyproxy/ratelimit. */
static bool is_aligned(const struct weir_limit *limit)
{
    struct weir_limit_spec spec;
    if (limit == NULL) {
        return true;
    }
    weir_limit_describe(limit, &spec);
    return spec.algorithm == WEIR_CALENDAR_WINDOW && spec.calendar == WEIR_CALENDAR_EPOCH;
}

static bool make_rule(struct making *making, const struct weir_rls_node_spec *spec,
                      const struct weir_rls_prepared **ret_rule)
{
    struct weir_rls_prepared *rule = &making->policy->rules[making->next_rule];
    assert(spec->unlimited || spec->requests_per_unit == 0 || spec->limit != NULL);
    rule->rule.spec = spec;
    rule->rule.index = making->next_rule++;
    rule->aligned = is_aligned(spec->limit);
    rule->name = WEIR_RLS_NO_NAME;
    *ret_rule = rule;
    return copy_path(making, &rule->rule.full_key);
}

/* ---- Nodes -------------------------------------------------------------------------------- */

static bool make_children(struct making *making, struct weir_rls_node *parent,
                          const struct weir_rls_node_spec *specs, size_t count);

/* The node's part of the full key, behind a dot. */
static void put_path(struct making *making, const struct weir_rls_node_spec *spec)
{
    weir_buffer_put_text(&making->path, ".");
    weir_buffer_put(&making->path, spec->key);
    if (spec->value.len > 0) {
        weir_buffer_put_text(&making->path, "_");
        weir_buffer_put(&making->path, spec->value);
    }
}

static void add_pattern(struct weir_rls_node *parent, const struct weir_rls_node *node)
{
    struct weir_rls_pattern *pattern = &parent->patterns[parent->pattern_count++];
    pattern->key = weir_rls_glob_of(node->key);
    pattern->value = weir_rls_glob_of(node->value);
    /* No value is any value. */
    pattern->value.open = pattern->value.open || node->value.len == 0;
    pattern->node = node;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as a file may be, see count_nodes */
static bool make_node(struct making *making, struct weir_rls_node *parent,
                      struct weir_rls_node *node, const struct weir_rls_node_spec *spec)
{
    const size_t path_len = making->path.len;
    node->parent = parent;
    node->key = spec->key;
    node->value = spec->value;
    node->spec = spec;
    node->number = ++making->next_number;
    parent->has_exact = parent->has_exact || spec->value.len > 0;
    parent->has_bare = parent->has_bare || spec->value.len == 0;
    put_in_place(making->policy, node);
    if (is_pattern(spec)) {
        add_pattern(parent, node);
    }
    put_path(making, spec);
    if ((spec->has_rule && !make_rule(making, spec, &node->rule)) ||
        !make_children(making, node, spec->children, spec->child_count)) {
        return false;
    }
    making->path.len = path_len;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as a file may be, see count_nodes */
static bool make_children(struct making *making, struct weir_rls_node *parent,
                          const struct weir_rls_node_spec *specs, size_t count)
{
    struct weir_arena *arena = &making->policy->arena;
    size_t patterns = 0;
    if (count == 0) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        patterns += is_pattern(&specs[i]) ? 1 : 0;
    }
    struct weir_rls_node *nodes = weir_arena_get(arena, count, sizeof(nodes[0]));
    parent->patterns = weir_arena_get(arena, patterns, sizeof(parent->patterns[0]));
    if (nodes == NULL || parent->patterns == NULL) {
        return false;
    }
    parent->has_children = true;
    for (size_t i = 0; i < count; i++) {
        if (!make_node(making, parent, &nodes[i], &specs[i])) {
            return false;
        }
    }
    return true;
}

static bool make_domains(struct making *making)
{
    struct weir_rls_policy *policy = making->policy;
    const struct weir_rls_spec *spec = policy->spec;
    struct weir_rls_node *nodes =
        weir_arena_get(&policy->arena, spec->domain_count, sizeof(nodes[0]));
    if (nodes == NULL) {
        return false;
    }
    for (size_t i = 0; i < spec->domain_count; i++) {
        const struct weir_rls_domain_spec *domain = &spec->domains[i];
        nodes[i].parent = &policy->root;
        nodes[i].key = domain->name;
        nodes[i].number = ++making->next_number;
        nodes[i].atomic = domain->atomic;
        put_in_place(policy, &nodes[i]);
        making->path.len = 0;
        weir_buffer_put(&making->path, domain->name);
        if (!make_children(making, &nodes[i], domain->children, domain->child_count)) {
            return false;
        }
    }
    return true;
}

/* ---- Names that are replaced -------------------------------------------------------------- */

/* Names get their numbers through a table of their own, thrown away once all have theirs. */
struct names {
    struct weir_arena arena;
    struct named {
        struct weir_bytes name; /* empty: a free place */
        uint32_t number;
    } * places;
    size_t mask;
    uint32_t count;
};

static struct named *named_place(const struct weir_rls_policy *policy, struct names *names,
                                 struct weir_bytes name)
{
    size_t at = weir_hash_from(&policy->start, 0, name) & names->mask;
    while (names->places[at].name.len > 0 && !weir_rls_same(names->places[at].name, name)) {
        at = (at + 1) & names->mask;
    }
    return &names->places[at];
}

static bool number_replaced(struct weir_rls_policy *policy, struct names *names,
                            struct weir_rls_prepared *rule)
{
    const struct weir_rls_node_spec *spec = rule->rule.spec;
    uint32_t *numbers = weir_arena_get(&policy->arena, spec->replaces_count, sizeof(numbers[0]));
    if (numbers == NULL) {
        return false;
    }
    for (size_t i = 0; i < spec->replaces_count; i++) {
        struct named *named = named_place(policy, names, spec->replaces[i]);
        if (named->name.len == 0) {
            *named = (struct named){spec->replaces[i], names->count++};
        }
        numbers[i] = named->number;
    }
    rule->replaces = numbers;
    return true;
}

static bool fill_names(struct weir_rls_policy *policy, struct names *names, size_t replaced)
{
    size_t places = PLACES_MIN;
    while (places < 2 * replaced) {
        places *= 2;
    }
    names->places = weir_arena_get(&names->arena, places, sizeof(names->places[0]));
    names->mask = places - 1;
    if (names->places == NULL) {
        return false;
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (!number_replaced(policy, names, &policy->rules[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct weir_bytes name = policy->rules[i].rule.spec->name;
        const struct named *named = named_place(policy, names, name);
        if (name.len > 0 && named->name.len > 0) {
            policy->rules[i].name = named->number;
        }
    }
    policy->name_count = names->count;
    return true;
}

static bool make_names(struct weir_rls_policy *policy)
{
    size_t replaced = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        replaced += policy->rules[i].rule.spec->replaces_count;
    }
    if (replaced == 0) {
        return true;
    }
    struct names names = {.arena = {.allocator = policy->allocator}};
    const bool made = fill_names(policy, &names, replaced);
    weir_arena_deinit(&names.arena);
    return made;
}

/* ---- The whole ---------------------------------------------------------------------------- */

static bool make(struct making *making)
{
    struct weir_rls_policy *policy = making->policy;
    for (size_t i = 0; i < policy->spec->domain_count; i++) {
        making->node_count++;
        count_nodes(making, policy->spec->domains[i].children, policy->spec->domains[i].child_count,
                    0);
    }
    policy->rule_count = making->rule_count;
    policy->rules = weir_arena_get(&policy->arena, making->rule_count, sizeof(policy->rules[0]));
    return policy->rules != NULL && make_places(making) && make_domains(making) &&
           make_names(policy);
}

enum weir_status weir_rls_policy_new(const struct weir_rls_spec *spec,
                                     const struct weir_allocator *allocator,
                                     struct weir_rls_policy **ret_policy)
{
    /* Any numbers: see policy_parts.h. */
    static const struct weir_secret secret = {WEIR_RLS_SPREAD, ~WEIR_RLS_SPREAD};
    assert(spec != NULL && ret_policy != NULL);
    allocator = weir_allocator_or_default(allocator);
    struct weir_rls_policy *policy = weir_alloc(allocator, sizeof(*policy), _Alignof(max_align_t));
    if (policy == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    policy->spec = spec;
    policy->allocator = allocator;
    policy->arena.allocator = allocator;
    policy->start = weir_sip_start(&secret);
    struct making making = {.policy = policy, .path = {.allocator = allocator}};
    const bool made = make(&making);
    weir_buffer_deinit(&making.path);
    if (!made) {
        weir_rls_policy_free(policy);
        return WEIR_ERR_NO_MEMORY;
    }
    *ret_policy = policy;
    return WEIR_OK;
}

void weir_rls_policy_free(struct weir_rls_policy *policy)
{
    if (policy == NULL) {
        return;
    }
    weir_arena_deinit(&policy->arena);
    weir_release(policy->allocator, policy, sizeof(*policy));
}

const struct weir_rls_settings *weir_rls_policy_settings(const struct weir_rls_policy *policy)
{
    assert(policy != NULL);
    return &policy->spec->settings;
}

size_t weir_rls_policy_count(const struct weir_rls_policy *policy)
{
    assert(policy != NULL);
    return policy->rule_count;
}

const struct weir_rls_rule *weir_rls_policy_rule(const struct weir_rls_policy *policy, size_t index)
{
    assert(policy != NULL && index < policy->rule_count);
    return &policy->rules[index].rule;
}
