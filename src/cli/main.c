/* main.c - the program `weir`: finds the command and lets it run. command.h says what a command is.
 */

#include "cli/command.h"
#include "cli/message.h"
#include "weir/weir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_command *const commands[] = {
    &cli_command_serve, &cli_command_validate, &cli_command_explain, &cli_command_check,
    &cli_command_limit, &cli_command_reset,    &cli_command_refund,  &cli_command_stats,
    &cli_command_top,   &cli_command_store,    &cli_command_bench,   &cli_command_demo,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *stream)
{
    (void)fprintf(stream, "usage: weir COMMAND [OPTION...] [ARGUMENT...]\n\n"
                          "weir limits how often something may happen.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        (void)fprintf(stream, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
    }
    (void)fprintf(stream,
                  "\n  weir COMMAND --help   what a command does, its options, examples\n"
                  "  weir --version        the version of the program and its library\n\n"
                  "Try: weir demo\n"
                  "     weir limit '100/m burst 20'\n"
                  "     weir check user123 --limit '5/10s fixed-window' --repeat 7 --every 1s\n");
}

static const struct cli_command *find_command(const char *name)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
        names[i] = commands[i]->name;
    }
    const char *nearest = cli_suggest(name, names, COMMAND_COUNT);
    if (nearest != NULL) {
        cli_complain(NULL, "there is no command '%s'; did you mean weir %s?", name, nearest);
    } else {
        cli_complain(NULL, "there is no command '%s'; see weir --help", name);
    }
    return NULL;
}

/* What went to stdio, as help does, must have arrived like everything else. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return code;
    }
    if (errno != EPIPE) {
        cli_complain(NULL, "can't write to standard output: %s", strerrordesc_np(errno));
    }
    return CLI_ERROR;
}

static int run_command(int argc, char **argv)
{
    const struct cli_command *command = find_command(argv[0]);
    struct cli_settings settings;
    if (command == NULL || !cli_options_read(command, argc, argv, &settings)) {
        return CLI_ERROR;
    }
    return settings.help ? finish(cli_options_help(command))
                         : (int)command->run(command, &settings);
}

static int run_help(int argc, char **argv)
{
    if (argc < 2) {
        usage(stdout);
        return finish(CLI_ADMITTED);
    }
    const struct cli_command *command = find_command(argv[1]);
    return command != NULL ? finish(cli_options_help(command)) : CLI_ERROR;
}

/* Were one of the three standard descriptors closed, the next file opened would take its number: a
 * store, and then our output would go into it. What is put there refuses what it is not for. */
static bool claim_descriptors(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", modes[fd] | O_CLOEXEC) != fd) {
            return false;
        }
    }
    return true;
}

static bool is_any(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

int main(int argc, char **argv)
{
    /* A reader that went away is then an error of write, which output.c knows. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (!claim_descriptors() || sigaction(SIGPIPE, &ignore, NULL) != 0) {
        return CLI_ERROR;
    }
    if (argc < 2) {
        usage(stderr);
        return CLI_ERROR;
    }
    if (is_any(argv[1], "--version", "-V", "version")) {
        (void)printf("weir %s (libweir %s)\n", WEIR_VERSION, weir_version());
        return finish(CLI_ADMITTED);
    }
    if (is_any(argv[1], "--help", "-h", "help")) {
        return run_help(argc - 1, argv + 1);
    }
    if (argv[1][0] == '-') {
        cli_complain(NULL, "'%s' is no command; the command comes first: see weir --help", argv[1]);
        return CLI_ERROR;
    }
    return run_command(argc - 1, argv + 1);
}
