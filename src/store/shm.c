/* shm.c - the table in a mapped file, shared by every process that opens it.
 *
 * Everything in the file is numbers and offsets (table_format.h), so it may be mapped anywhere. All
 * times in it are counted from 1970, so it means the same after every process, or the machine, has
 * been started again.
 *
 * A new file gets its name only when it is complete: it is made without one, or under a passing
 * one, written, and linked to its path, which fails if another process was quicker; then that one's
 * file is opened. So no process ever sees half a header. A file that is there is read, never
 * mended: one that is not exactly as it should be is refused and left untouched.
 *
 * The file's blocks are reserved when it is made, as a full disk would otherwise kill (SIGBUS)
 * whoever first touched a page. A file that somebody truncates while it is mapped does that too:
 * nothing can be done about it here, so its mode is 0600 unless asked otherwise. */

#include "base/error.h"
#include "store/table_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file whose name another process keeps making and removing is tried this often. */
#define OPEN_TRIES 8

/* So much of a new file is reserved at a time. */
#define RESERVE_PIECE ((uint64_t)64 << 20)

static enum weir_status system_error(const char *path, const char *what,
                                     struct weir_error *ret_error)
{
    char text[128];
    weir_error_set(ret_error, 0, 0, "%s: %s: %s", path, what,
                   strerror_r(errno, text, sizeof(text)));
    return WEIR_ERR_SYSTEM;
}

static enum weir_status refuse(const char *path, const char *why, struct weir_error *ret_error)
{
    weir_error_set(ret_error, 0, 0, "%s: %s; it is left as it is: remove it, or name another file",
                   path, why);
    return WEIR_ERR_FORMAT;
}

