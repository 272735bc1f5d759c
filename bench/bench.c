/* bench.c - the program that bench/run talks to: weir, the floors and the opponents in C.
 *
 *     bench keys FILE COUNT        writes COUNT names in an order of chance, the same every time
 *     bench serve FILE STEP        reads commands, one a line, and answers each with one of JSON:
 *
 *     fill NAME                                    asks once about every key, in steps of STEP
 *     run NAME LIMIT WAY KEYS FIRST THREADS COUNT START_US
 *                                                  COUNT requests by each thread; KEYS is
 *                                                    same  all ask about the key FIRST
 *                                                    own   thread t about the key FIRST + t
 *                                                    all   thread t about COUNT keys from t * COUNT
 *                                                    few   the same, over the memory of few keys
 *     memory                                       what is only true of weir
 *
 * The programs in go/ and rust/ answer the same commands. Requests are made by two threads that
 * live as long as the program: a mutex is cheaper in a process that never had a second one, and no
 * server is such a process. */

#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define THREADS 2

void bench_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

/* ---- Keys ---- */

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int write_keys(const char *path, size_t count)
{
    uint32_t *ids = calloc(count, sizeof(*ids));
    FILE *file = fopen(path, "wb");
    uint64_t state = 1;
    if (ids == NULL || file == NULL) {
        bench_die("can't write %s", path);
    }
    for (size_t i = 0; i < count; i++) {
        const size_t other = (size_t)(random_next(&state) % (i + 1));
        ids[i] = ids[other];
        ids[other] = (uint32_t)i;
    }
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(file, "user:%011u", ids[i]);
    }
    if (fclose(file) != 0) {
        bench_die("can't write %s", path);
    }
    free(ids);
    return 0;
}

static const char *map_keys(const char *path, size_t *ret_count)
{
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        bench_die("can't read %s", path);
    }
    const size_t size = (size_t)info.st_size;
    char *keys = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (keys == MAP_FAILED) {
        bench_die("can't map %s", path);
    }
    (void)close(fd);
    *ret_count = size / BENCH_KEY_LEN;
    return keys;
}

/* ---- The threads ---- */

struct worker {
    pthread_t thread;
    unsigned index;
    struct bench_load load;
    int64_t start_ns;
    int64_t end_ns;
    uint64_t allowed;
};

static struct worker workers[THREADS];
static pthread_barrier_t begin;
static pthread_barrier_t end;
static const struct bench_contender *contender;
static unsigned threads_wanted;
static unsigned threads_ready;

static int64_t monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *work(void *context)
{
    struct worker *self = context;
    for (;;) {
        (void)pthread_barrier_wait(&begin);
        if (self->index < threads_wanted) {
            /* Awake before any begins. */
            (void)__atomic_add_fetch(&threads_ready, 1, __ATOMIC_SEQ_CST);
            while (__atomic_load_n(&threads_ready, __ATOMIC_SEQ_CST) < threads_wanted) {
            }
            self->start_ns = monotonic_ns();
            self->allowed = contender->run(&self->load);
            self->end_ns = monotonic_ns();
        }
        (void)pthread_barrier_wait(&end);
    }
    return NULL;
}

static void start_workers(void)
{
    (void)pthread_barrier_init(&begin, NULL, THREADS + 1);
    (void)pthread_barrier_init(&end, NULL, THREADS + 1);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].index = i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            bench_die("can't start a thread");
        }
    }
}

/* ---- Commands ---- */

static const struct bench_contender *const contenders[] = {
    &bench_floor,
    &bench_weir,
    &bench_mutex_map,
    &bench_sharded_map,
};

static const char *const limit_names[] = {
    "open",         "closed",       "keyed",           "token-bucket",   "token-bucket-part",
    "leaky-bucket", "fixed-window", "calendar-window", "sliding-window", "sliding-log",
};
static const char *const way_names[] = {"check", "clock", "peek", "together", "bare"};

static unsigned index_of(const char *name, const char *const *names, size_t count)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    bench_die("what is '%s'?", name);
}

static const struct bench_contender *contender_named(const char *name)
{
    for (size_t i = 0; i < sizeof(contenders) / sizeof(contenders[0]); i++) {
        if (strcmp(name, contenders[i]->name) == 0) {
            return contenders[i];
        }
    }
    bench_die("who is '%s'?", name);
}

