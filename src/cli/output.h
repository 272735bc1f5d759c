/* output.h - what the program says on stdout: buffered, in colour where wanted, and never silently
 * lost.
 *
 * Everything goes through one struct cli_output. A write that fails is remembered and the rest
 * thrown away; cli_output_close reports it, and turns the exit code into CLI_ERROR. A reader that
 * went away (EPIPE) is reported by the exit code alone, as `weir ... | head` is no mistake. */

#ifndef WEIR_CLI_OUTPUT_H
#define WEIR_CLI_OUTPUT_H

#include "cli/command.h"
#include "weir/weir.h"

enum cli_style {
    CLI_PLAIN,
    CLI_GREEN, /* admitted */
    CLI_RED,   /* denied */
    CLI_DIM,   /* what may be overlooked */
    CLI_BOLD   /* headings */
};

struct cli_output {
    char *buffer;
    size_t length;
    int fd;
    int failure; /* the errno of the first write that failed; 0 */
    bool colour;
    bool utf8;
    bool terminal;
};

/* stdout, in the user's colours. On failure the reason is on stderr. */
bool cli_output_open(const struct cli_command *command, const struct cli_settings *settings,
                     struct cli_output *ret_output);

/* Writes what is left, frees, and gives `code`, or CLI_ERROR where not all could be written. */
enum cli_exit cli_output_close(const struct cli_command *command, struct cli_output *output,
                               enum cli_exit code);

/* Writes out what is buffered. False where the reader or the disk is gone, and going on is no use.
 */
bool cli_flush(struct cli_output *output);

void cli_put(struct cli_output *output, const void *bytes, size_t length);
void cli_put_text(struct cli_output *output, const char *text);
void cli_put_number(struct cli_output *output, uint64_t number);
__attribute__((format(printf, 2, 3))) void cli_print(struct cli_output *output, const char *format,
                                                     ...);

/* `text` in `style`, which ends with it: no cut leaves a terminal in colour. */
void cli_put_styled(struct cli_output *output, enum cli_style style, const char *text);

#endif
