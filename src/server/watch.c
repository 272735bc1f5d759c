/* watch.c - see watch.h. Read watch_plan.h first.
 *
 * Whatever is told by the kernel, whatever is missed by it: what counts is that the files are not
 * what they were, by device, inode, size and times. What the kernel tells decides only when that is
 * looked at, so that a watch that can't be had costs nothing but time.
 *
 * Invariant: the folders are watched before the files are looked at. What changes before is seen,
 * and what changes after is told. */

#include "server/watch.h"

#include "server/watch_plan.h"

#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Where things are never quiet it is looked at so often all the same. */
#define LATEST_MS 1000

/* The most files of one folder that are looked at. */
#define ENTRIES_MAX 4096

/* What a file was. */
struct stamp {
    bool exists;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed; /* its inode: whoever sets `modified` back can't set this */
    uint64_t inside;         /* of a folder: its files */
};

/* libuv's, for one name of the plan; it goes when libuv has closed it. */
struct ear {
    uv_fs_event_t event;
    struct weir_watch *watch;
    const struct weir_watch_name *name;
    struct ear *next;
};

/* Files, and what they were. */
struct list {
    char *text;         /* of all paths */
    const char **paths; /* in it */
    struct stamp *stamps;
    size_t count;
};

struct weir_watch {
    uv_loop_t *loop;
    void (*changed)(void *context);
    void *context;
    struct list list;
    struct weir_watch_plan plan;
    struct ear *ears;
    uv_timer_t quiet; /* runs while something was told that has not been looked at */
    uv_timer_t poll;
    uint64_t told_ms; /* when the first of that was told */
    bool unsure;      /* what the files were before is not known */
    unsigned holds;   /* the timers, which libuv has to close */
};

/* ---- Lists --------------------------------------------------------------------------------- */

static void list_free(struct list *list)
{
    free(list->text);
    free((void *)list->paths);
    free(list->stamps);
    *list = (struct list){0};
}

static bool list_make(const char *const *files, size_t count, struct list *ret_list)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++) {
        size += strlen(files[i]) + 1;
    }
    struct list list = {
        .text = malloc(size),
        .paths = (const char **)calloc(count + 1, sizeof(*list.paths)),
        .stamps = calloc(count + 1, sizeof(*list.stamps)),
        .count = count,
    };
    if (list.text == NULL || list.paths == NULL || list.stamps == NULL) {
        list_free(&list);
        return false;
    }
    char *at = list.text;
    for (size_t i = 0; i < count; i++) {
        const size_t path_size = strlen(files[i]) + 1;
        memcpy(at, files[i], path_size);
        list.paths[i] = at;
        at += path_size;
    }
    *ret_list = list;
    return true;
}

/* What a file of a folder is, in one number. */
static uint64_t mix(const struct stat *about)
{
    const uint64_t facts[] = {about->st_ino, (uint64_t)about->st_size,
                              (uint64_t)about->st_mtim.tv_sec, (uint64_t)about->st_mtim.tv_nsec,
                              (uint64_t)about->st_ctim.tv_nsec};
    uint64_t mixed = 0;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        mixed = (mixed ^ facts[i]) * UINT64_C(0x9e3779b97f4a7c15);
        mixed ^= mixed >> 32;
    }
    return mixed;
}

/* What the files of a folder are: the sum over all, as their order means nothing. */
static uint64_t look_into(const char *path)
{
    uint64_t sum = 0;
    unsigned count = 0;
    struct stat about;
    DIR *folder = opendir(path);
    const struct dirent *entry = folder != NULL ? readdir(folder) : NULL;
    while (entry != NULL && count < ENTRIES_MAX) {
        count++;
        if (entry->d_name[0] != '.' && fstatat(dirfd(folder), entry->d_name, &about, 0) == 0) {
            sum += mix(&about);
        }
        entry = readdir(folder);
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return sum;
}

static struct stamp look(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0) {
        return (struct stamp){.exists = false};
    }
    return (struct stamp){
        .exists = true,
        .device = about.st_dev,
        .inode = about.st_ino,
        .size = about.st_size,
        .modified = about.st_mtim,
        .changed = about.st_ctim,
        .inside = S_ISDIR(about.st_mode) ? look_into(path) : 0,
    };
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->exists == b->exists && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->inside == b->inside && same_time(&a->modified, &b->modified) &&
           same_time(&a->changed, &b->changed);
}

/* Looks at all; whether any is not what it was. */
static bool look_at_all(struct list *list)
{
    bool differs = false;
    for (size_t i = 0; i < list->count; i++) {
        const struct stamp now = look(list->paths[i]);
        differs = differs || !same_stamp(&now, &list->stamps[i]);
        list->stamps[i] = now;
    }
    return differs;
}

/* ---- What the kernel tells ----------------------------------------------------------------- */

static void on_quiet(uv_timer_t *timer);

