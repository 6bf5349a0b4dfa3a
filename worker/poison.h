/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tap has met of messages that no GET could have: how many, and how long the next one is
 * held before it goes back to its queue. Pure: time is passed in.
 *
 * One that comes for the first time is held for POISON_FIRST_NS. While some come back, the hold of
 * those doubles in rounds, up to POISON_MAX_NS: a round is over when the hold that it began with
 * is, so that ten such messages on a queue go round as seldom as one. After POISON_CALM_NS without
 * any, counted from the end of the last hold, all begins anew.
 *
 *   come back at     0   1   3   7   15   31   63   123   183 s
 *   and are held for 1   2   4   8   16   32   60    60    60 s
 *
 * The longest hold is far below what a broker waits for an acknowledgement: 30 minutes in RabbitMQ,
 * whose manual advises against less than five.
 */
#ifndef LEVERET_WORKER_POISON_H
#define LEVERET_WORKER_POISON_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/cleanup.h"

#define POISON_FIRST_NS (UINT64_C(1) * 1000000000)
#define POISON_MAX_NS (UINT64_C(60) * 1000000000)
#define POISON_CALM_NS (UINT64_C(60) * 1000000000)

/* All zero: none was met. */
struct poison {
    uint64_t n; /* met so far */
    uint64_t hold_ns;
    uint64_t round_end_ns; /* hold_ns grows no more before */
    uint64_t calm_ns;      /* it falls back from then on */
};

/* One more was met. Returns how many were, with it. */
uint64_t poison_met(struct poison *poison);

/* How long the one that was just met is held. `has_come_back`: it is one that was given back
 * before, by whomever. */
uint64_t poison_hold_ns(struct poison *poison, bool has_come_back, uint64_t now_ns) MUST_USE;

#endif
