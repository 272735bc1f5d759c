/* clock.c - see clock.h.
 *
 * Decisions use CLOCK_REALTIME, as a shared file must mean the same to every process and after a
 * reboot, and calendar windows are of the calendar. That it can be set is dealt with in algo.h. */

#include "engine/clock.h"

#include <errno.h>
#include <time.h>

enum weir_status weir_clock_resolve(int64_t now_us, int64_t *ret_now_us)
{
    if (now_us == WEIR_CLOCK) {
        struct timespec now;
        if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
            return WEIR_ERR_TIME;
        }
        now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    }
    if (now_us < 0 || now_us > WEIR_TIME_MAX) {
        return WEIR_ERR_TIME;
    }
    *ret_now_us = now_us;
    return WEIR_OK;
}

int64_t weir_clock_monotonic(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void weir_clock_sleep(int64_t duration_us)
{
    const int64_t end_us = weir_clock_monotonic() + duration_us;
    const struct timespec end = {.tv_sec = (time_t)(end_us / 1000000),
                                 .tv_nsec = (long)(end_us % 1000000) * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR) {
    }
}
