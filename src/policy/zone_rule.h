/* zone_rule.h - the rule at the end of a TZif file, which says how a zone goes on for ever. */

#ifndef WEIR_POLICY_ZONE_RULE_H
#define WEIR_POLICY_ZONE_RULE_H

#include "weir/weir.h"

/* When in a year a clock is set. */
struct weir_zone_date {
    enum {
        WEIR_DATE_NO_LEAP, /* day 1 to 365, in which the 29th of February has no number */
        WEIR_DATE_OF_YEAR, /* day 0 to 365 */
        WEIR_DATE_OF_MONTH /* the week-th (5: last) weekday (0: Sunday) of a month */
    } form;
    int day;
    int month;
    int week;
    int weekday;
    int32_t time_s; /* since that day's midnight on the clock before it is set; may be negative */
};

/* A POSIX TZ string, as "CET-1CEST,M3.5.0,M10.5.0/3". */
struct weir_zone_rule {
    int32_t standard_s; /* east of UTC */
    bool has_summer;
    int32_t summer_s;
    struct weir_zone_date summer_start;
    struct weir_zone_date summer_end;
};

/* Reads all of `text`. `extended`: times of day may be -167 to 167 hours, else 0 to 24. */
bool weir_zone_rule_parse(struct weir_bytes text, bool extended, struct weir_zone_rule *ret_rule);

/* When, in seconds since 1970, `date` of `year` comes on a clock that is `offset_s` east of UTC. */
int64_t weir_zone_date_second(const struct weir_zone_date *date, int64_t year, int32_t offset_s);

#endif
