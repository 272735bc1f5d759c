/* wait.c - see wait.h. */

#include "cli/wait.h"

#include <errno.h>
#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t cli_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t cli_now_us(void)
{
    return read_us(CLOCK_REALTIME);
}

void cli_wait_until(int64_t until_us)
{
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000) * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}
