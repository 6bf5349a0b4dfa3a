/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A liar's hand in a lane: writes that no honest side would make, where they hurt most. A side of a
 * lane must take each of them for an outcome: no crash, no endless loop, no read outside, nothing
 * lost that another lane carries.
 */
#ifndef LEVERET_STRESS_LIAR_H
#define LEVERET_STRESS_LIAR_H

#include <pthread.h>

#include "shm/lane.h"

#include "stress.h"

/* An entry for a ring, from quite plausible to nonsense. */
uint64_t lie_entry(struct chance *chance, const struct lane *lane);

/* A reference into either area, often across its end. */
struct lane_ref lie_ref(struct chance *chance, const struct lane *lane);

/* One write of eight bytes: a ring's indexes or entries, a slot's word, request or reply, the
 * parked flags, or anywhere else. */
void lie(struct chance *chance, const struct lane *lane);

/* Somebody who lies the whole time, from a thread of its own, at its own pace. */
struct liar {
    struct lane lane;
    struct chance chance;
    pthread_t thread;
    _Atomic bool is_over;
    uint64_t n_lies;
};

/* Joins the lane behind `memory`, which stays the caller's, and begins. */
void liar_start(struct liar *liar, int memory, uint64_t seed);

/* Stops, and leaves. Returns how many lies it told. */
uint64_t liar_stop(struct liar *liar);

#endif