/* The memory that this process has in use. */
static size_t resident_bytes(void)
{
    unsigned long whole = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &whole, &resident) != 2) {
        bench_die("can't read /proc/self/statm");
    }
    (void)fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void fill(const char *name, const char *keys, size_t count, size_t step)
{
    const struct bench_contender *filled = contender_named(name);
    const size_t before = resident_bytes();
    struct bench_load load = {
        .key_len = BENCH_KEY_LEN, .count = 1, .way = BENCH_CHECK, .limit = BENCH_KEYED};
    size_t at = 0;
    filled->open(count);
    for (size_t i = 0; i < count; i++) {
        load.keys = keys + at * BENCH_KEY_LEN;
        load.start_us = (int64_t)i;
        (void)filled->run(&load);
        at += step;
        at -= at >= count ? count : 0;
    }
    printf("{\"bytes\": %zu}\n", resident_bytes() - before);
}

static void run(const struct bench_load *load, const char *keys, const char *which, size_t first)
{
    int64_t start_ns = INT64_MAX;
    int64_t end_ns = 0;
    uint64_t allowed = 0;
    for (unsigned i = 0; i < threads_wanted; i++) {
        const size_t at = strcmp(which, "same") == 0  ? first
                          : strcmp(which, "own") == 0 ? first + i
                                                      : first + i * load->count;
        workers[i].load = *load;
        workers[i].load.keys = keys + at * BENCH_KEY_LEN;
    }
    threads_ready = 0;
    (void)pthread_barrier_wait(&begin);
    (void)pthread_barrier_wait(&end);
    for (unsigned i = 0; i < threads_wanted; i++) {
        start_ns = workers[i].start_ns < start_ns ? workers[i].start_ns : start_ns;
        end_ns = workers[i].end_ns > end_ns ? workers[i].end_ns : end_ns;
        allowed += workers[i].allowed;
    }
    printf("{\"ns\": %.3f, \"allowed\": %llu}\n",
           (double)(end_ns - start_ns) / (double)(load->count * threads_wanted),
           (unsigned long long)allowed);
}

static void command(const char *line, const char *keys, size_t keys_count, size_t step)
{
    char name[32];
    char limit[32];
    char way[32];
    char which[32];
    size_t first;
    size_t count;
    long long start_us;
    if (sscanf(line, "fill %31s", name) == 1) {
        fill(name, keys, keys_count, step);
    } else if (strcmp(line, "memory\n") == 0) {
        bench_weir_memory();
    } else if (sscanf(line, "run %31s %31s %31s %31s %zu %u %zu %lld", name, limit, way, which,
                      &first, &threads_wanted, &count, &start_us) == 8) {
        const bool one = strcmp(which, "same") == 0 || strcmp(which, "own") == 0;
        const struct bench_load load = {
            .stride = one ? 0 : BENCH_KEY_LEN,
            .key_len = BENCH_KEY_LEN,
            .count = count,
            .start_us = (int64_t)start_us,
            .way = (enum bench_way)index_of(way, way_names, sizeof(way_names) / sizeof(*way_names)),
            .limit = index_of(limit, limit_names, sizeof(limit_names) / sizeof(*limit_names)),
            .few = strcmp(which, "few") == 0,
        };
        if (threads_wanted < 1 || threads_wanted > THREADS ||
            first + (one ? threads_wanted : threads_wanted * count) > keys_count) {
            bench_die("out of range: %s", line);
        }
        contender = contender_named(name);
        run(&load, keys, which, first);
    } else {
        bench_die("what is meant by: %s", line);
    }
    (void)fflush(stdout);
}

static int serve(const char *path, size_t step)
{
    size_t count;
    const char *keys = map_keys(path, &count);
    char line[256];
    start_workers();
    while (fgets(line, sizeof(line), stdin) != NULL) {
        command(line, keys, count, step);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "keys") == 0) {
        return write_keys(argv[2], (size_t)strtoull(argv[3], NULL, 10));
    }
    if (argc == 4 && strcmp(argv[1], "serve") == 0) {
        return serve(argv[2], (size_t)strtoull(argv[3], NULL, 10));
    }
    bench_die("usage: bench keys FILE COUNT, or bench serve FILE STEP");
}
