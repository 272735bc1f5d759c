/* server.c - see tls.h: what all connections that a server accepts on one address share.
 *
 * What a stranger may make this process compute is kept small: no finite-field groups, whose
 * largest takes a hundred times what X25519 does, no signatures in place of key agreement, no
 * renegotiation, no compression, no long chains. */

#include "tls/tls_parts.h"

#include "base/error.h"

#include <openssl/err.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* TLS 1.2's; 1.3 has only good ones. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS "X25519:P-256:P-384"

/* The longest chain of a client's certificates, in bytes. */
#define CHAIN_MAX 32768

/* How long a session can be taken up again, in seconds. */
#define SESSION_S 3600

static bool set_up(SSL_CTX *ssl)
{
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* Sessions are with the clients, in tickets, and take no memory here. */
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_timeout(ssl, SESSION_S);
    SSL_CTX_set_max_cert_list(ssl, CHAIN_MAX);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, CIPHERS) == 1 &&
           SSL_CTX_set1_groups_list(ssl, GROUPS) == 1 &&
           SSL_CTX_set_session_id_context(ssl, (const unsigned char *)"weir", 4) == 1;
}

/* A client that offers protocols has to offer this one: what is said here in another would be taken
 * for something that it is not. */
static int on_protocols(SSL *ssl, const unsigned char **ret_chosen, unsigned char *ret_len,
                        const unsigned char *offered, unsigned offered_len, void *wanted)
{
    const size_t length = strlen(wanted);
    (void)ssl;
    for (size_t at = 0; at < offered_len; at += 1U + offered[at]) {
        if (offered[at] == length && length < offered_len - at &&
            memcmp(&offered[at + 1], wanted, length) == 0) {
            *ret_chosen = &offered[at + 1];
            *ret_len = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static enum weir_status load_authority(SSL_CTX *ssl, const char *path, struct weir_error *ret_error)
{
    const struct weir_tls_file file = {"client_authority ", path, WEIR_ERR_ARGUMENT};
    if (SSL_CTX_load_verify_file(ssl, path) != 1) {
        return weir_tls_refuse(&file, ret_error);
    }
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (names == NULL) {
        return weir_tls_refuse(&file, ret_error);
    }
    SSL_CTX_set_client_CA_list(ssl, names);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       weir_tls_on_verified);
    return WEIR_OK;
}

static enum weir_status load_identity(SSL_CTX *ssl, const struct weir_tls_server *server,
                                      struct weir_error *ret_error)
{
    const struct weir_tls_file certificate = {"certificate ", server->certificate,
                                              WEIR_ERR_ARGUMENT};
    const struct weir_tls_file key = {"key ", server->key, WEIR_ERR_ARGUMENT};
    if (SSL_CTX_use_certificate_chain_file(ssl, certificate.path) != 1) {
        return weir_tls_refuse(&certificate, ret_error);
    }
    return weir_tls_load_key(ssl, &key, ret_error);
}

static void look_at_certificate(struct weir_tls_context *context, const char *path)
{
    char text[128];
    const X509 *certificate = SSL_CTX_get0_certificate(context->ssl);
    if (weir_tls_is_out_of_date(certificate, text, sizeof(text))) {
        (void)snprintf(context->warning, sizeof(context->warning), "%.100s: %s", path, text);
    }
}

enum weir_status weir_tls_server_context_new(const struct weir_tls_server *server,
                                             struct weir_tls_context **ret_context,
                                             struct weir_error *ret_error)
{
    assert(server->certificate != NULL && server->key != NULL);
    ERR_clear_error();
    struct weir_tls_context *context = weir_tls_context_make(TLS_server_method());
    if (context == NULL || !set_up(context->ssl)) {
        weir_tls_context_free(context);
        ERR_clear_error();
        weir_error_set(ret_error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    if (server->protocol != NULL) {
        SSL_CTX_set_alpn_select_cb(context->ssl, on_protocols, (void *)(uintptr_t)server->protocol);
    }
    enum weir_status status = load_identity(context->ssl, server, ret_error);
    if (status == WEIR_OK && server->client_authority != NULL) {
        status = load_authority(context->ssl, server->client_authority, ret_error);
    }
    if (status == WEIR_OK) {
        look_at_certificate(context, server->certificate);
        *ret_context = context;
    } else {
        weir_tls_context_free(context);
    }
    ERR_clear_error();
    return status;
}

const char *weir_tls_context_warning(const struct weir_tls_context *context)
{
    return context->warning;
}
