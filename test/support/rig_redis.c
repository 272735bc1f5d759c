/* rig_redis.c - see rig.h: one server. */

#include "support/rig.h"
#include "support/rig_clock.h"
#include "support/rig_command.h"
#include "support/rig_process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Another program than a rig may take a port between our look at it and the server's. */
#define START_ATTEMPTS 5

/* Debian's redis-tools has the server under the other name (the name it is called by decides what
 * it is), and unlike the package redis-server starts none when it is installed. */
#define USUAL_NAME "redis-server"
#define OTHER_NAME "redis-check-rdb"

#define ENVIRONMENT_MAX 16

/* Valkey 9.1 looks at the clock but every now and then, and counts on in between. */
#define CLOCK_SLACK_US 20000

struct rig_redis {
    struct rig_redis_options options;
    pid_t process; /* 0: none runs */
    struct rig_port port;
    struct rig_port tls_port;
    char folder[96];
    char socket[128];
    char url[192];
    char tls_url[192];
    struct rig_certificates certificates;
};

/* ---- Its files ---- */

static void path_in(const struct rig_redis *redis, const char *name, char path[static 128])
{
    rig_format(path, 128, "%s/%s", redis->folder, name);
}

/* A line of the configuration, with the folder's path for the word FOLDER. */
static void write_line(FILE *file, const char *line, const char *folder)
{
    static const char word[] = "FOLDER";
    const char *found = strstr(line, word);
    while (found != NULL) {
        (void)fprintf(file, "%.*s%s", (int)(found - line), line, folder);
        line = found + sizeof(word) - 1;
        found = strstr(line, word);
    }
    (void)fprintf(file, "%s\n", line);
}

static void write_tls(FILE *file, const struct rig_redis *redis)
{
    const struct rig_certificates *certificates = &redis->certificates;
    (void)fprintf(file,
                  "tls-port %u\ntls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s\n"
                  "tls-auth-clients %s\n",
                  redis->tls_port.number, certificates->server, certificates->server_key,
                  certificates->authority, redis->options.tls_clients ? "yes" : "no");
}

static void write_configuration(const struct rig_redis *redis)
{
    char path[128];
    path_in(redis, "redis.conf", path);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        rig_fail("%s: %s", path, strerror(errno));
    }
    (void)fprintf(file,
                  "bind 127.0.0.1 -::1\nport %u\nunixsocket %s\ndir %s\nsave \"\"\nappendonly no\n",
                  redis->port.number, redis->socket, redis->folder);
    if (redis->options.password != NULL) {
        (void)fprintf(file, "requirepass %s\nmasterauth %s\n", redis->options.password,
                      redis->options.password);
    }
    if (redis->options.tls) {
        write_tls(file, redis);
    }
    const char *const *lines = redis->options.lines;
    for (size_t i = 0; lines != NULL && lines[i] != NULL; i++) {
        write_line(file, lines[i], redis->folder);
    }
    (void)fclose(file);
}

static void write_clock(const struct rig_redis *redis, int64_t offset_us)
{
    char path[128];
    path_in(redis, "clock", path);
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || pwrite(file, &offset_us, sizeof(offset_us), 0) != (ssize_t)sizeof(offset_us)) {
        rig_fail("%s: %s", path, strerror(errno));
    }
    (void)close(file);
}

/* ---- Starting ---- */

static const char *server_program(const struct rig_redis *redis)
{
    const char *named = getenv("WEIR_TEST_SERVER");
    if (redis->options.server != NULL) {
        return redis->options.server;
    }
    return named != NULL && named[0] != '\0' ? named : USUAL_NAME;
}

static void spawn(struct rig_redis *redis)
{
    char configuration[128];
    char log[128];
    char clock[160];
    path_in(redis, "redis.conf", configuration);
    path_in(redis, "log", log);
    rig_format(clock, sizeof(clock), "%s=%s/clock", RIG_CLOCK_VARIABLE, redis->folder);
    const char *environment[ENVIRONMENT_MAX + 8] = {NULL};
    size_t count = 0;
    const char *const *more = redis->options.environment;
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        assert(count < ENVIRONMENT_MAX);
        environment[count++] = more[i];
    }
    if (redis->options.clock) {
        environment[count++] = "LD_PRELOAD=" RIG_CLOCK_LIBRARY;
        environment[count++] = clock;
    }
    const char *const words[] = {server_program(redis), configuration,
                                 redis->options.sentinel ? "--sentinel" : NULL, NULL};
    const char *otherwise = strcmp(words[0], USUAL_NAME) == 0 ? OTHER_NAME : NULL;
    const struct rig_program program = {words, otherwise, environment, redis->folder, log};
    redis->process = rig_process_start(&program);
}

