/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a broker and the machines that live on it: the link as publishers see it, or
 * the channels of those who consume. It passes on what the link says, and logs it.
 */
#ifndef LEVERET_WORKER_WIRE_H
#define LEVERET_WORKER_WIRE_H

#include <stdbool.h>

#include "shm/cleanup.h"
#include "shm/figures.h"

#include "consume_channel.h"
#include "link.h"
#include "loop.h"
#include "plan_reader.h"
#include "publish_link.h"
#include "resolver.h"

struct wire {
    const char *broker, *use; /* for the log */
    struct figures_connection *figures;
    struct loop *loop;
    struct link_config config;
    struct link *link; /* NULL: not laid */
    struct publish_link publish_link;
    bool publishes;                           /* publish_link is in use */
    bool was_tried;                           /* it came up, or no host would have it */
    struct consume_channel *consume_channels; /* by consume_channel.next */
};

/* Where a wire leads, and why. All is borrowed for life. */
struct wire_plan {
    struct loop *loop;
    struct resolver *resolver;
    struct plan_reader *plan_reader;
    const struct plan_worker *worker;
    const struct plan_broker *broker;
    const char *use;
    struct figures_connection *figures; /* where it counts; NULL: nowhere */
};

static inline bool wire_is_laid(const struct wire *wire)
{
    return wire->link;
}

/* Lays a zeroed wire, without connecting. -ENOMEM. It stays where it is until wire_done(). */
int wire_lay(struct wire *wire, const struct wire_plan *plan) MUST_USE;

/* Only when its link is DOWN, or at the process's end. Nothing when it is not laid. */
void wire_done(struct wire *wire);

/* What publishers on this wire share; made at the first call. */
struct publish_link *wire_outlet(struct wire *wire, struct publication *publication);

/* A channel that lives on this wire. */
void wire_feed(struct wire *wire, struct consume_channel *consume_channel);

/* Connects; also again, when the link's retries have run out. Nothing while it is at it. */
void wire_connect(struct wire *wire);

#endif
