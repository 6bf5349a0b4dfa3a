/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's role: claims, sends, waits, delivers, finishes, and takes back what was judged. */
#include "lane_stress.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>

#include "shm/arena.h"
#include "shm/doorbell.h"
#include "shm/slot.h"

struct record {
    uint32_t generation;
    enum kind kind;
    enum slot_state state; /* what we made of it; FREE: we have nothing to do with it */
    bool awaits_verdict;
    uint64_t block; /* in the reply area, until the verdict */
};

struct worker {
    struct course *course;
    struct lane lane;
    struct ring_consumer requests;
    struct ring_producer replies;
    struct arena *arena;
    struct chance chance;
    struct record *records;
    uint32_t n_active; /* neither FREE nor waiting on a dry queue */
    struct worker_tally *tally;
};

static bool is_active(const struct record *record)
{
    return record->state != SLOT_FREE &&
           (record->kind != KIND_DRY || record->state != SLOT_WAITING);
}

/* The one place where a record's state changes. */
static void set_state(struct worker *worker, struct record *record, enum slot_state state)
{
    worker->n_active -= is_active(record);
    record->state = state;
    worker->n_active += is_active(record);
}

/* Answers, unless the front has cancelled meanwhile. */
static bool try_finish(
    struct worker *worker, uint32_t slot, const struct slot_reply *reply, enum slot_state from)
{
    struct record *record = &worker->records[slot];
    struct slot *shared = &worker->lane.slots[slot];
    shared->reply = *reply;
    if (!slot_move(shared, record->generation, from, SLOT_DONE))
        return false;
    enum ring_outcome outcome =
        ring_push(&worker->replies, LANE_ENTRY(LANE_DONE, slot, record->generation));
    assert(outcome == RING_OK);
    set_state(worker, record, SLOT_FREE);
    return true;
}

/* Answers from a state that the front has no arrow away from. */
static void finish(
    struct worker *worker, uint32_t slot, const struct slot_reply *reply, enum slot_state from)
{
    bool is_finished = try_finish(worker, slot, reply, from);
    assert(is_finished);
}

static void finish_cancelled(struct worker *worker, uint32_t slot)
{
    struct slot_word word = slot_look(&worker->lane.slots[slot]);
    assert(word.state == SLOT_CANCELLED && word.generation == worker->records[slot].generation);
    finish(worker, slot, &(struct slot_reply){.outcome = OUTCOME_CANCELLED}, SLOT_CANCELLED);
    worker->tally->n_cancelled++;
}

static void on_submit(struct worker *worker, uint32_t slot, uint32_t generation)
{
    struct record *record = &worker->records[slot];
    struct slot *shared = &worker->lane.slots[slot];
    assert(record->state == SLOT_FREE && !record->awaits_verdict);
    assert(generation == record->generation + 1); /* none was lost, none came twice */
    struct slot_request request = shared->request;
    const uint8_t *body = lane_request_bytes(&worker->lane, slot, request.body);
    assert(request.backend < KIND_N && body);
    assert(body_is(body, request.body.length, LANE_ENTRY(LANE_SUBMIT, slot, generation)));

    record->generation = generation;
    record->kind = request.backend;
    enum slot_state claimed = record->kind == KIND_PUBLISH ? SLOT_CLAIMED : SLOT_WAITING;
    if (slot_move(shared, generation, SLOT_READY, claimed))
        set_state(worker, record, claimed);
    else
        finish_cancelled(worker, slot);
    worker->tally->n_submits++;
}

static void on_cancel(struct worker *worker, uint32_t slot, uint32_t generation)
{
    const struct record *record = &worker->records[slot];
    assert(generation == record->generation); /* the ring keeps the order of wishes */
    assert(record->state == SLOT_WAITING || record->state == SLOT_FREE);
    if (record->state == SLOT_WAITING)
        finish_cancelled(worker, slot);
    else
        worker->tally->n_stale_cancels++; /* the state word had told us */
}

static void on_verdict(struct worker *worker, uint32_t slot, uint32_t generation, bool is_acked)
{
    struct record *record = &worker->records[slot];
    assert(record->awaits_verdict && record->generation == generation);
    arena_give(worker->arena, record->block);
    record->awaits_verdict = false;
    *(is_acked ? &worker->tally->n_acks : &worker->tally->n_requeues) += 1;
}

static void drain(struct worker *worker)
{
    uint64_t entry;
    enum ring_outcome outcome;
    while ((outcome = ring_pop(&worker->requests, &entry)) == RING_OK) {
        uint32_t slot = LANE_ENTRY_SLOT(entry);
        uint32_t generation = LANE_ENTRY_GENERATION(entry);
        uint32_t op = LANE_ENTRY_OP(entry);
        assert(slot < worker->lane.n_slots);
        assert(op >= LANE_SUBMIT && op <= LANE_REQUEUE);
        if (op == LANE_SUBMIT)
            on_submit(worker, slot, generation);
        else if (op == LANE_CANCEL)
            on_cancel(worker, slot, generation);
        else
            on_verdict(worker, slot, generation, op == LANE_ACK);
    }
    assert(outcome == RING_EMPTY);
}

