/* verdict.c - what is wrong with a peer's certificate, for people: see tls.h. */

#include "tls/tls_parts.h"

#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

/* The most names of a certificate that a message lists. */
#define NAMES_MAX 3

/* Copies what a stranger wrote, cut to `size` with its NUL, unprintable bytes as '?'. */
static void quote(const unsigned char *text, size_t len, char *buffer, size_t size)
{
    const size_t count = len < size ? len : size - 1;
    for (size_t i = 0; i < count; i++) {
        buffer[i] = '?';
        if (text[i] >= ' ' && text[i] <= '~') {
            buffer[i] = (char)text[i];
        }
    }
    buffer[count] = '\0';
}

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
        quote(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text), buffer, size);
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

bool weir_tls_is_out_of_date(const X509 *certificate, char *buffer, size_t size)
{
    char text[64];
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        format_time(X509_get0_notAfter(certificate), text, sizeof(text));
        (void)snprintf(buffer, size, "the certificate has expired, at %s", text);
        return true;
    }
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        format_time(X509_get0_notBefore(certificate), text, sizeof(text));
        (void)snprintf(buffer, size, "the certificate is not valid before %s", text);
        return true;
    }
    return false;
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
    } else if (certificate == NULL ||
               (error != X509_V_ERR_CERT_HAS_EXPIRED && error != X509_V_ERR_CERT_NOT_YET_VALID) ||
               !weir_tls_is_out_of_date(certificate, buffer, size)) {
        (void)snprintf(buffer, size, "the certificate is not trusted: %s",
                       X509_verify_cert_error_string(error));
    }
}

int weir_tls_on_verified(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct weir_tls *tls = SSL_get_app_data(ssl);
    if (good != 1 && tls->refusal[0] == '\0') {
        describe(store, tls->name, tls->refusal, sizeof(tls->refusal));
    }
    return good;
}
