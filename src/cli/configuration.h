/* configuration.h - the file that a command names, read, and its parts as text (configuration.c).
 */

#ifndef WEIR_CLI_CONFIGURATION_H
#define WEIR_CLI_CONFIGURATION_H

#include "base/buffer.h"
#include "cli/command.h"
#include "cli/output.h"
#include "config/config.h"

/* Reads the file. What there is to say of it goes to stderr, warnings too where `review`; false
 * where there is no configuration. */
bool cli_config_open(const struct cli_command *command, const char *path, bool review,
                     struct weir_config **ret_config);

/* Likewise the folder of envoyproxy/ratelimit's files, and its environment; NULL: the folder that
 * this names. */
bool cli_envoy_open(const struct cli_command *command, const char *path,
                    struct weir_config **ret_config);

/* The limit's canonical text. */
struct cli_limit_text {
    char text[WEIR_TEXT_MAX];
};
struct cli_limit_text cli_limit_text(const struct weir_limit *limit);

/* "ip, user?", or "all together" where the key has no parts. */
void cli_put_key_parts(struct weir_buffer *out, const struct weir_rule_spec *rule);

/* "http 127.0.0.1:8080". */
void cli_put_listener(struct weir_buffer *out, const struct weir_listener *listener);

#endif
