/* zone_load.h - time zones from the files that every system has of them. */

#ifndef WEIR_POLICY_ZONE_LOAD_H
#define WEIR_POLICY_ZONE_LOAD_H

#include "algo/zone.h"
#include "base/error.h"
#include "weir/weir.h"

/* No zone's file is near this: the largest has under 4 KiB. */
#define WEIR_ZONE_FILE_MAX (256 * 1024)

/* The time that a zone's table covers, in years: what lies outside has the nearest offset inside. A
 * window that holds a time of weir's starts and ends well within. */
#define WEIR_ZONE_YEAR_FIRST 1968
#define WEIR_ZONE_YEAR_LAST 2115

/* Reads the zone `name` from `directory`. Errors, with offset and length 0 in ret_error:
 * WEIR_ERR_LIMIT for a name that is none, WEIR_ERR_SYSTEM for a file that can't be read or is
 * damaged, WEIR_ERR_NO_MEMORY. Free with weir_zone_free and the same allocator. */
enum weir_status weir_zone_load(const char *directory, const char *name,
                                const struct weir_allocator *allocator,
                                const struct weir_zone **ret_zone, struct weir_error *ret_error);

/* The same from the bytes of a TZif file, see zone_parse.c. WEIR_ERR_FORMAT, and *ret_why says what
 * is wrong with them, or WEIR_ERR_NO_MEMORY. */
enum weir_status weir_zone_parse(struct weir_bytes file, const struct weir_allocator *allocator,
                                 const struct weir_zone **ret_zone, const char **ret_why);

/* Frees a zone; NULL is fine. */
void weir_zone_free(const struct weir_zone *zone, const struct weir_allocator *allocator);

#endif
