/* peer.h - how servers name one another in replies: a host and a port, each in its place (peer.c).
 *
 * Pure. What is read is checked as input is: a host that no lookup could take is no host. */

#ifndef WEIR_REDIS_PEER_H
#define WEIR_REDIS_PEER_H

#include "redis/config.h"
#include "resp/resp.h"

enum weir_peer_host {
    WEIR_PEER_NAMED,   /* there is a host, and it was copied */
    WEIR_PEER_SAME,    /* nil or empty: the host is the one that was asked */
    WEIR_PEER_UNKNOWN, /* "?": the server knows no name for it */
    WEIR_PEER_BAD      /* this is no host */
};

/* Reads a host. `ret_host` has room for WEIR_HOST_MAX + 1 bytes, and is written only where it is
 * WEIR_PEER_NAMED. */
enum weir_peer_host weir_peer_host(const struct weir_resp_value *value, char *ret_host);

/* Reads a port, 0..65535, as a number or in digits; false where it is none. */
bool weir_peer_port(const struct weir_resp_value *value, uint16_t *ret_port);

/* Whether `value` is the string `word`. */
bool weir_peer_is(const struct weir_resp_value *value, const char *word);

#endif
