/* options.h - the options of all commands: one definition each, read and explained from it. */

#ifndef WEIR_CLI_OPTIONS_H
#define WEIR_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_option_id {
    CLI_OPTION_LIMIT,
    CLI_OPTION_STORE,
    CLI_OPTION_STORE_MADE, /* --store where the store has to be there already */
    CLI_OPTION_TIMEOUT,
    CLI_OPTION_NAME,
    CLI_OPTION_CONFIG,
    CLI_OPTION_ENVOY_CONFIG,
    CLI_OPTION_ENVOY,
    CLI_OPTION_COST,
    CLI_OPTION_COST_BACK, /* --cost of a refund */
    CLI_OPTION_REPEAT,
    CLI_OPTION_EVERY,
    CLI_OPTION_EVERY_LOOK, /* --every of weir top */
    CLI_OPTION_PEEK,
    CLI_OPTION_ASK,
    CLI_OPTION_ALL,
    CLI_OPTION_ONLY,
    CLI_OPTION_KEYS,
    CLI_OPTION_SECONDS,
    CLI_OPTION_FAST,
    CLI_OPTION_JSON,
    CLI_OPTION_JSON_LOOK, /* --json of weir top */
    CLI_OPTION_WORST,
    CLI_OPTION_ONCE,
    CLI_OPTION_TOKEN_FILE,
    CLI_OPTION_TOKEN_ENV,
    CLI_OPTION_QUIET,
    CLI_OPTION_COLOR,
    CLI_OPTION_HELP,
    CLI_OPTION_COUNT
};

enum cli_only {
    CLI_ONLY_ALL = 0,
    CLI_ONLY_ALLOWED,
    CLI_ONLY_DENIED
};

enum cli_when {
    CLI_AUTO = 0,
    CLI_ALWAYS,
    CLI_NEVER
};

/* A command line that was read. What was not given is NULL, false, or its default. */
struct cli_settings {
    const char *limit;
    const char *store;
    const char *name;
    const char *config;
    const char *envoy_config;
    const char *token_file;
    const char *token_env;
    uint64_t cost;      /* 1 */
    uint64_t repeat;    /* 1 */
    int64_t every_us;   /* 0: at once */
    int64_t timeout_us; /* 1000000 */
    uint64_t keys;      /* 1000000 */
    uint64_t seconds;   /* 1 */
    uint64_t worst;     /* 10 */
    enum cli_only only;
    enum cli_when color;
    bool envoy;
    bool peek;
    bool ask;
    bool all;
    bool json;
    bool quiet;
    bool fast;
    bool once;
    bool help;
    char **operands; /* what is no option: keys, or words of a limit */
    size_t operand_count;
};

struct cli_command;

/* Reads the arguments of `command`, argv[0] being its name. On failure the reason is on stderr.
 * argv is put in another order, operands last. */
bool cli_options_read(const struct cli_command *command, int argc, char **argv,
                      struct cli_settings *ret_settings);

/* The help of `command`, on stdout; gives the exit code. */
int cli_options_help(const struct cli_command *command);

/* The one of `names` that was probably meant by `word`; NULL where none is near. */
const char *cli_suggest(const char *word, const char *const *names, size_t count);

#endif
