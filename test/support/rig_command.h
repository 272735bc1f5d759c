/* rig_command.h - commands to a server, as rig_command of rig.h, for those who have their words in
 * a list. */

#ifndef WEIR_TEST_SUPPORT_RIG_COMMAND_H
#define WEIR_TEST_SUPPORT_RIG_COMMAND_H

#include <stdarg.h>
#include <stdint.h>

/* Sends `words`, up to a NULL, after AUTH where there is a password. */
const char *rig_command_words(uint16_t port, const char *password, const char *const *words);

/* The same with the words of a call's arguments. */
const char *rig_command_list(uint16_t port, const char *password, va_list *arguments);

#endif
