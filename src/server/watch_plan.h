/* watch_plan.h - which names, in which folders, decide what a path leads to (watch_plan.c).
 *
 * /etc/weir/weir.yaml, where weir.yaml is a symlink to ..data/weir.yaml and ..data one to ..1, is
 * decided by "etc" in /, "weir" in /etc, "weir.yaml" and "..data" and "..1" in /etc/weir, and
 * "weir.yaml" in /etc/weir/..1: whoever is told when one of these changes knows when the path may
 * lead elsewhere, or to nothing. */

#ifndef WEIR_SERVER_WATCH_PLAN_H
#define WEIR_SERVER_WATCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Symlinks on the way of one path, as the kernel has it. */
#define WEIR_WATCH_LINKS_MAX 40

/* One name in one folder. */
struct weir_watch_name {
    char *folder; /* without symlinks */
    char *name;   /* in the memory of `folder`; empty: every name in it */
    dev_t device; /* the folder's, as one that is made anew is another */
    ino_t inode;
};

/* All zero is an empty one. */
struct weir_watch_plan {
    struct weir_watch_name *names;
    size_t count;
    size_t room;
};

/* Adds what decides `path`, as far as it leads anywhere; of a folder, every name in it. False: no
 * memory. */
bool weir_watch_plan_add(struct weir_watch_plan *plan, const char *path);

bool weir_watch_plan_same(const struct weir_watch_plan *a, const struct weir_watch_plan *b);

void weir_watch_plan_deinit(struct weir_watch_plan *plan);

#endif
