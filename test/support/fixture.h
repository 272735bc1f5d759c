/* fixture.h - what tests of the whole library share: limits and stores that must open, a folder
 * that goes away again, and a crowd of threads or processes that starts at one instant. */

#ifndef WEIR_TEST_SUPPORT_FIXTURE_H
#define WEIR_TEST_SUPPORT_FIXTURE_H

#include "weir/weir.h"

/* A point in time that is not special: 2026-01-01 00:00 UTC. */
#define FIXTURE_NOW INT64_C(1767225600000000)

/* The limit of `text`; the process ends where there is none. */
struct weir_limit *fixture_limit(const char *text);

/* The store of `url`; the process ends, saying why, where it can't be opened. */
struct weir *fixture_open(const char *url);

/* Checks and peeks a key of text that must not fail. */
struct weir_decision fixture_check(struct weir *weir, const struct weir_limit *limit,
                                   const char *key, uint64_t cost, int64_t now_us);
struct weir_decision fixture_peek(struct weir *weir, const struct weir_limit *limit,
                                  const char *key, uint64_t cost, int64_t now_us);

/* A new folder for one test, below TMPDIR or /tmp. */
struct fixture_folder {
    char path[64];
};
struct fixture_folder fixture_folder_make(void);

/* Removes it and the files in it. */
void fixture_folder_remove(const struct fixture_folder *folder);

/* The path of `name` in it, or the URL "shm:PATH?QUERY", in static memory that the next call
 * reuses. */
const char *fixture_path(const struct fixture_folder *folder, const char *name);
const char *fixture_url(const struct fixture_folder *folder, const char *name, const char *query);

/* The most threads or processes of a crowd. */
#define FIXTURE_CROWD_MAX 16

/* Whoever is in a crowd runs this; `index` counts from 0. */
typedef void fixture_member(void *shared, unsigned index);

/* Runs `member` in `count` threads, released at one instant, and waits for all. */
void fixture_threads(unsigned count, fixture_member *member, void *shared);

/* The same in processes. A member that fails (ends by a signal or with another status than 0) fails
 * the test. `shared` is best from fixture_shared. */
void fixture_processes(unsigned count, fixture_member *member, void *shared);

/* `size` bytes of zeroed memory that forked processes share; released with fixture_shared_free. */
void *fixture_shared(size_t size);
void fixture_shared_free(void *memory, size_t size);

#endif
