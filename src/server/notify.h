/* notify.h - telling systemd how things stand (notify.c): sd_notify's protocol, without its
 * library. Without NOTIFY_SOCKET each of these does nothing. On the control thread.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3). */

#ifndef WEIR_SERVER_NOTIFY_H
#define WEIR_SERVER_NOTIFY_H

#include <stdint.h>

/* READY=1, with a line of status. */
void weir_notify_ready(const char *status);
/* RELOADING=1, with the time; weir_notify_ready follows. */
void weir_notify_reloading(void);
/* STOPPING=1. */
void weir_notify_stopping(void);
/* WATCHDOG=1. */
void weir_notify_alive(void);

/* How long systemd waits for a sign of life before it ends the process; 0: it does not. Signs are
 * to come twice as often. */
int64_t weir_notify_watchdog_us(void);

#endif
