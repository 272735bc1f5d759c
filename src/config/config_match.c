/* config_match.c - what a request has to be like; see parts.h.
 *
 *     match:
 *       method: POST                     is it
 *       host: [a.example, b.example]     is one of them
 *       path: {prefix: /login}           a test, or several: all must hold
 *       agent: [curl, {prefix: bot}]     any of these
 *       ip: {not: {cidr: 10.0.0.0/8}}    none of these
 *
 * Each attribute gives one condition, or one for each key of its mapping. A single value of the
 * attribute `ip` that is an address or a network is read as one, so that one address is itself
 * however it is written. */

#include "config/parts.h"

#include <string.h>

struct test_nodes {
    const struct weir_node *exact;
    const struct weir_node *prefix;
    const struct weir_node *glob;
    const struct weir_node *cidr;
    const struct weir_node *regex;
    const struct weir_node *present;
    const struct weir_node * not ;
};

#define TEST(key) #key, WEIR_VALUE_NODE, false, offsetof(struct test_nodes, key), 0, 0, 0, NULL

static const struct weir_key test_keys[] = {
    {TEST(exact)}, {TEST(prefix)},  {TEST(glob)}, {TEST(cidr)},
    {TEST(regex)}, {TEST(present)}, {TEST(not )},
};

const struct weir_form weir_form_tests = {
    .name = "tests",
    .what = "what is asked of an attribute",
    .keys = test_keys,
    .count = sizeof(test_keys) / sizeof(test_keys[0]),
};

/* The condition that is being put together; its tests are an array in a buffer until it is whole.
 */
struct condition_reader {
    struct weir_reading *reading;
    struct weir_bytes attribute;
    struct weir_buffer tests;
    size_t count;
    bool negated;
    bool good;
};

/* The texts live as long as the configuration. */
static bool keep(struct weir_reading *reading, struct weir_bytes text, struct weir_bytes *ret_text)
{
    const char *copy = weir_memory_copy(reading->kept, text);
    *ret_text = weir_bytes(copy, text.len);
    return copy != NULL;
}

static void add_test(struct condition_reader *reader, enum weir_test_kind kind,
                     struct weir_bytes text, struct weir_origin origin)
{
    struct weir_test_spec test = {.kind = kind, .origin = origin};
    if (!keep(reader->reading, text, &test.text)) {
        return;
    }
    weir_buffer_put(&reader->tests, weir_bytes(&test, sizeof(test)));
    reader->count++;
}

/* ---- Tests -------------------------------------------------------------------------------- */

/* Whether a single value was probably meant as an address or network. */
static bool resembles_address(struct weir_bytes attribute, struct weir_bytes text)
{
    return weir_word_is(attribute, "ip") && text.len > 0 &&
           ((text.ptr[0] >= '0' && text.ptr[0] <= '9') || memchr(text.ptr, ':', text.len) != NULL);
}

static void add_bare(struct condition_reader *reader, const struct weir_node *node)
{
    struct weir_bytes text;
    if (!weir_read_scalar(reader->reading, node, "a value", &text)) {
        reader->good = false;
        return;
    }
    add_test(reader, resembles_address(reader->attribute, text) ? WEIR_TEST_CIDR : WEIR_TEST_EXACT,
             text, node->origin);
}

/* One value, or a list of which any may do. */
static void add_texts(struct condition_reader *reader, const struct weir_node *node,
                      enum weir_test_kind kind, const char *what)
{
    struct weir_items items;
    struct weir_bytes text;
    weir_items_of(node, &items);
    for (const struct weir_entry *item = items.entries; item != NULL; item = item->next) {
        if (weir_read_scalar(reader->reading, item->value, what, &text)) {
            add_test(reader, kind, text, weir_node_place(item->value, 0));
        } else {
            reader->good = false;
        }
    }
}

static void add_present(struct condition_reader *reader, const struct weir_node *node)
{
    bool present;
    if (!weir_read_boolean(reader->reading, node, "present", &present)) {
        reader->good = false;
        return;
    }
    add_test(reader, present ? WEIR_TEST_PRESENT : WEIR_TEST_ABSENT, weir_bytes("", 0),
             node->origin);
}

/* Those of one key of a mapping, which is not `not`. */
static void add_keyed(struct condition_reader *reader, size_t key, const struct weir_node *node)
{
    static const enum weir_test_kind kinds[] = {WEIR_TEST_EXACT, WEIR_TEST_PREFIX, WEIR_TEST_GLOB,
                                                WEIR_TEST_CIDR, WEIR_TEST_REGEX};
    if (key < sizeof(kinds) / sizeof(kinds[0])) {
        add_texts(reader, node, kinds[key], test_keys[key].name);
    } else {
        add_present(reader, node);
    }
}

static const struct weir_node *node_of(const struct test_nodes *nodes, size_t key)
{
    return *(const struct weir_node *const *)((const char *)nodes + test_keys[key].offset);
}

