/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One queue: the line of GETs that wait for its messages, and when to ask the broker for some. A
 * machine without I/O: what happened goes in, what the channel is to say comes out through tap_ops.
 *
 *          tap_opened            a GET waits              consume-ok
 *   SHUT ─────────────▶ IDLE ───────────────▶ STARTING ─────────────▶ LISTENING
 *    ▲ │                  ▲                       │                       │
 *    │ │ tap_refused      └───── nobody waits: the consumer is cancelled ─┘
 *    │ ▼
 *    REFUSED ──tap_opened──▶ IDLE          any ──tap_closed──▶ SHUT
 *
 * Nothing is asked for that nobody waits for, so that no message lies in an idle sidecar:
 *
 * The first GET starts a consumer. Its credit (prefetch) is a power of two, enough for those who
 * wait and no more than prefetch_count allows; at a high rate also for those who will be back soon,
 * whose messages are being answered. To give more, a new consumer is started with a credit of its
 * own and the old one cancelled, in this order. What was delivered on a cancelled one is still
 * ours. No consumer is cancelled, and so none replaced, before its consume-ok has come.
 *
 * When the last GET is served and the rate is low, the cancel goes out before the ack, so that the
 * broker does not send one more in its place. At a high rate, and when GETs leave, the consumer
 * stays for idle_release; then it is cancelled, and what came for nobody is given back one by one.
 * A queue that is deleted with its last consumer keeps one of credit 1 for ever, once it had one;
 * when another process is about to leave such a queue to us, that one comes before the first GET.
 *
 * A queue that has one active consumer at a time is consumed steadily: with all of its credit from
 * the start, until idle_release, and then not before its last verdict. RabbitMQ 3 makes the next
 * consumer active when ours is cancelled, but gives it nothing until something comes or comes back;
 * so what is ready at that moment would be stranded. With credit left, nothing is.
 *
 * A message that its GET cannot have (undecodable, too large) costs that GET, at once, and is
 * discarded or held: unacknowledged, and then given back, while others flow. It is held for longer
 * the more often such come back (poison.h); it goes back early when too many are held (held.h), and
 * when the tap leaves. Each is counted and told. One for whose shape
 * there is no room is held for POISON_FIRST_NS and neither counted nor told: it may be good. One
 * for which the reply area has no room is held likewise, shortly, and the GET waits on; no other is
 * asked for before there is room for it, and then by ones at first.
 *
 * A delivery is settled on the channel that it came on or not at all: the slot remembers the epoch.
 */
#ifndef LEVERET_WORKER_TAP_H
#define LEVERET_WORKER_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <leveret/lane.h>
#include <leveret/plan.h>

#include "shm/cleanup.h"
#include "shm/figures.h"
#include "shm/plan.h"

#include "desk.h"
#include "held.h"
#include "line.h"
#include "poison.h"

enum { TAP_MAX_PREFETCH = 1024 };
#define TAP_NO_ROOM_NS (UINT64_C(100) * 1000000)
#define TAP_LOW_RATE_NS (UINT64_C(20) * 1000000) /* between two GETs, on average */

enum tap_state { TAP_SHUT, TAP_REFUSED, TAP_IDLE, TAP_STARTING, TAP_LISTENING, TAP_N_STATES };

/* A message that its GET could not have, and what was done about it. */
struct tap_spoiled {
    enum outcome outcome; /* OUTCOME_UNDECODABLE, OUTCOME_TOO_LARGE */
    uint32_t backend;     /* whose GET it cost */
    uint64_t delivery_tag;
    bool is_redelivered;
    uint64_t n;       /* such as this one that the tap has met, with it */
    uint64_t hold_ns; /* goes back then at the latest; 0: it was discarded */
};

/* What the channel is to say, in the order of the calls. */
struct tap_ops {
    /* basic.qos, then basic.consume with this number as its tag. */
    void (*consume)(void *owner, uint32_t consumer, uint16_t prefetch);
    void (*cancel)(void *owner, uint32_t consumer);
    void (*ack)(void *owner, uint64_t delivery_tag);
    void (*nack)(void *owner, uint64_t delivery_tag, bool is_requeued);
    /* For the log, and not for each when there are many of them. */
    void (*spoiled)(void *owner, const struct tap_spoiled *spoiled);
};

/* How a message came. */
enum tap_fit {
    TAP_WHOLE,
    TAP_TOO_LARGE, /* for every backend, or for the reply area: not stored */
    TAP_NO_ROOM    /* in the reply area just now: not stored */
};

struct tap_message {
    uint64_t delivery_tag;
    uint64_t block;            /* TAP_WHOLE: its fields, then its body */
    uint32_t n_fields, n_body; /* TAP_NO_ROOM: what it would have needed */
    uint32_t consumer;
    enum tap_fit fit;
    bool is_redelivered;
};

