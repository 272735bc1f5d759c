/* watch.h - tells when any of a list of files may have changed (watch.c), also where the change is
 * a swap of symlinks some folders up, as Kubernetes makes it.
 *
 * Folders are watched, of each path and of every symlink on the way to it; what is told is checked
 * against what the files were (device, inode, size, times), after things have been quiet for
 * WEIR_WATCH_QUIET_MS. Of a folder in the list, what is made, moved and removed in it is told.
 * Every WEIR_WATCH_POLL_MS it looks without being told. All on the loop's thread. */

#ifndef WEIR_SERVER_WATCH_H
#define WEIR_SERVER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define WEIR_WATCH_QUIET_MS 100
#define WEIR_WATCH_POLL_MS 10000

struct weir_watch;

/* `changed` is called from the loop, and once soon after the start: what changed between reading
 * the files and watching them is so not missed. NULL: no memory. */
struct weir_watch *weir_watch_start(uv_loop_t *loop, const char *const *files, size_t count,
                                    void (*changed)(void *context), void *context);

/* The files to watch from now on, with `changed` once more soon after. False: no memory, and the
 * former ones are watched. May be called from `changed`. */
bool weir_watch_set(struct weir_watch *watch, const char *const *files, size_t count);

/* Ends it; what libuv has still to close goes in the loop's next turns. NULL is fine. */
void weir_watch_stop(struct weir_watch *watch);

#endif
