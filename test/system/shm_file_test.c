/* shm_file_test.c - the file of an shm: store: made whole, shared by all, refused where it is not
 * right, and then left as it was. */

#include "store/table.h"
#include "store/table_format.h"
#include "support/fixture.h"
#include "support/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534
#define TABLE_BYTES (2048 + 8192)
#define DAY_US (INT64_C(86400) * 1000000)

/* ---- Files ---- */

struct file_bytes {
    unsigned char bytes[TABLE_BYTES + 8192];
    size_t size;
};

static void file_read(const char *path, struct file_bytes *ret_file)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    const ssize_t got = read(file, ret_file->bytes, sizeof(ret_file->bytes));
    assert_true(got >= 0);
    ret_file->size = (size_t)got;
    assert_int_equal(close(file), 0);
}

static void file_write(const char *path, const struct file_bytes *bytes)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes->bytes, bytes->size), bytes->size);
    assert_int_equal(close(file), 0);
}

static void must_be_unchanged(const char *path, const struct file_bytes *before)
{
    static struct file_bytes after;
    file_read(path, &after);
    assert_int_equal(after.size, before->size);
    assert_memory_equal(after.bytes, before->bytes, before->size);
}

/* A table of 8 KiB with one key in it. */
static void table_make(const char *url)
{
    struct weir *weir = fixture_open(url);
    struct weir_limit *limit = fixture_limit("5/d");
    assert_true(fixture_check(weir, limit, "key", 3, FIXTURE_NOW).allowed);
    weir_limit_free(limit);
    weir_close(weir);
}

/* Opening `url` comes to `status`, with a message that names `path` and says `why`. */
static void must_refuse_with(const char *url, const char *path, enum weir_status status,
                             const char *why)
{
    struct weir *const untouched = (struct weir *)(void *)&status;
    struct weir *weir = untouched;
    struct weir_error error = {77, 77, "untouched"};
    assert_int_equal(weir_open(url, NULL, &weir, &error), status);
    assert_ptr_equal(weir, untouched);
    if (strstr(error.message, path) == NULL || strstr(error.message, why) == NULL) {
        print_error("%s\n", error.message);
        fail();
    }
    assert_int_equal(weir_open(url, NULL, &weir, NULL), status);
}

/* ---- What is refused, untouched ---- */

struct bench {
    struct fixture_folder folder;
    char path[256];
    char url[256];
    struct file_bytes good;
};

static int bench_make(void **state)
{
    static struct bench bench;
    bench.folder = fixture_folder_make();
    (void)snprintf(bench.path, sizeof(bench.path), "%s", fixture_path(&bench.folder, "table"));
    (void)snprintf(bench.url, sizeof(bench.url), "%s", fixture_url(&bench.folder, "table", ""));
    table_make(fixture_url(&bench.folder, "table", "size=8KiB"));
    file_read(bench.path, &bench.good);
    assert_int_equal(bench.good.size, TABLE_BYTES);
    *state = &bench;
    return 0;
}

static int bench_remove(void **state)
{
    struct bench *bench = *state;
    fixture_folder_remove(&bench->folder);
    return 0;
}

static void must_refuse_bytes(struct bench *bench, const struct file_bytes *bytes, const char *why)
{
    file_write(bench->path, bytes);
    must_refuse_with(bench->url, bench->path, WEIR_ERR_FORMAT, why);
    must_be_unchanged(bench->path, bytes);
}

static struct weir_table_header *header_of(struct file_bytes *bytes)
{
    return (struct weir_table_header *)(void *)bytes->bytes;
}

