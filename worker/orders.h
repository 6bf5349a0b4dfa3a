/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor tells a worker, and what comes of it (<leveret/control.h>).
 *
 *          START, LANE           DRAIN, end of file          quiet, or the time is up
 *   NEW ───────────────▶ SERVING ─────────────────▶ DRAINING ────────────────────────▶ CLOSING
 *    │                                                       connections say good-bye     │
 *    └── end of file, or DRAIN before START ──▶ GONE ◀────────────────────────────────────┘
 *
 * DRAINING serves what still comes, as the front may be draining too, but keeps nothing for later;
 * it ends when the front is gone and everything has come to its end.
 */
#ifndef LEVERET_WORKER_ORDERS_H
#define LEVERET_WORKER_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/plan.h"

#include "fronts.h"
#include "loop.h"
#include "service.h"

enum orders_state {
    ORDERS_NEW,
    ORDERS_SERVING,
    ORDERS_DRAINING,
    ORDERS_CLOSING,
    ORDERS_GONE,
    ORDERS_N_STATES
};

struct orders {
    enum orders_state state;
    struct loop *loop;
    int socket;
    struct loop_watch *watch;
    struct plan plan;
    struct service *service; /* NULL in NEW */
    struct fronts fronts;
    uint32_t worker;
    uint64_t until_ns; /* DRAINING, CLOSING */
};

/* Listens on `socket`, the worker's end of its control socket. -ENOMEM. */
int orders_init(struct orders *orders, struct loop *loop, int socket) MUST_USE;

/* Once in each turn. Returns when it is wanted again at the latest, or CLOCK_NEVER. */
uint64_t orders_turn(struct orders *orders);

static inline bool orders_are_done(const struct orders *orders)
{
    return orders->state == ORDERS_GONE;
}

#endif
