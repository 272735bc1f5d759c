/* prepare_rule.c - preparing rules; see policy.h. */

#include "policy/words.h"
#include "rules/index.h"
#include "rules/policy.h"

/* ---- Keys and costs ---- */

static void prepare_key(struct weir_preparing *preparing, const struct weir_rule_spec *spec,
                        struct weir_rule *rule)
{
    if (spec->key_count > WEIR_KEY_PARTS_MAX) {
        weir_preparing_refuse(preparing, &spec->key[WEIR_KEY_PARTS_MAX].origin,
                              "the key has %zu parts; %d is the most", spec->key_count,
                              WEIR_KEY_PARTS_MAX);
        return;
    }
    struct weir_key_part *parts = weir_preparing_get(preparing, spec->key_count, sizeof(*parts));
    for (size_t i = 0; i < spec->key_count && !preparing->no_memory; i++) {
        const struct weir_key_part_spec *part = &spec->key[i];
        if (part->ipv4_prefix > 32 || part->ipv6_prefix > 128) {
            weir_preparing_refuse(preparing, &part->origin,
                                  "a prefix has at most 32 bits of IPv4 and 128 of IPv6");
        }
        parts[i].slot = weir_prepare_slot(preparing, part->attribute, &part->origin);
        parts[i].optional = part->optional;
        parts[i].ipv4_prefix = part->ipv4_prefix;
        parts[i].ipv6_prefix = part->ipv6_prefix;
    }
    rule->key = parts;
}

static void prepare_cost(struct weir_preparing *preparing, const struct weir_rule_spec *spec,
                         struct weir_rule *rule)
{
    rule->cost_slot = WEIR_SLOT_NONE;
    if (spec->cost_from.len > 0) {
        rule->cost_slot = weir_prepare_slot(preparing, spec->cost_from, &spec->origin);
    }
    rule->cost_max = spec->cost_max > 0 ? spec->cost_max : WEIR_COST_MAX;
    if (spec->cost > WEIR_COST_MAX || spec->cost_max > WEIR_COST_MAX) {
        weir_preparing_refuse(preparing, &spec->origin, "the cost of a request is at most %u",
                              WEIR_COST_MAX);
    }
}

/* ---- Tiers and overrides ---- */

static void prepare_tiers(struct weir_preparing *preparing, const struct weir_rule_spec *spec,
                          struct weir_rule *rule)
{
    struct weir_policy *policy = preparing->policy;
    rule->tier_slot = WEIR_SLOT_NONE;
    if (spec->tier_count == 0) {
        return;
    }
    rule->tier_slot = weir_prepare_slot(preparing, spec->tier_by, &spec->origin);
    if (spec->tier_count > WEIR_ENTRIES_MAX) {
        weir_preparing_refuse(preparing, &spec->origin, "there are %zu tiers; %d is the most",
                              spec->tier_count, WEIR_ENTRIES_MAX);
        return;
    }
    struct weir_arena temporary = {.allocator = policy->allocator};
    struct weir_pair *pairs = weir_arena_get(&temporary, spec->tier_count, sizeof(*pairs));
    for (size_t i = 0; pairs != NULL && i < spec->tier_count; i++) {
        if (spec->tiers[i].limit == NULL) {
            weir_preparing_refuse(preparing, &spec->tiers[i].origin, "the tier \"%s\" has no limit",
                                  weir_word_quote(spec->tiers[i].value).text);
        }
        pairs[i].hash = weir_hash_from(&policy->start, 0, spec->tiers[i].value);
        pairs[i].number = (uint32_t)i;
    }
    if (pairs == NULL || !weir_map_make(&rule->tiers, pairs, spec->tier_count, &policy->arena)) {
        preparing->no_memory = true;
    }
    weir_arena_deinit(&temporary);
}

