/* json_read.c - a request of the rate limit service, read from proto3's JSON. See wire.h.
 *
 * Read in two passes over one reader: descriptors and their entries are lists that grow in the
 * arena. A name may be as in the .proto or in lowerCamelCase; null is as if the name were not
 * there.
 *
 * Source: protobuf's "ProtoJSON format". */

#include "rls/wire.h"

#include "base/error.h"
#include "json/json.h"

#include <string.h>

/* Lists grow from so many. */
#define LIST_FIRST 4

struct reading {
    struct weir_json_reader json;
    struct weir_arena *arena;
    struct weir_error *error;
    enum weir_status status;
};

static bool fail(struct reading *reading, enum weir_status status, const char *message)
{
    size_t line;
    size_t column;
    weir_json_place(reading->json.input, reading->json.start, &line, &column);
    weir_error_set(reading->error, reading->json.start, 0, "line %zu, column %zu: %s", line, column,
                   message);
    reading->status = status;
    return false;
}

static bool refuse(struct reading *reading, const char *message)
{
    return fail(reading, WEIR_ERR_FORMAT, message);
}

static bool no_memory(struct reading *reading)
{
    reading->status = WEIR_ERR_NO_MEMORY;
    return false;
}

static enum weir_json_token next(struct reading *reading)
{
    return weir_json_next(&reading->json);
}

static bool is(const struct reading *reading, const char *text)
{
    const struct weir_bytes read = reading->json.text;
    return read.len == strlen(text) && memcmp(read.ptr, text, read.len) == 0;
}

/* ---- Values -------------------------------------------------------------------------------- */

static bool read_text(struct reading *reading, enum weir_json_token token,
                      struct weir_bytes *ret_text)
{
    if (token == WEIR_JSON_NULL) {
        return true;
    }
    if (token != WEIR_JSON_STRING) {
        return refuse(reading,
                      token == WEIR_JSON_BAD ? reading->json.complaint : "expected a string");
    }
    const struct weir_bytes text = reading->json.text;
    char *copy = weir_arena_take(reading->arena, text.len);
    if (copy == NULL) {
        return no_memory(reading);
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    *ret_text = weir_bytes(copy, text.len);
    return true;
}

/* Digits alone, of a number that is given as a string. */
static bool read_digits(struct weir_bytes text, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.ptr[i] - '0'), &number)) {
            return false;
        }
    }
    *ret_number = number;
    return text.len > 0;
}

static bool read_number(struct reading *reading, enum weir_json_token token, uint64_t most,
                        uint64_t *ret_number)
{
    uint64_t number = 0;
    if (token == WEIR_JSON_NULL) {
        return true;
    }
    const bool read =
        (token == WEIR_JSON_STRING || token == WEIR_JSON_NUMBER) &&
        (read_digits(reading->json.text, &number) || weir_json_whole(reading->json.text, &number));
    if (!read || number > most) {
        return refuse(reading, token == WEIR_JSON_BAD ? reading->json.complaint
                               : most == UINT32_MAX   ? "expected a whole number of 0 to 4294967295"
                                                      : "expected a whole number of 0 to 2^64-1");
    }
    *ret_number = number;
    return true;
}

static bool read_boolean(struct reading *reading, enum weir_json_token token, bool *ret_value)
{
    if (token != WEIR_JSON_TRUE && token != WEIR_JSON_FALSE && token != WEIR_JSON_NULL) {
        return refuse(reading,
                      token == WEIR_JSON_BAD ? reading->json.complaint : "expected true or false");
    }
    *ret_value = token == WEIR_JSON_TRUE;
    return true;
}

