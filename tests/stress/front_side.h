/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A front around the real lanes, without HTTP: clients that send requests of some parts, lose
 * patience, leave, or read what they are given, at random.
 *
 * Held against every answer: it is the first one for its request; "not sent" was not sent; a
 * confirm was sent; a delivery's bytes are those of its request and stay until its verdict, whoever
 * dies.
 */
#ifndef LEVERET_STRESS_FRONT_SIDE_H
#define LEVERET_STRESS_FRONT_SIDE_H

#include "lanes.h"
#include "peer.h"
#include "stress.h"

enum { FRONT_MAX_WORKERS = 2, FRONT_CLIENTS = 24, FRONT_MAX_PARTS = 3, FRONT_MAX_BODY = 5000 };

enum client_state { CLIENT_AWAY, CLIENT_WAITS, CLIENT_READS };

/* One request with some parts. */
struct client {
    enum client_state state;
    uint32_t n_parts;
    struct part parts[FRONT_MAX_PARTS];
    bool is_told[FRONT_MAX_PARTS];      /* that it is over */
    bool is_cancelled[FRONT_MAX_PARTS]; /* in time, as the dock has said */
    char bodies[FRONT_MAX_PARTS][FRONT_MAX_BODY];
};

struct front_side_tally {
    uint64_t n_told, n_read, n_given_up, n_refused, n_broken;
};

struct front_side {
    struct lanes *lanes;
    struct chance *chance;
    struct ledger *ledger;
    uint32_t n_workers;
    bool is_liar[FRONT_MAX_WORKERS];
    bool is_broken[FRONT_MAX_WORKERS]; /* its lane is; until the owner replaces it */
    bool is_closing;                   /* no further request */
    struct front_side_tally tally;
    struct client clients[FRONT_CLIENTS];
};

/* All zero before. Stays where it is until front_side_done(). */
void front_side_init(
    struct front_side *side, uint32_t n_workers, struct chance *chance, struct ledger *ledger);

/* Some clients do something, and what the workers have said is heard. */
void front_side_turn(struct front_side *side);

/* All workers are honest, alive, and have been heard out: nothing is aboard, and each lane has room
 * for all that fits. */
void front_side_check_rest(struct front_side *side);

/* All workers are dead and settled. */
void front_side_done(struct front_side *side);

#endif
