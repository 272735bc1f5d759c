/* resp_text.c - see resp_text.h. */

#include "support/resp_text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Bytes as text ------------------------------------------------------------------------ */

static unsigned hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = memchr(digits, digit, 16);
    assert(at != NULL);
    return (unsigned)(at - digits);
}

size_t resp_text_bytes(const char *text, char *bytes)
{
    size_t len = 0;
    while (*text != '\0') {
        char byte = *text++;
        if (byte == '\\') {
            byte = *text++;
            if (byte == 'x') {
                byte = (char)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
                text += 2;
            } else {
                assert(byte == 'r' || byte == 'n' || byte == '\\' || byte == '"');
                byte = byte == 'r' ? '\r' : byte;
                byte = byte == 'n' ? '\n' : byte;
            }
        }
        bytes[len++] = byte;
    }
    return len;
}

void resp_text_print(FILE *to, struct weir_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        const unsigned char byte = (unsigned char)bytes.ptr[i];
        if (byte == '\r' || byte == '\n') {
            (void)fprintf(to, "\\%c", byte == '\r' ? 'r' : 'n');
        } else if (byte == '"' || byte == '\\') {
            (void)fprintf(to, "\\%c", byte);
        } else if (byte < ' ' || byte > '~') {
            (void)fprintf(to, "\\x%02x", byte);
        } else {
            (void)fputc(byte, to);
        }
    }
}

/* ---- Values as text ----------------------------------------------------------------------- */

/* What a value's text begins with, or all of it that is the same for each of the type. */
static const char *const openings[] = {
    [WEIR_RESP_SIMPLE] = "+", [WEIR_RESP_ERROR] = "-", [WEIR_RESP_INTEGER] = ":",
    [WEIR_RESP_BULK] = "\"",  [WEIR_RESP_NIL] = "nil", [WEIR_RESP_BOOLEAN] = "",
    [WEIR_RESP_DOUBLE] = ",", [WEIR_RESP_BIG] = "(",   [WEIR_RESP_ARRAY] = "[",
    [WEIR_RESP_SET] = "~[",   [WEIR_RESP_MAP] = "%[",  [WEIR_RESP_PUSH] = ">[",
};

static bool is_aggregate(enum weir_resp_type type)
{
    return type >= WEIR_RESP_ARRAY;
}

static void print_scalar(FILE *to, const struct weir_resp_value *value)
{
    (void)fputs(openings[value->type], to);
    if (value->type == WEIR_RESP_INTEGER) {
        (void)fprintf(to, "%lld", (long long)value->integer);
    } else if (value->type == WEIR_RESP_BOOLEAN) {
        assert(value->integer == 0 || value->integer == 1);
        (void)fputs(value->integer == 1 ? "true" : "false", to);
    } else {
        resp_text_print(to, value->text);
        (void)fputs(value->type == WEIR_RESP_BULK ? "\"" : "", to);
    }
}

/* Nested as deep as values may be in a test. */
#define OPEN_MAX 300

/* Prints the values, and holds their counts and indexes to one another. */
static void print_values(FILE *to, const struct weir_resp_value *values, size_t count)
{
    uint32_t ends[OPEN_MAX];
    uint32_t parts[OPEN_MAX];
    size_t open = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && values[i - 1].next == i) {
            (void)fputc(' ', to);
        }
        assert(values[i].next > i && values[i].next <= count);
        assert(values[i].type >= WEIR_RESP_SIMPLE && values[i].type <= WEIR_RESP_PUSH);
        if (!is_aggregate(values[i].type)) {
            assert(values[i].next == i + 1 && values[i].count == 0);
            print_scalar(to, &values[i]);
        } else {
            (void)fputs(openings[values[i].type], to);
            assert(open < OPEN_MAX && (open == 0 || values[i].next <= ends[open - 1]));
            ends[open] = values[i].next;
            parts[open++] = values[i].count + 1;
        }
        for (; open > 0 && --parts[open - 1] == 0; open--) {
            assert(ends[open - 1] == i + 1);
            (void)fputc(']', to);
        }
    }
    assert(open == 0);
}

char *resp_values_text(const struct weir_resp_value *values, size_t count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert(to != NULL);
    print_values(to, values, count);
    (void)fclose(to);
    return text;
}

/* ---- A reader's work ---------------------------------------------------------------------- */

/* Bytes that came and were not used yet, in a block of just their size. */
struct buffer {
    char *bytes;
    size_t len;
};

static void buffer_replace(struct buffer *buffer, const char *from, size_t len)
{
    char *bytes = malloc(len > 0 ? len : 1);
    assert(bytes != NULL);
    memcpy(bytes, from, len);
    free(buffer->bytes);
    *buffer = (struct buffer){bytes, len};
}

