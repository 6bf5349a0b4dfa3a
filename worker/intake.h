/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel that feeds one tap (tap.h): opened as soon as there is a connection, so that the
 * queue is there before the first message is published; made ready with the tap's declarations;
 * opened again after a loss. It puts deliveries together in the lane's reply area, byte for byte
 * where the front will read them.
 *
 *          connection is up         all is declared
 *   CLOSED ────────────────▶ DECLARING ────────────▶ READY
 *    ▲  ▲                        │                     │ the broker closes the channel, or cancels
 *    │  └── rests, then again ───┤ refused             │ the consumer (its queue was deleted)
 *    └───────────────────────────┴─────────────────────┘ the connection is lost
 *
 * A queue that is locked (405) is asked for again, quickly and for about two seconds, before that
 * counts as a refusal: it may belong to a worker that was killed and whose socket is still being
 * buried.
 */
#ifndef LEVERET_WORKER_INTAKE_H
#define LEVERET_WORKER_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrival.h"
#include "backoff.h"
#include "channel.h"
#include "tap.h"
#include "topology.h"

enum intake_state { INTAKE_CLOSED, INTAKE_DECLARING, INTAKE_READY, INTAKE_N_STATES };

/* What it points to is borrowed for life. */
struct intake_config {
    struct tap_config tap;              /* without ops and owner */
    const struct topology_wish *wishes; /* in this order, at least one; the first has the queue */
    size_t n_wishes;
    bool is_no_local;
    uint64_t max_body_bytes; /* the largest that any of its backends takes */
    /* Something was asked for or has been given back: call intake_turn() before the next flush. */
    void (*on_touched)(void *owner);
    /* The broker closed the channel: for the log. */
    void (*on_refused)(void *owner, const struct channel_end *end);
    void *owner;
};

struct intake {
    struct intake_config config;
    struct tap tap;
    enum intake_state state;
    struct channel_table *channels; /* NULL: no connection */
    struct channel *channel;
    struct topology topology;
    size_t nth_wish;
    char queue[256]; /* as the broker calls it */
    struct arrival arrival;
    struct backoff backoff;
    uint32_t n_losses, n_locked;
    uint64_t rests_until_ns;
    uint64_t (*now_ns)(void);
    bool was_tried;      /* its queue was declared, or could not be, at least once */
    struct intake *next; /* on the same wire */
};

const char *intake_state_name(enum intake_state state);

/* -ENOMEM. Stays where it is until intake_done(). */
int intake_init(struct intake *intake, const struct intake_config *config) MUST_USE;
void intake_done(struct intake *intake);

/* What the link says. */
void intake_up(struct intake *intake, struct channel_table *channels);
void intake_down(struct intake *intake);
void intake_failed(struct intake *intake);

/* What the front says (tap.h). */
void intake_use_desk(struct intake *intake, struct desk *desk);
void intake_get(struct intake *intake, struct desk_slot *slot, uint64_t now_ns);
void intake_cancelled(struct intake *intake, struct desk_slot *slot, uint64_t now_ns);
void intake_verdict(struct intake *intake, struct desk_slot *slot, bool is_ack);
void intake_leave(struct intake *intake);

/* After on_touched, and when its time has come. Returns when it is wanted next, or CLOCK_NEVER. */
uint64_t intake_turn(struct intake *intake, uint64_t now_ns);

#endif
