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

/* `url` for people to read: a password in it as "***". Where `offset` is not NULL it is moved
 * along, as the place of something in the url. */
struct cli_shown_url {
    char text[512]; /* cut where it is longer */
};
struct cli_shown_url cli_url_shown(const char *url, size_t *offset);

/* Says on stderr, once for each reason, that `decision` was not made by the shared store that was
 * named, and why. `told` remembers which reasons were told. */
void cli_tell_failure(const struct cli_command *command, struct weir *weir,
                      const struct weir_decision *decision, uint64_t *told);

/* Says on stderr what `status` of a call on `weir` means; of a shared store that could not be
 * asked, why. */
void cli_complain_call(const struct cli_command *command, struct weir *weir,
                       enum weir_status status);

#endif