/* Nothing of the batch was sent before all of it says so. */
static void send_batch(struct worker *worker)
{
    for (uint32_t slot = 0; slot < worker->lane.n_slots; slot++) {
        struct record *record = &worker->records[slot];
        if (record->state != SLOT_CLAIMED)
            continue;
        if (chance_in(&worker->chance, 16)) {
            finish(worker, slot, &(struct slot_reply){.outcome = OUTCOME_BLOCKED}, SLOT_CLAIMED);
            worker->tally->n_refused++;
            continue;
        }
        bool is_moved =
            slot_move(&worker->lane.slots[slot], record->generation, SLOT_CLAIMED, SLOT_SENT);
        assert(is_moved);
        set_state(worker, record, SLOT_SENT);
    }
}

/* A message came for a waiting GET, or none will; unless the front was faster. */
static void end_wait(struct worker *worker, uint32_t slot)
{
    struct record *record = &worker->records[slot];
    struct slot *shared = &worker->lane.slots[slot];
    if (chance_in(&worker->chance, 8)) {
        if (!try_finish(worker, slot, &(struct slot_reply){.outcome = OUTCOME_EMPTY}, SLOT_WAITING))
            finish_cancelled(worker, slot);
    } else if (slot_move(shared, record->generation, SLOT_WAITING, SLOT_BOUND)) {
        set_state(worker, record, SLOT_BOUND);
    } else {
        finish_cancelled(worker, slot);
    }
}

static void deliver(struct worker *worker, uint32_t slot)
{
    struct record *record = &worker->records[slot];
    uint32_t n = body_length(&worker->chance);
    record->block = arena_take(worker->arena, n);
    if (record->block == ARENA_FULL) {
        worker->tally->n_area_full++;
        return; /* a verdict will make room */
    }
    struct slot_reply reply = {.outcome = OUTCOME_DELIVERED,
        .body = {.offset = (uint32_t)(worker->lane.reply_area + record->block), .length = n}};
    body_fill(
        worker->lane.base + reply.body.offset, n, LANE_ENTRY(LANE_DONE, slot, record->generation));
    record->awaits_verdict = true;
    finish(worker, slot, &reply, SLOT_BOUND);
    worker->tally->n_delivered++;
}

/* One thing that the broker might do next. */
static void advance(struct worker *worker, uint32_t slot)
{
    switch (worker->records[slot].state) {
    case SLOT_SENT:
        finish(worker, slot, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED}, SLOT_SENT);
        break;
    case SLOT_WAITING:
        end_wait(worker, slot);
        break;
    case SLOT_BOUND:
        deliver(worker, slot);
        break;
    default:
        break;
    }
}

static void advance_some(struct worker *worker)
{
    for (uint32_t slot = 0; slot < worker->lane.n_slots; slot++) {
        if (is_active(&worker->records[slot]) && chance_in(&worker->chance, 2))
            advance(worker, slot);
    }
}

static void worker_init(struct worker *worker, struct course *course, struct worker_tally *tally)
{
    const struct lane *lane = &course->lane;
    *worker = (struct worker){.course = course,
        .lane = *lane,
        .arena = arena_new(lane->reply_area_bytes, AREA_MIN_BLOCK),
        .chance = {~course->seed ? ~course->seed : 1},
        .records = calloc(lane->n_slots, sizeof(*worker->records)),
        .tally = tally};
    assert(worker->arena && worker->records);
    ring_consumer_init(&worker->requests, lane->request_ring, lane->n_entries);
    ring_producer_init(&worker->replies, lane->reply_ring, lane->n_entries);
}

static void worker_done(struct worker *worker)
{
    drain(worker); /* the last verdicts were pushed before is_over */
    assert(worker->n_active == 0);
    assert(arena_taken_bytes(worker->arena) == 0);
    arena_free(worker->arena);
    free(worker->records);
}

void worker_run(struct course *course, struct worker_tally *tally)
{
    struct worker worker;
    worker_init(&worker, course, tally);
    struct sleeper sleeper = {.side = worker.lane.worker,
        .bell = course->worker_bell.bell,
        .ring = &worker.requests,
        .is_over = &course->is_over};
    /* acquire; pairs with the release at the end of front_run() */
    while (!atomic_load_explicit(&course->is_over, memory_order_acquire)) {
        drain(&worker);
        send_batch(&worker);
        advance_some(&worker);
        (void)doorbell_ring(worker.lane.front, course->front_bell.rope); /* it may well be awake */
        if (worker.n_active == 0)
            stress_sleep(&sleeper);
        else
            (void)sched_yield(); /* never fails */
    }
    tally->n_sleeps = sleeper.n_sleeps;
    worker_done(&worker);
}
