/* listener.c - see listener.h.
 *
 * A unix socket's file that is already there is taken over only where nobody answers at it: what a
 * crash left behind must not stop the next start, and a server that runs must not lose its door. */

#include "server/listener.h"

#include "base/error.h"
#include "server/activation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* One listener on its way to being open. */
struct opening {
    const struct weir_listener *listener;
    uint16_t port; /* the one it has, where any would do */
    char *address; /* 128 bytes */
    struct weir_error *error;
};

static enum weir_status refuse(const struct opening *opening, const char *what, int number)
{
    weir_error_set(opening->error, 0, 0, "can't listen at %s: %s: %s", opening->address, what,
                   strerrordesc_np(number));
    return WEIR_ERR_SYSTEM;
}

/* ---- Addresses ----------------------------------------------------------------------------- */

struct socket_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } as;
    socklen_t len;
};

static bool read_address(const char *host, uint16_t port, struct socket_address *address)
{
    *address = (struct socket_address){.len = sizeof(address->as.v4)};
    if (inet_pton(AF_INET, host, &address->as.v4.sin_addr) == 1) {
        address->as.v4.sin_family = AF_INET;
        address->as.v4.sin_port = htons(port);
        return true;
    }
    address->len = sizeof(address->as.v6);
    address->as.v6.sin6_family = AF_INET6;
    address->as.v6.sin6_port = htons(port);
    return inet_pton(AF_INET6, host, &address->as.v6.sin6_addr) == 1;
}

static void write_address(const struct opening *opening, uint16_t port)
{
    const char *host = opening->listener->host;
    (void)snprintf(opening->address, 128, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)port);
}

static enum weir_status open_address(struct opening *opening, int *ret_fd)
{
    struct socket_address address;
    const int on = 1;
    write_address(opening, opening->port);
    if (!read_address(opening->listener->host, opening->port, &address)) {
        return refuse(opening, "no address", EINVAL);
    }
    const int fd = socket(address.as.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return refuse(opening, "socket", errno);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        bind(fd, &address.as.any, address.len) != 0 || listen(fd, WEIR_LISTEN_BACKLOG) != 0) {
        const int number = errno;
        (void)close(fd);
        return refuse(opening, "bind", number);
    }
    address.len = sizeof(address.as);
    if (getsockname(fd, &address.as.any, &address.len) == 0) {
        opening->port = ntohs(address.as.any.sa_family == AF_INET ? address.as.v4.sin_port
                                                                  : address.as.v6.sin6_port);
    }
    write_address(opening, opening->port);
    *ret_fd = fd;
    return WEIR_OK;
}

/* Another server that was started with the same port, by the same user, would share it without a
 * word: what is fine among workers is a mistake here. */
