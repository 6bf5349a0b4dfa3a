/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A doorbell: wake the other side, but only when it sleeps.
 *
 * A wake-up costs as much as hundreds of ring operations, so a side that is awake is never rung.
 * The sleeper and the ringer each write first and look second, with a full fence between; so at
 * least one of them sees the other's write, and no wake-up is lost.
 *
 *      sleeper   is_parked = 1 ; fence ; look at the ring ── empty ─▶ wait on the eventfd ─▶
 * is_parked = 0 ringer    push          ; fence ; is_parked and exchange(is_parked, 0) ─▶ write to
 * the eventfd
 *
 * Ring once per turn of the loop, after all pushes of the turn. A ring too many is harmless.
 */
#ifndef LEVERET_SHM_DOORBELL_H
#define LEVERET_SHM_DOORBELL_H

#include <stdbool.h>

#include <leveret/lane.h>

#include "shm/cleanup.h"

/* The eventfd of a bell: non-blocking, closed on exec. Negative errno on failure. */
int doorbell_new(void) MUST_USE;

/* The sleeper, before it looks at its ring for the last time. */
void doorbell_park(struct lane_side *sleeper);

/* The sleeper, awake again, by whatever. */
void doorbell_unpark(struct lane_side *sleeper);

/* The ringer, after its pushes. Did it ring? A sleeper that lies about being parked is rung in
 * vain. */
bool doorbell_ring(struct lane_side *sleeper, int bell);

/* The sleeper: empty the eventfd. */
void doorbell_hush(int bell);

#endif
