/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flatmap_filter: what a list of operations makes of a JSON object. Paths are names from the
 * outside in; the elements of an array go by their position. It does what the gateway's filter does,
 * which is not always what its names suggest:
 *
 *   move a.b → c    `*` in the first path, but for its last name, stands for every member.
 *     as long       The last name becomes the last name of the second path, in its place: a.b → x.c
 *                   is a.c. No other name of the second path counts.
 *     longer        What is moved goes deeper, from where it stood: a.b → x.c.d is a.c.d, and what
 *                   is missing on the way is made. A scalar on the way becomes an object.
 *     shorter       It goes up: a.*.c → a.c, or with `*` in the second path for what it stood for
 *                   in the first, a.*.b.c → a.*.c. Where a name on the way is missing it goes no
 *                   further down than that.
 *     A member that has the new name already gives way; of several that come to one name the last
 *     stays. In an array it goes to the end.
 *   append a → b    The elements of a, if both are arrays, go to the end of b, and a is left out.
 *                   `*` in the first path makes an array of all that it leads to.
 *   del a.b         Left out. `*` stands for every member, and at the end for all of them.
 *
 * What is left of an object or an array without members is null.
 *
 * Costs a walk over each value that a path leads into, and a step for each member beside it, more
 * where long names are compared.
 * Bounded like json_tree.h. No I/O, no allocation.
 */
#ifndef LEVERET_SHM_FLATMAP_H
#define LEVERET_SHM_FLATMAP_H

#include <leveret/plan.h>

#include "shm/json_tree.h"
#include "shm/plan.h"

/* Changes an open tree by `operations` (plan_flatmap), in their order. How it went, json_tree.h
 * tells. */
void flatmap_apply(struct json_tree *tree, const struct plan *plan, struct plan_list operations);

#endif
