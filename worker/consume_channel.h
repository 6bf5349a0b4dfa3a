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
 * A consume that is refused is tried once more, behind fresh declarations, since the queue may just
 * have been deleted; after that it counts as a refusal, too.
 *
 * A queue that is locked (405) is asked for again, quickly and for locked_ns, before that counts as
 * a refusal: it may belong to a worker that was killed and whose socket is still being buried, or
 * to one that is about to leave it to us.
 */
#ifndef LEVERET_WORKER_CONSUME_CHANNEL_H
#define LEVERET_WORKER_CONSUME_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backoff.h"
#include "channel.h"
#include "delivery.h"
#include "tap.h"
#include "topology.h"

enum consume_channel_state {
    CONSUME_CHANNEL_CLOSED,
    CONSUME_CHANNEL_DECLARING,
    CONSUME_CHANNEL_READY,
    CONSUME_CHANNEL_N_STATES
};

/* What it points to is borrowed for life. */
struct consume_channel_config {
    struct tap_config tap;              /* without ops and owner */
    const struct topology_wish *wishes; /* in this order, at least one; the first has the queue */
    size_t n_wishes;
    bool is_no_local;
    struct delivery_wish wish; /* the most that any of its backends takes */
    uint64_t locked_ns;
    /* Something was asked for or has been given back: call consume_channel_turn() before the next
     * flush. */
    void (*on_touched)(void *owner);
    /* The broker closed the channel: for the log. */
    void (*on_refused)(void *owner, const struct channel_end *end);
    /* A message cost its GET: for the log (tap.h). */
    void (*on_spoiled)(void *owner, const struct tap_spoiled *spoiled);
    void *owner;
};

struct consume_channel {
    struct consume_channel_config config;
    struct tap tap;
    enum consume_channel_state state;
    struct channel_table *channels; /* NULL: no connection */
    struct channel *channel;
    struct topology topology;
    size_t nth_wish;
    char queue[256]; /* as the broker calls it */
    struct delivery delivery;
    uint64_t last_tag; /* of a delivery on this channel; 0: there was none */
    struct backoff backoff;
    uint32_t n_losses, n_locked;
    uint64_t locked_until_ns; /* what n_locked times were met with patience until */
    uint64_t rests_until_ns;
    uint64_t (*now_ns)(void);
    bool was_tried;               /* its queue was declared, or could not be, at least once */
    struct consume_channel *next; /* on the same wire */
};

const char *consume_channel_state_name(enum consume_channel_state state);

/* -ENOMEM. Stays where it is until consume_channel_done(). */
int consume_channel_init(
    struct consume_channel *consume_channel, const struct consume_channel_config *config) MUST_USE;
void consume_channel_done(struct consume_channel *consume_channel);

/* What the link says. */
void consume_channel_up(struct consume_channel *consume_channel, struct channel_table *channels);
void consume_channel_down(struct consume_channel *consume_channel);
void consume_channel_failed(struct consume_channel *consume_channel);

/* What the front says (tap.h). */
void consume_channel_use_desk(struct consume_channel *consume_channel, struct desk *desk);
void consume_channel_get(
    struct consume_channel *consume_channel, struct desk_slot *slot, uint64_t now_ns);
void consume_channel_cancelled(
    struct consume_channel *consume_channel, struct desk_slot *slot, uint64_t now_ns);
void consume_channel_verdict(
    struct consume_channel *consume_channel, struct desk_slot *slot, bool is_ack);
/* tap_attach(). */
void consume_channel_attach(struct consume_channel *consume_channel);

/* Is that done, as far as it can be? A queue that is locked is not waited for: who has it is to
 * leave first. */
bool consume_channel_has_attached(const struct consume_channel *consume_channel);

void consume_channel_leave(struct consume_channel *consume_channel);

/* After on_touched, and when its time has come. Returns when it is wanted next, or CLOCK_NEVER. */
uint64_t consume_channel_turn(struct consume_channel *consume_channel, uint64_t now_ns);

#endif
