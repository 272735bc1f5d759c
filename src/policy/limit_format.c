/* limit_format.c - a limit's canonical text, which limit_parse.c reads back to the same limit.
 *
 * What is left out is what the parser fills in: token-bucket, UTC, a burst equal to the count, and
 * the number one before a period's unit. The longest text there can be: 10 digits, a slash,
 * "minute", the longest algorithm, a zone of WEIR_ZONE_MAX, two clauses with 10 and 17 digits:
 * under WEIR_TEXT_MAX. */

#include "policy/duration.h"
#include "policy/limit.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char bytes[WEIR_TEXT_MAX];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *text, const char *format, ...)
{
    const size_t left = sizeof(text->bytes) - text->length;
    va_list arguments;
    va_start(arguments, format);
    const int written = vsnprintf(text->bytes + text->length, left, format, arguments);
    va_end(arguments);
    assert(written >= 0 && (size_t)written < left);
    text->length += (size_t)written;
}

static void append_rate(struct text *text, const struct weir_limit *limit)
{
    append(text, "%" PRIu64 "/", limit->count);
    if (limit->period_us == 0) {
        append(text, "%s", weir_calendar_unit(limit->calendar));
        return;
    }
    int64_t units;
    const char *unit = weir_duration_unit(limit->period_us, &units);
    if (units == 1) {
        append(text, "%s", unit);
    } else {
        append(text, "%" PRId64 "%s", units, unit);
    }
}

enum weir_status weir_limit_format(const struct weir_limit *limit, char *buffer, size_t size,
                                   size_t *ret_len)
{
    assert(limit != NULL);
    assert(buffer != NULL || size == 0);
    struct text text = {.length = 0};
    append_rate(&text, limit);
    if (limit->algorithm != WEIR_TOKEN_BUCKET) {
        append(&text, " %s", weir_algorithm_name(limit->algorithm));
    }
    if (limit->calendar == WEIR_CALENDAR_EPOCH) {
        append(&text, " epoch");
    } else if (limit->zone_name[0] != '\0' && strcmp(limit->zone_name, "UTC") != 0) {
        append(&text, " %s", limit->zone_name);
    }
    if (limit->ceiling != limit->count) {
        append(&text, " burst %" PRIu64, limit->ceiling);
    }
    if (limit->block_us != 0) {
        /* "block 1h": without its number the unit alone would read as part of the keyword. */
        int64_t units;
        const char *unit = weir_duration_unit(limit->block_us, &units);
        append(&text, " block %" PRId64 "%s", units, unit);
    }
    if (text.length >= size) {
        return WEIR_ERR_BUFFER;
    }
    memcpy(buffer, text.bytes, text.length + 1);
    if (ret_len != NULL) {
        *ret_len = text.length;
    }
    return WEIR_OK;
}
