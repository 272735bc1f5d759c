/* top.c - `weir top`: the worst offenders of each rule, live or once. */

#include "cli/command.h"
#include "cli/look.h"
#include "cli/look_table.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/screen.h"
#include "cli/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URL_DEFAULT "http://127.0.0.1:8080"
#define TOKEN_VARIABLE "WEIR_TOKEN"
#define EVERY_US INT64_C(1000000)

/* Lines of a drawing that are no rows: the first, an empty one, the heading, and the cursor's. */
#define LINES_AROUND 4

struct top {
    const struct cli_command *command;
    const struct cli_settings *settings;
    struct cli_http_place place;
    char token[CLI_HTTP_TOKEN_MAX + 1];
    char target[48];
    struct cli_http_question question;
    /* The last that was answered, the one before it, and one to ask with. */
    struct cli_look *last;
    struct cli_look *before;
    struct cli_look *next;
    struct cli_output output;
};

/* ---- What is asked ---- */

/* A token goes into a header: letters without blanks. */
static bool is_token(const char *token)
{
    for (const char *c = token; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            return false;
        }
    }
    return *token != '\0' && strlen(token) <= CLI_HTTP_TOKEN_MAX;
}

/* The file's first line. */
static bool read_token_file(struct top *top, const char *path)
{
    char text[CLI_HTTP_TOKEN_MAX + 2] = {0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    const int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (len < 0) {
        cli_complain(top->command->name, "--token-file: %s: %s", path, strerrordesc_np(error));
        return false;
    }
    text[strcspn(text, "\r\n")] = '\0';
    if (!is_token(text)) {
        cli_complain(top->command->name, "--token-file: %s: expected a token on its first line",
                     path);
        return false;
    }
    (void)snprintf(top->token, sizeof(top->token), "%s", text);
    return true;
}

static bool read_token_variable(struct top *top, const char *name, bool needed)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the program has one thread */
    const char *value = getenv(name);
    if (value == NULL && !needed) {
        return true;
    }
    if (value == NULL || !is_token(value)) {
        cli_complain(top->command->name, "the environment variable %s %s", name,
                     value == NULL ? "is not set" : "holds no token");
        return false;
    }
    (void)snprintf(top->token, sizeof(top->token), "%s", value);
    return true;
}

static bool read_token(struct top *top)
{
    const struct cli_settings *settings = top->settings;
    if (settings->token_file != NULL && settings->token_env != NULL) {
        cli_complain(top->command->name, "--token-file and --token-env are two tokens: say one");
        return false;
    }
    if (settings->token_file != NULL) {
        return read_token_file(top, settings->token_file);
    }
    return settings->token_env != NULL ? read_token_variable(top, settings->token_env, true)
                                       : read_token_variable(top, TOKEN_VARIABLE, false);
}

static bool prepare(struct top *top)
{
    const struct cli_settings *settings = top->settings;
    char message[256];
    if (settings->operand_count > 1) {
        cli_complain(top->command->name, "'%s' is one word too many; " CLI_SEE_HELP,
                     settings->operands[1], top->command->name);
        return false;
    }
    const char *url = settings->operand_count > 0 ? settings->operands[0] : URL_DEFAULT;
    if (!cli_http_place_read(url, &top->place, message)) {
        cli_complain(top->command->name, "'%.200s': %s", url, message);
        return false;
    }
    if (!read_token(top)) {
        return false;
    }
    (void)snprintf(top->target, sizeof(top->target), "/v1/top?count=%" PRIu64, settings->worst);
    top->question = (struct cli_http_question){
        .place = &top->place,
        .target = top->target,
        .token = top->token[0] != '\0' ? top->token : NULL,
        .timeout_us = settings->timeout_us,
    };
    return true;
}

/* Asks; what is answered becomes the last look. */
static enum cli_http_result ask(struct top *top)
{
    struct cli_look *next = top->next;
    const enum cli_http_result result = cli_look(&top->question, next);
    if (result == CLI_HTTP_ANSWERED) {
        top->next = top->before;
        top->before = top->last;
        top->last = next;
    }
    return result;
}

/* ---- Once ---- */

static void show_once(struct top *top)
{
    const struct cli_look_shape shape = {.line_end = "\n"};
    if (top->settings->json) {
        cli_put_look_json(&top->output, top->last);
    } else {
        cli_put_look(&top->output, top->last, &shape);
    }
}

/* ---- Live ---- */

/* Where and when, or why there is nothing newer. */
static void draw_first_line(struct top *top, const char *failure, size_t columns)
{
    static const char name[] = "weir top";
    char line[400];
    const struct weir_bytes at = top->last->at;
    if (*failure != '\0') {
        (void)snprintf(line, sizeof(line), "%.*s", (int)(columns < 300 ? columns : 300), failure);
        cli_put_styled(&top->output, CLI_RED, line);
        return;
    }
    cli_put_styled(&top->output, CLI_BOLD, name);
    (void)snprintf(line, sizeof(line), "  %.300s  %.*s  q ends", top->place.shown,
                   (int)(at.len < 40 ? at.len : 40), at.len > 0 ? at.ptr : "");
    if (columns > strlen(name)) {
        cli_put_harmless(&top->output, weir_text(line), columns - strlen(name));
    }
}

