/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the bytes of a connection get to a broker and back: a stream, and TLS over it where that is
 * asked for. Who uses it sees plain bytes, and the same callbacks, either way.
 *
 *           transport_connect            TCP is there             TLS is there
 *    IDLE ────────────────────▶ CONNECTING ─────────▶ SHAKING ─────────────────▶ OPEN
 *     ▲                             │   │ there is no TLS with it ───────────────▲ │
 *     │                             ▼   ▼                 │                        │ closed by the
 *     │        on_closed           failure, the deadline  ▼                        ▼ peer or by us
 *     └──────────────────────────────────────────────  LEAVING ◀───────────────────┘ failure
 *
 * LEAVING gives TLS's last word (the alert that says what was wrong, or that we are done) a moment
 * to leave, if nothing else is being sent, and lasts until the stream is closed.
 *
 * on_taken counts plain bytes. With TLS a byte has been taken when the whole record has that holds
 * it: a peer can read nothing of less.
 */
#ifndef LEVERET_WORKER_TRANSPORT_H
#define LEVERET_WORKER_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "shm/cleanup.h"

#include "connection.h"
#include "loop.h"
#include "stream.h"
#include "tls.h"

enum transport_state {
    TRANSPORT_IDLE,
    TRANSPORT_CONNECTING,
    TRANSPORT_SHAKING,
    TRANSPORT_OPEN,
    TRANSPORT_LEAVING,
    TRANSPORT_N_STATES
};

struct transport_ops {
    /* OPEN: and who it is was verified, where that was asked for. */
    void (*on_connected)(void *owner);
    void (*on_bytes)(void *owner, const uint8_t *bytes, size_t n_bytes);
    /* n_bytes of the message in flight may reach the peer; `is_done`: all of it. */
    void (*on_taken)(void *owner, size_t n_bytes, bool is_done);
    /* Why: CONNECTION_END_LOST or CONNECTION_END_TLS. */
    void (*on_closed)(void *owner, const struct connection_end *end);
};

/* Where to, and how. */
struct transport_goal {
    const struct sockaddr *address;
    socklen_t n_address;
    const struct tls_peer *peer; /* borrowed until on_closed */
    uint16_t port;               /* for the words of an error */
    uint64_t deadline_ns;        /* for on_connected; CLOCK_NEVER: the kernel's own patience */
};

/* Embedded in its owner. */
struct transport {
    const struct transport_ops *ops;
    void *owner;
    enum transport_state state;
    struct stream stream;
    struct tls tls; /* its buffers are there when it may be asked for */
    const struct tls_peer *peer;
    uint16_t port;
    uint64_t deadline_ns;
    struct loop_timer timer; /* SHAKING: the deadline; LEAVING: of the last word */
    struct connection_end end;
    struct iovec iov[STREAM_MAX_IOV];
    struct iovec *rest; /* of the message in flight: what is not encrypted yet */
    int n_rest;
};

const char *transport_state_name(enum transport_state state);

/* -ENOMEM. */
int transport_init(struct transport *transport, struct loop *loop, const struct transport_ops *ops,
    void *owner, bool may_encrypt) MUST_USE;

/* IDLE. */
void transport_done(struct transport *transport);

/* IDLE: begins. A negative errno: it could not even start, and is still IDLE. */
int transport_connect(struct transport *transport, const struct transport_goal *goal) MUST_USE;

/* OPEN, and nothing in flight. */
static inline bool transport_may_send(const struct transport *transport)
{
    return transport->state == TRANSPORT_OPEN && !stream_is_sending(&transport->stream) &&
           transport->n_rest == 0;
}

/* When it may: a message, as stream_send() has it. */
void transport_send(struct transport *transport, const struct iovec *iov, int n_iov);

/* Ends it, dropping what is in flight. on_closed follows, in a later turn. Nothing in IDLE,
 * LEAVING. */
void transport_close(struct transport *transport);

#endif
