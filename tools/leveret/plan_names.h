/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How brokers and queues are called in logs and figures. No name holds a credential.
 */
#ifndef LEVERET_PLAN_NAMES_H
#define LEVERET_PLAN_NAMES_H

#include "shm/plan.h"

#include "plan_topology.h"

/* "rabbit:5672/orders", of the first host; the vhost "/" is not repeated. */
struct plan_text plan_add_broker_name(
    struct plan_builder *builder, const struct topology *topology, uint32_t broker);

/* The same for the figures, where no two may have the same name: those that differ in nothing but
 * their user are "rabbit:5672/orders" and "rabbit:5672/orders#1", by their numbers. -ENOMEM. */
int plan_add_brokers(
    struct plan_builder *builder, const struct topology *topology, struct plan_list *list) MUST_USE;

/* The queues that are consumed, as the figures call them: one that the broker is to name is "#3", by
 * its number. -ENOMEM. */
int plan_add_queues(
    struct plan_builder *builder, const struct topology *topology, struct plan_list *list) MUST_USE;

#endif
