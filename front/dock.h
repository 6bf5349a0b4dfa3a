/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dock: the front's side of one lane, from the worker's start to the last byte that is written
 * out of it.
 *
 *   LIVE ─the worker breaks the protocol─▶ BROKEN
 *    └───────── dock_settle(): its worker is certainly dead ──────────┴─▶ DEAD ─last pin─▶ freed
 *
 * A BROKEN dock takes nothing more and is not read any more; what is aboard waits for the worker's
 * end, for only then it is certain what was not sent. Whoever owns the dock learns what became of a
 * part through `struct dock_events`; a callback may submit, cancel, abandon and give verdicts, but
 * not free the memory of a part.
 */
#ifndef LEVERET_FRONT_DOCK_H
#define LEVERET_FRONT_DOCK_H

#include "shm/lane.h"
#include "shm/ring.h"

#include "berths.h"
#include "part.h"

enum dock_state { DOCK_LIVE, DOCK_BROKEN, DOCK_DEAD };

struct dock;

struct dock_events {
    void *owner;
    /* The part is HELD or OVER now; or IDLE: its worker would not take it, nothing was sent, and
     * `dock` still says which one that was. From dock_poll(). */
    void (*on_part)(void *owner, struct part *part);
    /* The part came off a dead lane: OVER, or IDLE when it was never sent and may be submitted
     * again. From dock_settle(). */
    void (*on_cast_off)(void *owner, struct part *part);
    /* The memory of a dead lane is wanted back: the bytes of this PINNED part must not be written
     * any more; it is to be abandoned soon, but not from inside. From dock_cut_off(). */
    void (*on_cut_off)(void *owner, struct part *part);
    /* The last pin of a dead dock is gone: to be freed by whoever owns it. */
    void (*on_unpinned)(void *owner, struct dock *dock);
    /* `reason` is a fixed sentence. Once for a dock. */
    void (*on_broken)(void *owner, struct dock *dock, const char *reason);
};

struct dock_setup {
    uint32_t worker;
    uint32_t n_backends; /* of the plan: every part's is below it */
    const struct dock_events *events;
};

struct dock {
    struct lane lane;
    struct ring_producer requests;
    struct ring_consumer replies;
    struct berths berths;
    const struct dock_events *events;
    enum dock_state state;
    uint32_t worker;
    uint32_t n_pinned;
    uint32_t request_depth_max;
    int rope;       /* of the worker's bell */
    bool is_unrung; /* pushed since the last dock_ring() */
};

/* Join the lane behind `memory_fd`, which stays the caller's. `rope` is taken on success. Negative
 * errno; -EPROTO: not a lane of this build. */
int dock_new(struct dock **dock, const struct dock_setup *setup, int memory_fd, int rope) MUST_USE;

/* Leave the lane. No part may be aboard, held or pinned. Accepts NULL. */
void dock_free(struct dock *dock);

/* Reserve a slot and space for an IDLE part: false when there is none. Then either submit it
 * (ABOARD) or release it (IDLE). */
bool dock_reserve(struct dock *dock, struct part *part) MUST_USE;
void dock_submit(struct part *part);
void dock_release(struct part *part);

/* Handle some of what the worker has answered, so that the loop gets its turn; how many entries
 * that was. */
unsigned dock_poll(struct dock *dock);

/* The worker is dead: what it had answered counts, what it never sent comes back IDLE, what it may
 * have sent is OVER as unknown. Afterwards only pinned parts keep the dock alive. */
void dock_settle(struct dock *dock);

/* Of a dead dock: on_cut_off() for each pinned part. */
void dock_cut_off(struct dock *dock);

/* How full the lane is. */
struct dock_sight {
    uint32_t n_slots, n_slots_in_use, n_slots_in_use_max;
    uint32_t n_entries; /* of each ring */
    uint32_t request_depth, request_depth_max, reply_depth;
    uint64_t request_area_bytes, request_area_used_bytes;
    uint64_t reply_area_bytes, reply_area_held_bytes;
};
void dock_look(const struct dock *dock, struct dock_sight *sight);

/* The doorbell protocol of shm/doorbell.h, for this lane. */
void dock_ring(struct dock *dock);
bool dock_park(struct dock *dock); /* true: nothing to read or to ring for, so it may sleep */
void dock_unpark(struct dock *dock);

/* Try to stop an ABOARD part before its worker does anything with it: true when it was in time (a
 * DONE will still come), false when the worker has it. */
bool dock_cancel(struct part *part);

/* Its request needs the part no more: cancelled if possible, a delivery that was made or will be
 * made goes back. The part is OVER; its reply is what it was. */
void dock_abandon(struct part *part);

/* HELD: keep the reply's bytes mapped, whatever happens to the worker. */
void dock_pin(struct part *part);

/* HELD or PINNED: send LANE_ACK or LANE_REQUEUE, and OVER. The last one of a dead dock leads to
 * on_unpinned(). */
void dock_verdict(struct part *part, enum lane_op verdict);

#endif
