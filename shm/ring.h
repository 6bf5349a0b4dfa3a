/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of 64-bit entries from one producer to one consumer through shared memory.
 *
 * Each side keeps its own index privately and writes it to the shared word for the other to read,
 * never to read it back; so a liar can hide or invent entries but cannot move the other side's
 * index. A distance that the protocol cannot produce is RING_BROKEN.
 *
 *      producer   entries[tail] = e; tail + 1 (release) ─────▶ consumer   tail (acquire); e =
 * entries[head] producer   head (acquire) ◀────────────────────────────  consumer  head + 1
 * (release)
 *
 * The ring has room for every entry that can be outstanding (see <leveret/lane.h>), so a push does
 * not fail between honest peers. A process killed between any two instructions leaves either the
 * entry outside or inside, nothing between: the entry exists once tail is written.
 */
#ifndef LEVERET_SHM_RING_H
#define LEVERET_SHM_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leveret/lane.h>

#include "shm/cleanup.h"

enum ring_outcome { RING_OK, RING_EMPTY, RING_BROKEN };

struct ring_producer {
    struct ring_shared *shared;
    uint64_t mask;
    uint64_t tail;
    uint64_t seen_head; /* never ahead of tail */
};

struct ring_consumer {
    struct ring_shared *shared;
    uint64_t mask;
    uint64_t head;
    uint64_t seen_tail; /* never more than a ring ahead of head */
};

/* Bytes of a ring of `n_entries`, a power of two. */
size_t ring_bytes(uint32_t n_entries);

/* Take one end of a fresh ring (all zero). The memory is borrowed and must outlive the end. */
void ring_producer_init(struct ring_producer *ring, struct ring_shared *shared, uint32_t n_entries);
void ring_consumer_init(struct ring_consumer *ring, struct ring_shared *shared, uint32_t n_entries);

/* Append; the consumer may see it at once. RING_BROKEN: no room, so the consumer lies about its
 * head. */
enum ring_outcome ring_push(struct ring_producer *ring, uint64_t entry) MUST_USE;

/* Take the oldest entry. RING_BROKEN: the producer claims more than the ring holds. */
enum ring_outcome ring_pop(struct ring_consumer *ring, uint64_t *entry) MUST_USE;

/* Is there nothing to pop? Reads the shared word anew; a broken ring is not empty. */
bool ring_is_empty(struct ring_consumer *ring);

#endif
