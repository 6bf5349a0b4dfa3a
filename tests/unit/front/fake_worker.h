/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker that does what the test says: the far end of a real lane. It takes entries off the
 * request ring, moves slots along the worker's arrows, answers, lies.
 */
#ifndef LEVERET_TESTS_FAKE_WORKER_H
#define LEVERET_TESTS_FAKE_WORKER_H

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "shm/doorbell.h"
#include "shm/lane.h"
#include "shm/ring.h"
#include "shm/slot.h"

enum { FAKE_SLOTS = 16, FAKE_AREA_BYTES = 1 << 20 };

struct fake_worker {
    int memory_fd;
    struct doorbell doorbell; /* the worker's own */
    struct lane lane;
    struct ring_consumer requests;
    struct ring_producer replies;
    uint32_t reply_used; /* of the reply area: never given back, tests are short */
};

static inline void fake_worker_join(struct fake_worker *worker, int memory_fd)
{
    *worker = (struct fake_worker){.memory_fd = memory_fd};
    cr_assert_geq(memory_fd, 0);
    cr_assert_eq(doorbell_new(&worker->doorbell), 0);
    cr_assert_eq(lane_join(&worker->lane, memory_fd), 0);
    ring_consumer_init(&worker->requests, worker->lane.request_ring, worker->lane.n_entries);
    ring_producer_init(&worker->replies, worker->lane.reply_ring, worker->lane.n_entries);
}

static inline void fake_worker_open_sized(struct fake_worker *worker, uint32_t n_slots)
{
    struct lane_size size = {.n_slots = n_slots,
        .request_area_bytes = FAKE_AREA_BYTES,
        .reply_area_bytes = FAKE_AREA_BYTES};
    fake_worker_join(worker, lane_new(&size));
}

static inline void fake_worker_open(struct fake_worker *worker)
{
    fake_worker_open_sized(worker, FAKE_SLOTS);
}

static inline void fake_worker_close(struct fake_worker *worker)
{
    lane_leave(&worker->lane);
    (void)close(worker->memory_fd);
    doorbell_close(&worker->doorbell);
}

static inline bool fake_worker_has_entry(struct fake_worker *worker)
{
    return !ring_is_empty(&worker->requests);
}

/* The next entry, which must be there and be `op`; its slot. */
static inline uint32_t fake_worker_take(struct fake_worker *worker, enum lane_op op)
{
    uint64_t entry;
    cr_assert_eq(ring_pop(&worker->requests, &entry), RING_OK, "no entry");
    cr_assert_eq(LANE_ENTRY_OP(entry), op, "op %u instead of %u", LANE_ENTRY_OP(entry), op);
    return LANE_ENTRY_SLOT(entry);
}

static inline uint32_t fake_worker_generation(const struct fake_worker *worker, uint32_t slot)
{
    return slot_look(&worker->lane.slots[slot]).generation;
}

static inline bool fake_worker_move(
    struct fake_worker *worker, uint32_t slot, enum slot_state from, enum slot_state to)
{
    return slot_move(&worker->lane.slots[slot], fake_worker_generation(worker, slot), from, to);
}

static inline struct lane_ref fake_worker_put(
    struct fake_worker *worker, const void *bytes, size_t n)
{
    uint32_t at = (uint32_t)worker->lane.reply_area + worker->reply_used;
    memcpy(worker->lane.base + at, bytes, n);
    worker->reply_used += (uint32_t)n;
    return (struct lane_ref){.offset = at, .length = (uint32_t)n};
}

static inline void fake_worker_push_done(struct fake_worker *worker, uint32_t slot)
{
    uint64_t entry = LANE_ENTRY(LANE_DONE, slot, fake_worker_generation(worker, slot));
    cr_assert_eq(ring_push(&worker->replies, entry), RING_OK);
}

/* Write the reply and move the slot to DONE, without telling. */
static inline void fake_worker_settle(
    struct fake_worker *worker, uint32_t slot, enum slot_state from, const struct slot_reply *reply)
{
    worker->lane.slots[slot].reply = *reply;
    cr_assert(fake_worker_move(worker, slot, from, SLOT_DONE));
}

static inline void fake_worker_done(
    struct fake_worker *worker, uint32_t slot, enum slot_state from, const struct slot_reply *reply)
{
    fake_worker_settle(worker, slot, from, reply);
    fake_worker_push_done(worker, slot);
}

/* A publish, taken off the ring, sent, answered with `outcome`. */
static inline uint32_t fake_worker_publish(struct fake_worker *worker, enum outcome outcome)
{
    uint32_t slot = fake_worker_take(worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(worker, slot, SLOT_READY, SLOT_CLAIMED));
    cr_assert(fake_worker_move(worker, slot, SLOT_CLAIMED, SLOT_SENT));
    fake_worker_done(worker, slot, SLOT_SENT, &(struct slot_reply){.outcome = outcome});
    return slot;
}

/* A GET, taken off the ring, waiting. */
static inline uint32_t fake_worker_wait(struct fake_worker *worker)
{
    uint32_t slot = fake_worker_take(worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(worker, slot, SLOT_READY, SLOT_WAITING));
    return slot;
}

/* A waiting GET, answered with a message. */
static inline void fake_worker_deliver(
    struct fake_worker *worker, uint32_t slot, const void *body, size_t n)
{
    cr_assert(fake_worker_move(worker, slot, SLOT_WAITING, SLOT_BOUND));
    fake_worker_done(worker, slot, SLOT_BOUND,
        &(struct slot_reply){.outcome = OUTCOME_DELIVERED,
            .is_listening = 1,
            .body = fake_worker_put(worker, body, n)});
}

#endif
