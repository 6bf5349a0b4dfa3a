/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: keeps a front and its workers running, replaces the one that dies, and leads the
 * drain. It opens no connection and touches no request.
 *
 *      RUNNING ──SIGTERM, SIGINT──▶ FRONT_LEAVES ──it is gone──▶ WORKERS_LEAVE ──all gone──▶ return
 *                                        └─── a second one: SIGKILL to all ───┘
 *
 * A child that dies is replaced, at once or throttled (throttle.h), until the drain begins; then
 * nothing is started any more. The front has until the deadline, the workers have what it leaves of
 * that; whoever has not left soon after it is killed. SIGHUP changes nothing yet, and is logged.
 *
 * What children say is gossip: logged, and dropped when it makes no sense. A COMPLAINT costs the
 * worker of the lane its life, whichever end complains, since the front holds the connections of
 * all clients; a killed child counts as one of no use, so the throttle bounds what a liar can do.
 * Which children get which lanes, and when, stands in family.h.
 */
#ifndef LEVERET_SUPERVISOR_H
#define LEVERET_SUPERVISOR_H

#include <stddef.h>
#include <stdint.h>

#include "listener.h"
#include "shm/cleanup.h"
#include "shm/clock.h"
#include "shm/lane.h"
#include "shm/log.h"

struct supervisor_patience {
    uint64_t look_ns;  /* between two looks at the children's beats */
    unsigned n_missed; /* so many looks in a row without a beat: the child is hung */
    uint64_t leave_ns; /* from the deadline of a drain to SIGKILL; and the least that the workers
                          get after the front */
};

#define SUPERVISOR_PATIENCE                                                                        \
    ((struct supervisor_patience){.look_ns = CLOCK_S, .n_missed = 5, .leave_ns = 2 * CLOCK_S})

/* All that it needs; borrowed until supervisor_run() returns. */
struct supervisor_setup {
    const char *front_path, *worker_path;
    int front_plan, worker_plan;
    struct listener *listeners; /* closed when the drain begins */
    size_t n_listeners;
    uint32_t n_workers;
    struct lane_size lane_size;
    uint64_t drain_timeout_ns;
    enum log_level log_level;
    enum log_format log_format;
    struct supervisor_patience patience;
};

/* Run until drained; takes over SIGTERM, SIGINT, SIGHUP, SIGCHLD and SIGPIPE of the process.
 * SUPERVISOR_DRAINED: every child that ran when the drain began left with status 0.
 * SUPERVISOR_CUT_SHORT: one did not. Negative errno: cannot go on; the children see the end of file
 * and drain. */
enum supervisor_outcome { SUPERVISOR_DRAINED, SUPERVISOR_CUT_SHORT };
int supervisor_run(const struct supervisor_setup *setup) MUST_USE;

#endif
