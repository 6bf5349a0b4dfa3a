/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the front is served: the desk on the lane to it, the bells, the news of its death. One
 * front at a time; what dead ones have left to be finished is kept beside.
 *
 *   CLOSED ──fronts_open──▶ OPEN ── the front dies, or another lane comes ──▶ CLOSED
 *                                    its desk is an orphan until its last publish has ended
 */
#ifndef LEVERET_WORKER_FRONTS_H
#define LEVERET_WORKER_FRONTS_H

#include <stdbool.h>

#include "shm/cleanup.h"
#include "shm/control.h"

#include "desk.h"
#include "loop.h"
#include "service.h"

struct fronts_orphan;

struct fronts {
    struct loop *loop;
    struct service *service;
    /* The front breaks the protocol and is not heard any more; once for each front. */
    void (*on_complaint)(void *owner, const char *reason);
    void *owner;
    struct desk *desk;           /* NULL: CLOSED */
    int bell, rope, front_pidfd; /* rope: of the front's bell */
    struct loop_watch *bell_watch, *front_watch;
    bool has_complained;
    struct fronts_orphan *orphans;
    struct loop_hook work, park;
};

/* CLOSED. Loop, service and the two callback fields are set by the caller before. */
void fronts_init(struct fronts *fronts);

/* A LANE's descriptors, which it takes when this succeeds. A front that is still served is taken
 * for dead: the supervisor says so. Negative errno: no front can be served over this lane. */
int fronts_open(struct fronts *fronts, struct control_fds *fds) MUST_USE;

bool fronts_is_open(const struct fronts *fronts);

/* OPEN: SIGKILL to the front. Its end is heard of as any other. */
void fronts_kill(const struct fronts *fronts);

/* Is there anything left to be done for a front, living or dead? */
bool fronts_is_idle(const struct fronts *fronts);

#endif
