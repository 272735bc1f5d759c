/* picture.c - see picture.h. */

#include "cli/picture.h"

#include "cli/format.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A chart's height: one row for each request where there are few, else a fixed number of rows. */
#define ROWS_MAX 5

/* Parts of a cell that can be told apart: going up, and going down, as no character fills a cell's
 * upper eighths. */
#define UP_PARTS 8
#define DOWN_PARTS 2

#define TICK_COLUMNS 10
#define TICKS (CLI_COLUMNS / TICK_COLUMNS)

/* A row of the chart as text: at most 3 bytes a column. */
struct row {
    char text[3 * CLI_COLUMNS + 1];
    size_t length;
};

static void add(struct row *row, const char *character)
{
    const size_t length = strlen(character);
    assert(row->length + length < sizeof(row->text));
    memcpy(row->text + row->length, character, length + 1);
    row->length += length;
}

/* The character of a cell of which `parts` of UP_PARTS are filled from below. */
static const char *up_cell(uint64_t parts, bool utf8)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {" ", ".", ".", ".", ":", ":", ":", "#", "#"};
    assert(parts <= UP_PARTS);
    return utf8 ? blocks[parts] : plain[parts];
}

/* The same, of DOWN_PARTS from above. */
static const char *down_cell(uint64_t parts, bool utf8)
{
    static const char *const blocks[] = {" ", "▀", "█"};
    static const char *const plain[] = {" ", "'", "x"};
    assert(parts <= DOWN_PARTS);
    return utf8 ? blocks[parts] : plain[parts];
}

static uint64_t largest(const uint64_t *values)
{
    uint64_t most = 0;
    for (size_t i = 0; i < CLI_COLUMNS; i++) {
        most = values[i] > most ? values[i] : most;
    }
    return most;
}

/* How many parts of a column are filled: `value` rows are `scale` high, at least one part if any.
 */
static uint64_t filled(uint64_t value, uint64_t scale, uint64_t parts)
{
    return (value * parts + scale / 2) / scale > 0 ? (value * parts + scale / 2) / scale
                                                   : value > 0;
}

/* What of a column's `total` parts is in the row that begins after `before` of them. */
static uint64_t in_row(uint64_t total, uint64_t before, uint64_t parts)
{
    const uint64_t rest = total > before ? total - before : 0;
    return rest < parts ? rest : parts;
}

/* A number beside the axis, in at most 6 columns: "12,000", "1.05 M". */
static struct cli_words axis_words(uint64_t number)
{
    static const char units[] = {'k', 'M', 'G', 'T'};
    if (number < 100000) {
        return cli_number_words(number);
    }
    double scaled = (double)number / 1000;
    size_t unit = 0;
    while (scaled >= 999.5 && unit + 1 < sizeof(units)) {
        scaled /= 1000;
        unit++;
    }
    struct cli_words words;
    const int decimals = scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
    (void)snprintf(words.text, sizeof(words.text), "%.*f %c", decimals, scaled, units[unit]);
    return words;
}

/* How wide the numbers left of the axis are. */
static int number_width(const struct cli_chart *chart)
{
    const size_t up = strlen(axis_words(largest(chart->up)).text);
    const size_t down = strlen(axis_words(largest(chart->down)).text);
    return (int)(up > down ? up : down);
}

static void put_margin(struct cli_output *output, const struct cli_chart *chart, const char *label,
                       const char *number, const char *edge)
{
    cli_print(output, "  %-8s %*s %s", label, number_width(chart), number, edge);
}

static void put_row(struct cli_output *output, const struct row *row, enum cli_style style)
{
    cli_put_styled(output, style, row->text);
    cli_put_text(output, "\n");
}

static void draw_up(struct cli_output *output, const struct cli_chart *chart, uint64_t rows,
                    uint64_t scale)
{
    for (uint64_t i = rows; i-- > 0;) {
        struct row row = {.length = 0};
        const bool top = i == rows - 1;
        for (size_t column = 0; column < CLI_COLUMNS; column++) {
            const uint64_t total = filled(chart->up[column], scale, UP_PARTS * rows);
            add(&row, up_cell(in_row(total, i * UP_PARTS, UP_PARTS), output->utf8));
        }
        put_margin(output, chart, top ? chart->up_label : "",
                   top ? axis_words(largest(chart->up)).text : "", output->utf8 ? "│" : "|");
        put_row(output, &row, CLI_GREEN);
    }
}

