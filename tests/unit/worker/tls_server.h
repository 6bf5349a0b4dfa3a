/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's side of TLS, without I/O: OpenSSL's own server between two memory BIOs, and the
 * certificates that it and we show.
 */
#ifndef LEVERET_TESTS_WORKER_TLS_SERVER_H
#define LEVERET_TESTS_WORKER_TLS_SERVER_H

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "shm/pem.h"
#include "tests/support/certificates.h"
#include "tls.h"

static struct authority authority, stranger; /* the one we trust, and one we do not know */
static SSL_CTX *server_context;
static SSL *server;
static BIO *server_hears, *server_says;

static inline void server_use(const struct certificate *certificate)
{
    cr_assert_null(pem_use_certificate(server_context, certificate->pem, strlen(certificate->pem)));
    cr_assert_null(pem_use_key(server_context, certificate->key_pem, strlen(certificate->key_pem)));
}

/* With a certificate of the authority's for these names. */
static inline void server_certify(const struct authority *by, const struct certificate_order *order)
{
    struct certificate certificate;
    certificate_init(&certificate, by, order);
    server_use(&certificate);
    certificate_done(&certificate);
}

/* Asks for a certificate of our authority's, and takes nobody without one. */
static inline void server_demand_certificate(void)
{
    cr_assert_null(pem_trust(server_context, authority.pem, strlen(authority.pem)));
    SSL_CTX_set_verify(server_context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static inline void server_begin(void)
{
    SSL_free(server);
    server = SSL_new(server_context);
    server_hears = BIO_new(BIO_s_mem());
    server_says = BIO_new(BIO_s_mem());
    cr_assert(server && server_hears && server_says);
    SSL_set_bio(server, server_hears, server_says);
    SSL_set_accept_state(server);
}

static inline void server_init(void)
{
    authority_init(&authority, "authority");
    authority_init(&stranger, "stranger");
    server_context = SSL_CTX_new(TLS_server_method());
    server_certify(&authority,
        &(struct certificate_order){.name = "broker", .names = "DNS:rabbit.test,IP:127.0.0.1"});
}

static inline void server_done(void)
{
    SSL_free(server);
    SSL_CTX_free(server_context);
    authority_done(&authority);
    authority_done(&stranger);
}

/* A context of ours that trusts the authority, and shows this certificate unless it is NULL. */
static inline SSL_CTX *our_context(const struct certificate *certificate)
{
    struct tls_config config = {
        .authorities = authority.pem, .n_authorities = strlen(authority.pem)};
    if (certificate) {
        config.certificate = certificate->pem;
        config.n_certificate = strlen(certificate->pem);
        config.key = certificate->key_pem;
        config.n_key = strlen(certificate->key_pem);
    }
    SSL_CTX *context = tls_context_new(&config);
    cr_assert_not_null(context);
    return context;
}

#endif
