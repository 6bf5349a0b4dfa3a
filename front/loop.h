/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front's one loop: the HTTP library's event loop, with what it lacks around it: monotonic
 * timers and the doorbells of the lanes.
 *
 *   a turn:  replies of the workers ─▶ timers ─▶ ring the workers, once ─▶ park, look again ─▶ log
 *            ─▶ wait for sockets, bells, pidfds, at most until the next timer ─▶ their callbacks
 *
 * A turn that did something does not sleep, since the library hands out the callback of a finished
 * write in its next turn only. An awake loop turns at least once a second; so do its beats.
 */
#ifndef LEVERET_FRONT_LOOP_H
#define LEVERET_FRONT_LOOP_H

#include <h2o.h>

#include "shm/cleanup.h"
#include "shm/deadline.h"

#include "lanes.h"

enum { LOOP_MAX_WAIT_MS = 1000 };

struct loop {
    h2o_evloop_t *events;
    struct deadlines timers;
    struct lanes *lanes; /* borrowed; NULL until there is a plan */
};

/* An empty loop for at most `max_timers` set at a time. Never undone: the process ends with it. 0
 * or -ENOMEM. */
int loop_init(struct loop *loop, uint32_t max_timers) MUST_USE;

/* Call `on_ready` whenever `fd` can be read; the callback reads it itself. Takes fd: closing the
 * socket closes it. */
h2o_socket_t *loop_watch(struct loop *loop, int fd, h2o_socket_cb on_ready, void *data);

/* One turn. */
void loop_turn(struct loop *loop);

#endif
