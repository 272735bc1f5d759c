/* rig_process.c - see rig_process.h.
 *
 * Invariant: whoever a rig starts is its child, is not waited for by anybody else, and so has a
 * process id that is nobody else's until the rig itself has seen it end. */

#include "support/rig_process.h"

#include "support/rig.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Listening ports are taken from 10000 to 19999, so that the bus ports of clusters are 20000 to
 * 29999: neither meets the other, nor the kernel's ports for outgoing connections, from 32768. */
#define PORT_FIRST 10000U
#define PORT_COUNT 10000U
#define PORT_BUS 10000U
#define PORT_ATTEMPTS 1000

/* How long a program has to end by itself. */
#define END_MS 3000

#define ENVIRONMENT_MAX 256
#define DESCRIPTORS_MAX 1024

void rig_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("rig: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    abort();
}

void rig_format(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, size, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= size) {
        rig_fail("%s: too long", format);
    }
}

int64_t rig_monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void rig_sleep_ms(int64_t ms)
{
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}

void rig_wait(rig_condition *condition, void *context, const char *what)
{
    const int64_t last = rig_monotonic_ms() + RIG_PATIENCE_MS;
    while (!condition(context)) {
        if (rig_monotonic_ms() > last) {
            rig_fail("waited %d ms in vain: %s", RIG_PATIENCE_MS, what);
        }
        rig_sleep_ms(5);
    }
}

/* ---- Folders ---- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

void rig_folder_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Removes the folders in `base` whose makers are gone. */
static void remove_left_over(const char *base)
{
    DIR *entries = opendir(base);
    if (entries == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        static const char prefix[] = "weir-rig-";
        if (strncmp(entry->d_name, prefix, sizeof(prefix) - 1) != 0) {
            continue;
        }
        const long maker = strtol(entry->d_name + sizeof(prefix) - 1, NULL, 10);
        if (maker > 0 && kill((pid_t)maker, 0) != 0 && errno == ESRCH) {
            char path[512];
            rig_format(path, sizeof(path), "%s/%s", base, entry->d_name);
            rig_folder_remove(path);
        }
    }
    (void)closedir(entries);
}

void rig_folder_make(char path[static 96])
{
    const char *base = getenv("TMPDIR");
    if (base == NULL || strlen(base) > 40) {
        base = "/tmp";
    }
    remove_left_over(base);
    rig_format(path, 96, "%s/weir-rig-%d-XXXXXX", base, (int)getpid());
    if (mkdtemp(path) == NULL) {
        rig_fail("%s: %s", path, strerror(errno));
    }
}

/* ---- Ports ---- */

/* A name that one socket of this machine can have, and that is gone with the socket; -1 where
 * somebody has it. */
static int reserve(uint16_t number)
{
    const int name = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (name < 0) {
        rig_fail("a socket: %s", strerror(errno));
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    rig_format(address.sun_path + 1, sizeof(address.sun_path) - 1, "weir-rig-port-%u", number);
    const size_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1);
    if (bind(name, (struct sockaddr *)&address, (socklen_t)length) != 0) {
        (void)close(name);
        return -1;
    }
    return name;
}

static bool nobody_listens(unsigned number)
{
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)number),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const bool is_free = bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(listener);
    return is_free;
}

struct rig_port rig_port_reserve(void)
{
    for (unsigned attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
        uint32_t random = 0;
        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
            rig_fail("random bytes: %s", strerror(errno));
        }
        struct rig_port port = {.number = (uint16_t)(PORT_FIRST + random % PORT_COUNT)};
        port.reservation = reserve(port.number);
        if (port.reservation < 0) {
            continue;
        }
        if (nobody_listens(port.number) && nobody_listens(port.number + PORT_BUS)) {
            return port;
        }
        (void)close(port.reservation);
    }
    rig_fail("no free port among %u", PORT_COUNT);
}

struct rig_port rig_port_reserve_number(uint16_t number)
{
    const struct rig_port port = {number, reserve(number)};
    if (port.reservation < 0) {
        rig_fail("port %u is another rig's", number);
    }
    return port;
}

void rig_port_release(struct rig_port *port)
{
    if (port->number != 0) {
        (void)close(port->reservation);
    }
    *port = (struct rig_port){0, -1};
}

/* ---- Processes ---- */

/* The child's way into the program; calls only what a child of many threads may. */
static noreturn void become(const struct rig_program *program, char *const *environment, int log,
                            pid_t parent)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || chdir(program->folder) != 0) {
        _exit(127);
    }
    const int nothing = open("/dev/null", O_RDONLY);
    (void)dup2(nothing, STDIN_FILENO);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    /* An emulator may know no close_range. */
    if (close_range(STDERR_FILENO + 1, ~0U, 0) != 0) {
        for (int other = STDERR_FILENO + 1; other < DESCRIPTORS_MAX; other++) {
            (void)close(other);
        }
    }
    char *const *words = (char *const *)(uintptr_t)program->words;
    (void)execvpe(words[0], words, environment);
    if (program->otherwise != NULL) {
        (void)execvpe(program->otherwise, words, environment);
    }
    (void)dprintf(STDERR_FILENO, "%s: %s\n", words[0], strerror(errno));
    _exit(127);
}

pid_t rig_process_start(const struct rig_program *program)
{
    /* Ours first: of two with one name, the first counts. */
    const char *environment[ENVIRONMENT_MAX];
    size_t count = 0;
    for (size_t i = 0; program->environment != NULL && program->environment[i] != NULL; i++) {
        assert(count + 1 < ENVIRONMENT_MAX);
        environment[count++] = program->environment[i];
    }
    for (size_t i = 0; environ[i] != NULL && count + 1 < ENVIRONMENT_MAX; i++) {
        environment[count++] = environ[i];
    }
    environment[count] = NULL;
    const int log = open(program->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        rig_fail("%s: %s", program->log, strerror(errno));
    }
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        become(program, (char *const *)(uintptr_t)environment, log, parent);
    }
    if (child < 0) {
        rig_fail("fork: %s", strerror(errno));
    }
    (void)close(log);
    return child;
}

bool rig_process_ended(pid_t process)
{
    int status = 0;
    pid_t ended;
    do {
        ended = waitpid(process, &status, WNOHANG);
    } while (ended < 0 && errno == EINTR);
    return ended == process || (ended < 0 && errno == ECHILD);
}

void rig_process_end(pid_t process)
{
    (void)kill(process, SIGCONT);
    (void)kill(process, SIGTERM);
    const int64_t last = rig_monotonic_ms() + END_MS;
    while (!rig_process_ended(process)) {
        if (rig_monotonic_ms() > last) {
            (void)kill(process, SIGKILL);
            (void)waitpid(process, NULL, 0);
            return;
        }
        rig_sleep_ms(1);
    }
}
