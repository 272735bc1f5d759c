/* tls.h - TLS between a connection and its socket: OpenSSL over memory, so that the socket stays
 * with the loop. Bytes of the peer go in, bytes for the peer come out (tls.c).
 *
 * TLS 1.2 or newer. The chain and the name (or address) are verified unless the configuration says
 * otherwise. What OpenSSL allocates, it allocates itself. OpenSSL's queue of errors is the
 * thread's: every call leaves it empty. */

#ifndef WEIR_TLS_TLS_H
#define WEIR_TLS_TLS_H

#include "base/buffer.h"

#define WEIR_TLS_NAME_MAX 255 /* bytes of a host's name */
#define WEIR_TLS_PATH_MAX 1023

/* Empty texts stand for "not given". */
struct weir_tls_config {
    bool on;
    bool verify;
    char ca[WEIR_TLS_PATH_MAX + 1];
    char cert[WEIR_TLS_PATH_MAX + 1];
    char key[WEIR_TLS_PATH_MAX + 1];
    char sni[WEIR_TLS_NAME_MAX + 1];
};

/* What all connections of a store share: the authorities, the certificate to show. Immutable; any
 * thread may use it. */
struct weir_tls_context;

/* Errors: WEIR_ERR_URL with a message where a file is not what it should be, WEIR_ERR_NO_MEMORY. */
enum weir_status weir_tls_context_new(const struct weir_tls_config *config,
                                      struct weir_tls_context **ret_context,
                                      struct weir_error *ret_error);
void weir_tls_context_free(struct weir_tls_context *context);

/* One connection's. `name` is what to ask for and to find in the certificate, a host or an address,
 * where the configuration has no sni. NULL where there is no memory. */
struct weir_tls;
struct weir_tls *weir_tls_new(struct weir_tls_context *context, const char *name);
void weir_tls_free(struct weir_tls *tls);

/* Takes `input` from the peer, appends what it says in clear to `plain` and what is to be sent to
 * `wire`: also where it fails, as the peer is told why. An input of 0 bytes starts the handshake.
 * Returns WEIR_FAILURE_NONE while it goes on; LOST where the peer has ended it as it should; TLS or
 * NO_MEMORY otherwise. Then `message`, of `size` bytes, says why, and `tls` is of no further use.
 */
enum weir_failure weir_tls_receive(struct weir_tls *tls, struct weir_bytes input,
                                   struct weir_buffer *plain, struct weir_buffer *wire,
                                   char *message, size_t size);

/* Whether the handshake is done, so that weir_tls_send may be called. */
bool weir_tls_is_ready(const struct weir_tls *tls);

/* Appends `plain`, encrypted, to `wire`. Fails as weir_tls_receive does. */
enum weir_failure weir_tls_send(struct weir_tls *tls, struct weir_bytes plain,
                                struct weir_buffer *wire, char *message, size_t size);

#endif
