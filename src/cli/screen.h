/* screen.h - a terminal that is drawn anew over and over: its other screen, keys as they are
 * pressed, and all as it was in the end (screen.c). */

#ifndef WEIR_CLI_SCREEN_H
#define WEIR_CLI_SCREEN_H

#include "cli/output.h"

#include <signal.h>
#include <termios.h>

/* What ends a line of a drawing: clears what an earlier one left there. */
#define CLI_SCREEN_LINE_END "\033[K\r\n"

enum cli_screen_event {
    CLI_SCREEN_TIME = 0, /* nothing happened */
    CLI_SCREEN_QUIT,     /* q, Ctrl-C, a signal that ends, or the terminal is gone */
    CLI_SCREEN_REDRAW    /* its size has changed, or it is back from having been put aside */
};

struct cli_screen {
    struct cli_output *output;
    int watched[2]; /* signals, keys: can be read once something happened */
    size_t watched_count;
    bool keys; /* standard input is a terminal, too */
    struct termios before;
    sigset_t signals_before;
};

/* Takes over the terminal that `output` goes to. False, and errno, where it can't. */
bool cli_screen_open(struct cli_output *output, struct cli_screen *ret_screen);

/* Gives it back as it was. */
void cli_screen_close(struct cli_screen *screen);

/* Waits until something happens or the monotonic clock says `until_us`. */
enum cli_screen_event cli_screen_wait(struct cli_screen *screen, int64_t until_us);

/* Its size; 24 times 80 where it says none. */
void cli_screen_size(const struct cli_screen *screen, size_t *ret_rows, size_t *ret_columns);

/* A drawing, which ends at the line it got to; shown at once, so that nothing flickers. */
void cli_screen_draw_begin(struct cli_screen *screen);
bool cli_screen_draw_end(struct cli_screen *screen);

#endif
