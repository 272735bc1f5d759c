/* tls.h - TLS between a connection and its socket: OpenSSL over memory, so that the socket stays
 * with the loop. Bytes of the peer go in, bytes for the peer come out (tls.c); clients' and
 * servers' connections alike.
 *
 * TLS 1.2 or newer. A client verifies the chain and the name (or address) unless its configuration
 * says otherwise; a server verifies the chain of a client where it was given an authority. What
 * OpenSSL allocates, it allocates itself. OpenSSL's queue of errors is the thread's: every call
 * leaves it empty. */

#ifndef WEIR_TLS_TLS_H
#define WEIR_TLS_TLS_H

#include "base/buffer.h"

/* ---- What connections share ---------------------------------------------------------------- */

#define WEIR_TLS_NAME_MAX 255 /* bytes of a host's name */
#define WEIR_TLS_PATH_MAX 1023

/* A client's. Empty texts stand for "not given". */
struct weir_tls_config {
    bool on;
    bool verify;
    char ca[WEIR_TLS_PATH_MAX + 1];
    char cert[WEIR_TLS_PATH_MAX + 1];
    char key[WEIR_TLS_PATH_MAX + 1];
    char sni[WEIR_TLS_NAME_MAX + 1];
};

/* A server's, borrowed for the call, but for `protocol`. */
struct weir_tls_server {
    const char *certificate;      /* path, PEM, with the chain below it */
    const char *key;              /* path, PEM */
    const char *client_authority; /* path, PEM: a client has to show a certificate of it; NULL: none
                                   * is asked for */
    const char *protocol; /* "http/1.1": a client that names protocols (ALPN) has to name this one;
                           * a constant. NULL: what it names is not looked at */
};

/* The authorities, the certificate to show. Immutable; any thread may use it. */
struct weir_tls_context;

/* Errors: WEIR_ERR_URL (a client's) or WEIR_ERR_ARGUMENT (a server's) with a message where a file
 * is not what it should be, or the key is another certificate's; WEIR_ERR_NO_MEMORY. */
enum weir_status weir_tls_context_new(const struct weir_tls_config *config,
                                      struct weir_tls_context **ret_context,
                                      struct weir_error *ret_error);
enum weir_status weir_tls_server_context_new(const struct weir_tls_server *server,
                                             struct weir_tls_context **ret_context,
                                             struct weir_error *ret_error);

/* Its connections go on, and have what they need of it. */
void weir_tls_context_free(struct weir_tls_context *context);

/* That the server's certificate has expired, or is not valid yet, as no client will like; empty
 * where it is as it should be. As it was when the context was made. */
const char *weir_tls_context_warning(const struct weir_tls_context *context);

/* ---- One connection ------------------------------------------------------------------------ */

/* A client's. `name` is what to ask for and to find in the certificate, a host or an address, where
 * the configuration has no sni. NULL where there is no memory. */
struct weir_tls;
struct weir_tls *weir_tls_new(struct weir_tls_context *context, const char *name);

/* A server's, for a peer that has just connected. NULL where there is no memory. How long the peer
 * may take for the handshake is the caller's to say. */
struct weir_tls *weir_tls_accept(struct weir_tls_context *context);

void weir_tls_free(struct weir_tls *tls);

/* Takes `input` from the peer, appends what it says in clear to `plain` and what is to be sent to
 * `wire`: also where it fails, as the peer is told why. An input of 0 bytes starts a client's
 * handshake. Of `plain` only as much is taken as there is to say.
 * Returns WEIR_FAILURE_NONE while it goes on; LOST where the peer has ended it as it should, which
 * may have said something before and may still be sent to; TLS or NO_MEMORY otherwise. Then
 * `message`, of `size` bytes, says why, and after these two `tls` is of no further use. */
enum weir_failure weir_tls_receive(struct weir_tls *tls, struct weir_bytes input,
                                   struct weir_buffer *plain, struct weir_buffer *wire,
                                   char *message, size_t size);

/* Whether the handshake is done, so that weir_tls_send may be called. */
bool weir_tls_is_ready(const struct weir_tls *tls);

/* Appends `plain`, encrypted, to `wire`. Fails as weir_tls_receive does. */
enum weir_failure weir_tls_send(struct weir_tls *tls, struct weir_bytes plain,
                                struct weir_buffer *wire, char *message, size_t size);

/* Appends to `wire` that nothing more will be sent: the peer can tell the end from a connection
 * that was cut. */
void weir_tls_end(struct weir_tls *tls, struct weir_buffer *wire);

/* Whether the peer has shown a certificate, and its subject ("CN=worker 7,O=Example"), cut to
 * `size` (1 or more) with its NUL, unprintable bytes escaped. */
bool weir_tls_peer(const struct weir_tls *tls, char *buffer, size_t size);

#endif
