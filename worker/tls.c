/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/pem.h"

enum {
    RECORD_BYTES = TLS_PLAIN_BYTES + SSL3_RT_MAX_ENCRYPTED_OVERHEAD + SSL3_RT_HEADER_LENGTH,
    ANSWERS_BYTES = 16384, /* for what is no message of ours: alerts, KeyUpdate */
    CAPACITY = TLS_MAX_RECORDS * RECORD_BYTES + ANSWERS_BYTES
};

/* ---- contexts ------------------------------------------------------------------------------- */

static bool equip(SSL_CTX *context, const struct tls_config *config)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
        return false;
    if (config->n_authorities && pem_trust(context, config->authorities, config->n_authorities))
        return false;
    if (!config->n_certificate)
        return true;
    return !pem_use_certificate(context, config->certificate, config->n_certificate) &&
           !pem_use_key(context, config->key, config->n_key);
}

static struct tls *tls_of(const X509_STORE_CTX *verification)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());
    return SSL_get_app_data(ssl);
}

/* Whose certificate it is that will not do. */
static int on_verified(int is_good, X509_STORE_CTX *verification)
{
    struct tls *tls = tls_of(verification);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(verification);
    if (!is_good && certificate)
        (void)X509_NAME_oneline(
            X509_get_subject_name(certificate), tls->subject, sizeof tls->subject); /* may be cut */
    return is_good;
}

SSL_CTX *tls_context_new(const struct tls_config *config)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return NULL;
    if (!equip(context, config)) {
        SSL_CTX_free(context);
        return NULL;
    }
    if (config->n_authorities)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verified);
    return context;
}

/* ---- the bytes' way into OpenSSL and out of it ---------------------------------------------- */

static int bio_read(BIO *bio, char *bytes, int n_bytes)
{
    struct tls *tls = BIO_get_data(bio);
    size_t n = (size_t)n_bytes < tls->n_fed ? (size_t)n_bytes : tls->n_fed;
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(bytes, tls->fed, n);
    tls->fed += n;
    tls->n_fed -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *bytes, int n_bytes)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if ((size_t)n_bytes > CAPACITY - tls->n_pending) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(tls->pending + tls->n_pending, bytes, (size_t)n_bytes);
    tls->n_pending += (size_t)n_bytes;
    return n_bytes;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "leveret");
    if (!method)
        return NULL;
    (void)BIO_meth_set_read(method, bio_read); /* setters: they cannot fail */
    (void)BIO_meth_set_write(method, bio_write);
    (void)BIO_meth_set_ctrl(method, bio_ctrl);
    return method;
}

/* ---- what went wrong ------------------------------------------------------------------------ */

static enum tls_outcome fail(struct tls *tls, const char *what, const char *detail)
{
    (void)snprintf(tls->error, sizeof tls->error, "%s%s%s", what, *detail ? ": " : "", detail);
    return TLS_FAILED;
}

static enum tls_outcome fail_verification(struct tls *tls, long verdict)
{
    (void)snprintf(tls->error, sizeof tls->error, "certificate verify failed: %s%s%s%s",
        X509_verify_cert_error_string(verdict), *tls->subject ? " (" : "", tls->subject,
        *tls->subject ? ")" : "");
    return TLS_FAILED;
}

static enum tls_outcome explain(struct tls *tls)
{
    unsigned long code = ERR_peek_error();
    const char *words = ERR_reason_error_string(code);
    ERR_clear_error(); /* before each call of OpenSSL's there must be none */
    long verdict = SSL_get_verify_result(tls->ssl);
    bool is_alert = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET;
    if (tls->answers_plainly)
        return fail(tls, "it answers in plain AMQP: there is no TLS on this port", "");
    if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK)
        return fail_verification(tls, verdict);
    return fail(
        tls, is_alert ? "it breaks off" : "it speaks no TLS that can be read", words ? words : "");
}

/* After a call that did not do all that it was to do. */
static enum tls_outcome outcome_of(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    case SSL_ERROR_WANT_WRITE:
        return fail(tls, "it wants more answers than it reads", "");
    default:
        return explain(tls);
    }
}

/* ---- a life --------------------------------------------------------------------------------- */

int tls_init(struct tls *tls)
{
    *tls = (struct tls){
        .method = method_new(),
        .pending = malloc(CAPACITY),
        .plain = malloc(TLS_PLAIN_BYTES),
        .gathered = malloc(TLS_PLAIN_BYTES),
    };
    if (tls->method && tls->pending && tls->plain && tls->gathered)
        return 0;
    tls_done(tls);
    return -ENOMEM;
}

void tls_done(struct tls *tls)
{
    tls_stop(tls);
    BIO_meth_free(tls->method);
    free(tls->pending);
    free(tls->plain);
    free(tls->gathered);
    *tls = (struct tls){0};
}

