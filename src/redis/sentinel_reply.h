/* sentinel_reply.h - what sentinels, and the servers that they name, say (sentinel_reply.c).
 *
 * Pure. Addresses are taken as they are announced, also where a NAT makes them other than they
 * look. */

#ifndef WEIR_REDIS_SENTINEL_REPLY_H
#define WEIR_REDIS_SENTINEL_REPLY_H

#include "redis/config.h"
#include "resp/resp.h"

/* The channel on which sentinels tell of a failover. */
#define WEIR_SENTINEL_CHANNEL "+switch-master"

enum weir_sentinel_answer {
    WEIR_SENTINEL_PRIMARY, /* there it is */
    WEIR_SENTINEL_NO_SUCH, /* it watches no primary of this name */
    WEIR_SENTINEL_NONSENSE /* an error, or nothing that can be understood */
};

/* SENTINEL GET-MASTER-ADDR-BY-NAME. `ret_address` is written only for WEIR_SENTINEL_PRIMARY. */
enum weir_sentinel_answer weir_sentinel_primary_read(const struct weir_resp_value *values,
                                                     size_t count,
                                                     struct weir_address *ret_address);

/* SENTINEL SENTINELS: calls `see` for each address in it that can be used. The sentinel that was
 * asked is not among them. Nothing where it is an error or no such list. */
void weir_sentinel_others_read(const struct weir_resp_value *values, size_t count,
                               void (*see)(void *context, const struct weir_address *address),
                               void *context);

/* A message of WEIR_SENTINEL_CHANNEL, pushed or not: whether it is one about `service`, and where
 * its primary is from now on. */
bool weir_sentinel_switch_read(const struct weir_resp_value *values, size_t count,
                               const char *service, struct weir_address *ret_address);

/* ROLE: whether it is a primary's. */
bool weir_role_is_primary(const struct weir_resp_value *values, size_t count);

#endif
