/* command.h - what a subcommand of the program is. main.c has the list of them.
 *
 * The table of a command's options is the only one there is: options.c reads the command line by it
 * and prints the help from it, and a test holds the completions and the manual pages to that help.
 */

#ifndef WEIR_CLI_COMMAND_H
#define WEIR_CLI_COMMAND_H

#include "cli/options.h"

/* The program's exit codes. A command that decides nothing uses CLI_ADMITTED for "done". */
enum cli_exit {
    CLI_ADMITTED = 0,
    CLI_DENIED = 1,
    CLI_ERROR = 2
};

struct cli_command {
    const char *name;
    const char *operands; /* as the usage line shows them */
    const char *summary;  /* one line, for the list of commands */
    const char *details;  /* for --help: whole lines, wrapped by hand */
    const char *examples; /* likewise */
    const enum cli_option_id *options;
    size_t option_count;
    /* Does the work, with a checked command line; gives the exit code. */
    enum cli_exit (*run)(const struct cli_command *command, const struct cli_settings *settings);
};

extern const struct cli_command cli_command_check;
extern const struct cli_command cli_command_serve;
extern const struct cli_command cli_command_validate;
extern const struct cli_command cli_command_explain;
extern const struct cli_command cli_command_limit;
extern const struct cli_command cli_command_reset;
extern const struct cli_command cli_command_refund;
extern const struct cli_command cli_command_stats;
extern const struct cli_command cli_command_top;
extern const struct cli_command cli_command_store;
extern const struct cli_command cli_command_demo;
extern const struct cli_command cli_command_bench;

#endif
