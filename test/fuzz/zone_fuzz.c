/* zone_fuzz.c - any bytes as a TZif file.
 *
 * What is read must be a table as zone.h has it, and the windows in it must hold their time and
 * follow one another without gap. What is refused must say why. */

#include "algo/zone.h"
#include "base/alloc.h"
#include "policy/zone_load.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(const struct weir_zone *zone)
{
    assert(zone->count >= 1 && zone->starts[0] == INT64_MIN);
    for (size_t i = 0; i < zone->count; i++) {
        assert(zone->offsets[i] >= -WEIR_ZONE_OFFSET_MAX);
        assert(zone->offsets[i] <= WEIR_ZONE_OFFSET_MAX);
        assert(i == 0 || zone->starts[i] > zone->starts[i - 1]);
        assert(i == 0 || zone->offsets[i] != zone->offsets[i - 1]);
    }
}

static void check_windows(const struct weir_zone *zone, int64_t now_us)
{
    if (now_us < 0 || now_us > WEIR_TIME_MAX) {
        return;
    }
    for (int i = WEIR_CALENDAR_MINUTE; i <= WEIR_CALENDAR_YEAR; i++) {
        const enum weir_calendar calendar = (enum weir_calendar)i;
        int64_t start_us;
        int64_t end_us;
        int64_t next_start_us;
        int64_t next_end_us;
        weir_zone_window(zone, calendar, now_us, &start_us, &end_us);
        assert(start_us <= now_us && now_us < end_us);
        if (end_us <= WEIR_TIME_MAX) {
            weir_zone_window(zone, calendar, end_us, &next_start_us, &next_end_us);
            assert(next_start_us == end_us && next_end_us > end_us);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weir_allocator *allocator = weir_allocator_or_default(NULL);
    const struct weir_zone *zone = NULL;
    const char *why = NULL;
    const enum weir_status status = weir_zone_parse(weir_bytes(data, size), allocator, &zone, &why);
    if (status != WEIR_OK) {
        assert(status == WEIR_ERR_FORMAT && why != NULL && zone == NULL);
        return 0;
    }
    check_table(zone);
    check_windows(zone, 0);
    check_windows(zone, WEIR_TIME_MAX);
    /* Around the first and the last few changes. */
    for (size_t i = 1; i < zone->count; i++) {
        if (i < 8 || i + 8 > zone->count) {
            check_windows(zone, zone->starts[i] * 1000000 - 1);
            check_windows(zone, zone->starts[i] * 1000000);
        }
    }
    weir_zone_free(zone, allocator);
    return 0;
}
