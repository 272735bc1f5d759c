/* options.c - see options.h. The command line is read by getopt_long, so `--opt=value`, `--opt
 * value`, options after operands, and "--" all mean what they mean elsewhere. */

#include "cli/options.h"

#include "cli/command.h"
#include "cli/message.h"
#include "weir/weir.h"

#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What getopt_long gives for an option that has no letter: its id, past every letter. */
#define ID_BASE 256

#define REPEAT_MAX UINT64_C(1000000000)
#define KEYS_MAX UINT64_C(1000000000)
#define SECONDS_MAX UINT64_C(60)
#define WORST_MAX UINT64_C(1000)

struct option_definition {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* NULL: takes none */
    const char *help;     /* lines after the first are indented by whoever prints it */
};

static const struct option_definition definitions[CLI_OPTION_COUNT] = {
    [CLI_OPTION_LIMIT] = {"limit", 'l', "TEXT", "what is allowed, as '5/10s fixed-window'"},
    [CLI_OPTION_STORE] = {"store", 's', "URL",
                          "where the state is: memory: (ends with the\n"
                          "process; the default), shm:/path (stays), or\n"
                          "redis://host (shared by machines)"},
    [CLI_OPTION_STORE_MADE] = {"store", 's', "URL", "where the state is: shm:/path, redis://host"},
    [CLI_OPTION_TIMEOUT] = {"timeout", 0, "DURATION", "how long to wait for answers (1s)"},
    [CLI_OPTION_NAME] = {"name", 0, "RULE",
                         "the limit's name; limits of different names keep\n"
                         "different state"},
    [CLI_OPTION_CONFIG] = {"config", 'c', "FILE", "the configuration, as weir.yaml"},
    [CLI_OPTION_ENVOY_CONFIG] = {"envoy-config", 0, "DIR",
                                 "a folder of envoyproxy/ratelimit's files; its\n"
                                 "environment variables say the rest"},
    [CLI_OPTION_ENVOY] = {"envoy", 0, NULL,
                          "the same, of the folder that RUNTIME_ROOT,\n"
                          "RUNTIME_SUBDIRECTORY and RUNTIME_APPDIRECTORY name"},
    [CLI_OPTION_COST] = {"cost", 'c', "N", "how much a request takes (1); 0 only looks"},
    [CLI_OPTION_COST_BACK] = {"cost", 'c', "N", "how much to give back (1)"},
    [CLI_OPTION_REPEAT] = {"repeat", 'n', "N", "ask N times for each key (1)"},
    [CLI_OPTION_EVERY] = {"every", 0, "DURATION",
                          "with --repeat: wait this long between, as 1s, 250ms"},
    [CLI_OPTION_EVERY_LOOK] = {"every", 0, "DURATION", "look again this often, as 250ms (1s)"},
    [CLI_OPTION_PEEK] = {"peek", 'p', NULL, "only look: take nothing, write nothing"},
    [CLI_OPTION_ASK] = {"ask", 0, NULL, "look into the store that the file names"},
    [CLI_OPTION_ALL] = {"all", 'a', NULL, "say of each other rule why it does not match"},
    [CLI_OPTION_ONLY] = {"only", 0, "WHICH",
                         "print just the keys that were `allowed` or `denied`,\n"
                         "bare, one a line"},
    [CLI_OPTION_KEYS] = {"keys", 0, "N", "how many keys the rows of many have (1000000)"},
    [CLI_OPTION_SECONDS] = {"seconds", 0, "S", "how long each row is measured (1)"},
    [CLI_OPTION_FAST] = {"fast", 0, NULL, "don't wait: use a supplied clock throughout"},
    [CLI_OPTION_JSON] = {"json", 'j', NULL, "print a JSON object a line; times in microseconds"},
    [CLI_OPTION_JSON_LOOK] = {"json", 'j', NULL, "print one JSON object, once"},
    [CLI_OPTION_WORST] = {"count", 'n', "N", "how many keys to show, the worst of all (10)"},
    [CLI_OPTION_ONCE] = {"once", 0, NULL, "look once, also on a terminal"},
    [CLI_OPTION_TOKEN_FILE] = {"token-file", 0, "FILE", "a file with a token that may read"},
    [CLI_OPTION_TOKEN_ENV] = {"token-env", 0, "NAME",
                              "the environment variable with the token\n"
                              "(WEIR_TOKEN)"},
    [CLI_OPTION_QUIET] = {"quiet", 'q', NULL, "print no decisions; the exit code tells"},
    [CLI_OPTION_COLOR] = {"color", 0, "WHEN", "colours: always, never, or auto (on a terminal)"},
    [CLI_OPTION_HELP] = {"help", 'h', NULL, "show this help"},
};

