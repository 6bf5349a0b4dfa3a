/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The far end of a front's lane: a worker without a broker that is honest or lies, and may drop
 * dead between any two writes.
 *
 * It keeps a ledger of what has left for the broker, by the number that the front gave a request as
 * its deadline; the front's word on a request is held against it.
 */
#ifndef LEVERET_STRESS_WORKER_PEER_H
#define LEVERET_STRESS_WORKER_PEER_H

#include "shm/arena.h"
#include "shm/lane.h"
#include "shm/ring.h"

#include "peer.h"
#include "stress.h"

struct peer_slot {
    enum slot_state state; /* what we made of it; FREE: not in our hands */
    uint32_t generation;
    uint64_t id;
    bool is_get;
    uint64_t block; /* in the reply area; ARENA_FULL: none */
};

struct worker_peer {
    struct lane lane;
    struct ring_consumer requests;
    struct ring_producer replies;
    struct arena *arena;
    struct chance *chance;
    struct ledger *ledger;
    struct peer_slot slots[PEER_MAX_SLOTS];
    uint32_t n_turns_a_lie;  /* 0: honest */
    uint32_t n_steps_a_life; /* 0: it lives on */
    bool is_dead;
};

/* Joins the lane behind `memory`, which stays the caller's. */
void worker_peer_open(
    struct worker_peer *peer, int memory, struct chance *chance, struct ledger *ledger);
void worker_peer_close(struct worker_peer *peer);

/* Some of what a worker does in a turn of its loop, and perhaps a lie; nothing once it is dead. */
void worker_peer_turn(struct worker_peer *peer);

#endif
