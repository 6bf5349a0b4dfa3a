/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines in the order in which they come: a binary heap over structures that hold a `struct
 * deadline` (embed it; `owner` leads back). Setting and clearing cost O(log n), asking for the next
 * one O(1). The heap's memory is taken at start for the most deadlines that can be set at a time.
 */
#ifndef LEVERET_SHM_DEADLINE_H
#define LEVERET_SHM_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/cleanup.h"

struct deadline {
    uint64_t at_ns; /* CLOCK_MONOTONIC */
    uint32_t place; /* 0: not set; else its place in the heap */
    void *owner;
};

/* The time stands in the heap, too: who looks for a place need not look into its neighbours. */
struct deadline_entry {
    uint64_t at_ns;
    struct deadline *deadline;
};

struct deadlines {
    struct deadline_entry *heap; /* from 1 */
    uint32_t n, capacity;
};

/* Room for `capacity` deadlines. 0 or -ENOMEM. */
int deadlines_init(struct deadlines *deadlines, uint32_t capacity) MUST_USE;
void deadlines_done(struct deadlines *deadlines);

/* Set, or set anew, for at_ns; never more than `capacity` at a time. Clearing an unset one does
 * nothing. */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ns);
void deadline_clear(struct deadlines *deadlines, struct deadline *deadline);
bool deadline_is_set(const struct deadline *deadline);

/* When the next one comes, or CLOCK_NEVER. */
uint64_t deadlines_next(const struct deadlines *deadlines);

/* Take out one that has come by `now_ns`, the earliest first; NULL when there is none. */
struct deadline *deadlines_pop(struct deadlines *deadlines, uint64_t now_ns);

#endif
