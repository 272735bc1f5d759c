/* look_table.h - the worst offenders as a table, for a terminal, a file or a program. */

#ifndef WEIR_CLI_LOOK_TABLE_H
#define WEIR_CLI_LOOK_TABLE_H

#include "cli/look.h"
#include "cli/output.h"

/* How a table is to be shown. */
struct cli_look_shape {
    const struct cli_look *before; /* for rates; NULL: no column of rates */
    size_t columns;                /* a line is cut to these; 0: not at all */
    size_t rows;                   /* at most so many; 0: all */
    const char *line_end;          /* "\n", or what clears the rest of the line too */
};

void cli_put_look(struct cli_output *output, const struct cli_look *look,
                  const struct cli_look_shape *shape);

/* One object and a newline. */
void cli_put_look_json(struct cli_output *output, const struct cli_look *look);

/* A text of at most `columns` characters (0: any), with everything in it that would steer a
 * terminal as '?'; what is cut ends in '~'. */
void cli_put_harmless(struct cli_output *output, struct weir_bytes text, size_t columns);

#endif
