/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From target, allow, deny, mapping, flatmap_filter and group, as the file has them, to a
 * plan_shape.
 */
#ifndef LEVERET_PLAN_SHAPE_H
#define LEVERET_PLAN_SHAPE_H

#include <stdbool.h>
#include "shm/plan.h"
#include "config.h"

/* Does the file ask for anything but the message as it is? A producer has no message to shape, and
 * an endpoint without encoding passes its one on untouched. */
bool plan_is_shaped(const struct config_endpoint *endpoint, const struct config_backend *backend);

/*
 * The rules of a shaped backend. Dots part the names of a path, and there is no other syntax:
 * "a..b" has an empty name in it. Where one path of a list begins with the other the later one
 * counts; of a new name in `mapping` its first segment counts. -ENOMEM.
 */
int plan_add_shape(struct plan_builder *builder, const struct config_backend *backend,
    struct plan_shape *shape) MUST_USE;

/* The names of one path, plan_text. It has PLAN_PATH_MAX at most. -ENOMEM. */
int plan_add_path(struct plan_builder *builder, const char *text, struct plan_list *list) MUST_USE;

#endif
