/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All children of a stage, met and ready, with what each was told on the way.
 */
#ifndef LEVERET_TESTS_CAST_H
#define LEVERET_TESTS_CAST_H

#include "stage.h"

enum { CAST_WORKERS_MAX = 4 };

/* A child and the last lane that it was given. */
struct actor {
    struct puppet puppet;
    long lane;        /* which memory */
    long peer;        /* which process is said to be at its other end */
    long n_lanes_due; /* of a front: how many its START promised */
};

struct cast {
    struct actor front;
    struct actor worker[CAST_WORKERS_MAX];
    long front_lane[CAST_WORKERS_MAX]; /* the memory of each of the front's lanes */
    long front_peer[CAST_WORKERS_MAX];
};

/* Start the stage and meet everybody; all are ready. */
void cast_enter(struct cast *cast, struct stage *stage);

/* The same when it has been started already. */
void cast_gather(struct cast *cast, struct stage *stage);

/* Meet the child that comes next, in the place that it takes; it is not yet ready. It hears its
 * START; a front its listener too. Returns its index when it is a worker, -1 when it is the front.
 */
int cast_meet(struct cast *cast, struct stage *stage);

/* The front hears of a lane, and the worker with this index of the same one; each is told who the
 * other is. */
void cast_joined(struct cast *cast, unsigned index);

/* It says that it is ready, and the supervisor has heard it. */
void cast_ready(struct stage *stage, struct actor *actor);

#endif