/* ---- Guessing what was meant ---- */

#define WORD_MAX 24

/* How many letters have to be put in, taken out, changed, or swapped with their neighbour. */
static size_t distance(const char *a, const char *b)
{
    const size_t a_length = strlen(a);
    const size_t b_length = strlen(b);
    size_t rows[3][WORD_MAX + 1];
    if (a_length > WORD_MAX || b_length > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *higher = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            const size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            const size_t one = above[j] < row[j - 1] ? above[j] + 1 : row[j - 1] + 1;
            row[j] = change < one ? change : one;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                higher[j - 2] + 1 < row[j]) {
                row[j] = higher[j - 2] + 1;
            }
        }
    }
    return rows[a_length % 3][b_length];
}

const char *cli_suggest(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t least = strlen(word) <= 4 ? 2 : 3;
    for (size_t i = 0; i < count; i++) {
        const size_t far = distance(word, names[i]);
        if (far < least) {
            least = far;
            nearest = names[i];
        }
    }
    return nearest;
}

/* ---- Values ---- */

struct reading {
    const struct cli_command *command;
    const struct option_definition *option;
    const char *value;
};

static bool read_number(const struct reading *reading, uint64_t least, uint64_t most,
                        uint64_t *ret_number)
{
    uint64_t number = 0;
    bool good = *reading->value != '\0';
    for (const char *c = reading->value; *c != '\0' && good; c++) {
        good = *c >= '0' && *c <= '9' && !__builtin_mul_overflow(number, UINT64_C(10), &number) &&
               !__builtin_add_overflow(number, (uint64_t)(*c - '0'), &number);
    }
    if (!good || number < least || number > most) {
        cli_complain(reading->command->name,
                     "--%s: '%s' is no number from %" PRIu64 " to %" PRIu64 "; " CLI_SEE_HELP,
                     reading->option->name, reading->value, least, most, reading->command->name);
        return false;
    }
    *ret_number = number;
    return true;
}

/* A duration is whatever a limit may have after its slash, so the library reads it there. */
static bool read_duration(const struct reading *reading, int64_t *ret_duration_us)
{
    char text[64];
    struct weir_limit *limit = NULL;
    struct weir_error error = {.message = "expected a duration, as 1s or 250ms"};
    const int length = snprintf(text, sizeof(text), "1/%s", reading->value);
    const bool one_word = *reading->value != '\0' && length < (int)sizeof(text) &&
                          reading->value[strcspn(reading->value, " \t")] == '\0';
    if (!one_word || weir_limit_parse(weir_text(text), NULL, &limit, &error) != WEIR_OK) {
        cli_complain(reading->command->name, "--%s: %s", reading->option->name, error.message);
        cli_point_at(reading->value, error.offset >= 2 ? error.offset - 2 : 0,
                     one_word ? error.length : strlen(reading->value));
        return false;
    }
    struct weir_limit_spec spec;
    weir_limit_describe(limit, &spec);
    weir_limit_free(limit);
    *ret_duration_us = spec.period_us;
    return true;
}

/* The place of the value in `words`, which ends in NULL. */
static bool read_word(const struct reading *reading, const char *const *words, int *ret_index)
{
    char list[64] = "";
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], reading->value) == 0) {
            *ret_index = i;
            return true;
        }
        const size_t length = strlen(list);
        (void)snprintf(list + length, sizeof(list) - length, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    cli_complain(reading->command->name, "--%s: '%s' is none of %s", reading->option->name,
                 reading->value, list);
    return false;
}

static bool read_only(const struct reading *reading, enum cli_only *ret_only)
{
    static const char *const words[] = {"allowed", "denied", NULL};
    int index;
    if (!read_word(reading, words, &index)) {
        return false;
    }
    *ret_only = index == 0 ? CLI_ONLY_ALLOWED : CLI_ONLY_DENIED;
    return true;
}

static bool read_when(const struct reading *reading, enum cli_when *ret_when)
{
    static const char *const words[] = {"auto", "always", "never", NULL};
    static const enum cli_when when[] = {CLI_AUTO, CLI_ALWAYS, CLI_NEVER};
    int index;
    if (!read_word(reading, words, &index)) {
        return false;
    }
    *ret_when = when[index];
    return true;
}

