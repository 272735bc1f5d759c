/* descriptors.c - a file of envoyproxy/ratelimit: a domain and its descriptors. See parts.h.
 *
 * All that is wrong is complained of; what is read is the configuration's memory. Keys that
 * envoyproxy/ratelimit takes anywhere and then passes over are warned of where they mean nothing.
 */

#include "envoy/parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Domains are kept in a list that grows from so many. */
#define DOMAINS_FIRST 16

#define SECOND_US INT64_C(1000000)

/* ---- Keys ---------------------------------------------------------------------------------- */

enum place {
    PLACE_FILE = 0,
    PLACE_DESCRIPTOR,
    PLACE_RATE_LIMIT,
    PLACE_REPLACES,
    PLACE_COUNT
};

static const char *const place_names[PLACE_COUNT] = {"the file's top", "a descriptor",
                                                     "a rate_limit", "an entry of replaces"};

enum key {
    KEY_DOMAIN = 0,
    KEY_DESCRIPTORS,
    KEY_ATOMIC,
    KEY_KEY,
    KEY_VALUE,
    KEY_RATE_LIMIT,
    KEY_SHADOW_MODE,
    KEY_QUOTA_MODE,
    KEY_DETAILED_METRIC,
    KEY_VALUE_TO_METRIC,
    KEY_SHARE_THRESHOLD,
    KEY_METADATA,
    KEY_UNIT,
    KEY_REQUESTS_PER_UNIT,
    KEY_UNLIMITED,
    KEY_NAME,
    KEY_REPLACES,
    KEY_ALGORITHM,
    KEY_BURST,
    KEY_BLOCK,
    KEY_ON_ERROR,
    KEY_COUNT
};

static const char *const key_names[KEY_COUNT] = {"domain",
                                                 "descriptors",
                                                 "atomic",
                                                 "key",
                                                 "value",
                                                 "rate_limit",
                                                 "shadow_mode",
                                                 "quota_mode",
                                                 "detailed_metric",
                                                 "value_to_metric",
                                                 "share_threshold",
                                                 "metadata",
                                                 "unit",
                                                 "requests_per_unit",
                                                 "unlimited",
                                                 "name",
                                                 "replaces",
                                                 "algorithm",
                                                 "burst",
                                                 "block",
                                                 "on_error"};

#define AT(place) (1U << (place))

/* Where each means something. */
static const unsigned key_places[KEY_COUNT] = {
    [KEY_DOMAIN] = AT(PLACE_FILE),
    [KEY_DESCRIPTORS] = AT(PLACE_FILE) | AT(PLACE_DESCRIPTOR),
    [KEY_ATOMIC] = AT(PLACE_FILE),
    [KEY_KEY] = AT(PLACE_DESCRIPTOR),
    [KEY_VALUE] = AT(PLACE_DESCRIPTOR),
    [KEY_RATE_LIMIT] = AT(PLACE_DESCRIPTOR),
    [KEY_SHADOW_MODE] = AT(PLACE_DESCRIPTOR),
    [KEY_QUOTA_MODE] = AT(PLACE_DESCRIPTOR),
    [KEY_DETAILED_METRIC] = AT(PLACE_DESCRIPTOR),
    [KEY_VALUE_TO_METRIC] = AT(PLACE_DESCRIPTOR),
    [KEY_SHARE_THRESHOLD] = AT(PLACE_DESCRIPTOR),
    [KEY_METADATA] = AT(PLACE_DESCRIPTOR),
    [KEY_UNIT] = AT(PLACE_RATE_LIMIT),
    [KEY_REQUESTS_PER_UNIT] = AT(PLACE_RATE_LIMIT),
    [KEY_UNLIMITED] = AT(PLACE_RATE_LIMIT),
    [KEY_NAME] = AT(PLACE_RATE_LIMIT) | AT(PLACE_REPLACES),
    [KEY_REPLACES] = AT(PLACE_RATE_LIMIT),
    [KEY_ALGORITHM] = AT(PLACE_RATE_LIMIT),
    [KEY_BURST] = AT(PLACE_RATE_LIMIT),
    [KEY_BLOCK] = AT(PLACE_RATE_LIMIT),
    [KEY_ON_ERROR] = AT(PLACE_RATE_LIMIT),
};

