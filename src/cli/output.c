/* output.c - see output.h. */

#include "cli/output.h"

#include "cli/message.h"
#include "cli/terminal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t)256 << 10)

bool cli_output_open(const struct cli_command *command, const struct cli_settings *settings,
                     struct cli_output *ret_output)
{
    char *buffer = malloc(BUFFER_SIZE);
    if (buffer == NULL) {
        cli_complain(command->name, "out of memory");
        return false;
    }
    *ret_output = (struct cli_output){
        .buffer = buffer,
        .fd = STDOUT_FILENO,
        .colour = cli_colour_wanted(STDOUT_FILENO, settings->color),
        .utf8 = cli_locale_is_utf8(),
        .terminal = isatty(STDOUT_FILENO) == 1,
    };
    return true;
}

enum cli_exit cli_output_close(const struct cli_command *command, struct cli_output *output,
                               enum cli_exit code)
{
    (void)cli_flush(output);
    free(output->buffer);
    output->buffer = NULL;
    if (output->failure == 0) {
        return code;
    }
    if (output->failure != EPIPE) {
        cli_complain(command->name, "can't write to standard output: %s",
                     strerrordesc_np(output->failure));
    }
    return CLI_ERROR;
}

static void write_all(struct cli_output *output, const char *bytes, size_t length)
{
    while (length > 0 && output->failure == 0) {
        const ssize_t written = write(output->fd, bytes, length);
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (errno != EINTR) {
            output->failure = errno;
        }
    }
}

bool cli_flush(struct cli_output *output)
{
    write_all(output, output->buffer, output->length);
    output->length = 0;
    return output->failure == 0;
}

void cli_put(struct cli_output *output, const void *bytes, size_t length)
{
    assert(output->buffer != NULL);
    if (length > BUFFER_SIZE - output->length) {
        (void)cli_flush(output);
        if (length > BUFFER_SIZE) {
            write_all(output, bytes, length);
            return;
        }
    }
    if (length > 0) {
        memcpy(output->buffer + output->length, bytes, length);
        output->length += length;
    }
}

void cli_put_text(struct cli_output *output, const char *text)
{
    cli_put(output, text, strlen(text));
}

void cli_put_number(struct cli_output *output, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    cli_put(output, digits + at, sizeof(digits) - at);
}

void cli_print(struct cli_output *output, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof(text));
    cli_put(output, text, (size_t)length);
}

void cli_put_styled(struct cli_output *output, enum cli_style style, const char *text)
{
    static const char *const codes[] = {
        [CLI_PLAIN] = "",      [CLI_GREEN] = "\033[32m", [CLI_RED] = "\033[31m",
        [CLI_DIM] = "\033[2m", [CLI_BOLD] = "\033[1m",
    };
    if (!output->colour || style == CLI_PLAIN) {
        cli_put_text(output, text);
        return;
    }
    cli_put_text(output, codes[style]);
    cli_put_text(output, text);
    cli_put_text(output, "\033[0m");
}
