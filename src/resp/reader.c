/* reader.c - reading RESP: the life of a reader, the loop over the parts of a value, and the types
 * that both versions of the protocol have. See resp.h, then reader.h. */

#include "resp/reader.h"

#include "base/alloc.h"
#include "resp/number.h"

#include <assert.h>
#include <string.h>

/* ---- Life --------------------------------------------------------------------------------- */

static size_t reader_size(uint32_t depth)
{
    return sizeof(struct weir_resp_reader) + ((size_t)depth + 1) * sizeof(struct weir_resp_frame);
}

/* Nothing of the next value is read yet. */
static void start_value(struct weir_resp_reader *reader)
{
    reader->count = 0;
    reader->depth = 0;
    reader->promised = 1;
    reader->at = 0;
    reader->looked = 0;
    reader->need = 1;
    reader->split = false;
    reader->frames[0] = (struct weir_resp_frame){.left = 1};
}

struct weir_resp_reader *weir_resp_reader_new(const struct weir_resp_limits *limits,
                                              const struct weir_allocator *allocator)
{
    const uint32_t depth = limits != NULL && limits->depth != 0 ? limits->depth : WEIR_RESP_DEPTH;
    allocator = weir_allocator_or_default(allocator);
    struct weir_resp_reader *reader =
        weir_alloc(allocator, reader_size(depth), _Alignof(struct weir_resp_reader));
    if (reader == NULL) {
        return NULL;
    }
    reader->allocator = allocator;
    if (limits != NULL) {
        reader->limits = *limits;
    }
    reader->limits.depth = depth;
    if (reader->limits.values == 0) {
        reader->limits.values = WEIR_RESP_VALUES;
    }
    if (reader->limits.text == 0) {
        reader->limits.text = WEIR_RESP_TEXT;
    }
    if (reader->limits.bytes == 0) {
        reader->limits.bytes = WEIR_RESP_BYTES;
    }
    reader->values = reader->own;
    reader->room = WEIR_RESP_VALUES_OWN;
    reader->complaint = "";
    start_value(reader);
    return reader;
}

/* Gives back what was allocated for values. */
static void drop_values(struct weir_resp_reader *reader)
{
    if (reader->values != reader->own) {
        weir_release(reader->allocator, reader->values, reader->room * sizeof(*reader->values));
    }
    reader->values = reader->own;
    reader->room = WEIR_RESP_VALUES_OWN;
}

void weir_resp_reader_free(struct weir_resp_reader *reader)
{
    if (reader != NULL) {
        drop_values(reader);
        weir_release(reader->allocator, reader, reader_size(reader->limits.depth));
    }
}

void weir_resp_reader_reset(struct weir_resp_reader *reader)
{
    drop_values(reader);
    start_value(reader);
    reader->found = 0;
    reader->failure = 0;
    reader->complaint = "";
}

const struct weir_resp_value *weir_resp_values(const struct weir_resp_reader *reader,
                                               size_t *ret_count)
{
    *ret_count = reader->found;
    return reader->values;
}

const char *weir_resp_complaint(const struct weir_resp_reader *reader)
{
    return reader->complaint;
}

bool weir_resp_make_room(struct weir_resp_reader *reader)
{
    if (reader->count < reader->room) {
        return true;
    }
    const size_t room = (size_t)reader->room * 2;
    struct weir_resp_value *values =
        weir_alloc(reader->allocator, room * sizeof(*values), _Alignof(struct weir_resp_value));
    if (values == NULL) {
        return false;
    }
    memcpy(values, reader->values, reader->count * sizeof(*values));
    drop_values(reader);
    reader->values = values;
    reader->room = (uint32_t)room;
    return true;
}

/* ---- What is not there -------------------------------------------------------------------- */

enum weir_resp_state weir_resp_bad(struct weir_resp_reader *reader, const char *complaint)
{
    reader->complaint = complaint;
    reader->failure = WEIR_RESP_BAD;
    return WEIR_RESP_BAD;
}

enum weir_resp_state weir_resp_large(struct weir_resp_reader *reader, const char *complaint)
{
    reader->complaint = complaint;
    reader->failure = WEIR_RESP_LARGE;
    return WEIR_RESP_LARGE;
}

