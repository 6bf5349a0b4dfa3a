/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lane between the front and one worker, as the supervisor sees it: what it hands to both, and
 * a view of its own to see whether they still beat.
 *
 * Each turn of a child's loop is a beat. One that has not beaten since the last look may be asleep,
 * so it is called (bells are rung), and has until the next look to wake and beat. Whether it says
 * that it is parked does not count: it says so until its turn has ended, in which it may hang. The
 * lane is written by its peer as well, who may lie: so it is believed alive when it beats in any of
 * its lanes.
 */
#ifndef LEVERET_PAIR_H
#define LEVERET_PAIR_H

#include <stdbool.h>

#include "shm/cleanup.h"
#include "shm/control.h"
#include "shm/doorbell.h"
#include "shm/lane.h"

enum pair_end { PAIR_FRONT, PAIR_WORKER, PAIR_N_ENDS };

struct pair {
    int rope; /* our own, to the bells of both: a child cannot make it block; -1: closed */
    struct lane lane;
    uint64_t beats[PAIR_N_ENDS]; /* when last looked at */
};

/* What the two children are to get of a pair, until they have it: nothing here needs it later. */
struct pair_ends {
    int memory;
    struct doorbell bells[PAIR_N_ENDS]; /* of whom they wake */
};

#define PAIR_NO_ENDS ((struct pair_ends){.memory = -1, .bells = {{-1, -1}, {-1, -1}}})

/* What a look at the lanes of a child shows; zero before the first lane. */
struct vitals {
    bool has_lane;
    bool is_beating; /* in at least one, since the last look */
};

/* A closed pair. */
void pair_init(struct pair *pair);

/* A fresh lane of this size, and its ends for the caller to hand out and to close. 0 or negative
 * errno; then the pair is closed as before and there are no ends. */
int pair_open(struct pair *pair, const struct lane_size *size, struct pair_ends *ends) MUST_USE;
void pair_ends_close(struct pair_ends *ends);
void pair_close(struct pair *pair);
bool pair_is_open(const struct pair *pair);

/* The descriptors of a LANE for `end`, whose peer is `peer_pidfd`; all stay the caller's. */
struct control_fds pair_fds(const struct pair_ends *ends, enum pair_end end, int peer_pidfd);

/* Look at one end of an open pair, and add what is seen to *vitals. */
void pair_look(struct pair *pair, enum pair_end end, struct vitals *vitals);

/* Ring both bells, whether or not anybody says that it sleeps. */
void pair_call(const struct pair *pair);

#endif
