/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a dead child's place stays empty.
 *
 * One that did its job and was killed is replaced at once. One that dies before it was of use,
 * again and again, is replaced ever later, so that a broken child costs a log line every few
 * seconds and not a processor: 0, 100 ms, 200 ms, 400 ms ... 5 s.
 */
#ifndef LEVERET_THROTTLE_H
#define LEVERET_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/clock.h"

#define THROTTLE_FIRST_NS (100 * CLOCK_MS)
#define THROTTLE_LAST_NS (5 * CLOCK_S)
#define THROTTLE_SHORT_LIFE_NS (1 * CLOCK_S) /* too short to have been of use */
#define THROTTLE_LONG_LIFE_NS (60 * CLOCK_S) /* whatever ended it is a new story */

/* Zero is a child that never died. */
struct throttle {
    unsigned n_failures; /* in a row */
};

/* The child has died after `lived_ns`; `was_useful`: it had become ready, and it was not killed for
 * its faults. How long to wait before the next one is started. */
uint64_t throttle_delay_ns(struct throttle *throttle, uint64_t lived_ns, bool was_useful);

#endif
