/* tls.c - see tls.h. */

#include "redis/tls.h"

#include "base/error.h"
#include "redis/failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* How much is encrypted before it is moved on: a record of TLS. */
#define CHUNK 16384

/* The most names of a certificate that a message lists. */
#define NAMES_MAX 3

/* Allocated as OpenSSL allocates, which both live with. */
struct weir_tls_context {
    SSL_CTX *ssl;
    char sni[WEIR_HOST_MAX + 1];
};

struct weir_tls {
    SSL *ssl;
    BIO *in;  /* from the peer; these two are ssl's */
    BIO *out; /* to the peer */
    char name[WEIR_HOST_MAX + 1];
    char refusal[160]; /* what is wrong with the certificate; empty: nothing */
};

/* ---- What all connections share ----------------------------------------------------------- */

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

/* Why OpenSSL's last call failed: in the system's words where it was that, else in OpenSSL's first
 * ones, which say more than the later; empties its queue. */
static void take_reason(char *buffer, size_t size)
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
    take_reason(reason, sizeof(reason));
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

static int on_verified(int good, X509_STORE_CTX *store);

static bool set_up(SSL_CTX *ssl, const struct weir_tls_config *config)
{
    SSL_CTX_set_verify(ssl, config->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                       config->verify ? on_verified : NULL);
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

/* ---- What is wrong with a certificate ------------------------------------------------------ */

/* Appends to a text that is cut where it ends. */
static void add(char *buffer, size_t size, const char *text)
{
    const size_t length = strlen(buffer);
    (void)snprintf(buffer + length, size - length, "%s", text);
}

/* One alternative name, for people; empty where it is of a kind that names no server. */
static void format_name(const GENERAL_NAME *name, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (name->type == GEN_DNS) {
        const ASN1_IA5STRING *text = name->d.dNSName;
        weir_failure_quote(
            weir_bytes(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)), buffer,
            size);
    } else if (name->type == GEN_IPADD) {
        const ASN1_OCTET_STRING *bytes = name->d.iPAddress;
        const unsigned char *at = ASN1_STRING_get0_data(bytes);
        if (ASN1_STRING_length(bytes) == 4) {
            (void)snprintf(buffer, size, "%u.%u.%u.%u", at[0], at[1], at[2], at[3]);
        } else if (ASN1_STRING_length(bytes) == 16) {
            for (int i = 0; i < 16; i += 2) {
                char group[8];
                (void)snprintf(group, sizeof(group), "%s%x", i > 0 ? ":" : "",
                               at[i] * 256U + at[i + 1]);
                add(buffer, size, group);
            }
        }
    }
}

/* Whom the certificate is for: "a, b, c". */
static void list_names(X509 *certificate, char *buffer, size_t size)
{
    buffer[0] = '\0';
    unsigned count = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        char name[64];
        format_name(sk_GENERAL_NAME_value(names, i), name, sizeof(name));
        if (name[0] != '\0' && count < NAMES_MAX) {
            add(buffer, size, count > 0 ? ", " : "");
            add(buffer, size, name);
        }
        count += name[0] != '\0' ? 1 : 0;
    }
    add(buffer, size, count > NAMES_MAX ? ", ..." : count == 0 ? "nobody that it names" : "");
    GENERAL_NAMES_free(names);
}

/* "2026-11-23 21:11:00 UTC". */
static void format_time(const ASN1_TIME *time, char *buffer, size_t size)
{
    struct tm tm;
    buffer[0] = '\0';
    if (time != NULL && ASN1_TIME_to_tm(time, &tm) == 1) {
        (void)strftime(buffer, size, "%Y-%m-%d %H:%M:%S UTC", &tm);
    }
}

static void describe(X509_STORE_CTX *store, const char *wanted, char *buffer, size_t size)
{
    const int error = X509_STORE_CTX_get_error(store);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    char text[96];
    if (certificate != NULL &&
        (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH)) {
        list_names(certificate, text, sizeof(text));
        (void)snprintf(buffer, size, "the certificate is for %s, not for %.60s", text, wanted);
    } else if (certificate != NULL && error == X509_V_ERR_CERT_HAS_EXPIRED) {
        format_time(X509_get0_notAfter(certificate), text, sizeof(text));
        (void)snprintf(buffer, size, "the certificate has expired, at %s", text);
    } else if (certificate != NULL && error == X509_V_ERR_CERT_NOT_YET_VALID) {
        format_time(X509_get0_notBefore(certificate), text, sizeof(text));
        (void)snprintf(buffer, size, "the certificate is not valid before %s", text);
    } else {
        (void)snprintf(buffer, size, "the certificate is not trusted: %s",
                       X509_verify_cert_error_string(error));
    }
}

/* OpenSSL's verdict on the chain, certificate by certificate: it stays as it is, and the first
 * reason against it is kept. */
static int on_verified(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct weir_tls *tls = SSL_get_app_data(ssl);
    if (good != 1 && tls->refusal[0] == '\0') {
        describe(store, tls->name, tls->refusal, sizeof(tls->refusal));
    }
    return good;
}

/* ---- One connection ------------------------------------------------------------------------ */

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
    take_reason(text, sizeof(text));
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
