/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the plan to what the machines are given: declarations with their tables of arguments, links
 * with their hosts and what their TLS needs. All that is made lives until plan_reader_done(); texts
 * stay in the plan, which outlives it.
 */
#ifndef LEVERET_WORKER_PLAN_READER_H
#define LEVERET_WORKER_PLAN_READER_H

#include <amqp.h>
#include <stddef.h>

#include <leveret/plan.h>

#include "shm/cleanup.h"
#include "shm/plan.h"

#include "link.h"
#include "topology.h"

struct plan_reader {
    const struct plan *plan;
    amqp_pool_t pool;
    SSL_CTX **contexts; /* by plan_worker.tls; NULL where none was needed yet */
    uint32_t n_contexts;
};

void plan_reader_init(struct plan_reader *plan_reader, const struct plan *plan);
void plan_reader_done(struct plan_reader *plan_reader);

/* What a producer declares on its own channel, and what beside it (its queue's name is NULL when
 * there is nothing). -ENOMEM. */
int plan_reader_producer(struct plan_reader *plan_reader, const struct plan_backend *backend,
    struct topology_wish *exchange, struct topology_wish *queue) MUST_USE;

/* What a tap declares, in this order: its queue with the first binding, then each other binding. At
 * least one wish. -ENOMEM. */
int plan_reader_tap(struct plan_reader *plan_reader, const struct plan_tap *tap,
    const struct topology_wish **wishes, size_t *n_wishes) MUST_USE;

/* How a broker is reached. -ENOMEM; -EPROTO: the plan has something else than the PEM that its maker
 * has tried. */
int plan_reader_link(struct plan_reader *plan_reader, const struct plan_worker *worker,
    const struct plan_broker *broker, struct link_config *config) MUST_USE;

#endif