static void a_header_with_any_byte_flipped_is_refused(void **state)
{
    struct bench *bench = *state;
    static const unsigned char flips[] = {0x01, 0x80, 0xff};
    const size_t counters = offsetof(struct weir_table_header, stripes);
    const int file = open(bench->path, O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    for (size_t i = 0; i < sizeof(struct weir_table_header); i++) {
        if (i >= counters && i < counters + WEIR_TABLE_STRIPES * sizeof(struct weir_table_stripe)) {
            continue; /* these change all the time */
        }
        static struct file_bytes bytes;
        bytes = bench->good;
        bytes.bytes[i] ^= flips[i % sizeof(flips)];
        assert_int_equal(pwrite(file, &bytes.bytes[i], 1, (off_t)i), 1);
        must_refuse_with(bench->url, bench->path, WEIR_ERR_FORMAT, "left as it is");
        must_be_unchanged(bench->path, &bytes);
        assert_int_equal(pwrite(file, &bench->good.bytes[i], 1, (off_t)i), 1);
    }
    assert_int_equal(close(file), 0);
    weir_close(fixture_open(bench->url));
}

/* Whatever the counters hold: they decide nothing, and the key is where it was. */
static void any_counters_will_do(void **state)
{
    struct bench *bench = *state;
    struct weir_limit *limit = fixture_limit("5/d");
    struct file_bytes bytes = bench->good;
    memset(header_of(&bytes)->stripes, 0xff, sizeof(header_of(&bytes)->stripes));
    file_write(bench->path, &bytes);
    struct weir *weir = fixture_open(bench->url);
    assert_int_equal(fixture_peek(weir, limit, "key", 1, FIXTURE_NOW).remaining, 2);
    assert_true(fixture_check(weir, limit, "new", 1, FIXTURE_NOW).allowed);
    weir_close(weir);
    weir_limit_free(limit);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    struct bench *bench = *state;
    const size_t step = random_rounds(100) >= 100 ? 61 : 509;
    for (size_t size = 0; size < TABLE_BYTES; size += size + step < TABLE_BYTES ? step : 1) {
        static struct file_bytes bytes;
        bytes = bench->good;
        bytes.size = size;
        must_refuse_bytes(bench, &bytes, size < 2048 ? "too short" : "truncated");
    }
}

static void a_file_that_something_was_appended_to_is_refused(void **state)
{
    struct bench *bench = *state;
    static const size_t more[] = {1, 15, 16, 128, 4096, 8192};
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        struct file_bytes bytes = bench->good;
        memset(bytes.bytes + TABLE_BYTES, 0, more[i]);
        bytes.size = TABLE_BYTES + more[i];
        must_refuse_bytes(bench, &bytes, "appended");
    }
}

static void a_file_of_something_else_is_refused(void **state)
{
    struct bench *bench = *state;
    struct file_bytes bytes;
    memset(bytes.bytes, 0, sizeof(bytes.bytes));
    bytes.size = TABLE_BYTES;
    must_refuse_bytes(bench, &bytes, "not a weir table");
    memset(bytes.bytes, 0xff, sizeof(bytes.bytes));
    must_refuse_bytes(bench, &bytes, "not a weir table");
}

static void sign(struct file_bytes *bytes)
{
    header_of(bytes)->checksum = weir_table_checksum(header_of(bytes));
}

static void another_version_is_refused(void **state)
{
    struct bench *bench = *state;
    struct file_bytes bytes = bench->good;
    header_of(&bytes)->version = WEIR_TABLE_VERSION + 1;
    sign(&bytes);
    must_refuse_bytes(bench, &bytes, "another version");
}

static void another_byte_order_is_refused(void **state)
{
    struct bench *bench = *state;
    struct file_bytes bytes = bench->good;
    header_of(&bytes)->order = __builtin_bswap64(WEIR_TABLE_ORDER);
    header_of(&bytes)->version = __builtin_bswap32(WEIR_TABLE_VERSION);
    sign(&bytes);
    must_refuse_bytes(bench, &bytes, "byte order");
}

/* The story: the slots were not bounded, so that a number of them whose bytes, modulo 2^64, came to
 * the size of the file was taken at its word, and the first key was looked for far outside of it.
 */
