/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a request went: stamps, and what lies between them.
 *
 *   begun ─parse─▶ submitted ─ring─▶ claimed ─broker─▶ done ─ring─▶ answered
 *
 * Begun: head and body are there. Claimed and done are in the words of a worker, of the part that was
 * done last; they are believed as far as they lie between the front's own. What no worker was asked
 * for has `parse` alone. The writing of the answer comes behind it.
 */
#ifndef LEVERET_FRONT_TIMING_H
#define LEVERET_FRONT_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum { TIMING_BYTES = 128 };

/* CLOCK_MONOTONIC; 0: it did not come to that. */
struct timing {
    uint64_t begun_ns, submitted_ns;
    uint64_t claimed_ns, done_ns;
    uint64_t answered_ns; /* it is settled what the client will be told */
};

struct timing_stages {
    uint64_t parse_ns, ring_ns, broker_ns;
    bool has_worker; /* spoken: else ring and broker are 0 */
};

/* Of a request that was answered. */
struct timing_stages timing_stages_of(const struct timing *timing);

/* The stages as the value of Server-Timing (W3C, https://www.w3.org/TR/server-timing/), in
 * milliseconds: parse;dur=0.031, ring;dur=0.048, broker;dur=1.204 */
struct slice timing_write(const struct timing *timing, char out[TIMING_BYTES]);

#endif
