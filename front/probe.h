/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probe asks: do the processes turn (live), was everything there once (started), can every
 * endpoint be served now (ready)? Answered from the figures alone.
 *
 *   live      fails when somebody hangs: a process whose loop has not turned for so long that the
 *             supervisor is about to kill it, or the supervisor itself. One that died is no reason:
 *             it is started again, and a restart of all would take longer.
 *   started   fails until every broker that an endpoint needs was connected once, for what it is
 *             needed for; then never again in this generation.
 *   ready     fails for an endpoint when no worker could serve it: its broker is away or takes no
 *             messages, it refuses exchange or queue, its worker is dead; and for all while draining.
 *             One worker of several that can is enough. An endpoint without a backend is ready.
 */
#ifndef LEVERET_FRONT_PROBE_H
#define LEVERET_FRONT_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "overview.h"

enum probe_reason_kind {
    PROBE_DRAINING,
    PROBE_HUNG,
    PROBE_WORKER_DOWN,
    PROBE_BROKER_AWAY,
    PROBE_BROKER_BLOCKED,
    PROBE_TOPOLOGY_REFUSED,
    PROBE_BROKER_NEVER_SEEN,
    PROBE_N_KINDS
};

#define PROBE_NO_ENDPOINT UINT32_MAX

struct probe_reason {
    enum probe_reason_kind kind;
    uint32_t endpoint; /* index into the plan's; PROBE_NO_ENDPOINT: it is of none */
    struct slice what; /* the broker, the queue or the process; or empty */
};

enum { PROBE_MAX_REASONS = 64 };

/* What speaks against it. Zero: nothing does. */
struct probe {
    uint32_t n; /* there are; the first PROBE_MAX_REASONS of them are here */
    struct probe_reason reasons[PROBE_MAX_REASONS];
    char names[PROBE_MAX_REASONS][OVERVIEW_NAME_BYTES]; /* of processes among them */
};

void probe_live(const struct overview *overview, struct probe *probe);
void probe_started(const struct overview *overview, struct probe *probe);
void probe_ready(const struct overview *overview, struct probe *probe);

const char *probe_reason_name(enum probe_reason_kind kind);
const char *probe_reason_detail(enum probe_reason_kind kind);

#endif
