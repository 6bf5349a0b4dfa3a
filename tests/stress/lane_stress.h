/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two roles of the lane's stress test. Each is what a front or a worker does with a lane and
 * nothing else, at random: it drives every arrow of the state machine through the real calls, keeps
 * a private record of every slot, and asserts that what it meets is what the record allows.
 *
 * Three kinds of request: a publish, a consume that is going to be served, and a consume on a dry
 * queue, which ends by cancellation alone.
 */
#ifndef LEVERET_LANE_STRESS_H
#define LEVERET_LANE_STRESS_H

#include "shm/doorbell.h"
#include "shm/lane.h"
#include "stress.h"

/* Stands in slot_request.backend. */
enum kind { KIND_PUBLISH, KIND_CONSUME, KIND_DRY, KIND_N };

enum { AREA_MIN_BLOCK = 256, BODY_MAX = 6000 };

/* What both threads have; each joins by copying the lane. */
struct course {
    struct lane lane;
    struct doorbell front_bell, worker_bell;
    uint64_t n_records;
    uint64_t seed;
    _Atomic bool is_over; /* the front has got its last DONE */
};

struct front_tally {
    uint64_t n_done, n_delivered, n_acks, n_requeues;
    uint64_t n_cancels_won[2]; /* of a READY slot, of a WAITING one */
    uint64_t n_cancels_lost, n_in_area, n_sleeps;
};

struct worker_tally {
    uint64_t n_submits, n_delivered, n_acks, n_requeues, n_refused;
    uint64_t n_cancelled, n_stale_cancels, n_area_full, n_sleeps;
};

/* Thread bodies: until n_records are submitted and done; until is_over. What they allocate they
 * free, and they assert that it was given back before. */
void front_run(struct course *course, struct front_tally *tally);
void worker_run(struct course *course, struct worker_tally *tally);

/* Mostly small, sometimes nothing, sometimes more than a slot holds. */
uint32_t body_length(struct chance *chance);

#endif
