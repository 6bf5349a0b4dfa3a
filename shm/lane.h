/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes: made by the supervisor, joined by a front and a worker, left by each.
 *
 *      lane_new() ─ memfd ─▶ lane_join() in each side ─▶ ... ─▶ lane_leave()
 *
 * A joined lane keeps private copies of all offsets and sizes: the header is read once. The layout
 * is drawn in <leveret/lane.h>.
 */
#ifndef LEVERET_SHM_LANE_H
#define LEVERET_SHM_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leveret/lane.h>

#include "shm/cleanup.h"

/* What the supervisor decides. */
struct lane_size {
    uint32_t n_slots;            /* 1 to LANE_MAX_SLOTS */
    uint64_t request_area_bytes; /* a power of two, at least 4,096 */
    uint64_t reply_area_bytes;   /* likewise */
};

/* One side's view of a lane. `base` and what it leads to is shared, everything else is private. */
struct lane {
    uint8_t *base;
    size_t total_bytes;
    uint32_t n_slots;
    uint32_t n_entries;
    struct ring_shared *request_ring, *reply_ring;
    struct slot *slots;
    uint64_t request_area, request_area_bytes; /* offsets from base */
    uint64_t reply_area, reply_area_bytes;
    struct lane_side *front, *worker;
};

/* Split `memory_bytes`, the user's bound for all lanes of one of `n_lanes`, into slots and areas.
 * Returns 0, or -ENOSPC when not even a handful of slots fit. */
int lane_size_from_memory(uint64_t memory_bytes, uint32_t n_lanes, struct lane_size *size) MUST_USE;

/* A fresh lane as a memfd, closed on exec, sealed against resizing; the caller owns it. Negative
 * errno. */
int lane_new(const struct lane_size *size) MUST_USE;

/* Map the lane behind `memory_fd`, which stays the caller's. -EPROTO: no lane of this build; or
 * negative errno. */
int lane_join(struct lane *lane, int memory_fd) MUST_USE;

/* Unmap. Accepts a zeroed lane. */
void lane_leave(struct lane *lane);

/* Where a peer's reference points, if it lies inside [area, area + area_bytes); else NULL. An empty
 * reference gives a pointer that must not be read. */
const uint8_t *lane_at(
    const struct lane *lane, struct lane_ref ref, uint64_t area, uint64_t area_bytes);

/* What the front wrote of `slot`: its inline bytes or the request area. What the worker wrote: the
 * reply area. NULL when the reference leads elsewhere. */
const uint8_t *lane_request_bytes(const struct lane *lane, uint32_t slot, struct lane_ref ref);
const uint8_t *lane_reply_bytes(const struct lane *lane, struct lane_ref ref);

/* The offset of a slot's inline bytes. */
uint64_t lane_inline_offset(const struct lane *lane, uint32_t slot);

#endif
