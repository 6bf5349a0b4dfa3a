/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <stdatomic.h>

#include "shm/doorbell.h"

void pair_init(struct pair *pair)
{
    *pair = (struct pair){.memory = -1, .bells = {-1, -1}};
}

int pair_open(struct pair *pair, const struct lane_size *size)
{
    struct lane lane;
    CLEANUP(cleanup_fd) int memory = lane_new(size);
    if (memory < 0)
        return memory;
    CLEANUP(cleanup_fd) int front_bell = doorbell_new();
    if (front_bell < 0)
        return front_bell;
    CLEANUP(cleanup_fd) int worker_bell = doorbell_new();
    if (worker_bell < 0)
        return worker_bell;
    int error = lane_join(&lane, memory);
    if (error)
        return error;
    *pair = (struct pair){.memory = STEAL_FD(memory), .lane = lane};
    pair->bells[PAIR_FRONT] = STEAL_FD(front_bell);
    pair->bells[PAIR_WORKER] = STEAL_FD(worker_bell);
    return 0;
}

void pair_close(struct pair *pair)
{
    lane_leave(&pair->lane);
    cleanup_fd(&pair->memory);
    for (int end = 0; end < PAIR_N_ENDS; end++)
        cleanup_fd(&pair->bells[end]);
    pair_init(pair);
}

bool pair_is_open(const struct pair *pair)
{
    return pair->memory >= 0;
}

struct control_fds pair_fds(const struct pair *pair, int peer_pidfd)
{
    return (struct control_fds){
        .fd = {[CONTROL_LANE_MEMORY] = pair->memory,
            [CONTROL_LANE_FRONT_BELL] = pair->bells[PAIR_FRONT],
            [CONTROL_LANE_WORKER_BELL] = pair->bells[PAIR_WORKER],
            [CONTROL_LANE_PEER] = peer_pidfd},
        .n = CONTROL_LANE_N_FDS,
    };
}

void pair_look(struct pair *pair, enum pair_end end, struct vitals *vitals)
{
    const struct lane_side *side = end == PAIR_FRONT ? pair->lane.front : pair->lane.worker;
    /* relaxed: a look that is one turn old is as good */
    uint64_t beats = atomic_load_explicit(&side->beats, memory_order_relaxed);
    vitals->is_awake |= !atomic_load_explicit(&side->is_parked, memory_order_relaxed);
    vitals->is_beating |= beats != pair->beats[end];
    pair->beats[end] = beats;
}

void pair_call(const struct pair *pair, enum pair_end end)
{
    /* fails only when the counter is at its end: then it is readable, and the child wakes */
    (void)!write(pair->bells[end], &(uint64_t){1}, sizeof(uint64_t));
}
