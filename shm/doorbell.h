/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A doorbell: wake the other side, but only when it sleeps.
 *
 * A wake-up costs as much as hundreds of ring operations, so a side that is awake is never rung.
 * The sleeper and the ringer each write first and look second, with a full fence between; so at
 * least one of them sees the other's write, and no wake-up is lost.
 *
 *      sleeper   is_parked = 1 ; fence ; look at the ring ── empty ─▶ wait for the bell ─▶ is_parked = 0
 *      ringer    push          ; fence ; is_parked and exchange(is_parked, 0) ─▶ pull the rope
 *
 * Ring once per turn of the loop, after all pushes of the turn. A ring too many is harmless. The
 * protocol is tests/model/doorbell.pml on paper, with every fence that it needs.
 *
 * The bell is an epoll instance, which the sleeper alone has; a rope is an eventfd that is tied to
 * it, which one ringer alone has. Neither can be reached through the other. With one eventfd for
 * both, who sleeps could fill its counter and clear O_NONBLOCK, which belongs to the open file and
 * not to the descriptor: then the next ring would block who rings. What this costs is a tenth of a
 * microsecond a ring.
 */
#ifndef LEVERET_SHM_DOORBELL_H
#define LEVERET_SHM_DOORBELL_H

#include <stdbool.h>

#include <leveret/lane.h>

#include "shm/cleanup.h"

/* What a lane needs to wake one of its sides. */
struct doorbell {
    int bell; /* readable from a pull at one of its ropes until it is hushed */
    int rope;
};

/* A bell with a rope, both non-blocking and closed on exec. 0 or negative errno; then it is closed.
 */
int doorbell_new(struct doorbell *doorbell) MUST_USE;

/* The descriptors that it still has; they become -1. */
void doorbell_close(struct doorbell *doorbell);

/* One more rope, which is tied to nothing yet, and the knot: a pull rings all that it is tied to.
 * A descriptor, 0, or negative errno. */
int doorbell_rope_new(void) MUST_USE;
int doorbell_tie(int bell, int rope) MUST_USE;

/* The sleeper, before it looks at its ring for the last time. */
void doorbell_park(struct lane_side *sleeper);

/* The sleeper, awake again, by whatever. */
void doorbell_unpark(struct lane_side *sleeper);

/* The ringer, after its pushes. Did it ring? A sleeper that lies about being parked is rung in
 * vain. */
bool doorbell_ring(struct lane_side *sleeper, int rope);

/* Whether or not anybody sleeps. */
void doorbell_pull(int rope);

/* The sleeper: what was pulled so far is heard. */
void doorbell_hush(int bell);

#endif
