/* error.c - see error.h. */

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

void weir_error_set(struct weir_error *error, size_t offset, size_t length, const char *format, ...)
{
    if (error == NULL) {
        return;
    }
    error->offset = offset;
    error->length = length;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
}
