/* subject_redis.h - the scripts as subjects, on a real server with the time supplied; apart from
 * subject.h, as they need libweir-redis's insides and a server. */

#ifndef WEIR_TEST_PROP_SUBJECT_REDIS_H
#define WEIR_TEST_PROP_SUBJECT_REDIS_H

#include "prop/subject.h"

extern const struct subject subject_redis;          /* each by itself */
extern const struct subject subject_redis_together; /* checks are groups of one */

#endif
