/* listener.h - the sockets that peers connect to (listener.c).
 *
 * Made by the control thread before any worker starts, so that what can't be had is said before
 * anything is served. Of an address each worker has a socket of its own (SO_REUSEPORT), among which
 * the kernel spreads connections; a unix socket's, and systemd's, is shared by all. */

#ifndef WEIR_SERVER_LISTENER_H
#define WEIR_SERVER_LISTENER_H

#include "config/config.h"

/* Connections that the kernel keeps until they are taken. */
#define WEIR_LISTEN_BACKLOG 4096

/* A worker's sockets. */
struct weir_listening {
    int fds[WEIR_LISTENERS_MAX];
    size_t count;
};

/* Opens the sockets of all listeners for `workers` workers: `listening` has so many places. What
 * each listens at is written to `addresses` ("127.0.0.1:8080", "/run/weir.sock"), which has
 * config->listener_count places. Errors: WEIR_ERR_SYSTEM, with a message; nothing is then open. */
WEIR_MUST_CHECK enum weir_status weir_listeners_open(const struct weir_config *config,
                                                     uint32_t workers,
                                                     struct weir_listening *listening,
                                                     char (*addresses)[128],
                                                     struct weir_error *ret_error);

/* Removes the files of unix sockets that weir_listeners_open made. */
void weir_listeners_unlink(const struct weir_config *config);

#endif
