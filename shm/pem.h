/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and keys out of PEM text, into what OpenSSL keeps them in. The supervisor tries with
 * it what a configuration names, and the child that gets the text uses it in the same way: what has
 * passed there does not fail here.
 *
 * The one piece of the shared ground that leans on a library: a library of its own, for those who
 * link OpenSSL.
 *
 * Each returns NULL, or why not: a literal, or OpenSSL's own words, which stay. Neither ever quotes
 * the text.
 */
#ifndef LEVERET_SHM_PEM_H
#define LEVERET_SHM_PEM_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "shm/cleanup.h"

/* The authorities of which one must have signed for the peer: every certificate in the text, one at
 * least. */
const char *pem_trust(SSL_CTX *context, const char *text, size_t n_bytes) MUST_USE;

/* Who we are: the first certificate of the text; those behind it lead to the authority. */
const char *pem_use_certificate(SSL_CTX *context, const char *text, size_t n_bytes) MUST_USE;

/* After pem_use_certificate(), whose key it must be. Nobody is asked for a passphrase. */
const char *pem_use_key(SSL_CTX *context, const char *text, size_t n_bytes) MUST_USE;

#endif
