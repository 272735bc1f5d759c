/* tls.h - TLS between a connection and its socket: OpenSSL over memory, so that libuv keeps the
 * socket. Bytes of the peer go in, bytes for the peer come out. */

#ifndef WEIR_REDIS_TLS_H
#define WEIR_REDIS_TLS_H

#include "redis/config.h"
#include "resp/resp.h"

/* What all connections of a store share: the authorities, the certificate to show. Immutable. */
struct weir_tls_context;

/* Errors: WEIR_ERR_URL with a message where a file is not what it should be, WEIR_ERR_NO_MEMORY. */
enum weir_status weir_tls_context_new(const struct weir_tls_config *config,
                                      struct weir_tls_context **ret_context,
                                      struct weir_error *ret_error);
void weir_tls_context_free(struct weir_tls_context *context);

/* One connection's. `name` is what to ask for and to find in the certificate: a host or an
 * address. */
struct weir_tls;
struct weir_tls *weir_tls_new(struct weir_tls_context *context, const char *name);
void weir_tls_free(struct weir_tls *tls);

/* Takes `input` from the peer, appends what it says in clear to `plain` and what is to be sent to
 * `wire`. False where it is over: why is in `message` of `size` bytes. An input of 0 bytes starts
 * the handshake. */
bool weir_tls_receive(struct weir_tls *tls, struct weir_bytes input, struct weir_resp_writer *plain,
                      struct weir_resp_writer *wire, char *message, size_t size);

/* Whether the handshake is done, so that weir_tls_send may be called. */
bool weir_tls_is_ready(const struct weir_tls *tls);

/* Appends `plain`, encrypted, to `wire`. */
bool weir_tls_send(struct weir_tls *tls, struct weir_bytes plain, struct weir_resp_writer *wire,
                   char *message, size_t size);

#endif
