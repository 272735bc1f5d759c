/* message.h - what the program says on stderr. */

#ifndef WEIR_CLI_MESSAGE_H
#define WEIR_CLI_MESSAGE_H

#include <stddef.h>

/* "weir COMMAND: what is wrong", one line. `command` may be NULL. */
__attribute__((format(printf, 2, 3))) void cli_complain(const char *command, const char *format,
                                                        ...);

/* Shows `text` on a line of its own, and below it a caret under each column of the `length` bytes
 * at `offset`; nothing where the text is empty. */
void cli_point_at(const char *text, size_t offset, size_t length);

/* For the end of a message about wrong use; takes the command's name. */
#define CLI_SEE_HELP "see weir %s --help"

#endif