static void numbers_that_make_no_sense_are_refused_though_signed(void **state)
{
    struct bench *bench = *state;
    static const uint64_t slots[] = {
        0,
        1,
        7,
        8,
        504,
        513,
        1024,
        UINT64_MAX,
        UINT64_MAX - 7,
        (UINT64_C(1) << 60) + 512,
        (UINT64_C(1) << 63) + 512,
    };
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        struct file_bytes bytes = bench->good;
        header_of(&bytes)->slots = slots[i];
        sign(&bytes);
        must_refuse_bytes(bench, &bytes, "makes no sense");
    }
    struct file_bytes bytes = bench->good;
    header_of(&bytes)->slots = (UINT64_C(1) << 60) + 512;
    header_of(&bytes)->bytes = weir_table_bytes((UINT64_C(1) << 60) + 512);
    assert_int_equal(header_of(&bytes)->bytes, TABLE_BYTES);
    sign(&bytes);
    must_refuse_bytes(bench, &bytes, "makes no sense");
    bytes = bench->good;
    header_of(&bytes)->header_bytes = 4096;
    sign(&bytes);
    must_refuse_bytes(bench, &bytes, "makes no sense");
}

static void another_size_than_asked_for_is_refused(void **state)
{
    struct bench *bench = *state;
    must_refuse_with(fixture_url(&bench->folder, "table", "size=16KiB"), bench->path,
                     WEIR_ERR_FORMAT, "has 512 slots, size= asks for 1024");
    must_be_unchanged(bench->path, &bench->good);
    weir_close(fixture_open(fixture_url(&bench->folder, "table", "size=8KiB")));
    weir_close(fixture_open(bench->url));
    must_be_unchanged(bench->path, &bench->good);
}

/* ---- What is no such file ---- */

static void what_is_no_regular_file_is_refused(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    char path[256];
    assert_int_equal(mkdir(fixture_path(&folder, "folder"), 0700), 0);
    must_refuse_with(fixture_url(&folder, "folder", ""), "/folder: opening", WEIR_ERR_SYSTEM,
                     strerror(EISDIR));
    (void)snprintf(path, sizeof(path), "%s", fixture_path(&folder, "pipe"));
    assert_int_equal(mkfifo(path, 0600), 0);
    must_refuse_with(fixture_url(&folder, "pipe", ""), path, WEIR_ERR_FORMAT, "not a regular file");
    must_refuse_with("shm:/dev/null", "/dev/null", WEIR_ERR_FORMAT, "not a regular file");
    assert_int_equal(symlink("nowhere", fixture_path(&folder, "link")), 0);
    must_refuse_with(fixture_url(&folder, "link", ""), "/link", WEIR_ERR_SYSTEM, "");
    assert_int_equal(access(fixture_path(&folder, "nowhere"), F_OK), -1);
    must_refuse_with("shm:/no/such/folder/table", "/no/such/folder/table: making", WEIR_ERR_SYSTEM,
                     strerror(ENOENT));
    fixture_folder_remove(&folder);
}

static void a_link_to_a_table_is_followed(void **state)
{
    struct bench *bench = *state;
    struct weir_limit *limit = fixture_limit("5/d");
    assert_int_equal(symlink("table", fixture_path(&bench->folder, "link")), 0);
    struct weir *weir = fixture_open(fixture_url(&bench->folder, "link", ""));
    assert_int_equal(fixture_peek(weir, limit, "key", 1, FIXTURE_NOW).remaining, 2);
    weir_close(weir);
    weir_limit_free(limit);
}

/* Root may do anything, so for this it becomes nobody for a while. */
static void become(uid_t user)
{
    if (geteuid() != user) {
        assert_int_equal(seteuid(user), 0);
    }
}

static void a_file_without_permission_is_refused(void **state)
{
    struct bench *bench = *state;
    const uid_t self = geteuid();
    static const mode_t modes[] = {0000, 0444, 0222};
    assert_int_equal(chmod(bench->folder.path, 0755), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(bench->path, modes[i]), 0);
        become(self == 0 ? NOBODY : self);
        must_refuse_with(bench->url, bench->path, WEIR_ERR_SYSTEM, strerror(EACCES));
        become(self);
    }
    assert_int_equal(chmod(bench->folder.path, 0555), 0);
    become(self == 0 ? NOBODY : self);
    must_refuse_with(fixture_url(&bench->folder, "new", ""), "/new: making", WEIR_ERR_SYSTEM,
                     strerror(EACCES));
    become(self);
    assert_int_equal(chmod(bench->folder.path, 0755), 0);
    assert_int_equal(chmod(bench->path, 0600), 0);
    must_be_unchanged(bench->path, &bench->good);
}

