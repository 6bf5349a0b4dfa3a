/* SPDX-License-Identifier: Apache-2.0 */
#include "timing.h"

#include <inttypes.h>
#include <stdio.h>

enum { NS_PER_US = 1000, US_PER_MS = 1000 };

/* A worker may say anything, and two processes look at the clock at different points. */
static uint64_t between(uint64_t at_ns, uint64_t from_ns, uint64_t to_ns)
{
    if (at_ns < from_ns)
        return from_ns;
    return at_ns < to_ns ? at_ns : to_ns;
}

struct timing_stages timing_stages_of(const struct timing *timing)
{
    uint64_t parsed_ns = timing->submitted_ns ? timing->submitted_ns : timing->answered_ns;
    struct timing_stages stages = {.parse_ns = parsed_ns - timing->begun_ns};
    if (!timing->done_ns)
        return stages;
    uint64_t claimed_ns = between(timing->claimed_ns, parsed_ns, timing->answered_ns);
    uint64_t done_ns = between(timing->done_ns, claimed_ns, timing->answered_ns);
    stages.has_worker = true;
    stages.broker_ns = done_ns - claimed_ns;
    stages.ring_ns = claimed_ns - parsed_ns + timing->answered_ns - done_ns;
    return stages;
}

static size_t put(char *out, size_t used, const char *name, uint64_t ns)
{
    uint64_t us = ns / NS_PER_US;
    int n = snprintf(out + used, TIMING_BYTES - used, "%s%s;dur=%" PRIu64 ".%03" PRIu64,
        used ? ", " : "", name, us / US_PER_MS, us % US_PER_MS);
    return used + (size_t)n; /* three names and sixty digits have room */
}

struct slice timing_write(const struct timing *timing, char out[TIMING_BYTES])
{
    struct timing_stages stages = timing_stages_of(timing);
    size_t n = put(out, 0, "parse", stages.parse_ns);
    if (stages.has_worker) {
        n = put(out, n, "ring", stages.ring_ns);
        n = put(out, n, "broker", stages.broker_ns);
    }
    return (struct slice){.at = out, .len = n};
}
