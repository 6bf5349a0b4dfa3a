/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>

static const char no_memory[] = "there is no memory for it";

static void bio_done(BIO **bio)
{
    (void)BIO_free(*bio); /* of memory that is not its own */
}

static void certificate_done(X509 **certificate)
{
    X509_free(*certificate);
}

static void key_done(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

/* NULL: no memory. */
static BIO *bio_of(const char *text, size_t n_bytes)
{
    return n_bytes <= INT_MAX ? BIO_new_mem_buf(text, (int)n_bytes) : NULL;
}

/* What went wrong first, and forgets it. */
static const char *words(const char *otherwise)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return reason ? reason : otherwise;
}

/* After a read that gave nothing: was it only the end of the text? */
static bool is_end(void)
{
    unsigned long code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* Without it OpenSSL would ask at the terminal. */
static int on_passphrase_wanted(char *passphrase, int n_bytes, int is_writing, void *was_wanted)
{
    *(bool *)was_wanted = true;
    return -1;
}

static const char encrypted[] = "it is encrypted: no passphrase can be given";

/* Gives each certificate of the text to `add`, which takes no reference. */
static const char *each_certificate(SSL_CTX *context, const char *text, size_t n_bytes,
    bool (*add)(SSL_CTX *context, X509 *certificate, int nth))
{
    CLEANUP(bio_done) BIO *bio = bio_of(text, n_bytes);
    if (!bio)
        return no_memory;
    ERR_clear_error();
    for (int n = 0;; n++) {
        bool is_encrypted = false;
        CLEANUP(certificate_done)
        X509 *certificate = PEM_read_bio_X509(bio, NULL, on_passphrase_wanted, &is_encrypted);
        if (is_encrypted) {
            ERR_clear_error();
            return encrypted;
        }
        if (!certificate && !is_end())
            return words("it holds a certificate that cannot be read");
        if (!certificate) {
            ERR_clear_error();
            return n > 0 ? NULL : "it holds no certificate in PEM";
        }
        if (!add(context, certificate, n))
            return words("it holds a certificate that cannot be used");
    }
}

static bool add_authority(SSL_CTX *context, X509 *certificate, int nth)
{
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1;
}

static bool add_own(SSL_CTX *context, X509 *certificate, int nth)
{
    return nth == 0 ? SSL_CTX_use_certificate(context, certificate) == 1
                    : SSL_CTX_add1_chain_cert(context, certificate) == 1;
}

const char *pem_trust(SSL_CTX *context, const char *text, size_t n_bytes)
{
    return each_certificate(context, text, n_bytes, add_authority);
}

const char *pem_use_certificate(SSL_CTX *context, const char *text, size_t n_bytes)
{
    return each_certificate(context, text, n_bytes, add_own);
}

const char *pem_use_key(SSL_CTX *context, const char *text, size_t n_bytes)
{
    bool is_encrypted = false;
    CLEANUP(bio_done) BIO *bio = bio_of(text, n_bytes);
    if (!bio)
        return no_memory;
    ERR_clear_error();
    CLEANUP(key_done)
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase_wanted, &is_encrypted);
    const char *reason = NULL;
    if (is_encrypted)
        reason = encrypted;
    else if (!key)
        reason = "it holds no private key in PEM that can be read";
    else if (X509_check_private_key(SSL_CTX_get0_certificate(context), key) != 1)
        reason = "it does not fit the certificate";
    else if (SSL_CTX_use_PrivateKey(context, key) != 1)
        reason = words("it cannot be used");
    ERR_clear_error();
    return reason;
}
