/* picture.h - what a limit does over time, drawn in a terminal's characters. */

#ifndef WEIR_CLI_PICTURE_H
#define WEIR_CLI_PICTURE_H

#include "cli/output.h"

/* How many columns of time a chart has. */
#define CLI_COLUMNS 60

/* Time runs to the right; admitted grows up from the axis, denied down, in the same scale. */
struct cli_chart {
    uint64_t up[CLI_COLUMNS];
    uint64_t down[CLI_COLUMNS];
    const char *up_label;
    const char *down_label;
    int64_t span_us; /* of all columns together; divisible by 6 */
};

void cli_draw_chart(struct cli_output *output, const struct cli_chart *chart);

/* What stands at one moment of a strip. */
enum cli_mark {
    CLI_MARK_NONE = 0,
    CLI_MARK_ADMITTED,
    CLI_MARK_DENIED,
    CLI_MARK_LEAVES
};

/* One row of marks, a column each. */
void cli_draw_strip(struct cli_output *output, const enum cli_mark *marks, size_t count);

/* What a mark looks like, for a legend. */
void cli_draw_mark(struct cli_output *output, enum cli_mark mark);

#endif
