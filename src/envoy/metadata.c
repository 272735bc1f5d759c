/* metadata.c - free maps, as google.protobuf.Struct has them. See parts.h. */

#include "envoy/parts.h"

static bool fill(struct weir_reading *reading, const struct weir_node *node,
                 struct weir_rls_value *value);

static bool fill_scalar(struct weir_reading *reading, const struct weir_node *node,
                        struct weir_rls_value *value)
{
    struct weir_scalar_value scalar;
    weir_scalar_read(node, &scalar);
    switch (scalar.kind) {
    case WEIR_SCALAR_NULL:
        value->kind = WEIR_RLS_NULL;
        return true;
    case WEIR_SCALAR_BOOLEAN:
        value->kind = WEIR_RLS_BOOLEAN;
        value->boolean = scalar.boolean;
        return true;
    case WEIR_SCALAR_WHOLE:
    case WEIR_SCALAR_FLOAT:
        value->kind = WEIR_RLS_NUMBER;
        value->number = scalar.number;
        return true;
    case WEIR_SCALAR_TIME:
        weir_complain(reading->complaints, node->origin,
                      "metadata: a time is nothing that it can have; write it in quotes");
        return false;
    case WEIR_SCALAR_TEXT:
        break;
    }
    const char *copy = weir_memory_copy(reading->kept, node->text);
    value->kind = WEIR_RLS_TEXT;
    value->text = weir_bytes(copy, node->text.len);
    return copy != NULL;
}

/* NOLINTBEGIN(misc-no-recursion): as deep as the file, WEIR_CONFIG_DEPTH_MAX at most */
static bool fill_many(struct weir_reading *reading, const struct weir_node *node,
                      struct weir_rls_value *value)
{
    const bool is_map = node->kind == WEIR_NODE_MAP;
    struct weir_rls_value *values = weir_memory_take(reading->kept, node->count, sizeof(*values));
    struct weir_bytes *names =
        is_map ? weir_memory_take(reading->kept, node->count, sizeof(*names)) : NULL;
    if (values == NULL || (is_map && names == NULL)) {
        return false;
    }
    size_t count = 0;
    bool good = true;
    for (const struct weir_entry *entry = node->entries; entry != NULL; entry = entry->next) {
        if (is_map) {
            const char *name = weir_memory_copy(reading->kept, entry->key->text);
            names[count] = weir_bytes(name, entry->key->text.len);
            good = name != NULL && good;
        }
        good = fill(reading, entry->value, &values[count]) && good;
        count++;
    }
    value->kind = is_map ? WEIR_RLS_STRUCT : WEIR_RLS_LIST;
    value->names = names;
    value->values = values;
    value->count = count;
    return good;
}

static bool fill(struct weir_reading *reading, const struct weir_node *node,
                 struct weir_rls_value *value)
{
    if (!weir_read_visit(reading, node)) {
        return false;
    }
    return node->kind == WEIR_NODE_SCALAR ? fill_scalar(reading, node, value)
                                          : fill_many(reading, node, value);
}
/* NOLINTEND(misc-no-recursion) */

const struct weir_rls_value *weir_envoy_metadata(struct weir_reading *reading,
                                                 const struct weir_node *node)
{
    struct weir_scalar_value scalar = {.kind = WEIR_SCALAR_TEXT};
    if (node->kind == WEIR_NODE_SCALAR) {
        weir_scalar_read(node, &scalar);
    }
    if (scalar.kind == WEIR_SCALAR_NULL) {
        return NULL;
    }
    if (node->kind != WEIR_NODE_MAP) {
        weir_complain(reading->complaints, node->origin,
                      "metadata: expected a mapping, as {team: search}");
        return NULL;
    }
    struct weir_rls_value *value = weir_memory_take(reading->kept, 1, sizeof(*value));
    if (value == NULL || node->count == 0 || !fill(reading, node, value)) {
        return NULL;
    }
    return value;
}
