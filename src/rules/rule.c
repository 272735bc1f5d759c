/* rule.c - what one rule says of a request: whether it applies, its lists, tiers, overrides, cost;
 * see policy.h. */

#include "rules/index.h"
#include "rules/policy.h"

enum weir_truth weir_rule_applies(const struct weir_rule *rule, struct weir_values *values)
{
    for (size_t i = 0; i < rule->spec->key_count; i++) {
        if (!rule->key[i].optional && weir_values_get(values, rule->key[i].slot) == NULL) {
            return WEIR_NO;
        }
    }
    return weir_conjunction_holds(&rule->conditions, values);
}

/* ---- Lists ---- */

struct listing {
    const struct weir_list *list;
    struct weir_values *values;
    int64_t now_us;
    enum weir_truth truth;
    int64_t until_us[WEIR_UNKNOWN + 1]; /* the last end of those that hold, and that may */
};

static bool look_at_entry(void *context, uint32_t number)
{
    struct listing *listing = context;
    const int64_t until_us = listing->list->spec[number].until_us;
    if (until_us <= listing->now_us) {
        return true;
    }
    const enum weir_truth holds =
        weir_conjunction_holds(&listing->list->items[number], listing->values);
    if (until_us > listing->until_us[holds]) {
        listing->until_us[holds] = until_us;
    }
    if (holds != WEIR_NO && listing->truth != WEIR_YES) {
        listing->truth = holds;
    }
    return true;
}

enum weir_truth weir_list_holds(const struct weir_list *list, struct weir_values *values,
                                int64_t now_us, int64_t *ret_until_us)
{
    struct listing listing = {.list = list,
                              .values = values,
                              .now_us = now_us,
                              .truth = WEIR_NO,
                              .until_us = {INT64_MIN, INT64_MIN, INT64_MIN}};
    if (list->count == 0) {
        return WEIR_NO;
    }
    (void)weir_index_look(list->index, values, look_at_entry, &listing);
    if (listing.truth != WEIR_NO) {
        *ret_until_us = listing.until_us[listing.truth];
    }
    return listing.truth;
}

/* ---- Limits ---- */

const struct weir_limit *weir_rule_tier(const struct weir_policy *policy,
                                        const struct weir_rule *rule, struct weir_values *values,
                                        size_t *ret_tier)
{
    const struct weir_rule_spec *spec = rule->spec;
    const struct weir_value *value =
        rule->tier_slot == WEIR_SLOT_NONE ? NULL : weir_values_get(values, rule->tier_slot);
    *ret_tier = SIZE_MAX;
    if (value == NULL) {
        return spec->limit;
    }
    uint32_t count;
    const uint32_t *tiers =
        weir_map_find(&rule->tiers, weir_hash_from(&policy->start, 0, value->bytes), &count);
    for (uint32_t i = 0; i < count; i++) {
        if (weir_same_bytes(spec->tiers[tiers[i]].value, value->bytes)) {
            *ret_tier = tiers[i];
            return spec->tiers[tiers[i]].limit;
        }
    }
    return spec->limit;
}

size_t weir_rule_override(const struct weir_policy *policy, const struct weir_rule *rule,
                          struct weir_bytes key)
{
    if (rule->spec->override_count == 0) {
        return SIZE_MAX;
    }
    uint32_t count;
    const uint32_t *overrides =
        weir_map_find(&rule->overrides, weir_hash_from(&policy->start, 0, key), &count);
    for (uint32_t i = 0; i < count; i++) {
        if (weir_same_bytes(rule->override_keys[overrides[i]], key)) {
            return overrides[i];
        }
    }
    return SIZE_MAX;
}

/* ---- Costs ---- */

/* A whole number, `most` where it is more; false where it is none. */
static bool read_cost(struct weir_bytes text, uint64_t most, uint64_t *ret_cost)
{
    uint64_t cost = 0;
    if (text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        /* `most` has 32 bits: no product overflows. */
        cost = cost * 10 + (uint64_t)(text.ptr[i] - '0');
        cost = cost < most ? cost : most;
    }
    *ret_cost = cost;
    return true;
}

enum weir_status weir_rule_cost(const struct weir_rule *rule, struct weir_values *values,
                                uint64_t cost, uint64_t *ret_cost)
{
    uint64_t said = rule->spec->cost > 0 ? rule->spec->cost : cost;
    const struct weir_value *value =
        rule->cost_slot == WEIR_SLOT_NONE ? NULL : weir_values_get(values, rule->cost_slot);
    if (value != NULL && cost > 0 && !read_cost(value->bytes, rule->cost_max, &said)) {
        return WEIR_ERR_ARGUMENT;
    }
    *ret_cost = cost > 0 ? said : 0;
    return WEIR_OK;
}
