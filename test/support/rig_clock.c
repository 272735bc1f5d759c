/* rig_clock.c - a library for LD_PRELOAD that moves a server's time of day, for the rig's option
 * `clock`. (libfaketime would do the same, but starts no redis-server of Debian 12: its jemalloc
 * asks for the time before libfaketime is ready.)
 *
 * The eight bytes at the start of the file RIG_CLOCK are the offset in microseconds, as this
 * machine writes an int64_t, and may change at any time. The clocks that count from the start are
 * left alone. Nothing here allocates or looks up a symbol, so that it may be called before main. */

#include "support/rig_clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *offset;

__attribute__((constructor)) static void find_offset(void)
{
    const char *path = getenv(RIG_CLOCK_VARIABLE);
    const int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        return;
    }
    void *memory = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, file, 0);
    (void)close(file);
    if (memory != MAP_FAILED) {
        offset = memory;
    }
}

static struct timespec shifted(struct timespec now)
{
    const int64_t moved = offset != NULL ? atomic_load_explicit(offset, memory_order_relaxed) : 0;
    const int64_t ns = now.tv_nsec + moved % 1000000 * 1000;
    const int64_t carry = ns < 0 ? -1 : ns / 1000000000;
    now.tv_sec += moved / 1000000 + carry;
    now.tv_nsec = ns - carry * 1000000000;
    return now;
}

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    if (syscall(SYS_clock_gettime, clock, ret_time) != 0) {
        return -1;
    }
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        *ret_time = shifted(*ret_time);
    }
    return 0;
}

int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *ret_time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret_time)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time != NULL) {
        *ret_time = now.tv_sec;
    }
    return now.tv_sec;
}
