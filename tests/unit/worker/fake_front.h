/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side of a lane, for tests: an honest front without HTTP. It submits, cancels and gives
 * verdicts over a real lane, and can be told to push what an honest one never would.
 */
#ifndef LEVERET_TESTS_FAKE_FRONT_H
#define LEVERET_TESTS_FAKE_FRONT_H

#include <criterion/criterion.h>
#include <string.h>

#include <leveret/plan.h>

#include "shm/lane.h"
#include "shm/message.h"
#include "shm/ring.h"
#include "shm/slot.h"

struct fake_front {
    int memory_fd;
    struct lane lane;
    struct ring_producer requests;
    struct ring_consumer replies;
    uint32_t generations[100];
};

static inline void fake_front_open(struct fake_front *front)
{
    const struct lane_size size = {
        .n_slots = 100, .request_area_bytes = 1 << 16, .reply_area_bytes = 1 << 16};
    *front = (struct fake_front){.memory_fd = lane_new(&size)};
    cr_assert_geq(front->memory_fd, 0);
    cr_assert_eq(lane_join(&front->lane, front->memory_fd), 0);
    ring_producer_init(&front->requests, front->lane.request_ring, front->lane.n_entries);
    ring_consumer_init(&front->replies, front->lane.reply_ring, front->lane.n_entries);
}

static inline void fake_front_close(struct fake_front *front)
{
    lane_leave(&front->lane);
    cleanup_fd(&front->memory_fd);
}

static inline void fake_front_push(struct fake_front *front, uint64_t entry)
{
    cr_assert_eq(ring_push(&front->requests, entry), RING_OK);
}

static inline void fake_front_tell(struct fake_front *front, enum lane_op op, uint32_t slot)
{
    fake_front_push(front, LANE_ENTRY(op, slot, front->generations[slot]));
}

/* Makes the slot READY with this request, without submitting it. */
static inline void fake_front_ready(
    struct fake_front *front, uint32_t slot, const struct slot_request *request)
{
    front->lane.slots[slot].request = *request;
    slot_ready(&front->lane.slots[slot], ++front->generations[slot]);
}

static inline void fake_front_submit(
    struct fake_front *front, uint32_t slot, const struct slot_request *request)
{
    fake_front_ready(front, slot, request);
    fake_front_tell(front, LANE_SUBMIT, slot);
}

static inline void fake_front_get(struct fake_front *front, uint32_t slot, uint32_t backend)
{
    fake_front_submit(
        front, slot, &(struct slot_request){.backend = backend, .deadline_ns = UINT64_MAX});
}

/* Fields and body into the slot's inline bytes. */
static inline struct slot_request fake_front_message(struct fake_front *front, uint32_t slot,
    const struct message_field *fields, size_t n_fields, const char *body)
{
    struct message_writer writer = {
        .bytes = front->lane.slots[slot].inline_bytes, .size = LANE_INLINE_BYTES};
    for (size_t i = 0; i < n_fields; i++)
        cr_assert_eq(message_write(&writer, &fields[i]), MESSAGE_OK);
    memcpy(writer.bytes + writer.used, body, strlen(body));
    uint32_t offset = (uint32_t)lane_inline_offset(&front->lane, slot);
    return (struct slot_request){.deadline_ns = UINT64_MAX,
        .fields = {offset, (uint32_t)writer.used},
        .body = {offset + (uint32_t)writer.used, (uint32_t)strlen(body)}};
}

static inline bool fake_front_cancel(struct fake_front *front, uint32_t slot)
{
    struct slot *shared = &front->lane.slots[slot];
    uint32_t generation = front->generations[slot];
    if (slot_move(shared, generation, SLOT_READY, SLOT_CANCELLED))
        return true;
    if (!slot_move(shared, generation, SLOT_WAITING, SLOT_CANCELLED))
        return false;
    fake_front_tell(front, LANE_CANCEL, slot);
    return true;
}

static inline enum slot_state fake_front_state(struct fake_front *front, uint32_t slot)
{
    struct slot_word word = slot_look(&front->lane.slots[slot]);
    cr_assert_eq(word.generation, front->generations[slot]);
    return word.state;
}

/* The next slot that is DONE, UINT32_MAX when there is none. */
static inline uint32_t fake_front_done(struct fake_front *front)
{
    uint64_t entry;
    if (ring_pop(&front->replies, &entry) != RING_OK)
        return UINT32_MAX;
    uint32_t slot = LANE_ENTRY_SLOT(entry);
    cr_assert_eq(LANE_ENTRY_OP(entry), LANE_DONE);
    cr_assert_eq(LANE_ENTRY_GENERATION(entry), front->generations[slot]);
    cr_assert_eq(fake_front_state(front, slot), SLOT_DONE);
    return slot;
}

static inline const struct slot_reply *fake_front_reply(struct fake_front *front, uint32_t slot)
{
    return &front->lane.slots[slot].reply;
}

/* The next DONE is of this slot, with this outcome. */
static inline void fake_front_expect(struct fake_front *front, uint32_t slot, enum outcome outcome)
{
    cr_assert_eq(fake_front_done(front), slot);
    uint32_t got = fake_front_reply(front, slot)->outcome;
    cr_assert_eq(got, outcome, "slot %u: %s", slot, outcome_name(got));
}

static inline void fake_front_expect_nothing(struct fake_front *front)
{
    cr_assert_eq(fake_front_done(front), UINT32_MAX);
}

static inline void fake_front_expect_body(struct fake_front *front, uint32_t slot, const char *body)
{
    struct lane_ref ref = fake_front_reply(front, slot)->body;
    const uint8_t *bytes = lane_reply_bytes(&front->lane, ref);
    cr_assert(bytes);
    cr_assert_eq(ref.length, strlen(body), "%.*s", (int)ref.length, (const char *)bytes);
    cr_assert_arr_eq(bytes, body, ref.length);
}

#endif
