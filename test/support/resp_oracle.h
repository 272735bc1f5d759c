/* resp_oracle.h - what hiredis 0.14.1 makes of bytes, beside what our reader does.
 *
 * It knows RESP2 alone, eight levels deep. Where the two differ, one of these must be the reason:
 *
 *   hiredis refuses, we go on   a type of RESP3; a nil array on the ninth level
 *   we refuse, hiredis goes on  a line with a break in it, or a string without CRLF behind it,
 * which
 *                               it does not look for; what our limits forbid
 *   we refuse, hiredis waits    we need not see the end of a line to know that it is no number */

#ifndef WEIR_TEST_SUPPORT_RESP_ORACLE_H
#define WEIR_TEST_SUPPORT_RESP_ORACLE_H

#include "support/resp_text.h"

/* Gives `input`, in the same pieces, to both. Returns NULL where they agree, else a report of how
 * they don't, to be released with free. */
char *resp_oracle_objection(struct weir_bytes input, struct resp_feed feed);

#endif
