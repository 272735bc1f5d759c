/* tls_parts.h - what the files of tls/ share: read tls.h first. */

#ifndef WEIR_TLS_TLS_PARTS_H
#define WEIR_TLS_TLS_PARTS_H

#include "tls/tls.h"

#include <openssl/ssl.h>

/* Allocated as OpenSSL allocates, which all here live with. */
struct weir_tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *pipe;    /* how OpenSSL reads and writes (pipe.c) */
    CRYPTO_RWLOCK *lock; /* of `users`, where the processor can't count without */
    int users;           /* its owner, and the connections */
    char sni[WEIR_TLS_NAME_MAX + 1];
    char warning[240]; /* what is odd about a server's certificate; empty: nothing */
};

struct weir_tls {
    struct weir_tls_context *context;
    SSL *ssl;
    struct weir_bytes input;    /* from the peer, what OpenSSL has not read; of one call */
    struct weir_buffer *output; /* to the peer; of one call */
    char refusal[160];          /* what is wrong with the certificate; empty: nothing */
    char name[];                /* whom a client wants to talk to */
};

/* What is known of a file that can't be used. */
struct weir_tls_file {
    const char *what; /* before its path in a message: "cert=" */
    const char *path;
    enum weir_status status; /* where it is no good */
};

/* An empty context; NULL where there is no memory (context.c). */
struct weir_tls_context *weir_tls_context_make(const SSL_METHOD *method);

/* One more user of it, which frees it too (context.c). */
void weir_tls_context_hold(struct weir_tls_context *context);

/* Says why OpenSSL's last call could not use `file`, and gives its status (context.c). */
enum weir_status weir_tls_refuse(const struct weir_tls_file *file, struct weir_error *ret_error);

/* Loads a private key, which nobody is asked the password of (context.c). */
enum weir_status weir_tls_load_key(SSL_CTX *ssl, const struct weir_tls_file *file,
                                   struct weir_error *ret_error);

/* Why OpenSSL's last call failed: in the system's words where it was that, else in OpenSSL's first
 * ones, which say more than the later; empties its queue (context.c). */
void weir_tls_take_reason(char *buffer, size_t size);

/* How OpenSSL reads a weir_tls's `input` and writes its `output`; NULL where there is no memory
 * (pipe.c). */
BIO_METHOD *weir_tls_pipe_new(void);

/* OpenSSL's verdict on the chain, certificate by certificate: it stays as it is, and the first
 * reason against it is kept (verdict.c). */
int weir_tls_on_verified(int good, X509_STORE_CTX *store);

/* "the certificate has expired, at ...", or not yet valid; false where it is neither
 * (verdict.c). */
bool weir_tls_is_out_of_date(const X509 *certificate, char *buffer, size_t size);

#endif
