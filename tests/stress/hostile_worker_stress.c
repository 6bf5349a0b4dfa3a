/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front's real lanes against workers that lie: random words in slots, rings, references and
 * states, entries that come twice or too early, from the peer itself and from a thread beside it.
 *
 * There are two workers. Worker 1 is honest, though it dies like worker 0; whatever worker 0 does,
 * a request that only worker 1 may serve gets its true answer. In the first of three acts worker 0
 * is honest too, in the second it lies, in the third a thread lies about it at the same time. What
 * is held against the answers stands in front_side.h.
 *
 * Usage: hostile_worker_stress N_RECORDS [SEED]
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shm/doorbell.h"

#include "front_side.h"
#include "liar.h"
#include "worker_peer.h"

enum { N_WORKERS = 2, N_SLOTS = 12, STEPS_A_LIFE = 1000 };

enum act { ACT_HONEST, ACT_LIES, ACT_NOISE, N_ACTS };

struct course {
    enum act act;
    struct chance chance;
    struct ledger ledger;
    struct front_side front;
    struct worker_peer peers[N_WORKERS];
    struct liar noise;
    uint64_t n_deaths, n_lies, n_lanes_refused;
};

static void peer_leave(struct course *course, uint32_t index)
{
    if (!course->peers[index].arena)
        return;
    if (index == 0 && course->act == ACT_NOISE)
        course->n_lies += liar_stop(&course->noise);
    worker_peer_close(&course->peers[index]);
}

static void peer_arrive(struct course *course, uint32_t index, int memory)
{
    struct worker_peer *peer = &course->peers[index];
    bool is_liar = index == 0 && course->act != ACT_HONEST;
    bool is_noisy = is_liar && course->act == ACT_NOISE;
    worker_peer_open(peer, memory, &course->chance, &course->ledger);
    peer->n_steps_a_life = STEPS_A_LIFE;
    if (is_liar)
        peer->n_turns_a_lie = 1 + chance_below(&course->chance, is_noisy ? 200 : 12);
    if (is_noisy)
        liar_start(&course->noise, memory, course->chance.state);
    if (is_liar && chance_in(&course->chance, 8))
        lie(&course->chance, &peer->lane); /* before the front has joined */
    course->front.is_liar[index] = is_liar;
    course->front.is_broken[index] = false;
}

/* A fresh incarnation; whatever the old one left is settled. */
static void worker_replace(struct course *course, uint32_t index)
{
    peer_leave(course, index);
    CLEANUP(cleanup_fd) int memory = peer_lane_new(N_SLOTS);
    peer_arrive(course, index, memory);
    CLEANUP(cleanup_fd) int rope = doorbell_rope_new();
    int error = lanes_attach(course->front.lanes, index, memory, rope);
    if (!error)
        (void)STEAL_FD(rope); /* the lanes have it */
    assert(error == 0 || (error == -EPROTO && course->front.is_liar[index]));
    course->peers[index].is_dead = error != 0; /* it is told that its lane is none */
    course->n_lanes_refused += error != 0;
    course->n_deaths++;
}

static void workers_turn(struct course *course)
{
    for (uint32_t i = 0; i < N_WORKERS; i++) {
        worker_peer_turn(&course->peers[i]);
        bool is_caught = course->front.is_broken[i] && chance_in(&course->chance, 4);
        if (course->peers[i].is_dead || is_caught)
            worker_replace(course, i);
    }
}

static void check_sleep(struct course *course)
{
    bool may_sleep = lanes_park(course->front.lanes);
    lanes_unpark(course->front.lanes);
    /* while nobody writes, who may sleep has nothing to read */
    assert(!may_sleep || course->act == ACT_NOISE || lanes_poll(course->front.lanes) == 0);
}

/* Honest workers that live on bring everything to its end, orphans too. */
static void run_dry(struct course *course)
{
    enum { ENOUGH = 100000 };
    course->front.is_closing = true;
    for (uint32_t i = 0; i < N_WORKERS; i++)
        course->peers[i].n_steps_a_life = 0;
    for (unsigned n = 0; lanes_n_aboard(course->front.lanes) > 0; n++) {
        assert(n < ENOUGH); /* or something is stuck, or leaks */
        front_side_turn(&course->front);
        workers_turn(course);
    }
    front_side_check_rest(&course->front);
}

static void act_end(struct course *course)
{
    if (course->act == ACT_HONEST)
        run_dry(course);
    for (uint32_t i = 0; i < N_WORKERS; i++) {
        lanes_settle(course->front.lanes, i);
        peer_leave(course, i);
    }
    front_side_done(&course->front);
}

static void play(enum act act, uint64_t n_records, uint64_t seed)
{
    static const char *const names[N_ACTS] = {"honest", "lies", "noise"};
    struct course *course = calloc(1, sizeof(*course));
    assert(course);
    course->act = act;
    course->chance.state = seed;
    course->ledger = (struct ledger){
        .size = n_records, .is_sent = calloc(n_records, 1), .is_written = calloc(n_records, 1)};
    assert(course->ledger.is_sent && course->ledger.is_written);
    front_side_init(&course->front, N_WORKERS, &course->chance, &course->ledger);
    for (uint32_t i = 0; i < N_WORKERS; i++)
        worker_replace(course, i);
    while (course->ledger.n + FRONT_MAX_PARTS <= n_records) {
        front_side_turn(&course->front);
        check_sleep(course);
        workers_turn(course);
    }
    act_end(course);

    const struct front_side_tally *t = &course->front.tally;
    printf("%-6s %" PRIu64 " parts, %" PRIu64 " told, %" PRIu64 " read, %" PRIu64
           " requests given up, %" PRIu64 " refused, %" PRIu64 " broken lanes, %" PRIu64
           " refused lanes, %" PRIu64 " lives, %" PRIu64 " lies beside\n",
        names[act], course->ledger.n, t->n_told, t->n_read, t->n_given_up, t->n_refused,
        t->n_broken, course->n_lanes_refused, course->n_deaths, course->n_lies);
    assert(t->n_told > 0 && t->n_read > 0 && course->n_deaths > N_WORKERS);
    assert((act == ACT_HONEST) == (t->n_broken == 0));
    free(course->ledger.is_sent);
    free(course->ledger.is_written);
    free(course);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t n_records = strtoull(argv[1], NULL, 10);
    uint64_t seed = stress_seed("hostile_worker_stress", argc > 2 ? argv[2] : NULL);
    for (enum act act = 0; act < N_ACTS; act++)
        play(act, n_records / N_ACTS, seed + act);
    return 0;
}
