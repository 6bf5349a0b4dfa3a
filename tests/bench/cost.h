/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it takes to count the instructions of one side of a lane: the side's real code in this process,
 * from its orders up, and everything around it played by the program itself, in turn with the side's
 * loop: the supervisor, the other end of the lane, clients or a broker on real sockets. Nothing
 * depends on who runs when, so that a run of so many rounds is the same every time.
 *
 *   cost_open ──▶ cost_start ──▶ cost_connect ──▶ turns until cost_is_ready ──▶ cost_run
 *
 * A round is COST_BATCH requests that the side finds all at once, as a busy one does. What is counted
 * is what runs inside counted_turn(), in the rounds after the first COST_WARM_UP, in which channels
 * are opened and memory is touched: tests/bench/count tells valgrind so.
 */
#ifndef LEVERET_TESTS_BENCH_COST_H
#define LEVERET_TESTS_BENCH_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "shm/doorbell.h"
#include "shm/figures.h"
#include "shm/lane.h"
#include "shm/ring.h"

enum { COST_BATCH = 16, COST_WARM_UP = 10, COST_TURNS = 1000 };

#define COST_BODY                                                                                  \
    "{\"order\": 4711, \"region\": \"north\", \"items\": ["                                        \
    "{\"article\": \"A-101\", \"quantity\": 2}, {\"article\": \"B-2002\", \"quantity\": 1}]}"

/* In the order of the file's backends. */
enum cost_request { COST_PRODUCE, COST_CONSUME };

struct cost {
    enum cost_request request;
    uint32_t n_rounds;
    const char *file; /* of the configuration */
    int supervisor;   /* the program's end of the control socket, and the side's */
    int side;
    int memory; /* the lane */
    struct doorbell front_bell, worker_bell;
    struct lane lane; /* as the other end has it */
};

/* From the command line: produce|consume ROUNDS FILE. */
void cost_open(struct cost *cost, int argc, char **argv);

/* The file, typed; the caller frees it. */
struct config *cost_configuration(const struct cost *cost);

/* Figures of the file's shape, for the side to count in; the caller closes them. */
int cost_figures(const struct config *config, enum figures_kind kind);

/* START; `plan` and `figures` stay the caller's. A `listener` of -1: none. */
void cost_start(struct cost *cost, int plan, int figures, int listener);

/* LANE, with the bell that the side sleeps by and the rope of the other one's. */
void cost_connect(struct cost *cost, int bell, int rope);

/* Has the side said READY? */
bool cost_is_ready(struct cost *cost);

/* The rounds: `ask` puts the requests where the side finds them, `side_turn` is a turn of its loop,
 * and `hear` plays the others, true when everything has been answered. */
struct cost_play {
    void (*ask)(void);
    void (*side_turn)(void);
    bool (*hear)(void);
};

void cost_run(const struct cost *cost, const struct cost_play *play);

/* Turns the side with `turn` until `condition` holds, which does not take many. */
#define COST_TURN_UNTIL(condition, turn)                                                           \
    do {                                                                                           \
        int cost_turns_ = 0;                                                                       \
        while (!(condition)) {                                                                     \
            require(cost_turns_++ < COST_TURNS, "never came: %s", #condition);                     \
            turn;                                                                                  \
        }                                                                                          \
    } while (0)

#endif