static const char *const units[] = {"UNKNOWN", "SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR"};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static bool read_unit(struct reading *reading, enum weir_json_token token,
                      enum weir_rls_unit *ret_unit)
{
    uint64_t number = 0;
    if (token == WEIR_JSON_STRING) {
        for (size_t i = 0; i < UNIT_COUNT; i++) {
            if (is(reading, units[i])) {
                *ret_unit = (enum weir_rls_unit)i;
                return true;
            }
        }
    } else if (token == WEIR_JSON_NUMBER && weir_json_whole(reading->json.text, &number)) {
        *ret_unit = number < UNIT_COUNT ? (enum weir_rls_unit)number : WEIR_RLS_UNKNOWN_UNIT;
        return true;
    } else if (token == WEIR_JSON_NULL) {
        return true;
    }
    return refuse(reading, "expected a unit: SECOND, MINUTE, HOUR, DAY, MONTH or YEAR");
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* One member of a message: its name has been read, and `token` is the first of its value. */
typedef bool read_member_fn(struct reading *reading, enum weir_json_token token, unsigned member,
                            void *into);

struct member {
    const char *name;
    const char *other; /* as in the .proto; NULL: the same */
};

/* NOLINTBEGIN(misc-no-recursion): a request holds descriptors, and they entries: no deeper */
static bool read_message(struct reading *reading, const struct member *members, size_t count,
                         read_member_fn *read_member, void *into)
{
    uint32_t seen = 0;
    enum weir_json_token token = next(reading);
    while (token == WEIR_JSON_NAME) {
        unsigned member = 0;
        while (member < count && !is(reading, members[member].name) &&
               (members[member].other == NULL || !is(reading, members[member].other))) {
            member++;
        }
        if (member == count) {
            return refuse(reading, "there is no such field");
        }
        if ((seen >> member & 1) != 0) {
            return refuse(reading, "this field is there twice");
        }
        seen |= UINT32_C(1) << member;
        if (!read_member(reading, next(reading), member, into)) {
            return false;
        }
        token = next(reading);
    }
    return token == WEIR_JSON_OBJECT_END || refuse(reading, reading->json.complaint);
}

/* The start of a message, or null; `ret_there`: whether there is one. */
static bool open_message(struct reading *reading, enum weir_json_token token, bool *ret_there)
{
    *ret_there = token == WEIR_JSON_OBJECT;
    return *ret_there || token == WEIR_JSON_NULL ||
           refuse(reading, token == WEIR_JSON_BAD ? reading->json.complaint : "expected an object");
}

/* A list of messages of `size` bytes, each read by `read_item` into a zeroed one. */
struct list {
    char *items;
    size_t count;
    size_t room;
    size_t size;
    size_t most;
    const char *too_many;
};

static void *add_item(struct reading *reading, struct list *list)
{
    if (list->count == list->most) {
        (void)fail(reading, WEIR_ERR_ARGUMENT, list->too_many);
        return NULL;
    }
    if (list->count == list->room) {
        const size_t room = list->room > 0 ? list->room * 2 : LIST_FIRST;
        char *items = weir_arena_get(reading->arena, room, list->size);
        if (items == NULL) {
            (void)no_memory(reading);
            return NULL;
        }
        if (list->count > 0) {
            memcpy(items, list->items, list->count * list->size);
        }
        list->items = items;
        list->room = room;
    }
    return list->items + list->size * list->count++;
}

static bool read_list(struct reading *reading, enum weir_json_token token, struct list *list,
                      bool (*read_item)(struct reading *reading, void *item))
{
    if (token == WEIR_JSON_NULL) {
        return true;
    }
    if (token != WEIR_JSON_ARRAY) {
        return refuse(reading,
                      token == WEIR_JSON_BAD ? reading->json.complaint : "expected an array");
    }
    for (token = next(reading); token == WEIR_JSON_OBJECT; token = next(reading)) {
        void *item = add_item(reading, list);
        if (item == NULL || !read_item(reading, item)) {
            return false;
        }
    }
    return token == WEIR_JSON_ARRAY_END ||
           refuse(reading, token == WEIR_JSON_BAD ? reading->json.complaint : "expected an object");
}

static bool entry_member(struct reading *reading, enum weir_json_token token, unsigned member,
                         void *into)
{
    struct weir_rls_entry *entry = into;
    return read_text(reading, token, member == 0 ? &entry->key : &entry->value);
}

static bool read_entry(struct reading *reading, void *item)
{
    static const struct member members[] = {{"key", NULL}, {"value", NULL}};
    return read_message(reading, members, 2, entry_member, item);
}

static bool limit_member(struct reading *reading, enum weir_json_token token, unsigned member,
                         void *into)
{
    struct weir_rls_descriptor *descriptor = into;
    uint64_t number = 0;
    if (member == 1) {
        return read_unit(reading, token, &descriptor->limit_unit);
    }
    if (!read_number(reading, token, UINT32_MAX, &number)) {
        return false;
    }
    descriptor->limit_requests = (uint32_t)number;
    return true;
}

static bool read_limit(struct reading *reading, enum weir_json_token token,
                       struct weir_rls_descriptor *descriptor)
{
    static const struct member members[] = {{"requestsPerUnit", "requests_per_unit"},
                                            {"unit", NULL}};
    return open_message(reading, token, &descriptor->has_limit) &&
           (!descriptor->has_limit || read_message(reading, members, 2, limit_member, descriptor));
}

static bool read_entries(struct reading *reading, enum weir_json_token token,
                         struct weir_rls_descriptor *descriptor)
{
    struct list list = {.size = sizeof(struct weir_rls_entry),
                        .most = WEIR_RLS_ENTRIES_MAX,
                        .too_many = "a descriptor of more than 64 entries"};
    if (!read_list(reading, token, &list, read_entry)) {
        return false;
    }
    descriptor->entries = (const struct weir_rls_entry *)(void *)list.items;
    descriptor->entry_count = list.count;
    return true;
}

static bool descriptor_member(struct reading *reading, enum weir_json_token token, unsigned member,
                              void *into)
{
    struct weir_rls_descriptor *descriptor = into;
    switch (member) {
    case 0:
        return read_entries(reading, token, descriptor);
    case 1:
        return read_limit(reading, token, descriptor);
    case 2:
        descriptor->has_hits = token != WEIR_JSON_NULL;
        return read_number(reading, token, UINT64_MAX, &descriptor->hits);
    default:
        return read_boolean(reading, token, &descriptor->negative);
    }
}

static bool read_descriptor(struct reading *reading, void *item)
{
    static const struct member members[] = {{"entries", NULL},
                                            {"limit", NULL},
                                            {"hitsAddend", "hits_addend"},
                                            {"isNegativeHits", "is_negative_hits"}};
    return read_message(reading, members, 4, descriptor_member, item);
}

static bool request_member(struct reading *reading, enum weir_json_token token, unsigned member,
                           void *into)
{
    struct weir_rls_request *request = into;
    struct list list = {.size = sizeof(struct weir_rls_descriptor),
                        .most = WEIR_RLS_DESCRIPTORS_MAX,
                        .too_many = "more than 1024 descriptors"};
    uint64_t number = request->hits;
    switch (member) {
    case 0:
        return read_text(reading, token, &request->domain);
    case 1:
        if (!read_list(reading, token, &list, read_descriptor)) {
            return false;
        }
        request->descriptors = (const struct weir_rls_descriptor *)(void *)list.items;
        request->descriptor_count = list.count;
        return true;
    default:
        if (!read_number(reading, token, UINT32_MAX, &number)) {
            return false;
        }
        request->hits = (uint32_t)number;
        return true;
    }
}
/* NOLINTEND(misc-no-recursion) */

_Static_assert(WEIR_RLS_ENTRIES_MAX == 64 && WEIR_RLS_DESCRIPTORS_MAX == 1024,
               "the messages say so");

static bool read_request(struct reading *reading, struct weir_rls_request *request)
{
    static const struct member members[] = {
        {"domain", NULL}, {"descriptors", NULL}, {"hitsAddend", "hits_addend"}};
    const enum weir_json_token token = next(reading);
    if (token != WEIR_JSON_OBJECT) {
        return refuse(reading, token == WEIR_JSON_BAD
                                   ? reading->json.complaint
                                   : "expected an object, as {\"domain\": \"web\", "
                                     "\"descriptors\": [...]}");
    }
    return read_message(reading, members, 3, request_member, request) &&
           (next(reading) == WEIR_JSON_END || refuse(reading, reading->json.complaint));
}

enum weir_status weir_rls_json_decode(struct weir_bytes bytes, struct weir_arena *arena,
                                      struct weir_rls_request *ret_request,
                                      struct weir_error *ret_error)
{
    struct weir_buffer scratch = {.allocator = arena->allocator};
    struct reading reading = {.arena = arena, .error = ret_error};
    struct weir_rls_request request = {0};
    weir_json_begin(&reading.json, bytes, &scratch);
    const bool read = read_request(&reading, &request);
    weir_buffer_deinit(&scratch);
    if (!read) {
        return reading.status;
    }
    *ret_request = request;
    return WEIR_OK;
}
