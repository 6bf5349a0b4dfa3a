/* SPDX-License-Identifier: Apache-2.0 */
/* The front's role: submits, cancels, takes replies, gives verdicts, frees slots. */
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
    bool is_pending;
    bool is_cancelled; /* our wish came first: the DONE must say so */
    bool is_orphan;    /* it came too late: a delivery goes back */
    uint64_t block;    /* in the request area; ARENA_FULL: none */
};

struct front {
    struct course *course;
    struct lane lane;
    struct ring_producer requests;
    struct ring_consumer replies;
    struct arena *arena;
    struct chance chance;
    struct record *records;
    uint32_t *free_slots;
    uint32_t n_free;
    uint64_t n_submitted;
    struct front_tally *tally;
};

static void push(struct front *front, enum lane_op op, uint32_t slot)
{
    uint64_t entry = LANE_ENTRY(op, slot, front->records[slot].generation);
    enum ring_outcome outcome = ring_push(&front->requests, entry);
    assert(outcome == RING_OK); /* there is room for all that can be outstanding */
}

/* Where the body of a request goes: inline while it fits, else the area while that has room. */
static struct lane_ref place_body(struct front *front, uint32_t slot, uint32_t n)
{
    uint64_t offset = lane_inline_offset(&front->lane, slot);
    uint64_t block = ARENA_FULL;
    if (n > LANE_INLINE_BYTES) {
        block = arena_take(front->arena, n);
        if (block == ARENA_FULL)
            n = LANE_INLINE_BYTES;
        else
            offset = front->lane.request_area + block;
        front->tally->n_in_area += block != ARENA_FULL;
    }
    front->records[slot].block = block;
    return (struct lane_ref){.offset = (uint32_t)offset, .length = n};
}

static void submit(struct front *front)
{
    uint32_t slot = front->free_slots[--front->n_free];
    struct record *record = &front->records[slot];
    struct slot *shared = &front->lane.slots[slot];
    *record = (struct record){.generation = record->generation + 1,
        .kind = chance_below(&front->chance, KIND_N),
        .is_pending = true};
    shared->request = (struct slot_request){
        .backend = record->kind, .body = place_body(front, slot, body_length(&front->chance))};
    body_fill(front->lane.base + shared->request.body.offset, shared->request.body.length,
        LANE_ENTRY(LANE_SUBMIT, slot, record->generation));
    slot_ready(shared, record->generation);
    push(front, LANE_SUBMIT, slot);
    front->n_submitted++;
}

/* A deadline passed, or a client left. */
static void cancel(struct front *front, uint32_t slot)
{
    struct record *record = &front->records[slot];
    struct slot *shared = &front->lane.slots[slot];
    bool was_ready = slot_move(shared, record->generation, SLOT_READY, SLOT_CANCELLED);
    record->is_cancelled =
        was_ready || slot_move(shared, record->generation, SLOT_WAITING, SLOT_CANCELLED);
    record->is_orphan = !record->is_cancelled;
    if (record->is_orphan) {
        front->tally->n_cancels_lost++;
        return;
    }
    front->tally->n_cancels_won[was_ready ? 0 : 1]++;
    /* whoever was READY has its SUBMIT underway, which will find out; a hint more does no harm */
    if (!was_ready || chance_in(&front->chance, 2))
        push(front, LANE_CANCEL, slot);
}

/* Nobody else ends these. */
static void cancel_dry(struct front *front)
{
    for (uint32_t slot = 0; slot < front->lane.n_slots; slot++) {
        struct record *record = &front->records[slot];
        /* again when it went from READY to WAITING between our two tries */
        while (record->is_pending && record->kind == KIND_DRY && !record->is_cancelled)
            cancel(front, slot);
    }
}

/* A wish that comes late: the worker has looked at the request by then. */
static void await_worker(struct front *front, uint32_t slot)
{
    (void)doorbell_ring(front->lane.worker, front->course->worker_bell.rope); /* it may be awake */
    while (slot_look(&front->lane.slots[slot]).state == SLOT_READY)
        (void)sched_yield(); /* never fails */
}

static void cancel_some(struct front *front)
{
    while (chance_in(&front->chance, 2)) {
        uint32_t slot = chance_below(&front->chance, front->lane.n_slots);
        struct record *record = &front->records[slot];
        if (!record->is_pending || record->is_cancelled || record->is_orphan)
            continue;
        if (chance_in(&front->chance, 4))
            await_worker(front, slot);
        cancel(front, slot);
    }
}

static void give_verdict(struct front *front, uint32_t slot, const struct slot_reply *reply)
{
    const struct record *record = &front->records[slot];
    const uint8_t *body = lane_reply_bytes(&front->lane, reply->body);
    assert(record->kind == KIND_CONSUME);
    assert(body);
    assert(body_is(body, reply->body.length, LANE_ENTRY(LANE_DONE, slot, record->generation)));
    bool is_acked = !record->is_orphan && chance_in(&front->chance, 2);
    push(front, is_acked ? LANE_ACK : LANE_REQUEUE, slot);
    front->tally->n_delivered++;
    *(is_acked ? &front->tally->n_acks : &front->tally->n_requeues) += 1;
}

