/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the plan to what the machines are given: declarations with their tables of arguments, links
 * with their hosts. All that is made lives in one pool until blueprint_done(); texts stay in the
 * plan, which outlives it.
 */
#ifndef LEVERET_WORKER_BLUEPRINT_H
#define LEVERET_WORKER_BLUEPRINT_H

#include <amqp.h>
#include <stddef.h>

#include <leveret/plan.h>

#include "shm/cleanup.h"
#include "shm/plan.h"

#include "link.h"
#include "topology.h"

struct blueprint {
    const struct plan *plan;
    amqp_pool_t pool;
};

void blueprint_init(struct blueprint *blueprint, const struct plan *plan);
void blueprint_done(struct blueprint *blueprint);

/* What a producer declares on its own channel, and what beside it (its queue's name is NULL when
 * there is nothing). -ENOMEM. */
int blueprint_producer(struct blueprint *blueprint, const struct plan_backend *backend,
    struct topology_wish *exchange, struct topology_wish *queue) MUST_USE;

/* What a tap declares, in this order: its queue with the first binding, then each other binding. At
 * least one wish. -ENOMEM. */
int blueprint_tap(struct blueprint *blueprint, const struct plan_tap *tap,
    const struct topology_wish **wishes, size_t *n_wishes) MUST_USE;

/* How a broker is reached. -ENOMEM. */
int blueprint_link(struct blueprint *blueprint, const struct plan_worker *worker,
    const struct plan_broker *broker, struct link_config *config) MUST_USE;

#endif
