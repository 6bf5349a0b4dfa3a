/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From flatmap_filter, as the file has it, to plan_flatmap operations.
 */
#ifndef LEVERET_PLAN_FLATMAP_H
#define LEVERET_PLAN_FLATMAP_H

#include "shm/plan.h"
#include "config.h"

/* `flatmap` holds config_operation, and was checked. Each path of a `del` is an operation of its
 * own. -ENOMEM. */
int plan_add_flatmap(struct plan_builder *builder, const struct config_items *flatmap,
    struct plan_list *list) MUST_USE;

/* How many that are. */
size_t plan_count_flatmap(const struct config_items *flatmap);

#endif