/* What an option without a value sets. */
static void set_flag(enum cli_option_id id, struct cli_settings *settings)
{
    bool *const flags[CLI_OPTION_COUNT] = {
        [CLI_OPTION_PEEK] = &settings->peek,      [CLI_OPTION_ASK] = &settings->ask,
        [CLI_OPTION_ALL] = &settings->all,        [CLI_OPTION_FAST] = &settings->fast,
        [CLI_OPTION_ONCE] = &settings->once,      [CLI_OPTION_JSON] = &settings->json,
        [CLI_OPTION_JSON_LOOK] = &settings->json, [CLI_OPTION_QUIET] = &settings->quiet,
        [CLI_OPTION_HELP] = &settings->help,      [CLI_OPTION_ENVOY] = &settings->envoy,
    };
    *flags[id] = true;
}

static bool set_option(const struct reading *reading, enum cli_option_id id,
                       struct cli_settings *settings)
{
    switch (id) {
    case CLI_OPTION_LIMIT:
        settings->limit = reading->value;
        return true;
    case CLI_OPTION_STORE:
    case CLI_OPTION_STORE_MADE:
        settings->store = reading->value;
        return true;
    case CLI_OPTION_NAME:
        settings->name = reading->value;
        return true;
    case CLI_OPTION_CONFIG:
        settings->config = reading->value;
        return true;
    case CLI_OPTION_ENVOY_CONFIG:
        settings->envoy_config = reading->value;
        return true;
    case CLI_OPTION_COST:
        return read_number(reading, 0, UINT64_MAX, &settings->cost);
    case CLI_OPTION_COST_BACK:
        return read_number(reading, 1, UINT64_MAX, &settings->cost);
    case CLI_OPTION_REPEAT:
        return read_number(reading, 1, REPEAT_MAX, &settings->repeat);
    case CLI_OPTION_EVERY:
    case CLI_OPTION_EVERY_LOOK:
        return read_duration(reading, &settings->every_us);
    case CLI_OPTION_TIMEOUT:
        return read_duration(reading, &settings->timeout_us);
    case CLI_OPTION_ONLY:
        return read_only(reading, &settings->only);
    case CLI_OPTION_KEYS:
        return read_number(reading, 1, KEYS_MAX, &settings->keys);
    case CLI_OPTION_SECONDS:
        return read_number(reading, 1, SECONDS_MAX, &settings->seconds);
    case CLI_OPTION_COLOR:
        return read_when(reading, &settings->color);
    case CLI_OPTION_WORST:
        return read_number(reading, 1, WORST_MAX, &settings->worst);
    case CLI_OPTION_TOKEN_FILE:
        settings->token_file = reading->value;
        return true;
    case CLI_OPTION_TOKEN_ENV:
        settings->token_env = reading->value;
        return true;
    case CLI_OPTION_ENVOY:
    case CLI_OPTION_PEEK:
    case CLI_OPTION_ASK:
    case CLI_OPTION_ALL:
    case CLI_OPTION_FAST:
    case CLI_OPTION_ONCE:
    case CLI_OPTION_JSON:
    case CLI_OPTION_JSON_LOOK:
    case CLI_OPTION_QUIET:
    case CLI_OPTION_HELP:
        set_flag(id, settings);
        return true;
    case CLI_OPTION_COUNT:
        break;
    }
    assert(!"an option that no table has");
    return false;
}

/* ---- The command line ---- */

/* A command's options in the form that getopt_long wants. */
struct getopt_table {
    struct option names[CLI_OPTION_COUNT + 1];
    char letters[3 * CLI_OPTION_COUNT + 2];
};

static void make_table(const struct cli_command *command, struct getopt_table *table)
{
    size_t length = 0;
    /* A colon first: getopt then tells a missing value from an unknown option. */
    table->letters[length++] = ':';
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option_definition *option = &definitions[command->options[i]];
        const bool argument = option->argument != NULL;
        table->names[i] = (struct option){
            .name = option->name,
            .has_arg = argument ? required_argument : no_argument,
            .val = ID_BASE + (int)command->options[i],
        };
        if (option->letter != 0) {
            table->letters[length++] = option->letter;
            if (argument) {
                table->letters[length++] = ':';
            }
        }
    }
    table->letters[length] = '\0';
    table->names[command->option_count] = (struct option){0};
}

