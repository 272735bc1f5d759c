/* metadata.c - what a response says of its request to the filters that follow, as a struct.
 *
 *     descriptors  of each: entries ["key=value", ...], limit "requests_per_unit:5 unit:HOUR",
 *                  hitsAddend
 *     domain
 *     hitsAddend   where the request has one
 *     metadata     what is written at the rules that passed, merged: of two values under one name
 *                  the first stays, save that two structs are merged in turn */

#include "rls/policy_parts.h"

#include <assert.h>

/* How deep structs are merged; below, the first stays. */
#define MERGE_DEPTH_MAX 32

/* "requests_per_unit:4294967295 unit:MINUTE", and what is unknown as a number. */
#define LIMIT_TEXT_MAX 64

#define NAME(text)               \
    {                            \
        (text), sizeof(text) - 1 \
    }

static struct weir_rls_value text_value(struct weir_bytes text)
{
    return (struct weir_rls_value){.kind = WEIR_RLS_TEXT, .text = text};
}

static struct weir_rls_value number_value(uint64_t number)
{
    return (struct weir_rls_value){.kind = WEIR_RLS_NUMBER, .number = (double)number};
}

/* ---- Descriptors -------------------------------------------------------------------------- */

static bool entry_value(const struct weir_rls_entry *entry, struct weir_arena *arena,
                        struct weir_rls_value *ret_value)
{
    const size_t len = entry->key.len + 1 + entry->value.len;
    char *text = weir_arena_take(arena, len);
    if (text == NULL) {
        return false;
    }
    if (entry->key.len > 0) {
        memcpy(text, entry->key.ptr, entry->key.len);
    }
    text[entry->key.len] = '=';
    if (entry->value.len > 0) {
        memcpy(text + entry->key.len + 1, entry->value.ptr, entry->value.len);
    }
    *ret_value = text_value(weir_bytes(text, len));
    return true;
}

static bool entries_value(const struct weir_rls_descriptor *descriptor, struct weir_arena *arena,
                          struct weir_rls_value *ret_value)
{
    struct weir_rls_value *values =
        weir_arena_get(arena, descriptor->entry_count, sizeof(values[0]));
    for (size_t i = 0; i < descriptor->entry_count && values != NULL; i++) {
        if (!entry_value(&descriptor->entries[i], arena, &values[i])) {
            return false;
        }
    }
    *ret_value = (struct weir_rls_value){
        .kind = WEIR_RLS_LIST, .values = values, .count = descriptor->entry_count};
    return values != NULL;
}

/* A limit as protobuf's text: what is 0 is left out. */
static bool limit_value(const struct weir_rls_descriptor *descriptor, struct weir_arena *arena,
                        struct weir_rls_value *ret_value)
{
    struct weir_buffer text = {.bytes = weir_arena_take(arena, LIMIT_TEXT_MAX),
                               .room = LIMIT_TEXT_MAX};
    if (text.bytes == NULL) {
        return false;
    }
    const enum weir_rls_unit unit = descriptor->limit_unit;
    if (descriptor->limit_requests > 0) {
        weir_buffer_put_text(&text, "requests_per_unit:");
        weir_buffer_put_number(&text, descriptor->limit_requests);
    }
    if (unit != WEIR_RLS_UNKNOWN_UNIT) {
        weir_buffer_put_text(&text, text.len > 0 ? " unit:" : "unit:");
        if (weir_rls_unit_seconds(unit) > 0) {
            weir_buffer_put_text(&text, weir_rls_unit_name(unit));
        } else {
            weir_buffer_put_number(&text, (uint32_t)unit);
        }
    }
    *ret_value = text_value(weir_buffer_bytes(&text));
    return true;
}

static bool descriptor_value(const struct weir_rls_descriptor *descriptor, struct weir_arena *arena,
                             struct weir_rls_value *ret_value)
{
    static const struct weir_bytes entries = NAME("entries");
    static const struct weir_bytes hits = NAME("hitsAddend");
    static const struct weir_bytes limit = NAME("limit");
    struct weir_bytes *names = weir_arena_get(arena, 3, sizeof(names[0]));
    struct weir_rls_value *values = weir_arena_get(arena, 3, sizeof(values[0]));
    size_t count = 0;
    if (names == NULL || values == NULL || !entries_value(descriptor, arena, &values[0])) {
        return false;
    }
    names[count++] = entries;
    if (descriptor->has_hits) {
        values[count] = number_value(descriptor->hits);
        names[count++] = hits;
    }
    if (descriptor->has_limit) {
        if (!limit_value(descriptor, arena, &values[count])) {
            return false;
        }
        names[count++] = limit;
    }
    *ret_value = (struct weir_rls_value){
        .kind = WEIR_RLS_STRUCT, .names = names, .values = values, .count = count};
    return true;
}

static bool descriptors_value(const struct weir_rls_request *request, struct weir_arena *arena,
                              struct weir_rls_value *ret_value)
{
    struct weir_rls_value *values =
        weir_arena_get(arena, request->descriptor_count, sizeof(values[0]));
    for (size_t i = 0; i < request->descriptor_count && values != NULL; i++) {
        if (!descriptor_value(&request->descriptors[i], arena, &values[i])) {
            return false;
        }
    }
    *ret_value = (struct weir_rls_value){
        .kind = WEIR_RLS_LIST, .values = values, .count = request->descriptor_count};
    return values != NULL;
}