static bool draw(struct top *top, struct cli_screen *screen, const char *failure)
{
    size_t rows;
    size_t columns;
    cli_screen_size(screen, &rows, &columns);
    const struct cli_look_shape shape = {
        .before = top->before,
        .columns = columns,
        .rows = rows > LINES_AROUND ? rows - LINES_AROUND : 1,
        .line_end = CLI_SCREEN_LINE_END,
    };
    cli_screen_draw_begin(screen);
    draw_first_line(top, failure, columns);
    cli_put_text(&top->output, CLI_SCREEN_LINE_END CLI_SCREEN_LINE_END);
    cli_put_look(&top->output, top->last, &shape);
    return cli_screen_draw_end(screen);
}

/* Until somebody ends it. A server that is gone for a while is shown as such. */
static void watch(struct top *top, struct cli_screen *screen)
{
    const int64_t every_us = top->settings->every_us > 0 ? top->settings->every_us : EVERY_US;
    const char *failure = "";
    int64_t due_us = cli_monotonic_us() + every_us;
    while (draw(top, screen, failure)) {
        const enum cli_screen_event event = cli_screen_wait(screen, due_us);
        if (event == CLI_SCREEN_QUIT) {
            return;
        }
        if (event == CLI_SCREEN_REDRAW) {
            continue;
        }
        const enum cli_http_result result = ask(top);
        /* What interrupted it is looked at by the next wait, and then it is still due. */
        if (result != CLI_HTTP_INTERRUPTED) {
            failure = result == CLI_HTTP_FAILED ? top->next->answer.message : "";
            const int64_t now_us = cli_monotonic_us();
            due_us = due_us + every_us > now_us ? due_us + every_us : now_us + every_us;
        }
    }
}

static bool show_live(struct top *top)
{
    struct cli_screen screen;
    if (!cli_screen_open(&top->output, &screen)) {
        cli_complain(top->command->name, "the terminal: %s", strerrordesc_np(errno));
        return false;
    }
    top->question.watched = screen.watched;
    top->question.watched_count = screen.watched_count;
    watch(top, &screen);
    cli_screen_close(&screen);
    return true;
}

/* ---- The command ---- */

static enum cli_exit show(struct top *top)
{
    if (ask(top) != CLI_HTTP_ANSWERED) {
        cli_complain(top->command->name, "%s", top->next->answer.message);
        return CLI_ERROR;
    }
    if (!cli_output_open(top->command, top->settings, &top->output)) {
        return CLI_ERROR;
    }
    bool shown = true;
    if (top->output.terminal && !top->settings->once && !top->settings->json) {
        shown = show_live(top);
    } else {
        show_once(top);
    }
    return cli_output_close(top->command, &top->output, shown ? CLI_ADMITTED : CLI_ERROR);
}

static enum cli_exit run(const struct cli_command *command, const struct cli_settings *settings)
{
    struct top top = {.command = command, .settings = settings};
    struct cli_look *looks = calloc(3, sizeof(*looks));
    if (looks == NULL) {
        cli_complain(command->name, "out of memory");
        return CLI_ERROR;
    }
    top.last = &looks[0];
    top.before = &looks[1];
    top.next = &looks[2];
    const enum cli_exit code = prepare(&top) ? show(&top) : CLI_ERROR;
    for (size_t i = 0; i < 3; i++) {
        cli_look_deinit(&looks[i]);
    }
    free(looks);
    return code;
}

static const enum cli_option_id options[] = {
    CLI_OPTION_WORST,      CLI_OPTION_EVERY_LOOK, CLI_OPTION_ONCE,
    CLI_OPTION_TOKEN_FILE, CLI_OPTION_TOKEN_ENV,  CLI_OPTION_TIMEOUT,
    CLI_OPTION_JSON_LOOK,  CLI_OPTION_COLOR,      CLI_OPTION_HELP,
};

const struct cli_command cli_command_top = {
    .name = "top",
    .operands = "[URL] [OPTION...]",
    .summary = "show who is denied most, live",
    .details =
        "Asks a server for the keys that were denied most, and shows them, again and again, until\n"
        "q or Ctrl-C; once, where the output is no terminal. URL is http://HOST:PORT, by default\n"
        "" URL_DEFAULT ", or unix:/PATH. Where a count is not known exactly, it lies\n"
        "between the two numbers that are shown. A token is taken from --token-file, --token-env,\n"
        "or the environment variable " TOKEN_VARIABLE ".",
    .examples = "  weir top\n"
                "  weir top --once --count 3 http://127.0.0.1:8080\n"
                "  weir top --json unix:/run/weir/http.sock\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .run = run,
};
