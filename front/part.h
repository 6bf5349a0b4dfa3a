/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part: what one backend has to do for a request, on its way through a lane and back.
 *
 * A request has one part for each backend of its endpoint. The bytes to send stay the request's own
 * until the part is over, so that a part which was certainly never sent can be submitted again when
 * its worker died.
 *
 *   IDLE ─submit─▶ ABOARD ─DONE: delivered─▶ HELD ─pin─▶ PINNED ─verdict─▶ OVER
 *                  │  ▲ │                     │
 *                  │  │ └─DONE: the rest──────┼─────────────────────────▶ OVER
 *     worker died, │  │ new lane              │ worker died
 *     never sent   ▼  │                       │
 *                STRANDED ◀───────────────────┘            (both ways through IDLE)
 *                  └─ its deadline, or too many deaths ────────────────▶ OVER
 *
 *   ABOARD ─worker died, perhaps sent─▶ OVER (unknown)      any ─abandon─▶ OVER
 *   ABOARD ─DONE: not taken, but another worker may─▶ IDLE ─▶ ABOARD there
 *
 * HELD: the reply lies in the lane and the worker waits for a verdict. PINNED: the lane stays
 * mapped, because the reply's bytes are being written to the client; when the worker dies
 * meanwhile the verdict has nobody to go to and is dropped.
 */
#ifndef LEVERET_FRONT_PART_H
#define LEVERET_FRONT_PART_H

#include <stdbool.h>
#include <stdint.h>

#include <leveret/lane.h>
#include <leveret/plan.h>

#include "slice.h"

enum part_state {
    PART_IDLE,
    PART_ABOARD,
    PART_STRANDED,
    PART_HELD,
    PART_PINNED,
    PART_OVER,
    PART_N_STATES
};

/* An outcome that is the front's own word: no worker took the part, so nothing was sent. */
#define OUTCOME_NO_WORKER ((enum outcome)OUTCOME_N)

/* The same: a part before it failed, so nobody was asked. */
#define OUTCOME_NOT_ASKED ((enum outcome)(OUTCOME_N + 1))

/* What became of it: a private copy, checked. `fields` and `body` still lie in the lane: the first
 * is read once into private memory, the second is passed on as it stands. */
struct part_reply {
    enum outcome outcome; /* the front's own words included */
    uint16_t broker_code;
    bool is_redelivered;
    bool is_listening;
    uint16_t text_bytes;
    uint64_t claimed_ns, done_ns; /* in the worker's words; 0: no worker has spoken */
    struct slice fields;
    struct slice body;
    char text[LANE_TEXT_BYTES];
};

struct part {
    /* set by the owner before lanes_submit() */
    const struct plan_part *plan;
    struct slice fields, body; /* borrowed until the part is over */
    uint64_t deadline_ns;
    void *owner;
    /* read by the owner; lanes.c alone changes it */
    enum part_state state;
    struct part_reply reply; /* HELD, PINNED, OVER */
    /* lanes.c's own */
    struct dock *dock;
    uint32_t berth;
    uint64_t refused_by; /* a bit for each worker */
    uint8_t n_deaths;
    bool is_cancelled;
    struct part *next, **prev; /* STRANDED: in the order in which they were submitted */
};

/* The only function that changes a part's state; asserts that the arrow exists. */
void part_move(struct part *part, enum part_state to);

/* Of a settled part: was done what was asked for? */
bool part_is_success(const struct part *part);

/* Has the owner all that it can get: a delivery to decide on, or a last word? */
static inline bool part_is_settled(const struct part *part)
{
    return part->state == PART_HELD || part->state == PART_PINNED || part->state == PART_OVER;
}

#endif
