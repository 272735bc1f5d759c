/* explain.h - a limit in words. */

#ifndef WEIR_CLI_EXPLAIN_H
#define WEIR_CLI_EXPLAIN_H

#include "cli/format.h"
#include "weir/weir.h"

struct cli_explanation {
    char allows[512];  /* "1 every 2 s, up to 5 at once" */
    char at_most[512]; /* the worst case in any stretch of one period, and why */
    char denied[192];  /* what becomes of a request that is */
    uint64_t worst;    /* the number in at_most */
};

void cli_explain(const struct weir_limit_spec *spec, struct cli_explanation *ret_explanation);

/* "minute" where that is what it is, else "10 s": to go after "any", "every" or "the first". */
struct cli_words cli_period_words(int64_t period_us);

/* How long one period is; of a month and a year, which have no fixed length, a usual one. */
int64_t cli_nominal_period_us(const struct weir_limit_spec *spec);

/* What a bucket or window holds: what can be had at once by who was quiet for long. */
uint64_t cli_capacity(const struct weir_limit_spec *spec);

#endif
