/* screen.c - see screen.h.
 *
 * Signals come by a descriptor, so that none of them ends the program with the terminal as it then
 * is. Only SIGKILL can: `reset` mends it after that.
 *
 * The sequences are xterm's, which all others know by now: 1049 is the other screen, 25 the cursor,
 * 7 whether a line that is too long goes on in the next. */

#include "cli/screen.h"

#include "cli/wait.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};

/* ---- Taking and giving back ---- */

static void enter(struct cli_screen *screen)
{
    if (screen->keys) {
        /* Keys one by one and unseen; Ctrl-C and Ctrl-Z still are signals. */
        struct termios raw = screen->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    }
    cli_put_text(screen->output, ENTER);
    (void)cli_flush(screen->output);
}

static void leave(struct cli_screen *screen)
{
    cli_put_text(screen->output, LEAVE);
    (void)cli_flush(screen->output);
    if (screen->keys) {
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
    }
}

bool cli_screen_open(struct cli_output *output, struct cli_screen *ret_screen)
{
    struct cli_screen screen = {.output = output};
    sigset_t watched;
    (void)sigemptyset(&watched);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void)sigaddset(&watched, signals[i]);
    }
    const int error = pthread_sigmask(SIG_BLOCK, &watched, &screen.signals_before);
    if (error != 0) {
        errno = error;
        return false;
    }
    screen.watched[0] = signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
    if (screen.watched[0] < 0) {
        (void)pthread_sigmask(SIG_SETMASK, &screen.signals_before, NULL);
        return false;
    }
    screen.watched[1] = STDIN_FILENO;
    screen.keys = tcgetattr(STDIN_FILENO, &screen.before) == 0;
    screen.watched_count = screen.keys ? 2 : 1;
    enter(&screen);
    *ret_screen = screen;
    return true;
}

void cli_screen_close(struct cli_screen *screen)
{
    leave(screen);
    (void)close(screen->watched[0]);
    (void)pthread_sigmask(SIG_SETMASK, &screen->signals_before, NULL);
}

/* ---- What happens ---- */

/* As Ctrl-Z is meant: the shell is back until it says fg. */
static void put_aside(struct cli_screen *screen)
{
    leave(screen);
    (void)raise(SIGSTOP);
    enter(screen);
}

static enum cli_screen_event take_signal(struct cli_screen *screen)
{
    struct signalfd_siginfo about;
    if (read(screen->watched[0], &about, sizeof(about)) != sizeof(about)) {
        return CLI_SCREEN_TIME;
    }
    if (about.ssi_signo == SIGTSTP) {
        put_aside(screen);
        return CLI_SCREEN_REDRAW;
    }
    return about.ssi_signo == SIGWINCH ? CLI_SCREEN_REDRAW : CLI_SCREEN_QUIT;
}

static enum cli_screen_event take_key(void)
{
    char keys[64];
    const ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
    if (count <= 0) {
        return count < 0 && errno == EINTR ? CLI_SCREEN_TIME : CLI_SCREEN_QUIT;
    }
    const bool quit = memchr(keys, 'q', (size_t)count) != NULL ||
                      memchr(keys, 'Q', (size_t)count) != NULL ||
                      memchr(keys, '\003', (size_t)count) != NULL;
    return quit ? CLI_SCREEN_QUIT : CLI_SCREEN_REDRAW;
}

enum cli_screen_event cli_screen_wait(struct cli_screen *screen, int64_t until_us)
{
    struct pollfd watched[2];
    for (size_t i = 0; i < screen->watched_count; i++) {
        watched[i] = (struct pollfd){.fd = screen->watched[i], .events = POLLIN};
    }
    for (;;) {
        const int64_t left_us = until_us - cli_monotonic_us();
        const int left_ms = left_us > 0 ? (int)(left_us / 1000 % INT32_MAX) + 1 : 0;
        const int ready = poll(watched, screen->watched_count, left_ms);
        if (ready < 0 && errno != EINTR) {
            return CLI_SCREEN_QUIT;
        }
        if (ready == 0 && left_us <= 0) {
            return CLI_SCREEN_TIME;
        }
        enum cli_screen_event event = CLI_SCREEN_TIME;
        if (ready > 0 && watched[0].revents != 0) {
            event = take_signal(screen);
        } else if (ready > 0) {
            event = take_key();
        }
        if (event != CLI_SCREEN_TIME) {
            return event;
        }
    }
}

/* ---- Drawing ---- */

void cli_screen_size(const struct cli_screen *screen, size_t *ret_rows, size_t *ret_columns)
{
    struct winsize size = {0};
    const bool known = ioctl(screen->output->fd, TIOCGWINSZ, &size) == 0;
    *ret_rows = known && size.ws_row > 0 ? size.ws_row : 24;
    *ret_columns = known && size.ws_col > 0 ? size.ws_col : 80;
}

void cli_screen_draw_begin(struct cli_screen *screen)
{
    cli_put_text(screen->output, "\033[H");
}

bool cli_screen_draw_end(struct cli_screen *screen)
{
    cli_put_text(screen->output, "\033[J");
    return cli_flush(screen->output);
}
