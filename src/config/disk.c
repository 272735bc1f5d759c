/* disk.c - configurations from this system's files and environment; see source.h. */

#include "base/alloc.h"
#include "base/error.h"
#include "config/source.h"
#include "weir/redis.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What is read at once. */
#define CHUNK ((size_t)64 * 1024)

static enum weir_status refuse(struct weir_error *error, int number)
{
    const char *text = strerrordesc_np(number);
    weir_error_set(error, 0, 0, "%s", text != NULL ? text : "unknown error");
    return number == ENOMEM ? WEIR_ERR_NO_MEMORY : WEIR_ERR_SYSTEM;
}

/* ---- Files -------------------------------------------------------------------------------- */

static enum weir_status read_all(int fd, size_t most, struct weir_buffer *bytes,
                                 struct weir_error *error)
{
    const size_t before = bytes->len;
    for (;;) {
        if (!weir_buffer_reserve(bytes, CHUNK)) {
            return WEIR_ERR_NO_MEMORY;
        }
        const ssize_t got = read(fd, bytes->bytes + bytes->len, CHUNK);
        if (got == 0) {
            return WEIR_OK;
        }
        if (got < 0 && errno != EINTR) {
            return refuse(error, errno);
        }
        bytes->len += got > 0 ? (size_t)got : 0;
        if (bytes->len - before > most) {
            weir_error_set(error, 0, 0, "it is longer than %zu bytes", most);
            return WEIR_ERR_SYSTEM;
        }
    }
}

static enum weir_status read_file(void *context, const char *path, size_t most,
                                  struct weir_buffer *ret_bytes, struct weir_file_facts *ret_facts,
                                  struct weir_error *ret_error)
{
    (void)context;
    /* Not to wait for whoever might write to a pipe. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return refuse(ret_error, errno);
    }
    struct stat facts;
    enum weir_status status = WEIR_OK;
    if (fstat(fd, &facts) != 0) {
        status = refuse(ret_error, errno);
    } else if (S_ISDIR(facts.st_mode)) {
        status = refuse(ret_error, EISDIR);
    } else {
        *ret_facts = (struct weir_file_facts){facts.st_dev, facts.st_ino, facts.st_mode & 07777};
        status = read_all(fd, most, ret_bytes, ret_error);
    }
    (void)close(fd);
    return status;
}

static const char *read_environment(void *context, const char *name)
{
    (void)context;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here ever writes to the environment */
    return getenv(name);
}

/* ---- Patterns ----------------------------------------------------------------------------- */

static int compare_paths(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static enum weir_status find_files(void *context, const char *pattern, weir_path_fn *found,
                                   void *found_context, struct weir_error *ret_error)
{
    (void)context;
    glob_t paths = {0};
    /* glob's own order is that of the locale. */
    const int code = glob(pattern, GLOB_ERR | GLOB_NOSORT, NULL, &paths);
    enum weir_status status = WEIR_OK;
    if (code == 0) {
        qsort(paths.gl_pathv, paths.gl_pathc, sizeof(paths.gl_pathv[0]), compare_paths);
        for (size_t i = 0; i < paths.gl_pathc; i++) {
            found(found_context, paths.gl_pathv[i]);
        }
    } else if (code == GLOB_NOSPACE) {
        status = WEIR_ERR_NO_MEMORY;
    } else if (code == GLOB_ABORTED && errno != ENOENT && errno != ENOTDIR) {
        status = refuse(ret_error, errno);
    }
    globfree(&paths);
    return status;
}

/* ---- Stores ------------------------------------------------------------------------------- */

/* An allocator that has memory for reading a URL and none for what comes after. */
struct frugal {
    const struct weir_allocator *from;
    unsigned left;
};

/* weir_redis_open takes memory for the store and for its configuration; after reading that, it
 * would start. */
#define PIECES_TO_READ 2

static void *allocate_frugally(void *context, size_t size, size_t alignment)
{
    struct frugal *frugal = context;
    if (frugal->left == 0) {
        return NULL;
    }
    frugal->left--;
    return frugal->from->allocate(frugal->from->context, size, alignment);
}

static void release_frugally(void *context, void *memory, size_t size)
{
    const struct frugal *frugal = context;
    frugal->from->release(frugal->from->context, memory, size);
}

/* No connection is made and no thread started: it runs out of memory before that. */
static enum weir_status check_redis(const char *url, struct weir_error *ret_error)
{
    struct frugal frugal = {weir_allocator_or_default(NULL), PIECES_TO_READ};
    const struct weir_allocator allocator = {allocate_frugally, release_frugally, &frugal};
    const struct weir_redis_options options = {.size = sizeof(options), .allocator = &allocator};
    struct weir *weir = NULL;
    const enum weir_status status = weir_redis_open(url, &options, &weir, ret_error);
    weir_close(weir);
    return status == WEIR_ERR_NO_MEMORY && frugal.left == 0 ? WEIR_OK : status;
}

/* weir_open reads what is behind the '?' first and looks at the path then, so that a URL which is
 * right but for its path is refused at the path, with no table made. */
static enum weir_status check_table(const char *url, size_t scheme, const char *wrong_path,
                                    struct weir_error *ret_error)
{
    struct weir_buffer twin = {0};
    struct weir *weir = NULL;
    const size_t path_len = strcspn(url + scheme, "?");
    weir_buffer_put(&twin, weir_bytes(url, scheme));
    weir_buffer_put_text(&twin, wrong_path);
    weir_buffer_put(&twin,
                    weir_bytes(url + scheme + path_len, strlen(url + scheme + path_len) + 1));
    if (twin.failed) {
        return WEIR_ERR_NO_MEMORY;
    }
    struct weir_error error = {0};
    enum weir_status status = weir_open(twin.bytes, NULL, &weir, &error);
    weir_close(weir);
    weir_buffer_deinit(&twin);
    if (status == WEIR_ERR_URL && error.offset == scheme) {
        status = WEIR_OK; /* the path, as it was to be */
    } else if (status != WEIR_OK) {
        error.offset += path_len - strlen(wrong_path);
        *ret_error = error;
    }
    return status;
}

static enum weir_status check_store(void *context, const char *url, struct weir_error *ret_error)
{
    (void)context;
    const size_t memory = strlen("memory:");
    const size_t shm = strlen("shm:");
    if (strncmp(url, "memory:", memory) == 0) {
        if (url[memory] != '\0' && url[memory] != '?') {
            weir_error_set(ret_error, memory, strcspn(url + memory, "?"),
                           "memory: has no path; write memory:?size=64MiB");
            return WEIR_ERR_URL;
        }
        return check_table(url, memory, "x", ret_error);
    }
    if (strncmp(url, "shm:", shm) == 0) {
        if (url[shm] != '/') {
            weir_error_set(ret_error, shm, strcspn(url + shm, "?"),
                           "expected an absolute path, as shm:/run/weir.table");
            return WEIR_ERR_URL;
        }
        return check_table(url, shm, "", ret_error);
    }
    return check_redis(url, ret_error);
}

struct weir_config_source weir_config_disk(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (struct weir_config_source){
        .read = read_file,
        .environment = read_environment,
        .find = find_files,
        .check_store = check_store,
        .now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000,
    };
}
