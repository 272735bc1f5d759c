/* zone.h - calendar windows in a time zone, without asking the C library.
 *
 * localtime() reads the process's one zone; a limiter needs many, from many threads. So a zone is
 * read once into a table of its offsets (policy/zone_load.c), and this finds windows in it,
 * purely. */

#ifndef WEIR_ALGO_ZONE_H
#define WEIR_ALGO_ZONE_H

#include "weir/weir.h"

/* No clock is further from UTC than this, in seconds; a file that says otherwise is refused. */
#define WEIR_ZONE_OFFSET_MAX 93600

/* offsets[i] seconds east of UTC hold from starts[i] (seconds since 1970) until starts[i + 1], the
 * last for ever. starts[0] is INT64_MIN. count is 1 or more; ascending. */
struct weir_zone {
    size_t count;
    const int64_t *starts;
    const int32_t *offsets;
    size_t memory_size; /* what the whole allocation took, for releasing it */
};

/* The window of `calendar` (not WEIR_CALENDAR_EPOCH: window.c) that holds `now_us`
 * (0..WEIR_TIME_MAX) on the clocks of `zone` (NULL: UTC): from the first instant to just before the
 * end. Minutes and hours start when the local clock shows :00 and end a minute or hour later or
 * where the zone's offset changes, whichever comes first; days, weeks (Monday), months and years
 * run from the first instant of the local date to the first of the next. */
void weir_zone_window(const struct weir_zone *zone, enum weir_calendar calendar, int64_t now_us,
                      int64_t *ret_start_us, int64_t *ret_end_us);

#endif
