/* look_table.c - see look_table.h.
 *
 * Keys are chosen by those who are limited: they come last in a line, and nothing in them reaches
 * the terminal but letters. */

#include "cli/look_table.h"

#include "cli/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RULE_COLUMNS_MAX 24

/* ---- Letters ---- */

/* Bytes of the character at `at`; texts come from JSON, which is UTF-8. */
static size_t character_len(struct weir_bytes text, size_t at)
{
    size_t len = 1;
    while (at + len < text.len && ((unsigned char)text.ptr[at + len] & 0xC0) == 0x80) {
        len++;
    }
    return len;
}

/* Controls, and marks that turn the direction of writing: C0 and C1; U+200E, U+200F, U+2028 to
 * U+202E and U+2066 to U+2069, which begin with E2 80 and E2 81. */
static bool is_harmful(struct weir_bytes text, size_t at, size_t len)
{
    const unsigned char *c = (const unsigned char *)text.ptr + at;
    if (len == 1) {
        return c[0] < 0x20 || c[0] >= 0x7F;
    }
    if (len == 2) {
        return c[0] == 0xC2 && c[1] < 0xA0;
    }
    const bool marks =
        c[1] == 0x80 && (c[2] == 0x8E || c[2] == 0x8F || (c[2] >= 0xA8 && c[2] <= 0xAE));
    return c[0] == 0xE2 && (marks || (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9));
}

static size_t count_columns(struct weir_bytes text)
{
    size_t columns = 0;
    for (size_t at = 0; at < text.len; at += character_len(text, at)) {
        columns++;
    }
    return columns;
}

void cli_put_harmless(struct cli_output *output, struct weir_bytes text, size_t columns)
{
    const bool cut = columns > 0 && count_columns(text) > columns;
    size_t column = 0;
    for (size_t at = 0; at < text.len && (!cut || column + 1 < columns); column++) {
        const size_t len = character_len(text, at);
        const bool ascii = len == 1 || output->utf8;
        if (!ascii || is_harmful(text, at, len)) {
            cli_put_text(output, "?");
        } else {
            cli_put(output, text.ptr + at, len);
        }
        at += len;
    }
    if (cut) {
        cli_put_text(output, "~");
    }
}

/* ---- The table ---- */

static size_t rule_columns(const struct cli_look *look)
{
    size_t most = strlen("RULE");
    for (size_t i = 0; i < look->count; i++) {
        const size_t columns = count_columns(look->rows[i].rule);
        most = columns > most ? columns : most;
    }
    return most < RULE_COLUMNS_MAX ? most : RULE_COLUMNS_MAX;
}

/* "1,234", or "1,200-1,234" where it is not known exactly. */
static struct cli_words denied_words(const struct cli_look_row *row)
{
    struct cli_words words;
    if (row->error == 0) {
        return cli_number_words(row->denied);
    }
    (void)snprintf(words.text, sizeof(words.text), "%.32s-%.32s",
                   cli_number_words(row->denied - row->error).text,
                   cli_number_words(row->denied).text);
    return words;
}

static struct cli_words rate_words(const struct cli_look *look, const struct cli_look *before,
                                   size_t row)
{
    uint64_t tenths;
    if (!cli_look_rate(look, before, row, &tenths)) {
        return (struct cli_words){"-"};
    }
    struct cli_words words = cli_number_words(tenths / 10);
    if (tenths < 1000) {
        (void)snprintf(words.text, sizeof(words.text), "%" PRIu64 ".%" PRIu64, tenths / 10,
                       tenths % 10);
    }
    return words;
}

static void put_row(struct cli_output *output, const struct cli_look *look, size_t number,
                    const struct cli_look_shape *shape, size_t rule_width)
{
    const struct cli_look_row *row = &look->rows[number];
    size_t used = 15 + 2 + rule_width + 2;
    cli_print(output, "%15s", denied_words(row).text);
    if (shape->before != NULL) {
        cli_print(output, "  %10s", rate_words(look, shape->before, number).text);
        used += 12;
    }
    cli_put_text(output, "  ");
    cli_put_harmless(output, row->rule, rule_width);
    const size_t columns = count_columns(row->rule);
    cli_print(output, "%*s", (int)(rule_width - (columns < rule_width ? columns : rule_width)) + 2,
              "");
    if (shape->columns == 0 || shape->columns > used) {
        cli_put_harmless(output, row->key, shape->columns > 0 ? shape->columns - used : 0);
    }
    cli_put_text(output, shape->line_end);
}

void cli_put_look(struct cli_output *output, const struct cli_look *look,
                  const struct cli_look_shape *shape)
{
    const size_t rule_width = rule_columns(look);
    char heading[96];
    (void)snprintf(heading, sizeof(heading), "%15s%s  %-*s  KEY", "DENIED",
                   shape->before != NULL ? "    A SECOND" : "", (int)rule_width, "RULE");
    if (look->count == 0) {
        cli_put_text(output, "Nobody was denied anything yet.");
        cli_put_text(output, shape->line_end);
        return;
    }
    cli_put_styled(output, CLI_BOLD, heading);
    cli_put_text(output, shape->line_end);
    for (size_t i = 0; i < look->count && (shape->rows == 0 || i < shape->rows); i++) {
        put_row(output, look, i, shape, rule_width);
    }
}

void cli_put_look_json(struct cli_output *output, const struct cli_look *look)
{
    cli_put_text(output, "{\"at\":");
    (void)cli_put_json_string(output, look->at);
    cli_put_text(output, ",\"top\":[");
    for (size_t i = 0; i < look->count; i++) {
        const struct cli_look_row *row = &look->rows[i];
        const bool first = i == 0 || row->rule.ptr != look->rows[i - 1].rule.ptr;
        if (first) {
            cli_put_text(output, i == 0 ? "{\"rule\":" : "]},{\"rule\":");
            (void)cli_put_json_string(output, row->rule);
            cli_put_text(output, ",\"offenders\":[");
        }
        cli_put_text(output, first ? "{\"key\":" : ",{\"key\":");
        (void)cli_put_json_string(output, row->key);
        cli_put_json_number(output, "denied", row->denied);
        cli_put_json_number(output, "error", row->error);
        cli_put_text(output, "}");
    }
    cli_put_text(output, look->count > 0 ? "]}]}\n" : "]}\n");
}