static enum weir_status look_for_others(struct opening *opening)
{
    struct socket_address address;
    const int on = 1;
    if (opening->port == 0 || !read_address(opening->listener->host, opening->port, &address)) {
        return WEIR_OK;
    }
    const int fd = socket(address.as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return refuse(opening, "socket", errno);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    const int failed = bind(fd, &address.as.any, address.len) != 0 ? errno : 0;
    (void)close(fd);
    return failed == 0 ? WEIR_OK : refuse(opening, "bind", failed);
}

/* ---- Unix sockets -------------------------------------------------------------------------- */

/* Whether somebody answers at the address. */
static bool is_served(const struct socket_address *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool served =
        fd >= 0 && (connect(fd, &address->as.any, address->len) == 0 || errno == EAGAIN);
    if (fd >= 0) {
        (void)close(fd);
    }
    return served;
}

static enum weir_status clear_path(const struct opening *opening,
                                   const struct socket_address *address)
{
    struct stat found;
    const char *path = opening->listener->path;
    if (lstat(path, &found) != 0) {
        return errno == ENOENT ? WEIR_OK : refuse(opening, "stat", errno);
    }
    if (!S_ISSOCK(found.st_mode)) {
        return refuse(opening, "what is there is no socket", EEXIST);
    }
    if (is_served(address)) {
        return refuse(opening, "somebody serves it", EADDRINUSE);
    }
    return unlink(path) == 0 ? WEIR_OK : refuse(opening, "unlink", errno);
}

static enum weir_status open_path(struct opening *opening, int *ret_fd)
{
    const char *path = opening->listener->path;
    struct socket_address address = {.len = sizeof(address.as.local)};
    (void)snprintf(opening->address, 128, "%s", path);
    if (strlen(path) >= sizeof(address.as.local.sun_path)) {
        return refuse(opening, "the path", ENAMETOOLONG);
    }
    address.as.local.sun_family = AF_UNIX;
    memcpy(address.as.local.sun_path, path, strlen(path));
    enum weir_status status = clear_path(opening, &address);
    if (status != WEIR_OK) {
        return status;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return refuse(opening, "socket", errno);
    }
    /* Nobody may connect before the file has its mode: until it listens nobody can. */
    if (bind(fd, &address.as.any, address.len) != 0 || chmod(path, opening->listener->mode) != 0 ||
        listen(fd, WEIR_LISTEN_BACKLOG) != 0) {
        const int number = errno;
        (void)close(fd);
        return refuse(opening, "bind", number);
    }
    *ret_fd = fd;
    return WEIR_OK;
}

/* ---- Sockets that systemd hands over ------------------------------------------------------- */

/* Whether only this machine's processes can connect. */
static bool is_of_this_machine(int fd)
{
    struct socket_address address = {.len = sizeof(address.as)};
    if (getsockname(fd, &address.as.any, &address.len) != 0) {
        return false;
    }
    switch (address.as.any.sa_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return ntohl(address.as.v4.sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&address.as.v6.sin6_addr) != 0;
    default:
        return false;
    }
}

/* Where it listens is systemd's to say, and known only now: the rule that config_listen.c holds
 * addresses to is held here. */
static enum weir_status open_systemd(struct opening *opening, int *ret_fd)
{
    const struct weir_listener *listener = opening->listener;
    int fd = -1;
    (void)snprintf(opening->address, 128, "systemd:%s", listener->systemd);
    const enum weir_status status = weir_activation_take(listener->systemd, &fd, opening->error);
    if (status != WEIR_OK) {
        return status;
    }
    const bool asks = listener->token_count > 0 ||
                      (listener->tls != NULL && listener->tls->client_authority != NULL);
    if (!asks && !listener->insecure && !is_of_this_machine(fd)) {
        (void)close(fd);
        weir_error_set(opening->error, 0, 0,
                       "the socket %s is open to other machines, and asks for no token and no "
                       "client certificate: give it tokens, or say insecure: true",
                       opening->address);
        return WEIR_ERR_SYSTEM;
    }
    *ret_fd = fd;
    return WEIR_OK;
}

/* ---- All of them --------------------------------------------------------------------------- */

static enum weir_status open_first(struct opening *opening, int *ret_fd)
{
    if (opening->listener->systemd != NULL) {
        return open_systemd(opening, ret_fd);
    }
    if (opening->listener->path != NULL) {
        return open_path(opening, ret_fd);
    }
    const enum weir_status status = look_for_others(opening);
    return status == WEIR_OK ? open_address(opening, ret_fd) : status;
}

/* The sockets of one listener: listening[w].fds[index] for each worker. */
static enum weir_status open_listener(struct opening *opening, uint32_t workers,
                                      struct weir_listening *listening, size_t index)
{
    int first = -1;
    enum weir_status status = open_first(opening, &first);
    for (uint32_t w = 0; w < workers && status == WEIR_OK; w++) {
        int fd = first;
        if (w > 0 && opening->listener->host != NULL) {
            status = open_address(opening, &fd);
        } else if (w > 0) {
            fd = fcntl(first, F_DUPFD_CLOEXEC, 3);
            status = fd >= 0 ? WEIR_OK : refuse(opening, "dup", errno);
        }
        if (status == WEIR_OK) {
            listening[w].fds[index] = fd;
            listening[w].count = index + 1;
        }
    }
    return status;
}

static void close_all(struct weir_listening *listening, uint32_t workers)
{
    for (uint32_t w = 0; w < workers; w++) {
        for (size_t i = 0; i < listening[w].count; i++) {
            (void)close(listening[w].fds[i]);
        }
        listening[w].count = 0;
    }
}

enum weir_status weir_listeners_open(const struct weir_config *config, uint32_t workers,
                                     struct weir_listening *listening, char (*addresses)[128],
                                     struct weir_error *ret_error)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        struct opening opening = {
            .listener = &config->listeners[i],
            .port = config->listeners[i].port,
            .address = addresses[i],
            .error = ret_error,
        };
        const enum weir_status status = open_listener(&opening, workers, listening, i);
        if (status != WEIR_OK) {
            close_all(listening, workers);
            return status;
        }
    }
    return WEIR_OK;
}

void weir_listeners_unlink(const struct weir_config *config)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].path != NULL) {
            (void)unlink(config->listeners[i].path);
        }
    }
}
