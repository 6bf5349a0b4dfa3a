/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker whose every word the test says itself, for orders of events that no real broker can be
 * brought to. The test's own thread plays it, in straight lines, while the sidecar is another
 * process and its HTTP client another thread:
 *
 *   amqp_door_open ──▶ amqp_peer_accept ──▶ hear, say, misbehave ──▶ amqp_peer_hang_up | _reset
 *                           ▲                                              │
 *                           └───────── the sidecar connects again ─────────┘
 *
 * What is routine (opening channels, declaring, confirm mode, heartbeats, closing) it answers on its
 * way to the next thing worth telling. It speaks with rabbitmq-c's codec and with bytes of its own,
 * and knows nothing of the worker's code. What does not come within AMQP_PEER_TIMEOUT_MS ends the
 * test.
 */
#ifndef LEVERET_TESTS_AMQP_PEER_H
#define LEVERET_TESTS_AMQP_PEER_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AMQP_PEER_TIMEOUT_MS = 20000, AMQP_PEER_CHANNELS = 256, AMQP_HEARD_BODY_BYTES = 64 };

/* Where it listens: a free port of 127.0.0.1, or of the address that is given. */
struct amqp_door {
    int fd;
    uint16_t port;
    char *url; /* for a configuration's "host" */
};

void amqp_door_open(struct amqp_door *door, const char *address);
/* Nobody is let in any more: connecting is refused. */
void amqp_door_close(struct amqp_door *door);

/* One connection. */
struct amqp_peer {
    int fd;               /* -1: none */
    uint16_t heartbeat_s; /* proposed in the handshake; 0: none */
    bool is_split;        /* every byte that it says goes out in a segment of its own */
    int n_declared;       /* queues that were declared on this connection */
    /* Its own. */
    uint64_t n_published[AMQP_PEER_CHANNELS]; /* since the channel was opened */
    amqp_pool_t pool;
    uint8_t *payload; /* of the frame that was heard last */
};

/* How far the broker's side of the handshake has come (specification 2.2.4). */
enum amqp_peer_stage {
    AMQP_PEER_GREETED, /* "AMQP" has come, and connection.start would be next */
    AMQP_PEER_STARTED, /* start-ok has come, and connection.tune would be next */
    AMQP_PEER_TUNED,   /* tune-ok and open have come, and connection.open-ok would be next */
    AMQP_PEER_OPEN
};

/* Lets the next connection in and shakes hands, in the manner that the caller has set. */
void amqp_peer_accept(struct amqp_peer *peer, const struct amqp_door *door);
/* The same, and no further than that. */
void amqp_peer_accept_until(
    struct amqp_peer *peer, const struct amqp_door *door, enum amqp_peer_stage stage);
/* The same without a word: a broker that accepts and says nothing. */
void amqp_peer_accept_mutely(struct amqp_peer *peer, const struct amqp_door *door);

void amqp_peer_hang_up(struct amqp_peer *peer); /* FIN */
void amqp_peer_reset(struct amqp_peer *peer);   /* RST */

/* ---- hearing ---- */

/* Something worth telling: basic.publish with its message, basic.consume, basic.cancel, basic.ack,
 * basic.nack, connection.close, or the end (method 0). */
struct amqp_heard {
    amqp_method_number_t method;
    uint16_t channel;
    uint64_t tag; /* a publish: its number on the channel; ack, nack: the delivery's */
    bool is_multiple, is_requeued;
    uint16_t code;        /* close: its reply code */
    char name[256];       /* a publish: its routing key; consume: the queue; close: its text */
    char consumer[256];   /* consume, cancel: the consumer's tag */
    char message_id[256]; /* a publish */
    size_t n_body;
    char body[AMQP_HEARD_BODY_BYTES]; /* as much of it as fits, with a NUL */
};

void amqp_peer_hear(struct amqp_peer *peer, struct amqp_heard *heard);

/* The same for one frame, no publish, that the caller received by itself: true when it is worth
 * telling. `frame` is the whole of it. */
bool amqp_peer_hear_frame(
    struct amqp_peer *peer, const uint8_t *frame, size_t n, struct amqp_heard *heard);

/* Waits for the sidecar's next heartbeat, before which nothing worth telling may come, and says one
 * in return. */
void amqp_peer_beat(struct amqp_peer *peer);

/* The next thing worth telling must be this. */
struct amqp_heard amqp_peer_expect(struct amqp_peer *peer, amqp_method_number_t method);

/* ---- saying ---- */

void amqp_peer_say(
    struct amqp_peer *peer, uint16_t channel, amqp_method_number_t method, void *decoded);
void amqp_peer_ack(struct amqp_peer *peer, const struct amqp_heard *publish, bool is_multiple);
void amqp_peer_nack(struct amqp_peer *peer, const struct amqp_heard *publish);
void amqp_peer_return(struct amqp_peer *peer, const struct amqp_heard *publish);
/* To the consumer that was heard; the whole message, or all but its body. */
void amqp_peer_deliver(
    struct amqp_peer *peer, const struct amqp_heard *consume, uint64_t tag, const char *body);
void amqp_peer_deliver_head(
    struct amqp_peer *peer, const struct amqp_heard *consume, uint64_t tag, size_t n_body);
void amqp_peer_body(struct amqp_peer *peer, uint16_t channel, const void *bytes, size_t n);
void amqp_peer_cancel(struct amqp_peer *peer, const struct amqp_heard *consume);
void amqp_peer_block(struct amqp_peer *peer, bool is_blocked);
void amqp_peer_close(struct amqp_peer *peer, uint16_t code, const char *text);
/* `method`: what it complains about, 0 for nothing in particular. */
void amqp_peer_close_channel(struct amqp_peer *peer, uint16_t channel, uint16_t code,
    const char *text, amqp_method_number_t method);

/* Bytes as they are, whatever they mean. */
void amqp_peer_send(struct amqp_peer *peer, const void *bytes, size_t n);

#endif
