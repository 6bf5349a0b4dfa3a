/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/certificates.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/require.h"

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S };

/* ---- PEM ---- */

static char *text_of(BIO *bio)
{
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    char *text = format_text("%.*s", (int)n, bytes);
    (void)BIO_free(bio); /* of memory */
    return text;
}

static char *certificate_text(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    require(bio && PEM_write_bio_X509(bio, certificate) == 1, "a certificate cannot be written");
    return text_of(bio);
}

static char *key_text(const EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    require(bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1,
        "a key cannot be written");
    return text_of(bio);
}

static EVP_PKEY *key_from(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    require(key != NULL, "a key cannot be read");
    (void)BIO_free(bio); /* of memory */
    return key;
}

/* ---- certificates ---- */

static void extend(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    require(extension && X509_add_ext(certificate, extension, -1) == 1, "extension %s", value);
    X509_EXTENSION_free(extension);
}

static void set_name(X509 *certificate, const char *name)
{
    require(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                (const unsigned char *)name, -1, -1, 0) == 1,
        "name %s", name);
}

/* Ready but for what it may do and for its signature. */
static X509 *begin(EVP_PKEY *key, const char *name, long begins_s, long ends_s)
{
    X509 *certificate = X509_new();
    long serial;
    require(certificate && RAND_bytes((unsigned char *)&serial, sizeof serial) == 1, "X509");
    require(X509_set_version(certificate, X509_VERSION_3) == 1 &&
                ASN1_INTEGER_set(X509_get_serialNumber(certificate), labs(serial / 2)) == 1 &&
                X509_gmtime_adj(X509_getm_notBefore(certificate), begins_s) &&
                X509_gmtime_adj(X509_getm_notAfter(certificate), ends_s) &&
                X509_set_pubkey(certificate, key) == 1,
        "X509");
    set_name(certificate, name);
    return certificate;
}

static void sign(X509 *certificate, X509 *issuer, EVP_PKEY *key)
{
    require(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1, "X509");
    extend(certificate, issuer, NID_subject_key_identifier, "hash");
    require(X509_sign(certificate, key, EVP_sha256()) > 0, "X509_sign");
}

void authority_init(struct authority *authority, const char *name)
{
    authority->key = EVP_EC_gen("P-256");
    require(authority->key != NULL, "EVP_EC_gen");
    authority->certificate = begin(authority->key, name, -HOUR_S, DAY_S);
    extend(
        authority->certificate, authority->certificate, NID_basic_constraints, "critical,CA:TRUE");
    extend(authority->certificate, authority->certificate, NID_key_usage,
        "critical,keyCertSign,cRLSign");
    sign(authority->certificate, authority->certificate, authority->key);
    authority->pem = certificate_text(authority->certificate);
}

void authority_done(struct authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
    free(authority->pem);
}

void certificate_init(struct certificate *certificate, const struct authority *authority,
    const struct certificate_order *order)
{
    bool is_usual = order->begins_s == 0 && order->ends_s == 0;
    EVP_PKEY *key = order->key_pem ? key_from(order->key_pem) : EVP_EC_gen("P-256");
    require(key != NULL, "EVP_EC_gen");
    X509 *signed_one = begin(
        key, order->name, is_usual ? -HOUR_S : order->begins_s, is_usual ? DAY_S : order->ends_s);
    if (order->names)
        extend(signed_one, authority->certificate, NID_subject_alt_name, order->names);
    sign(signed_one, authority->certificate, authority->key);
    certificate->pem = certificate_text(signed_one);
    certificate->key_pem = key_text(key);
    X509_free(signed_one);
    EVP_PKEY_free(key);
}

void certificate_done(struct certificate *certificate)
{
    free(certificate->pem);
    free(certificate->key_pem);
}
