/* tls.c - see tls.h: one connection. */

#include "tls/tls_parts.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* How much is encrypted before it is moved on: a record of TLS. */
#define CHUNK 16384

/* Asks for `name` and has it looked for in the certificate. An address is no server name by which
 * to ask. */
static bool set_name(SSL *ssl, char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
        return true;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct weir_tls *weir_tls_new(struct weir_tls_context *context, const char *name)
{
    ERR_clear_error();
    struct weir_tls *tls = OPENSSL_zalloc(sizeof(*tls));
    if (tls == NULL) {
        ERR_clear_error();
        return NULL;
    }
    (void)snprintf(tls->name, sizeof(tls->name), "%s",
                   context->sni[0] != '\0' ? context->sni : name);
    const size_t length = strlen(tls->name);
    if (length > 1 && tls->name[length - 1] == '.') {
        tls->name[length - 1] = '\0'; /* the root's dot is in no certificate */
    }
    tls->ssl = SSL_new(context->ssl);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    const bool made = tls->ssl != NULL && tls->in != NULL && tls->out != NULL &&
                      SSL_set_app_data(tls->ssl, tls) == 1 && set_name(tls->ssl, tls->name);
    ERR_clear_error();
    if (!made) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        SSL_free(tls->ssl);
        OPENSSL_free(tls);
        return NULL;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    return tls;
}

void weir_tls_free(struct weir_tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->ssl);
        OPENSSL_free(tls);
    }
}

bool weir_tls_is_ready(const struct weir_tls *tls)
{
    return SSL_is_init_finished(tls->ssl) == 1;
}

/* Moves what OpenSSL has to say to `wire`; false where there is no memory. */
static bool drain(struct weir_tls *tls, struct weir_buffer *wire)
{
    size_t waiting;
    while ((waiting = BIO_ctrl_pending(tls->out)) > 0) {
        size_t count = 0;
        if (!weir_buffer_reserve(wire, waiting) ||
            BIO_read_ex(tls->out, wire->bytes + wire->len, waiting, &count) != 1) {
            return false;
        }
        wire->len += count;
    }
    return true;
}

static enum weir_failure say(enum weir_failure failure, const char *text, char *message,
                             size_t size)
{
    (void)snprintf(message, size, "%s", text);
    return failure;
}

/* Why a call came to `result`; NONE where it only wants more. */
static enum weir_failure judge(struct weir_tls *tls, int result, char *message, size_t size)
{
    const int error = SSL_get_error(tls->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return WEIR_FAILURE_NONE;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
        return say(WEIR_FAILURE_LOST, "the server ended the connection", message, size);
    }
    if (tls->refusal[0] != '\0') {
        return say(WEIR_FAILURE_TLS, tls->refusal, message, size);
    }
    const unsigned long code = ERR_peek_last_error();
    const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST) {
        return say(WEIR_FAILURE_TLS, "the server does not speak TLS here: redis:// is without",
                   message, size);
    }
    if (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED) {
        return say(WEIR_FAILURE_TLS, "the server wants a certificate: give cert= and key=", message,
                   size);
    }
    char text[96];
    weir_tls_take_reason(text, sizeof(text));
    (void)snprintf(message, size, "TLS: %s", text);
    return WEIR_FAILURE_TLS;
}

/* Appends what there is in clear to `plain`. */
static enum weir_failure read_plain(struct weir_tls *tls, struct weir_buffer *plain, char *message,
                                    size_t size)
{
    for (;;) {
        size_t count = 0;
        if (!weir_buffer_reserve(plain, CHUNK)) {
            return say(WEIR_FAILURE_NO_MEMORY, "out of memory", message, size);
        }
        const int result =
            SSL_read_ex(tls->ssl, plain->bytes + plain->len, plain->room - plain->len, &count);
        if (result != 1) {
            return judge(tls, result, message, size);
        }
        plain->len += count;
    }
}

enum weir_failure weir_tls_receive(struct weir_tls *tls, struct weir_bytes input,
                                   struct weir_buffer *plain, struct weir_buffer *wire,
                                   char *message, size_t size)
{
    ERR_clear_error();
    assert(input.len <= INT_MAX);
    enum weir_failure failure = WEIR_FAILURE_NONE;
    if (input.len > 0 && BIO_write(tls->in, input.ptr, (int)input.len) != (int)input.len) {
        failure = say(WEIR_FAILURE_NO_MEMORY, "out of memory", message, size);
    }
    if (failure == WEIR_FAILURE_NONE && !weir_tls_is_ready(tls)) {
        const int result = SSL_do_handshake(tls->ssl);
        failure = result != 1 ? judge(tls, result, message, size) : WEIR_FAILURE_NONE;
    }
    if (failure == WEIR_FAILURE_NONE && weir_tls_is_ready(tls)) {
        failure = read_plain(tls, plain, message, size);
    }
    if (!drain(tls, wire) && failure == WEIR_FAILURE_NONE) {
        failure = say(WEIR_FAILURE_NO_MEMORY, "out of memory", message, size);
    }
    ERR_clear_error();
    return failure;
}

enum weir_failure weir_tls_send(struct weir_tls *tls, struct weir_bytes plain,
                                struct weir_buffer *wire, char *message, size_t size)
{
    assert(weir_tls_is_ready(tls));
    ERR_clear_error();
    enum weir_failure failure = WEIR_FAILURE_NONE;
    for (size_t sent = 0; sent < plain.len && failure == WEIR_FAILURE_NONE;) {
        const size_t left = plain.len - sent;
        size_t count = 0;
        const int result =
            SSL_write_ex(tls->ssl, plain.ptr + sent, left < CHUNK ? left : CHUNK, &count);
        sent += count;
        if (result != 1) {
            failure = judge(tls, result, message, size);
            if (failure == WEIR_FAILURE_NONE) {
                failure = say(WEIR_FAILURE_TLS, "TLS: it can't be written to", message, size);
            }
        } else if (!drain(tls, wire)) {
            failure = say(WEIR_FAILURE_NO_MEMORY, "out of memory", message, size);
        }
    }
    ERR_clear_error();
    return failure;
}
