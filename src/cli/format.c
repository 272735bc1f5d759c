/* format.c - see format.h. */

#include "cli/format.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MS_US INT64_C(1000)
#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

static int64_t divide_up(int64_t dividend, int64_t divisor)
{
    return dividend / divisor + (dividend % divisor != 0);
}

/* "3 min 20 s": two units, of which the smaller is left out where it is 0. */
static struct cli_words two_units(int64_t parts, int64_t parts_each, const char *large,
                                  const char *small)
{
    struct cli_words words;
    const int64_t whole = parts / parts_each;
    const int64_t rest = parts % parts_each;
    if (rest == 0) {
        (void)snprintf(words.text, sizeof(words.text), "%" PRId64 " %s", whole, large);
    } else {
        (void)snprintf(words.text, sizeof(words.text), "%" PRId64 " %s %" PRId64 " %s", whole,
                       large, rest, small);
    }
    return words;
}

/* "4.2 s": tenths, left out where there are none. */
static struct cli_words with_tenths(int64_t duration_us, int64_t unit_us, const char *unit)
{
    struct cli_words words;
    const int64_t tenths = divide_up(duration_us, unit_us / 10);
    if (tenths % 10 == 0) {
        (void)snprintf(words.text, sizeof(words.text), "%" PRId64 " %s", tenths / 10, unit);
    } else {
        (void)snprintf(words.text, sizeof(words.text), "%" PRId64 ".%" PRId64 " %s", tenths / 10,
                       tenths % 10, unit);
    }
    return words;
}

struct cli_words cli_duration_words(int64_t duration_us)
{
    assert(duration_us >= 0);
    if (duration_us == 0) {
        return (struct cli_words){"0 s"};
    }
    if (duration_us < MS_US) {
        struct cli_words words;
        (void)snprintf(words.text, sizeof(words.text), "%" PRId64 " us", duration_us);
        return words;
    }
    /* Rounding up must not end in "1000 ms" or "60 s": each step asks after rounding. */
    if (divide_up(duration_us, MS_US) < 1000) {
        return with_tenths(duration_us, MS_US, "ms");
    }
    if (divide_up(duration_us, SECOND_US) < 60) {
        return with_tenths(duration_us, SECOND_US, "s");
    }
    if (divide_up(duration_us, SECOND_US) < 3600) {
        return two_units(divide_up(duration_us, SECOND_US), 60, "min", "s");
    }
    if (divide_up(duration_us, MINUTE_US) < 1440) {
        return two_units(divide_up(duration_us, MINUTE_US), 60, "h", "min");
    }
    return two_units(divide_up(duration_us, HOUR_US), 24, "d", "h");
}

struct cli_words cli_number_words(uint64_t number)
{
    char digits[24];
    const int length = snprintf(digits, sizeof(digits), "%" PRIu64, number);
    struct cli_words words;
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            words.text[at++] = ',';
        }
        words.text[at++] = digits[i];
    }
    words.text[at] = '\0';
    return words;
}

struct cli_words cli_size_words(uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    uint64_t divisor = 1;
    while (unit + 1 < sizeof(units) / sizeof(units[0]) && bytes / divisor >= 1024) {
        divisor *= 1024;
        unit++;
    }
    struct cli_words words;
    if (bytes % divisor == 0) {
        (void)snprintf(words.text, sizeof(words.text), "%" PRIu64 " %s", bytes / divisor,
                       units[unit]);
    } else {
        (void)snprintf(words.text, sizeof(words.text), "%.1f %s", (double)bytes / (double)divisor,
                       units[unit]);
    }
    return words;
}

struct cli_words cli_decision_words(const struct weir_decision *decision, uint64_t cost)
{
    struct cli_words words;
    const size_t size = sizeof(words.text);
    if (!decision->allowed && decision->retry_after_us == WEIR_NEVER) {
        (void)snprintf(words.text, size, "never: it costs %" PRIu64 ", the limit holds %" PRIu64,
                       cost, decision->limit);
    } else if (!decision->allowed) {
        (void)snprintf(words.text, size, "%sretry in %.40s", decision->blocked ? "blocked, " : "",
                       cli_duration_words(decision->retry_after_us).text);
    } else if (decision->delay_us > 0) {
        (void)snprintf(words.text, size, "after %.20s, %" PRIu64 " of %" PRIu64 " left",
                       cli_duration_words(decision->delay_us).text, decision->remaining,
                       decision->limit);
    } else {
        (void)snprintf(words.text, size, "%" PRIu64 " of %" PRIu64 " left", decision->remaining,
                       decision->limit);
    }
    return words;
}

/* How many of the `left` bytes at `text` are one character of UTF-8: 0 where they are none. By the
 * table of well-formed sequences of RFC 3629: no overlong forms, no surrogates, none past U+10FFFF.
 */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    const unsigned char first = text[0];
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xC2 || first > 0xF4) {
        return 0;
    }
    const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (left < length) {
        return 0;
    }
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : low;
    high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : high;
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

/* Whether the character of `length` bytes (0: none) would be obeyed by a terminal instead of shown.
 */
