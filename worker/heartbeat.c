/* SPDX-License-Identifier: Apache-2.0 */
#include "heartbeat.h"

#include "shm/clock.h"

uint64_t heartbeat_due_ns(const struct heartbeat *heartbeat)
{
    if (heartbeat->interval_ns == 0)
        return CLOCK_NEVER;
    return heartbeat->spoke_ns + heartbeat->interval_ns / 2;
}

uint64_t heartbeat_death_ns(const struct heartbeat *heartbeat)
{
    if (heartbeat->interval_ns == 0)
        return CLOCK_NEVER;
    return heartbeat->heard_ns + heartbeat->interval_ns * 2;
}
