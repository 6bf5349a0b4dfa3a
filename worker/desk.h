/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's side of one lane: it takes what the front asks for, keeps a private record of every
 * slot that is in the worker's hands, and says what became of it. It knows nothing of AMQP.
 *
 * The slot's own states are drawn in <leveret/lane.h>; this is what the worker believes of it:
 *
 *            SUBMIT             desk_sent        desk_end
 *   FREE ──────────────▶ CLAIMED ───────▶ SENT ──────────────────────────────▶ FREE
 *    │                      └───────────────────── desk_end ─────────────────▶ FREE
 *    │       SUBMIT             desk_bind        desk_deliver      ACK, REQUEUE
 *    └─────────────────▶ WAITING ───────▶ BOUND ────────────▶ DONE ──────────▶ FREE
 *                           │                └──── desk_end ─────────────────▶ FREE
 *                           └──── CANCEL, then desk_end; or desk_end ────────▶ FREE
 *
 * Everything in the lane is hostile: a slot number, a generation, a backend or a reference that an
 * honest front could not have written makes the desk stop reading; desk_complaint() then says why,
 * and the lane is to be replaced.
 *
 * When the front dies, what it had pushed still counts, then every GET is given up and every
 * publish goes on unanswered: its body lies in the lane, so the desk stays until the last one has
 * ended.
 */
#ifndef LEVERET_WORKER_DESK_H
#define LEVERET_WORKER_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leveret/lane.h>

#include "confirm.h"
#include "line.h"
#include "shm/cleanup.h"
#include "shm/figures.h"

#define DESK_NO_BLOCK UINT64_MAX

struct desk;

/* One slot in the worker's hands. Above, the desk's part; below, that of whoever holds it. */
struct desk_slot {
    struct desk *desk;
    uint32_t index, generation;
    enum slot_state state; /* FREE: not in our hands */
    uint32_t backend;
    uint64_t deadline_ns;
    struct lane_ref fields, body; /* of a publish: inside the lane */
    uint64_t block;               /* of a delivery, in the reply area; or DESK_NO_BLOCK */
    uint16_t broker_code, n_text; /* desk_say() */
    uint64_t claimed_ns, sent_ns;

    void *holder;
    struct line *line; /* line.h */
    struct desk_slot *next, *previous;

    struct confirm_entry confirm; /* a publish */
    uint64_t first_byte, end;     /* a publish: its place in the connection's stream */
    enum outcome ending;          /* a publish: publish_link_end() */
    uint64_t channel_epoch;       /* a delivery: the channel that `tag` belongs to; 0: settled */
    uint64_t tag;                 /* a delivery */
    uint32_t consumer;            /* a delivery */
};

/* The publish that an entry is part of; NULL of NULL. */
static inline struct desk_slot *desk_slot_of(struct confirm_entry *entry)
{
    return entry ? (void *)((char *)entry - offsetof(struct desk_slot, confirm)) : NULL;
}

/* What the front asks for. The desk may be asked back from inside each of them. */
struct desk_ops {
    /* A publish, CLAIMED: send it and desk_sent(), or desk_end(). */
    void (*on_publish)(void *owner, struct desk_slot *slot);
    /* A GET, WAITING: bind and deliver, or desk_end(). */
    void (*on_get)(void *owner, struct desk_slot *slot);
    /* The front, or its death, takes a WAITING one back: let go of it, and say with desk_end(
     * OUTCOME_CANCELLED) whether its queue was being listened to. */
    void (*on_cancelled)(void *owner, struct desk_slot *slot);
    /* What to do with a delivered message. The slot is FREE, and its block given back, when this
     * returns. */
    void (*on_verdict)(void *owner, struct desk_slot *slot, bool is_ack);
};

struct desk_config {
    const uint8_t *verbs; /* of each backend: enum plan_verb; borrowed */
    uint32_t n_backends;
    const struct desk_ops *ops;
    uint64_t (*now_ns)(void *owner); /* of the loop's turn; NULL: the clock itself */
    const struct figures *figures;   /* where it counts; NULL: nowhere. Borrowed */
    void *owner;
};

/* A message for a GET: two stretches of its block, whose ownership goes to the slot. */
struct desk_delivery {
    uint64_t block;
    struct lane_ref fields, body; /* offsets from the lane's start */
    bool is_redelivered;
};

/* Joins the lane behind memory_fd, which stays the caller's. -ENOMEM, or what lane_join() says. */
int desk_new(struct desk **out, int memory_fd, const struct desk_config *config) MUST_USE;

/* Only when desk_n_busy() is 0, or at the process's end. NULL is fine. */
void desk_free(struct desk *desk);

/* Hears some of what the front has pushed; true when there is more. */
bool desk_turn(struct desk *desk);

/* Why nothing is heard any more, or NULL. */
const char *desk_complaint(const struct desk *desk);

/* The front is dead for certain: hears its last words and settles the rest. No call of ops comes
 * from a desk turn any more. */
void desk_front_died(struct desk *desk);

/* Slots in the worker's hands, undecided deliveries among them. */
uint32_t desk_n_busy(const struct desk *desk);

/* Say that the worker is about to sleep; false when there is something to hear, or to ring for,
 * first. */
bool desk_park(struct desk *desk);
void desk_unpark(struct desk *desk);

/* Pull the `rope` of the front's bell if it sleeps and something was told since the last call. */
void desk_ring(struct desk *desk, int rope);

/* ---- a slot ---- */

/* The bytes that a checked reference of a publish leads to. Shared: read once, check, use. */
const uint8_t *desk_bytes(const struct desk_slot *slot, struct lane_ref ref);

/* CLAIMED: its bytes are about to be handed to the kernel. */
void desk_sent(struct desk_slot *slot);

/* WAITING: take it for a message. False: the front was quicker, and the slot is ended. */
bool desk_bind(struct desk_slot *slot) MUST_USE;

/* BOUND: here is the message. A verdict will follow, at once when the front is dead. */
void desk_deliver(struct desk_slot *slot, const struct desk_delivery *delivery);

/* The broker's words, or ours, for the outcome that follows; `text` may be cut. */
void desk_say(struct desk_slot *slot, uint16_t broker_code, const char *text, size_t n_text);

/* What became of it; the slot is FREE and not to be touched any more. It stands in no line. */
void desk_end(struct desk_slot *slot, enum outcome outcome);

/* The same, of a GET. */
void desk_end_get(struct desk_slot *slot, enum outcome outcome, bool is_listening);

/* ---- the reply area ---- */

/* A block of at least n_bytes as an offset from the lane's start, or DESK_NO_BLOCK. */
uint64_t desk_block_take(struct desk *desk, uint64_t n_bytes) MUST_USE;
void desk_block_give(struct desk *desk, uint64_t block);
uint8_t *desk_block_bytes(const struct desk *desk, uint64_t block);

/* The largest block that could ever be had. */
uint64_t desk_block_max(const struct desk *desk);

#endif
