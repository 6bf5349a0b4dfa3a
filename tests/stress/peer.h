/* SPDX-License-Identifier: Apache-2.0 */
/* What the peers of the hostile stress tests have in common. */
#ifndef LEVERET_STRESS_PEER_H
#define LEVERET_STRESS_PEER_H

#include <assert.h>
#include <stdint.h>

#include "shm/lane.h"

enum { PEER_MAX_SLOTS = 16, PEER_AREA_BYTES = 1 << 14 };
enum { PEER_PRODUCE, PEER_CONSUME, PEER_N_BACKENDS };

/* What fills the bodies of a request and of what it is given. */
#define BODY_TAG(id) ((id) << 8)

/* A lane of the size that peers are made for; the caller closes it. */
static inline int peer_lane_new(uint32_t n_slots)
{
    const struct lane_size size = {.n_slots = n_slots,
        .request_area_bytes = PEER_AREA_BYTES,
        .reply_area_bytes = PEER_AREA_BYTES};
    int memory = lane_new(&size);
    assert(memory >= 0);
    return memory;
}

/* What happened to a request, by its number. Honest sides alone write it. */
struct ledger {
    uint64_t n, size;    /* numbers that were given out, and that there are */
    uint8_t *is_sent;    /* a worker has handed it to the kernel */
    uint8_t *is_written; /* a front has written its delivery to a client that was there */
};

#endif
