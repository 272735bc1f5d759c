/* replies.h - replies of servers, as bytes, for tests of those who read them. */

#ifndef WEIR_TEST_UNIT_REDIS_REPLIES_H
#define WEIR_TEST_UNIT_REDIS_REPLIES_H

#include "resp/resp.h"

/* The values in `bytes`, which are one whole reply, until the next call. */
const struct weir_resp_value *reply_values(const char *bytes, size_t *ret_count);

/* Gives back what the last call holds. */
void reply_done(void);

#endif
