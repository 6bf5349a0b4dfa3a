/* SPDX-License-Identifier: Apache-2.0 */
#include "part.h"

#include <assert.h>

/* Row: from. A bit for each state that may follow. */
static const uint8_t arrows[PART_N_STATES] = {
    [PART_IDLE] = 1u << PART_ABOARD | 1u << PART_STRANDED | 1u << PART_OVER,
    [PART_ABOARD] = 1u << PART_IDLE | 1u << PART_HELD | 1u << PART_OVER,
    [PART_STRANDED] = 1u << PART_IDLE | 1u << PART_OVER,
    [PART_HELD] = 1u << PART_IDLE | 1u << PART_PINNED | 1u << PART_OVER,
    [PART_PINNED] = 1u << PART_OVER,
};

void part_move(struct part *part, enum part_state to)
{
    assert(part->state < PART_N_STATES && to < PART_N_STATES && arrows[part->state] >> to & 1);
    part->state = to;
}

bool part_is_success(const struct part *part)
{
    switch (part->reply.outcome) {
    case OUTCOME_CONFIRMED:
    case OUTCOME_UNCONFIRMED:
    case OUTCOME_DELIVERED:
        return true;
    case OUTCOME_UNROUTABLE:
        return !part->plan->is_mandatory;
    default:
        return false;
    }
}