/* The joined key of an override, in the policy's memory. */
static void join_override(struct weir_preparing *preparing, const struct weir_rule *rule,
                          const struct weir_override_spec *override, struct weir_bytes *ret_key)
{
    char buffer[WEIR_KEY_MAX];
    struct weir_value values[WEIR_KEY_PARTS_MAX];
    struct weir_value *pointers[WEIR_KEY_PARTS_MAX];
    struct weir_bytes key;
    for (size_t i = 0; i < rule->spec->key_count; i++) {
        values[i] = (struct weir_value){.bytes = override->values[i]};
        pointers[i] = &values[i];
    }
    if (weir_rule_key(rule, pointers, buffer, &key) != WEIR_OK) {
        weir_preparing_refuse(preparing, &override->origin,
                              "the key is longer than %d bytes: no request can have it",
                              WEIR_KEY_MAX);
        return;
    }
    char *copy = weir_preparing_get(preparing, key.len + 1, 1);
    if (copy != NULL) {
        memcpy(copy, key.len > 0 ? key.ptr : "", key.len);
        *ret_key = weir_bytes(copy, key.len);
    }
}

static void prepare_overrides(struct weir_preparing *preparing, const struct weir_rule_spec *spec,
                              struct weir_rule *rule)
{
    struct weir_policy *policy = preparing->policy;
    const size_t count = spec->override_count;
    if (count == 0 || rule->key == NULL) {
        return;
    }
    if (count > WEIR_ENTRIES_MAX) {
        weir_preparing_refuse(preparing, &spec->origin, "there are %zu overrides; %d is the most",
                              count, WEIR_ENTRIES_MAX);
        return;
    }
    struct weir_arena temporary = {.allocator = policy->allocator};
    struct weir_pair *pairs = weir_arena_get(&temporary, count, sizeof(*pairs));
    rule->override_keys = weir_preparing_get(preparing, count, sizeof(*rule->override_keys));
    preparing->no_memory = preparing->no_memory || pairs == NULL;
    for (size_t i = 0; i < count && !preparing->no_memory; i++) {
        if (spec->overrides[i].limit == NULL) {
            weir_preparing_refuse(preparing, &spec->overrides[i].origin,
                                  "the override has no limit");
        }
        join_override(preparing, rule, &spec->overrides[i], &rule->override_keys[i]);
        pairs[i].hash = weir_hash_from(&policy->start, 0, rule->override_keys[i]);
        pairs[i].number = (uint32_t)i;
    }
    if (!preparing->no_memory && !weir_map_make(&rule->overrides, pairs, count, &policy->arena)) {
        preparing->no_memory = true;
    }
    weir_arena_deinit(&temporary);
}

/* ---- Lists ---- */

static void prepare_list(struct weir_preparing *preparing, const struct weir_listed_spec *entries,
                         size_t count, struct weir_list *list)
{
    struct weir_policy *policy = preparing->policy;
    if (count == 0) {
        return;
    }
    if (count > WEIR_ENTRIES_MAX) {
        weir_preparing_refuse(preparing, &entries[WEIR_ENTRIES_MAX].origin,
                              "the list has %zu entries; %d is the most", count, WEIR_ENTRIES_MAX);
        return;
    }
    list->spec = entries;
    list->items = weir_preparing_get(preparing, count, sizeof(*list->items));
    for (size_t i = 0; i < count && !preparing->no_memory; i++) {
        if (entries[i].count == 0) {
            weir_preparing_refuse(preparing, &entries[i].origin,
                                  "the entry of the list has no condition");
        }
        weir_prepare_conjunction(preparing, entries[i].conditions, entries[i].count,
                                 &list->items[i]);
        list->count++;
    }
    if (!preparing->no_memory && !preparing->wrong) {
        list->index = weir_index_new(list->items, count, &policy->start, &policy->arena);
        preparing->no_memory = list->index == NULL;
    }
}

void weir_prepare_rule(struct weir_preparing *preparing, const struct weir_rule_spec *spec,
                       struct weir_rule *rule)
{
    rule->spec = spec;
    weir_prepare_conjunction(preparing, spec->conditions, spec->condition_count, &rule->conditions);
    prepare_key(preparing, spec, rule);
    prepare_cost(preparing, spec, rule);
    prepare_tiers(preparing, spec, rule);
    prepare_overrides(preparing, spec, rule);
    prepare_list(preparing, spec->deny, spec->deny_count, &rule->deny);
    prepare_list(preparing, spec->allow, spec->allow_count, &rule->allow);
}
