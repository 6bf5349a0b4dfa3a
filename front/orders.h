/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's orders (<leveret/control.h>) and what the front does on each.
 *
 *   NEW ─START: plan─▶ STARTING ─listeners and lanes are there: READY─▶ SERVING
 *                         └────────────────────┬─────────────────────────┘
 *                              DRAIN, or the supervisor is gone
 *                                              ▼
 *                                          DRAINING ─no connection is left, or the deadline─▶ GONE
 *
 * A lane that comes while SERVING replaces one whose worker is dead.
 */
#ifndef LEVERET_FRONT_ORDERS_H
#define LEVERET_FRONT_ORDERS_H

#include <h2o.h>

#include <leveret/control.h>

#include "shm/cleanup.h"

#include "timer.h"

struct front;

enum orders_state {
    ORDERS_NEW,
    ORDERS_STARTING,
    ORDERS_SERVING,
    ORDERS_DRAINING,
    ORDERS_GONE,
    ORDERS_N_STATES
};

/* What wakes us for one worker: its ringing, and its end. Both NULL while it has no lane. */
struct crew {
    h2o_socket_t *bell, *pidfd;
    struct front *front;
};

struct orders {
    struct front *front;
    enum orders_state state;
    h2o_socket_t *socket;
    struct crew *crews;            /* of each worker */
    uint32_t n_listeners, n_lanes; /* still to come */
    struct control_message start;  /* what it said */
    struct timer timer;            /* DRAINING: the last call, then the end */
    uint64_t until_ns;
};

/* Listen to the control socket `fd`, which is taken. */
void orders_init(struct orders *orders, struct front *front, int fd);

/* Is it over? */
bool orders_are_done(const struct orders *orders);

/* Tell the supervisor that a worker breaks the protocol. */
void orders_complain(struct orders *orders, uint32_t worker, const char *reason);

#endif
