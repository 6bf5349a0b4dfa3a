/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Berths: what the front believes about the slots of one lane, and the space of its request area.
 *
 * Each slot has a berth, which is private: who uses it, its generation, which bytes of the area it
 * has. The words in the lane can be lied about, these cannot. Berths in use stand in the order in
 * which they were taken.
 */
#ifndef LEVERET_FRONT_BERTHS_H
#define LEVERET_FRONT_BERTHS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/arena.h"
#include "shm/cleanup.h"
#include "shm/lane.h"

#define BERTH_NONE UINT32_MAX

struct part;

struct berth {
    struct part *part;  /* NULL: an orphan, whose request was answered without it */
    uint64_t blocks[2]; /* offsets in the request area, or ARENA_FULL: fields, body */
    uint64_t held;      /* bytes of the reply area that its delivery keeps */
    uint32_t backend;   /* index into the worker's plan */
    uint32_t generation;
    uint32_t next, prev; /* in use: by age; free: `next` alone */
    uint8_t verb;        /* enum plan_verb */
    bool is_taken;
};

struct berths {
    struct berth *items;    /* lane.n_slots */
    uint32_t *n_of_backend; /* taken by each; as many as the plan has */
    struct arena *arena;
    uint32_t free, oldest, newest;
    uint32_t n_taken, n_taken_max;
    uint32_t n_consumes; /* of these */
    uint64_t held;       /* by all of them */
};

/* Berths for a fresh lane; `n_backends`: of the plan. 0 or -ENOMEM. */
int berths_init(struct berths *berths, const struct lane *lane, uint32_t n_backends) MUST_USE;
void berths_done(struct berths *berths);

/* Take a berth for `part` and the space for its bytes. BERTH_NONE: no slot is free, or no space; or
 * GETs have half of the slots and this is another one. */
uint32_t berths_take(struct berths *berths, const struct lane *lane, struct part *part) MUST_USE;

/* Write the part's request into the slot of its berth and make it READY; the ring entry that
 * submits it is the caller's to push. */
void berths_fill(struct berths *berths, struct lane *lane, uint32_t berth);

/* What was delivered keeps `bytes` of the reply area until the berth is given back. False: others
 * keep so much that it must overlap them, which would let a worker make the front copy more than
 * there is. */
bool berths_hold(
    struct berths *berths, const struct lane *lane, uint32_t berth, uint64_t bytes) MUST_USE;

/* Give back the berth, its space and its slot. */
void berths_give(struct berths *berths, struct lane *lane, uint32_t berth);

#endif
