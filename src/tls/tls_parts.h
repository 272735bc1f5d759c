/* tls_parts.h - what the files of tls/ share: read tls.h first. */

#ifndef WEIR_TLS_TLS_PARTS_H
#define WEIR_TLS_TLS_PARTS_H

#include "tls/tls.h"

#include <openssl/ssl.h>

/* Allocated as OpenSSL allocates, which both live with. */
struct weir_tls_context {
    SSL_CTX *ssl;
    char sni[WEIR_TLS_NAME_MAX + 1];
};

struct weir_tls {
    SSL *ssl;
    BIO *in;  /* from the peer; these two are ssl's */
    BIO *out; /* to the peer */
    char name[WEIR_TLS_NAME_MAX + 1];
    char refusal[160]; /* what is wrong with the certificate; empty: nothing */
};

/* Why OpenSSL's last call failed: in the system's words where it was that, else in OpenSSL's first
 * ones, which say more than the later; empties its queue (context.c). */
void weir_tls_take_reason(char *buffer, size_t size);

/* OpenSSL's verdict on the chain, certificate by certificate: it stays as it is, and the first
 * reason against it is kept (verdict.c). */
int weir_tls_on_verified(int good, X509_STORE_CTX *store);

#endif
