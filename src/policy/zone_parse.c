/* zone_parse.c - a zone's table of offsets from the bytes of its TZif file.
 *
 *     header  block  [header  block  footer]        the part in brackets since version 2
 *
 *     header: "TZif", version (NUL, '2', '3', '4'), 15 unused bytes, and six counts of 4 bytes:
 *             isut, isstd, leap, time, type, char
 *     block:  time  transitions of 4 bytes (8 in the second block), ascending
 *             time  indices of a type, a byte each
 *             type  entries: offset in 4 bytes, 0 or 1, index into the names
 *             char  bytes of names, each ending in NUL
 *             leap  entries of 8 (12) bytes; isstd bytes; isut bytes
 *     footer: newline, a rule for the time after the last transition (zone_rule.h) or nothing,
 * newline
 *
 * Every number is big-endian. Every byte that a window could depend on is checked, and so is the
 * length to the byte. The first block of a newer file is for readers that know no other, and is
 * only measured. Source: RFC 8536. Invariant: the table is ascending, starts at INT64_MIN, and no
 * two neighbours have one offset. */

#include "algo/civil.h"
#include "base/alloc.h"
#include "policy/zone_load.h"
#include "policy/zone_rule.h"

#include <assert.h>
#include <string.h>

#define HEADER_SIZE 44

/* One block, each part where it starts. */
struct block {
    uint32_t time_count;
    uint32_t type_count;
    uint32_t char_count;
    uint32_t leap_count;
    uint32_t isstd_count;
    uint32_t isut_count;
    size_t time_size; /* 4 or 8 */
    const unsigned char *times;
    const unsigned char *indices;
    const unsigned char *types;
    const unsigned char *chars;
    const unsigned char *isstd;
    const unsigned char *isut;
};

/* A zone that is being made; `capacity` is enough for all that can come. */
struct builder {
    size_t count;
    size_t capacity;
    int64_t *starts;
    int32_t *offsets;
};

static uint32_t load32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t load_time(const struct block *block, size_t i)
{
    const unsigned char *at = block->times + i * block->time_size;
    if (block->time_size == 4) {
        return (int32_t)load32(at);
    }
    return (int64_t)((uint64_t)load32(at) << 32 | load32(at + 4));
}

static int32_t type_offset(const struct block *block, size_t type)
{
    return (int32_t)load32(block->types + type * 6);
}

/* Reads the header at *at and finds the parts of its block; *at moves behind both. */
static const char *read_block(struct weir_bytes file, size_t time_size, size_t *at,
                              char *ret_version, struct block *ret_block)
{
    const unsigned char *bytes = (const unsigned char *)file.ptr + *at;
    const size_t left = file.len - *at;
    if (left < HEADER_SIZE) {
        return "it is cut short";
    }
    if (memcmp(bytes, "TZif", 4) != 0) {
        return "it does not start with TZif";
    }
    const char version = (char)bytes[4];
    if (version != '\0' && (version < '2' || version > '4')) {
        return "its version is not 1 to 4";
    }
    struct block block = {
        .isut_count = load32(bytes + 20),
        .isstd_count = load32(bytes + 24),
        .leap_count = load32(bytes + 28),
        .time_count = load32(bytes + 32),
        .type_count = load32(bytes + 36),
        .char_count = load32(bytes + 40),
        .time_size = time_size,
    };
    /* Six counts below 2^32, each times 12 at most, are far below 2^64. */
    const uint64_t size = (uint64_t)block.time_count * (time_size + 1) +
                          (uint64_t)block.type_count * 6 + block.char_count +
                          (uint64_t)block.leap_count * (time_size + 4) + block.isstd_count +
                          block.isut_count;
    if (size > left - HEADER_SIZE) {
        return "it is cut short, or its counts are wrong";
    }
    block.times = bytes + HEADER_SIZE;
    block.indices = block.times + block.time_count * time_size;
    block.types = block.indices + block.time_count;
    block.chars = block.types + (size_t)block.type_count * 6;
    block.isstd = block.chars + block.char_count + block.leap_count * (time_size + 4);
    block.isut = block.isstd + block.isstd_count;
    *at += HEADER_SIZE + (size_t)size;
    *ret_version = version;
    *ret_block = block;
    return NULL;
}

