/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker that costs next to nothing, so that what is measured is the sidecar: it forgets every
 * message, confirms all that one receive brought with one ack (`multiple`), and has the same message,
 * for whoever consumes, as often as the prefetch allows.
 *
 *   null_accept ──▶ null_hear, whenever the socket is readable ──▶ false: null_hang_up
 *
 * What is rare (the handshake, declarations) tests/support/amqp_peer.h answers. Frames of messages
 * are only counted; nothing of theirs is decoded or kept. It trusts its one client, the sidecar.
 */
#ifndef LEVERET_TESTS_BENCH_NULL_BROKER_H
#define LEVERET_TESTS_BENCH_NULL_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tests/support/amqp_peer.h"

enum { NULL_CONSUMERS = 64, NULL_WINDOW = 65536, NULL_BODY_BYTES = 8 /* at least */ };

/* Publishing: how far the message that is coming in is, and what awaits its ack. */
struct null_channel {
    bool is_confirming, is_ack_due;
    uint64_t n_published, n_body_left;
    uint16_t prefetch; /* of the consumers to come */
    struct null_window *window;
};

/* Deliveries of a channel that nobody has settled: whose they are, by tag modulo NULL_WINDOW. */
struct null_window {
    uint64_t next, oldest;
    uint8_t owner[NULL_WINDOW]; /* consumer + 1; 0: settled */
};

struct null_consumer {
    bool is_live;
    uint16_t channel, prefetch;
    uint32_t n_unsettled;
    char tag[256];
    uint8_t *frames; /* one delivery as it goes out, but for its tag */
    size_t n_frames, tag_at;
};

struct null_connection {
    struct amqp_peer peer;
    size_t n_body; /* of what is delivered */
    struct null_channel channels[AMQP_PEER_CHANNELS];
    struct null_consumer consumers[NULL_CONSUMERS];
    size_t n_in, n_out;
    uint8_t *in, *out;
};

/* Blocks for the handshake. The caller frees it with null_hang_up(). */
struct null_connection *null_accept(const struct amqp_door *door, size_t n_body);
void null_hang_up(struct null_connection *connection);

/* One receive and all the answers to it. False: the sidecar has closed the connection. */
bool null_hear(struct null_connection *connection);

#endif
