/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deadline with somebody to call when it comes. The HTTP library's own timers follow the wall
 * clock, which steps; these stand in shm/deadline.h's heap and follow the monotonic one.
 */
#ifndef LEVERET_FRONT_TIMER_H
#define LEVERET_FRONT_TIMER_H

#include "shm/deadline.h"

struct timer {
    struct deadline deadline;
    void (*on_due)(void *owner);
    void *owner;
};

/* The owner calls it once, before anything else. */
static inline void timer_init(struct timer *timer, void (*on_due)(void *owner), void *owner)
{
    *timer = (struct timer){.deadline.owner = timer, .on_due = on_due, .owner = owner};
}

static inline void timer_set(struct deadlines *timers, struct timer *timer, uint64_t at_ns)
{
    deadline_set(timers, &timer->deadline, at_ns);
}

static inline void timer_clear(struct deadlines *timers, struct timer *timer)
{
    deadline_clear(timers, &timer->deadline);
}

/* Call whoever is due by `now_ns`, each once; how many that were. A callback may free the memory of
 * any timer that it has cleared. */
static inline unsigned timers_run(struct deadlines *timers, uint64_t now_ns)
{
    unsigned n = 0;
    struct deadline *deadline;
    while ((deadline = deadlines_pop(timers, now_ns))) {
        struct timer *timer = deadline->owner;
        timer->on_due(timer->owner);
        n++;
    }
    return n;
}

#endif