enum weir_resp_state weir_resp_more(struct weir_resp_reader *reader, uint64_t need)
{
    if (need > reader->limits.bytes) {
        return weir_resp_large(reader, "a whole value takes more bytes than are allowed");
    }
    reader->need = need;
    return WEIR_RESP_MORE;
}

enum weir_resp_state weir_resp_more_bytes(struct weir_resp_reader *reader,
                                          const struct weir_resp_cursor *cursor)
{
    return weir_resp_more(reader, (uint64_t)(cursor->end - cursor->start) + 1);
}

/* ---- Lines -------------------------------------------------------------------------------- */

/* Whether `at` is where a line ends. */
static inline bool ends_line(const char *at, const char *end)
{
    return end - at >= 2 && at[0] == '\r' && at[1] == '\n';
}

enum weir_resp_state weir_resp_number_trouble(struct weir_resp_reader *reader,
                                              const struct weir_resp_cursor *cursor)
{
    const char *const end = cursor->end;
    const char *first = cursor->at + 1;
    if (first < end && *first == '?') {
        return weir_resp_bad(reader, "it is streamed, which is not supported");
    }
    const bool negative = first < end && *first == '-';
    first += negative;
    const char *at = first;
    while (at < end && *at >= '0' && *at <= '9' && at - first <= WEIR_RESP_DIGITS) {
        at++;
    }
    const bool may_go_on = at - first <= WEIR_RESP_DIGITS &&
                           (at == first || *first != '0' || (at - first == 1 && !negative)) &&
                           (at == end || (at > first && *at == '\r' && at + 1 == end));
    return may_go_on
               ? weir_resp_more_bytes(reader, cursor)
               : weir_resp_bad(reader, "an integer is none of 64 bits, or not followed by CRLF");
}

/* weir_resp_number, to be inlined into what reads the commonest types. */
static inline __attribute__((always_inline)) const char *read_number(
    const struct weir_resp_cursor *cursor, int64_t *ret_number)
{
    const char *after =
        weir_resp_read_number(cursor->start, cursor->at + 1, cursor->end, ret_number);
    if (after == NULL || !ends_line(after, cursor->end)) {
        return NULL;
    }
    return after + 2;
}

const char *weir_resp_number(const struct weir_resp_cursor *cursor, int64_t *ret_number)
{
    return read_number(cursor, ret_number);
}

/* Not 0 where a byte of the word is one of the eight in `bytes`; bytes above the lowest that is may
 * be taken for one. */
static inline uint64_t has_byte(uint64_t word, uint64_t bytes)
{
    const uint64_t difference = word ^ bytes;
    return (difference - WEIR_RESP_EACH_BYTE(0x01)) & ~difference & WEIR_RESP_EACH_BYTE(0x80);
}

/* The first carriage return or line feed from `at` on; `end` where there is none. */
static const char *find_break(const char *at, const char *end)
{
    while (end - at >= 8) {
        const uint64_t word = weir_load_word(at);
        const uint64_t found =
            has_byte(word, WEIR_RESP_EACH_BYTE('\r')) | has_byte(word, WEIR_RESP_EACH_BYTE('\n'));
        if (found != 0) {
            return at + __builtin_ctzll(found) / 8;
        }
        at += 8;
    }
    while (at < end && *at != '\r' && *at != '\n') {
        at++;
    }
    return at;
}

enum weir_resp_state weir_resp_line(struct weir_resp_reader *reader,
                                    const struct weir_resp_cursor *cursor,
                                    struct weir_bytes *ret_text, const char **ret_after)
{
    const char *const first = cursor->at + 1;
    const char *from = cursor->start + reader->looked;
    const char *const found = find_break(from > first ? from : first, cursor->end);
    if (found - first > (ptrdiff_t)reader->limits.text) {
        return weir_resp_large(reader, "a line is longer than is allowed");
    }
    if (cursor->end - found < 2 && (found == cursor->end || *found == '\r')) {
        reader->looked = (size_t)(found - cursor->start);
        return weir_resp_more_bytes(reader, cursor);
    }
    if (!ends_line(found, cursor->end)) {
        return weir_resp_bad(reader, "a line has a break in it that is not CRLF");
    }
    *ret_text = weir_bytes(first, (size_t)(found - first));
    *ret_after = found + 2;
    return WEIR_RESP_VALUE;
}

