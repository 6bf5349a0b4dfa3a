/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/doorbell.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int doorbell_rope_new(void)
{
    int rope = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return rope < 0 ? -errno : rope;
}

int doorbell_tie(int bell, int rope)
{
    /* edge-triggered: a pull is heard once, and nobody needs to read the rope */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    return epoll_ctl(bell, EPOLL_CTL_ADD, rope, &event) < 0 ? -errno : 0;
}

int doorbell_new(struct doorbell *doorbell)
{
    *doorbell = (struct doorbell){.bell = -1, .rope = -1};
    CLEANUP(cleanup_fd) int bell = epoll_create1(EPOLL_CLOEXEC);
    if (bell < 0)
        return -errno;
    CLEANUP(cleanup_fd) int rope = doorbell_rope_new();
    if (rope < 0)
        return rope;
    int error = doorbell_tie(bell, rope);
    if (error)
        return error;
    doorbell->bell = STEAL_FD(bell);
    doorbell->rope = STEAL_FD(rope);
    return 0;
}

void doorbell_close(struct doorbell *doorbell)
{
    cleanup_fd(&doorbell->bell);
    cleanup_fd(&doorbell->rope);
    doorbell->bell = doorbell->rope = -1;
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

bool doorbell_ring(struct lane_side *sleeper, int rope)
{
    /* pairs with the fence in doorbell_park() */
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&sleeper->is_parked, memory_order_relaxed) ||
        !atomic_exchange_explicit(&sleeper->is_parked, 0, memory_order_relaxed))
        return false;
    doorbell_pull(rope);
    return true;
}

void doorbell_pull(int rope)
{
    /* fails only after 2^64 - 2 pulls, since nobody else writes to it */
    (void)!write(rope, &(uint64_t){1}, sizeof(uint64_t));
}

void doorbell_hush(int bell)
{
    enum { MANY = 4 }; /* ropes: a bell has one of its peer, one of the supervisor */
    struct epoll_event pulls[MANY];
    (void)epoll_wait(bell, pulls, MANY, 0); /* none: it was hushed already */
}
