/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state word of a slot: {generation, state}, moved along the arrows drawn in <leveret/lane.h>.
 *
 * slot_move() is the only function that changes the word. Every move is one compare-and-swap from
 * the word that the caller's private record says: it fails when the other side was faster (a
 * cancellation against a claim) or when the word is not what an honest peer could have left there.
 * Each arrow has a stop point on either side (shm/stop_point.h).
 */
#ifndef LEVERET_SHM_SLOT_H
#define LEVERET_SHM_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include <leveret/lane.h>

#include "shm/cleanup.h"

struct slot_word {
    uint32_t generation;
    uint32_t state; /* enum slot_state, or any number that a liar put there */
};

/* For logs and assertions; "?" for a number that is no state. */
const char *slot_state_name(uint32_t state);
const char *outcome_name(uint32_t outcome);

/* Is `from` -> `to` an arrow of the diagram? */
bool slot_has_arrow(enum slot_state from, enum slot_state to);

/* The word now; acquire, so that what its writer wrote before is visible. */
struct slot_word slot_look(const struct slot *slot);

/* Move {generation, from} to {generation, to}: true when it was so. The arrow must exist. Releases
 * all that the caller wrote before, acquires all that the other side wrote before its own last
 * move. */
bool slot_move(
    struct slot *slot, uint32_t generation, enum slot_state from, enum slot_state to) MUST_USE;

/* FREE to READY with a new generation; only the front, which alone uses a free slot. Cannot fail.
 */
void slot_ready(struct slot *slot, uint32_t generation);

/* Whatever it is to FREE; only the front, after DONE or when it leaves the lane. Cannot fail. */
void slot_free(struct slot *slot, uint32_t generation);

#endif