/* A mapping's values, by their keys; NULL: not there. */
struct nodes {
    const struct weir_node *at[KEY_COUNT];
};

static void refuse_key(struct weir_reading *reading, const struct weir_node *key, enum place place)
{
    const struct weir_quote quote = weir_node_quote(key);
    const char *meant = weir_word_suggest(key->text, key_names, KEY_COUNT);
    weir_complain(reading->complaints, key->origin, "there is no key '%s' in %s%s%s%s", quote.text,
                  place_names[place], meant != NULL ? "; did you mean '" : "",
                  meant != NULL ? meant : "", meant != NULL ? "'?" : "");
}

static void take_key(struct weir_reading *reading, const struct weir_entry *entry, enum place place,
                     struct nodes *nodes)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!weir_word_is(entry->key->text, key_names[i])) {
            continue;
        }
        if ((key_places[i] & AT(place)) == 0) {
            weir_warn(reading->complaints, entry->key->origin, "'%s' means nothing in %s",
                      key_names[i], place_names[place]);
        } else {
            nodes->at[i] = entry->value;
        }
        return;
    }
    refuse_key(reading, entry->key, place);
}

static bool read_nodes(struct weir_reading *reading, const struct weir_node *node, enum place place,
                       struct nodes *ret_nodes)
{
    *ret_nodes = (struct nodes){{NULL}};
    if (!weir_read_visit(reading, node)) {
        return false;
    }
    if (node->kind != WEIR_NODE_MAP) {
        weir_complain(reading->complaints, node->origin, "expected %s: a mapping, as {%s}",
                      place_names[place],
                      place == PLACE_RATE_LIMIT ? "unit: minute, requests_per_unit: 10"
                      : place == PLACE_REPLACES ? "name: other"
                                                : "key: path, value: /login");
        return false;
    }
    for (const struct weir_entry *entry = node->entries; entry != NULL; entry = entry->next) {
        take_key(reading, entry, place, ret_nodes);
    }
    return true;
}

/* ---- Values -------------------------------------------------------------------------------- */

/* A scalar, and what it is to YAML 1.1; false: it is none, or one that can't be had. */
static bool read_scalar(struct weir_reading *reading, const struct weir_node *node,
                        const char *name, struct weir_scalar_value *ret_value)
{
    if (!weir_read_visit(reading, node)) {
        return false;
    }
    if (node->kind != WEIR_NODE_SCALAR) {
        weir_complain(reading->complaints, node->origin, "%s: expected one value, not %s", name,
                      node->kind == WEIR_NODE_LIST ? "a list" : "a mapping");
        return false;
    }
    weir_scalar_read(node, ret_value);
    if (ret_value->kind == WEIR_SCALAR_FLOAT || ret_value->kind == WEIR_SCALAR_TIME) {
        const struct weir_quote quote = weir_node_quote(node);
        weir_complain(reading->complaints, node->origin,
                      "%s: %s is a %s to YAML, which has no place here; write it in quotes where "
                      "it is a text, or as a whole number",
                      name, quote.text, ret_value->kind == WEIR_SCALAR_FLOAT ? "fraction" : "time");
        return false;
    }
    return true;
}

/* Texts: what is written, whatever it may look like; null is empty. */
static struct weir_bytes read_text(struct weir_reading *reading, const struct weir_node *node,
                                   const char *name)
{
    struct weir_scalar_value value;
    if (node == NULL || !read_scalar(reading, node, name, &value) ||
        value.kind == WEIR_SCALAR_NULL) {
        return weir_bytes("", 0);
    }
    const char *copy = weir_memory_copy(reading->kept, node->text);
    return weir_bytes(copy, copy != NULL ? node->text.len : 0);
}

