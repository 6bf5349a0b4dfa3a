/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every stress program needs: chance from a seed that can be given again, and a wait that
 * calls a lost wake-up by its name.
 *
 * These are plain programs, since Criterion does not start under ThreadSanitizer, and two threads
 * on one mapping, since ThreadSanitizer is blind for a race through two. A broken invariant is a
 * failed assert(): it aborts, with the seed on the first line of the output.
 */
#ifndef LEVERET_STRESS_H
#define LEVERET_STRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/ring.h"

/* Far beyond any honest wait, also on a busy machine under a sanitizer. */
enum { STRESS_WATCHDOG_MS = 20000 };

struct chance {
    uint64_t state; /* not 0 */
};

/* The seed: `text` in decimal, or one of the clock's when it is NULL. Prints it. */
uint64_t stress_seed(const char *program, const char *text);

/* A number below `below`, which is not 0. */
uint32_t chance_below(struct chance *chance, uint32_t below);

/* True once in `n` times. */
static inline bool chance_in(struct chance *chance, uint32_t n)
{
    return chance_below(chance, n) == 0;
}

/* A body that only its writer can have meant: fills or compares `n` bytes by `tag`, of which the
 * low byte does not count. */
void body_fill(uint8_t *bytes, uint32_t n, uint64_t tag);
bool body_is(const uint8_t *bytes, uint32_t n, uint64_t tag);

/* One side of a lane that waits for the other: its flag, its bell and what it waits for. */
struct sleeper {
    struct lane_side *side;
    int bell;
    struct ring_consumer *ring;
    const _Atomic bool *is_over; /* also a reason to wake; NULL: there is no such thing */
    uint64_t n_sleeps;
};

/* Parks, looks once more, sleeps until rung. Aborts when nobody rings within the watchdog's time.
 */
void stress_sleep(struct sleeper *sleeper);

#endif
