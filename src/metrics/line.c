/* line.c - see line.h.
 *
 * Invariant: what is in bytes[0..len) is whole: a field is taken back where it did not fit. */

#include "metrics/line.h"

#include "metrics/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

_Static_assert(WEIR_LINE_MAX <= PIPE_BUF, "what is written at once doesn't mix with others' lines");

/* Kept for `,"cut":true}` and the newline. */
#define END_ROOM 16

/* ---- Bytes -------------------------------------------------------------------------------- */

/* False, and nothing put, where there is no room. */
static bool put(struct weir_line *line, const char *bytes, size_t len)
{
    if (len > line->room - line->len) {
        return false;
    }
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
    return true;
}

static bool put_text(struct weir_line *line, const char *text)
{
    return put(line, text, strlen(text));
}

/* Whether a character may steer a terminal, or make it show other than what is there: C0 and C1
 * controls, the line and paragraph separators, marks that turn the direction of writing. */
static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7F && character < 0xA0) ||
           (character >= 0x200E && character <= 0x200F) ||
           (character >= 0x2028 && character <= 0x202E) ||
           (character >= 0x2066 && character <= 0x2069);
}

/* The letter that stands for a character after a backslash; 0: none. */
static char short_escape(uint32_t character)
{
    switch (character) {
    case '"':
    case '\\':
        return (char)character;
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

/* In JSON \uXXXX, in text \xNN for each byte. */
static bool put_control(struct weir_line *line, const char *bytes, size_t len, uint32_t character)
{
    char escape[8];
    if (line->json) {
        /* No control is past U+FFFF. */
        (void)snprintf(escape, sizeof(escape), "\\u%04" PRIx32, character & 0xFFFF);
        return put_text(line, escape);
    }
    bool all = true;
    for (size_t i = 0; i < len && all; i++) {
        (void)snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)bytes[i]);
        all = put_text(line, escape);
    }
    return all;
}

/* A character, or one byte that is part of none, between quotes. */
static bool put_escaped(struct weir_line *line, struct weir_bytes text, size_t at, size_t len)
{
    if (len == 0) {
        return line->json ? put_text(line, "\\ufffd") : put_control(line, text.ptr + at, 1, 0);
    }
    const uint32_t character = weir_utf8_character(text, at, len);
    const char letter = short_escape(character);
    if (letter != 0) {
        return put(line, (const char[]){'\\', letter}, 2);
    }
    return is_control(character) ? put_control(line, text.ptr + at, len, character)
                                 : put(line, text.ptr + at, len);
}

static bool put_quoted(struct weir_line *line, struct weir_bytes text)
{
    bool all = put_text(line, "\"");
    size_t at = 0;
    while (at < text.len && all && at < WEIR_LINE_VALUE_MAX) {
        const size_t len = weir_utf8_len(text, at);
        all = put_escaped(line, text, at, len);
        at += len > 0 ? len : 1;
    }
    return all && (at >= text.len || put_text(line, "...")) && put_text(line, "\"");
}

/* Whether a value can stand in a line of text without quotes. */
static bool is_plain(struct weir_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') {
            return false;
        }
    }
    return text.len > 0 && text.len <= WEIR_LINE_VALUE_MAX;
}

static bool put_value(struct weir_line *line, struct weir_bytes text)
{
    return !line->json && is_plain(text) ? put(line, text.ptr, text.len) : put_quoted(line, text);
}

/* ---- Beginning and end -------------------------------------------------------------------- */

static const char *const levels[] = {
    [WEIR_LOG_LINE_ERROR] = "error",
    [WEIR_LOG_LINE_WARNING] = "warning",
    [WEIR_LOG_LINE_INFO] = "info",
    [WEIR_LOG_LINE_DEBUG] = "debug",
};

/* As sd-daemon.h has them: SD_ERR and so on. */
static const char *const priorities[] = {
    [WEIR_LOG_LINE_ERROR] = "<3>",
    [WEIR_LOG_LINE_WARNING] = "<4>",
    [WEIR_LOG_LINE_INFO] = "<6>",
    [WEIR_LOG_LINE_DEBUG] = "<7>",
};

static void put_time(struct weir_line *line, int64_t now_us)
{
    char text[40];
    const time_t seconds = (time_t)(now_us / 1000000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL) {
        return;
    }
    const size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(now_us % 1000000 / 1000));
    (void)put_text(line, line->json ? "\"time\":\"" : "");
    (void)put_text(line, text);
    (void)put_text(line, line->json ? "\"," : " ");
}

void weir_line_begin(struct weir_line *line, bool json, bool journal, enum weir_log_line level,
                     int64_t now_us, const char *event)
{
    line->len = 0;
    line->room = WEIR_LINE_MAX - END_ROOM;
    line->json = json;
    line->cut = false;
    (void)put_text(line, journal ? priorities[level] : "");
    (void)put_text(line, json ? "{" : "");
    if (!journal) {
        put_time(line, now_us);
    }
    if (json) {
        (void)put_text(line, "\"level\":\"");
        (void)put_text(line, levels[level]);
        (void)put_text(line, "\",\"event\":");
        (void)put_quoted(line, weir_text(event));
        return;
    }
    if (!journal) {
        (void)put_text(line, levels[level]);
        (void)put_text(line, " ");
    }
    /* Words of the program's own, and few. */
    (void)put_text(line, event);
}

void weir_line_end(struct weir_line *line)
{
    line->room = WEIR_LINE_MAX;
    if (line->cut) {
        (void)put_text(line, line->json ? ",\"cut\":true" : " cut=true");
    }
    (void)put_text(line, line->json ? "}\n" : "\n");
}

/* ---- Fields ------------------------------------------------------------------------------- */

static bool put_field_name(struct weir_line *line, const char *name)
{
    return put_text(line, line->json ? ",\"" : " ") && put_text(line, name) &&
           put_text(line, line->json ? "\":" : "=");
}

/* What was put since `start` stays, if all of it fitted. */
static void keep(struct weir_line *line, size_t start, bool all)
{
    if (!all) {
        line->len = start;
        line->cut = true;
    }
}

void weir_line_field(struct weir_line *line, const char *name, struct weir_bytes value)
{
    const size_t start = line->len;
    if (!line->cut) {
        keep(line, start, put_field_name(line, name) && put_value(line, value));
    }
}

void weir_line_number(struct weir_line *line, const char *name, uint64_t number)
{
    const size_t start = line->len;
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    if (!line->cut) {
        keep(line, start, put_field_name(line, name) && put_text(line, text));
    }
}

void weir_line_seconds(struct weir_line *line, const char *name, int64_t us)
{
    assert(us >= 0);
    const size_t start = line->len;
    char text[40];
    (void)snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
    if (!line->cut) {
        keep(line, start, put_field_name(line, name) && put_text(line, text));
    }
}