static void draw_down(struct cli_output *output, const struct cli_chart *chart, uint64_t rows,
                      uint64_t scale)
{
    const uint64_t most = largest(chart->down);
    const uint64_t deepest = filled(most, scale, DOWN_PARTS * rows);
    const uint64_t depth = (deepest + DOWN_PARTS - 1) / DOWN_PARTS;
    for (uint64_t i = 0; i < depth; i++) {
        struct row row = {.length = 0};
        const bool bottom = i == depth - 1;
        for (size_t column = 0; column < CLI_COLUMNS; column++) {
            const uint64_t total = filled(chart->down[column], scale, DOWN_PARTS * rows);
            add(&row, down_cell(in_row(total, i * DOWN_PARTS, DOWN_PARTS), output->utf8));
        }
        put_margin(output, chart, bottom ? chart->down_label : "",
                   bottom ? axis_words(most).text : "", output->utf8 ? "│" : "|");
        put_row(output, &row, CLI_RED);
    }
}

static void draw_axis(struct cli_output *output, const struct cli_chart *chart)
{
    put_margin(output, chart, "", "0", output->utf8 ? "┼" : "+");
    for (size_t column = 0; column < CLI_COLUMNS; column++) {
        const bool tick = column > 0 && column % TICK_COLUMNS == 0;
        cli_put_text(output, output->utf8 ? (tick ? "┬" : "─") : (tick ? "+" : "-"));
    }
    cli_put_text(output, "\n");
}

/* The times below the axis, each where its column begins, the last where the last ends; every other
 * one where they would run into each other. */
static void draw_times(struct cli_output *output, const struct cli_chart *chart)
{
    const int64_t tick_us = chart->span_us / TICKS;
    int step = 1;
    for (int i = 1; i <= TICKS; i++) {
        if (strlen(cli_duration_words(tick_us * i).text) >= TICK_COLUMNS) {
            step = 2;
        }
    }
    const struct cli_words end = cli_duration_words(chart->span_us);
    put_margin(output, chart, "", "", " ");
    for (int i = 0; i < TICKS; i += step) {
        const bool last = i + step == TICKS;
        const int width = step * TICK_COLUMNS - (last ? (int)strlen(end.text) : 0);
        const struct cli_words time = cli_duration_words(tick_us * i);
        const bool fits = (int)strlen(time.text) < width;
        cli_print(output, "%-*s", width, i == 0 ? "0" : fits ? time.text : "");
    }
    cli_print(output, "%s\n", end.text);
}

void cli_draw_chart(struct cli_output *output, const struct cli_chart *chart)
{
    assert(chart->span_us > 0 && chart->span_us % TICKS == 0);
    const uint64_t most = largest(chart->up) > 0 ? largest(chart->up) : 1;
    const uint64_t rows = most < ROWS_MAX ? most : ROWS_MAX;
    draw_up(output, chart, rows, most);
    draw_axis(output, chart);
    if (chart->down_label != NULL) {
        draw_down(output, chart, rows, most);
    }
    draw_times(output, chart);
}

/* ---- Strips ---- */

static const char *mark_character(enum cli_mark mark, bool utf8)
{
    static const char *const signs[] = {" ", "█", "·", "▸"};
    static const char *const plain[] = {" ", "#", ".", ">"};
    return utf8 ? signs[mark] : plain[mark];
}

static enum cli_style mark_style(enum cli_mark mark)
{
    static const enum cli_style styles[] = {CLI_PLAIN, CLI_GREEN, CLI_RED, CLI_DIM};
    return styles[mark];
}

void cli_draw_mark(struct cli_output *output, enum cli_mark mark)
{
    cli_put_styled(output, mark_style(mark), mark_character(mark, output->utf8));
}

void cli_draw_strip(struct cli_output *output, const enum cli_mark *marks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cli_draw_mark(output, marks[i]);
    }
}