/* Adds the bytes that come next. */
static void buffer_add(struct buffer *buffer, const char *from, size_t len)
{
    char *bytes = malloc(buffer->len + len + 1);
    assert(bytes != NULL);
    if (buffer->len > 0) {
        memcpy(bytes, buffer->bytes, buffer->len);
    }
    memcpy(bytes + buffer->len, from, len);
    free(buffer->bytes);
    *buffer = (struct buffer){bytes, buffer->len + len};
}

size_t resp_feed_next(struct resp_feed *feed, size_t left)
{
    size_t piece = left;
    switch (feed->pieces) {
    case RESP_WHOLE:
        break;
    case RESP_TWO:
        piece = feed->first;
        feed->first = 0;
        break;
    case RESP_SINGLE:
        piece = 1;
        break;
    case RESP_RANDOM:
        piece = (size_t)random_wide(&feed->random, left);
        break;
    }
    return piece == 0 || piece > left ? left : piece;
}

/* Holds a reply to the limits, and its texts to the bytes they are of. */
static void check_reply(const struct weir_resp_limits *limits, struct weir_bytes used,
                        const struct weir_resp_value *values, size_t count)
{
    assert(count > 0 && values[0].next == count);
    assert(count <= (limits->values != 0 ? limits->values : WEIR_RESP_VALUES));
    assert(used.len <= (limits->bytes != 0 ? limits->bytes : WEIR_RESP_BYTES));
    for (size_t i = 0; i < count; i++) {
        const struct weir_bytes text = values[i].text;
        assert(text.len <= (limits->text != 0 ? limits->text : WEIR_RESP_TEXT));
        assert(text.ptr != NULL || text.len == 0);
        assert(text.ptr == NULL || (text.ptr >= used.ptr && text.ptr <= used.ptr + used.len &&
                                    text.len <= (size_t)(used.ptr + used.len - text.ptr)));
    }
}

/* Prints every value that is there whole; what the last call said. */
static enum weir_resp_state read_all(FILE *to, const struct weir_resp_limits *limits,
                                     struct weir_resp_reader *reader, struct buffer *buffer)
{
    while (true) {
        size_t used = SIZE_MAX;
        size_t count = SIZE_MAX;
        const enum weir_resp_state state =
            weir_resp_read(reader, weir_bytes(buffer->bytes, buffer->len), &used);
        const struct weir_resp_value *values = weir_resp_values(reader, &count);
        if (state != WEIR_RESP_VALUE) {
            assert(used == SIZE_MAX && count == 0);
            return state;
        }
        assert(used > 0 && used <= buffer->len);
        check_reply(limits, weir_bytes(buffer->bytes, used), values, count);
        print_values(to, values, count);
        (void)fputc('\n', to);
        buffer_replace(buffer, buffer->bytes + used, buffer->len - used);
    }
}

char *resp_transcript(const struct weir_resp_limits *limits, struct weir_bytes input,
                      struct resp_feed feed)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    struct weir_resp_reader *reader = weir_resp_reader_new(limits, NULL);
    assert(to != NULL && reader != NULL);
    struct buffer buffer = {NULL, 0};
    enum weir_resp_state state = WEIR_RESP_MORE;
    for (size_t at = 0; at < input.len;) {
        const size_t piece = resp_feed_next(&feed, input.len - at);
        buffer_add(&buffer, input.ptr + at, piece);
        at += piece;
        state = read_all(to, limits, reader, &buffer);
    }
    const char *const complaint = weir_resp_complaint(reader);
    assert((complaint[0] == '\0') == (state == WEIR_RESP_MORE));
    if (state != WEIR_RESP_MORE) {
        assert(state == WEIR_RESP_BAD || state == WEIR_RESP_LARGE);
        (void)fprintf(to, "%s: %s\n", state == WEIR_RESP_BAD ? "bad" : "large", complaint);
    } else if (buffer.len > 0) {
        (void)fputs("more\n", to);
    }
    weir_resp_reader_free(reader);
    free(buffer.bytes);
    (void)fclose(to);
    return text;
}

const char *resp_transcript_trouble(const char *transcript)
{
    const char *last = transcript;
    for (const char *next = transcript; *next != '\0'; next = strchr(next, '\n') + 1) {
        last = next;
    }
    const bool is_trouble = strncmp(last, "more\n", 5) == 0 || strncmp(last, "bad: ", 5) == 0 ||
                            strncmp(last, "large: ", 7) == 0;
    return is_trouble ? last : NULL;
}
