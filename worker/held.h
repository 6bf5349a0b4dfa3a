/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deliveries that are kept unacknowledged for a while before they go back to their queue. Bounded:
 * who holds one too many takes out the one that is due next. Pure: time is passed in.
 */
#ifndef LEVERET_WORKER_HELD_H
#define LEVERET_WORKER_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/cleanup.h"

enum { HELD_MAX = 64 };

struct held_delivery {
    uint64_t delivery_tag;
    uint64_t due_ns; /* when it goes back */
    uint32_t consumer;
};

/* All zero: none. */
struct held {
    struct held_delivery items[HELD_MAX]; /* the oldest first */
    uint32_t n;
};

static inline bool held_is_full(const struct held *held)
{
    return held->n == HELD_MAX;
}

/* Not when it is full. */
void held_put(struct held *held, const struct held_delivery *delivery);

/* Takes out the one that is due next, the oldest of several; there is one. */
struct held_delivery held_take_next(struct held *held);

/* Takes out one that is due by `now_ns`; false when none is. */
bool held_take_due(struct held *held, uint64_t now_ns, struct held_delivery *delivery) MUST_USE;

/* When the next one is due, or CLOCK_NEVER. */
uint64_t held_next_ns(const struct held *held);

#endif
