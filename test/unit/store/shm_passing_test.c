/* shm_passing_test.c - a new shm file on a file system that knows no files without a name: it is
 * made under a passing one, and still nobody sees it before it is complete.
 *
 * shm.c is compiled into this test with an open() that refuses O_TMPFILE, as such file systems do.
 *
 * The story: the passing name was made of the process id, and whatever was under it was removed
 * first. So of two threads, or of two processes of the same id in different containers, that made
 * the file at once, one could give the other's unfinished file its name. */

#include <fcntl.h>
#include <stdbool.h>
#include <sys/types.h>

static bool passing_files_made;

static int open_without_nameless_files(const char *path, int flags, ...);
#define open open_without_nameless_files
#include "../../../src/store/shm.c"
#undef open

#include "support/fixture.h"
#include "support/random.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int open_without_nameless_files(const char *path, int flags, ...)
{
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if ((flags & O_CREAT) != 0) {
        __atomic_store_n(&passing_files_made, true, __ATOMIC_RELAXED);
    }
    return openat(AT_FDCWD, path, flags, 0600);
}

struct creation {
    char path[256];
    unsigned wrong;
};

static enum weir_status open_path(const char *path, uint64_t size, struct weir_store **ret_store,
                                  struct weir_error *ret_error)
{
    const struct weir_store_options options = {
        .path = weir_text(path), .size = size, .mode = 0640, .now_us = FIXTURE_NOW};
    return weir_shm_open(&options, ret_store, ret_error);
}

static void open_and_close(void *shared, unsigned index)
{
    struct creation *creation = shared;
    struct weir_store *store;
    (void)index;
    if (open_path(creation->path, 65536, &store, NULL) == WEIR_OK) {
        store->ops->close(store);
    } else {
        (void)__atomic_add_fetch(&creation->wrong, 1, __ATOMIC_RELAXED);
    }
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

static void threads_and_processes_that_create_at_once_see_it_complete(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    struct creation *creation = fixture_shared(sizeof(*creation));
    (void)snprintf(creation->path, sizeof(creation->path), "%s", fixture_path(&folder, "table"));
    for (size_t round = 0; round < random_rounds(60); round++) {
        fixture_threads(4, open_and_close, creation);
        assert_int_equal(creation->wrong, 0);
        assert_int_equal(files_in(&folder), 1);
        assert_int_equal(unlink(creation->path), 0);
        fixture_processes(2, open_and_close, creation);
        assert_int_equal(creation->wrong, 0);
        assert_int_equal(files_in(&folder), 1);
        assert_int_equal(unlink(creation->path), 0);
    }
    assert_true(passing_files_made);
    fixture_shared_free(creation, sizeof(*creation));
    fixture_folder_remove(&folder);
}

static void the_mode_is_as_asked_and_no_other_file_stays(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    struct weir_store *store;
    struct stat status;
    assert_int_equal(open_path(fixture_path(&folder, "table"), 8192, &store, NULL), WEIR_OK);
    store->ops->close(store);
    assert_int_equal(stat(fixture_path(&folder, "table"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(files_in(&folder), 1);
    fixture_folder_remove(&folder);
}

static void what_could_not_be_made_leaves_nothing(void **state)
{
    (void)state;
    struct fixture_folder folder = fixture_folder_make();
    struct rlimit usual;
    struct weir_store *store;
    struct weir_error error = {0, 0, ""};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, usual.rlim_max}), 0);
    assert_int_equal(open_path(fixture_path(&folder, "table"), 8192, &store, &error),
                     WEIR_ERR_SYSTEM);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_int_equal(files_in(&folder), 0);
    fixture_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_and_processes_that_create_at_once_see_it_complete),
        cmocka_unit_test(the_mode_is_as_asked_and_no_other_file_stays),
        cmocka_unit_test(what_could_not_be_made_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
