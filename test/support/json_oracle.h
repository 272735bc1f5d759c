/* json_oracle.h - what jansson 2.14 makes of bytes, beside what our reader does: the same, whether
 * it is JSON and what is in it, but for
 *
 *   jansson refuses  integers past 64 bits, and numbers past a double's; \u0000 in a name
 *   we refuse        more levels, or more members, than json.h allows; a NUL behind a number, which
 *                    jansson passes over */

#ifndef WEIR_TEST_SUPPORT_JSON_ORACLE_H
#define WEIR_TEST_SUPPORT_JSON_ORACLE_H

#include "weir/weir.h"

/* Returns NULL where the two agree, else a static sentence. */
const char *json_oracle_objection(struct weir_bytes input);

#endif
