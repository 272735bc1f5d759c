/* zone_load.c - see zone_load.h: the file of a zone, from its name to its bytes.
 *
 * A name comes from whoever writes limits, and the file is opened with this process's rights: so a
 * name may not leave the directory, nothing but a plain file is read, and no more of it than a zone
 * can have. */

#include "policy/zone_load.h"

#include "base/alloc.h"
#include "policy/words.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the file is, for the messages. */
struct source {
    const char *directory;
    const char *name;
};

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == '-';
}

/* Components of letters, digits and "_+-", joined by '/': no dot, so no way up. */
static bool is_name(const char *name)
{
    size_t component = 0;
    size_t i = 0;
    for (; name[i] != '\0'; i++) {
        if (name[i] != '/') {
            if (!is_name_byte(name[i])) {
                return false;
            }
            component++;
        } else if (component == 0) {
            return false;
        } else {
            component = 0;
        }
    }
    return component > 0 && i <= WEIR_ZONE_MAX;
}

static enum weir_status refuse_unknown(const struct source *source, struct weir_error *ret_error)
{
    weir_error_set(ret_error, 0, 0,
                   "no time zone '%s' in %s: write a name as Europe/Rome, or install tzdata",
                   source->name, source->directory);
    return WEIR_ERR_LIMIT;
}

static enum weir_status refuse_file(const struct source *source, const char *why,
                                    struct weir_error *ret_error)
{
    weir_error_set(ret_error, 0, 0, "the file of time zone '%s' in %s can't be used: %s",
                   source->name, source->directory, why);
    return WEIR_ERR_SYSTEM;
}

static enum weir_status refuse_system(const struct source *source, const char *call, int code,
                                      struct weir_error *ret_error)
{
    /* strerrordesc_np: unlike strerror it knows no locale and needs no buffer. */
    const char *why = strerrordesc_np(code);
    weir_error_set(ret_error, 0, 0, "%s of time zone '%s' in %s failed: %s", call, source->name,
                   source->directory, why != NULL ? why : "unknown error");
    return WEIR_ERR_SYSTEM;
}

static enum weir_status open_file(const struct source *source, int *ret_file,
                                  struct weir_error *ret_error)
{
    char path[PATH_MAX];
    const size_t directory_length = strlen(source->directory);
    const size_t name_length = strlen(source->name);
    if (directory_length + 1 + name_length + 1 > sizeof(path)) {
        return refuse_system(source, "open", ENAMETOOLONG, ret_error);
    }
    memcpy(path, source->directory, directory_length);
    path[directory_length] = '/';
    memcpy(path + directory_length + 1, source->name, name_length + 1);
    /* O_NONBLOCK: a pipe of that name must not make us wait for its writer. */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0) {
        const int code = errno;
        return code == ENOENT || code == ENOTDIR ? refuse_unknown(source, ret_error)
                                                 : refuse_system(source, "open", code, ret_error);
    }
    *ret_file = file;
    return WEIR_OK;
}

/* The size of the file, if it is a plain one that a zone could have. */
static enum weir_status measure(const struct source *source, int file, size_t *ret_size,
                                struct weir_error *ret_error)
{
    struct stat status;
    if (fstat(file, &status) != 0) {
        return refuse_system(source, "fstat", errno, ret_error);
    }
    if (!S_ISREG(status.st_mode)) {
        return refuse_unknown(source, ret_error); /* "Europe" is a directory */
    }
    if (status.st_size == 0) {
        return refuse_file(source, "it is empty", ret_error);
    }
    if (status.st_size > WEIR_ZONE_FILE_MAX) {
        return refuse_file(source, "it is over 256 KiB", ret_error);
    }
    *ret_size = (size_t)status.st_size;
    return WEIR_OK;
}

/* Reads `size` bytes; fewer where the file has become shorter, which the parser then sees. */
static enum weir_status read_all(const struct source *source, int file, char *buffer, size_t size,
                                 size_t *ret_len, struct weir_error *ret_error)
{
    size_t len = 0;
    while (len < size) {
        const ssize_t got = read(file, buffer + len, size - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return refuse_system(source, "read", errno, ret_error);
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    *ret_len = len;
    return WEIR_OK;
}

static enum weir_status load_file(const struct source *source, int file,
                                  const struct weir_allocator *allocator,
                                  const struct weir_zone **ret_zone, struct weir_error *ret_error)
{
    size_t size;
    enum weir_status status = measure(source, file, &size, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    char *buffer = weir_alloc(allocator, size, 1);
    if (buffer == NULL) {
        weir_error_set(ret_error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    size_t len = 0;
    status = read_all(source, file, buffer, size, &len, ret_error);
    if (status == WEIR_OK) {
        const char *why = NULL;
        status = weir_zone_parse(weir_bytes(buffer, len), allocator, ret_zone, &why);
        if (status == WEIR_ERR_FORMAT) {
            status = refuse_file(source, why, ret_error);
        } else if (status != WEIR_OK) {
            weir_error_set(ret_error, 0, 0, "out of memory");
        }
    }
    weir_release(allocator, buffer, size);
    return status;
}

enum weir_status weir_zone_load(const char *directory, const char *name,
                                const struct weir_allocator *allocator,
                                const struct weir_zone **ret_zone, struct weir_error *ret_error)
{
    assert(directory != NULL && name != NULL && allocator != NULL);
    if (!is_name(name)) {
        const struct weir_quote quote = weir_word_quote(weir_text(name));
        weir_error_set(ret_error, 0, 0,
                       "'%s' is no name of a time zone: write one as Europe/Rome or UTC",
                       quote.text);
        return WEIR_ERR_LIMIT;
    }
    const struct source source = {directory, name};
    int file;
    enum weir_status status = open_file(&source, &file, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    status = load_file(&source, file, allocator, ret_zone, ret_error);
    (void)close(file);
    return status;
}
