/* subject_redis_handle.h - a handle over a real server as a subject, with the time supplied. */

#ifndef WEIR_TEST_PROP_SUBJECT_REDIS_HANDLE_H
#define WEIR_TEST_PROP_SUBJECT_REDIS_HANDLE_H

#include "prop/subject.h"

extern const struct subject subject_redis_handle;

#endif
