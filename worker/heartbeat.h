/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heartbeats of one connection (AMQP 0-9-1, 4.2.7): when to send one, when to give the peer up. Any
 * byte counts as a sign of life, both ways. Pure: time is passed in.
 *
 *      half an interval without a byte sent       a heartbeat is due
 *      two intervals without a byte received      the peer is dead
 */
#ifndef LEVERET_WORKER_HEARTBEAT_H
#define LEVERET_WORKER_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

struct heartbeat {
    uint64_t interval_ns; /* as negotiated; 0: none, nothing is ever due */
    uint64_t heard_ns;    /* when a byte last came */
    uint64_t spoke_ns;    /* when a byte last went out */
};

/* When the next heartbeat is due, or CLOCK_NEVER. */
uint64_t heartbeat_due_ns(const struct heartbeat *heartbeat);

/* When the peer is dead unless a byte comes before, or CLOCK_NEVER. */
uint64_t heartbeat_death_ns(const struct heartbeat *heartbeat);

#endif