/* What the server said, for a last word; in static memory. */
static const char *log_of(const struct rig_redis *redis)
{
    static char text[4096];
    char path[128];
    path_in(redis, "log", path);
    FILE *file = fopen(path, "r");
    size_t len = 0;
    if (file != NULL) {
        len = fread(text, 1, sizeof(text) - 1, file);
        (void)fclose(file);
    }
    text[len] = '\0';
    return text;
}

/* Waits until it answers; false where it ended instead. */
static bool await_answer(struct rig_redis *redis)
{
    const int64_t last = rig_monotonic_ms() + RIG_PATIENCE_MS;
    while (rig_monotonic_ms() < last) {
        if (rig_process_ended(redis->process)) {
            redis->process = 0;
            return false;
        }
        const char *reply = rig_redis_command(redis, "PING", NULL);
        if (strcmp(reply, "PONG") == 0 || strncmp(reply, "(error) NOAUTH", 14) == 0 ||
            strncmp(reply, "(error) NOPERM", 14) == 0) {
            return true;
        }
        rig_sleep_ms(2);
    }
    rig_fail("a server does not answer within %d ms:\n%s", RIG_PATIENCE_MS, log_of(redis));
}

static void name_urls(struct rig_redis *redis)
{
    const char *password = redis->options.password;
    const char *before = password != NULL ? ":" : "";
    const char *after = password != NULL ? "@" : "";
    password = password != NULL ? password : "";
    rig_format(redis->url, sizeof(redis->url), "redis://%s%s%s127.0.0.1:%u", before, password,
               after, redis->port.number);
    rig_format(redis->tls_url, sizeof(redis->tls_url), "rediss://%s%s%s127.0.0.1:%u", before,
               password, after, redis->tls_port.number);
}

static void prepare(struct rig_redis *redis)
{
    redis->port = redis->options.port != 0 ? rig_port_reserve_number(redis->options.port)
                                           : rig_port_reserve();
    if (redis->options.tls) {
        redis->tls_port = rig_port_reserve();
    }
    rig_folder_make(redis->folder);
    path_in(redis, "socket", redis->socket);
    if (redis->options.certificates != NULL) {
        redis->certificates = *redis->options.certificates;
    } else if (redis->options.tls) {
        rig_certificates_make(redis->folder, &redis->certificates);
    }
    name_urls(redis);
    write_configuration(redis);
    write_clock(redis, 0);
}

static void forget(struct rig_redis *redis)
{
    rig_port_release(&redis->port);
    rig_port_release(&redis->tls_port);
    rig_folder_remove(redis->folder);
}

struct rig_redis *rig_redis_start(const struct rig_redis_options *options)
{
    struct rig_redis *redis = calloc(1, sizeof(*redis));
    if (redis == NULL) {
        rig_fail("no memory");
    }
    if (options != NULL) {
        redis->options = *options;
    }
    for (unsigned attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
        prepare(redis);
        spawn(redis);
        if (await_answer(redis)) {
            return redis;
        }
        if (strstr(log_of(redis), "ddress already in use") == NULL) {
            break;
        }
        forget(redis);
    }
    rig_fail("a server does not start:\n%s", log_of(redis));
}

void rig_redis_stop(struct rig_redis *redis)
{
    if (redis == NULL) {
        return;
    }
    if (redis->process != 0) {
        rig_process_end(redis->process);
    }
    forget(redis);
    free(redis);
}

/* ---- What befalls it ---- */

void rig_redis_kill(struct rig_redis *redis, int signal_number)
{
    assert(redis->process != 0 && "it has ended before");
    if (kill(redis->process, signal_number) != 0) {
        rig_fail("process %d: %s", (int)redis->process, strerror(errno));
    }
    const int64_t last = rig_monotonic_ms() + RIG_PATIENCE_MS;
    while (!rig_process_ended(redis->process)) {
        if (rig_monotonic_ms() > last) {
            rig_fail("process %d does not end by signal %d", (int)redis->process, signal_number);
        }
        rig_sleep_ms(1);
    }
    redis->process = 0;
}

