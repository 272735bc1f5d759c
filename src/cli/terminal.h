/* terminal.h - what can be shown to whoever reads. */

#ifndef WEIR_CLI_TERMINAL_H
#define WEIR_CLI_TERMINAL_H

#include "cli/options.h"

/* Whether the user's locale, by the environment, writes text in UTF-8. */
bool cli_locale_is_utf8(void);

/* Whether `fd` is a terminal that knows colours and nobody said NO_COLOR, or `when` says so. */
bool cli_colour_wanted(int fd, enum cli_when when);

#endif
