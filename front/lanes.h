/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All the lanes of a front, one for each worker: where a part goes, and what becomes of it when its
 * worker dies.
 *
 * A part goes to the one worker that serves its backend or, where any would do, to the one with the
 * least to do for that backend, since a worker has a window for each; of several, to the one with
 * the least to do at all. What that one does not take, for its window is full or its connection is
 * down, is shown to the others before its client hears of it: a worker that takes nothing has the
 * least to do.
 *
 * When a worker dies, what it certainly never sent is submitted again: to another worker at once, or
 * STRANDED until the supervisor hands out the replacement lane. A part that was aboard at
 * PART_MAX_DEATHS deaths is given up, for it may be what kills them. New parts are not stranded:
 * with no worker to take them they are refused, so that their client hears at once.
 *
 * A dead worker's lane stays mapped while what it had delivered is still being written. A worker has
 * one such lane at most beside its live one, so that memory stays bounded however often it dies: at
 * its next death, who is still not done reading out of the older one is cut off.
 *
 * Cancelling a part, and the verdict on what it holds, are between it and its dock (dock.h).
 */
#ifndef LEVERET_FRONT_LANES_H
#define LEVERET_FRONT_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

#include "part.h"

struct dock_sight;

enum { PART_MAX_DEATHS = 3, LANES_MAX_WORKERS = 64 };

enum lanes_outcome {
    LANES_OK,
    LANES_FULL,      /* no slot is free in any lane that it may take, or no space */
    LANES_NO_WORKER, /* a worker that is needed is dead, or breaks the protocol */
};

struct lanes_events {
    void *owner;
    /* The part is HELD or OVER. The callback may cancel, abandon, give verdicts and submit others,
     * but not free a part's memory. */
    void (*on_part)(void *owner, struct part *part);
    /* A PINNED part, whose bytes are wanted back: the answer that they stand in is not to be
     * written any further, and the part to be abandoned soon, but not from inside. */
    void (*on_cut_off)(void *owner, struct part *part);
    /* The worker breaks the protocol; its lane takes nothing more. `reason` is a fixed sentence. */
    void (*on_broken)(void *owner, uint32_t worker, const char *reason);
};

struct lanes;

/* `n_backends`: of the plan, every part's is below it. NULL: no memory. */
struct lanes *lanes_new(uint32_t n_workers, uint32_t n_backends, const struct lanes_events *events);

/* No part may be aboard, stranded, held or pinned. Accepts NULL. */
void lanes_free(struct lanes *lanes);

/* The lane to a fresh incarnation of `worker`; one that it still has is settled first. Stranded
 * parts go aboard. `memory_fd` stays the caller's, `rope` (of the worker's bell) is taken on success.
 * Negative errno: there is no lane to this worker now. */
int lanes_attach(struct lanes *lanes, uint32_t worker, int memory_fd, int rope) MUST_USE;

/* The worker is certainly dead. Does nothing when it has no lane. */
void lanes_settle(struct lanes *lanes, uint32_t worker);

/* Submit `n` IDLE parts of one request, all or none: none is READY before all have their place. */
enum lanes_outcome lanes_submit(struct lanes *lanes, struct part *parts, size_t n) MUST_USE;

/* Handle some of what each worker has answered; how many entries that was. After 0 there is nothing
 * left. */
unsigned lanes_poll(struct lanes *lanes);

/* Once per turn of the loop: ring the workers that got something; say that we sleep (false: do not,
 * there is something to read, or to ring for); say that we are awake. */
void lanes_ring(struct lanes *lanes);
bool lanes_park(struct lanes *lanes) MUST_USE;
void lanes_unpark(struct lanes *lanes);

/* Ring a worker whether or not it sleeps; how often it has turned its loop. Nothing and 0 without a
 * lane. */
void lanes_call(struct lanes *lanes, uint32_t worker);
uint64_t lanes_beats(const struct lanes *lanes, uint32_t worker);

/* How full the lane to a worker is. False: there is none. */
bool lanes_look(const struct lanes *lanes, uint32_t worker, struct dock_sight *sight) MUST_USE;

/* Parts that are with a worker or wait for one, orphans included. */
uint32_t lanes_n_aboard(const struct lanes *lanes);

/* Bytes of the smallest request area: what a body must fit into. 0 without a lane. */
uint64_t lanes_area_bytes(const struct lanes *lanes);

/* In any state: the request needs it no more. OVER; what it holds or will be given goes back. */
void lanes_abandon(struct lanes *lanes, struct part *part);

#endif
