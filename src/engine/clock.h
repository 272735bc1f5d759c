/* clock.h - the one place in libweir that reads a clock, for callers that bring no time of their
 * own. */

#ifndef WEIR_ENGINE_CLOCK_H
#define WEIR_ENGINE_CLOCK_H

#include "weir/weir.h"

/* `now_us` itself if it is in range, the system's clock if it is WEIR_CLOCK; else WEIR_ERR_TIME. */
enum weir_status weir_clock_resolve(int64_t now_us, int64_t *ret_now_us);

/* CLOCK_MONOTONIC in microseconds: for measuring a wait, not for deciding. */
int64_t weir_clock_monotonic(void);

/* Sleeps `duration_us`, through signals. */
void weir_clock_sleep(int64_t duration_us);

#endif
