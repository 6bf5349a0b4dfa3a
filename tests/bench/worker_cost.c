/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_cost produce|consume ROUNDS FILE: a worker on a broker that costs nothing, whose front has
 * COST_BATCH requests in each round and a verdict for each delivery with the next. See cost.h.
 */
#include "cost.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "loop.h"
#include "null_broker.h"
#include "orders.h"
#include "plan_worker.h"
#include "shm/clock.h"
#include "shm/message.h"
#include "shm/slot.h"
#include "tests/support/require.h"

enum { N_CONNECTIONS = 2 }; /* one to publish on, one to consume */

static struct cost cost;
static struct orders orders;
static struct loop *loop;

/* ---- the front ---- */

static struct ring_producer requests;
static struct ring_consumer replies;
static uint32_t generations[COST_BATCH];
static uint32_t n_done;

static void push(enum lane_op op, uint32_t slot)
{
    require(ring_push(&requests, LANE_ENTRY(op, slot, generations[slot])) == RING_OK, "no room");
}

/* With the fields that a front makes of such a request; ids of messages in flight differ. */
static struct slot_request publish_in(uint32_t slot)
{
    char id[37];
    (void)snprintf(id, sizeof id, "4f3c2b1a-0000-4000-8000-%012u", slot); /* it fits */
    const struct message_field fields[] = {
        {MESSAGE_ROUTING_KEY, "", 0, "north", 5},
        {MESSAGE_CONTENT_TYPE, "", 0, "application/json", 16},
        {MESSAGE_MESSAGE_ID, "", 0, id, sizeof id - 1},
        {MESSAGE_HEADER, "Content-Type", 12, "application/json", 16},
    };
    struct message_writer writer = {
        .bytes = cost.lane.slots[slot].inline_bytes, .size = LANE_INLINE_BYTES};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        require(message_write(&writer, &fields[i]) == MESSAGE_OK, "field %zu", i);
    memcpy(writer.bytes + writer.used, COST_BODY, sizeof COST_BODY - 1);
    uint32_t offset = (uint32_t)lane_inline_offset(&cost.lane, slot);
    return (struct slot_request){.backend = COST_PRODUCE,
        .deadline_ns = UINT64_MAX,
        .fields = {offset, (uint32_t)writer.used},
        .body = {offset + (uint32_t)writer.used, sizeof COST_BODY - 1}};
}

static void submit(uint32_t slot)
{
    bool has_verdict_due = cost.request == COST_CONSUME && generations[slot] > 0;
    if (has_verdict_due)
        push(LANE_ACK, slot);
    if (generations[slot] > 0)
        slot_free(&cost.lane.slots[slot], generations[slot]);
    cost.lane.slots[slot].request =
        cost.request == COST_PRODUCE
            ? publish_in(slot)
            : (struct slot_request){.backend = COST_CONSUME, .deadline_ns = UINT64_MAX};
    slot_ready(&cost.lane.slots[slot], ++generations[slot]);
    push(LANE_SUBMIT, slot);
}

static void ask(void)
{
    n_done = 0;
    for (uint32_t slot = 0; slot < COST_BATCH; slot++)
        submit(slot);
    (void)doorbell_ring(cost.lane.worker, cost.worker_bell.rope); /* it may be awake */
}

static void hear_worker(void)
{
    static const enum outcome wanted[] = {
        [COST_PRODUCE] = OUTCOME_CONFIRMED, [COST_CONSUME] = OUTCOME_DELIVERED};
    uint64_t entry;
    while (ring_pop(&replies, &entry) == RING_OK) {
        uint32_t outcome = cost.lane.slots[LANE_ENTRY_SLOT(entry)].reply.outcome;
        require(outcome == wanted[cost.request], "%s", outcome_name(outcome));
        n_done++;
    }
}

/* ---- the broker ---- */

static struct amqp_door door;
static struct null_connection *connections[N_CONNECTIONS];

/* The handshakes, which wait for what the worker says, while the worker turns. */
static void *accept_all(void *unused)
{
    for (int i = 0; i < N_CONNECTIONS; i++)
        connections[i] = null_accept(&door, sizeof COST_BODY - 1);
    return unused;
}

static void broker_turn(void)
{
    for (int i = 0; i < N_CONNECTIONS; i++)
        require(null_hear(connections[i]), "the worker hangs up");
}

static bool hear(void)
{
    broker_turn();
    hear_worker();
    return n_done == COST_BATCH;
}

/* ---- the stage ---- */

static void worker_turn(void)
{
    (void)orders_turn(&orders); /* it wants nothing while it serves */
    require(loop_turn(loop, 0) == 0, "the loop is broken");
}

/* A turn that waited would keep valgrind, which runs one thread at a time, from running the other. */
static void turn_until_over(pthread_t thread)
{
    struct timespec soon = {0};
    do {
        worker_turn();
        uint64_t soon_ns = clock_now_ns() + CLOCK_MS;
        soon.tv_sec = (time_t)(soon_ns / CLOCK_S);
        soon.tv_nsec = (long)(soon_ns % CLOCK_S);
    } while (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &soon) != 0);
}

static void serve(void)
{
    pthread_t accepting;
    char port[8];
    amqp_door_open(&door, NULL);
    (void)snprintf(port, sizeof port, "%u", door.port); /* it fits */
    require(setenv("COST_BROKER_PORT", port, 1) == 0, "no memory");
    struct config *config = cost_configuration(&cost);
    CLEANUP(cleanup_fd) int plan = plan_worker_new(config);
    CLEANUP(cleanup_fd) int figures = cost_figures(config, FIGURES_WORKER);
    config_free(config);
    require(plan >= 0 && loop_new(&loop, &LOOP_CONFIG_DEFAULT) == 0 &&
                orders_init(&orders, loop, cost.side) == 0,
        "no worker");
    cost_start(&cost, plan, figures, -1);
    COST_TURN_UNTIL(cost_is_ready(&cost), worker_turn());
    cost_connect(&cost, cost.worker_bell.bell, cost.front_bell.rope);
    require(pthread_create(&accepting, NULL, accept_all, NULL) == 0, "no thread");
    turn_until_over(accepting);
}

int main(int argc, char **argv)
{
    static const struct cost_play play = {.ask = ask, .side_turn = worker_turn, .hear = hear};
    cost_open(&cost, argc, argv);
    ring_producer_init(&requests, cost.lane.request_ring, cost.lane.n_entries);
    ring_consumer_init(&replies, cost.lane.reply_ring, cost.lane.n_entries);
    serve();
    cost_run(&cost, &play);
    return 0;
}