struct tap_config {
    uint32_t prefetch_count;
    uint64_t idle_release_ns; /* 0: never */
    bool is_auto_delete;
    bool is_single_active;
    const struct plan_backend *backends; /* all of the plan; a slot names its own */
    const struct plan *plan;             /* where their shapes' names stand; NULL: none has one */
    struct json_tree *tree;              /* where they are flattened; NULL: none of them is */
    struct figures_queue *figures;       /* where it counts; NULL: nowhere */
    const struct tap_ops *ops;
    void *owner;
};

struct tap {
    struct tap_config config;
    enum tap_state state;
    struct desk *desk; /* whose GETs wait; NULL: there is no front */
    uint64_t epoch;    /* of the channel, while there is one */
    struct line waiting;
    uint32_t consumer;         /* the current one, 0: none */
    uint32_t started_consumer; /* the current one, once its consume-ok has come */
    uint32_t last_consumer;
    uint32_t prefetch;         /* of the current one */
    uint32_t n_on_current;     /* delivered on it and not settled, held ones among them */
    uint32_t n_unsettled;      /* delivered and not settled, without held ones */
    struct tap_message *spare; /* what came for nobody: a ring */
    uint32_t spare_mask, first_spare, n_spare;
    struct held held; /* one too many, and who is due next goes back early */
    struct poison poison;
    uint64_t release_ns;          /* when what nobody waits for is given up; CLOCK_NEVER */
    uint64_t choked_until_ns;     /* no room: nothing more is asked for before, */
    uint64_t choked_bytes;        /* nor before there is a block of these; 0: not choked */
    uint32_t trust;               /* no consumer gets more credit; grows again after a choke */
    uint64_t last_get_ns, gap_ns; /* between GETs, on average */
    bool is_away;                 /* the broker could not be reached at the last attempt */
    bool is_leaving;              /* release at once */
    bool must_attach;             /* consume before anybody waits */
    bool gives_back;              /* was released: what still comes for nobody goes back at once */
    uint16_t refusal_code;
    char refusal_text[LANE_TEXT_BYTES + 1];
};

const char *tap_state_name(enum tap_state state);

/* -ENOMEM. */
int tap_init(struct tap *tap, const struct tap_config *config) MUST_USE;
void tap_done(struct tap *tap);

/* ---- the front's side ---- */

/* A fresh lane; or NULL: the front is gone, its GETs are cancelled, and what lies in its lane for
 * nobody is given back. */
void tap_use_desk(struct tap *tap, struct desk *desk);

/* A WAITING slot of the desk in use. */
void tap_get(struct tap *tap, struct desk_slot *slot, uint64_t now_ns);

/* A slot that the front has cancelled: ends it. */
void tap_cancelled(struct tap *tap, struct desk_slot *slot, uint64_t now_ns);

/* A verdict on what was delivered to a slot. */
void tap_verdict(struct tap *tap, struct desk_slot *slot, bool is_ack);

/* Consume as soon as the queue is declared, with a credit of 1, if it is one that would be deleted
 * with its last consumer. */
void tap_attach(struct tap *tap);

/* Is that still to be done? Not when the queue cannot be had. */
bool tap_is_attaching(const struct tap *tap);

/* From now on nothing is kept for GETs to come. */
void tap_leave(struct tap *tap);

/* ---- the broker's side ---- */

/* The channel is there and the queue declared. */
void tap_opened(struct tap *tap, uint64_t epoch);

/* The channel is no more: what was not settled has gone back by itself. GETs wait on. */
void tap_closed(struct tap *tap);

/* The broker refused the queue, SHUT: GETs are told so, at once, until it is opened. */
void tap_refused(struct tap *tap, uint16_t code, const char *text);

/* The broker could not be reached: GETs that come are told so; those that wait, wait on. */
void tap_is_away(struct tap *tap);

void tap_consume_ok(struct tap *tap, uint32_t consumer);

/* A message came; a block becomes the tap's. */
void tap_message(struct tap *tap, const struct tap_message *message, uint64_t now_ns);

/* ---- at the end of each turn in which any of these was called ---- */

/* Asks for what is wanted, gives back what is not. Returns when it is to be called again at the
 * latest, or CLOCK_NEVER. */
uint64_t tap_settle(struct tap *tap, uint64_t now_ns);

/* Unsettled deliveries and waiting GETs: what is still going on. */
bool tap_is_quiet(const struct tap *tap);

/* Deliveries that are neither acknowledged nor given back. */
bool tap_has_unsettled(const struct tap *tap);

#endif
