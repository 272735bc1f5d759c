/* context.c - see tls.h: what connections share, and what a client's do. */

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

enum weir_status weir_tls_refuse(const struct weir_tls_file *file, struct weir_error *ret_error)
{
    char reason[96];
    weir_tls_take_reason(reason, sizeof(reason));
    weir_error_set(ret_error, 0, 0, "%s%.100s can't be used: %s", file->what, file->path, reason);
    return file->status;
}

enum weir_status weir_tls_load_key(SSL_CTX *ssl, const struct weir_tls_file *file,
                                   struct weir_error *ret_error)
{
    bool encrypted = false;
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &encrypted);
    const bool good = SSL_CTX_use_PrivateKey_file(ssl, file->path, SSL_FILETYPE_PEM) == 1 &&
                      SSL_CTX_check_private_key(ssl) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    if (encrypted) {
        ERR_clear_error();
        weir_error_set(ret_error, 0, 0, "%s%.100s is under a password, which nobody is asked for",
                       file->what, file->path);
        return file->status;
    }
    return good ? WEIR_OK : weir_tls_refuse(file, ret_error);
}

/* ---- Its life ------------------------------------------------------------------------------ */

struct weir_tls_context *weir_tls_context_make(const SSL_METHOD *method)
{
    struct weir_tls_context *context = OPENSSL_zalloc(sizeof(*context));
    if (context == NULL) {
        return NULL;
    }
    context->users = 1;
    context->lock = CRYPTO_THREAD_lock_new();
    context->pipe = weir_tls_pipe_new();
    context->ssl = SSL_CTX_new(method);
    if (context->lock == NULL || context->pipe == NULL || context->ssl == NULL) {
        weir_tls_context_free(context);
        return NULL;
    }
    SSL_CTX_set_default_passwd_cb(context->ssl, no_passphrase);
    return context;
}

void weir_tls_context_hold(struct weir_tls_context *context)
{
    int users;
    (void)CRYPTO_atomic_add(&context->users, 1, &users, context->lock);
}

void weir_tls_context_free(struct weir_tls_context *context)
{
    int users = 0;
    if (context == NULL) {
        return;
    }
    /* Without a lock it was never shared. */
    if (context->lock != NULL) {
        (void)CRYPTO_atomic_add(&context->users, -1, &users, context->lock);
    }
    if (users == 0) {
        SSL_CTX_free(context->ssl);
        BIO_meth_free(context->pipe);
        CRYPTO_THREAD_lock_free(context->lock);
        OPENSSL_free(context);
    }
}

/* ---- A client's ---------------------------------------------------------------------------- */

static enum weir_status load_files(SSL_CTX *ssl, const struct weir_tls_config *config,
                                   struct weir_error *ret_error)
{
    const bool own = config->ca[0] != '\0';
    const struct weir_tls_file authority = {"ca=", own ? config->ca : "the system's authorities",
                                            WEIR_ERR_URL};
    const struct weir_tls_file certificate = {"cert=", config->cert, WEIR_ERR_URL};
    const struct weir_tls_file key = {"key=", config->key, WEIR_ERR_URL};
    if (own && SSL_CTX_load_verify_file(ssl, config->ca) != 1) {
        return weir_tls_refuse(&authority, ret_error);
    }
    if (!own && config->verify && SSL_CTX_set_default_verify_paths(ssl) != 1) {
        return weir_tls_refuse(&authority, ret_error);
    }
    if (config->cert[0] == '\0') {
        return WEIR_OK;
    }
    if (SSL_CTX_use_certificate_chain_file(ssl, config->cert) != 1) {
        return weir_tls_refuse(&certificate, ret_error);
    }
    return weir_tls_load_key(ssl, &key, ret_error);
}

static bool set_up(SSL_CTX *ssl, const struct weir_tls_config *config)
{
    SSL_CTX_set_verify(ssl, config->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                       config->verify ? weir_tls_on_verified : NULL);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1;
}

enum weir_status weir_tls_context_new(const struct weir_tls_config *config,
                                      struct weir_tls_context **ret_context,
                                      struct weir_error *ret_error)
{
    assert(config->on);
    ERR_clear_error();
    struct weir_tls_context *context = weir_tls_context_make(TLS_client_method());
    if (context == NULL || !set_up(context->ssl, config)) {
        weir_tls_context_free(context);
        ERR_clear_error();
        weir_error_set(ret_error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    memcpy(context->sni, config->sni, sizeof(context->sni));
    const enum weir_status status = load_files(context->ssl, config, ret_error);
    ERR_clear_error();
    if (status != WEIR_OK) {
        weir_tls_context_free(context);
        return status;
    }
    *ret_context = context;
    return WEIR_OK;
}
