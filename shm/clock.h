/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one clock: CLOCK_MONOTONIC in nanoseconds, the same for every process of the machine, so that
 * a deadline may travel through shared memory. Deadlines are absolute points of it; CLOCK_NEVER is
 * the one that does not come.
 */
#ifndef LEVERET_SHM_CLOCK_H
#define LEVERET_SHM_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX
#define CLOCK_MS UINT64_C(1000000)
#define CLOCK_S UINT64_C(1000000000)

/* Nanoseconds since boot, never falling. Costs one vDSO call. */
uint64_t clock_now_ns(void);

/* Milliseconds from `now_ns` until `deadline_ns`, rounded up, 0 when it has passed, at most
 * `max_ms`. */
int clock_wait_ms(uint64_t now_ns, uint64_t deadline_ns, int max_ms);

#endif
