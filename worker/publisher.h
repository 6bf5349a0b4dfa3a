/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One backend that publishes: what becomes of each message, from the front's slot to the broker's
 * word on it. The channel is publish_channel.h's, the connection publish_link.h's.
 *
 *             ┌────────── link away, blocked, silent; stopped; window full; refused: ends at once
 *   publish ──┼─▶ waiting ──channel ready, room──▶ queued ──flush──▶ SENT ──broker's word──▶ end
 *             │      │   ▲                                            └─kernel has it─▶ end
 *             │      │   └── twins: its id is in flight (confirm.h)          (unconfirmed mode)
 *             └──────┴─▶ ends: deadline near, channel refused or stopped, connection lost
 *
 * What waits was never sent, is within the window, and is told so shortly before its deadline.
 *
 * What a message ends as:
 *   ack CONFIRMED, or UNROUTABLE when it was returned before; nack NACKED; where no confirms are
 *   asked for UNCONFIRMED, as soon as the kernel has it.
 *   Connection lost or channel closed, but it had been returned: UNROUTABLE.
 *   Connection lost: DOWN when the kernel did not have all of it, else UNKNOWN.
 *   Channel closed by the broker: DOWN when it was not handed over yet. The last one handed over
 * was certainly not taken, since the broker stops at the one that it complains about: REJECTED,
 * with its words. Those before it UNKNOWN: each may be the culprit, or taken and not confirmed yet.
 */
#ifndef LEVERET_WORKER_PUBLISHER_H
#define LEVERET_WORKER_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/figures.h"

#include "channel.h"
#include "confirm.h"
#include "desk.h"
#include "line.h"
#include "publication.h"
#include "publish_channel.h"
#include "publish_link.h"

#define PUBLISHER_MARGIN_NS                                                                        \
    (UINT64_C(20) * 1000000) /* what waits ends so long before its deadline */
#define PUBLISHER_MAX_TWINS 64

/* What the broker would not have. */
enum publisher_refusal {
    PUBLISHER_REFUSED_EXCHANGE, /* nothing can be published */
    PUBLISHER_REFUSED_QUEUE,    /* the producer's own queue: publishing goes on */
    PUBLISHER_REFUSED_MESSAGE   /* it closed the channel over a message, or for other reasons */
};

/* From the plan; what it points to is borrowed for life. */
struct publisher_config {
    struct publication_form form;
    struct topology_wish exchange; /* publish_channel.h */
    struct topology_wish queue;
    bool is_confirmed;
    bool is_immediate;
    uint32_t window;                 /* most publishes that have not ended */
    uint32_t link_window;            /* those of all publishers on the link */
    struct figures_backend *figures; /* where it counts; NULL: nowhere */
    /* For the log. */
    void (*on_refused)(void *owner, enum publisher_refusal refusal, const struct channel_end *end);
    /* The broker takes no messages on this one's channel for now, or takes them again. */
    void (*on_stopped)(void *owner, bool is_stopped);
    void *owner;
};

struct publisher {
    struct publisher_config config;
    struct publish_link *publish_link;
    struct publish_channel publish_channel;
    struct confirm confirm;
    uint32_t n_open;      /* publishes that have not ended */
    struct line waiting;  /* for the channel, or for room */
    struct line twins;    /* for their id */
    struct line written;  /* unconfirmed mode: for the kernel */
    uint64_t check_ns;    /* when the deadlines of what waits are looked at next */
    uint16_t return_code; /* of a basic.return whose content is still to come */
    char return_text[LANE_TEXT_BYTES + 1];
    bool is_attentive;
    struct publisher *next_attentive; /* publish_link.h */
};

/* -ENOMEM. Stays where it is until publisher_done(). */
int publisher_init(struct publisher *publisher, struct publish_link *publish_link,
    const struct publisher_config *config) MUST_USE;
void publisher_done(struct publisher *publisher);

/* A CLAIMED publish, which is queued, kept waiting, or ended. */
void publisher_publish(struct publisher *publisher, struct desk_slot *slot, uint64_t now_ns);

/* ---- for publish_link.c ---- */

/* Tries again what waits; false when nothing does any more. */
bool publisher_turn(struct publisher *publisher, uint64_t now_ns);

/* This one is SENT now. */
void publisher_sent(struct publisher *publisher, struct desk_slot *slot);

/* There is no connection, or nobody reads at its end: ends what waits, which was never sent. */
void publisher_give_up(struct publisher *publisher, enum outcome outcome);

#endif
