/* config_rules.c - rules; see parts.h.
 *
 * A rule in which something is wrong is made all the same, with something in its place that is
 * right, so that what weir_policy_new finds in the others, and in the rest of it, is said too. */

#include "config/parts.h"

#include <stdio.h>
#include <string.h>

struct rule_nodes {
    const struct weir_node *name;
    const struct weir_node *match;
    const struct weir_node *key;
    const struct weir_node *limit;
    const struct weir_node *tiers;
    const struct weir_node *overrides;
    const struct weir_node *allow;
    const struct weir_node *deny;
    const struct weir_node *cost;
    bool shadow;
    unsigned on_error;
};

/* In the order of enum weir_on_error, whose first no one writes. */
static const char *const on_errors[] = {"default", "deny", "allow", "local", NULL};

#define RULE(key, kind, required) \
#key, WEIR_VALUE_##kind, required, offsetof(struct rule_nodes, key), 0, 0, 0, NULL

static const struct weir_key rule_keys[] = {
    {RULE(name, NODE, true)},
    {RULE(match, NODE, false)},
    {RULE(key, NODE, true)},
    {RULE(limit, NODE, false)},
    {RULE(tiers, NODE, false)},
    {RULE(overrides, LIST, false)},
    {RULE(allow, LIST, false)},
    {RULE(deny, LIST, false)},
    {RULE(cost, NODE, false)},
    {RULE(shadow, BOOLEAN, false)},
    {"on_error", WEIR_VALUE_CHOICE, false, offsetof(struct rule_nodes, on_error), 0, 3,
     WEIR_ON_ERROR_DEFAULT, on_errors},
};

const struct weir_form weir_form_rule = {
    .name = "rule",
    .what = "a rule",
    .keys = rule_keys,
    .count = sizeof(rule_keys) / sizeof(rule_keys[0]),
};

struct part_nodes {
    const struct weir_node *attribute;
    bool optional;
    uint32_t ipv4_prefix;
    uint32_t ipv6_prefix;
};

#define PART(key) offsetof(struct part_nodes, key)

static const struct weir_key part_keys[] = {
    {"attribute", WEIR_VALUE_NODE, true, PART(attribute), 0, 0, 0, NULL},
    {"optional", WEIR_VALUE_BOOLEAN, false, PART(optional), 0, 1, false, NULL},
    {"ipv4_prefix", WEIR_VALUE_NUMBER, false, PART(ipv4_prefix), 1, 32, 0, NULL},
    {"ipv6_prefix", WEIR_VALUE_NUMBER, false, PART(ipv6_prefix), 1, 128, 0, NULL},
};

const struct weir_form weir_form_key_part = {
    .name = "key_part",
    .what = "a part of a key",
    .keys = part_keys,
    .count = sizeof(part_keys) / sizeof(part_keys[0]),
};

struct tiers_nodes {
    const struct weir_node *by;
    const struct weir_node *limits;
};

static const struct weir_key tiers_keys[] = {
    {"by", WEIR_VALUE_NODE, true, offsetof(struct tiers_nodes, by), 0, 0, 0, NULL},
    {"limits", WEIR_VALUE_NODE, true, offsetof(struct tiers_nodes, limits), 0, 0, 0, NULL},
};

const struct weir_form weir_form_tiers = {
    .name = "tiers",
    .what = "tiers",
    .keys = tiers_keys,
    .count = sizeof(tiers_keys) / sizeof(tiers_keys[0]),
};

struct override_nodes {
    const struct weir_node *key;
    const struct weir_node *limit;
};

static const struct weir_key override_keys[] = {
    {"key", WEIR_VALUE_NODE, true, offsetof(struct override_nodes, key), 0, 0, 0, NULL},
    {"limit", WEIR_VALUE_NODE, true, offsetof(struct override_nodes, limit), 0, 0, 0, NULL},
};

const struct weir_form weir_form_override = {
    .name = "override",
    .what = "an override",
    .keys = override_keys,
    .count = sizeof(override_keys) / sizeof(override_keys[0]),
};

struct listed_nodes {
    const struct weir_node *match;
    const struct weir_node *until;
};

