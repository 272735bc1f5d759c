/* open.c - a store's URL, read and opened.
 *
 *     memory:?size=64MiB&log=16MiB
 *     shm:/path?size=64MiB&mode=0600      the path may hold %XX, as a '?' or '%' in it must
 *
 * Every error names the part of the URL that is meant and what to write instead. */

#include "algo/algo.h"
#include "base/alloc.h"
#include "base/error.h"
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

/* A part of the URL that is being read, and where to say what is wrong with it. */
struct url_part {
    const char *url;
    struct weir_bytes bytes;
    struct weir_error *error;
};

static enum weir_status wrong(const struct url_part *part, const char *message)
{
    weir_error_set(part->error, (size_t)(part->bytes.ptr - part->url), part->bytes.len, "%s",
                   message);
    return WEIR_ERR_URL;
}

static bool is(struct weir_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.ptr, text, bytes.len) == 0;
}

/* The digits at the start of `bytes`, in `base`; what follows them goes to ret_rest. A number that
 * is too large becomes one that is too large for anything. */
static bool read_number(struct weir_bytes bytes, unsigned base, uint64_t *ret_number,
                        struct weir_bytes *ret_rest)
{
    uint64_t number = 0;
    size_t i = 0;
    for (; i < bytes.len && bytes.ptr[i] >= '0' && bytes.ptr[i] < (char)('0' + (int)base); i++) {
        number = number > (UINT64_MAX - 9) / base ? UINT64_MAX
                                                  : number * base + (uint64_t)(bytes.ptr[i] - '0');
    }
    *ret_number = number;
    *ret_rest = weir_bytes(bytes.ptr + i, bytes.len - i);
    return i > 0;
}

static enum weir_status read_size(const struct url_part *part, uint64_t least, uint64_t most,
                                  uint64_t *ret_size)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    uint64_t number;
    struct weir_bytes unit;
    if (!read_number(part->bytes, 10, &number, &unit)) {
        return wrong(part, "expected a size, as 64MiB");
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!is(unit, units[i].name)) {
            continue;
        }
        if (number > most >> units[i].shift || number << units[i].shift < least) {
            weir_error_set(part->error, (size_t)(part->bytes.ptr - part->url), part->bytes.len,
                           "the size must be %llu KiB to %llu GiB",
                           (unsigned long long)(least >> 10), (unsigned long long)(most >> 30));
            return WEIR_ERR_URL;
        }
        *ret_size = number << units[i].shift;
        return WEIR_OK;
    }
    return wrong(part, "expected a unit of B, KiB, MiB, GiB or TiB, as in 64MiB");
}

static enum weir_status read_mode(const struct url_part *part, uint32_t *ret_mode)
{
    uint64_t mode;
    struct weir_bytes rest;
    if (!read_number(part->bytes, 8, &mode, &rest) || rest.len > 0 || mode > 0777 ||
        (mode & 0600) != 0600) {
        return wrong(part, "expected a mode in octal that lets the owner read and write, as 0660");
    }
    *ret_mode = (uint32_t)mode;
    return WEIR_OK;
}

/* One name=value of the query. */
static enum weir_status read_option(const struct url_part *part, bool shm,
                                    struct weir_store_options *options)
{
    const char *equals = memchr(part->bytes.ptr, '=', part->bytes.len);
    if (equals == NULL) {
        return wrong(part, "expected name=value");
    }
    const size_t name_length = (size_t)(equals - part->bytes.ptr);
    const struct weir_bytes name = weir_bytes(part->bytes.ptr, name_length);
    struct url_part value = *part;
    value.bytes = weir_bytes(equals + 1, part->bytes.len - name_length - 1);
    if (is(name, "size")) {
        options->size_given = true;
        return read_size(&value, WEIR_TABLE_SIZE_MIN, WEIR_TABLE_SIZE_MAX, &options->size);
    }
    if (is(name, "log") && !shm) {
        return read_size(&value, WEIR_LOGS_MIN, WEIR_LOGS_MAX, &options->log_size);
    }
    if (is(name, "mode") && shm) {
        return read_mode(&value, &options->mode);
    }
    return wrong(part, shm ? "shm: takes size= and mode=" : "memory: takes size= and log=");
}

static enum weir_status read_query(const char *url, struct weir_bytes query, bool shm,
                                   struct weir_store_options *options, struct weir_error *ret_error)
{
    while (query.len > 0) {
        const char *end = memchr(query.ptr, '&', query.len);
        const size_t length = end != NULL ? (size_t)(end - query.ptr) : query.len;
        const struct url_part part = {url, weir_bytes(query.ptr, length), ret_error};
        enum weir_status status = read_option(&part, shm, options);
        if (status != WEIR_OK) {
            return status;
        }
        const size_t taken = end != NULL ? length + 1 : length;
        query = weir_bytes(query.ptr + taken, query.len - taken);
    }
    return WEIR_OK;
}

static int hex_digit(char c)
{
    const char *const digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* The path with its %XX read, into `buffer`. */
static enum weir_status read_path(const struct url_part *part, char *buffer, size_t size,
                                  struct weir_bytes *ret_path)
{
    size_t length = 0;
    const struct weir_bytes from = part->bytes;
    if (from.len == 0 || from.ptr[0] != '/') {
        return wrong(part, "expected an absolute path, as shm:/run/weir.table");
    }
    for (size_t i = 0; i < from.len; i++) {
        char c = from.ptr[i];
        if (c == '%') {
            const int high = i + 2 < from.len ? hex_digit(from.ptr[i + 1]) : -1;
            const int low = high >= 0 ? hex_digit(from.ptr[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return wrong(part, "expected %XX with two hexadecimal digits, not 00");
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (length + 1 >= size) {
            return wrong(part, "the path is longer than the system allows");
        }
        buffer[length++] = c;
    }
    *ret_path = weir_bytes(buffer, length);
    return WEIR_OK;
}

static enum weir_status open_url(const char *url, struct weir_store_options *options,
                                 struct weir_store **ret_store, struct weir_error *ret_error)
{
    char path[PATH_MAX];
    const char *colon = strchr(url, ':');
    const size_t scheme_length = colon != NULL ? (size_t)(colon - url) : strlen(url);
    const struct url_part scheme = {url, weir_bytes(url, scheme_length), ret_error};
    const bool shm = is(scheme.bytes, "shm");
    if (colon == NULL || (!shm && !is(scheme.bytes, "memory"))) {
        return wrong(&scheme, "expected a store: memory: or shm:/path");
    }
    const char *rest = colon + 1;
    const size_t path_length = strcspn(rest, "?");
    const char *query = rest[path_length] == '?' ? rest + path_length + 1 : rest + path_length;
    enum weir_status status = read_query(url, weir_text(query), shm, options, ret_error);
    const struct url_part part = {url, weir_bytes(rest, path_length), ret_error};
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
        return wrong(&part, "memory: has no path; write memory:?size=64MiB");
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
