/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One AMQP 0-9-1 connection as a machine: bytes and time go in, bytes gather in an outbox. It does
 * no I/O, so that every word of a hostile broker can be tried without a socket.
 *
 *            start              connection.start         connection.tune         open-ok
 *   IDLE ─────────────▶ STARTING ─────────────▶ TUNING ─────────────▶ OPENING ─────────────▶ OPEN
 *    ▲  "AMQP" 0 0 9 1     │     start-ok         │   tune-ok, open     │                    │
 *    │                     │                      │                     │   connection_close │
 *    │                     │                      │                     ▼            close   ▼
 *    │                     │                      │                     ├───────────────▶ CLOSING
 *    │ connection_reset    ▼                      ▼                     ▼                    │
 *    └─────────────────  ENDED ◀─────────────────────────────────────────────────────────────┘
 *                              close from the broker, a violation, silence, the deadline,
 *                              loss of the transport, close-ok; connection.end says which
 *
 * ENDED may leave a last word in an outbox that was empty (close-ok, or close with the reason):
 * whoever owns the transport sends that, but nothing else any more, and then closes it.
 *
 * Frames of other channels than 0 go to on_frame, in state OPEN only. Refused credentials and
 * vhosts (CONNECTION_END_REFUSED) are told apart from a loss: another try will not mend them soon.
 *
 * Heartbeats (specification 4.2.7), both ways: one is sent when nothing was for half the negotiated
 * time, unless something is on its way already; the broker is given up after twice that time
 * without a byte. The owner calls connection_tick() when connection_next_ns() has come.
 */
#ifndef LEVERET_WORKER_CONNECTION_H
#define LEVERET_WORKER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

#include "frame.h"
#include "heartbeat.h"
#include "outbox.h"
#include "writer.h"

#define CONNECTION_TEXT_BYTES 256

enum connection_state {
    CONNECTION_IDLE,
    CONNECTION_STARTING,
    CONNECTION_TUNING,
    CONNECTION_OPENING,
    CONNECTION_OPEN,
    CONNECTION_CLOSING,
    CONNECTION_ENDED,
    CONNECTION_N_STATES
};

enum connection_end_reason {
    CONNECTION_END_NONE,
    CONNECTION_END_ASKED,     /* connection_close() was called, and it is done */
    CONNECTION_END_REFUSED,   /* the broker does not let this user or vhost in: code, text */
    CONNECTION_END_BROKER,    /* the broker closed it: code, text, method */
    CONNECTION_END_VIOLATION, /* the broker broke the protocol: code, text */
    CONNECTION_END_SILENCE,   /* no byte for two heartbeats */
    CONNECTION_END_LATE,      /* the handshake, or close-ok, took too long */
    CONNECTION_END_LOST,      /* the transport failed: error, text */
    CONNECTION_END_TLS,       /* the transport is not, or no more, secure: text */
    CONNECTION_END_N_REASONS
};

struct connection_end {
    enum connection_end_reason reason;
    uint16_t code;   /* AMQP reply code, 0 when there is none */
    int error;       /* positive errno of the transport, 0 when there is none */
    uint32_t method; /* class << 16 | method that the broker complains about, or 0 */
    char text[CONNECTION_TEXT_BYTES]; /* in the broker's words where it has some; no secrets */
};

/* What is the same for every broker. Limits of 0 mean the defaults in brackets. */
struct connection_config {
    const char *name;      /* connection_name in the broker's own lists */
    const char *version;   /* of the product */
    uint16_t channel_max;  /* channels wanted at most [2047] */
    uint32_t frame_max;    /* [131072], at least FRAME_MIN_BYTES */
    uint16_t heartbeat_s;  /* [60] wanted at most; the broker may want less; NO_HEARTBEAT: none */
    uint32_t outbox_bytes; /* own bytes per batch [1 MiB] */
    uint64_t patience_ns;  /* for the handshake, and for the broker's close-ok [10 s] */
};

#define CONNECTION_NO_HEARTBEAT UINT16_MAX

struct connection_login {
    const char *user;
    const char *password;
    const char *vhost;
    bool is_external; /* SASL EXTERNAL: our certificate says who we are, not user and password */
};

/* What both sides have agreed on (specification, connection.tune). */
struct connection_limits {
    uint32_t frame_max;
    uint16_t channel_max;
    uint16_t heartbeat_s; /* 0: none */
};

struct connection_ops {
    /* OPEN was reached. */
    void (*on_open)(void *owner);
    /* A frame of a channel from 1 to channel_max; it dies when the callback returns. */
    void (*on_frame)(void *owner, const struct frame *frame);
    /* The broker has stopped reading (an alarm), with its reason; or has begun again. */
    void (*on_blocked)(void *owner, bool is_blocked, const char *reason);
};

struct connection {
    enum connection_state state;
    struct outbox outbox;
    struct frame_reader reader;
    struct frame_decoder decoder;
    struct connection_config config; /* defaults filled in */
    struct connection_login login;
    const struct connection_ops *ops;
    void *owner;
    struct connection_end end;       /* valid in state ENDED */
    struct connection_limits agreed; /* from state OPENING on */
    bool is_blocked;
    bool has_last_word;   /* ENDED: the outbox holds one, and nothing else */
    uint64_t deadline_ns; /* of the handshake or of close-ok; CLOCK_NEVER in OPEN */
    struct heartbeat heartbeat;
};

/* "opening" and the like, for logs. */
const char *connection_state_name(enum connection_state state);
const char *connection_end_name(enum connection_end_reason reason);

/* Reserves all that it will ever need. The texts of the config are borrowed for life. -ENOMEM. */
int connection_init(struct connection *connection, const struct connection_config *config,
    const struct connection_ops *ops, void *owner) MUST_USE;
void connection_done(struct connection *connection);

/* IDLE: the transport has just connected. `login` is borrowed until the next reset. */
void connection_start(
    struct connection *connection, const struct connection_login *login, uint64_t now_ns);

/* ENDED, and the transport is gone: ready to start again. Offsets of the outbox go on rising. */
void connection_reset(struct connection *connection);

/* Bytes from the broker. Whatever is wrong with them ends the connection. */
void connection_input(
    struct connection *connection, const uint8_t *bytes, size_t n_bytes, uint64_t now_ns);

/* Bytes of the outbox went to the transport. */
void connection_spoke(struct connection *connection, uint64_t now_ns);

/* Does what is due by now: a heartbeat, giving up. */
void connection_tick(struct connection *connection, uint64_t now_ns);

/* When connection_tick() is wanted next; CLOCK_NEVER in IDLE and ENDED. */
uint64_t connection_next_ns(const struct connection *connection);

/* Asks the broker to close (OPENING, OPEN); before that, ends it at once. Nothing in CLOSING,
 * ENDED. */
void connection_close(struct connection *connection, uint64_t now_ns);

/* The broker broke the protocol (AMQP reply code, our words): last word, ENDED. For channel.c too.
 */
void connection_violation(struct connection *connection, uint16_t code, const char *text);

/* The transport failed: positive errno, and what it was doing. Nothing in ENDED. */
void connection_lost(struct connection *connection, int error, const char *text);

/* The same, in the transport's own words. */
void connection_cut_off(struct connection *connection, const struct connection_end *end);

/* Queues a method, on any channel. As writer_method(); -ENOTCONN unless OPEN. */
int connection_method(struct connection *connection, uint16_t channel, amqp_method_number_t id,
    const void *method) MUST_USE;

#endif
