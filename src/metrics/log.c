/* log.c - see log.h; line.h has what a line looks like.
 *
 * A line is put together on its thread's stack, and written under a mutex. That one lock is held
 * during I/O, against the rule: between the look whether there is room and the write, no other
 * thread may take that room, or the write would wait. It doesn't: where poll(2) says that there is
 * room, a pipe, a socket or a terminal takes WEIR_LINE_MAX bytes, and where it says there is none
 * the line is lost and counted. The descriptor itself is left as it is: it may be shared with a
 * shell, which would not want it to stop blocking.
 *
 * Denials are counted before anything else is done for them: in an attack they are the hot path.
 * Those that are left out are counted in one of several places, by thread, so that workers don't
 * pull one cache line from each other.
 *
 * Invariant: with the mutex free, what was written so far ends with a newline, or `torn` is set. */

#include "metrics/log.h"

#include "base/alloc.h"
#include "metrics/counter.h"
#include "metrics/line.h"
#include "metrics/lock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STRIPES 16

/* What many threads write, away from what they only read. */
struct apart {
    _Alignas(WEIR_APART) _Atomic uint64_t number;
};

struct weir_log {
    int fd;
    bool journal;
    _Atomic unsigned level;
    _Atomic bool json;
    _Atomic uint32_t denials;
    pthread_mutex_t mutex; /* guards the two below, and the order of writes */
    uint64_t lost;
    bool torn; /* the last write broke off within a line */
    /* The second of denials, in the upper half, and how many lines it has had, in the lower. */
    struct apart second;
    struct apart left_out[STRIPES];
};

/* ---- Opening ------------------------------------------------------------------------------ */

/* systemd says in JOURNAL_STREAM which file its journal reads, as device:inode. */
static bool is_journal(int fd)
{
    struct stat about;
    char text[48];
    const char *stream = getenv("JOURNAL_STREAM");
    if (stream == NULL || fstat(fd, &about) != 0) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)about.st_dev,
                   (unsigned long long)about.st_ino);
    return strcmp(text, stream) == 0;
}

struct weir_log *weir_log_open(int fd, enum weir_log_line level, bool json, uint32_t denials)
{
    struct weir_log *log =
        weir_alloc(weir_allocator_or_default(NULL), sizeof(*log), _Alignof(struct weir_log));
    if (log == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&log->mutex, NULL) != 0) {
        weir_release(weir_allocator_or_default(NULL), log, sizeof(*log));
        return NULL;
    }
    log->fd = fd;
    log->journal = is_journal(fd);
    weir_log_set(log, level, json, denials);
    return log;
}

void weir_log_close(struct weir_log *log)
{
    if (log == NULL) {
        return;
    }
    weir_lock_deinit(&log->mutex);
    weir_release(weir_allocator_or_default(NULL), log, sizeof(*log));
}

/* Relaxed, all three: each is looked at by itself, and a line that was begun may still go by what
 * they were. */
void weir_log_set(struct weir_log *log, enum weir_log_line level, bool json, uint32_t denials)
{
    atomic_store_explicit(&log->level, (unsigned)level, memory_order_relaxed);
    atomic_store_explicit(&log->json, json, memory_order_relaxed);
    atomic_store_explicit(&log->denials, denials, memory_order_relaxed);
}