static bool steers(const unsigned char *text, size_t length)
{
    return length == 0 || text[0] < 0x20 || text[0] == 0x7F ||
           (length == 2 && text[0] == 0xC2 && text[1] < 0xA0);
}

void cli_put_key(struct cli_output *output, struct weir_bytes key)
{
    if (!output->terminal) {
        cli_put(output, key.ptr, key.len);
        return;
    }
    const unsigned char *text = (const unsigned char *)key.ptr;
    for (size_t i = 0; i < key.len;) {
        const size_t length = utf8_length(text + i, key.len - i);
        if (steers(text + i, length) || (length > 1 && !output->utf8)) {
            cli_print(output, "\\x%02X", text[i]);
            i++;
            for (size_t rest = 1; rest < length; rest++) {
                cli_print(output, "\\x%02X", text[i++]);
            }
        } else {
            cli_put(output, text + i, length);
            i += length;
        }
    }
}

bool cli_put_json_string(struct cli_output *output, struct weir_bytes bytes)
{
    bool broken = false;
    const unsigned char *text = (const unsigned char *)bytes.ptr;
    cli_put(output, "\"", 1);
    /* What needs no escape is put in runs. */
    size_t run = 0;
    for (size_t i = 0; i < bytes.len;) {
        const size_t length = utf8_length(text + i, bytes.len - i);
        const unsigned char byte = text[i];
        if (length > 0 && byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7F) {
            i += length;
            continue;
        }
        cli_put(output, text + run, i - run);
        if (length == 0) {
            broken = true;
            cli_put_text(output, "\\ufffd");
        } else if (byte == '"' || byte == '\\') {
            cli_print(output, "\\%c", byte);
        } else {
            cli_print(output, "\\u%04x", byte);
        }
        run = ++i;
    }
    if (bytes.len > run) {
        cli_put(output, text + run, bytes.len - run);
    }
    cli_put(output, "\"", 1);
    return broken;
}

void cli_put_json_key(struct cli_output *output, struct weir_bytes key)
{
    static const char digits[] = "0123456789abcdef";
    cli_put_text(output, "\"key\":");
    if (!cli_put_json_string(output, key)) {
        return;
    }
    cli_put_text(output, ",\"key_hex\":\"");
    for (size_t i = 0; i < key.len; i++) {
        const unsigned char byte = (unsigned char)key.ptr[i];
        const char pair[2] = {digits[byte >> 4], digits[byte & 15]};
        cli_put(output, pair, 2);
    }
    cli_put(output, "\"", 1);
}

static void put_json_name(struct cli_output *output, const char *name)
{
    cli_put(output, ",\"", 2);
    cli_put_text(output, name);
    cli_put(output, "\":", 2);
}

void cli_put_json_number(struct cli_output *output, const char *name, uint64_t number)
{
    put_json_name(output, name);
    cli_put_number(output, number);
}

void cli_put_json_time(struct cli_output *output, const char *name, int64_t time_us)
{
    put_json_name(output, name);
    if (time_us == WEIR_NEVER) {
        cli_put_text(output, "null");
    } else {
        cli_put_number(output, (uint64_t)time_us);
    }
}

void cli_put_decision(struct cli_output *output, struct weir_bytes key,
                      const struct weir_decision *decision, uint64_t cost)
{
    cli_put_styled(output, decision->allowed ? CLI_GREEN : CLI_RED,
                   decision->allowed ? "allowed" : "denied");
    cli_put_text(output, decision->allowed ? "  " : "   ");
    cli_put_key(output, key);
    cli_put(output, "  ", 2);
    cli_put_text(output, cli_decision_words(decision, cost).text);
    cli_put(output, "\n", 1);
}

static const char *source_name(enum weir_source source)
{
    switch (source) {
    case WEIR_SOURCE_MEMORY:
        return "memory";
    case WEIR_SOURCE_SHM:
        return "shm";
    case WEIR_SOURCE_REDIS:
        return "redis";
    case WEIR_SOURCE_DENY_CACHE:
        return "deny-cache";
    case WEIR_SOURCE_LOCAL:
        return "local";
    case WEIR_SOURCE_ON_ERROR:
        return "on-error";
    }
    return "unknown";
}

void cli_put_decision_json(struct cli_output *output, struct weir_bytes key,
                           const struct weir_decision *decision)
{
    cli_put(output, "{", 1);
    cli_put_json_key(output, key);
    cli_put_text(output, decision->allowed ? ",\"allowed\":true" : ",\"allowed\":false");
    cli_put_text(output, decision->blocked ? ",\"blocked\":true" : ",\"blocked\":false");
    cli_put_json_number(output, "limit", decision->limit);
    cli_put_json_number(output, "remaining", decision->remaining);
    cli_put_json_time(output, "retry_after_us", decision->retry_after_us);
    cli_put_json_time(output, "reset_after_us", decision->reset_after_us);
    cli_put_json_time(output, "delay_us", decision->delay_us);
    put_json_name(output, "source");
    cli_print(output, "\"%s\"", source_name(decision->source));
    if (decision->failure != WEIR_FAILURE_NONE) {
        put_json_name(output, "failure");
        cli_print(output, "\"%s\"", weir_failure_name((enum weir_failure)decision->failure));
    }
    cli_put(output, "}\n", 2);
}