static unsigned files_in(const struct fixture_folder *folder)
{
    unsigned count = 0;
    DIR *entries = opendir(folder->path);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    (void)closedir(entries);
    return count;
}

/* In a process of its own, whose limit is so low. Without the library's look at it, the kernel
 * would end the process. */
static void a_file_larger_than_the_process_may_write_is_refused(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit low = {65536, 65536};
        struct weir *weir = NULL;
        struct weir_error error = {0, 0, ""};
        const bool limited = setrlimit(RLIMIT_FSIZE, &low) == 0;
        const enum weir_status status =
            weir_open(fixture_url(&folder, "table", "size=1MiB"), NULL, &weir, &error);
        _exit(limited && status == WEIR_ERR_SYSTEM &&
                      strstr(error.message, strerror(EFBIG)) != NULL &&
                      strstr(error.message, folder.path) != NULL
                  ? 0
                  : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(files_in(&folder), 0);
    fixture_folder_remove(&folder);
}

/* What a child that fills a small file system of its own ends with. */
enum full_outcome {
    FULL_REFUSED = 0,
    FULL_WRONG = 1,
    FULL_NOT_ALLOWED = 2
};

static enum full_outcome fill_small_file_system(const struct fixture_folder *folder)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder->path, "tmpfs", 0, "size=64k") != 0) {
        return FULL_NOT_ALLOWED;
    }
    struct weir *weir = NULL;
    struct weir_error error = {0, 0, ""};
    const enum weir_status status =
        weir_open(fixture_url(folder, "table", "size=1MiB"), NULL, &weir, &error);
    if (status != WEIR_ERR_SYSTEM || strstr(error.message, strerror(ENOSPC)) == NULL ||
        strstr(error.message, folder->path) == NULL || files_in(folder) != 0) {
        return FULL_WRONG;
    }
    /* What was reserved in vain is free again: a small table fits. */
    return weir_open(fixture_url(folder, "table", "size=16KiB"), NULL, &weir, &error) == WEIR_OK
               ? FULL_REFUSED
               : FULL_WRONG;
}

/* Only root may mount; for others the test before this one stands. */
static void a_full_file_system_is_reported_and_nothing_is_left_there(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    const pid_t child = fork();
    if (child == 0) {
        _exit((int)fill_small_file_system(&folder));
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == FULL_REFUSED || WEXITSTATUS(status) == FULL_NOT_ALLOWED);
    fixture_folder_remove(&folder);
}

/* ---- What a new file is like ---- */

static mode_t mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void a_new_file_is_its_owners_alone_whatever_the_umask(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        struct fixture_folder folder = fixture_folder_make();
        const mode_t old = umask(masks[i]);
        weir_close(fixture_open(fixture_url(&folder, "usual", "size=8KiB")));
        weir_close(fixture_open(fixture_url(&folder, "group", "size=8KiB&mode=0660")));
        weir_close(fixture_open(fixture_url(&folder, "all", "mode=666&size=8KiB")));
        (void)umask(old);
        assert_int_equal(mode_of(fixture_path(&folder, "usual")), 0600);
        assert_int_equal(mode_of(fixture_path(&folder, "group")), 0660);
        assert_int_equal(mode_of(fixture_path(&folder, "all")), 0666);
        /* A file that is there keeps its mode. */
        weir_close(fixture_open(fixture_url(&folder, "usual", "mode=0666")));
        assert_int_equal(mode_of(fixture_path(&folder, "usual")), 0600);
        fixture_folder_remove(&folder);
    }
}

static void a_new_file_has_all_its_blocks(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    struct stat status;
    weir_close(fixture_open(fixture_url(&folder, "table", "size=1MiB")));
    assert_int_equal(stat(fixture_path(&folder, "table"), &status), 0);
    assert_int_equal(status.st_size, 2048 + (1 << 20));
    assert_true((int64_t)status.st_blocks * 512 >= status.st_size);
    fixture_folder_remove(&folder);
}