/* ---- What is written at rules ------------------------------------------------------------- */

/* A struct that grows up to the room that was counted for it. */
struct merged {
    struct weir_bytes *names;
    struct weir_rls_value *values;
    size_t count;
};

static bool merge_pair(const struct weir_rls_value *first, const struct weir_rls_value *second,
                       size_t depth, struct weir_arena *arena, struct weir_rls_value *ret_value);

static bool merged_new(struct merged *merged, size_t room, struct weir_arena *arena)
{
    merged->names = weir_arena_get(arena, room, sizeof(merged->names[0]));
    merged->values = weir_arena_get(arena, room, sizeof(merged->values[0]));
    merged->count = 0;
    return merged->names != NULL && merged->values != NULL;
}

static struct weir_rls_value merged_value(const struct merged *merged)
{
    return (struct weir_rls_value){.kind = WEIR_RLS_STRUCT,
                                   .names = merged->names,
                                   .values = merged->values,
                                   .count = merged->count};
}

static size_t find_name(const struct merged *merged, struct weir_bytes name)
{
    size_t at = 0;
    while (at < merged->count && !weir_rls_same(merged->names[at], name)) {
        at++;
    }
    return at;
}

/* NOLINTNEXTLINE(misc-no-recursion): down to MERGE_DEPTH_MAX */
static bool merge_into(struct merged *merged, const struct weir_rls_value *from, size_t depth,
                       struct weir_arena *arena)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct weir_rls_value *value = &from->values[i];
        const size_t at = find_name(merged, from->names[i]);
        if (at == merged->count) {
            merged->names[at] = from->names[i];
            merged->values[at] = *value;
            merged->count++;
        } else if (value->kind == WEIR_RLS_STRUCT && merged->values[at].kind == WEIR_RLS_STRUCT &&
                   depth < MERGE_DEPTH_MAX) {
            const struct weir_rls_value first = merged->values[at];
            if (!merge_pair(&first, value, depth + 1, arena, &merged->values[at])) {
                return false;
            }
        }
    }
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): down to MERGE_DEPTH_MAX */
static bool merge_pair(const struct weir_rls_value *first, const struct weir_rls_value *second,
                       size_t depth, struct weir_arena *arena, struct weir_rls_value *ret_value)
{
    struct merged merged;
    if (!merged_new(&merged, first->count + second->count, arena) ||
        !merge_into(&merged, first, depth, arena) || !merge_into(&merged, second, depth, arena)) {
        return false;
    }
    *ret_value = merged_value(&merged);
    return true;
}

/* What is written at the rule of an item that passed; NULL: nothing, or it has none. */
static const struct weir_rls_value *passed(const struct weir_rls_plan *plan,
                                           const struct weir_rls_status *statuses, size_t index)
{
    const struct weir_rls_item *item = &plan->items[index];
    const bool counts = item->rule != NULL && item->fate != WEIR_RLS_UNLIMITED &&
                        statuses[index].code != WEIR_RLS_OVER_LIMIT;
    return counts ? item->rule->spec->metadata : NULL;
}

static bool passed_value(const struct weir_rls_plan *plan, const struct weir_rls_status *statuses,
                         struct weir_arena *arena, struct weir_rls_value *ret_value)
{
    struct merged merged;
    const struct weir_rls_value *last = NULL;
    size_t room = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct weir_rls_value *value = passed(plan, statuses, i);
        room += value != NULL ? value->count : 0;
    }
    if (!merged_new(&merged, room, arena)) {
        return false;
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct weir_rls_value *value = passed(plan, statuses, i);
        /* Of one rule again: nothing new. */
        if (value != NULL && value != last && !merge_into(&merged, value, 0, arena)) {
            return false;
        }
        last = value != NULL ? value : last;
    }
    *ret_value = merged_value(&merged);
    return true;
}

/* ---- The whole ---------------------------------------------------------------------------- */

const struct weir_rls_value *weir_rls_metadata(const struct weir_rls_plan *plan,
                                               const struct weir_rls_status *statuses,
                                               struct weir_arena *arena)
{
    static const struct weir_bytes all[] = {NAME("descriptors"), NAME("domain"), NAME("hitsAddend"),
                                            NAME("metadata")};
    const struct weir_rls_request *request = plan->request;
    struct weir_bytes *names = weir_arena_get(arena, 4, sizeof(names[0]));
    struct weir_rls_value *values = weir_arena_get(arena, 4, sizeof(values[0]));
    struct weir_rls_value *whole = weir_arena_get(arena, 1, sizeof(*whole));
    struct weir_rls_value written;
    if (names == NULL || values == NULL || whole == NULL ||
        !descriptors_value(request, arena, &values[0]) ||
        !passed_value(plan, statuses, arena, &written)) {
        return NULL;
    }
    size_t count = 0;
    names[count++] = all[0];
    values[count] = text_value(request->domain);
    names[count++] = all[1];
    if (request->hits > 0) {
        values[count] = number_value(request->hits);
        names[count++] = all[2];
    }
    if (written.count > 0) {
        values[count] = written;
        names[count++] = all[3];
    }
    *whole = (struct weir_rls_value){
        .kind = WEIR_RLS_STRUCT, .names = names, .values = values, .count = count};
    return whole;
}
