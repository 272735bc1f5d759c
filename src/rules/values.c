/* values.c - see values.h. */

#include "rules/values.h"

#include "policy/words.h"

#include <assert.h>

#define NAMES_MIN 16

/* ---- Names ---- */

/* Where the name's slot is, or is to be put. */
static uint32_t *place_of(const struct weir_names *names, struct weir_bytes name)
{
    const uint32_t mask = 2 * names->room - 1;
    uint32_t at = (uint32_t)weir_hash_from(&names->start, 0, name) & mask;
    while (names->places[at] != 0 && !weir_same_bytes(names->names[names->places[at] - 1], name)) {
        at = (at + 1) & mask;
    }
    return &names->places[at];
}

static bool enlarge(struct weir_names *names)
{
    const uint32_t room = names->room == 0 ? NAMES_MIN : names->room * 2;
    struct weir_bytes *list = weir_arena_get(names->arena, room, sizeof(*list));
    uint32_t *places = weir_arena_get(names->arena, 2 * (size_t)room, sizeof(*places));
    if (list == NULL || places == NULL) {
        return false;
    }
    if (names->count > 0) {
        memcpy(list, names->names, names->count * sizeof(*list));
    }
    names->names = list;
    names->places = places;
    names->room = room;
    for (uint32_t slot = 0; slot < names->count; slot++) {
        *place_of(names, list[slot]) = slot + 1;
    }
    return true;
}

bool weir_names_add(struct weir_names *names, struct weir_bytes name, uint32_t *ret_slot)
{
    if (names->count == names->room && !enlarge(names)) {
        return false;
    }
    uint32_t *place = place_of(names, name);
    if (*place == 0) {
        names->names[names->count] = name;
        *place = ++names->count;
    }
    *ret_slot = *place - 1;
    return true;
}

uint32_t weir_names_find(const struct weir_names *names, struct weir_bytes name)
{
    if (names->room == 0) {
        return WEIR_SLOT_NONE;
    }
    const uint32_t place = *place_of(names, name);
    return place == 0 ? WEIR_SLOT_NONE : place - 1;
}

/* ---- Values ---- */

static enum weir_status check_attribute(const struct weir_attribute *attribute,
                                        struct weir_error *ret_error)
{
    if (attribute->name.len > WEIR_ATTRIBUTE_NAME_MAX) {
        weir_error_set(ret_error, 0, 0, "an attribute's name has %zu bytes; %d is the most: \"%s\"",
                       attribute->name.len, WEIR_ATTRIBUTE_NAME_MAX,
                       weir_word_quote(attribute->name).text);
        return WEIR_ERR_ARGUMENT;
    }
    if (attribute->value.len > WEIR_ATTRIBUTE_VALUE_MAX) {
        weir_error_set(ret_error, 0, 0, "the attribute \"%s\" has %zu bytes; %d is the most",
                       weir_word_quote(attribute->name).text, attribute->value.len,
                       WEIR_ATTRIBUTE_VALUE_MAX);
        return WEIR_ERR_ARGUMENT;
    }
    return WEIR_OK;
}

/* Keeps the value under its slot, unless there is one: of a name twice, the first counts. */
static void keep(struct weir_values *values, uint32_t slot, struct weir_bytes bytes)
{
    uint32_t at = slot % WEIR_VALUE_PLACES;
    while (values->places[at] != 0) {
        if (values->values[values->places[at] - 1].slot == slot) {
            return;
        }
        at = (at + 1) % WEIR_VALUE_PLACES;
    }
    struct weir_value *value = &values->values[values->count];
    value->bytes = bytes;
    value->slot = slot;
    value->looked_at = false;
    values->count++;
    values->places[at] = (uint8_t)values->count;
}

enum weir_status weir_values_bind(struct weir_values *values, const struct weir_names *names,
                                  const struct weir_inquiry_spec *inquiry,
                                  struct weir_error *ret_error)
{
    assert(inquiry->attributes != NULL || inquiry->count == 0);
    if (inquiry->count > WEIR_ATTRIBUTES_MAX) {
        weir_error_set(ret_error, 0, 0, "a request has at most %d attributes, not %zu",
                       WEIR_ATTRIBUTES_MAX, inquiry->count);
        return WEIR_ERR_ARGUMENT;
    }
    values->count = 0;
    values->matcher = NULL;
    memset(values->places, 0, sizeof(values->places));
    for (size_t i = 0; i < inquiry->count; i++) {
        const struct weir_attribute *attribute = &inquiry->attributes[i];
        const enum weir_status status = check_attribute(attribute, ret_error);
        if (status != WEIR_OK) {
            return status;
        }
        const uint32_t slot = weir_names_find(names, attribute->name);
        if (slot != WEIR_SLOT_NONE) {
            keep(values, slot, attribute->value);
        }
    }
    return WEIR_OK;
}