static bool read_truth(struct weir_reading *reading, const struct nodes *nodes, enum key key)
{
    const struct weir_node *node = nodes->at[key];
    struct weir_scalar_value value;
    if (node == NULL || !read_scalar(reading, node, key_names[key], &value)) {
        return false;
    }
    if (value.kind != WEIR_SCALAR_BOOLEAN && value.kind != WEIR_SCALAR_NULL) {
        const struct weir_quote quote = weir_node_quote(node);
        weir_complain(reading->complaints, node->origin, "%s: expected true or false, not '%s'",
                      key_names[key], quote.text);
        return false;
    }
    return value.boolean;
}

static bool read_number(struct weir_reading *reading, const struct nodes *nodes, enum key key,
                        uint32_t *ret_number)
{
    const struct weir_node *node = nodes->at[key];
    struct weir_scalar_value value;
    if (!read_scalar(reading, node, key_names[key], &value)) {
        return false;
    }
    if (value.kind == WEIR_SCALAR_NULL) {
        *ret_number = 0;
        return true;
    }
    if (value.kind != WEIR_SCALAR_WHOLE || value.negative || value.too_large ||
        value.whole > UINT32_MAX) {
        const struct weir_quote quote = weir_node_quote(node);
        weir_complain(reading->complaints, node->origin,
                      "%s: expected a whole number of 0 to 4294967295, not '%s'", key_names[key],
                      quote.text);
        return false;
    }
    *ret_number = (uint32_t)value.whole;
    return true;
}

/* ---- Limits -------------------------------------------------------------------------------- */

static const struct unit {
    const char *name;
    int64_t seconds;
    enum weir_calendar calendar;
} units[WEIR_RLS_UNIT_COUNT] = {
    [WEIR_RLS_UNKNOWN_UNIT] = {"", 0, WEIR_CALENDAR_NONE},
    [WEIR_RLS_SECOND] = {"second", 1, WEIR_CALENDAR_NONE},
    [WEIR_RLS_MINUTE] = {"minute", 60, WEIR_CALENDAR_MINUTE},
    [WEIR_RLS_HOUR] = {"hour", 3600, WEIR_CALENDAR_HOUR},
    [WEIR_RLS_DAY] = {"day", 86400, WEIR_CALENDAR_DAY},
    [WEIR_RLS_WEEK] = {"week", INT64_C(7) * 86400, WEIR_CALENDAR_WEEK},
    [WEIR_RLS_MONTH] = {"month", INT64_C(30) * 86400, WEIR_CALENDAR_MONTH},
    [WEIR_RLS_YEAR] = {"year", INT64_C(365) * 86400, WEIR_CALENDAR_YEAR},
};

static enum weir_rls_unit find_unit(const struct weir_node *node)
{
    for (size_t i = 1; i < WEIR_RLS_UNIT_COUNT; i++) {
        if (node->kind == WEIR_NODE_SCALAR && node->text.len == strlen(units[i].name) &&
            strncasecmp(node->text.ptr, units[i].name, node->text.len) == 0) {
            return (enum weir_rls_unit)i;
        }
    }
    return WEIR_RLS_UNKNOWN_UNIT;
}

static void read_unit(struct weir_reading *reading, const struct weir_node *node,
                      const struct nodes *nodes, struct weir_rls_node_spec *spec)
{
    const struct weir_node *unit = nodes->at[KEY_UNIT];
    spec->unit = unit != NULL ? find_unit(unit) : WEIR_RLS_UNKNOWN_UNIT;
    if (spec->unlimited) {
        if (spec->unit != WEIR_RLS_UNKNOWN_UNIT) {
            weir_complain(reading->complaints, unit->origin,
                          "unit: what is unlimited has none; leave out this or `unlimited`");
        }
        return;
    }
    if (unit == NULL) {
        weir_complain(reading->complaints, node->origin,
                      "unit is missing: second, minute, hour, day, week, month or year");
    } else if (spec->unit == WEIR_RLS_UNKNOWN_UNIT) {
        const struct weir_quote quote = weir_node_quote(unit);
        weir_complain(reading->complaints, unit->origin,
                      "unit: expected second, minute, hour, day, week, month or year, not '%s'",
                      unit->kind == WEIR_NODE_SCALAR ? quote.text : "a list or a mapping");
    }
}

