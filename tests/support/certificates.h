/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for a test: an authority of its own, and what it signs for whoever plays a broker or
 * a client, as PEM texts. Made with OpenSSL's library, in a millisecond, and kept nowhere.
 */
#ifndef LEVERET_TESTS_CERTIFICATES_H
#define LEVERET_TESTS_CERTIFICATES_H

#include <openssl/x509.h>

struct authority {
    X509 *certificate;
    EVP_PKEY *key;
    char *pem; /* of the certificate */
};

/* What is signed. */
struct certificate_order {
    const char *name;      /* the common name */
    const char *names;     /* the others: "DNS:localhost,IP:127.0.0.1"; NULL: none */
    long begins_s, ends_s; /* from now on; both 0: from an hour ago for a day */
    const char *key_pem;   /* whose it is; NULL: a new key's */
};

struct certificate {
    char *pem, *key_pem;
};

void authority_init(struct authority *authority, const char *name);
void authority_done(struct authority *authority);

void certificate_init(struct certificate *certificate, const struct authority *authority,
    const struct certificate_order *order);
void certificate_done(struct certificate *certificate);

#endif
