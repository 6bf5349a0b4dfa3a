/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/slot.h"

#include <assert.h>

#include "shm/stop_point.h"

static const char *const state_names[SLOT_N_STATES] = {
    [SLOT_FREE] = "FREE",
    [SLOT_READY] = "READY",
    [SLOT_CLAIMED] = "CLAIMED",
    [SLOT_SENT] = "SENT",
    [SLOT_WAITING] = "WAITING",
    [SLOT_BOUND] = "BOUND",
    [SLOT_CANCELLED] = "CANCELLED",
    [SLOT_DONE] = "DONE",
};

static const char *const outcome_names[OUTCOME_N] = {
    [OUTCOME_NONE] = "none",
    [OUTCOME_CONFIRMED] = "confirmed",
    [OUTCOME_UNCONFIRMED] = "unconfirmed",
    [OUTCOME_UNROUTABLE] = "unroutable",
    [OUTCOME_NACKED] = "nacked",
    [OUTCOME_UNKNOWN] = "outcome-unknown",
    [OUTCOME_REJECTED] = "rejected",
    [OUTCOME_DELIVERED] = "delivered",
    [OUTCOME_UNDECODABLE] = "undecodable",
    [OUTCOME_TOO_LARGE] = "too-large",
    [OUTCOME_EMPTY] = "empty",
    [OUTCOME_CANCELLED] = "cancelled",
    [OUTCOME_DOWN] = "broker-down",
    [OUTCOME_BLOCKED] = "broker-blocked",
    [OUTCOME_STALLED] = "broker-stalled",
    [OUTCOME_BUSY] = "busy",
    [OUTCOME_TOPOLOGY] = "topology",
    [OUTCOME_INVALID] = "invalid",
    [OUTCOME_UNSUPPORTED] = "unsupported",
};

/* Row: from. A bit for each state that may follow. */
static const uint32_t arrows[SLOT_N_STATES] = {
    [SLOT_FREE] = 1u << SLOT_READY,
    [SLOT_READY] = 1u << SLOT_CLAIMED | 1u << SLOT_WAITING | 1u << SLOT_CANCELLED,
    [SLOT_CLAIMED] = 1u << SLOT_SENT | 1u << SLOT_DONE,
    [SLOT_SENT] = 1u << SLOT_DONE,
    [SLOT_WAITING] = 1u << SLOT_BOUND | 1u << SLOT_CANCELLED | 1u << SLOT_DONE,
    [SLOT_BOUND] = 1u << SLOT_DONE,
    [SLOT_CANCELLED] = 1u << SLOT_DONE,
    [SLOT_DONE] = 1u << SLOT_FREE,
};

static uint64_t pack(uint32_t generation, enum slot_state state)
{
    return (uint64_t)generation << 32 | state;
}

const char *slot_state_name(uint32_t state)
{
    return state < SLOT_N_STATES ? state_names[state] : "?";
}

const char *outcome_name(uint32_t outcome)
{
    return outcome < OUTCOME_N ? outcome_names[outcome] : "?";
}

bool slot_has_arrow(enum slot_state from, enum slot_state to)
{
    return from < SLOT_N_STATES && to < SLOT_N_STATES && arrows[from] >> to & 1;
}

struct slot_word slot_look(const struct slot *slot)
{
    /* acquire; pairs with the release in slot_move() */
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    return (struct slot_word){.generation = (uint32_t)(word >> 32), .state = (uint32_t)word};
}

bool slot_move(struct slot *slot, uint32_t generation, enum slot_state from, enum slot_state to)
{
    assert(slot_has_arrow(from, to));
    STOP_POINT(STOP_BEFORE, from, to);
    uint64_t expected = pack(generation, from);
    /* release: the request or the reply; acquire: pairs with the other side's slot_move() */
    if (!atomic_compare_exchange_strong_explicit(&slot->word, &expected, pack(generation, to),
            memory_order_acq_rel, memory_order_acquire))
        return false;
    STOP_POINT(STOP_AFTER, from, to);
    return true;
}

void slot_ready(struct slot *slot, uint32_t generation)
{
    STOP_POINT(STOP_BEFORE, SLOT_FREE, SLOT_READY);
    /* release; pairs with the acquire in the worker's slot_move() from READY */
    atomic_store_explicit(&slot->word, pack(generation, SLOT_READY), memory_order_release);
    STOP_POINT(STOP_AFTER, SLOT_FREE, SLOT_READY);
}

void slot_free(struct slot *slot, uint32_t generation)
{
    STOP_POINT(STOP_BEFORE, SLOT_DONE, SLOT_FREE);
    /* relaxed: nobody but the front reads anything into a free slot */
    atomic_store_explicit(&slot->word, pack(generation, SLOT_FREE), memory_order_relaxed);
    STOP_POINT(STOP_AFTER, SLOT_DONE, SLOT_FREE);
}