/* Sends a signal that changes whether it runs, and waits until it has. */
static void change(const struct rig_redis *redis, int signal_number, int event)
{
    assert(redis->process != 0 && "it has ended before");
    int status = 0;
    if (kill(redis->process, signal_number) != 0 ||
        waitpid(redis->process, &status, event) != redis->process || WIFEXITED(status) ||
        WIFSIGNALED(status)) {
        rig_fail("process %d: signal %d does not tell: status %d", (int)redis->process,
                 signal_number, status);
    }
}

void rig_redis_pause(struct rig_redis *redis)
{
    change(redis, SIGSTOP, WUNTRACED);
}

void rig_redis_resume(struct rig_redis *redis)
{
    change(redis, SIGCONT, WCONTINUED);
}

void rig_redis_restart(struct rig_redis *redis)
{
    if (redis->process != 0) {
        rig_redis_kill(redis, SIGKILL);
    }
    spawn(redis);
    if (!await_answer(redis)) {
        rig_fail("a server does not start again:\n%s", log_of(redis));
    }
}

struct shift {
    const struct rig_redis *redis;
    int64_t offset_us;
};

static int64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool has_shifted(void *context)
{
    const struct shift *wanted = context;
    const int64_t before_us = now_us() + wanted->offset_us;
    const char *reply = rig_redis_command(wanted->redis, "TIME", NULL);
    const int64_t after_us = now_us() + wanted->offset_us;
    const char *second = strchr(reply, '\n');
    if (second == NULL) {
        return true;
    }
    const int64_t said_us = strtoll(reply, NULL, 10) * 1000000 + strtoll(second, NULL, 10);
    return said_us >= before_us - CLOCK_SLACK_US && said_us <= after_us + CLOCK_SLACK_US;
}

void rig_redis_shift_clock(struct rig_redis *redis, int64_t offset_us)
{
    assert(redis->options.clock && "needs the option clock");
    struct shift wanted = {redis, offset_us};
    write_clock(redis, offset_us);
    rig_wait(has_shifted, &wanted, "the server's clock has moved");
}

/* ---- Asking it ---- */

const char *rig_redis_command(const struct rig_redis *redis, ...)
{
    va_list arguments;
    va_start(arguments, redis);
    const char *reply = rig_command_list(redis->port.number, redis->options.password, &arguments);
    va_end(arguments);
    return reply;
}

/* What stands after "NAME:" in INFO's text, or NULL. */
static const char *info_text(const struct rig_redis *redis, const char *name)
{
    const char *line = rig_redis_command(redis, "INFO", "everything", NULL);
    const size_t len = strlen(name);
    while (line != NULL) {
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            return line + len + 1;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return NULL;
}

int64_t rig_redis_info(const struct rig_redis *redis, const char *name)
{
    const char *text = info_text(redis, name);
    return text != NULL ? strtoll(text, NULL, 10) : -1;
}

bool rig_redis_is_valkey(const struct rig_redis *redis)
{
    return info_text(redis, "valkey_version") != NULL;
}

unsigned rig_redis_version(const struct rig_redis *redis)
{
    const char *text = info_text(redis, "valkey_version");
    if (text == NULL) {
        text = info_text(redis, "redis_version");
    }
    unsigned version = 0;
    for (unsigned part = 0; part < 3; part++) {
        char *end = NULL;
        const unsigned long number = text != NULL ? strtoul(text, &end, 10) : 0;
        assert(number < 100);
        version = version * 100 + (unsigned)number;
        text = end != NULL && *end == '.' ? end + 1 : NULL;
    }
    return version;
}

/* ---- What it is ---- */

uint16_t rig_redis_port(const struct rig_redis *redis)
{
    return redis->port.number;
}

uint16_t rig_redis_tls_port(const struct rig_redis *redis)
{
    assert(redis->options.tls && "needs the option tls");
    return redis->tls_port.number;
}

pid_t rig_redis_pid(const struct rig_redis *redis)
{
    return redis->process;
}

const char *rig_redis_socket(const struct rig_redis *redis)
{
    return redis->socket;
}

const char *rig_redis_folder(const struct rig_redis *redis)
{
    return redis->folder;
}

const char *rig_redis_url(const struct rig_redis *redis)
{
    return redis->url;
}

const char *rig_redis_tls_url(const struct rig_redis *redis)
{
    assert(redis->options.tls && "needs the option tls");
    return redis->tls_url;
}

const struct rig_certificates *rig_redis_certificates(const struct rig_redis *redis)
{
    assert(redis->options.tls && "needs the option tls");
    return &redis->certificates;
}