static const char *check_types(const struct block *block)
{
    if (block->type_count == 0 || block->type_count > 256) {
        return "it has no types, or over 256";
    }
    if (block->char_count == 0 || block->chars[block->char_count - 1] != '\0') {
        return "its names do not end in NUL";
    }
    for (size_t i = 0; i < block->type_count; i++) {
        const int32_t offset = type_offset(block, i);
        if (offset < -WEIR_ZONE_OFFSET_MAX || offset > WEIR_ZONE_OFFSET_MAX) {
            return "an offset is over 26 hours";
        }
        if (block->types[i * 6 + 4] > 1) {
            return "a type is neither summer nor standard time";
        }
        if (block->types[i * 6 + 5] >= block->char_count) {
            return "a type's name is outside the names";
        }
    }
    return NULL;
}

static const char *check_indicators(const struct block *block)
{
    if ((block->isstd_count != 0 && block->isstd_count != block->type_count) ||
        (block->isut_count != 0 && block->isut_count != block->type_count)) {
        return "its counts disagree";
    }
    for (size_t i = 0; i < block->isstd_count; i++) {
        if (block->isstd[i] > 1) {
            return "an indicator is neither 0 nor 1";
        }
    }
    for (size_t i = 0; i < block->isut_count; i++) {
        if (block->isut[i] > 1) {
            return "an indicator is neither 0 nor 1";
        }
    }
    return NULL;
}

static const char *check_block(const struct block *block)
{
    if (block->leap_count != 0) {
        return "it counts leap seconds, which weir's time does not: use the zone without right/";
    }
    const char *why = check_types(block);
    if (why != NULL) {
        return why;
    }
    for (size_t i = 0; i < block->time_count; i++) {
        if (i > 0 && load_time(block, i) <= load_time(block, i - 1)) {
            return "its transitions are out of order";
        }
        if (block->indices[i] >= block->type_count) {
            return "a transition is to a type that it lacks";
        }
    }
    return check_indicators(block);
}

/* The rule between the newlines; `*ret_given` is false where there is none. */
static const char *read_footer(struct weir_bytes footer, char version,
                               struct weir_zone_rule *ret_rule, bool *ret_given)
{
    if (footer.len < 2 || footer.ptr[0] != '\n' || footer.ptr[footer.len - 1] != '\n') {
        return "its last line is cut short";
    }
    const struct weir_bytes text = weir_bytes(footer.ptr + 1, footer.len - 2);
    *ret_given = text.len > 0;
    if (text.len > 0 && !weir_zone_rule_parse(text, version >= '3', ret_rule)) {
        return "its last line is no rule";
    }
    return NULL;
}

static int64_t year_start_s(int64_t year)
{
    return weir_civil_year_start(year) * WEIR_DAY_S;
}

/* From `start` on the offset is `offset`, whatever was said of that time before. What lies before
 * the years that matter moves the first offset; what lies after them is left out. */
static void put(struct builder *builder, int64_t start, int32_t offset)
{
    if (start >= year_start_s(WEIR_ZONE_YEAR_LAST + 1)) {
        return;
    }
    if (start <= year_start_s(WEIR_ZONE_YEAR_FIRST)) {
        start = INT64_MIN;
    }
    while (builder->count > 0 && builder->starts[builder->count - 1] >= start) {
        builder->count--;
    }
    if (builder->count > 0 && builder->offsets[builder->count - 1] == offset) {
        return;
    }
    assert(builder->count < builder->capacity);
    builder->starts[builder->count] = start;
    builder->offsets[builder->count] = offset;
    builder->count++;
}

/* The rule's transitions, year by year. They hold from `last` on, the file's last transition: those
 * before it only say what the rule makes of `last` itself. A year whose summer meets the next
 * year's has no winter between, which put() sees to by forgetting what is not later. */
