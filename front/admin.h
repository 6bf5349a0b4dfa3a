/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin listener: figures and probes, for those who look after the sidecar. It shares the loop
 * with the clients' requests and nothing else: connections, memory and time-outs are its own, so
 * that neither can take them from the other, and what is served here is not served there.
 *
 *   IDLE ─request─▶ SERVING ─one piece of the page after the other, at most one in a turn─▶ IDLE
 *
 * Nothing that can be asked for changes anything. GET and HEAD are understood, a request has no
 * body, and its head must be one that guard.h lets pass. How much is told is clearance.h's. There
 * are few connections; one more waits in the kernel's line. Each has so long for its next request,
 * and for reading its answer, and is closed then.
 *
 * A front that is replaced stops to accept here, too, and closes what is idle: the next request finds
 * the one that serves. One that drains without a successor is looked at until it leaves.
 */
#ifndef LEVERET_FRONT_ADMIN_H
#define LEVERET_FRONT_ADMIN_H

#include <stdbool.h>
#include <stdint.h>
#include <h2o.h>

#include "shm/cleanup.h"
#include "shm/clock.h"

#include "clearance.h"
#include "guard.h"
#include "library.h"
#include "overview.h"
#include "page.h"
#include "timer.h"

enum { ADMIN_MAX_CLIENTS = 16 };
enum { ADMIN_TIMERS = ADMIN_MAX_CLIENTS + 1 };

#define ADMIN_IDLE_NS (60 * CLOCK_S)    /* for a connection's next request */
#define ADMIN_SERVING_NS (10 * CLOCK_S) /* for its answer to be read */

struct admin;

/* A connection and what it is being told. */
struct admin_client {
    struct admin *admin;
    h2o_socket_t *socket; /* NULL: this place is free */
    h2o_req_t *req;       /* SERVING: the request; NULL: IDLE */
    struct guard_head head;
    enum clearance clearance;
    h2o_generator_t generator;
    struct overview overview;
    struct page page;
    char *buffer;
    struct timer timer;        /* its time is up */
    struct admin_client *next; /* free, or waiting for its piece */
    bool is_waiting;
};

struct admin {
    struct front *front;
    struct library library;
    struct clearance_rule rule;
    h2o_socket_t *listener; /* NULL: there is none, or none any more */
    size_t buffer_bytes;
    struct figures_tally tally;
    struct admin_client clients[ADMIN_MAX_CLIENTS];
    struct admin_client *free, *waiting, **last_waiting;
    struct timer piece; /* somebody waits for one */
    bool is_leaving;
};

/* Listen on `fd`, which is taken; nobody is let in yet. -ENOMEM. */
int admin_listen(struct admin *admin, struct front *front, int fd) MUST_USE;

/* Let people in; nothing where there is no listener. */
void admin_accept(struct admin *admin);

/* Another front serves here. */
void admin_leave(struct admin *admin);

#endif
