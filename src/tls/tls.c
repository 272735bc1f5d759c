/* tls.c - see tls.h: one connection. */

#include "tls/tls_parts.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <assert.h>
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

/* A connection that wants to talk to `name`; NULL where there is no memory. */
static struct weir_tls *make(struct weir_tls_context *context, const char *name)
{
    const size_t length = strlen(name);
    struct weir_tls *tls = OPENSSL_zalloc(sizeof(*tls) + length + 1);
    if (tls == NULL) {
        return NULL;
    }
    memcpy(tls->name, name, length + 1);
    if (length > 1 && tls->name[length - 1] == '.') {
        tls->name[length - 1] = '\0'; /* the root's dot is in no certificate */
    }
    weir_tls_context_hold(context);
    tls->context = context;
    tls->ssl = SSL_new(context->ssl);
    BIO *pipe = BIO_new(context->pipe);
    if (tls->ssl == NULL || pipe == NULL || SSL_set_app_data(tls->ssl, tls) != 1) {
        BIO_free(pipe);
        weir_tls_free(tls);
        return NULL;
    }
    BIO_set_data(pipe, tls);
    BIO_set_init(pipe, 1);
    SSL_set_bio(tls->ssl, pipe, pipe);
    return tls;
}

struct weir_tls *weir_tls_new(struct weir_tls_context *context, const char *name)
{
    ERR_clear_error();
    struct weir_tls *tls = make(context, context->sni[0] != '\0' ? context->sni : name);
    if (tls != NULL && !set_name(tls->ssl, tls->name)) {
        weir_tls_free(tls);
        tls = NULL;
    }
    if (tls != NULL) {
        SSL_set_connect_state(tls->ssl);
    }
    ERR_clear_error();
    return tls;
}

struct weir_tls *weir_tls_accept(struct weir_tls_context *context)
{
    ERR_clear_error();
    struct weir_tls *tls = make(context, "");
    if (tls != NULL) {
        SSL_set_accept_state(tls->ssl);
    }
    ERR_clear_error();
    return tls;
}

void weir_tls_free(struct weir_tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->ssl);
        weir_tls_context_free(tls->context);
        OPENSSL_free(tls);
    }
}

bool weir_tls_is_ready(const struct weir_tls *tls)
{
    return SSL_is_init_finished(tls->ssl) == 1;
}

static enum weir_failure say(enum weir_failure failure, const char *text, char *message,
                             size_t size)
{
    (void)snprintf(message, size, "%s", text);
    return failure;
}

/* What an error of OpenSSL's is called here; NULL where its own words say as much. */
static const char *name_error(const struct weir_tls *tls)
{
    const bool serves = SSL_is_server(tls->ssl) == 1;
    const unsigned long code = ERR_peek_last_error();
    switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
        return serves ? "the client does not speak TLS"
                      : "the server does not speak TLS here: redis:// is without";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "the server wants a certificate: give cert= and key=";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "the client shows no certificate";
    default:
        return NULL;
    }
}

/* Why a call came to `result`; NONE where it only wants more. */
static enum weir_failure judge(struct weir_tls *tls, int result, char *message, size_t size)
{
    const int error = SSL_get_error(tls->ssl, result);
    if (tls->output->failed) {
        return say(WEIR_FAILURE_NO_MEMORY, "out of memory", message, size);
    }
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return WEIR_FAILURE_NONE;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
        return say(WEIR_FAILURE_LOST,
                   SSL_is_server(tls->ssl) == 1 ? "the client ended the connection"
                                                : "the server ended the connection",
                   message, size);
    }
    if (tls->refusal[0] != '\0') {
        return say(WEIR_FAILURE_TLS, tls->refusal, message, size);
    }
    const char *name = name_error(tls);
    if (name != NULL) {
        return say(WEIR_FAILURE_TLS, name, message, size);
    }
    char text[96];
    weir_tls_take_reason(text, sizeof(text));
    (void)snprintf(message, size, "TLS: %s", text);
    return WEIR_FAILURE_TLS;
}

/* Appends what there is in clear to `plain`. Of each record the first byte is looked at before
 * there is room for all: an idle connection should have no room that it may never need. */
static enum weir_failure read_plain(struct weir_tls *tls, struct weir_buffer *plain, char *message,
                                    size_t size)
{
    for (;;) {
        char first;
        size_t count = 0;
        const int result = SSL_peek_ex(tls->ssl, &first, 1, &count);
        if (result != 1) {
            return judge(tls, result, message, size);
        }
        const size_t waiting = (size_t)SSL_pending(tls->ssl);
        if (!weir_buffer_reserve(plain, waiting)) {
            return say(WEIR_FAILURE_NO_MEMORY, "out of memory", message, size);
        }
        if (SSL_read_ex(tls->ssl, plain->bytes + plain->len, waiting, &count) == 1) {
            plain->len += count;
        }
    }
}

enum weir_failure weir_tls_receive(struct weir_tls *tls, struct weir_bytes input,
                                   struct weir_buffer *plain, struct weir_buffer *wire,
                                   char *message, size_t size)
{
    ERR_clear_error();
    tls->input = input;
    tls->output = wire;
    enum weir_failure failure = WEIR_FAILURE_NONE;
    if (!weir_tls_is_ready(tls)) {
        const int result = SSL_do_handshake(tls->ssl);
        failure = result != 1 ? judge(tls, result, message, size) : WEIR_FAILURE_NONE;
    }
    if (failure == WEIR_FAILURE_NONE && weir_tls_is_ready(tls)) {
        failure = read_plain(tls, plain, message, size);
    }
    assert(failure != WEIR_FAILURE_NONE || tls->input.len == 0);
    tls->input = weir_bytes(NULL, 0);
    tls->output = NULL;
    ERR_clear_error();
    return failure;
}

enum weir_failure weir_tls_send(struct weir_tls *tls, struct weir_bytes plain,
                                struct weir_buffer *wire, char *message, size_t size)
{
    assert(weir_tls_is_ready(tls));
    ERR_clear_error();
    tls->output = wire;
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
        }
    }
    tls->output = NULL;
    ERR_clear_error();
    return failure;
}

void weir_tls_end(struct weir_tls *tls, struct weir_buffer *wire)
{
    ERR_clear_error();
    tls->output = wire;
    if (weir_tls_is_ready(tls)) {
        (void)SSL_shutdown(tls->ssl); /* after a failure there is nothing to be said any more */
    }
    tls->output = NULL;
    ERR_clear_error();
}

bool weir_tls_peer(const struct weir_tls *tls, char *buffer, size_t size)
{
    const X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (certificate == NULL) {
        return false;
    }
    size_t count = 0;
    BIO *text = BIO_new(BIO_s_mem());
    if (text != NULL &&
        X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        (void)BIO_read_ex(text, buffer, size - 1, &count);
    }
    buffer[count] = '\0';
    BIO_free(text);
    ERR_clear_error();
    return true;
}
