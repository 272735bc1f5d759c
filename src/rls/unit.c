/* unit.c - the units of time that limits are given in. */

#include "rls/policy_parts.h"

const char *weir_rls_unit_name(enum weir_rls_unit unit)
{
    static const char *const names[WEIR_RLS_UNIT_COUNT] = {
        "UNKNOWN", "SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR", "WEEK",
    };
    return (unsigned)unit < WEIR_RLS_UNIT_COUNT ? names[unit] : names[0];
}

int64_t weir_rls_unit_seconds(enum weir_rls_unit unit)
{
    static const int64_t seconds[WEIR_RLS_UNIT_COUNT] = {
        [WEIR_RLS_SECOND] = 1,          [WEIR_RLS_MINUTE] = 60,
        [WEIR_RLS_HOUR] = 3600,         [WEIR_RLS_DAY] = 86400,
        [WEIR_RLS_WEEK] = 7L * 86400,   [WEIR_RLS_MONTH] = 30L * 86400,
        [WEIR_RLS_YEAR] = 365L * 86400,
    };
    return (unsigned)unit < WEIR_RLS_UNIT_COUNT ? seconds[unit] : 0;
}
