/* watch_plan.c - see watch_plan.h. A path is followed name by name, as the kernel follows it. */

#include "server/watch_plan.h"

#include "base/alloc.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
    struct weir_watch_plan *plan;
    char at[PATH_MAX];   /* the folder that has been come to: "" is /, else "/a/b" */
    char rest[PATH_MAX]; /* what of the path is left */
    char next[PATH_MAX]; /* `at` and a name in it */
    char target[PATH_MAX];
    unsigned links;
};

static bool is_there(const struct weir_watch_plan *plan, const char *folder, const char *name,
                     const struct stat *about)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct weir_watch_name *each = &plan->names[i];
        if (each->inode == about->st_ino && each->device == about->st_dev &&
            strcmp(each->folder, folder) == 0 && strcmp(each->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool grow(struct weir_watch_plan *plan)
{
    if (plan->count < plan->room) {
        return true;
    }
    const size_t room = plan->room > 0 ? plan->room * 2 : 16;
    struct weir_watch_name *names = weir_alloc(
        weir_allocator_or_default(NULL), room * sizeof(*names), _Alignof(struct weir_watch_name));
    if (names == NULL) {
        return false;
    }
    if (plan->count > 0) {
        memcpy(names, plan->names, plan->count * sizeof(*names));
        weir_release(weir_allocator_or_default(NULL), plan->names, plan->room * sizeof(*names));
    }
    plan->names = names;
    plan->room = room;
    return true;
}

/* `name` in the folder that has been come to decides the path. */
static bool add(struct walk *walk, const char *name)
{
    struct weir_watch_plan *plan = walk->plan;
    const char *folder = walk->at[0] != '\0' ? walk->at : "/";
    struct stat about;
    if (stat(folder, &about) != 0 || is_there(plan, folder, name, &about)) {
        return true; /* one that has gone meanwhile is missed in the one above it */
    }
    const size_t folder_size = strlen(folder) + 1;
    const size_t name_size = strlen(name) + 1;
    if (!grow(plan)) {
        return false;
    }
    char *memory = weir_alloc(weir_allocator_or_default(NULL), folder_size + name_size, 1);
    if (memory == NULL) {
        return false;
    }
    memcpy(memory, folder, folder_size);
    memcpy(memory + folder_size, name, name_size);
    plan->names[plan->count] = (struct weir_watch_name){
        .folder = memory,
        .name = memory + folder_size,
        .device = about.st_dev,
        .inode = about.st_ino,
    };
    plan->count++;
    return true;
}

/* Takes the first name of what is left; false where nothing is. */
static bool take_name(struct walk *walk, char name[static NAME_MAX + 1])
{
    const char *start = walk->rest + strspn(walk->rest, "/");
    const size_t length = strcspn(start, "/");
    if (length == 0 || length > NAME_MAX) {
        return false;
    }
    memcpy(name, start, length);
    name[length] = '\0';
    memmove(walk->rest, start + length, strlen(start + length) + 1);
    return true;
}

/* A symlink has been come to, at walk->next; false where it leads nowhere. */
static bool follow(struct walk *walk)
{
    walk->links++;
    const ssize_t length = readlink(walk->next, walk->target, sizeof(walk->target));
    const size_t rest = strlen(walk->rest) + 1;
    if (length <= 0 || walk->links > WEIR_WATCH_LINKS_MAX ||
        (size_t)length + 1 + rest > sizeof(walk->rest)) {
        return false;
    }
    memmove(walk->rest + length + 1, walk->rest, rest);
    memcpy(walk->rest, walk->target, (size_t)length);
    walk->rest[length] = '/';
    if (walk->target[0] == '/') {
        walk->at[0] = '\0';
    }
    return true;
}

static void go_up(struct walk *walk)
{
    char *slash = strrchr(walk->at, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

/* Goes one name further; false where that is the end of it, and `ret_known` where there was no
 * memory. */
static bool step(struct walk *walk, bool *ret_known)
{
    char name[NAME_MAX + 1];
    struct stat about;
    if (!take_name(walk, name)) {
        return false;
    }
    if (strcmp(name, ".") == 0) {
        return true;
    }
    if (strcmp(name, "..") == 0) {
        go_up(walk);
        return true;
    }
    if (!add(walk, name)) {
        *ret_known = false;
        return false;
    }
    const int length = snprintf(walk->next, sizeof(walk->next), "%s/%s", walk->at, name);
    if (length < 0 || (size_t)length >= sizeof(walk->next) || lstat(walk->next, &about) != 0) {
        return false;
    }
    if (S_ISLNK(about.st_mode)) {
        return follow(walk);
    }
    if (!S_ISDIR(about.st_mode)) {
        return false;
    }
    memcpy(walk->at, walk->next, (size_t)length + 1);
    return true;
}

bool weir_watch_plan_add(struct weir_watch_plan *plan, const char *path)
{
    struct walk *walk = malloc(sizeof(*walk));
    struct stat about;
    if (walk == NULL) {
        return false;
    }
    walk->plan = plan;
    walk->links = 0;
    walk->at[0] = '\0';
    /* The way to where a relative one begins has no symlinks. */
    if (path[0] != '/' && getcwd(walk->at, sizeof(walk->at)) != NULL &&
        strcmp(walk->at, "/") == 0) {
        walk->at[0] = '\0';
    }
    const size_t length = strlen(path);
    bool known = true;
    if (length < sizeof(walk->rest)) {
        memcpy(walk->rest, path, length + 1);
        while (step(walk, &known)) {
        }
        if (known && stat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
            known = add(walk, "");
        }
    }
    free(walk);
    return known;
}

bool weir_watch_plan_same(const struct weir_watch_plan *a, const struct weir_watch_plan *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        const struct stat about = {.st_dev = b->names[i].device, .st_ino = b->names[i].inode};
        if (!is_there(a, b->names[i].folder, b->names[i].name, &about)) {
            return false;
        }
    }
    return true;
}

void weir_watch_plan_deinit(struct weir_watch_plan *plan)
{
    const struct weir_allocator *allocator = weir_allocator_or_default(NULL);
    for (size_t i = 0; i < plan->count; i++) {
        const struct weir_watch_name *name = &plan->names[i];
        weir_release(allocator, name->folder, strlen(name->folder) + strlen(name->name) + 2);
    }
    if (plan->names != NULL) {
        weir_release(allocator, plan->names, plan->room * sizeof(*plan->names));
    }
    *plan = (struct weir_watch_plan){0};
}
