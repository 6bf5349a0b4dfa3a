/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/doorbell.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int doorbell_new(void)
{
    int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return bell < 0 ? -errno : bell;
}

void doorbell_park(struct lane_side *sleeper)
{
    atomic_store_explicit(&sleeper->is_parked, 1, memory_order_relaxed);
    /* pairs with the fence in doorbell_ring(): our flag before our look, its push before its look
     */
    atomic_thread_fence(memory_order_seq_cst);
}

void doorbell_unpark(struct lane_side *sleeper)
{
    atomic_store_explicit(&sleeper->is_parked, 0, memory_order_relaxed);
}

bool doorbell_ring(struct lane_side *sleeper, int bell)
{
    /* pairs with the fence in doorbell_park() */
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&sleeper->is_parked, memory_order_relaxed) ||
        !atomic_exchange_explicit(&sleeper->is_parked, 0, memory_order_relaxed))
        return false;
    /* fails only when the counter is at its end: then it is readable, and the sleeper wakes */
    (void)!write(bell, &(uint64_t){1}, sizeof(uint64_t));
    return true;
}

void doorbell_hush(int bell)
{
    uint64_t rings;
    (void)!read(bell, &rings, sizeof(rings)); /* EAGAIN: it was hushed already */
}
