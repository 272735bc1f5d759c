/* wait.h - the clock that only goes forward, and waiting by it. */

#ifndef WEIR_CLI_WAIT_H
#define WEIR_CLI_WAIT_H

#include <stdint.h>

/* Microseconds since some moment before the program began. */
int64_t cli_monotonic_us(void);

/* Waits until that clock says `until_us`, through signals too. */
void cli_wait_until(int64_t until_us);

/* Microseconds since 1970, as the decisions count them. */
int64_t cli_now_us(void);

#endif
