/* context.c - see tls.h: what all connections of a store share. */

#include "tls/tls_parts.h"

#include "base/error.h"

#include <openssl/err.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A key that is encrypted: nobody is asked for its password, least of all on a terminal. `context`
 * learns that it would have to be. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    bool *encrypted = context;
    (void)writing;
    if (size > 0) {
        buffer[0] = '\0';
    }
    if (encrypted != NULL) {
        *encrypted = true;
    }
    return -1;
}

void weir_tls_take_reason(char *buffer, size_t size)
{
    char system[96];
    const char *reason = NULL;
    for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
        if (ERR_SYSTEM_ERROR(code)) {
            reason = strerror_r(ERR_GET_REASON(code), system, sizeof(system));
        } else if (reason == NULL) {
            reason = ERR_reason_error_string(code);
        }
    }
    (void)snprintf(buffer, size, "%s", reason != NULL ? reason : "no reason given");
}

static enum weir_status refuse(struct weir_error *ret_error, const char *option, const char *path)
{
    char reason[96];
    weir_tls_take_reason(reason, sizeof(reason));
    weir_error_set(ret_error, 0, 0, "%s=%.100s can't be used: %s", option, path, reason);
    return WEIR_ERR_URL;
}

static enum weir_status load_key(SSL_CTX *ssl, const char *path, struct weir_error *ret_error)
{
    bool encrypted = false;
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &encrypted);
    const bool good = SSL_CTX_use_PrivateKey_file(ssl, path, SSL_FILETYPE_PEM) == 1 &&
                      SSL_CTX_check_private_key(ssl) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    if (encrypted) {
        ERR_clear_error();
        weir_error_set(ret_error, 0, 0, "key=%.100s is under a password, which nobody is asked for",
                       path);
        return WEIR_ERR_URL;
    }
    return good ? WEIR_OK : refuse(ret_error, "key", path);
}

static enum weir_status load_files(SSL_CTX *ssl, const struct weir_tls_config *config,
                                   struct weir_error *ret_error)
{
    if (config->ca[0] != '\0' && SSL_CTX_load_verify_file(ssl, config->ca) != 1) {
        return refuse(ret_error, "ca", config->ca);
    }
    if (config->ca[0] == '\0' && config->verify && SSL_CTX_set_default_verify_paths(ssl) != 1) {
        return refuse(ret_error, "ca", "the system's authorities");
    }
    if (config->cert[0] == '\0') {
        return WEIR_OK;
    }
    if (SSL_CTX_use_certificate_chain_file(ssl, config->cert) != 1) {
        return refuse(ret_error, "cert", config->cert);
    }
    return load_key(ssl, config->key, ret_error);
}

static bool set_up(SSL_CTX *ssl, const struct weir_tls_config *config)
{
    SSL_CTX_set_verify(ssl, config->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                       config->verify ? weir_tls_on_verified : NULL);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1;
}

enum weir_status weir_tls_context_new(const struct weir_tls_config *config,
                                      struct weir_tls_context **ret_context,
                                      struct weir_error *ret_error)
{
    assert(config->on);
    ERR_clear_error();
    struct weir_tls_context *context = OPENSSL_zalloc(sizeof(*context));
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    if (context == NULL || ssl == NULL || !set_up(ssl, config)) {
        OPENSSL_free(context);
        SSL_CTX_free(ssl);
        ERR_clear_error();
        weir_error_set(ret_error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    context->ssl = ssl;
    memcpy(context->sni, config->sni, sizeof(context->sni));
    const enum weir_status status = load_files(ssl, config, ret_error);
    ERR_clear_error();
    if (status != WEIR_OK) {
        weir_tls_context_free(context);
        return status;
    }
    *ret_context = context;
    return WEIR_OK;
}

void weir_tls_context_free(struct weir_tls_context *context)
{
    if (context != NULL) {
        SSL_CTX_free(context->ssl);
        OPENSSL_free(context);
    }
}