/* ---- Types of both versions --------------------------------------------------------------- */

static inline enum weir_resp_state read_integer(struct weir_resp_reader *reader,
                                                struct weir_resp_cursor *cursor)
{
    int64_t integer = 0;
    const char *after = read_number(cursor, &integer);
    if (after == NULL) {
        return weir_resp_number_trouble(reader, cursor);
    }
    weir_resp_add(reader, WEIR_RESP_INTEGER)->integer = integer;
    cursor->at = after;
    return WEIR_RESP_VALUE;
}

static enum weir_resp_state read_simple(struct weir_resp_reader *reader,
                                        struct weir_resp_cursor *cursor, enum weir_resp_type type)
{
    struct weir_bytes text = {NULL, 0};
    const char *after = NULL;
    const enum weir_resp_state state = weir_resp_line(reader, cursor, &text, &after);
    if (state == WEIR_RESP_VALUE) {
        weir_resp_add_text(reader, cursor, type, text);
        cursor->at = after;
    }
    return state;
}

/* What follows a length: `len` bytes at `at`, and CRLF. */
static inline enum weir_resp_state read_sized(struct weir_resp_reader *reader,
                                              const struct weir_resp_cursor *cursor, int64_t len,
                                              const char *at, struct weir_bytes *ret_text)
{
    if (len < 0) {
        return weir_resp_bad(reader, "a length is below 0");
    }
    if (len > (int64_t)reader->limits.text) {
        return weir_resp_large(reader, "a string is longer than is allowed");
    }
    if (cursor->end - at < len + 2) {
        return weir_resp_more(reader, (uint64_t)(at - cursor->start) + (uint64_t)len + 2);
    }
    if (!ends_line(at + len, cursor->end)) {
        return weir_resp_bad(reader, "a string is not followed by CRLF");
    }
    *ret_text = weir_bytes(at, (size_t)len);
    return WEIR_RESP_VALUE;
}

enum weir_resp_state weir_resp_sized(struct weir_resp_reader *reader,
                                     const struct weir_resp_cursor *cursor,
                                     struct weir_bytes *ret_text, const char **ret_after)
{
    int64_t len = 0;
    const char *at = read_number(cursor, &len);
    if (at == NULL) {
        return weir_resp_number_trouble(reader, cursor);
    }
    const enum weir_resp_state state = read_sized(reader, cursor, len, at, ret_text);
    if (state == WEIR_RESP_VALUE) {
        *ret_after = at + len + 2;
    }
    return state;
}

static enum weir_resp_state read_bulk(struct weir_resp_reader *reader,
                                      struct weir_resp_cursor *cursor)
{
    int64_t len = 0;
    const char *at = read_number(cursor, &len);
    if (at == NULL) {
        return weir_resp_number_trouble(reader, cursor);
    }
    if (len == -1) {
        (void)weir_resp_add(reader, WEIR_RESP_NIL);
        cursor->at = at;
        return WEIR_RESP_VALUE;
    }
    struct weir_bytes text = {NULL, 0};
    const enum weir_resp_state state = read_sized(reader, cursor, len, at, &text);
    if (state == WEIR_RESP_VALUE) {
        weir_resp_add_text(reader, cursor, WEIR_RESP_BULK, text);
        cursor->at = at + len + 2;
    }
    return state;
}

enum weir_resp_state weir_resp_open(struct weir_resp_reader *reader,
                                    struct weir_resp_cursor *cursor, enum weir_resp_type type,
                                    uint64_t count, const char *after)
{
    /* An attribute was promised by nobody. */
    const uint64_t promised = reader->promised + count + (type == WEIR_RESP_ATTRIBUTE);
    if (count > reader->limits.values || promised > reader->limits.values) {
        return weir_resp_large(reader, "there are more values than are allowed");
    }
    if (reader->depth == reader->limits.depth) {
        return weir_resp_large(reader, "values are nested more deeply than is allowed");
    }
    reader->promised = promised;
    const uint32_t index = reader->count;
    weir_resp_add(reader, type)->count = (uint32_t)count;
    reader->frames[++reader->depth] =
        (struct weir_resp_frame){.left = (uint32_t)count + 1, .index = index};
    cursor->at = after;
    return WEIR_RESP_VALUE;
}

