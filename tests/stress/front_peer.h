/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The far end of a worker's lane: a front without clients that is honest or lies, and may drop dead
 * between any two writes.
 *
 * Each of its requests has a number, which stands as the deadline. What happened to it is in a
 * ledger that the worker keeps too; each holds the other's word against it.
 */
#ifndef LEVERET_STRESS_FRONT_PEER_H
#define LEVERET_STRESS_FRONT_PEER_H

#include "shm/arena.h"
#include "shm/lane.h"
#include "shm/ring.h"

#include "peer.h"
#include "stress.h"

struct front_slot {
    bool is_taken;
    bool is_get;
    bool is_cancelled; /* our wish came first: the DONE must say so */
    bool is_held;      /* DONE with a delivery: a verdict is due */
    uint32_t generation;
    uint64_t id;
    uint64_t block; /* in the request area; ARENA_FULL: none */
};

struct front_peer {
    struct lane lane;
    struct ring_producer requests;
    struct ring_consumer replies;
    struct arena *arena;
    struct chance *chance;
    struct ledger *ledger;
    struct front_slot slots[PEER_MAX_SLOTS];
    uint32_t n_taken;
    uint32_t n_turns_a_lie;  /* 0: honest */
    uint32_t n_steps_a_life; /* 0: it lives on */
    bool is_dead;
    bool is_closing; /* submits nothing more */
};

/* Joins the lane behind `memory`, which stays the caller's. */
void front_peer_open(
    struct front_peer *peer, int memory, struct chance *chance, struct ledger *ledger);
void front_peer_close(struct front_peer *peer);

/* Some of what a front does in a turn of its loop, and perhaps a lie; nothing once it is dead. */
void front_peer_turn(struct front_peer *peer);

#endif