static const struct weir_key listed_keys[] = {
    {"match", WEIR_VALUE_NODE, true, offsetof(struct listed_nodes, match), 0, 0, 0, NULL},
    {"until", WEIR_VALUE_NODE, false, offsetof(struct listed_nodes, until), 0, 0, 0, NULL},
};

const struct weir_form weir_form_listed = {
    .name = "listed",
    .what = "an entry of a list",
    .keys = listed_keys,
    .count = sizeof(listed_keys) / sizeof(listed_keys[0]),
};

struct cost_nodes {
    const struct weir_node *from;
    uint32_t standard;
    uint32_t max;
};

static const struct weir_key cost_keys[] = {
    {"from", WEIR_VALUE_NODE, true, offsetof(struct cost_nodes, from), 0, 0, 0, NULL},
    {"default", WEIR_VALUE_NUMBER, false, offsetof(struct cost_nodes, standard), 1, WEIR_COST_MAX,
     0, NULL},
    {"max", WEIR_VALUE_NUMBER, false, offsetof(struct cost_nodes, max), 1, WEIR_COST_MAX, 0, NULL},
};

const struct weir_form weir_form_cost = {
    .name = "cost",
    .what = "cost",
    .keys = cost_keys,
    .count = sizeof(cost_keys) / sizeof(cost_keys[0]),
};

/* One rule as it is read. */
struct rule_reader {
    struct weir_reading *reading;
    struct weir_rule_spec *rule;
    struct weir_limit_options options;
    unsigned ipv6_prefix;
};

/* ---- Limits ------------------------------------------------------------------------------- */

/* A list of moments has no place in a file that processes share. */
static void check_algorithm(struct weir_reading *reading, const struct weir_node *node,
                            const struct weir_limit *limit)
{
    const char *store = reading->owned->config.store;
    struct weir_limit_spec spec;
    weir_limit_describe(limit, &spec);
    if (spec.algorithm == WEIR_SLIDING_LOG && store != NULL && strncmp(store, "shm:", 4) == 0) {
        weir_complain(reading->complaints, node->origin,
                      "limit: a shm: store can't have sliding-log; write sliding-window, or a "
                      "memory: or redis: store");
    }
}

/* What stands for a limit that could not be read. */
#define SOME_LIMIT "1/s"

static const struct weir_limit *parse_limit(struct rule_reader *reader, struct weir_bytes text,
                                            struct weir_error *ret_error)
{
    struct weir_reading *reading = reader->reading;
    struct weir_kept_limit *kept = weir_memory_take(reading->kept, 1, sizeof(*kept));
    if (kept == NULL) {
        return NULL;
    }
    const enum weir_status status =
        weir_limit_parse(text, &reader->options, &kept->limit, ret_error);
    if (status == WEIR_ERR_NO_MEMORY) {
        reading->kept->failed = true;
    }
    if (status != WEIR_OK) {
        return NULL;
    }
    kept->next = reading->owned->limits;
    reading->owned->limits = kept;
    return kept->limit;
}

static const struct weir_limit *read_limit(struct rule_reader *reader, const struct weir_node *node)
{
    struct weir_reading *reading = reader->reading;
    struct weir_error error = {0};
    struct weir_bytes text;
    if (node->kind == WEIR_NODE_LIST) {
        weir_complain(reading->complaints, node->origin,
                      "limit: one limit a rule; write a rule for each, all that match are checked "
                      "together");
    } else if (weir_read_scalar(reading, node, "limit", &text)) {
        const struct weir_limit *limit = parse_limit(reader, text, &error);
        if (limit != NULL) {
            check_algorithm(reading, node, limit);
        }
        if (limit != NULL || weir_reading_failed(reading)) {
            return limit;
        }
        weir_complain(reading->complaints, weir_node_place(node, error.offset), "limit: %s",
                      node->expanded ? "what the environment has here is no limit, as 100/m"
                                     : error.message);
    }
    return parse_limit(reader, weir_text(SOME_LIMIT), &error);
}