static void on_done(struct front *front, uint64_t entry)
{
    uint32_t slot = LANE_ENTRY_SLOT(entry);
    assert(LANE_ENTRY_OP(entry) == LANE_DONE && slot < front->lane.n_slots);
    struct record *record = &front->records[slot];
    struct slot *shared = &front->lane.slots[slot];
    assert(record->is_pending && record->generation == LANE_ENTRY_GENERATION(entry));
    struct slot_word word = slot_look(shared);
    assert(word.state == SLOT_DONE && word.generation == record->generation);

    struct slot_reply reply = shared->reply;
    assert(record->is_cancelled == (reply.outcome == OUTCOME_CANCELLED));
    assert(record->kind == KIND_PUBLISH || reply.outcome != OUTCOME_CONFIRMED);
    if (reply.outcome == OUTCOME_DELIVERED)
        give_verdict(front, slot, &reply);
    if (record->block != ARENA_FULL)
        arena_give(front->arena, record->block);
    slot_free(shared, record->generation);
    record->is_pending = false;
    front->free_slots[front->n_free++] = slot;
    front->tally->n_done++;
}

static void drain(struct front *front)
{
    uint64_t entry;
    enum ring_outcome outcome;
    while ((outcome = ring_pop(&front->replies, &entry)) == RING_OK)
        on_done(front, entry);
    assert(outcome == RING_EMPTY);
}

static void submit_some(struct front *front)
{
    for (uint32_t n = chance_below(&front->chance, 32) + 1; n > 0; n--) {
        if (front->n_free > 0 && front->n_submitted < front->course->n_records)
            submit(front);
    }
}

static void front_init(struct front *front, struct course *course, struct front_tally *tally)
{
    const struct lane *lane = &course->lane;
    *front = (struct front){.course = course,
        .lane = *lane,
        .arena = arena_new(lane->request_area_bytes, AREA_MIN_BLOCK),
        .chance = {course->seed},
        .records = calloc(lane->n_slots, sizeof(*front->records)),
        .free_slots = calloc(lane->n_slots, sizeof(*front->free_slots)),
        .tally = tally};
    assert(front->arena && front->records && front->free_slots);
    ring_producer_init(&front->requests, lane->request_ring, lane->n_entries);
    ring_consumer_init(&front->replies, lane->reply_ring, lane->n_entries);
    while (front->n_free < lane->n_slots) {
        front->free_slots[front->n_free] = front->n_free;
        front->n_free++;
    }
}

static void front_done(struct front *front)
{
    assert(front->n_free == front->lane.n_slots);
    assert(arena_taken_bytes(front->arena) == 0);
    arena_free(front->arena);
    free(front->records);
    free(front->free_slots);
}

/* Rings, and sleeps until something is done, when there is anything to wait for. */
static void wait_for_replies(struct front *front, struct sleeper *sleeper)
{
    cancel_dry(front);
    (void)doorbell_ring(front->lane.worker, front->course->worker_bell.rope); /* it may be awake */
    if (front->n_free < front->lane.n_slots)
        stress_sleep(sleeper);
    drain(front);
}

/* Lets both sides come to rest, the worker too. */
static void run_dry(struct front *front, struct sleeper *sleeper)
{
    while (front->n_free < front->lane.n_slots)
        wait_for_replies(front, sleeper);
    while (atomic_load_explicit(&front->lane.worker->is_parked, memory_order_relaxed) == 0)
        (void)sched_yield(); /* never fails */
}

void front_run(struct course *course, struct front_tally *tally)
{
    struct front front;
    front_init(&front, course, tally);
    struct sleeper sleeper = {
        .side = front.lane.front, .bell = course->front_bell.bell, .ring = &front.replies};
    while (tally->n_done < course->n_records) {
        submit_some(&front);
        cancel_some(&front);
        bool is_stuck = front.n_free == 0 || front.n_submitted == course->n_records;
        if (chance_in(&front.chance, 16))
            run_dry(&front, &sleeper);
        else if (is_stuck || chance_in(&front.chance, 4))
            wait_for_replies(&front, &sleeper);
        else
            (void)doorbell_ring(front.lane.worker, course->worker_bell.rope); /* it may be awake */
        drain(&front);
    }
    /* release; pairs with the acquire in the worker's sleep and loop */
    atomic_store_explicit(&course->is_over, true, memory_order_release);
    (void)doorbell_ring(front.lane.worker, course->worker_bell.rope); /* it may be awake */
    tally->n_sleeps = sleeper.n_sleeps;
    front_done(&front);
}