static bool all_zero(const void *memory, size_t size)
{
    const char *bytes = memory;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Whether the numbers of a header belong together. The slots are bounded first, as their bytes must
 * not be more than 2^64. */
static bool makes_sense(const struct weir_table_header *header)
{
    return header->header_bytes == sizeof(*header) && header->slots > 0 &&
           header->slots <= weir_table_slots(WEIR_TABLE_SIZE_MAX) &&
           header->slots % WEIR_SET_SLOTS == 0 && header->bytes == weir_table_bytes(header->slots);
}

/* Whether `header`, of a file of `file_bytes`, is one that this version can use. */
static enum weir_status judge(const char *path, const struct weir_table_header *header,
                              uint64_t file_bytes, struct weir_error *ret_error)
{
    if (memcmp(header->magic, WEIR_TABLE_MAGIC, sizeof(header->magic)) != 0) {
        return refuse(path, "this is not a weir table", ret_error);
    }
    if (header->order != WEIR_TABLE_ORDER) {
        return refuse(path, "this table was made on a machine with another byte order", ret_error);
    }
    if (header->version != WEIR_TABLE_VERSION) {
        return refuse(path, "this table was made by another version of weir", ret_error);
    }
    if (header->checksum != weir_table_checksum(header) ||
        !all_zero(header->unused, sizeof(header->unused)) ||
        !all_zero(header->padding, sizeof(header->padding))) {
        return refuse(path, "this table's header is corrupt", ret_error);
    }
    if (!makes_sense(header)) {
        return refuse(path, "this table's header makes no sense", ret_error);
    }
    if (header->bytes != file_bytes) {
        return refuse(path, "this table is truncated, or something was appended to it", ret_error);
    }
    return WEIR_OK;
}

/* Maps the file whose header was judged, or made, as `header`. What was judged counts: whoever may
 * write the file could have changed the mapped header since, and its size decides which memory is
 * touched. */
static enum weir_status map_file(struct weir_table_store *self, const char *path, int file,
                                 const struct weir_table_header *header,
                                 struct weir_error *ret_error)
{
    void *memory = mmap(NULL, header->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        return system_error(path, "mapping the file", ret_error);
    }
    weir_table_init(&self->table, memory);
    self->table.sets = header->slots / WEIR_SET_SLOTS;
    self->table.start = weir_sip_start(&header->secret);
    return WEIR_OK;
}

static enum weir_status use_file(struct weir_table_store *self, const char *path, int file,
                                 const struct weir_store_options *options,
                                 struct weir_error *ret_error)
{
    struct stat status;
    struct weir_table_header header;
    if (fstat(file, &status) != 0) {
        return system_error(path, "looking at the file", ret_error);
    }
    if (!S_ISREG(status.st_mode)) {
        return refuse(path, "this is not a regular file", ret_error);
    }
    ssize_t got = pread(file, &header, sizeof(header), 0);
    if (got < 0) {
        return system_error(path, "reading the file", ret_error);
    }
    if ((size_t)got < sizeof(header)) {
        return refuse(path, "this is too short to be a weir table", ret_error);
    }
    enum weir_status judged = judge(path, &header, (uint64_t)status.st_size, ret_error);
    if (judged != WEIR_OK) {
        return judged;
    }
    if (options->size_given && weir_table_slots(options->size) != header.slots) {
        weir_error_set(
            ret_error, 0, 0,
            "%s: this table has %llu slots, size= asks for %llu; it is left as it is: leave out "
            "size=, or remove the file",
            path, (unsigned long long)header.slots,
            (unsigned long long)weir_table_slots(options->size));
        return WEIR_ERR_FORMAT;
    }
    return map_file(self, path, file, &header, ret_error);
}

/* Reserves the blocks of a new file; false with errno. In pieces, as a signal makes the kernel give
 * up the piece it is at. A file over the process's own limit would end the process by a signal. */
static bool reserve_blocks(int file, uint64_t bytes)
{
    struct rlimit most;
    if (getrlimit(RLIMIT_FSIZE, &most) == 0 && bytes > most.rlim_cur) {
        errno = EFBIG;
        return false;
    }
    for (uint64_t at = 0; at < bytes;) {
        const uint64_t piece = bytes - at < RESERVE_PIECE ? bytes - at : RESERVE_PIECE;
        errno = posix_fallocate(file, (off_t)at, (off_t)piece);
        if (errno == 0) {
            at += piece;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* Reserves the blocks and writes the header, and waits until both are on the disk: else, after a
 * loss of power, the name could be there without them. */
static enum weir_status fill_file(const char *path, int file,
                                  const struct weir_store_options *options,
                                  struct weir_table_header *header, struct weir_error *ret_error)
{
    enum weir_status status =
        weir_table_format(header, weir_table_slots(options->size), options->now_us);
    if (status != WEIR_OK) {
        weir_error_set(ret_error, 0, 0, "%s: no random bytes for the secret", path);
        return status;
    }
    if (!reserve_blocks(file, header->bytes)) {
        return system_error(path, "reserving the file's space", ret_error);
    }
    if (pwrite(file, header, sizeof(*header), 0) != (ssize_t)sizeof(*header) ||
        fchmod(file, options->mode) != 0 || fsync(file) != 0) {
        return system_error(path, "writing the new file", ret_error);
    }
    return WEIR_OK;
}

/* A new file without a name, or with a passing one (written to `ret_passing`, else empty) on file
 * systems that know no nameless ones; -1 with errno. */
static int make_file(const char *path, char *ret_passing, size_t size)
{
    char folder[PATH_MAX];
    uint64_t number;
    const char *slash = strrchr(path, '/');
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path);
    ret_passing[0] = '\0';
    int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) {
        return file;
    }
    /* At random, as neither threads nor containers that share the folder differ in their process
     * id. */
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        return -1;
    }
    if ((size_t)snprintf(ret_passing, size, "%s.%016llx", path, (unsigned long long)number) >=
        size) {
        ret_passing[0] = '\0';
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(ret_passing, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
}

/* Gives the file its name; false with errno EEXIST where another was quicker. */
static bool name_file(int file, const char *passing, const char *path)
{
    if (passing[0] != '\0') {
        return link(passing, path) == 0;
    }
    char by_number[64];
    (void)snprintf(by_number, sizeof(by_number), "/proc/self/fd/%d", file);
    return linkat(AT_FDCWD, by_number, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

/* Makes the file. WEIR_OK with *ret_made false where another process was quicker. */
static enum weir_status create(struct weir_table_store *self, const char *path,
                               const struct weir_store_options *options, bool *ret_made,
                               struct weir_error *ret_error)
{
    char passing[PATH_MAX];
    int file = make_file(path, passing, sizeof(passing));
    if (file < 0) {
        return system_error(path, "making the file", ret_error);
    }
    struct weir_table_header header = {0};
    enum weir_status status = fill_file(path, file, options, &header, ret_error);
    bool named = false;
    if (status == WEIR_OK) {
        named = name_file(file, passing, path);
        if (!named && errno != EEXIST) {
            status = system_error(path, "naming the file", ret_error);
        }
    }
    if (named) {
        status = map_file(self, path, file, &header, ret_error);
    }
    if (passing[0] != '\0') {
        (void)unlink(passing);
    }
    (void)close(file);
    if (status == WEIR_OK) {
        *ret_made = named;
    }
    return status;
}

static enum weir_status open_or_create(struct weir_table_store *self, const char *path,
                                       const struct weir_store_options *options,
                                       struct weir_error *ret_error)
{
    for (int tries = 0; tries < OPEN_TRIES; tries++) {
        int file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (file >= 0) {
            enum weir_status status = use_file(self, path, file, options, ret_error);
            (void)close(file);
            return status;
        }
        if (errno != ENOENT) {
            return system_error(path, "opening the file", ret_error);
        }
        bool made = false;
        enum weir_status status = create(self, path, options, &made, ret_error);
        if (status != WEIR_OK || made) {
            return status;
        }
    }
    errno = EAGAIN;
    return system_error(path, "the file keeps coming and going", ret_error);
}

static void unmap_table(struct weir_table_store *store)
{
    if (store->table.header != NULL) {
        /* From our own copy of the geometry: the header is in other processes' reach. */
        (void)munmap(store->table.header, weir_table_bytes(store->table.sets * WEIR_SET_SLOTS));
    }
}

enum weir_status weir_shm_open(const struct weir_store_options *options,
                               struct weir_store **ret_store, struct weir_error *ret_error)
{
    assert(options->path.len > 0 && options->path.ptr[0] == '/');
    char path[PATH_MAX];
    if (options->path.len >= sizeof(path) - 32) {
        weir_error_set(ret_error, 0, 0, "the path is longer than the system allows");
        return WEIR_ERR_URL;
    }
    memcpy(path, options->path.ptr, options->path.len);
    path[options->path.len] = '\0';
    struct weir_table_store *self = weir_table_store_new(options->allocator, WEIR_SOURCE_SHM);
    if (self == NULL) {
        weir_error_set(ret_error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    self->release_memory = unmap_table;
    enum weir_status status = open_or_create(self, path, options, ret_error);
    if (status != WEIR_OK) {
        weir_table_store_free(self);
        return status;
    }
    *ret_store = &self->store;
    return WEIR_OK;
}
