/* activation.h - sockets that systemd opened and hands over (activation.c): LISTEN_PID, LISTEN_FDS,
 * LISTEN_FDNAMES. On the control thread, before others are started.
 *
 * Source: sd_listen_fds_with_names(3). */

#ifndef WEIR_SERVER_ACTIVATION_H
#define WEIR_SERVER_ACTIVATION_H

#include "weir/weir.h"

/* The descriptor of the socket `name`, a copy that is the caller's, close-on-exec and non-blocking.
 * Errors: WEIR_ERR_SYSTEM with a message that names the sockets there are: none of that name, more
 * than one, no listening stream socket. */
WEIR_MUST_CHECK enum weir_status weir_activation_take(const char *name, int *ret_fd,
                                                      struct weir_error *ret_error);

/* Closes what was handed over, of which only the copies are used, and removes the variables, so
 * that no child takes itself to be meant. */
void weir_activation_forget(void);

#endif
