/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's desks before two fronts, of which one lies: the parts of tests/stress/hostile_front_stress.c
 * with the input in the place of chance, as in lane_front.c.
 *
 * What is held against the desk stands in tests/stress/worker_side.h. Besides, there is no complaint of
 * the honest front, and a desk that may sleep has heard all that was said.
 */
#include <assert.h>
#include <errno.h>

#include "chance.h"
#include "shm/doorbell.h"
#include "tests/stress/front_peer.h"
#include "tests/stress/liar.h"
#include "tests/stress/worker_side.h"

enum { LIAR, HONEST, N_DESKS };
enum { N_SLOTS = 12, STEPS_A_LIFE = 1000, MAX_TURNS = 4000, MAX_RECORDS = 1 << 14 };

/* One desk and its front. */
struct table {
    struct worker_side worker;
    struct front_peer front;
    struct doorbell front_bell;
};

static struct chance chance;
static struct ledger ledger;
static struct table tables[N_DESKS];
static uint8_t is_sent[MAX_RECORDS], is_written[MAX_RECORDS];

static void front_leave(struct table *table)
{
    if (!table->front.arena)
        return;
    front_peer_close(&table->front);
    table->front.arena = NULL;
    doorbell_close(&table->front_bell);
}

static void front_arrive(struct table *table, int memory)
{
    front_peer_open(&table->front, memory, &chance, &ledger);
    int error = doorbell_new(&table->front_bell);
    assert(error == 0);
    table->front.n_steps_a_life = STEPS_A_LIFE;
    if (table != &tables[LIAR])
        return;
    table->front.n_turns_a_lie = 1 + chance_below(&chance, 12);
    if (chance_in(&chance, 8))
        lie(&chance, &table->front.lane); /* before the worker has joined */
}

/* A fresh front on a fresh lane, once all that the old one left is settled. */
static void table_lay(struct table *table)
{
    front_leave(table);
    worker_side_bury(&table->worker);
    CLEANUP(cleanup_fd) int memory = peer_lane_new(N_SLOTS);
    front_arrive(table, memory);
    bool is_honest = table != &tables[LIAR];
    int error = worker_side_open(&table->worker, memory, &table->front.lane, is_honest);
    fuzz_expect(error == 0 || (error == -EPROTO && !is_honest));
}

static void worker_turn(struct table *table)
{
    struct desk *desk = table->worker.desk;
    if (chance_in(&chance, 2))
        (void)desk_turn(desk); /* what is left is heard in a later turn */
    worker_side_advance(&table->worker);
    desk_ring(desk, table->front_bell.rope);
    bool may_sleep = desk_park(desk);
    desk_unpark(desk);
    fuzz_expect(!may_sleep || !desk_turn(desk));
}

static void table_turn(struct table *table)
{
    front_peer_turn(&table->front);
    if (table->worker.desk)
        worker_turn(table);
    bool is_caught = !table->worker.desk || desk_complaint(table->worker.desk);
    fuzz_expect(!is_caught || table == &tables[LIAR]);
    if (table->front.is_dead || (is_caught && chance_in(&chance, 4)))
        table_lay(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    chance_feed(bytes, n);
    chance = (struct chance){1};
    ledger = (struct ledger){.size = MAX_RECORDS, .is_sent = is_sent, .is_written = is_written};
    memset(is_sent, 0, sizeof is_sent);
    memset(is_written, 0, sizeof is_written);
    for (uint32_t i = 0; i < N_DESKS; i++) {
        tables[i] = (struct table){.worker = {.chance = &chance, .ledger = &ledger}};
        table_lay(&tables[i]);
    }
    for (int i = 0; i < MAX_TURNS && chance_is_left(); i++)
        for (uint32_t k = 0; k < N_DESKS; k++)
            table_turn(&tables[k]);
    for (uint32_t i = 0; i < N_DESKS; i++) {
        front_leave(&tables[i]);
        worker_side_bury(&tables[i].worker);
    }
    return 0;
}
