/* activation.c - see activation.h. systemd has put LISTEN_FDS sockets at the descriptors 3, 4, ...
 * of the process LISTEN_PID; LISTEN_FDNAMES has their names, joined by colons. */

#include "server/activation.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FD 3

/* The most sockets that are looked at: far more than anybody hands over. */
#define SOCKETS_MAX 1024

/* A number of an environment variable; -1 where it is none. */
static long read_number(const char *name)
{
    const char *text = getenv(name);
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return -1;
    }
    char *end;
    errno = 0;
    const long number = strtol(text, &end, 10);
    return errno == 0 && *end == '\0' ? number : -1;
}

/* How many sockets were handed to this process. */
static int count_sockets(void)
{
    const long count = read_number("LISTEN_FDS");
    if (read_number("LISTEN_PID") != getpid() || count < 0 || count > SOCKETS_MAX) {
        return 0;
    }
    return (int)count;
}

/* The name of socket `index`; without names all are called what systemd calls them. */
static struct weir_bytes name_of(int index)
{
    const char *names = getenv("LISTEN_FDNAMES");
    if (names == NULL) {
        return weir_text("unknown");
    }
    for (; index > 0; index--) {
        const char *end = strchr(names, ':');
        if (end == NULL) {
            return weir_text("");
        }
        names = end + 1;
    }
    return weir_bytes(names, strcspn(names, ":"));
}

/* Why `fd` is not what a server listens on; NULL where it is. */
static const char *reason_against(int fd)
{
    int type = 0;
    int listening = 0;
    socklen_t length = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
        return "is no socket";
    }
    length = sizeof(listening);
    if (type != SOCK_STREAM) {
        return "is no stream socket: its unit needs ListenStream=";
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 || listening == 0) {
        return "is not listening: its unit needs Accept=no";
    }
    return NULL;
}

/* A copy of `fd`, as it should be. */
static enum weir_status copy(int fd, const char *name, int *ret_fd, struct weir_error *ret_error)
{
    const char *reason = reason_against(fd);
    if (reason != NULL) {
        weir_error_set(ret_error, 0, 0, "what systemd hands over as %.60s %s", name, reason);
        return WEIR_ERR_SYSTEM;
    }
    const int copied = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    const int flags = copied >= 0 ? fcntl(copied, F_GETFL) : -1;
    if (flags < 0 || fcntl(copied, F_SETFL, flags | O_NONBLOCK) != 0) {
        weir_error_set(ret_error, 0, 0, "what systemd hands over as %.60s: %s", name,
                       strerrordesc_np(errno));
        if (copied >= 0) {
            (void)close(copied);
        }
        return WEIR_ERR_SYSTEM;
    }
    *ret_fd = copied;
    return WEIR_OK;
}

/* That there is no one socket of the name, and which there are. */
static enum weir_status complain(const char *name, int found, int count,
                                 struct weir_error *ret_error)
{
    char names[120] = "";
    size_t used = 0;
    for (int i = 0; i < count && used + 2 < sizeof(names); i++) {
        const struct weir_bytes each = name_of(i);
        const size_t room = sizeof(names) - used - 3;
        const size_t len = each.len < room ? each.len : room;
        memcpy(names + used, i > 0 ? ", " : "", i > 0 ? 2 : 0);
        used += i > 0 ? 2 : 0;
        memcpy(names + used, each.ptr, len);
        used += len;
        names[used] = '\0';
    }
    if (count == 0) {
        weir_error_set(ret_error, 0, 0,
                       "systemd hands no sockets over, so none that is called %.60s", name);
    } else if (found == 0) {
        weir_error_set(ret_error, 0, 0, "systemd hands over no socket %.60s, but: %s", name, names);
    } else {
        weir_error_set(ret_error, 0, 0,
                       "systemd hands over %d sockets %.60s: give each a unit and a "
                       "FileDescriptorName= of its own",
                       found, name);
    }
    return WEIR_ERR_SYSTEM;
}

enum weir_status weir_activation_take(const char *name, int *ret_fd, struct weir_error *ret_error)
{
    const int count = count_sockets();
    int found = 0;
    int index = 0;
    for (int i = 0; i < count; i++) {
        const struct weir_bytes each = name_of(i);
        if (each.len == strlen(name) && memcmp(each.ptr, name, each.len) == 0) {
            found++;
            index = i;
        }
    }
    return found == 1 ? copy(FIRST_FD + index, name, ret_fd, ret_error)
                      : complain(name, found, count, ret_error);
}

void weir_activation_forget(void)
{
    const int count = count_sockets();
    for (int i = 0; i < count; i++) {
        (void)close(FIRST_FD + i);
    }
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
}
