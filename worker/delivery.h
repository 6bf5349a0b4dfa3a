/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delivery on its way in: put together in the lane's reply area, in one block: its fields, then
 * its body, byte for byte where the front will read them.
 *
 *   delivery_begin (basic.deliver) ──▶ delivery_content (header) ──▶ delivery_body ...
 *                                                                   ──▶ delivery_take
 *
 * What is larger than anybody takes, or finds no room, is counted and not stored.
 */
#ifndef LEVERET_WORKER_DELIVERY_H
#define LEVERET_WORKER_DELIVERY_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "desk.h"
#include "frame.h"
#include "tap.h"

struct delivery {
    struct tap_message message; /* owns its block */
    uint64_t n_arrived;         /* bytes of its body */
};

/* Holds nothing. */
void delivery_init(struct delivery *delivery);

/* `consumer`: the number that the delivery's consumer tag is. */
void delivery_begin(
    struct delivery *delivery, const amqp_basic_deliver_t *deliver, uint32_t consumer);

/* What somebody takes of a delivery. */
struct delivery_wish {
    uint64_t max_body_bytes;
    bool wants_properties; /* all of them, not the content type alone */
};

/* `desk` is NULL while there is no front. */
void delivery_content(struct delivery *delivery, struct desk *desk,
    const struct delivery_wish *wish, const struct frame_content *content);

/* No more than the header announced: the channel has counted. */
void delivery_body(
    struct delivery *delivery, struct desk *desk, const uint8_t *bytes, size_t n_bytes);

/* It is complete: gives away the block. */
struct tap_message delivery_take(struct delivery *delivery);

/* It will not be complete, or its lane is gone: gives the block back to `desk`; what still comes of
 * it is counted and not stored. */
void delivery_drop(struct delivery *delivery, struct desk *desk);

#endif
