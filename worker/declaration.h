/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A declaration on a channel of its own, so that a refusal, which costs the channel, costs nothing
 * else.
 *
 *   IDLE ──declaration_run──▶ RUNNING ── declared, or refused ──▶ on_done, IDLE
 *     ▲                          │
 *     └── declaration_drop ──────┴── the connection is lost: nothing is said
 */
#ifndef LEVERET_WORKER_DECLARATION_H
#define LEVERET_WORKER_DECLARATION_H

#include <stdbool.h>

#include "shm/cleanup.h"

#include "channel.h"
#include "topology.h"

/* Zero-initialise, then fill the owner's fields. */
struct declaration {
    /* `refusal` is NULL when all is declared; it dies with the callback. */
    void (*on_done)(void *owner, const struct channel_end *refusal);
    void *owner;
    struct channel *channel; /* NULL: IDLE */
    struct topology topology;
};

/* IDLE. on_done comes later, never from inside. -ENOTCONN, -ENOBUFS or -EINVAL: still IDLE. */
int declaration_run(struct declaration *declaration, struct channel_table *channels,
    const struct topology_wish *wish) MUST_USE;

/* Nobody waits for it any more: on_done will not come. Nothing in IDLE. */
void declaration_drop(struct declaration *declaration);

#endif
