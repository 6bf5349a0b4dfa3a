/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS connection, our side of it the client's, as a machine: bytes of the peer and plain bytes
 * go in, records gather in a buffer. It does no I/O, so that every word of a hostile peer can be
 * tried without a socket. OpenSSL (1.2 at least, 1.3 where the peer has it) reads through a BIO
 * from where the peer's bytes were received, and writes into that buffer.
 *
 *           tls_start              tls_shake: TLS_DONE           tls_close, TLS_CLOSED, TLS_FAILED
 *   stopped ─────────▶ shaking hands ──────────────▶ open ───────────────────────────▶ over
 *      ▲                     │ TLS_FAILED                                                │
 *      └─────────────────────┴──────────────────────────────── tls_stop ─────────────────┘
 *
 * Who owns the transport feeds what was received and asks for it until there is no more (TLS_MORE),
 * and sends what is pending, also when the end has come: a last word (an alert) may be among it.
 *
 * A record is taken as a whole or not at all: a peer that has received one byte less than all of it
 * can read nothing of it. That is what tls_taken() counts, so that a plain byte is known not to
 * have reached the peer as certainly as without TLS.
 *
 * Bounded: the buffer is reserved once. Renegotiation is refused; what a peer makes us answer
 * (KeyUpdate) has room of its own, and one that does not read the answers is left.
 */
#ifndef LEVERET_WORKER_TLS_H
#define LEVERET_WORKER_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shm/cleanup.h"

#define TLS_ERROR_BYTES 150

enum {
    TLS_PLAIN_BYTES = SSL3_RT_MAX_PLAIN_LENGTH, /* of a record, at most */
    TLS_MAX_RECORDS = 16,                       /* of plain bytes, pending at a time */
    TLS_SUBJECT_BYTES = 64
};

enum tls_outcome {
    TLS_DONE,
    TLS_MORE,   /* when more has come from the peer */
    TLS_CLOSED, /* the peer has said that it is done */
    TLS_FAILED  /* tls.error says why */
};

/* Whom we speak to. */
struct tls_peer {
    SSL_CTX *context; /* NULL: there is no TLS with it */
    const char *name; /* or address, for which its certificate must be; also sent, as SNI */
};

/* What goes for all connections that are made with it. */
struct tls_config {
    const char *authorities;                    /* PEM; without one the peer may be anybody */
    const char *certificate, *key;              /* PEM; without them we are nobody */
    size_t n_authorities, n_certificate, n_key; /* 0: none */
};

/* The end of a record in the buffer, and how many plain bytes it holds. */
struct tls_record {
    size_t end, n_plain;
};

/* Embedded in its owner. */
struct tls {
    SSL *ssl; /* NULL: stopped */
    BIO_METHOD *method;
    const uint8_t *fed; /* by the owner, not read yet */
    size_t n_fed;
    bool was_fed, answers_plainly; /* its first byte was AMQP's, not TLS's */
    uint8_t *pending;              /* from n_taken to n_pending is to be sent */
    size_t n_pending, n_taken;
    struct tls_record records[TLS_MAX_RECORDS];
    uint32_t n_records, nth_record;  /* the first that is not taken */
    uint8_t *plain;                  /* what was read last */
    uint8_t *gathered;               /* a record's worth of small pieces */
    char subject[TLS_SUBJECT_BYTES]; /* of the certificate that was found wanting */
    char error[TLS_ERROR_BYTES];     /* in OpenSSL's words where it has some; no secrets */
};

/* ---- contexts ------------------------------------------------------------------------------- */

/* Free with SSL_CTX_free(). NULL: no memory, or not what pem.h takes. */
SSL_CTX *tls_context_new(const struct tls_config *config);

/* ---- a life --------------------------------------------------------------------------------- */

/* Reserves the buffers. -ENOMEM. */
int tls_init(struct tls *tls) MUST_USE;
void tls_done(struct tls *tls);

/* Stopped: begins, with nobody's bytes pending. `peer` is only looked at. -ENOMEM. */
int tls_start(struct tls *tls, const struct tls_peer *peer) MUST_USE;

/* From any state; what was pending is dropped. */
void tls_stop(struct tls *tls);

/* Bytes from the peer, borrowed until they are all read: until tls_shake() or tls_read() says
 * something else than TLS_DONE. */
void tls_feed(struct tls *tls, const uint8_t *bytes, size_t n_bytes);

/* Goes on with the handshake: TLS_DONE, TLS_MORE, TLS_FAILED. */
enum tls_outcome tls_shake(struct tls *tls) MUST_USE;

/* TLS_DONE: the next plain bytes, at least one, which stay until the next call. */
enum tls_outcome tls_read(struct tls *tls, const uint8_t **bytes, size_t *n_bytes) MUST_USE;

/* Encrypts as much from the front of the message as there is room for, in as few records as that
 * takes, and cuts it off there. TLS_DONE; TLS_FAILED; TLS_MORE: something that the peer wants (new
 * keys, a ticket) has come in part, and comes first. */
enum tls_outcome tls_write(struct tls *tls, struct iovec **iov, int *n_iov) MUST_USE;

/* Says that we are done, once. */
void tls_close(struct tls *tls);

/* What is to be sent, in one piece: how many bytes. They stay where they are until tls_taken() has
 * passed them; meanwhile more may come behind them. */
size_t tls_pending(struct tls *tls, const uint8_t **bytes);

/* The kernel has accepted n_bytes more of it: returns how many plain bytes may reach the peer by
 * that. */
size_t tls_taken(struct tls *tls, size_t n_bytes);

/* Plain bytes are pending that may not reach the peer yet. */
static inline bool tls_holds_more(const struct tls *tls)
{
    return tls->nth_record < tls->n_records;
}

#endif
