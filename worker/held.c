/* SPDX-License-Identifier: Apache-2.0 */
#include "held.h"

#include <assert.h>
#include <string.h>

#include "shm/clock.h"

void held_put(struct held *held, const struct held_delivery *delivery)
{
    assert(!held_is_full(held));
    held->items[held->n++] = *delivery;
}

static struct held_delivery take(struct held *held, uint32_t i)
{
    struct held_delivery delivery = held->items[i];
    held->n--;
    memmove(&held->items[i], &held->items[i + 1], (held->n - i) * sizeof(delivery));
    return delivery;
}

struct held_delivery held_take_next(struct held *held)
{
    uint32_t next = 0;
    assert(held->n);
    for (uint32_t i = 1; i < held->n; i++)
        if (held->items[i].due_ns < held->items[next].due_ns)
            next = i;
    return take(held, next);
}

bool held_take_due(struct held *held, uint64_t now_ns, struct held_delivery *delivery)
{
    for (uint32_t i = 0; i < held->n; i++) {
        if (held->items[i].due_ns <= now_ns) {
            *delivery = take(held, i);
            return true;
        }
    }
    return false;
}

uint64_t held_next_ns(const struct held *held)
{
    uint64_t next_ns = CLOCK_NEVER;
    for (uint32_t i = 0; i < held->n; i++)
        if (held->items[i].due_ns < next_ns)
            next_ns = held->items[i].due_ns;
    return next_ns;
}
