/* config_parts.h - reading URLs that are good, and others. */

#ifndef WEIR_TEST_UNIT_REDIS_CONFIG_PARTS_H
#define WEIR_TEST_UNIT_REDIS_CONFIG_PARTS_H

#include "redis/config.h"

/* What was read last. A configuration is too large for some stacks. */
extern struct weir_redis_config config;

/* Reads `url`, which is good. */
void read_good(const char *url, const struct weir_redis_options *options);

/* Reads `marked`, where '<' and '>' stand around the part that is meant: it must be refused there,
 * with `message`, and leave the output as it is. */
void read_bad(const char *marked, enum weir_status expected, const char *message);

#endif