static void expect_quiet(struct weir_watch *watch)
{
    const uint64_t now_ms = uv_now(watch->loop);
    if (!uv_is_active((const uv_handle_t *)&watch->quiet)) {
        watch->told_ms = now_ms;
    }
    const uint64_t waited_ms = now_ms - watch->told_ms;
    const uint64_t left_ms = waited_ms < LATEST_MS ? LATEST_MS - waited_ms : 0;
    (void)uv_timer_start(&watch->quiet, on_quiet,
                         left_ms < WEIR_WATCH_QUIET_MS ? left_ms : WEIR_WATCH_QUIET_MS, 0);
}

/* Of the folder itself libuv tells by the folder's own name. */
static bool concerns(const struct weir_watch_name *name, const char *told)
{
    const char *slash = strrchr(name->folder, '/');
    return told == NULL || name->name[0] == '\0' || strcmp(told, name->name) == 0 ||
           (slash != NULL && strcmp(told, slash + 1) == 0);
}

static void on_event(uv_fs_event_t *event, const char *told, int events, int status)
{
    const struct ear *ear = event->data;
    (void)events;
    if (status != 0 || concerns(ear->name, told)) {
        expect_quiet(ear->watch);
    }
}

static void on_ear_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_ears(struct ear *ears)
{
    while (ears != NULL) {
        struct ear *next = ears->next;
        uv_close((uv_handle_t *)&ears->event, on_ear_closed);
        ears = next;
    }
}

/* Listens for what the plan names. What can't be had is done without. */
static void hear(struct weir_watch *watch)
{
    watch->ears = NULL;
    for (size_t i = 0; i < watch->plan.count; i++) {
        const struct weir_watch_name *name = &watch->plan.names[i];
        struct ear *ear = calloc(1, sizeof(*ear));
        if (ear == NULL) {
            return;
        }
        ear->watch = watch;
        ear->name = name;
        (void)uv_fs_event_init(watch->loop, &ear->event); /* can't fail */
        ear->event.data = ear;
        ear->next = watch->ears;
        watch->ears = ear;
        (void)uv_fs_event_start(&ear->event, on_event, name->folder, 0);
    }
}

/* Watches what decides where the paths lead now, before those that did are let go. */
static void follow(struct weir_watch *watch)
{
    struct weir_watch_plan plan = {0};
    bool made = true;
    for (size_t i = 0; i < watch->list.count && made; i++) {
        made = weir_watch_plan_add(&plan, watch->list.paths[i]);
    }
    if (!made || weir_watch_plan_same(&plan, &watch->plan)) {
        weir_watch_plan_deinit(&plan);
        return;
    }
    struct ear *former = watch->ears;
    struct weir_watch_plan former_plan = watch->plan;
    watch->plan = plan;
    hear(watch);
    close_ears(former);
    weir_watch_plan_deinit(&former_plan);
}

static void check(struct weir_watch *watch)
{
    follow(watch);
    const bool differs = look_at_all(&watch->list);
    const bool unsure = watch->unsure;
    watch->unsure = false;
    if (differs || unsure) {
        watch->changed(watch->context);
    }
}

static void on_quiet(uv_timer_t *timer)
{
    check(timer->data);
}

static void on_poll(uv_timer_t *timer)
{
    struct weir_watch *watch = timer->data;
    if (!uv_is_active((const uv_handle_t *)&watch->quiet)) {
        check(watch);
    }
}

/* ---- Its life ------------------------------------------------------------------------------ */

struct weir_watch *weir_watch_start(uv_loop_t *loop, const char *const *files, size_t count,
                                    void (*changed)(void *context), void *context)
{
    struct weir_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL || !list_make(files, count, &watch->list)) {
        free(watch);
        return NULL;
    }
    watch->loop = loop;
    watch->changed = changed;
    watch->context = context;
    watch->holds = 2;
    watch->unsure = true;
    (void)uv_timer_init(loop, &watch->quiet); /* these can't fail */
    (void)uv_timer_init(loop, &watch->poll);
    watch->quiet.data = watch;
    watch->poll.data = watch;
    (void)uv_timer_start(&watch->poll, on_poll, WEIR_WATCH_POLL_MS, WEIR_WATCH_POLL_MS);
    follow(watch);
    (void)look_at_all(&watch->list);
    expect_quiet(watch);
    return watch;
}

bool weir_watch_set(struct weir_watch *watch, const char *const *files, size_t count)
{
    struct list list;
    if (!list_make(files, count, &list)) {
        return false;
    }
    list_free(&watch->list);
    watch->list = list;
    follow(watch);
    (void)look_at_all(&watch->list);
    watch->unsure = true; /* they were read before this */
    expect_quiet(watch);
    return true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct weir_watch *watch = handle->data;
    watch->holds--;
    if (watch->holds == 0) {
        list_free(&watch->list);
        weir_watch_plan_deinit(&watch->plan);
        free(watch);
    }
}

void weir_watch_stop(struct weir_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    close_ears(watch->ears);
    watch->ears = NULL;
    uv_close((uv_handle_t *)&watch->quiet, on_timer_closed);
    uv_close((uv_handle_t *)&watch->poll, on_timer_closed);
}
