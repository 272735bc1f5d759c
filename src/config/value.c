/* value.c - the values that a scalar may have; see walk.h.
 *
 * YAML's own guesses are not asked. A truth is `true` or `false`. A number has decimal digits alone
 * and does not begin with 0, as to some readers 010 is eight; a text is whatever stands there, so
 * that `no` is Norway. What was probably meant is named. */

#include "base/url.h"
#include "config/walk.h"
#include "policy/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct weir_quote weir_node_quote(const struct weir_node *node)
{
    return weir_word_quote(node->expanded ? node->raw : node->text);
}

struct weir_origin weir_node_place(const struct weir_node *node, size_t offset)
{
    struct weir_origin origin = node->origin;
    if (node->exact) {
        origin.column = node->text_column;
        for (size_t i = 0; i < offset && i < node->text.len; i++) {
            origin.column += ((unsigned char)node->text.ptr[i] & 0xc0) != 0x80;
        }
    }
    return origin;
}

static const char *kind_name(const struct weir_node *node)
{
    return node->kind == WEIR_NODE_LIST ? "a list" : "a mapping";
}

bool weir_read_scalar(struct weir_reading *reading, const struct weir_node *node, const char *what,
                      struct weir_bytes *ret_text)
{
    if (!weir_read_visit(reading, node)) {
        return false;
    }
    if (node->kind != WEIR_NODE_SCALAR) {
        weir_complain(reading->complaints, node->origin, "%s: expected one value, not %s", what,
                      kind_name(node));
        return false;
    }
    if (node->text.len == 0 && node->plain) {
        weir_complain(reading->complaints, node->origin, "%s: expected a value; there is none",
                      what);
        return false;
    }
    *ret_text = node->text;
    return true;
}

bool weir_read_text(struct weir_reading *reading, const struct weir_node *node, const char *what,
                    struct weir_bytes *ret_text)
{
    struct weir_bytes text;
    if (!weir_read_scalar(reading, node, what, &text)) {
        return false;
    }
    const char *copy = weir_memory_copy(reading->kept, text);
    if (copy == NULL) {
        return false;
    }
    *ret_text = weir_bytes(copy, text.len);
    return true;
}

bool weir_read_boolean(struct weir_reading *reading, const struct weir_node *node, const char *what,
                       bool *ret_value)
{
    struct weir_bytes text;
    if (!weir_read_scalar(reading, node, what, &text)) {
        return false;
    }
    const bool value = weir_word_is(text, "true");
    if (!value && !weir_word_is(text, "false")) {
        const struct weir_quote quote = weir_node_quote(node);
        weir_complain(reading->complaints, node->origin, "%s: expected true or false, not '%s'",
                      what, quote.text);
        return false;
    }
    *ret_value = value;
    return true;
}

/* Digits alone, and no 0 before another. */
static bool read_digits(struct weir_bytes text, uint64_t *ret_number)
{
    struct weir_bytes rest;
    uint64_t number;
    if (!weir_url_number(text, 10, &number, &rest) || rest.len > 0 ||
        (text.len > 1 && text.ptr[0] == '0')) {
        return false;
    }
    *ret_number = number;
    return true;
}

/* Of a number that was written as another language has it: 010, 1_000, 1,000, 0x10, 1e3. */
static const char *number_advice(struct weir_bytes text)
{
    if (text.len > 1 && text.ptr[0] == '0') {
        return " in decimal, without a 0 in front";
    }
    if (memchr(text.ptr, '_', text.len) != NULL || memchr(text.ptr, ',', text.len) != NULL) {
        return ", its digits alone";
    }
    return "";
}

bool weir_read_number(struct weir_reading *reading, const struct weir_node *node,
                      const struct weir_key *key, uint64_t *ret_number)
{
    struct weir_bytes text;
    uint64_t number;
    if (!weir_read_scalar(reading, node, key->name, &text)) {
        return false;
    }
    if (!read_digits(text, &number) || number < (uint64_t)key->least ||
        number > (uint64_t)key->most) {
        const struct weir_quote quote = weir_node_quote(node);
        weir_complain(reading->complaints, node->origin,
                      "%s: expected a whole number from %" PRId64 " to %" PRId64 "%s, not '%s'",
                      key->name, key->least, key->most, text.len > 0 ? number_advice(text) : "",
                      quote.text);
        return false;
    }
    *ret_number = number;
    return true;
}

/* "1m", as it is written. */
static void write_duration(int64_t us, char *text, size_t size)
{
    int64_t count = 0;
    const char *unit = us > 0 ? weir_duration_unit(us, &count) : "s";
    (void)snprintf(text, size, "%" PRId64 "%s", count, unit);
}