static void a_path_may_hold_any_character(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    weir_close(fixture_open(fixture_url(&folder, "a%3Fb%25c%20d%c3%a9", "size=8KiB")));
    assert_int_equal(mode_of(fixture_path(&folder, "a?b%c d\xc3\xa9")), 0600);
    fixture_folder_remove(&folder);
}

/* Several that find no file make one between them. */
struct creation {
    char url[256];
    unsigned admitted;
};

static void open_and_take(void *shared, unsigned index)
{
    struct creation *creation = shared;
    struct weir_limit *limit = fixture_limit("1/d");
    struct weir *weir = fixture_open(creation->url);
    (void)index;
    if (fixture_check(weir, limit, "key", 1, FIXTURE_NOW).allowed) {
        (void)__atomic_add_fetch(&creation->admitted, 1, __ATOMIC_RELAXED);
    }
    weir_close(weir);
    weir_limit_free(limit);
}

static void processes_that_create_at_once_share_one_file(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    struct creation *creation = fixture_shared(sizeof(*creation));
    for (size_t round = 0; round < random_rounds(60); round++) {
        creation->admitted = 0;
        (void)snprintf(creation->url, sizeof(creation->url), "%s",
                       fixture_url(&folder, "table", "size=64KiB"));
        if (round % 2 == 0) {
            fixture_processes(4, open_and_take, creation);
        } else {
            fixture_threads(4, open_and_take, creation);
        }
        assert_int_equal(creation->admitted, 1);
        assert_int_equal(files_in(&folder), 1);
        assert_int_equal(unlink(fixture_path(&folder, "table")), 0);
    }
    fixture_shared_free(creation, sizeof(*creation));
    fixture_folder_remove(&folder);
}

/* ---- What outlives whom ---- */

static void two_handles_share_a_table_wherever_it_is_mapped(void **state)
{
    struct bench *bench = *state;
    struct weir_limit *limit = fixture_limit("5/d");
    struct weir *first = fixture_open(bench->url);
    struct weir *second = fixture_open(bench->url);
    assert_true(fixture_check(first, limit, "key", 1, FIXTURE_NOW).allowed);
    assert_int_equal(fixture_peek(second, limit, "key", 1, FIXTURE_NOW).remaining, 1);
    assert_true(fixture_check(second, limit, "key", 1, FIXTURE_NOW).allowed);
    assert_false(fixture_check(first, limit, "key", 1, FIXTURE_NOW).allowed);
    weir_close(first);
    assert_false(fixture_check(second, limit, "key", 1, FIXTURE_NOW).allowed);
    weir_close(second);
    weir_limit_free(limit);
}