static void put_rule(struct builder *builder, const struct weir_zone_rule *rule, int64_t last)
{
    if (!rule->has_summer) {
        put(builder, last, rule->standard_s);
        return;
    }
    for (int64_t year = WEIR_ZONE_YEAR_FIRST - 2; year <= WEIR_ZONE_YEAR_LAST + 1; year++) {
        const int64_t start = weir_zone_date_second(&rule->summer_start, year, rule->standard_s);
        const int64_t end = weir_zone_date_second(&rule->summer_end, year, rule->summer_s);
        const int64_t summer = start > last ? start : last;
        const int64_t standard = end > last ? end : last;
        if (start <= end) {
            put(builder, summer, rule->summer_s);
            put(builder, standard, rule->standard_s);
        } else {
            put(builder, standard, rule->standard_s);
            put(builder, summer, rule->summer_s);
        }
    }
}

/* How many entries a zone can have: one, the file's that are not too early or late, the rule's. */
static size_t capacity_of(const struct block *block, const struct weir_zone_rule *rule)
{
    size_t capacity = 2;
    for (size_t i = 0; i < block->time_count; i++) {
        const int64_t time = load_time(block, i);
        if (time > year_start_s(WEIR_ZONE_YEAR_FIRST) &&
            time < year_start_s(WEIR_ZONE_YEAR_LAST + 1)) {
            capacity++;
        }
    }
    if (rule != NULL && rule->has_summer) {
        capacity += 2 * (WEIR_ZONE_YEAR_LAST - WEIR_ZONE_YEAR_FIRST + 4);
    }
    return capacity;
}

static enum weir_status build(const struct block *block, const struct weir_zone_rule *rule,
                              const struct weir_allocator *allocator,
                              const struct weir_zone **ret_zone)
{
    const size_t capacity = capacity_of(block, rule);
    const size_t size = sizeof(struct weir_zone) + capacity * (sizeof(int64_t) + sizeof(int32_t));
    struct weir_zone *zone = weir_alloc(allocator, size, _Alignof(struct weir_zone));
    if (zone == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    _Static_assert(sizeof(struct weir_zone) % sizeof(int64_t) == 0, "the starts follow the zone");
    int64_t *starts = (int64_t *)(void *)(zone + 1);
    struct builder builder = {0, capacity, starts, (int32_t *)(void *)(starts + capacity)};
    put(&builder, INT64_MIN, type_offset(block, 0));
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < block->time_count; i++) {
        last = load_time(block, i);
        put(&builder, last, type_offset(block, block->indices[i]));
    }
    if (rule != NULL) {
        put_rule(&builder, rule, last);
    }
    *zone = (struct weir_zone){builder.count, builder.starts, builder.offsets, size};
    *ret_zone = zone;
    return WEIR_OK;
}

enum weir_status weir_zone_parse(struct weir_bytes file, const struct weir_allocator *allocator,
                                 const struct weir_zone **ret_zone, const char **ret_why)
{
    size_t at = 0;
    char version = '\0';
    char second = '\0';
    struct block block = {0};
    struct weir_zone_rule rule = {0};
    bool has_rule = false;
    const char *why = read_block(file, 4, &at, &version, &block);
    if (why == NULL && version != '\0') {
        why = read_block(file, 8, &at, &second, &block);
        if (why == NULL && second != version) {
            why = "its two versions disagree";
        }
    }
    if (why == NULL) {
        why = check_block(&block);
    }
    if (why == NULL && version != '\0') {
        why = read_footer(weir_bytes(file.ptr + at, file.len - at), version, &rule, &has_rule);
    } else if (why == NULL && at != file.len) {
        why = "it is longer than it says";
    }
    if (why != NULL) {
        *ret_why = why;
        return WEIR_ERR_FORMAT;
    }
    return build(&block, has_rule ? &rule : NULL, allocator, ret_zone);
}

void weir_zone_free(const struct weir_zone *zone, const struct weir_allocator *allocator)
{
    if (zone != NULL) {
        /* It is const only to those who use it. */
        weir_release(allocator, (void *)(uintptr_t)zone, zone->memory_size);
    }
}
