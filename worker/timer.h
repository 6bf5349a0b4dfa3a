/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers, ordered by the time at which they are due: a pairing heap whose nodes are embedded in
 * their owners, so that arming one can never fail and costs nothing but a few pointers. Setting is
 * O(1), taking one out O(log n) amortised. Pure: time is passed in.
 */
#ifndef LEVERET_WORKER_TIMER_H
#define LEVERET_WORKER_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialise, then fill the two fields of the owner. */
struct timer {
    void (*on_due)(void *owner);
    void *owner;
    uint64_t due_ns;       /* while armed */
    struct timer *child;   /* from here on the heap's: first of those due later */
    struct timer *sibling; /* next child of the same parent */
    struct timer *before;  /* the sibling before it, or the parent; itself when it is the root */
};

struct timer_heap {
    struct timer *root; /* the one due first; NULL when none is armed */
};

static inline bool timer_is_armed(const struct timer *timer)
{
    return timer->before;
}

/* Arms the timer, or moves it. */
void timer_set(struct timer_heap *heap, struct timer *timer, uint64_t due_ns);

/* Takes it out, if it is in. */
void timer_clear(struct timer_heap *heap, struct timer *timer);

/* When the first one is due; CLOCK_NEVER when there is none. */
uint64_t timer_next_ns(const struct timer_heap *heap);

/* Takes out and returns a timer that is due at `now_ns`, or NULL. */
struct timer *timer_take_due(struct timer_heap *heap, uint64_t now_ns);

#endif
