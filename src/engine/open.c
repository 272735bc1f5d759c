/* open.c - a store's URL, read and opened.
 *
 *     memory:?size=64MiB&log=16MiB
 *     shm:/path?size=64MiB&mode=0600      the path may hold %XX, as a '?' or '%' in it must
 *
 * Every error names the part of the URL that is meant and what to write instead. */

#include "algo/algo.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/url.h"
#include "engine/clock.h"
#include "engine/engine.h"
#include "store/log.h"
#include "store/table_format.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#define SIZE_DEFAULT ((uint64_t)64 << 20)
#define LOG_DEFAULT ((uint64_t)16 << 20)
#define MODE_DEFAULT 0600

static enum weir_status read_mode(const struct weir_url_part *part, uint32_t *ret_mode)
{
    uint64_t mode;
    struct weir_bytes rest;
    if (!weir_url_number(part->bytes, 8, &mode, &rest) || rest.len > 0 || mode > 0777 ||
        (mode & 0600) != 0600) {
        return weir_url_refuse(
            part, "expected a mode in octal that lets the owner read and write, as 0660");
    }
    *ret_mode = (uint32_t)mode;
    return WEIR_OK;
}

/* One name=value of the query. */
static enum weir_status read_option(const struct weir_url_part *part, bool shm,
                                    struct weir_store_options *options)
{
    struct weir_bytes name;
    struct weir_bytes value_bytes;
    const enum weir_status status = weir_url_split(part, &name, &value_bytes);
    if (status != WEIR_OK) {
        return status;
    }
    const struct weir_url_part value = weir_url_at(part, value_bytes);
    if (weir_url_is(name, "size")) {
        options->size_given = true;
        return weir_url_size(&value, WEIR_TABLE_SIZE_MIN, WEIR_TABLE_SIZE_MAX, &options->size);
    }
    if (weir_url_is(name, "log") && !shm) {
        return weir_url_size(&value, WEIR_LOGS_MIN, WEIR_LOGS_MAX, &options->log_size);
    }
    if (weir_url_is(name, "mode") && shm) {
        return read_mode(&value, &options->mode);
    }
    return weir_url_refuse(part,
                           shm ? "shm: takes size= and mode=" : "memory: takes size= and log=");
}

static enum weir_status read_query(const struct weir_url_part *part, bool shm,
                                   struct weir_store_options *options)
{
    struct weir_bytes query = part->bytes;
    struct weir_bytes option;
    while (weir_url_next(&query, &option)) {
        const struct weir_url_part here = weir_url_at(part, option);
        const enum weir_status status = read_option(&here, shm, options);
        if (status != WEIR_OK) {
            return status;
        }
    }
    return WEIR_OK;
}

/* The path with its %XX read, into `buffer`. */
static enum weir_status read_path(const struct weir_url_part *part, char *buffer, size_t size,
                                  struct weir_bytes *ret_path)
{
    size_t length = 0;
    if (part->bytes.len == 0 || part->bytes.ptr[0] != '/') {
        return weir_url_refuse(part, "expected an absolute path, as shm:/run/weir.table");
    }
    const enum weir_status status = weir_url_decode(part, "the path", buffer, size, &length);
    if (status == WEIR_OK) {
        *ret_path = weir_bytes(buffer, length);
    }
    return status;
}

static enum weir_status open_url(const char *url, struct weir_store_options *options,
                                 struct weir_store **ret_store, struct weir_error *ret_error)
{
    char path[PATH_MAX];
    const char *colon = strchr(url, ':');
    const size_t scheme_length = colon != NULL ? (size_t)(colon - url) : strlen(url);
    const struct weir_url_part scheme = {url, weir_bytes(url, scheme_length), ret_error};
    const bool shm = weir_url_is(scheme.bytes, "shm");
    if (colon == NULL || (!shm && !weir_url_is(scheme.bytes, "memory"))) {
        return weir_url_refuse(&scheme, "expected a store: memory: or shm:/path");
    }
    const char *rest = colon + 1;
    const size_t path_length = strcspn(rest, "?");
    const char *query = rest[path_length] == '?' ? rest + path_length + 1 : rest + path_length;
    const struct weir_url_part query_part = weir_url_at(&scheme, weir_text(query));
    const struct weir_url_part part = weir_url_at(&scheme, weir_bytes(rest, path_length));
    enum weir_status status = read_query(&query_part, shm, options);
    if (status != WEIR_OK) {
        return status;
    }
    if (shm) {
        status = read_path(&part, path, sizeof(path), &options->path);
        if (status == WEIR_OK) {
            status = weir_shm_open(options, ret_store, ret_error);
        }
        options->path = weir_bytes(NULL, 0); /* it was here */
        return status;
    }
    if (path_length > 0) {
        return weir_url_refuse(&part, "memory: has no path; write memory:?size=64MiB");
    }
    return weir_memory_open(options, ret_store, ret_error);
}

/* For noting when a table was made: that a clock can't be read must not stop anybody. */
static int64_t now_or_zero(void)
{
    int64_t now_us = 0;
    return weir_clock_resolve(WEIR_CLOCK, &now_us) == WEIR_OK ? now_us : 0;
}

enum weir_status weir_open(const char *url, const struct weir_options *options,
                           struct weir **ret_weir, struct weir_error *ret_error)
{
    assert(url != NULL && ret_weir != NULL);
    const struct weir_allocator *given =
        options != NULL && options->size >= sizeof(*options) ? options->allocator : NULL;
    const struct weir_allocator *allocator = weir_allocator_or_default(given);
    struct weir_store_options store_options = {
        .allocator = given,
        .size = SIZE_DEFAULT,
        .log_size = LOG_DEFAULT,
        .mode = MODE_DEFAULT,
        .now_us = now_or_zero(),
    };
    if (!weir_pair_supported()) {
        weir_error_set(
            ret_error, 0, 0,
            "this processor has no 16-byte load and compare-and-swap (x86-64: cx16 and avx)");
        return WEIR_ERR_UNSUPPORTED;
    }
    struct weir *weir = weir_alloc(allocator, sizeof(*weir), _Alignof(max_align_t));
    if (weir == NULL) {
        weir_error_set(ret_error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    weir->allocator = *allocator;
    enum weir_status status = open_url(url, &store_options, &weir->store, ret_error);
    if (status != WEIR_OK) {
        weir_release(allocator, weir, sizeof(*weir));
        return status;
    }
    *ret_weir = weir;
    return WEIR_OK;
}

void weir_close(struct weir *weir)
{
    if (weir == NULL) {
        return;
    }
    weir->store->ops->close(weir->store);
    const struct weir_allocator allocator = weir->allocator;
    weir_release(&allocator, weir, sizeof(*weir));
}
