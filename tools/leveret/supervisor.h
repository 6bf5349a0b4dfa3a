/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: keeps a generation of processes running (generation.h), puts another in its place
 * when it is told to read the configuration again, and leads the drain. It opens no connection and
 * touches no request.
 *
 *              SIGHUP, and the file is sound             the successor serves
 *   one serves ─────────────────────────────▶ a successor ────────────────────▶ the elder drains
 *    ▲   │ SIGHUP, and it is not: logged       starts                                  │
 *    │◀──┘                                       │ does not serve in time: killed      │
 *    └───────────────────────────────────────────┴───────────── it is gone ────────────┘
 *
 *   SIGTERM, SIGINT: all that are alive drain ──all gone──▶ return; a second one: SIGKILL to all
 *
 *   SIGUSR2: the program is executed anew in the same process (upgrade.h), when one generation is
 *   alive. What runs is the elder of the new program, and its first generation the successor; until
 *   one serves, it is tried again and again, and at once when one of the elder dies, since nobody
 *   replaces that. A program that cannot take over is not executed.
 *
 * At most two generations are alive. A SIGHUP or SIGUSR2 that comes meanwhile waits until one is left, and
 * then counts once, for the file as it is then. Both use the same listening sockets where they want
 * the same addresses (listeners.h); the elder stops to accept when the successor has begun.
 */
#ifndef LEVERET_SUPERVISOR_H
#define LEVERET_SUPERVISOR_H

#include <stddef.h>
#include <stdint.h>

#include "outfit.h"
#include "shm/cleanup.h"
#include "shm/clock.h"

struct supervisor_patience {
    uint64_t look_ns;  /* between two looks at the children's beats */
    unsigned n_missed; /* so many looks in a row without a beat: the child is hung */
    uint64_t leave_ns; /* from the deadline of a drain to SIGKILL; and the least that the workers
                          get after the front */
    uint64_t serve_ns; /* for a successor, from its start until it serves */
    uint64_t retry_ns; /* what was inherited serves: until another successor is tried */
};

#define SUPERVISOR_PATIENCE                                                                        \
    ((struct supervisor_patience){.look_ns = CLOCK_S,                                              \
        .n_missed = 5,                                                                             \
        .leave_ns = 2 * CLOCK_S,                                                                   \
        .serve_ns = 30 * CLOCK_S,                                                                  \
        .retry_ns = 5 * CLOCK_S})

struct supervisor_setup {
    struct outfit *outfit;           /* of the first generation; taken */
    const struct heritage *heritage; /* its processes run already; NULL: they are to be started */
    char *const *argv;               /* how to execute the program anew; NULL: not at all */
    /* What the file says now; NULL: it cannot be had, and it was logged why. */
    struct outfit *(*renew)(void *owner);
    void *owner;
    struct supervisor_patience patience;
};

/* Run until drained; takes over SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD and SIGPIPE of the process.
 * SUPERVISOR_DRAINED: every child that ran when the drain began left with status 0.
 * SUPERVISOR_CUT_SHORT: one did not. Negative errno: cannot go on; the children see the end of file
 * and drain. */
enum supervisor_outcome { SUPERVISOR_DRAINED, SUPERVISOR_CUT_SHORT };
int supervisor_run(const struct supervisor_setup *setup) MUST_USE;

#endif