/* SNI has no addresses (RFC 6066, 3), and a certificate has them apart from names. */
static bool set_name(SSL *ssl, const char *name)
{
    uint8_t address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

int tls_start(struct tls *tls, const struct tls_peer *peer)
{
    assert(!tls->ssl);
    BIO *bio = BIO_new(tls->method);
    SSL *ssl = SSL_new(peer->context);
    if (!bio || !ssl || !set_name(ssl, peer->name)) {
        (void)BIO_free(bio); /* NULL, or ours alone */
        SSL_free(ssl);
        return -ENOMEM;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    (void)SSL_set_app_data(ssl, tls); /* its place is there already */
    SSL_set_connect_state(ssl);
    tls->ssl = ssl;
    *tls->subject = *tls->error = '\0';
    return 0;
}

void tls_stop(struct tls *tls)
{
    SSL_free(tls->ssl);
    tls->ssl = NULL;
    tls->n_fed = 0;
    tls->was_fed = tls->answers_plainly = false;
    tls->n_pending = tls->n_taken = 0;
    tls->n_records = tls->nth_record = 0;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

void tls_feed(struct tls *tls, const uint8_t *bytes, size_t n_bytes)
{
    assert(tls->n_fed == 0 && n_bytes > 0);
    tls->answers_plainly = tls->answers_plainly || (!tls->was_fed && *bytes == 'A');
    tls->was_fed = true;
    tls->fed = bytes;
    tls->n_fed = n_bytes;
}

enum tls_outcome tls_shake(struct tls *tls)
{
    ERR_clear_error(); /* somebody else's */
    int r = SSL_do_handshake(tls->ssl);
    if (r != 1)
        return outcome_of(tls, r);
    ERR_clear_error(); /* of a certificate that did not matter */
    return TLS_DONE;
}

enum tls_outcome tls_read(struct tls *tls, const uint8_t **bytes, size_t *n_bytes)
{
    size_t n;
    if (tls->n_fed == 0 && !SSL_has_pending(tls->ssl))
        return TLS_MORE; /* asking costs as much as a record */
    int r = SSL_read_ex(tls->ssl, tls->plain, TLS_PLAIN_BYTES, &n);
    if (r != 1)
        return outcome_of(tls, r);
    *bytes = tls->plain;
    *n_bytes = n;
    return TLS_DONE;
}

/* Cuts n_bytes off the front of the message. */
static void advance(struct iovec **iov, int *n_iov, size_t n_bytes)
{
    while (*n_iov > 0 && n_bytes >= (*iov)->iov_len) {
        n_bytes -= (*iov)->iov_len;
        (*iov)++;
        (*n_iov)--;
    }
    if (*n_iov > 0) {
        (*iov)->iov_base = (uint8_t *)(*iov)->iov_base + n_bytes;
        (*iov)->iov_len -= n_bytes;
    }
}

/* The next record's worth, in one piece: where it lies, or gathered from small pieces. */
static struct iovec next_piece(struct tls *tls, const struct iovec *iov, int n_iov)
{
    if (n_iov == 1 || iov->iov_len >= TLS_PLAIN_BYTES) {
        bool is_long = iov->iov_len > TLS_PLAIN_BYTES;
        return (struct iovec){iov->iov_base, is_long ? TLS_PLAIN_BYTES : iov->iov_len};
    }
    size_t n_gathered = 0;
    for (int i = 0; i < n_iov && n_gathered < TLS_PLAIN_BYTES; i++) {
        size_t room = TLS_PLAIN_BYTES - n_gathered;
        size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;
        memcpy(tls->gathered + n_gathered, iov[i].iov_base, n);
        n_gathered += n;
    }
    return (struct iovec){tls->gathered, n_gathered};
}

static bool has_room(const struct tls *tls)
{
    return tls->n_records < TLS_MAX_RECORDS &&
           CAPACITY - tls->n_pending >= RECORD_BYTES + ANSWERS_BYTES;
}

enum tls_outcome tls_write(struct tls *tls, struct iovec **iov, int *n_iov)
{
    while (*n_iov > 0 && has_room(tls)) {
        struct iovec piece = next_piece(tls, *iov, *n_iov);
        size_t n;
        int r = SSL_write_ex(tls->ssl, piece.iov_base, piece.iov_len, &n);
        if (r != 1)
            return outcome_of(tls, r);
        tls->records[tls->n_records++] = (struct tls_record){tls->n_pending, n};
        advance(iov, n_iov, n);
    }
    return TLS_DONE;
}

void tls_close(struct tls *tls)
{
    ERR_clear_error();
    (void)SSL_shutdown(
        tls->ssl);     /* a word for the peer; without it the end of the socket says it */
    ERR_clear_error(); /* the next to ask is another connection */
}

size_t tls_pending(struct tls *tls, const uint8_t **bytes)
{
    *bytes = tls->pending + tls->n_taken;
    return tls->n_pending - tls->n_taken;
}

size_t tls_taken(struct tls *tls, size_t n_bytes)
{
    size_t n_plain = 0;
    assert(n_bytes <= tls->n_pending - tls->n_taken);
    tls->n_taken += n_bytes;
    while (tls->nth_record < tls->n_records && tls->records[tls->nth_record].end <= tls->n_taken)
        n_plain += tls->records[tls->nth_record++].n_plain;
    if (tls->n_taken == tls->n_pending) {
        tls->n_pending = tls->n_taken = 0;
        tls->n_records = tls->nth_record = 0;
    }
    return n_plain;
}