static void a_child_shares_the_table_that_its_parent_opened(void **state)
{
    struct bench *bench = *state;
    struct weir_limit *limit = fixture_limit("5/d");
    struct weir *weir = fixture_open(bench->url);
    const pid_t child = fork();
    if (child == 0) {
        _exit(fixture_check(weir, limit, "key", 2, FIXTURE_NOW).allowed ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(fixture_check(weir, limit, "key", 1, FIXTURE_NOW).allowed);
    weir_close(weir);
    weir_limit_free(limit);
}

static void state_outlives_every_process_that_had_it(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    struct weir_limit *limit = fixture_limit("5/d fixed-window");
    for (unsigned life = 0; life < 7; life++) {
        const pid_t child = fork();
        if (child == 0) {
            struct weir *weir = fixture_open(fixture_url(&folder, "table", "size=8KiB"));
            const bool allowed = fixture_check(weir, limit, "key", 1, FIXTURE_NOW).allowed;
            if (life % 2 == 0) {
                (void)raise(SIGKILL); /* without closing */
            }
            weir_close(weir);
            _exit(allowed ? 0 : 3);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (life % 2 == 1) {
            assert_int_equal(WEXITSTATUS(status), life < 5 ? 0 : 3);
        }
    }
    struct weir *weir = fixture_open(fixture_url(&folder, "table", ""));
    assert_int_equal(fixture_peek(weir, limit, "key", 1, FIXTURE_NOW).remaining, 0);
    assert_true(fixture_check(weir, limit, "key", 1, FIXTURE_NOW + DAY_US).allowed);
    weir_close(weir);
    weir_limit_free(limit);
    fixture_folder_remove(&folder);
}

/* A machine without a battery starts years back, until somebody sets its clock. Nobody is denied
 * for longer than the limit itself could deny, and no key gets more than its limit for each step of
 * the clock. */
static void a_clock_that_starts_years_back_blocks_nobody_for_long(void **state)
{
    (void)state;
    static const char *const texts[] = {"2/d", "2/d fixed-window", "2/d sliding-window",
                                        "2/d leaky-bucket", "2/d block 1h"};
    static const int64_t starts_us[] = {FIXTURE_NOW, FIXTURE_NOW - 3 * 365 * DAY_US,
                                        FIXTURE_NOW + 3600 * INT64_C(1000000)};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct fixture_folder folder = fixture_folder_make();
        struct weir_limit *limit = fixture_limit(texts[i]);
        for (size_t boot = 0; boot < 3; boot++) {
            struct weir *weir = fixture_open(fixture_url(&folder, "table", "size=8KiB"));
            struct weir_decision decision;
            unsigned admitted = 0;
            do {
                decision = fixture_check(weir, limit, "key", 1, starts_us[boot]);
                admitted += decision.allowed ? 1 : 0;
            } while (decision.allowed);
            assert_true(admitted <= 2);
            assert_true(decision.retry_after_us > 0);
            assert_true(decision.retry_after_us <= 2 * DAY_US);
            assert_true(
                fixture_check(weir, limit, "key", 1, starts_us[boot] + decision.retry_after_us)
                    .allowed ||
                strstr(texts[i], "block") != NULL);
            weir_close(weir);
        }
        weir_limit_free(limit);
        fixture_folder_remove(&folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_header_with_any_byte_flipped_is_refused, bench_make,
                                        bench_remove),
        cmocka_unit_test_setup_teardown(any_counters_will_do, bench_make, bench_remove),
        cmocka_unit_test_setup_teardown(a_file_cut_anywhere_is_refused, bench_make, bench_remove),
        cmocka_unit_test_setup_teardown(a_file_that_something_was_appended_to_is_refused,
                                        bench_make, bench_remove),
        cmocka_unit_test_setup_teardown(a_file_of_something_else_is_refused, bench_make,
                                        bench_remove),
        cmocka_unit_test_setup_teardown(another_version_is_refused, bench_make, bench_remove),
        cmocka_unit_test_setup_teardown(another_byte_order_is_refused, bench_make, bench_remove),
        cmocka_unit_test_setup_teardown(numbers_that_make_no_sense_are_refused_though_signed,
                                        bench_make, bench_remove),
        cmocka_unit_test_setup_teardown(another_size_than_asked_for_is_refused, bench_make,
                                        bench_remove),
        cmocka_unit_test(what_is_no_regular_file_is_refused),
        cmocka_unit_test_setup_teardown(a_link_to_a_table_is_followed, bench_make, bench_remove),
        cmocka_unit_test_setup_teardown(a_file_without_permission_is_refused, bench_make,
                                        bench_remove),
        cmocka_unit_test(a_file_larger_than_the_process_may_write_is_refused),
        cmocka_unit_test(a_full_file_system_is_reported_and_nothing_is_left_there),
        cmocka_unit_test(a_new_file_is_its_owners_alone_whatever_the_umask),
        cmocka_unit_test(a_new_file_has_all_its_blocks),
        cmocka_unit_test(a_path_may_hold_any_character),
        cmocka_unit_test(processes_that_create_at_once_share_one_file),
        cmocka_unit_test_setup_teardown(two_handles_share_a_table_wherever_it_is_mapped, bench_make,
                                        bench_remove),
        cmocka_unit_test_setup_teardown(a_child_shares_the_table_that_its_parent_opened, bench_make,
                                        bench_remove),
        cmocka_unit_test(state_outlives_every_process_that_had_it),
        cmocka_unit_test(a_clock_that_starts_years_back_blocks_nobody_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
