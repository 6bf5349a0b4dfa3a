/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front's lanes before two workers, of which one lies: the parts of tests/stress/hostile_worker_stress.c
 * with the input in the place of chance. Each byte is a decision: who does what, where a lie is written,
 * which word.
 *
 * What is held against the front stands in tests/stress/front_side.h. Besides, the honest worker's lane
 * is never called broken, and no lane refused that was not spoiled.
 */
#include <assert.h>
#include <errno.h>

#include "chance.h"
#include "shm/doorbell.h"
#include "tests/stress/front_side.h"
#include "tests/stress/liar.h"
#include "tests/stress/worker_peer.h"

enum { LIAR, HONEST, N_WORKERS };
enum { N_SLOTS = 12, STEPS_A_LIFE = 1000, MAX_TURNS = 4000, MAX_RECORDS = 1 << 14 };

struct course {
    struct chance chance;
    struct ledger ledger;
    struct front_side front;
    struct worker_peer peers[N_WORKERS];
};

static struct course course;
static uint8_t is_sent[MAX_RECORDS], is_written[MAX_RECORDS];

static void peer_leave(uint32_t index)
{
    if (course.peers[index].arena)
        worker_peer_close(&course.peers[index]);
}

static void peer_arrive(uint32_t index, int memory)
{
    struct worker_peer *peer = &course.peers[index];
    worker_peer_open(peer, memory, &course.chance, &course.ledger);
    peer->n_steps_a_life = STEPS_A_LIFE;
    course.front.is_liar[index] = index == LIAR;
    course.front.is_broken[index] = false;
    if (index != LIAR)
        return;
    peer->n_turns_a_lie = 1 + chance_below(&course.chance, 12);
    if (chance_in(&course.chance, 8))
        lie(&course.chance, &peer->lane); /* before the front has joined */
}

static void worker_replace(uint32_t index)
{
    peer_leave(index);
    CLEANUP(cleanup_fd) int memory = peer_lane_new(N_SLOTS);
    peer_arrive(index, memory);
    CLEANUP(cleanup_fd) int rope = doorbell_rope_new();
    int error = lanes_attach(course.front.lanes, index, memory, rope);
    if (!error)
        (void)STEAL_FD(rope); /* the lanes have it */
    fuzz_expect(error == 0 || (error == -EPROTO && index == LIAR));
    course.peers[index].is_dead = error != 0; /* it is told that its lane is none */
}

static void turn(void)
{
    front_side_turn(&course.front);
    for (uint32_t i = 0; i < N_WORKERS; i++) {
        worker_peer_turn(&course.peers[i]);
        bool is_caught = course.front.is_broken[i] && chance_in(&course.chance, 4);
        if (course.peers[i].is_dead || is_caught)
            worker_replace(i);
    }
    fuzz_expect(!course.front.is_broken[HONEST]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    chance_feed(bytes, n);
    course = (struct course){.chance = {1},
        .ledger = {.size = MAX_RECORDS, .is_sent = is_sent, .is_written = is_written}};
    memset(is_sent, 0, sizeof is_sent);
    memset(is_written, 0, sizeof is_written);
    front_side_init(&course.front, N_WORKERS, &course.chance, &course.ledger);
    for (uint32_t i = 0; i < N_WORKERS; i++)
        worker_replace(i);
    for (int i = 0; i < MAX_TURNS && chance_is_left(); i++)
        turn();
    for (uint32_t i = 0; i < N_WORKERS; i++) {
        lanes_settle(course.front.lanes, i);
        peer_leave(i);
    }
    front_side_done(&course.front);
    return 0;
}