static void read_tiers(struct rule_reader *reader, const struct weir_node *node)
{
    struct weir_reading *reading = reader->reading;
    struct tiers_nodes nodes = {0};
    if (!weir_read_form(reading, node, &weir_form_tiers, &nodes)) {
        return;
    }
    if (nodes.limits->kind != WEIR_NODE_MAP || nodes.limits->count == 0) {
        weir_complain(reading->complaints, nodes.limits->origin,
                      "limits: expected a mapping of values to limits, as {free: 10/s, pro: "
                      "100/s}");
        return;
    }
    struct weir_tier_spec *tiers =
        weir_memory_take(reading->kept, nodes.limits->count, sizeof(*tiers));
    size_t count = 0;
    for (const struct weir_entry *entry = nodes.limits->entries; entry != NULL && tiers != NULL;
         entry = entry->next) {
        const char *value = weir_memory_copy(reading->kept, entry->key->text);
        tiers[count].value = weir_bytes(value, entry->key->text.len);
        tiers[count].limit = read_limit(reader, entry->value);
        tiers[count].origin = entry->key->origin;
        count += value != NULL ? 1 : 0;
    }
    if (weir_read_text(reading, nodes.by, "by", &reader->rule->tier_by)) {
        reader->rule->tiers = tiers;
        reader->rule->tier_count = count;
    }
}

static bool read_override(struct rule_reader *reader, const struct weir_node *node,
                          struct weir_override_spec *ret_override)
{
    struct weir_reading *reading = reader->reading;
    struct override_nodes nodes = {0};
    struct weir_items items;
    if (!weir_read_form(reading, node, &weir_form_override, &nodes)) {
        return false;
    }
    weir_items_of(nodes.key, &items);
    if (items.count != reader->rule->key_count) {
        weir_complain(reading->complaints, nodes.key->origin,
                      "key: expected %zu value%s, as the rule's key has so many parts",
                      reader->rule->key_count, reader->rule->key_count == 1 ? "" : "s");
        return false;
    }
    struct weir_bytes *values = weir_memory_take(reading->kept, items.count, sizeof(*values));
    bool good = values != NULL;
    size_t count = 0;
    for (const struct weir_entry *item = items.entries; item != NULL && values != NULL;
         item = item->next) {
        good = weir_read_text(reading, item->value, "key", &values[count++]) && good;
    }
    const struct weir_limit *limit = read_limit(reader, nodes.limit);
    if (good) {
        *ret_override = (struct weir_override_spec){values, limit, node->origin};
    }
    return good;
}

static void read_overrides(struct rule_reader *reader, const struct weir_node *node)
{
    struct weir_override_spec *list =
        weir_memory_take(reader->reading->kept, node->count, sizeof(*list));
    size_t count = 0;
    for (const struct weir_entry *item = node->entries; item != NULL && list != NULL;
         item = item->next) {
        count += read_override(reader, item->value, &list[count]) ? 1 : 0;
    }
    reader->rule->overrides = list;
    reader->rule->override_count = count;
}

/* ---- Keys --------------------------------------------------------------------------------- */

static bool read_part(struct rule_reader *reader, const struct weir_node *node,
                      struct weir_key_part_spec *ret_part)
{
    struct weir_reading *reading = reader->reading;
    struct part_nodes nodes = {.attribute = node};
    struct weir_bytes name;
    if (node->kind == WEIR_NODE_MAP &&
        !weir_read_form(reading, node, &weir_form_key_part, &nodes)) {
        return false;
    }
    if (!weir_read_text(reading, nodes.attribute, "key", &name)) {
        return false;
    }
    if (node->kind != WEIR_NODE_MAP && name.len > 1 && name.ptr[name.len - 1] == '?') {
        nodes.optional = true;
        name.len--;
    }
    if (nodes.ipv6_prefix == 0 && weir_word_is(name, "ip")) {
        nodes.ipv6_prefix = reader->ipv6_prefix;
    }
    *ret_part = (struct weir_key_part_spec){
        .attribute = name,
        .optional = nodes.optional,
        .ipv4_prefix = (uint8_t)nodes.ipv4_prefix,
        .ipv6_prefix = (uint8_t)nodes.ipv6_prefix,
        .origin = node->origin,
    };
    return true;
}

