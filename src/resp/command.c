/* command.c - reading what a server is told: arrays of bulk strings, and lines that people type.
 *
 * A line is words between blanks, up to a line feed with or without a carriage return. A word may
 * stand in quotes, '...' or "...", and then have blanks in it. As its text is where it came, there
 * is nothing in a word that would stand for something else: a quote within a word or a backslash
 * in double quotes is refused, where redis-server would take it out. See reader.h. */

#include "resp/reader.h"

#include <string.h>

/* ---- Lines -------------------------------------------------------------------------------- */

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* No text has these: it is some other protocol's. */
static bool is_control(char byte)
{
    return ((unsigned char)byte < ' ' && !is_blank(byte)) || byte == 0x7f;
}

/* The word in quotes at `at`: where it ends, after its closing quote; NULL where it has none or
 * what it must not have. */
static const char *quoted_word(const char *at, const char *end, struct weir_bytes *ret_word)
{
    const char quote = *at;
    const char *const first = at + 1;
    for (at = first; at < end && *at != quote; at++) {
        if (is_control(*at) || (*at == '\\' && quote == '"')) {
            return NULL;
        }
    }
    if (at == end || (at + 1 < end && !is_blank(at[1]))) {
        return NULL;
    }
    *ret_word = weir_bytes(first, (size_t)(at - first));
    return at + 1;
}

/* The word at `at`, which is no blank, in the same way. */
static const char *next_word(const char *at, const char *end, struct weir_bytes *ret_word)
{
    if (*at == '"' || *at == '\'') {
        return quoted_word(at, end, ret_word);
    }
    const char *const first = at;
    for (; at < end && !is_blank(*at); at++) {
        if (is_control(*at) || *at == '"' || *at == '\'') {
            return NULL;
        }
    }
    *ret_word = weir_bytes(first, (size_t)(at - first));
    return at;
}

/* Adds the words of the line between cursor->at and `end`. Where it fails it may have added some.
 */
static enum weir_resp_state add_words(struct weir_resp_reader *reader,
                                      const struct weir_resp_cursor *cursor, const char *end)
{
    const char *at = cursor->at;
    while (true) {
        while (at < end && is_blank(*at)) {
            at++;
        }
        if (at == end) {
            return WEIR_RESP_VALUE;
        }
        struct weir_bytes word = {NULL, 0};
        at = next_word(at, end, &word);
        if (at == NULL) {
            return weir_resp_bad(reader,
                                 "a line has a stray quote or backslash, or a control character");
        }
        if (reader->count == reader->limits.values) {
            return weir_resp_large(reader, "there are more values than are allowed");
        }
        if (!weir_resp_make_room(reader)) {
            return WEIR_RESP_NO_MEMORY;
        }
        weir_resp_add_text(reader, cursor, WEIR_RESP_BULK, word);
    }
}

static enum weir_resp_state read_line(struct weir_resp_reader *reader,
                                      struct weir_resp_cursor *cursor)
{
    if (is_control(*cursor->at) && *cursor->at != '\n') {
        return weir_resp_bad(reader, "it begins with a control character");
    }
    const char *const from = cursor->start + reader->looked;
    const char *end = memchr(from, '\n', (size_t)(cursor->end - from));
    const char *const line_end = end != NULL ? end : cursor->end;
    if (line_end - cursor->at > (ptrdiff_t)reader->limits.text) {
        return weir_resp_large(reader, "a line is longer than is allowed");
    }
    if (end == NULL) {
        reader->looked = (size_t)(cursor->end - cursor->start);
        return weir_resp_more_bytes(reader, cursor);
    }
    weir_resp_add(reader, WEIR_RESP_ARRAY);
    const enum weir_resp_state state = add_words(reader, cursor, end);
    if (state != WEIR_RESP_VALUE) {
        reader->count = 0;
        return state;
    }
    reader->values[0].count = reader->count - 1;
    reader->values[0].next = reader->count;
    cursor->at = end + 1;
    return WEIR_RESP_VALUE;
}

/* ---- Arrays ------------------------------------------------------------------------------- */

/* No values, or fewer than none, which redis-server takes for the same. */
static enum weir_resp_state read_array(struct weir_resp_reader *reader,
                                       struct weir_resp_cursor *cursor)
{
    int64_t count = 0;
    const char *after = weir_resp_number(cursor, &count);
    if (after == NULL) {
        return weir_resp_number_trouble(reader, cursor);
    }
    return weir_resp_open(reader, cursor, WEIR_RESP_ARRAY, count > 0 ? (uint64_t)count : 0, after);
}

/* The word at the cursor where it is one as nearly all are: less than 100 bytes, and all there.
 * What is any other, or none, is for those who can say what is wrong with it. */
static inline bool read_short_word(struct weir_resp_reader *reader, struct weir_resp_cursor *cursor)
{
    const char *at = cursor->at;
    /* The shortest is "$0", its line's end, and that of nothing. */
    if (cursor->end - at < 6 || at[0] != '$') {
        return false;
    }
    unsigned len = (unsigned char)at[1] - (unsigned)'0';
    const unsigned second = (unsigned char)at[2] - (unsigned)'0';
    at += 2;
    if (second <= 9 && len > 0) {
        at++;
    }
    if (len > 9 || at[0] != '\r' || at[1] != '\n') {
        return false;
    }
    len = at - cursor->at == 3 ? len * 10 + second : len;
    at += 2;
    if (cursor->end - at < (ptrdiff_t)len + 2 || at[len] != '\r' || at[len + 1] != '\n' ||
        len > reader->limits.text) {
        return false;
    }
    weir_resp_add_text(reader, cursor, WEIR_RESP_BULK, weir_bytes(at, len));
    cursor->at = at + len + 2;
    return true;
}

static enum weir_resp_state read_long_word(struct weir_resp_reader *reader,
                                           struct weir_resp_cursor *cursor)
{
    if (cursor->at == cursor->end) {
        return weir_resp_more_bytes(reader, cursor);
    }
    if (*cursor->at != '$') {
        return weir_resp_bad(reader, "a command has something other than bulk strings in it");
    }
    struct weir_bytes text = {NULL, 0};
    const char *after = NULL;
    const enum weir_resp_state state = weir_resp_sized(reader, cursor, &text, &after);
    if (state == WEIR_RESP_VALUE) {
        weir_resp_add_text(reader, cursor, WEIR_RESP_BULK, text);
        cursor->at = after;
    }
    return state;
}

/* The next word, and those after it that are there, as far as there is room for them. The last that
 * was read is left for the caller to count. */
static enum weir_resp_state read_words(struct weir_resp_reader *reader,
                                       struct weir_resp_cursor *cursor)
{
    struct weir_resp_frame *frame = &reader->frames[reader->depth];
    while (read_short_word(reader, cursor)) {
        if (frame->left == 1 || reader->count == reader->room) {
            return WEIR_RESP_VALUE;
        }
        frame->left--;
    }
    return read_long_word(reader, cursor);
}

enum weir_resp_state weir_resp_read_command(struct weir_resp_reader *reader,
                                            struct weir_resp_cursor *cursor)
{
    if (reader->depth > 0) {
        return read_words(reader, cursor);
    }
    return *cursor->at == '*' ? read_array(reader, cursor) : read_line(reader, cursor);
}