static const char *const algorithms[] = {
    [WEIR_TOKEN_BUCKET] = "token-bucket",     [WEIR_LEAKY_BUCKET] = "leaky-bucket",
    [WEIR_FIXED_WINDOW] = "fixed-window",     [WEIR_CALENDAR_WINDOW] = "calendar-window",
    [WEIR_SLIDING_WINDOW] = "sliding-window", [WEIR_SLIDING_LOG] = "sliding-log"};
#define ALGORITHM_COUNT (sizeof(algorithms) / sizeof(algorithms[0]))

static const char *const on_errors[] = {"default", "deny", "allow", "local"};
#define ON_ERROR_COUNT (sizeof(on_errors) / sizeof(on_errors[0]))

/* The index of the word in `words`; SIZE_MAX, with a complaint, where it is none of them. */
static size_t read_choice(struct weir_reading *reading, const struct weir_node *node,
                          const char *name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (node->kind == WEIR_NODE_SCALAR && words[i] != NULL &&
            weir_word_is(node->text, words[i])) {
            return i;
        }
    }
    struct weir_buffer list = {.allocator = reading->source->allocator};
    for (size_t i = 0; i < count; i++) {
        weir_buffer_print(&list, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    weir_buffer_put(&list, weir_bytes("", 1));
    weir_complain(reading->complaints, node->origin, "%s: expected one of %s", name,
                  list.failed ? "the known ones" : list.bytes);
    weir_buffer_deinit(&list);
    return SIZE_MAX;
}

/* The algorithm, with what goes with it; aligned windows where none is named. */
static bool read_algorithm(struct weir_reading *reading, const struct nodes *nodes,
                           const struct weir_rls_node_spec *spec, struct weir_limit_spec *limit)
{
    limit->count = spec->requests_per_unit;
    limit->period_us = units[spec->unit].seconds * SECOND_US;
    limit->algorithm = WEIR_CALENDAR_WINDOW;
    limit->calendar = WEIR_CALENDAR_EPOCH;
    if (nodes->at[KEY_ALGORITHM] == NULL) {
        return true;
    }
    const size_t algorithm =
        read_choice(reading, nodes->at[KEY_ALGORITHM], "algorithm", algorithms, ALGORITHM_COUNT);
    if (algorithm == SIZE_MAX) {
        return false;
    }
    limit->algorithm = (enum weir_algorithm)algorithm;
    limit->calendar = WEIR_CALENDAR_NONE;
    if (limit->algorithm == WEIR_CALENDAR_WINDOW) {
        limit->calendar = units[spec->unit].calendar;
        limit->period_us = 0;
        if (limit->calendar == WEIR_CALENDAR_NONE) {
            weir_complain(reading->complaints, nodes->at[KEY_ALGORITHM]->origin,
                          "algorithm: the calendar has no window of a second; leave it out, or "
                          "write a unit of a minute or more");
            return false;
        }
    }
    return true;
}

static bool read_block(struct weir_reading *reading, const struct weir_node *node, int64_t *ret_us)
{
    static const struct weir_key key = {"block", WEIR_VALUE_DURATION, false, 0,
                                        1,       WEIR_PERIOD_MAX,     0,     NULL};
    return weir_read_value(reading, node, &key, ret_us);
}

static void keep_limit(struct weir_reading *reading, struct weir_limit *limit)
{
    struct weir_kept_limit *kept = weir_memory_take(reading->kept, 1, sizeof(*kept));
    if (kept == NULL) {
        weir_limit_free(limit);
        return;
    }
    kept->limit = limit;
    kept->next = reading->owned->limits;
    reading->owned->limits = kept;
}

static void make_limit(struct weir_reading *reading, const struct weir_node *node,
                       const struct nodes *nodes, struct weir_rls_node_spec *spec)
{
    struct weir_limit_spec numbers = {0};
    struct weir_error error = {0};
    struct weir_limit *limit = NULL;
    size_t on_error = 0;
    uint32_t burst = 0;
    bool good = read_algorithm(reading, nodes, spec, &numbers);
    if (nodes->at[KEY_BURST] != NULL) {
        good = read_number(reading, nodes, KEY_BURST, &burst) && good;
        numbers.burst = burst;
    }
    if (nodes->at[KEY_BLOCK] != NULL) {
        good = read_block(reading, nodes->at[KEY_BLOCK], &numbers.block_us) && good;
    }
    if (nodes->at[KEY_ON_ERROR] != NULL) {
        on_error =
            read_choice(reading, nodes->at[KEY_ON_ERROR], "on_error", on_errors, ON_ERROR_COUNT);
    }
    if (!good || on_error == SIZE_MAX) {
        return;
    }
    const struct weir_limit_options options = {
        .size = sizeof(options),
        .allocator = &reading->owned->counted.allocator,
        .on_error = (enum weir_on_error)on_error,
    };
    const enum weir_status status = weir_limit_new(&numbers, &options, &limit, &error);
    if (status == WEIR_ERR_NO_MEMORY) {
        reading->kept->failed = true;
    } else if (status != WEIR_OK) {
        weir_complain(reading->complaints, node->origin, "rate_limit: %s",
                      error.message[0] != '\0' ? error.message : weir_strerror(status));
    } else {
        spec->limit = limit;
        keep_limit(reading, limit);
    }
}

static void read_replaces(struct weir_reading *reading, const struct weir_node *node,
                          struct weir_rls_node_spec *spec)
{
    struct nodes nodes;
    if (node->kind != WEIR_NODE_LIST) {
        weir_complain(reading->complaints, node->origin,
                      "replaces: expected a list, as [{name: other}]");
        return;
    }
    struct weir_bytes *names = weir_memory_take(reading->kept, node->count, sizeof(*names));
    if (names == NULL) {
        return;
    }
    for (const struct weir_entry *item = node->entries; item != NULL; item = item->next) {
        if (!read_nodes(reading, item->value, PLACE_REPLACES, &nodes)) {
            continue;
        }
        const struct weir_bytes name = read_text(reading, nodes.at[KEY_NAME], "name");
        if (name.len == 0) {
            weir_complain(reading->complaints, item->value->origin,
                          "replaces: an entry needs the name of a rule, as {name: other}");
        } else if (name.len == spec->name.len && memcmp(name.ptr, spec->name.ptr, name.len) == 0) {
            weir_complain(reading->complaints, item->value->origin,
                          "replaces: a rule can't replace itself");
        } else {
            names[spec->replaces_count++] = name;
        }
    }
    spec->replaces = names;
}

static void read_rate_limit(struct weir_reading *reading, const struct weir_node *node,
                            struct weir_rls_node_spec *spec)
{
    struct nodes nodes;
    struct weir_scalar_value value = {.kind = WEIR_SCALAR_TEXT};
    const size_t before = reading->complaints->errors;
    if (node->kind == WEIR_NODE_SCALAR) {
        weir_scalar_read(node, &value);
    }
    if (value.kind == WEIR_SCALAR_NULL || !read_nodes(reading, node, PLACE_RATE_LIMIT, &nodes)) {
        return;
    }
    spec->has_rule = true;
    spec->unlimited = read_truth(reading, &nodes, KEY_UNLIMITED);
    spec->name = read_text(reading, nodes.at[KEY_NAME], "name");
    if (nodes.at[KEY_REQUESTS_PER_UNIT] != NULL) {
        (void)read_number(reading, &nodes, KEY_REQUESTS_PER_UNIT, &spec->requests_per_unit);
    } else if (!spec->unlimited) {
        weir_warn(reading->complaints, node->origin,
                  "requests_per_unit is missing, which is 0: nothing will pass");
    }
    read_unit(reading, node, &nodes, spec);
    if (nodes.at[KEY_REPLACES] != NULL) {
        read_replaces(reading, nodes.at[KEY_REPLACES], spec);
    }
    if (before == reading->complaints->errors && !spec->unlimited && spec->requests_per_unit > 0) {
        make_limit(reading, node, &nodes, spec);
    }
}

/* ---- Descriptors --------------------------------------------------------------------------- */

static bool has_star(struct weir_bytes text)
{
    return text.len > 0 && memchr(text.ptr, '*', text.len) != NULL;
}

/* Children in the order of what they match, those that match the same next to each other. */
struct sibling {
    const struct weir_rls_node_spec *spec;
    struct weir_origin origin;
    size_t order;
};

static int compare_bytes(struct weir_bytes a, struct weir_bytes b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_siblings(const void *left, const void *right)
{
    const struct sibling *a = left;
    const struct sibling *b = right;
    int order = compare_bytes(a->spec->key, b->spec->key);
    order = order != 0 ? order : compare_bytes(a->spec->value, b->spec->value);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

/* Complains of those that are there twice. */
static void refuse_twins(struct weir_reading *reading, const struct weir_rls_node_spec *children,
                         const struct weir_origin *origins, size_t count)
{
    struct sibling *siblings = weir_memory_take(&reading->tree, count, sizeof(*siblings));
    if (siblings == NULL || count < 2) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        siblings[i] = (struct sibling){&children[i], origins[i], i};
    }
    qsort(siblings, count, sizeof(*siblings), compare_siblings);
    for (size_t i = 1; i < count; i++) {
        const struct weir_rls_node_spec *spec = siblings[i].spec;
        if (compare_bytes(siblings[i - 1].spec->key, spec->key) == 0 &&
            compare_bytes(siblings[i - 1].spec->value, spec->value) == 0) {
            const struct weir_quote key = weir_word_quote(spec->key);
            const struct weir_quote value = weir_word_quote(spec->value);
            weir_complain(
                reading->complaints, siblings[i].origin,
                "the descriptor of key '%s' and value '%s' is there twice; see line %u%s", key.text,
                value.text, siblings[i - 1].origin.line,
                siblings[i - 1].origin.file != siblings[i].origin.file ? " of the other file" : "");
        }
    }
}

/* NOLINTBEGIN(misc-no-recursion): as deep as the file, WEIR_CONFIG_DEPTH_MAX at most */
static void read_list(struct weir_reading *reading, const struct weir_node *list,
                      struct weir_envoy_domains *domains, struct weir_envoy_domain *into);

static void read_descriptor(struct weir_reading *reading, const struct weir_node *node,
                            struct weir_envoy_domains *domains, struct weir_rls_node_spec *spec)
{
    struct nodes nodes;
    if (!read_nodes(reading, node, PLACE_DESCRIPTOR, &nodes)) {
        return;
    }
    spec->key = read_text(reading, nodes.at[KEY_KEY], "key");
    spec->value = read_text(reading, nodes.at[KEY_VALUE], "value");
    spec->shadow_mode = read_truth(reading, &nodes, KEY_SHADOW_MODE);
    spec->quota_mode = read_truth(reading, &nodes, KEY_QUOTA_MODE);
    spec->detailed_metric = read_truth(reading, &nodes, KEY_DETAILED_METRIC);
    spec->value_to_metric = read_truth(reading, &nodes, KEY_VALUE_TO_METRIC);
    spec->share_threshold = read_truth(reading, &nodes, KEY_SHARE_THRESHOLD);
    if (spec->key.len == 0) {
        weir_complain(reading->complaints, node->origin,
                      "a descriptor needs a key, as {key: path, value: /login}");
    }
    if (spec->share_threshold && !has_star(spec->value) && !has_star(spec->key)) {
        weir_complain(reading->complaints, nodes.at[KEY_SHARE_THRESHOLD]->origin,
                      "share_threshold: only of a value with a '*' in it, as value: /files/*");
    }
    if (nodes.at[KEY_RATE_LIMIT] != NULL) {
        read_rate_limit(reading, nodes.at[KEY_RATE_LIMIT], spec);
        domains->rules++;
    }
    if (nodes.at[KEY_METADATA] != NULL) {
        spec->metadata = weir_envoy_metadata(reading, nodes.at[KEY_METADATA]);
    }
    if (nodes.at[KEY_DESCRIPTORS] != NULL) {
        struct weir_envoy_domain below = {0};
        read_list(reading, nodes.at[KEY_DESCRIPTORS], domains, &below);
        refuse_twins(reading, below.children, below.origins, below.spec.child_count);
        spec->children = below.children;
        spec->child_count = below.spec.child_count;
    }
}

/* Adds a list's descriptors behind those that `into` has. */
static void read_list(struct weir_reading *reading, const struct weir_node *list,
                      struct weir_envoy_domains *domains, struct weir_envoy_domain *into)
{
    struct weir_scalar_value value = {.kind = WEIR_SCALAR_TEXT};
    if (list->kind == WEIR_NODE_SCALAR) {
        weir_scalar_read(list, &value);
    }
    if (value.kind == WEIR_SCALAR_NULL || !weir_read_visit(reading, list)) {
        return;
    }
    if (list->kind != WEIR_NODE_LIST) {
        weir_complain(reading->complaints, list->origin,
                      "descriptors: expected a list, as [{key: path, value: /login}]");
        return;
    }
    const size_t before = into->spec.child_count;
    struct weir_rls_node_spec *children =
        weir_memory_take(reading->kept, before + list->count, sizeof(*children));
    struct weir_origin *origins =
        weir_memory_take(&reading->tree, before + list->count, sizeof(*origins));
    if (children == NULL || origins == NULL) {
        return;
    }
    if (before > 0) {
        memcpy(children, into->children, before * sizeof(*children));
        memcpy(origins, into->origins, before * sizeof(*origins));
    }
    size_t count = before;
    for (const struct weir_entry *item = list->entries; item != NULL; item = item->next) {
        origins[count] = item->value->origin;
        read_descriptor(reading, item->value, domains, &children[count++]);
    }
    into->children = children;
    into->origins = origins;
    into->spec.children = children;
    into->spec.child_count = count;
}
/* NOLINTEND(misc-no-recursion) */

/* ---- Files --------------------------------------------------------------------------------- */

static struct weir_envoy_domain *find_domain(struct weir_envoy_domains *domains,
                                             struct weir_bytes name)
{
    for (size_t i = 0; i < domains->count; i++) {
        if (compare_bytes(domains->list[i].spec.name, name) == 0) {
            return &domains->list[i];
        }
    }
    return NULL;
}

static struct weir_envoy_domain *add_domain(struct weir_reading *reading,
                                            struct weir_envoy_domains *domains)
{
    if (domains->count == domains->room) {
        const size_t room = domains->room > 0 ? domains->room * 2 : DOMAINS_FIRST;
        struct weir_envoy_domain *list = weir_memory_take(&reading->tree, room, sizeof(*list));
        if (list == NULL) {
            return NULL;
        }
        if (domains->count > 0) {
            memcpy(list, domains->list, domains->count * sizeof(*list));
        }
        domains->list = list;
        domains->room = room;
    }
    return &domains->list[domains->count++];
}

void weir_envoy_read_root(struct weir_reading *reading, const struct weir_node *root,
                          bool merge_domains, struct weir_envoy_domains *domains)
{
    struct nodes nodes;
    if (!read_nodes(reading, root, PLACE_FILE, &nodes)) {
        return;
    }
    const struct weir_bytes name = read_text(reading, nodes.at[KEY_DOMAIN], "domain");
    if (name.len == 0) {
        weir_complain(reading->complaints, root->origin,
                      "domain is missing: each file needs one, as domain: web");
        return;
    }
    struct weir_envoy_domain *domain = find_domain(domains, name);
    if (domain != NULL && !merge_domains) {
        const struct weir_quote quote = weir_word_quote(name);
        weir_complain(reading->complaints, nodes.at[KEY_DOMAIN]->origin,
                      "domain: another file has the domain '%s' already; write one file, or set "
                      "MERGE_DOMAIN_CONFIG=true",
                      quote.text);
        return;
    }
    domain = domain != NULL ? domain : add_domain(reading, domains);
    if (domain == NULL) {
        return;
    }
    domain->spec.name = name;
    domain->spec.atomic = read_truth(reading, &nodes, KEY_ATOMIC) || domain->spec.atomic;
    if (nodes.at[KEY_DESCRIPTORS] != NULL) {
        read_list(reading, nodes.at[KEY_DESCRIPTORS], domains, domain);
        refuse_twins(reading, domain->children, domain->origins, domain->spec.child_count);
    }
}