static void read_key(struct rule_reader *reader, const struct weir_node *node)
{
    struct weir_items items;
    weir_items_of(node, &items);
    if (items.count > WEIR_KEY_PARTS_MAX) {
        weir_complain(reader->reading->complaints, node->origin, "key: at most 16 parts");
        return;
    }
    struct weir_key_part_spec *parts =
        weir_memory_take(reader->reading->kept, items.count, sizeof(*parts));
    size_t count = 0;
    for (const struct weir_entry *item = items.entries; item != NULL && parts != NULL;
         item = item->next) {
        count += read_part(reader, item->value, &parts[count]) ? 1 : 0;
    }
    reader->rule->key = parts;
    reader->rule->key_count = count;
}

_Static_assert(WEIR_KEY_PARTS_MAX == 16, "the message above says so");

/* ---- Lists -------------------------------------------------------------------------------- */

static void read_until(struct weir_reading *reading, const struct weir_node *node,
                       struct weir_listed_spec *listed)
{
    struct weir_bytes text;
    if (!weir_read_scalar(reading, node, "until", &text)) {
        return;
    }
    if (!weir_time_parse(text, &listed->until_us)) {
        const struct weir_quote quote = weir_node_quote(node);
        weir_complain(reading->complaints, node->origin,
                      "until: expected a time, as 2026-12-31T23:59:59Z or 2026-12-31, not '%s'",
                      quote.text);
    } else if (reading->review && reading->source->now_us > 0 &&
               listed->until_us <= reading->source->now_us) {
        weir_warn(reading->complaints, node->origin, "this entry is over; take it out");
    }
}

static void read_listed(struct rule_reader *reader, const struct weir_node *node,
                        struct weir_listed_spec *ret_listed)
{
    struct weir_reading *reading = reader->reading;
    struct listed_nodes nodes = {0};
    struct weir_conditions conditions = {.count = 0};
    ret_listed->origin = node->origin;
    ret_listed->until_us = INT64_MAX;
    if (node->kind == WEIR_NODE_MAP) {
        if (!weir_read_form(reading, node, &weir_form_listed, &nodes)) {
            return;
        }
        weir_read_match(reading, nodes.match, &conditions);
        if (nodes.match->count == 0) {
            weir_complain(reading->complaints, nodes.match->origin,
                          "match: an entry needs a condition, or it would hold for everybody");
        }
    } else if (reader->rule->key_count == 1) {
        weir_read_bare(reading, node, reader->rule->key[0].attribute, &conditions);
    } else {
        weir_complain(reading->complaints, node->origin,
                      "a single value goes with a key of one part; here write {match: {ip: "
                      "...}}, with the attribute that is meant");
    }
    if (nodes.until != NULL) {
        read_until(reading, nodes.until, ret_listed);
    }
    ret_listed->conditions = weir_keep_conditions(reading, &conditions);
    ret_listed->count = conditions.count;
}

static const struct weir_listed_spec *read_list(struct rule_reader *reader,
                                                const struct weir_node *node, size_t *ret_count)
{
    struct weir_listed_spec *list =
        weir_memory_take(reader->reading->kept, node->count, sizeof(*list));
    size_t count = 0;
    for (const struct weir_entry *item = node->entries; item != NULL && list != NULL;
         item = item->next) {
        read_listed(reader, item->value, &list[count]);
        /* One without conditions was complained of. */
        count += list[count].count > 0 ? 1 : 0;
    }
    *ret_count = count;
    return list;
}

/* ---- Costs -------------------------------------------------------------------------------- */

static void read_cost(struct rule_reader *reader, const struct weir_node *node)
{
    static const struct weir_key fixed = {.name = "cost", .least = 1, .most = WEIR_COST_MAX};
    struct weir_reading *reading = reader->reading;
    struct weir_rule_spec *rule = reader->rule;
    struct cost_nodes nodes = {0};
    if (node->kind != WEIR_NODE_MAP) {
        (void)weir_read_number(reading, node, &fixed, &rule->cost);
    } else if (weir_read_form(reading, node, &weir_form_cost, &nodes)) {
        (void)weir_read_text(reading, nodes.from, "from", &rule->cost_from);
        rule->cost = nodes.standard;
        rule->cost_max = nodes.max;
    }
}

/* ---- Rules -------------------------------------------------------------------------------- */

