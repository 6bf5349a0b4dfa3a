/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/clock.h"

#include <time.h>

uint64_t clock_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (uint64_t)now.tv_sec * CLOCK_S + (uint64_t)now.tv_nsec;
}

int clock_wait_ms(uint64_t now_ns, uint64_t deadline_ns, int max_ms)
{
    if (deadline_ns <= now_ns)
        return 0;
    uint64_t wait_ms = (deadline_ns - now_ns - 1) / CLOCK_MS + 1;
    return wait_ms < (uint64_t)max_ms ? (int)wait_ms : max_ms;
}
