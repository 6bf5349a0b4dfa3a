/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <stdatomic.h>

void pair_init(struct pair *pair)
{
    *pair = (struct pair){.rope = -1};
}

static int ends_make(struct pair_ends *ends, const struct lane_size *size, int rope)
{
    ends->memory = lane_new(size);
    int error = ends->memory < 0 ? ends->memory : 0;
    for (int end = 0; end < PAIR_N_ENDS && !error; end++) {
        error = doorbell_new(&ends->bells[end]);
        if (!error)
            error = doorbell_tie(ends->bells[end].bell, rope);
    }
    return error;
}

int pair_open(struct pair *pair, const struct lane_size *size, struct pair_ends *out)
{
    struct lane lane;
    CLEANUP(pair_ends_close) struct pair_ends ends = PAIR_NO_ENDS;
    CLEANUP(cleanup_fd) int rope = doorbell_rope_new();
    if (rope < 0)
        return rope;
    int error = ends_make(&ends, size, rope);
    if (!error)
        error = lane_join(&lane, ends.memory);
    if (error)
        return error;
    *pair = (struct pair){.rope = STEAL_FD(rope), .lane = lane};
    *out = ends;
    ends = PAIR_NO_ENDS;
    return 0;
}

void pair_ends_close(struct pair_ends *ends)
{
    cleanup_fd(&ends->memory);
    for (int end = 0; end < PAIR_N_ENDS; end++)
        doorbell_close(&ends->bells[end]);
    *ends = PAIR_NO_ENDS;
}

void pair_close(struct pair *pair)
{
    lane_leave(&pair->lane);
    cleanup_fd(&pair->rope);
    pair_init(pair);
}

bool pair_is_open(const struct pair *pair)
{
    return pair->rope >= 0;
}

struct control_fds pair_fds(const struct pair_ends *ends, enum pair_end end, int peer_pidfd)
{
    enum pair_end peer = end == PAIR_FRONT ? PAIR_WORKER : PAIR_FRONT;
    return (struct control_fds){
        .fd = {[CONTROL_LANE_MEMORY] = ends->memory,
            [CONTROL_LANE_BELL] = ends->bells[end].bell,
            [CONTROL_LANE_ROPE] = ends->bells[peer].rope,
            [CONTROL_LANE_PEER] = peer_pidfd},
        .n = CONTROL_LANE_N_FDS,
    };
}

void pair_look(struct pair *pair, enum pair_end end, struct vitals *vitals)
{
    const struct lane_side *side = end == PAIR_FRONT ? pair->lane.front : pair->lane.worker;
    /* relaxed: a look that is one turn old is as good */
    uint64_t beats = atomic_load_explicit(&side->beats, memory_order_relaxed);
    vitals->has_lane = true;
    vitals->is_beating |= beats != pair->beats[end];
    pair->beats[end] = beats;
}

void pair_call(const struct pair *pair)
{
    doorbell_pull(pair->rope);
}
