/* fixture.c - see fixture.h. */

#include "support/fixture.h"

#include "base/pair.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(WEIR_PAIR_BUILTIN)
static const bool processes_share_swaps = false;
#else
static const bool processes_share_swaps = true;
#endif

static void must(enum weir_status status, const char *what, const struct weir_error *error)
{
    if (status != WEIR_OK) {
        (void)fprintf(stderr, "%s: %s: %s\n", what, weir_status_name(status),
                      error != NULL ? error->message : "");
        abort();
    }
}

struct weir_limit *fixture_limit(const char *text)
{
    struct weir_limit *limit = NULL;
    struct weir_error error = {0, 0, ""};
    must(weir_limit_parse(weir_text(text), NULL, &limit, &error), text, &error);
    return limit;
}

struct weir *fixture_open(const char *url)
{
    struct weir *weir = NULL;
    struct weir_error error = {0, 0, ""};
    must(weir_open(url, NULL, &weir, &error), url, &error);
    return weir;
}

struct weir_decision fixture_check(struct weir *weir, const struct weir_limit *limit,
                                   const char *key, uint64_t cost, int64_t now_us)
{
    struct weir_decision decision;
    must(weir_check(weir, limit, weir_text(key), cost, now_us, &decision), key, NULL);
    return decision;
}

struct weir_decision fixture_peek(struct weir *weir, const struct weir_limit *limit,
                                  const char *key, uint64_t cost, int64_t now_us)
{
    struct weir_decision decision;
    must(weir_peek(weir, limit, weir_text(key), cost, now_us, &decision), key, NULL);
    return decision;
}

/* ---- Folders ---- */

struct fixture_folder fixture_folder_make(void)
{
    struct fixture_folder folder;
    const char *base = getenv("TMPDIR");
    const int length = snprintf(folder.path, sizeof(folder.path), "%s/weir-test-XXXXXX",
                                base != NULL && strlen(base) < 40 ? base : "/tmp");
    assert(length > 0 && (size_t)length < sizeof(folder.path));
    if (mkdtemp(folder.path) == NULL) {
        perror(folder.path);
        abort();
    }
    return folder;
}

void fixture_folder_remove(const struct fixture_folder *folder)
{
    DIR *entries = opendir(folder->path);
    assert(entries != NULL);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(entries), entry->d_name, 0) != 0) {
            (void)unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR);
        }
    }
    (void)closedir(entries);
    (void)rmdir(folder->path);
}

const char *fixture_path(const struct fixture_folder *folder, const char *name)
{
    static _Thread_local char path[256];
    const int length = snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    assert(length > 0 && (size_t)length < sizeof(path));
    return path;
}

const char *fixture_url(const struct fixture_folder *folder, const char *name, const char *query)
{
    static _Thread_local char url[256];
    const int length = snprintf(url, sizeof(url), "shm:%s/%s%s%s", folder->path, name,
                                query[0] != '\0' ? "?" : "", query);
    assert(length > 0 && (size_t)length < sizeof(url));
    return url;
}

/* ---- Crowds ---- */

struct thread_member {
    pthread_t thread;
    pthread_barrier_t *start;
    fixture_member *member;
    void *shared;
    unsigned index;
};

static void *run_member(void *context)
{
    struct thread_member *self = context;
    (void)pthread_barrier_wait(self->start);
    self->member(self->shared, self->index);
    return NULL;
}

void fixture_threads(unsigned count, fixture_member *member, void *shared)
{
    assert(count >= 1 && count <= FIXTURE_CROWD_MAX);
    struct thread_member members[FIXTURE_CROWD_MAX];
    pthread_barrier_t start;
    int wrong = pthread_barrier_init(&start, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        members[i] =
            (struct thread_member){.start = &start, .member = member, .shared = shared, .index = i};
        wrong |= pthread_create(&members[i].thread, NULL, run_member, &members[i]);
    }
    if (wrong != 0) {
        (void)fprintf(stderr, "a crowd of %u threads can't be started\n", count);
        abort();
    }
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_join(members[i].thread, NULL);
    }
    (void)pthread_barrier_destroy(&start);
}

void *fixture_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("shared memory");
        abort();
    }
    return memory;
}

void fixture_shared_free(void *memory, size_t size)
{
    (void)munmap(memory, size);
}

void fixture_processes(unsigned count, fixture_member *member, void *shared)
{
    assert(count >= 1 && count <= FIXTURE_CROWD_MAX);
    if (!processes_share_swaps) {
        fixture_threads(count, member, shared);
        return;
    }
    pthread_barrier_t *start = fixture_shared(sizeof(*start));
    pthread_barrierattr_t across;
    pid_t children[FIXTURE_CROWD_MAX];
    (void)pthread_barrierattr_init(&across);
    (void)pthread_barrierattr_setpshared(&across, PTHREAD_PROCESS_SHARED);
    (void)pthread_barrier_init(start, &across, count);
    (void)fflush(NULL);
    for (unsigned i = 0; i < count; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            (void)pthread_barrier_wait(start);
            member(shared, i);
            _exit(0);
        }
        if (children[i] < 0) {
            perror("fork");
            abort();
        }
    }
    bool failed = false;
    for (unsigned i = 0; i < count; i++) {
        int status = -1;
        (void)waitpid(children[i], &status, 0);
        failed = failed || status != 0;
    }
    (void)pthread_barrierattr_destroy(&across);
    fixture_shared_free(start, sizeof(*start));
    if (failed) {
        (void)fprintf(stderr, "a process of the crowd failed\n");
        abort();
    }
}
