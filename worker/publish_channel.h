/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel that one producer publishes on: opened when it is first needed, made ready with the
 * producer's declarations, opened again when the broker has closed it.
 *
 *              wanted                  exchange is there     queue declared or refused
 *   CLOSED ─────────────▶ DECLARING ────────────────▶ QUEUEING ────────────▶ SELECTING
 *    ▲  ▲                   │   └── no queue to declare ───────────────────────▲ │
 *    │  │                   │ the broker refuses                               │ │ select-ok
 *    │  │ wanted again      ▼                                                  ▼
 *    │  └─ when it rested REFUSED               the broker closes the channel READY
 *    └──────────────────────────────── or the connection is lost ──────────────┘
 *
 * The queue is declared on a channel of its own: its refusal is a warning, and publishing goes on.
 * A READY channel that the broker closes may be opened again, at first at once, then after pauses
 * that grow up to PUBLISH_CHANNEL_MAX_PAUSE_NS, until publish_channel_worked(). A refusal rests
 * longer (backoff.h), and its words are kept for those who ask meanwhile.
 */
#ifndef LEVERET_WORKER_PUBLISH_CHANNEL_H
#define LEVERET_WORKER_PUBLISH_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <leveret/lane.h>

#include "backoff.h"
#include "channel.h"
#include "declaration.h"
#include "topology.h"

#define PUBLISH_CHANNEL_MAX_PAUSE_NS (UINT64_C(1) * 1000000000)

enum publish_channel_state {
    PUBLISH_CHANNEL_CLOSED,
    PUBLISH_CHANNEL_DECLARING,
    PUBLISH_CHANNEL_QUEUEING,
    PUBLISH_CHANNEL_SELECTING,
    PUBLISH_CHANNEL_READY,
    PUBLISH_CHANNEL_REFUSED,
    PUBLISH_CHANNEL_N_STATES
};

struct publish_channel_ops {
    void (*on_ready)(void *owner);
    /* READY: what the broker says on the channel. */
    void (*on_method)(void *owner, const amqp_method_t *method);
    void (*on_content)(void *owner, const struct frame_content *content);
    /* In any state: publish_channel_is_stopped() has changed. */
    void (*on_flow)(void *owner);
    /* It was READY and is CLOSED. */
    void (*on_lost)(void *owner, const struct channel *channel, const struct channel_end *end);
    /* It will not become READY: REFUSED, or CLOSED for other reasons. */
    void (*on_failed)(void *owner, const struct channel_end *end);
    /* The broker does not have the producer's queue as it should be. */
    void (*on_queue_refused)(void *owner, const struct channel_end *end);
};

/* The wishes' texts and tables are borrowed for life. */
struct publish_channel_config {
    struct topology_wish exchange; /* without a queue */
    struct topology_wish queue;    /* its name is NULL when there is none */
    bool is_confirmed;
    const struct publish_channel_ops *ops;
    void *owner;
};

struct publish_channel {
    struct publish_channel_config config;
    enum publish_channel_state state;
    struct channel *channel; /* NULL when CLOSED, REFUSED */
    struct topology topology;
    struct declaration declaration;
    struct backoff backoff; /* of refusals */
    uint32_t n_losses;      /* without a publish_channel_worked() in between */
    uint64_t rests_until_ns;
    uint64_t (*now_ns)(void);
    uint16_t refusal_code; /* REFUSED: the broker's words */
    char refusal_text[LANE_TEXT_BYTES + 1];
};

const char *publish_channel_state_name(enum publish_channel_state state);

void publish_channel_init(
    struct publish_channel *publish_channel, const struct publish_channel_config *config);

/* Opens it, if it is CLOSED or REFUSED and has rested, and there is room. The connection is up. */
void publish_channel_want(
    struct publish_channel *publish_channel, struct channel_table *channels, uint64_t now_ns);

/* Is it REFUSED, with no other try before its rest is over? */
bool publish_channel_is_refused(const struct publish_channel *publish_channel, uint64_t now_ns);

/* Has the broker said that it takes no messages on it for now (channel.h)? */
bool publish_channel_is_stopped(const struct publish_channel *publish_channel);

/* READY: something went well. */
void publish_channel_worked(struct publish_channel *publish_channel);

#endif
