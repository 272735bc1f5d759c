/* message.c - see message.h. */

#include "cli/message.h"

#include "cli/terminal.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A text longer than this is shown without pointing at anything: it would not fit a line. */
#define POINT_MAX 200

void cli_complain(const char *command, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (command != NULL) {
        (void)fprintf(stderr, "weir %s: %s\n", command, message);
    } else {
        (void)fprintf(stderr, "weir: %s\n", message);
    }
}

/* Whether a byte continues a character that was begun before it, and so takes no column. */
static bool continues(char c, bool utf8)
{
    return utf8 && ((unsigned char)c & 0xC0) == 0x80;
}

static char printable(char c, bool utf8)
{
    const unsigned char byte = (unsigned char)c;
    const bool control = byte < 0x20 || byte == 0x7F;
    return control || (byte >= 0x80 && !utf8) ? '?' : c;
}

void cli_point_at(const char *text, size_t offset, size_t length)
{
    const size_t text_length = strlen(text);
    if (text_length == 0 || text_length > POINT_MAX || offset > text_length) {
        return;
    }
    const bool utf8 = cli_locale_is_utf8();
    char line[POINT_MAX + 1];
    char carets[POINT_MAX + 2];
    size_t columns = 0;
    for (size_t i = 0; i <= text_length; i++) {
        /* The text's end can be pointed at too: something is missing there. */
        const bool meant = i >= offset && (i < offset + length || i == offset);
        if (i < text_length) {
            line[i] = printable(text[i], utf8);
        }
        if (i == text_length ? meant : !continues(text[i], utf8)) {
            carets[columns++] = meant ? '^' : ' ';
        }
    }
    while (columns > 0 && carets[columns - 1] == ' ') {
        columns--;
    }
    (void)fprintf(stderr, "    %.*s\n    %.*s\n", (int)text_length, line, (int)columns, carets);
}