bool weir_log_wants(const struct weir_log *log, enum weir_log_line line)
{
    return (unsigned)line <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

/* ---- Writing ------------------------------------------------------------------------------ */

static int64_t read_clock_us(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Writes it, or not at all; false where there is no room. */
static bool write_now(struct weir_log *log, const char *bytes, size_t len)
{
    struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
        return false;
    }
    ssize_t written;
    do {
        written = write(log->fd, bytes, len);
    } while (written < 0 && errno == EINTR);
    log->torn = written >= 0 ? (size_t)written < len : log->torn;
    return written > 0;
}

/* Says how many lines were lost before this one, once that can be said. */
static bool tell_lost(struct weir_log *log, bool json, int64_t now_us)
{
    struct weir_line line;
    weir_line_begin(&line, json, log->journal, WEIR_LOG_LINE_WARNING, now_us, "lines lost");
    weir_line_number(&line, "count", log->lost);
    weir_line_end(&line);
    return write_now(log, line.bytes, line.len);
}

static void write_line(struct weir_log *log, const struct weir_line *line, int64_t now_us)
{
    weir_lock(&log->mutex);
    if (log->torn) {
        log->torn = !write_now(log, "\n", 1);
    }
    if (!log->torn && log->lost > 0 && tell_lost(log, line->json, now_us)) {
        log->lost = 0;
    }
    if (log->torn || log->lost > 0 || !write_now(log, line->bytes, line->len)) {
        log->lost++;
    }
    weir_unlock(&log->mutex);
}

void weir_log(struct weir_log *log, enum weir_log_line level, const char *event, ...)
{
    if (!weir_log_wants(log, level)) {
        return;
    }
    struct weir_line line;
    const int64_t now_us = read_clock_us();
    weir_line_begin(&line, atomic_load_explicit(&log->json, memory_order_relaxed), log->journal,
                    level, now_us, event);
    va_list fields;
    va_start(fields, event);
    for (const char *name = va_arg(fields, const char *); name != NULL;
         name = va_arg(fields, const char *)) {
        const char *value = va_arg(fields, const char *);
        weir_line_field(&line, name, weir_text(value != NULL ? value : ""));
    }
    va_end(fields);
    weir_line_end(&line);
    write_line(log, &line, now_us);
}

/* ---- Denials ------------------------------------------------------------------------------ */

/* Whether this second may have one more line. Two threads may both find an old second: one of the
 * swaps fails, and finds the new one. A thread that is still in the second before goes by the newer
 * one; a clock that was set back further starts anew. */
static bool is_due(struct weir_log *log, uint32_t most, int64_t now_us)
{
    const uint64_t second = (uint64_t)(now_us / 1000000);
    uint64_t was = atomic_load_explicit(&log->second.number, memory_order_relaxed);
    for (;;) {
        const bool same = was >> 32 == second || was >> 32 == second + 1;
        if (same && (uint32_t)was >= most) {
            return false;
        }
        const uint64_t next = (same ? was : second << 32) + 1;
        if (atomic_compare_exchange_weak_explicit(&log->second.number, &was, next,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return true;
        }
    }
}

static void count_left_out(struct weir_log *log)
{
    /* Threads are far apart in memory; what is shifted out is the same of all. */
    const size_t thread = (size_t)pthread_self() >> 12;
    struct apart *left_out = &log->left_out[(thread ^ thread >> 8) % STRIPES];
    (void)atomic_fetch_add_explicit(&left_out->number, 1, memory_order_relaxed);
}

/* Each is told once, whoever takes it. */
static uint64_t take_left_out(struct weir_log *log)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < STRIPES; i++) {
        _Atomic uint64_t *left_out = &log->left_out[i].number;
        if (atomic_load_explicit(left_out, memory_order_relaxed) > 0) {
            sum += atomic_exchange_explicit(left_out, 0, memory_order_relaxed);
        }
    }
    return sum;
}

void weir_log_denial(struct weir_log *log, struct weir_bytes rule, struct weir_bytes key,
                     int64_t retry_after_us, int64_t now_us)
{
    const uint32_t most = atomic_load_explicit(&log->denials, memory_order_relaxed);
    if (most == 0 || !weir_log_wants(log, WEIR_LOG_LINE_INFO)) {
        return;
    }
    if (!is_due(log, most, now_us)) {
        count_left_out(log);
        return;
    }
    struct weir_line line;
    weir_line_begin(&line, atomic_load_explicit(&log->json, memory_order_relaxed), log->journal,
                    WEIR_LOG_LINE_INFO, now_us, "denied");
    weir_line_field(&line, "rule", rule);
    if (retry_after_us == WEIR_NEVER) {
        weir_line_field(&line, "retry_after", weir_text("never"));
    } else {
        weir_line_seconds(&line, "retry_after", retry_after_us > 0 ? retry_after_us : 0);
    }
    const uint64_t left_out = take_left_out(log);
    if (left_out > 0) {
        weir_line_number(&line, "left_out", left_out);
    }
    weir_line_field(&line, "key", key);
    weir_line_end(&line);
    write_line(log, &line, now_us);
}
