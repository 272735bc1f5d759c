/* source.h - where a configuration is read from: files and the environment, or what a test has in
 * their place (disk.c has the real ones).
 *
 * `weir_config_read` is weir_config_read_from over `weir_config_disk`. */

#ifndef WEIR_CONFIG_SOURCE_H
#define WEIR_CONFIG_SOURCE_H

#include "config/config.h"

/* Which file it is, whatever its path, and who may read it. */
struct weir_file_facts {
    uint64_t device;
    uint64_t inode;
    unsigned mode;
};

typedef void weir_path_fn(void *context, const char *path);

struct weir_config_source {
    /* Appends what is in `path`, at most `most` bytes. Errors, with a message that says why without
     * the path: WEIR_ERR_SYSTEM, WEIR_ERR_NO_MEMORY. */
    enum weir_status (*read)(void *context, const char *path, size_t most,
                             struct weir_buffer *ret_bytes, struct weir_file_facts *ret_facts,
                             struct weir_error *ret_error);
    /* NULL: not set. */
    const char *(*environment)(void *context, const char *name);
    /* Calls `found` for each path that `pattern` fits, in the order of their bytes. Errors as of
     * `read`. */
    enum weir_status (*find)(void *context, const char *pattern, weir_path_fn *found,
                             void *found_context, struct weir_error *ret_error);
    /* Whether a store's URL can be read, without opening it. Errors as of weir_redis_open. */
    enum weir_status (*check_store)(void *context, const char *url, struct weir_error *ret_error);
    void *context;
    const struct weir_allocator *allocator; /* NULL: malloc */
    int64_t now_us;                         /* for warnings of what is over; 0: there are none */
};

/* This system's. */
struct weir_config_source weir_config_disk(void);

WEIR_MUST_CHECK enum weir_status weir_config_read_from(const struct weir_config_source *source,
                                                       const char *path, bool review,
                                                       struct weir_buffer *messages,
                                                       struct weir_config **ret_config);

#endif
