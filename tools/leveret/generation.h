/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A generation: the front, the workers and the lanes of one configuration, from the start of the
 * first process to the end of the last.
 *
 *   the first      ── all are started at once ────────────────┐
 *                                                             ▼
 *   a successor    WORKERS_START ──all are ready──▶ FRONT_STARTS ──all are ready──▶ SERVING
 *                        │                                    │                        │
 *                        └────────── generation_drain() ──────┴────────────────────────┤
 *                                                                                      ▼
 *   GONE ◀──nobody is left── WORKERS_LEAVE ◀──it is gone────────────────────── FRONT_LEAVES
 *                                  ▲
 *                                  └── generation_kill(): SIGKILL to all, from any of them
 *
 * One that was inherited (heritage.h) is SERVING from the start. Its processes were started by
 * another program, perhaps of another version: they are not told anything but the end of file, not
 * looked at, and not replaced.
 *
 * The first one lets clients in before its workers have a broker, since a sidecar may start before
 * that. A successor has no such hurry: somebody serves already. So its front comes last, and its
 * workers are ready only when they have tried all connections and queues and consume from those
 * that would be deleted with their last consumer (<leveret/control.h>).
 *
 * A child that dies is replaced, at once or throttled (throttle.h), until the drain begins. Then
 * the front has until the deadline, the workers have what it leaves of that; whoever has not left
 * soon after it is killed.
 *
 * What children say is gossip: logged, and dropped when it makes no sense. A COMPLAINT costs the
 * worker of the lane its life, whichever end complains, since the front holds the connections of
 * all clients; a killed child counts as one of no use, so the throttle bounds what a liar can do.
 * Which children get which lanes, and when, stands in family.h.
 */
#ifndef LEVERET_GENERATION_H
#define LEVERET_GENERATION_H

#include <poll.h>
#include <stdbool.h>

#include "family.h"
#include "outfit.h"

enum generation_state {
    GENERATION_WORKERS_START,
    GENERATION_FRONT_STARTS,
    GENERATION_SERVING,
    GENERATION_FRONT_LEAVES,
    GENERATION_WORKERS_LEAVE,
    GENERATION_GONE,
    GENERATION_N_STATES
};

struct generation {
    enum generation_state state;
    unsigned number; /* 1, 2, 3 ...: for the log */
    uint64_t leave_ns;
    struct outfit *outfit;
    struct family family;
    uint64_t drain_at_ns; /* the front is told to drain; CLOCK_NEVER: it was, or need not be */
    uint64_t drain_deadline_ns;
    bool is_inherited;
    bool is_bereft; /* one of its processes died and is not replaced; for the supervisor to clear */
    bool is_orderly; /* nobody was killed or failed since the drain began */
    struct generation *next;
};

struct generation_setup {
    unsigned number;
    struct outfit *outfit; /* taken, also when it fails */
    uint64_t leave_ns;     /* from the deadline of a drain to SIGKILL; and the least that the
                              workers get after the front */
    unsigned n_missed;     /* family.h */
    bool is_successor;     /* another one serves until this one does */
};

/* -ENOMEM. */
int generation_new(struct generation **out, const struct generation_setup *setup) MUST_USE;

/* The processes of a heritage. -ENOMEM. */
int generation_inherit(struct generation **out, const struct generation_setup *setup,
    const struct heritage *heritage) MUST_USE;

/* What another program in this one's place would inherit. False: it is too much. */
bool generation_bequeath(const struct generation *generation, struct heritage *heritage);

/* NULL is fine. Processes that still run see the end of file. */
void generation_free(struct generation *generation);

/* Start the first processes. */
void generation_start(struct generation *generation);

/* Finish: its own listeners are given back, nothing is started any more. Nothing when it does so
 * already. `is_replaced`: another one lets clients in. */
void generation_drain(struct generation *generation, bool is_replaced);

/* The same for good, after the drain's delay, in which it serves on and says that it will not for
 * long; the time until then is part of the drain's. */
void generation_retire(struct generation *generation);

void generation_kill(struct generation *generation, const char *why);

static inline bool generation_is_leaving(const struct generation *generation)
{
    return generation->state >= GENERATION_FRONT_LEAVES;
}

/* ---- in each turn of the loop ---- */

enum { GENERATION_POLLED_PER_CHILD = 3 };

/* So many for each child, in the order in which generation_hear() expects them back. */
nfds_t generation_poll(const struct generation *generation, struct pollfd *polled);
void generation_hear(struct generation *generation, const struct pollfd *polled);
static inline nfds_t generation_n_polled(const struct generation *generation)
{
    return GENERATION_POLLED_PER_CHILD * (nfds_t)generation->family.n_children;
}

/* Do what is due, and the next step if it is time for one. */
void generation_turn(struct generation *generation, uint64_t now_ns);

/* When generation_turn() has something to do without an event. */
uint64_t generation_next_ns(const struct generation *generation);

#endif
