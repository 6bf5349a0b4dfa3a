/* SPDX-License-Identifier: Apache-2.0 */
#include "liar.h"

#include <assert.h>

#include "shm/slot.h"

enum { WORD = sizeof(uint64_t) };

static uint64_t random_word(struct chance *chance)
{
    return (uint64_t)chance_below(chance, UINT32_MAX) << 32 | chance_below(chance, UINT32_MAX);
}

uint64_t lie_entry(struct chance *chance, const struct lane *lane)
{
    if (chance_in(chance, 16))
        return random_word(chance);
    uint32_t slot = chance_below(chance, lane->n_slots + 1); /* the last one is not there */
    uint32_t generation = 1;
    if (slot < lane->n_slots) /* this one, the one before, the one behind */
        generation = slot_look(&lane->slots[slot]).generation + chance_below(chance, 3) - 1;
    return LANE_ENTRY(chance_below(chance, LANE_DONE + 2), slot, generation);
}

struct lane_ref lie_ref(struct chance *chance, const struct lane *lane)
{
    uint64_t area = chance_in(chance, 2) ? lane->request_area : lane->reply_area;
    return (struct lane_ref){
        .offset = (uint32_t)area + chance_below(chance, (uint32_t)lane->reply_area_bytes + WORD),
        .length = chance_below(chance, (uint32_t)lane->reply_area_bytes + WORD)};
}

static uint64_t lie_word(struct chance *chance, const struct lane *lane, uint64_t was)
{
    switch (chance_below(chance, 8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return random_word(chance);
    case 3:
        return was ^ UINT64_C(1) << chance_below(chance, 64);
    case 4:
        return was + chance_below(chance, 5) - 2;
    case 5: /* another state of the same generation */
        return (was & ~(uint64_t)UINT32_MAX) | chance_below(chance, SLOT_N_STATES + 1);
    case 6:
        return chance_below(chance, (uint32_t)lane->total_bytes);
    default:
        return lie_entry(chance, lane);
    }
}

static _Atomic uint64_t *ring_place(
    struct chance *chance, const struct lane *lane, struct ring_shared *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    switch (chance_below(chance, 4)) {
    case 0:
        return &ring->tail;
    case 1:
        return &ring->head;
    default: /* one that was just written, or will be */
        return &ring->entries[(tail + chance_below(chance, 8) - 4) & (lane->n_entries - 1)];
    }
}

static _Atomic uint64_t *word_at(void *base, struct chance *chance, size_t n_bytes)
{
    return (_Atomic uint64_t *)base + chance_below(chance, (uint32_t)(n_bytes / WORD));
}

static _Atomic uint64_t *somewhere(struct chance *chance, const struct lane *lane)
{
    struct slot *slot = &lane->slots[chance_below(chance, lane->n_slots)];
    switch (chance_below(chance, 8)) {
    case 0:
        return ring_place(chance, lane, lane->request_ring);
    case 1:
        return ring_place(chance, lane, lane->reply_ring);
    case 2:
        return &slot->word;
    case 3:
        return word_at(&slot->request, chance, sizeof(slot->request));
    case 4:
        return word_at(&slot->reply, chance, 64); /* beyond stands text */
    case 5:
        return word_at(lane->front, chance, 2 * sizeof(*lane->front));
    case 6:
        return word_at(lane->base, chance, sizeof(struct lane_header));
    default:
        return word_at(lane->base, chance, lane->total_bytes);
    }
}

void lie(struct chance *chance, const struct lane *lane)
{
    _Atomic uint64_t *place = somewhere(chance, lane);
    uint64_t was = atomic_load_explicit(place, memory_order_relaxed);
    atomic_store_explicit(place, lie_word(chance, lane, was), memory_order_relaxed);
}

static bool is_over(struct liar *liar)
{
    return atomic_load_explicit(&liar->is_over, memory_order_relaxed);
}

static void *lie_on(void *context)
{
    struct liar *liar = context;
    while (!is_over(liar)) {
        uint32_t pause = chance_below(&liar->chance, 4096);
        while (pause > 0 && !is_over(liar))
            pause--;
        lie(&liar->chance, &liar->lane);
        liar->n_lies++;
    }
    return NULL;
}

void liar_start(struct liar *liar, int memory, uint64_t seed)
{
    *liar = (struct liar){.chance = {seed ? seed : 1}};
    int error = lane_join(&liar->lane, memory);
    assert(error == 0);
    error = pthread_create(&liar->thread, NULL, lie_on, liar);
    assert(error == 0);
}

uint64_t liar_stop(struct liar *liar)
{
    atomic_store_explicit(&liar->is_over, true, memory_order_relaxed);
    int error = pthread_join(liar->thread, NULL);
    assert(error == 0);
    lane_leave(&liar->lane);
    return liar->n_lies;
}
