/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/deadline.h"

#include <assert.h>
#include <errno.h>

#include "shm/clock.h"

int deadlines_init(struct deadlines *deadlines, uint32_t capacity)
{
    struct deadline_entry *heap = calloc((size_t)capacity + 1, sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    *deadlines = (struct deadlines){.heap = heap, .capacity = capacity};
    return 0;
}

void deadlines_done(struct deadlines *deadlines)
{
    free(deadlines->heap);
    *deadlines = (struct deadlines){0};
}

static void place_at(struct deadlines *deadlines, struct deadline_entry entry, uint32_t place)
{
    deadlines->heap[place] = entry;
    entry.deadline->place = place;
}

static void sift_up(struct deadlines *deadlines, struct deadline_entry entry, uint32_t place)
{
    while (place > 1 && deadlines->heap[place / 2].at_ns > entry.at_ns) {
        place_at(deadlines, deadlines->heap[place / 2], place);
        place /= 2;
    }
    place_at(deadlines, entry, place);
}

static void sift_down(struct deadlines *deadlines, struct deadline_entry entry, uint32_t place)
{
    for (;;) {
        uint32_t child = 2 * place;
        if (child > deadlines->n)
            break;
        if (child < deadlines->n && deadlines->heap[child + 1].at_ns < deadlines->heap[child].at_ns)
            child++;
        if (deadlines->heap[child].at_ns >= entry.at_ns)
            break;
        place_at(deadlines, deadlines->heap[child], place);
        place = child;
    }
    place_at(deadlines, entry, place);
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ns)
{
    deadline_clear(deadlines, deadline);
    assert(deadlines->n < deadlines->capacity);
    deadline->at_ns = at_ns;
    struct deadline_entry entry = {.at_ns = at_ns, .deadline = deadline};
    sift_up(deadlines, entry, ++deadlines->n);
}

void deadline_clear(struct deadlines *deadlines, struct deadline *deadline)
{
    uint32_t place = deadline->place;
    if (!place)
        return;
    deadline->place = 0;
    struct deadline_entry last = deadlines->heap[deadlines->n--];
    if (last.deadline == deadline)
        return;
    if (place > 1 && deadlines->heap[place / 2].at_ns > last.at_ns)
        sift_up(deadlines, last, place);
    else
        sift_down(deadlines, last, place);
}

bool deadline_is_set(const struct deadline *deadline)
{
    return deadline->place != 0;
}

uint64_t deadlines_next(const struct deadlines *deadlines)
{
    return deadlines->n ? deadlines->heap[1].at_ns : CLOCK_NEVER;
}

struct deadline *deadlines_pop(struct deadlines *deadlines, uint64_t now_ns)
{
    if (deadlines_next(deadlines) > now_ns || !deadlines->n)
        return NULL;
    struct deadline *first = deadlines->heap[1].deadline;
    deadline_clear(deadlines, first);
    return first;
}
