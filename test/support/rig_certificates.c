/* rig_certificates.c - see rig.h: an authority, and certificates that it signs, good and bad. */

#include "support/rig.h"
#include "support/rig_process.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define DAY_SECONDS (24L * 60L * 60L)

/* A certificate to be. */
struct wish {
    const char *subject;
    const char *names; /* subjectAltName, or NULL for an authority */
    long until_seconds;
    long from_seconds; /* 0: long enough ago */
};

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static void must(int done, const char *what)
{
    if (done <= 0) {
        rig_fail("certificates: %s", what);
    }
}

static void extend(X509 *certificate, X509 *signer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    must(extension != NULL && X509_add_ext(certificate, extension, -1), value);
    X509_EXTENSION_free(extension);
}

/* Signs what `wish` asks for, about `key`; by itself where `signer` is NULL. */
static X509 *sign(const struct wish *wish, EVP_PKEY *key, const struct identity *signer)
{
    static _Thread_local long serial;
    X509 *certificate = X509_new();
    must(certificate != NULL, "memory");
    X509 *issuer = signer != NULL ? signer->certificate : certificate;
    X509_NAME *name = X509_get_subject_name(certificate);
    serial++;
    must(X509_set_version(certificate, X509_VERSION_3), "version");
    must(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial), "serial number");
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->subject,
                                    -1, -1, 0),
         "subject");
    must(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)), "issuer");
    const long from_seconds = wish->from_seconds != 0 ? wish->from_seconds : -2 * DAY_SECONDS;
    must(X509_gmtime_adj(X509_getm_notBefore(certificate), from_seconds) != NULL, "time");
    must(X509_gmtime_adj(X509_getm_notAfter(certificate), wish->until_seconds) != NULL, "time");
    must(X509_set_pubkey(certificate, key), "key");
    if (wish->names != NULL) {
        extend(certificate, issuer, NID_subject_alt_name, wish->names);
    } else {
        extend(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
        extend(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    must(X509_sign(certificate, signer != NULL ? signer->key : key, EVP_sha256()), "signature");
    return certificate;
}

static EVP_PKEY *make_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    must(key != NULL, "a key");
    return key;
}

static struct identity make_authority(const char *subject)
{
    const struct wish wish = {subject, NULL, DAY_SECONDS, 0};
    struct identity made = {make_key(), NULL};
    made.certificate = sign(&wish, made.key, NULL);
    return made;
}

static void free_identity(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

/* ---- Files ---- */

static FILE *create(const char *folder, const char *name, char path[static 128])
{
    rig_format(path, 128, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        rig_fail("%s: %s", path, strerror(errno));
    }
    return file;
}

static void write_certificate(const char *folder, const char *name, X509 *certificate,
                              char path[static 128])
{
    FILE *file = create(folder, name, path);
    must(PEM_write_X509(file, certificate), path);
    (void)fclose(file);
}

static void write_key(const char *folder, const char *name, EVP_PKEY *key, char path[static 128])
{
    FILE *file = create(folder, name, path);
    must(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), path);
    (void)fclose(file);
}

static void write_signed(const char *folder, const char *name, const struct wish *wish,
                         const struct identity *pair, char path[static 128])
{
    X509 *certificate = sign(wish, pair[0].key, &pair[1]);
    write_certificate(folder, name, certificate, path);
    X509_free(certificate);
}

void rig_certificates_make(const char *folder, struct rig_certificates *ret_certificates)
{
    static const char here[] = "IP:127.0.0.1,IP:::1,DNS:localhost";
    const struct wish server = {"weir test server", here, DAY_SECONDS, 0};
    const struct wish client = {"weir test client", "email:client@test.invalid", DAY_SECONDS, 0};
    const struct wish elsewhere = {"elsewhere.invalid", "DNS:elsewhere.invalid", DAY_SECONDS, 0};
    const struct wish expired = {"weir test server", here, -DAY_SECONDS, 0};
    const struct wish future = {"weir test server", here, 2 * DAY_SECONDS, DAY_SECONDS};
    struct identity stranger = make_authority("weir test stranger");
    /* Whom a certificate is about, and who signs it. */
    struct identity pair[2] = {{make_key(), NULL}, make_authority("weir test authority")};

    struct rig_certificates paths;
    write_certificate(folder, "authority.pem", pair[1].certificate, paths.authority);
    write_certificate(folder, "stranger.pem", stranger.certificate, paths.stranger_authority);
    write_signed(folder, "server.pem", &server, pair, paths.server);
    write_signed(folder, "elsewhere.pem", &elsewhere, pair, paths.elsewhere);
    write_signed(folder, "expired.pem", &expired, pair, paths.expired);
    write_signed(folder, "future.pem", &future, pair, paths.future);
    write_key(folder, "server.key", pair[0].key, paths.server_key);
    EVP_PKEY_free(pair[0].key);
    pair[0].key = make_key();
    write_signed(folder, "client.pem", &client, pair, paths.client);
    write_key(folder, "client.key", pair[0].key, paths.client_key);

    free_identity(&stranger);
    free_identity(&pair[0]);
    free_identity(&pair[1]);
    *ret_certificates = paths;
}
