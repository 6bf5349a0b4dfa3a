/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's real desk against fronts that lie: random words in slots, rings, references and
 * states, entries that come twice, too early or about what was never delivered, from the peer
 * itself and from a thread beside it.
 *
 * There are two desks. Desk 1's front is honest, though it dies like the other; whatever the front
 * of desk 0 does, it gets its true answers. In the first of three acts both are honest, in the
 * second one lies, in the third a thread lies about it at the same time. What is held against the
 * desk stands in worker_side.h.
 *
 * Usage: hostile_front_stress N_RECORDS [SEED]
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shm/doorbell.h"

#include "front_peer.h"
#include "liar.h"
#include "worker_side.h"

enum { N_DESKS = 2, N_SLOTS = 12, STEPS_A_LIFE = 1000 };

enum act { ACT_HONEST, ACT_LIES, ACT_NOISE, N_ACTS };

/* One desk and its front. */
struct table {
    struct worker_side worker;
    struct front_peer front;
    struct doorbell front_bell;
};

struct course {
    enum act act;
    struct chance chance;
    struct ledger ledger;
    struct table tables[N_DESKS];
    struct liar noise;
    uint64_t n_complaints, n_lives, n_lanes_refused, n_lies;
};

static void front_leave(struct course *course, uint32_t index)
{
    struct table *table = &course->tables[index];
    if (!table->front.arena)
        return;
    if (index == 0 && course->act == ACT_NOISE)
        course->n_lies += liar_stop(&course->noise);
    front_peer_close(&table->front);
    table->front.arena = NULL;
    doorbell_close(&table->front_bell);
}

static void front_arrive(struct course *course, uint32_t index, int memory)
{
    struct table *table = &course->tables[index];
    bool is_liar = index == 0 && course->act != ACT_HONEST;
    bool is_noisy = is_liar && course->act == ACT_NOISE;
    front_peer_open(&table->front, memory, &course->chance, &course->ledger);
    int error = doorbell_new(&table->front_bell);
    assert(error == 0);
    table->front.n_steps_a_life = STEPS_A_LIFE;
    if (is_liar)
        table->front.n_turns_a_lie = 1 + chance_below(&course->chance, is_noisy ? 200 : 12);
    if (is_noisy)
        liar_start(&course->noise, memory, course->chance.state);
    if (is_liar && chance_in(&course->chance, 8))
        lie(&course->chance, &table->front.lane); /* before the worker has joined */
}

/* A fresh front on a fresh lane, once all that the old one left is settled. */
static void table_lay(struct course *course, uint32_t index)
{
    struct table *table = &course->tables[index];
    front_leave(course, index);
    worker_side_bury(&table->worker);
    CLEANUP(cleanup_fd) int memory = peer_lane_new(N_SLOTS);
    front_arrive(course, index, memory);
    bool is_honest = !table->front.n_turns_a_lie;
    int error = worker_side_open(&table->worker, memory, &table->front.lane, is_honest);
    assert(error == 0 || (error == -EPROTO && !is_honest));
    course->n_lanes_refused += error != 0;
    course->n_lives++;
}

static void worker_turn(struct course *course, struct table *table)
{
    struct desk *desk = table->worker.desk;
    if (chance_in(&course->chance, 2))
        (void)desk_turn(desk); /* what is left is heard in a later turn */
    worker_side_advance(&table->worker);
    desk_ring(desk, table->front_bell.rope);
    bool may_sleep = desk_park(desk);
    desk_unpark(desk);
    /* while nobody writes, who may sleep has nothing to hear */
    assert(!may_sleep || course->act == ACT_NOISE || !desk_turn(desk));
}

static void table_turn(struct course *course, uint32_t index)
{
    struct table *table = &course->tables[index];
    front_peer_turn(&table->front);
    if (table->worker.desk)
        worker_turn(course, table);
    bool is_caught = !table->worker.desk || desk_complaint(table->worker.desk);
    assert(!is_caught || table->front.n_turns_a_lie);
    if (table->front.is_dead || (is_caught && chance_in(&course->chance, 4))) {
        course->n_complaints += is_caught;
        table_lay(course, index);
    }
}

/* Honest fronts that live on bring everything to its end. */
static void run_dry(struct course *course, uint32_t index)
{
    enum { ENOUGH = 100000 };
    struct table *table = &course->tables[index];
    table->front.n_steps_a_life = 0;
    table->front.is_closing = true;
    for (unsigned n = 0; table->front.n_taken > 0 || table->worker.n_busy > 0; n++) {
        assert(n < ENOUGH); /* or something is stuck, or leaks */
        table_turn(course, index);
    }
}

static void tell_tallies(const struct course *course)
{
    static const char *const names[N_ACTS] = {"honest", "lies", "noise"};
    printf("%-6s %" PRIu64 " requests, %" PRIu64 " complaints, %" PRIu64 " refused lanes, %" PRIu64
           " lives, %" PRIu64 " lies beside\n",
        names[course->act], course->ledger.n, course->n_complaints, course->n_lanes_refused,
        course->n_lives, course->n_lies);
    for (uint32_t i = 0; i < N_DESKS; i++) {
        const struct worker_side_tally *t = &course->tables[i].worker.tally;
        printf("       desk %u: %" PRIu64 " heard, %" PRIu64 " delivered, %" PRIu64
               " acks, %" PRIu64 " requeues, %" PRIu64 " cancelled, %" PRIu64 " binds lost\n",
            i, t->n_heard, t->n_delivered, t->n_acks, t->n_requeues, t->n_cancelled,
            t->n_bind_lost);
        assert(t->n_acks > 0 && t->n_requeues > 0 && t->n_cancelled > 0 && t->n_bind_lost > 0);
        assert(t->n_acks + t->n_requeues == t->n_delivered);
    }
    assert((course->act == ACT_HONEST) == (course->n_complaints == 0));
}

static void play(enum act act, uint64_t n_records, uint64_t seed)
{
    struct course *course = calloc(1, sizeof(*course));
    assert(course);
    course->act = act;
    course->chance.state = seed;
    course->ledger = (struct ledger){
        .size = n_records, .is_sent = calloc(n_records, 1), .is_written = calloc(n_records, 1)};
    assert(course->ledger.is_sent && course->ledger.is_written);
    for (uint32_t i = 0; i < N_DESKS; i++) {
        course->tables[i].worker.chance = &course->chance;
        course->tables[i].worker.ledger = &course->ledger;
        table_lay(course, i);
    }
    while (course->ledger.n < course->ledger.size)
        for (uint32_t i = 0; i < N_DESKS; i++)
            table_turn(course, i);
    for (uint32_t i = 0; i < N_DESKS; i++) {
        if (act == ACT_HONEST)
            run_dry(course, i);
        front_leave(course, i);
        worker_side_bury(&course->tables[i].worker);
    }
    tell_tallies(course);
    free(course->ledger.is_sent);
    free(course->ledger.is_written);
    free(course);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t n_records = strtoull(argv[1], NULL, 10);
    uint64_t seed = stress_seed("hostile_front_stress", argc > 2 ? argv[2] : NULL);
    for (enum act act = 0; act < N_ACTS; act++)
        play(act, n_records / N_ACTS, seed + act);
    return 0;
}
