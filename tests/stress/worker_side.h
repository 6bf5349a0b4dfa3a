/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker around the real desk, without a broker: it does with each slot what a broker might make
 * it do, at random.
 *
 * Held against every call of the desk: it belongs to the state in which this side has the slot;
 * references lie in the lane; nothing is acknowledged that was not written to a client; a dead
 * front's slots and blocks all come back.
 */
#ifndef LEVERET_STRESS_WORKER_SIDE_H
#define LEVERET_STRESS_WORKER_SIDE_H

#include "shm/lane.h"

#include "desk.h"
#include "peer.h"
#include "stress.h"

struct worker_side_tally {
    uint64_t n_heard, n_delivered, n_acks, n_requeues, n_cancelled, n_bind_lost;
};

struct worker_side {
    struct desk *desk; /* NULL: the lane was none */
    struct lane lane;  /* a view of our own, to check references against */
    struct chance *chance;
    struct ledger *ledger;
    bool is_honest;                          /* the front */
    struct desk_slot *slots[PEER_MAX_SLOTS]; /* those that were ever in our hands */
    enum slot_state states[PEER_MAX_SLOTS];
    uint32_t n_busy;
    struct worker_side_tally tally; /* over all lives */
};

/* Sets the desk of a fresh lane; `view` is borrowed. 0 or what desk_new() says. */
int worker_side_open(
    struct worker_side *side, int memory, const struct lane *view, bool is_honest) MUST_USE;

/* Some slots go on. */
void worker_side_advance(struct worker_side *side);

/* The front is dead: everything comes to its end, and the desk goes. */
void worker_side_bury(struct worker_side *side);

#endif