static bool read_duration(struct weir_reading *reading, const struct weir_node *node,
                          const struct weir_key *key, int64_t *ret_us)
{
    struct weir_bytes text;
    struct weir_duration duration = {0};
    struct weir_error error = {0};
    if (!weir_read_scalar(reading, node, key->name, &text)) {
        return false;
    }
    const bool none = weir_word_is(text, "0") || weir_word_is(text, "0s");
    if (!none && text.len > 0 && weir_duration_parse(text, 0, &duration, &error) != WEIR_OK) {
        weir_complain(reading->complaints, weir_node_place(node, error.offset), "%s: %s", key->name,
                      node->expanded ? "this is no length of time, as 250ms or 10s"
                                     : error.message);
        return false;
    }
    if (text.len == 0 || duration.vague != NULL || duration.us < key->least ||
        duration.us > key->most) {
        char least[32];
        char most[32];
        const struct weir_quote quote = weir_node_quote(node);
        write_duration(key->least, least, sizeof(least));
        write_duration(key->most, most, sizeof(most));
        weir_complain(reading->complaints, node->origin,
                      "%s: expected a length of time from %s to %s, not '%s'", key->name, least,
                      most, quote.text);
        return false;
    }
    *ret_us = duration.us;
    return true;
}

/* "64KiB", as it is written. */
static void write_size(int64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    while (bytes > 0 && bytes % 1024 == 0 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(text, size, "%" PRId64 "%s", bytes, units[unit]);
}

static bool read_size(struct weir_reading *reading, const struct weir_node *node,
                      const struct weir_key *key, uint32_t *ret_bytes)
{
    struct weir_bytes text;
    uint64_t bytes;
    if (!weir_read_scalar(reading, node, key->name, &text)) {
        return false;
    }
    struct weir_error error = {0};
    const struct weir_url_part part = {text.ptr, text, &error};
    if (weir_url_size(&part, (uint64_t)key->least, (uint64_t)key->most, &bytes) != WEIR_OK) {
        char least[32];
        char most[32];
        const struct weir_quote quote = weir_node_quote(node);
        write_size(key->least, least, sizeof(least));
        write_size(key->most, most, sizeof(most));
        weir_complain(reading->complaints, node->origin,
                      "%s: expected a size from %s to %s, as 64KiB, not '%s'", key->name, least,
                      most, quote.text);
        return false;
    }
    *ret_bytes = (uint32_t)bytes;
    return true;
}

static bool read_choice(struct weir_reading *reading, const struct weir_node *node,
                        const struct weir_key *key, unsigned *ret_index)
{
    struct weir_bytes text;
    char list[128] = "";
    if (!weir_read_scalar(reading, node, key->name, &text)) {
        return false;
    }
    for (unsigned i = 0; key->words[i] != NULL; i++) {
        if (weir_word_is(text, key->words[i])) {
            *ret_index = i;
            return true;
        }
        const size_t len = strlen(list);
        (void)snprintf(list + len, sizeof(list) - len, "%s%s", i > 0 ? ", " : "", key->words[i]);
    }
    const struct weir_quote quote = weir_node_quote(node);
    weir_complain(reading->complaints, node->origin, "%s: expected one of %s, not '%s'", key->name,
                  list, quote.text);
    return false;
}

static bool read_list(struct weir_reading *reading, const struct weir_node *node, const char *what,
                      const struct weir_node **ret_list)
{
    if (!weir_read_visit(reading, node)) {
        return false;
    }
    if (node->kind != WEIR_NODE_LIST) {
        weir_complain(reading->complaints, node->origin,
                      "%s: expected a list, its members each on a line that begins with '- ', or "
                      "in [ ]",
                      what);
        return false;
    }
    *ret_list = node;
    return true;
}

bool weir_read_value(struct weir_reading *reading, const struct weir_node *node,
                     const struct weir_key *key, void *into)
{
    struct weir_bytes text = {NULL, 0};
    uint64_t number = 0;
    switch (key->kind) {
    case WEIR_VALUE_NODE:
        *(const struct weir_node **)into = node;
        return weir_read_visit(reading, node);
    case WEIR_VALUE_BOOLEAN:
        return weir_read_boolean(reading, node, key->name, into);
    case WEIR_VALUE_NUMBER:
        if (!weir_read_number(reading, node, key, &number)) {
            return false;
        }
        *(uint32_t *)into = (uint32_t)number;
        return true;
    case WEIR_VALUE_DURATION:
        return read_duration(reading, node, key, into);
    case WEIR_VALUE_SIZE:
        return read_size(reading, node, key, into);
    case WEIR_VALUE_TEXT:
        if (!weir_read_text(reading, node, key->name, &text)) {
            return false;
        }
        *(char **)into = (char *)(uintptr_t)text.ptr;
        return true;
    case WEIR_VALUE_CHOICE:
        return read_choice(reading, node, key, into);
    case WEIR_VALUE_LIST:
        return read_list(reading, node, key->name, into);
    }
    return false;
}