/* An item of a list of which any may hold: a value, or a mapping of one key. */
static void add_item(struct condition_reader *reader, const struct weir_node *node)
{
    struct test_nodes nodes = {0};
    if (node->kind != WEIR_NODE_MAP) {
        add_bare(reader, node);
        return;
    }
    if (!weir_read_form(reader->reading, node, &weir_form_tests, &nodes)) {
        reader->good = false;
        return;
    }
    if (node->count != 1 || nodes.not != NULL) {
        weir_complain(reader->reading->complaints, node->origin,
                      "expected one test here, as {prefix: /a}; several that must all hold, or "
                      "'not', go in a mapping of their own");
        reader->good = false;
        return;
    }
    for (size_t key = 0; key < weir_form_tests.count; key++) {
        if (node_of(&nodes, key) != NULL) {
            add_keyed(reader, key, node_of(&nodes, key));
        }
    }
}

static void add_items(struct condition_reader *reader, const struct weir_node *node)
{
    struct weir_items items;
    weir_items_of(node, &items);
    for (const struct weir_entry *item = items.entries; item != NULL; item = item->next) {
        add_item(reader, item->value);
    }
}

/* ---- Conditions --------------------------------------------------------------------------- */

static void begin(struct condition_reader *reader, struct weir_reading *reading,
                  struct weir_bytes attribute)
{
    *reader = (struct condition_reader){
        .reading = reading,
        .attribute = attribute,
        .tests = {.allocator = reading->source->allocator},
        .good = true,
    };
}

/* Adds the condition that was put together. */
static void end(struct condition_reader *reader, const struct weir_node *node,
                struct weir_conditions *conditions)
{
    struct weir_reading *reading = reader->reading;
    if (reader->count == 0 && reader->good && !weir_reading_failed(reading)) {
        weir_complain(reading->complaints, node->origin,
                      "this list is empty, so that nothing could be in it");
        reader->good = false;
    }
    conditions->too_many = conditions->too_many || conditions->count == WEIR_CONDITIONS_MAX;
    reading->kept->failed = reading->kept->failed || reader->tests.failed;
    if (reader->good && reader->count > 0 && !reader->tests.failed && !conditions->too_many) {
        struct weir_test_spec *tests =
            weir_memory_take(reading->kept, reader->count, sizeof(*tests));
        struct weir_condition_spec *condition = &conditions->list[conditions->count];
        *condition = (struct weir_condition_spec){
            .tests = tests,
            .count = reader->count,
            .negated = reader->negated,
            .origin = node->origin,
        };
        if (tests != NULL && keep(reading, reader->attribute, &condition->attribute)) {
            memcpy(tests, reader->tests.bytes, reader->count * sizeof(*tests));
            conditions->count++;
        }
    }
    weir_buffer_deinit(&reader->tests);
}

/* A mapping: a condition for each of its keys. */
static void read_tests(struct weir_reading *reading, const struct weir_node *node,
                       struct weir_bytes attribute, struct weir_conditions *conditions)
{
    struct test_nodes nodes = {0};
    const bool good = weir_read_form(reading, node, &weir_form_tests, &nodes);
    if (node->count == 0) {
        weir_complain(reading->complaints, node->origin,
                      "nothing is asked here; write a test, as {prefix: /a} or {present: true}");
        return;
    }
    for (size_t key = 0; key < weir_form_tests.count; key++) {
        const struct weir_node *value = node_of(&nodes, key);
        struct condition_reader reader;
        if (value == NULL) {
            continue;
        }
        begin(&reader, reading, attribute);
        reader.negated = value == nodes.not ;
        reader.good = good;
        if (reader.negated) {
            add_items(&reader, value);
        } else {
            add_keyed(&reader, key, value);
        }
        end(&reader, value, conditions);
    }
}

void weir_read_bare(struct weir_reading *reading, const struct weir_node *value,
                    struct weir_bytes attribute, struct weir_conditions *conditions)
{
    struct condition_reader reader;
    begin(&reader, reading, attribute);
    add_items(&reader, value);
    end(&reader, value, conditions);
}

void weir_read_match(struct weir_reading *reading, const struct weir_node *match,
                     struct weir_conditions *conditions)
{
    if (match->kind != WEIR_NODE_MAP) {
        weir_complain(reading->complaints, match->origin,
                      "match: expected a mapping of attributes to values, as {method: POST}");
        return;
    }
    for (const struct weir_entry *entry = match->entries; entry != NULL; entry = entry->next) {
        if (!weir_read_visit(reading, entry->value)) {
            return;
        }
        if (entry->value->kind == WEIR_NODE_MAP) {
            read_tests(reading, entry->value, entry->key->text, conditions);
        } else {
            weir_read_bare(reading, entry->value, entry->key->text, conditions);
        }
    }
    if (conditions->too_many) {
        weir_complain(reading->complaints, match->origin, "at most 32 conditions go together");
    }
}

_Static_assert(WEIR_CONDITIONS_MAX == 32, "the message above says so");

const struct weir_condition_spec *weir_keep_conditions(struct weir_reading *reading,
                                                       const struct weir_conditions *conditions)
{
    struct weir_condition_spec *list =
        weir_memory_take(reading->kept, conditions->count, sizeof(*list));
    if (list != NULL && conditions->count > 0) {
        memcpy(list, conditions->list, conditions->count * sizeof(*list));
    }
    return list;
}