static enum weir_resp_state read_array(struct weir_resp_reader *reader,
                                       struct weir_resp_cursor *cursor)
{
    int64_t count = 0;
    const char *after = read_number(cursor, &count);
    if (after == NULL) {
        return weir_resp_number_trouble(reader, cursor);
    }
    if (count == -1) {
        (void)weir_resp_add(reader, WEIR_RESP_NIL);
        cursor->at = after;
        return WEIR_RESP_VALUE;
    }
    if (count < 0) {
        return weir_resp_bad(reader, "a length is below 0");
    }
    return weir_resp_open(reader, cursor, WEIR_RESP_ARRAY, (uint64_t)count, after);
}

/* ---- The loop ----------------------------------------------------------------------------- */

static inline enum weir_resp_state read_part(struct weir_resp_reader *reader,
                                             struct weir_resp_cursor *cursor)
{
    if (reader->limits.commands) {
        return weir_resp_read_command(reader, cursor);
    }
    switch (*cursor->at) {
    case ':':
        return read_integer(reader, cursor);
    case '$':
        return read_bulk(reader, cursor);
    case '*':
        return read_array(reader, cursor);
    case '+':
        return read_simple(reader, cursor, WEIR_RESP_SIMPLE);
    case '-':
        return read_simple(reader, cursor, WEIR_RESP_ERROR);
    default:
        return weir_resp_read_resp3(reader, cursor);
    }
}

/* Counts the part that was read, and every aggregate that it is the last part of. An aggregate's
 * own header counts as its first part, so that an empty one needs no case of its own. Returns
 * whether the value at the top is whole. */
static inline bool end_part(struct weir_resp_reader *reader)
{
    struct weir_resp_frame *frame = &reader->frames[reader->depth];
    while (--frame->left == 0) {
        if (reader->depth == 0) {
            return true;
        }
        struct weir_resp_value *value = &reader->values[frame->index];
        frame = &reader->frames[--reader->depth];
        if (value->type == WEIR_RESP_ATTRIBUTE) {
            reader->count = (uint32_t)(value - reader->values);
            return false;
        }
        value->next = reader->count;
    }
    return false;
}

/* Points the texts into the input, where it is now. */
static void place_texts(struct weir_resp_reader *reader, const char *start)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        struct weir_resp_value *value = &reader->values[i];
        if (value->text.ptr != NULL) {
            value->text.ptr = start + value->integer;
        }
    }
}

/* Reads parts until the value is whole or one is missing. */
static enum weir_resp_state read_parts(struct weir_resp_reader *reader,
                                       struct weir_resp_cursor *cursor)
{
    do {
        if (cursor->at == cursor->end) {
            return weir_resp_more_bytes(reader, cursor);
        }
        if (reader->count == reader->room && !weir_resp_make_room(reader)) {
            return WEIR_RESP_NO_MEMORY;
        }
        const enum weir_resp_state state = read_part(reader, cursor);
        if (state != WEIR_RESP_VALUE) {
            return state;
        }
    } while (!end_part(reader));
    return WEIR_RESP_VALUE;
}

enum weir_resp_state weir_resp_read(struct weir_resp_reader *reader, struct weir_bytes input,
                                    size_t *ret_used)
{
    reader->found = 0;
    if (reader->failure != 0) {
        return reader->failure;
    }
    if (input.len < reader->need) {
        return WEIR_RESP_MORE;
    }
    if (reader->count == 0 && reader->room > WEIR_RESP_VALUES_KEPT) {
        drop_values(reader);
    }
    assert(input.len >= reader->at);
    const size_t visible =
        input.len < reader->limits.bytes ? input.len : (size_t)reader->limits.bytes;
    struct weir_resp_cursor cursor = {input.ptr, input.ptr + reader->at, input.ptr + visible};
    const enum weir_resp_state state = read_parts(reader, &cursor);
    if (state != WEIR_RESP_VALUE) {
        reader->at = (size_t)(cursor.at - cursor.start);
        reader->split = true;
        return state;
    }
    if (reader->split) {
        place_texts(reader, input.ptr);
    }
    *ret_used = (size_t)(cursor.at - cursor.start);
    const uint32_t found = reader->count;
    start_value(reader);
    reader->found = found;
    return WEIR_RESP_VALUE;
}
