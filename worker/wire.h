/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a broker and the machines that live on it: the outlet of those who publish, or
 * the intakes of those who consume. It passes on what the link says, and logs it.
 */
#ifndef LEVERET_WORKER_WIRE_H
#define LEVERET_WORKER_WIRE_H

#include <stdbool.h>

#include "shm/cleanup.h"

#include "blueprint.h"
#include "intake.h"
#include "link.h"
#include "loop.h"
#include "outlet.h"
#include "resolver.h"

struct wire {
    const char *broker, *use; /* for the log */
    struct loop *loop;
    struct link_config config;
    struct link *link; /* NULL: not laid */
    struct outlet outlet;
    bool publishes;         /* the outlet is in use */
    struct intake *intakes; /* by intake.next */
};

/* Where a wire leads, and why. All is borrowed for life. */
struct wire_plan {
    struct loop *loop;
    struct resolver *resolver;
    struct blueprint *blueprint;
    const struct plan_worker *worker;
    const struct plan_broker *broker;
    const char *use;
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
struct outlet *wire_outlet(struct wire *wire, struct letter *letter);

/* An intake that this wire feeds. */
void wire_feed(struct wire *wire, struct intake *intake);

/* Connects; also again, when the link's retries have run out. Nothing while it is at it. */
void wire_connect(struct wire *wire);

#endif
