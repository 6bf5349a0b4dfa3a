/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/ring.h"

#include <assert.h>

size_t ring_bytes(uint32_t n_entries)
{
    return sizeof(struct ring_shared) + (size_t)n_entries * sizeof(uint64_t);
}

void ring_producer_init(struct ring_producer *ring, struct ring_shared *shared, uint32_t n_entries)
{
    assert(n_entries > 0 && (n_entries & (n_entries - 1)) == 0);
    *ring = (struct ring_producer){.shared = shared, .mask = n_entries - 1};
}

void ring_consumer_init(struct ring_consumer *ring, struct ring_shared *shared, uint32_t n_entries)
{
    assert(n_entries > 0 && (n_entries & (n_entries - 1)) == 0);
    *ring = (struct ring_consumer){.shared = shared, .mask = n_entries - 1};
}

enum ring_outcome ring_push(struct ring_producer *ring, uint64_t entry)
{
    if (ring->tail - ring->seen_head > ring->mask) {
        /* acquire; pairs with the release in ring_pop(): the consumer has read what we overwrite */
        uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
        if (ring->tail - head > ring->mask)
            return RING_BROKEN;
        ring->seen_head = head;
    }
    atomic_store_explicit(
        &ring->shared->entries[ring->tail & ring->mask], entry, memory_order_relaxed);
    /* release; pairs with the acquire in tail_refresh(): the entry, and all that it speaks of */
    atomic_store_explicit(&ring->shared->tail, ++ring->tail, memory_order_release);
    return RING_OK;
}

static enum ring_outcome tail_refresh(struct ring_consumer *ring)
{
    /* acquire; pairs with the release in ring_push() */
    uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
    if (tail == ring->head)
        return RING_EMPTY;
    if (tail - ring->head > ring->mask + 1)
        return RING_BROKEN;
    ring->seen_tail = tail;
    return RING_OK;
}

enum ring_outcome ring_pop(struct ring_consumer *ring, uint64_t *entry)
{
    if (ring->head == ring->seen_tail) {
        enum ring_outcome outcome = tail_refresh(ring);
        if (outcome != RING_OK)
            return outcome;
    }
    *entry =
        atomic_load_explicit(&ring->shared->entries[ring->head & ring->mask], memory_order_relaxed);
    /* release; pairs with the acquire in ring_push(): the entry is read, its place is free */
    atomic_store_explicit(&ring->shared->head, ++ring->head, memory_order_release);
    return RING_OK;
}

bool ring_is_empty(struct ring_consumer *ring)
{
    return ring->head == ring->seen_tail && tail_refresh(ring) == RING_EMPTY;
}
