/* error.h - filling in a struct weir_error that the caller may not have asked for. */

#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include "weir/weir.h"

/* Writes place and message to `error` (NULL: nowhere); a message that is too long is cut. */
void weir_error_set(struct weir_error *error, size_t offset, size_t length, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
