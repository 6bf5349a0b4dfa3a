/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor tells a worker, and what comes of it (<leveret/control.h>).
 *
 *          START          ready: READY              DRAIN, end of file
 *   NEW ────────▶ STARTING ───────────▶ SERVING ────────────┬──▶ DRAINING
 *    │                └─────────────────────────────────────┘       │ quiet, or the time is up
 *    │                                    connections say good-bye  ▼
 *    ├── end of file, or DRAIN before START ──▶ GONE ◀─────────── CLOSING
 *    │ SURVEY                                    ▲
 *    └────────▶ SURVEYING ───────────────────────┘ all was asked, end of file, or DRAIN
 *
 * One that must attach is ready when the service has; any other at once. A broker that does not
 * answer is given ten seconds, unless a queue there would be deleted when the predecessor leaves.
 *
 * DRAINING serves what still comes, as the front may be draining too, but keeps nothing for later;
 * it ends when the front is gone and everything has come to its end. What nobody waits for any more,
 * a confirm or a consume-ok, is given a second: a broker that is frozen would never send it. When
 * there is no supervisor, a front that is still there at the deadline is killed.
 */
#ifndef LEVERET_WORKER_ORDERS_H
#define LEVERET_WORKER_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/figures.h"
#include "shm/plan.h"

#include "fronts.h"
#include "loop.h"
#include "service.h"
#include "survey.h"

enum orders_state {
    ORDERS_NEW,
    ORDERS_SURVEYING,
    ORDERS_STARTING,
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
    struct figures figures;
    struct service *service; /* NULL in NEW and SURVEYING */
    struct survey *survey;   /* SURVEYING */
    struct fronts fronts;
    uint32_t worker;
    bool must_attach;
    uint64_t attach_by_ns;    /* STARTING: brokers that have not answered are not waited for */
    uint64_t until_ns;        /* DRAINING, CLOSING */
    uint64_t polite_until_ns; /* DRAINING, once the front is gone; 0: it is not */
    bool is_alone;            /* there is no supervisor */
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
