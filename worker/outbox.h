/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes that a connection has still to send, as a stream with a 64-bit offset.
 *
 * Two batches take turns: one is with the kernel (the iovecs of outbox_take() point into it), the
 * other one is being filled. A batch is a list of segments: bytes that the outbox owns, and bytes
 * that it only points to, so that a large body goes from shared memory to the socket without a
 * copy. Small things are copied, and a batch of them is one contiguous buffer and one iovec.
 *
 *      taken                    handed over                       queued
 *        │  with the kernel         │     being filled               │
 *   ─────┴──────────────────────────┴────────────────────────────────┴──▶ stream offset
 *
 * A borrowed byte must stay until `taken` has passed it, or until the connection's end has been
 * told. Something whose first byte stands at or after `taken` when the connection is lost was never
 * sent; whose first byte stands before may have reached the broker. Offsets go on rising from one
 * connection to the next.
 *
 * Bounded: capacity of own bytes and of segments are reserved once; a full outbox says so.
 */
#ifndef LEVERET_WORKER_OUTBOX_H
#define LEVERET_WORKER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shm/cleanup.h"

struct outbox_segment {
    const uint8_t *borrowed; /* NULL: the batch's next n_bytes own bytes */
    size_t n_bytes;
};

struct outbox_batch {
    uint8_t *bytes; /* own bytes, outbox.capacity of them reserved */
    size_t n_bytes;
    struct outbox_segment *segments;
    uint32_t n_segments;
};

struct outbox {
    struct outbox_batch batches[2];
    struct outbox_batch *filling;
    struct outbox_batch *leaving;
    uint32_t leaving_segment; /* first segment not handed over yet */
    size_t leaving_byte;      /* first own byte not handed over yet */
    size_t capacity;
    uint64_t queued;      /* offset of the next byte to be appended */
    uint64_t handed_over; /* offset of the first byte that outbox_take() has not given out */
    uint64_t taken;       /* offset of the first byte that the kernel has not accepted */
};

/* Where the filling stood: what outbox_rollback() goes back to. */
struct outbox_mark {
    size_t n_bytes;
    uint32_t n_segments;
    size_t last_segment_bytes;
    uint64_t queued;
};

/* Reserves `capacity` own bytes for each batch. -ENOMEM. */
int outbox_init(struct outbox *outbox, size_t capacity) MUST_USE;
void outbox_done(struct outbox *outbox);

/* Forgets all that was not taken, when its connection is gone and the kernel has let go of it. */
void outbox_reset(struct outbox *outbox);

/* Own bytes that can still be appended now. */
size_t outbox_room(const struct outbox *outbox);

/* The place of the next outbox_room() own bytes: write there, then commit. */
uint8_t *outbox_tail(struct outbox *outbox);

/* Appends the first n_bytes at the tail. -ENOBUFS: too many segments. */
int outbox_commit(struct outbox *outbox, size_t n_bytes) MUST_USE;

/* Appends a copy. -ENOBUFS: no room. */
int outbox_append(struct outbox *outbox, const void *bytes, size_t n_bytes) MUST_USE;

/* Appends bytes by reference. -ENOBUFS: too many segments. */
int outbox_borrow(struct outbox *outbox, const void *bytes, size_t n_bytes) MUST_USE;

/* So that several appends succeed or fail as one. */
struct outbox_mark outbox_mark(const struct outbox *outbox);
void outbox_rollback(struct outbox *outbox, const struct outbox_mark *mark);

/* Something is queued that was not handed over. */
bool outbox_has_more(const struct outbox *outbox);

/* Nothing is queued, nothing is with the kernel. */
bool outbox_is_empty(const struct outbox *outbox);

/* Hands the next bytes over as up to `max` iovecs and returns how many; 0 while the bytes handed
 * over before are not all taken, and when there is nothing. */
int outbox_take(struct outbox *outbox, struct iovec *iov, int max);

/* The kernel has accepted n_bytes more of what was handed over. */
void outbox_note_taken(struct outbox *outbox, size_t n_bytes);

#endif
