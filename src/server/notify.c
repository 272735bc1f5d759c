/* notify.c - see notify.h. A message is one datagram of lines NAME=VALUE to the unix socket that
 * NOTIFY_SOCKET names, a path or, after an '@', a name of the abstract kind. That it does not
 * arrive is nobody's failure: systemd then says itself what it has missed. */

#include "server/notify.h"

#include "base/buffer.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The most that a line of status says, in bytes. */
#define STATUS_MAX 200

/* Where systemd listens; 0 where it does not. */
static socklen_t find_socket(struct sockaddr_un *ret_address)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || (path[0] != '/' && path[0] != '@') || path[1] == '\0') {
        return 0;
    }
    const size_t length = strlen(path);
    if (length >= sizeof(ret_address->sun_path)) {
        return 0;
    }
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, length);
    /* A path ends with a NUL; an abstract name begins with one, and its length is its end. */
    const bool is_path = path[0] == '/';
    if (!is_path) {
        ret_address->sun_path[0] = '\0';
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (is_path ? 1 : 0));
}

static void tell(struct weir_bytes message)
{
    struct sockaddr_un address;
    const socklen_t length = find_socket(&address);
    if (length == 0) {
        return;
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return;
    }
    ssize_t sent;
    do {
        sent = sendto(fd, message.ptr, message.len, MSG_NOSIGNAL,
                      (const struct sockaddr *)(const void *)&address, length);
    } while (sent < 0 && errno == EINTR);
    (void)close(fd);
}

void weir_notify_ready(const char *status)
{
    char line[STATUS_MAX + 1];
    const size_t length = strnlen(status, STATUS_MAX);
    for (size_t i = 0; i < length; i++) {
        /* What ends a line would begin another message. */
        line[i] = (unsigned char)status[i] < ' ' ? ' ' : status[i];
    }
    line[length] = '\0';
    struct weir_buffer message = {0};
    weir_buffer_print(&message, "READY=1\nSTATUS=%s\n", line);
    tell(message.failed ? weir_text("READY=1\n") : weir_buffer_bytes(&message));
    weir_buffer_deinit(&message);
}

void weir_notify_reloading(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    struct weir_buffer message = {0};
    weir_buffer_print(&message, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n",
                      (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(weir_buffer_bytes(&message));
    weir_buffer_deinit(&message);
}

void weir_notify_stopping(void)
{
    tell(weir_text("STOPPING=1\n"));
}

void weir_notify_alive(void)
{
    tell(weir_text("WATCHDOG=1\n"));
}

/* The number in an environment variable; 0 where there is none. */
static int64_t read_number(const char *name)
{
    const char *text = getenv(name);
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return 0;
    }
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' ? number : 0;
}

int64_t weir_notify_watchdog_us(void)
{
    const int64_t us = read_number("WATCHDOG_USEC");
    /* With a process named, which is another, it is that one that is watched. */
    if (getenv("WATCHDOG_PID") != NULL && read_number("WATCHDOG_PID") != getpid()) {
        return 0;
    }
    return us;
}
