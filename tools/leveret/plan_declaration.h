/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges, queues and bindings, as a worker's plan has them.
 */
#ifndef LEVERET_PLAN_DECLARATION_H
#define LEVERET_PLAN_DECLARATION_H

#include <stdbool.h>
#include "shm/plan.h"
#include "config.h"
#include "plan_topology.h"

/* The queue that a backend names. -ENOMEM. */
int plan_add_queue(struct plan_builder *builder, const struct config_amqp *amqp, bool is_exclusive,
    struct plan_queue *queue) MUST_USE;

/* A backend's exchange, and the keys that bind its queue to it: none where it is not to be declared
 * actively. -ENOMEM. */
int plan_add_binding(struct plan_builder *builder, const struct config_amqp *amqp,
    struct plan_binding *binding) MUST_USE;

/* Those of all backends at a tap, but what two neighbours both say only once. -ENOMEM. */
int plan_add_tap_bindings(struct plan_builder *builder, const struct topology *topology,
    uint32_t tap, struct plan_list *bindings) MUST_USE;

/* The backend that the nth of these bindings comes from; NULL: there are not so many. */
const struct topology_backend *plan_binding_backend(
    const struct topology *topology, uint32_t tap, uint32_t nth);

#endif
