/* target.h - the limit and the store that a command line names, opened, or a message that says why
 * not. */

#ifndef WEIR_CLI_TARGET_H
#define WEIR_CLI_TARGET_H

#include "cli/command.h"
#include "weir/weir.h"

struct cli_target {
    struct weir_limit *limit;
    struct weir *weir;
};

/* Whether a shm: store must be there already: a command that only looks must not make one. */
enum cli_open {
    CLI_OPEN_OR_MAKE,
    CLI_OPEN_MADE
};

/* Each says on stderr what is wrong where it fails. */
bool cli_limit_open(const struct cli_command *command, const char *text, const char *name,
                    struct weir_limit **ret_limit);
bool cli_store_open(const struct cli_command *command, const char *url, enum cli_open how,
                    struct weir **ret_weir);
bool cli_target_open(const struct cli_command *command, const struct cli_settings *settings,
                     enum cli_open how, struct cli_target *ret_target);
void cli_target_close(struct cli_target *target);

#endif