/* The limits of a rule have its name, so it comes first. */
static void read_name(struct rule_reader *reader, const struct weir_node *node)
{
    const struct weir_origin origin = reader->rule->origin;
    struct weir_bytes name;
    if (node == NULL || !weir_read_text(reader->reading, node, "name", &name)) {
        /* Of which was complained: one that no other rule has. */
        char some[64];
        (void)snprintf(some, sizeof(some), "(%u, %u, %u)", origin.file, origin.line, origin.column);
        name = weir_text(some);
        const char *copy = weir_memory_copy(reader->reading->kept, name);
        name = weir_bytes(copy, copy != NULL ? name.len : 0);
    }
    reader->rule->name = name;
    if (name.len >= 1 && name.len <= WEIR_NAME_MAX) {
        reader->options.name = name;
    }
}

static void read_parts(struct rule_reader *reader, const struct rule_nodes *nodes)
{
    struct weir_reading *reading = reader->reading;
    struct weir_rule_spec *rule = reader->rule;
    struct weir_conditions conditions = {.count = 0};
    if (nodes->match != NULL) {
        weir_read_match(reading, nodes->match, &conditions);
    }
    rule->conditions = weir_keep_conditions(reading, &conditions);
    rule->condition_count = conditions.count;
    if (nodes->key != NULL) {
        read_key(reader, nodes->key);
    }
    if (nodes->limit != NULL) {
        rule->limit = read_limit(reader, nodes->limit);
    }
    if (nodes->tiers != NULL) {
        read_tiers(reader, nodes->tiers);
    }
    if (nodes->overrides != NULL) {
        read_overrides(reader, nodes->overrides);
    }
    if (nodes->allow != NULL) {
        rule->allow = read_list(reader, nodes->allow, &rule->allow_count);
    }
    if (nodes->deny != NULL) {
        rule->deny = read_list(reader, nodes->deny, &rule->deny_count);
    }
    if (nodes->cost != NULL) {
        read_cost(reader, nodes->cost);
    }
}

static void read_rule(struct weir_reading *reading, const struct weir_node *node,
                      unsigned ipv6_prefix, struct weir_rule_spec *rule)
{
    struct rule_nodes nodes = {0};
    struct rule_reader reader = {
        .reading = reading,
        .rule = rule,
        .options = {.size = sizeof(reader.options),
                    .allocator = &reading->owned->counted.allocator},
        .ipv6_prefix = ipv6_prefix,
    };
    rule->origin = node->origin;
    (void)weir_read_form(reading, node, &weir_form_rule, &nodes);
    reader.options.on_error = (enum weir_on_error)nodes.on_error;
    rule->shadow = nodes.shadow;
    read_name(&reader, nodes.name);
    read_parts(&reader, &nodes);
    if (node->kind == WEIR_NODE_MAP && nodes.limit == NULL && nodes.tiers == NULL &&
        nodes.overrides == NULL && nodes.deny == NULL) {
        weir_complain(reading->complaints, node->origin,
                      "a rule needs a 'limit', as limit: 100/m (or tiers, overrides or deny)");
    }
}

/* What each file says under `rules`. */
static const struct weir_node *rules_of(struct weir_reading *reading, size_t file,
                                        const struct weir_node *first)
{
    struct weir_top top = {0};
    if (file == 0) {
        return first;
    }
    if (reading->files[file].root != NULL) {
        (void)weir_read_form(reading, reading->files[file].root, &weir_form_included, &top);
    }
    return top.rules;
}

void weir_read_rules(struct weir_reading *reading, const struct weir_top *top)
{
    const struct weir_node *lists[WEIR_CONFIG_FILES_MAX];
    const size_t files = reading->file_count;
    size_t count = 0;
    for (size_t i = 0; i < files; i++) {
        lists[i] = rules_of(reading, i, top->rules);
        count += lists[i] != NULL ? lists[i]->count : 0;
    }
    struct weir_rule_spec *rules = weir_memory_take(reading->kept, count, sizeof(*rules));
    size_t read = 0;
    for (size_t i = 0; i < files; i++) {
        const struct weir_entry *item = lists[i] != NULL ? lists[i]->entries : NULL;
        for (; item != NULL && rules != NULL; item = item->next) {
            read_rule(reading, item->value, top->ipv6_prefix, &rules[read++]);
        }
    }
    reading->owned->policy = (struct weir_policy_spec){rules, read};
}