/* The option that getopt gave as `got`. */
static enum cli_option_id option_of(const struct cli_command *command, int got)
{
    if (got >= ID_BASE) {
        return (enum cli_option_id)(got - ID_BASE);
    }
    for (size_t i = 0; i < command->option_count; i++) {
        if (definitions[command->options[i]].letter == got) {
            return command->options[i];
        }
    }
    return CLI_OPTION_COUNT;
}

/* How many of the command's options begin with the `length` letters at `word`. */
static size_t count_prefix(const struct cli_command *command, const char *word, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < command->option_count; i++) {
        count += strncmp(definitions[command->options[i]].name, word, length) == 0;
    }
    return count;
}

/* `argument` is what stood on the command line, `got` the letter, or 0 where it was a long one. */
static void complain_unknown(const struct cli_command *command, const char *argument, int got)
{
    if (got > 0 && got < ID_BASE) {
        cli_complain(command->name, "there is no option -%c; " CLI_SEE_HELP, got, command->name);
        return;
    }
    if (got >= ID_BASE) {
        cli_complain(command->name, "--%s takes no value",
                     definitions[option_of(command, got)].name);
        return;
    }
    char word[WORD_MAX + 8];
    const char *name = argument + strspn(argument, "-");
    (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, "="), name);
    const char *names[CLI_OPTION_COUNT];
    for (size_t i = 0; i < command->option_count; i++) {
        names[i] = definitions[command->options[i]].name;
    }
    const char *nearest = cli_suggest(word, names, command->option_count);
    if (count_prefix(command, word, strlen(word)) > 1) {
        cli_complain(command->name, "--%s could be several options; " CLI_SEE_HELP, word,
                     command->name);
    } else if (nearest != NULL) {
        cli_complain(command->name, "there is no option --%s; did you mean --%s?", word, nearest);
    } else {
        cli_complain(command->name, "there is no option --%s; " CLI_SEE_HELP, word, command->name);
    }
}

/* One answer of getopt_long. */
static bool take_option(const struct cli_command *command, int got, const char *argument,
                        struct cli_settings *settings)
{
    if (got == '?') {
        complain_unknown(command, argument, optopt);
        return false;
    }
    const enum cli_option_id id = option_of(command, got == ':' ? optopt : got);
    assert(id < CLI_OPTION_COUNT);
    if (got == ':') {
        cli_complain(command->name, "--%s needs a value, %s; " CLI_SEE_HELP, definitions[id].name,
                     definitions[id].argument, command->name);
        return false;
    }
    const struct reading reading = {command, &definitions[id], optarg};
    return set_option(&reading, id, settings);
}

bool cli_options_read(const struct cli_command *command, int argc, char **argv,
                      struct cli_settings *ret_settings)
{
    struct cli_settings settings = {
        .cost = 1, .repeat = 1, .keys = 1000000, .seconds = 1, .worst = 10, .timeout_us = 1000000};
    struct getopt_table table;
    make_table(command, &table);
    optind = 0; /* glibc: begin anew, and forget what an earlier command line left */
    opterr = 0;
    for (;;) {
        /* A long option that is unknown is told by optopt being left at 0. */
        optopt = 0;
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the program has one thread */
        const int got = getopt_long(argc, argv, table.letters, table.names, NULL);
        if (got == -1) {
            break;
        }
        if (!take_option(command, got, argv[optind - 1], &settings)) {
            return false;
        }
    }
    settings.operands = argv + optind;
    settings.operand_count = (size_t)(argc - optind);
    *ret_settings = settings;
    return true;
}

/* ---- Help ---- */

static void help_option(const struct option_definition *option)
{
    char name[48];
    char letter[8] = "    ";
    if (option->letter != 0) {
        (void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    }
    (void)snprintf(name, sizeof(name), "%s--%s%s%s", letter, option->name,
                   option->argument != NULL ? " " : "",
                   option->argument != NULL ? option->argument : "");
    (void)printf("  %-22s  ", name);
    for (const char *c = option->help; *c != '\0'; c++) {
        (void)putchar(*c);
        if (*c == '\n') {
            (void)printf("%26s", "");
        }
    }
    (void)putchar('\n');
}

int cli_options_help(const struct cli_command *command)
{
    (void)printf("usage: weir %s %s\n\n%s\n\n", command->name, command->operands, command->details);
    for (size_t i = 0; i < command->option_count; i++) {
        help_option(&definitions[command->options[i]]);
    }
    (void)printf("\nExamples:\n%s", command->examples);
    return CLI_ADMITTED;
}
